//! What the tray shows of a snapshot: one sign, one line, and the menu below it (`menu.rs`). Pure.

use dragoman::settings::Settings;
use dragoman::{AccountState, LimitWindow, Server, Snapshot, called};
use jiff::{Timestamp, Zoned};
use std::time::Duration;

use crate::menu::{self, Doing, Entry};

/// Everything in the tray that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Face {
    /// Which icon.
    pub(crate) sign: Sign,
    /// The menu's first line.
    pub(crate) line: String,
    /// The menu below it.
    pub(crate) menu: Vec<Entry>,
}

/// The states that an icon tells apart, by shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Not listening, as asked.
    Off,
    /// Listening, nothing to do.
    On,
    /// Requests are running.
    Working,
    /// A limit window is used to 80 % or more.
    Near,
    /// A limit window is used up.
    Limit,
    /// Someone must do something: sign in, free the port.
    NeedsYou,
}

impl Face {
    /// The face of this snapshot at this moment; `leaving` while streams end after Quit.
    pub(crate) fn of(
        snapshot: &Snapshot,
        settings: &Settings,
        doing: Doing,
        leaving: bool,
        now: &Zoned,
    ) -> Self {
        let (sign, line) = head(snapshot, leaving, now);
        Self { sign, line, menu: menu::entries(snapshot, settings, doing, now) }
    }

    /// How long it stays true if the snapshot does not change; `None` = for ever.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        let has_times = self.menu.iter().any(|entry| matches!(entry, Entry::Words(_)));
        (has_times || matches!(self.sign, Sign::Near | Sign::Limit)).then_some(Duration::from_secs(60))
    }
}

/// Sign and line.
fn head(snapshot: &Snapshot, leaving: bool, now: &Zoned) -> (Sign, String) {
    let running = snapshot.activity.running.len();
    if leaving {
        let line = match running {
            0 => "Quitting".to_owned(),
            _ => format!("Quitting after {} · Quit again to end now", requests(running)),
        };
        return (Sign::Off, line);
    }
    let address = match &snapshot.server {
        Server::Off => return (Sign::Off, "Off".to_owned()),
        Server::Failed { message } => {
            return (Sign::NeedsYou, shortened(&format!("Failed: {message}")));
        }
        Server::On { address } => address,
    };
    let account = &snapshot.account;
    let who = called(account, &snapshot.accounts);
    match &account.state {
        AccountState::Ready => {}
        AccountState::SignIn(_) => return (Sign::NeedsYou, format!("Sign in again: {who}")),
        // Signing in again would not help: the window says what does.
        AccountState::Locked(_) => return (Sign::NeedsYou, format!("The login can't be read: {who}")),
        AccountState::None => return (Sign::NeedsYou, "Sign in with ChatGPT".to_owned()),
    }
    let window = fullest(&snapshot.limits.windows, now);
    match window {
        Some(window) if window.used_percent >= 100.0 => {
            (Sign::Limit, format!("Limit reached{}", resets(window.resets_at, now, true)))
        }
        _ if running > 0 => {
            let rate = snapshot.activity.tokens_per_second;
            let rate = rate.map(|rate| format!(" · {rate} tokens/s")).unwrap_or_default();
            (Sign::Working, format!("Working · {}{rate}", requests(running)))
        }
        Some(window) if window.used_percent >= 80.0 => {
            let name = window.length();
            let line =
                format!("{name} limit {:.0} %{}", window.used_percent, resets(window.resets_at, now, false));
            (Sign::Near, line)
        }
        _ => (Sign::On, format!("On · {address} · {who}")),
    }
}

/// The account's own window that is used most and has not started anew since. Extra limits (with a name) bind one
/// model only.
fn fullest<'a>(windows: &'a [LimitWindow], now: &Zoned) -> Option<&'a LimitWindow> {
    let own = current(windows, now).filter(|window| window.name.is_none());
    own.max_by(|one, other| one.used_percent.total_cmp(&other.used_percent))
}

