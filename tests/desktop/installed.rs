//! The packages for Debian and Fedora, installed into a root of their own: nothing of this machine is touched and no rights
//! are needed.
//! `make test` makes the package first (stage `bundle`).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::fake::FakeChatGpt;
use support::http::Call;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::app::{Launch, eventually};
use crate::tray::Tray;
use crate::updates::{self, Key, LIST};

/// The package that `.ci/bundle` made, by its ending.
fn package(ending: &str) -> PathBuf {
    let folder = support::workspace().join("target/bundles");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = files.flatten().map(|file| file.path());
    found
        .find(|path| path.extension().is_some_and(|end| end == ending))
        .expect("run `PROFILE=debug .ci/bundle` first")
}

/// What lets dpkg work on a root and a database below it.
const FORCE: [&str; 4] =
    ["--force-not-root", "--force-script-chrootless", "--force-depends", "--log=/dev/null"];

fn dpkg(root: &Path, arguments: &[&str]) {
    let mut command = Command::new("dpkg");
    command.arg(format!("--root={}", root.display())).args(FORCE);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "dpkg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Both programs, licences, the entry of the desktop's menu and its icon are below the root.
fn assert_whole(root: &Path) {
    let below = |path: &str| root.join(path);
    let version = said(Command::new(below("usr/bin/dragoman")).arg("version"));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let licences = std::fs::read_to_string(below("usr/share/doc/dragoman/LICENCES.txt")).unwrap();
    for part in ["tauri 2.", "rustls 0.", "preact, in the window", "MIT License", "Apache License"] {
        assert!(licences.contains(part), "{part} is not in LICENCES.txt");
    }
    let entry = below("usr/share/applications/Dragoman.desktop");
    said(Command::new("desktop-file-validate").arg(&entry));
    let entry = std::fs::read_to_string(entry).unwrap();
    assert!(entry.contains("Exec=dragoman-desktop\n"), "{entry}");
    let icon = entry.lines().find_map(|line| line.strip_prefix("Icon=")).unwrap();
    assert!(below("usr/share/icons/hicolor/128x128/apps").join(format!("{icon}.png")).exists(), "{entry}");
}

/// The package in a root of its own.
fn install(package: &Path) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let below = |path: &str| root.path().join(path);
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
        std::fs::create_dir_all(below(folder)).unwrap();
    }
    for file in ["status", "available"] {
        std::fs::write(below("var/lib/dpkg").join(file), "").unwrap();
    }
    dpkg(root.path(), &["--install", &package.display().to_string()]);
    root
}

#[tokio::test]
#[ignore = "needs the package: the stage bundle makes it"]
async fn the_package_is_installed_runs_and_is_removed() {
    let package = package("deb");
    let root = install(&package);
    let below = |path: &str| root.path().join(path);

    // What it needs to run is what is here, where it does run.
    let needs = said(Command::new("dpkg-deb").args(["--field", &package.display().to_string(), "Depends"]));
    assert!(needs.contains("libayatana-appindicator3-1") && needs.contains("libwebkit2gtk-4.1-0"), "{needs}");
    for name in needs.trim().split(", ") {
        said(Command::new("dpkg-query").args(["--show", name]));
    }

    assert_whole(root.path());

    let launch = Launch::new();
    let mut command = launch.prepared(below("usr/bin/dragoman-desktop"));
    command.args(launch.arguments());
    let app = launch.run(command);
    let tray = Tray::of(&app).await;
    tray.address().await;
    tray.click("Start at login").await;
    let autostart = || std::fs::read_to_string(app.path().join("home/.config/autostart/Dragoman.desktop"));
    eventually("it starts at login", async || autostart().is_ok()).await;
    let program = below("usr/bin/dragoman-desktop").display().to_string();
    assert!(autostart().unwrap().contains(&program), "{:?}", autostart());
    tray.click("Open window").await;
    eventually("the window opens", async || app.windows() == ["Dragoman"]).await;
    drop(app);

    dpkg(root.path(), &["--remove", "dragoman"]);
    assert!(!below("usr/bin/dragoman").exists() && !below("usr/bin/dragoman-desktop").exists());
    assert!(!below("usr/share/applications/Dragoman.desktop").exists());
}

