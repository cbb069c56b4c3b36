//! Fidelity notes, read from what `dragoman serve -vv` writes to stderr: nothing may change on the way without one,
//! and none may come that a case does not expect.

/// The notes in a piece of the log, as `notes.json` shows them; an empty string if there are none.
pub(crate) fn in_log(log: &str) -> String {
    let notes: Vec<String> = log.lines().filter_map(note).collect();
    if notes.is_empty() { String::new() } else { format!("[\n{}\n]\n", notes.join(",\n")) }
}

/// `… DEBUG dragoman_proxy::messages: fidelity … what=Dropped place="tools.1" detail="why"`
fn note(line: &str) -> Option<String> {
    let (_, fields) = line.split_once(": fidelity ")?;
    let (_, fields) = fields.split_once("what=")?;
    let (what, fields) = fields.split_once(" place=")?;
    let (place, detail) = fields.split_once(" detail=")?;
    Some(format!(
        "  {{\n    \"what\": \"{}\",\n    \"place\": {place},\n    \"detail\": {detail}\n  }}",
        what.to_lowercase()
    ))
}
