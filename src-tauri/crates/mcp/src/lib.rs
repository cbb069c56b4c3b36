//! What the user's MCP servers offer: each one is started or called, asked for its tools, and asked again when it says
//! that they changed.
//!
//! Input: which servers. Output: a [`Shown`] in a `watch`: the tools, and how each server fares. Invariants: a server
//! that hangs, dies or lies costs nobody else anything; nothing waits for it; every task is joined by
//! [`Servers::shutdown`]. Not here: calling a tool (that stays with the client), which files name servers (app), what is
//! done with the tools (proxy), how HTTP clients are made (upstream).

mod offer;
mod read;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ts_rs::TS;
use utoipa::ToSchema;

pub use offer::Offer;
pub use read::{How, Server, Unreadable, of_project, of_user};

/// How long a server may take to end: `rmcp` closes its input, then asks, then kills it.
const END: Duration = Duration::from_secs(8);

/// What there is to show and to use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// How each server fares, by name.
    pub servers: Vec<View>,
    /// The tools of those that are ready, by server and in its order.
    pub tools: Vec<Offer>,
}

/// How one server fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
#[ts(rename = "McpServer")]
#[schema(as = McpServer)]
pub struct View {
    /// Its name in the user's files.
    pub name: String,
    /// Whether it can be used.
    pub state: State,
    /// How many tools it offers.
    pub tools: usize,
    /// What is wrong, or was left out.
    pub error: Option<String>,
}

/// Whether a server can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
#[ts(rename = "McpState")]
#[schema(as = McpState)]
pub enum State {
    /// It has not answered yet.
    Starting,
    /// Its tools are known.
    Ready,
    /// It can't be reached or understood; it is tried again.
    Failed,
}

/// What one server has told so far.
#[derive(Debug, Clone)]
struct Told {
    state: State,
    offers: Vec<Offer>,
    error: Option<String>,
}

impl Told {
    fn starting() -> Self {
        Self { state: State::Starting, offers: Vec::new(), error: None }
    }
}

/// The board that the servers' tasks write to.
type Board = watch::Sender<BTreeMap<String, Told>>;

/// Makes the HTTP client for an address; the error says why it can't.
type Web = dyn Fn(&str) -> Result<reqwest::Client, String> + Send + Sync;

/// The servers in use. Dropping it ends them; [`Self::shutdown`] waits for that.
pub struct Servers {
    board: Board,
    running: Mutex<BTreeMap<String, Running>>,
    web: Arc<Web>,
}

#[derive(Debug)]
struct Running {
    server: Server,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Servers {
    /// None yet. `web` makes the HTTP clients.
    pub fn new(web: impl Fn(&str) -> Result<reqwest::Client, String> + Send + Sync + 'static) -> Self {
        Self { board: Board::default(), running: Mutex::default(), web: Arc::new(web) }
    }

    /// From now on these and no others; of two with one name the first. Those that stay the same go on. Must be called
    /// inside a tokio runtime; waits for nobody.
    pub fn set(&self, servers: Vec<Server>) {
        let mut wanted = BTreeMap::new();
        for server in servers {
            wanted.entry(server.name.clone()).or_insert(server);
        }
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|name, at_work| wanted.get(name) == Some(&at_work.server));
        self.board.send_if_modified(|board| {
            let before = board.len();
            board.retain(|name, _| running.contains_key(name));
            before != board.len()
        });
        for (name, server) in wanted {
            if running.contains_key(&name) {
                continue;
            }
            let stop = CancellationToken::new();
            self.board.send_modify(|board| drop(board.insert(name.clone(), Told::starting())));
            let desk =
                server::Desk { board: self.board.clone(), stop: stop.clone(), web: Arc::clone(&self.web) };
            let task = tokio::spawn(server::live(server.clone(), desk));
            running.insert(name, Running { server, stop, task });
        }
    }

    /// What they have told.
    pub fn shown(&self) -> Shown {
        shown(&self.board.borrow())
    }

    /// Wakes whoever waits when that changes.
    pub fn changes(&self) -> Changes {
        Changes(self.board.subscribe())
    }

    /// The end of all of them.
    pub async fn shutdown(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for at_work in running.values() {
            at_work.stop.cancel();
        }
        for (name, mut at_work) in running {
            if tokio::time::timeout(END, &mut at_work.task).await.is_err() {
                tracing::warn!(server = name, "an MCP server did not end in time");
                at_work.task.abort();
            }
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("shown", &self.shown().servers).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// See [`Servers::changes`].
#[derive(Debug)]
pub struct Changes(watch::Receiver<BTreeMap<String, Told>>);

impl Changes {
    /// The next state; `None` if there are no servers any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Shown> {
        self.0.changed().await.ok()?;
        Some(shown(&self.0.borrow_and_update()))
    }
}

fn shown(board: &BTreeMap<String, Told>) -> Shown {
    let view = |(name, told): (&String, &Told)| View {
        name: name.clone(),
        state: told.state,
        tools: told.offers.len(),
        error: told.error.clone(),
    };
    Shown {
        servers: board.iter().map(view).collect(),
        tools: board.values().flat_map(|told| told.offers.iter().cloned()).collect(),
    }
}
