//! The program could not start, for example because of a line in `config.toml`. Someone who clicked on an icon sees no
//! terminal: a window of its own says it. Closing that window ends the program.

use std::error::Error;
use std::process::ExitCode;

use tauri::{Url, WebviewUrl, WebviewWindowBuilder};

/// Shows the error and returns when its window is closed.
pub(crate) fn show(error: &(dyn Error + 'static)) -> ExitCode {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let message = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    crate::complain(&format!("Dragoman did not start: {message}\n"), 1);
    let page = page(&message);
    let built = tauri::Builder::default()
        .setup(move |setup| {
            WebviewWindowBuilder::new(setup.handle(), "trouble", page)
                .title("Dragoman")
                .inner_size(560.0, 320.0)
                .build()?;
            Ok(())
        })
        .build(crate::context());
    if let Ok(shell) = built {
        shell.run_return(|_, _| {});
    }
    ExitCode::FAILURE
}

/// The page takes its one sentence from its own address: it has no command to ask with.
fn page(message: &str) -> WebviewUrl {
    let url = Url::parse_with_params("tauri://localhost/trouble.html", [("message", message)]);
    let query = url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
    WebviewUrl::App(format!("trouble.html?{query}").into())
}
