//! What a value may be. Each function is named after the kind of value and says in one phrase what would be right.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use base64::Engine as _;
use serde::de::{self, Deserializer, Error as _, Visitor};
use serde::{Serialize, Serializer};

use dragoman_protocol::route::Effort;
use dragoman_proxy::Target;

/// `server.admin_listen`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminListen {
    /// No admin pages.
    Off,
    /// Here.
    Address(SocketAddr),
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Serialize for AdminListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An address and port; `localhost` is taken for 127.0.0.1. For flags.
pub fn parse_listen(words: &str) -> Result<SocketAddr, String> {
    let local = words.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match local.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)) {
        Some(address) => Ok(address),
        None => words.parse().map_err(|_| format!("{words:?} is not {LISTEN}")),
    }
}

/// An address and port, or `off`. For flags.
pub fn parse_admin_listen(words: &str) -> Result<AdminListen, String> {
    match words {
        "off" => Ok(AdminListen::Off),
        _ => parse_listen(words)
            .map(AdminListen::Address)
            .map_err(|_| format!("{words:?} is not {ADMIN_LISTEN}")),
    }
}

const LISTEN: &str = "an address with a port, such as \"127.0.0.1:3746\"";
const ADMIN_LISTEN: &str = "\"off\" or an address with a port, such as \"127.0.0.1:3747\"";

/// An enum that is one word in the file.
pub(super) trait Word: Copy + 'static {
    /// Each word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}

pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    text(from, LISTEN, parse_listen)
}

pub(super) fn admin_listen<'de, D: Deserializer<'de>>(from: D) -> Result<AdminListen, D::Error> {
    text(from, ADMIN_LISTEN, parse_admin_listen)
}

pub(super) fn word<'de, D: Deserializer<'de>, W: Word>(from: D) -> Result<W, D::Error> {
    let words: Vec<String> = W::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
    let right = words.join(" or ");
    text(from, &right, |given| {
        W::WORDS
            .iter()
            .find(|(word, _)| *word == given)
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("{given:?} is not {right}"))
    })
}

/// A base URL without the slash at its end. A user or password in it would be printed by `status`, so there is none.
pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    const RIGHT: &str = "a base URL such as \"https://example.com/path\"";
    text(from, RIGHT, |given| {
        let url = given.trim_end_matches('/');
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        let clean =
            !url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\'));
        if matches!(scheme, "https" | "http") && !host.is_empty() && !host.contains('@') && clean {
            Ok(url.to_owned())
        } else {
            Err(format!("{given:?} is not {RIGHT}, without user, query or fragment"))
        }
    })
}

/// Would secrets sent to this base URL leave the machine in the clear?
pub(super) fn is_exposed(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Where versions are listed. The list is not signed itself, so nobody on the way may change it; this machine may.
pub(super) fn update_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    const RIGHT: &str =
        "an address that begins with https://, such as \"https://example.com/dragoman/latest.json\"";
    text(from, RIGHT, |given| {
        let host = given.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        let clean = !host.is_empty() && !given.contains(|c: char| c.is_whitespace() || c.is_control());
        let safe = given.starts_with("https://") || given.starts_with("http://") && !is_exposed(given);
        if safe && clean && !host.contains('@') {
            Ok(Some(given.to_owned()))
        } else {
            Err(format!("{given:?} is not {RIGHT}, without a user"))
        }
    })
}

/// A minisign public key as Tauri's tools write it: the file, in base64.
pub(super) fn update_key<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    const RIGHT: &str = "a public key, as `tauri signer generate` writes it into its .pub file";
    text(from, RIGHT, |given| {
        let file = base64::engine::general_purpose::STANDARD.decode(given.trim()).ok();
        let file = file.and_then(|file| String::from_utf8(file).ok());
        match file.filter(|file| file.starts_with("untrusted comment:") && file.lines().count() >= 2) {
            Some(_) => Ok(Some(given.trim().to_owned())),
            None => Err(format!("{given:?} is not {RIGHT}")),
        }
    })
}

/// A version goes into headers as it is.
pub(super) fn version<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    const RIGHT: &str = "a version such as \"0.169.0\"";
    text(from, RIGHT, |given| {
        let numbers = given.split(['-', '+']).next().unwrap_or_default();
        let parts: Vec<&str> = numbers.split('.').collect();
        let numeric = parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok());
        let clean = given.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        if numeric && clean { Ok(given.to_owned()) } else { Err(format!("{given:?} is not {RIGHT}")) }
    })
}

/// The right-hand side of a rule. Whether there is such a model is not known here: only what can't be one is refused.
pub(super) fn target<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Target>, D::Error> {
    text(from, TARGET, |given| match given.parse() {
        Ok(target) => Ok(Some(target)),
        Err(problem) => Err(format!("{given:?}: {problem}; leave the key out for the default")),
    })
}

const TARGET: &str = "a model such as \"gpt-5.5\"";

