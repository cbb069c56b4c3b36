//! Takes out of a text what looks like a secret: keys, tokens, authorization values, who a device is. What it is replaced with depends on
//! nothing, so that both sides of an exchange still agree. Not seen: a secret that a stream brings in pieces.

use std::borrow::Cow;

use regex::Regex;

/// What stands there instead.
const GONE: &str = "[redacted]";
/// Keys by what they begin with, JSON web tokens, and whatever stands behind words that announce a secret. Ciphertext is
/// full of such beginnings: a secret is a word of its own.
const SECRETS: &str = r#"(?x)
    (?P<before> ^ | [^0-9A-Za-z_.~+/=-] )
    (?: (?: sk[-_] | gh[opsu]_ | github_pat_ | xox[bp]- | AKIA ) [0-9A-Za-z_.~+/=-]{16,}
      | eyJ [0-9A-Za-z_-]* \. [0-9A-Za-z_-]+ \. [0-9A-Za-z_-]+ )
  | (?P<words> [Bb]earer\  | "x-codex-turn-state":\ ?" | \\"(?:device_id|account_uuid)\\":\ ?\\" )
    [0-9A-Za-z_.~+/=-]{16,}"#;

/// Knows what secrets look like.
#[derive(Debug, Clone)]
pub(super) struct Redactor(Option<Regex>);

impl Default for Redactor {
    fn default() -> Self {
        // It is the same every time; a test compiles it.
        Self(Regex::new(SECRETS).ok())
    }
}

impl Redactor {
    /// The text without secrets; `own` is one that is known. Without a pattern nothing is shown at all.
    pub(super) fn text(&self, text: &str, own: &str) -> String {
        let Some(secrets) = &self.0 else { return GONE.to_owned() };
        let text = if own.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(text.replace(own, GONE)) };
        secrets.replace_all(&text, "${before}${words}[redacted]").into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_goes_and_the_rest_stays() {
        for (before, after) in [
            ("the key sk-proj-abcdefghijklmnop, and", "the key [redacted], and"),
            (r#"{"a":"Bearer abcdefghijklmnop1234"}"#, r#"{"a":"Bearer [redacted]"}"#),
            (r#"{"x-codex-turn-state":"gAAAAAroutingtoken"}"#, r#"{"x-codex-turn-state":"[redacted]"}"#),
            ("eyJhbGciOi.eyJzdWIi.c2ln and eyJub25l", "[redacted] and eyJub25l"),
            ("TOKEN=own-token\\nX", "TOKEN=[redacted]\\nX"),
            (
                "ask-for-what-you-need, sk-short, Bearer of news",
                "ask-for-what-you-need, sk-short, Bearer of news",
            ),
            ("gAAAA_sk-abcdefghijklmnopqrstuvw", "gAAAA_sk-abcdefghijklmnopqrstuvw"),
            (
                r#"{"user_id":"{\"device_id\":\"0123456789abcdef\"}"}"#,
                r#"{"user_id":"{\"device_id\":\"[redacted]\"}"}"#,
            ),
            ("wörld “quoted”", "wörld “quoted”"),
        ] {
            assert_eq!(Redactor::default().text(before, "own-token"), after);
        }
    }
}
