//! The tray icon: shows a [`Face`], and nothing that is not in it; switches the listener, opens the window, quits.
//!
//! On Linux an icon needs two things that may be missing. The *library* is loaded by tray-icon with `dlopen`, and its
//! absence is a panic: so a process of our own tries it first ([`probe`], DECISIONS 26). The *host* (the panel that
//! shows icons) may come and go at any time: it is watched on the bus. [`Standing`] is what both say.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use dragoman::{App, Server};
use tauri::image::Image;
use tauri::menu::{CheckMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Emitter, Manager, Wry, async_runtime, include_image};
use tokio::sync::watch;

use crate::face::{Face, Sign};
use crate::leave::{self, Leaving};
use crate::window;

/// Whether a person can find the program in a tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not known yet.
    Unknown,
    /// There is a tray with our icon in it.
    Here,
    /// Nothing shows tray icons at the moment.
    NoHost,
    /// The library that makes tray icons can't be loaded.
    NoLibrary,
}

impl Standing {
    /// True if waiting can't make it better.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, Self::Here | Self::NoLibrary)
    }

    /// True if the window is the only way to the program.
    pub(crate) fn is_homeless(self) -> bool {
        matches!(self, Self::NoHost | Self::NoLibrary)
    }

    /// The sentence that the window shows about it. A key of `ui/strings.js`.
    pub(crate) fn notice(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::Here => None,
            Self::NoHost => Some("noHost"),
            Self::NoLibrary => Some("noLibrary"),
        }
    }
}

/// Makes the icon and starts what keeps it, the window and [`Standing`] true.
pub(crate) fn start(handle: &AppHandle, library: bool) -> tauri::Result<()> {
    let tray = if library {
        let tray = Tray::build(handle)?;
        watch_host(handle);
        Some(tray)
    } else {
        stand(handle, Standing::NoLibrary);
        None
    };
    async_runtime::spawn(follow(handle.clone(), tray));
    Ok(())
}

/// Shows every change of the snapshot, once: the newest is drawn, what came between is left out.
async fn follow(handle: AppHandle, tray: Option<Tray>) {
    /// Between two drawings, so that fifty busy streams cost no more than one.
    const REST: Duration = Duration::from_millis(100);
    let mut snapshots = handle.state::<App>().snapshot();
    let mut leaving = handle.state::<Leaving>().watch();
    let mut shown = None;
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let face = Face::of(&snapshot, *leaving.borrow_and_update(), &jiff::Zoned::now());
        let tick = face.lasts();
        if let Some(tray) = &tray
            && shown.as_ref() != Some(&face)
        {
            tray.show(&handle, face.clone(), shown.as_ref());
            shown = Some(face);
        }
        tokio::time::sleep(REST).await;
        let old = async {
            match tick {
                Some(tick) => tokio::time::sleep(tick).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            changed = leaving.changed() => if changed.is_err() { return },
            () = old => {}
        }
    }
}

// === the icon ===

/// The icon and the menu items that change.
#[derive(Clone)]
struct Tray {
    icon: TrayIcon<Wry>,
    status: MenuItem<Wry>,
    switch: CheckMenuItem<Wry>,
}

const SWITCH: &str = "switch";
const OPEN: &str = "open";
const QUIT: &str = "quit";

impl Tray {
    fn build(handle: &AppHandle) -> tauri::Result<Self> {
        let status = MenuItem::new(handle, "Starting", false, None::<&str>)?;
        let switch = CheckMenuItem::with_id(handle, SWITCH, "Dragoman on", true, false, None::<&str>)?;
        let open = MenuItem::with_id(handle, OPEN, "Open window", true, None::<&str>)?;
        let quit = MenuItem::with_id(handle, QUIT, "Quit", true, None::<&str>)?;
        let line = || PredefinedMenuItem::separator(handle);
        let menu = Menu::with_items(handle, &[&status, &line()?, &switch, &line()?, &open, &quit])?;
        let item = switch.clone();
        let mut icon = TrayIconBuilder::with_id("dragoman")
            .icon(image(Sign::Off))
            .tooltip("Dragoman")
            .menu(&menu)
            .on_menu_event(move |handle, event| clicked(handle, &event, &item));
        if let Some(folder) = icon_folder(handle) {
            icon = icon.temp_dir_path(folder);
        }
        Ok(Self { icon: icon.build(handle)?, status, switch })
    }

