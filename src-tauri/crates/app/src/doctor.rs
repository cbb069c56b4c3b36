//! A check-up: each part that must work, asked in turn, with its time and, where it fails, what to do.
//!
//! Not here: running Claude Code (`doctor/client.rs`), and words for a screen (the shells).

mod client;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::app::App;
use crate::claude_code::{Scope, Standing, Weight};
use crate::running::{self, Found};
use crate::settings::TokenStore;
use crate::snapshot::Server;
use crate::tray::TrayState;
use crate::{AccountState, CatalogSource, called};

/// How long the backend may take to list its models.
const MODELS: Duration = Duration::from_secs(10);
/// A clock that is further off than this breaks TLS or logins.
const CLOCK: i64 = 120;

/// What was checked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Check {
    /// In a word or two.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen.
    pub seen: String,
    /// What to do, if something must be done.
    pub todo: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "CheckOutcome")]
#[schema(as = CheckOutcome)]
pub enum Outcome {
    /// It works.
    Good,
    /// It works, but something is odd.
    Odd,
    /// It does not work.
    Bad,
    /// It was not looked at.
    Skipped,
}

/// What a check found, before it has a name and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    outcome: Outcome,
    seen: String,
    todo: Option<String>,
}

impl Finding {
    fn good(seen: impl Into<String>) -> Self {
        Self { outcome: Outcome::Good, seen: seen.into(), todo: None }
    }

    fn skipped(seen: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skipped, seen: seen.into(), todo: None }
    }

    fn odd(seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { outcome: Outcome::Odd, seen: seen.into(), todo: Some(todo.into()) }
    }

    fn bad(seen: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { outcome: Outcome::Bad, seen: seen.into(), todo: Some(todo.into()) }
    }
}

/// The checks so far, and who is told of each.
struct Checks<T> {
    tell: T,
    done: Vec<Check>,
}

impl<T: FnMut(&Check)> Checks<T> {
    async fn add(&mut self, name: &'static str, finding: impl Future<Output = Finding>) -> Outcome {
        let begun = Instant::now();
        let Finding { outcome, seen, todo } = finding.await;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let check = Check { name, outcome, seen, todo, milliseconds };
        (self.tell)(&check);
        self.done.push(check);
        outcome
    }
}

impl App {
    /// Check everything, or (`quick`) everything but Claude Code itself. Each check is told as soon as it is done.
    /// `found` is the server if it runs in another process.
    pub async fn doctor(
        &self,
        found: Option<&Found>,
        quick: bool,
        tell: impl FnMut(&Check) + Send,
    ) -> Vec<Check> {
        let mut checks = Checks { tell, done: Vec::new() };
        let listener = checks.add("Listener", self.check_listener(found)).await;
        checks.add("Token", self.check_token(found)).await;
        let account = checks.add("Account", self.check_login()).await;
        checks.add("Models", self.check_catalog()).await;
        checks.add("Settings", async { self.check_settings() }).await;
        checks.add("Claude Code's set-up", self.check_set_up()).await;
        checks.add("Conflicts", self.check_conflicts()).await;
        checks.add("Clock", self.check_clock()).await;
        checks.add("Token store", self.check_store()).await;
        checks.add("Tray", async { self.check_tray() }).await;
        if quick {
            return checks.done;
        }
        let client = if listener != Outcome::Good {
            Err(Finding::skipped("not run: the server is not running"))
        } else if account != Outcome::Good {
            Err(Finding::skipped("not run: no one is signed in"))
        } else {
            let variables = found.map_or_else(|| self.environment(), |found| self.environment_of(found));
            client::Client::find(self.search_path(), variables)
        };
        let client = match client {
            Ok(client) => client,
            Err(finding) => {
                checks.add("Claude Code", async { finding }).await;
                return checks.done;
            }
        };
        if checks.add("Claude Code", client.version()).await == Outcome::Good {
            checks.add("A prompt", client.prompt()).await;
            checks.add("A tool", client.tool()).await;
            checks.add("A picture", client.picture()).await;
            checks.add("A web search", client.search()).await;
        }
        checks.done
    }

    async fn check_listener(&self, found: Option<&Found>) -> Finding {
        match (found, self.snapshot().borrow().server.clone()) {
            (Some(found), _) => Finding::good(format!(
                "http://{} answers (version {}, process {})",
                found.running.address, found.health.version, found.running.pid
            )),
            (None, Server::On { address }) => Finding::good(format!("http://{address} is open")),
            (None, Server::Failed { message }) => {
                Finding::bad(message, "Free the port, or choose another one.")
            }
            (None, Server::Off) => Finding::bad("the server is not running", "Start it: dragoman serve"),
        }
    }

    async fn check_token(&self, found: Option<&Found>) -> Finding {
        let here = match self.snapshot().borrow().server {
            Server::On { address } => Some(address),
            Server::Off | Server::Failed { .. } => None,
        };
        let Some(address) = found.map(|found| found.running.address).or(here) else {
            return Finding::skipped("not asked: the server is not running");
        };
        match running::get(address, "/v1/models", Some(self.token())).await {
            Ok((200, _)) => Finding::good("the server takes the local token"),
            Ok((status, _)) => Finding::bad(
                format!("the server refuses the local token (status {status})"),
                "It was started with another DRAGOMAN_CLIENT_TOKEN: start it again, then connect again.",
            ),
            Err(error) => {
                Finding::bad(format!("the server does not answer: {error}"), "Start it: dragoman serve")
            }
        }
    }

