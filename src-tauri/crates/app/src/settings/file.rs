//! The text of `config.toml`: read with the place of each mistake, edited without losing a comment.
//!
//! Not here: which file it is (`paths.rs`) and reading or writing it (`app.rs`).

use std::ops::Range;
use std::path::Path;

use serde::de::Error as _;
use toml::Table;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, TableLike};

use super::keys::{self, Key};
use super::{Problem, Settings};

/// What a settings file says.
pub(super) struct Contents {
    /// Its values, all valid.
    pub(super) table: Table,
    /// The line of each known key.
    pub(super) lines: Vec<(&'static str, usize)>,
    /// A sentence for each unknown key.
    pub(super) hints: Vec<String>,
}

/// Read and check.
pub(super) fn read(path: &Path, text: &str) -> Result<Contents, Problem> {
    // Editors on Windows leave a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let syntax = |error: &toml::de::Error| problem(path, text, error, None);
    let tree = DeTable::parse(text).map_err(|error| syntax(&error))?;
    let mut lines = Vec::new();
    let mut hints = Vec::new();
    let mut at = |name: String, span: Range<usize>| {
        let line = line(text, &span);
        match keys::find(&name) {
            Some(key) => lines.push((key.name, line)),
            None => {
                let meant = keys::nearest(&name).map(|known| format!("; did you mean {known}?"));
                let meant = meant.unwrap_or_default();
                hints.push(format!("{}, line {line}: there is no setting {name}{meant}", path.display()));
            }
        }
    };
    for (section, value) in tree.get_ref() {
        match value.get_ref() {
            DeValue::Table(fields) if keys::KEYS.iter().any(|key| key.section() == section.get_ref()) => {
                for field in fields.keys() {
                    at(format!("{}.{}", section.get_ref(), field.get_ref()), field.span());
                }
            }
            _ => at(section.get_ref().to_string(), section.span()),
        }
    }
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(&error))?;
    let _checked: Settings = serde_path_to_error::deserialize(deserializer)
        .map_err(|error| problem(path, text, error.inner(), Some(error.path().to_string())))?;
    let table = toml::from_str(text).map_err(|error| syntax(&error))?;
    Ok(Contents { table, lines, hints })
}

/// The text with one key set to a valid value, or without it.
pub(super) fn edit(
    text: &str,
    path: &Path,
    key: &Key,
    value: Option<toml::Value>,
) -> Result<String, Problem> {
    let failed = |error: &toml_edit::TomlError| {
        let error = toml::de::Error::custom(error.message());
        problem(path, text, &error, None)
    };
    let mut document: DocumentMut = text.parse().map_err(|error| failed(&error))?;
    let Some(value) = value else {
        if let Some(section) = document.get_mut(key.section()).and_then(Item::as_table_like_mut) {
            section.remove(key.field());
        }
        return Ok(document.to_string());
    };
    let section = document.entry(key.section()).or_insert_with(toml_edit::table);
    let Some(section) = section.as_table_like_mut() else {
        let error = toml::de::Error::custom(format!("expected the table [{}]", key.section()));
        return Err(problem(path, text, &error, Some(key.section().to_owned())));
    };
    set(section, key.field(), editable(value));
    Ok(document.to_string())
}

/// The text with one entry of `[models.names]` set, or without it.
pub(super) fn edit_name(
    text: &str,
    path: &Path,
    name: &str,
    words: Option<String>,
) -> Result<String, Problem> {
    let fail = |message: &str| {
        let error = toml::de::Error::custom(message);
        problem(path, text, &error, Some("models.names".to_owned()))
    };
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| fail(error.message()))?;
    let implicit = || {
        let mut table = toml_edit::Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let models = document.entry("models").or_insert_with(implicit);
    let models = models.as_table_like_mut().ok_or_else(|| fail("expected the table [models]"))?;
    match words {
        Some(words) => {
            let names = models.entry("names").or_insert_with(toml_edit::table);
            let names = names.as_table_like_mut().ok_or_else(|| fail("expected the table [models.names]"))?;
            set(names, name, words.into());
        }
        None => {
            if let Some(names) = models.get_mut("names").and_then(Item::as_table_like_mut) {
                names.remove(name);
            }
        }
    }
    Ok(document.to_string())
}

/// Replacing a value through `doc["x"] = …` would eat the comment behind it: its decoration moves to the new value.
fn set(section: &mut dyn TableLike, field: &str, mut value: toml_edit::Value) {
    match section.get_mut(field).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            // Where a table stands under this name, it goes whole.
            section.insert(field, Item::Value(value));
        }
    }
}

/// The kinds that a key can have ([`keys::Kind`]).
fn editable(value: toml::Value) -> toml_edit::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(switch) => switch.into(),
        toml::Value::Array(list) => list.into_iter().map(editable).collect::<toml_edit::Array>().into(),
        toml::Value::Table(pairs) => {
            let pairs = pairs.into_iter().map(|(name, value)| (name, editable(value)));
            toml_edit::Value::InlineTable(pairs.collect())
        }
        other @ (toml::Value::Float(_) | toml::Value::Datetime(_)) => other.to_string().into(),
    }
}

/// An error of the parser at its place.
fn problem(path: &Path, text: &str, error: &toml::de::Error, key: Option<String>) -> Problem {
    Problem::File {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line(text, &span)),
        key: key.filter(|key| key != "."),
        message: sentence(error),
    }
}

/// The parser's words on one line.
pub(super) fn sentence(error: &toml::de::Error) -> String {
    error.message().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Counted from one.
fn line(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..span.start.min(text.len())).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
