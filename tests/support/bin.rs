//! Where tests get the product's binaries from. A package that only tests has no `CARGO_BIN_EXE_*` and would run
//! whatever lies in `target/`, so the binary is built here, once per process, and a failure stops the run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// The path of a freshly built binary of this workspace: `dragoman` or `dragoman-desktop`.
pub fn bin(name: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<HashMap<String, Result<PathBuf, String>>>> = OnceLock::new();
    let built = {
        let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        built.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
    };
    built.unwrap_or_else(|complaint| panic!("{complaint}"))
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// Node. The clients came from npm, so it is somewhere on the caller's path.
pub fn node() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|directory| directory.join("node")).find(|file| file.is_file());
    found.expect("node is on PATH (`make setup-tests` installs it)").display().to_string()
}

fn build(name: &str) -> Result<PathBuf, String> {
    let package = match name {
        "dragoman" => "dragoman-cli",
        other => other,
    };
    let (target, profile) = place();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--locked", "--package", package, "--bin", name, "--profile", &profile])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // What `cargo test` tells its test binaries about their own package. Build scripts of dependencies watch these
    // names: with them here and without them in the next plain build, half the tree would be built again each time.
    let about_us = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "OUT_DIR"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    for (variable, _) in std::env::vars_os() {
        if variable.to_str().is_some_and(about_us) {
            command.env_remove(variable);
        }
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo build --bin {name}` failed ({}); its complaint is above", output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("cargo named no executable for {name}"))
}

/// The target directory of this test binary, and the profile that it was itself built in; or, so that tests need not be
/// optimised to measure an optimised program, the one that `DRAGOMAN_TEST_PROFILE` names.
fn place() -> (PathBuf, String) {
    let exe = std::env::current_exe().expect("path of this test binary");
    let directory = exe.ancestors().find(|path| path.ends_with("deps")).and_then(Path::parent);
    let directory = directory.unwrap_or_else(|| panic!("{} is not below target/*/deps", exe.display()));
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev".to_owned(),
        Some(other) => other.to_owned(),
        None => panic!("{} names no profile", directory.display()),
    };
    let profile = std::env::var("DRAGOMAN_TEST_PROFILE").unwrap_or(profile);
    (directory.parent().expect("a target directory").to_owned(), profile)
}
