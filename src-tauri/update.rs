//! Newer versions: looking for them at the address that the build or the settings name, and installing one on a click.
//! Tauri's updater does both, and takes nothing that is not signed with the known key for the version that was listed.
//!
//! Not here: what the user sees and chooses (`App::tell_update`, `App::update_wishes`, settings `updates.*`). Without an
//! address and a key nobody looks, and the choice is not shown. The tree holds neither (docs/updates.md).

use std::time::Duration;

use dragoman::settings::Settings;
use dragoman::{App, Update, UpdateWish, UpdateWishes};
use jiff::Timestamp;
use tauri::plugin::TauriPlugin;
use tauri::utils::platform::bundle_type;
use tauri::{AppHandle, Manager as _, Url, Wry, async_runtime};
use tauri_plugin_updater::{Config, Error, Update as Package, UpdaterExt as _};

use crate::tell;

/// Between two looks.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The same after one that did not work: at login the network may come later than the program.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// From asking for the list to its end.
const LIST: Duration = Duration::from_secs(30);
/// From asking for a package to its end.
const PACKAGE: Duration = Duration::from_secs(20 * 60);

/// Tauri's updater. Its own commands are allowed to no page.
pub(crate) fn plugin() -> TauriPlugin<Wry, Config> {
    tauri_plugin_updater::Builder::new().build()
}

/// From now on does what the settings and the user want.
pub(crate) fn start(handle: &AppHandle) {
    async_runtime::spawn(follow(handle.clone(), handle.state::<App>().inner().clone()));
}

/// Whether to look, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// No address or no key is known.
    Nothing,
    /// Both are known; the user has not switched it on.
    Off,
    Look(Source),
}

/// Where versions are listed, and whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    list: Url,
    key: String,
}

impl Wanted {
    /// `built`: what `plugins.updater` of the build's configuration says.
    fn of(settings: &Settings, built: Option<&serde_json::Value>) -> Self {
        let built = |pointer: &str| built?.pointer(pointer)?.as_str().map(str::to_owned);
        let list = settings.updates.url.clone().or_else(|| built("/endpoints/0"));
        let key = settings.updates.key.clone().or_else(|| built("/pubkey")).filter(|key| !key.is_empty());
        let list = list.and_then(|list| list.parse().ok()).filter(is_safe);
        match list.zip(key) {
            None => Self::Nothing,
            Some(_) if !settings.updates.check => Self::Off,
            Some((list, key)) => Self::Look(Source { list, key }),
        }
    }
}

/// Nobody on the way can change what comes from there.
fn is_safe(url: &Url) -> bool {
    let own = || matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    url.scheme() == "https" || url.scheme() == "http" && own()
}

