//! The usage history on the real path: what was sent is in the database, once, however a request ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use support::fake::{Fail, FakeChatGpt, Gate, Reply, Rule, Usage};
use support::http::Whole;
use support::{Dragoman, EMAIL, Launch, TOKEN, message};

use crate::{SOON, streaming};

const SESSION: &str = "1fb6b981-be92-43db-a237-cf09d4886ef0";

fn file(launch: &Launch) -> PathBuf {
    launch.path().join("dragoman/state/history.db")
}

fn database(launch: &Launch) -> Connection {
    let path = file(launch);
    Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What is known of a request, in one line.
fn rows(launch: &Launch) -> Vec<String> {
    let database = database(launch);
    let mut statement = database
        .prepare(
            "SELECT request_id, status, coalesce(error, '-'), client, session, model, upstream_model, effort,
            input_tokens, cached_tokens, output_tokens, account IS NOT NULL, duration_ms >= 0 FROM requests ORDER BY id",
        )
        .unwrap();
    let word = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}").to_lowercase(),
    };
    let rows = statement.query_map([], |row| {
        let words = (0..13).map(|column| Ok(word(row.get(column)?)));
        Ok(words.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn count(launch: &Launch) -> i64 {
    if !file(launch).exists() {
        return 0;
    }
    let database = database(launch);
    database.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap_or(0)
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what} does not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn id(answer: &Whole) -> String {
    answer.headers.value("request-id").unwrap().to_owned()
}

#[tokio::test]
async fn every_request_is_in_the_history_once_however_it_ended() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    let usage = Usage { input: Some(1200), cached: 1000, output: Some(34), reasoning: 5 };
    let call = |body: &Value| {
        dragoman
            .messages(body)
            .header("user-agent", "claude-cli/2.1.329 (external, cli)")
            .header("x-claude-code-session-id", SESSION)
    };
    fake.script([Rule::any("whole").text("fine").usage(usage)]);
    let whole = call(&message("hi")).send().await;
    fake.script([Rule::any("stream").text("fine").usage(usage)]);
    let stream = call(&streaming("hi again")).send().await;
    fake.script([Rule::any("limit").fail(Fail::UsageLimit { resets_in: 3600 })]);
    let limited = call(&message("too much")).send().await;
    assert_eq!((whole.status, stream.status, limited.status), (200, 200, 429));
    // The account rests now: nothing goes upstream, and the request has ended all the same.
    fake.reply("/backend-api/wham/usage", [Reply::json(404, &json!({}))]);
    let resting = call(&message("still too much")).send().await;
    assert_eq!(resting.status, 429);
    let status = |id: &str, status: u16, error: &str, tokens: &str, tail: &str| {
        format!("{id} {status} {error} claude-cli {SESSION} claude-sonnet-5-5 {tail} {tokens} 1 1")
    };
    until("four rows", || count(dragoman.launch()) == 4).await;
    let kept = rows(dragoman.launch());
    let tail = |row: &str| row.split(' ').skip(6).take(2).collect::<Vec<_>>().join(" ");
    // Claude Code's session, neither tools nor thinking: background work.
    assert!(tail(&kept[0]).starts_with("gpt-6-luna "), "{kept:?}");
    let (known, unknown) = ("1200 1000 34", "null null null");
    assert_eq!(
        kept,
        [
            status(&id(&whole), 200, "-", known, &tail(&kept[0])),
            status(&id(&stream), 200, "-", known, &tail(&kept[1])),
            status(&id(&limited), 429, "rate_limit_error", unknown, &tail(&kept[2])),
            status(&id(&resting), 429, "rate_limit_error", unknown, &tail(&kept[3])),
        ]
    );
    dragoman.interrupt("TERM");
    dragoman.ended(SOON).await;
    assert_eq!(rows(dragoman.launch()), kept, "nothing comes twice at the end");
}

#[tokio::test]
async fn a_client_that_hangs_up_is_in_the_history_as_499() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let gate = Gate::shut();
    fake.script([Rule::any("a").text("first ").hold(&gate).text("last")]);
    let mut answer = dragoman.messages(&streaming("hi")).open().await;
    answer.until("content_block_delta", SOON).await;
    assert_eq!(count(dragoman.launch()), 0, "it has not ended yet");
    drop(answer);
    until("the row", || count(dragoman.launch()) == 1).await;
    let kept = rows(dragoman.launch());
    assert!(kept[0].contains(" 499 - "), "{kept:?}");
    gate.open();
}

#[tokio::test]
async fn a_request_that_reaches_no_account_is_in_the_history_too() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).start().await;
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 401);
    until("the row", || count(dragoman.launch()) == 1).await;
    let kept = rows(dragoman.launch());
    assert!(kept[0].contains(" 401 authentication_error "), "{kept:?}");
    assert!(kept[0].ends_with(" 0 1"), "no account: {kept:?}");
}

#[tokio::test]
async fn a_hundred_requests_at_once_are_a_hundred_rows() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let calls: Vec<_> = (0..100)
        .map(|number| tokio::spawn(dragoman.messages(&streaming(&format!("hi {number}"))).send()))
        .collect();
    let mut ids = Vec::new();
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        ids.push(id(&answer));
    }
    dragoman.interrupt("TERM");
    dragoman.ended(SOON).await;
    let mut kept: Vec<_> =
        rows(dragoman.launch()).iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect();
    ids.sort();
    kept.sort();
    assert_eq!(kept, ids);
}

