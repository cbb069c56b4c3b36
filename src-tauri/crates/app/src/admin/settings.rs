//! The settings: each with its value, where that comes from, and its documentation.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{At, ErrorAnswer, Input, Problem, Told};
use crate::App;
use crate::settings::{Counts, KEYS, Key, Kind, Settings, Source};

/// Each key has a section in it; a test of the settings sees to that.
const DOCUMENT: &str = include_str!("../../../../../docs/configuration.md");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set, reset))
}

/// One setting.
#[derive(Debug, Serialize, TS, ToSchema)]
pub(super) struct Setting {
    /// `section.field`
    key: &'static str,
    /// What it is, in a few words.
    about: &'static str,
    /// What it is, in full: Markdown.
    documentation: String,
    /// What its words are.
    kind: Kind,
    /// The words that can be chosen; empty if it is no choice.
    choices: Vec<&'static str>,
    /// The words in force; lists are separated by commas. `null`: nothing is chosen.
    value: Option<String>,
    /// The words that are built in.
    default: Option<String>,
    /// Where the value comes from. A variable or flag goes before the file: what is set here then has no effect.
    source: SettingSource,
    /// From when on a change counts.
    counts: Counts,
}

/// Where a value comes from.
#[derive(Debug, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub(super) enum SettingSource {
    /// Built in.
    Default,
    /// The settings file.
    File {
        /// Its path.
        path: String,
        /// Counted from one.
        line: usize,
    },
    /// A variable of the process.
    Environment {
        /// Its name.
        name: String,
    },
    /// The command line.
    Flag {
        /// Its name.
        name: String,
    },
}

impl From<Source> for SettingSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Default => Self::Default,
            Source::File { path, line } => Self::File { path: path.display().to_string(), line },
            Source::Environment(name) => Self::Environment { name },
            Source::Flag(name) => Self::Flag { name },
        }
    }
}

/// A setting's new value.
#[derive(Debug, Deserialize, TS, ToSchema)]
pub(super) struct NewValue {
    /// What a variable would hold.
    value: String,
}

/// All of them, in the order of the documentation.
fn all(settings: &Settings) -> Vec<Setting> {
    let defaults = Settings::default().entries();
    let shown = settings.entries().into_iter().zip(defaults).zip(&KEYS);
    let setting =
        |((entry, default), key): ((crate::settings::Entry, crate::settings::Entry), &Key)| Setting {
            key: key.name,
            about: key.about,
            documentation: documentation(key.name).to_owned(),
            kind: key.kind,
            choices: key.choices(),
            value: entry.value,
            default: default.value,
            source: settings.source(key.name).into(),
            counts: key.counts(),
        };
    shown.map(setting).collect()
}

/// The section of this key, without its heading.
fn documentation(key: &str) -> &'static str {
    let heading = format!("### `{key}`\n");
    let after = DOCUMENT.split_once(heading.as_str()).map_or("", |(_, after)| after);
    let end = ["\n### ", "\n## "].into_iter().filter_map(|heading| after.find(heading)).min();
    after[..end.unwrap_or(after.len())].trim()
}

fn one(settings: &Settings, key: &str) -> Told<Setting> {
    let found = all(settings).into_iter().find(|setting| setting.key == key);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no setting {key}")))
}

/// Every setting, in the order of the documentation.
#[utoipa::path(get, path = "/admin/settings", responses((status = 200, body = Vec<Setting>)))]
async fn list(State(app): State<App>) -> Json<Vec<Setting>> {
    Json(all(&app.settings()))
}

/// Writes a setting into the settings file and uses it from now on.
#[utoipa::path(put, path = "/admin/settings/{key}", request_body = NewValue, params(("key" = String, Path)),
    responses((status = 200, body = Setting), (status = "default", body = ErrorAnswer)))]
async fn set(State(app): State<App>, At(key): At<String>, Input(new): Input<NewValue>) -> Told<Setting> {
    one(&*app.set(&key, Some(&new.value)).await?, &key)
}

/// Takes a setting out of the settings file: back to the default.
#[utoipa::path(delete, path = "/admin/settings/{key}", params(("key" = String, Path)),
    responses((status = 200, body = Setting), (status = "default", body = ErrorAnswer)))]
async fn reset(State(app): State<App>, At(key): At<String>) -> Told<Setting> {
    one(&*app.set(&key, None).await?, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_documentation() {
        for setting in all(&Settings::default()) {
            assert!(
                setting.documentation.contains("Default: "),
                "{}: {}",
                setting.key,
                setting.documentation
            );
            assert!(!setting.documentation.contains("\n#"), "{} runs into the next", setting.key);
            assert_eq!(setting.value, setting.default);
        }
    }

    #[test]
    fn the_documentation_says_when_a_change_counts_that_does_not_count_at_once() {
        for setting in all(&Settings::default()) {
            let says = |words| setting.documentation.contains(words);
            let (next_on, next_start) = (says("the next time it is turned on"), says("at the next start"));
            let told = match setting.counts {
                Counts::AtOnce => (false, false),
                Counts::NextOn => (true, false),
                Counts::NextStart => (false, true),
            };
            assert_eq!((next_on, next_start), told, "{}", setting.key);
        }
    }

    #[test]
    fn a_choice_offers_its_words() {
        let settings = all(&Settings::default());
        let choices = |key| &settings.iter().find(|setting| setting.key == key).unwrap().choices;
        assert_eq!(choices("log.level"), &["error", "warn", "info", "debug", "trace"]);
        assert!(choices("server.listen").is_empty());
    }
}
