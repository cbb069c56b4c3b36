//! `dragoman`: the headless program. Reads the command line, calls [`dragoman::App`], prints, and maps what went wrong
//! to an exit code. Every verb lives in the facade; here are only words.

mod accounts;
mod args;
mod connect;
mod doctor;
mod limits;
mod login;
mod mcp;
mod models;
mod open;
mod recipe;
mod run;
mod serve;
mod shell;
mod signals;
mod status;
mod usage;
mod words;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use dragoman::{AccountKind, App, BackendKind, Error, Found, Options, STREAMS};
use serde::Serialize;

use args::{Arguments, Command, Common};
use shell::Shell;
use signals::Signals;

/// As `--help` lists them; 2 is mostly clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Success = 0,
    Failure = 1,
    Usage = 2,
    SignedOut = 3,
    NoServer = 4,
}

/// What keeps a command from its end.
#[derive(Debug)]
enum Trouble {
    /// The facade says why.
    App(Error),
    /// stdout can't be written.
    Output(io::Error),
    /// The system refuses something before there is an app.
    System(io::Error),
    /// The command to run can't be run.
    Command { program: String, error: io::Error },
    /// There is no server, and no way to guess where it would be.
    NoServer,
    /// stdin can't be read.
    Input(io::Error),
    /// The flags don't fit what is there.
    Usage(&'static str),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Trouble::System(error))),
    };
    let result = runtime.block_on(act(arguments));
    // A thread that hangs in a keyring or a file must not keep the program alive.
    runtime.shutdown_background();
    end(result)
}

async fn act(Arguments { command, common }: Arguments) -> Result<Exit, Trouble> {
    match command {
        Command::Serve(serve) => serve::serve(&common, serve).await,
        Command::Demo { listen, shell } => serve::demo(&common, listen, shell).await,
        Command::Login(login) => login::login(&common, login).await,
        Command::Logout { account, codex_too, format } => {
            login::logout(&common, account.as_deref(), codex_too, format).await
        }
        Command::Connect(connect) => connect::connect(&common, connect).await,
        Command::Disconnect(disconnect) => connect::disconnect(&common, disconnect).await,
        Command::Doctor { quick, format } => doctor::doctor(&common, quick, format).await,
        Command::Recipe { name } => recipe::recipe(&common, name.as_deref()).await,
        Command::Run { command } => run::run(&common, command).await,
        Command::ShellFunction { name, shell } => run::function(shell, &name),
        Command::Status { format, refresh } => status::status(&common, format, refresh).await,
        Command::Usage(usage) => usage::usage(&common, usage).await,
        Command::Open { print } => open::open(&common, print).await,
        Command::Env { shell, format } => env(&common, shell, format.json).await,
        Command::Models { wish, format } => models::models(&common, wish, format).await,
        Command::Mcp { format } => mcp::mcp(&common, format).await,
        Command::Accounts { wish, format } => accounts::accounts(&common, wish, format).await,
        Command::Version { format } => version(format.json),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when a pipe breaks.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "dragoman", &mut script);
            words::say(String::from_utf8_lossy(&script).trim_end())?;
            Ok(Exit::Success)
        }
    }
}

/// The last words and the exit code.
fn end(result: Result<Exit, Trouble>) -> ExitCode {
    let (exit, message) = match result {
        Ok(exit) => (exit, None),
        // `dragoman models | head -1`: the reader has what it wanted.
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => (Exit::Success, None),
        Err(Trouble::Output(error)) => (Exit::Failure, Some(format!("could not write the output: {error}"))),
        Err(Trouble::System(error)) => (Exit::Failure, Some(format!("could not start: {error}"))),
        Err(Trouble::App(error)) => {
            let exit = if error.is_about_the_server() { Exit::NoServer } else { Exit::Failure };
            (exit, Some(error.to_string()))
        }
        Err(Trouble::Input(error)) => (Exit::Failure, Some(format!("could not read the input: {error}"))),
        Err(Trouble::Usage(message)) => (Exit::Usage, Some(message.to_owned())),
        Err(Trouble::Command { program, error }) => {
            let hint = "is it installed, and on PATH?";
            (Exit::Failure, Some(format!("could not run {program}: {error}; {hint}")))
        }
        Err(Trouble::NoServer) => {
            let message = "the server is not running; start it with `dragoman serve` first";
            (Exit::NoServer, Some(message.to_owned()))
        }
    };
    if let Some(message) = message {
        words::note(format_args!("dragoman: {message}"));
    }
    ExitCode::from(exit as u8)
}

/// An app for a command that ends at once, and the server that runs elsewhere. It has that server's backend, so that
/// both tell the same about models and account.
async fn look(common: &Common) -> Result<(App, Option<Found>), Error> {
    let options = common.options();
    let running = dragoman::running(&options).await?;
    let backend = running.as_ref().filter(|found| found.running.demo).map(|_| BackendKind::Demo);
    Ok((App::start(Options { backend, ..options }).await?, running))
}

/// The variables for Claude Code.
async fn env(common: &Common, shell: Shell, json: bool) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    let variables = match &running {
        Some(found) => Some(app.environment_of(found)),
        None if app.settings().server.listen.port() != 0 => Some(app.environment()),
        None => None,
    };
    app.shutdown(STREAMS).await;
    let variables = variables.ok_or(Trouble::NoServer)?;
    if running.is_none() {
        words::note("dragoman: the server is not running yet; start it with `dragoman serve`");
    }
    if json {
        let object: serde_json::Map<_, _> =
            variables.into_iter().map(|(name, value)| (name, value.into())).collect();
        words::say_json(&object)?;
    } else {
        words::say(dragoman::Shell::from(shell).assignments(&variables))?;
    }
    Ok(Exit::Success)
}

fn version(json: bool) -> Result<Exit, Trouble> {
    #[derive(Serialize)]
    struct Version {
        name: &'static str,
        version: &'static str,
        os: &'static str,
        arch: &'static str,
    }
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if json {
        words::say_json(&Version { name: "dragoman", version: dragoman::VERSION, os, arch })?;
    } else {
        words::say(format_args!("dragoman {} ({os}, {arch})", dragoman::VERSION))?;
    }
    Ok(Exit::Success)
}