/// The process dies at a random moment; what is on the disk is whole, and the next server goes on with it.
#[tokio::test]
async fn a_kill_while_rows_are_written_leaves_a_whole_file() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake);
    fake.script([Rule::any("a").always().text("fine")]);
    let mut sent = 0;
    for round in 0..4_u64 {
        let mut dragoman = launch.clone().start().await;
        let calls: Vec<_> = (0..60)
            .map(|number| tokio::spawn(dragoman.messages(&message(&format!("{round} {number}"))).send()))
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().status, 200);
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(250 * round)).await;
        dragoman.interrupt("KILL");
        dragoman.ended(SOON).await;
        let state: String = Connection::open(file(&launch))
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(state, "ok");
    }
    let dragoman = launch.start().await;
    dragoman.messages(&message("one more")).send().await;
    until("the new row", || {
        let database = database(dragoman.launch());
        let last = "SELECT count(*) FROM requests WHERE ended_at > (unixepoch() - 5) * 1000";
        database.query_row(last, [], |row| row.get::<_, i64>(0)).unwrap() > 0
    })
    .await;
    let kept = count(dragoman.launch());
    // A batch is written 500 ms after its first row at the latest: only the last rounds' ends can be missing.
    assert!(kept <= sent + 1 && kept >= sent / 4, "{kept} of {sent}");
    assert!(
        !support::files_below(dragoman.path())
            .iter()
            .any(|path| path.display().to_string().contains("damaged"))
    );
}

#[tokio::test]
async fn the_history_holds_no_content_no_token_and_no_address() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").text("canary-answer-77")]);
    dragoman
        .messages(&message("canary-prompt-77"))
        .header("user-agent", "canary agent/77 (me@example.com)")
        .send()
        .await;
    dragoman.interrupt("TERM");
    dragoman.ended(SOON).await;
    assert_eq!(count(dragoman.launch()), 1);
    let login = std::fs::read_to_string(dragoman.path().join("codex/auth.json")).unwrap();
    let login: Value = serde_json::from_str(&login).unwrap();
    let secrets = ["access_token", "refresh_token", "id_token", "account_id"]
        .map(|name| login["tokens"][name].as_str().unwrap().to_owned());
    for path in support::files_below(&dragoman.path().join("dragoman/state")) {
        if !path.display().to_string().contains("history") {
            continue;
        }
        let bytes = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let words = ["canary-answer-77", "canary-prompt-77", "me@example.com", EMAIL, TOKEN];
        for word in words.into_iter().chain(secrets.iter().map(String::as_str)) {
            assert!(!bytes.contains(word), "{word} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_damaged_history_is_told_and_stops_nothing() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake);
    std::fs::create_dir_all(file(&launch).parent().unwrap()).unwrap();
    std::fs::write(file(&launch), "not a database at all, but long enough to be taken for one".repeat(99))
        .unwrap();
    let dragoman = launch.start().await;
    fake.script([Rule::any("a").always().text("fine")]);
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200);
    until("the row", || count(dragoman.launch()) == 1).await;
    let logs: String = support::files_below(&dragoman.path().join("dragoman/logs"))
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(logs.contains("set aside"), "{logs}");
}

#[tokio::test]
async fn usage_is_shown_pruned_and_deleted_while_the_server_runs() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let usage = Usage { input: Some(2000), cached: 500, output: Some(10), reasoning: 0 };
    fake.script([Rule::any("a").always().text("fine").usage(usage)]);
    for _ in 0..3 {
        dragoman.messages(&message("hi")).send().await;
    }
    until("three rows", || count(dragoman.launch()) == 3).await;
    let run = |arguments: &[&str]| {
        let output = dragoman.launch().command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let report: Value = serde_json::from_str(&run(&["usage", "--by", "model", "--json"])).unwrap();
    assert_eq!((&report["by"], &report["enabled"]), (&json!("model"), &json!(true)));
    let row = &report["rows"][0];
    assert_eq!(row["key"], "gpt-6.1-terra");
    assert_eq!(
        (&row["requests"], &row["input_tokens"], &row["cached_share"]),
        (&json!(3), &json!(6000), &json!(0.25))
    );
    assert_eq!(report["total"]["output_tokens"], 30);
    let words = run(&["usage"]);
    assert!(
        words.contains("The last 30 days, by day:") && words.contains("6,000") && words.contains("25 %"),
        "{words}"
    );
    assert_eq!(run(&["usage", "--csv", "--by", "client"]).lines().count(), 2);
    let by_account = run(&["usage", "--by", "account"]);
    assert!(by_account.contains(EMAIL), "{by_account}");
    let by_account: Value = serde_json::from_str(&run(&["usage", "--by", "account", "--json"])).unwrap();
    assert_eq!(by_account["rows"][0]["name"], EMAIL);
    assert!(run(&["usage", "--prune"]).starts_with("Deleted 0 requests"));
    assert!(run(&["usage", "--delete"]).starts_with("Deleted 3 requests"));
    assert_eq!(run(&["usage"]).trim(), "No request ended in the last 30 days.");
    dragoman.messages(&message("hi")).send().await;
    until("the server to go on", || count(dragoman.launch()) == 1).await;
}
