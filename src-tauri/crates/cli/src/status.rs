//! `status`: the snapshot in words or as JSON, with the server wherever it runs.

use dragoman::settings::Entry;
use dragoman::{
    AccountKind, AccountState, AccountView, Error, Found, LimitWindow, Models, Running, STREAMS, Scope,
    SetUpStatus, Snapshot, Standing, Window,
};
use serde::Serialize;

use crate::args::{Common, Format};
use crate::words::{duration, grouped, now, say, say_json, table, window};
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
    models: &'a Models,
    hints: &'a [String],
}

/// `dragoman status`
pub(crate) async fn status(common: &Common, format: Format) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    let mut snapshot = Snapshot::clone(&app.snapshot().borrow());
    if let Some(found) = &running {
        // Only the process that serves has seen an answer that tells them.
        snapshot.limits.windows = found.health.windows.iter().map(limit).collect();
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
                models: &snapshot.models,
                hints: &snapshot.hints,
            },
            claude_code: set_up.as_ref().ok(),
            config_file: config_file.display().to_string(),
            settings: settings.entries(),
        })?;
    } else {
        let file = if config_file.exists() { "" } else { " (not there: defaults)" };
        let mut rows = vec![
            ["Server".to_owned(), server(running.as_ref())],
            ["Account".to_owned(), standing(&snapshot.account)],
        ];
        rows.extend(snapshot.limits.windows.iter().map(|limit| ["Limit".to_owned(), used(limit)]));
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

fn limit(window: &Window) -> LimitWindow {
    let Window { minutes, used_percent, resets_at } = *window;
    LimitWindow { name: None, minutes, used_percent, resets_at }
}

/// Whose subscription, in a few words.
pub(crate) fn account(account: &AccountView) -> String {
    let plan = account.plan.as_ref().map(|plan| format!("ChatGPT {}", capitalised(plan)));
    let who = match (&account.label, plan) {
        (Some(label), Some(plan)) => format!("{label}, {plan}"),
        (Some(label), None) => label.clone(),
        (None, Some(plan)) => plan,
        (None, None) => "a ChatGPT account".to_owned(),
    };
    match account.kind {
        AccountKind::Linked => format!("{who} (the Codex CLI's login)"),
        AccountKind::Own => who,
        AccountKind::ApiKey => {
            format!("{} (OpenAI API, paid by use)", account.label.as_deref().unwrap_or("an API key"))
        }
        AccountKind::Demo => "the built-in demo model".to_owned(),
    }
}

fn standing(view: &AccountView) -> String {
    match &view.state {
        AccountState::Ready => account(view),
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

fn used(limit: &LimitWindow) -> String {
    let name = limit.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    let resets =
        limit.resets_at.map(|at| format!(", resets in {}", duration(at - now()))).unwrap_or_default();
    format!("{name}{} {:.0} % used{resets}", window(limit.minutes), limit.used_percent)
}

fn families(snapshot: &Snapshot) -> String {
    let models = &snapshot.models;
    let family = |mapped: &dragoman::Mapped| {
        format!(
            "{} → {}",
            mapped.family,
            mapped.model.as_deref().unwrap_or("nothing (see `dragoman models`)")
        )
    };
    let families: Vec<_> = models.families.iter().map(family).collect();
    format!("{}; window {} tokens", families.join(", "), grouped(models.window))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
