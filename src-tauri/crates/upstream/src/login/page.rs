//! What the browser shows at the end. One file without anything from elsewhere: no script, no image, no font; light or
//! dark as the system is. Not here: when (`callback.rs`).

use super::error::LoginError;
use super::progress::{NotAccepted, SignedIn};

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    status: &'static str,
    title: String,
    text: String,
    good: bool,
}

impl Page {
    fn bad(status: &'static str, title: &str, text: impl Into<String>) -> Self {
        Self { status, title: title.to_owned(), text: text.into(), good: false }
    }

    pub(super) fn signed_in(who: &SignedIn) -> Self {
        let text = match &who.label {
            Some(label) => format!("Dragoman uses the account {label}. You can close this tab."),
            None => "Dragoman uses this account. You can close this tab.".to_owned(),
        };
        Self { status: "200 OK", title: "You are signed in".to_owned(), text, good: true }
    }

    pub(super) fn failed(error: &LoginError) -> Self {
        Self::bad("200 OK", "You are not signed in", error.to_string())
    }

    pub(super) fn not_accepted(why: NotAccepted) -> Self {
        let text = match why {
            NotAccepted::WrongState => {
                "This page belongs to another sign-in: its state does not match. Go back to the tab that the current \
                 sign-in opened; Dragoman still waits for it."
            }
            NotAccepted::NoCode => {
                "This address holds no sign-in code. Go back and finish the sign-in; Dragoman still waits."
            }
        };
        let title = match why {
            NotAccepted::WrongState => "State mismatch",
            NotAccepted::NoCode => "Something is missing",
        };
        Self::bad("400 Bad Request", title, text)
    }

    pub(super) fn cancelled() -> Self {
        Self::bad("200 OK", "Sign-in cancelled", "Another sign-in took its place. You can close this tab.")
    }

    pub(super) fn forbidden() -> Self {
        Self::bad("403 Forbidden", "Not from a web page", "A sign-in is cancelled where it was begun.")
    }

    pub(super) fn not_found() -> Self {
        Self::bad("404 Not Found", "Nothing here", "Dragoman waits on this port for a sign-in to come back.")
    }

    /// The whole answer.
    pub(super) fn response(&self) -> Vec<u8> {
        let (title, text) = (escape(&self.title), escape(&self.text));
        let (sign, class) = if self.good { ("✓", "good") } else { ("!", "bad") };
        let body = format!(include_str!("page.html"), title = title, text = text, sign = sign, class = class);
        // no-referrer and no-store: the address of this page holds the code, spent as it is.
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             content-security-policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action \
             'none'; frame-ancestors 'none'\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
             connection: close\r\n\r\n",
            self.status,
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_and_quotes_what_others_said() {
        let error = LoginError::Refused { words: "<script>alert(1)</script>".into() };
        for page in [Page::failed(&error), Page::not_found(), Page::not_accepted(NotAccepted::WrongState)] {
            let text = String::from_utf8(page.response()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("default-src 'none'") && head.contains("no-store"));
            assert!(head.contains(&format!("content-length: {}", body.len())));
            for outside in ["<script", "src=", "href=", "url(", "@import"] {
                assert!(!body.contains(outside), "{outside}");
            }
            assert!(body.contains("prefers-color-scheme: dark") && body.contains("lang=\"en\""));
        }
    }
}
