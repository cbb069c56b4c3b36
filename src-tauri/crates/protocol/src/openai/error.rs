//! Reads what the backend says when it refuses: every error shape of `upstream.md` §e, into one [`Failure`].
//!
//! Shapes: FastAPI's `{"detail":…}`, OpenAI's `{"error":{message,type,param,code}}`, the issuer's `{"error":"code"}`,
//! the same inside `response.failed` and `error` events, and HTML of a middlebox. Not here: rendering.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use crate::failure::Failure;

/// The members that any of the error shapes may hold.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct WireError<'a> {
    /// `error.type`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Cow<'a, str>>,
    /// `error.code`.
    #[serde(borrow, default)]
    pub code: Option<Cow<'a, str>>,
    /// `error.message`.
    #[serde(borrow, default)]
    pub message: Option<Cow<'a, str>>,
    /// `error.param`.
    #[serde(borrow, default)]
    pub param: Option<Cow<'a, str>>,
    /// Unix seconds, with `usage_limit_reached`.
    #[serde(default)]
    pub resets_at: Option<f64>,
    /// The same, relative.
    #[serde(default)]
    pub resets_in_seconds: Option<f64>,
    /// The plan, with `usage_limit_reached`.
    #[serde(borrow, default)]
    pub plan_type: Option<Cow<'a, str>>,
}

/// What stood around the error: facts that the body does not hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances {
    /// The HTTP status; `None` inside a stream.
    pub status: Option<u16>,
    /// The `retry-after` header.
    pub retry_after: Option<Duration>,
    /// Unix seconds now.
    pub now: i64,
}

/// Reads the body of an HTTP answer with an error status.
pub fn from_response(body: &[u8], around: Circumstances) -> Failure {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape<'a> {
        Nested {
            #[serde(borrow)]
            error: WireError<'a>,
        },
        Word {
            error: String,
            #[serde(default)]
            error_description: Option<String>,
        },
        Detail {
            detail: String,
        },
        DetailList {
            detail: Vec<serde_json::Value>,
        },
        Flat {
            #[serde(borrow, flatten)]
            error: WireError<'a>,
        },
    }
    let text = String::from_utf8_lossy(body);
    let error = match serde_json::from_str::<Shape<'_>>(&text) {
        Ok(Shape::Nested { error } | Shape::Flat { error }) => error,
        Ok(Shape::Word { error, error_description }) => WireError {
            message: Some(Cow::Owned(error_description.unwrap_or_else(|| error.clone()))),
            code: Some(Cow::Owned(error)),
            ..WireError::default()
        },
        Ok(Shape::Detail { detail }) => {
            WireError { message: Some(Cow::Owned(detail)), ..WireError::default() }
        }
        Ok(Shape::DetailList { detail }) => {
            let words = serde_json::to_string(&detail).unwrap_or_default();
            WireError { message: Some(Cow::Owned(words)), ..WireError::default() }
        }
        Err(_) if looks_like_html(&text) => return blocked(around.status),
        Err(_) => {
            let start: String = text.trim().chars().take(300).collect();
            WireError { message: (!start.is_empty()).then_some(Cow::Owned(start)), ..WireError::default() }
        }
    };
    classify(&error, around)
}

