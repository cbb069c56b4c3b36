//! `login` and `logout`: the steps of the facade in words, or one JSON line each.

use std::io::{self, BufRead as _, IsTerminal as _};

use dragoman::{
    App, LoginKind, LoginRun, LoginStep, NotAccepted, Paste, Revoked, STREAMS, Secret, SignedIn, SignedOut,
    Way,
};

use crate::args::{Common, Format, Import, Login};
use crate::words::{note, say, say_json};
use crate::{AccountKind, Exit, Signals, Trouble};

/// `dragoman login`
pub(crate) async fn login(common: &Common, login: Login) -> Result<Exit, Trouble> {
    let Some(way) = way(&login).await? else { return Ok(Exit::Failure) };
    let reads = reads_along(&way);
    let mut signals = Signals::listen().map_err(Trouble::System)?;
    let app = App::start(common.options()).await?;
    let mut run = app.login(LoginKind { way, workspace: login.workspace.clone() });
    // Dropped at once if nobody reads along: then nothing will be pasted.
    if let Some(paste) = run.take_paste().filter(|_| reads) {
        read_along(paste);
    }
    let exit = follow(&run, login.format.json, &mut signals).await;
    app.shutdown(STREAMS).await;
    exit
}

/// What the flags ask for; `None` if the user wants nothing after all.
async fn way(login: &Login) -> Result<Option<Way>, Trouble> {
    let flags = &login.way;
    Ok(Some(if flags.manual {
        Way::Manual
    } else if flags.api_key {
        Way::ApiKey { key: ask_for_key().await.map_err(Trouble::Input)? }
    } else if flags.codex {
        Way::CodexLogin
    } else if let Some(import) = flags.import {
        match import {
            Import::Linked => Way::Linked,
            Import::Own => Way::Import { device: flags.device },
            Import::Ask => match ask_how_to_import().await? {
                Some(Import::Linked) => Way::Linked,
                Some(Import::Own | Import::Ask) => Way::Import { device: flags.device },
                None => return Ok(None),
            },
        }
    } else if flags.device {
        Way::Device
    } else {
        Way::Browser { open: !login.no_browser }
    }))
}

const HOW_TO_IMPORT: &str = "\
How shall Dragoman use the account of the Codex CLI?

  1  A login of its own (recommended). You sign in once more, and from then on neither can log the other out.
     The Codex CLI's tokens are not copied: each works once, so one of two copies would die.
  2  Linked. Dragoman and the Codex CLI share one login, and each renews it for both.
";

async fn ask_how_to_import() -> Result<Option<Import>, Trouble> {
    if !io::stdin().is_terminal() {
        return Err(Trouble::Usage(
            "say --import=own (recommended) or --import=linked; there is no terminal to ask on",
        ));
    }
    note(HOW_TO_IMPORT);
    note("1 or 2? ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer =
        answer.await.map_err(|error| Trouble::Input(io::Error::other(error)))?.map_err(Trouble::Input)?;
    Ok(match answer.trim() {
        "1" | "own" => Some(Import::Own),
        "2" | "linked" => Some(Import::Linked),
        _ => {
            note("dragoman: neither 1 nor 2, so nothing was done");
            None
        }
    })
}

/// From the terminal without echo, else the first line of the input; never from the command line, which others can see.
async fn ask_for_key() -> io::Result<Secret> {
    let asked = tokio::task::spawn_blocking(|| {
        if io::stdin().is_terminal() {
            return rpassword::prompt_password("OpenAI API key (it is not shown): ").map(Secret::new);
        }
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(Secret::new(line.trim()))
    });
    asked.await.map_err(io::Error::other)?
}

/// Is there something to paste, and somebody to do it?
fn reads_along(way: &Way) -> bool {
    match way {
        Way::Manual => true,
        Way::Browser { .. } | Way::Import { device: false } => io::stdin().is_terminal(),
        Way::Import { device: true } | Way::Device | Way::Linked | Way::CodexLogin | Way::ApiKey { .. } => {
            false
        }
    }
}

/// Each line of the input is something pasted. A thread of its own: a read from a terminal can't be given up.
fn read_along(paste: Paste) {
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() {
                runtime.block_on(paste.enter(&line));
            }
        }
    });
}

/// Shows the steps until the last one.
async fn follow(run: &LoginRun, json: bool, signals: &mut Signals) -> Result<Exit, Trouble> {
    let mut steps = run.steps();
    let mut shown = 0;
    loop {
        let new: Vec<_> = steps.borrow_and_update().iter().skip(shown).cloned().collect();
        shown += new.len();
        for step in new {
            if json {
                say(serde_json::to_string(&step).map_err(io::Error::from)?)?;
            } else if let Some(words) = words(&step) {
                // What a script wants is the outcome; the rest is for a person.
                if step.is_last() { last_words(&step, &words)? } else { note(words) }
            }
            match step {
                LoginStep::Done(_) => return Ok(Exit::Success),
                LoginStep::Failed(_) | LoginStep::Cancelled => return Ok(Exit::Failure),
                _ => {}
            }
        }
        tokio::select! {
            changed = steps.changed() => if changed.is_err() { return Ok(Exit::Failure) },
            () = signals.next() => run.cancel(),
        }
    }
}

fn last_words(step: &LoginStep, words: &str) -> io::Result<()> {
    match step {
        LoginStep::Done(_) => say(words),
        _ => {
            note(format_args!("dragoman: {words}"));
            Ok(())
        }
    }
}

