//! The tables, as a list of steps: a file of any older version is brought up to date when it is opened.
//!
//! What is kept of a request are numbers and names. No content, no token, no address, no account: an account is its
//! eight-digit tag.

use rusqlite::{Connection, TransactionBehavior};

use super::trouble::Trouble;

/// Step n takes a file from version n to n + 1. Steps are only ever added.
pub(super) const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        request_id TEXT NOT NULL UNIQUE,    -- as in the request-id header: a row is written once
        ended_at INTEGER NOT NULL,          -- unix milliseconds
        client TEXT NOT NULL,               -- the program that asked, e.g. claude-cli
        session TEXT NOT NULL,
        account TEXT,                       -- its tag; NULL: no account was reached
        model TEXT NOT NULL,                -- what the client asked for
        upstream_model TEXT NOT NULL,       -- what answered
        effort TEXT,
        status INTEGER NOT NULL,            -- HTTP; 499: the client left
        error TEXT,                         -- Anthropic's word
        input_tokens INTEGER,               -- all input, with what came from the cache; NULL: not known
        cached_tokens INTEGER,              -- of these, read from the cache
        cache_write_tokens INTEGER,         -- of these, written to the cache
        output_tokens INTEGER,              -- reasoning included
        first_output_ms INTEGER,
        duration_ms INTEGER NOT NULL,
        notes INTEGER NOT NULL,             -- how many things were changed on the way
        searches INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX requests_by_time ON requests (ended_at);
    CREATE TABLE readings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        read_at INTEGER NOT NULL,           -- unix seconds
        account TEXT NOT NULL,              -- its tag
        name TEXT,                          -- the extra limit; NULL: the account's own
        minutes INTEGER NOT NULL,           -- the window's length
        used_percent REAL NOT NULL,
        resets_at INTEGER                   -- unix seconds
    ) STRICT;
    CREATE INDEX readings_by_time ON readings (read_at);
"];

/// Brings the file up to date. One process does it, a second one that opens the file at the same moment waits.
pub(super) fn migrate(db: &mut Connection) -> Result<(), Trouble> {
    let known = MIGRATIONS.len() as i64;
    if version(db)? == known {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let have = version(&transaction)?;
    let Ok(done) = usize::try_from(have) else { return Err(Trouble::Damaged(format!("version {have}"))) };
    if have > known {
        return Err(Trouble::Newer { version: have });
    }
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}
