//! `env`, `run` and `shell-function` in the shells that are installed. cmd and PowerShell are not: their forms are only
//! compared as text (`cli/src/shell.rs`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::fake::FakeChatGpt;
use support::{Dragoman, TOKEN};

use crate::Done;

fn nu() -> PathBuf {
    let path = support::workspace().join("target/tools/clients/node_modules/.bin/nu");
    assert!(path.exists(), "Nushell is not at {}; `make setup-tests` installs it", path.display());
    path
}

/// Each shell with the way to give it a script.
fn shells() -> [(&'static str, PathBuf, &'static [&'static str]); 4] {
    [
        ("bash", PathBuf::from("bash"), &["--norc", "-c"]),
        ("zsh", PathBuf::from("zsh"), &["-f", "-c"]),
        ("fish", PathBuf::from("fish"), &["--no-config", "-c"]),
        ("nu", nu(), &["--no-config-file", "-c"]),
    ]
}

fn shell(program: &Path, arguments: &[&str], script: &str, dragoman: &Dragoman) -> Done {
    let own = dragoman.launch().command();
    let environment: Vec<_> = own.get_envs().filter_map(|(name, value)| Some((name, value?))).collect();
    let output = Command::new(program)
        .args(arguments)
        .arg(script)
        .env_clear()
        .envs(environment)
        .current_dir(dragoman.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; `make setup-tests` installs it", program.display()));
    Done::from(output)
}

#[tokio::test]
async fn real_shells_read_the_variables() {
    let dragoman = Dragoman::start(&FakeChatGpt::start()).await;
    for (name, program, arguments) in shells() {
        let lines =
            Done::from(dragoman.launch().command().args(["env", "--shell", name]).output().unwrap()).out;
        let print = match name {
            "nu" => {
                "print $\"($env.ANTHROPIC_BASE_URL) ($env.ANTHROPIC_AUTH_TOKEN) ($env.ANTHROPIC_DEFAULT_OPUS_MODEL_DESCRIPTION)\""
            }
            _ => {
                "echo \"$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN $ANTHROPIC_DEFAULT_OPUS_MODEL_DESCRIPTION\""
            }
        };
        let done = shell(&program, arguments, &format!("{lines}\n{print}"), &dragoman).good();
        let start = format!("{} {TOKEN} ", dragoman.url());
        assert!(
            done.out.starts_with(&start) && done.out.trim_end().ends_with("through Dragoman, for Opus"),
            "{name}: {}",
            done.out
        );
    }
}

#[tokio::test]
async fn a_shell_function_runs_claude_with_the_variables_and_its_arguments() {
    let dragoman = Dragoman::start(&FakeChatGpt::start()).await;
    // A claude of our own that tells how it was called.
    let bin = dragoman.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let claude = bin.join("claude");
    std::fs::write(&claude, "#!/bin/sh\necho \"$ANTHROPIC_BASE_URL|$#|$2|$ANTHROPIC_API_KEY\"; exit 7\n")
        .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&claude, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, program, arguments) in shells() {
        let function = ["shell-function", "gpt", "--shell", name];
        let lines = Done::from(dragoman.launch().command().args(function).output().unwrap()).good().out;
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let set = match name {
            "fish" => format!("set -gx PATH {} /usr/bin /bin; set -gx ANTHROPIC_API_KEY x", bin.display()),
            "nu" => {
                format!("$env.PATH = ['{}' '/usr/bin' '/bin']; $env.ANTHROPIC_API_KEY = 'x'", bin.display())
            }
            _ => format!("export PATH='{path}' ANTHROPIC_API_KEY=x"),
        };
        let done = shell(&program, arguments, &format!("{lines}\n{set}\ngpt -p 'two words'"), &dragoman);
        assert_eq!(done.out.trim_end(), format!("{}|2|two words|", dragoman.url()), "{name}: {}", done.err);
        // Nushell ends with its own code where a command failed.
        if name != "nu" {
            assert_eq!(done.code, Some(7), "{name}");
        }
    }
}

#[tokio::test]
async fn run_passes_signals_and_exit_codes_through() {
    let dragoman = Dragoman::start(&FakeChatGpt::start()).await;
    let run = |script: &str| {
        let mut command = dragoman.launch().command();
        command.args(["run", "--", "sh", "-c", script]).stdout(Stdio::piped());
        command
    };
    let done = Done::from(run("echo $ANTHROPIC_AUTH_TOKEN; exit 41").output().unwrap());
    assert_eq!((done.code, done.out.trim_end()), (Some(41), TOKEN));
    let mut child =
        run("trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done").spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let missing = dragoman.launch().command().args(["run", "no-such-program-here"]).output().unwrap();
    let missing = Done::from(missing);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("could not run no-such-program-here"), "{}", missing.err);
}

#[test]
fn run_without_a_server_says_so() {
    let user = crate::User::new();
    let done = user.run(&["run", "--", "true"]);
    assert_eq!(done.code, Some(4));
    assert!(done.err.contains("dragoman serve"), "{}", done.err);
}
