//! `doctor`: each check on a line, as soon as it is done.

use dragoman::{Check, Outcome, STREAMS};

use crate::args::{Common, Format};
use crate::words::{say, say_json};
use crate::{Exit, Trouble, look};

/// `dragoman doctor`
pub(crate) async fn doctor(common: &Common, quick: bool, format: Format) -> Result<Exit, Trouble> {
    let (app, running) = look(common).await?;
    let mut unsaid = Ok(());
    let checks = app
        .doctor(running.as_ref(), quick, |check| {
            if !format.json && unsaid.is_ok() {
                unsaid = say(line(check));
            }
        })
        .await;
    app.shutdown(STREAMS).await;
    unsaid?;
    let bad = checks.iter().filter(|check| check.outcome == Outcome::Bad).count();
    if format.json {
        say_json(&checks)?;
    } else {
        say(match bad {
            0 => "Everything that was checked works.".to_owned(),
            1 => "One thing does not work.".to_owned(),
            many => format!("{many} things do not work."),
        })?;
    }
    Ok(if bad == 0 { Exit::Success } else { Exit::Failure })
}

fn line(check: &Check) -> String {
    let mark = match check.outcome {
        Outcome::Good => "ok",
        Outcome::Odd => "odd",
        Outcome::Bad => "FAILS",
        Outcome::Skipped => "–",
    };
    let time = match check.milliseconds {
        quick if quick < 100 => String::new(),
        slow => format!(" ({}.{} s)", slow / 1000, slow % 1000 / 100),
    };
    let todo = check.todo.as_ref().map(|todo| format!("\n       {:<20}  {todo}", "")).unwrap_or_default();
    format!("{mark:<5}  {:<20}  {}{time}{todo}", check.name, check.seen)
}
