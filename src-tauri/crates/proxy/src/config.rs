//! What the app tells the proxy. Plain values in a `watch`; each request keeps the copy it began with.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::extra::ExtraTool;
use crate::routes::Rules;

/// The proxy's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The token that clients must show.
    pub token: ClientToken,
    /// Host names beside the loopback ones that may stand in `Host`.
    pub allowed_hosts: Vec<String>,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Which model answers for which.
    pub rules: Rules,
    /// With tools that change something, calls come one by one: the well-known ones and these. `None`: as the client
    /// asks (R37).
    pub serial_tools: Option<Arc<[String]>>,
    /// Tools of MCP servers that are added where Claude Code does not offer them itself.
    pub extra_tools: Arc<[ExtraTool]>,
}

/// The local bearer token. Can't be printed.
#[derive(Clone)]
pub struct ClientToken(String);

impl ClientToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The words, to be taken out of what is recorded.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Is this the token? Takes the same time for every wrong one of its length.
    pub fn matches(&self, shown: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(shown.as_bytes()))
    }
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_matches_and_it_is_never_shown() {
        let token = ClientToken::new("canary-token");
        assert!(token.matches("canary-token"));
        assert!(!token.matches("canary-tokem"));
        assert!(!token.matches(""));
        assert!(!ClientToken::new("").matches(""));
        assert!(!format!("{token:?}").contains("canary"));
    }
}
