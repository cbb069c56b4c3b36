//! Why a sign-in came to nothing: which step failed, what that means, what to do. One variant for each thing that a
//! person would do something else about.

use serde::{Serialize, Serializer};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::accounts::KeyringTrouble;

/// Why a sign-in came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Both registered callback ports are taken.
    #[error(
        "The sign-in page can come back to port {ports} of this computer only, and all of them are in use ({holders}). \
         Close that program and try again, or use `dragoman login --device`, which needs no port."
    )]
    PortsBusy {
        /// `1455 or 1457`
        ports: String,
        /// Who has them, as far as the system tells.
        holders: String,
    },
    /// A callback port can't be opened for another reason.
    #[error(
        "Port {port} of this computer, where the sign-in page comes back to, cannot be opened ({why}). Use \
         `dragoman login --device`, which needs no port."
    )]
    Listen {
        /// Which.
        port: u16,
        /// The system's words.
        why: String,
    },
    /// Another sign-in asked for the port.
    #[error(
        "Another program began to sign in and asked for the port of this sign-in, so this one ended. Finish the other \
         one, or run `dragoman login` again."
    )]
    Superseded,
    /// Nobody came back.
    #[error(
        "Nobody finished the sign-in page within {minutes} min, so the sign-in ended. Run `dragoman login` again."
    )]
    TimedOut {
        /// How long it waited.
        minutes: u64,
    },
    /// The input ended before anything usable was pasted.
    #[error(
        "The input ended before the address or the code was pasted, so nothing was signed in. Run `dragoman login \
         --manual` again and paste the address that the browser shows after signing in."
    )]
    NothingPasted,
    /// `access_denied`
    #[error(
        "The sign-in page reports that access was denied, so nothing was signed in. Run `dragoman login` again and \
         allow the access there."
    )]
    Denied,
    /// `missing_codex_entitlement`
    #[error(
        "This ChatGPT account may not use Codex (missing_codex_entitlement), so nothing was signed in. Ask the \
         administrator of its workspace to allow Codex, or sign in with another account."
    )]
    NotEntitled,
    /// Any other `error` of the sign-in page.
    #[error(
        "The sign-in page ended with an error ({words}), so nothing was signed in. Run `dragoman login` again."
    )]
    Refused {
        /// Its code and description, cleaned.
        words: String,
    },
    /// 404 from the device endpoint.
    #[error(
        "This sign-in server does not offer sign-in by device code (status 404). Use `dragoman login`, or `dragoman \
         login --manual` on a computer without a browser."
    )]
    DeviceDisabled,
    /// The code did not get tokens.
    #[error(
        "The sign-in server did not accept the sign-in code ({words}). {}A code works once and for a few minutes: run \
         `dragoman login` again.",
        clock.map(|off| format!("This computer's clock is {off}, which may be why: set it first. ")).unwrap_or_default()
    )]
    CodeRefused {
        /// Status and code.
        words: String,
        /// How wrong our clock is, if it is.
        clock: Option<Off>,
    },
    /// 5xx, 429 or a web page.
    #[error(
        "The sign-in server could not {step} just now (status {status}), so nothing was signed in. Wait a minute and \
         try again."
    )]
    ServerTrouble {
        /// What it was asked to do.
        step: Step,
        /// The status.
        status: u16,
    },
    /// An answer that we can't read.
    #[error(
        "The sign-in server's answer could not be read when asked to {step}. Something else may have answered: check \
         the setting upstream.issuer_url and the network, then try again."
    )]
    Unreadable {
        /// What it was asked to do.
        step: Step,
    },
    /// No answer at all.
    #[error("The sign-in server could not be reached to {step}. {why}")]
    Offline {
        /// What it was asked to do.
        step: Step,
        /// What happened and what to do, as everywhere.
        why: String,
    },
    /// The tokens are of no use by this computer's clock.
    #[error(
        "This computer's clock seems to be {0}, so the new login would be of no use. Set the clock and sign in again.",
        Off(*seconds)
    )]
    Clock {
        /// How much it is fast; negative: slow.
        seconds: i64,
    },
    /// Another workspace than the one that was asked for.
    #[error(
        "The sign-in was for another workspace than {wanted}, so it was not kept. Sign in again and choose that \
         workspace on the page."
    )]
    WrongWorkspace {
        /// The one asked for.
        wanted: String,
    },
    /// There is no login of the Codex CLI.
    #[error(
        "The Codex CLI is not signed in (there is no login in {home}). Run `dragoman login` for a login of Dragoman's \
         own, or `codex login` first."
    )]
    NoCodexLogin {
        /// Its home.
        home: String,
    },
    /// It is there, and we can't read it.
    #[error(
        "The Codex CLI's login in {home} cannot be read ({why}). Run `codex login` again, or `dragoman login`."
    )]
    CodexUnreadable {
        /// Its home.
        home: String,
        /// Why.
        why: String,
    },
    /// It is in the keyring, which can't be asked.
    #[error(
        "The Codex CLI's login ({home}) cannot be read: {trouble}. A login of Dragoman's own does not depend on it: \
         `dragoman login`."
    )]
    CodexKeyring {
        /// Its home.
        home: String,
        /// Why, and what to do.
        trouble: KeyringTrouble,
    },
    /// It is encrypted in a way that only the CLI reads, or in no place at all.
    #[error(
        "The Codex CLI has no login where Dragoman could read it (cli_auth_credentials_store = \"{mode}\"). Set \
         cli_auth_credentials_store = \"file\" in {home}/config.toml and run `codex login` again; or run `dragoman \
         login` for a login of Dragoman's own."
    )]
    CodexHidden {
        /// Its home.
        home: String,
        /// What its settings say.
        mode: String,
    },
    /// It is an API key: no subscription.
    #[error(
        "The Codex CLI in {home} is signed in with an API key, not with ChatGPT. To use that key, run `dragoman login \
         --api-key`; for the subscription, run `dragoman login`."
    )]
    CodexApiKey {
        /// Its home.
        home: String,
    },
    /// There is no `codex` to run.
    #[error(
        "The Codex CLI is not installed (there is no `codex` on PATH). Run `dragoman login`, which does not need it, or \
         install it with `npm install -g @openai/codex`."
    )]
    CodexMissing,
    /// It does not say its version.
    #[error(
        "`codex --version` did not answer as the Codex CLI does ({why}), so it was not run. Run `dragoman login`."
    )]
    CodexStrange {
        /// What was wrong.
        why: String,
    },
    /// `codex login` failed.
    #[error(
        "`codex login` ended without signing in ({why}). Its own words are above; try again, or run `dragoman login`."
    )]
    CodexFailed {
        /// Its exit status.
        why: String,
    },
    /// What was given is no key.
    #[error(
        "That is not an API key: it must be one word, such as sk-… from platform.openai.com. Nothing was kept."
    )]
    KeyMalformed,
    /// 401 or 403.
    #[error(
        "OpenAI does not accept this API key (status {status}), so it was not kept. Make a new key on \
         platform.openai.com and try again."
    )]
    KeyRefused {
        /// The status.
        status: u16,
    },
    /// The tokens can't be kept.
    #[error("You signed in, but the login could not be kept: {why}. Nothing was changed.")]
    Store {
        /// Why and what to do.
        why: String,
    },
    /// A defect of ours.
    #[error(
        "The sign-in broke off inside Dragoman ({why}). Please report this; `dragoman login --device` may work."
    )]
    Internal {
        /// What.
        why: String,
    },
}