fn words(step: &LoginStep) -> Option<String> {
    Some(match step {
        LoginStep::WaitingForBrowser { url, port, .. } => format!(
            "Sign in on this page; your browser should open it:\n\n  {url}\n\nIt comes back to port {port} of this \
             computer. If your browser is on another computer, paste the address it ends at here (or press Ctrl-C and \
             use `dragoman login --device`)."
        ),
        LoginStep::BrowserNotOpened { why } => {
            format!(
                "The browser could not be opened ({}). Open the address above yourself.",
                why.trim_end_matches('.')
            )
        }
        LoginStep::WaitingForPaste { url, .. } => format!(
            "Sign in on this page, in a browser anywhere:\n\n  {url}\n\nAt the end the browser shows that it can't open a \
             page of 127.0.0.1. That is right: copy the address of that page, paste it here and press Enter."
        ),
        LoginStep::NotAccepted { why: NotAccepted::WrongState } => {
            "What came back belongs to another sign-in (its state does not match). Still waiting.".to_owned()
        }
        LoginStep::NotAccepted { why: NotAccepted::NoCode } => {
            "There is no sign-in code in that. Paste the whole address. Still waiting.".to_owned()
        }
        LoginStep::DeviceCode { url, code, .. } => format!(
            "Open this page in a browser anywhere:\n\n  {url}\n\nand type this code within 15 min:\n\n  {code}\n\nNever \
             give the code to anybody else."
        ),
        LoginStep::CodexLogin { home, label, plan } => {
            let who = who(label.as_deref(), plan.as_deref());
            format!("The Codex CLI in {home} is signed in as {who}.")
        }
        LoginStep::CodexStarted { version, is_old } => {
            let old = if *is_old { ", which is older than what Dragoman was tried with" } else { "" };
            format!("Running `codex login` (version {version}{old}). It says:\n")
        }
        LoginStep::CodexSays { line } => format!("  {line}"),
        LoginStep::CheckingKey => "Checking the key …".to_owned(),
        LoginStep::Exchanging => "The code is there, getting the login …".to_owned(),
        LoginStep::Storing => return None,
        LoginStep::Done(done) => signed_in(done),
        LoginStep::Failed(error) => error.to_string(),
        LoginStep::Cancelled => "the sign-in was cancelled, nothing was changed".to_owned(),
    })
}

fn who(label: Option<&str>, plan: Option<&str>) -> String {
    let label = label.unwrap_or("an account without a name");
    plan.map_or_else(|| label.to_owned(), |plan| format!("{label} (plan {plan})"))
}

fn signed_in(done: &SignedIn) -> String {
    let who = who(done.label.as_deref(), done.plan.as_deref());
    let again = if done.replaced { ", which replaces the earlier login of this account" } else { "" };
    match done.kind {
        AccountKind::Linked => format!("Linked: Dragoman uses the Codex CLI's login of {who}{again}."),
        AccountKind::ApiKey => format!("Kept: {who}{again}. Requests with it are paid by use."),
        AccountKind::Own | AccountKind::Demo => format!("Signed in as {who}{again}."),
    }
}

/// `dragoman logout`
pub(crate) async fn logout(
    common: &Common,
    account: Option<&str>,
    codex_too: bool,
    format: Format,
) -> Result<Exit, Trouble> {
    let app = App::start(common.options()).await?;
    let out = app.logout(account, codex_too).await;
    app.shutdown(STREAMS).await;
    let out = out?;
    if format.json {
        say_json(&out)?;
    } else {
        say(signed_out(&out, codex_too))?;
    }
    Ok(Exit::Success)
}

fn signed_out(out: &SignedOut, codex_too: bool) -> String {
    let who = out.label.as_deref().unwrap_or(&out.account);
    let here = match out.kind {
        AccountKind::Linked if codex_too => {
            format!("Signed out of {who}, here and in the Codex CLI: its auth.json is gone.")
        }
        AccountKind::Linked => {
            format!("Unlinked {who}. The Codex CLI stays signed in; Dragoman's entry is gone.")
        }
        AccountKind::ApiKey => {
            format!("Forgot {who}. The key itself still works; delete it on platform.openai.com.")
        }
        AccountKind::Own | AccountKind::Demo => {
            format!("Signed out of {who}: its tokens are gone from this computer.")
        }
    };
    let there = match &out.revoked {
        Revoked::Yes => " The sign-in server ended the login.".to_owned(),
        Revoked::NotOurs => String::new(),
        Revoked::NoToken => " There was no token to end at the sign-in server.".to_owned(),
        Revoked::Failed(why) => format!(
            " The sign-in server did not confirm the end of the login ({}); to end it for sure, use \"Log out of all \
             devices\" in ChatGPT's settings.",
            why.trim_end_matches('.')
        ),
    };
    here + &there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_out_says_what_it_did_and_what_it_did_not() {
        let out = |kind, revoked| SignedOut {
            account: "00aa00aa".into(),
            label: Some("a@b.c".into()),
            kind,
            revoked,
        };
        let words = signed_out(&out(AccountKind::Own, Revoked::Failed("status 503".into())), false);
        assert!(words.contains("gone from this computer") && words.contains("status 503"), "{words}");
        let words = signed_out(&out(AccountKind::Linked, Revoked::NotOurs), false);
        assert!(words.contains("stays signed in") && !words.contains("ended"), "{words}");
    }
}
