//! No secret is in what the facade hands to a face: the picture, the notices, the series of the history.

use std::time::Duration;

use dragoman::UsageQuery;
use support::Launch;
use support::fake::{FakeChatGpt, Rule};

use crate::*;

const PROMPT: &str = "PROMPT-CANARY-51d2";
const ANSWER: &str = "ANSWER-CANARY-e07c";

#[tokio::test]
async fn no_secret_is_in_what_a_face_is_told() {
    let fake = FakeChatGpt::start();
    fake.script([Rule::any("a").always().text(ANSWER)]);
    let login = fake.sign_in();
    let launch = Launch::signed_out(&fake).signed_in_with(&login);
    let app = app(&launch).await;
    let (mut notices, mut told) = (app.notices(), Vec::new());
    let snapshots = app.snapshot();
    let mut look =
        || told.push(format!("{} {:?}", serde_json::to_string(&**snapshots.borrow()).unwrap(), snapshots));
    look();
    assert_eq!(ask(&app, PROMPT).await.status, 200);
    look();
    fake.withdraw_access_tokens();
    assert_eq!(ask(&app, PROMPT).await.status, 200);
    fake.withdraw_access_tokens();
    fake.fail_refresh(401, "refresh_token_reused");
    assert_eq!(ask(&app, PROMPT).await.status, 401);
    look();
    let accounts = app.check_accounts().await;
    told.push(format!("{} {accounts:?}", serde_json::to_string(&accounts).unwrap()));
    let query = UsageQuery::last_days(1);
    let usage = app.usage_series(query).await.unwrap();
    assert_eq!(usage.len(), 1, "three requests of one day");
    told.push(format!("{usage:?} {:?}", app.limits_series(0, i64::MAX).await.unwrap()));
    told.push(format!("{app:?}"));
    app.shutdown(Duration::from_secs(5)).await;
    let mut heard = 0;
    while let Some(notice) = notices.next().await {
        heard += 1;
        told.push(format!("{} {notice:?}", serde_json::to_string(&notice).unwrap()));
    }
    assert!(heard >= 1, "the end of the login is told");
    let mut secrets =
        vec![login.access_token, login.id_token, login.refresh_token, login.account, TOKEN.to_owned()];
    secrets.extend(["rt_canary_", "eyJ", PROMPT, ANSWER].map(str::to_owned));
    for text in &told {
        assert!(text.len() > 20, "{text}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
    }
}
