//! Fidelity notes: what of a request or an answer was changed or left out on the way, where, and why.
//!
//! Nothing is dropped silently: code that can't carry something over leaves a note here.

use std::fmt::Display;

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::open::Rest;

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Note {
    /// What happened.
    pub what: What,
    /// Where, as a path of the client's request or the name of an upstream item.
    pub place: String,
    /// Why, or what stands there now.
    pub detail: String,
}

/// The kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Left out.
    Dropped,
    /// Replaced by readable text.
    Described,
    /// Renamed within upstream's limits.
    Renamed,
    /// Something was missing and was filled in.
    Repaired,
    /// Asked for in another way than the client did.
    Adjusted,
}

/// The notes of one exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Notes(pub Vec<Note>);

impl Notes {
    /// Adds one.
    pub fn add(&mut self, what: What, place: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Note { what, place: place.into(), detail: detail.into() });
    }

    /// Tells of members that nobody here knows. Where there are none, or none with a wish in them, it costs nothing.
    pub(super) fn rest(&mut self, place: impl Display, rest: &Rest<'_>) {
        for (member, value) in rest.iter() {
            if !is_met(member, value.get()) {
                self.add(What::Dropped, format!("{place}.{member}"), why(member));
            }
        }
    }

    /// The same for the request itself.
    pub(super) fn rest_of_request(&mut self, rest: &Rest<'_>) {
        for (member, value) in rest.iter() {
            self.member(member, value.get());
        }
    }

    /// The same for one of its members.
    pub(super) fn member(&mut self, member: &str, value: &str) {
        if !is_met(member, value) {
            self.add(What::Dropped, member, why(member));
        }
    }
}

/// Members that ask for nothing, or for what happens anyway.
fn is_met(member: &str, value: &str) -> bool {
    let packed = || value.split_ascii_whitespace().collect::<String>();
    match member {
        _ if matches!(value, "null" | "\"\"" | "[]" | "{}") => true,
        // The backend caches every prefix by itself, for some minutes.
        "cache_control" => matches!(
            packed().as_str(),
            r#"{"type":"ephemeral"}"#
                | r#"{"type":"ephemeral","ttl":"5m"}"#
                | r#"{"ttl":"5m","type":"ephemeral"}"#
        ),
        "temperature" | "top_p" => value.parse() == Ok(1.0),
        "allowed_callers" => packed() == r#"["direct"]"#,
        "citations" => packed() == r#"{"enabled":false}"#,
        "strict" | "logprobs" | "store" | "echo" => value == "false",
        "frequency_penalty" | "presence_penalty" => value.parse() == Ok(0.0),
        "truncation" => value == "\"disabled\"",
        _ => false,
    }
}

/// Why a member is left out.
fn why(member: &str) -> &'static str {
    match member {
        "cache_control" => "the backend caches by itself, for as long as it likes",
        "citations" => "the backend has no place for what a text cites",
        "temperature" | "top_p" | "top_k" | "seed" | "logprobs" | "top_logprobs" | "logit_bias"
        | "frequency_penalty" | "presence_penalty" => "the backend takes no sampling settings",
        "max_output_tokens" | "max_tokens" | "max_completion_tokens" | "max_tool_calls" => {
            "the backend takes no limit"
        }
        "user" | "safety_identifier" => "the backend knows the account, and nobody else's id is sent",
        "store" | "metadata" | "prompt_cache_retention" | "prompt_cache_options" => {
            "the backend stores nothing and caches as it likes"
        }
        "truncation" | "context_management" => "the backend does not shorten conversations",
        "stream_options" => "the backend's stream has no options",
        "input_examples" => "the backend takes no examples of a tool's input",
        "strict" => "tools go out without strict mode, so that optional members stay optional",
        "container" | "mcp_servers" => "Anthropic's servers would run it; there is nobody here to do so",
        "encrypted_content" | "page_age" => "only Anthropic's API can read it",
        _ => "neither Dragoman nor the backend has a member of this name",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::open::Open;

    #[derive(Debug, Deserialize)]
    struct Nothing {}

    #[test]
    fn members_that_ask_for_something_are_told_and_no_others() {
        let json = r#"{"cache_control":{ "type": "ephemeral" },"new":null,"empty":[],"temperature":1.0,"strict":false,
            "allowed_callers":["direct"],"citations":{"enabled":false},"top_k":5,"other":{"deep":"value"}}"#;
        let object: Open<'_, Nothing> = serde_json::from_str(json).unwrap();
        let mut notes = Notes::default();
        notes.rest("tools.0", &object.rest);
        let places: Vec<&str> = notes.0.iter().map(|note| note.place.as_str()).collect();
        assert_eq!(places, ["tools.0.top_k", "tools.0.other"]);
        let json = r#"{"cache_control":{"type":"ephemeral","ttl":"1h"},"temperature":0.2,"strict":true}"#;
        let object: Open<'_, Nothing> = serde_json::from_str(json).unwrap();
        let mut notes = Notes::default();
        notes.rest_of_request(&object.rest);
        assert_eq!(notes.0.len(), 3);
    }
}
