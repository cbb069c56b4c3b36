//! What a client must have in its environment to use this server: the values behind `dragoman env`, `dragoman run` and
//! the set-up of Claude Code's settings.
//!
//! Not here: how a shell writes them (cli), their names (`paths.rs`).

use std::net::SocketAddr;

use crate::claude_code::keys;
use crate::models::Models;
use crate::paths::claude_code as names;
use crate::token::ClientToken;

/// For Claude Code 2.1.329. The window is what a conversation may fill (DECISIONS 18).
pub(crate) fn claude_code(
    address: SocketAddr,
    token: &ClientToken,
    models: &Models,
) -> Vec<(String, String)> {
    let window = models.window;
    // Claude Code compacts this far before the end of the window that it is told, and takes no smaller one.
    const ROOM: u64 = 33_000;
    const SMALLEST: u64 = 100_000;
    let compact_at = models.compact_at.map_or(window, |limit| (limit + ROOM).max(SMALLEST).min(window));
    let variables = [
        (names::BASE_URL, format!("http://{address}")),
        (names::AUTH_TOKEN, token.expose().to_owned()),
        // The first is for names Claude Code doesn't know, the second for those it does.
        (names::MAX_CONTEXT_TOKENS, window.to_string()),
        (names::AUTO_COMPACT_WINDOW, compact_at.to_string()),
        // A line that changes with every request would defeat the prompt cache.
        (names::ATTRIBUTION_HEADER, "0".to_owned()),
        // Not CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: tests/claude_code/connect.rs measures that no tool runs twice
        // without it, and that with it a broken stream ends the turn.
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    variables.chain(keys::families(models)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude_code::keys::tests::models;

    #[test]
    fn where_the_codex_cli_compacts_claude_code_compacts_too() {
        let token = ClientToken::new("t", "a test").unwrap();
        let compacts = |limit| {
            let models = Models { compact_at: limit, ..models() };
            let variables = claude_code("127.0.0.1:3746".parse().unwrap(), &token, &models);
            variables.into_iter().find(|(name, _)| name == names::AUTO_COMPACT_WINDOW).unwrap().1
        };
        assert_eq!(compacts(None), "258400");
        assert_eq!(compacts(Some(150_000)), "183000");
        assert_eq!(compacts(Some(20_000)), "100000");
        assert_eq!(compacts(Some(900_000)), "258400");
    }

    #[test]
    fn claude_code_is_told_address_token_and_window() {
        let token = ClientToken::new("t", "a test").unwrap();
        let variables = claude_code("127.0.0.1:3746".parse().unwrap(), &token, &models());
        let variables: Vec<_> =
            variables.iter().take(6).map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            variables,
            [
                "ANTHROPIC_BASE_URL=http://127.0.0.1:3746",
                "ANTHROPIC_AUTH_TOKEN=t",
                "CLAUDE_CODE_MAX_CONTEXT_TOKENS=258400",
                "CLAUDE_CODE_AUTO_COMPACT_WINDOW=258400",
                "CLAUDE_CODE_ATTRIBUTION_HEADER=0",
                "ANTHROPIC_DEFAULT_OPUS_MODEL=claude-opus-5-5",
            ]
        );
    }
}
