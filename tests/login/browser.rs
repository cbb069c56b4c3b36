//! In the browser of this computer.

use std::net::TcpListener;

use serde_json::Value;
use support::fake::{FakeChatGpt, Reply, Rule, decode};
use support::{Ports, message, visit};

use crate::*;

#[tokio::test]
async fn the_browser_signs_in_and_the_server_answers_with_that_login() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake).env("DRAGOMAN_LOG", "trace");
    let mut running = login(&launch, &[]);
    let waiting = running.step("waiting_for_browser").await;
    assert_eq!(waiting["port"], 1455);
    let url = waiting["url"].as_str().unwrap();
    assert_eq!(opened(&launch).await, url, "the opener gets the address that is shown");

    let visited = visit(url).await;
    assert_eq!(visited.page.status, 200, "{}", visited.page.text());
    let page = visited.page.text();
    assert!(page.contains("You are signed in") && page.contains("You can close this tab"), "{page}");
    assert!(page.contains(support::EMAIL), "{page}");
    assert_no_secret(&page);
    assert!(!visited.address().contains("token"), "no token in an address: {}", visited.address());
    let (done, _) = success(running).await;
    assert_eq!((&done["label"], &done["plan"]), (&Value::from(support::EMAIL), &Value::from("plus")));
    assert_eq!(done["kind"], "own");
    assert_eq!(done["replaced"], false);

    // see upstream.md §a.2: form-encoded, nothing that says who we are, one exchange and no key.
    let exchanges = fake.requests_to("/oauth/token");
    assert_eq!(exchanges.len(), 1, "{}", fake.story());
    for name in ["originator", "user-agent"] {
        assert_eq!(exchanges[0].headers.value(name), None);
    }
    let form = decode(&String::from_utf8_lossy(&exchanges[0].plain));
    assert_eq!(form["redirect_uri"], "http://127.0.0.1:1455/auth/callback");
    assert_eq!(form["code_verifier"].len(), 86);
    assert_eq!(accounts(&launch), ["own"]);
    assert!(TcpListener::bind("127.0.0.1:1455").is_ok(), "the port is free again");

    fake.script([Rule::any("a").text("fine")]);
    let dragoman = launch.start().await;
    assert_eq!(dragoman.messages(&message("hi")).send().await.json()["content"][0]["text"], "fine");
    let used = fake.only("a");
    assert_eq!(
        used.header("authorization"),
        format!("Bearer {}", tokens(dragoman.launch())["access_token"].as_str().unwrap())
    );
    assert_files_clean(dragoman.path());
}

#[tokio::test]
async fn a_server_that_runs_notices_the_login() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let dragoman = launch(&fake).start().await;
    let refused = dragoman.messages(&message("hi")).send().await;
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("dragoman login"), "{}", refused.text());
    dragoman.said_when(|said| said.contains("dragoman login")).await;
    let running = login(dragoman.launch(), &[]);
    visit(&opened(dragoman.launch()).await).await;
    success(running).await;
    fake.script([Rule::any("a").text("fine")]);
    assert_eq!(dragoman.messages(&message("hi")).send().await.json()["content"][0]["text"], "fine");
}

#[tokio::test]
async fn a_wrong_state_is_refused_and_the_sign_in_goes_on() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let mut running = login(&launch, &[]);
    let url = opened(&launch).await;
    for query in ["code=ac_canary_evil&state=another", "code=ac_canary_evil", "error=access_denied", ""] {
        let visited = visit(&format!("http://127.0.0.1:1455/auth/callback?{query}")).await;
        assert_eq!(visited.page.status, 400, "{query}");
        assert!(visited.page.text().contains("State mismatch"), "{}", visited.page.text());
    }
    for path in ["", "favicon.ico", "success"] {
        assert_eq!(visit(&format!("http://127.0.0.1:1455/{path}")).await.page.status, 404, "{path}");
    }
    assert_eq!(visit("http://127.0.0.1:1455/cancel").await.page.status, 403, "a web page can't cancel");
    assert_eq!(running.step("not_accepted").await["why"], "wrong_state");
    assert!(fake.requests_to("/oauth/token").is_empty());
    assert_eq!(visit(&url).await.page.status, 200);
    success(running).await;
}

#[tokio::test]
async fn what_the_page_refuses_is_told_in_words() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    for (refusal, code, words) in [
        (("access_denied", "The+user+said+no"), "denied", "access was denied"),
        (("access_denied", "missing_codex_entitlement"), "not_entitled", "may not use Codex"),
        (("server_error", "%3Cb%3Eoops%3C%2Fb%3E"), "refused", "server_error: <b>oops</b>"),
    ] {
        fake.scene(|scene| scene.refusal = Some(refusal));
        let launch = launch(&fake);
        let running = login(&launch, &[]);
        let page = visit(&opened(&launch).await).await.page.text();
        assert!(page.contains("You are not signed in") && !page.contains("<b>"), "{page}");
        let message = failure(running, code).await;
        assert!(message.contains(words), "{message}");
        assert!(accounts(&launch).is_empty() && kept(&launch).is_empty());
    }
    assert!(fake.requests_to("/oauth/token").is_empty());
}

