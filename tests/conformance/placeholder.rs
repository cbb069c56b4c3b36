//! Named placeholders for what differs from run to run: `{{msg_id}}` in an expected file stands for an id of that
//! shape, and for the same id wherever the case names it again.
//!
//! | name (digits may follow) | stands for |
//! |---|---|
//! | `msg_id`, `chat_id`, `request_id` | `msg_…`, `chatcmpl-…`, `req_…` |
//! | `session`, `thread` | a uuid; `session` is the client's own |
//! | `estimate` | a number above zero |
//! | `signature` | an envelope of ours, `dragoman1~…` |
//! | `short_name` | at most 64 of `[A-Za-z0-9_-]` |
//! | `local_time` | any words |
//! | `unix` | a unix time since 2020 |
//! | `path` | a path |
//! | `now+90` | the unix time 90 s after the case began (also in requests and events) |
//! | `~90` | a number of seconds between 80 and 90 |
//!
//! A name after an underscore (`{{_msg_id}}`) stands for any value of the shape, each time anew.
//! Two names of one shape stand for two values (estimates and times aside). In a request a name stands for the value
//! that an earlier step found.

use std::collections::BTreeMap;

/// The values found so far in a case.
#[derive(Clone, Debug)]
pub(crate) struct Bindings {
    now: i64,
    values: BTreeMap<String, String>,
}

impl Bindings {
    /// None but the client's session and the time.
    pub(crate) fn new(now: i64, session: &str) -> Self {
        Self { now, values: BTreeMap::from([("session".to_owned(), session.to_owned())]) }
    }

    /// A text to be sent, with every placeholder filled in. Fails for a name that nothing has been found for.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                Piece::Name(name) => {
                    out.push_str(&self.value(name).ok_or(format!("nothing is known for {{{{{name}}}}}"))?);
                }
            }
        }
        Ok(out)
    }

    /// An expected line with the values known so far, for showing it to a person.
    pub(crate) fn shown(&self, line: &str) -> String {
        pieces(line)
            .map(|piece| match piece {
                Piece::Literal(literal) => literal.to_owned(),
                Piece::Name(name) => self.value(name).unwrap_or_else(|| format!("{{{{{name}}}}}")),
            })
            .collect()
    }

    /// Does this line say what is expected? If so, what its placeholders stood for is remembered.
    pub(crate) fn accept(&mut self, expected: &str, actual: &str) -> bool {
        let mut found = self.clone();
        let mut rest = actual;
        for piece in pieces(expected) {
            let taken = match piece {
                Piece::Literal(literal) => rest.starts_with(literal).then_some(literal.len()),
                Piece::Name(name) => found.take(name, rest),
            };
            match taken {
                Some(length) => rest = &rest[length..],
                None => return false,
            }
        }
        let whole = rest.is_empty();
        if whole {
            *self = found;
        }
        whole
    }

    fn value(&self, name: &str) -> Option<String> {
        match name.strip_prefix("now+") {
            Some(seconds) => seconds.parse::<i64>().ok().map(|seconds| (self.now + seconds).to_string()),
            None => self.values.get(name).cloned(),
        }
    }

    /// How much of `text` the placeholder stands for.
    fn take(&mut self, name: &str, text: &str) -> Option<usize> {
        if let Some(value) = self.value(name) {
            return text.starts_with(&value).then_some(value.len());
        }
        let run = |legal: fn(char) -> bool| text.find(|c| !legal(c)).unwrap_or(text.len());
        if let Some(seconds) = name.strip_prefix('~') {
            let length = run(|c| c.is_ascii_digit());
            let (number, most) = (text[..length].parse::<i64>().ok()?, seconds.parse::<i64>().ok()?);
            return (most - 10..=most).contains(&number).then_some(length);
        }
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let shape = name.trim_start_matches('_').trim_end_matches(|c: char| c.is_ascii_digit());
        let length = match shape {
            "msg_id" => text.starts_with("msg_").then(|| run(word))?,
            "chat_id" => text.starts_with("chatcmpl-").then(|| run(word))?,
            "unix" => Some(run(|c| c.is_ascii_digit())).filter(|n| *n == 10 && text > "1577836800")?,
            "request_id" => text.starts_with("req_").then(|| run(word))?,
            "session" | "thread" => Some(run(|c| c.is_ascii_hexdigit() || c == '-')).filter(|n| *n == 36)?,
            "estimate" => Some(run(|c| c.is_ascii_digit())).filter(|n| !text[..*n].starts_with('0'))?,
            "signature" => text.starts_with("dragoman1~").then(|| run(|c| c != '"'))?,
            "path" => run(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-')),
            "short_name" => Some(run(word)).filter(|n| *n <= 64)?,
            "local_time" => {
                run(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | ':' | '-' | '.' | ',' | '+'))
            }
            _ => return None,
        };
        let value = text[..length].trim_end();
        if value.is_empty() || name.starts_with('_') {
            return (!value.is_empty()).then_some(value.len());
        }
        let free = matches!(shape, "estimate" | "local_time" | "unix")
            || !self.values.values().any(|other| other == value);
        free.then(|| {
            self.values.insert(name.to_owned(), value.to_owned());
            value.len()
        })
    }
}

enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let name = rest.strip_prefix("{{").and_then(|inner| inner.split_once("}}"));
        if let Some((name, after)) = name.filter(|(name, _)| is_name(name)) {
            rest = after;
            return Some(Piece::Name(name));
        }
        let end = rest.get(1..).and_then(|later| later.find("{{")).map_or(rest.len(), |at| at + 1);
        let (literal, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Literal(literal))
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '~'))
}