/// Rules by name or pattern.
pub(super) fn targets<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Target>, D::Error> {
    struct Targets;
    impl<'de> Visitor<'de> for Targets {
        type Value = BTreeMap<String, Target>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("names with models, such as \"gpt-5.3\" = \"gpt-5.3-codex\"")
        }
        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut targets = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, toml::Value>()? {
                check_name(&name).map_err(A::Error::custom)?;
                let Some(words) = value.as_str() else {
                    return Err(A::Error::custom(format!(
                        "{name:?} has no model for its value; names that hold a dot are written in quotes, such as \
                         \"gpt-5.3\" = \"gpt-5.3-codex\""
                    )));
                };
                let target = words
                    .parse()
                    .map_err(|problem| A::Error::custom(format!("{name:?}: {words:?}: {problem}")))?;
                targets.insert(name, target);
            }
            Ok(targets)
        }
    }
    from.deserialize_map(Targets)
}

/// Can this be a name that a client asks for, or a pattern of such names?
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ';' | '=');
    if name.is_empty() || name.len() > 200 || name.contains(bad) {
        return Err(format!("{name:?} is not a model name or a pattern such as \"claude-*-4-5\""));
    }
    Ok(())
}

/// An effort that can be sent: `ultra` can't (DECISIONS 5).
pub(super) fn effort<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Effort>, D::Error> {
    const RIGHT: &str = "an effort (none, minimal, low, medium, high, xhigh or max)";
    text(from, RIGHT, |given| match given.parse() {
        Ok(Effort::Ultra) | Err(_) => {
            Err(format!("{given:?} is not {RIGHT}; leave the key out to do as the client asks"))
        }
        Ok(effort) => Ok(Some(effort)),
    })
}

pub(super) fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    struct Switch;
    impl Visitor<'_> for Switch {
        type Value = bool;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }
    }
    from.deserialize_bool(Switch)
}

/// Names of tools, as the client calls them.
pub(super) fn tools<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    const RIGHT: &str = "the name of a tool such as \"mcp__files__write\"";
    list(from, "tool names such as [\"mcp__files__write\"]", |tool| {
        let is_one = !tool.is_empty() && !tool.contains(char::is_whitespace);
        if is_one { Ok(tool) } else { Err(format!("{tool:?} is not {RIGHT}")) }
    })
}

/// Names of MCP servers, as Claude Code's files write them.
pub(super) fn servers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    list(from, "names of servers such as [\"files\"]", |name| {
        let is_one = !name.trim().is_empty() && !name.contains(char::is_control);
        if is_one { Ok(name) } else { Err(format!("{name:?} is not the name of a server such as \"files\"")) }
    })
}

/// A relative path would mean something else wherever Dragoman is started.
pub(super) fn directories<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
    list(from, "directories such as [\"/home/you/project\"]", |path| {
        let path = PathBuf::from(path);
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(format!("{path:?} is not an absolute path of a directory"))
        }
    })
}

pub(super) fn tokens<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    number(from, 1, 100_000_000)
}

pub(super) fn body_limit<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    number(from, 1, 1024)
}

pub(super) fn days<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    number(from, 1, 3650)
}

pub(super) fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    number(from, 100, 10_000_000)
}

pub(super) fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    const RIGHT: &str = "a host name such as \"dev-box.lan\" (no scheme, no path)";
    list(from, "host names such as [\"dev-box.lan\"]", |host| {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if !host.is_empty() && host.chars().all(part) {
            Ok(host.to_ascii_lowercase())
        } else {
            Err(format!("{host:?} is not {RIGHT}"))
        }
    })
}

fn number<'de, D: Deserializer<'de>>(from: D, least: u32, most: u32) -> Result<u32, D::Error> {
    struct Number(u32, u32);
    impl Visitor<'_> for Number {
        type Value = u32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from {} to {}", self.0, self.1)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<u32, E> {
            match u32::try_from(value) {
                Ok(value) if (self.0..=self.1).contains(&value) => Ok(value),
                _ => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
            }
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<u32, E> {
            self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
        }
    }
    from.deserialize_i64(Number(least, most))
}

/// A string that `parse` understands; `right` says in a phrase what would be.
fn text<'de, D: Deserializer<'de>, T>(
    from: D,
    right: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Text<'a, F>(&'a str, F);
    impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<'_, F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
            (self.1)(value).map_err(E::custom)
        }
    }
    from.deserialize_str(Text(right, parse))
}

/// A list of strings, each of which `parse` understands; `right` says in a phrase what it is a list of.
fn list<'de, D: Deserializer<'de>, T>(
    from: D,
    right: &str,
    parse: impl Fn(String) -> Result<T, String>,
) -> Result<Vec<T>, D::Error> {
    struct List<'a, F>(&'a str, F);
    impl<'de, T, F: Fn(String) -> Result<T, String>> Visitor<'de> for List<'_, F> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of {}", self.0)
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let items = std::iter::from_fn(|| list.next_element::<String>().transpose());
            items.map(|item| (self.1)(item?).map_err(A::Error::custom)).collect()
        }
    }
    from.deserialize_seq(List(right, parse))
}
