//! The tray's menu as data: what stands in it, in which order, in which words. Pure.
//!
//! Not here: the toolkit's items (`tray.rs`), what a click does (`acts.rs`), the first line (`face.rs`).

use dragoman::settings::Settings;
use dragoman::{
    AccountId, AccountKind, AccountState, Effort, Server, Shell, Snapshot, Standing as SetUpState, called,
};
use jiff::Zoned;

use crate::face::{current, resets};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A thin line between groups.
    Separator,
    /// Words that nobody can click.
    Words(String),
    /// Does something.
    Button(Act, String),
    /// Does something, and shows whether it holds.
    Check(Act, String, bool),
    /// Opens to the side.
    Group(String, Vec<Self>),
}

/// What a click asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Switch,
    SignIn,
    CancelSignIn,
    Use(AccountId),
    /// The model for every Claude name without a rule of its own; `None`: as the catalog says.
    Model(Option<String>),
    /// The effort, whatever the client asks for; `None`: as the client asks.
    Effort(Option<Effort>),
    SetUp,
    UndoSetUp,
    Copy(Shell),
    Open,
    Logs,
    AtLogin,
    Quit,
}

/// What the shell itself is doing, beside the snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Doing {
    /// Somebody signs in, begun from the menu.
    pub(crate) signing_in: bool,
    /// Does the program start at login? `None` where that can't be said.
    pub(crate) at_login: Option<bool>,
    /// So many clicks have been answered. The toolkit flips a check mark at the click, whatever comes of it.
    pub(crate) answered: u64,
}

/// So many models fit into a menu; the window shows all.
const MODELS: usize = 12;

/// The menu below its first line.
pub(crate) fn entries(snapshot: &Snapshot, settings: &Settings, doing: Doing, now: &Zoned) -> Vec<Entry> {
    let on = matches!(snapshot.server, Server::On { .. });
    let mut menu = vec![Entry::Separator, Entry::Check(Act::Switch, "Dragoman on".to_owned(), on)];
    let quota: Vec<_> = current(&snapshot.limits.windows, now)
        .map(|window| {
            let name = match &window.name {
                Some(name) => format!("{name}, {}", window.length()),
                None => window.length(),
            };
            Entry::Words(format!(
                "{name} {:.0} %{}",
                window.used_percent,
                resets(window.resets_at, now, false)
            ))
        })
        .collect();
    section(&mut menu, quota);
    section(&mut menu, vec![models(snapshot, settings), efforts(snapshot, settings)]);
    let mut set_up = accounts(snapshot, doing);
    set_up.push(match snapshot.claude_code {
        SetUpState::NotConnected => Entry::Button(Act::SetUp, "Set up Claude Code".to_owned()),
        SetUpState::PointedElsewhere => Entry::Button(Act::SetUp, "Set up Claude Code again".to_owned()),
        SetUpState::Connected | SetUpState::Suspended => {
            Entry::Button(Act::UndoSetUp, "Claude Code is set up ✓ · undo".to_owned())
        }
    });
    set_up.push(Entry::Group(
        "Copy environment for".to_owned(),
        [
            (Shell::Bash, "bash, zsh"),
            (Shell::Fish, "fish"),
            (Shell::Powershell, "PowerShell"),
            (Shell::Cmd, "cmd"),
            (Shell::Nu, "Nushell"),
        ]
        .map(|(shell, name)| Entry::Button(Act::Copy(shell), name.to_owned()))
        .into(),
    ));
    section(&mut menu, set_up);
    let mut program = vec![
        Entry::Button(Act::Open, "Open window".to_owned()),
        Entry::Button(Act::Logs, "Open logs".to_owned()),
    ];
    if let Some(at_login) = doing.at_login {
        program.push(Entry::Check(Act::AtLogin, "Start at login".to_owned(), at_login));
    }
    section(&mut menu, program);
    section(&mut menu, vec![Entry::Button(Act::Quit, "Quit".to_owned())]);
    menu
}

fn section(menu: &mut Vec<Entry>, entries: Vec<Entry>) {
    if !entries.is_empty() {
        menu.push(Entry::Separator);
        menu.extend(entries);
    }
}

