//! OAuth's authorization code with PKCE, as the Codex CLI does it (`upstream.md` §a.2): the address of the sign-in page,
//! and the code traded for tokens. Not here: how the code gets to us.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::call::{self, Trouble, refusal};
use super::error::{LoginError, Step};
use crate::accounts::{CLIENT_ID, Secret};
use crate::http::Http;

/// In the order in which the CLI sends them.
const SCOPES: [&str; 6] =
    ["openid", "profile", "email", "offline_access", "api.connectors.read", "api.connectors.invoke"];

/// The parameters of the sign-in page, in the order in which the CLI sends them.
const ORDER: [&str; 10] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "code_challenge",
    "code_challenge_method",
    "state",
    "scope",
    "id_token_add_organizations",
    "codex_cli_simplified_flow",
    "originator",
];

/// What the token endpoint answers. Only the tokens count: the CLI ignores the rest too, and a type that is missing or
/// a lifetime in quotes must not cost a login.
#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    access_token: AccessToken,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    /// An `AccessToken` because that type hides what it holds.
    #[serde(default)]
    id_token: Option<AccessToken>,
    #[serde(skip, default = "bearer")]
    kind: BasicTokenType,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.kind
    }

    fn expires_in(&self) -> Option<std::time::Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

type Client = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The tokens of a new login.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) id_token: Option<Secret>,
    pub(super) access_token: Secret,
    pub(super) refresh_token: Option<Secret>,
    /// The server's clock, where it tells it.
    pub(super) server_time: Option<i64>,
}

/// One sign-in at the page: what was asked, and what must come back.
pub(super) struct Ask {
    client: Client,
    redirect: RedirectUrl,
    verifier: PkceCodeVerifier,
    state: CsrfToken,
    pub(super) url: String,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask")
    }
}

impl Ask {
    pub(super) fn new(desk: &Desk, port: u16, workspace: Option<&str>) -> Result<Self, LoginError> {
        let client = client(desk)?;
        let redirect =
            RedirectUrl::new(format!("http://127.0.0.1:{port}/auth/callback")).map_err(internal)?;
        // 64 and 32 random bytes, as the CLI's.
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256_len(64);
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .add_extra_param("id_token_add_organizations", "true")
            .add_extra_param("codex_cli_simplified_flow", "true")
            .add_extra_param("originator", "codex_cli_rs");
        if let Some(workspace) = workspace {
            request = request.add_extra_param("allowed_workspace_id", workspace);
        }
        let (url, state) = request.url();
        Ok(Self { url: in_order(url), client, redirect, verifier, state })
    }

    /// Is this the state that was sent?
    pub(super) fn is_state(&self, state: &str) -> bool {
        self.state.secret() == state
    }

    pub(super) async fn exchange(self, desk: &Desk, code: &Secret) -> Result<Issued, LoginError> {
        exchange(desk, &self.client, code, self.verifier, &self.redirect).await
    }
}

/// Trades a code that came with a verifier of the server's (`upstream.md` §a.3).
pub(super) async fn exchange_device(
    desk: &Desk,
    code: &Secret,
    verifier: &Secret,
) -> Result<Issued, LoginError> {
    let redirect = desk.issuer.at("/deviceauth/callback");
    let redirect = RedirectUrl::new(redirect.into()).map_err(internal)?;
    exchange(desk, &client(desk)?, code, PkceCodeVerifier::new(verifier.expose().to_owned()), &redirect).await
}

fn client(desk: &Desk) -> Result<Client, LoginError> {
    let at = |path| desk.issuer.at(path).to_string();
    Ok(oauth2::Client::new(ClientId::new(CLIENT_ID.to_owned()))
        .set_auth_uri(AuthUrl::new(at("/oauth/authorize")).map_err(internal)?)
        .set_token_uri(TokenUrl::new(at("/oauth/token")).map_err(internal)?))
}

fn internal(error: impl fmt::Display) -> LoginError {
    LoginError::Internal { why: error.to_string() }
}

async fn exchange(
    desk: &Desk,
    client: &Client,
    code: &Secret,
    verifier: PkceCodeVerifier,
    redirect: &RedirectUrl,
) -> Result<Issued, LoginError> {
    let post = Post { http: desk.issuer.http.clone(), server_time: Mutex::default() };
    let tokens = client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(verifier)
        .set_redirect_uri(Cow::Borrowed(redirect))
        .request_async(&post)
        .await;
    let answer = tokens.map_err(|error| match error {
        RequestTokenError::Request(Trouble::Refused { status, code, clock }) => refusal(status, code, clock),
        RequestTokenError::Request(trouble) => trouble.at(Step::Exchange),
        // What could not be parsed may hold a token: not kept.
        RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            LoginError::Unreadable { step: Step::Exchange }
        }
    })?;
    let secret = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Secret::new);
    let Some(access_token) = secret(answer.access_token.secret()) else {
        return Err(LoginError::Unreadable { step: Step::Exchange });
    };
    Ok(Issued {
        id_token: answer.id_token.as_ref().and_then(|token| secret(token.secret())),
        access_token,
        refresh_token: answer.refresh_token.as_ref().and_then(|token| secret(token.secret())),
        server_time: post.server_time.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

/// How oauth2 reaches the token endpoint. It understands successes; refusals of this server have a form of their own and
/// end in `call`.
struct Post {
    http: Http,
    server_time: Mutex<Option<i64>>,
}

impl<'c> AsyncHttpClient<'c> for Post {
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Trouble>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|_| Trouble::Unreadable)?;
            let answer = call::send(&self.http, request).await?;
            *self.server_time.lock().unwrap_or_else(PoisonError::into_inner) = answer.date;
            // Status 200 and no content type: what oauth2 would check has been checked.
            Ok(HttpResponse::new(answer.accept()?.to_vec()))
        })
    }
}

/// The same address with its parameters in the CLI's order: what the page sees should be nothing new to it.
fn in_order(mut url: oauth2::url::Url) -> String {
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::desk;
    use super::*;

    #[tokio::test]
    async fn the_sign_in_page_is_asked_as_the_cli_asks_it() {
        let desk = desk("https://auth.openai.com");
        let ask = Ask::new(&desk, 1455, None).unwrap();
        let url = oauth2::url::Url::parse(&ask.url).unwrap();
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let (challenge, state) = (value("code_challenge"), value("state"));
        // see upstream.md §a.2
        assert_eq!(
            ask.url,
            format!(
                "https://auth.openai.com/oauth/authorize?response_type=code&client_id=app_EMoamEEZ73f0CkXaXp7hrann\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback&code_challenge={challenge}\
                 &code_challenge_method=S256&state={state}\
                 &scope=openid+profile+email+offline_access+api.connectors.read+api.connectors.invoke\
                 &id_token_add_organizations=true&codex_cli_simplified_flow=true&originator=codex_cli_rs"
            )
        );
        assert_eq!((challenge.len(), state.len(), ask.verifier.secret().len()), (43, 43, 86));
        assert!(ask.is_state(&state) && !ask.is_state("") && !ask.is_state(&challenge));
        let other = Ask::new(&desk, 1455, Some("ws 1")).unwrap();
        assert!(other.url.ends_with("&originator=codex_cli_rs&allowed_workspace_id=ws+1"), "{}", other.url);
        assert!(!other.is_state(&state), "every sign-in has a state of its own");
        assert!(!format!("{ask:?}").contains(ask.verifier.secret()));
    }
}
