//! Who is let in, and who is not.

use support::fake::FakeChatGpt;
use support::http::Call;
use support::{Dragoman, TOKEN};

use crate::{bare, good, let_in, link, refused, start};

/// A call of our page in a browser that was let in.
fn of_our_page(dragoman: &Dragoman, cookie: &str, method: &str, path: &str) -> Call {
    bare(dragoman, method, path)
        .header("cookie", cookie)
        .header("origin", &format!("http://{}", dragoman.admin_address()))
        .header("sec-fetch-site", "same-origin")
}

#[tokio::test]
async fn nobody_gets_anything_without_the_admin_token() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    for path in
        ["/admin/snapshot", "/admin/events", "/admin/environment", "/admin/openapi.json", "/admin/about"]
    {
        let words = refused(&bare(&dragoman, "GET", path).send().await, 401, "unauthorized");
        assert!(words.contains("dragoman open"), "{words}");
    }
    let with = |name: &str, value: &str| bare(&dragoman, "GET", "/admin/snapshot").header(name, value).send();
    // What Claude Code holds opens nothing here, in neither of its headers.
    refused(&with("authorization", &format!("Bearer {TOKEN}")).await, 401, "unauthorized");
    refused(&with("x-api-key", TOKEN).await, 401, "unauthorized");
    let token = dragoman.admin_token();
    for wrong in [&token[1..], &format!("{token}x"), "", "null"] {
        refused(&with("authorization", &format!("Bearer {wrong}")).await, 401, "unauthorized");
    }
    refused(&with("authorization", &format!("Basic {token}")).await, 401, "unauthorized");
    refused(
        &with("cookie", &format!("dragoman-{}={token}", dragoman.admin_address().port())).await,
        401,
        "unauthorized",
    );
    good(&with("authorization", &format!("bearer {token}")).await);
    // Nor does the admin token open the proxy.
    let answer =
        dragoman.call("GET", "/v1/models").header("authorization", &format!("Bearer {token}")).send().await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn the_token_is_the_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    for name in ["admin-token", "admin.json"] {
        let path = dragoman.path().join("dragoman/state").join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_ne!(dragoman.admin_token(), TOKEN);
    assert_eq!(dragoman.admin_token().len(), 43, "32 bytes in base64url");
}

#[tokio::test]
async fn another_host_is_refused_before_the_token_is_looked_at() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    for host in ["evil.example", "evil.example:3747", "127.0.0.1.evil.example", "localhost.evil.example", ""]
    {
        for (path, status) in [("/admin/snapshot", 403), ("/", 403), ("/open?code=x", 403)] {
            let answer = dragoman.admin("GET", path).header("host", host).send().await;
            refused(&answer, status, "forbidden");
        }
    }
    let port = dragoman.admin_address().port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        good(&dragoman.admin("GET", "/admin/snapshot").header("host", &host).send().await);
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_also_on_another_port_of_this_machine() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let cookie = let_in(&dragoman).await;
    let own = format!("http://{}", dragoman.admin_address());
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "http://localhost",
        "file://",
        &format!("{own}.evil.example"),
    ] {
        let call =
            |method, path| bare(&dragoman, method, path).header("cookie", &cookie).header("origin", origin);
        refused(&call("GET", "/admin/snapshot").send().await, 403, "forbidden");
        let off =
            call("PUT", "/admin/server").bytes(r#"{"on":false}"#).header("content-type", "application/json");
        refused(&off.send().await, 403, "forbidden");
        let answer = call("GET", "/admin/snapshot").send().await;
        assert_eq!(answer.headers.value("access-control-allow-origin"), None);
    }
    let snapshot = good(&dragoman.admin("GET", "/admin/snapshot").send().await);
    assert_eq!(snapshot["server"]["state"], "on", "nobody switched it off");
}

