//! What can go wrong with a request, as one closed enum, and how each case is told to a client.
//!
//! Machines read [`Failure`]; people read what [`Failure::to_anthropic`] and [`Failure::to_openai`] make of it. Nothing
//! else renders an error for a client. Not here: how an upstream answer becomes a `Failure` (`openai/error.rs`), retrying (upstream crate).

mod openai;

pub use openai::EventError;

use std::time::Duration;

use serde::Serialize;

/// Everything that keeps a request from its answer. Each variant says who can mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The client's request is malformed; `param` is the path of the field (`messages.3.content.0.source`).
    #[error("{message}")]
    Invalid {
        /// One sentence that names the field.
        message: String,
        /// The field.
        param: Option<String>,
    },
    /// The SDKs' server-side threads (`claude-code.md` §16): they resend the whole history after this answer.
    #[error("threads are not supported")]
    Threads,
    /// The local client token is missing or wrong.
    #[error("the token is missing or is not this Dragoman's; run `dragoman env` to see the right one")]
    Unauthorized,
    /// The `Host` header names no address we listen on (DNS rebinding).
    #[error("requests for the host {host:?} are refused; add it to server.allowed_hosts if it is yours")]
    ForeignHost {
        /// The header's value.
        host: String,
    },
    /// There is nothing at this path.
    #[error("there is no {path} here; Claude Code's base URL should be this address without a path")]
    NoSuchPath {
        /// The request path.
        path: String,
    },
    /// The path exists, the method does not.
    #[error("{path} does not answer {method}; use {allow}")]
    Method {
        /// What came.
        method: String,
        /// Where.
        path: String,
        /// What would be right.
        allow: &'static str,
    },
    /// The body is over the limit, in bytes.
    #[error("the request is larger than {} MB; compact the conversation or attach less", limit >> 20)]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The client hung up, or sent its body too slowly or broken.
    #[error("the request body did not arrive whole: {message}")]
    BodyLost {
        /// The transport's words.
        message: String,
    },
    /// No rule maps this model, and the catalog does not list it.
    #[error("there is no model {model:?}; available: {}", known.join(", "))]
    UnknownModel {
        /// What the client asked for.
        model: String,
        /// What the catalog lists.
        known: Vec<String>,
    },
    /// The word before the comma in `backend,model` names none.
    #[error("there is no backend {backend:?} (as in \"backend,model\"); available: {}", known.join(", "))]
    UnknownBackend {
        /// What the client asked for.
        backend: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// No usable login: the sentence says how to sign in.
    #[error("{message}")]
    SignIn {
        /// One sentence.
        message: String,
    },
    /// The account may not do this.
    #[error("{message}")]
    Forbidden {
        /// The backend's words.
        message: String,
    },
    /// The account's usage limit is reached.
    #[error("the ChatGPT usage limit of this account is reached")]
    AccountLimit {
        /// When it resets, unix seconds.
        resets_at: Option<i64>,
        /// The plan, e.g. `plus`.
        plan: Option<String>,
        /// So many other accounts could have answered, and are at their limit too; this one resets first.
        others: usize,
    },
    /// The plan does not include this, or there is no credit.
    #[error("{message}")]
    Billing {
        /// One sentence.
        message: String,
    },
    /// Too many requests just now.
    #[error("{message}")]
    RateLimited {
        /// How long the backend asks to wait.
        after: Option<Duration>,
        /// The backend's words.
        message: String,
    },
    /// The backend has no capacity just now.
    #[error("{message}")]
    Overloaded {
        /// The backend's words.
        message: String,
    },
    /// Cloudflare or another middlebox answered HTML instead of the backend.
    #[error("{message}")]
    Blocked {
        /// One sentence.
        message: String,
    },
    /// The conversation is longer than the model's window, in tokens. Upstream tells neither number: the proxy fills
    /// them in with [`Failure::sized`].
    #[error("prompt is too long: {tokens} tokens > {window} maximum")]
    ContextOverflow {
        /// Our count, at least `window + 1`.
        tokens: u64,
        /// The window the client was told.
        window: u64,
    },
    /// The backend refuses the request for good.
    #[error("{message}")]
    Rejected {
        /// The backend's words.
        message: String,
        /// Its machine-readable code.
        code: Option<String>,
    },
    /// The backend does not serve the model it was asked for.
    #[error("{message}")]
    ModelRefused {
        /// The backend's words and what to do.
        message: String,
    },
    /// The request speaks the wrong dialect for the model (DECISIONS 9). Shown only if the other one fails too.
    #[error("{message}")]
    WrongDialect {
        /// The backend's words.
        message: String,
    },
    /// Replayed reasoning can't be decrypted any more (S41). Shown only if it fails without the reasoning too.
    #[error("{message}")]
    StaleReasoning {
        /// The backend's words.
        message: String,
    },
    /// The backend takes no tools behind the beginning of the input (DECISIONS 11).
    #[error("{message}")]
    LateToolsRefused {
        /// The backend's words.
        message: String,
    },
    /// The backend insists on an `instructions` field (DECISIONS 8).
    #[error("{message}")]
    InstructionsWanted {
        /// The backend's words.
        message: String,
    },
    /// The backend does not take compressed bodies (DECISIONS 13).
    #[error("{message}")]
    CompressionRefused {
        /// The backend's words.
        message: String,
    },
    /// No connection: DNS, refused, TLS, proxy.
    #[error("{message}")]
    Unreachable {
        /// What failed, and what to do.
        message: String,
    },
    /// The stream ended without a terminal event.
    #[error("the model's answer broke off: the connection closed before the answer was complete")]
    Truncated,
    /// The backend said nothing for too long.
    #[error("the model's answer broke off: nothing arrived for {seconds} seconds")]
    Stalled {
        /// The limit that passed.
        seconds: u64,
    },
    /// The model called a tool with arguments that are no JSON object.
    #[error("the model called {tool} with arguments that are not valid JSON; please try again")]
    BrokenArguments {
        /// The tool's name.
        tool: String,
    },
    /// The answer breaks the schema that the client gave for it.
    #[error("the model's answer does not have the form that the request asks for ({why}); please try again")]
    BrokenFormat {
        /// Where and how; nothing of the answer.
        why: String,
    },
    /// Another error of the backend.
    #[error("{message}")]
    Upstream {
        /// Its status, 500 if the error came inside a stream.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Something of ours broke.
    #[error("{message}")]
    Internal {
        /// What.
        message: String,
    },
}

/// Whether the same request may be sent again before anything reached the client (DECISIONS 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// Up to twice, after 0.5 s and 1.5 s.
    Backoff,
    /// Once, after this long.
    Once(Duration),
}

