//! Events about accounts: each is told once, whatever is renewed, read and asked meanwhile.

use std::time::Duration;

use dragoman::{Notice, Notices};
use serde_json::json;
use support::fake::{Fail, FakeChatGpt, Reply, Rule};
use support::{EMAIL, Launch, SOON};

use crate::*;

/// The next notice, without what differs from run to run.
async fn next(notices: &mut Notices) -> String {
    let next = tokio::time::timeout(SOON, notices.next()).await.expect("a notice comes");
    let notice = serde_json::to_value(next.expect("the program runs")).unwrap();
    assert_eq!(notice["account"]["name"], EMAIL, "{notice}");
    notice["notice"].as_str().unwrap().to_owned()
}

fn page(percent: f64, allowed: bool) -> Reply {
    let window =
        json!({ "used_percent": percent, "limit_window_seconds": 18_000, "reset_at": support::now() + 9000 });
    let limit = json!({ "allowed": allowed, "limit_reached": !allowed, "primary_window": window });
    Reply::json(200, &json!({ "plan_type": "plus", "rate_limit": limit }))
}

#[tokio::test]
async fn each_event_is_told_once() {
    let fake = FakeChatGpt::start();
    fake.reply("/backend-api/wham/usage", [page(10.0, true)]);
    fake.script([Rule::any("calm").always().text("fine")]);
    let launch = Launch::beside(&fake);
    let app = app(&launch).await;
    let mut notices = app.notices();
    // What is renewed and read without news is no event.
    assert_eq!(ask(&app, "hi").await.status, 200);
    fake.withdraw_access_tokens();
    assert_eq!(ask(&app, "hi").await.status, 200, "{}", fake.story());
    assert_eq!(fake.refreshes().len(), 1);
    app.refresh_limits().await;

    fake.reply("/backend-api/wham/usage", [page(84.0, true)]);
    app.refresh_limits().await;
    assert_eq!(next(&mut notices).await, "limit_near");
    fake.reply("/backend-api/wham/usage", [page(86.0, true)]);
    app.refresh_limits().await;

    fake.script([Rule::any("full").always().fail(Fail::UsageLimit { resets_in: 9000 })]);
    fake.reply("/backend-api/wham/usage", [page(100.0, false)]);
    assert_eq!(ask(&app, "hi").await.status, 429);
    assert_eq!(next(&mut notices).await, "limit_reached");
    assert_eq!(ask(&app, "hi again").await.status, 429);
    app.refresh_limits().await;

    // Lifted early.
    fake.script([Rule::any("calm").always().text("fine")]);
    fake.reply("/backend-api/wham/usage", [page(1.0, true)]);
    app.refresh_limits().await;
    assert_eq!(next(&mut notices).await, "limit_over");
    assert_eq!(ask(&app, "hi").await.status, 200);

    // Its login ends: several requests and looks meet that.
    fake.withdraw_access_tokens();
    fake.fail_refresh(401, "refresh_token_invalidated");
    for _ in 0..3 {
        assert_eq!(ask(&app, "hi").await.status, 401);
        app.check_accounts().await;
    }
    assert_eq!(next(&mut notices).await, "sign_in_again");
    support::codex_home(&launch.path().join("codex"), &fake.sign_in());
    app.check_accounts().await;
    assert_eq!(next(&mut notices).await, "signed_in");
    assert_eq!(ask(&app, "hi").await.status, 200);
    app.shutdown(Duration::from_secs(5)).await;
    assert_eq!(notices.next().await, None::<Notice>, "nothing was told twice, and the end is an end");
}