/// What one error means. The order of the tests is the order of how sure each sign is: codes before words, words
/// before the bare status.
pub fn classify(error: &WireError<'_>, around: Circumstances) -> Failure {
    let code = error.code.as_deref().or(error.kind.as_deref()).unwrap_or_default();
    let kind = error.kind.as_deref().unwrap_or_default();
    let message = match error.message.as_deref() {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        _ => match around.status {
            Some(status) => format!("the ChatGPT backend answered with status {status} and no explanation"),
            None => "the ChatGPT backend reported an error and no explanation".to_owned(),
        },
    };
    let lower = message.to_ascii_lowercase();
    let is = |word: &str| code == word || kind == word;
    let says = |words: &str| lower.contains(words);

    // Workspaces have codes of their own: `workspace_member_usage_limit_reached` and the like (`upstream.md` §d.3).
    if code.ends_with("usage_limit_reached") || kind.ends_with("usage_limit_reached") {
        let resets_at = error
            .resets_at
            .map(|at| at as i64)
            .or_else(|| error.resets_in_seconds.map(|seconds| around.now + seconds as i64))
            .or_else(|| around.retry_after.map(|after| around.now + after.as_secs() as i64));
        let plan = error.plan_type.as_deref().map(str::to_owned);
        return Failure::AccountLimit { resets_at, plan, others: 0 };
    }
    let is_spent = code.ends_with("credits_depleted") || kind.ends_with("credits_depleted");
    if is_spent || is("usage_not_included") || is("insufficient_quota") || around.status == Some(402) {
        return Failure::Billing { message: format!("{message} (ChatGPT plan or credit)") };
    }
    if is("context_length_exceeded")
        || says("exceeds the context window")
        || says("maximum context length")
        || says("too many tokens")
        // Too many bytes: fewer of them is what compacting makes, and nothing else helps.
        || around.status == Some(413)
    {
        return Failure::ContextOverflow { tokens: 0, window: 0 };
    }
    if is("server_is_overloaded") || is("slow_down") || says("at capacity") || says("currently overloaded") {
        return Failure::Overloaded { message };
    }
    if is("rate_limit_exceeded") || around.status == Some(429) {
        return Failure::RateLimited { after: around.retry_after.or_else(|| wait_in(&lower)), message };
    }
    if is("invalid_encrypted_content") || says("encrypted content could not be") {
        return Failure::StaleReasoning { message };
    }
    if is("previous_response_not_found") {
        // No request of ours names a previous response, so each is the whole history already: once more will do (S42).
        return Failure::Upstream { status: 502, message };
    }
    if is("unsupported_value") && (says("responses-lite") || says("responses lite")) {
        return Failure::WrongDialect { message };
    }
    // Nobody has seen this one: whatever complains of the item by name.
    if says("additional_tools") && around.status == Some(400) && !says("responses lite") {
        return Failure::LateToolsRefused { message };
    }
    if says("instructions are required") || says("instructions are not valid") || says("missing instructions")
    {
        return Failure::InstructionsWanted { message };
    }
    if is("cyber_policy") || is("bio_policy") || is("invalid_prompt") || is("content_policy_violation") {
        return Failure::Rejected { message, code: Some(code.to_owned()) };
    }
    if says("requires a newer version of codex") {
        return Failure::ModelRefused {
            message: format!("{message} In Dragoman: raise the setting upstream.codex_version."),
        };
    }
    if is("model_not_found")
        || says("model not found")
        || says("model is not supported when using codex")
        || (is("not_found") && says("model"))
    {
        return Failure::ModelRefused {
            message: format!("{message} Run `dragoman models` to see what this account offers."),
        };
    }
    match around.status {
        Some(401) => Failure::SignIn { message },
        Some(403) => Failure::Forbidden { message },
        Some(415) => Failure::CompressionRefused { message },
        Some(503) => Failure::Overloaded { message },
        // A timeout, a conflict, a replay that came too early: the same request may well succeed.
        Some(408 | 409 | 425) => Failure::Upstream { status: 502, message },
        Some(status @ 500..) => Failure::Upstream { status, message },
        Some(400..) => Failure::Rejected { message, code: error.code.as_deref().map(str::to_owned) },
        Some(status) => Failure::Upstream { status, message },
        None if kind == "invalid_request_error" => {
            Failure::Rejected { message, code: error.code.as_deref().map(str::to_owned) }
        }
        None => Failure::Upstream { status: 500, message },
    }
}

/// A page instead of an answer. Says so without dumping the page (S44).
pub fn blocked(status: Option<u16>) -> Failure {
    let status = status.map(|status| format!(" (status {status})")).unwrap_or_default();
    Failure::Blocked {
        message: format!(
            "A web page came back instead of the ChatGPT backend's answer{status}: Cloudflare or another gateway stands \
             in between. Wait a minute and try again; if it stays, check your network, VPN or proxy."
        ),
    }
}

/// True for a body that is a page, not an API answer.
pub fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start();
    let head = start.get(..start.len().min(15)).unwrap_or_default().to_ascii_lowercase();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

