//! Sign-in at the page: the browser of this computer comes back to a port, or a person brings what it came back with.

use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::callback::{self, Browser, Came};
use super::error::LoginError;
use super::oauth::{Ask, Issued};
use super::page::Page;
use super::progress::{LoginStep, Progress};
use super::{CALLBACK_PORTS, Desk};
use crate::accounts::Secret;

/// From showing the page's address to having the code.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// An opener that is still running after this has handed the address on.
const OPENING: Duration = Duration::from_secs(3);

/// How the page is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// By a browser that we open.
    Opened,
    /// By a browser on this computer that the user opens.
    Shown,
    /// By a browser anywhere; what it ends at is pasted. No port is needed.
    Pasted,
}

/// Tokens, and the browser that waits to hear what became of them.
pub(super) async fn sign_in(
    desk: &Desk,
    visit: Visit,
    workspace: Option<&str>,
    pasted: &mut mpsc::Receiver<Secret>,
    progress: &Progress,
) -> Result<(Issued, Option<Browser>), LoginError> {
    let expires_at = Timestamp::now().as_second() + LIMIT.as_secs().cast_signed();
    let minutes = LIMIT.as_secs() / 60;
    let (ask, listener) = match visit {
        Visit::Pasted => {
            let ask = Ask::new(desk, CALLBACK_PORTS[0], workspace)?;
            progress.push(LoginStep::WaitingForPaste { url: ask.url.clone(), expires_at });
            (ask, None)
        }
        Visit::Opened | Visit::Shown => {
            let listener = callback::listen(&desk.ports).await?;
            let port = listener
                .local_addr()
                .map_err(|error| LoginError::Listen { port: 0, why: error.to_string() })?
                .port();
            let ask = Ask::new(desk, port, workspace)?;
            progress.push(LoginStep::WaitingForBrowser { url: ask.url.clone(), port, expires_at });
            (ask, Some(listener))
        }
    };
    let code = tokio::select! {
        code = code(&ask, listener.as_ref(), pasted, progress) => code,
        never = open(visit, &ask.url, progress) => match never {},
        () = tokio::time::sleep(LIMIT) => Err((LoginError::TimedOut { minutes }, None)),
    };
    // The port is needed no more.
    drop(listener);
    let (tokens, browser) = match code {
        Ok((code, browser)) => {
            progress.push(LoginStep::Exchanging);
            (ask.exchange(desk, &code).await, browser)
        }
        Err((error, browser)) => (Err(error), browser),
    };
    match tokens {
        Ok(tokens) => Ok((tokens, browser)),
        Err(error) => {
            if let Some(browser) = browser {
                let page =
                    if error == LoginError::Superseded { Page::cancelled() } else { Page::failed(&error) };
                browser.show(&page).await;
            }
            Err(error)
        }
    }
}

type Outcome = Result<(Secret, Option<Browser>), (LoginError, Option<Browser>)>;

/// The code, by whichever way it comes first.
async fn code(
    ask: &Ask,
    listener: Option<&TcpListener>,
    pasted: &mut mpsc::Receiver<Secret>,
    progress: &Progress,
) -> Outcome {
    let by_paste = async {
        loop {
            match pasted.recv().await.map(|text| Came::pasted(text.expose(), ask)) {
                Some(Came::Code(code)) => return Ok((code, None)),
                Some(Came::Over(error)) => return Err((error, None)),
                Some(Came::Not(why)) => progress.push(LoginStep::NotAccepted { why }),
                // With a port open, nobody has to paste anything.
                None if listener.is_some() => std::future::pending::<()>().await,
                None => return Err((LoginError::NothingPasted, None)),
            }
        }
    };
    let by_browser = async {
        match listener {
            Some(listener) => match callback::wait(listener, ask, progress).await {
                (Ok(code), browser) => Ok((code, Some(browser))),
                (Err(error), browser) => Err((error, Some(browser))),
            },
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = by_browser => outcome,
        outcome = by_paste => outcome,
    }
}

/// Opens the user's browser at this address.
///
/// # Errors
/// Why it could not be opened.
pub async fn open_in_browser(url: &str) -> Result<(), String> {
    let url = url.to_owned();
    match tokio::task::spawn_blocking(move || open::that_detached_with_timeout(url, OPENING)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Opens the browser, if that is wanted, and says so if it can't be.
async fn open(visit: Visit, url: &str, progress: &Progress) -> std::convert::Infallible {
    if visit == Visit::Opened
        && let Err(why) = open_in_browser(url).await
    {
        progress.push(LoginStep::BrowserNotOpened { why });
    }
    std::future::pending().await
}
