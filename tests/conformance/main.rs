//! The golden cases: what a client sends, what must arrive upstream, what the backend says, what the client must get.
//! Each directory beside this file is one test, run against the real `dragoman serve` (see README.md).
#![expect(
    clippy::expect_used,
    reason = "a test runner fails by panicking; there is nobody to hand an error to"
)]

mod case;
mod checks;
mod diff;
mod exported;
mod ids;
mod notes;
mod offered;
mod placeholder;
mod run;
mod script;
mod table;
mod upstream;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Cases that run at once: most of them wait for timers.
const AT_ONCE: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let set = |name: &str| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
    };
    let (ci, update) = (set("CI"), set("UPDATE"));
    // In CI nothing is rewritten, and the attempt fails the run whatever cases are chosen.
    if ci && update {
        arguments.filter = Some("suite::expected_files_are_never_rewritten_in_ci".to_owned());
    }
    let mut trials = checks::trials(ci, update);
    let given = std::env::var_os("CASES").map(|place| case_directories(Path::new(&place)));
    let is_given = given.is_some();
    for directory in given.unwrap_or_else(directories) {
        trials.push(trial(&directory, update && !ci && !is_given));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The case directories, in order.
fn directories() -> Vec<PathBuf> {
    case_directories(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance"))
}

/// A case, or all that lie in a directory.
fn case_directories(place: &Path) -> Vec<PathBuf> {
    if place.join("case.toml").exists() {
        return vec![place.to_owned()];
    }
    let mut directories: Vec<PathBuf> = std::fs::read_dir(place)
        .expect("read the directory of the cases")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    directories.sort();
    directories
}

fn trial(directory: &Path, update: bool) -> Trial {
    let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = directory.to_owned();
    Trial::test(name, move || {
        let case = case::Case::read(&directory)?;
        run::run(&case, update).map_err(|error| format!("{}\n{error}", case.about).into())
    })
}
