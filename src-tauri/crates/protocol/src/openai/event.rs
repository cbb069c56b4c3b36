//! The events of a Responses stream (`upstream.md` §c.1), read from one SSE frame's data.
//!
//! Unknown events are carried as [`Event::Unknown`]. Not here: what a client is told about them (`translate`).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Circumstances, WireError, classify};
use super::item::OutputItem;
use crate::failure::Failure;
use crate::json::JsonStr;

/// Which part of which output item an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// The item's id; empty where the event has none.
    pub item_id: Cow<'a, str>,
    /// The item's position in the output.
    pub output_index: Option<u64>,
    /// `content_index` or `summary_index`.
    pub part: u64,
}

/// One event.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// `response.created`, `.in_progress`, `.queued`.
    Lifecycle,
    /// `response.output_item.added`.
    ItemAdded {
        /// Where.
        place: Place<'a>,
        /// The item as far as it is known.
        item: OutputItem<'a>,
    },
    /// `response.output_item.done`: authoritative.
    ItemDone {
        /// Where.
        place: Place<'a>,
        /// The whole item.
        item: OutputItem<'a>,
    },
    /// `response.output_text.delta` and `response.refusal.delta`.
    TextDelta {
        /// Where.
        place: Place<'a>,
        /// The text.
        delta: JsonStr<'a>,
        /// True for a refusal.
        refusal: bool,
    },
    /// `response.output_text.done` and `response.refusal.done`: the whole part again.
    TextDone {
        /// Where.
        place: Place<'a>,
        /// The text.
        text: JsonStr<'a>,
        /// True for a refusal.
        refusal: bool,
    },
    /// `response.reasoning_summary_text.delta` and `response.reasoning_text.delta`.
    ReasoningDelta {
        /// Where.
        place: Place<'a>,
        /// The text.
        delta: JsonStr<'a>,
    },
    /// `response.reasoning_summary_text.done` and `response.reasoning_text.done`.
    ReasoningDone {
        /// Where.
        place: Place<'a>,
        /// The text.
        text: JsonStr<'a>,
    },
    /// `response.function_call_arguments.delta`.
    ArgumentsDelta {
        /// Where.
        place: Place<'a>,
        /// A piece of the arguments' JSON, as a string.
        delta: JsonStr<'a>,
    },
    /// `response.function_call_arguments.done`.
    ArgumentsDone {
        /// Where.
        place: Place<'a>,
        /// All of them.
        arguments: JsonStr<'a>,
    },
    /// `response.completed`.
    Completed(Response<'a>),
    /// `response.incomplete`.
    Incomplete(Response<'a>),
    /// `response.failed`, or a top-level `error`.
    Failed {
        /// Why.
        error: WireError<'a>,
        /// The HTTP status that it would have had, where it is told (`upstream.md` §d.3).
        status: Option<u16>,
    },
    /// `codex.rate_limits`, whole.
    RateLimits(&'a str),
    /// Events that repeat what others tell: parts added or done, search progress, annotations, metadata.
    Progress,
    /// Something new.
    Unknown {
        /// Its `type`.
        kind: Cow<'a, str>,
    },
}

/// The `response` object of a terminal event.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Response<'a> {
    /// The response's id.
    #[serde(borrow, default)]
    pub id: Cow<'a, str>,
    /// Everything the model said; may be empty (S52).
    #[serde(borrow, default)]
    pub output: Vec<OutputItem<'a>>,
    /// Tokens.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Why it is incomplete.
    #[serde(borrow, default)]
    pub incomplete_details: Option<IncompleteDetails<'a>>,
    /// Why it failed.
    #[serde(borrow, default)]
    pub error: Option<WireError<'a>>,
}

/// `incomplete_details`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct IncompleteDetails<'a> {
    /// `max_output_tokens` or `content_filter`.
    #[serde(borrow, default)]
    pub reason: Cow<'a, str>,
}

/// Token counts. `input_tokens` includes cached ones, `output_tokens` includes reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// All input.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub input_tokens: u64,
    /// What the cache did.
    #[serde(default, deserialize_with = "null_is_default")]
    pub input_tokens_details: InputDetails,
    /// All output.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub output_tokens: u64,
    /// What it was spent on.
    #[serde(default, deserialize_with = "null_is_default")]
    pub output_tokens_details: OutputDetails,
}

/// `output_tokens_details`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct OutputDetails {
    /// Spent on reasoning.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub reasoning_tokens: u64,
}