/// rpm with a database below the folder.
fn rpm(folder: &Path) -> Command {
    let mut command = Command::new("rpm");
    command.arg("--dbpath").arg(folder.join("rpm"));
    command
}

/// What lets rpm install into a root: the files are moved, as `--root` would need the rights to change the root; and what
/// they depend on is Debian's here.
fn moved(root: &Path) -> [String; 4] {
    ["--nodeps".to_owned(), "--badreloc".to_owned(), "--relocate".to_owned(), format!("/={}", root.display())]
}

#[tokio::test]
#[ignore = "needs the package: the stage bundle makes it"]
async fn the_package_for_fedora_is_installed_runs_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let rpm = |arguments: &[&str]| said(rpm(folder.path()).args(arguments));
    let package = package("rpm").display().to_string();
    let needs = rpm(&["--query", "--requires", "--package", &package]);
    assert!(needs.contains("libayatana-appindicator-gtk3") && needs.contains("libwebkit2gtk-4.1"), "{needs}");
    rpm(&moved(&root).iter().map(String::as_str).chain(["--install", &package]).collect::<Vec<_>>());
    let name = format!("dragoman-{}-1.{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    assert_eq!(rpm(&["--query", "--all"]).trim(), name);
    assert_whole(&root);

    let launch = Launch::new();
    let mut command = launch.prepared(root.join("usr/bin/dragoman-desktop"));
    command.args(launch.arguments());
    let app = launch.run(command);
    Tray::of(&app).await.address().await;
    drop(app);

    rpm(&["--nodeps", "--erase", "dragoman"]);
    assert!(!root.join("usr/bin/dragoman").exists() && !root.join("usr/bin/dragoman-desktop").exists());
    assert!(!root.join("usr/share/applications/Dragoman.desktop").exists());
}

/// A program that would replace ours.
fn newer_program(folder: &Path) -> PathBuf {
    let tree = folder.join("tree");
    std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
    let program = tree.join("usr/bin/dragoman-desktop");
    std::fs::write(&program, "#!/bin/sh\necho newer\n").unwrap();
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    tree
}

/// The same as a package for Debian.
fn newer_deb(folder: &Path) -> PathBuf {
    let tree = newer_program(folder);
    std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    let control =
        "Package: dragoman\nVersion: 9.9.9\nArchitecture: all\nMaintainer: nobody\nDescription: newer\n";
    std::fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let package = folder.join("newer.deb");
    said(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(tree).arg(&package));
    package
}

/// The same as a package for Fedora.
fn newer_rpm(folder: &Path) -> PathBuf {
    let tree = newer_program(folder);
    let specification = folder.join("newer.spec");
    let text = "Name: dragoman\nVersion: 9.9.9\nRelease: 1\nSummary: newer\nLicense: MIT\nBuildArch: noarch\nPrefix: /\n\
                %description\nnewer\n%files\n/usr/bin/dragoman-desktop\n";
    std::fs::write(&specification, text).unwrap();
    let mut build = Command::new("rpmbuild");
    build
        .arg("-bb")
        .arg("--buildroot")
        .arg(tree)
        .arg("--define")
        .arg(format!("_topdir {}", folder.display()));
    // Nothing is built, and what has been installed stays as it is.
    said(build.args(["--noclean", "--define", "__spec_install_pre %{nil}"]).arg(specification));
    folder.join("RPMS/noarch/dragoman-9.9.9-1.noarch.rpm")
}

/// Answers every request with these bytes.
async fn serve(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/newer.deb", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _head = client.read(&mut [0; 4096]).await;
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", bytes.len());
            client.write_all(head.as_bytes()).await.unwrap();
            client.write_all(&bytes).await.unwrap();
        }
    });
    url
}

#[tokio::test]
#[ignore = "needs the package: the stage bundle makes it"]
async fn a_newer_package_for_debian_replaces_the_installed_one_on_a_click() {
    let (root, folder) = (install(&package("deb")), tempfile::tempdir().unwrap());
    let installed = || {
        let admin = format!("--admindir={}", root.path().join("var/lib/dpkg").display());
        said(Command::new("dpkg-query").args([&admin, "--show", "--showformat=${Version}", "dragoman"]))
    };
    let command = format!("dpkg --root='{}' {}", root.path().display(), FORCE.join(" "));
    assert_eq!(installed(), env!("CARGO_PKG_VERSION"));
    let asked = replace_on_a_click(root.path(), folder.path(), &newer_deb(folder.path()), &command).await;
    assert_eq!(asked, "dpkg -i\n");
    assert_eq!(installed(), "9.9.9");
}

