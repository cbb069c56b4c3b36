//! How full the limits of an account are, as bars.

use dragoman::{Credits, LimitWindow, Limits, ReachedLimit};
use jiff::{Timestamp, Zoned};

use crate::words::{duration, table};

/// How many cells a bar has.
const CELLS: usize = 20;

/// What a bar is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bars {
    /// `█████░░░░░`
    Blocks,
    /// `[#####-----]`, for files, pipes and terminals without UTF-8.
    Ascii,
}

impl Bars {
    fn draw(self, percent: f64) -> String {
        // A bar is full only at the limit, and empty only without use.
        let cells = match percent {
            percent if percent >= 100.0 => CELLS,
            percent if percent <= 0.0 => 0,
            percent => ((percent / 100.0 * CELLS as f64).round() as usize).clamp(1, CELLS - 1),
        };
        let rest = CELLS - cells;
        match self {
            Self::Blocks => format!("{}{}", "█".repeat(cells), "░".repeat(rest)),
            Self::Ascii => format!("[{}{}]", "#".repeat(cells), "-".repeat(rest)),
        }
    }
}

/// A line for each window, then what else is known of the limits.
pub(crate) fn in_words(limits: &Limits, bars: Bars, now: &Zoned) -> Vec<String> {
    let second = now.timestamp().as_second();
    let windows = limits.windows.iter().zip(limits.windows_at(second));
    let rows: Vec<_> = windows.map(|(read, current)| row(read, &current, bars, now)).collect();
    let mut lines: Vec<String> = table(&rows).lines().map(str::to_owned).collect();
    if !limits.windows.iter().any(|window| window.name.is_none()) {
        lines.insert(0, "limits n/a".to_owned());
    }
    let mut rest: Vec<String> = limits.credits.iter().filter_map(credits).collect();
    rest.extend(limits.spending.as_ref().filter(|spending| spending.reached).map(|spending| {
        let limit = spending.limit.as_ref().map(|limit| format!(" of {limit}")).unwrap_or_default();
        format!("the workspace's spending limit{limit} is reached; its owner can raise it")
    }));
    rest.extend(limits.reached.as_ref().and_then(reached));
    rest.extend(limits.read_at.map(|at| age(second - at)));
    if !rest.is_empty() {
        lines.push(rest.join(" · "));
    }
    lines
}

fn row(read: &LimitWindow, current: &LimitWindow, bars: Bars, now: &Zoned) -> [String; 4] {
    let name = read.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    let percent = current.used_percent;
    [
        format!("{name}{}", read.length()),
        bars.draw(percent),
        // 100 % is said of a limit that is reached, and of no other.
        format!("{:>3.0} %", if percent < 100.0 { percent.min(99.0) } else { percent }),
        read.resets_at.map(|at| resets(at, now)).unwrap_or_default(),
    ]
}

/// `resets 16:10 (in 1 h 12 min)`; with the day if it is not today.
fn resets(at: i64, now: &Zoned) -> String {
    let left = at - now.timestamp().as_second();
    let Ok(moment) = Timestamp::from_second(at) else { return String::new() };
    let there = moment.to_zoned(now.time_zone().clone());
    let is_near = left.abs() < 6 * 86_400;
    let format = match there.date() == now.date() {
        true => "%H:%M",
        false if is_near => "%a %H:%M",
        false => "%Y-%m-%d %H:%M",
    };
    let clock = there.strftime(format);
    if left > 0 {
        format!("resets {clock} (in {})", duration(left))
    } else {
        format!("started anew {clock} ({} ago)", duration(-left))
    }
}

fn credits(credits: &Credits) -> Option<String> {
    match (&credits.balance, credits.unlimited, credits.has_credits) {
        (_, true, _) => Some("credits: unlimited".to_owned()),
        (Some(balance), _, true) => Some(format!("credits: {balance}")),
        (None, _, true) => Some("credits: some".to_owned()),
        (_, false, false) => None,
    }
}

