//! `status`: the snapshot in words or as JSON, with the server wherever it runs.

use std::io::IsTerminal as _;

use dragoman::settings::Entry;
use dragoman::{
    AccountKind, AccountState, AccountView, Error, Found, LimitWindow, Models, Options, Running, STREAMS,
    Scope, SetUpStatus, Snapshot, Standing, Totals, Window,
};
use jiff::Zoned;
use serde::Serialize;

use crate::args::{Common, Format};
use crate::limits::{self, Bars};
use crate::words::{duration, grouped, note, now, say, say_json, table};
use crate::{Exit, Trouble, look};

/// What `--json` prints. `server` is the process that listens, this command's own snapshot the rest.
#[derive(Serialize)]
struct Report<'a> {
    running: bool,
    server: Option<&'a Running>,
    #[serde(flatten)]
    snapshot: Rest<'a>,
    claude_code: Option<&'a SetUpStatus>,
    config_file: String,
    settings: Vec<Entry>,
}

/// The snapshot without what only the serving process knows.
#[derive(Serialize)]
struct Rest<'a> {
    version: &'a str,
    signed_in: bool,
    account: &'a AccountView,
    accounts: &'a [AccountView],
    limits: &'a dragoman::Limits,
    today: Today,
    models: &'a Models,
    hints: &'a [String],
}

#[derive(Serialize)]
struct Today {
    #[serde(flatten)]
    totals: Totals,
    cached_share: Option<f64>,
}

/// `dragoman status`
pub(crate) async fn status(common: &Common, format: Format, refresh: bool) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    if refresh {
        for (account, why) in app.refresh_limits().await {
            note(format_args!("dragoman: the limits of account {account} could not be read: {why}"));
        }
    }
    // What is wrong with the history is in the hints.
    let today = app.usage_today().await.unwrap_or_default();
    let mut snapshot = Snapshot::clone(&app.snapshot().borrow());
    if let Some(found) = &running
        && snapshot.limits.windows.is_empty()
    {
        // Nothing was kept yet: only the process that serves has seen an answer that tells them.
        let windows: Vec<_> = found.health.windows.iter().map(limit).collect();
        let mut in_use = snapshot.accounts.iter_mut().filter(|account| account.id == snapshot.account.id);
        if let Some(account) = in_use.next() {
            account.limits.windows.clone_from(&windows);
        }
        snapshot.account.limits.windows.clone_from(&windows);
        snapshot.limits.windows = windows;
    }
    let running = running.map(|Found { running, .. }| running);
    let settings = app.settings();
    let config_file = app.paths().config_file();
    let set_up = app.set_up(Scope::User).await;
    app.shutdown(STREAMS).await;
    let signed_in = snapshot.account.state == AccountState::Ready;
    if format.json {
        say_json(&Report {
            running: running.is_some(),
            server: running.as_ref(),
            snapshot: Rest {
                version: snapshot.version,
                signed_in,
                account: &snapshot.account,
                accounts: &snapshot.accounts,
                limits: &snapshot.limits,
                today: Today { totals: today, cached_share: today.cached_share() },
                models: &snapshot.models,
                hints: &snapshot.hints,
            },
            claude_code: set_up.as_ref().ok(),
            config_file: config_file.display().to_string(),
            settings: settings.entries(),
        })?;
    } else {
        let file = if config_file.exists() { "" } else { " (not there: defaults)" };
        let utf8 = Options::default().environment.speaks_utf8();
        let bars = if utf8 && std::io::stdout().is_terminal() { Bars::Blocks } else { Bars::Ascii };
        let mut rows = vec![["Server".to_owned(), server(running.as_ref())]];
        rows.extend(accounts(&snapshot, bars, &Zoned::now()));
        rows.push(["Today".to_owned(), used(&today)]);
        rows.push(["Models".to_owned(), families(&snapshot)]);
        rows.push(["Claude Code".to_owned(), claude_code(&set_up)]);
        rows.push(["Settings".to_owned(), format!("{}{file}", config_file.display())]);
        rows.extend(snapshot.hints.iter().map(|hint| ["Note".to_owned(), hint.clone()]));
        say(table(&rows))?;
    }
    Ok(match (&running, signed_in) {
        (None, _) => Exit::NoServer,
        (Some(_), false) => Exit::SignedOut,
        (Some(_), true) => Exit::Success,
    })
}

