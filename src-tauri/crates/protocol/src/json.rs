//! JSON text that is carried, not rebuilt.
//!
//! Here: [`JsonStr`], a JSON string that keeps the escaped form in which it arrived, so that most of a
//! conversation is copied through and never unescaped; and [`Object`], opaque JSON such as tool input or a
//! schema. Not here: any knowledge of what the JSON means.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON string: either the literal as it came over the wire (quotes and escapes included), or text of our own.
///
/// Serialising a literal copies its bytes; `to_text` decodes it only when somebody must look inside.
#[derive(Clone)]
pub enum JsonStr<'a> {
    /// A string literal as received.
    Literal(&'a RawValue),
    /// Text made here, escaped when it is written.
    Text(Cow<'a, str>),
}

impl<'a> JsonStr<'a> {
    /// The decoded text. Borrowed unless the literal holds escapes.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Literal(raw) => decode(raw.get()),
        }
    }

    /// Length of the decoded text in bytes, without decoding it where it holds no escapes.
    pub fn text_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Literal(raw) => {
                let literal = raw.get();
                if memchr::memchr(b'\\', literal.as_bytes()).is_none() {
                    literal.len() - 2
                } else {
                    decode(literal).len()
                }
            }
        }
    }

    /// Length on the wire, escapes included: a cheap measure.
    pub fn raw_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Literal(raw) => raw.get().len().saturating_sub(2),
        }
    }

    /// True if there is no text at all.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Literal(raw) => raw.get().len() == 2,
        }
    }

    /// Does the text begin so? Reads no more than that. `start` must hold nothing that JSON may escape.
    pub fn starts_with(&self, start: &str) -> bool {
        match self {
            Self::Text(text) => text.starts_with(start),
            Self::Literal(raw) => raw.get().get(1..).is_some_and(|rest| rest.starts_with(start)),
        }
    }

    /// True if the text is empty or white space only (the Messages API refuses such text blocks).
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Literal(raw) if !raw.get().contains('\\') => raw.get().trim_matches('"').trim().is_empty(),
            _ => self.to_text().trim().is_empty(),
        }
    }

    /// A copy that borrows nothing.
    pub fn to_owned_text(&self) -> String {
        self.to_text().into_owned()
    }
}

/// Decodes a literal that serde_json has already scanned. Lone surrogate escapes, which scanning lets pass, become
/// U+FFFD so that nothing is refused and nothing else is lost.
fn decode(literal: &str) -> Cow<'_, str> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_str::<String>(literal) {
        Ok(text) => Cow::Owned(text),
        Err(_) => {
            let repaired = crate::surrogates::repair(literal.as_bytes());
            let text = serde_json::from_slice::<String>(&repaired).unwrap_or_default();
            Cow::Owned(text)
        }
    }
}

impl<'a> From<&'a str> for JsonStr<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for JsonStr<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl PartialEq for JsonStr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_text() == other.to_text()
    }
}

impl fmt::Debug for JsonStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_text(), f)
    }
}

impl Serialize for JsonStr<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(raw) => raw.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonStr<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('"') {
            Ok(Self::Literal(raw))
        } else {
            Err(D::Error::custom(format_args!("invalid type: {}, expected a string", kind_of(raw.get()))))
        }
    }
}

/// What a JSON text is, in serde's words, for error messages.
pub(crate) fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A string, or a list: how both protocols write content.
pub(crate) enum TextOr<'a, T> {
    /// A plain string.
    Text(JsonStr<'a>),
    /// A list.
    List(Vec<T>),
}

impl<'a, T: Deserialize<'a>> TextOr<'a, T> {
    /// Reads either; `elements` is what the list would hold, for the error.
    pub(crate) fn read<'de: 'a, D: Deserializer<'de>>(
        deserializer: D,
        elements: &str,
    ) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => Ok(Self::Text(JsonStr::Literal(raw))),
            Some(b'[') => nested(raw).map(Self::List).map_err(D::Error::custom),
            _ => Err(D::Error::custom(format_args!(
                "invalid type: {}, expected a string or an array of {elements}",
                kind_of(raw.get())
            ))),
        }
    }
}

