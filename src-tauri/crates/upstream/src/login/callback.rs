//! What comes back from the sign-in page: by the browser, to a small server on a port of this computer, or pasted.
//!
//! The server knows three paths, answers with one page, and is gone when the sign-in is over. It is bound to loopback
//! and believes nothing that does not carry the state. Not here: what the page asked for (`oauth.rs`).

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use listeners::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::call::clean;
use super::error::LoginError;
use super::oauth::Ask;
use super::page::Page;
use super::progress::{LoginStep, NotAccepted, Progress};
use crate::accounts::Secret;

/// The CLI tries ten times at this distance to get a port that it has asked for.
const AGAIN: Duration = Duration::from_millis(200);
const TIMES: usize = 10;
/// From connecting to the first bytes of an answer, for the one who has the port.
const POLITE: Duration = Duration::from_secs(1);
/// From a browser's connecting to the end of its request; browsers also connect without asking anything.
const REQUEST: Duration = Duration::from_secs(30);
/// For writing a page.
const ANSWER: Duration = Duration::from_secs(5);
/// A code and a state are some hundred bytes; cookies of other programs on 127.0.0.1 come along.
const LARGEST: u64 = 64 << 10;
/// Connections at once.
const MOST: usize = 64;

/// What came back.
#[derive(Debug)]
pub(super) enum Came {
    /// The code.
    Code(Secret),
    /// The page says no.
    Over(LoginError),
    /// Not the end of this sign-in.
    Not(NotAccepted),
}

impl Came {
    /// Reads the query of a callback.
    fn of(query: &str, ask: &Ask) -> Self {
        let pairs: Vec<_> = form(query);
        let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if !value("state").is_some_and(|state| ask.is_state(state)) {
            return Self::Not(NotAccepted::WrongState);
        }
        if let Some(error) = value("error") {
            return Self::Over(refusal(error, value("error_description").unwrap_or_default()));
        }
        match value("code").filter(|code| !code.is_empty()) {
            Some(code) => Self::Code(Secret::new(code)),
            None => Self::Not(NotAccepted::NoCode),
        }
    }

    /// Reads what a person pasted: the address that the browser ended at, its query, or the bare code. A bare code has
    /// no state, but it works only with our verifier.
    pub(super) fn pasted(text: &str, ask: &Ask) -> Self {
        let text = text.trim().trim_matches(['"', '\'', '<', '>']);
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        if query.contains("code=") || query.contains("error=") || text.contains("://") {
            return Self::of(query, ask);
        }
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c));
        if plain && (8..=2_000).contains(&text.len()) {
            Self::Code(Secret::new(text))
        } else {
            Self::Not(NotAccepted::NoCode)
        }
    }
}

fn form(query: &str) -> Vec<(String, String)> {
    reqwest::Url::parse(&format!("http://127.0.0.1/?{query}"))
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

fn refusal(error: &str, description: &str) -> LoginError {
    let (error, description) = (clean(error), clean(description));
    // see upstream.md §a.2: the entitlement comes as the description of an access_denied.
    if [&error, &description].iter().any(|words| words.contains("missing_codex_entitlement")) {
        LoginError::NotEntitled
    } else if error == "access_denied" {
        LoginError::Denied
    } else {
        let words = if description.is_empty() { error } else { format!("{error}: {description}") };
        LoginError::Refused { words }
    }
}

// === the port ===

/// The first of the ports that can be had. A sign-in that was left open on one is asked to make room, as the CLI does.
pub(super) async fn listen(ports: &[u16]) -> Result<TcpListener, LoginError> {
    let mut holders = Vec::new();
    for &port in ports {
        match bind(port).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => match take_over(port).await {
                Some(listener) => return Ok(listener),
                None => holders.push(holder(port)),
            },
            Err(error) => return Err(LoginError::Listen { port, why: error.to_string() }),
        }
    }
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    Err(LoginError::PortsBusy { ports: ports.join(" or "), holders: holders.join(", ") })
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

async fn take_over(port: u16) -> Option<TcpListener> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request = format!("GET /cancel HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(12).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    match tokio::time::timeout(POLITE, asked).await {
        Ok(Ok(answer)) if answer.starts_with(b"HTTP/1.") && answer.ends_with(b" 200") => {}
        // No sign-in of anybody's.
        Ok(Ok(_) | Err(_)) | Err(_) => return None,
    }
    for _ in 0..TIMES {
        tokio::time::sleep(AGAIN).await;
        if let Ok(listener) = bind(port).await {
            return Some(listener);
        }
    }
    None
}

