//! What the page may call: the admin API, in the process. A new command also needs its name in
//! `permissions/commands.toml`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dragoman::{Answer, App, Call, Reply};
use futures_util::StreamExt as _;
use tauri::State;
use tauri::ipc::Channel;
use tokio::sync::oneshot;

use crate::tray;

/// Why there is no tray icon, if there is none; changes come as the event `notice`.
#[tauri::command]
pub(crate) fn notice(app: State<'_, App>) -> Option<&'static str> {
    app.tray().borrow().and_then(tray::notice)
}

/// The calls that stream to the page, by the number the page gave each. Dropping a sender ends its call.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<u32, oneshot::Sender<()>>>);

impl Streams {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<u32, oneshot::Sender<()>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The page is gone, and nobody watches any more.
    pub(crate) fn end_all(&self) {
        self.with(HashMap::clear);
    }
}

/// Calls the admin API (docs/admin.md). A whole answer is returned; the values of a stream go through `values`, and the
/// return is its end. `id` is what [`admin_cancel`] ends it by.
#[tauri::command]
pub(crate) async fn admin(
    app: State<'_, App>,
    streams: State<'_, Streams>,
    id: u32,
    call: Call,
    values: Channel<String>,
) -> Result<Answer, ()> {
    let (keep, cancelled) = oneshot::channel();
    // A number that is used again ends what it meant before.
    streams.with(|streams| streams.insert(id, keep));
    let door = app.door();
    let relayed = async {
        match door.call(call).await {
            Reply::Whole(answer) => answer,
            Reply::Stream(mut stream) => {
                while let Some(value) = stream.next().await {
                    // An error means that the page is gone.
                    if values.send(value).is_err() {
                        break;
                    }
                }
                Answer { status: 200, body: String::new() }
            }
        }
    };
    let answer = tokio::select! {
        answer = relayed => answer,
        _ = cancelled => return Ok(Answer { status: 499, body: String::new() }),
    };
    streams.with(|streams| streams.remove(&id));
    Ok(answer)
}

/// Ends a call.
#[tauri::command]
pub(crate) fn admin_cancel(streams: State<'_, Streams>, id: u32) {
    streams.with(|streams| streams.remove(&id));
}
