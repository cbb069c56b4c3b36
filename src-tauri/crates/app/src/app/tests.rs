use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::paths;
use crate::settings::Source;

const SHORT: Duration = Duration::from_secs(5);

/// An app that answers by itself, with everything below one directory.
async fn app(home: &tempfile::TempDir, variables: &[(&str, &str)]) -> Result<App, Error> {
    App::start(options(home, variables)).await
}

fn options(home: &tempfile::TempDir, variables: &[(&str, &str)]) -> Options {
    let codex = home.path().join("codex");
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Options {
        home: Some(home.path().to_owned()),
        environment: variables.chain([(paths::CODEX_HOME.to_owned(), codex.display().to_string())]).collect(),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        admin_listen: Some(AdminListen::Off),
        backend: Some(BackendKind::Demo),
        client_token: None,
        verbose: 0,
        log_file: false,
    }
}

fn value<'v>(variables: &'v [(String, String)], name: &str) -> &'v str {
    variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.as_str()).unwrap()
}

#[tokio::test]
async fn the_switch_opens_and_closes_the_listener_at_once() {
    let home = tempfile::tempdir().unwrap();
    let app = app(&home, &[]).await.unwrap();
    let snapshot = app.snapshot();
    assert_eq!(snapshot.borrow().server, Server::Off);

    let address = app.turn_on().await.unwrap();
    assert_eq!(app.turn_on().await.unwrap(), address, "on stays on");
    assert_eq!(snapshot.borrow().server, Server::On { address });
    assert_eq!(value(&app.environment(), "ANTHROPIC_BASE_URL"), format!("http://{address}"));
    let found = Found::find(&app.inner.paths).await.unwrap();
    let running = &found.running;
    assert_eq!((running.address, running.pid, running.demo), (address, std::process::id(), true));
    assert_eq!(app.environment_of(&found), app.environment(), "another process tells the same");

    app.turn_off().await;
    assert_eq!(snapshot.borrow().server, Server::Off);
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens");
    assert!(!app.inner.paths.server().exists());

    app.turn_on().await.unwrap();
    app.shutdown(SHORT).await;
    assert_eq!(snapshot.borrow().server, Server::Off);
    assert!(app.inner.tasks.is_empty(), "every task is joined");
}

#[tokio::test]
async fn a_busy_port_is_told_and_can_be_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let app = app(&home, &[]).await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    app.inner.settings.send_modify(|settings| {
        let mut changed = Settings::clone(settings);
        changed.server.listen.set_port(port);
        *settings = Arc::new(changed);
    });
    let error = app.turn_on().await.unwrap_err();
    assert!(error.is_busy(), "{error}");
    let Server::Failed { message } = app.snapshot().borrow().server.clone() else { panic!("not failed") };
    assert!(message.contains(&port.to_string()), "{message}");
    drop(other);
    assert_eq!(app.turn_on().await.unwrap().port(), port);
    app.shutdown(SHORT).await;
}

#[tokio::test]
async fn a_setting_is_written_and_used_at_once() {
    let home = tempfile::tempdir().unwrap();
    let app = app(&home, &[("DRAGOMAN_MODELS_EFFORT", "low")]).await.unwrap();
    let file = app.paths().config_file();
    paths::create_directory(&app.paths().config).unwrap();
    fs::write(&file, "[models] # mine\n").unwrap();

    app.set("models.opus", Some("no-such-model")).await.unwrap();
    app.set("models.effort", Some("high")).await.unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "[models] # mine\nopus = \"no-such-model\"\neffort = \"high\"\n"
    );
    let settings = app.settings();
    assert_eq!(settings.models.opus, Some("no-such-model".parse().unwrap()));
    assert_eq!(settings.models.effort, Some(crate::Effort::Low), "a variable still wins");
    assert_eq!(settings.source("models.effort"), Source::Environment("DRAGOMAN_MODELS_EFFORT".to_owned()));
    let models = app.snapshot().borrow().models.clone();
    assert!(models.families.iter().any(|mapped| mapped.asks == "opus" && mapped.problem.is_some()));

    assert!(app.set("models.effort", Some("loud")).await.is_err());
    assert!(app.set("models.opsu", None).await.is_err());
    app.set("models.opus", None).await.unwrap();
    assert_eq!(app.settings().models.opus, None);
    app.shutdown(SHORT).await;
}

