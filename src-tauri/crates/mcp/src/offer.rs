//! One tool as a Messages request offers it, if it can be one.

use rmcp::model::Tool;
use serde::Serialize;
use serde_json::{Map, Value};

/// The longest name that the Messages API takes; the translation shortens what upstream does not (R27).
const LONGEST: usize = 128;
/// A schema beyond this would cost more than any tool is worth.
const LARGEST: usize = 64 << 10;

/// One tool of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `mcp__server__tool`, as Claude Code calls it.
    pub name: String,
    /// The tool as the Messages API writes it, as JSON.
    pub json: String,
}

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Map<String, Value>,
}

impl Offer {
    /// The offer, or why there is none.
    pub(crate) fn of(server: &str, tool: &Tool) -> Result<Self, String> {
        let name = format!("mcp__{}__{}", plain(server), plain(&tool.name));
        if tool.name.is_empty() || name.len() > LONGEST {
            return Err(format!("the name {:?} is too long or empty", tool.name));
        }
        let schema = &tool.input_schema;
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Err(format!("the schema of {:?} is not an object's", tool.name));
        }
        if schema.get("properties").is_some_and(|properties| !properties.is_object()) {
            return Err(format!("the properties of {:?} are no object", tool.name));
        }
        let description = tool.description.as_deref().unwrap_or_default();
        let written = Written { name: &name, description, input_schema: schema };
        let json = serde_json::to_string(&written).map_err(|error| error.to_string())?;
        if json.len() > LARGEST {
            return Err(format!("{:?} is described in more than {LARGEST} bytes", tool.name));
        }
        Ok(Self { json, name })
    }
}

/// As Claude Code writes names: what the API does not take becomes an underscore.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, schema: &str) -> Tool {
        let json = format!(r#"{{"name":"{name}","description":"d","inputSchema":{schema}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_tool_is_named_as_claude_code_names_it() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
        let offer = Offer::of("my server", &tool("read.file", schema)).unwrap();
        assert_eq!(offer.name, "mcp__my_server__read_file");
        assert_eq!(
            offer.json,
            r#"{"name":"mcp__my_server__read_file","description":"d","input_schema":{"properties":{"a":{"type":"string"}},"type":"object"}}"#
        );
    }

    #[test]
    fn what_can_be_no_tool_is_refused_with_the_reason() {
        let long = "x".repeat(125);
        for (name, schema, why) in [
            ("a", r#"{"type":"string"}"#, "is not an object's"),
            ("a", r#"{"type":"object","properties":[]}"#, "are no object"),
            (long.as_str(), "{}", "too long"),
            ("", "{}", "empty"),
        ] {
            let error = Offer::of("s", &tool(name, schema)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
