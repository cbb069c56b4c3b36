//! Who we say we are: every header of every call, in one table (DECISIONS 6, 7; `upstream.md` §b.2).
//!
//! Not here: `content-encoding` and `content-length`, which belong to the body.

use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use dragoman_protocol::route::Dialect;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::accounts::Credential;

/// The calls that carry our identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `POST /codex/responses`.
    Responses,
    /// `POST /codex/alpha/search`.
    Search,
    /// `GET /codex/models`.
    Models,
    /// `GET /wham/accounts/check`.
    AccountsCheck,
    /// `GET /wham/usage`.
    Usage,
    /// `POST {issuer}/oauth/token`.
    Token,
    /// `POST {api}/responses`: a customer of the OpenAI API, and not the Codex CLI.
    ApiResponses,
    /// `GET {api}/models`.
    ApiModels,
}

/// What the values of a call are made from.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    pub(crate) credential: Option<&'a Credential>,
    pub(crate) turn: Option<TurnIds<'a>>,
    /// What workspace routing asks for (`us`, `us_cr`).
    pub(crate) routing_override: Option<&'a str>,
}

/// The ids of one turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnIds<'a> {
    pub(crate) model: &'a str,
    pub(crate) tier: Option<&'a str>,
    pub(crate) dialect: Dialect,
    pub(crate) session: &'a str,
    pub(crate) thread: &'a str,
    pub(crate) window: u64,
    pub(crate) turn_state: Option<&'a str>,
}

struct Row {
    name: &'static str,
    on: &'static [Endpoint],
    value: fn(&Identity, Endpoint, &Call<'_>) -> Option<String>,
}

use Endpoint::{AccountsCheck, ApiModels, ApiResponses, Models, Responses, Search, Token, Usage};

/// The table. A row that gives no value sends no header.
static TABLE: &[Row] = &[
    Row { name: "version", on: &[Responses, Search, Models], value: |us, _, _| Some(us.version()) },
    Row {
        name: "originator",
        on: &[Responses, Search, Models, Token],
        value: |_, on, _| Some(originator(on).to_owned()),
    },
    Row {
        name: "user-agent",
        on: &[Responses, Search, Models, AccountsCheck, Usage, Token],
        value: |us, on, _| Some(us.user_agent(on)),
    },
    Row {
        name: "authorization",
        on: &[Responses, Search, Models, AccountsCheck, Usage, ApiResponses, ApiModels],
        value: |_, _, call| call.credential.map(|who| format!("Bearer {}", who.access.expose())),
    },
    Row {
        name: "chatgpt-account-id",
        on: &[Responses, Search, Models, AccountsCheck, Usage],
        value: |_, _, call| call.credential?.account_id.clone(),
    },
    Row {
        name: "x-openai-fedramp",
        on: &[Responses, Search, Models],
        value: |_, _, call| call.credential?.fedramp.then(|| "true".to_owned()),
    },
    Row { name: "session-id", on: &[Responses], value: |_, _, call| Some(call.turn?.session.to_owned()) },
    Row { name: "thread-id", on: &[Responses], value: |_, _, call| Some(call.turn?.thread.to_owned()) },
    Row {
        name: "x-client-request-id",
        on: &[Responses],
        value: |_, _, call| Some(call.turn?.thread.to_owned()),
    },
    Row {
        name: "x-codex-window-id",
        on: &[Responses],
        value: |_, _, call| call.turn.map(|turn| format!("{}:{}", turn.thread, turn.window)),
    },
    Row {
        name: "x-codex-routing-hint",
        on: &[Responses],
        value: |_, _, call| {
            let turn = call.turn?;
            Some(match turn.tier {
                Some(tier) => format!("model={};tier={tier}", turn.model),
                None => format!("model={}", turn.model),
            })
        },
    },
    Row {
        name: "x-openai-internal-codex-responses-lite",
        on: &[Responses],
        value: |_, _, call| (call.turn?.dialect == Dialect::Lite).then(|| "true".to_owned()),
    },
    Row {
        name: "x-codex-turn-state",
        on: &[Responses],
        value: |_, _, call| call.turn?.turn_state.map(str::to_owned),
    },
    Row {
        name: "x-openai-account-routing-override",
        on: &[Responses, Search],
        value: |_, _, call| call.routing_override.map(str::to_owned),
    },
    Row {
        name: "accept",
        on: &[Responses, ApiResponses],
        value: |_, _, _| Some("text/event-stream".to_owned()),
    },
    Row {
        name: "content-type",
        on: &[Responses, Search, Token, ApiResponses],
        value: |_, _, _| Some("application/json".to_owned()),
    },
];

fn originator(on: Endpoint) -> &'static str {
    match on {
        Responses | Search | Models | AccountsCheck | Usage | ApiResponses | ApiModels => "codex_exec",
        Token => "codex_cli_rs",
    }
}

