//! The issuer's ways in and out: the sign-in page, codes for tokens, device codes, ends of logins; and the list of models
//! with which an API key is tried. It checks what the real one checks: registered addresses, PKCE, single use.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::issuer::Tokens;
use super::render::{Answer, Body};
use super::{FakeChatGpt, Request};
use crate::credentials::{ACCOUNT, now, random};
use crate::http::Headers;

const CLIENT: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
/// The only addresses that the real issuer comes back to (`localhost` of older versions aside).
const CALLBACKS: [&str; 2] = ["http://127.0.0.1:1455/auth/callback", "http://127.0.0.1:1457/auth/callback"];

/// What the page asked for, until its code is spent.
#[derive(Clone, Debug)]
struct Asked {
    challenge: String,
    /// The end of the address: of device codes only the path is known.
    redirect: String,
}

/// How sign-ins go.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    codes: HashMap<String, Asked>,
    devices: HashMap<String, u32>,
    revoked: Vec<String>,
    keys: HashSet<String>,
    scene: Scene,
}

/// How the issuer behaves in a test.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Whose login is issued.
    pub account: String,
    /// For how many seconds access tokens are good.
    pub lifetime: i64,
    /// The issuer's clock, against ours, in seconds: in tokens and in the `date` header.
    pub clock: i64,
    /// The page comes back with this error and description.
    pub refusal: Option<(&'static str, &'static str)>,
    /// Sign-in by device code is switched on.
    pub devices: bool,
    /// So many questions about a device code are answered with "pending".
    pub pending: u32,
    /// The answer that gives a device code, without `device_auth_id`.
    pub device: Value,
    /// The status of "pending".
    pub pending_status: u16,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            account: ACCOUNT.to_owned(),
            lifetime: 864_000,
            clock: 0,
            refusal: None,
            devices: true,
            pending: 1,
            device: json!({ "user_code": "FAKE-12345", "interval": "1" }),
            pending_status: 403,
        }
    }
}

impl Auth {
    /// The answer, if this is one of our paths.
    pub(crate) fn answer(&mut self, tokens: &mut Tokens, request: &Request) -> Option<Answer> {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let fields = fields(request);
        let mut answer = match (request.method.as_str(), path) {
            ("GET", "/oauth/authorize") => self.authorize(&decode(query)),
            ("POST", "/oauth/token")
                if fields.get("grant_type").is_some_and(|kind| kind == "authorization_code") =>
            {
                self.exchange(tokens, request, &fields)
            }
            // As the real one answers the Codex CLI, which goes on without.
            ("POST", "/oauth/token")
                if fields.get("grant_type").is_some_and(|kind| kind.contains("token-exchange")) =>
            {
                refuse(401, "invalid_subject_token")
            }
            ("POST", "/oauth/revoke") => self.revoke(tokens, &fields),
            ("POST", "/api/accounts/deviceauth/usercode") => self.device(&fields),
            ("POST", "/api/accounts/deviceauth/token") => self.poll(&fields),
            ("GET", "/v1/models") => self.models(&request.headers),
            _ => return None,
        };
        answer.headers.push("date", http_date(now() + self.scene.clock));
        Some(answer)
    }

    fn authorize(&mut self, query: &HashMap<String, String>) -> Answer {
        let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let wrong = [
            (value("response_type") != "code", "response_type"),
            (value("client_id") != CLIENT, "client_id"),
            (!CALLBACKS.contains(&value("redirect_uri")), "redirect_uri"),
            (value("code_challenge_method") != "S256", "code_challenge_method"),
            (value("code_challenge").len() != 43, "code_challenge"),
            (value("state").len() < 32, "state"),
            (!value("scope").contains("offline_access"), "scope"),
        ];
        if let Some((_, name)) = wrong.iter().find(|(wrong, _)| *wrong) {
            return Answer::whole(400, "text/html", format!("<h1>invalid {name}</h1>"));
        }
        let came = match self.scene.refusal {
            Some((error, description)) => format!("error={error}&error_description={description}"),
            None => {
                format!("code={}&scope=openid", self.code(value("code_challenge"), value("redirect_uri")))
            }
        };
        let mut headers = Headers::default();
        // Our own words need no encoding; the state is base64url.
        headers.push("location", format!("{}?{came}&state={}", value("redirect_uri"), value("state")));
        Answer { status: 302, headers, body: Body::Whole(Vec::new()) }
    }

    fn code(&mut self, challenge: &str, redirect: &str) -> String {
        let code = format!("ac_canary_{}", random());
        let asked = Asked { challenge: challenge.to_owned(), redirect: redirect.to_owned() };
        self.codes.insert(code.clone(), asked);
        code
    }

