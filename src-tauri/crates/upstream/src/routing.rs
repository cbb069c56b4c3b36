//! Which origin serves an account's workspace (`upstream.md` §d.2). Honoured only as DECISIONS 14 allows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::accounts::Credential;
use crate::attempt::AccountTag;
use crate::http::{Http, join};
use crate::identity::{Call, Endpoint, Identity};
use crate::signpost::{Places, Signpost};

/// From the request to the whole answer.
const LIMIT: Duration = Duration::from_secs(15);
/// After a discovery that failed, the default origin is used for this long without asking again.
const AGAIN: Duration = Duration::from_secs(120);

/// Where to send an account's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The base URL, path included.
    pub(crate) base: reqwest::Url,
    /// What goes out as `x-openai-account-routing-override`.
    pub(crate) routing_override: Option<String>,
}

impl Origin {
    /// Where everybody goes of whom nothing else is known.
    fn usual(base: &reqwest::Url) -> Self {
        Self { base: base.clone(), routing_override: None }
    }
}

/// The routing of the accounts seen so far.
#[derive(Debug)]
pub(crate) struct Routing {
    signpost: Signpost,
    known: Mutex<HashMap<AccountTag, Known>>,
    /// One discovery at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Known {
    /// Who said so.
    asked: reqwest::Url,
    origin: Origin,
    /// For failures: when to ask again.
    until: Option<Instant>,
}

/// Why there is no answer.
enum Refused {
    Unauthorized,
    Other(String),
}

#[derive(Deserialize)]
struct Answer {
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    id: Option<String>,
    #[serde(default)]
    workspace_backend_origin: Option<String>,
    #[serde(default)]
    account_routing_override: Option<String>,
}

impl Routing {
    pub(crate) fn new(signpost: Signpost) -> Self {
        Self { signpost, known: Mutex::new(HashMap::new()), asking: tokio::sync::Mutex::new(()) }
    }

    fn recall(&self, tag: &AccountTag, places: &Places) -> Option<Origin> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(tag).filter(|known| places.may_move && known.asked == places.base)?;
        known.until.is_none_or(|until| Instant::now() < until).then(|| known.origin.clone())
    }

    /// The origin as far as it is known, without asking.
    pub(crate) fn known(&self, tag: &AccountTag) -> Origin {
        let places = self.signpost.now();
        self.recall(tag, &places).unwrap_or_else(|| Origin::usual(&places.base))
    }

    /// The account's origin; asks the backend at the first use.
    pub(crate) async fn origin(&self, http: &Http, identity: &Identity, credential: &Credential) -> Origin {
        let places = self.signpost.now();
        let base = &places.base;
        let Some(id) = credential.account_id.as_deref().filter(|_| places.may_move) else {
            return Origin::usual(base);
        };
        if let Some(origin) = self.recall(&credential.tag, &places) {
            return origin;
        }
        let _asking = self.asking.lock().await;
        if let Some(origin) = self.recall(&credential.tag, &places) {
            return origin;
        }
        let (origin, until) = match tokio::time::timeout(LIMIT, self.ask(base, http, identity, credential))
            .await
        {
            Ok(Ok(answer)) => (choose(base, &answer, id), None),
            // The request behind it will be refused too; once the login is renewed, this is asked again.
            Ok(Err(Refused::Unauthorized)) => return Origin::usual(base),
            failed => {
                let why = match failed {
                    Ok(Err(Refused::Other(why))) => why,
                    _ => "no answer in time".to_owned(),
                };
                tracing::warn!(why, "workspace routing discovery failed, going on with the default origin");
                (Origin::usual(base), Some(Instant::now() + AGAIN))
            }
        };
        let known = Known { asked: base.clone(), origin: origin.clone(), until };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(credential.tag.clone(), known);
        origin
    }

    async fn ask(
        &self,
        base: &reqwest::Url,
        http: &Http,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<Answer, Refused> {
        let url = join(base, "/wham/accounts/check");
        let headers = identity
            .headers(Endpoint::AccountsCheck, &Call { credential: Some(credential), ..Call::default() });
        let words = |error: reqwest::Error| Refused::Other(error.without_url().to_string());
        let response = http.client(&url).get(url).headers(headers).send().await.map_err(words)?;
        match response.status().as_u16() {
            200 => response.json().await.map_err(words),
            401 => Err(Refused::Unauthorized),
            status => Err(Refused::Other(format!("status {status}"))),
        }
    }
}

/// What the answer says about this account, as far as we may follow it.
fn choose(base: &reqwest::Url, answer: &Answer, id: &str) -> Origin {
    let mut origin = Origin::usual(base);
    let mut entries = answer.accounts.iter().filter(|account| account.id.as_deref() == Some(id));
    let (Some(account), None) = (entries.next(), entries.next()) else {
        tracing::warn!("workspace routing does not name this account exactly once, using the default origin");
        return origin;
    };
    match account.workspace_backend_origin.as_deref() {
        None | Some("" | "NO_CONSTRAINT") => {}
        Some(text) => match allowed(text) {
            Some(host) if origin.base.set_host(Some(&host)).is_ok() => {
                // The default is https://chatgpt.com; a default elsewhere exists in tests only.
                let _ = origin.base.set_scheme("https");
                let _ = origin.base.set_port(None);
            }
            _ => {
                tracing::warn!("workspace routing names an origin outside chatgpt.com, using the default one")
            }
        },
    }
    origin.routing_override = match account.account_routing_override.as_deref() {
        Some(word @ ("us" | "us_cr")) => Some(word.to_owned()),
        None | Some("" | "NO_CONSTRAINT") => None,
        Some(_) => {
            tracing::warn!("workspace routing names an unknown override, ignoring it");
            None
        }
    };
    origin
}

