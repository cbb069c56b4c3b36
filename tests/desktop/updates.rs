//! Newer versions: a list on this machine, packages signed here by Tauri's own tool, and the real program that looks,
//! tells, checks and refuses. What it must not do is as important: ask without having been told to, or install anything
//! that is not rightly signed.
//!
//! Not here: a package that replaces the installed one (`installed.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake::{FakeChatGpt, Reply};
use tempfile::TempDir;

use crate::app::{Launch, binary, eventually};
use crate::heard::Heard;
use crate::page::Page;
use crate::tray::Tray;

/// Where the list is, at the fake.
pub(crate) const LIST: &str = "/latest.json";
const PACKAGE: &str = "/package";
/// Longer than a look takes.
const QUIET: Duration = Duration::from_secs(3);

/// A key pair, made by Tauri's tool.
pub(crate) struct Key {
    folder: TempDir,
}

impl Key {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        signer(&[
            "generate",
            "--ci",
            "--password",
            "",
            "--write-keys",
            &folder.path().join("key").display().to_string(),
        ]);
        Self { folder }
    }

    /// As the settings want it.
    pub(crate) fn public(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("key.pub")).unwrap().trim().to_owned()
    }

    /// The signature of a file, for a version.
    pub(crate) fn sign(&self, file: &Path, version: &str) -> String {
        self.signature(file, &["--app-version", version])
    }

    fn sign_text(&self, text: &str, version: &str) -> String {
        self.sign(&self.file(text), version)
    }

    fn file(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join("package");
        std::fs::write(&file, text).unwrap();
        file
    }

    fn signature(&self, file: &Path, more: &[&str]) -> String {
        let key = self.folder.path().join("key").display().to_string();
        let path = file.display().to_string();
        let mut arguments = vec!["sign", "--private-key-path", &key, "--password", ""];
        arguments.extend(more);
        arguments.push(&path);
        signer(&arguments);
        std::fs::read_to_string(format!("{path}.sig")).unwrap()
    }
}

fn signer(arguments: &[&str]) {
    let tauri = support::workspace().join("target/tools/clients/node_modules/.bin/tauri");
    let output = Command::new(tauri).arg("signer").args(arguments).output();
    let output = output.expect("the Tauri CLI is there; `.ci/setup test` installs it");
    assert!(output.status.success(), "{output:?}");
}

/// A list with one version for this system; its package is at the fake.
fn list(fake: &FakeChatGpt, version: &str, signature: &str) -> Reply {
    listed(version, &format!("{}{PACKAGE}", fake.url()), signature)
}

/// A list with one version for this system.
pub(crate) fn listed(version: &str, package: &str, signature: &str) -> Reply {
    let package = json!({ "url": package, "signature": signature });
    let platform = format!("linux-{}", std::env::consts::ARCH);
    Reply::json(
        200,
        &json!({ "version": version, "notes": "Much is better.", "platforms": { platform: package } }),
    )
}

/// How often the list was asked for.
fn asked(fake: &FakeChatGpt) -> usize {
    fake.requests_to(LIST).len()
}

fn launch(fake: &FakeChatGpt, key: &Key) -> Launch {
    let url = format!("{}{LIST}", fake.url());
    Launch::new().env("DRAGOMAN_UPDATES_URL", &url).env("DRAGOMAN_UPDATES_KEY", &key.public())
}

async fn about(launch: Launch) -> Page {
    let page = Page::open(launch.argument("--window")).await;
    page.says("#state", "On").await;
    page.value("(location.hash = '#/about', true)").await;
    page.says("main h1", "About").await;
    page
}

