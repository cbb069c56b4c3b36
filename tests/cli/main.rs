//! The command line of the real binary, as a shell or a script meets it: words, exit codes, JSON.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod accounts;
mod commands;
mod configuration;

use support::{Done, Launch};

fn run(launch: &Launch, arguments: &[&str]) -> Done {
    launch.command().args(arguments).output().unwrap().into()
}
