//! Asks the usage page whether an account that was at its limit has room again (P6): limits are lifted early, by a
//! reset that was bought or a plan that grew.
//!
//! Not here: polling while nobody asks for anything.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::accounts::{Account, AccountKind, Credential};
use crate::codex::Codex;
use crate::http::join;
use crate::identity::{Call, Endpoint};

/// A request waits for the page: it must not wait long.
const WITHIN: Duration = Duration::from_secs(5);

impl Codex {
    /// True if the page says that the account may go on; the known limit is forgotten then. No answer is no.
    pub(crate) async fn has_room_again(&self, account: &Account, credential: &Credential) -> bool {
        if account.kind == AccountKind::ApiKey || !account.may_ask() {
            return false;
        }
        let room = match timeout(WITHIN, self.ask_usage(account, credential)).await {
            Ok(Ok(room)) => room,
            Ok(Err(why)) => {
                tracing::debug!(why, "the usage page cannot be read");
                false
            }
            Err(_) => false,
        };
        if room {
            account.lift();
        }
        room
    }

    async fn ask_usage(&self, account: &Account, credential: &Credential) -> Result<bool, String> {
        let words = |error: reqwest::Error| error.without_url().to_string();
        let origin = self.routing.origin(&self.http, &self.identity, credential).await;
        let url = join(&origin.base, "/wham/usage");
        let call = Call { credential: Some(credential), ..Call::default() };
        let headers = self.identity.headers(Endpoint::Usage, &call);
        let request = self.http.client(&url).get(url.clone()).headers(headers);
        let response = request.send().await.map_err(words)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let body = response.bytes().await.map_err(words)?;
        let read = account.seat().fold(|limits| limits.with_usage(&body, Timestamp::now().as_second()));
        Ok(read.ok_or("it is not what it used to be")?)
    }
}