/// `input_tokens_details`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct InputDetails {
    /// Read from the cache.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub cached_tokens: u64,
    /// Written to the cache, where the backend tells.
    #[serde(default, deserialize_with = "null_is_zero")]
    pub cache_write_tokens: u64,
}

fn null_is_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.unwrap_or_default())
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// All members that any event has, so that an event is read in one pass whatever its type.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    item_id: Cow<'a, str>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(default)]
    content_index: Option<u64>,
    #[serde(default)]
    summary_index: Option<u64>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "status_code")]
    status: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    /// Reads the data of one frame.
    ///
    /// # Errors
    /// [`Failure::Upstream`] if it is no event: what it said would be lost otherwise.
    pub fn parse(data: &'a str) -> Result<Self, Failure> {
        let members: Members<'a> = serde_json::from_str(data).map_err(|error| unreadable(&error))?;
        members.into_event(data).map_err(|error| unreadable(&error))
    }

    /// True if the answer has begun: from here on the client's status line may go out (DECISIONS 1).
    pub fn commits(&self) -> bool {
        match self {
            Self::ItemAdded { .. }
            | Self::ItemDone { .. }
            | Self::TextDelta { .. }
            | Self::TextDone { .. }
            | Self::ReasoningDelta { .. }
            | Self::ReasoningDone { .. }
            | Self::ArgumentsDelta { .. }
            | Self::ArgumentsDone { .. }
            | Self::Completed(_)
            | Self::Incomplete(_) => true,
            Self::Lifecycle
            | Self::Failed { .. }
            | Self::RateLimits(_)
            | Self::Progress
            | Self::Unknown { .. } => false,
        }
    }

    /// How much of the output it brings, in bytes as they came. What repeats earlier events counts nothing.
    pub fn output_len(&self) -> usize {
        match self {
            Self::TextDelta { delta, .. }
            | Self::ReasoningDelta { delta, .. }
            | Self::ArgumentsDelta { delta, .. } => delta.raw_len(),
            _ => 0,
        }
    }

    /// What went wrong, if this event says that something did. `now` is unix seconds.
    pub fn failure(&self, now: i64) -> Option<Failure> {
        match self {
            Self::Failed { error, status } => {
                Some(classify(error, Circumstances { status: *status, retry_after: None, now }))
            }
            _ => None,
        }
    }

    /// The JSON of a `codex.rate_limits` event.
    pub fn rate_limits(&self) -> Option<&'a str> {
        match self {
            Self::RateLimits(raw) => Some(raw),
            _ => None,
        }
    }
}

impl<'a> Members<'a> {
    fn into_event(self, data: &'a str) -> Result<Event<'a>, serde_json::Error> {
        let place = Place {
            item_id: self.item_id,
            output_index: self.output_index,
            part: self.content_index.or(self.summary_index).unwrap_or_default(),
        };
        Ok(match self.kind.as_ref() {
            "response.output_text.delta" => {
                Event::TextDelta { place, delta: string(self.delta)?, refusal: false }
            }
            "response.refusal.delta" => Event::TextDelta { place, delta: string(self.delta)?, refusal: true },
            "response.output_text.done" => {
                Event::TextDone { place, text: string(self.text)?, refusal: false }
            }
            "response.refusal.done" => Event::TextDone { place, text: string(self.refusal)?, refusal: true },
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                Event::ReasoningDelta { place, delta: string(self.delta)? }
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                Event::ReasoningDone { place, text: string(self.text)? }
            }
            "response.function_call_arguments.delta" => {
                Event::ArgumentsDelta { place, delta: string(self.delta)? }
            }
            "response.function_call_arguments.done" => {
                Event::ArgumentsDone { place, arguments: string(self.arguments)? }
            }
            "response.output_item.added" => Event::ItemAdded { place, item: object(self.item)? },
            "response.output_item.done" => Event::ItemDone { place, item: object(self.item)? },
            "response.completed" => Event::Completed(object(self.response)?),
            "response.incomplete" => Event::Incomplete(object(self.response)?),
            "response.failed" => {
                let response: Response<'a> = object(self.response)?;
                Event::Failed { error: response.error.unwrap_or_default(), status: None }
            }
            // Nested, or flat (`code` and `message` beside `type`): both are in use.
            "error" => match self.error {
                Some(error) if error.get().starts_with('{') => {
                    Event::Failed { error: object(Some(error))?, status: status(self.status) }
                }
                _ => {
                    let mut flat: WireError<'a> = serde_json::from_str(data)?;
                    flat.kind = None;
                    Event::Failed { error: flat, status: status(self.status) }
                }
            },
            "codex.rate_limits" => Event::RateLimits(data),
            "response.created" | "response.in_progress" | "response.queued" => Event::Lifecycle,
            "response.content_part.added"
            | "response.content_part.done"
            | "response.output_text.annotation.added"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done"
            | "response.web_search_call.in_progress"
            | "response.web_search_call.searching"
            | "response.web_search_call.completed"
            | "response.metadata"
            | "keepalive" => Event::Progress,
            _ => Event::Unknown { kind: self.kind },
        })
    }
}

