//! The tray as a panel sees it: StatusNotifierItem for the icon, com.canonical.dbusmenu for the menu.

use std::collections::HashMap;
use std::net::SocketAddr;

use zbus::proxy::CacheProperties;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Proxy};

use crate::app::{Running, eventually};

/// The tray item of one app.
#[derive(Debug)]
pub(crate) struct Tray {
    item: Proxy<'static>,
    /// What answers for the menu.
    pub(crate) menu: Proxy<'static>,
}

/// id, properties, children
type Layout = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

/// One line of the menu.
#[derive(Debug)]
struct Line {
    id: i32,
    label: String,
    enabled: bool,
    checked: Option<bool>,
}

impl Tray {
    /// Waits until the app's item is registered.
    pub(crate) async fn of(app: &Running) -> Self {
        let bus = Connection::session().await.unwrap();
        let mut found = None;
        eventually("the tray item is registered", async || {
            found = find(&bus, app).await;
            found.is_some()
        })
        .await;
        let (name, path) = found.unwrap();
        let item = proxy(&bus, &name, &path, "org.kde.StatusNotifierItem").await;
        let menu: OwnedObjectPath = item.get_property("Menu").await.unwrap();
        let menu = proxy(&bus, &name, menu.as_str(), "com.canonical.dbusmenu").await;
        Self { item, menu }
    }

    /// True if the app has an item now.
    pub(crate) async fn exists(app: &Running) -> bool {
        let bus = Connection::session().await.unwrap();
        find(&bus, app).await.is_some()
    }

    /// The file that the icon is in; another icon is another file.
    pub(crate) async fn icon(&self) -> String {
        self.item.get_property("IconName").await.unwrap()
    }

    /// The first line.
    pub(crate) async fn status(&self) -> String {
        let first = self.lines().await.into_iter().next().unwrap();
        assert!(!first.enabled, "the first line is not for clicking");
        first.label
    }

    /// Waits until the first line names the address that is listened on.
    pub(crate) async fn address(&self) -> SocketAddr {
        let mut address = None;
        eventually("the first line names the address", async || {
            address = self.status().await.split(" · ").nth(1).and_then(|part| part.parse().ok());
            address.is_some()
        })
        .await;
        address.unwrap()
    }

    /// All lines but the separators, those of a group behind their group.
    pub(crate) async fn labels(&self) -> Vec<String> {
        self.lines().await.into_iter().map(|line| line.label).collect()
    }

    /// The check mark of a line; `None` if it has no place for one.
    pub(crate) async fn is_checked(&self, label: &str) -> Option<bool> {
        self.line(label).await.checked
    }

    /// Clicks a line, as the panel would; again if the menu was made anew just then, as such a click reaches nobody.
    pub(crate) async fn click(&self, label: &str) {
        eventually(&format!("{label} takes a click"), async || {
            let click = (self.line(label).await.id, "clicked", Value::from(0i32), 0u32);
            self.menu.call::<_, _, ()>("Event", &click).await.is_ok()
        })
        .await;
    }

    /// The same, when the line has appeared.
    pub(crate) async fn click_once_there(&self, label: &str) {
        self.says(label).await;
        self.click(label).await;
    }

    /// Waits until a line says this.
    pub(crate) async fn says(&self, label: &str) {
        let mut seen = Vec::new();
        eventually(&format!("the menu says {label}"), async || {
            seen = self.labels().await;
            seen.iter().any(|other| other == label)
        })
        .await;
    }

    async fn line(&self, label: &str) -> Line {
        let lines = self.lines().await;
        let seen = format!("{lines:?}");
        lines
            .into_iter()
            .find(|line| line.label == label)
            .unwrap_or_else(|| panic!("no line {label} in {seen}"))
    }

    async fn lines(&self) -> Vec<Line> {
        let asked = (0i32, -1i32, Vec::<String>::new());
        let (_, root): (u32, Layout) = self.menu.call("GetLayout", &asked).await.unwrap();
        let mut lines = Vec::new();
        gather(root.2, &mut lines);
        lines
    }
}

/// The lines, those of a group behind their group.
fn gather(children: Vec<OwnedValue>, into: &mut Vec<Line>) {
    for child in children {
        let (id, properties, below) = Layout::try_from(child).unwrap();
        into.extend(Line::read(id, &properties));
        gather(below, into);
    }
}

impl Line {
    /// `None` for a separator.
    fn read(id: i32, properties: &HashMap<String, OwnedValue>) -> Option<Self> {
        let label = properties.get("label").and_then(|value| String::try_from(value.clone()).ok())?;
        let enabled = properties.get("enabled").and_then(|value| bool::try_from(value.clone()).ok());
        let checked = properties.get("toggle-state").and_then(|value| i32::try_from(value.clone()).ok());
        // A single underscore marks the key of a line, a double one stands for itself.
        let label = label.replace("__", "\0").replace('_', "").replace('\0', "_");
        Some(Self { id, label, enabled: enabled.unwrap_or(true), checked: checked.map(|state| state == 1) })
    }
}

/// Bus name and path of the item whose process is the app.
async fn find(bus: &Connection, app: &Running) -> Option<(String, String)> {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let watcher = proxy(bus, WATCHER, "/StatusNotifierWatcher", WATCHER).await;
    let items: Vec<String> = watcher.get_property("RegisteredStatusNotifierItems").await.ok()?;
    let names = zbus::fdo::DBusProxy::new(bus).await.unwrap();
    for item in items {
        let (name, path) = item.split_at(item.find('/')?);
        let process = names.get_connection_unix_process_id(name.try_into().unwrap()).await;
        if process.is_ok_and(|process| app.started(process)) {
            return Some((name.to_owned(), path.to_owned()));
        }
    }
    None
}

async fn proxy(bus: &Connection, name: &str, path: &str, interface: &str) -> Proxy<'static> {
    zbus::proxy::Builder::new(bus)
        .destination(name.to_owned())
        .and_then(|builder| builder.path(path.to_owned()))
        .and_then(|builder| builder.interface(interface.to_owned()))
        .unwrap()
        .cache_properties(CacheProperties::No)
        .build()
        .await
        .unwrap()
}
