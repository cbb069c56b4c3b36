//! What Dragoman writes into Claude Code's settings: the variables of `environment.rs`, and how `/model` names the
//! models.
//!
//! Measured with Claude Code 2.1.329: a family's row takes a name of ours only together with a model id. The id is
//! Claude's own, so that Claude Code keeps what it knows of that model (effort, thinking, betas) and so that the map of
//! Dragoman, not the file, decides who answers. Rows of further models come from `modelPicker`, which Claude Code
//! reads in the user's settings and not in a project's; `behavesAs` spares them the treatment of an unknown model.

use serde::Serialize;

use super::json::Key;
use crate::models::{Listed, Models};
use crate::paths::claude_code as names;

/// A member of the settings, in the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) value: Ours,
}

/// A value of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Ours {
    Text(String),
    Picker(Picker),
    /// The object that the variables stand in, as long as it is empty.
    Section {},
}

impl Ours {
    /// As JSON, to be remembered and compared.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// `modelPicker`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Picker {
    options: Vec<Row>,
}

impl Picker {
    /// The names, for people.
    pub(crate) fn labels(&self) -> String {
        self.options.iter().map(|row| row.label.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    model: String,
    label: String,
    description: String,
    behaves_as: &'static str,
}

/// The object of the variables.
pub(crate) const ENV: &str = "env";

/// The model of Claude Code 2.1.329 that each family's alias stands for.
const FAMILIES: [(&str, &str, &str); 4] = [
    ("opus", "Opus", "claude-opus-5-5"),
    ("sonnet", "Sonnet", "claude-sonnet-5-5"),
    ("haiku", "Haiku", "claude-haiku-5-5"),
    ("fable", "Fable", "claude-fable-5-2"),
];

/// Everything for one settings file. `rows`: does Claude Code read rows of further models in it?
pub(crate) fn wanted(variables: &[(String, String)], models: &Models, rows: bool) -> Vec<Wanted> {
    let variable = |(name, value): &(String, String)| Wanted {
        key: Key::within(ENV, name),
        value: Ours::Text(value.clone()),
    };
    let mut wanted: Vec<_> = variables.iter().map(variable).collect();
    // Those that stand for a family have a row already.
    let mapped =
        |model: &Listed| models.families.iter().any(|family| family.model.as_ref() == Some(&model.id));
    let options: Vec<_> = models.listed.iter().filter(|model| !mapped(model)).map(row).collect();
    if rows && !options.is_empty() {
        wanted.push(Wanted { key: Key::top(names::MODEL_PICKER), value: Ours::Picker(Picker { options }) });
    }
    wanted
}

/// Auto mode switched off, for those who ask for it.
pub(crate) fn no_auto_mode() -> Wanted {
    Wanted { key: Key::top(names::DISABLE_AUTO_MODE), value: Ours::Text("disable".to_owned()) }
}

/// The names of the rows of Claude's families, as variables.
pub(crate) fn families(models: &Models) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (family, title, id) in FAMILIES {
        let mapped = models.families.iter().find(|mapped| mapped.asks == family);
        let Some(slug) = mapped.and_then(|mapped| mapped.model.as_deref()) else { continue };
        let model = models.listed.iter().find(|model| model.id == slug);
        let name = format!("ANTHROPIC_DEFAULT_{}_MODEL", title.to_ascii_uppercase());
        variables.push((name.clone(), id.to_owned()));
        variables.push((format!("{name}_NAME"), model.map_or(slug, |model| &model.name).to_owned()));
        variables.push((format!("{name}_DESCRIPTION"), format!("{}, for {title}", described(model))));
    }
    variables
}

fn row(model: &Listed) -> Row {
    Row {
        model: model.id.clone(),
        label: model.name.clone(),
        description: described(Some(model)),
        behaves_as: FAMILIES[0].2,
    }
}

/// What stands beside the name.
fn described(model: Option<&Listed>) -> String {
    match model.map(|model| model.description.trim().trim_end_matches('.')) {
        Some(about) if !about.is_empty() => format!("{about} · through Dragoman"),
        Some(_) | None => "through Dragoman".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use dragoman_protocol::route::Dialect;
    use dragoman_upstream::Source;

    use super::*;
    use crate::models::Mapped;

    pub(crate) fn models() -> Models {
        let listed = |id: &str, name: &str, description: &str| Listed {
            id: id.to_owned(),
            alias: format!("claude-{id}"),
            name: name.to_owned(),
            description: description.to_owned(),
            window: 258_400,
            efforts: Vec::new(),
            default_effort: None,
            tiers: Vec::new(),
            dialect: Dialect::Lite,
        };
        let mapped = |family: &str, model: Option<&str>| Mapped {
            asks: family.to_owned(),
            model: model.map(str::to_owned),
            ..Mapped::default()
        };
        Models {
            source: Source::Live,
            window: 258_400,
            compact_at: None,
            effort: None,
            scenarios: Vec::new(),
            names: Vec::new(),
            families: vec![
                mapped("opus", Some("gpt-a")),
                mapped("haiku", Some("gpt-b")),
                mapped("fable", None),
            ],
            listed: vec![
                listed("gpt-a", "GPT-A", "The large one."),
                listed("gpt-b", "GPT-B", ""),
                listed("gpt-c", "GPT-C", "Another one."),
            ],
        }
    }

    #[test]
    fn families_and_rows_bear_the_names_of_the_catalog() {
        let mut variables = vec![("ANTHROPIC_BASE_URL".to_owned(), "http://127.0.0.1:1".to_owned())];
        variables.extend(families(&models()));
        let wanted = wanted(&variables, &models(), true);
        let lines: Vec<_> =
            wanted.iter().map(|wanted| format!("{}={}", wanted.key, wanted.value.json())).collect();
        assert_eq!(
            lines,
            [
                r#"env.ANTHROPIC_BASE_URL="http://127.0.0.1:1""#,
                r#"env.ANTHROPIC_DEFAULT_OPUS_MODEL="claude-opus-5-5""#,
                r#"env.ANTHROPIC_DEFAULT_OPUS_MODEL_NAME="GPT-A""#,
                r#"env.ANTHROPIC_DEFAULT_OPUS_MODEL_DESCRIPTION="The large one · through Dragoman, for Opus""#,
                r#"env.ANTHROPIC_DEFAULT_HAIKU_MODEL="claude-haiku-5-5""#,
                r#"env.ANTHROPIC_DEFAULT_HAIKU_MODEL_NAME="GPT-B""#,
                r#"env.ANTHROPIC_DEFAULT_HAIKU_MODEL_DESCRIPTION="through Dragoman, for Haiku""#,
                concat!(
                    r#"modelPicker={"options":[{"model":"gpt-c","label":"GPT-C","description":"Another one · through "#,
                    r#"Dragoman","behavesAs":"claude-opus-5-5"}]}"#,
                ),
            ]
        );
    }
}
