//! The one picture of the program that everything draws: tray, window, `dragoman status`, later the admin stream.
//!
//! [`Board`] makes it from what the other rooms publish. Not here: drawing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_mcp::View as McpServer;
use dragoman_proxy as proxy;
use dragoman_upstream::{AccountId, AccountKind, AccountView, AccountsView, Client, Limits};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::called;
use crate::claude_code::Standing;
use crate::history::{self, Totals};
use crate::models::{self, Models};
use crate::pace::Pace;
use crate::recent::Ongoing;
use crate::settings::{Settings, TokenStore};
use crate::updates::Update;

/// How long a login that was changed by another program may stay unnoticed while nothing else happens.
const ACCOUNT: Duration = Duration::from_secs(30);
/// While requests run, between two looks at how fast they are answered.
const TICK: Duration = Duration::from_secs(1);

/// Everything there is to show.
#[derive(Debug, Clone, PartialEq, Serialize, TS, ToSchema)]
pub struct Snapshot {
    /// Of this program.
    pub version: &'static str,
    /// The proxy's listener.
    pub server: Server,
    /// The admin API's listener.
    pub admin: Server,
    /// The account in use.
    pub account: AccountView,
    /// How much of it is used.
    pub limits: Limits,
    /// All accounts, the preferred one first.
    pub accounts: Vec<AccountView>,
    /// What people call each of them; no two are called the same.
    pub names: BTreeMap<AccountId, String>,
    /// What the proxy is doing.
    pub activity: Activity,
    /// What was used since midnight, from the usage history.
    pub today: Totals,
    /// Which models there are and what Claude's names stand for.
    pub models: Models,
    /// The MCP servers whose tools are offered to the model.
    pub mcp: Vec<McpServer>,
    /// Does this user's Claude Code come here?
    pub claude_code: Standing,
    /// What is known of newer versions.
    pub update: Update,
    /// What is odd but harmless, a sentence each.
    pub hints: Vec<String>,
}

/// The state of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
#[ts(rename = "ServerState")]
#[schema(as = ServerState)]
pub enum Server {
    /// Nothing listens, as wished.
    Off,
    /// Clients may connect.
    On {
        /// Where.
        #[schema(value_type = String)]
        address: SocketAddr,
    },
    /// It should be on, and could not be opened.
    Failed {
        /// What happened and what to do.
        message: String,
    },
}

/// What the proxy is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "Work")]
#[schema(as = Work)]
pub struct Activity {
    /// Requests being answered now, in the order in which they came.
    pub running: Vec<Ongoing>,
    /// Requests since the start.
    pub requests_total: u64,
    /// How fast they are answered, all together: estimated from the bytes of the last seconds. `None` while nothing is
    /// written.
    pub tokens_per_second: Option<u64>,
}

impl Activity {
    fn of(activity: &proxy::Activity, tokens_per_second: Option<u64>) -> Self {
        let running: Vec<_> = activity.running.iter().map(|ongoing| ongoing.as_ref().into()).collect();
        let tokens_per_second = tokens_per_second.filter(|_| !running.is_empty()); // not that of the last look
        Self { running, requests_total: activity.total, tokens_per_second }
    }
}

/// What the program itself puts up.
#[derive(Debug, Clone)]
struct Pins {
    server: Server,
    admin: Server,
    claude_code: Standing,
    /// What is wrong with the settings file, while those from before are in force.
    trouble: Option<String>,
    mcp: Vec<McpServer>,
    /// What is wrong with the files that name MCP servers.
    mcp_problems: Vec<String>,
    update: Update,
    tokens_per_second: Option<u64>,
}

