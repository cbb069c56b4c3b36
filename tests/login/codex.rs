//! The real Codex CLI: `codex login` driven under the real names, and Dragoman answering with that login.

use std::path::PathBuf;

use support::fake::{FakeChatGpt, Rule};
use support::{Ports, TlsProxy, message, visit};

use crate::*;

const VERSION: &str = "0.169.0";

/// The directory of the installed Codex CLI; panics with what to do if it is not there.
fn installed() -> PathBuf {
    let bin = support::workspace().join("target/tools/clients/node_modules/.bin");
    let path = bin.join("codex");
    assert!(
        path.exists(),
        "Codex CLI {VERSION} is not at {}; `make setup-tests` installs it",
        path.display()
    );
    bin
}

#[tokio::test]
async fn the_real_codex_login_is_run_and_dragoman_answers_with_it() {
    let clients = installed();
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let proxy = TlsProxy::before(&fake, launch.path());
    let path =
        format!("{}:{}:/usr/local/bin:/usr/bin:/bin", launch.path().join("bin").display(), clients.display());
    let launch = launch
        .env("PATH", &path)
        .env("HTTPS_PROXY", &proxy.url())
        .env("CODEX_CA_CERTIFICATE", &proxy.authority().display().to_string());
    // The CLI wants its home to be there.
    std::fs::create_dir_all(launch.path().join("codex")).unwrap();

    let mut running = login(&launch, &["--codex"]);
    assert_eq!(running.step("codex_started").await["version"], VERSION);
    let url = loop {
        let line = running.step("codex_says").await["line"].as_str().unwrap().to_owned();
        if let Some(at) = line.find("https://auth.openai.com/oauth/authorize?") {
            break line[at..].split_whitespace().next().unwrap().to_owned();
        }
    };
    // What the page is asked is what we ask it ourselves, but for what is random.
    let parameters = |url: &str| {
        let query = url.split_once('?').unwrap().1.to_owned();
        let names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().unwrap().to_owned()).collect();
        let mut values = support::fake::decode(&query);
        for random in ["state", "code_challenge"] {
            let length = values[random].len().to_string();
            values.insert(random.to_owned(), length);
        }
        (names, values)
    };
    let visited = visit(&url.replace("https://auth.openai.com", &fake.url())).await;
    assert!(visited.address().starts_with("http://127.0.0.1:1455/"), "{}", visited.address());
    let (done, _) = ended_well(running).await;
    assert_eq!((done["kind"].as_str(), done["label"].as_str()), (Some("linked"), Some(support::EMAIL)));
    assert_eq!(accounts(&launch), ["linked"]);
    assert!(
        proxy
            .hosts()
            .iter()
            .all(|host| host.ends_with("openai.com:443") || host.ends_with("chatgpt.com:443")),
        "{:?}",
        proxy.hosts()
    );

    let mut ours = login(&launch, &["--no-browser"]);
    let our_url = ours.step("waiting_for_browser").await["url"].as_str().unwrap().to_owned();
    assert_eq!(parameters(&our_url), parameters(&url), "the Codex CLI asks otherwise");
    ours.interrupt("INT");
    ours.end().await;

    fake.script([Rule::any("a").text("fine")]);
    let dragoman = launch.start().await;
    let answer = dragoman.messages(&message("hi")).send().await;
    assert_eq!(answer.json()["content"][0]["text"], "fine", "{}", answer.text());
    let auth = std::fs::read(dragoman.path().join("codex/auth.json")).unwrap();
    let auth: Value = serde_json::from_slice(&auth).unwrap();
    let access = auth["tokens"]["access_token"].as_str().unwrap();
    assert_eq!(fake.only("a").header("authorization"), format!("Bearer {access}"));
}

/// As `success`, without looking for secrets: what the CLI itself says is its own affair.
async fn ended_well(mut running: Running) -> (Value, String) {
    let done = running.step("done").await;
    let (status, said) = running.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    (done, said)
}
