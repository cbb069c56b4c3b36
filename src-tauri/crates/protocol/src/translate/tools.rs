//! Tools: names within upstream's limits, and an order that keeps the cached prefix.
//!
//! Not here: schemas (`parameters.rs`), the tool loop itself (calls and results are content, `content.rs`).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::envelope::short_hash;
use super::notes::{Notes, What};
use super::parameters::parameters;
use crate::anthropic::request::{MessagesRequest, Tool as ClientTool};
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::request::{SearchFilters, Tool, WebSearch};

/// The longest name the backend takes.
const MAX_NAME: usize = 64;
/// Claude Code's stand-in for tools it has not loaded (M02).
const PLACEHOLDER: &str = "DeferredToolPlaceholder";
/// A pseudo tool of older clients (R32).
const BATCH: &str = "BatchTool";

/// Tool names that had to change, upstream's → the client's, so that calls come back under the name the client knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// The client's name of a tool the model called.
    pub fn to_client<'a>(&'a self, upstream: &'a str) -> &'a str {
        self.0.get(upstream).map_or(upstream, String::as_str)
    }
}

/// The order in which a thread first showed its tools. Claude Code inserts loaded tools in the middle of its list; the
/// prompt cache wants them at the end (DECISIONS 11).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOrder {
    batches: Vec<Batch>,
}

/// Tools that appeared together.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    /// How many messages the conversation had when they appeared; 0 for the first batch.
    messages: usize,
    names: Vec<String>,
}

impl ToolOrder {
    /// Takes note of the tools of a request. A conversation that became shorter has been rewritten (compaction): its
    /// cached prefix is gone, so the order starts anew.
    pub fn observe(&mut self, request: &MessagesRequest<'_>) {
        let messages = request.messages.len();
        if self.batches.last().is_some_and(|last| last.messages > messages) {
            self.batches.clear();
        }
        let known: HashSet<&str> =
            self.batches.iter().flat_map(|batch| &batch.names).map(String::as_str).collect();
        let names: Vec<String> = request
            .tools
            .iter()
            .filter(|tool| is_offered(tool) && !known.contains(tool.name.as_ref()))
            .map(|tool| tool.name.clone().into_owned())
            .collect();
        if !names.is_empty() {
            let messages = if self.batches.is_empty() { 0 } else { messages };
            self.batches.push(Batch { messages, names });
        }
    }
}

/// The tools of a request as they go upstream.
#[derive(Debug, Default)]
pub(super) struct Tools<'a> {
    /// Batches in order, each with the number of messages that came before it.
    pub(super) batches: Vec<(usize, Vec<Tool<'a>>)>,
    /// Renamed ones.
    pub(super) names: Names,
    /// The hosted search, if it is offered.
    pub(super) search: Option<WebSearch<'a>>,
}

