//! A notification server on the session's bus, in the place of the desktop's: it hears what is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::zvariant::OwnedValue;
use zbus::{Connection, interface};

use crate::app::eventually;

type Told = Arc<Mutex<Vec<(String, String)>>>;

/// Title and text of what was told. Dropping it gives the name back.
#[derive(Debug)]
pub(crate) struct Heard {
    told: Told,
    _bus: Connection,
}

struct Server(Told);

#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[expect(clippy::too_many_arguments, reason = "the interface has them")]
    fn notify(
        &self,
        app: &str,
        _replaces: u32,
        _icon: &str,
        summary: &str,
        body: &str,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expires: i32,
    ) -> u32 {
        assert_eq!(app, "Dragoman");
        self.0.lock().unwrap().push((summary.to_owned(), body.to_owned()));
        1
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("test".to_owned(), "dragoman".to_owned(), "1".to_owned(), "1.2".to_owned())
    }
}

impl Heard {
    /// From now on.
    pub(crate) async fn listen() -> Self {
        let told = Told::default();
        let bus = zbus::connection::Builder::session()
            .and_then(|builder| builder.name("org.freedesktop.Notifications"))
            .and_then(|builder| builder.serve_at("/org/freedesktop/Notifications", Server(told.clone())))
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { told, _bus: bus }
    }

    /// Waits until something with this title was told.
    pub(crate) async fn eventually(&self, title: &str) {
        eventually(&format!("\"{title}\" is told"), async || {
            self.so_far().iter().any(|(other, _)| other == title)
        })
        .await;
    }

    /// What was told.
    pub(crate) fn so_far(&self) -> Vec<(String, String)> {
        self.told.lock().unwrap().clone()
    }
}
