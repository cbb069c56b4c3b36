//! `usage`: what was used, from the history: as a table, JSON or CSV; and what is kept of it.

use std::collections::HashMap;

use dragoman::{AccountView, App, By, Every, Removed, STREAMS, Totals, UsagePoint, UsageQuery};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::args::{Common, Grouping, Usage};
use crate::words::{columns, grouped, say, say_json};
use crate::{Exit, Trouble};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    by: Grouping,
    /// Unix seconds.
    since: i64,
    until: i64,
    /// Is a history kept at all?
    enabled: bool,
    file: String,
    rows: Vec<Line>,
    total: Sums,
}

#[derive(Serialize)]
struct Line {
    /// The day or hour (unix seconds), or `null`.
    start: Option<i64>,
    /// The model, account, session or client, or `null`.
    key: Option<String>,
    /// Of an account that is still there: what people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// When the last of its requests ended, unix seconds.
    last: i64,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Sums {
    #[serde(flatten)]
    totals: Totals,
    cached_share: Option<f64>,
}

impl From<Totals> for Sums {
    fn from(totals: Totals) -> Self {
        Self { totals, cached_share: totals.cached_share() }
    }
}

/// `dragoman usage`
pub(crate) async fn usage(common: &Common, usage: Usage) -> Result<Exit, Trouble> {
    let app = App::start(common.options()).await?;
    let done = work(&app, &usage).await;
    app.shutdown(STREAMS).await;
    done
}

async fn work(app: &App, usage: &Usage) -> Result<Exit, Trouble> {
    if usage.delete {
        let removed = app.delete_history().await?;
        say(format_args!("Deleted {} from the usage history.", counts(removed)))?;
        return Ok(Exit::Success);
    }
    if usage.prune {
        let removed = app.prune_history().await?;
        let bounds = app.settings().history.clone();
        let (days, rows) = (bounds.keep_days, grouped(bounds.max_rows.into()));
        say(format_args!(
            "Deleted {}. Kept are {days} days and at most {rows} rows of each kind.",
            counts(removed)
        ))?;
        return Ok(Exit::Success);
    }
    let (every, by) = match usage.by {
        Grouping::Day => (Some(Every::Day), None),
        Grouping::Hour => (Some(Every::Hour), None),
        Grouping::Model => (None, Some(By::Model)),
        Grouping::Account => (None, Some(By::Account)),
        Grouping::Session => (None, Some(By::Session)),
        Grouping::Client => (None, Some(By::Client)),
    };
    let query = UsageQuery { every, by, ..UsageQuery::last_days(usage.days) };
    let points = app.usage_series(query).await?;
    let mut total = Totals::default();
    points.iter().for_each(|point| total.add(&point.totals));
    let zone = TimeZone::system();
    let names = match usage.by {
        Grouping::Account => names(&app.snapshot().borrow().accounts),
        _ => HashMap::new(),
    };
    if usage.format.json {
        let enabled = app.settings().history.enabled;
        let line = |UsagePoint { start, key, last, totals }: UsagePoint| {
            let name = key.as_ref().and_then(|key| names.get(key).cloned());
            Line { start, key, name, last, sums: totals.into() }
        };
        let rows = points.into_iter().map(line).collect();
        let file = app.paths().history().display().to_string();
        let UsageQuery { since, until, .. } = query;
        say_json(&Report { by: usage.by, since, until, enabled, file, rows, total: total.into() })?;
    } else if usage.csv {
        say(csv(usage.by, &named(points, &names), &zone))?;
    } else if points.is_empty() {
        say(nothing(app, usage.days))?;
    } else {
        say(in_words(usage, &named(points, &names), &total, &zone))?;
    }
    Ok(Exit::Success)
}

/// What people call the accounts, by their ids.
fn names(accounts: &[AccountView]) -> HashMap<String, String> {
    let named = accounts.iter().map(|account| (account.id.to_string(), dragoman::called(account, accounts)));
    named.collect()
}

/// The same points for people: names in place of ids.
fn named(points: Vec<UsagePoint>, names: &HashMap<String, String>) -> Vec<UsagePoint> {
    let named = points.into_iter().map(|point| {
        let key = point.key.map(|key| names.get(&key).cloned().unwrap_or(key));
        UsagePoint { key, ..point }
    });
    named.collect()
}

fn nothing(app: &App, days: u32) -> String {
    if app.settings().history.enabled {
        format!("No request ended in the last {}.", plural(days.into(), "day"))
    } else {
        "No usage history is kept: the setting history.enabled is false.".to_owned()
    }
}

fn counts(Removed { requests, readings, damaged_files }: Removed) -> String {
    let mut words = format!("{} and {} of limits", plural(requests, "request"), plural(readings, "reading"));
    if damaged_files > 0 {
        words += &format!(", and {} that had been set aside", plural(damaged_files, "damaged file"));
    }
    words
}

fn plural(count: u64, word: &str) -> String {
    format!("{} {word}{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn in_words(usage: &Usage, points: &[UsagePoint], total: &Totals, zone: &TimeZone) -> String {
    let head = [
        usage.by.word().to_uppercase().as_str(),
        "REQUESTS",
        "FAILED",
        "TOKENS IN",
        "CACHED",
        "TOKENS OUT",
        "SEARCHES",
    ]
    .map(str::to_owned);
    let rows = points.iter().map(|point| cells(name(point, zone), &point.totals));
    let total = cells("total".to_owned(), total);
    let rows: Vec<_> = [head].into_iter().chain(rows).chain([total]).collect();
    let days = if usage.days == 1 { "Today".to_owned() } else { format!("The last {} days", usage.days) };
    format!("{days}, by {}:\n\n{}", usage.by.word(), columns(&rows))
}

fn cells(name: String, totals: &Totals) -> [String; 7] {
    let cached = totals.cached_share().map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
    [
        name,
        grouped(totals.requests),
        grouped(totals.failed),
        grouped(totals.input_tokens),
        cached,
        grouped(totals.output_tokens),
        grouped(totals.searches),
    ]
}

/// The first cell of a row.
fn name(point: &UsagePoint, zone: &TimeZone) -> String {
    match (point.start, &point.key) {
        (Some(start), _) => {
            let there = Timestamp::from_second(start).unwrap_or_default().to_zoned(zone.clone());
            let is_day = there.hour() == 0 && there.minute() == 0;
            there.strftime(if is_day { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" }).to_string()
        }
        (None, Some(key)) if !key.is_empty() => key.clone(),
        (None, _) => "unknown".to_owned(),
    }
}

fn csv(by: Grouping, points: &[UsagePoint], zone: &TimeZone) -> String {
    let head =
        "requests,failed,cancelled,input_tokens,cached_tokens,cache_write_tokens,output_tokens,searches";
    let mut lines = vec![format!("{},{head}", by.word())];
    lines.extend(points.iter().map(|point| {
        let Totals {
            requests,
            failed,
            cancelled,
            input_tokens,
            cached_tokens,
            cache_write_tokens,
            output_tokens,
            searches,
        } = point.totals;
        let name = quoted(&name(point, zone));
        format!(
            "{name},{requests},{failed},{cancelled},{input_tokens},{cached_tokens},{cache_write_tokens},{output_tokens},{searches}"
        )
    }));
    lines.join("\n")
}

/// RFC 4180; a spreadsheet would take a leading `=` for a formula.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    fn point(start: Option<i64>, key: Option<&str>, input_tokens: u64, cached_tokens: u64) -> UsagePoint {
        let totals = Totals {
            requests: 1200,
            failed: 1,
            cancelled: 2,
            input_tokens,
            cached_tokens,
            cache_write_tokens: 5,
            output_tokens: 6,
            searches: 7,
        };
        UsagePoint { start, key: key.map(str::to_owned), last: 9, totals }
    }

    #[test]
    fn a_table_has_its_numbers_at_the_right() {
        let usage = Usage {
            days: 30,
            by: Grouping::Model,
            format: Format { json: false },
            csv: false,
            delete: false,
            prune: false,
        };
        let points = [point(None, Some("gpt-6.1-sol"), 1_000_000, 880_000), point(None, None, 0, 0)];
        let mut total = points[0].totals;
        total.add(&points[1].totals);
        let expected = "\
The last 30 days, by model:

MODEL        REQUESTS  FAILED  TOKENS IN  CACHED  TOKENS OUT  SEARCHES
gpt-6.1-sol     1,200       1  1,000,000    88 %           6         7
unknown         1,200       1          0       –           6         7
total           2,400       2  1,000,000    88 %          12        14";
        assert_eq!(in_words(&usage, &points, &total, &TimeZone::UTC), expected);
    }

    #[test]
    fn accounts_are_called_by_their_names() {
        use dragoman::AccountKind::{Linked, Own};
        let account = |kind, name: Option<&str>, label: Option<&str>| AccountView {
            name: name.map(str::to_owned),
            label: label.map(str::to_owned),
            ..AccountView::new(kind, &format!("{name:?} {label:?}"))
        };
        let accounts = [
            account(Own, Some("work"), Some("me@example.com")),
            account(Own, None, Some("me@example.com")),
            account(Linked, None, Some("me@example.com")),
            account(Own, None, None),
        ];
        let ids: Vec<_> = accounts.iter().map(|account| account.id.to_string()).collect();
        let points =
            ids.iter().map(|id| point(None, Some(id), 1, 1)).chain([point(None, Some("00gone00"), 1, 1)]);
        let named = named(points.collect(), &names(&accounts));
        let keys: Vec<_> = named.iter().map(|point| point.key.clone().unwrap()).collect();
        let shared = |apart: &str| format!("me@example.com ({apart})");
        assert_eq!(keys, ["work", &shared("Dragoman"), &shared("Codex CLI"), "ChatGPT account", "00gone00"]);
    }

    #[test]
    fn csv_survives_every_name() {
        let points = [
            point(None, Some("a, \"b\""), 1, 2),
            point(None, Some("=1+1"), 1, 2),
            point(Some(1_795_564_800), None, 1, 2),
        ];
        let expected = "\
model,requests,failed,cancelled,input_tokens,cached_tokens,cache_write_tokens,output_tokens,searches
\"a, \"\"b\"\"\",1200,1,2,1,2,5,6,7
'=1+1,1200,1,2,1,2,5,6,7
2026-11-25,1200,1,2,1,2,5,6,7";
        assert_eq!(csv(Grouping::Model, &points, &TimeZone::UTC), expected);
    }
}