impl<'a> Tools<'a> {
    /// # Errors
    /// A server tool that this proxy can't serve, or a schema that is no object.
    pub(super) fn of(
        request: &MessagesRequest<'a>,
        order: &ToolOrder,
        notes: &mut Notes,
    ) -> Result<Self, Failure> {
        let mut names = Names::default();
        let mut search = None;
        let mut ready: HashMap<&str, (usize, Tool<'a>)> = HashMap::new();
        for (t, tool) in request.tools.iter().enumerate() {
            notes.rest(format_args!("tools.{t}"), &tool.rest);
            if tool.is_web_search() {
                search = Some(web_search(tool, t, notes));
                continue;
            }
            if tool.is_server_tool() {
                return Err(Failure::invalid(
                    format!("tools.{t}"),
                    format_args!("the server tool {:?} is not available through Dragoman yet", tool.name),
                ));
            }
            if !is_offered(tool) {
                let detail = format!("{} stands for other tools; there is nothing to call", tool.name);
                notes.add(What::Dropped, format!("tools.{t}"), detail);
                continue;
            }
            if ready.contains_key(tool.name.as_ref()) {
                notes.add(What::Dropped, format!("tools.{t}"), format!("a second tool named {}", tool.name));
                continue;
            }
            let name = upstream_name(&tool.name);
            if name != tool.name {
                notes.add(What::Renamed, format!("tools.{t}.name"), name.as_ref());
                names.0.insert(name.clone().into_owned(), tool.name.clone().into_owned());
            }
            let (parameters, in_words) = parameters(tool.input_schema, t, notes)?;
            let mut description = tool.description.clone().filter(|text| !text.is_empty());
            if let Some(rule) = in_words {
                let place = format!("tools.{t}.input_schema");
                notes.add(What::Adjusted, place, "what must not stand at its top is said in the description");
                let said = description.map_or_else(String::new, |text| format!("{}\n\n", text.to_text()));
                description = Some(JsonStr::from(format!("{said}{rule}")));
            }
            let function = Tool { kind: "function", name, description, strict: false, parameters };
            ready.insert(tool.name.as_ref(), (t, function));
        }
        let mut batches: Vec<(usize, Vec<Tool<'a>>)> = Vec::new();
        for batch in &order.batches {
            let tools: Vec<_> = batch
                .names
                .iter()
                .filter_map(|name| ready.remove(name.as_str()))
                .map(|(_, tool)| tool)
                .collect();
            if !tools.is_empty() {
                batches.push((batch.messages, tools));
            }
        }
        // Tools the order has not seen (there is none kept for this thread) stand first, as the client sent them.
        let mut rest: Vec<_> = ready.into_values().collect();
        rest.sort_unstable_by_key(|(t, _)| *t);
        if !rest.is_empty() {
            let rest = rest.into_iter().map(|(_, tool)| tool);
            match batches.first_mut() {
                Some((0, first)) => first.extend(rest),
                _ => batches.insert(0, (0, rest.collect())),
            }
        }
        Ok(Self { batches, names, search })
    }

    /// Adds a tool of ours to the first ones.
    pub(super) fn add(&mut self, tool: Tool<'a>) {
        match self.batches.first_mut() {
            Some((0, first)) => first.push(tool),
            _ => self.batches.insert(0, (0, vec![tool])),
        }
    }

    /// One batch of all, for a backend that takes tools at the beginning only (DECISIONS 11).
    pub(super) fn join(&mut self, notes: &mut Notes) {
        if self.batches.iter().any(|(messages, _)| *messages > 0) {
            let all = std::mem::take(&mut self.batches).into_iter().flat_map(|(_, tools)| tools);
            self.batches = vec![(0, all.collect())];
            let detail =
                "tools loaded later stand with the others: the backend takes them at the beginning only";
            notes.add(What::Adjusted, "tools", detail);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.search.is_none()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.batches.iter().flat_map(|(_, tools)| tools).any(|tool| tool.name == name)
    }
}

/// The hosted search (R39). What it can't do is said in words or noted (R41).
fn web_search<'a>(tool: &ClientTool<'a>, t: usize, notes: &mut Notes) -> WebSearch<'a> {
    let allowed = tool.allowed_domains.clone().filter(|domains| !domains.is_empty());
    if tool.blocked_domains.as_ref().is_some_and(|domains| !domains.is_empty()) {
        let detail = "a sentence to the model and a filter here; the backend has no such setting";
        notes.add(What::Adjusted, format!("tools.{t}.blocked_domains"), detail);
    }
    WebSearch {
        kind: "web_search",
        external_web_access: true,
        filters: allowed.map(|allowed_domains| SearchFilters { allowed_domains }),
        user_location: tool.user_location.filter(|location| location.get() != "null"),
    }
}

fn is_offered(tool: &ClientTool<'_>) -> bool {
    tool.name != PLACEHOLDER && tool.name != BATCH
}

/// The name upstream: the client's own where the backend takes it, else shortened with a hash, so that two long names
/// with the same beginning stay apart (R27).
pub(super) fn upstream_name<'a>(name: &Cow<'a, str>) -> Cow<'a, str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(legal) {
        return name.clone();
    }
    let start: String = name
        .chars()
        .map(|c| if c.is_ascii() && legal(c as u8) { c } else { '_' })
        .take(MAX_NAME - 9)
        .collect();
    Cow::Owned(format!("{start}_{}", short_hash(name, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_with_one_beginning_stay_apart() {
        let a: Cow<'_, str> = format!("mcp__{}__a", "x".repeat(80)).into();
        let b: Cow<'_, str> = format!("mcp__{}__b", "x".repeat(80)).into();
        let (short_a, short_b) = (upstream_name(&a), upstream_name(&b));
        assert_eq!(short_a.len(), 64);
        assert_ne!(short_a, short_b);
        assert_eq!(upstream_name(&"mcp__ok".into()), "mcp__ok");
        assert!(upstream_name(&"né.t".into()).starts_with("n__t_"));
    }

    #[test]
    fn tools_that_appear_later_come_last() {
        let body = |tools: &str, messages: usize| {
            let messages = vec![r#"{"role":"user","content":"x"}"#; messages].join(",");
            format!(r#"{{"model":"m","messages":[{messages}],"tools":[{tools}]}}"#)
        };
        let tool = |name: &str| format!(r#"{{"name":"{name}","input_schema":{{}}}}"#);
        let mut order = ToolOrder::default();
        let first = body(&[tool("A"), tool("C")].join(","), 1);
        order.observe(&MessagesRequest::parse(&first).unwrap());
        let second = body(&[tool("A"), tool("B"), tool("C")].join(","), 3);
        let request = MessagesRequest::parse(&second).unwrap();
        order.observe(&request);
        let tools = Tools::of(&request, &order, &mut Notes::default()).unwrap();
        let names: Vec<(usize, Vec<&str>)> = tools
            .batches
            .iter()
            .map(|(at, tools)| (*at, tools.iter().map(|tool| tool.name.as_ref()).collect()))
            .collect();
        assert_eq!(names, [(0, vec!["A", "C"]), (3, vec!["B"])]);
    }
}