fn reached(reached: &ReachedLimit) -> Option<String> {
    match reached {
        // The bars say it.
        ReachedLimit::Usage => None,
        ReachedLimit::WorkspaceCredits => {
            Some("the workspace's credits are used up; its owner can buy more".to_owned())
        }
        ReachedLimit::WorkspaceUsage => Some("the workspace's usage limit is reached".to_owned()),
        ReachedLimit::Unknown(word) => Some(format!("the backend says: {}", word.replace('_', " "))),
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        seconds if seconds < 60 => "read just now".to_owned(),
        seconds => format!("read {} ago", duration(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use dragoman::Spending;

    use super::*;

    fn now() -> Zoned {
        // A Wednesday.
        "2026-11-25T14:58:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    fn window(name: Option<&str>, minutes: u64, used_percent: f64, resets_in: Option<i64>) -> LimitWindow {
        let resets_at = resets_in.map(|seconds| now().timestamp().as_second() + seconds);
        LimitWindow { name: name.map(str::to_owned), minutes, used_percent, resets_at }
    }

    fn shown(limits: &Limits, bars: Bars) -> String {
        in_words(limits, bars, &now()).join("\n")
    }

    #[test]
    fn bars_show_use_reset_credits_and_age() {
        let limits = Limits {
            windows: vec![
                window(None, 300, 45.2, Some(72 * 60)),
                window(None, 10_080, 99.7, Some(4 * 86_400)),
                window(None, 43_200, 100.0, Some(20 * 86_400)),
                window(Some("GPT Fox"), 1_440, 0.3, None),
            ],
            credits: Some(Credits { has_credits: true, unlimited: false, balance: Some("12.50".into()) }),
            read_at: Some(now().timestamp().as_second() - 200),
            ..Limits::default()
        };
        let expected = "\
5-hour         █████████░░░░░░░░░░░   45 %  resets 16:10 (in 1 h 12 min)
weekly         ███████████████████░   99 %  resets Sun 14:58 (in 4 d)
30-day         ████████████████████  100 %  resets 2026-12-15 14:58 (in 20 d)
GPT Fox daily  █░░░░░░░░░░░░░░░░░░░    0 %
credits: 12.50 · read 3 min ago";
        assert_eq!(shown(&limits, Bars::Blocks), expected);
        let ascii = shown(&limits, Bars::Ascii);
        assert!(ascii.starts_with("5-hour         [#########-----------]   45 %  resets"), "{ascii}");
        assert!(ascii.lines().take(4).all(|line| line.is_ascii()), "{ascii}");
    }

    #[test]
    fn what_is_not_known_is_not_0_percent() {
        assert_eq!(shown(&Limits::default(), Bars::Blocks), "limits n/a");
        let extra = Limits { windows: vec![window(Some("Fox"), 60, 5.0, None)], ..Limits::default() };
        assert!(shown(&extra, Bars::Blocks).starts_with("limits n/a\nFox 1-hour"));
    }

    #[test]
    fn a_window_whose_time_has_come_is_shown_as_reset() {
        let limits = Limits { windows: vec![window(None, 300, 100.0, Some(-300))], ..Limits::default() };
        assert_eq!(
            shown(&limits, Bars::Ascii),
            "5-hour  [--------------------]    0 %  started anew 14:53 (5 min ago)"
        );
    }

    #[test]
    fn a_workspace_says_what_is_used_up() {
        let limits = Limits {
            spending: Some(Spending { reached: true, limit: Some("25".into()) }),
            reached: Some(ReachedLimit::WorkspaceCredits),
            ..Limits::default()
        };
        assert_eq!(
            shown(&limits, Bars::Blocks),
            "limits n/a\nthe workspace's spending limit of 25 is reached; its owner can raise it · the workspace's \
             credits are used up; its owner can buy more"
        );
    }
}