/// Reads the wire enums of both protocols: the element is taken as raw JSON, its `type` is peeked at, and the whole is
/// parsed as the variant's own struct. (serde's `tag` buffers the element and loses [`RawValue`]; DECISIONS 24.)
/// The last variant is `Unknown`, so that something new is carried and never refused.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident<'a> {
            $( $(#[$vmeta:meta])* $tag:literal $(| $alias:literal)* => $variant:ident($ty:ty), )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub enum $name<'a> {
            $( $(#[$vmeta])* $variant($ty), )*
            /// Something this version does not know: its `type`, and the whole element as it came.
            Unknown {
                /// The `type` member.
                kind: std::borrow::Cow<'a, str>,
                /// The element.
                raw: &'a serde_json::value::RawValue,
            },
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                let raw = <&'a serde_json::value::RawValue>::deserialize(deserializer)?;
                let kind = $crate::json::peek_type(raw).map_err(D::Error::custom)?;
                match kind.as_ref() {
                    $( $tag $(| $alias)* => {
                        $crate::json::nested(raw).map(Self::$variant).map_err(D::Error::custom)
                    } )*
                    _ => Ok(Self::Unknown { kind, raw }),
                }
            }
        }
    };
}
pub(crate) use wire_enum;

/// The `type` member of an object.
pub(crate) fn peek_type(raw: &RawValue) -> Result<Cow<'_, str>, String> {
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    }
    match serde_json::from_str::<Tag<'_>>(raw.get()) {
        Ok(tag) => Ok(tag.kind),
        Err(error) if raw.get().starts_with('{') => Err(without_position(&error)),
        Err(_) => Err(format!("invalid type: {}, expected an object", kind_of(raw.get()))),
    }
}

/// Parses raw JSON that sits inside other JSON. An error's text begins with `@` and the path within it, so that the
/// paths of nested levels add up to one (see [`located`]).
pub(crate) fn nested<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).or_else(|_| located(raw.get()))
}

/// Parses JSON and, if that fails, tells where: `@messages.3.content.0: missing field \`source\``. Slow; meant for the
/// second look at something that has already failed.
pub(crate) fn located<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path: Vec<String> = error.path().iter().filter_map(segment).collect();
        (path.join("."), without_position(error.inner()))
    });
    let failed = match parsed {
        Ok(value) => {
            deserializer.end().map(|()| value).map_err(|error| (String::new(), without_position(&error)))
        }
        Err(failed) => Err(failed),
    };
    failed.map_err(|(path, message)| match message.strip_prefix('@') {
        Some(inner) if path.is_empty() => format!("@{inner}"),
        Some(inner) if inner.starts_with(": ") => format!("@{path}{inner}"),
        Some(inner) => format!("@{path}.{inner}"),
        None => format!("@{path}: {message}"),
    })
}

fn segment(segment: &serde_path_to_error::Segment) -> Option<String> {
    match segment {
        serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        serde_path_to_error::Segment::Enum { variant } => Some(variant.clone()),
        serde_path_to_error::Segment::Unknown => None,
    }
}

/// An error's text without serde_json's ` at line 1 column 17`, which would count from the element, not from the body.
pub(crate) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_written_as_it_came() {
        let source = r#""caf\u00e9 \/ \n""#;
        let text: JsonStr<'_> = serde_json::from_str(source).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), source);
        assert_eq!(text.to_text(), "café / \n");
        assert_eq!(text.text_len(), "café / \n".len());
    }

    #[test]
    fn a_lone_surrogate_decodes_to_the_replacement_character() {
        let text: JsonStr<'_> = serde_json::from_str(r#""a\ud83d b""#).unwrap();
        assert_eq!(text.to_text(), "a\u{fffd} b");
    }

    #[test]
    fn a_number_is_not_a_string() {
        let error = serde_json::from_str::<JsonStr<'_>>("12").unwrap_err().to_string();
        assert!(error.contains("expected a string"), "{error}");
    }
}