/// "try again in 1.5s", "in 500ms", "in 2 minutes": how long the words ask to wait.
fn wait_in(lower: &str) -> Option<Duration> {
    let rest = lower.split("try again in ").nth(1)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let number: f64 = rest[..digits].trim_end_matches('.').parse().ok()?;
    let unit = rest[digits..].trim_start();
    let seconds = if unit.starts_with("ms") || unit.starts_with("milli") {
        number / 1000.0
    } else if unit.starts_with('m') {
        number * 60.0
    } else if unit.starts_with('h') {
        number * 3600.0
    } else {
        number
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(status: u16, body: &str) -> Failure {
        from_response(body.as_bytes(), Circumstances { status: Some(status), retry_after: None, now: 100 })
    }

    #[test]
    fn every_error_shape_is_read() {
        assert_eq!(
            at(400, r#"{"detail":"Unsupported parameter: top_p"}"#),
            Failure::Rejected { message: "Unsupported parameter: top_p".into(), code: None }
        );
        assert_eq!(
            at(
                429,
                r#"{"error":{"type":"usage_limit_reached","message":"x","plan_type":"plus","resets_at":1795000000,"resets_in_seconds":9}}"#
            ),
            Failure::AccountLimit { resets_at: Some(1_795_000_000), plan: Some("plus".into()), others: 0 }
        );
        assert!(matches!(at(403, "<!DOCTYPE html><html>"), Failure::Blocked { .. }));
        assert!(matches!(at(403, r#"{"detail":"Forbidden"}"#), Failure::Forbidden { .. }));
        assert!(matches!(at(400, r#"{"detail":"The model is at capacity"}"#), Failure::Overloaded { .. }));
        assert!(matches!(
            at(
                400,
                r#"{"error":{"code":"unsupported_value","message":"not supported when using X-OpenAI-Internal-Codex-Responses-Lite."}}"#
            ),
            Failure::WrongDialect { .. }
        ));
        assert!(matches!(at(401, r#"{"error":"invalid_grant"}"#), Failure::SignIn { .. }));
        assert!(matches!(at(502, ""), Failure::Upstream { status: 502, .. }));
        assert!(matches!(
            at(400, r#"{"error":{"code":"context_length_exceeded","message":"long"}}"#),
            Failure::ContextOverflow { .. }
        ));
    }

    #[test]
    fn each_sign_of_upstream_md_e_has_its_failure() {
        let error =
            |code: &str| format!(r#"{{"error":{{"type":"{code}","message":"m","resets_in_seconds":5}}}}"#);
        let limit = Failure::AccountLimit { resets_at: Some(105), plan: None, others: 0 };
        let (m, code) = ("m".to_owned(), None);
        for (status, body, expected) in [
            (429, error("usage_limit_reached"), limit.clone()),
            (429, error("workspace_member_usage_limit_reached"), limit),
            (429, error("usage_not_included"), Failure::Billing { message: "m (ChatGPT plan or credit)".into() }),
            (
                429,
                error("workspace_owner_credits_depleted"),
                Failure::Billing { message: "m (ChatGPT plan or credit)".into() },
            ),
            (429, error("x"), Failure::RateLimited { after: None, message: m.clone() }),
            (503, error("slow_down"), Failure::Overloaded { message: m.clone() }),
            (500, error("server_error"), Failure::Upstream { status: 500, message: m.clone() }),
            (408, error("timeout"), Failure::Upstream { status: 502, message: m.clone() }),
            (409, error("conflict"), Failure::Upstream { status: 502, message: m.clone() }),
            (400, error("previous_response_not_found"), Failure::Upstream { status: 502, message: m.clone() }),
            (413, String::new(), Failure::ContextOverflow { tokens: 0, window: 0 }),
            (400, error("brand_new"), Failure::Rejected { message: m.clone(), code: code.clone() }),
            (403, error("brand_new"), Failure::Forbidden { message: m.clone() }),
            (
                404,
                r#"{"error":{"message":"Model not found gpt-x","type":"invalid_request_error","param":"model","code":null}}"#.into(),
                Failure::ModelRefused {
                    message: "Model not found gpt-x Run `dragoman models` to see what this account offers.".into(),
                },
            ),
        ] {
            assert_eq!(at(status, &body), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_wait_in_words_is_understood() {
        assert_eq!(wait_in("please try again in 500ms."), Some(Duration::from_millis(500)));
        assert_eq!(wait_in("try again in 1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(wait_in("try again in 2 minutes"), Some(Duration::from_secs(120)));
        assert_eq!(wait_in("later"), None);
    }
}
