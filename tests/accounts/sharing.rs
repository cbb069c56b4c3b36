//! Two accounts share the requests: whose limits are told, and what is told when all rest.

use serde_json::json;
use support::fake::{Fail, FakeChatGpt, Gate, Reply, Rule};
use support::http::Call;
use support::{Dragoman, Launch, SOON, message};

use crate::*;

/// A server with two logins of its own.
async fn two_accounts(fake: &FakeChatGpt, strategy: &str) -> Dragoman {
    let launch = Launch::signed_out(fake).env("DRAGOMAN_ACCOUNTS_STRATEGY", strategy);
    for place in 1..=2 {
        own_login(launch.path(), &fake.sign_in_as(&format!("acct-{place}")), place);
    }
    launch.start().await
}

fn ask(dragoman: &Dragoman, text: &str, session: &str, stream: bool) -> Call {
    let mut body = message(text);
    body["stream"] = json!(stream);
    dragoman.messages(&body).header("x-claude-code-session-id", session)
}

#[tokio::test]
async fn an_answer_tells_the_limits_of_the_account_that_gave_it() {
    const UTILIZATION: &str = "anthropic-ratelimit-unified-overage-utilization";
    for stream in [true, false] {
        let fake = FakeChatGpt::start();
        fake.reply("/backend-api/wham/usage", [Reply::json(404, &json!({}))]);
        let gate = Gate::shut();
        let limits = |rule: Rule, percent: &str| {
            let rule = rule.header("x-codex-primary-used-percent", percent);
            rule.header("x-codex-primary-window-minutes", "300")
        };
        fake.script([
            limits(Rule::any("slow").when_user("slowly").hold(&gate).text("at last"), "40"),
            limits(Rule::any("quick").when_user("quickly").text("here"), "60"),
        ]);
        let dragoman = two_accounts(&fake, "round-robin").await;
        let slow = tokio::spawn(ask(&dragoman, "slowly", "a", stream).send());
        fake.until_answered("slow", SOON).await;
        let quick = ask(&dragoman, "quickly", "b", stream).send().await;
        assert_eq!(quick.headers.value(UTILIZATION), Some("0.60"), "{}", fake.story());
        let health = dragoman.call("GET", "/health").send().await.json();
        assert_eq!(health["windows"][0]["used_percent"], 60.0, "the one that answered last");
        gate.open();
        let slow = slow.await.unwrap();
        assert_eq!(slow.headers.value(UTILIZATION), Some("0.40"), "{}", fake.story());
        let accounts = ["slow", "quick"].map(|rule| fake.only(rule).header("chatgpt-account-id").to_owned());
        assert_eq!(accounts, ["acct-1", "acct-2"]);
    }
}

#[tokio::test]
async fn when_all_accounts_rest_the_client_is_told_of_all_and_of_the_first_reset() {
    let fake = FakeChatGpt::start();
    fake.reply("/backend-api/wham/usage", [Reply::json(404, &json!({}))]);
    fake.script([
        Rule::any("later").fail(Fail::UsageLimit { resets_in: 7200 }),
        Rule::any("sooner").fail(Fail::UsageLimit { resets_in: 3000 }),
    ]);
    let mut dragoman = two_accounts(&fake, "priority").await;
    for number in 0..3 {
        if number == 2 {
            // They rest in the next process too.
            dragoman.interrupt("TERM");
            dragoman.ended(SOON).await;
            dragoman = dragoman.again().await;
        }
        let answer = ask(&dragoman, "hi", "a", number == 1).send().await;
        assert_eq!(answer.status, 429, "{}", answer.text());
        let words = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(words.starts_with("All 2 accounts in use are at their ChatGPT usage limit."), "{words}");
        assert!(words.contains("The first of them resets") && words.contains(" min)"), "{words}");
        let after: i64 = answer.headers.value("retry-after").unwrap().parse().unwrap();
        assert!((2900..=3000).contains(&after), "{after}");
    }
    assert_eq!(fake.turns().len(), 2, "{}", fake.story());
}
