//! The login on the way: refreshed once, kept on disk, asked for when it is gone.

use serde_json::Value;
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, message};

use crate::error;

fn auth_json(dragoman: &Dragoman) -> Value {
    let path = dragoman.path().join("codex/auth.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_refused_access_token_is_refreshed_and_the_request_goes_through() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in();
    let dragoman = Launch::signed_out(&fake).signed_in_with(&login).start().await;
    fake.withdraw_access_tokens();
    fake.script([Rule::any("a").always().text("fine")]);
    let answer = dragoman.messages(&message("hi")).send().await;
    assert_eq!(answer.json()["content"][0]["text"], "fine", "{}", fake.story());
    assert_eq!(fake.refreshes().len(), 1);
    assert_eq!(fake.refreshes()[0].body["refresh_token"], login.refresh_token);
    let kept = auth_json(&dragoman);
    assert_ne!(kept["tokens"]["refresh_token"], login.refresh_token, "the spent refresh token was kept");
    assert_eq!(
        fake.only("a").header("authorization"),
        format!("Bearer {}", kept["tokens"]["access_token"].as_str().unwrap())
    );
    assert_eq!(kept["a_key_of_a_newer_codex"]["kept"], true, "an unknown key was lost");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(dragoman.path().join("codex/auth.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    dragoman.messages(&message("again")).send().await;
    assert_eq!(fake.refreshes().len(), 1, "the fresh token is used");
}

#[tokio::test]
async fn twenty_requests_with_an_expired_token_cause_one_refresh() {
    for backend_says_so in [false, true] {
        let fake = FakeChatGpt::start();
        let login = fake.sign_in_for(if backend_says_so { 864_000 } else { -60 });
        let dragoman = Launch::signed_out(&fake).signed_in_with(&login).start().await;
        if backend_says_so {
            fake.withdraw_access_tokens();
        }
        fake.script([Rule::any("a").always().text("fine")]);
        let calls: Vec<_> = (0..20)
            .map(|number| tokio::spawn(dragoman.messages(&message(&format!("hi {number}"))).send()))
            .collect();
        for call in calls {
            let answer = call.await.unwrap();
            assert_eq!(answer.status, 200, "{} {}", answer.text(), fake.story());
        }
        assert_eq!(fake.refreshes().len(), 1, "told by the backend: {backend_says_so}");
        assert_eq!(fake.answered_by("a").len(), 20);
    }
}

#[tokio::test]
async fn a_token_that_is_still_good_is_left_alone() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in_for(600);
    let dragoman = Launch::signed_out(&fake).signed_in_with(&login).start().await;
    fake.script([Rule::any("a").text("fine")]);
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 200);
    assert!(fake.refreshes().is_empty());
    assert_eq!(auth_json(&dragoman)["tokens"]["refresh_token"], login.refresh_token);
}

#[tokio::test]
async fn a_revoked_login_says_how_to_sign_in_again() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.withdraw_access_tokens();
    fake.fail_refresh(401, "refresh_token_invalidated");
    fake.script([Rule::any("a").always().text("never")]);
    let answer = dragoman.messages(&message("hi")).send().await;
    let words = error(&answer, 401, "authentication_error");
    assert!(words.to_lowercase().contains("sign in") || words.contains("login"), "{words}");
    assert_eq!(answer.headers.value("x-should-retry"), Some("false"));
    dragoman.messages(&message("hi")).send().await;
    assert_eq!(fake.refreshes().len(), 1, "a dead refresh token is not tried again");
    assert!(fake.answered_by("a").is_empty());
}

#[tokio::test]
async fn without_any_login_the_client_is_told_how_to_sign_in() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).start().await;
    let answer = dragoman.messages(&message("hi")).send().await;
    let words = error(&answer, 401, "authentication_error");
    assert!(words.contains("codex login") || words.contains("dragoman login"), "{words}");
    assert_eq!(answer.headers.value("x-should-retry"), Some("false"));
    assert!(fake.turns().is_empty());
}

/// A new `codex login` counts at once: the file is read live.
#[tokio::test]
async fn a_login_that_appears_later_is_used() {
    let fake = FakeChatGpt::start();
    let dragoman = Launch::signed_out(&fake).start().await;
    assert_eq!(dragoman.messages(&message("hi")).send().await.status, 401);
    support::codex_home(&dragoman.path().join("codex"), &fake.sign_in());
    fake.script([Rule::any("a").text("fine")]);
    assert_eq!(dragoman.messages(&message("hi")).send().await.json()["content"][0]["text"], "fine");
}