/// The host, if this is `https://chatgpt.com` or `https://*.chatgpt.com` without port, path or user.
fn allowed(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text).ok()?;
    let host = url.host_str()?;
    let bare = url.path() == "/"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let ours = host == "chatgpt.com" || host.ends_with(".chatgpt.com");
    (url.scheme() == "https" && bare && ours).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::tests::credential;
    use crate::testing::{Server, json_answer};

    fn usual() -> reqwest::Url {
        "https://chatgpt.com/backend-api".parse().unwrap()
    }

    fn chosen(origin: &str, word: &str) -> (String, Option<String>) {
        let answer = serde_json::from_value(serde_json::json!({"accounts": [
            {"id": "other", "workspace_backend_origin": "https://x.chatgpt.com"},
            {"id": "me", "workspace_backend_origin": origin, "account_routing_override": word}]}))
        .unwrap();
        let origin = choose(&usual(), &answer, "me");
        (origin.base.to_string(), origin.routing_override)
    }

    #[test]
    fn only_chatgpt_com_and_its_subdomains_are_followed() {
        let default = ("https://chatgpt.com/backend-api".to_owned(), None);
        assert_eq!(chosen("NO_CONSTRAINT", "NO_CONSTRAINT"), default);
        assert_eq!(
            chosen("https://gov.chatgpt.com", "us_cr"),
            ("https://gov.chatgpt.com/backend-api".to_owned(), Some("us_cr".to_owned()))
        );
        for evil in [
            "http://chatgpt.com",
            "https://chatgpt.com.evil.example",
            "https://evilchatgpt.com",
            "https://evil.example",
            "https://chatgpt.com:8443",
            "https://chatgpt.com/path",
            "https://user@chatgpt.com",
            "https://chatgpt.com?x",
            "junk",
            "https://127.0.0.1",
        ] {
            assert_eq!(chosen(evil, "somewhere"), default, "{evil}");
        }
    }

    #[test]
    fn an_account_named_twice_or_not_at_all_is_not_routed() {
        let twice = serde_json::json!({"accounts": [
            {"id": "me", "workspace_backend_origin": "https://a.chatgpt.com"}, {"id": "me"}]});
        for answer in [twice, serde_json::json!({"accounts": []})] {
            let answer = serde_json::from_value(answer).unwrap();
            assert_eq!(choose(&usual(), &answer, "me"), Origin::usual(&usual()));
        }
    }

    #[tokio::test]
    async fn discovery_is_asked_once_and_only_with_the_default_base_url() {
        let server = Server::start(|_, _| {
            json_answer(
                200,
                r#"{"accounts":[{"id":"me","workspace_backend_origin":"https://eu.chatgpt.com"}]}"#,
            )
        })
        .await;
        let http = Http::build().unwrap();
        let identity = Identity::new("0.169.0");
        let me = credential("me", "token", None);
        let base: reqwest::Url = format!("{}/backend-api", server.url).parse().unwrap();

        let fixed = Routing::new(Signpost::all_at(base.as_str()));
        assert_eq!(fixed.origin(&http, &identity, &me).await.base, base);
        assert_eq!(server.requests().len(), 0);

        let routing = Routing::new(Signpost::moving(base.as_str()));
        for _ in 0..2 {
            let origin = routing.origin(&http, &identity, &me).await;
            assert_eq!(origin.base.as_str(), "https://eu.chatgpt.com/backend-api");
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].path, "/backend-api/wham/accounts/check");
        assert_eq!(requests[0].header("chatgpt-account-id"), Some("me"));
    }

    #[tokio::test]
    async fn a_refused_token_is_no_answer_about_routing() {
        let server = Server::start(|_, number| match number {
            0 => json_answer(401, "{}"),
            _ => json_answer(
                200,
                r#"{"accounts":[{"id":"me","workspace_backend_origin":"https://eu.chatgpt.com"}]}"#,
            ),
        })
        .await;
        let base: reqwest::Url = server.url.parse().unwrap();
        let (http, identity) = (Http::build().unwrap(), Identity::new("0.169.0"));
        let routing = Routing::new(Signpost::moving(base.as_str()));
        assert_eq!(routing.origin(&http, &identity, &credential("me", "old", None)).await.base, base);
        let renewed = routing.origin(&http, &identity, &credential("me", "new", None)).await;
        assert_eq!(renewed.base.host_str(), Some("eu.chatgpt.com"));
    }

    #[tokio::test]
    async fn a_failed_discovery_goes_on_with_the_default_and_is_not_repeated_at_once() {
        let server = Server::start(|_, _| json_answer(500, "{}")).await;
        let base: reqwest::Url = server.url.parse().unwrap();
        let routing = Routing::new(Signpost::moving(base.as_str()));
        let me = credential("me", "token", None);
        for _ in 0..3 {
            let origin = routing.origin(&Http::build().unwrap(), &Identity::new("0.169.0"), &me).await;
            assert_eq!(origin.base, base);
        }
        assert_eq!(server.requests().len(), 1);
    }
}
