//! The table in README.md: every row of the specification and the cases that prove it. `UPDATE=1` writes it; a table
//! that says something else than the directories fails the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::{directories, ids};

const BEGIN: &str = "<!-- The table is written by the runner: UPDATE=1. -->\n";
const END: &str = "<!-- The table ends. -->\n";

/// The specification's rows, in its order.
fn all_ids() -> impl Iterator<Item = String> {
    [('M', 24), ('R', 75), ('S', 68), ('O', 12)]
        .into_iter()
        .flat_map(|(table, rows)| (1..=rows).map(move |row| format!("{table}{row:02}")))
}

/// The table as it must be.
pub(crate) fn rendered() -> String {
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for directory in directories() {
        // A case that can't be read fails in its own name.
        let Ok(case) = Case::read(&directory) else { continue };
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for id in case.ids() {
            cases.entry(id.to_owned()).or_default().push(name.clone());
        }
    }
    let mut table = "| ID | status | cases |\n|---|---|---|\n".to_owned();
    for id in all_ids() {
        let elsewhere = ids::ELSEWHERE.iter().find(|(other, _)| *other == id).map(|(_, words)| *words);
        let proven = cases.get(&id).map(|names| names.join(", "));
        let status = match (&proven, elsewhere) {
            (Some(_), _) => "golden",
            (None, Some(words)) => words,
            (None, None) => "**missing**",
        };
        table.push_str(&format!("| {id} | {status} | {} |\n", proven.as_deref().unwrap_or("–")));
    }
    table
}

/// The rows that nothing proves.
pub(crate) fn missing(table: &str) -> Vec<&str> {
    let rows = table.lines().filter(|row| row.contains("**missing**"));
    rows.filter_map(|row| row.split_whitespace().nth(1)).collect()
}

/// Compares the table in README.md with the directories; rewrites it if asked to.
pub(crate) fn check(update: bool) -> Result<(), String> {
    let path = readme();
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(table, after)| (before, table, after)));
    let (before, table, after) = parts.ok_or(format!("{} has no place for the table", path.display()))?;
    let wanted = rendered();
    if table == wanted {
        return Ok(());
    }
    if update {
        let text = format!("{before}{BEGIN}{wanted}{END}{after}");
        return std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    let stale: Vec<&str> = wanted.lines().filter(|row| !table.lines().any(|other| other == *row)).collect();
    Err(format!("the table in README.md is stale (UPDATE=1 writes it); it lacks:\n{}", stale.join("\n")))
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/README.md")
}
