//! Signing in and out. A sign-in runs by itself; whoever began it watches, pastes and cancels through a [`LoginRun`].

use dragoman_upstream::{Login, LoginStep, Progress, Secret, SignedOut, Way};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::App;
use crate::{Error, called};

/// What to sign in with.
#[derive(Debug, Clone)]
pub struct LoginKind {
    /// How.
    pub way: Way,
    /// The only workspace that will do.
    pub workspace: Option<String>,
}

/// A sign-in under way. Dropping it cancels it.
#[derive(Debug)]
pub struct LoginRun {
    steps: watch::Receiver<Vec<LoginStep>>,
    paste: Option<Paste>,
    cancel: CancellationToken,
    _cancel: DropGuard,
}

/// Where pasted words go.
#[derive(Debug, Clone)]
pub struct Paste(mpsc::Sender<Secret>);

impl Paste {
    /// Hands in what the user pasted: the address that the browser ended at, or the code. Steps tell what became of it.
    pub async fn enter(&self, text: &str) {
        // An error only says that the sign-in is over.
        let _over = self.0.send(Secret::new(text)).await;
    }
}

impl LoginRun {
    /// The steps so far, and their changes. The last one is [`LoginStep::is_last`].
    pub fn steps(&self) -> watch::Receiver<Vec<LoginStep>> {
        self.steps.clone()
    }

    /// Ends the sign-in, unless its tokens are being stored: that is finished.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Where pasted words go. It can be taken once; when it is dropped, nobody will paste anything.
    pub fn take_paste(&mut self) -> Option<Paste> {
        self.paste.take()
    }

    /// Waits for the end.
    pub async fn end(self) -> LoginStep {
        let mut steps = self.steps();
        let last = |steps: &Vec<LoginStep>| steps.last().is_some_and(LoginStep::is_last);
        match steps.wait_for(last).await {
            Ok(steps) => steps.last().cloned().unwrap_or(LoginStep::Cancelled),
            // The app is stopping.
            Err(_) => LoginStep::Cancelled,
        }
    }
}

impl App {
    /// Begins to sign in.
    pub fn login(&self, kind: LoginKind) -> LoginRun {
        let LoginKind { way, workspace } = kind;
        let (paste, pasted) = mpsc::channel(1);
        let (progress, cancel) = (Progress::default(), CancellationToken::new());
        let run = LoginRun {
            steps: progress.subscribe(),
            paste: Some(Paste(paste)),
            cancel: cancel.clone(),
            _cancel: cancel.clone().drop_guard(),
        };
        let (app, stop) = (self.clone(), self.inner.stop.clone());
        self.inner.tasks.spawn(async move {
            let login = Login { way, workspace, pasted };
            let last = {
                let mut ending = std::pin::pin!(app.inner.client.sign_in(login, &progress));
                let left = async {
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        () = stop.cancelled() => {}
                    }
                };
                tokio::select! {
                    biased;
                    ended = &mut ending => Some(ended),
                    () = left => if progress.is_storing() { Some(ending.await) } else { None },
                }
            };
            app.inner.board.publish();
            progress.push(match last {
                Some(Ok(who)) => LoginStep::Done(who),
                Some(Err(error)) => {
                    tracing::warn!(code = error.code(), "sign-in failed");
                    LoginStep::Failed(error)
                }
                None => {
                    tracing::info!("sign-in cancelled");
                    LoginStep::Cancelled
                }
            });
        });
        run
    }

    /// Sign out of an account: its name, address, id or place in the list. A login of the Codex CLI is only forgotten
    /// here, unless `codex_too`. Without `account`: the only one there is.
    pub async fn logout(&self, account: Option<&str>, codex_too: bool) -> Result<SignedOut, Error> {
        let only = self.inner.client.check_accounts().await.accounts;
        let words = match (account, &only[..]) {
            (Some(words), _) => words.to_owned(),
            (None, [one]) => one.id.to_string(),
            (None, several) => {
                let names: Vec<_> = several.iter().map(|account| called(account, several)).collect();
                return Err(Error::WhichAccount { accounts: names.join(", ") });
            }
        };
        let out = self.inner.client.sign_out(&words, codex_too).await;
        self.inner.board.publish();
        Ok(out?)
    }
}
