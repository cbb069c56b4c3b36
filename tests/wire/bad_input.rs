//! Malformed requests: each gets an Anthropic error that names the field, and nothing of it is forwarded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, Launch, message};

use crate::error;

/// Changes one field of a good request; `null` takes it away.
fn with(field: &str, value: Value) -> Value {
    let mut body = message("hi");
    match value {
        Value::Null => drop(body.as_object_mut().unwrap().remove(field)),
        value => body[field] = value,
    }
    body
}

fn content(content: Value) -> Value {
    with("messages", json!([{ "role": "user", "content": content }]))
}

#[tokio::test]
async fn a_wrong_body_is_refused_by_the_name_of_its_field() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let image = |source: Value| content(json!([{ "type": "image", "source": source }]));
    let table = [
        ("messages", with("messages", Value::Null)),
        ("messages", with("messages", json!([]))),
        ("messages", with("messages", json!("hi"))),
        ("messages.0", with("messages", json!(["hi"]))),
        ("messages.0.role", with("messages", json!([{ "content": "hi" }]))),
        ("messages.0.role", with("messages", json!([{ "role": "wizard", "content": "hi" }]))),
        ("messages.0.content", with("messages", json!([{ "role": "user" }]))),
        ("messages.0.content", content(json!(7))),
        ("messages.0.content.0.text", content(json!([{ "type": "text" }]))),
        ("messages.0.content.0.type", content(json!([{ "text": "x" }]))),
        ("messages.0.content.0.source", image(json!(1))),
        ("messages.0.content.0.source", image(json!({ "type": "url", "url": "file:///etc/passwd" }))),
        ("model", with("model", Value::Null)),
        ("model", with("model", json!(5))),
        ("stream", with("stream", json!("yes"))),
        ("tools", with("tools", json!({}))),
        ("tools.0.name", with("tools", json!([{ "input_schema": {} }]))),
        ("tool_choice", {
            let mut body = with("tools", json!([{ "name": "Bash", "input_schema": {} }]));
            body["tool_choice"] = json!({ "type": "tool", "name": "Absent" });
            body
        }),
        ("system", with("system", json!(7))),
        ("safeguards", with("safeguards", json!([{ "type": "dangerous_tool_use" }]))),
    ];
    for (field, body) in table {
        let answer = dragoman.messages(&body).send().await;
        assert_eq!(answer.status, 400, "{body} was answered with {}", answer.text());
        let words = error(&answer, 400, "invalid_request_error");
        assert!(words.contains(field), "{body}: {words:?} does not name {field}");
    }
    assert!(fake.turns().is_empty(), "{}", fake.story());
}

#[tokio::test]
async fn what_is_not_json_is_said_to_be_none() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let deep = "[".repeat(200_000);
    for body in ["", "hello", "{\"model\":", "[]", "null", "\u{0}", "{\"model\":\"a\",}", &deep] {
        for path in ["/v1/messages", "/v1/messages/count_tokens"] {
            let call = dragoman.call("POST", path).header("content-type", "application/json").bytes(body);
            let words = error(&call.send().await, 400, "invalid_request_error");
            assert!(words.len() < 400, "the body is quoted back: {words}");
        }
    }
    // Not UTF-8.
    let call = dragoman.call("POST", "/v1/messages").bytes(b"{\"model\":\"\xff\"}".to_vec());
    error(&call.send().await, 400, "invalid_request_error");
    assert!(fake.turns().is_empty(), "{}", fake.story());
}

#[tokio::test]
async fn threads_are_refused_so_that_sdks_fall_back() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let answer = dragoman.messages(&with("thread", json!({ "type": "create" }))).send().await;
    error(&answer, 400, "invalid_request_error");
    let details = json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] });
    assert_eq!(answer.json()["error"]["details"], details);
    assert!(fake.turns().is_empty());
}

/// A newer client may say something new: it is passed on in words, never refused and never lost.
#[tokio::test]
async fn unknown_fields_and_blocks_are_not_refused() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let mut body = content(json!([
        { "type": "hologram", "shape": "HOLOGRAM-CONTENT" },
        { "type": "text", "text": "look", "cache_control": { "type": "ephemeral", "new": 1 } },
    ]));
    body["a_new_field"] = json!({ "x": 1 });
    body["temperature"] = json!(0.2);
    let call = dragoman.messages(&body).header("anthropic-beta", "from-the-future-2030-01-01");
    let answer = call.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(fake.only("a").view().text().contains("HOLOGRAM-CONTENT"));
    fake.assert_content();
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_too_large() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let answer = dragoman.messages(&message(&"x".repeat(100 << 20))).send().await;
    error(&answer, 413, "request_too_large");
    // The same without a length to look at.
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let chunked = dragoman.call("POST", "/v1/messages").framed(chunk.repeat(70));
    error(&chunked.send().await, 413, "request_too_large");
    assert!(fake.turns().is_empty());
    fake.script([Rule::any("a").text("fine")]);
    let large = dragoman.messages(&message(&"word ".repeat(5 << 20))).send().await;
    assert_eq!(large.status, 200, "25 MB are fine: {}", large.text());
}

