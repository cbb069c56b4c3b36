//! No secret comes out of the admin API, but the local token where it was asked for.

use serde_json::json;
use support::fake::{FakeChatGpt, Rule};
use support::{Launch, TOKEN, message};

use crate::{let_in, link};

const PROMPT: &str = "PROMPT-CANARY-51d0";
const ANSWER: &str = "ANSWER-CANARY-88e2";

#[tokio::test]
async fn no_answer_holds_a_secret() {
    let fake = FakeChatGpt::start();
    let login = fake.sign_in();
    let launch =
        Launch::signed_out(&fake).signed_in_with(&login).env("DRAGOMAN_LOG", "trace").argument("-vv");
    let mut dragoman = launch.admin("127.0.0.1:0").start().await;
    fake.script([Rule::any("a").always().text(ANSWER)]);
    dragoman.messages(&message(PROMPT)).send().await;
    let key = json!({ "way": { "kind": "api_key", "key": "sk-canary-77aa" } });
    dragoman.admin("POST", "/admin/logins").json(&key).send().await;
    let (token, cookie, code) = (dragoman.admin_token(), let_in(&dragoman).await, link(&dragoman));
    let secrets = [
        login.access_token.as_str(),
        &login.refresh_token,
        &login.id_token,
        "rt_canary_",
        "Bearer ey",
        "sk-canary-77aa",
        &token,
        cookie.split_once('=').unwrap().1,
        code.split_once('=').unwrap().1,
    ];
    let clean = |what: &str, text: &str, more: &[&str]| {
        for secret in secrets.iter().chain(more) {
            assert!(!text.contains(secret), "{what} holds {secret}");
        }
    };
    let description = dragoman.admin("GET", "/admin/openapi.json").send().await.json();
    for (path, methods) in description["paths"].as_object().unwrap() {
        if methods.get("get").is_none() || path.contains("/events") || path.contains("/stream") {
            continue;
        }
        let path = path.replace("{id}", "1").replace("{account}", "1");
        let text = dragoman.admin("GET", &path).send().await.text();
        // These two are asked for it.
        let shows_token = ["/admin/environment", "/admin/recipes"].contains(&path.as_str());
        assert_eq!(text.contains(TOKEN), shows_token, "{path}");
        clean(&path, &text, &[PROMPT, ANSWER]);
    }
    let wrong = json!({ "way": { "kind": "api_key", "key": 7, "sk-canary-77aa": "sk-canary-77aa" } });
    let text = dragoman.admin("POST", "/admin/logins").json(&wrong).send().await.text();
    clean("a refused body", &text, &[]);
    dragoman.interrupt("TERM");
    dragoman.ended(crate::SOON).await;
    clean("stdout and stderr", &dragoman.said(), &[PROMPT, ANSWER, TOKEN]);
    for path in dragoman.files().into_iter().filter(|path| path.extension().is_some_and(|end| end == "log")) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        clean(&path.display().to_string(), &text, &[PROMPT, ANSWER, TOKEN]);
    }
}
