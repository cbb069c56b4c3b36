//! An open history: rows in, sums out. Blocking; lives on the history's own thread.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use super::file::{self, Opened};
use super::series::{self, LimitPoint, Totals, UsagePoint, UsageQuery};
use super::trouble::Trouble;
use crate::settings;

/// Numbers and names of one request that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) request_id: String,
    /// Unix milliseconds.
    pub(crate) ended_at: i64,
    pub(crate) client: String,
    pub(crate) session: String,
    pub(crate) account: Option<String>,
    pub(crate) model: String,
    pub(crate) upstream_model: String,
    pub(crate) effort: Option<String>,
    pub(crate) status: u16,
    pub(crate) error: Option<&'static str>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) first_output_ms: Option<i64>,
    pub(crate) duration_ms: i64,
    pub(crate) notes: i64,
    pub(crate) searches: i64,
}

/// Tokens as the backend counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// All of them, the next two included.
    pub(crate) input: i64,
    pub(crate) cached: i64,
    pub(crate) cache_write: i64,
    pub(crate) output: i64,
}

/// How many rows went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Removed {
    /// Requests.
    pub requests: u64,
    /// Readings of limits.
    pub readings: u64,
    /// Damaged files that had been set aside.
    pub damaged_files: u64,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    path: PathBuf,
    identity: Option<(u64, u64)>,
    today: Option<Today>,
}

/// Today's sums, kept so that each new row costs no more than itself.
#[derive(Debug, Clone, Copy)]
struct Today {
    midnight: i64,
    /// The last row that is in the sums.
    last: i64,
    /// SQLite's mark of what other processes changed.
    version: i64,
    totals: Totals,
}

impl Store {
    /// Opens or makes the file. Tells where a damaged one went.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<PathBuf>), Trouble> {
        let Opened { db, set_aside } = file::open(path)?;
        Ok((Self { db, path: path.to_owned(), identity: identity(path), today: None }, set_aside))
    }

    /// All of it or nothing. A row that is there already stays as it is.
    pub(super) fn insert(&mut self, rows: &[Row], readings: &[LimitPoint]) -> Result<(), Trouble> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert_rows(&transaction, rows)?;
        insert_readings(&transaction, readings)?;
        transaction.commit()?;
        Ok(())
    }

    /// The sums since midnight, with what other processes wrote.
    pub(crate) fn today(&mut self, now: Timestamp, zone: &TimeZone) -> Result<Totals, Trouble> {
        let midnight = series::midnight(now, zone);
        let version = self.db.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let known = self.today.filter(|today| today.midnight == midnight && today.version == version);
        let mut today = known.unwrap_or(Today { midnight, last: 0, version, totals: Totals::default() });
        let columns = Totals::COLUMNS;
        let (last, new) = self
            .db
            .prepare_cached(&format!(
                "SELECT max(id), {columns} FROM requests WHERE ended_at >= ?1 AND id > ?2"
            ))?
            .query_row([midnight * 1000, today.last], |row| {
                Ok((row.get::<_, Option<i64>>(0)?, Totals::read(row, 1)?))
            })?;
        today.totals.add(&new);
        today.last = last.unwrap_or(today.last);
        self.today = Some(today);
        Ok(today.totals)
    }

    pub(crate) fn usage(&self, query: UsageQuery, zone: &TimeZone) -> Result<Vec<UsagePoint>, Trouble> {
        Ok(series::usage(&self.db, query, zone)?)
    }

    pub(crate) fn limits(&self, since: i64, until: i64) -> Result<Vec<LimitPoint>, Trouble> {
        Ok(series::limits(&self.db, since, until)?)
    }

    /// Removes what is older or more than the settings allow, and gives the room back to the disk.
    pub(crate) fn prune(&mut self, bounds: &settings::History, now: Timestamp) -> Result<Removed, Trouble> {
        let oldest = now.as_second() - i64::from(bounds.keep_days) * 86_400;
        let most = i64::from(bounds.max_rows);
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = Removed::default();
        let tables = [
            ("requests", "ended_at", oldest * 1000, &mut removed.requests),
            ("readings", "read_at", oldest, &mut removed.readings),
        ];
        for (table, time, oldest, count) in tables {
            let gone = transaction.execute(
                &format!(
                    "DELETE FROM {table} WHERE {time} < ?1
                    OR id <= (SELECT id FROM {table} ORDER BY id DESC LIMIT 1 OFFSET ?2)"
                ),
                [oldest, most],
            )?;
            *count = gone as u64;
        }
        transaction.commit()?;
        if removed != Removed::default() {
            self.today = None;
            self.shrink()?;
        }
        Ok(removed)
    }

    /// Removes everything, also from the file's free pages and its journal.
    pub(crate) fn delete(&mut self) -> Result<Removed, Trouble> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let removed = Removed {
            requests: transaction.execute("DELETE FROM requests", [])? as u64,
            readings: transaction.execute("DELETE FROM readings", [])? as u64,
            damaged_files: file::remove_damaged(&self.path)? as u64,
        };
        transaction.commit()?;
        self.today = None;
        self.db.execute_batch("VACUUM")?;
        self.checkpoint()?;
        Ok(removed)
    }

    fn shrink(&self) -> Result<(), Trouble> {
        // Frees one page a step.
        let mut statement = self.db.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        self.checkpoint()
    }

    /// The journal goes into the file. If another process reads just then, what is left goes with the next one.
    fn checkpoint(&self) -> Result<(), Trouble> {
        let busy: bool = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            tracing::debug!("another process reads the usage history; its journal stays for now");
        }
        Ok(())
    }

    /// Is this still the file of that name? Somebody may have removed it, or another process set it aside.
    pub(super) fn is_current(&self) -> bool {
        identity(&self.path) == self.identity
    }

    #[cfg(test)]
    pub(super) fn db(&self) -> &Connection {
        &self.db
    }
}

/// What tells the file from another one of its name. Windows does not let an open file go.
fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    fs::metadata(path).ok().map(|_| (0, 0))
}

fn insert_rows(transaction: &Transaction<'_>, rows: &[Row]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO requests (request_id, ended_at, client, session, account, model, upstream_model, effort, status,
            error, input_tokens, cached_tokens, cache_write_tokens, output_tokens, first_output_ms, duration_ms, notes,
            searches)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
        ON CONFLICT (request_id) DO NOTHING",
    )?;
    for row in rows {
        let tokens = row.tokens;
        insert.execute(params![
            row.request_id,
            row.ended_at,
            row.client,
            row.session,
            row.account,
            row.model,
            row.upstream_model,
            row.effort,
            row.status,
            row.error,
            tokens.map(|tokens| tokens.input),
            tokens.map(|tokens| tokens.cached),
            tokens.map(|tokens| tokens.cache_write),
            tokens.map(|tokens| tokens.output),
            row.first_output_ms,
            row.duration_ms,
            row.notes,
            row.searches,
        ])?;
    }
    Ok(())
}

fn insert_readings(transaction: &Transaction<'_>, readings: &[LimitPoint]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO readings (read_at, account, name, minutes, used_percent, resets_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for reading in readings {
        let LimitPoint { read_at, account, name, minutes, used_percent, resets_at } = reading;
        let minutes = i64::try_from(*minutes).unwrap_or(i64::MAX);
        insert.execute(params![read_at, account, name, minutes, used_percent, resets_at])?;
    }
    Ok(())
}
