//! Each command with and without a server.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;
use support::fake::{FakeChatGpt, Reply, Request, Rule};
use support::{Dragoman, EMAIL, Launch, TOKEN, message};

use crate::run;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn help_names_every_command_and_exit_code() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    let done = run(&launch, &["--help"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    for words in [
        "serve",
        "demo",
        "status",
        "usage",
        "connect",
        "env",
        "models",
        "version",
        "Exit codes",
        "Unofficial",
    ] {
        assert!(done.out.contains(words), "{words} is not in the help");
    }
    let commands = ["serve", "demo", "status", "usage", "env", "models", "version"];
    for command in
        commands.into_iter().chain(["connect", "disconnect", "doctor", "recipe", "run", "shell-function"])
    {
        let done = run(&launch, &[command, "--help"]);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
        assert!(done.out.contains("Usage: dragoman"), "{command}: {}", done.out);
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    for arguments in [
        &["sevre"][..],
        &[],
        &["serve", "--listen", "here"],
        &["env", "--shell", "ed"],
        &["status", "--yaml"],
    ] {
        let done = run(&launch, arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {} {}", done.out, done.err);
        assert!(!done.err.is_empty() && done.out.is_empty(), "{arguments:?}");
    }
    assert!(run(&launch, &["sevre"]).err.contains("serve"), "the right word is proposed");
}

#[test]
fn the_version_is_the_package_s() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    for arguments in [&["version"][..], &["--version"], &["-V"]] {
        let done = run(&launch, arguments);
        assert_eq!(done.code, Some(0));
        assert!(done.out.starts_with(&format!("dragoman {VERSION}")), "{}", done.out);
    }
    assert_eq!(run(&launch, &["version", "--json"]).json()["version"], VERSION);
}

#[tokio::test]
async fn status_follows_the_server() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").text("fine")]);
    dragoman.messages(&message("hi")).send().await;
    let done = run(dragoman.launch(), &["status", "--json"]);
    assert_eq!(done.code, Some(0), "{} {}", done.out, done.err);
    let status = done.json();
    assert_eq!(status["running"], true);
    assert_eq!(status["server"]["address"], dragoman.address().to_string());
    assert_eq!(status["server"]["pid"], dragoman.id());
    assert_eq!((&status["signed_in"], &status["version"]), (&json!(true), &json!(VERSION)));
    assert!(!done.out.contains(TOKEN));
    let words = run(dragoman.launch(), &["status"]);
    assert_eq!(words.code, Some(0));
    for part in [dragoman.url().as_str(), EMAIL, "Plus", "opus"] {
        assert!(words.out.contains(part), "{part} is not in: {}", words.out);
    }
    dragoman.interrupt("TERM");
    dragoman.ended(std::time::Duration::from_secs(5)).await;
    let done = run(dragoman.launch(), &["status", "--json"]);
    assert_eq!(done.code, Some(4), "{}", done.out);
    assert_eq!(done.json()["running"], false);
    assert!(run(dragoman.launch(), &["status"]).out.contains("dragoman serve"));
}

/// The file that tells where the server is survives a crash; what it says is checked.
#[tokio::test]
async fn status_does_not_believe_a_crashed_server() {
    let fake = FakeChatGpt::start();
    let mut dragoman = Dragoman::start(&fake).await;
    dragoman.interrupt("KILL");
    dragoman.ended(std::time::Duration::from_secs(5)).await;
    let done = run(dragoman.launch(), &["status", "--json"]);
    assert_eq!((done.code, &done.json()["running"]), (Some(4), &json!(false)));
}

#[tokio::test]
async fn status_says_when_no_one_is_signed_in() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).start().await;
    let done = run(dragoman.launch(), &["status", "--json"]);
    assert_eq!((done.code, &done.json()["signed_in"]), (Some(3), &json!(false)));
    assert!(run(dragoman.launch(), &["status"]).out.contains("dragoman login"));
}

