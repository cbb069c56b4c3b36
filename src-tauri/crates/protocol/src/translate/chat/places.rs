//! Where something stands, in the words of a chat: what goes by way of Messages is noted and refused in the words of those.

use std::borrow::Cow;

use crate::failure::Failure;
use crate::translate::Notes;

/// Members that have another name, the longer paths first.
const NAMES: [(&str, &str); 4] = [
    ("output_config.effort", "reasoning_effort"),
    ("output_config.format", "response_format.json_schema"),
    ("stop_sequences", "stop"),
    ("max_tokens", "max_completion_tokens"),
];

fn in_chat(place: &str) -> Cow<'_, str> {
    for (messages, chat) in NAMES {
        if let Some(rest) =
            place.strip_prefix(messages).filter(|rest| rest.is_empty() || rest.starts_with('.'))
        {
            return Cow::Owned(format!("{chat}{rest}"));
        }
    }
    let Some((number, member)) = place.strip_prefix("tools.").and_then(|rest| rest.split_once('.')) else {
        return Cow::Borrowed(place);
    };
    if number.bytes().any(|byte| !byte.is_ascii_digit())
        || member.starts_with("function")
        || member.starts_with("custom")
    {
        return Cow::Borrowed(place);
    }
    let member = match member.strip_prefix("input_schema") {
        Some(rest) => format!("parameters{rest}"),
        None => member.to_owned(),
    };
    Cow::Owned(format!("tools.{number}.function.{member}"))
}

/// Notes of the Messages request that a chat became.
pub fn notes_in_chat(notes: &mut Notes) {
    for note in &mut notes.0 {
        if let Cow::Owned(place) = in_chat(&note.place) {
            note.place = place;
        }
    }
}

/// A refusal of the Messages request that a chat became.
pub fn failure_in_chat(failure: Failure) -> Failure {
    let Failure::Invalid { message, param: Some(param) } = failure else { return failure };
    let place = in_chat(&param).into_owned();
    let message = match message.strip_prefix(&param) {
        Some(rest) => format!("{place}{rest}"),
        None => message,
    };
    Failure::Invalid { message, param: Some(place) }
}
