//! Claude Code's set-up: what is written into its settings, kept up, and undone.
//!
//! `json.rs` edits text, `keys.rs` says what is wanted, `plan.rs` what becomes of a text, `state.rs` what is remembered,
//! `file.rs` does it on the disk, `conflicts.rs` finds what stands in the way. The verbs are in `app/claude_code.rs`.
//! Facts: Claude Code 2.1.329, which reads settings again while it runs.

pub(crate) mod conflicts;
pub(crate) mod file;
mod json;
pub(crate) mod keys;
mod plan;
mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

pub use conflicts::{Conflict, Weight};

use crate::environment;
use crate::models::Models;
use crate::paths::Paths;
use crate::paths::claude_code as names;
use crate::token::ClientToken;
use crate::{Error, running};
use file::{Done, Undo, Wish, undisturbed};
use json::Key;
use plan::{Deed, Reach};
use state::{Connection, State};

/// Whose Claude Code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// This user's, in every project.
    User,
    /// In this directory only.
    Project(PathBuf),
}

/// What the user wants of [`crate::App::connect`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// Where.
    pub scope: Scope,
    /// Switch Claude Code's auto mode off as well?
    pub disable_auto_mode: bool,
    /// Only tell what would be done?
    pub dry_run: bool,
}

/// What connecting or undoing did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "SetUpReport")]
#[schema(as = SetUpReport)]
pub struct Report {
    /// The settings file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// Was nothing written, because only the plan was asked for?
    pub dry_run: bool,
    /// One for each key.
    pub changes: Vec<Change>,
    /// The file as it was before Dragoman wrote to it.
    #[schema(value_type = Option<String>)]
    pub backup: Option<PathBuf>,
    /// What the user should know, a sentence each.
    pub notes: Vec<String>,
    /// What stands in the way.
    pub conflicts: Vec<Conflict>,
}

/// What happened at one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "SetUpChange")]
#[schema(as = SetUpChange)]
pub struct Change {
    /// `env.NAME` or a member at the top.
    pub key: String,
    /// `added`, `replaced`, `updated`, `unchanged`, `restored`, `removed`, `left alone`.
    pub what: &'static str,
    /// The value of ours, in words; secrets are not shown.
    pub value: Option<String>,
}

/// How Claude Code is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "SetUpStatus")]
#[schema(as = SetUpStatus)]
pub struct Status {
    /// The settings file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// Is it connected?
    pub state: Standing,
    /// Keys of ours that someone changed since.
    pub changed: Vec<String>,
}

/// Is it connected?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "SetUpState")]
#[schema(as = SetUpState)]
pub enum Standing {
    /// Nothing of ours is there.
    NotConnected,
    /// It uses Dragoman.
    Connected,
    /// It goes to Anthropic until Dragoman is on again.
    Suspended,
    /// It was connected, and someone has pointed it elsewhere since.
    PointedElsewhere,
}

/// Why the settings stay as they are. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its text can't be edited.
    #[error(
        "Claude Code's settings were not changed: in {}, {why}. Correct that and try again", file.display()
    )]
    Broken {
        /// Which file.
        file: PathBuf,
        /// With line.
        why: String,
    },
    /// It is no file to write to.
    #[error(
        "Claude Code's settings were not changed: {} can't be used, because {why}. `dragoman run -- claude` works without it",
        file.display()
    )]
    File {
        /// Which file.
        file: PathBuf,
        /// In a phrase.
        why: &'static str,
    },
    /// Another program keeps writing it.
    #[error(
        "Claude Code's settings were not changed: another program keeps writing {}. Close it and try again", file.display()
    )]
    Restless {
        /// Which file.
        file: PathBuf,
    },
    /// There is no home.
    #[error("this user has no home directory; set CLAUDE_CONFIG_DIR to Claude Code's directory")]
    NoDirectory,
    /// The port is chosen when the server starts.
    #[error("the server is not running, and its port is chosen when it starts; turn it on first")]
    NoAddress,
    /// While Dragoman is on, Claude Code stays with it.
    #[error("Claude Code stays with Dragoman while that is on; turn it off first, or undo the set-up")]
    IsOn,
}

/// One settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) file: PathBuf,
    /// Is it the user's, not a project's?
    pub(crate) user: bool,
}

impl Target {
    pub(crate) fn of(scope: &Scope, paths: &Paths) -> Result<Self, Error> {
        Ok(match scope {
            Scope::User => {
                let directory = paths.claude.as_ref().ok_or(Refused::NoDirectory)?;
                Self { file: directory.join("settings.json"), user: true }
            }
            Scope::Project(directory) => {
                // Remembered by other working directories too.
                let directory = std::path::absolute(directory).map_err(Error::file("find", directory))?;
                Self { file: directory.join(".claude/settings.local.json"), user: false }
            }
        })
    }
}

/// What Claude Code is pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) address: SocketAddr,
    pub(crate) models: Models,
}

/// Reads and writes the settings for one Dragoman. Everything here may wait for the disk.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    pub(crate) paths: Paths,
    pub(crate) token: ClientToken,
}

