//! `recipe`: how other programs are pointed at Dragoman. Nothing is written.

use dragoman::{RECIPES, Readiness, STREAMS};

use crate::args::Common;
use crate::words::{note, say, table};
use crate::{Exit, Trouble, look};

/// `dragoman recipe [NAME]`
pub(crate) async fn recipe(common: &Common, name: Option<&str>) -> Result<Exit, Trouble> {
    let known = RECIPES.iter().find(|recipe| Some(recipe.name) == name);
    let Some(recipe) = known else {
        if let Some(name) = name {
            note(format_args!("dragoman: there is no recipe {name}; there are these:"));
        }
        let rows: Vec<_> = RECIPES
            .iter()
            .map(|recipe| {
                [recipe.name.to_owned(), recipe.about.to_owned(), state(recipe.readiness).to_owned()]
            })
            .collect();
        say(table(&rows))?;
        return Ok(if name.is_none() { Exit::Success } else { Exit::Failure });
    };
    let (app, running) = look(common).await?;
    let text = app.recipe(recipe, running.as_ref());
    app.shutdown(STREAMS).await;
    let text = text.ok_or(Trouble::NoServer)?;
    note(format_args!("dragoman: {}", state(recipe.readiness)));
    say(text.trim_end())?;
    Ok(Exit::Success)
}

fn state(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Tested => "tested with Dragoman",
        Readiness::Untested => "not tested with Dragoman: written from the program's own documentation",
    }
}
