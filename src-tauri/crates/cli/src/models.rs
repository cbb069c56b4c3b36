//! `models`: the catalog and the map as tables.

use std::time::Duration;

use dragoman::{CatalogSource, Dialect, Effort, Listed, Models, STREAMS};

use crate::args::{Common, Format};
use crate::words::{grouped, say, say_json, table};
use crate::{Exit, Trouble, look};

/// How long the backend may take before the table shows what was known before.
const PATIENCE: Duration = Duration::from_secs(5);

/// `dragoman models`
pub(crate) async fn models(common: &Common, format: Format) -> Result<Exit, Trouble> {
    let (app, _running) = look(common).await?;
    let models = app.fresh_models(PATIENCE).await;
    app.shutdown(STREAMS).await;
    if format.json {
        say_json(&models)?;
    } else {
        say(in_words(&models))?;
    }
    Ok(Exit::Success)
}

fn in_words(models: &Models) -> String {
    let head = ["MODEL", "NAME", "WINDOW", "EFFORTS", "TIERS", "DIALECT"].map(str::to_owned);
    let rows: Vec<_> = [head].into_iter().chain(models.listed.iter().map(row)).collect();
    let asks = ["CLAUDE CODE ASKS FOR", "GETS"].map(str::to_owned);
    let families: Vec<_> = [asks]
        .into_iter()
        .chain(models.families.iter().map(|mapped| {
            let nothing =
                || format!("nothing: {}", mapped.problem.as_deref().unwrap_or("the catalog is empty"));
            [mapped.family.to_owned(), mapped.model.clone().unwrap_or_else(nothing)]
        }))
        .collect();
    let source = match models.source {
        CatalogSource::Live => "as the backend lists them now",
        CatalogSource::Disk => "as the backend listed them last time",
        CatalogSource::Bundled => "as known when this version was made; the backend has not answered yet",
        CatalogSource::Demo => "of the built-in demo",
    };
    format!(
        "{}\n\n{}\n\nModels {source}. * is the default effort. Claude Code is told a window of {} tokens.",
        table(&rows),
        table(&families),
        grouped(models.window)
    )
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