async fn follow(handle: AppHandle, app: App) {
    let built = handle.config().plugins.0.get("updater").cloned();
    let (mut settings, mut wishes) = (app.settings_updates(), app.update_wishes());
    loop {
        let wanted = Wanted::of(&settings.borrow_and_update(), built.as_ref());
        let serve = async {
            match &wanted {
                Wanted::Nothing => app.tell_update(Update::Unavailable),
                Wanted::Off => app.tell_update(Update::Off),
                Wanted::Look(source) => serve(&handle, &app, source, &mut wishes).await,
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serve => {}
            changed = settings.wait_for(|settings| Wanted::of(settings, built.as_ref()) != wanted) => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Looks once a day, and does what the user wants in between. Returns when one is installed, or the program ends.
async fn serve(handle: &AppHandle, app: &App, source: &Source, wishes: &mut UpdateWishes) {
    loop {
        app.tell_update(Update::Looking);
        let found = look(handle, source).await;
        let wait = if found.is_ok() { DAY } else { HOUR };
        let (known, package) = match found {
            Ok(None) => (Update::Newest { looked_at: Timestamp::now().as_second() }, None),
            Ok(Some(package)) => {
                let (version, notes) = (package.version.clone(), package.body.clone());
                tracing::info!(version, "a newer version was found");
                (Update::Found { version, notes }, Some(package))
            }
            Err(error) => {
                let message = in_words(&error, source);
                tracing::warn!(message, %error, "no newer version could be looked for");
                (Update::Failed { message, version: None }, None)
            }
        };
        app.tell_update(known);
        if let Some(package) = &package {
            // The desktop may take its time to show it.
            async_runtime::spawn(tell::newer_version(app.clone(), package.version.clone()));
        }
        let until = tokio::time::Instant::now() + wait;
        while let Ok(wish) = tokio::time::timeout_at(until, wishes.next()).await {
            match (wish, &package) {
                (None, _) => return,
                (Some(UpdateWish::Look), _) => break,
                (Some(UpdateWish::Install), None) => {}
                (Some(UpdateWish::Install), Some(package)) => {
                    let version = package.version.clone();
                    app.tell_update(Update::Installing { version: version.clone() });
                    match install(package.clone()).await {
                        Ok(()) => {
                            tracing::info!(version, "installed; it counts from the next start");
                            app.tell_update(Update::Installed { version });
                            return;
                        }
                        Err(error) => {
                            let message = in_words(&error, source);
                            tracing::warn!(version, message, %error, "not installed");
                            app.tell_update(Update::Failed { message, version: Some(version) });
                        }
                    }
                }
            }
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Updater(#[from] Error),
    #[error("the package would come unencrypted, from {0}")]
    Unsafe(Url),
    #[error("not installed from a package")]
    NoPackage,
    #[error("the task that installs has died")]
    Died,
}

async fn look(handle: &AppHandle, source: &Source) -> Result<Option<Package>, Trouble> {
    let https = source.list.scheme() == "https";
    let updater = handle
        .updater_builder()
        .endpoints(vec![source.list.clone()])?
        .pubkey(&source.key)
        .timeout(LIST)
        // No answer may lead to where somebody listens.
        .configure_client(move |client| if https { client.https_only(true) } else { client })
        .build()?;
    let Some(mut package) = updater.check().await? else { return Ok(None) };
    if !is_safe(&package.download_url) {
        return Err(Trouble::Unsafe(package.download_url));
    }
    package.timeout = Some(PACKAGE);
    Ok(Some(package))
}

/// Loads the package, which must be signed, and installs it. The system may ask for a password.
async fn install(package: Package) -> Result<(), Trouble> {
    let bytes = package.download(|_, _| {}, || {}).await?;
    // A program that lies somewhere by itself would be overwritten, whatever it is.
    if bundle_type().is_none() {
        return Err(Trouble::NoPackage);
    }
    let installed = async_runtime::spawn_blocking(move || package.install(bytes)).await;
    Ok(installed.map_err(|_| Trouble::Died)??)
}

/// What happened and what to do.
fn in_words(trouble: &Trouble, source: &Source) -> String {
    let host = source.list.host_str().unwrap_or_default();
    let error = match trouble {
        Trouble::Updater(error) => error,
        Trouble::Unsafe(url) => {
            return format!(
                "The list of versions at {host} leads to {url}, where anybody on the way could read along. Nothing was \
                 loaded."
            );
        }
        Trouble::NoPackage => {
            return "The new version is there and rightly signed, but this program was not installed from a package, so \
                    it can't replace itself. Install the new one as you installed this one."
                .to_owned();
        }
        Trouble::Died => return "Installing broke off. Try again; the log has more.".to_owned(),
    };
    match error {
        Error::Reqwest(error) if error.is_decode() => no_list(host),
        Error::Reqwest(error) if error.is_timeout() => {
            format!("{host} did not answer in time. Dragoman asks again later; nothing else depends on it.")
        }
        Error::Reqwest(_) => {
            format!("{host} can't be reached. Dragoman asks again later; nothing else depends on it.")
        }
        Error::Serialization(_) | Error::Semver(_) | Error::ReleaseNotFound => no_list(host),
        Error::TargetNotFound(_) | Error::TargetsNotFound(_) => {
            format!("There is a newer version at {host}, but not for this system.")
        }
        Error::Network(what) => format!("The package could not be loaded: {what}. Try again later."),
        Error::Minisign(_)
        | Error::Base64(_)
        | Error::SignatureUtf8(_)
        | Error::SignedVersionMismatch { .. }
        | Error::MissingSignedVersion => format!(
            "The package is not signed as it must be ({error}). It was not installed. Tell whoever runs {host}."
        ),
        Error::AuthenticationFailed => "The password was not given, so nothing was installed.".to_owned(),
        other => format!("The package could not be installed: {other}."),
    }
}

fn no_list(host: &str) -> String {
    format!("What {host} answered is no list of versions. See whether updates.url is right.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(check: bool, url: Option<&str>, key: Option<&str>) -> Settings {
        let mut settings = Settings::default();
        settings.updates.check = check;
        settings.updates.url = url.map(str::to_owned);
        settings.updates.key = key.map(str::to_owned);
        settings
    }

    fn source(list: &str, key: &str) -> Wanted {
        Wanted::Look(Source { list: list.parse().unwrap(), key: key.to_owned() })
    }

    #[test]
    fn without_an_address_and_a_key_nobody_looks() {
        let (url, key) = (Some("https://example.com/latest.json"), Some("key"));
        let empty = json!({ "endpoints": [], "pubkey": "" });
        for built in [None, Some(&empty)] {
            for (url, key) in [(None, None), (url, None), (None, key)] {
                assert_eq!(Wanted::of(&settings(true, url, key), built), Wanted::Nothing);
            }
            assert_eq!(Wanted::of(&settings(false, url, key), built), Wanted::Off);
            let wanted = Wanted::of(&settings(true, url, key), built);
            assert_eq!(wanted, source("https://example.com/latest.json", "key"));
        }
    }

    #[test]
    fn the_build_s_address_and_key_count_until_the_user_names_others() {
        let built = json!({ "endpoints": ["https://example.com/a.json"], "pubkey": "built" });
        let wanted = |url, key| Wanted::of(&settings(true, url, key), Some(&built));
        assert_eq!(wanted(None, None), source("https://example.com/a.json", "built"));
        assert_eq!(
            wanted(Some("https://example.org/b.json"), None),
            source("https://example.org/b.json", "built")
        );
        assert_eq!(wanted(None, Some("own")), source("https://example.com/a.json", "own"));
        assert_eq!(Wanted::of(&settings(false, None, None), Some(&built)), Wanted::Off);
    }

    #[test]
    fn nothing_is_asked_where_somebody_on_the_way_could_answer() {
        let built = |url: &str| json!({ "endpoints": [url], "pubkey": "built" });
        for open in ["http://example.com/a.json", "http://127.0.0.1.example.com/a.json", "ftp://127.0.0.1/a"]
        {
            assert_eq!(
                Wanted::of(&settings(true, None, None), Some(&built(open))),
                Wanted::Nothing,
                "{open}"
            );
        }
        for safe in ["http://127.0.0.1:1/a.json", "http://[::1]:1/a.json", "https://example.com/a.json"] {
            assert_eq!(Wanted::of(&settings(true, None, None), Some(&built(safe))), source(safe, "built"));
        }
    }
}