fn holder(port: u16) -> String {
    match listeners::get_process_by_port(port, Protocol::TCP) {
        Ok(process) => format!("{port} by {} (process {})", process.name, process.pid),
        Err(_) => format!("{port} by another program"),
    }
}

// === the server ===

/// A browser that waits for its page.
#[derive(Debug)]
pub(super) struct Browser(TcpStream);

impl Browser {
    /// Shows the page. If the browser has gone there is nobody to tell.
    pub(super) async fn show(mut self, page: &Page) {
        let shown = async {
            self.0.write_all(&page.response()).await?;
            self.0.shutdown().await?;
            // Closing with unread bytes would reset the connection, and the page with it.
            let mut rest = [0; 1024];
            while self.0.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        if !matches!(tokio::time::timeout(ANSWER, shown).await, Ok(Ok(()))) {
            tracing::debug!("the browser left before its page was written");
        }
    }
}

/// Serves until the sign-in page sends the browser back. Dropping the future closes the port and every connection.
pub(super) async fn wait(
    listener: &TcpListener,
    ask: &Ask,
    progress: &Progress,
) -> (Result<Secret, LoginError>, Browser) {
    let mut requests: JoinSet<Option<(Request, TcpStream)>> = JoinSet::new();
    let mut answers: JoinSet<()> = JoinSet::new();
    loop {
        let (request, stream) = tokio::select! {
            accepted = listener.accept(), if requests.len() < MOST => {
                match accepted {
                    Ok((stream, _)) => { requests.spawn(read(stream)); }
                    // Out of file descriptors, say: it passes.
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
                continue;
            }
            Some(read) = requests.join_next() => match read {
                Ok(Some(read)) => read,
                Ok(None) | Err(_) => continue,
            },
            Some(_) = answers.join_next() => continue,
        };
        let browser = Browser(stream);
        let page = match request {
            Request::Callback(query) => match Came::of(&query, ask) {
                Came::Code(code) => return (Ok(code), browser),
                Came::Over(error) => return (Err(error), browser),
                Came::Not(why) => {
                    progress.push(LoginStep::NotAccepted { why });
                    Page::not_accepted(why)
                }
            },
            Request::Cancel => return (Err(LoginError::Superseded), browser),
            Request::Forbidden => Page::forbidden(),
            Request::Other => Page::not_found(),
        };
        answers.spawn(async move { browser.show(&page).await });
    }
}

/// What a connection asked for.
#[derive(Debug, PartialEq)]
enum Request {
    Callback(String),
    Cancel,
    Forbidden,
    Other,
}

async fn read(mut stream: TcpStream) -> Option<(Request, TcpStream)> {
    let head = async {
        let mut head = Vec::with_capacity(1024);
        let mut buffer = [0; 4096];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).await.ok()?;
            head.extend_from_slice(buffer.get(..count)?);
            if count == 0 || head.len() as u64 > LARGEST {
                return None;
            }
        }
        Some(head)
    };
    let head = tokio::time::timeout(REQUEST, head).await.ok()??;
    Some((Request::of(&String::from_utf8_lossy(&head)), stream))
}

