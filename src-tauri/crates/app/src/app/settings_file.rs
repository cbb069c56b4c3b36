//! The settings file: read at the start, written by the verbs, and watched, so that a change by hand or by another
//! process counts from the next request on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::{App, Inner, proxy_config, upstream_config};
use crate::Error;
use crate::paths::{self, Environment, Mode, Paths};
use crate::settings::{Flag, Layers, Settings, check_name};
use dragoman_proxy::{Scenario, Target};

/// How long a change of a file may stay unnoticed.
const LOOK: Duration = Duration::from_millis(500);

/// A change of the file.
#[derive(Debug)]
pub(super) enum Edit {
    /// One key.
    Key { key: String, value: Option<String> },
    /// One rule of `[models.names]`.
    Name { name: String, target: Option<Target> },
}

impl Edit {
    /// The change of the model map that these words ask for.
    pub(super) fn rule(asks: &str, target: Option<&str>) -> Result<Self, Error> {
        let word = asks.trim().to_ascii_lowercase().replace('-', "_");
        let scenario = Scenario::ALL
            .into_iter()
            .map(Scenario::as_str)
            .find(|scenario| *scenario == word || scenario.replace('_', "") == word);
        let family =
            ["opus", "sonnet", "haiku", "fable", "default"].into_iter().find(|family| *family == word);
        if let Some(field) = family.or(scenario) {
            return Ok(Self::Key { key: format!("models.{field}"), value: target.map(str::to_owned) });
        }
        let name = asks.trim().to_owned();
        let problem = |message| {
            Error::Settings(crate::settings::Problem::Value {
                origin: "the new rule".to_owned(),
                key: format!("models.names.{name:?}"),
                message,
            })
        };
        check_name(&name).map_err(problem)?;
        let target =
            target.map(|words| words.parse::<Target>().map_err(|bad| problem(format!("{words:?}: {bad}"))));
        Ok(Self::Name { target: target.transpose()?, name })
    }

    fn of(&self, text: &str, path: &Path) -> Result<String, Error> {
        Ok(match self {
            Self::Key { key, value } => Settings::edit(text, path, key, value.as_deref())?,
            Self::Name { name, target } => Settings::edit_name(text, path, name, target.as_ref())?,
        })
    }
}

impl App {
    pub(super) async fn write(&self, edit: Edit) -> Result<Arc<Settings>, Error> {
        let inner = self.inner.clone();
        // The file is synced to the disk, which may take a while.
        let written = tokio::task::spawn_blocking(move || inner.write(&edit)).await;
        written.map_err(|_| Error::Stopping)?
    }
}

impl Inner {
    /// Runs on a thread that may wait for the disk.
    fn write(&self, edit: &Edit) -> Result<Arc<Settings>, Error> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.paths.config_file();
        let text = edit.of(&read(&path)?, &path)?;
        let settings = settle(&self.paths, &self.environment, &self.flags, &text)?;
        paths::write_atomic(&path, text.as_bytes(), Mode::Keep).map_err(Error::file("write", &path))?;
        tracing::info!(?edit, "settings changed");
        Ok(self.apply(settings))
    }

    /// Look at the file again; what can't be used changes nothing.
    fn read_again(&self) {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match load(&self.paths, &self.environment, &self.flags) {
            Ok(settings) => {
                self.board.pin_trouble(None);
                if *self.settings.borrow().as_ref() != settings {
                    self.apply(settings);
                    tracing::info!("the settings file changed");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the settings file changed and can't be used");
                self.board.pin_trouble(Some(format!("{error}; the settings from before are in force")));
            }
        }
    }

    fn apply(&self, settings: Settings) -> Arc<Settings> {
        let settings = Arc::new(settings);
        self.config.send_modify(|config| {
            let extra_tools = Arc::clone(&config.extra_tools);
            *config =
                Arc::new(dragoman_proxy::Config { extra_tools, ..proxy_config(&settings, &self.token) });
        });
        if let Err(error) = self.client.follow(&upstream_config(&self.paths, &settings, self.backend)) {
            // Settings take no address that the client does not.
            tracing::error!(%error, "the backend's settings from before are in force");
        }
        if self.settings.borrow().log.level != settings.log.level {
            self.log.set_level(settings.log.level);
        }
        self.settings.send_replace(settings.clone());
        self.board.publish();
        settings
    }
}

/// Follows the files that settings come from until `stop`.
pub(super) async fn watch(app: Weak<Inner>, stop: CancellationToken) {
    let Some(files) = app.upgrade().map(|inner| {
        [Some(inner.paths.config_file()), inner.paths.codex_config()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    }) else {
        return;
    };
    // A change since the start would be missed by whoever looked now: the first look reads them in any case.
    let mut seen = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = stamps(&files).await;
        if now == seen || !rest(&files, &now).await {
            continue;
        }
        seen = now;
        let Some(inner) = app.upgrade() else { return };
        if tokio::task::spawn_blocking(move || inner.read_again()).await.is_err() {
            return;
        }
    }
}

/// What tells one version of a file from another without reading it.
pub(super) type Stamp = Option<(u64, Option<SystemTime>)>;

pub(super) async fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let mut stamps = Vec::with_capacity(files.len());
    for file in files {
        let metadata = tokio::fs::metadata(file).await.ok();
        stamps.push(metadata.map(|metadata| (metadata.len(), metadata.modified().ok())));
    }
    stamps
}

/// True if the files stay as these stamps say for a moment. Whoever does not replace a file empties it first, and half of
/// it is not what the user wants: what changed is read only once it rests.
pub(super) async fn rest(files: &[PathBuf], stamped: &[Stamp]) -> bool {
    const MOMENT: Duration = Duration::from_millis(200);
    tokio::time::sleep(MOMENT).await;
    stamps(files).await == stamped
}

pub(super) fn load(paths: &Paths, environment: &Environment, flags: &[Flag]) -> Result<Settings, Error> {
    settle(paths, environment, flags, &read(&paths.config_file())?)
}

/// The settings that come of this text of the file.
fn settle(paths: &Paths, environment: &Environment, flags: &[Flag], text: &str) -> Result<Settings, Error> {
    let path = paths.config_file();
    let settings = Settings::load(Layers { path: &path, text, environment, flags })?;
    Ok(settings.with_codex(paths.codex_config().as_deref()))
}

/// The settings file's text; no file is an empty one.
fn read(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(Error::file("read", path)),
    }
}
