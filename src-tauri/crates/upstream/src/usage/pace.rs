//! When the usage page of an account is asked next. Pure: times are passed in.

use std::time::Duration;

use tokio::time::Instant;

/// While a limit holds: it may be lifted early (P6 asks for five minutes at most).
const LIMITED: Duration = Duration::from_secs(4 * 60);
/// When somebody looks, what is shown is no older than this.
const LOOKED_AT: Duration = Duration::from_secs(5 * 60);
/// While requests flow their headers tell the windows; the page adds credits and further limits.
const IN_USE: Duration = Duration::from_secs(30 * 60);
/// After a failure, doubled with each further one.
const FAILED: Duration = Duration::from_secs(2 * 60);
/// The longest pause that failures make.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Why the page might be asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reasons {
    /// A limit of the account is known to be reached.
    pub(super) limited: bool,
    /// When somebody last looked.
    pub(super) looked: Option<Instant>,
    /// When the last request was answered.
    pub(super) used: Option<Instant>,
}

/// How one account's page was asked so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// When it was asked last, or when we began.
    asked: Instant,
    /// Was it ever read?
    read: bool,
    failures: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { asked: now, read: false, failures: 0 }
    }

    pub(super) fn asked(&self) -> Instant {
        self.asked
    }

    /// The page was asked.
    pub(super) fn answered(&mut self, is_ok: bool, now: Instant) {
        self.asked = now;
        self.read |= is_ok;
        self.failures = if is_ok { 0 } else { self.failures.saturating_add(1) };
    }

    /// The moment from which on the page should be asked; `None`: nobody needs it.
    pub(super) fn due(&self, reasons: Reasons) -> Option<Instant> {
        let since = |reason: Option<Instant>| reason.is_some_and(|at| at > self.asked);
        let fresh_enough = match (self.read, self.failures) {
            (false, 0) => Duration::ZERO,
            _ => LOOKED_AT,
        };
        let limited = reasons.limited.then(|| self.asked + LIMITED);
        let looked = reasons.looked.filter(|_| since(reasons.looked)).map(|_| self.asked + fresh_enough);
        let used = reasons.used.filter(|_| since(reasons.used)).map(|_| self.asked + IN_USE);
        let soonest = [limited, looked, used].into_iter().flatten().min()?;
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => LONGEST.min(FAILED * (1 << (failures - 1).min(5))),
        };
        Some(soonest.max(self.asked + pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_for_nobody() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.due(Reasons::default()), None);
        pace.answered(true, start + minutes(1));
        let before = Reasons { looked: Some(start), used: Some(start), ..Reasons::default() };
        assert_eq!(pace.due(before), None, "nobody has looked since");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_asked_about_within_five_minutes() {
        let start = Instant::now();
        let limited = Reasons { limited: true, ..Reasons::default() };
        let mut pace = Pace::new(start);
        assert!(pace.due(limited).unwrap() <= start + minutes(5));
        pace.answered(true, start + minutes(4));
        assert!(pace.due(limited).unwrap() <= start + minutes(9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_is_answered_at_once_and_then_every_five_minutes_at_most() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let looked = |at| Reasons { looked: Some(at), ..Reasons::default() };
        assert_eq!(pace.due(looked(start + minutes(1))), Some(start), "it is due");
        pace.answered(true, start + minutes(1));
        assert_eq!(pace.due(looked(start + minutes(2))), Some(start + minutes(6)));
        let used = Reasons { used: Some(start + minutes(2)), ..Reasons::default() };
        assert_eq!(pace.due(used), Some(start + minutes(31)));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_make_longer_and_longer_pauses() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let reasons = Reasons { limited: true, looked: Some(start + minutes(600)), used: None };
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pace.answered(false, start);
            pauses.push((pace.due(reasons).unwrap() - start).as_secs() / 60);
        }
        assert_eq!(pauses, [4, 4, 8, 16, 32, 60, 60]);
        pace.answered(true, start);
        assert_eq!(pace.due(reasons), Some(start + minutes(4)));
    }
}