    fn exchange(
        &mut self,
        tokens: &mut Tokens,
        request: &Request,
        fields: &HashMap<String, String>,
    ) -> Answer {
        let value = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let is_form = request.headers.value("content-type") == Some("application/x-www-form-urlencoded");
        if !is_form || value("client_id") != CLIENT {
            return refuse(400, "invalid_request");
        }
        let Some(asked) = self.codes.remove(value("code")) else { return refuse(400, "invalid_grant") };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(value("code_verifier").as_bytes()));
        if challenge != asked.challenge || !value("redirect_uri").ends_with(&asked.redirect) {
            return refuse(400, "invalid_grant");
        }
        // Issued by the issuer's clock.
        let issued = tokens.issue(&self.scene.account, self.scene.lifetime + self.scene.clock);
        Answer::json(
            200,
            &json!({
                "access_token": issued.access_token, "id_token": issued.id_token,
                "refresh_token": issued.refresh_token, "token_type": "Bearer", "expires_in": self.scene.lifetime,
                "scope": "openid profile email offline_access",
            }),
        )
    }

    fn revoke(&mut self, tokens: &mut Tokens, fields: &HashMap<String, String>) -> Answer {
        let token = fields.get("token").cloned().unwrap_or_default();
        let hint = fields.get("token_type_hint").map(String::as_str);
        let client = fields.get("client_id").map(String::as_str);
        match (hint, client) {
            (Some("refresh_token"), Some(CLIENT)) => tokens.revoke(&token),
            (Some("access_token"), None) => {
                tokens.access.remove(&token);
            }
            _ => return refuse(400, "invalid_request"),
        }
        self.revoked.push(token);
        Answer::json(200, &json!({}))
    }

    fn device(&mut self, fields: &HashMap<String, String>) -> Answer {
        if !self.scene.devices {
            return Answer::json(404, &json!({ "detail": "Not Found" }));
        }
        if fields.get("client_id").map(String::as_str) != Some(CLIENT) {
            return refuse(400, "invalid_request");
        }
        let id = format!("deviceauth_{}", random());
        let mut answer = self.scene.device.clone();
        answer["device_auth_id"] = json!(id);
        self.devices.insert(id, self.scene.pending);
        Answer::json(200, &answer)
    }

    fn poll(&mut self, fields: &HashMap<String, String>) -> Answer {
        let value = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let code = self.scene.device["user_code"].as_str().or(self.scene.device["usercode"].as_str());
        let right = code == Some(value("user_code"));
        match self.devices.get_mut(value("device_auth_id")) {
            Some(0) if right => {
                self.devices.remove(value("device_auth_id"));
                let verifier = format!("verifier-of-the-server-{}-{}", random(), random());
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
                let code = self.code(&challenge, "/deviceauth/callback");
                let answer = json!({ "authorization_code": code, "code_verifier": verifier, "code_challenge": challenge });
                Answer::json(200, &answer)
            }
            Some(left) if right => {
                *left = left.saturating_sub(1);
                refuse(self.scene.pending_status, "deviceauth_authorization_unknown")
            }
            _ => refuse(self.scene.pending_status, "deviceauth_authorization_unknown"),
        }
    }

    fn models(&self, headers: &Headers) -> Answer {
        match self.refuses(headers) {
            Some((status, body)) => Answer::json(status, &body),
            None => Answer::json(
                200,
                &json!({ "object": "list", "data": [{ "id": "gpt-5.5", "object": "model" }] }),
            ),
        }
    }

    /// The public API's refusal of whoever shows no key of it.
    pub(crate) fn refuses(&self, headers: &Headers) -> Option<(u16, Value)> {
        let key = headers.value("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let known = key.is_some_and(|key| self.keys.contains(key));
        (!known).then(|| (401, error("invalid_api_key")))
    }
}

fn refuse(status: u16, code: &str) -> Answer {
    Answer::json(status, &error(code))
}

fn error(code: &str) -> Value {
    json!({ "error": { "message": code, "type": "invalid_request_error", "param": null, "code": code } })
}

/// The fields of a body, whether JSON or form-encoded.
pub(crate) fn fields(request: &Request) -> HashMap<String, String> {
    match &request.body {
        Value::Object(fields) => {
            let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            fields.iter().filter_map(text).collect()
        }
        _ => decode(&String::from_utf8_lossy(&request.plain)),
    }
}

/// `application/x-www-form-urlencoded`
pub fn decode(text: &str) -> HashMap<String, String> {
    let plain = |part: &str| {
        let mut bytes = Vec::with_capacity(part.len());
        let mut rest = part.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                    u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?')
                }
                byte => byte,
            });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let pair = |field: &str| field.split_once('=').map(|(key, value)| (plain(key), plain(value)));
    text.split('&').filter_map(pair).collect()
}

/// `Fri, 20 Nov 2026 15:16:07 GMT`
fn http_date(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    // Civil from days: Howard Hinnant's algorithm, https://howardhinnant.github.io/date_algorithms.html
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) =
        (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days.rem_euclid(7) as usize];
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [month as usize - 1];
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {name} {year} {hours:02}:{minutes:02}:{seconds:02} GMT")
}

impl FakeChatGpt {
    /// Changes how sign-ins go from now on.
    pub fn scene(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.state().auth.scene);
    }

    /// Makes the API accept this key.
    pub fn accept_key(&self, key: &str) {
        self.state().auth.keys.insert(key.to_owned());
    }

    /// What `DRAGOMAN_API_URL` takes.
    pub fn api_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// The tokens that were ended, in order.
    pub fn revoked(&self) -> Vec<String> {
        self.state().auth.revoked.clone()
    }

    /// Would the issuer still renew with this refresh token?
    pub fn is_alive(&self, refresh_token: &str) -> bool {
        self.state().tokens.is_unspent(refresh_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_forms_are_what_they_should_be() {
        assert_eq!(http_date(1_795_187_767), "Fri, 20 Nov 2026 15:16:07 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(decode("a=b+c%2Bd&e=%C3%A4")["a"], "b c+d");
        assert_eq!(decode("a=b+c%2Bd&e=%C3%A4")["e"], "ä");
    }
}