#[tokio::test]
async fn env_has_a_form_for_each_shell() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let done = run(dragoman.launch(), &["env", "--json"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    let variables = done.json();
    assert_eq!(variables["ANTHROPIC_BASE_URL"], dragoman.url());
    assert_eq!(variables["ANTHROPIC_AUTH_TOKEN"], TOKEN);
    assert_eq!(variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"], "258400");
    assert_eq!(variables["CLAUDE_CODE_AUTO_COMPACT_WINDOW"], "258400");
    assert!(variables.get("ANTHROPIC_API_KEY").is_none(), "it would raise a question");
    let url = dragoman.url();
    for (shell, line) in [
        ("bash", format!("export ANTHROPIC_BASE_URL='{url}'")),
        ("zsh", format!("export ANTHROPIC_BASE_URL='{url}'")),
        ("fish", format!("set -gx ANTHROPIC_BASE_URL '{url}'")),
        ("powershell", format!("$env:ANTHROPIC_BASE_URL = '{url}'")),
        ("cmd", format!("set \"ANTHROPIC_BASE_URL={url}\"")),
        ("nu", format!("$env.ANTHROPIC_BASE_URL = '{url}'")),
    ] {
        let done = run(dragoman.launch(), &["env", "--shell", shell]);
        assert_eq!(done.code, Some(0));
        assert!(done.out.lines().any(|printed| printed == line), "{shell}: {}", done.out);
        assert_eq!(done.out.lines().count(), variables.as_object().unwrap().len(), "{shell}");
    }
    // A real shell reads it.
    let mut shell =
        Command::new("sh").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = run(dragoman.launch(), &["env"]).out;
    write!(shell.stdin.take().unwrap(), "{lines}\nprintf %s \"$ANTHROPIC_AUTH_TOKEN\"").unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.wait_with_output().unwrap().stdout), TOKEN);
}

#[test]
fn env_without_a_server_is_for_the_address_it_will_have() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    let done = run(&launch, &["env", "--json"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.json()["ANTHROPIC_BASE_URL"], "http://127.0.0.1:3746");
    assert!(done.err.contains("not running"), "{}", done.err);
    let launch = launch.env("DRAGOMAN_LISTEN", "127.0.0.1:0");
    let done = run(&launch, &["env", "--json"]);
    assert_eq!((done.code, done.out.as_str()), (Some(4), ""), "{}", done.err);
}

