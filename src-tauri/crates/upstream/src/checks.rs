//! What a check-up asks beyond the work: the backend's clock, and whether the token store can be reached.

use std::time::Duration;

use dragoman_protocol::failure::Failure;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::timeout;

use crate::client::{Backend, Client};
use crate::codex::Codex;
use crate::http::unreachable;

/// For the whole question.
const WITHIN: Duration = Duration::from_secs(10);

impl Client {
    /// The backend's time in unix seconds, as its answer to an empty question says. `None`: it tells no time.
    pub async fn backend_time(&self) -> Result<Option<i64>, Failure> {
        match &self.backend {
            Backend::ChatGpt(codex) => codex.time().await,
            Backend::Demo(_) => Ok(None),
        }
    }

    /// Can logins be kept? The system's keyring may ask for its password.
    pub async fn check_token_store(&self) -> Result<(), String> {
        match &self.backend {
            Backend::ChatGpt(codex) => {
                let accounts = codex.accounts.clone();
                let probed = tokio::task::spawn_blocking(move || accounts.probe_store()).await;
                probed.unwrap_or_else(|error| Err(error.to_string()))
            }
            Backend::Demo(_) => Ok(()),
        }
    }
}

impl Codex {
    async fn time(&self) -> Result<Option<i64>, Failure> {
        // Without a login: any answer has a date.
        let base = &self.signpost.now().base;
        let asked = self.http.client(base).head(base.clone()).send();
        let response = match timeout(WITHIN, asked).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unreachable(&error, base)),
            Err(_) => {
                let host = base.host_str().unwrap_or("?");
                let message = format!("{host} does not answer: check the network connection, VPN and proxy.");
                return Err(Failure::Unreachable { message });
            }
        };
        let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        Ok(date.and_then(seconds))
    }
}

/// RFC 9110 § 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<i64> {
    DateTimeParser::new().parse_zoned(date).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("yesterday"), None);
    }
}