#[tokio::test]
async fn nothing_is_asked_until_it_is_switched_on_and_a_version_is_told_once() {
    let (heard, fake, key) = (Heard::listen().await, FakeChatGpt::start(), Key::new());
    fake.reply(LIST, [list(&fake, "9.9.9", &key.sign_text("new", "9.9.9"))]);
    let page = about(launch(&fake, &key)).await;
    page.says("#update", "Look for newer versions").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(asked(&fake), 0, "it was off");
    assert_eq!(page.value("document.getElementById('update-check').ariaChecked").await, "false");

    page.click("#update-check").await;
    page.says("#update", "Version 9.9.9 is there.").await;
    page.says("#update", "Much is better.").await;
    heard.eventually("A newer version is there").await;
    assert_eq!(asked(&fake), 1);
    assert_eq!(fake.requests_to(PACKAGE).len(), 0, "nothing is loaded without a click");

    // Another look, and another start: it is told no more.
    page.click("#update-check").await;
    let switch = "document.getElementById('update-check').ariaChecked";
    eventually("it is off", async || page.value(switch).await == "false").await;
    page.click("#update-check").await;
    eventually("it was asked again", async || asked(&fake) == 2).await;
    let tray = Tray::of(&page).await;
    let runs = || page.descendant("dragoman-deskto").is_some(); // its first 15 letters
    assert!(runs());
    tray.click("Quit").await;
    // While the first one is on its way out, a second would only tell it to open its window.
    eventually("it has ended", async || !runs()).await;
    let mut again = page.again().arg("--background").spawn().unwrap();
    eventually("the next start asks", async || asked(&fake) == 3).await;
    tokio::time::sleep(QUIET).await;
    again.kill().unwrap();
    again.wait().unwrap();
    let told = heard.so_far().into_iter().filter(|(title, _)| title == "A newer version is there").count();
    assert_eq!(told, 1, "{:?}", heard.so_far());
}

#[tokio::test]
async fn a_package_that_is_not_rightly_signed_is_refused() {
    let (fake, key, other) = (FakeChatGpt::start(), Key::new(), Key::new());
    let package = Reply { kind: "application/octet-stream", ..Reply::json(200, &Value::from("new")) };
    let text = package.body.clone();
    let before = std::fs::read(binary()).unwrap();
    // Signed with another key; as an older version; for no version; another file.
    for (signature, words) in [
        (other.sign_text(&text, "9.9.9"), "not signed as it must be"),
        (key.sign_text(&text, "0.0.1"), "signed for version 0.0.1"),
        (key.signature(&key.file(&text), &[]), "does not specify the version"),
        (key.sign_text("something else", "9.9.9"), "not signed as it must be"),
        // The last one is right, and only this build can't be replaced.
        (key.sign_text(&text, "9.9.9"), "not installed from a package"),
    ] {
        fake.forget();
        fake.reply(LIST, [list(&fake, "9.9.9", &signature)]);
        fake.reply(PACKAGE, [package.clone()]);
        let page = about(launch(&fake, &key).env("DRAGOMAN_UPDATES_CHECK", "true")).await;
        page.says("#update", "Version 9.9.9 is there.").await;
        page.click("#update-install").await;
        page.says("#update", words).await;
        assert_eq!(fake.requests_to(PACKAGE).len(), 1);
    }
    assert!(std::fs::read(binary()).unwrap() == before, "the program was overwritten");
}

#[tokio::test]
async fn what_can_t_be_read_or_reached_is_said_in_a_sentence() {
    let (fake, key) = (FakeChatGpt::start(), Key::new());
    fake.reply(LIST, [Reply::html(200, "<h1>Welcome</h1>")]);
    let page = about(launch(&fake, &key).env("DRAGOMAN_UPDATES_CHECK", "true")).await;
    page.says("#update", "What 127.0.0.1 answered is no list of versions.").await;
    let elsewhere = Reply::json(200, &json!({ "version": "9.9.9", "platforms": {} }));
    // Each says something else than the one before, so that it is known whose words they are.
    for (reply, words) in [
        (elsewhere.clone(), "but not for this system"),
        (Reply::html(404, "nothing"), "is no list of versions"),
        (list(&fake, env!("CARGO_PKG_VERSION"), "none"), "This is the newest version."),
        (elsewhere, "but not for this system"),
        (list(&fake, "0.0.1", "none"), "This is the newest version."),
    ] {
        fake.reply(LIST, [reply]);
        page.click("#update-look").await;
        page.says("#update", words).await;
    }
    drop((page, fake));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let launch = Launch::new().env("DRAGOMAN_UPDATES_KEY", &key.public());
    let launch = launch.env("DRAGOMAN_UPDATES_URL", &format!("http://{nobody}{LIST}"));
    let page = about(launch.env("DRAGOMAN_UPDATES_CHECK", "true")).await;
    page.says("#update", "127.0.0.1 can't be reached.").await;
}

#[tokio::test]
async fn without_an_address_and_a_key_there_is_nothing_to_choose() {
    let page = about(Launch::new()).await;
    page.says("#doctor", "Check").await;
    assert_eq!(page.value("document.getElementById('update')").await, Value::Null);
    page.value("(location.hash = '#/settings', true)").await;
    page.says("[data-key=\"log.level\"]", "log.level").await;
    assert_eq!(page.value("document.querySelector('[data-key^=updates]')").await, Value::Null);
}
