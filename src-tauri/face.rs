//! What the tray shows of a snapshot: one sign and one line. Pure; the words of the tray are here.

use dragoman::{AccountKind, AccountState, LimitWindow, Server, Snapshot};
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Everything in the tray that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Face {
    /// Which icon.
    pub(crate) sign: Sign,
    /// The menu's first line.
    pub(crate) line: String,
    /// The check mark of "Dragoman on".
    pub(crate) on: bool,
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
    pub(crate) fn of(snapshot: &Snapshot, leaving: bool, now: &Zoned) -> Self {
        let running = snapshot.activity.requests_running;
        let face = |sign, line| Self { sign, line, on: matches!(snapshot.server, Server::On { .. }) };
        if leaving {
            let line = match running {
                0 => "Quitting".to_owned(),
                _ => format!("Quitting after {} · Quit again to end now", requests(running)),
            };
            return face(Sign::Off, line);
        }
        let address = match &snapshot.server {
            Server::Off => return face(Sign::Off, "Off".to_owned()),
            Server::Failed { message } => {
                return face(Sign::NeedsYou, shortened(&format!("Failed: {message}")));
            }
            Server::On { address } => address,
        };
        let account = &snapshot.account;
        let who = match (&account.label, account.kind) {
            (_, AccountKind::Demo) => "demo",
            (Some(label), _) => label.as_str(),
            (None, AccountKind::ApiKey) => "API key",
            (None, AccountKind::Linked | AccountKind::Own) => "no account",
        };
        match &account.state {
            AccountState::Ready => {}
            AccountState::SignIn(_) | AccountState::Locked(_) => {
                return face(Sign::NeedsYou, format!("Sign in again: {who}"));
            }
            AccountState::None => return face(Sign::NeedsYou, "Sign in with ChatGPT".to_owned()),
        }
        let window = fullest(&snapshot.limits.windows, now);
        match window {
            Some(window) if window.used_percent >= 100.0 => {
                face(Sign::Limit, format!("Limit reached{}", resets(window, now, true)))
            }
            _ if running > 0 => face(Sign::Working, format!("Working · {}", requests(running))),
            Some(window) if window.used_percent >= 80.0 => {
                let name = window.length();
                let line = format!("{name} limit {:.0} %{}", window.used_percent, resets(window, now, false));
                face(Sign::Near, line)
            }
            _ => face(Sign::On, format!("On · {address} · {who}")),
        }
    }

    /// How long the line stays true if the snapshot does not change; `None` = for ever.
    pub(crate) fn lasts(&self) -> Option<Duration> {
        matches!(self.sign, Sign::Near | Sign::Limit).then_some(Duration::from_secs(60))
    }
}

/// The account's own window that is used most and has not started anew since. Extra limits (with a name) bind one
/// model only.
fn fullest<'a>(windows: &'a [LimitWindow], now: &Zoned) -> Option<&'a LimitWindow> {
    let current = |window: &&LimitWindow| {
        window.name.is_none() && window.resets_at.is_none_or(|at| at > now.timestamp().as_second())
    };
    windows.iter().filter(current).max_by(|one, other| one.used_percent.total_cmp(&other.used_percent))
}

// === words ===

fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

