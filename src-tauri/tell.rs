//! Notifications: what happens while nobody looks. Each event is told once (`App::notices`), and nothing is told if the
//! setting `desktop.notifications` is off, but for the answer to a click that failed.

use std::sync::Arc;

use dragoman::{App, Notice, Notices, Server, Snapshot};
use jiff::Zoned;
use notify_rust::Notification;
use serde::{Deserialize, Serialize};
use tauri::async_runtime;
use tokio::sync::watch;

use crate::face::resets;

/// From now on tells of accounts and of the port.
pub(crate) fn start(app: &App) {
    async_runtime::spawn(follow(app.clone(), app.notices(), app.snapshot()));
}

async fn follow(app: App, mut notices: Notices, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
    let mut trouble: Option<String> = None;
    loop {
        let words = tokio::select! {
            notice = notices.next() => match notice {
                Some(notice) => Some(words(&notice, &Zoned::now())),
                None => return,
            },
            changed = snapshots.changed() => match changed {
                Ok(()) => {
                    let now = match &snapshots.borrow_and_update().server {
                        Server::Failed { message } => Some(message.clone()),
                        Server::On { .. } | Server::Off => None,
                    };
                    let news = now.clone().filter(|_| now != trouble);
                    trouble = now;
                    news.map(|message| ("Dragoman is not listening".to_owned(), message))
                }
                Err(_) => return,
            },
        };
        if let Some((title, text)) = words.filter(|_| app.settings().desktop.notifications) {
            show(&title, &text).await;
        }
    }
}

/// There is a newer version: told once for each, whatever starts and looks there are. In the state directory stands the
/// one that was told last.
pub(crate) async fn newer_version(app: App, version: String) {
    let file = app.paths().state.join("update.json");
    let told = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<ToldVersion>(&text).ok());
    if told.is_some_and(|told| told.told == version) || !app.settings().desktop.notifications {
        return;
    }
    if let Ok(text) = serde_json::to_vec(&ToldVersion { told: version.clone() })
        && let Err(error) = std::fs::write(file, text)
    {
        tracing::warn!(%error, "this version will be told again");
    }
    let text = format!("Dragoman {version} is there. Open the window's page About to install it.");
    show("A newer version is there", &text).await;
}

/// `update.json`
#[derive(Debug, Serialize, Deserialize)]
struct ToldVersion {
    told: String,
}

/// Something that was clicked did not work.
pub(crate) async fn trouble(message: &str) {
    show("That did not work", message).await;
}

/// Something that was clicked came to this.
pub(crate) async fn show(title: &str, text: &str) {
    let mut notification = Notification::new();
    notification.appname("Dragoman").summary(title).body(text);
    #[cfg(target_os = "linux")]
    let shown = notification.icon("dragoman-desktop").show_async().await.map(drop);
    #[cfg(not(target_os = "linux"))]
    let shown = notification.show().map(drop);
    if let Err(error) = shown {
        tracing::warn!(%error, title, "no notification could be shown");
    }
}

/// Title and text of a notice.
fn words(notice: &Notice, now: &Zoned) -> (String, String) {
    match notice {
        Notice::SignedIn { account } => {
            ("Signed in".to_owned(), format!("Dragoman answers with {}.", account.name))
        }
        Notice::SignInAgain { account, message } => {
            (format!("Sign in again: {}", account.name), message.clone())
        }
        Notice::LimitNear { account, window } => (
            format!("{} limit {:.0} %", window.length(), window.used_percent),
            format!("{}{}", account.name, resets(window.resets_at, now, true)),
        ),
        Notice::LimitReached { account, until } => {
            ("Limit reached".to_owned(), format!("{}{}", account.name, resets(*until, now, true)))
        }
        Notice::LimitOver { account } => {
            ("The limit is over".to_owned(), format!("{} can be used again.", account.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use dragoman::{AccountKind, AccountView, Named};

    use super::*;
    use crate::face::tests::{now, used};

    #[test]
    fn each_notice_says_who_what_and_until_when() {
        let account = Named { id: AccountView::new(AccountKind::Own, "a").id, name: "work".to_owned() };
        let until = Some(now().timestamp().as_second() + 72 * 60);
        let text = |notice| {
            let (title, text) = words(&notice, &now());
            format!("{title} | {text}")
        };
        assert_eq!(
            text(Notice::LimitReached { account: account.clone(), until }),
            "Limit reached | work · resets 16:10 (in 1 h 12 min)"
        );
        assert_eq!(
            text(Notice::LimitReached { account: account.clone(), until: None }),
            "Limit reached | work"
        );
        assert_eq!(
            text(Notice::LimitNear { account: account.clone(), window: used(300, 86.2, 72 * 60) }),
            "5-hour limit 86 % | work · resets 16:10 (in 1 h 12 min)"
        );
        assert_eq!(
            text(Notice::SignInAgain { account: account.clone(), message: "Run it.".to_owned() }),
            "Sign in again: work | Run it."
        );
        assert_eq!(text(Notice::LimitOver { account }), "The limit is over | work can be used again.");
    }
}
