//! The verbs about what was used: sums over time, limits over time, deleting.

use dragoman_upstream::AccountId;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::App;
use crate::history::{LimitPoint, Removed, UsagePoint, UsageQuery};
use crate::{Error, Totals};

impl App {
    /// Sums from the usage history. Without a history there are none.
    pub async fn usage_series(&self, query: UsageQuery) -> Result<Vec<UsagePoint>, Error> {
        let ask = self.inner.history.ask(move |store| store.usage(query, &TimeZone::system()));
        Ok(ask.await?.unwrap_or_default())
    }

    /// What was used since midnight.
    pub async fn usage_today(&self) -> Result<Totals, Error> {
        let ask = self.inner.history.ask(|store| store.today(Timestamp::now(), &TimeZone::system()));
        let today = ask.await;
        self.inner.board.publish();
        Ok(today?.unwrap_or_default())
    }

    /// Read the limits of every account from the backend, now. Tells for each account that could not be read why.
    pub async fn refresh_limits(&self) -> Vec<(AccountId, String)> {
        let failed = self.inner.client.refresh_limits().await;
        self.inner.board.publish();
        failed
    }

    /// Somebody looks at the limits (a menu or page opens): they are read again in the background if they are old.
    pub fn limits_looked_at(&self) {
        self.inner.client.limits_looked_at();
    }

    /// How full the limits were, oldest reading first; unix seconds.
    pub async fn limits_series(&self, since: i64, until: i64) -> Result<Vec<LimitPoint>, Error> {
        Ok(self.inner.history.ask(move |store| store.limits(since, until)).await?.unwrap_or_default())
    }

    /// Deletes the whole usage history, and damaged files that were set aside.
    pub async fn delete_history(&self) -> Result<Removed, Error> {
        let deleted = self.inner.history.ask(|store| store.delete()).await;
        self.inner.board.publish();
        Ok(deleted?.unwrap_or_default())
    }

    /// Deletes what is older or more than the settings allow, now.
    pub async fn prune_history(&self) -> Result<Removed, Error> {
        let bounds = self.settings().history.clone();
        let ask = self.inner.history.ask(move |store| store.prune(&bounds, Timestamp::now()));
        Ok(ask.await?.unwrap_or_default())
    }
}
