//! What requests and answers said, while it is recorded, and cases made of it.

use dragoman_proxy::Recorder;
use dragoman_upstream::AccountKind;
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use super::App;
use crate::Error;
use crate::case::{self, Around, NotACase, Told};
use crate::recent::Exchange;

/// A case that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Exported {
    /// Where.
    pub directory: String,
    /// The files in it.
    pub files: Vec<String>,
    /// False: the beginning of the conversation was not recorded, so a replay may differ.
    pub whole: bool,
}

impl App {
    /// Keeps what is said, while it is switched on.
    pub fn recorder(&self) -> &Recorder {
        self.inner.proxy.recorder()
    }

    /// A request that ended, if what was said in it is kept.
    pub(crate) fn recorded(&self, id: &str) -> Option<Told> {
        self.with_recording(self.recent().get(id)?)
    }

    fn with_recording(&self, exchange: Exchange) -> Option<Told> {
        let recording = self.recorder().get(&exchange.id)?;
        let snapshot = self.snapshot();
        let snapshot = snapshot.borrow();
        let account =
            snapshot.accounts.iter().find(|one| exchange.account.as_deref() == Some(one.id.as_str()));
        let api_key = account.is_some_and(|account| account.kind == AccountKind::ApiKey);
        Some(Told { exchange, recording, api_key })
    }

    /// Writes this request, with the recorded ones before it in its conversation, as a case that can be replayed.
    pub(crate) async fn export(&self, id: &str) -> Result<Exported, Error> {
        let last = self.recorded(id).ok_or(NotACase::NotRecorded)?;
        let mut told: Vec<Told> = self
            .recent()
            .all()
            .into_iter()
            .skip_while(|exchange| exchange.id != id)
            .filter_map(|exchange| self.with_recording(exchange))
            .filter(|one| one.recording.thread == last.recording.thread)
            .collect();
        told.reverse(); // the newest came first
        let settings = self.settings().chosen(&["models", "translation"]);
        let catalog = self.inner.client.catalog();
        let case = case::of(&told, Around { catalog: &catalog, settings: &settings })?;
        let directory = self.paths().cases();
        let exported = Exported {
            directory: directory.join(&case.name).display().to_string(),
            files: case.files.keys().cloned().collect(),
            whole: case.whole,
        };
        let written = tokio::task::spawn_blocking(move || case::write(&case, &directory)).await;
        written.map_err(|_| Error::Stopping)??;
        Ok(exported)
    }
}
