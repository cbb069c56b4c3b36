use std::fs;
use std::path::Path;
use std::time::Instant;

use dragoman_protocol::anthropic::event::{ServerToolUse, Usage};
use dragoman_proxy::{Decider, Decision};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::settings;

mod damage;

fn finished(id: &str) -> Finished {
    Finished {
        request_id: id.to_owned(),
        model: "claude-opus-4-8".to_owned(),
        decision: Decision { decider: Decider::Catalog, passed: Vec::new(), cannot_search: None },
        upstream_model: "gpt-6.1-sol".to_owned(),
        client: "claude-cli".to_owned(),
        session: "s-1".to_owned(),
        account: Some("0a1b2c3d".to_owned()),
        effort: None,
        status: 200,
        error: None,
        first_output_ms: Some(12),
        duration_ms: 345,
        usage: Some(Usage {
            input_tokens: 100,
            cache_creation_input_tokens: 20,
            cache_read_input_tokens: 880,
            output_tokens: 7,
            reasoning_tokens: 0,
            server_tool_use: Some(ServerToolUse { web_search_requests: 2 }),
        }),
        notes: Vec::new(),
        notes_in_all: 3,
    }
}

fn row(id: &str, ended_at: &str) -> Row {
    Row::of(&finished(id), ended_at.parse::<Timestamp>().unwrap().as_millisecond())
}

fn reading(account: &str, read_at: i64, used_percent: f64) -> LimitPoint {
    LimitPoint {
        read_at,
        account: account.to_owned(),
        name: None,
        minutes: 300,
        used_percent,
        resets_at: Some(9000),
    }
}

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

struct House {
    directory: TempDir,
    settings: watch::Sender<Arc<Settings>>,
}

