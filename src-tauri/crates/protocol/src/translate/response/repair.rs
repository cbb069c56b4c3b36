//! Slips of the model in a call's arguments that are mended before a tool sees them (S55, P18).
//!
//! Only calls of the tools named here are held back until they are whole; all others stream.

use super::super::parameters::Members;

/// More white space in a row than any tool wants: the model has lost its thread. In bytes.
const FLOOD: usize = 8 << 10;
/// No file that a model reads has so many lines: with such an offset Claude Code answers with an error, and the model
/// tries the same again.
const LAST_LINE: f64 = 1e6;

/// Must calls of this tool be held back?
pub(super) fn applies_to(tool: &str) -> bool {
    tool == "Read"
}

/// The arguments without their slips, and what was wrong; `None` if nothing was.
pub(super) fn mended(tool: &str, arguments: &str) -> Option<(String, String)> {
    if !applies_to(tool) {
        return None;
    }
    let Members(members) = serde_json::from_str(arguments).ok()?;
    let mut kept = String::from("{");
    let mut dropped = Vec::new();
    for (name, value) in &members {
        let value = value.get();
        let is_slip = match name.as_ref() {
            "pages" => value.trim_matches('"').trim().is_empty(),
            "offset" => value.parse::<f64>().is_ok_and(|line| !(0.0..LAST_LINE).contains(&line)),
            "limit" => value.parse::<f64>().is_ok_and(|lines| lines >= LAST_LINE || lines <= 0.0),
            _ => false,
        };
        if is_slip {
            dropped.push(format!("{name}: {value}"));
            continue;
        }
        if kept.len() > 1 {
            kept.push(',');
        }
        kept.push_str(&serde_json::to_string(name).ok()?);
        kept.push(':');
        kept.push_str(value);
    }
    kept.push('}');
    (!dropped.is_empty()).then(|| (kept, format!("{} was left out of a call of {tool}", dropped.join(", "))))
}

/// Counts the white space at the end of arguments that are still coming, also in its escaped form.
#[derive(Debug, Default)]
pub(super) struct Flood {
    blank: usize,
}

impl Flood {
    /// Takes a piece. True if it is too much: nobody must wait for the end of it.
    pub(super) fn rises(&mut self, piece: &str) -> bool {
        let mut rest = piece;
        loop {
            let trimmed = rest.trim_end_matches([' ', '\n', '\r', '\t']);
            let trimmed = ["\\n", "\\r", "\\t"]
                .iter()
                .find_map(|escape| trimmed.strip_suffix(escape))
                .unwrap_or(trimmed);
            if trimmed.len() == rest.len() {
                break;
            }
            rest = trimmed;
        }
        let blank = piece.len() - rest.len();
        self.blank = if rest.is_empty() { self.blank + blank } else { blank };
        self.blank > FLOOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_left_out_and_everything_else_keeps_its_bytes() {
        for (before, after) in [
            (r#"{"file_path":"a","pages":""}"#, Some(r#"{"file_path":"a"}"#)),
            (
                r#"{"pages":" ","file_path":"\u0041", "limit": 2.50}"#,
                Some(r#"{"file_path":"\u0041","limit":2.50}"#),
            ),
            (r#"{"file_path":"a","offset":1000000}"#, Some(r#"{"file_path":"a"}"#)),
            (r#"{"file_path":"a","offset":9e99,"limit":0}"#, Some(r#"{"file_path":"a"}"#)),
            (r#"{"file_path":"a","offset":999999,"limit":2000}"#, None),
            (r#"{"file_path":"a","pages":"1-3"}"#, None),
            (r#"{"file_path":"","offset":"1000000"}"#, None),
        ] {
            assert_eq!(mended("Read", before).map(|(mended, _)| mended).as_deref(), after, "{before}");
        }
        assert_eq!(mended("Write", r#"{"pages":""}"#), None);
        let (_, why) = mended("Read", r#"{"file_path":"a","pages":""}"#).unwrap();
        assert_eq!(why, "pages: \"\" was left out of a call of Read");
    }

    #[test]
    fn white_space_is_counted_across_pieces_and_escapes() {
        let mut flood = Flood::default();
        assert!(!flood.rises(&" ".repeat(FLOOD)));
        assert!(flood.rises("\\n"));
        assert!(!flood.rises("x"));
        assert!(!flood.rises("{\"a\":\"\\\\n"), "an escaped backslash and an n");
        let pieces = ["\\n\\t ".repeat(100), "\n".repeat(100)];
        let mut flood = Flood::default();
        let needed = FLOOD / 600 + 1;
        let rose = (0..needed).position(|_| pieces.iter().any(|piece| flood.rises(piece)));
        assert!(rose.is_some());
    }
}