impl Request {
    fn of(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match (method, path) {
            ("GET", "/auth/callback") => Self::Callback(query.to_owned()),
            // The CLI sends this to make room for itself. A web page could too: a browser says where it comes from.
            ("GET", "/cancel") => {
                let from_a_page = lines.filter_map(|line| line.split_once(':')).any(|(name, _)| {
                    ["origin", "referer", "sec-fetch-site"].iter().any(|told| name.eq_ignore_ascii_case(told))
                });
                if from_a_page { Self::Forbidden } else { Self::Cancel }
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::desk;
    use super::*;

    fn ask() -> (Ask, String) {
        let ask = Ask::new(&desk("https://auth.openai.com"), 1455, None).unwrap();
        let state =
            form(ask.url.split_once('?').unwrap().1).into_iter().find(|(key, _)| key == "state").unwrap().1;
        (ask, state)
    }

    fn told(came: Came) -> String {
        match came {
            Came::Code(code) => code.expose().to_owned(),
            Came::Over(error) => error.code().to_owned(),
            Came::Not(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn only_the_right_state_is_believed() {
        let (ask, state) = ask();
        for (query, expected) in [
            (format!("code=ac%2D1&state={state}&scope=a+b"), "ac-1"),
            (format!("state={state}"), "NoCode"),
            (format!("code=&state={state}"), "NoCode"),
            ("code=x&state=y".to_owned(), "WrongState"),
            ("code=x".to_owned(), "WrongState"),
            ("error=access_denied".to_owned(), "WrongState"),
            (format!("error=access_denied&state={state}"), "denied"),
            (
                format!("error=access_denied&error_description=missing_codex_entitlement&state={state}"),
                "not_entitled",
            ),
            (format!("error=server_error&error_description=a%0Ab&state={state}"), "refused"),
        ] {
            assert_eq!(told(Came::of(&query, &ask)), expected, "{query}");
        }
    }

    #[test]
    fn an_address_its_query_or_a_bare_code_can_be_pasted() {
        let (ask, state) = ask();
        for (text, expected) in [
            (format!(" http://127.0.0.1:1455/auth/callback?code=ac_12345&state={state}\n"), "ac_12345"),
            (format!("http://localhost:1455/auth/callback?state={state}&code=ac_12345#_"), "ac_12345"),
            (format!("code=ac_12345&state={state}"), "ac_12345"),
            ("ac_12345".to_owned(), "ac_12345"),
            ("http://127.0.0.1:1455/auth/callback?code=ac_12345&state=other".to_owned(), "WrongState"),
            ("https://auth.openai.com/oauth/authorize".to_owned(), "WrongState"),
            ("hello there".to_owned(), "NoCode"),
            ("".to_owned(), "NoCode"),
            ("short".to_owned(), "NoCode"),
        ] {
            assert_eq!(told(Came::pasted(&text, &ask)), expected, "{text}");
        }
    }

    #[test]
    fn a_web_page_cannot_cancel_a_sign_in() {
        let request = |head: &str| Request::of(&format!("{head}\r\n\r\n"));
        assert_eq!(request("GET /cancel HTTP/1.1\r\nHost: 127.0.0.1:1455"), Request::Cancel);
        for header in
            ["Origin: https://evil.example", "sec-fetch-site: cross-site", "Referer: https://evil.example/"]
        {
            assert_eq!(request(&format!("GET /cancel HTTP/1.1\r\n{header}")), Request::Forbidden, "{header}");
        }
        assert_eq!(request("GET /auth/callback?a=b HTTP/1.1"), Request::Callback("a=b".into()));
        for head in
            ["POST /auth/callback HTTP/1.1", "GET /auth/callbacks HTTP/1.1", "GET / HTTP/1.1", "rubbish", ""]
        {
            assert_eq!(request(head), Request::Other, "{head}");
        }
    }

    #[tokio::test]
    async fn busy_ports_are_told_with_their_holder() {
        let taken = bind(0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(&[port, port]).await.unwrap_err();
        let LoginError::PortsBusy { ports, holders } = &error else { panic!("{error:?}") };
        assert_eq!(ports, &format!("{port} or {port}"));
        assert!(holders.contains(&format!("(process {})", std::process::id())), "{holders}");
    }

    #[tokio::test]
    async fn the_second_port_is_taken_if_the_first_is_somebody_elses() {
        let (taken, free) = (bind(0).await.unwrap(), bind(0).await.unwrap());
        let free_port = free.local_addr().unwrap().port();
        drop(free);
        let ports = [taken.local_addr().unwrap().port(), free_port];
        assert_eq!(listen(&ports).await.unwrap().local_addr().unwrap().port(), free_port);
    }

    #[tokio::test]
    async fn a_sign_in_left_open_makes_room() {
        let (ask, _) = ask();
        let first = listen(&[0]).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let left_open = tokio::spawn(async move {
            let (came, browser) = wait(&first, &ask, &Progress::default()).await;
            drop(first);
            browser.show(&Page::cancelled()).await;
            came
        });
        assert_eq!(listen(&[port]).await.unwrap().local_addr().unwrap().port(), port);
        assert_eq!(left_open.await.unwrap().unwrap_err(), LoginError::Superseded);
    }
}
