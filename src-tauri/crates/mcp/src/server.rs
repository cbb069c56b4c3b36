//! The life of one server: connect, list, listen for changes, and all over again if it goes away.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams};
use rmcp::service::{NotificationContext, Peer, RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ServiceExt as _};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::read::{How, Server};
use crate::{Board, Offer, State, Told, Web};

/// From starting a server to the end of its greeting. `npx` may have to fetch it first.
const GREETING: Duration = Duration::from_secs(30);
/// From the question for its tools to the last page.
const LISTING: Duration = Duration::from_secs(15);
/// A list without end is a lie.
const MANY: usize = 512;
/// So many pages, empty ones included.
const PAGES: usize = 64;
/// Before the second and, doubled each time, before later attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A server that does not tell of changes is asked again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// What a server's task works with.
pub(crate) struct Desk {
    pub(crate) board: Board,
    pub(crate) stop: CancellationToken,
    pub(crate) web: Arc<Web>,
}

impl Desk {
    /// Nobody hears of a server that was taken out meanwhile.
    fn tell(&self, name: &str, told: Told) {
        self.board.send_if_modified(|board| match board.get_mut(name) {
            Some(there) if !self.stop.is_cancelled() => {
                *there = told;
                true
            }
            Some(_) | None => false,
        });
    }
}

/// Why a visit ended.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it can't be started: {0}")]
    Start(std::io::Error),
    #[error("it can't be called: {0}")]
    Call(String),
    #[error("a header for it can't be sent: {0}")]
    Header(String),
    #[error("its type {0:?} is not known here; use stdio or http")]
    Kind(String),
    #[error("it did not answer within {} s", GREETING.as_secs())]
    NoGreeting,
    #[error("it did not greet back: {0}")]
    Greeting(String),
    #[error("it did not list its tools within {} s", LISTING.as_secs())]
    NoList,
    #[error("it could not list its tools: {0}")]
    List(String),
    #[error("its list of tools does not end")]
    Endless,
    #[error("it ended")]
    Gone,
}

/// Hears what the server says by itself.
#[derive(Debug, Clone)]
struct Ear {
    changed: Arc<Notify>,
}

impl ClientHandler for Ear {
    fn get_info(&self) -> ClientConfig {
        let me = Implementation::new("dragoman", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), me)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

/// Until it is stopped.
pub(crate) async fn live(server: Server, desk: Desk) {
    let mut pause = PAUSE;
    loop {
        let mut was_ready = false;
        let Some(trouble) = visit(&server, &desk, &mut was_ready).await else { return };
        tracing::info!(server = server.name, %trouble, "an MCP server is out of use");
        let error = Some(trouble.to_string());
        desk.tell(&server.name, Told { state: State::Failed, offers: Vec::new(), error });
        if was_ready {
            pause = PAUSE;
        }
        tokio::select! {
            () = desk.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// From greeting to the end. `None`: it was stopped.
async fn visit(server: &Server, desk: &Desk, was_ready: &mut bool) -> Option<Trouble> {
    let changed = Arc::new(Notify::new());
    let greeting =
        tokio::time::timeout(GREETING, greet(server, &*desk.web, Ear { changed: Arc::clone(&changed) }));
    let service = tokio::select! {
        () = desk.stop.cancelled() => return None,
        greeted = greeting => match greeted {
            Ok(Ok(service)) => service,
            Ok(Err(trouble)) => return Some(trouble),
            Err(_) => return Some(Trouble::NoGreeting),
        },
    };
    let (peer, ending) = (service.peer().clone(), service.cancellation_token());
    let mut end = Box::pin(service.waiting());
    let trouble = loop {
        let listed = tokio::select! {
            () = desk.stop.cancelled() => break None,
            _ = &mut end => return Some(Trouble::Gone),
            listed = tokio::time::timeout(LISTING, list(&server.name, &peer)) => listed,
        };
        match listed {
            Ok(Ok((offers, error))) => {
                tracing::info!(server = server.name, tools = offers.len(), "an MCP server listed its tools");
                *was_ready = true;
                desk.tell(&server.name, Told { state: State::Ready, offers, error });
            }
            Ok(Err(trouble)) => break Some(trouble),
            Err(_) => break Some(Trouble::NoList),
        }
        tokio::select! {
            () = desk.stop.cancelled() => break None,
            _ = &mut end => return Some(Trouble::Gone),
            () = changed.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    };
    // Its input is closed; a program that stays is asked to go, then killed.
    ending.cancel();
    let _went = end.await;
    trouble
}

async fn greet(server: &Server, web: &Web, ear: Ear) -> Result<RunningService<RoleClient, Ear>, Trouble> {
    let service = match &server.how {
        How::Stdio { command, arguments, variables, directory } => {
            let mut program = Command::new(command);
            // What is ours is nobody else's business: one of the variables is a token.
            for (name, _) in std::env::vars_os() {
                if name.to_string_lossy().starts_with("DRAGOMAN_") {
                    program.env_remove(name);
                }
            }
            program.args(arguments).envs(variables);
            if let Some(directory) = directory {
                program.current_dir(directory);
            }
            let child = TokioChildProcess::builder(program).stderr(Stdio::null()).spawn();
            let (child, _) = child.map_err(Trouble::Start)?;
            ear.serve(child).await
        }
        How::Http { url, headers } => {
            let mut fields = HashMap::new();
            for (name, value) in headers {
                let bad = || Trouble::Header(name.clone());
                let field = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
                fields.insert(field, HeaderValue::try_from(value.as_str()).map_err(|_| bad())?);
            }
            let config = StreamableHttpClientTransportConfig::with_uri(url.as_str()).custom_headers(fields);
            let client = web(url).map_err(Trouble::Call)?;
            ear.serve(StreamableHttpClientTransport::with_client(client, config)).await
        }
        How::Other(kind) => return Err(Trouble::Kind(kind.clone())),
    };
    service.map_err(|error| Trouble::Greeting(sentence(&error)))
}

/// The tools, and what was left out of them.
async fn list(server: &str, peer: &Peer<RoleClient>) -> Result<(Vec<Offer>, Option<String>), Trouble> {
    let mut tools = Vec::new();
    let mut cursor = None;
    let mut pages = 0;
    loop {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let page = peer.list_tools(Some(page)).await.map_err(|error| Trouble::List(sentence(&error)))?;
        tools.extend(page.tools);
        pages += 1;
        match page.next_cursor {
            Some(_) if tools.len() > MANY || pages >= PAGES => return Err(Trouble::Endless),
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let mut offers: Vec<Offer> = Vec::new();
    let mut left_out = Vec::new();
    for tool in &tools {
        match Offer::of(server, tool) {
            Ok(offer) if offers.iter().any(|other| other.name == offer.name) => {
                left_out.push(format!("{:?} is listed twice", tool.name));
            }
            Ok(offer) => offers.push(offer),
            Err(why) => left_out.push(why),
        }
    }
    let error = (!left_out.is_empty()).then(|| sentence(&format_args!("left out: {}", left_out.join("; "))));
    Ok((offers, error))
}

/// One line, not too long: a server may say anything.
fn sentence(error: &dyn std::fmt::Display) -> String {
    const LONGEST: usize = 200;
    let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}
