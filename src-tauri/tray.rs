//! The tray icon: shows a [`Face`], and nothing that is not in it. The menu is made anew only if its shape changes.
//!
//! On Linux an icon needs two things that may be missing. The *library* is loaded by tray-icon with `dlopen`, and its
//! absence is a panic: so a process of our own tries it first ([`probe`], DECISIONS 26). The *host* (the panel that
//! shows icons) may come and go at any time: it is watched on the bus. [`TrayState`] is what both say.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman::{App, TrayState};
use tauri::image::Image;
use tauri::menu::{CheckMenuItem, IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Emitter, Manager, Wry, async_runtime, include_image};

use crate::acts::{self, Busy};
use crate::face::{Face, Sign};
use crate::leave::Leaving;
use crate::menu::{Act, Entry};

/// The sentence that the window shows where the program has no place in a tray. A key of `ui/strings.js`.
pub(crate) fn notice(tray: TrayState) -> Option<&'static str> {
    match tray {
        TrayState::Here => None,
        TrayState::NoHost => Some("noHost"),
        TrayState::NoLibrary => Some("noLibrary"),
    }
}

/// Makes the icon and starts what keeps it, the window and [`TrayState`] true.
pub(crate) fn start(handle: &AppHandle, library: bool) -> tauri::Result<()> {
    let tray = if library {
        let tray = Tray::build(handle)?;
        watch_host(handle);
        Some(tray)
    } else {
        stand(handle, TrayState::NoLibrary);
        None
    };
    async_runtime::spawn(follow(handle.clone(), tray));
    Ok(())
}

/// Shows every change of the snapshot, once: the newest is drawn, what came between is left out.
async fn follow(handle: AppHandle, tray: Option<Tray>) {
    /// Between two drawings, so that fifty busy streams cost no more than one.
    const REST: Duration = Duration::from_millis(100);
    /// One frame of the pulse that says "working": one pulse a second (UI.md allows two).
    const BEAT: Duration = Duration::from_millis(500);
    let app = handle.state::<App>().inner().clone();
    let mut snapshots = app.snapshot();
    let mut leaving = handle.state::<Leaving>().watch();
    let mut busy = handle.state::<Busy>().watch();
    let mut shown: Option<(Face, u64, bool)> = None;
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut wide = false;
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let doing = *busy.borrow_and_update();
        let leaves = *leaving.borrow_and_update();
        let face = Face::of(&snapshot, &app.settings(), doing, leaves, &jiff::Zoned::now());
        let (tick, pulses) = (face.lasts(), face.sign == Sign::Working);
        let next = (face, doing.answered, pulses && wide);
        if let Some(tray) = &tray
            && shown.as_ref() != Some(&next)
        {
            let flipped = shown.as_ref().is_none_or(|(_, answered, _)| *answered != doing.answered);
            tray.show(&handle, next.0.clone(), next.2, flipped);
            shown = Some(next);
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
            changed = busy.changed() => if changed.is_err() { return },
            _ = beats.tick(), if pulses => wide = !wide,
            () = old => {}
        }
    }
}

// === the icon ===

/// The icon and its menu.
#[derive(Clone)]
struct Tray {
    icon: TrayIcon<Wry>,
    drawn: Arc<Mutex<Drawn>>,
}

/// What the icon shows now.
#[derive(Default)]
struct Drawn {
    face: Option<Face>,
    /// The icon: in a pulse not always that of the face.
    icon: Option<Sign>,
    /// Counts the menus.
    menu: u64,
    /// What stood in the one before: a click may have been on its way when it was made anew.
    earlier: Vec<Entry>,
    status: Option<MenuItem<Wry>>,
    /// The lines below the first, those of groups behind their group.
    items: Vec<Item>,
}

/// A line of the toolkit's.
enum Item {
    /// Separators and groups stay as they are.
    Fixed,
    Plain(MenuItem<Wry>),
    Check(CheckMenuItem<Wry>),
}

impl Tray {
    fn build(handle: &AppHandle) -> tauri::Result<Self> {
        let drawn = Arc::new(Mutex::new(Drawn::default()));
        let clicks = Arc::clone(&drawn);
        let mut icon = TrayIconBuilder::with_id("dragoman")
            .icon(image(Sign::Off))
            .tooltip("Dragoman")
            .menu(&lock(&drawn).menu(handle, "Starting", &[])?)
            .on_menu_event(move |handle, event| {
                let act = lock(&clicks).act(event.id().as_ref());
                if let Some(act) = act {
                    acts::act(handle, act);
                }
            });
        if let Some(folder) = icon_folder(handle) {
            icon = icon.temp_dir_path(folder);
        }
        Ok(Self { icon: icon.build(handle)?, drawn })
    }

    /// Brings what differs to the screen, and all check marks if one was `flipped` by a click; `wide`: the other frame
    /// of a pulse. On the main thread, without waiting for it.
    fn show(&self, handle: &AppHandle, face: Face, wide: bool, flipped: bool) {
        let (tray, owner) = (self.clone(), handle.clone());
        let queued = handle.run_on_main_thread(move || {
            if let Err(error) = tray.draw(&owner, face, wide && may_move(), flipped) {
                tracing::warn!(%error, "the tray icon was not updated");
            }
        });
        if let Err(error) = queued {
            tracing::debug!(%error, "the event loop is gone");
        }
    }