/// The present moment, as the rim knows it; this crate has no clock.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Unix seconds.
    pub unix: i64,
    /// A unix time in the user's local words, e.g. `16:10` or `Tue 24 Nov 09:00`.
    pub local: fn(i64) -> String,
}

/// An error as it goes to a client before the answer has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// Extra headers; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: ErrorBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

impl Failure {
    /// A malformed request, by the path of its field.
    pub fn invalid(param: impl Into<String>, message: impl std::fmt::Display) -> Self {
        let param = param.into();
        Self::Invalid { message: format!("{param}: {message}"), param: Some(param) }
    }

    /// May the request be sent again?
    pub fn retry(&self) -> Retry {
        match self {
            Self::Overloaded { .. } | Self::Upstream { .. } | Self::Unreachable { .. } => Retry::Backoff,
            Self::Truncated => Retry::Once(Duration::from_millis(500)),
            Self::RateLimited { after: Some(after), .. } if *after <= Duration::from_secs(10) => {
                Retry::Once(*after)
            }
            Self::RateLimited { after: None, .. } => Retry::Once(Duration::from_millis(1500)),
            _ => Retry::Never,
        }
    }

    /// Fills in the two numbers of a context overflow: our own count and the window that the client was told
    /// (DECISIONS 4). Every other failure is returned as it is.
    pub fn sized(self, count: u64, told: u64) -> Self {
        match self {
            Self::ContextOverflow { .. } => {
                Self::ContextOverflow { tokens: count.max(told.saturating_add(1)), window: told }
            }
            other => other,
        }
    }