/// ` · resets 16:10 (in 1 h 12 min)`; with the day's name if it is not today.
fn resets(window: &LimitWindow, now: &Zoned, relative: bool) -> String {
    let Some(at) = window.resets_at.and_then(|at| Timestamp::from_second(at).ok()) else {
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
mod tests {
    use super::*;
    use dragoman::{AccountView, Activity, AdminState, CatalogSource, Limits, Models, Totals};

    /// Friday, 2026-11-20, 14:58 in Berlin.
    fn now() -> Zoned {
        "2026-11-20T14:58:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    /// On, signed in, nothing to do.
    fn snapshot() -> Snapshot {
        Snapshot {
            version: "0",
            server: Server::On { address: ([127, 0, 0, 1], 3746).into() },
            admin: AdminState::Off,
            account: AccountView {
                label: Some("you@example.com".to_owned()),
                plan: Some("plus".to_owned()),
                ..AccountView::new(AccountKind::Linked, "you")
            },
            accounts: Vec::new(),
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
            hints: Vec::new(),
        }
    }

    fn used(minutes: u64, used_percent: f64, resets_in: i64) -> LimitWindow {
        let resets_at = Some(now().timestamp().as_second() + resets_in);
        LimitWindow { name: None, minutes, used_percent, resets_at }
    }

    #[track_caller]
    fn assert_face(snapshot: &Snapshot, sign: Sign, line: &str, on: bool) {
        let expected = Face { sign, line: line.to_owned(), on };
        assert_eq!(Face::of(snapshot, false, &now()), expected);
    }

    #[test]
    fn the_listener_decides_first() {
        let mut snapshot = snapshot();
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · you@example.com", true);
        snapshot.server = Server::Off;
        assert_face(&snapshot, Sign::Off, "Off", false);
        snapshot.server = Server::Failed { message: "127.0.0.1:3746 is busy".to_owned() };
        assert_face(&snapshot, Sign::NeedsYou, "Failed: 127.0.0.1:3746 is busy", false);
    }

    #[test]
    fn the_account_is_named_or_missed() {
        let mut snapshot = snapshot();
        snapshot.account.state = AccountState::SignIn("the login has ended".to_owned());
        assert_face(&snapshot, Sign::NeedsYou, "Sign in again: you@example.com", true);
        snapshot.account.state = AccountState::None;
        assert_face(&snapshot, Sign::NeedsYou, "Sign in with ChatGPT", true);
        snapshot.account.state = AccountState::Ready;
        snapshot.account.kind = AccountKind::Demo;
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · demo", true);
    }

    #[test]
    fn running_requests_are_counted() {
        let mut snapshot = snapshot();
        snapshot.activity.requests_running = 1;
        assert_face(&snapshot, Sign::Working, "Working · 1 request", true);
        snapshot.activity.requests_running = 3;
        assert_face(&snapshot, Sign::Working, "Working · 3 requests", true);
    }

    #[test]
    fn the_fullest_window_is_told() {
        let mut snapshot = snapshot();
        snapshot.limits.windows = vec![used(300, 86.2, 72 * 60), used(10_080, 34.0, 90_000)];
        assert_face(&snapshot, Sign::Near, "5-hour limit 86 % · resets 16:10", true);
        snapshot.limits.windows = vec![used(300, 100.0, 72 * 60)];
        assert_face(&snapshot, Sign::Limit, "Limit reached · resets 16:10 (in 1 h 12 min)", true);
        snapshot.limits.windows = vec![used(10_080, 100.0, 49 * 3_600)];
        assert_face(&snapshot, Sign::Limit, "Limit reached · resets Sun 15:58 (in 2 d 1 h)", true);
    }

    #[test]
    fn a_window_that_has_started_anew_and_an_extra_limit_are_not() {
        let mut snapshot = snapshot();
        let extra = LimitWindow { name: Some("spark".to_owned()), ..used(300, 100.0, 600) };
        snapshot.limits.windows = vec![used(300, 100.0, -1), extra];
        assert_face(&snapshot, Sign::On, "On · 127.0.0.1:3746 · you@example.com", true);
    }

    #[test]
    fn only_a_line_with_a_time_in_it_grows_old() {
        let mut snapshot = snapshot();
        assert_eq!(Face::of(&snapshot, false, &now()).lasts(), None);
        snapshot.limits.windows = vec![used(300, 100.0, 600)];
        assert_eq!(Face::of(&snapshot, false, &now()).lasts(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn quitting_says_what_it_waits_for() {
        let mut snapshot = snapshot();
        snapshot.activity.requests_running = 2;
        let line = Face::of(&snapshot, true, &now()).line;
        assert_eq!(line, "Quitting after 2 requests · Quit again to end now");
    }

    #[test]
    fn a_long_message_is_cut_at_a_letter() {
        assert_eq!(shortened(&"ä".repeat(90)), "ä".repeat(90));
        assert_eq!(shortened(&"ä".repeat(91)), "ä".repeat(89) + "…");
    }
}
