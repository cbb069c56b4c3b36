//! What is asked of the history: sums over a stretch of time, by hour or day, by model, account, session or client.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, Unit, ZonedRound};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// Sums of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Totals {
    /// Requests that ended.
    pub requests: u64,
    /// Of these, ended by an error.
    pub failed: u64,
    /// Of these, ended by the client that left.
    pub cancelled: u64,
    /// Tokens read, with those from the cache.
    pub input_tokens: u64,
    /// Of these, from the cache.
    pub cached_tokens: u64,
    /// Of these, written to the cache.
    pub cache_write_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// Web searches.
    pub searches: u64,
}

impl Totals {
    /// The part of the input that came from the cache, from 0 to 1; `None` without input.
    pub fn cached_share(&self) -> Option<f64> {
        (self.input_tokens > 0).then(|| self.cached_tokens as f64 / self.input_tokens as f64)
    }

    /// These and those.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.output_tokens += other.output_tokens;
        self.searches += other.searches;
    }

    pub(super) const COLUMNS: &str = "count(*), sum(status >= 400 AND status <> 499), sum(status = 499), \
        sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(output_tokens), sum(searches)";

    /// Reads [`Self::COLUMNS`], the first of which is number `at`.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Self> {
        let number = |column: usize| {
            let sum: Option<i64> = row.get(at + column)?;
            Ok::<_, rusqlite::Error>(sum.and_then(|sum| u64::try_from(sum).ok()).unwrap_or_default())
        };
        Ok(Self {
            requests: number(0)?,
            failed: number(1)?,
            cancelled: number(2)?,
            input_tokens: number(3)?,
            cached_tokens: number(4)?,
            cache_write_tokens: number(5)?,
            output_tokens: number(6)?,
            searches: number(7)?,
        })
    }
}

/// What sums are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    /// From here on, unix seconds.
    pub since: i64,
    /// Up to here, unix seconds.
    pub until: i64,
    /// One sum for each stretch of time; `None`: one for all of it.
    pub every: Option<Every>,
    /// One sum for each what; `None`: one for all.
    pub by: Option<By>,
}

impl UsageQuery {
    /// The last days, today included, as one sum.
    pub fn last_days(days: u32) -> Self {
        let now = Timestamp::now();
        let today = now.to_zoned(TimeZone::system()).date();
        let first = today.checked_sub(jiff::Span::new().days(i64::from(days.clamp(1, 3650)) - 1));
        let begin = first.and_then(|first| first.to_zoned(TimeZone::system()));
        let since = begin.map_or(0, |begin| begin.timestamp().as_second());
        Self { since, until: now.as_second() + 1, every: None, by: None }
    }
}

/// A stretch of local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// An hour.
    Hour,
    /// A day, from midnight to midnight.
    Day,
}

/// What requests are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The model that answered.
    Model,
    /// The account's tag.
    Account,
    /// The session.
    Session,
    /// The program that asked.
    Client,
}

impl By {
    fn column(self) -> &'static str {
        match self {
            Self::Model => "upstream_model",
            Self::Account => "account",
            Self::Session => "session",
            Self::Client => "client",
        }
    }
}

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct UsagePoint {
    /// Where its stretch of time begins, unix seconds; `None`: it is for all of it.
    pub start: Option<i64>,
    /// The model, account, session or client; `None`: it is for all, or it is not known.
    pub key: Option<String>,
    /// When the last of its requests ended, unix seconds.
    pub last: i64,
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
}

/// One reading of one window of an account's limits.
#[derive(Debug, Clone, PartialEq, Serialize, TS, ToSchema)]
pub struct LimitPoint {
    /// When, unix seconds.
    pub read_at: i64,
    /// The account's tag.
    pub account: String,
    /// The extra limit; `None`: the account's own.
    pub name: Option<String>,
    /// The window's length.
    pub minutes: u64,
    /// How much was used.
    pub used_percent: f64,
    /// When it starts anew, unix seconds.
    pub resets_at: Option<i64>,
}

/// The offset of every time zone in use is a multiple of this: hours and days of all of them are made of such slots.
const SLOT_MS: i64 = 15 * 60 * 1000;

/// The sums, by time and then by key. What a stretch without requests has is not listed.
pub(super) fn usage(
    db: &Connection,
    query: UsageQuery,
    zone: &TimeZone,
) -> rusqlite::Result<Vec<UsagePoint>> {
    let UsageQuery { since, until, every, by } = query;
    let slot = if every.is_some() { format!("ended_at / {SLOT_MS}") } else { "0".to_owned() };
    let key = by.map_or("NULL", By::column);
    let columns = Totals::COLUMNS;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {slot} AS slot, {key} AS key, max(ended_at), {columns} FROM requests
        WHERE ended_at >= ?1 AND ended_at < ?2 GROUP BY slot, key"
    ))?;
    let mut points: BTreeMap<(Option<i64>, Option<String>), (i64, Totals)> = BTreeMap::new();
    let mut rows = statement.query([since.saturating_mul(1000), until.saturating_mul(1000)])?;
    while let Some(row) = rows.next()? {
        let slot: i64 = row.get(0)?;
        let start = every.map(|every| start(every, slot * (SLOT_MS / 1000), zone));
        let (last, totals) = points.entry((start, row.get(1)?)).or_default();
        *last = (*last).max(row.get::<_, i64>(2)? / 1000);
        totals.add(&Totals::read(row, 3)?);
    }
    let point = |((start, key), (last, totals))| UsagePoint { start, key, last, totals };
    Ok(points.into_iter().map(point).collect())
}

/// Where the hour or day begins that this moment lies in.
fn start(every: Every, second: i64, zone: &TimeZone) -> i64 {
    let unit = match every {
        Every::Hour => Unit::Hour,
        Every::Day => Unit::Day,
    };
    let round = ZonedRound::new().smallest(unit).mode(RoundMode::Trunc);
    let there = Timestamp::from_second(second).map(|moment| moment.to_zoned(zone.clone()));
    // Out of range is no date that a clock shows.
    there.and_then(|there| there.round(round)).map_or(second, |begin| begin.timestamp().as_second())
}

/// Where today begins, unix seconds.
pub(super) fn midnight(now: Timestamp, zone: &TimeZone) -> i64 {
    start(Every::Day, now.as_second(), zone)
}

/// The readings, oldest first.
pub(super) fn limits(db: &Connection, since: i64, until: i64) -> rusqlite::Result<Vec<LimitPoint>> {
    let mut statement = db.prepare_cached(
        "SELECT read_at, account, name, minutes, used_percent, resets_at FROM readings
        WHERE read_at >= ?1 AND read_at < ?2 ORDER BY read_at, id",
    )?;
    let points = statement.query_map([since, until], |row| {
        Ok(LimitPoint {
            read_at: row.get(0)?,
            account: row.get(1)?,
            name: row.get(2)?,
            minutes: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
            used_percent: row.get(4)?,
            resets_at: row.get(5)?,
        })
    })?;
    points.collect()
}
