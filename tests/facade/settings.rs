//! Settings that change while the program runs.

use support::fake::{FakeChatGpt, Rule};

use crate::*;

#[tokio::test]
async fn another_address_of_the_backend_counts_from_the_next_request_on() {
    let (first, second) = (FakeChatGpt::start(), FakeChatGpt::start());
    first.script([Rule::any("first").always().text("one")]);
    let file = format!("[upstream]\nchatgpt_url = \"{}\"\n", first.chatgpt_url());
    let launch = Launch::beside(&first).env("DRAGOMAN_CHATGPT_URL", "").config(&file);
    let app = app(&launch).await;
    assert_eq!(ask(&app, "hi").await.status, 200, "{}", first.story());
    assert_eq!((first.turns().len(), second.requests().len()), (1, 0));

    app.set("upstream.chatgpt_url", Some(&second.chatgpt_url())).await.unwrap();
    // It knows nothing of the login; that it was asked is enough.
    assert_eq!(ask(&app, "hi again").await.status, 401);
    assert!(!second.requests_to("/backend-api/codex/responses").is_empty(), "{}", second.story());
    assert_eq!(first.turns().len(), 1, "{}", first.story());

    app.set("upstream.chatgpt_url", Some(&first.chatgpt_url())).await.unwrap();
    assert_eq!(ask(&app, "and again").await.status, 200, "{}", first.story());
}