    /// HTTP status and Anthropic error type (`gateway.md`, table of errors).
    pub fn anthropic_kind(&self) -> (u16, &'static str) {
        match self {
            Self::Invalid { .. }
            | Self::Threads
            | Self::BodyLost { .. }
            | Self::ContextOverflow { .. }
            | Self::Rejected { .. }
            | Self::WrongDialect { .. }
            | Self::StaleReasoning { .. }
            | Self::LateToolsRefused { .. }
            | Self::InstructionsWanted { .. }
            | Self::CompressionRefused { .. } => (400, "invalid_request_error"),
            Self::Unauthorized | Self::SignIn { .. } => (401, "authentication_error"),
            Self::ForeignHost { .. } | Self::Forbidden { .. } => (403, "permission_error"),
            Self::NoSuchPath { .. }
            | Self::UnknownModel { .. }
            | Self::UnknownBackend { .. }
            | Self::ModelRefused { .. } => (404, "not_found_error"),
            Self::Method { .. } => (405, "invalid_request_error"),
            Self::TooLarge { .. } => (413, "request_too_large"),
            Self::AccountLimit { .. } | Self::RateLimited { .. } => (429, "rate_limit_error"),
            Self::Billing { .. } => (429, "billing_error"),
            Self::Internal { .. } => (500, "api_error"),
            Self::Upstream { status, .. } => {
                (if (500..600).contains(status) { *status } else { 502 }, "api_error")
            }
            Self::Unreachable { .. }
            | Self::Truncated
            | Self::BrokenArguments { .. }
            | Self::BrokenFormat { .. } => (502, "api_error"),
            Self::Blocked { .. } => (503, "api_error"),
            Self::Stalled { .. } => (504, "api_error"),
            Self::Overloaded { .. } => (529, "overloaded_error"),
        }
    }

    /// The sentence for the client: what happened and what to do, with times in local words.
    pub fn message(&self, now: &Now) -> String {
        match self {
            Self::AccountLimit { resets_at, others, .. } => {
                let (what, which) = match others {
                    0 => ("The ChatGPT usage limit of this account is reached.".to_owned(), "It"),
                    others => {
                        let all = others + 1;
                        (
                            format!("All {all} accounts in use are at their ChatGPT usage limit."),
                            "The first of them",
                        )
                    }
                };
                match resets_at {
                    Some(at) => {
                        format!("{what} {which} resets {} ({}).", (now.local)(*at), in_words(at - now.unix))
                    }
                    None => format!("{what} ChatGPT did not say when it resets."),
                }
            }
            other => other.to_string(),
        }
    }

    /// The whole HTTP answer in Anthropic's shape, for a failure before the status line went out.
    pub fn to_anthropic(&self, now: &Now, request_id: &str) -> Rendered {
        let (status, _) = self.anthropic_kind();
        Rendered { status, headers: self.headers(now), body: self.envelope(now, Some(request_id)) }
    }

