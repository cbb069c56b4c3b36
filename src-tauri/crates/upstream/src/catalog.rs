//! Which models there are: asked of the backend (`upstream.md` §d.1), kept on the disk, and bundled for the first start.
//!
//! Not here: when the backend is asked, and with which login (`codex.rs`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_protocol::route::{Dialect, Effort};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::Instant;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::files;

/// The list that comes with the program: the Codex CLI 0.169.0's, without prompts.
static BUNDLED: &str = include_str!("../catalog/bundled.json");
/// How long an answer counts as fresh.
const FRESH: Duration = Duration::from_secs(300);
/// Between two questions, if the first had no good answer.
const PAUSE: Duration = Duration::from_secs(60);

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "lowercase")]
#[ts(rename = "CatalogSource")]
#[schema(as = CatalogSource)]
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

// === the wire ===

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    models: Vec<&'a RawValue>,
}

/// The members of a model that we use; all but the slug may be missing.
#[derive(Deserialize)]
struct Wire {
    slug: String,
    display_name: Option<String>,
    description: Option<String>,
    default_reasoning_level: Option<String>,
    supported_reasoning_levels: Option<Vec<Level>>,
    visibility: Option<String>,
    priority: Option<f64>,
    service_tiers: Option<Vec<Tier>>,
    support_verbosity: Option<bool>,
    default_verbosity: Option<String>,
    context_window: Option<u64>,
    max_context_window: Option<u64>,
    effective_context_window_percent: Option<u64>,
    use_responses_lite: Option<bool>,
}

#[derive(Deserialize)]
struct Level {
    effort: String,
}

#[derive(Deserialize)]
struct Tier {
    id: String,
}

impl From<Wire> for Model {
    fn from(wire: Wire) -> Self {
        let context_window = wire.context_window.filter(|window| *window > 0).unwrap_or(272_000);
        // Words that this version does not know are left out; the model is still of use.
        let mut efforts: Vec<Effort> = wire
            .supported_reasoning_levels
            .unwrap_or_default()
            .iter()
            .filter_map(|level| level.effort.parse().ok())
            .collect();
        efforts.sort_unstable();
        efforts.dedup();
        let verbosity = wire.default_verbosity.unwrap_or_else(|| "medium".to_owned());
        Self {
            display_name: wire.display_name.unwrap_or_else(|| wire.slug.clone()),
            slug: wire.slug,
            description: wire.description.unwrap_or_default(),
            context_window,
            max_context_window: wire.max_context_window.unwrap_or(0).max(context_window),
            effective_percent: wire
                .effective_context_window_percent
                .filter(|percent| (1..=100).contains(percent))
                .unwrap_or(95),
            default_effort: wire.default_reasoning_level.and_then(|word| word.parse().ok()),
            efforts,
            tiers: wire.service_tiers.unwrap_or_default().into_iter().map(|tier| tier.id).collect(),
            dialect: if wire.use_responses_lite == Some(true) { Dialect::Lite } else { Dialect::Classic },
            verbosity: (wire.support_verbosity == Some(true)).then_some(verbosity),
            visible: wire.visibility.as_deref().unwrap_or("list") == "list",
            priority: wire.priority.map_or(i64::MAX, |priority| priority as i64),
        }
    }
}

/// The models of an answer, sorted. A model that can't be read is left out; `None` if none can, or none is listed.
pub(crate) fn parse(json: &[u8]) -> Option<Vec<Model>> {
    let answer: Answer<'_> = serde_json::from_slice(json).ok()?;
    let read =
        |raw: &&RawValue| serde_json::from_str::<Wire>(raw.get()).ok().filter(|wire| !wire.slug.is_empty());
    let models: Vec<Model> = answer.models.iter().filter_map(read).map(Model::from).collect();
    sorted(models)
}

/// The bundled list as far as an answer of the API's `GET /models` names its models, in the form that [`parse`] reads.
/// `None` if that can't be read or names none of them. The API tells ids only; every bundled model can be asked there.
pub(crate) fn offered(listing: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Listing {
        data: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    #[derive(Serialize)]
    struct Offer<'a> {
        models: Vec<&'a RawValue>,
    }
    let listing: Listing = serde_json::from_slice(listing).ok()?;
    let bundled: Answer<'_> = serde_json::from_str(BUNDLED).ok()?;
    let named = |raw: &&RawValue| {
        serde_json::from_str::<Wire>(raw.get())
            .is_ok_and(|wire| listing.data.iter().any(|named| named.id == wire.slug))
    };
    let models: Vec<_> = bundled.models.into_iter().filter(named).collect();
    if models.is_empty() { None } else { serde_json::to_vec(&Offer { models }).ok() }
}

fn sorted(mut models: Vec<Model>) -> Option<Vec<Model>> {
    models.sort_by_key(|model| model.priority);
    models.iter().any(|model| model.visible).then_some(models)
}

