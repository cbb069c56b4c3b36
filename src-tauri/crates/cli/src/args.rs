//! The command line, as clap reads it and as `--help` tells it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use dragoman::settings::{AdminListen, parse_admin_listen, parse_listen};
use dragoman::{BackendKind, Options};
use serde::Serialize;

use crate::accounts::Accounts;
use crate::connect::{Connect, Disconnect};
use crate::models::Models;
use crate::run::parse_name;
use crate::shell::Shell;

const EXAMPLES: &str = "\
Examples:
  dragoman login                     Sign in with ChatGPT, in the browser
  dragoman serve                     Start, and keep this terminal open
  dragoman connect                   Point Claude Code at it, for good; `dragoman disconnect` undoes it
  dragoman run -- claude             Only this once, without writing anything
  dragoman demo                      Try it without an account
  dragoman status                    What runs, for whom, and what is left of the limits
  dragoman usage --by model          What was used in the last 30 days

Exit codes:
  0  it worked
  1  it failed
  2  the command line is wrong
  3  no one is signed in
  4  the server is not running, or its port is taken

Settings: `dragoman status --json` shows each one and where it comes from.
Unofficial; not affiliated with OpenAI or Anthropic.";

/// Claude Code on a ChatGPT subscription.
///
/// Dragoman is a small server on this machine. Claude Code talks to it as it would talk to Anthropic; Dragoman
/// translates and asks the ChatGPT backend with your login.
#[derive(Debug, Parser)]
#[command(name = "dragoman", version, after_help = EXAMPLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Tell more on stderr; -vv tells every step
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Keep every file below this directory (as DRAGOMAN_HOME does)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server and keep it running until Ctrl-C
    Serve(Serve),
    /// Try it without an account: a small built-in model answers, nothing leaves this machine
    ///
    /// Starts a server on a free port and prints the lines to paste into another terminal.
    Demo {
        /// Where to listen instead of a free port
        #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
        listen: Option<SocketAddr>,
        /// The shell the printed lines are for
        #[arg(long, value_enum, default_value_t = Shell::Bash)]
        shell: Shell,
    },
    /// Show what runs, for whom, and what is left of the limits
    ///
    /// Exits with 4 if the server is not running, with 3 if it is but no one is signed in.
    Status {
        #[command(flatten)]
        format: Format,
        /// Ask the backend for the limits of every account first
        #[arg(long)]
        refresh: bool,
    },
    /// Sign in: with ChatGPT in the browser, or in another way
    Login(Login),
    /// Sign out: forget an account and end its login
    Logout {
        /// Name, e-mail address, id or number of the account; needed if there are several
        account: Option<String>,
        /// If it is the Codex CLI's login: sign the Codex CLI out too
        #[arg(long)]
        codex_too: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Point Claude Code at Dragoman: its settings get address, token, window and model names
    ///
    /// Every other byte of the file stays as it is. What stood at each key before is remembered, and `dragoman
    /// disconnect` puts it back. Sessions that are running follow by themselves.
    Connect(Connect),
    /// Undo `dragoman connect`
    ///
    /// Every key that is still as Dragoman wrote it gets its earlier value back, or goes. What you changed since stays.
    Disconnect(Disconnect),
    /// Check everything, Claude Code included: it is run for a prompt, a tool, a picture and a web search
    ///
    /// These four use your account, with a few thousand tokens each; `--quick` leaves them out. Claude Code runs in a
    /// home of its own and sees nothing of yours. Exits with 1 if something does not work.
    Doctor {
        /// Without running Claude Code
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Print how another program is pointed at Dragoman
    Recipe {
        /// Which program; without a name: which there are
        name: Option<String>,
    },
    /// Run a command through Dragoman, with nothing written anywhere: dragoman run -- claude -c
    ///
    /// The variables of `dragoman env` are set, those that would interfere are not passed on. Signals and exit code are
    /// the command's own. Settings of Claude Code that point elsewhere go before variables; you are told of them.
    Run {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Print a shell function that runs Claude Code through Dragoman; for your shell's start file
    ///
    /// bash, zsh:   dragoman shell-function gpt >> ~/.bashrc
    /// fish:        dragoman shell-function gpt --shell fish > ~/.config/fish/functions/gpt.fish
    /// PowerShell:  dragoman shell-function gpt --shell powershell >> $PROFILE
    #[command(verbatim_doc_comment)]
    ShellFunction {
        /// How you want to call it
        #[arg(default_value = "gpt", value_parser = parse_name)]
        name: String,
        /// The shell that will read it
        #[arg(long, value_enum, default_value_t = Shell::Bash)]
        shell: Shell,
    },
    /// Show what was used: tokens and requests by day, model, account or session
    ///
    /// From the usage history on this machine, which holds numbers and names but nothing you wrote. Times are local.
    Usage(Usage),
    /// Print the variables that make Claude Code use Dragoman
    ///
    /// bash, zsh:   eval "$(dragoman env)"
    /// fish:        dragoman env --shell fish | source
    /// PowerShell:  dragoman env --shell powershell | Out-String | Invoke-Expression
    /// nu:          paste the lines
    /// cmd:         paste the lines
    #[command(verbatim_doc_comment)]
    Env {
        /// The shell that will read the lines
        #[arg(long, value_enum, default_value_t = Shell::Bash, conflicts_with = "json")]
        shell: Shell,
        #[command(flatten)]
        format: Format,
    },
    /// Open the dashboard in the browser
    ///
    /// The link lets one browser in, once and within a minute. The server must be running.
    Open {
        /// Print the link instead of opening it
        #[arg(long)]
        print: bool,
    },
    /// List the models there are, and which one answers for what; or change that
    Models {
        #[command(subcommand)]
        wish: Option<Models>,
        #[command(flatten)]
        format: Format,
    },
    /// Show the MCP servers whose tools are offered to the model, and ask them for their tools
    ///
    /// Which those are, the settings [mcp] say; docs/mcp.md tells when that is of use. Exits with 1 if one can't be used.
    Mcp {
        #[command(flatten)]
        format: Format,
    },
    /// Show the accounts, and prefer, name, pause, renew, test or forget one
    Accounts {
        #[command(subcommand)]
        wish: Accounts,
        #[command(flatten)]
        format: Format,
    },
    /// Print the version
    Version {
        #[command(flatten)]
        format: Format,
    },
    /// Print the script that completes `dragoman` in your shell
    ///
    /// bash:  dragoman completions bash > ~/.local/share/bash-completion/completions/dragoman
    /// fish:  dragoman completions fish > ~/.config/fish/completions/dragoman.fish
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell that will read the script
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) way: LoginWay,
    /// Show the address of the sign-in page and open no browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Keep the login only if it is for this workspace (its ChatGPT account id)
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// For scripts: one JSON line for each step
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Without any of these: in the browser of this computer.
#[derive(Debug, Args)]
pub(crate) struct LoginWay {
    /// With a code that you type in a browser anywhere
    #[arg(long, conflicts_with_all = ["manual", "api_key", "codex"])]
    pub(crate) device: bool,
    /// In a browser anywhere; you paste the address that it ends at
    #[arg(long, conflicts_with_all = ["import", "api_key", "codex"])]
    pub(crate) manual: bool,
    /// For the account of the Codex CLI: own (recommended) or linked
    #[arg(
        long, value_enum, value_name = "own|linked", num_args = 0..=1, require_equals = true,
        default_missing_value = "ask", conflicts_with_all = ["api_key", "codex"]
    )]
    pub(crate) import: Option<Import>,
    /// With a key of the OpenAI API, asked for on the terminal or read from the input
    #[arg(long, conflicts_with = "codex")]
    pub(crate) api_key: bool,
    /// Run `codex login`, and share that login with the Codex CLI
    #[arg(long)]
    pub(crate) codex: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Import {
    /// A login of Dragoman's own: you sign in once more
    Own,
    /// Share the Codex CLI's login
    Linked,
    #[value(hide = true)]
    Ask,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen [default: setting server.listen, 127.0.0.1:3746]; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = parse_listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the dashboard and the admin API are [default: 127.0.0.1:3747]
    #[arg(long, value_name = "ADDR|off", value_parser = parse_admin_listen)]
    pub(crate) admin_listen: Option<AdminListen>,
    /// Who answers
    #[arg(long, value_enum, default_value_t = Backend::Chatgpt)]
    pub(crate) backend: Backend,
}

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// How many days, today included
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// What the rows stand for
    #[arg(long, value_enum, default_value_t = Grouping::Day)]
    pub(crate) by: Grouping,
    #[command(flatten)]
    pub(crate) format: Format,
    /// For spreadsheets: comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Delete the whole history
    #[arg(long, conflicts_with_all = ["json", "csv", "days", "by"])]
    pub(crate) delete: bool,
    /// Delete what is older or more than the settings [history] allow, now
    #[arg(long, conflicts_with_all = ["json", "csv", "days", "by", "delete"])]
    pub(crate) prune: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grouping {
    /// Days
    Day,
    /// Hours
    Hour,
    /// The models that answered
    Model,
    /// Accounts
    Account,
    /// Sessions of the client
    Session,
    /// The programs that asked
    Client,
}

impl Grouping {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Model => "model",
            Self::Account => "account",
            Self::Session => "session",
            Self::Client => "client",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// The ChatGPT backend, with your login
    Chatgpt,
    /// A small built-in model, without network
    Demo,
}

impl From<Backend> for BackendKind {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Chatgpt => Self::ChatGpt,
            Backend::Demo => Self::Demo,
        }
    }
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Format {
    /// For scripts: one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    /// For a command that ends at once: no log file.
    pub(crate) fn options(&self) -> Options {
        Options { home: self.home.clone(), verbose: self.verbose, log_file: false, ..Options::default() }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_tells_every_command_and_exit_code() {
        let help = Arguments::command().render_long_help().to_string();
        for word in [
            "serve",
            "demo",
            "login",
            "logout",
            "status",
            "connect",
            "disconnect",
            "doctor",
            "recipe",
            "run",
            "shell-function",
            "usage",
            "env",
            "models",
            "accounts",
            "version",
            "completions",
            "Exit codes",
            "Examples",
        ] {
            assert!(help.contains(word), "{word} is missing");
        }
    }

    #[test]
    fn a_wrong_address_is_a_usage_error_that_shows_a_right_one() {
        let error = Arguments::try_parse_from(["dragoman", "serve", "--listen", "3746"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("such as \"127.0.0.1:3746\""), "{error}");
        let off = Arguments::try_parse_from(["dragoman", "serve", "--admin-listen", "off"]);
        assert!(off.is_ok());
        assert!(Arguments::try_parse_from(["dragoman", "serve", "--admin-listen", "on"]).is_err());
    }
}
