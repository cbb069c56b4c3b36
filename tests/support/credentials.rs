//! Fabricated ChatGPT credentials: tokens that look like the real ones to whoever only reads their claims, and the
//! `auth.json` of the Codex CLI. Nothing here is accepted by any real server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The account of every fabricated login, unless a test wants another one.
pub const ACCOUNT: &str = "acct-1f0e9d8c-fabricated";
/// The e-mail address in the fabricated tokens.
pub const EMAIL: &str = "pat@example.com";

/// A fabricated login.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// A JWT with an `exp` claim.
    pub access_token: String,
    /// A JWT with account, plan and e-mail address.
    pub id_token: String,
    /// An opaque single-use string.
    pub refresh_token: String,
    /// The ChatGPT account id.
    pub account: String,
}

impl Credentials {
    /// Makes a login; `serial` makes its tokens unlike all others, `seconds_left` may be negative.
    pub fn fabricate(serial: usize, account: &str, seconds_left: i64) -> Self {
        Self {
            access_token: jwt(&claims(&format!("access-{serial}"), account, seconds_left)),
            id_token: jwt(&claims(&format!("id-{serial}"), account, 3600)),
            refresh_token: format!("rt_canary_{serial}_{}", random()),
            account: account.to_owned(),
        }
    }

    /// The text of `auth.json`.
    pub fn auth_json(&self) -> String {
        let document = json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": self.id_token,
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "oauth_provenance": {
                    "issuer": "https://auth.openai.com",
                    "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
                },
                "login_owner_id": "owner-of-nothing-0000000000000000000000000",
                "account_id": self.account,
            },
            "last_refresh": "2026-11-20T15:16:07.930007451Z",
            "a_key_of_a_newer_codex": { "kept": true },
        });
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}

/// Writes `auth.json` (mode 0600) into `directory`, as a signed-in Codex CLI leaves it; answers its path.
pub fn codex_home(directory: &Path, credentials: &Credentials) -> PathBuf {
    fs::create_dir_all(directory).expect("create CODEX_HOME");
    let path = directory.join("auth.json");
    fs::write(&path, credentials.auth_json()).expect("write auth.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("auth.json 0600");
    }
    path
}

/// Puts a login of Dragoman's own into the state directory, as a process that ended left it; answers its id.
pub fn own_login(home: &Path, login: &Credentials, place: usize) -> String {
    let id = format!("{:08x}", 0x00c0_ffee + place);
    let state = home.join("dragoman/state");
    fs::create_dir_all(state.join("tokens")).expect("create the state directory");
    let list = state.join("accounts.json");
    let mut index: Value = fs::read(&list)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_else(|| json!({ "accounts": [] }));
    let accounts = index["accounts"].as_array_mut().expect("accounts.json lists accounts");
    accounts.retain(|account| account["id"] != id.as_str());
    accounts.push(json!({ "id": id, "kind": "own", "label": EMAIL, "revision": place }));
    fs::write(list, index.to_string()).expect("write accounts.json");
    let tokens = json!({ "id_token": login.id_token, "access_token": login.access_token,
        "refresh_token": login.refresh_token, "account_id": login.account });
    fs::write(state.join(format!("tokens/{id}.json")), tokens.to_string()).expect("write the tokens");
    id
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs().cast_signed())
}

/// Sixteen hexadecimal digits that were not there before.
pub fn random() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// An RFC 4122 version 4 id.
pub fn uuid() -> String {
    let (a, b) = (random(), random());
    format!("{}-{}-4{}-a{}-{}", &a[..8], &a[8..12], &a[13..], &b[1..4], &b[4..])
}

fn claims(id: &str, account: &str, seconds_left: i64) -> Value {
    let issued = now();
    json!({
        "iss": "https://auth.openai.com",
        "aud": ["https://api.openai.com/v1"],
        "sub": "auth0|fabricated",
        "iat": issued,
        "exp": issued + seconds_left,
        "jti": format!("{id}-{}", random()),
        "email": EMAIL,
        "https://api.openai.com/profile": { "email": EMAIL, "email_verified": true },
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account,
            "chatgpt_plan_type": "plus",
            "chatgpt_user_id": "user-fabricated",
            "user_id": "user-fabricated",
            "organizations": [],
        },
    })
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "fabricated" });
    format!("{}.{}.{}", part(&header), part(claims), URL_SAFE_NO_PAD.encode("not a signature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_a_uuid() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    }
}
