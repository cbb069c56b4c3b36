//! One request of a sign-in and its answer, judged: what the different endpoints have in common.

use std::time::Duration;

use dragoman_protocol::openai::error::looks_like_html;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::{LoginError, Off, Step};
use crate::accounts::error_code;
use crate::http::{Http, unreachable};

/// From the request to the whole answer.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer that came.
pub(super) struct Answered {
    pub(super) status: u16,
    /// The server's clock, unix seconds.
    pub(super) date: Option<i64>,
    /// Wiped after reading: it may hold tokens.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// None came; the words say why.
    #[error("{0}")]
    Offline(String),
    /// It does not want to.
    #[error("refused with status {status}")]
    Refused {
        status: u16,
        code: Option<String>,
        /// So many seconds our clock is fast (negative: slow), if that is so much that it may be why.
        clock: Option<i64>,
    },
    /// It can't.
    #[error("status {0}")]
    Server(u16),
    /// It said something else.
    #[error("unreadable")]
    Unreadable,
}

/// A clock that is wrong by less than this harms nobody: tokens are renewed five minutes before their end.
pub(super) const SKEW: i64 = 300;

/// How a refusal of the code reads: `status 400, invalid_grant`.
pub(super) fn refusal(status: u16, code: Option<String>, clock: Option<i64>) -> LoginError {
    let code = code.map(|code| format!(", {code}")).unwrap_or_default();
    LoginError::CodeRefused { words: format!("status {status}{code}"), clock: clock.map(Off) }
}

impl Trouble {
    /// The same for a person. Refusals mean something else at each step; where they don't, they are trouble.
    pub(super) fn at(self, step: Step) -> LoginError {
        match self {
            Self::Offline(why) => LoginError::Offline { step, why },
            Self::Refused { status, .. } | Self::Server(status) => LoginError::ServerTrouble { step, status },
            Self::Unreadable => LoginError::Unreadable { step },
        }
    }
}

/// Sends the request. Dropping the future ends it.
pub(super) async fn send(http: &Http, request: reqwest::Request) -> Result<Answered, Trouble> {
    let url = request.url().clone();
    let exchange = async {
        let response = http.client(&url).execute(request).await?;
        let status = response.status().as_u16();
        let date =
            response.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok()).and_then(unix);
        let body = Zeroizing::new(response.bytes().await?.to_vec());
        Ok::<_, reqwest::Error>(Answered { status, date, body })
    };
    match tokio::time::timeout(LIMIT, exchange).await {
        Ok(Ok(answered)) => {
            tracing::info!(path = url.path(), status = answered.status, "sign-in call answered");
            Ok(answered)
        }
        Ok(Err(error)) => Err(Trouble::Offline(unreachable(&error, &url).to_string())),
        Err(_) => Err(Trouble::Offline(format!(
            "{} did not answer within {} s: check the network, VPN and proxy, then try again.",
            url.host_str().unwrap_or("?"),
            LIMIT.as_secs()
        ))),
    }
}

impl Answered {
    /// The body of a success.
    pub(super) fn accept(self) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        match self.status {
            200..300 => Ok(self.body),
            400..500 if self.status != 429 && !looks_like_html(&String::from_utf8_lossy(&self.body)) => {
                Err(Trouble::Refused {
                    status: self.status,
                    code: error_code(&self.body).map(|code| clean(&code)),
                    clock: self
                        .date
                        .map(|date| Timestamp::now().as_second() - date)
                        .filter(|off| off.abs() > SKEW),
                })
            }
            status => Err(Trouble::Server(status)),
        }
    }

    /// A success as JSON. What could not be read is not quoted: it may hold a token.
    pub(super) fn json<T: for<'de> Deserialize<'de>>(self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.accept()?).map_err(|_| Trouble::Unreadable)
    }
}

/// Words of others, short and on one line, before they are shown.
pub(super) fn clean(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// `Fri, 20 Nov 2026 15:16:07 GMT` in unix seconds.
fn unix(date: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(date).ok().map(|zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read() {
        assert_eq!(unix("Fri, 20 Nov 2026 15:16:07 GMT"), Some(1_795_187_767));
        assert_eq!(unix("yesterday"), None);
    }

    #[test]
    fn what_is_shown_of_others_words_is_short_and_on_one_line() {
        assert_eq!(clean("a\nb\u{1b}[1m"), "ab[1m");
        assert_eq!(clean(&"x".repeat(1000)).len(), 200);
    }
}
