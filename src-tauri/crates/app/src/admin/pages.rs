//! `ui/`, embedded, for a browser.

use axum::response::{IntoResponse, Response};
use http::Uri;
use http::header::CONTENT_TYPE;
use rust_embed::Embed;

use super::answer::Problem;

/// The page and what it loads. Types are for those who write it, and what Tauri shows in trouble is for its window.
#[derive(Embed)]
#[folder = "../../../ui"]
#[exclude = "*.d.ts"]
#[exclude = "trouble.*"]
struct Files;

/// A file of the page; `/` is the page itself.
pub(super) async fn file(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match Files::get(path) {
        Some(file) => {
            let kind = file.metadata.mimetype();
            let kind =
                if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() };
            ([(CONTENT_TYPE, kind)], file.data).into_response()
        }
        None => Problem::not_found(format!("there is nothing at {}", uri.path())).into_response(),
    }
}
