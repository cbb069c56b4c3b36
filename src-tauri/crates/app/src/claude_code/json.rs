//! Edits of one member in a JSON text that leave every other byte alone: order, indentation, line ends, byte order
//! mark, escapes. What an edit replaced can be put back exactly.
//!
//! Pure. Not here: which members (`keys.rs`), and files (`file.rs`).

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Deserialize as FromJson, Serialize};
use serde_json::value::RawValue;

/// Where a member is: at the top, or one level down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, FromJson, Serialize)]
pub(crate) struct Key(Vec<String>);

impl Key {
    pub(crate) fn top(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    pub(crate) fn within(section: &str, name: &str) -> Self {
        Self(vec![section.to_owned(), name.to_owned()])
    }

    /// The member's own name.
    pub(crate) fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// What stood at a key before it was set: enough to make the text what it was.
#[derive(Debug, Clone, PartialEq, Eq, FromJson, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Before {
    /// This value, as it was written.
    Value(String),
    /// Nothing; and if the object was empty, this was between its braces.
    Nothing(Option<String>),
}

/// Why a text can't be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// It is no JSON.
    #[error("line {line}, column {column} is not valid JSON ({message})")]
    Syntax {
        /// Counted from one.
        line: usize,
        /// Counted from one.
        column: usize,
        /// In the parser's words.
        message: String,
    },
    /// Something is there that should be an object.
    #[error("{what} (line {line}) is not an object in braces")]
    NotAnObject {
        /// The member, or the whole file.
        what: String,
        /// Counted from one.
        line: usize,
    },
    /// Only the last of them would count.
    #[error("{key} is there twice, in lines {first} and {second}, and only the last one counts")]
    Twice {
        /// Its name.
        key: String,
        /// Counted from one.
        first: usize,
        /// Counted from one.
        second: usize,
    },
}

/// The value at `key` as it is written, with the line it is in.
pub(crate) fn get<'t>(text: &'t str, key: &Key) -> Result<Option<(&'t str, usize)>, Broken> {
    let member = find(text, key)?.and_then(|found| found.member);
    Ok(member.map(|member| (&text[member.value.clone()], line(text, member.key.start))))
}

/// The text with this value at `key`, and what it replaced. The object around it must be there.
pub(crate) fn set(text: &str, key: &Key, value: &impl Serialize) -> Result<(String, Before), Broken> {
    let Some(Found { object, member }) = find(text, key)? else {
        return Err(Broken::NotAnObject { what: key.to_string(), line: 1 });
    };
    let style = Style::of(text, &object);
    let spread = object.is_spread(text);
    if let Some(member) = member {
        let before = Before::Value(text[member.value.clone()].to_owned());
        return Ok((replaced(text, member.value, &style.write(value, spread)), before));
    }
    let name = serde_json::to_string(key.name()).unwrap_or_default();
    let Style { newline, members, close, .. } = &style;
    let Some(last) = object.members.last() else {
        let inner = object.open..object.close;
        let before = Before::Nothing(Some(text[inner.clone()].to_owned()));
        let member = format!("{newline}{members}{name}: {}{newline}{close}", style.write(value, true));
        return Ok((replaced(text, inner, &member), before));
    };
    let at = last.value.end;
    let member = if spread {
        format!(",{newline}{members}{name}: {}", style.write(value, true))
    } else {
        // `{"a":1}` stays dense, `{ "a": 1 }` airy.
        let air = if text[last.key.end..last.value.start].ends_with(' ') { " " } else { "" };
        format!(",{air}{name}:{air}{}", style.write(value, false))
    };
    Ok((replaced(text, at..at, &member), Before::Nothing(None)))
}

/// The text with what stood at `key` before. If the key is gone already, there is nothing to do.
pub(crate) fn put_back(text: &str, key: &Key, before: &Before) -> Result<String, Broken> {
    let Some(Found { object, member: Some(member) }) = find(text, key)? else { return Ok(text.to_owned()) };
    let inner = match before {
        Before::Value(value) => return Ok(replaced(text, member.value, value)),
        Before::Nothing(inner) => inner.as_deref().unwrap_or_default(),
    };
    let place = object.members.iter().position(|other| other.key == member.key).unwrap_or_default();
    let gone = match (
        place.checked_sub(1).and_then(|place| object.members.get(place)),
        object.members.get(place + 1),
    ) {
        (Some(previous), _) => previous.value.end..member.value.end,
        (None, Some(next)) => member.key.start..next.key.start,
        (None, None) => return Ok(replaced(text, object.open..object.close, inner)),
    };
    Ok(replaced(text, gone, ""))
}