/// The token is made once, is kept, and nobody else on the machine may read it.
#[test]
fn a_token_of_one_s_own_is_made_at_the_first_start() {
    let token = |launch: &Launch| run(launch, &["env", "--json"]).json()["ANTHROPIC_AUTH_TOKEN"].clone();
    let fake = FakeChatGpt::start();
    let launch = Launch::signed_out(&fake).env("DRAGOMAN_CLIENT_TOKEN", "");
    let first = token(&launch);
    assert!(first.as_str().is_some_and(|token| token.len() >= 32), "{first}");
    assert_eq!(token(&launch), first);
    assert_ne!(token(&Launch::signed_out(&fake).env("DRAGOMAN_CLIENT_TOKEN", "")), first);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let holders = support::files_below(launch.path());
        let holders: Vec<_> = holders
            .into_iter()
            .filter(|path| {
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(first.as_str().unwrap())
            })
            .collect();
        assert_eq!(holders.len(), 1, "{holders:?}");
        assert_eq!(std::fs::metadata(&holders[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn models_are_those_of_the_catalog() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let fetched = |log: &[Request]| {
        log.iter()
            .any(|request| request.path.contains("/codex/models") && request.ended.is_some())
            .then_some(())
    };
    fake.until("the catalog to be fetched", std::time::Duration::from_secs(10), fetched).await;
    let models = run(dragoman.launch(), &["models", "--json"]);
    assert_eq!(models.code, Some(0), "{}", models.err);
    let models = models.json();
    let ids: Vec<&str> =
        models["listed"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gpt-6.1-sol", "gpt-6-sol", "gpt-6-luna", "gpt-6.1-terra", "gpt-5.6-luna", "gpt-5.5"]);
    let family = |name: &str| {
        let families = models["families"].as_array().unwrap();
        families.iter().find(|family| family["asks"] == name).unwrap()["model"].clone()
    };
    assert_eq!((family("opus"), family("fable")), (json!("gpt-6.1-sol"), json!("gpt-6.1-sol")));
    assert_eq!((family("sonnet"), family("haiku")), (json!("gpt-6.1-terra"), json!("gpt-6-luna")));
    let words = run(dragoman.launch(), &["models"]);
    assert!(words.out.contains("gpt-5.5") && words.out.contains("classic"), "{}", words.out);
    assert!(!words.out.contains("daybreak"), "a hidden model is shown");
}

#[tokio::test]
async fn rules_of_the_map_are_set_and_taken_back() {
    let fake = FakeChatGpt::start();
    let launch = Launch::beside(&fake);
    let set = |arguments: &[&str]| {
        let run = run(&launch, &[&["models"], arguments].concat());
        (run.code, run.out + &run.err)
    };
    let row = |words: &str, asks: &str| {
        let line = words.lines().find(|line| line.starts_with(&format!("{asks} ")));
        line.unwrap_or_else(|| panic!("no row {asks}:\n{words}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (code, words) = set(&["set", "opus", "gpt-5.5-high", "tier=fast"]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(row(&words, "opus"), "opus gpt-5.5 high priority your rule models.opus");
    let (_, words) = set(&["set", "longContext", "api,gpt-6.1-terra effort=low"]);
    assert_eq!(
        row(&words, "long_context"),
        "long_context api,gpt-6.1-terra low – your rule models.long_context"
    );
    let (_, words) = set(&["set", "gpt-4o*", "gpt-9"]);
    assert!(words.contains("Note: models.names.\"gpt-4o*\" names gpt-9"), "{words}");
    let file = std::fs::read_to_string(launch.path().join("dragoman/config/config.toml")).unwrap();
    assert_eq!(
        file,
        "[models]\nopus = \"gpt-5.5-high tier=fast\"\nlong_context = \"api,gpt-6.1-terra effort=low\"\n\n[models.names]\n\"gpt-4o*\" = \"gpt-9\"\n"
    );
    let (code, words) = set(&["unset", "opus"]);
    assert_eq!((code, row(&words, "opus").contains("the catalog's order")), (Some(0), true), "{words}");
    let (code, words) = set(&["set", "opus", "gpt-5.5", "loud"]);
    assert!(code == Some(1) && words.contains("is not effort="), "{words}");
}

#[tokio::test]
async fn the_demo_answers_without_login_and_network() {
    let fake = FakeChatGpt::start();
    let launch = Launch::signed_out(&fake).argument("--backend").argument("demo");
    let dragoman = launch.start().await;
    let answer = dragoman.messages(&message("hello there")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["content"][0]["text"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(fake.requests().is_empty(), "{}", fake.story());
}

/// `dragoman models | head -1` is not an error.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_error() {
    let launch = Launch::signed_out(&FakeChatGpt::start());
    let mut child =
        launch.command().arg("models").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = crate::Done::from(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

/// What `status` says about accounts and limits, word for word but for what differs from run to run.
#[tokio::test]
async fn status_shows_limits_as_bars() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let page = json!({
        "plan_type": "plus",
        "rate_limit": {
            "allowed": true, "limit_reached": false,
            "primary_window": { "used_percent": 12, "limit_window_seconds": 604_800, "reset_at": 4_000_000_000_i64 },
            "secondary_window": { "used_percent": 45.2, "limit_window_seconds": 18_000 },
        },
        "credits": { "has_credits": true, "unlimited": false, "balance": "12.50" },
    });
    fake.reply("/backend-api/wham/usage", [Reply::json(200, &page)]);
    let done = run(dragoman.launch(), &["status", "--refresh"]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.out);
    let lines: Vec<&str> = done.out.lines().skip_while(|line| !line.starts_with("Account")).take(5).collect();
    assert_eq!(lines[0], format!("Account      {EMAIL}, ChatGPT Plus (the Codex CLI's login)"));
    assert_eq!(lines[1], "             5-hour  [#########-----------]   45 %");
    assert!(
        lines[2].starts_with("             weekly  [##------------------]   12 %  resets 2096-10-02 "),
        "{}",
        lines[2]
    );
    assert_eq!(
        lines[3..],
        ["             credits: 12.50 · read just now", "Today        0 requests · 0 tokens in, 0 out"]
    );

    // Another process reads what this one kept, as JSON.
    let status = run(dragoman.launch(), &["status", "--json"]).json();
    let limits = &status["accounts"][0]["limits"];
    assert_eq!(
        limits["windows"][0],
        json!({"name": null, "minutes": 300, "used_percent": 45.2, "resets_at": null})
    );
    assert_eq!(limits["credits"]["balance"], "12.50");
    assert_eq!((&status["limits"], &status["account"]["limits"]), (limits, limits));
    assert_eq!(
        status["today"],
        json!({
            "requests": 0, "failed": 0, "cancelled": 0, "input_tokens": 0, "cached_tokens": 0, "cache_write_tokens": 0,
            "output_tokens": 0, "searches": 0, "cached_share": null,
        })
    );

    fake.reply("/backend-api/wham/usage", [Reply::json(503, &json!({}))]);
    let done = run(dragoman.launch(), &["status", "--refresh"]);
    assert_eq!(done.code, Some(0));
    assert!(done.err.contains("could not be read: status 503"), "{}", done.err);
    assert!(done.out.contains("45 %"), "what was known stays: {}", done.out);
}