fn models(snapshot: &Snapshot, settings: &Settings) -> Entry {
    let chosen = settings.models.default.as_ref().map(ToString::to_string);
    let mut entries = vec![
        Entry::Check(Act::Model(None), "As the catalog says".to_owned(), chosen.is_none()),
        Entry::Separator,
    ];
    let mut listed: Vec<(&str, &str)> =
        snapshot.models.listed.iter().take(MODELS).map(|model| (&*model.id, &*model.name)).collect();
    if let Some(chosen) = chosen.as_deref()
        && !listed.iter().any(|(id, _)| *id == chosen)
    {
        listed.push((chosen, chosen)); // a rule with more words in it, or a model that is gone
    }
    entries.extend(listed.into_iter().map(|(id, name)| {
        let act = Act::Model(Some(id.to_owned()));
        Entry::Check(act, name.to_owned(), chosen.as_deref() == Some(id))
    }));
    let now = chosen.as_deref().map_or_else(
        || "as the catalog says".to_owned(),
        |id| {
            snapshot
                .models
                .listed
                .iter()
                .find(|model| model.id == id)
                .map_or(id, |model| &model.name)
                .to_owned()
        },
    );
    Entry::Group(format!("Model: {now}"), entries)
}

fn efforts(snapshot: &Snapshot, settings: &Settings) -> Entry {
    let chosen = settings.models.effort;
    let mut offered: Vec<Effort> =
        snapshot.models.listed.iter().flat_map(|model| model.efforts.iter().copied()).chain(chosen).collect();
    offered.sort_unstable();
    offered.dedup();
    let mut entries = vec![
        Entry::Check(Act::Effort(None), "As Claude Code asks".to_owned(), chosen.is_none()),
        Entry::Separator,
    ];
    entries.extend(
        offered.into_iter().map(|effort| {
            Entry::Check(Act::Effort(Some(effort)), effort.to_string(), chosen == Some(effort))
        }),
    );
    let now = chosen.map_or_else(|| "as Claude Code asks".to_owned(), |effort| effort.to_string());
    Entry::Group(format!("Effort: {now}"), entries)
}

fn accounts(snapshot: &Snapshot, doing: Doing) -> Vec<Entry> {
    let account = &snapshot.account;
    if account.kind == AccountKind::Demo {
        return Vec::new(); // it answers without any
    }
    let sign_in = |words: &str| match doing.signing_in {
        true => Entry::Button(Act::CancelSignIn, "Cancel signing in".to_owned()),
        false => Entry::Button(Act::SignIn, words.to_owned()),
    };
    let known: Vec<_> =
        snapshot.accounts.iter().filter(|account| account.state != AccountState::None).collect();
    if known.is_empty() {
        return vec![sign_in("Sign in with ChatGPT…")];
    }
    let mut entries: Vec<Entry> = known
        .iter()
        .map(|one| {
            Entry::Check(Act::Use(one.id.clone()), called(one, &snapshot.accounts), one.id == account.id)
        })
        .collect();
    entries.extend([Entry::Separator, sign_in("Add an account…")]);
    let group = Entry::Group(format!("Account: {}", called(account, &snapshot.accounts)), entries);
    match &account.state {
        AccountState::SignIn(_) => vec![sign_in("Sign in again…"), group],
        AccountState::Ready | AccountState::Locked(_) | AccountState::None => vec![group],
    }
}

#[cfg(test)]
mod tests {
    use dragoman::{AccountView, Effort};

    use super::*;
    use crate::face::tests::{now, snapshot, used};

    /// The menu in words: groups open, what is checked with a mark.
    fn words(entries: &[Entry], depth: usize) -> Vec<String> {
        let indent = "  ".repeat(depth);
        entries
            .iter()
            .flat_map(|entry| match entry {
                Entry::Separator => vec![format!("{indent}--")],
                Entry::Words(text) => vec![format!("{indent}({text})")],
                Entry::Button(_, text) => vec![format!("{indent}{text}")],
                Entry::Check(_, text, on) => {
                    vec![format!("{indent}[{}] {text}", if *on { "x" } else { " " })]
                }
                Entry::Group(text, entries) => {
                    [vec![format!("{indent}{text} >")], words(entries, depth + 1)].concat()
                }
            })
            .collect()
    }