impl House {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), settings: watch::Sender::new(Arc::default()) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("state/history.db")
    }

    fn start(&self) -> History {
        History::start(self.path(), self.settings.subscribe()).unwrap()
    }

    fn bounds(&self, change: impl FnOnce(&mut settings::History)) {
        self.settings.send_modify(|settings| change(&mut Arc::make_mut(settings).history));
    }

    fn store(&self) -> Store {
        Store::open(&self.path()).unwrap().0
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory.path().join("state")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn count(history: &History) -> Option<i64> {
    let count = |store: &mut Store| {
        Ok(store.db().query_row("SELECT count(*) FROM requests", [], |row| row.get(0))?)
    };
    history.ask(count).await.unwrap()
}

fn all() -> UsageQuery {
    UsageQuery { since: 0, until: i64::MAX / 1000, every: None, by: None }
}

// === rows and sums ===

#[tokio::test]
async fn a_finished_request_is_written_whole_and_once() {
    let house = House::new();
    let history = house.start();
    let witness = history.witness();
    drop(witness);
    for _ in 0..2 {
        history.queue.finished(&finished("req_1"));
    }
    let mut bare = finished("req_2");
    (bare.usage, bare.account, bare.status, bare.error) = (None, None, 529, Some("overloaded_error"));
    history.queue.finished(&bare);
    assert_eq!(count(&history).await, Some(2));
    let sums = history.ask(|store| store.usage(all(), &TimeZone::UTC)).await.unwrap().unwrap();
    let totals = Totals {
        requests: 2,
        failed: 1,
        cancelled: 0,
        input_tokens: 1000,
        cached_tokens: 880,
        cache_write_tokens: 20,
        output_tokens: 7,
        searches: 2,
    };
    assert_eq!((sums.len(), sums[0].totals), (1, totals));
    assert_eq!(totals.cached_share(), Some(0.88));
    assert_eq!(history.state().borrow().today, totals, "everybody sees today's sums");
    assert_eq!(history.state().borrow().notice, None);
    let unknown = "SELECT count(*) FROM requests WHERE input_tokens IS NULL AND account IS NULL AND request_id = 'req_2'";
    let unknown =
        move |store: &mut Store| Ok(store.db().query_row(unknown, [], |row| row.get::<_, i64>(0))?);
    assert_eq!(history.ask(unknown).await.unwrap(), Some(1), "what is not known is not 0");
    history.stop().await;
}

#[test]
fn hours_and_days_are_those_of_the_clock_on_the_wall() {
    let house = House::new();
    let mut store = house.store();
    let rows = [
        row("a", "2026-10-24T21:59:59Z"), // 23:59:59 in Berlin
        row("b", "2026-10-24T22:00:00Z"), // midnight
        row("c", "2026-10-25T00:30:00Z"), // 02:30, summer time
        row("d", "2026-10-25T01:30:00Z"), // 02:30 again, winter time
        row("e", "2026-10-25T22:59:59Z"), // the last second of a day of 25 hours
    ];
    store.insert(&rows, &[]).unwrap();
    let counts = |every, zone: &str| {
        let query = UsageQuery { every: Some(every), ..all() };
        let points = store.usage(query, &TimeZone::get(zone).unwrap()).unwrap();
        points.into_iter().map(|point| (point.start.unwrap(), point.totals.requests)).collect::<Vec<_>>()
    };
    let days = [(second("2026-10-23T22:00:00Z"), 1), (second("2026-10-24T22:00:00Z"), 4)];
    assert_eq!(counts(Every::Day, "Europe/Berlin"), days);
    let hours = [
        (second("2026-10-24T21:00:00Z"), 1),
        (second("2026-10-24T22:00:00Z"), 1),
        (second("2026-10-25T00:00:00Z"), 1),
        (second("2026-10-25T01:00:00Z"), 1),
        (second("2026-10-25T22:00:00Z"), 1),
    ];
    assert_eq!(counts(Every::Hour, "Europe/Berlin"), hours);
    // 5 h 45 min ahead: its midnight is at 18:15.
    assert_eq!(
        counts(Every::Day, "Asia/Kathmandu"),
        [(second("2026-10-24T18:15:00Z"), 4), (second("2026-10-25T18:15:00Z"), 1)]
    );
}

#[test]
fn sums_are_told_apart_by_model_account_session_and_client() {
    let house = House::new();
    let mut store = house.store();
    let mut rows: Vec<_> = (0..4).map(|n| row(&n.to_string(), "2026-11-25T12:00:00Z")).collect();
    rows[1].upstream_model = "gpt-5.5".to_owned();
    rows[2].account = None;
    rows[2].session = "s-2".to_owned();
    rows[3].client = "curl".to_owned();
    rows[3].status = 499;
    store.insert(&rows, &[]).unwrap();
    let keys = |by| {
        let points = store.usage(UsageQuery { by: Some(by), ..all() }, &TimeZone::UTC).unwrap();
        points.into_iter().map(|point| (point.key, point.totals.requests)).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(keys(By::Model), [(some("gpt-5.5"), 1), (some("gpt-6.1-sol"), 3)]);
    assert_eq!(keys(By::Account), [(None, 1), (some("0a1b2c3d"), 3)]);
    assert_eq!(keys(By::Session), [(some("s-1"), 3), (some("s-2"), 1)]);
    assert_eq!(keys(By::Client), [(some("claude-cli"), 3), (some("curl"), 1)]);
    let sums =
        store.usage(UsageQuery { since: second("2026-11-25T12:00:01Z"), ..all() }, &TimeZone::UTC).unwrap();
    assert_eq!(sums, [], "what is older does not count");
    let sums =
        store.usage(UsageQuery { until: second("2026-11-25T12:00:00Z"), ..all() }, &TimeZone::UTC).unwrap();
    assert_eq!(sums, [], "the end does not belong to it");
}

#[test]
fn today_begins_at_midnight_and_sees_what_others_write_and_delete() {
    let house = House::new();
    let (mut one, mut other) = (house.store(), house.store());
    let now: Timestamp = "2026-11-25T23:30:00Z".parse().unwrap();
    let requests = |store: &mut Store, now| store.today(now, &TimeZone::UTC).unwrap().requests;
    one.insert(&[row("a", "2026-11-24T23:59:59Z"), row("b", "2026-11-25T00:00:00Z")], &[]).unwrap();
    assert_eq!(requests(&mut one, now), 1);
    one.insert(&[row("c", "2026-11-25T08:00:00Z")], &[]).unwrap();
    assert_eq!(requests(&mut one, now), 2);
    other.insert(&[row("d", "2026-11-25T09:00:00Z")], &[]).unwrap();
    assert_eq!(requests(&mut one, now), 3);
    let tomorrow = "2026-11-26T00:10:00Z".parse().unwrap();
    assert_eq!(requests(&mut one, tomorrow), 0);
    other.delete().unwrap();
    assert_eq!(requests(&mut one, now), 0);
}

#[tokio::test]
async fn a_reading_is_written_if_it_tells_something_new() {
    let house = House::new();
    let history = house.start();
    let now = Timestamp::now().as_second() - 10_000;
    let readings = [
        reading("a", now, 5.0),
        reading("a", now + 10, 5.0),   // the same
        reading("b", now + 10, 5.0),   // another account
        reading("a", now + 20, 6.0),   // more
        reading("a", now + 15, 5.0),   // older than what is known
        reading("a", now + 3619, 6.0), // the same, not yet an hour later
        reading("a", now + 3620, 6.0), // an hour
    ];
    for reading in &readings {
        history.queue.limits(vec![reading.clone()]);
    }
    let kept = history.ask(move |store| store.limits(now, now + 10_000)).await.unwrap().unwrap();
    assert_eq!(kept, [0, 2, 3, 6].map(|number| readings[number].clone()));
    history.stop().await;
}

#[tokio::test]
async fn without_a_history_there_is_no_file_and_no_sum() {
    let house = House::new();
    house.bounds(|history| history.enabled = false);
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    history.queue.limits(vec![reading("a", 1, 1.0)]);
    history.look();
    assert_eq!(count(&history).await, None);
    assert!(!house.path().exists());
    house.bounds(|history| history.enabled = true);
    history.queue.finished(&finished("req_2"));
    assert_eq!(count(&history).await, Some(1), "the setting counts at once");
    history.stop().await;
}

#[tokio::test]
async fn the_end_writes_what_is_left() {
    let house = House::new();
    let history = house.start();
    for number in 0..700 {
        history.queue.finished(&finished(&number.to_string()));
    }
    history.stop().await;
    let rows: i64 =
        house.store().db().query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 700);
    history.queue.finished(&finished("late"));
    assert!(matches!(history.ask(|store| store.limits(0, 1)).await, Err(Error::Stopping)));
}

// === bounds ===

#[test]
fn pruning_keeps_the_youngest_rows_and_gives_the_room_back() {
    let house = House::new();
    let mut store = house.store();
    let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    let old: Vec<_> = (0..3000).map(|n| row(&format!("old {n}"), "2026-08-27T11:59:59Z")).collect();
    let young: Vec<_> = (0..500).map(|n| row(&format!("young {n}"), "2026-08-27T12:00:00Z")).collect();
    let readings: Vec<_> = (0..5).map(|n| reading("a", now.as_second() - n, 1.0)).collect();
    store.insert(&old, &readings).unwrap();
    store.insert(&young, &[reading("a", 1, 1.0)]).unwrap();
    let pages = |store: &Store| -> i64 {
        store.db().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    };
    let before = pages(&store);
    let bounds = settings::History { keep_days: 90, ..settings::History::default() };
    let removed = store.prune(&bounds, now).unwrap();
    assert_eq!(removed, Removed { requests: 3000, readings: 1, damaged_files: 0 });
    assert!(pages(&store) < before / 3, "{} of {before} pages are left", pages(&store));
    let removed = store.prune(&settings::History { max_rows: 100, ..bounds }, now).unwrap();
    assert_eq!(removed, Removed { requests: 400, readings: 0, damaged_files: 0 });
    let left = "SELECT count(*), min(request_id) FROM requests";
    let left: (i64, String) = store.db().query_row(left, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(left, (100, "young 400".to_owned()));
}

#[tokio::test]
async fn the_file_is_pruned_by_itself() {
    let house = House::new();
    house.bounds(|history| history.max_rows = 100);
    let history = house.start();
    for number in 0..1100 {
        history.queue.finished(&finished(&number.to_string()));
        if number % 500 == 0 {
            count(&history).await; // waits for the queue
        }
    }
    assert!(count(&history).await.unwrap() < 700);
    history.stop().await;
}

#[tokio::test]
async fn deleting_leaves_nothing_on_the_disk() {
    let house = House::new();
    let history = house.start();
    let mut request = finished("req_1");
    request.session = "canary-5f1e".to_owned();
    history.queue.finished(&request);
    assert_eq!(count(&history).await, Some(1));
    fs::write(house.path().with_file_name("history.db.damaged-20260101-000000"), "canary-5f1e").unwrap();
    history.queue.limits(vec![reading("a", Timestamp::now().as_second(), 5.0)]);
    let removed = history.ask(|store| store.delete()).await.unwrap();
    assert_eq!(removed, Some(Removed { requests: 1, readings: 1, damaged_files: 1 }));
    let left = history.ask(|store| store.limits(0, i64::MAX)).await.unwrap();
    assert_eq!(left, Some(Vec::new()));
    assert_eq!(history.state().borrow().today, Totals::default());
    for name in house.names() {
        let bytes = fs::read(house.directory.path().join("state").join(&name)).unwrap();
        assert!(memchr(&bytes, b"canary-5f1e").is_none(), "{name} still has it");
    }
    history.stop().await;
}

#[test]
fn deleting_gives_the_room_back() {
    let house = House::new();
    let mut store = house.store();
    let rows: Vec<_> = (0..2000).map(|n| row(&n.to_string(), "2026-11-25T12:00:00Z")).collect();
    store.insert(&rows, &[]).unwrap();
    let pages = |store: &Store| -> i64 {
        store.db().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    };
    let before = pages(&store);
    store.delete().unwrap();
    assert!(pages(&store) * 4 < before, "{} of {before} pages are left", pages(&store));
}

fn memchr(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

// === versions ===

#[test]
fn a_file_of_version_0_is_brought_up_to_date() {
    for prepare in [
        // Nothing at all, an empty database, one that somebody else put a table into.
        (|path: &Path| fs::write(path, "").unwrap()) as fn(&Path),
        |path| Connection::open(path).unwrap().execute_batch("VACUUM").unwrap(),
        |path| Connection::open(path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap(),
    ] {
        let house = House::new();
        fs::create_dir(house.directory.path().join("state")).unwrap();
        prepare(&house.path());
        let (mut store, set_aside) = Store::open(&house.path()).unwrap();
        assert_eq!(set_aside, None);
        store.insert(&[row("a", "2026-11-25T12:00:00Z")], &[]).unwrap();
        let version: i64 = store.db().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, schema::MIGRATIONS.len() as i64);
    }
}

#[test]
fn two_processes_that_start_at_once_make_one_file() {
    let house = House::new();
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let path = house.path();
            std::thread::spawn(move || {
                let (mut store, set_aside) = Store::open(&path).unwrap();
                store.insert(&[row(&number.to_string(), "2026-11-25T12:00:00Z")], &[]).unwrap();
                set_aside
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), None);
    }
    let rows: i64 =
        house.store().db().query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 8);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let house = House::new();
    house.store().db().pragma_update(None, "user_version", 99).unwrap();
    let history = house.start();
    history.queue.finished(&finished("req_1"));
    let asked = history.ask(|store| store.limits(0, 1)).await.unwrap_err().to_string();
    assert!(asked.contains("newer version"), "{asked}");
    let notice = history.state().borrow().notice.clone().unwrap();
    assert!(notice.contains("newer version") && notice.contains("answered as usual"), "{notice}");
    history.stop().await;
    let version: i64 = Connection::open(house.path())
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
    assert!(!house.names().iter().any(|name| name.contains("damaged")));
}