#[tokio::test]
#[ignore = "needs the package: the stage bundle makes it"]
async fn a_newer_package_for_fedora_replaces_the_installed_one_on_a_click() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let installed = || said(rpm(folder.path()).args(["--query", "--queryformat=%{version}", "dragoman"]));
    said(rpm(folder.path()).args(moved(&root)).arg("--install").arg(package("rpm")));
    let database = folder.path().join("rpm");
    let command = format!("rpm --dbpath '{}' {}", database.display(), moved(&root).join(" "));
    assert_eq!(installed(), env!("CARGO_PKG_VERSION"));
    let asked = replace_on_a_click(&root, folder.path(), &newer_rpm(folder.path()), &command).await;
    assert_eq!(asked, "rpm -U\n");
    assert_eq!(installed(), "9.9.9");
}

/// Starts the installed app, which finds the package, and clicks. `command` is run in the place of the one that the app
/// runs with the rights of root; answers with the beginning of that.
async fn replace_on_a_click(root: &Path, folder: &Path, newer: &Path, command: &str) -> String {
    let (fake, key) = (FakeChatGpt::start(), Key::new());
    let signature = key.sign(newer, "9.9.9");
    let url = serve(std::fs::read(newer).unwrap()).await;
    fake.reply(LIST, [updates::listed("9.9.9", &url, &signature)]);
    // In the place of the one that asks for a password. It says yes.
    let (asked, pkexec) = (folder.join("asked"), folder.join("pkexec"));
    let script = format!("#!/bin/sh\necho \"$1 $2\" >'{}'\nshift\nexec {command} \"$@\"\n", asked.display());
    std::fs::write(&pkexec, script).unwrap();
    std::fs::set_permissions(&pkexec, PermissionsExt::from_mode(0o755)).unwrap();

    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let launch = Launch::new()
        .env("PATH", &path)
        .env("DRAGOMAN_ADMIN_LISTEN", "127.0.0.1:0")
        .env("DRAGOMAN_UPDATES_CHECK", "true")
        .env("DRAGOMAN_UPDATES_URL", &format!("{}{LIST}", fake.url()))
        .env("DRAGOMAN_UPDATES_KEY", &key.public());
    let mut command = launch.prepared(root.join("usr/bin/dragoman-desktop"));
    command.args(launch.arguments());
    let mut open = launch.prepared(root.join("usr/bin/dragoman"));
    open.args(["open", "--print"]);
    let token = launch.path().join("dragoman/state/admin-token");
    let app = launch.run(command);
    Tray::of(&app).await.address().await;
    let link = said(&mut open);
    let address = link.trim().trim_start_matches("http://").split('/').next().unwrap().parse().unwrap();
    let token = format!("Bearer {}", std::fs::read_to_string(token).unwrap().trim());
    let ask = async |method: &str, path: &str| {
        Call::new(address, method, path).header("authorization", &token).send().await
    };
    let mut known = Value::Null;
    let mut becomes = async |state: &str| {
        eventually(&format!("the update is {state}"), async || {
            known = ask("GET", "/admin/snapshot").await.json()["update"].take();
            assert!(known["state"] != "failed", "{known}");
            known["state"] == state
        })
        .await;
    };
    let licences = ask("GET", "/admin/licences").await.json();
    let licences = licences["text"].as_str().expect("the package brought them");
    assert!(licences.contains("tauri 2.") && licences.contains("Apache License"));
    becomes("found").await;
    assert_eq!(ask("POST", "/admin/update/install").await.status, 204);
    becomes("installed").await;
    assert_eq!(said(&mut Command::new(root.join("usr/bin/dragoman-desktop"))), "newer\n");
    assert_eq!(ask("POST", "/admin/update/install").await.status, 409, "it is done");
    std::fs::read_to_string(asked).unwrap()
}
