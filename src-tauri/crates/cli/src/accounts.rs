//! `accounts`: the list, and what can be done with one of them.

use clap::Subcommand;
use dragoman::{AccountKind, AccountState, AccountView, AccountsView, App, STREAMS};

use crate::args::{Common, Format};
use crate::status::account as described;
use crate::words::{duration, now, say, say_json, table};
use crate::{Exit, Trouble, look};

/// What can be done with accounts. ACCOUNT is a name, an e-mail address, an id, or the place in the list.
#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    /// List the accounts, the preferred one first
    List,
    /// Prefer an account to the others, for every session from now on
    Use { account: String },
    /// Give an account a name; without one, take it away
    Rename { account: String, name: Option<String> },
    /// Forget an account on this machine; a linked one stays the Codex CLI's
    Remove { account: String },
    /// Keep an account out of use
    Pause { account: String },
    /// Let a paused account in again
    Resume { account: String },
    /// Use the login of a Codex CLI beside the other accounts
    Link {
        /// Its CODEX_HOME, if that is not the usual one
        directory: Option<std::path::PathBuf>,
    },
    /// Try an account again that is at its usage limit
    Retry { account: String },
    /// Renew an account's login now
    Refresh { account: String },
    /// Ask an account for one word, and tell how long that took
    Test {
        /// The one in use, if nothing is said
        account: Option<String>,
    },
}

/// `dragoman accounts …`
pub(crate) async fn accounts(common: &Common, wish: Accounts, format: Format) -> Result<Exit, Trouble> {
    let (app, _running) = look(common).await?;
    let done = carry_out(&app, wish, format).await;
    app.shutdown(STREAMS).await;
    done
}

async fn carry_out(app: &App, wish: Accounts, format: Format) -> Result<Exit, Trouble> {
    let (id, what) = match &wish {
        Accounts::List => {
            let accounts = app.check_accounts().await;
            if format.json {
                say_json(&accounts)?
            } else {
                say(list(&accounts))?
            }
            let ready = accounts.accounts.iter().any(|account| account.state == AccountState::Ready);
            return Ok(if ready { Exit::Success } else { Exit::SignedOut });
        }
        Accounts::Test { account } => {
            let in_use = || app.snapshot().borrow().account.id.to_string();
            let tested = app.test_account(&account.clone().unwrap_or_else(in_use)).await?;
            if format.json {
                say_json(&tested)?;
            } else {
                let seconds = std::time::Duration::from_millis(tested.milliseconds).as_secs_f64();
                let name = called(&app.check_accounts().await, tested.id.as_str());
                say(format_args!("{name} answers: {} took {seconds:.1} s", tested.model))?;
            }
            return Ok(Exit::Success);
        }
        Accounts::Use { account } => (app.use_account(account).await?, "is preferred now"),
        Accounts::Rename { account, name } => {
            let id = app.rename_account(account, name.as_deref()).await?;
            (id, if name.is_some() { "is its name now" } else { "has no other name now" })
        }
        Accounts::Remove { account } => {
            let before = app.check_accounts().await;
            let id = app.remove_account(account).await?;
            let name = called(&before, id.as_str());
            let after = app.check_accounts().await;
            if format.json {
                say_json(&after)?;
            } else {
                say(format_args!("{name} is forgotten here"))?;
                if after.accounts.iter().any(|account| account.added_at.is_none() && is_ready(account)) {
                    say("The Codex CLI's login is used now, because there is no other account.")?;
                }
            }
            return Ok(Exit::Success);
        }
        Accounts::Pause { account } => (app.pause_account(account, true).await?, "is paused"),
        Accounts::Resume { account } => (app.pause_account(account, false).await?, "is in use again"),
        Accounts::Link { directory } => (app.link_account(directory.clone()).await?, "is linked"),
        Accounts::Retry { account } => (app.retry_account(account).await?, "is tried with the next request"),
        Accounts::Refresh { account } => (app.refresh_account(account).await?, "has a new token"),
    };
    let after = app.check_accounts().await;
    if format.json {
        say_json(&after)?;
    } else {
        say(format_args!("{} {what}", called(&after, id.as_str())))?;
    }
    Ok(Exit::Success)
}

fn is_ready(account: &AccountView) -> bool {
    account.state == AccountState::Ready
}

fn called(accounts: &AccountsView, id: &str) -> String {
    let account = accounts.accounts.iter().find(|account| account.id.as_str() == id);
    account.map_or_else(|| id.to_owned(), |account| dragoman::called(account, &accounts.accounts))
}

fn list(accounts: &AccountsView) -> String {
    if let [only] = &accounts.accounts[..]
        && only.state == AccountState::None
    {
        return "There is no account yet. Sign in with `dragoman login`, or with `codex login`.".to_owned();
    }
    let head = ["", "NAME", "ACCOUNT", "STATE", "ID"].map(str::to_owned);
    let rows = accounts.accounts.iter().enumerate().map(|(at, account)| {
        let mark = if account.id == accounts.in_use { "*" } else { " " };
        [
            format!("{mark}{}", at + 1),
            account.name.clone().unwrap_or_else(|| "–".to_owned()),
            described(&AccountView { name: None, ..account.clone() }, &[]), // its name stands beside it
            standing(account),
            account.id.to_string(),
        ]
    });
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    let mut text = table(&rows);
    text.push_str("\n\n* is in use.");
    for account in &accounts.accounts {
        if let AccountState::SignIn(message) | AccountState::Locked(message) = &account.state {
            text.push_str(&format!("\n{}: {message}", called(accounts, account.id.as_str())));
        }
    }
    text
}

fn standing(account: &AccountView) -> String {
    match (&account.state, account.paused, account.rest) {
        (AccountState::SignIn(_), ..) => "sign in again".to_owned(),
        (AccountState::Locked(_), ..) => "can't be read now".to_owned(),
        (AccountState::None, ..) => "signed out".to_owned(),
        (AccountState::Ready, true, _) => "paused".to_owned(),
        (AccountState::Ready, false, Some(rest)) => match rest.until {
            Some(until) => format!("at its limit, resets in {}", duration(until - now())),
            None => "at its limit".to_owned(),
        },
        (AccountState::Ready, false, None) if account.kind == AccountKind::ApiKey => {
            "ready, paid by use".to_owned()
        }
        (AccountState::Ready, false, None) => "ready".to_owned(),
    }
}
