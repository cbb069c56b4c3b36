//! The arguments of a call as the model wrote them (DECISIONS 12, M06).
//!
//! Clients replay a call with defaults filled in and members moved; the model's own bytes keep the cached prefix. Not
//! here: where they are remembered (proxy).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

/// Original arguments by call id, as far as they are known for one request.
pub type Originals = HashMap<String, Arc<str>>;

/// Do the client's arguments hold everything that the original ones do? What the client added are defaults; what it
/// changed is the client's will, and then the original is not used.
pub(super) fn stands_for(original: &str, replayed: &RawValue) -> bool {
    if original == replayed.get() {
        return true;
    }
    let (Ok(Value::Object(original)), Ok(Value::Object(replayed))) =
        (serde_json::from_str::<Value>(original), serde_json::from_str::<Value>(replayed.get()))
    else {
        return false;
    };
    original.iter().all(|(key, value)| replayed.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_stands_for_itself_with_defaults_moved_members_and_other_escapes() {
        let raw = |json: &'static str| serde_json::from_str::<&RawValue>(json).unwrap();
        let original = r#"{"b":"\u0041","a":{"x":1}}"#;
        assert!(stands_for(original, raw(r#"{"a":{"x":1},"b":"A","replace_all":false}"#)));
        assert!(!stands_for(original, raw(r#"{"a":{"x":2},"b":"A"}"#)));
        assert!(!stands_for(original, raw(r#"{"b":"A"}"#)));
        assert!(!stands_for("{broken", raw(r#"{}"#)));
    }
}