    /// The headers beside an error's status.
    fn headers(&self, now: &Now) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        let mut final_answer = || headers.push(("x-should-retry", "false".to_owned()));
        match self {
            Self::Unauthorized
            | Self::SignIn { .. }
            | Self::ForeignHost { .. }
            | Self::Forbidden { .. }
            | Self::Billing { .. }
            | Self::Invalid { .. }
            | Self::TooLarge { .. }
            | Self::Rejected { .. } => final_answer(),
            Self::AccountLimit { resets_at, .. } => {
                final_answer();
                headers.push(("anthropic-ratelimit-unified-status", "rejected".to_owned()));
                if let Some(at) = resets_at {
                    headers.push(("retry-after", (at - now.unix).max(1).to_string()));
                    headers.push(("anthropic-ratelimit-unified-reset", at.to_string()));
                    headers.push(("anthropic-ratelimit-unified-overage-reset", at.to_string()));
                }
                // The set of a cap that is reached (`gateway.md`). No claim and no overage status: the client would
                // show a sentence of its own in place of ours. No period: the windows roll.
                headers.push(("anthropic-ratelimit-unified-overage-utilization", "1.00".to_owned()));
                headers.push(("anthropic-ratelimit-unified-overage-surpassed-threshold", "0.95".to_owned()));
                headers.push((
                    "anthropic-ratelimit-unified-overage-disabled-reason",
                    "org_spend_cap_reached".to_owned(),
                ));
            }
            Self::RateLimited { after: Some(after), .. } => {
                headers.push(("retry-after", after.as_secs().max(1).to_string()));
            }
            Self::Blocked { .. } => headers.push(("retry-after", "10".to_owned())),
            Self::Method { allow, .. } => headers.push(("allow", (*allow).to_owned())),
            _ => {}
        }
        headers
    }

    /// The data of an `event: error`, for a failure after the status line went out.
    pub fn to_anthropic_event(&self, now: &Now) -> String {
        self.envelope(now, None)
    }

    fn envelope(&self, now: &Now, request_id: Option<&str>) -> String {
        let (_, kind) = self.anthropic_kind();
        let details = match self {
            Self::Threads => Some(Details {
                error_code: Some("thread_unsupported_request"),
                unsupported: Some(["thread"]),
                param: None,
            }),
            Self::Invalid { param: Some(param), .. } => {
                Some(Details { error_code: None, unsupported: None, param: Some(param) })
            }
            _ => None,
        };
        let body = Envelope {
            kind: "error",
            error: ErrorBody { kind, message: self.message(now), details },
            request_id,
        };
        serde_json::to_string(&body).unwrap_or_else(|_| {
            r#"{"type":"error","error":{"type":"api_error","message":"internal error"}}"#.to_owned()
        })
    }
}

/// A span of seconds in two units: `in 1 h 12 min`, `in 3 d 4 h`, `in 40 s`, `now`.
pub fn in_words(seconds: i64) -> String {
    let (d, h, m) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match seconds {
        ..=0 => "now".to_owned(),
        1..60 => format!("in {seconds} s"),
        60..3_600 => format!("in {m} min"),
        3_600..86_400 if m == 0 => format!("in {h} h"),
        3_600..86_400 => format!("in {h} h {m} min"),
        _ if h == 0 => format!("in {d} d"),
        _ => format!("in {d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { unix: 1_000_000, local: |at| format!("<{at}>") };

    #[test]
    fn an_account_limit_says_when_it_resets_and_forbids_retries() {
        let failure = Failure::AccountLimit { resets_at: Some(1_004_320), plan: None, others: 0 };
        let answer = failure.to_anthropic(&NOW, "req_1");
        assert_eq!(answer.status, 429);
        assert!(answer.headers.contains(&("retry-after", "4320".to_owned())));
        assert!(answer.headers.contains(&("x-should-retry", "false".to_owned())));
        assert_eq!(
            answer.body,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"The ChatGPT usage limit of this account is reached. It resets <1004320> (in 1 h 12 min)."},"request_id":"req_1"}"#
        );
    }

    #[test]
    fn a_limit_of_all_accounts_says_so() {
        let words = |resets_at, others| Failure::AccountLimit { resets_at, plan: None, others }.message(&NOW);
        assert_eq!(
            words(Some(1_004_320), 2),
            "All 3 accounts in use are at their ChatGPT usage limit. The first of them resets <1004320> (in 1 h 12 min)."
        );
        assert_eq!(
            words(None, 1),
            "All 2 accounts in use are at their ChatGPT usage limit. ChatGPT did not say when it resets."
        );
    }

    #[test]
    fn threads_are_refused_with_the_code_the_sdks_look_for() {
        assert_eq!(
            Failure::Threads.to_anthropic_event(&NOW),
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"threads are not supported","details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}}}"#
        );
    }

    #[test]
    fn an_overflow_is_always_larger_than_its_window() {
        let empty = Failure::ContextOverflow { tokens: 0, window: 0 };
        assert_eq!(
            empty.clone().sized(10, 272_000),
            Failure::ContextOverflow { tokens: 272_001, window: 272_000 }
        );
        assert_eq!(
            empty.sized(300_000, 272_000).to_string(),
            "prompt is too long: 300000 tokens > 272000 maximum"
        );
    }

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, words) in [
            (-5, "now"),
            (40, "in 40 s"),
            (60, "in 1 min"),
            (4_320, "in 1 h 12 min"),
            (7_200, "in 2 h"),
            (273_600, "in 3 d 4 h"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
