//! The real Codex CLI and Dragoman on one `auth.json`: each renews it, each goes on with what the other wrote.

use serde_json::Value;
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, TlsProxy, codex_home, message};

use crate::*;

fn auth(dragoman: &Dragoman) -> Value {
    serde_json::from_slice(&std::fs::read(dragoman.path().join("codex/auth.json")).unwrap()).unwrap()
}

/// Runs `codex exec` with the home that is linked; answers what it said.
async fn codex(dragoman: &Dragoman, proxy: &TlsProxy) -> String {
    let mut command = tokio::process::Command::new(clients().join("codex"));
    command.args(["exec", "--skip-git-repo-check", "--sandbox", "read-only", "say hello"]);
    command.env_clear().current_dir(dragoman.path()).stdin(std::process::Stdio::null());
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", dragoman.path().join("user"));
    command.env("CODEX_HOME", dragoman.path().join("codex"));
    command.env("HTTPS_PROXY", proxy.url()).env("HTTP_PROXY", proxy.url());
    command.env("CODEX_CA_CERTIFICATE", proxy.authority()).env("SSL_CERT_FILE", proxy.authority());
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(120), command.kill_on_drop(true).output());
    let output = output.await.expect("codex ends in two minutes").unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

#[tokio::test]
async fn the_codex_cli_and_dragoman_renew_the_same_login_and_neither_is_signed_out() {
    assert!(clients().join("codex").exists(), "the Codex CLI is missing; `make setup-tests` installs it");
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").always().text("fine")]);
    let launch = Launch::signed_out(&fake);
    // The Codex CLI renews first: its own login ends in a moment.
    codex_home(&launch.path().join("codex"), &fake.sign_in_for(60));
    let dragoman = launch.start().await;
    let proxy = TlsProxy::before(&fake, dragoman.path());
    let said = codex(&dragoman, &proxy).await;
    let first = fake.refreshes().len();
    assert!(first >= 1, "the Codex CLI renewed nothing: {said} {}", fake.story());
    let theirs = auth(&dragoman);
    let answer = dragoman.messages(&message("hi")).send().await;
    assert_eq!(answer.status, 200, "{} {}", answer.text(), fake.story());
    assert_eq!(fake.refreshes().len(), first, "what the Codex CLI wrote is used as it is");

    // Now Dragoman does, because the backend refuses the token.
    fake.withdraw_access_tokens();
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200, "{}", fake.story());
    let ours = auth(&dragoman);
    assert_ne!(ours["tokens"]["refresh_token"], theirs["tokens"]["refresh_token"]);
    let keys = |auth: &Value| auth.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&theirs));

    // And the Codex CLI goes on with it: no refresh, no complaint.
    let before = fake.refreshes().len();
    let said = codex(&dragoman, &proxy).await;
    assert_eq!(fake.refreshes().len(), before, "{said}");
    for words in ["sign in again", "log out", "already used", "Not logged in"] {
        assert!(!said.contains(words), "{said}");
    }
    assert_eq!(auth(&dragoman)["tokens"]["refresh_token"], ours["tokens"]["refresh_token"]);

    // Both at once, with a login that must be renewed: whoever comes second takes what the first one wrote.
    codex_home(&dragoman.path().join("codex"), &fake.sign_in_for(60));
    let (said, answer) = tokio::join!(codex(&dragoman, &proxy), dragoman.messages(&message("hi")).send());
    assert_eq!(answer.status, 200, "{} {}", answer.text(), fake.story());
    assert!(!said.contains("sign in again"), "{said}");
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200, "{}", fake.story());
    let (code, listed) = run(dragoman.launch(), &["accounts", "refresh", "1"]);
    assert_eq!(code, Some(0), "{listed} {}", fake.story());
}
