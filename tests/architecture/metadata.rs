//! `cargo metadata`, the part of it that the checks read. One call a process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;

/// The workspace as cargo resolves it, for all platforms.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    resolve: Resolve,
}

/// One package of the dependency tree.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Where it comes from; none for our own.
    pub(crate) source: Option<String>,
    pub(crate) edition: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Dev,
    Build,
}

#[derive(Debug, Clone, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Clone, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Clone, Deserialize)]
struct EdgeKind {
    kind: Option<Kind>,
}

/// The tree's top folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the tree")
}

impl Metadata {
    pub(crate) fn read() -> &'static Self {
        static READ: OnceLock<Result<Metadata, String>> = OnceLock::new();
        READ.get_or_init(Self::ask).as_ref().unwrap_or_else(|error| panic!("cargo metadata: {error}"))
    }

    fn ask() -> Result<Self, String> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--locked", "--format-version", "1"])
            .current_dir(root())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }

    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Which packages depend on the one named `name`, whatever for.
    pub(crate) fn dependents(&self, name: &str) -> BTreeSet<&str> {
        let names = self.names();
        let depends = |node: &&Node| node.deps.iter().any(|edge| names.get(edge.pkg.as_str()) == Some(&name));
        self.resolve.nodes.iter().filter(depends).map(|node| names[node.id.as_str()]).collect()
    }

    /// Everything that the package named `name` is linked with, itself left out; dev and build dependencies too.
    pub(crate) fn linked(&self, name: &str) -> BTreeSet<&str> {
        let names = self.names();
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> =
            self.packages.iter().filter(|p| p.name == name).map(|p| p.id.as_str()).collect();
        while let Some(id) = next.pop() {
            for edge in self.resolve.nodes.iter().filter(|node| node.id == id).flat_map(|node| &node.deps) {
                if edge.dep_kinds.iter().any(|dep| dep.kind.is_none()) && seen.insert(edge.pkg.as_str()) {
                    next.push(&edge.pkg);
                }
            }
        }
        seen.into_iter().map(|id| names[id]).collect()
    }

    /// The versions of the package named `name`.
    pub(crate) fn versions(&self, name: &str) -> Vec<&str> {
        self.packages
            .iter()
            .filter(|package| package.name == name)
            .map(|package| package.version.as_str())
            .collect()
    }

    fn names(&self) -> BTreeMap<&str, &str> {
        self.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect()
    }

    // === Planted violations ===

    /// A copy in which `from` also depends on `to`, both in the manifest and in the resolved tree.
    pub(crate) fn with_dependency(&self, from: &str, to: &str) -> Self {
        let mut copy = self.clone();
        let to_id = match copy.packages.iter().find(|package| package.name == to) {
            Some(package) => package.id.clone(),
            None => copy.with_package(to),
        };
        let package = copy.packages.iter_mut().find(|package| package.name == from).expect("a known package");
        package.dependencies.push(Dependency { name: to.to_owned(), kind: None });
        let id = package.id.clone();
        let node = copy.resolve.nodes.iter_mut().find(|node| node.id == id).expect("a resolved package");
        node.deps.push(Edge { pkg: to_id, dep_kinds: vec![EdgeKind { kind: None }] });
        copy
    }

    /// Adds a package from the registry and gives its id.
    pub(crate) fn with_package(&mut self, name: &str) -> String {
        let id = format!("planted {name}");
        self.packages.push(Package {
            id: id.clone(),
            name: name.to_owned(),
            version: "99.0.0".to_owned(),
            license: None,
            source: Some("git+https://example.invalid".to_owned()),
            edition: "2015".to_owned(),
            manifest_path: PathBuf::new(),
            dependencies: Vec::new(),
        });
        self.resolve.nodes.push(Node { id: id.clone(), deps: Vec::new() });
        id
    }
}
