//! Tools of the user's MCP servers: which servers count, and what becomes of what they tell. Off unless the user says
//! otherwise; then nothing is started and no file is read.
//!
//! Not here: talking to a server (`dragoman-mcp`), which requests get the tools (proxy).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dragoman_mcp::{Server, Servers, Shown, Unreadable, View, of_project, of_user};
use dragoman_proxy::ExtraTool;
use dragoman_upstream::Web;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::settings_file::{Stamp, rest, stamps};
use super::{App, Inner};
use crate::paths::{Environment, Paths};
use crate::settings::{Mcp, McpOffer};

/// How long a change of Claude Code's files may stay unnoticed.
const LOOK: Duration = Duration::from_secs(2);

/// Servers that none of them runs yet.
pub(super) fn servers() -> Servers {
    let web = Web::default();
    Servers::new(move |url| web.client(url))
}

/// What the files and settings name.
#[derive(Debug, Default)]
struct Wanted {
    servers: Vec<Server>,
    /// What is wrong with them, a sentence each.
    problems: Vec<String>,
}

impl Wanted {
    /// Those of them that are to be offered.
    fn offered(mut self, settings: &Mcp) -> Self {
        match settings.offer {
            McpOffer::All => {}
            McpOffer::Off => self.servers.clear(),
            McpOffer::Named => {
                for name in &settings.servers {
                    if !self.servers.iter().any(|server| server.name == *name) {
                        self.problems.push(format!(
                            "mcp.servers names {name:?}, which Claude Code's files do not; `dragoman mcp` lists those that \
                             there are."
                        ));
                    }
                }
                self.servers.retain(|server| settings.servers.contains(&server.name));
            }
        }
        self
    }
}

/// How the MCP servers fare, for a person or a script to read.
#[derive(Debug, Clone, Serialize)]
pub struct McpReport {
    /// Whose tools are offered.
    pub offer: McpOffer,
    /// Those that are asked; with `off` none.
    pub servers: Vec<View>,
    /// The names of their tools, as the model sees them.
    pub tools: Vec<String>,
    /// Those that the files name, whatever is offered.
    pub named: Vec<String>,
    /// What is wrong with files or settings, a sentence each.
    pub problems: Vec<String>,
}

impl App {
    /// Starts the MCP servers that count, for as long as it takes them to answer, at most `limit`, and tells how they
    /// fare. For a program without a server: the one that runs has its own (`Snapshot::mcp`).
    pub async fn mcp(&self, limit: Duration) -> McpReport {
        let inner = &self.inner;
        let settings = self.settings().mcp.clone();
        let offer = settings.offer;
        let all = inner.read_mcp(settings.projects.clone()).await;
        let named = all.servers.iter().map(|server| server.name.clone()).collect();
        let Wanted { servers, problems } = all.offered(&settings);
        let mut changes = inner.mcp.changes();
        inner.mcp.set(servers);
        let starts = |shown: &Shown| shown.servers.iter().any(|s| s.state == dragoman_mcp::State::Starting);
        let all_told = async { while starts(&inner.mcp.shown()) && changes.next().await.is_some() {} };
        // Those that have not answered by then are shown as they are.
        let _in_time = tokio::time::timeout(limit, all_told).await.is_ok();
        let Shown { servers, tools } = inner.mcp.shown();
        let tools = tools.into_iter().map(|tool| tool.name).collect();
        McpReport { offer, servers, tools, named, problems }
    }
}

impl Inner {
    /// Where servers are named, for these settings.
    fn mcp_files(&self, settings: &Mcp) -> Vec<PathBuf> {
        if settings.offer == McpOffer::Off {
            return Vec::new();
        }
        let shared = settings.projects.iter().map(|project| project.join(".mcp.json"));
        self.paths.claude_json().into_iter().chain(shared).collect()
    }

    /// All servers of the user and of these projects.
    async fn read_mcp(&self, projects: Vec<PathBuf>) -> Wanted {
        let (paths, environment) = (self.paths.clone(), self.environment.clone());
        let read = tokio::task::spawn_blocking(move || read(&projects, &paths, &environment));
        read.await.unwrap_or_default()
    }

    /// Takes over what the servers have told.
    fn take_mcp(&self, shown: Shown) {
        let tools: Arc<[ExtraTool]> =
            shown.tools.into_iter().filter_map(|tool| ExtraTool::new(tool.name, tool.json)).collect();
        self.config.send_if_modified(|config| {
            let is_news = config.extra_tools != tools;
            if is_news {
                Arc::make_mut(config).extra_tools = tools;
            }
            is_news
        });
        self.board.pin_mcp(shown.servers);
    }
}

/// Keeps servers and tools as settings and files say, until `stop`.
pub(super) async fn follow(app: Weak<Inner>, stop: CancellationToken) {
    let Some((mut settings, mut told)) =
        app.upgrade().map(|inner| (inner.settings.subscribe(), inner.mcp.changes()))
    else {
        return;
    };
    let mut seen: Option<(Mcp, Vec<Stamp>)> = None;
    loop {
        let wish = settings.borrow_and_update().mcp.clone();
        let is_off = wish.offer == McpOffer::Off;
        let Some(inner) = app.upgrade() else { return };
        let files = inner.mcp_files(&wish);
        let now = (wish, stamps(&files).await);
        if seen.as_ref() != Some(&now) && rest(&files, &now.1).await {
            let (wish, _) = &now;
            let Wanted { servers, problems } = match is_off {
                true => Wanted::default(),
                false => inner.read_mcp(wish.projects.clone()).await.offered(wish),
            };
            inner.mcp.set(servers);
            inner.board.pin_mcp_problems(problems);
            seen = Some(now);
        }
        drop(inner);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK), if !is_off => {}
            shown = told.next() => match (shown, app.upgrade()) {
                (Some(shown), Some(inner)) => inner.take_mcp(shown),
                _ => return,
            }
        }
    }
}

/// Reads the files. Blocks.
fn read(projects: &[PathBuf], paths: &Paths, environment: &Environment) -> Wanted {
    let variable = |name: &str| environment.raw(name).map(|value| value.to_string_lossy().into_owned());
    let Some(path) = paths.claude_json() else { return Wanted::default() };
    let mut problems = Vec::new();
    let mut text = |path: &Path| {
        text_of(path).unwrap_or_else(|error| {
            problems.push(format!("MCP servers: {} can't be read ({error}).", path.display()));
            String::new()
        })
    };
    let user = text(&path);
    let shared: Vec<_> = projects.iter().map(|project| (project, text(&project.join(".mcp.json")))).collect();
    let unreadable = |path: &Path, Unreadable(why): Unreadable| {
        format!("MCP servers: {} is not as Claude Code writes it ({why}).", path.display())
    };
    let of_user = of_user(&user, &variable);
    // What is wrong with the user's own file is not the projects' fault.
    let user = if of_user.is_ok() { user.as_str() } else { "" };
    let mut servers = Vec::new();
    // As in Claude Code: what is nearer goes first.
    for (project, shared) in shared {
        match of_project(project, user, &shared, &variable) {
            Ok(found) => servers.extend(found),
            Err(why) => problems.push(unreadable(&project.join(".mcp.json"), why)),
        }
    }
    match of_user {
        Ok(found) => servers.extend(found),
        Err(why) => problems.push(unreadable(&path, why)),
    }
    Wanted { servers, problems }
}

/// No file is an empty one.
fn text_of(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}
