//! Which models there are and what Claude's names stand for, to be shown. Which one answers a request is decided in
//! the proxy's `routes`, by the same [`Rules`].

use dragoman_protocol::route::{Dialect, Effort};
use dragoman_proxy::{Family, Mode, Rules};
use dragoman_upstream::{Catalog, Model, Source};
use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::settings::{self, Settings};

/// The catalog and the map, as one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Models {
    /// Where the catalog comes from.
    pub source: Source,
    /// The window that Claude Code is told, in tokens: the smallest of the mapped families (DECISIONS 18).
    pub window: u64,
    /// What each family of Claude's names stands for.
    pub families: Vec<Mapped>,
    /// The models people should see, best first.
    pub listed: Vec<Listed>,
}

/// What answers for one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Mapped {
    /// `opus`, `sonnet`, … and `default` for Claude names of no known family.
    pub family: &'static str,
    /// The model's id.
    pub model: Option<String>,
    /// Why there is none.
    pub problem: Option<String>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Listed {
    /// Its id, to be used in settings and by clients.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// What a conversation may fill, in tokens.
    pub window: u64,
    /// The efforts it offers that can be sent, lowest first.
    pub efforts: Vec<Effort>,
    /// The effort if none is asked for.
    pub default_effort: Option<Effort>,
    /// The service tiers it offers.
    pub tiers: Vec<String>,
    /// The request dialect it speaks.
    pub dialect: Dialect,
}

impl Models {
    /// What these rules make of this catalog.
    pub(crate) fn of(catalog: &Catalog, rules: &Rules) -> Self {
        let families = Family::NAMED.into_iter().chain([Family::Other]);
        let mapped = |family: Family| {
            let (model, problem) = match rules.family(catalog, family) {
                Ok(model) => (Some(model.slug.clone()), None),
                Err(failure) => (None, Some(failure.to_string())),
            };
            Mapped { family: family.as_str(), model, problem }
        };
        Self {
            source: catalog.source,
            window: rules.window(catalog),
            families: families.map(mapped).collect(),
            listed: catalog.listed().map(listed).collect(),
        }
    }
}

fn listed(model: &Model) -> Listed {
    Listed {
        id: model.slug.clone(),
        name: model.display_name.clone(),
        description: model.description.clone(),
        window: model.context_window * model.effective_percent / 100,
        efforts: model.efforts.iter().copied().filter(|effort| *effort != Effort::Ultra).collect(),
        default_effort: model.default_effort,
        tiers: model.tiers.clone(),
        dialect: model.dialect,
    }
}

/// The user's wishes, for the proxy.
pub(crate) fn rules(settings: &Settings) -> Rules {
    let wishes = settings.models.clone();
    Rules {
        opus: wishes.opus,
        sonnet: wishes.sonnet,
        haiku: wishes.haiku,
        fable: wishes.fable,
        default: wishes.default,
        effort: wishes.effort,
        mode: match wishes.mode {
            settings::Mode::Map => Mode::Map,
            settings::Mode::Passthrough => Mode::Passthrough,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(slug: &str, priority: i64) -> Model {
        Model {
            slug: slug.to_owned(),
            display_name: slug.to_uppercase(),
            description: "A model.".to_owned(),
            context_window: 272_000,
            max_context_window: 400_000,
            effective_percent: 95,
            default_effort: Some(Effort::Low),
            efforts: vec![Effort::Low, Effort::High, Effort::Ultra],
            tiers: vec!["priority".to_owned()],
            dialect: Dialect::Classic,
            verbosity: None,
            visible: true,
            priority,
        }
    }

    #[test]
    fn the_table_shows_what_each_family_gets_and_why_not() {
        let catalog =
            Catalog { models: vec![model("a", 1), model("b-luna", 2)], etag: None, source: Source::Bundled };
        let rules = Rules { fable: Some("gone".to_owned()), ..Rules::default() };
        let models = Models::of(&catalog, &rules);
        let mapped = |family: &str| {
            let mapped = models.families.iter().find(|mapped| mapped.family == family).unwrap();
            (mapped.model.as_deref(), mapped.problem.is_some())
        };
        assert_eq!(mapped("opus"), (Some("a"), false));
        assert_eq!(mapped("haiku"), (Some("b-luna"), false));
        assert_eq!(mapped("default"), (Some("a"), false));
        assert_eq!(mapped("fable"), (None, true));
        assert_eq!(models.window, 258_400);
        assert_eq!(models.listed[0].efforts, [Effort::Low, Effort::High], "ultra is never sent");
    }
}
