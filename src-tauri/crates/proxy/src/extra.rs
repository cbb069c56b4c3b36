//! Tools of MCP servers that the client does not offer by itself, added to its requests. The model's call goes to the
//! client like any other: Claude Code has the server, and makes the call.

use std::sync::Arc;

use dragoman_protocol::anthropic::request::{MessagesRequest, Tool};
use dragoman_protocol::open::Open;
use dragoman_protocol::translate::{Notes, What};
use http::HeaderMap;

use crate::reminders::reminders;

/// One tool, as the Messages API writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraTool {
    name: String,
    json: String,
}

impl ExtraTool {
    /// `None` if the JSON is not a tool of this name.
    pub fn new(name: impl Into<String>, json: impl Into<String>) -> Option<Self> {
        let (name, json) = (name.into(), json.into());
        let fits = serde_json::from_str::<Tool<'_>>(&json).is_ok_and(|tool| tool.name == name);
        fits.then_some(Self { name, json })
    }

    /// As the Messages API writes it.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// Those that this request gets: of Claude Code's main loop, and only what it neither offers nor defers itself.
pub(crate) fn wanted(
    all: &Arc<[ExtraTool]>,
    headers: &HeaderMap,
    request: &MessagesRequest<'_>,
) -> Arc<[ExtraTool]> {
    let agent = headers.contains_key("x-claude-code-agent-id");
    let offers_own = request.tools.iter().any(|tool| !tool.is_server_tool());
    if all.is_empty() || agent || !offers_own || !headers.contains_key("x-claude-code-session-id") {
        return Arc::default();
    }
    // Among other things Claude Code names there the tools that it loads later.
    let notes: Vec<_> = reminders(request).collect();
    let is_known = |extra: &ExtraTool| {
        request.tools.iter().any(|tool| tool.name == extra.name)
            || notes.iter().any(|text| names(text, &extra.name))
    };
    all.iter().filter(|extra| !is_known(extra)).cloned().collect()
}

/// Adds them behind the client's own.
pub(crate) fn add<'a>(request: &mut MessagesRequest<'a>, extra: &'a [ExtraTool]) {
    let tools = extra.iter().filter_map(|extra| serde_json::from_str::<Open<'_, Tool<'_>>>(&extra.json).ok());
    request.tools.extend(tools);
}

pub(crate) fn note(extra: &[ExtraTool]) -> Notes {
    let mut notes = Notes::default();
    if !extra.is_empty() {
        notes.add(What::Adjusted, "tools", format!("{} tools of MCP servers were added", extra.len()));
    }
    notes
}

/// Does the text hold this name as a whole word?
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.match_indices(name).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(part) && !behind.starts_with(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(name: &str) -> ExtraTool {
        let json = format!(r#"{{"name":"{name}","description":"d","input_schema":{{"type":"object"}}}}"#);
        ExtraTool::new(name, json).unwrap()
    }

    #[test]
    fn only_what_the_client_neither_offers_nor_defers_is_added_to_the_main_loop() {
        let all: Arc<[ExtraTool]> = ["mcp__a__read", "mcp__a__read_all", "mcp__b__x"].map(extra).into();
        let headers = |names: &[&'static str]| -> HeaderMap {
            names.iter().map(|name| (name.parse().unwrap(), "1".parse().unwrap())).collect()
        };
        let session = headers(&["x-claude-code-session-id"]);
        let added = |headers: &HeaderMap, tools: &str, note: &str| {
            let body = format!(
                r#"{{"model":"m","tools":[{tools}],"messages":[{{"role":"user","content":"mcp__b__x"}},{{"role":"system","content":"{note}"}}]}}"#
            );
            let mut request = MessagesRequest::parse(&body).unwrap();
            let wanted = wanted(&all, headers, &request);
            add(&mut request, &wanted);
            request.tools.iter().skip(1).map(|tool| tool.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        let bash = r#"{"name":"Bash","input_schema":{}}"#;
        assert_eq!(added(&session, bash, "hi"), "mcp__a__read mcp__a__read_all mcp__b__x");
        assert_eq!(added(&session, bash, "deferred:\\nmcp__a__read_all\\nX"), "mcp__a__read mcp__b__x");
        let reminder = "hi\"},{\"role\":\"user\",\"content\":\"<system-reminder>mcp__a__read";
        assert_eq!(added(&session, bash, reminder), "mcp__a__read_all mcp__b__x", "an older model's note");
        let own = r#"{"name":"Bash","input_schema":{}},{"name":"mcp__b__x","input_schema":{}}"#;
        assert_eq!(added(&session, own, "hi"), "mcp__b__x mcp__a__read mcp__a__read_all");
        assert_eq!(added(&session, "", "hi"), "", "titles and summaries have no tools");
        assert_eq!(added(&headers(&[]), bash, "hi"), "", "another client has no such server");
        let agent = headers(&["x-claude-code-session-id", "x-claude-code-agent-id"]);
        assert_eq!(added(&agent, bash, "hi"), "", "an agent has the tools it was given");
    }

    #[test]
    fn what_is_no_tool_is_no_tool() {
        assert_eq!(ExtraTool::new("a", "{"), None);
        assert_eq!(ExtraTool::new("a", r#"{"name":"b","input_schema":{}}"#), None);
    }
}
