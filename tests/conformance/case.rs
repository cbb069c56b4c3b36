//! A case as it lies on disk: `case.toml` and the files that it names. What is unknown, missing or superfluous is an
//! error, so that no case can be half of what it looks like.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ids;

/// `case.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The row that the case proves; the directory's name begins with it.
    pub(crate) id: String,
    /// Further rows that it proves.
    #[serde(default)]
    pub(crate) also: Vec<String>,
    /// One sentence.
    pub(crate) about: String,
    /// What the backend is spoken to in: needed where something goes upstream.
    pub(crate) dialect: Option<Dialect>,
    /// The upstream model: likewise.
    pub(crate) model: Option<String>,
    /// The client's session; empty: the client names none.
    #[serde(default = "usual_session")]
    pub(crate) session: String,
    /// The backend's catalog: the usual one, or only the models of the Lite dialect in it.
    #[serde(default)]
    pub(crate) catalog: Catalog,
    /// Is there a login at all?
    #[serde(default = "yes")]
    pub(crate) signed_in: bool,
    /// How the token endpoint answers the first refresh, if not well.
    pub(crate) refresh_error: Option<String>,
    /// Headers of every request; an empty value takes a usual one away.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// What happens, in order. Left out: one step with the usual file names.
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    #[serde(skip)]
    pub(crate) directory: PathBuf,
}

/// The catalogs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Catalog {
    #[default]
    Usual,
    Lite,
}

/// The dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dialect {
    Lite,
    Classic,
}

/// One request of the client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Its body.
    pub(crate) client: Option<String>,
    #[serde(default = "post")]
    pub(crate) method: String,
    #[serde(default = "messages")]
    pub(crate) path: String,
    /// Headers of this request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The bodies that must arrive upstream, in order.
    #[serde(default)]
    pub(crate) upstream: Vec<String>,
    /// What the backend sends.
    pub(crate) events: Option<String>,
    /// The bodies that must arrive at the search endpoint, in order.
    #[serde(default)]
    pub(crate) searched: Vec<String>,
    /// What the search endpoint answers; written like `events`.
    pub(crate) found: Option<String>,
    /// `answer.sse` or `answer.json`; left out: the body must be empty. Beside it lie `answer.status` (else 200) and
    /// `answer.headers`.
    pub(crate) answer: Option<String>,
    /// The fidelity notes; left out: there must be none.
    pub(crate) notes: Option<String>,
    /// Sent so often, all at once.
    #[serde(default = "once")]
    pub(crate) times: usize,
    /// The time that all of it may take.
    pub(crate) within: Option<String>,
    /// The answer ends before the backend's: the upstream connection must be closed within a second.
    #[serde(default)]
    pub(crate) cancels: bool,
    /// The client hangs up when this event has come; the upstream connection must be closed within a second.
    pub(crate) hang_up_at: Option<String>,
}

fn usual_session() -> String {
    "5e551014-c0de-4aaa-8bbb-0123456789ab".to_owned()
}

fn post() -> String {
    "POST".to_owned()
}

fn messages() -> String {
    "/v1/messages?beta=true".to_owned()
}

fn yes() -> bool {
    true
}

fn once() -> usize {
    1
}

impl Case {
    /// Reads a case directory.
    pub(crate) fn read(directory: &Path) -> Result<Self, String> {
        let path = directory.join("case.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut case: Self = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        directory.clone_into(&mut case.directory);
        if case.steps.is_empty() {
            case.steps.push(case.usual_step());
        }
        let problems = case.problems();
        if problems.is_empty() {
            Ok(case)
        } else {
            Err(format!("{}: {}", directory.display(), problems.join("; ")))
        }
    }

    /// Every ID that it proves.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.also.iter().map(String::as_str))
    }

    /// A file's text, if it is there.
    pub(crate) fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.directory.join(name)).ok()
    }

    fn usual_step(&self) -> Step {
        let there = |name: &str| self.directory.join(name).exists().then(|| name.to_owned());
        Step {
            client: Some("request.json".to_owned()),
            method: post(),
            path: messages(),
            headers: BTreeMap::new(),
            upstream: there("upstream.json").into_iter().collect(),
            events: there("events.sse"),
            searched: there("searched.json").into_iter().collect(),
            found: there("found.http"),
            answer: there("answer.sse").or_else(|| there("answer.json")),
            notes: there("notes.json"),
            times: 1,
            within: None,
            cancels: false,
            hang_up_at: None,
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let name = self.directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(&format!("{}-", self.id)) {
            problems.push(format!("the directory's name does not begin with {}-", self.id));
        }
        problems.extend(self.ids().filter(|id| !ids::is_known(id)).map(|id| format!("{id} is no known ID")));
        if self.about.trim().is_empty() {
            problems.push("about is empty".to_owned());
        }
        let goes_upstream = self.steps.iter().any(|step| !step.upstream.is_empty());
        if goes_upstream != self.dialect.is_some() || goes_upstream != self.model.is_some() {
            problems.push("dialect and model stand there exactly if something goes upstream".to_owned());
        }
        if self.steps.iter().any(|step| step.upstream.is_empty() && step.events.is_some()) {
            problems.push("a step has events and expects no request for them".to_owned());
        }
        let (needed, allowed) = self.files();
        let there: BTreeSet<String> = std::fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        problems.extend(needed.difference(&there).map(|name| format!("{name} is missing")));
        problems.extend(
            there
                .iter()
                .filter(|name| !needed.contains(*name) && !allowed.contains(*name))
                .map(|name| format!("{name} is read by nothing")),
        );
        problems
    }

    /// The files that must be there, and those that may.
    fn files(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut needed = BTreeSet::from(["case.toml".to_owned()]);
        let mut allowed: BTreeSet<String> =
            ["config.toml", "catalog.json", "mcp.json"].map(str::to_owned).into();
        for step in &self.steps {
            needed.extend(step.client.clone());
            needed.extend(step.events.clone());
            needed.extend(step.found.clone());
            needed.extend(step.searched.iter().cloned());
            needed.extend(step.answer.clone());
            needed.extend(step.notes.clone());
            needed.extend(step.upstream.iter().cloned());
            allowed.extend(step.upstream.iter().chain(&step.searched).map(|name| beside(name, "headers")));
            allowed.insert(step.beside_answer("status"));
            allowed.insert(step.beside_answer("headers"));
        }
        (needed, allowed)
    }
}

impl Step {
    /// The name of a file that lies beside the answer.
    pub(crate) fn beside_answer(&self, extension: &str) -> String {
        beside(self.answer.as_deref().unwrap_or("answer.none"), extension)
    }
}

/// `1.answer.sse` → `1.answer.status`.
pub(crate) fn beside(name: &str, extension: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{stem}.{extension}")
}