#[tokio::test]
async fn a_wrong_settings_file_is_told_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config/config.toml");
    fs::create_dir(home.path().join("config")).unwrap();
    fs::write(&file, "[server]\nlisten = 1\n").unwrap();
    let error = app(&home, &[]).await.unwrap_err().to_string();
    let start = format!("the settings can't be used: {}, line 2: server.listen: ", file.display());
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn a_dropped_app_leaves_no_task_behind() {
    let home = tempfile::tempdir().unwrap();
    let app = app(&home, &[]).await.unwrap();
    let tasks = app.inner.tasks.clone();
    drop(app);
    tasks.close();
    tokio::time::timeout(SHORT, tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn the_client_token_is_the_variables_or_the_kept_one() {
    let home = tempfile::tempdir().unwrap();
    let mine = app(&home, &[("DRAGOMAN_CLIENT_TOKEN", "mine")]).await.unwrap();
    assert_eq!(value(&mine.environment(), "ANTHROPIC_AUTH_TOKEN"), "mine");
    let kept = app(&home, &[]).await.unwrap();
    let again = app(&home, &[]).await.unwrap();
    assert_eq!(kept.environment(), again.environment());
    assert_ne!(value(&kept.environment(), "ANTHROPIC_AUTH_TOKEN"), "mine");
    assert!(!format!("{kept:?}").contains(value(&kept.environment(), "ANTHROPIC_AUTH_TOKEN")));
    for app in [mine, kept, again] {
        app.shutdown(SHORT).await;
    }
}

/// As a hand with an editor, or another process, does it.
#[tokio::test]
async fn a_change_of_the_settings_file_counts_without_a_restart_and_nonsense_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config/config.toml");
    fs::create_dir(home.path().join("config")).unwrap();
    let codex = home.path().join("codex");
    fs::create_dir(&codex).unwrap();
    let app = App::start(Options { log_file: true, ..options(&home, &[]) }).await.unwrap();
    let mut snapshots = app.snapshot();
    let opus = |snapshot: &Arc<Snapshot>| snapshot.models.families[0].model.clone().unwrap();
    let before = opus(&app.snapshot().borrow());
    let other =
        app.snapshot().borrow().models.listed.iter().find(|model| model.id != before).unwrap().id.clone();

    fs::write(&file, format!("[models]\nopus = \"{other}\"\n")).unwrap();
    let soon = Duration::from_secs(20);
    let changed = snapshots.wait_for(|snapshot| opus(snapshot) == other);
    drop(tokio::time::timeout(soon, changed).await.expect("the change is noticed").unwrap());
    assert_eq!(app.settings().models.opus, Some(other.parse().unwrap()));

    fs::write(&file, "[models]\nopus = 3\n").unwrap();
    let told =
        |snapshot: &Arc<Snapshot>| snapshot.hints.iter().any(|hint| hint.contains("line 2: models.opus"));
    drop(tokio::time::timeout(soon, snapshots.wait_for(told)).await.expect("it is told").unwrap());
    assert_eq!(opus(&app.snapshot().borrow()), other, "the settings from before are in force");

    // The Codex CLI's settings are followed too, once they count.
    fs::write(&file, "[models]\nfrom_codex = true\n").unwrap();
    fs::write(codex.join("config.toml"), format!("model = \"{other}\"\nmodel_context_window = 100000\n"))
        .unwrap();
    let follows = |snapshot: &Arc<Snapshot>| opus(snapshot) == other && snapshot.models.window == 95_000;
    drop(tokio::time::timeout(soon, snapshots.wait_for(follows)).await.expect("it is followed").unwrap());
    let opus_row = app.snapshot().borrow().models.families[0].clone();
    assert_eq!(opus_row.decider, Some(crate::Decider::Codex));
    fs::write(codex.join("config.toml"), "model_auto_compact_token_limit = 90000\n").unwrap();
    let gone =
        |snapshot: &Arc<Snapshot>| opus(snapshot) == before && snapshot.models.compact_at == Some(90_000);
    drop(tokio::time::timeout(soon, snapshots.wait_for(gone)).await.expect("it is followed").unwrap());
    app.shutdown(SHORT).await;
}

/// Programs that save without replacing the file empty it first.
#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config/config.toml");
    let text = "[models]\neffort = \"low\"\n";
    fs::create_dir(home.path().join("config")).unwrap();
    fs::write(&file, text).unwrap();
    let app = App::start(Options { log_file: true, ..options(&home, &[]) }).await.unwrap();
    // The watcher looks every half second, so it would meet an empty file several times.
    let saves = async {
        for _ in 0..100 {
            fs::write(&file, "").unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
            fs::write(&file, text).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let forgotten = async {
        while app.settings().models.effort.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = saves => {}
        () = forgotten => panic!("an empty file was taken for the settings"),
    }
    app.shutdown(SHORT).await;
}

#[tokio::test]
async fn a_rule_is_set_by_the_words_that_people_use() {
    let home = tempfile::tempdir().unwrap();
    let app = app(&home, &[]).await.unwrap();
    for (asks, key) in [
        ("Opus", "models.opus"),
        ("default", "models.default"),
        ("longContext", "models.long_context"),
        ("long-context", "models.long_context"),
        ("web_search", "models.web_search"),
    ] {
        let settings = app.map(asks, Some("gpt-5.5 effort=low")).await.unwrap();
        assert_ne!(settings.source(key), Source::Default, "{asks}");
        app.map(asks, None).await.unwrap();
    }
    assert_eq!(app.settings().models, crate::settings::Models::default());
    app.map("gpt-5.3", Some("gpt-5.3-codex")).await.unwrap();
    app.map("claude-*-4-?", Some("gpt-5.5")).await.unwrap();
    assert_eq!(app.settings().models.names.len(), 2);
    app.map("gpt-5.3", None).await.unwrap();
    assert_eq!(app.settings().models.names.len(), 1);
    for (asks, words) in [("a b", "gpt-5.5"), ("x", "gpt-5.5 loud"), ("opus", "")] {
        assert!(app.map(asks, Some(words)).await.is_err(), "{asks} {words}");
    }
    app.shutdown(SHORT).await;
}