/// Where the parts of the picture are pinned.
#[derive(Debug)]
pub(crate) struct Board {
    client: Client,
    activity: watch::Receiver<proxy::Activity>,
    settings: watch::Receiver<Arc<Settings>>,
    history: watch::Receiver<history::State>,
    pins: Mutex<Pins>,
    hints: Vec<String>,
    snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Board {
    pub(crate) fn new(
        client: Client,
        activity: watch::Receiver<proxy::Activity>,
        settings: watch::Receiver<Arc<Settings>>,
        history: watch::Receiver<history::State>,
        hints: Vec<String>,
    ) -> Self {
        let pins = Pins {
            server: Server::Off,
            admin: Server::Off,
            // Not known before the file was looked at, which is not done here.
            claude_code: Standing::NotConnected,
            trouble: None,
            mcp: Vec::new(),
            mcp_problems: Vec::new(),
            update: Update::Unavailable,
            tokens_per_second: None,
        };
        let first = picture(&client, &activity, &settings, &history, pins.clone(), &hints);
        let pins = Mutex::new(pins);
        let snapshot = watch::Sender::new(Arc::new(first));
        Self { client, activity, settings, history, pins, hints, snapshot }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    pub(crate) fn server(&self) -> Server {
        self.pins().server.clone()
    }

    /// The listener changed; whoever reads the snapshot after this call sees it.
    pub(crate) fn pin(&self, server: Server) {
        self.pins().server = server;
        self.publish();
    }

    /// The same for the admin API's.
    pub(crate) fn pin_admin(&self, admin: Server) {
        self.pins().admin = admin;
        self.publish();
    }

    /// Claude Code's settings were looked at.
    pub(crate) fn pin_claude_code(&self, standing: Standing) {
        self.pins().claude_code = standing;
        self.publish();
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings file can't be used, or it can again.
    pub(crate) fn pin_trouble(&self, trouble: Option<String>) {
        self.pins().trouble = trouble;
        self.publish();
    }

    /// What is known of newer versions.
    pub(crate) fn pin_update(&self, update: Update) {
        self.pins().update = update;
        self.publish();
    }

    /// How the MCP servers fare.
    pub(crate) fn pin_mcp(&self, servers: Vec<McpServer>) {
        self.pins().mcp = servers;
        self.publish();
    }

    /// What is wrong with the files that name them.
    pub(crate) fn pin_mcp_problems(&self, problems: Vec<String>) {
        self.pins().mcp_problems = problems;
        self.publish();
    }

    /// Make the picture anew. It is made inside the watch, so of two calls at once the later picture stays.
    pub(crate) fn publish(&self) {
        self.snapshot.send_if_modified(|snapshot| {
            let new = picture(
                &self.client,
                &self.activity,
                &self.settings,
                &self.history,
                self.pins().clone(),
                &self.hints,
            );
            let modified = **snapshot != new;
            if modified {
                *snapshot = Arc::new(new);
            }
            modified
        });
    }

    /// Keep the picture true until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut catalog = self.client.catalog_updates();
        let mut accounts = self.client.accounts_updates();
        let mut activity = self.activity.clone();
        let mut settings = self.settings.clone();
        let mut history = self.history.clone();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pace = Pace::default();
        loop {
            let is_working = !self.activity.borrow().running.is_empty();
            if !is_working {
                pace = Pace::default();
                self.pins().tokens_per_second = None;
            }
            let alive = tokio::select! {
                () = stop.cancelled() => return,
                changed = catalog.changed() => changed.is_ok(),
                changed = accounts.changed() => changed.is_ok(),
                changed = activity.changed() => changed.is_ok(),
                changed = settings.changed() => changed.is_ok(),
                changed = history.changed() => changed.is_ok(),
                now = ticks.tick(), if is_working => {
                    let written = self.activity.borrow().written();
                    self.pins().tokens_per_second = pace.at(now, written);
                    true
                }
                () = tokio::time::sleep(ACCOUNT) => { self.client.check_accounts().await; true }
            };
            if !alive {
                return;
            }
            self.publish();
        }
    }
}

fn picture(
    client: &Client,
    activity: &watch::Receiver<proxy::Activity>,
    settings: &watch::Receiver<Arc<Settings>>,
    history: &watch::Receiver<history::State>,
    pins: Pins,
    hints: &[String],
) -> Snapshot {
    let settings = settings.borrow().clone();
    let accounts = client.accounts();
    let account = accounts.in_use().clone();
    let AccountsView { accounts, .. } = accounts;
    // Not silently: whoever can read the user's files can use the login.
    let is_kept = |account: &AccountView| matches!(account.kind, AccountKind::Own | AccountKind::ApiKey);
    let kept_in_files = (settings.accounts.token_store == TokenStore::File && accounts.iter().any(is_kept))
        .then(|| {
            "Logins are kept in files that only you can read, not in the system's keyring; set \
             accounts.token_store = \"keyring\" to move them there."
                .to_owned()
        });
    let history::State { today, notice } = history.borrow().clone();
    let Pins { server, admin, claude_code, trouble, mcp, mcp_problems, update, tokens_per_second } = pins;
    // Not `client.catalog()`: looking at the picture must not send the client to the network.
    let catalog = client.catalog_updates().borrow().clone();
    let models = Models::of(&catalog, &models::rules(&settings), &settings.models);
    let unmapped = models.problems();
    let said = [hints, &mcp_problems, settings.hints(), &unmapped].concat();
    Snapshot {
        version: crate::VERSION,
        server,
        admin,
        claude_code,
        limits: account.limits.clone(),
        account,
        names: called::names(&accounts),
        accounts,
        activity: Activity::of(&activity.borrow(), tokens_per_second),
        models,
        mcp,
        update,
        today,
        hints: trouble.into_iter().chain(said).chain(kept_in_files).chain(notice).collect(),
    }
}