#[tokio::test]
async fn the_cookie_alone_changes_nothing() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let cookie = let_in(&dragoman).await;
    let off = || {
        let call = bare(&dragoman, "PUT", "/admin/server").header("cookie", &cookie);
        call.bytes(r#"{"on":false}"#).header("content-type", "application/json")
    };
    refused(&off().send().await, 403, "forbidden");
    for site in ["cross-site", "same-site"] {
        refused(&off().header("sec-fetch-site", site).send().await, 403, "forbidden");
        let get = bare(&dragoman, "GET", "/admin/snapshot")
            .header("cookie", &cookie)
            .header("sec-fetch-site", site);
        refused(&get.send().await, 403, "forbidden");
    }
    // What a form could send is not JSON.
    let form = of_our_page(&dragoman, &cookie, "PUT", "/admin/server").bytes(r#"{"on":false}"#);
    refused(&form.header("content-type", "text/plain").send().await, 400, "bad_request");
    let snapshot = good(&of_our_page(&dragoman, &cookie, "GET", "/admin/snapshot").send().await);
    assert_eq!(snapshot["server"]["state"], "on");
    let ours = of_our_page(&dragoman, &cookie, "PUT", "/admin/server").bytes(r#"{"on":false}"#);
    let answer = good(&ours.header("content-type", "application/json").send().await);
    assert_eq!(answer["state"], "off");
}

#[tokio::test]
async fn a_link_lets_one_browser_in_once() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let link = link(&dragoman);
    let answer = bare(&dragoman, "GET", &link).send().await;
    assert_eq!((answer.status, answer.headers.value("location")), (303, Some("/")));
    let cookie = answer.headers.value("set-cookie").unwrap();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/admin"] {
        assert!(cookie.split("; ").any(|part| part == flag), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    good(&of_our_page(&dragoman, cookie, "GET", "/admin/snapshot").send().await);

    let again = bare(&dragoman, "GET", &link).send().await;
    assert_eq!((again.status, again.headers.value("set-cookie")), (403, None));
    assert!(again.text().contains("dragoman open"), "{}", again.text());
    let changed = format!("{}A", &link[..link.len() - 1]);
    for wrong in ["/open", "/open?code=", "/open?code=1.2.3", changed.as_str()] {
        assert_eq!(bare(&dragoman, "GET", wrong).send().await.status, 403, "{wrong}");
    }

    let left = of_our_page(&dragoman, cookie, "DELETE", "/admin/session").send().await;
    assert_eq!(left.status, 204);
    refused(&of_our_page(&dragoman, cookie, "GET", "/admin/snapshot").send().await, 401, "unauthorized");
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_and_its_types() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/backend.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = bare(&dragoman, "GET", path).send().await;
        assert_eq!((answer.status, answer.headers.value("content-type")), (200, Some(kind)), "{path}");
        let header = |name| answer.headers.value(name).unwrap_or_else(|| panic!("{path} has no {name}"));
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
        assert!(!header("content-security-policy").contains("unsafe"));
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
    }
    for path in ["/api.d.ts", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/nothing", "/admin", "/admin/nothing"]
    {
        refused(&bare(&dragoman, "GET", path).send().await, 404, "not_found");
    }
    let answer = dragoman.admin("GET", "/admin/snapshot").send().await;
    assert!(answer.headers.value("content-security-policy").is_some(), "also beside JSON");
    refused(&dragoman.admin("POST", "/admin/snapshot").send().await, 405, "method_not_allowed");
}

/// What a page may do, directive by directive: a policy that lost one of them would still look strict.
#[tokio::test]
async fn every_answer_says_what_a_page_may_do_also_a_refusal() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let answers = [
        bare(&dragoman, "GET", "/").send().await,
        bare(&dragoman, "GET", "/admin/snapshot").send().await,
        bare(&dragoman, "GET", "/nothing").send().await,
        bare(&dragoman, "GET", "/open?code=x").send().await,
        bare(&dragoman, "GET", &link(&dragoman)).send().await,
        dragoman.admin("GET", "/admin/snapshot").header("host", "evil.example").send().await,
        dragoman.admin("GET", "/admin/snapshot").header("origin", "http://evil.example").send().await,
        dragoman.admin("GET", "/admin/snapshot").send().await,
    ];
    for answer in &answers {
        let header = |name: &str| answer.headers.value(name).unwrap_or_else(|| panic!("{answer:?}"));
        let mut policy: Vec<&str> = header("content-security-policy").split(';').map(str::trim).collect();
        policy.sort_unstable();
        let expected = [
            "base-uri 'none'",
            "connect-src 'self'",
            "default-src 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "img-src 'self' data:",
            "script-src 'self'",
            "style-src 'self'",
        ];
        assert_eq!(policy, expected, "{}", answer.status);
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
    }
    assert_eq!(answers.map(|answer| answer.status), [200, 401, 404, 403, 303, 403, 403, 200]);
}

#[tokio::test]
async fn every_route_that_is_described_asks_who_is_there() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let description = good(&dragoman.admin("GET", "/admin/openapi.json").send().await);
    let paths = description["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    let more = [("DELETE", "/admin/session"), ("GET", "/metrics")];
    let more = more.map(|(method, path)| (method.to_owned(), path.to_owned()));
    let mut asked = 0;
    for (method, path) in described.chain(more) {
        let path = path.replace("{account}", "1").replace("{id}", "1").replace("{key}", "log.level");
        let path = path.replace("{asks}", "opus");
        let call = bare(&dragoman, &method, &path).header("content-type", "application/json").bytes("{}");
        refused(&call.send().await, 401, "unauthorized");
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
}

#[tokio::test]
async fn of_many_browsers_with_one_link_one_gets_in() {
    let fake = FakeChatGpt::start();
    let dragoman = start(&fake).await;
    let link = link(&dragoman);
    let mut browsers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        browsers.spawn(bare(&dragoman, "GET", &link).send());
    }
    let mut statuses: Vec<u16> = browsers.join_all().await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (303, [403; 15].as_slice()));
}

#[tokio::test]
async fn the_cookie_of_a_browser_that_left_or_of_another_program_is_worth_nothing() {
    let fake = FakeChatGpt::start();
    let (one, other) = (start(&fake).await, start(&fake).await);
    let cookie = let_in(&one).await;
    let (_, secret) = cookie.split_once('=').unwrap();
    let elsewhere = format!("dragoman-{}={secret}", other.admin_address().port());
    refused(&of_our_page(&other, &elsewhere, "GET", "/admin/snapshot").send().await, 401, "unauthorized");
    let left = of_our_page(&one, &cookie, "DELETE", "/admin/session").send().await;
    let gone = left.headers.value("set-cookie").unwrap();
    for flag in ["Max-Age=0", "HttpOnly", "SameSite=Strict", "Path=/admin"] {
        assert!(gone.split("; ").any(|part| part == flag), "{gone}");
    }
    refused(&of_our_page(&one, &cookie, "GET", "/admin/snapshot").send().await, 401, "unauthorized");
}
