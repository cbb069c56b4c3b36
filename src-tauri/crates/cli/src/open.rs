//! `open`: a browser is let into the dashboard.

use dragoman::open_in_browser;

use crate::args::Common;
use crate::words::{note, say};
use crate::{Exit, Trouble};

/// `dragoman open`
pub(crate) async fn open(common: &Common, print: bool) -> Result<Exit, Trouble> {
    let link = dragoman::link(&common.options()).await?.ok_or(Trouble::NoServer)?;
    if !print {
        match open_in_browser(&link).await {
            Ok(()) => return Ok(Exit::Success),
            Err(why) => {
                note(format_args!("dragoman: the browser could not be opened ({why}); open this address:"))
            }
        }
    }
    say(link)?;
    if print {
        note("It lets one browser in, once and within a minute.");
    }
    Ok(Exit::Success)
}