/// Most clients read the answer only when they have sent everything. A connection that closes before would be all that
/// they see of the refusal.
#[tokio::test]
async fn a_client_that_sends_everything_first_reads_why_it_was_refused() {
    use std::io::{Read as _, Write as _};
    let fake = FakeChatGpt::start();
    let dragoman = Launch::beside(&fake).config("[server]\nbody_limit_mb = 1\n").start().await;
    let address = dragoman.address();
    let body = vec![b'x'; 40 << 20];
    let chunked = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    let length = format!("content-length: {}", body.len());
    for (path, token, framing, body, status) in [
        ("/v1/messages", support::TOKEN, &length, &body, 413),
        ("/v1/messages", support::TOKEN, &"transfer-encoding: chunked".to_owned(), &chunked, 413),
        ("/v1/messages", "a wrong one", &length, &body, 401),
        ("/v1/message", support::TOKEN, &length, &body, 404),
        ("/v1/models", support::TOKEN, &length, &body, 405),
    ] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {token}\r\n{framing}\r\n\r\n");
        let all = [head.as_bytes(), body].concat();
        let answered = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(&all).expect("all of it is taken");
            let mut status = [0; 12];
            stream.read_exact(&mut status).expect("the answer comes");
            String::from_utf8_lossy(&status).into_owned()
        });
        assert_eq!(answered.await.unwrap(), format!("HTTP/1.1 {status}"), "{path} {framing}");
    }
    assert!(fake.turns().is_empty());
}

/// Most large bodies are screenshots (R70): all of them arrive, byte for byte.
#[tokio::test]
async fn twenty_five_megabytes_of_pictures_arrive() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let pictures: Vec<String> =
        (0..9).map(|n| STANDARD.encode(support::files::png(1000, 700, [n, 0, 128]))).collect();
    let blocks = pictures.iter().map(|data| {
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": data } })
    });
    let mut body = message("");
    body["messages"][0]["content"] = blocks.collect();
    assert!(body.to_string().len() > 25_000_000, "{}", body.to_string().len());
    fake.script([Rule::any("a").text("nine pictures")]);
    let answer = dragoman.messages(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = fake.only("a").body.to_string();
    for data in &pictures {
        assert!(sent.contains(&format!("data:image/png;base64,{data}")));
    }
    fake.assert_content();
}

#[tokio::test]
async fn without_the_local_token_nothing_is_served() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    for (method, path) in
        [("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models?limit=1000")]
    {
        let call = || {
            let call = dragoman.call(method, path).without("authorization");
            if method == "POST" { call.json(&message("hi")) } else { call }
        };
        let near = format!("Bearer {}x", support::TOKEN);
        for call in [
            call(),
            call().header("authorization", "Bearer wrong"),
            call().header("authorization", &near),
            call().header("authorization", support::TOKEN),
            call().header("x-api-key", "wrong"),
            call().header("x-api-key", ""),
        ] {
            let answer = call.send().await;
            error(&answer, 401, "authentication_error");
            assert_eq!(answer.headers.value("x-should-retry"), Some("false"));
        }
        assert_eq!(call().header("x-api-key", support::TOKEN).send().await.status, 200, "{path}");
    }
    assert_eq!(fake.turns().len(), 1);
}

#[tokio::test]
async fn a_foreign_host_is_refused() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    fake.script([Rule::any("a").always().text("fine")]);
    let port = dragoman.address().port();
    for host in ["evil.example", "evil.example:3746", "127.0.0.1.evil.example", "", "localhost.evil.example"]
    {
        for call in [dragoman.messages(&message("hi")), dragoman.call("GET", "/health")] {
            let answer = call.header("host", host).send().await;
            error(&answer, 403, "permission_error");
        }
    }
    assert!(fake.turns().is_empty());
    for host in
        ["localhost".to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), "[::1]".to_owned()]
    {
        let answer = dragoman.messages(&message("hi")).header("host", &host).send().await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_wrong_method_and_an_unknown_path_have_their_status() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    for (method, path) in
        [("GET", "/v1/messages"), ("PUT", "/v1/messages"), ("POST", "/v1/models"), ("DELETE", "/health")]
    {
        let answer = dragoman.call(method, path).send().await;
        let words = error(&answer, 405, "invalid_request_error");
        assert!(words.contains(method), "{words}");
        assert!(answer.headers.value("allow").is_some(), "{method} {path}");
    }
    for path in ["/", "/v1", "/v1/complete", "/v2/messages", "/v1/messages/", "/../etc/passwd"] {
        let answer = dragoman.call("POST", path).json(&message("hi")).send().await;
        assert!(answer.status == 404 || (path == "/" && answer.status == 405), "{path}: {}", answer.text());
        assert_eq!(answer.json()["type"], "error", "{path}");
        assert!(answer.headers.value("request-id").is_some(), "{path}");
    }
    // No page of another site may read an answer.
    let preflight =
        dragoman.call("OPTIONS", "/v1/messages").header("origin", "https://evil.example").send().await;
    assert_eq!(preflight.headers.value("access-control-allow-origin"), None);
    assert!(preflight.status >= 400, "{}", preflight.status);
    assert!(fake.turns().is_empty());
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_the_ones_there_are() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let answer = dragoman.messages(&with("model", json!("gpt-1"))).send().await;
    let words = error(&answer, 404, "not_found_error");
    assert!(words.contains("gpt-1") && words.contains("gpt-5.5"), "{words}");
    assert!(fake.turns().is_empty());
    // Passed through, it is the backend that does not know it.
    let passthrough = Launch::beside(&fake).env("DRAGOMAN_MODELS_MODE", "passthrough").start().await;
    let answer = passthrough.messages(&with("model", json!("gpt-1"))).send().await;
    assert!(error(&answer, 404, "not_found_error").contains("dragoman models"));
    assert_eq!(fake.turns()[0].view().model, "gpt-1");
    // A Claude name that nobody has heard of stands for some model all the same.
    fake.script([Rule::any("a").text("fine")]);
    assert_eq!(dragoman.messages(&with("model", json!("claude-haiku-9"))).send().await.status, 200);
}
