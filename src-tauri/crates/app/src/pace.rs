//! How fast the model writes: an estimate for people who watch, made from bytes. Not here: what a request used (its answer
//! says that at its end), and when this is asked.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Over how long it is taken: long enough to be calm, short enough to follow.
const OVER: Duration = Duration::from_secs(3);
/// Bytes of a token, roughly.
const BYTES: f64 = 4.0;

/// What was written at the last looks, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pace(VecDeque<(Instant, u64)>);

impl Pace {
    /// Tokens per second, if so many bytes were written by now; `None` if it is nothing, or not known yet.
    pub(crate) fn at(&mut self, now: Instant, written: u64) -> Option<u64> {
        self.0.push_back((now, written));
        while self.0.len() > 2 && now.duration_since(self.0[1].0) >= OVER {
            self.0.pop_front();
        }
        let (began, before) = *self.0.front()?;
        let seconds = now.duration_since(began).as_secs_f64();
        let rate = (written.saturating_sub(before) as f64 / BYTES / seconds).round();
        // Also without a second look: 0 / 0 is no number.
        (rate >= 1.0).then_some(rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_count_and_nothing_is_not_told() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        let told: Vec<_> = [0, 400, 800, 1200, 1200, 1200, 1200]
            .into_iter()
            .zip(0..)
            .map(|(written, second)| pace.at(begun + Duration::from_secs(second), written))
            .collect();
        assert_eq!(told, [None, Some(100), Some(100), Some(100), Some(67), Some(33), None]);
    }
}