#[tokio::test]
async fn the_second_port_and_then_none() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let first = TcpListener::bind("127.0.0.1:1455").unwrap();
    let mut running = login(&launch, &[]);
    assert_eq!(running.step("waiting_for_browser").await["port"], 1457);
    let url = opened(&launch).await;
    assert!(url.contains("127.0.0.1%3A1457%2Fauth%2Fcallback"), "{url}");
    assert_eq!(visit(&url).await.page.status, 200);
    success(running).await;

    let second = TcpListener::bind("127.0.0.1:1457").unwrap();
    let message = failure(login(&launch, &[]), "ports_busy").await;
    let holder = format!("(process {})", std::process::id());
    assert!(message.contains(&holder) && message.contains("--device"), "{message}");
    drop((first, second));
}

#[tokio::test]
async fn a_sign_in_left_open_makes_room_for_the_next() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let (one, two) = (launch(&fake), launch(&fake));
    let first = login(&one, &[]);
    opened(&one).await;
    let mut second = login(&two, &[]);
    assert_eq!(second.step("waiting_for_browser").await["port"], 1455);
    failure(first, "superseded").await;
    visit(&opened(&two).await).await;
    success(second).await;
}

#[tokio::test]
async fn a_browser_that_cannot_be_opened_is_no_end() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    // None of the openers that are tried finds a display here.
    for name in
        ["xdg-open", "gio", "gnome-open", "kde-open", "kde-open5", "kde-open6", "wslview", "explorer.exe"]
    {
        program(&launch, name, "exit 3");
    }
    let mut running = login(&launch, &[]);
    let url = running.step("waiting_for_browser").await["url"].as_str().unwrap().to_owned();
    running.step("browser_not_opened").await;
    assert_eq!(visit(&url).await.page.status, 200);
    success(running).await;

    let mut shown = login(&launch, &["--no-browser"]);
    let url = shown.step("waiting_for_browser").await["url"].as_str().unwrap().to_owned();
    visit(&url).await;
    let (_, said) = success(shown).await;
    assert!(!said.contains("browser_not_opened"), "{said}");
}

#[tokio::test]
async fn a_new_login_of_the_same_account_ends_the_old_one() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let linked = fake.sign_in();
    let launch = launch(&fake).signed_in_with(&linked);
    let sign_in = async || {
        let running = login(&launch, &[]);
        visit(&opened(&launch).await).await;
        success(running).await.0
    };
    sign_in().await;
    let old = tokens(&launch)["refresh_token"].as_str().unwrap().to_owned();
    assert!(fake.revoked().is_empty(), "the Codex CLI's login is none of ours to end");
    assert_eq!(sign_in().await["replaced"], true);
    let new = tokens(&launch)["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    assert_eq!(fake.revoked(), [old]);
    assert!(fake.is_alive(&new) && fake.is_alive(&linked.refresh_token));
    assert_eq!(accounts(&launch), ["own"]);

    // Another account is added beside it.
    fake.scene(|scene| scene.account = "acct-other".to_owned());
    assert_eq!(sign_in().await["replaced"], false);
    assert_eq!(fake.revoked().len(), 1);
    assert_eq!(accounts(&launch), ["own", "own"]);
}

#[tokio::test]
async fn only_the_workspace_that_was_asked_for_is_kept() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let running = login(&launch, &["--workspace", "acct-wanted"]);
    let url = opened(&launch).await;
    assert!(url.ends_with("&allowed_workspace_id=acct-wanted"), "{url}");
    let page = visit(&url).await.page.text();
    assert!(page.contains("You are not signed in"), "{page}");
    failure(running, "wrong_workspace").await;
    assert!(accounts(&launch).is_empty() && kept(&launch).is_empty());
    assert_eq!(fake.revoked().len(), 1, "a login that is not kept is ended");

    fake.scene(|scene| scene.account = "acct-wanted".to_owned());
    let running = login(&launch, &["--workspace", "acct-wanted"]);
    visit(&opened(&launch).await).await;
    success(running).await;
}

/// In words, for a person: what to do on stderr, the outcome on stdout.
#[tokio::test]
async fn a_person_reads_what_to_do() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let running = Running::start(&launch, &["login"]);
    let url = opened(&launch).await;
    visit(&url).await;
    let (status, said) = running.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains(&url) && said.contains("port 1455"), "{said}");
    assert!(
        said.starts_with(&format!("Signed in as {}", support::EMAIL)),
        "the outcome is on stdout: {said}"
    );
    assert_no_secret(&said);
}

#[tokio::test]
async fn a_page_waits_until_the_login_is_kept() {
    let _ports = Ports::take().await;
    let fake = FakeChatGpt::start();
    let launch = launch(&fake);
    let trouble = Reply::json(500, &serde_json::json!({}));
    fake.reply("/oauth/token", [trouble]);
    let running = login(&launch, &[]);
    let page = visit(&opened(&launch).await).await.page.text();
    assert!(page.contains("You are not signed in") && page.contains("status 500"), "{page}");
    failure(running, "server_trouble").await;
}