fn claude_code(set_up: &Result<SetUpStatus, Error>) -> String {
    let set_up = match set_up {
        Ok(set_up) => set_up,
        Err(error) => return error.to_string(),
    };
    let file = set_up.file.display();
    match set_up.state {
        Standing::NotConnected => "not connected; `dragoman connect` does it".to_owned(),
        Standing::Connected if set_up.changed.is_empty() => format!("connected · {file}"),
        Standing::Connected => format!("connected · {file}, changed since: {}", set_up.changed.join(", ")),
        Standing::Suspended => format!("goes to Anthropic while Dragoman is off · {file}"),
        Standing::PointedElsewhere => format!("was connected, and points elsewhere since · {file}"),
    }
}

/// Each account with its standing, and below it its limits.
fn accounts(snapshot: &Snapshot, bars: Bars, now: &Zoned) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    for account in &snapshot.accounts {
        let is_one_of_many = snapshot.accounts.len() > 1;
        let mut words = standing(account, &snapshot.accounts);
        if is_one_of_many && account.id == snapshot.account.id {
            words += " · in use";
        }
        if account.paused {
            words += " · paused";
        }
        rows.push(["Account".to_owned(), words]);
        let has_limits = !matches!(account.kind, AccountKind::ApiKey) && account.state != AccountState::None;
        let lines = has_limits.then(|| limits::in_words(&account.limits, bars, now));
        rows.extend(lines.into_iter().flatten().map(|line| [String::new(), line]));
    }
    rows
}

/// `3 requests · 6,000 tokens in (25 % cached), 30 out`
fn used(today: &Totals) -> String {
    let requests = if today.requests == 1 {
        "1 request".to_owned()
    } else {
        format!("{} requests", grouped(today.requests))
    };
    let cached =
        today.cached_share().map(|share| format!(" ({:.0} % cached)", share * 100.0)).unwrap_or_default();
    let (input, output) = (grouped(today.input_tokens), grouped(today.output_tokens));
    format!("{requests} · {input} tokens in{cached}, {output} out")
}

fn limit(window: &Window) -> LimitWindow {
    let Window { minutes, used_percent, resets_at } = *window;
    LimitWindow { name: None, minutes, used_percent, resets_at }
}

/// Whose subscription, in a few words.
pub(crate) fn account(account: &AccountView, among: &[AccountView]) -> String {
    let name = dragoman::called(account, among);
    let plan = account.plan.as_ref().map(|plan| format!(", ChatGPT {}", capitalised(plan)));
    let who = name.clone() + plan.as_deref().unwrap_or_default();
    match account.kind {
        AccountKind::Linked => format!("{who} (the Codex CLI's login)"),
        AccountKind::Own => who,
        AccountKind::ApiKey => format!("{name} (OpenAI API, paid by use)"),
        AccountKind::Demo => "the built-in demo model".to_owned(),
    }
}

fn standing(view: &AccountView, among: &[AccountView]) -> String {
    match &view.state {
        AccountState::Ready => account(view, among),
        AccountState::SignIn(message) | AccountState::Locked(message) => message.clone(),
        AccountState::None => "no one is signed in; run `dragoman login`".to_owned(),
    }
}

fn server(running: Option<&Running>) -> String {
    match running {
        Some(running) => {
            let demo = if running.demo { ", demo" } else { "" };
            let age = duration(now() - running.started_at);
            format!("on · http://{} (process {}, for {age}{demo})", running.address, running.pid)
        }
        None => "off; start it with `dragoman serve`".to_owned(),
    }
}

fn families(snapshot: &Snapshot) -> String {
    let models = &snapshot.models;
    let family = |mapped: &dragoman::Mapped| {
        format!("{} → {}", mapped.asks, mapped.model.as_deref().unwrap_or("nothing (see `dragoman models`)"))
    };
    let families: Vec<_> = models.families.iter().map(family).collect();
    format!("{}; window {} tokens", families.join(", "), grouped(models.window))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