/// What the sign-in server was asked to do, as the end of "asked to …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The device endpoint.
    DeviceCode,
    /// The device endpoint, again and again.
    DevicePoll,
    /// The token endpoint.
    Exchange,
    /// `GET /models`.
    CheckKey,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DeviceCode => "give a device code",
            Self::DevicePoll => "tell whether the device code was entered",
            Self::Exchange => "trade the sign-in code for a login",
            Self::CheckKey => "check the API key",
        })
    }
}

/// How much a clock is fast (negative: slow), in seconds; shown in the unit that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Off(pub i64);

impl std::fmt::Display for Off {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.unsigned_abs() / 60 {
            minutes @ 0..=119 => write!(f, "{minutes} min")?,
            minutes => match minutes / 60 {
                hours @ 0..=47 => write!(f, "{hours} h")?,
                hours => write!(f, "{} days", hours / 24)?,
            },
        }
        f.write_str(if self.0 > 0 { " fast" } else { " slow" })
    }
}

impl LoginError {
    /// One word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PortsBusy { .. } => "ports_busy",
            Self::Listen { .. } => "listen",
            Self::Superseded => "superseded",
            Self::TimedOut { .. } => "timed_out",
            Self::NothingPasted => "nothing_pasted",
            Self::Denied => "denied",
            Self::NotEntitled => "not_entitled",
            Self::Refused { .. } => "refused",
            Self::DeviceDisabled => "device_disabled",
            Self::CodeRefused { .. } => "code_refused",
            Self::ServerTrouble { .. } => "server_trouble",
            Self::Unreadable { .. } => "unreadable",
            Self::Offline { .. } => "offline",
            Self::Clock { .. } => "clock",
            Self::WrongWorkspace { .. } => "wrong_workspace",
            Self::NoCodexLogin { .. } => "no_codex_login",
            Self::CodexUnreadable { .. } => "codex_unreadable",
            Self::CodexHidden { .. } => "codex_hidden",
            Self::CodexKeyring { .. } => "codex_keyring",
            Self::CodexApiKey { .. } => "codex_api_key",
            Self::CodexMissing => "codex_missing",
            Self::CodexStrange { .. } => "codex_strange",
            Self::CodexFailed { .. } => "codex_failed",
            Self::KeyMalformed => "key_malformed",
            Self::KeyRefused { .. } => "key_refused",
            Self::Store { .. } => "store",
            Self::Internal { .. } => "internal",
        }
    }
}

/// A [`LoginError`] as it is told.
#[derive(Debug, Serialize, TS, ToSchema)]
#[ts(rename = "LoginError")]
pub(crate) struct LoginTrouble {
    /// One word for programs.
    code: &'static str,
    /// What happened, what it means, what to do.
    message: String,
}

impl utoipa::PartialSchema for LoginError {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        LoginTrouble::schema()
    }
}

impl ToSchema for LoginError {}

impl Serialize for LoginError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LoginTrouble { code: self.code(), message: self.to_string() }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_told_in_units_that_fit() {
        let words = |seconds| LoginError::Clock { seconds }.to_string();
        assert!(words(7 * 60).contains("7 min fast"), "{}", words(420));
        assert!(words(-3 * 3600).contains("3 h slow"));
        assert!(words(-11 * 86_400).contains("11 days slow"));
        let refused = |clock| LoginError::CodeRefused { words: "status 400".into(), clock }.to_string();
        assert!(!refused(None).contains("clock"), "{}", refused(None));
        assert!(refused(Some(Off(7200))).contains("clock is 2 h fast, which may be why"));
    }

    #[test]
    fn programs_get_a_word_and_people_a_sentence() {
        let told = serde_json::to_value(LoginError::Denied).unwrap();
        assert_eq!(told["code"], "denied");
        assert!(told["message"].as_str().unwrap().contains("allow the access"));
    }
}
