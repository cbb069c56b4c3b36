//! `models`: the catalog and the map as tables, and its rules set and taken back.

use std::time::Duration;

use clap::Subcommand;
use dragoman::{CatalogSource, Dialect, Effort, Listed, Mapped, STREAMS};

use crate::args::{Common, Format};
use crate::words::{grouped, say, say_json, table};
use crate::{Exit, Trouble, look};

/// How long the backend may take before the table shows what was known before.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do with the map.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// Say who answers: dragoman models set opus gpt-5.5-high
    ///
    /// WHO is a family (opus, sonnet, haiku, fable), a kind of request (background, think, longContext, webSearch, image,
    /// subagent, compact), default, or a model name or pattern that a client asks for (gpt-5.3, claude-*-4-5).
    /// A running server uses it within a second.
    Set {
        /// For whom
        #[arg(value_name = "WHO")]
        asks: String,
        /// [backend,]model, then effort=… default_effort=… tier=fast|standard context=max as you like
        #[arg(required = true, value_name = "MODEL")]
        target: Vec<String>,
    },
    /// Take a rule back
    Unset {
        /// For whom
        #[arg(value_name = "WHO")]
        asks: String,
    },
}

/// `dragoman models`
pub(crate) async fn models(common: &Common, wish: Option<Models>, format: Format) -> Result<Exit, Trouble> {
    let (app, _running) = look(common).await?;
    match wish {
        None => {}
        Some(Models::Set { asks, target }) => drop(app.map(&asks, Some(&target.join(" "))).await?),
        Some(Models::Unset { asks }) => drop(app.map(&asks, None).await?),
    }
    let models = app.fresh_models(PATIENCE).await;
    app.shutdown(STREAMS).await;
    if format.json {
        say_json(&models)?;
    } else {
        say(in_words(&models))?;
    }
    Ok(Exit::Success)
}

fn in_words(models: &dragoman::Models) -> String {
    let head = ["MODEL", "NAME", "WINDOW", "EFFORTS", "TIERS", "DIALECT"].map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(models.listed.iter().map(row)).collect();
    let asks = ["ASKED FOR", "GETS", "EFFORT", "TIER", "WHY"].map(str::to_owned);
    let map: Vec<_> = [asks].into_iter().chain(models.rows().map(mapped)).collect();
    let source = match models.source {
        CatalogSource::Live => "as the backend lists them now",
        CatalogSource::Disk => "as the backend listed them last time",
        CatalogSource::Bundled => "as known when this version was made; the backend has not answered yet",
        CatalogSource::Demo => "of the built-in demo",
    };
    let mut text = format!(
        "{}\n\n{}\n\nModels {source}. * is the default effort. Claude Code is told a window of {} tokens.",
        table(&rows),
        table(&map),
        grouped(models.window)
    );
    if let Some(effort) = models.effort {
        text.push_str(&format!("\nAll requests are sent with effort {effort} (models.effort)."));
    }
    for problem in models.problems() {
        text.push_str(&format!("\nNote: {problem}."));
    }
    text
}

fn mapped(row: &Mapped) -> [String; 5] {
    let pool = row.pool.map(|pool| format!("{},", pool.as_str())).unwrap_or_default();
    let gets = match (&row.model, &row.problem) {
        (Some(model), _) => format!("{pool}{model}"),
        (None, Some(_)) if row.decider.is_none() && row.why.is_empty() => "nothing".to_owned(),
        (None, _) => "–".to_owned(),
    };
    let effort = match (row.effort, row.default_effort, &row.model) {
        (Some(effort), _, _) => effort.to_string(),
        (None, Some(effort), Some(_)) => format!("as asked, else {effort}"),
        (None, _, _) => "–".to_owned(),
    };
    let tier = row.tier.clone().unwrap_or_else(|| "–".to_owned());
    [row.asks.clone(), gets, effort, tier, row.why.clone()]
}

fn row(model: &Listed) -> [String; 6] {
    let effort = |effort: &Effort| {
        let mark = if model.default_effort == Some(*effort) { "*" } else { "" };
        format!("{effort}{mark}")
    };
    let efforts: Vec<_> = model.efforts.iter().map(effort).collect();
    let tiers = if model.tiers.is_empty() { "–".to_owned() } else { model.tiers.join(" ") };
    let dialect = match model.dialect {
        Dialect::Classic => "classic",
        Dialect::Lite => "lite",
    };
    [
        model.id.clone(),
        model.name.clone(),
        grouped(model.window),
        efforts.join(" "),
        tiers,
        dialect.to_owned(),
    ]
}
