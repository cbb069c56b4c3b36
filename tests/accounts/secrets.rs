//! Tokens of logins of our own: nowhere but in the token store, whatever goes wrong.

use support::fake::{FakeChatGpt, Rule};
use support::{Launch, message};

use crate::*;

const KEY: &str = "sk-canary-9876543210zyxwvutsrq";

#[tokio::test]
async fn no_token_of_an_own_login_is_written_or_said() {
    let fake = FakeChatGpt::start();
    fake.accept_key(KEY);
    let launch = Launch::signed_out(&fake).env("DRAGOMAN_LOG", "trace").argument("-vv");
    let login = fake.sign_in_for(120);
    own_login(launch.path(), &login, 1);
    let mut seen =
        vec![login.access_token.clone(), login.id_token.clone(), login.refresh_token.clone(), KEY.to_owned()];
    let mut key = support::Running::start(&launch, &["login", "--api-key", "--json"]);
    key.enter(KEY).await;
    let (_, said) = key.end().await;
    assert_clean("login", &said, &seen);
    let mut dragoman = launch.start().await;
    fake.script([Rule::any("a").always().text("fine")]);
    // A renewal, a refusal, a login that has ended, an issuer that is down, a store that can't be written.
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200);
    fake.withdraw_access_tokens();
    fake.fail_refresh(500, "canary_trouble");
    dragoman.messages(&message("hi")).send().await;
    fake.fail_refresh(401, "refresh_token_expired");
    dragoman.messages(&message("hi")).send().await;
    for arguments in [
        &["accounts", "list"][..],
        &["accounts", "list", "--json"],
        &["accounts", "test", "1"],
        &["accounts", "refresh", "1"],
        &["accounts", "rename", "1", "work", "-vv"],
        &["status"],
        &["status", "--json"],
        &["usage", "--json", "--by", "account"],
    ] {
        let (_, said) = run(dragoman.launch(), arguments);
        assert_clean(&format!("{arguments:?}"), &said, &seen);
    }
    dragoman.interrupt("TERM");
    dragoman.ended(std::time::Duration::from_secs(40)).await;
    for request in fake.refreshes() {
        seen.extend(request.body["refresh_token"].as_str().map(str::to_owned));
    }
    assert_clean("serve", &dragoman.said(), &seen);
    let mut files = 0;
    for path in support::files_below(dragoman.path()) {
        if !path.to_string_lossy().contains("/tokens/") {
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_clean(&path.display().to_string(), &text, &seen);
        }
    }
    assert!(files >= 3, "nothing was searched");
    // The history, the journal of a renewal that came to no good end, the limits that were kept.
    for name in ["state/history.db", ".renewal", "cache/limits.json"] {
        let there = support::files_below(dragoman.path());
        assert!(there.iter().any(|path| path.to_string_lossy().ends_with(name)), "{name} was not searched");
    }
}

fn assert_clean(place: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{place} holds a token");
        // The signed part of a token alone is one too.
        if let Some(payload) = secret.split('.').nth(1) {
            assert!(!text.contains(payload), "{place} holds the claims of a token");
        }
    }
}