    /// Brings what differs from the face before to the screen. On the main thread, without waiting for it.
    fn show(&self, handle: &AppHandle, face: Face, before: Option<&Face>) {
        let tray = self.clone();
        let redraw = before.is_none_or(|before| before.sign != face.sign);
        let reword = before.is_none_or(|before| before.line != face.line);
        let queued = handle.run_on_main_thread(move || {
            let mut done = tray.switch.set_checked(face.on);
            if reword {
                // `&` would underline the letter behind it
                done = done.and_then(|()| tray.status.set_text(face.line.replace('&', "&&")));
                done = done.and_then(|()| tray.icon.set_tooltip(Some(&face.line)));
            }
            if redraw {
                done = done.and_then(|()| tray.icon.set_icon(Some(image(face.sign))));
            }
            if let Err(error) = done {
                tracing::warn!(%error, "the tray icon was not updated");
            }
        });
        if let Err(error) = queued {
            tracing::debug!(%error, "the event loop is gone");
        }
    }
}

fn clicked(handle: &AppHandle, event: &MenuEvent, switch: &CheckMenuItem<Wry>) {
    match event.id().as_ref() {
        SWITCH => drop(async_runtime::spawn(toggle(handle.state::<App>().inner().clone(), switch.clone()))),
        OPEN => drop(async_runtime::spawn(window::open(handle.clone()))),
        QUIT => leave::quit(handle),
        _ => {}
    }
}

/// Switches the listener, then sets the check mark: the toolkit has flipped it already, which is wrong if nothing
/// changed (a port that is still busy makes the same snapshot again, and no drawing).
async fn toggle(app: App, switch: CheckMenuItem<Wry>) {
    let snapshots = app.snapshot();
    let was_on = is_on(&snapshots);
    if was_on {
        app.turn_off().await;
    } else if let Err(error) = app.turn_on().await {
        tracing::warn!(%error, "not listening");
    }
    if let Err(error) = switch.set_checked(is_on(&snapshots)) {
        tracing::debug!(%error, "the event loop is gone");
    }
}

fn is_on(snapshots: &watch::Receiver<std::sync::Arc<dragoman::Snapshot>>) -> bool {
    matches!(snapshots.borrow().server, Server::On { .. })
}

fn image(sign: Sign) -> Image<'static> {
    match sign {
        Sign::Off => include_image!("icons/tray/off.png"),
        Sign::On => include_image!("icons/tray/on.png"),
        Sign::Working => include_image!("icons/tray/working.png"),
        Sign::Near => include_image!("icons/tray/near.png"),
        Sign::Limit => include_image!("icons/tray/limit.png"),
        Sign::NeedsYou => include_image!("icons/tray/needs-you.png"),
    }
}

/// Where this process's icon files lie on Linux (the panel reads files). Two processes in one folder would overwrite
/// each other's.
fn icon_folder(handle: &AppHandle) -> Option<PathBuf> {
    let runtime = handle.path().runtime_dir().ok()?;
    Some(runtime.join("dragoman-tray").join(std::process::id().to_string()))
}

/// Removes the icon files at the end.
pub(crate) fn clean(handle: &AppHandle) {
    if let Some(folder) = icon_folder(handle) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn stand(handle: &AppHandle, now: Standing) {
    handle.state::<watch::Sender<Standing>>().send_replace(now);
    if let Err(error) = handle.emit("notice", now.notice()) {
        tracing::debug!(%error, "no window took the notice");
    }
}

// === Linux: the library and the host ===

/// True if a tray icon can be made here: asked of a process of our own, which may die of it.
#[cfg(target_os = "linux")]
pub(crate) async fn library() -> bool {
    use std::process::Stdio;
    /// From the start of the process to its answer (DECISIONS 26).
    const LIMIT: Duration = Duration::from_secs(3);
    let Ok(program) = std::env::current_exe() else { return false };
    let mut probe = tokio::process::Command::new(program);
    probe
        .arg("--probe-tray")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(LIMIT, probe.status()).await {
        Ok(Ok(status)) => status.success(),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// The process that tries: makes an icon without a menu, which no panel shows, and ends.
#[cfg(target_os = "linux")]
pub(crate) fn probe() -> ExitCode {
    let built = tauri::Builder::default()
        .setup(|setup| {
            let _icon = TrayIconBuilder::with_id("probe").build(setup)?;
            std::process::exit(0)
        })
        .build(crate::context());
    if let Ok(shell) = built {
        shell.run(|_, _| {});
    }
    ExitCode::FAILURE
}

/// Follows the name that a panel with a tray owns on the session bus. No bus counts as no panel.
#[cfg(target_os = "linux")]
fn watch_host(handle: &AppHandle) {
    use gtk::gio;
    let (appeared, vanished) = (handle.clone(), handle.clone());
    gio::bus_watch_name(
        gio::BusType::Session,
        "org.kde.StatusNotifierWatcher",
        gio::BusNameWatcherFlags::NONE,
        move |_, _, _| stand(&appeared, Standing::Here),
        move |_, _| stand(&vanished, Standing::NoHost),
    );
}

// === elsewhere the system has a tray ===

#[cfg(not(target_os = "linux"))]
pub(crate) async fn library() -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn probe() -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn watch_host(handle: &AppHandle) {
    stand(handle, Standing::Here);
}