/// The windows that have not started anew since they were read.
pub(crate) fn current<'a>(windows: &'a [LimitWindow], now: &Zoned) -> impl Iterator<Item = &'a LimitWindow> {
    let now = now.timestamp().as_second();
    windows.iter().filter(move |window| window.resets_at.is_none_or(|at| at > now))
}

// === words ===

fn requests(count: usize) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

/// ` · resets 16:10 (in 1 h 12 min)`; with the day's name if it is not today.
pub(crate) fn resets(at: Option<i64>, now: &Zoned, relative: bool) -> String {
    let Some(at) = at.and_then(|at| Timestamp::from_second(at).ok()) else {
        return String::new();
    };
    let there = at.to_zoned(now.time_zone().clone());
    let format = if there.date() == now.date() { "%H:%M" } else { "%a %H:%M" };
    let mut words = format!(" · resets {}", there.strftime(format));
    if relative {
        let minutes = (at.as_second() - now.timestamp().as_second() + 59) / 60;
        let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
        words += &match (days, hours) {
            (0, 0) => format!(" (in {minutes} min)"),
            (0, _) => format!(" (in {hours} h {minutes} min)"),
            _ => format!(" (in {days} d {hours} h)"),
        };
    }
    words
}

/// A menu line has room for about so much; the window shows the rest.
fn shortened(text: &str) -> String {
    const ROOM: usize = 90;
    if text.chars().count() <= ROOM {
        return text.to_owned();
    }
    text.chars().take(ROOM - 1).chain(['…']).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use dragoman::{
        AccountKind, AccountView, Activity, CatalogSource, Decider, Dialect, Effort, Limits, Listed, Models,
        Ongoing, Standing, Totals,
    };

    /// Friday, 2026-11-20, 14:58 in Berlin.
    pub(crate) fn now() -> Zoned {
        "2026-11-20T14:58:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    /// On, signed in, nothing to do.
    pub(crate) fn snapshot() -> Snapshot {
        Snapshot {
            version: "0",
            server: Server::On { address: ([127, 0, 0, 1], 3746).into() },
            admin: Server::Off,
            account: AccountView {
                label: Some("you@example.com".to_owned()),
                plan: Some("plus".to_owned()),
                ..AccountView::new(AccountKind::Linked, "you")
            },
            accounts: Vec::new(),
            names: BTreeMap::new(),
            today: Totals::default(),
            limits: Limits::default(),
            activity: Activity::default(),
            models: Models {
                compact_at: None,
                effort: None,
                scenarios: Vec::new(),
                names: Vec::new(),
                source: CatalogSource::Bundled,
                window: 258_400,
                listed: Vec::new(),
                families: Vec::new(),
            },
            mcp: Vec::new(),
            update: dragoman::Update::Unavailable,
            claude_code: Standing::NotConnected,
            hints: Vec::new(),
        }
    }

    fn ongoing() -> Ongoing {
        Ongoing {
            id: "req_1".to_owned(),
            began_at: 0,
            client: String::new(),
            session: String::new(),
            model: "claude-opus-5-5".to_owned(),
            upstream_model: "gpt-6.1-sol".to_owned(),
            decider: Decider::Catalog,
            first_output_ms: None,
        }
    }

    pub(crate) fn listed(id: &str, name: &str) -> Listed {
        Listed {
            id: id.to_owned(),
            alias: String::new(),
            name: name.to_owned(),
            description: String::new(),
            window: 258_400,
            efforts: vec![Effort::Low, Effort::High],
            default_effort: None,
            tiers: Vec::new(),
            dialect: Dialect::Lite,
        }
    }

    pub(crate) fn used(minutes: u64, used_percent: f64, resets_in: i64) -> LimitWindow {
        let resets_at = Some(now().timestamp().as_second() + resets_in);
        LimitWindow { name: None, minutes, used_percent, resets_at }
    }

    #[track_caller]
    fn assert_face(snapshot: &Snapshot, sign: Sign, line: &str) {
        assert_eq!(head(snapshot, false, &now()), (sign, line.to_owned()));
    }

    fn face(snapshot: &Snapshot) -> Face {
        Face::of(snapshot, &Settings::default(), Doing::default(), false, &now())
    }

    #[test]
    fn the_listener_decides_first() {
        let mut snapshot = snapshot();
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · you@example.com");
        snapshot.server = Server::Off;
        assert_face(&snapshot, Sign::Off, "Off");
        snapshot.server = Server::Failed { message: "127.0.0.1:3746 is busy".to_owned() };
        assert_face(&snapshot, Sign::NeedsYou, "Failed: 127.0.0.1:3746 is busy");
    }

    #[test]
    fn the_account_is_named_or_missed() {
        let mut snapshot = snapshot();
        snapshot.account.state = AccountState::SignIn("the login has ended".to_owned());
        assert_face(&snapshot, Sign::NeedsYou, "Sign in again: you@example.com");
        snapshot.account.state = AccountState::Locked("unlock the keyring".to_owned());
        assert_face(&snapshot, Sign::NeedsYou, "The login can't be read: you@example.com");
        snapshot.account.state = AccountState::None;
        assert_face(&snapshot, Sign::NeedsYou, "Sign in with ChatGPT");
        snapshot.account.state = AccountState::Ready;
        snapshot.account.kind = AccountKind::Demo;
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · demo");
    }

    #[test]
    fn an_account_of_the_same_address_as_another_is_told_apart() {
        let mut snapshot = snapshot();
        let other = AccountView { plan: Some("business".to_owned()), ..snapshot.account.clone() };
        let other = AccountView { id: AccountView::new(AccountKind::Own, "them").id, ..other };
        snapshot.accounts = vec![snapshot.account.clone(), other];
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · you@example.com (Plus)");
    }

    #[test]
    fn running_requests_are_counted() {
        let mut snapshot = snapshot();
        snapshot.activity.running = vec![ongoing()];
        assert_face(&snapshot, Sign::Working, "Working · 1 request");
        snapshot.activity.running = vec![ongoing(), ongoing(), ongoing()];
        snapshot.activity.tokens_per_second = Some(84);
        assert_face(&snapshot, Sign::Working, "Working · 3 requests · 84 tokens/s");
    }

    #[test]
    fn the_fullest_window_is_told() {
        let mut snapshot = snapshot();
        snapshot.limits.windows = vec![used(300, 86.2, 72 * 60), used(10_080, 34.0, 90_000)];
        assert_face(&snapshot, Sign::Near, "5-hour limit 86 % · resets 16:10");
        snapshot.limits.windows = vec![used(300, 100.0, 72 * 60)];
        assert_face(&snapshot, Sign::Limit, "Limit reached · resets 16:10 (in 1 h 12 min)");
        snapshot.limits.windows = vec![used(10_080, 100.0, 49 * 3_600)];
        assert_face(&snapshot, Sign::Limit, "Limit reached · resets Sun 15:58 (in 2 d 1 h)");
    }

    #[test]
    fn a_window_that_has_started_anew_and_an_extra_limit_are_not() {
        let mut snapshot = snapshot();
        let extra = LimitWindow { name: Some("spark".to_owned()), ..used(300, 100.0, 600) };
        snapshot.limits.windows = vec![used(300, 100.0, -1), extra];
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · you@example.com");
    }

    #[test]
    fn only_a_line_with_a_time_in_it_grows_old() {
        let mut snapshot = snapshot();
        assert_eq!(face(&snapshot).lasts(), None);
        snapshot.limits.windows = vec![used(300, 100.0, 600)];
        assert_eq!(face(&snapshot).lasts(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn quitting_says_what_it_waits_for() {
        let mut snapshot = snapshot();
        snapshot.activity.running = vec![ongoing(), ongoing()];
        let (_, line) = head(&snapshot, true, &now());
        assert_eq!(line, "Quitting after 2 requests · Quit again to end now");
    }

    #[test]
    fn a_long_message_is_cut_at_a_letter() {
        assert_eq!(shortened(&"ä".repeat(90)), "ä".repeat(90));
        assert_eq!(shortened(&"ä".repeat(91)), "ä".repeat(89) + "…");
    }
}