/// Who we say we are.
#[derive(Debug)]
pub(crate) struct Identity {
    /// From the settings.
    configured: RwLock<String>,
    /// From an installed Codex CLI, once that has been asked.
    installed: OnceLock<Option<String>>,
    platform: String,
}

impl Identity {
    pub(crate) fn new(version: &str) -> Self {
        Self { configured: RwLock::new(version.to_owned()), installed: OnceLock::new(), platform: platform() }
    }

    /// Another version is configured.
    pub(crate) fn present(&self, version: &str) {
        version.clone_into(&mut self.configured.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The Codex version that we present: the configured one, raised to an installed one.
    pub(crate) fn version(&self) -> String {
        let configured = self.configured.read().unwrap_or_else(PoisonError::into_inner);
        match self.installed.get() {
            Some(Some(installed)) if numbers(installed) > numbers(&configured) => installed.clone(),
            _ => configured.clone(),
        }
    }

    /// The headers of one call. Those that carry secrets are marked as sensitive and never printed.
    pub(crate) fn headers(&self, on: Endpoint, call: &Call<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(TABLE.len());
        for row in TABLE.iter().filter(|row| row.on.contains(&on)) {
            let Some(value) = (row.value)(self, on, call) else { continue };
            // A value that no header can hold (a line break in an id) is left out rather than failing the call.
            let Ok(mut value) = HeaderValue::try_from(value) else { continue };
            value.set_sensitive(row.name == "authorization");
            headers.insert(HeaderName::from_static(row.name), value);
        }
        headers
    }

    fn user_agent(&self, on: Endpoint) -> String {
        let (product, version) = (originator(on), self.version());
        match on {
            Token => format!("{product}/{version} ({}) dragoman", self.platform),
            Responses | Search | Models | AccountsCheck | Usage | ApiResponses | ApiModels => {
                format!("{product}/{version} ({}) dragoman ({product}; {version})", self.platform)
            }
        }
    }

    /// Asks an installed Codex CLI for its version, once. Whatever goes wrong: there is none.
    pub(crate) async fn look_for_installed(&self) {
        if self.installed.get().is_some() {
            return;
        }
        let output = tokio::process::Command::new("codex")
            .arg("--version")
            .stdin(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let found = match tokio::time::timeout(Duration::from_secs(3), output).await {
            Ok(Ok(output)) if output.status.success() => version_in(&String::from_utf8_lossy(&output.stdout)),
            _ => None,
        };
        tracing::debug!(version = found.as_deref().unwrap_or("none"), "looked for an installed Codex CLI");
        let _ = self.installed.set(found);
    }
}

/// `codex-cli 0.171.2` → `0.171.2`. Pre-releases (`0.172.0-alpha.1`) don't count.
pub(crate) fn version_in(text: &str) -> Option<String> {
    let word = text.split_whitespace().last()?;
    (word.len() < 24 && numbers(word).is_some()).then(|| word.to_owned())
}

pub(crate) fn numbers(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let numbers = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(numbers)
}

/// `Debian 12.0.0; x86_64`, in the form of the Codex CLI's user agent.
fn platform() -> String {
    let (name, version) = system();
    let clean = |text: String| {
        text.chars().filter(|c| matches!(c, ' '..='~') && !"();".contains(*c)).collect::<String>()
    };
    format!("{} {}; {}", clean(name), clean(version), std::env::consts::ARCH)
}

#[cfg(target_os = "linux")]
fn system() -> (String, String) {
    os_release(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
}

#[cfg(target_os = "macos")]
fn system() -> (String, String) {
    let plist =
        std::fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist").unwrap_or_default();
    let version = plist
        .split("<key>ProductVersion</key>")
        .nth(1)
        .and_then(|rest| rest.split("<string>").nth(1))
        .and_then(|rest| rest.split("</string>").next());
    ("Mac OS".to_owned(), version.map_or_else(|| "Unknown".to_owned(), three_numbers))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn system() -> (String, String) {
    let name = if cfg!(windows) { "Windows" } else { "Unknown" };
    (name.to_owned(), "Unknown".to_owned())
}

#[cfg(target_os = "linux")]
fn os_release(text: &str) -> (String, String) {
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let mut name = field("ID").unwrap_or_else(|| "linux".to_owned());
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    (name, field("VERSION_ID").map_or_else(|| "Unknown".to_owned(), |version| three_numbers(&version)))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn three_numbers(version: &str) -> String {
    let mut parts =
        version.split('.').map(|part| part.parse::<u64>().unwrap_or(0)).chain(std::iter::repeat(0));
    let mut next = || parts.next().unwrap_or(0);
    format!("{}.{}.{}", next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::tests::credential;

    fn identity() -> Identity {
        Identity { platform: "Debian 12.0.0; x86_64".into(), ..Identity::new("0.169.0") }
    }

    fn ids(dialect: Dialect) -> TurnIds<'static> {
        TurnIds {
            model: "gpt-x",
            tier: None,
            dialect,
            session: "s-1",
            thread: "t-1",
            window: 2,
            turn_state: None,
        }
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_turn_carries_exactly_these_headers() {
        let credential = credential("acct-1", "token-1", None);
        let call =
            Call { credential: Some(&credential), turn: Some(ids(Dialect::Classic)), routing_override: None };
        assert_eq!(
            shown(&identity().headers(Responses, &call)),
            [
                "accept: text/event-stream",
                "authorization: Bearer token-1",
                "chatgpt-account-id: acct-1",
                "content-type: application/json",
                "originator: codex_exec",
                "session-id: s-1",
                "thread-id: t-1",
                "user-agent: codex_exec/0.169.0 (Debian 12.0.0; x86_64) dragoman (codex_exec; 0.169.0)",
                "version: 0.169.0",
                "x-client-request-id: t-1",
                "x-codex-routing-hint: model=gpt-x",
                "x-codex-window-id: t-1:2",
            ]
        );
    }

    #[test]
    fn an_api_key_is_not_presented_as_the_codex_cli() {
        let credential = credential("acct-1", "sk-1", None);
        let call =
            Call { credential: Some(&credential), turn: Some(ids(Dialect::Classic)), routing_override: None };
        assert_eq!(
            shown(&identity().headers(ApiResponses, &call)),
            ["accept: text/event-stream", "authorization: Bearer sk-1", "content-type: application/json"]
        );
        assert_eq!(shown(&identity().headers(ApiModels, &call)), ["authorization: Bearer sk-1"]);
    }

    #[test]
    fn conditional_headers_appear_when_their_reason_does() {
        let mut credential = credential("acct-1", "token-1", None);
        credential.fedramp = true;
        let turn = TurnIds { tier: Some("priority"), turn_state: Some("sticky"), ..ids(Dialect::Lite) };
        let call = Call { credential: Some(&credential), turn: Some(turn), routing_override: Some("us") };
        let headers = identity().headers(Responses, &call);
        for (name, value) in [
            ("x-openai-internal-codex-responses-lite", "true"),
            ("x-codex-routing-hint", "model=gpt-x;tier=priority"),
            ("x-codex-turn-state", "sticky"),
            ("x-openai-fedramp", "true"),
            ("x-openai-account-routing-override", "us"),
        ] {
            assert_eq!(headers.get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
        }
    }

    #[test]
    fn the_other_calls_carry_what_the_cli_sends_there() {
        let credential = credential("acct-1", "token-1", None);
        let call = Call { credential: Some(&credential), ..Call::default() };
        let names = |on| {
            let mut names: Vec<_> =
                identity().headers(on, &call).keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(Models),
            ["authorization", "chatgpt-account-id", "originator", "user-agent", "version"]
        );
        assert_eq!(names(AccountsCheck), ["authorization", "chatgpt-account-id", "user-agent"]);
        assert_eq!(
            shown(&identity().headers(Token, &Call::default())),
            [
                "content-type: application/json",
                "originator: codex_cli_rs",
                "user-agent: codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64) dragoman",
            ]
        );
    }

    #[test]
    fn the_token_is_not_printed_with_the_headers() {
        let credential = credential("acct-1", "canary-token", None);
        let call = Call { credential: Some(&credential), ..Call::default() };
        assert!(!format!("{:?}", identity().headers(Responses, &call)).contains("canary"));
        assert!(!format!("{call:?}").contains("canary"));
    }

    #[test]
    fn an_installed_cli_raises_the_version_and_never_lowers_it() {
        for (installed, version) in [
            (Some("0.171.2"), "0.171.2"),
            (Some("0.99.0"), "0.169.0"),
            (None, "0.169.0"),
            (Some("junk"), "0.169.0"),
        ] {
            let identity = identity();
            identity.installed.set(installed.map(str::to_owned)).unwrap();
            assert_eq!(identity.version(), version);
        }
        assert_eq!(version_in("codex-cli 0.171.2\n").as_deref(), Some("0.171.2"));
        assert_eq!(version_in("codex-cli 0.172.0-alpha.1"), None);
        assert_eq!(version_in(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_platform_is_written_as_the_cli_writes_it() {
        assert_eq!(
            os_release("NAME=\"X\"\nID=debian\nVERSION_ID=\"12\""),
            ("Debian".into(), "12.0.0".into())
        );
        assert_eq!(os_release("ID=ubuntu\nVERSION_ID=\"22.04\""), ("Ubuntu".into(), "22.4.0".into()));
        assert_eq!(os_release(""), ("Linux".into(), "Unknown".into()));
    }
}
