//! The window's page, driven by WebKitWebDriver, which starts the app itself and waits for its first window.

use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value, json};
use support::http::Call;

use crate::app::{Launch, Running, becomes, binary, eventually};

/// How WebDriver marks an element in its answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open page. Also the [`Running`] app: the driver, whose child the app is.
#[derive(Debug)]
pub(crate) struct Page {
    driver: Running,
    address: SocketAddr,
    session: String,
}

impl Deref for Page {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.driver
    }
}

impl Page {
    /// Starts the app, which must open a window.
    pub(crate) async fn open(launch: Launch) -> Self {
        let options = json!({ "binary": binary(), "args": launch.arguments() });
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = launch.prepared("WebKitWebDriver");
        command.args(["--host=127.0.0.1", &format!("--port={}", address.port())]);
        command.env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = launch.run(command);
        eventually("the driver is there", async || {
            Call::new(address, "GET", "/status").try_open().await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
        let wanted = json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } });
        let begun = Call::new(address, "POST", "/session").json(&wanted).send();
        let begun =
            tokio::time::timeout(Duration::from_secs(30), begun).await.expect("the driver found no window");
        let session = begun.json()["value"]["sessionId"].as_str().map(str::to_owned);
        let session = session.unwrap_or_else(|| panic!("no WebDriver session: {}", begun.text()));
        Self { driver, address, session }
    }

    /// The value of an expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.post("execute/sync", &json!({ "script": format!("return {expression}"), "args": [] })).await
    }

    /// Waits until the element's text contains the words.
    pub(crate) async fn says(&self, selector: &str, words: &str) {
        let text = format!("document.querySelector('{selector}')?.textContent");
        becomes(&format!("{selector} says {words}"), async || {
            let text = self.value(&text).await;
            if text.as_str().is_some_and(|text| text.contains(words)) {
                Ok(())
            } else {
                Err(text.to_string())
            }
        })
        .await;
    }

    /// The element's text.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector('{selector}').textContent")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Picks one of a list, as its menu would: that is drawn by the system, where no driver reaches.
    pub(crate) async fn pick(&self, selector: &str, value: &str) {
        let script = "const [list, value] = arguments; list.value = value; \
                      list.dispatchEvent(new Event('change', { bubbles: true }))";
        let list = json!({ ELEMENT: self.element(selector).await });
        self.post("execute/sync", &json!({ "script": script, "args": [list, value] })).await;
    }

    /// Clicks an element with the pointer, once it is there and stays where it is: the driver aims first and clicks
    /// then, and a page that is still being filled would make it miss.
    pub(crate) async fn click(&self, selector: &str) {
        let place = format!("JSON.stringify(document.querySelector('{selector}')?.getBoundingClientRect())");
        let mut before = Value::Null;
        eventually(&format!("{selector} is there and rests"), async || {
            let now = self.value(&place).await;
            !now.is_null() && std::mem::replace(&mut before, now.clone()) == now
        })
        .await;
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), &json!({})).await;
    }

    /// Types keys into an element.
    pub(crate) async fn keys(&self, selector: &str, keys: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/value"), &json!({ "text": keys })).await;
    }

    /// What the clipboard holds, pasted into a field of its own.
    pub(crate) async fn clipboard(&self) -> String {
        self.post(
            "execute/sync",
            &json!({ "script": "document.body.append(document.createElement('textarea'))", "args": [] }),
        )
        .await;
        self.keys("textarea", "\u{e009}v").await;
        let mut pasted = String::new();
        eventually("the clipboard can be pasted", async || {
            pasted = self
                .value("document.querySelector('textarea').value")
                .await
                .as_str()
                .unwrap_or_default()
                .to_owned();
            !pasted.is_empty()
        })
        .await;
        pasted
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector })).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element {selector}: {found}")).to_owned()
    }

    /// One of WebDriver's commands.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        let answer = Call::new(self.address, "POST", &path).json(body).send().await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        answer.json()["value"].take()
    }
}
