//! The package for Debian, installed into a root of its own: nothing of this machine is touched and no rights are needed.
//! `make test` makes the package first (stage `bundle`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{Launch, eventually};
use crate::tray::Tray;

/// The package that `.ci/bundle` made.
fn package() -> PathBuf {
    let folder = support::workspace().join("target/bundles");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = files.flatten().map(|file| file.path());
    found
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .expect("run `PROFILE=debug .ci/bundle` first")
}

/// Runs dpkg on a root and a database below it.
fn dpkg(root: &Path, arguments: &[&str]) {
    let mut command = Command::new("dpkg");
    command.arg(format!("--root={}", root.display()));
    command.args(["--force-not-root", "--force-script-chrootless", "--force-depends", "--log=/dev/null"]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "dpkg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
#[ignore = "needs the package: the stage bundle makes it"]
async fn the_package_is_installed_runs_and_is_removed() {
    let package = package();
    let root = tempfile::tempdir().unwrap();
    let below = |path: &str| root.path().join(path);
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
        std::fs::create_dir_all(below(folder)).unwrap();
    }
    for file in ["status", "available"] {
        std::fs::write(below("var/lib/dpkg").join(file), "").unwrap();
    }
    dpkg(root.path(), &["--install", &package.display().to_string()]);

    // What it needs to run is what is here, where it does run.
    let needs = said(Command::new("dpkg-deb").args(["--field", &package.display().to_string(), "Depends"]));
    assert!(needs.contains("libayatana-appindicator3-1") && needs.contains("libwebkit2gtk-4.1-0"), "{needs}");
    for name in needs.trim().split(", ") {
        said(Command::new("dpkg-query").args(["--show", name]));
    }

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