/// Do these two texts say the same? Members may be in another order: Claude Code writes the file anew at times.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    value(one).is_some_and(|one| value(other) == Some(one))
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    [&text[..range.start], with, &text[range.end..]].concat()
}

/// The line of a place, counted from one.
fn line(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

// === Finding ===

/// An object in the text.
struct Object {
    /// Behind its opening brace.
    open: usize,
    /// At its closing brace.
    close: usize,
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    name: String,
    key: Range<usize>,
    value: Range<usize>,
}

struct Found {
    object: Object,
    member: Option<Member>,
}

/// The object that holds `key`, and its member of that name; nothing if there is no such object.
fn find(text: &str, key: &Key) -> Result<Option<Found>, Broken> {
    let start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let whole = serde_json::from_str::<&RawValue>(&text[start..]).map_err(|error| Broken::Syntax {
        line: error.line(),
        column: error.column(),
        message: parser_words(&error),
    })?;
    let mut range = span(text, whole.get());
    let mut what = "the whole file".to_owned();
    let (name, sections) =
        key.0.split_last().map_or(("", &[][..]), |(name, sections)| (name.as_str(), sections));
    for section in sections {
        let Some(member) = member(text, range, section, &what)?.member else { return Ok(None) };
        range = member.value;
        what.clone_from(section);
    }
    member(text, range, name, &what).map(Some)
}

fn member(text: &str, range: Range<usize>, name: &str, what: &str) -> Result<Found, Broken> {
    let object = Object::read(text, range, what)?;
    let mut named = object.members.iter().filter(|member| member.name == name);
    let member = named.next().cloned();
    if let (Some(first), Some(second)) = (&member, named.next()) {
        let (first, second) = (line(text, first.key.start), line(text, second.key.start));
        return Err(Broken::Twice { key: name.to_owned(), first, second });
    }
    Ok(Found { object, member })
}

impl Object {
    fn read(text: &str, range: Range<usize>, what: &str) -> Result<Self, Broken> {
        let refused = |_| Broken::NotAnObject { what: what.to_owned(), line: line(text, range.start) };
        let Pairs(pairs) = serde_json::from_str(&text[range.clone()]).map_err(refused)?;
        let members = pairs.into_iter().map(|(key, value)| Member {
            // A name that is no text (half a surrogate) is none of ours.
            name: serde_json::from_str(key.get()).unwrap_or_default(),
            key: span(text, key.get()),
            value: span(text, value.get()),
        });
        Ok(Self { open: range.start + 1, close: range.end - 1, members: members.collect() })
    }

    /// Has it a line for each member?
    fn is_spread(&self, text: &str) -> bool {
        self.members.first().is_none_or(|first| text[self.open..first.key.start].contains('\n'))
    }
}

/// Where a part of the text is in it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// The parser's words without its "at line 3 column 5".
fn parser_words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.rsplit_once(" at line ").map_or(words.clone(), |(words, _)| words.to_owned())
}

/// An object's members as they are written, in order, twins included.
struct Pairs<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'t> Deserialize<'t> for Pairs<'t> {
    fn deserialize<D: Deserializer<'t>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'t> Visitor<'t> for Members {
            type Value = Pairs<'t>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Pairs<'t>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Members)
    }
}

// === Style ===

/// How an object of this text is laid out.
struct Style {
    newline: &'static str,
    /// One step of indentation.
    unit: String,
    /// Before its members.
    members: String,
    /// Before its closing brace.
    close: String,
}

impl Style {
    fn of(text: &str, object: &Object) -> Self {
        let newline = match text.find('\n') {
            Some(at) if text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        // The first line that is indented is the top's first member: it shows the step.
        let unit = text.lines().map(leading).find(|space| !space.is_empty()).unwrap_or("  ");
        let at = |place| leading(&text[line_start(text, place)..]);
        let close = at(object.close);
        let members = match object.members.last() {
            Some(last) if object.is_spread(text) => at(last.key.start).to_owned(),
            _ => format!("{close}{unit}"),
        };
        Self { newline, unit: unit.to_owned(), members, close: close.to_owned() }
    }

    /// A value as it stands in this object.
    fn write(&self, value: &impl Serialize, spread: bool) -> String {
        if !spread {
            return serde_json::to_string(value).unwrap_or_default();
        }
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(self.unit.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        // Strings and lists of ours can always be written.
        let _written = value.serialize(&mut serializer);
        let text = String::from_utf8(bytes).unwrap_or_default();
        text.replace('\n', &format!("{}{}", self.newline, self.members))
    }
}

fn leading(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests;