impl Keeper {
    pub(crate) fn connect(&self, connect: &Connect, aim: &Aim) -> Result<Report, Error> {
        let target = Target::of(&connect.scope, &self.paths)?;
        let wish = self.wish(&target, aim, connect.disable_auto_mode, Reach::Take, connect.dry_run);
        let done = file::connect(&self.paths, &target, &wish, &undisturbed)?;
        let mut notes = Vec::new();
        if done.own_rows {
            notes.push(
                "The settings have a modelPicker of your own, which stays; Dragoman's models are not listed in /model \
                 beside the families."
                    .to_owned(),
            );
        }
        if !target.user {
            notes.push(format!(
                "{} holds the local token: keep it out of version control. Claude Code reads further rows for /model \
                 from the user's settings only.",
                target.file.display()
            ));
        }
        let value = |key: &Key| wish.wanted.iter().find(|wanted| wanted.key == *key).map(shown);
        Ok(report(target.file, done, connect.dry_run, notes, value))
    }

    pub(crate) fn disconnect(&self, scope: &Scope, dry_run: bool) -> Result<Report, Error> {
        let target = Target::of(scope, &self.paths)?;
        let done = file::disconnect(&self.paths, &target.file, Undo::Forget, dry_run, &undisturbed)?;
        let mut notes = Vec::new();
        let done = done.unwrap_or_else(|| {
            notes.push(format!("Dragoman has written nothing to {}.", target.file.display()));
            Done { steps: Vec::new(), backup: None, own_rows: false }
        });
        if done.steps.iter().any(|step| step.deed == Deed::LeftAlone) {
            notes.push("What someone changed since Dragoman wrote it stays as it is.".to_owned());
        }
        Ok(report(target.file, done, dry_run, notes, |_| None))
    }

    pub(crate) fn status(&self, scope: &Scope) -> Result<Status, Error> {
        let target = Target::of(scope, &self.paths)?;
        let known = State::read(&self.paths)?.of(&target.file).cloned();
        let (state, changed) = match &known {
            None => (Standing::NotConnected, Vec::new()),
            Some(connection) if connection.suspended => (Standing::Suspended, Vec::new()),
            Some(connection) => {
                let (_, changed) = file::standing(connection)?;
                let state = if changed.contains(&base_url()) {
                    Standing::PointedElsewhere
                } else {
                    Standing::Connected
                };
                (state, changed)
            }
        };
        Ok(Status { file: target.file, state, changed: changed.iter().map(Key::to_string).collect() })
    }

    /// Every connection follows: suspended ones are taken up, the others get the new values where they are still ours.
    pub(crate) fn keep(&self, aim: &Aim) -> Result<(), Error> {
        self.each(|connection| {
            let target = Target { file: connection.file.clone(), user: connection.user };
            let reach = if connection.suspended { Reach::Take } else { Reach::Keep };
            if !connection.suspended && file::standing(connection)?.1.contains(&base_url()) {
                tracing::info!(file = %connection.file.display(), "Claude Code was pointed elsewhere; it stays so");
                return Ok(());
            }
            let wish = self.wish(&target, aim, connection.disable_auto_mode, reach, false);
            file::connect(&self.paths, &target, &wish, &undisturbed).map(drop)
        })
    }

    /// Every connection is undone until the next [`Self::keep`].
    pub(crate) fn suspend(&self) -> Result<(), Error> {
        self.each(|connection| {
            if connection.suspended || file::standing(connection)?.1.contains(&base_url()) {
                return Ok(());
            }
            file::disconnect(&self.paths, &connection.file, Undo::Suspend, false, &undisturbed).map(drop)
        })
    }

    /// The first error, after all have had their turn.
    fn each(&self, act: impl Fn(&Connection) -> Result<(), Error>) -> Result<(), Error> {
        let connections = State::read(&self.paths)?.connections;
        connections.iter().map(act).fold(Ok(()), Result::and)
    }

    fn wish(&self, target: &Target, aim: &Aim, disable_auto_mode: bool, reach: Reach, dry_run: bool) -> Wish {
        let variables = environment::claude_code(aim.address, &self.token, &aim.models);
        let mut wanted = keys::wanted(&variables, &aim.models, target.user);
        wanted.extend(disable_auto_mode.then(keys::no_auto_mode));
        Wish { wanted, reach, disable_auto_mode, dry_run }
    }
}

/// Does Claude Code go to us? This key decides.
fn base_url() -> Key {
    Key::within(keys::ENV, names::BASE_URL)
}

fn shown(wanted: &keys::Wanted) -> String {
    if wanted.key.name() == names::AUTH_TOKEN {
        return "(the local token)".to_owned();
    }
    match &wanted.value {
        keys::Ours::Text(text) => text.clone(),
        keys::Ours::Picker(picker) => picker.labels(),
        keys::Ours::Section {} => String::new(),
    }
}

fn report(
    file: PathBuf,
    done: Done,
    dry_run: bool,
    notes: Vec<String>,
    value: impl Fn(&Key) -> Option<String>,
) -> Report {
    let change = |step: &plan::Step| Change {
        key: step.key.to_string(),
        what: step.deed.as_str(),
        value: value(&step.key),
    };
    let changes = done.steps.iter().map(change).collect();
    Report { file, dry_run, changes, backup: done.backup, notes, conflicts: Vec::new() }
}

/// Is the server that this home's entry names the one of this process? Only that one keeps the settings up.
pub(crate) fn is_ours_to_keep(paths: &Paths, address: SocketAddr) -> bool {
    running::Running::read(paths).is_some_and(|running| {
        running.pid == std::process::id() && running.address == address && !running.demo
    })
}

/// Where a project begins: the nearest directory upwards with a `.git`, else this one.
pub(crate) fn project_of(directory: &Path) -> &Path {
    directory.ancestors().find(|directory| directory.join(".git").exists()).unwrap_or(directory)
}
