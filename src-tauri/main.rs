//! The desktop shell: a tray icon and, on demand, a window around [`dragoman::App`].
//!
//! Here: the command line, the composition, the order of starting and the way out. Not here: anything that a user
//! could also do without a screen; that is the facade's.

mod acts;
mod commands;
mod face;
mod leave;
mod menu;
mod size;
mod tell;
mod tray;
mod trouble;
mod update;
mod window;

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write;
use std::process::ExitCode;

use dragoman::{App, BackendKind, Options, TrayState};
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Manager, RunEvent, WindowEvent, Wry, async_runtime};

use crate::acts::Busy;
use crate::leave::Leaving;

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Run(Start),
    ProbeTray,
    Version,
    Help,
}

/// How the program begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    opening: Opening,
    /// The built-in demo model answers.
    demo: bool,
}

/// Whether a window opens at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// At once.
    Window,
    /// Only if there is no tray to find the program in.
    IfHomeless,
    /// Never: started by the session, not by a person.
    Background,
}

const HELP: &str = "\
Dragoman in the tray: Claude Code on a ChatGPT subscription.

Usage: dragoman-desktop [OPTION]

  --window       open the window at once
  --background   never open a window by itself, even where there is no tray
  --demo         let the built-in demo model answer: no account, no network
  --version      print the version
  --help         print this help

Without a screen use `dragoman serve`.
";

fn main() -> ExitCode {
    match Request::parse(std::env::args_os().skip(1)) {
        Ok(Request::Run(start)) => run(start),
        Ok(Request::ProbeTray) => tray::probe(),
        Ok(Request::Version) => print(concat!("dragoman-desktop ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::Help) => print(HELP),
        Err(unknown) => complain(&format!("I don't know the option {}.\n\n{HELP}", unknown.display()), 2),
    }
}

fn run(wanted: Start) -> ExitCode {
    if !display() {
        return complain("There is no display here. For a machine without a screen: dragoman serve\n", 1);
    }
    dragoman::install_crypto();
    let library = async_runtime::spawn(tray::library()); // a process of its own: it runs while the app starts
    let options = Options { backend: wanted.demo.then_some(BackendKind::Demo), ..Options::default() };
    let app = match async_runtime::block_on(App::start(options)) {
        Ok(app) => app,
        Err(error) => return trouble::show(&error),
    };
    let built = tauri::Builder::default()
        .plugin(one_program(&app))
        .plugin(tauri_plugin_autostart::Builder::new().arg("--background").build())
        .plugin(update::plugin())
        .manage(app)
        .manage(commands::Streams::default())
        .manage(Leaving::default())
        .manage(Busy::default())
        .manage(window::Opener::default())
        .invoke_handler(tauri::generate_handler![commands::admin, commands::admin_cancel, commands::notice])
        .setup(move |setup| {
            let handle = setup.handle();
            start(handle, async_runtime::block_on(library).unwrap_or(false), wanted.opening)?;
            Ok(())
        })
        .build(context());
    match built {
        Ok(shell) => {
            shell.run(live);
            ExitCode::SUCCESS
        }
        Err(error) => complain(&format!("The desktop shell did not start: {error}\n"), 1),
    }
}

/// A second start of the same program (the same files) opens the window of the first, and ends. One by the session
/// opens nothing.
fn one_program(app: &App) -> TauriPlugin<Wry> {
    let mut hasher = DefaultHasher::new();
    app.paths().state.hash(&mut hasher);
    // A part of a name on the bus begins with a letter.
    let name = format!("io.github.dragoman.home_{:016x}", hasher.finish());
    let started = |handle: &AppHandle, arguments: Vec<String>, _: String| {
        let request = Request::parse(arguments.into_iter().skip(1).map(OsString::from));
        if !matches!(request, Ok(Request::Run(Start { opening: Opening::Background, .. }))) {
            drop(async_runtime::spawn(window::open(handle.clone(), None)));
        }
    };
    tauri_plugin_single_instance::Builder::new().callback(started).dbus_id(name).build()
}

/// `tauri.conf.json`, `ui/` and the icons, as embedded.
fn context() -> tauri::Context {
    tauri::generate_context!()
}

/// Everything that happens once the event loop exists, in this order.
fn start(handle: &AppHandle, library: bool, opening: Opening) -> tauri::Result<()> {
    let app = handle.state::<App>().inner().clone();
    tell::start(&app); // before anything can happen
    async_runtime::spawn(async move {
        app.open_admin().await;
        if let Err(error) = app.turn_on().await {
            tracing::warn!(%error, "not listening"); // the tray and the window show it: it is in the snapshot
        }
    });
    acts::look_at_login(handle);
    update::start(handle);
    tray::start(handle, library)?;
    async_runtime::spawn(leave::on_signal(handle.clone()));
    async_runtime::spawn(window::open_at_start(handle.clone(), opening));
    Ok(())
}

/// What the event loop tells.
fn live(handle: &AppHandle, event: RunEvent) {
    match event {
        // `None`: the last window was closed. The program lives in the tray, unless there is none to come back from.
        RunEvent::ExitRequested { code: None, api, .. } => {
            api.prevent_exit();
            if handle.state::<App>().tray().borrow().is_some_and(TrayState::is_homeless) {
                leave::quit(handle);
            }
        }
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { .. }, .. } => window::remember(handle),
        RunEvent::Exit => {
            window::remember(handle);
            tray::clean(handle);
        }
        _ => {}
    }
}

// === command line ===

impl Request {
    /// Reads the arguments; the error is the one that is not known.
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, OsString> {
        let mut start = Start { opening: Opening::IfHomeless, demo: false };
        for argument in arguments {
            match argument.to_str() {
                Some("--window") => start.opening = Opening::Window,
                Some("--background") => start.opening = Opening::Background,
                Some("--demo") => start.demo = true,
                Some("--probe-tray") => return Ok(Self::ProbeTray),
                Some("--version" | "-V") => return Ok(Self::Version),
                Some("--help" | "-h") => return Ok(Self::Help),
                _ => return Err(argument),
            }
        }
        Ok(Self::Run(start))
    }
}

/// To standard output; a closed pipe is no reason to fail (`println!` would panic).
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// To standard error.
fn complain(text: &str, code: u8) -> ExitCode {
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}

/// True if windows can be shown at all. Without this question GTK's absence is a panic inside the event loop.
#[cfg(target_os = "linux")]
fn display() -> bool {
    gtk::init().is_ok()
}

#[cfg(not(target_os = "linux"))]
fn display() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request, OsString> {
        Request::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_says_how_the_program_begins() {
        let run = |opening, demo| Ok(Request::Run(Start { opening, demo }));
        assert_eq!(parse(&[]), run(Opening::IfHomeless, false));
        assert_eq!(parse(&["--window"]), run(Opening::Window, false));
        assert_eq!(parse(&["--demo", "--background"]), run(Opening::Background, true));
        assert_eq!(parse(&["--probe-tray"]), Ok(Request::ProbeTray));
        assert_eq!(parse(&["--version"]), Ok(Request::Version));
    }

    #[test]
    fn an_unknown_option_is_named() {
        assert_eq!(parse(&["--window", "--fast"]), Err("--fast".into()));
    }
}