fn string<'a>(raw: Option<&'a RawValue>) -> Result<JsonStr<'a>, serde_json::Error> {
    match raw {
        Some(raw) if raw.get().starts_with('"') => Ok(JsonStr::Literal(raw)),
        Some(raw) if raw.get() != "null" => serde_json::from_str(raw.get()),
        _ => Ok(JsonStr::from("")),
    }
}

fn object<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.map_or("null", RawValue::get))
}

/// A status of an error; anything else that stands there says nothing.
fn status(raw: Option<&RawValue>) -> Option<u16> {
    raw?.get().parse().ok().filter(|status| (400..600).contains(status))
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::Upstream {
        status: 502,
        message: format!(
            "the ChatGPT backend sent an event that can't be read ({})",
            crate::json::without_position(error)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_keeps_its_escaped_form() {
        let data = r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"caf\u00e9\n","logprobs":[],"sequence_number":9}"#;
        let Event::TextDelta { place, delta, refusal: false } = Event::parse(data).unwrap() else { panic!() };
        assert_eq!(place, Place { item_id: "msg_1".into(), output_index: Some(1), part: 0 });
        assert_eq!(serde_json::to_string(&delta).unwrap(), r#""caf\u00e9\n""#);
    }

    #[test]
    fn both_shapes_of_a_top_level_error_say_the_same() {
        for data in [
            r#"{"type":"error","error":{"code":"server_is_overloaded","message":"m"}}"#,
            r#"{"type":"error","code":"server_is_overloaded","message":"m","param":null,"sequence_number":3}"#,
            r#"{"type":"response.failed","response":{"error":{"code":"server_is_overloaded","message":"m"}}}"#,
        ] {
            let event = Event::parse(data).unwrap();
            assert!(!event.commits());
            assert_eq!(event.failure(0), Some(Failure::Overloaded { message: "m".into() }), "{data}");
        }
    }

    #[test]
    fn an_error_event_may_tell_the_status_that_it_would_have_had() {
        for (status, expected) in [
            (r#""status":401"#, Failure::SignIn { message: "m".into() }),
            (r#""status_code":403"#, Failure::Forbidden { message: "m".into() }),
            (r#""status":429"#, Failure::RateLimited { after: None, message: "m".into() }),
            (
                r#""status":"failed""#,
                Event::parse(r#"{"type":"error","message":"m"}"#).unwrap().failure(0).unwrap(),
            ),
            (
                r#""status":200"#,
                Event::parse(r#"{"type":"error","message":"m"}"#).unwrap().failure(0).unwrap(),
            ),
        ] {
            let nested = format!(r#"{{"type":"error",{status},"error":{{"message":"m"}}}}"#);
            let flat = format!(r#"{{"type":"error",{status},"message":"m"}}"#);
            for data in [nested, flat] {
                assert_eq!(Event::parse(&data).unwrap().failure(0).as_ref(), Some(&expected), "{data}");
            }
        }
    }

    #[test]
    fn usage_may_be_missing_or_null_anywhere() {
        for (json, input) in [
            (r#"{"type":"response.completed","response":{"id":"r","usage":null}}"#, None),
            (
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"input_tokens_details":null,"output_tokens":null}}}"#,
                Some(5),
            ),
        ] {
            let Event::Completed(response) = Event::parse(json).unwrap() else { panic!() };
            assert_eq!(response.usage.map(|usage| usage.input_tokens), input);
        }
    }

    #[test]
    fn what_is_no_event_is_a_failure_and_not_silence() {
        assert!(Event::parse("{\"type\":").is_err());
        assert!(Event::parse("[]").is_err());
        assert!(matches!(Event::parse(r#"{"type":"response.new"}"#), Ok(Event::Unknown { .. })));
    }
}
