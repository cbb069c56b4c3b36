//! The routes, called as the window calls them.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use super::{Call, Door, Reply};
use crate::paths::Environment;
use crate::{App, BackendKind, Options};

async fn app() -> (tempfile::TempDir, App) {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        home: Some(directory.path().to_owned()),
        environment: Environment::default(),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        backend: Some(BackendKind::Demo),
        log_file: false,
        ..Options::default()
    };
    (directory, App::start(options).await.unwrap())
}

async fn call(door: &Door, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
    let call = Call { method: method.to_owned(), path: path.to_owned(), body: body.map(str::to_owned) };
    match door.call(call).await {
        Reply::Whole(answer) if answer.body.is_empty() => (answer.status, Value::Null),
        Reply::Whole(answer) => (answer.status, serde_json::from_str(&answer.body).unwrap()),
        Reply::Stream(_) => panic!("a stream"),
    }
}

#[tokio::test]
async fn the_switch_moves_and_the_stream_of_events_tells_so() {
    let (_home, app) = app().await;
    let door = app.door();
    let events = Call { method: "GET".to_owned(), path: "/admin/events".to_owned(), body: None };
    let Reply::Stream(mut events) = door.call(events).await else { panic!("no stream") };
    let mut state = async || -> Value {
        let event: Value = serde_json::from_str(&events.next().await.unwrap()).unwrap();
        assert_eq!(event["type"], "snapshot");
        event["snapshot"]["server"]["state"].clone()
    };
    assert_eq!(state().await, "off");
    let (status, server) = call(&door, "PUT", "/admin/server", Some(r#"{"on":true}"#)).await;
    assert_eq!((status, &server["state"]), (200, &Value::from("on")));
    let on = async { while state().await != "on" {} };
    tokio::time::timeout(Duration::from_secs(5), on).await.unwrap();
    app.shutdown(Duration::ZERO).await;
    let end = async { while events.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), end).await.expect("the stream ends with the program");
}

#[tokio::test]
async fn every_error_has_one_shape() {
    let (_home, app) = app().await;
    let door = app.door();
    for (method, path, body, status, kind) in [
        ("GET", "/admin/nothing", None, 404, "not_found"),
        ("POST", "/admin/snapshot", None, 405, "method_not_allowed"),
        ("PUT", "/admin/server", Some("{}"), 400, "bad_request"),
        ("PUT", "/admin/server", Some("no"), 400, "bad_request"),
        ("GET", "/admin/usage?every=minute", None, 400, "bad_request"),
        ("DELETE", "/admin/logins/7", None, 404, "not_found"),
        ("DELETE", "/admin/logins/x", None, 400, "bad_request"),
        ("PUT", "/admin/settings/log.level", Some(r#"{"value":"loud"}"#), 422, "settings"),
        ("POST", "/admin/accounts/nobody/use", None, 409, "account"),
    ] {
        let (answered, error) = call(&door, method, path, body).await;
        assert_eq!((answered, &error["error"]["kind"]), (status, &Value::from(kind)), "{method} {path}");
        assert!(error["error"]["message"].as_str().is_some_and(|words| words.len() > 10), "{error}");
    }
    let large = format!(r#"{{"value":"{}"}}"#, "x".repeat(super::answer::BODY));
    let (status, error) = call(&door, "PUT", "/admin/settings/log.level", Some(&large)).await;
    assert_eq!((status, &error["error"]["kind"]), (413, &Value::from("too_large")));
}

#[tokio::test]
async fn a_setting_is_set_told_and_reset() {
    let (_home, app) = app().await;
    let door = app.door();
    let (_, set) = call(&door, "PUT", "/admin/settings/log.level", Some(r#"{"value":"debug"}"#)).await;
    assert_eq!((&set["value"], &set["source"]["from"]), (&"debug".into(), &"file".into()));
    assert_eq!(app.settings().log.level.as_str(), "debug");
    let (_, reset) = call(&door, "DELETE", "/admin/settings/log.level", None).await;
    assert_eq!((&reset["value"], &reset["source"]["from"]), (&"info".into(), &"default".into()));
}

#[tokio::test]
async fn the_check_up_is_told_check_by_check() {
    let (_home, app) = app().await;
    let body = Some(r#"{"quick":true}"#.to_owned());
    let wish = Call { method: "POST".to_owned(), path: "/admin/doctor".to_owned(), body };
    let Reply::Stream(checks) = app.door().call(wish).await else { panic!("no stream") };
    let checks: Vec<Value> = checks.map(|check| serde_json::from_str(&check).unwrap()).collect().await;
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"Listener"));
    assert_eq!(names.last(), Some(&"Tray"));
}