fn bundled() -> Catalog {
    Catalog { models: parse(BUNDLED.as_bytes()).unwrap_or_default(), etag: None, source: Source::Bundled }
}

// === keeping it ===

/// The catalog in use, and what is known about its age.
#[derive(Debug)]
pub(crate) struct Catalogs {
    current: watch::Sender<Arc<Catalog>>,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fresh_until: Option<Instant>,
    /// No question before this.
    quiet_until: Option<Instant>,
    asking: bool,
    /// The etag of a turn that a question was asked for; one question an etag.
    asked_for: Option<String>,
}

/// The cache file.
#[derive(Serialize, Deserialize)]
struct Kept {
    fetched_at: i64,
    origin: String,
    etag: Option<String>,
    models: Vec<Model>,
}

impl Catalogs {
    /// The cached catalog whatever its age, else the bundled one. Blocks.
    pub(crate) fn open(cache_dir: &Path, origin: &str, now: i64) -> Self {
        let file = cache_dir.join("models.json");
        let kept = std::fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok())
            .filter(|kept| kept.origin == origin)
            .and_then(|kept| Some((kept.fetched_at, kept.etag, sorted(kept.models)?)));
        let mut state = State::default();
        let catalog = match kept {
            Some((fetched_at, etag, models)) => {
                let age = u64::try_from(now - fetched_at).map_or(FRESH, Duration::from_secs);
                state.fresh_until = Some(Instant::now() + FRESH.saturating_sub(age));
                Catalog { models, etag, source: Source::Disk }
            }
            None => bundled(),
        };
        Self { current: watch::Sender::new(Arc::new(catalog)), file, state: Mutex::new(state) }
    }

    pub(crate) fn current(&self) -> Arc<Catalog> {
        self.current.borrow().clone()
    }

    pub(crate) fn updates(&self) -> watch::Receiver<Arc<Catalog>> {
        self.current.subscribe()
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True if somebody should ask the backend now; then it is the caller, and it must call [`Self::answered`].
    pub(crate) fn claim(&self) -> bool {
        let now = Instant::now();
        self.state(|state| {
            let passed = |until: Option<Instant>| until.is_none_or(|until| until <= now);
            let due = !state.asking && passed(state.fresh_until) && passed(state.quiet_until);
            state.asking |= due;
            due
        })
    }

    /// A turn's answer named the version of the list that the backend has now.
    pub(crate) fn notice(&self, etag: &str) {
        if self.current.borrow().etag.as_deref() == Some(etag) {
            return;
        }
        self.state(|state| {
            if state.asked_for.as_deref() != Some(etag) {
                state.asked_for = Some(etag.to_owned());
                state.fresh_until = None;
                state.quiet_until = None;
            }
        });
    }

    /// Somebody else is asked from now on, and soon.
    pub(crate) fn outdated(&self) {
        self.state(|state| *state = State { asking: state.asking, ..State::default() });
    }

    /// The end of a question: the answer's etag and body, or nothing, and who was asked. What can't be used changes
    /// nothing. Blocks.
    pub(crate) fn answered(&self, answer: Option<(Option<String>, &[u8])>, origin: &str, now: i64) {
        let read = answer.and_then(|(etag, body)| Some((etag, parse(body)?)));
        let good = read.is_some();
        if let Some((etag, models)) = read {
            let kept = Kept {
                fetched_at: now,
                origin: origin.to_owned(),
                etag: etag.clone(),
                models: models.clone(),
            };
            if let Err(error) = self.write(&kept) {
                tracing::warn!(%error, "the catalog cannot be cached");
            }
            tracing::debug!(models = models.len(), "catalog fetched");
            self.current.send_replace(Arc::new(Catalog { models, etag, source: Source::Live }));
        }
        self.state(|state| {
            state.asking = false;
            if good {
                state.fresh_until = Some(Instant::now() + FRESH);
            } else {
                state.quiet_until = Some(Instant::now() + PAUSE);
            }
        });
    }

    fn write(&self, kept: &Kept) -> std::io::Result<()> {
        let text = serde_json::to_vec(kept).map_err(std::io::Error::other)?;
        if let Some(directory) = self.file.parent() {
            files::create_private_directory(directory)?;
        }
        files::write_private(&self.file, ".models-", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(slugs: &[&str]) -> String {
        let models: Vec<_> = slugs.iter().map(|slug| format!(r#"{{"slug":"{slug}"}}"#)).collect();
        format!(r#"{{"models":[{}]}}"#, models.join(","))
    }

    fn slugs(catalog: &Catalog) -> Vec<&str> {
        catalog.models.iter().map(|model| model.slug.as_str()).collect()
    }

    #[test]
    fn of_the_api_s_models_those_are_taken_that_are_known() {
        let listing = br#"{"object":"list","data":[{"id":"gpt-5.5","object":"model"},{"id":"whisper-1"}]}"#;
        let models = parse(&offered(listing).unwrap()).unwrap();
        assert_eq!(models.iter().map(|model| model.slug.as_str()).collect::<Vec<_>>(), ["gpt-5.5"]);
        assert_eq!(offered(br#"{"data":[{"id":"whisper-1"}]}"#), None);
        assert_eq!(offered(b"{}"), None);
    }

    #[test]
    fn the_bundled_list_is_sorted_and_knows_both_dialects() {
        let catalog = bundled();
        assert_eq!(catalog.models.len(), 12);
        assert_eq!(catalog.models[0].slug, "gpt-6.1-sol");
        assert_eq!(catalog.listed().count(), 9);
        assert_eq!(
            catalog.find("gpt-5.5"),
            Some(&Model {
                slug: "gpt-5.5".into(),
                display_name: "GPT-5.5".into(),
                description: "Legacy coding model.".into(),
                context_window: 272_000,
                max_context_window: 272_000,
                effective_percent: 95,
                default_effort: Some(Effort::Medium),
                efforts: vec![Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh],
                tiers: vec!["priority".into()],
                dialect: Dialect::Classic,
                verbosity: Some("low".into()),
                visible: true,
                priority: 13,
            })
        );
        assert_eq!(catalog.find("gpt-6.1-sol").unwrap().dialect, Dialect::Lite);
        assert!(!catalog.find("codex-auto-review").unwrap().visible);
    }

    #[test]
    fn a_model_that_cannot_be_read_does_not_spoil_the_rest() {
        let json = br#"{"models":[{"slug":"b","priority":2,"supported_reasoning_levels":[{"effort":"cosmic"},{"effort":"high"}]},
            {"slug":7},{},{"slug":"a","priority":1,"visibility":"hide","new":{}}],"more":1}"#;
        let models = parse(json).unwrap();
        assert_eq!(models.iter().map(|model| model.slug.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(models[1].efforts, [Effort::High]);
        for nothing in
            ["", "{}", r#"{"models":[]}"#, r#"{"models":[{"slug":"a","visibility":"hide"}]}"#, "<html>"]
        {
            assert!(parse(nothing.as_bytes()).is_none(), "{nothing}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_order_is_memory_then_disk_then_bundled() {
        let cache = tempfile::tempdir().unwrap();
        let open = |origin: &str, now| Catalogs::open(cache.path(), origin, now);
        let first = open("here", 1000);
        assert_eq!(first.current().source, Source::Bundled);
        assert!(first.claim() && !first.claim(), "one question at a time");
        first.answered(Some((Some("v1".into()), live(&["x", "y"]).as_bytes())), "here", 1000);
        assert_eq!((first.current().source, slugs(&first.current())), (Source::Live, vec!["x", "y"]));
        assert!(!first.claim(), "fresh");

        let second = open("here", 1100);
        assert_eq!((second.current().source, second.current().etag.as_deref()), (Source::Disk, Some("v1")));
        assert!(!second.claim(), "still fresh");
        tokio::time::advance(Duration::from_secs(201)).await;
        assert!(second.claim(), "five minutes after it was fetched");
        let old = open("here", 1_000_000);
        assert_eq!(old.current().source, Source::Disk, "used whatever its age");
        assert!(old.claim());
        assert_eq!(open("elsewhere", 1100).current().source, Source::Bundled, "another backend's list");
        std::fs::write(cache.path().join("models.json"), "{").unwrap();
        assert_eq!(open("here", 1100).current().source, Source::Bundled);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_or_broken_answer_keeps_the_previous_list() {
        let cache = tempfile::tempdir().unwrap();
        let catalogs = Catalogs::open(cache.path(), "here", 0);
        catalogs.answered(Some((None, live(&["x"]).as_bytes())), "here", 0);
        for broken in
            [None, Some((None, &b"{}"[..])), Some((None, b"<html>")), Some((None, br#"{"models":[]}"#))]
        {
            catalogs.answered(broken, "here", 1);
            assert_eq!(slugs(&catalogs.current()), ["x"]);
        }
        tokio::time::advance(Duration::from_secs(301)).await;
        assert!(catalogs.claim());
        catalogs.answered(None, "here", 2);
        assert!(!catalogs.claim(), "a pause after a failure");
        tokio::time::advance(PAUSE).await;
        assert!(catalogs.claim());
    }

    #[tokio::test(start_paused = true)]
    async fn another_etag_on_a_turn_asks_again_once() {
        let cache = tempfile::tempdir().unwrap();
        let catalogs = Catalogs::open(cache.path(), "here", 0);
        catalogs.answered(Some((Some("v1".into()), live(&["x"]).as_bytes())), "here", 0);
        catalogs.notice("v1");
        assert!(!catalogs.claim());
        catalogs.notice("v2");
        assert!(catalogs.claim());
        catalogs.answered(Some((Some("v1".into()), live(&["x"]).as_bytes())), "here", 0);
        catalogs.notice("v2");
        assert!(!catalogs.claim(), "the backend's two answers disagree: that is no reason to ask for ever");
    }
}