    async fn check_login(&self) -> Finding {
        let accounts = self.check_accounts().await;
        let account = accounts.in_use().clone();
        match account.state {
            AccountState::Ready => Finding::good(called(&account, &accounts.accounts)),
            AccountState::SignIn(message) | AccountState::Locked(message) => {
                Finding::bad(message, "Do that, then run this again.")
            }
            AccountState::None => Finding::bad("no one is signed in", "Sign in: dragoman login"),
        }
    }

    fn check_tray(&self) -> Finding {
        let known = *self.tray().borrow();
        match known {
            None => {
                Finding::skipped("whether this desktop shows tray icons is known only in the desktop app")
            }
            Some(TrayState::Here) => Finding::good("the desktop shows tray icons"),
            Some(TrayState::NoHost) => Finding::odd(
                "nothing on this desktop shows tray icons; the window is opened instead",
                "Add a panel or an extension that shows them (on GNOME: AppIndicator support).",
            ),
            Some(TrayState::NoLibrary) => Finding::odd(
                "the library for tray icons is missing; the window is opened instead",
                "Install libayatana-appindicator3, then start Dragoman again.",
            ),
        }
    }

    async fn check_catalog(&self) -> Finding {
        let models = self.fresh_models(MODELS).await;
        let problems = models.problems();
        let seen = format!("{} models, window {} tokens", models.listed.len(), models.window);
        match (models.source, problems.first()) {
            (_, Some(problem)) => {
                Finding::bad(problem.clone(), "Correct [models] in config.toml: dragoman models")
            }
            (CatalogSource::Live | CatalogSource::Demo, None) => Finding::good(seen),
            (CatalogSource::Disk, None) => Finding::good(format!("{seen}, as listed last time")),
            (CatalogSource::Bundled, None) => Finding::odd(
                format!("{seen}, as known when this version was made; the backend has not listed them yet"),
                "Check the network if it stays so.",
            ),
        }
    }

    fn check_settings(&self) -> Finding {
        let settings = self.settings();
        match settings.hints().first() {
            Some(hint) => Finding::odd(hint.clone(), "Correct it if it was not meant so."),
            None => Finding::good(self.paths().config_file().display().to_string()),
        }
    }

    async fn check_set_up(&self) -> Finding {
        let status = match self.set_up(Scope::User).await {
            Ok(status) => status,
            Err(error) => return Finding::bad(error.to_string(), "Correct the file it names."),
        };
        let file = status.file.display();
        match status.state {
            Standing::Connected if status.changed.is_empty() => Finding::good(format!("connected ({file})")),
            Standing::Connected => Finding::odd(
                format!("connected ({file}), but changed since: {}", status.changed.join(", ")),
                "To have Dragoman's values again: dragoman connect",
            ),
            Standing::Suspended => Finding::good(format!("goes to Anthropic until Dragoman is on ({file})")),
            Standing::PointedElsewhere => Finding::odd(
                format!("was connected, and has been pointed elsewhere since ({file})"),
                "To connect it again: dragoman connect",
            ),
            Standing::NotConnected => Finding::odd("not connected", "Connect it: dragoman connect"),
        }
    }

    async fn check_conflicts(&self) -> Finding {
        let found = match self.conflicts(&Scope::User).await {
            Ok(found) => found,
            Err(error) => return Finding::bad(error.to_string(), "Try again."),
        };
        let serious: Vec<_> = found.iter().filter(|conflict| conflict.weight != Weight::Notes).collect();
        let Some(first) = serious.first() else { return Finding::good("nothing stands in the way") };
        let more = match serious.len() {
            1 => String::new(),
            many => format!(" ({} more: dragoman connect --dry-run lists all)", many - 1),
        };
        let seen = format!("{first}{more}");
        match first.weight {
            Weight::Blocks => Finding::bad(seen, first.todo),
            Weight::Warns | Weight::Notes => Finding::odd(seen, first.todo),
        }
    }

    async fn check_clock(&self) -> Finding {
        let theirs = match self.client().backend_time().await {
            Ok(Some(theirs)) => theirs,
            Ok(None) => return Finding::skipped("the backend tells no time"),
            Err(failure) => return Finding::bad(failure.to_string(), "Check the network."),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let off = i64::try_from(now).unwrap_or(i64::MAX) - theirs;
        if off.abs() <= CLOCK {
            Finding::good(format!("{} s from the backend's", off.abs()))
        } else {
            let side = if off > 0 { "ahead of" } else { "behind" };
            Finding::bad(
                format!(
                    "this machine's clock is {} s {side} the backend's; logins and TLS fail then",
                    off.abs()
                ),
                "Set the clock, or let the system set it.",
            )
        }
    }

    async fn check_store(&self) -> Finding {
        let kept = match self.settings().accounts.token_store {
            TokenStore::Keyring => "the system's keyring",
            TokenStore::File => "files that only you can read",
        };
        match self.client().check_token_store().await {
            Ok(()) => Finding::good(kept),
            // A login of the Codex CLI's is in a file of its own.
            Err(why) => Finding::odd(why, "Needed only for logins of Dragoman's own."),
        }
    }
}
