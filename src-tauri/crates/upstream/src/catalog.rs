//! Which models there are.

use dragoman_protocol::route::{Dialect, Effort};
use serde::{Deserialize, Serialize};

/// The models of the account. Sorted by priority, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// All of them, hidden ones included.
    pub models: Vec<Model>,
    /// The backend's name for this version of the list.
    pub etag: Option<String>,
    /// Where it comes from.
    pub source: Source,
}

/// Where a catalog comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// From the backend, in this process.
    Live,
    /// From the backend, in an earlier process.
    Disk,
    /// From this program.
    Bundled,
    /// The demo backend's own.
    Demo,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its id on the wire.
    pub slug: String,
    /// Its name for people.
    pub display_name: String,
    /// What it is good for.
    pub description: String,
    /// The context window in tokens.
    pub context_window: u64,
    /// The largest window that can be asked for.
    pub max_context_window: u64,
    /// How much of the window is usable.
    pub effective_percent: u64,
    /// The effort if none is asked for.
    pub default_effort: Option<Effort>,
    /// The efforts that it offers, lowest first.
    pub efforts: Vec<Effort>,
    /// The service tiers that it offers.
    pub tiers: Vec<String>,
    /// The request dialect that it speaks.
    pub dialect: Dialect,
    /// The default of `text.verbosity`; `None` if the model has no such knob.
    pub verbosity: Option<String>,
    /// True if people should see it in lists.
    pub visible: bool,
    /// Its place in the list, smallest first.
    pub priority: i64,
}

impl Catalog {
    /// The model with this id, hidden ones included.
    pub fn find(&self, slug: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.slug == slug)
    }

    /// The models that people should see, best first.
    pub fn listed(&self) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(|model| model.visible)
    }
}