    fn draw(&self, handle: &AppHandle, face: Face, wide: bool, flipped: bool) -> tauri::Result<()> {
        let mut drawn = lock(&self.drawn);
        let before = drawn.face.take();
        // The pulse's other frame is the full overlap, as at rest.
        let icon = if wide { Sign::On } else { face.sign };
        if drawn.icon != Some(icon) {
            self.icon.set_icon(Some(image(icon)))?;
            drawn.icon = Some(icon);
        }
        if before.as_ref().is_none_or(|before| before.line != face.line) {
            self.icon.set_tooltip(Some(&face.line))?;
        }
        match &before {
            Some(before) if has_shape_of(&before.menu, &face.menu) => drawn.update(before, &face, flipped)?,
            before => {
                drawn.earlier = before.as_ref().map(|before| before.menu.clone()).unwrap_or_default();
                let menu = drawn.menu(handle, &face.line, &face.menu)?;
                self.icon.set_menu(Some(menu))?;
            }
        }
        drawn.face = Some(face);
        Ok(())
    }
}

impl Drawn {
    /// A new menu.
    fn menu(&mut self, handle: &AppHandle, line: &str, entries: &[Entry]) -> tauri::Result<Menu<Wry>> {
        self.menu += 1;
        self.items.clear();
        let status = MenuItem::new(handle, label(line), false, None::<&str>)?;
        let menu = Menu::with_items(handle, &[&status])?;
        for item in self.add(handle, entries)? {
            menu.append(&*item)?;
        }
        self.status = Some(status);
        Ok(menu)
    }

    fn add(&mut self, handle: &AppHandle, entries: &[Entry]) -> tauri::Result<Vec<Box<dyn IsMenuItem<Wry>>>> {
        let mut added: Vec<Box<dyn IsMenuItem<Wry>>> = Vec::with_capacity(entries.len());
        for entry in entries {
            let id = format!("{}.{}", self.menu, self.items.len());
            match entry {
                Entry::Separator => {
                    self.items.push(Item::Fixed);
                    added.push(Box::new(PredefinedMenuItem::separator(handle)?));
                }
                Entry::Words(text) | Entry::Button(_, text) => {
                    let clickable = matches!(entry, Entry::Button(..));
                    let item = MenuItem::with_id(handle, id, label(text), clickable, None::<&str>)?;
                    self.items.push(Item::Plain(item.clone()));
                    added.push(Box::new(item));
                }
                Entry::Check(_, text, on) => {
                    let item = CheckMenuItem::with_id(handle, id, label(text), true, *on, None::<&str>)?;
                    self.items.push(Item::Check(item.clone()));
                    added.push(Box::new(item));
                }
                Entry::Group(text, entries) => {
                    let group = Submenu::with_id(handle, id, label(text), true)?;
                    self.items.push(Item::Fixed);
                    for item in self.add(handle, entries)? {
                        group.append(&*item)?;
                    }
                    added.push(Box::new(group));
                }
            }
        }
        Ok(added)
    }

    /// Changes the lines that differ; the menus have the same shape.
    fn update(&self, before: &Face, now: &Face, flipped: bool) -> tauri::Result<()> {
        if before.line != now.line
            && let Some(status) = &self.status
        {
            status.set_text(label(&now.line))?;
        }
        let (before, now) = (lines(&before.menu), lines(&now.menu));
        for ((before, now), item) in before.into_iter().zip(now).zip(&self.items) {
            match (item, now) {
                (Item::Plain(item), Entry::Words(text) | Entry::Button(_, text)) if before != now => {
                    item.set_text(label(text))?;
                }
                (Item::Check(item), Entry::Check(_, text, on)) if before != now || flipped => {
                    item.set_text(label(text))?;
                    item.set_checked(*on)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the line of this id is for.
    fn act(&self, id: &str) -> Option<Act> {
        let (menu, line) = id.split_once('.')?;
        let menu = match self.menu.checked_sub(menu.parse().ok()?)? {
            0 => &self.face.as_ref()?.menu,
            1 => &self.earlier,
            _ => return None,
        };
        match lines(menu).get(line.parse::<usize>().ok()?)? {
            Entry::Button(act, _) | Entry::Check(act, ..) => Some(act.clone()),
            Entry::Separator | Entry::Words(_) | Entry::Group(..) => None,
        }
    }
}

/// All lines, those of groups behind their group.
fn lines(entries: &[Entry]) -> Vec<&Entry> {
    let mut all = Vec::new();
    for entry in entries {
        all.push(entry);
        if let Entry::Group(_, below) = entry {
            all.extend(lines(below));
        }
    }
    all
}

/// Can one menu become the other by other words and check marks? Not if a group is called otherwise: on Linux the
/// toolkit (muda 0.20) draws the name of a group once and for all.
fn has_shape_of(one: &[Entry], other: &[Entry]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Entry::Group(name, one), Entry::Group(other_name, other)) => {
                name == other_name && has_shape_of(one, other)
            }
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        })
}

/// `&` would underline the letter behind it.
fn label(text: &str) -> String {
    text.replace('&', "&&")
}

fn lock(drawn: &Mutex<Drawn>) -> MutexGuard<'_, Drawn> {
    drawn.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Does the user want things to move? Asked on the main thread.
#[cfg(target_os = "linux")]
fn may_move() -> bool {
    use gtk::prelude::GtkSettingsExt as _;
    gtk::Settings::default().is_some_and(|settings| settings.is_gtk_enable_animations())
}

/// Nothing safe can be asked there: the icon stands still.
#[cfg(not(target_os = "linux"))]
fn may_move() -> bool {
    false
}

/// Removes the icon files at the end.
pub(crate) fn clean(handle: &AppHandle) {
    if let Some(folder) = icon_folder(handle) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn stand(handle: &AppHandle, now: TrayState) {
    handle.state::<App>().tell_tray(now);
    if let Err(error) = handle.emit("notice", notice(now)) {
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
        move |_, _, _| stand(&appeared, TrayState::Here),
        move |_, _| stand(&vanished, TrayState::NoHost),
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
    stand(handle, TrayState::Here);
}