    fn menu(snapshot: &Snapshot, settings: &Settings, doing: Doing) -> String {
        words(&entries(snapshot, settings, doing, &now()), 0).join("\n")
    }

    #[test]
    fn the_whole_menu() {
        let mut snapshot = snapshot();
        snapshot.accounts = vec![
            snapshot.account.clone(),
            AccountView { name: Some("work".to_owned()), ..AccountView::new(AccountKind::Own, "work") },
        ];
        snapshot.limits.windows =
            vec![used(300, 74.4, 72 * 60), used(10_080, 34.0, 400_000), used(60, 99.0, -5)];
        snapshot.models.listed = vec![crate::face::tests::listed("gpt-6.1-sol", "GPT-6.1-Sol")];
        let doing = Doing { at_login: Some(true), ..Doing::default() };
        assert_eq!(
            menu(&snapshot, &Settings::default(), doing),
            "\
--
[x] Dragoman on
--
(5-hour 74 % · resets 16:10)
(weekly 34 % · resets Wed 06:04)
--
Model: as the catalog says >
  [x] As the catalog says
  --
  [ ] GPT-6.1-Sol
Effort: as Claude Code asks >
  [x] As Claude Code asks
  --
  [ ] low
  [ ] high
--
Account: you@example.com >
  [x] you@example.com
  [ ] work
  --
  Add an account…
Set up Claude Code
Copy environment for >
  bash, zsh
  fish
  PowerShell
  cmd
  Nushell
--
Open window
Open logs
[x] Start at login
--
Quit"
        );
    }

    #[test]
    fn signing_in_can_be_begun_repeated_and_cancelled() {
        let mut snapshot = snapshot();
        let has = |snapshot: &Snapshot, signing_in: bool, words: &str| {
            let doing = Doing { signing_in, ..Doing::default() };
            menu(snapshot, &Settings::default(), doing).lines().any(|line| line == words)
        };
        assert!(has(&snapshot, false, "Sign in with ChatGPT…"), "no account is in the list");
        assert!(has(&snapshot, true, "Cancel signing in"));
        snapshot.account.state = AccountState::SignIn("it has ended".to_owned());
        snapshot.accounts = vec![snapshot.account.clone()];
        assert!(has(&snapshot, false, "Sign in again…"));
        assert!(has(&snapshot, true, "Cancel signing in"));
        snapshot.account.kind = AccountKind::Demo;
        assert!(!has(&snapshot, false, "Sign in with ChatGPT…") && !has(&snapshot, false, "Sign in again…"));
    }

    #[test]
    fn the_set_up_is_offered_and_undone() {
        let mut snapshot = snapshot();
        for (state, words) in [
            (SetUpState::NotConnected, "Set up Claude Code"),
            (SetUpState::Connected, "Claude Code is set up ✓ · undo"),
            (SetUpState::Suspended, "Claude Code is set up ✓ · undo"),
            (SetUpState::PointedElsewhere, "Set up Claude Code again"),
        ] {
            snapshot.claude_code = state;
            let menu = menu(&snapshot, &Settings::default(), Doing::default());
            assert_eq!(
                menu.lines()
                    .filter(|line| line.contains("Claude Code") && !line.contains('>'))
                    .filter(|line| !line.contains("asks"))
                    .collect::<Vec<_>>(),
                [words]
            );
        }
    }

    #[test]
    fn what_was_chosen_is_marked_also_if_it_is_not_listed() {
        let mut snapshot = snapshot();
        snapshot.models.listed = vec![crate::face::tests::listed("gpt-6.1-sol", "GPT-6.1-Sol")];
        let mut settings = Settings::default();
        settings.models.default = Some("gpt-6.1-sol".parse().unwrap());
        settings.models.effort = Some(Effort::Xhigh);
        let all = menu(&snapshot, &settings, Doing::default());
        for line in [
            "Model: GPT-6.1-Sol >",
            "  [x] GPT-6.1-Sol",
            "Effort: xhigh >",
            "  [x] xhigh",
            "  [ ] As Claude Code asks",
        ] {
            assert!(all.lines().any(|other| other == line), "{line} is not in\n{all}");
        }
        settings.models.default = Some("gpt-9".parse().unwrap());
        assert!(menu(&snapshot, &settings, Doing::default()).contains("  [x] gpt-9"));
    }
}
