//! The servers in the text of Claude Code's files: `.claude.json` (its `mcpServers` and those of each project) and a
//! project's `.mcp.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One server.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name in the file.
    pub name: String,
    /// How it is reached.
    pub how: How,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments, variables and headers hold keys.
        write!(f, "Server({:?})", self.name)
    }
}

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub enum How {
    /// It is a program.
    Stdio {
        /// Which.
        command: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Variables beside our own.
        variables: BTreeMap<String, String>,
        /// Where it is started; `None`: where we are.
        directory: Option<PathBuf>,
    },
    /// It answers at an address.
    Http {
        /// Where.
        url: String,
        /// Headers to send.
        headers: BTreeMap<String, String>,
    },
    /// In a way that is not known here.
    Other(String),
}

impl fmt::Debug for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdio { .. } => "Stdio(…)",
            Self::Http { .. } => "Http(…)",
            Self::Other(_) => "Other(…)",
        })
    }
}

/// A file that can't be read: why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// What `${NAME}` stands for.
type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    mcp_servers: BTreeMap<String, Entry>,
    #[serde(default)]
    projects: BTreeMap<PathBuf, Project>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    #[serde(default)]
    mcp_servers: BTreeMap<String, Entry>,
    /// Switched off by the user, wherever they come from.
    #[serde(default)]
    disabled_mcp_servers: Vec<String>,
    /// Those of `.mcp.json` that the user did not allow.
    #[serde(default)]
    disabled_mcpjson_servers: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// The servers in `.claude.json`: the user's own for every project.
///
/// # Errors
/// If the text is not such a file.
pub fn of_user(text: &str, variable: Variable<'_>) -> Result<Vec<Server>, Unreadable> {
    let file: File = parse(text)?;
    Ok(file.mcp_servers.into_iter().map(|(name, entry)| entry.server(name, None, variable)).collect())
}

/// The servers for one project: those that `.claude.json` (`user`) keeps for it, then those of its `.mcp.json`, without
/// those that the user has switched off there.
///
/// # Errors
/// If one of the texts is not such a file.
pub fn of_project(
    directory: &Path,
    user: &str,
    mcp_json: &str,
    variable: Variable<'_>,
) -> Result<Vec<Server>, Unreadable> {
    let mut file: File = parse(user)?;
    let Project { mcp_servers, disabled_mcp_servers, disabled_mcpjson_servers } =
        file.projects.remove(directory).unwrap_or_default();
    let shared: File = parse(mcp_json)?;
    let allowed = shared.mcp_servers.into_iter().filter(|(name, _)| !disabled_mcpjson_servers.contains(name));
    let all = mcp_servers.into_iter().chain(allowed);
    let on = all.filter(|(name, _)| !disabled_mcp_servers.contains(name));
    Ok(on.map(|(name, entry)| entry.server(name, Some(directory), variable)).collect())
}

/// An empty text is a file without servers.
fn parse(text: &str) -> Result<File, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for the members in order.
    if !text.trim_start().starts_with('{') {
        return Err(Unreadable("it is not an object".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))
}

impl Entry {
    fn server(self, name: String, directory: Option<&Path>, variable: Variable<'_>) -> Server {
        Server { how: self.how(directory, variable), name }
    }

    fn how(self, directory: Option<&Path>, variable: Variable<'_>) -> How {
        let filled = |text: &String| fill(text, variable);
        let all = |pairs: &BTreeMap<String, String>| {
            pairs.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
        };
        match (self.kind.as_deref(), &self.command, &self.url) {
            (None | Some("stdio"), Some(command), _) => How::Stdio {
                command: filled(command),
                arguments: self.args.iter().map(filled).collect(),
                variables: all(&self.env),
                directory: directory.map(Path::to_owned),
            },
            (None | Some("http" | "streamable-http"), _, Some(url)) => {
                How::Http { url: filled(url), headers: all(&self.headers) }
            }
            (kind, _, _) => How::Other(kind.unwrap_or("nothing").to_owned()),
        }
    }
}

/// `${NAME}` and `${NAME:-otherwise}`, as Claude Code reads them. A name that nobody knows stays as it stands.
fn fill(text: &str, variable: Variable<'_>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((inner, behind)) = from.split_once('}') else {
            filled.push_str("${");
            rest = from;
            break;
        };
        let (name, otherwise) = match inner.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inner, None),
        };
        match variable(name).or_else(|| otherwise.map(str::to_owned)) {
            Some(value) => filled.push_str(&value),
            None => {
                for part in ["${", inner, "}"] {
                    filled.push_str(part);
                }
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#"{"numStartups":3,
        "mcpServers":{"files":{"command":"npx","args":["-y","${PKG:-files}"],"env":{"KEY":"${SECRET}"}},
                      "web":{"type":"http","url":"http://127.0.0.1:1/mcp","headers":{"A":"b"}},
                      "old":{"type":"sse","url":"http://127.0.0.1:1/sse"}},
        "projects":{"/here":{"mcpServers":{"mine":{"command":"x"}},"disabledMcpjsonServers":["no"],
                             "disabledMcpServers":["off"]},
                    "/there":{"mcpServers":{"not":{"command":"y"}}}}}"#;

    fn variable(name: &str) -> Option<String> {
        (name == "SECRET").then(|| "s3".to_owned())
    }

    fn names(servers: &[Server]) -> String {
        servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_users_servers_are_for_everybody() {
        let servers = of_user(USER, &variable).unwrap();
        assert_eq!(names(&servers), "files old web");
        let How::Stdio { command, arguments, variables, directory } = &servers[0].how else { panic!() };
        assert_eq!((command.as_str(), arguments.join(" ")), ("npx", "-y files".to_owned()));
        assert_eq!((variables["KEY"].as_str(), directory), ("s3", &None));
        assert!(matches!(&servers[1].how, How::Other(kind) if kind == "sse"));
        assert!(
            matches!(&servers[2].how, How::Http { url, headers } if url.ends_with("/mcp") && headers["A"] == "b")
        );
        assert!(!format!("{:?} {:?}", servers[0], servers[0].how).contains("s3"), "keys are never printed");
    }

    #[test]
    fn a_project_has_its_own_and_the_shared_ones_that_are_not_switched_off() {
        let shared = r#"{"mcpServers":{"no":{"command":"a"},"off":{"command":"b"},"yes":{"command":"c"}}}"#;
        let servers = of_project(Path::new("/here"), USER, shared, &variable).unwrap();
        assert_eq!(names(&servers), "mine yes");
        let How::Stdio { directory, .. } = &servers[1].how else { panic!() };
        assert_eq!(directory.as_deref(), Some(Path::new("/here")));
        assert_eq!(names(&of_project(Path::new("/nowhere"), USER, "", &variable).unwrap()), "");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert!(of_user("[]", &variable).is_err());
        assert!(of_user(r#"{"mcpServers":{"a":7}}"#, &variable).is_err());
        assert!(of_project(Path::new("/here"), "{}", "{", &variable).is_err());
        assert_eq!(of_user("\u{feff} ", &variable).unwrap(), []);
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, filled) in [
            ("${SECRET}", "s3"),
            ("a${SECRET}b${SECRET}", "as3bs3"),
            ("${NONE}", "${NONE}"),
            ("${NONE:-x y}", "x y"),
            ("${SECRET:-x}", "s3"),
            ("${open", "${open"),
            ("$SECRET", "$SECRET"),
            ("", ""),
        ] {
            assert_eq!(fill(text, &variable), filled, "{text}");
        }
    }
}
