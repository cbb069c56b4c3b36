//! The backend's search endpoint (`upstream.md` §d.4): what is asked of it, and the pages in its answer.
//!
//! Models of the Lite dialect have no hosted search. The answer is one text for a model to read; its pages are the links
//! that stand in it. Not here: who searches when (`translate/response`), sending (upstream crate).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::request::{InputItem, SearchFilters};

/// The most that an answer may hold: what the Codex CLI asks for.
const MAX_OUTPUT_TOKENS: u64 = 10_000;
/// Longer lines are text, not titles; in characters.
const LONGEST_TITLE: usize = 200;

/// The body of `POST /codex/alpha/search`.
#[derive(Debug, Serialize)]
pub struct SearchRequest<'a> {
    /// The session's id.
    pub id: &'a str,
    /// The model that wants to know.
    pub model: &'a str,
    /// The user's last message.
    pub input: Vec<InputItem<'a>>,
    /// What to do.
    pub commands: Commands<'a>,
    /// How.
    pub settings: Settings<'a>,
    /// The most that the answer may hold.
    pub max_output_tokens: u64,
}

/// `commands`: one search.
#[derive(Debug, Serialize)]
pub struct Commands<'a> {
    search_query: [Query<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Query<'a> {
    q: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    domains: &'a [String],
}

/// `settings`: as the hosted tool has them.
#[derive(Debug, Serialize)]
pub struct Settings<'a> {
    allowed_callers: [&'static str; 1],
    external_web_access: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<SearchFilters<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_location: Option<&'a RawValue>,
}

impl<'a> SearchRequest<'a> {
    /// A search for `query`. No domains: anywhere.
    pub fn new(
        id: &'a str,
        model: &'a str,
        input: Vec<InputItem<'a>>,
        query: &'a str,
        domains: &'a [String],
        user_location: Option<&'a RawValue>,
    ) -> Self {
        let allowed = domains.iter().map(|domain| Cow::Borrowed(domain.as_str())).collect();
        Self {
            id,
            model,
            input,
            commands: Commands { search_query: [Query { q: query, domains }] },
            settings: Settings {
                allowed_callers: ["direct"],
                external_web_access: true,
                filters: (!domains.is_empty()).then_some(SearchFilters { allowed_domains: allowed }),
                user_location,
            },
            max_output_tokens: MAX_OUTPUT_TOKENS,
        }
    }
}

/// What the endpoint answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SearchAnswer {
    /// What was found, as text.
    #[serde(default)]
    pub output: String,
}

/// A page that is named in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// What the text calls it, where it calls it anything.
    pub title: Option<String>,
}

impl SearchAnswer {
    /// The pages that the text names, in order, each once. How it names them is written down nowhere, so all of the
    /// usual ways are read: `[title](url)`, a title before the address on its line, a title on the line above.
    pub fn pages(&self) -> Vec<Page> {
        let mut pages: Vec<Page> = Vec::new();
        let mut above = "";
        for line in self.output.lines() {
            let mut rest = line;
            let mut found = false;
            while let Some((before, url, after)) = next_url(rest) {
                let title = match before.strip_suffix("](") {
                    Some(link) => link.rfind('[').map(|at| &link[at + 1..]),
                    None => Some(before),
                };
                let named = title.and_then(title_in).or_else(|| (!found).then(|| title_in(above)).flatten());
                match pages.iter_mut().find(|page| page.url == url) {
                    Some(page) => page.title = page.title.take().or(named),
                    None => pages.push(Page { url: url.to_owned(), title: named }),
                }
                found = true;
                rest = after;
            }
            above = if found || line.trim().is_empty() { "" } else { line };
        }
        pages
    }
}

/// What stands before the next http(s) address, the address, and what stands behind it.
fn next_url(text: &str) -> Option<(&str, &str, &str)> {
    let at = [text.find("https://"), text.find("http://")].into_iter().flatten().min()?;
    let url = &text[at..];
    let end = url
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`' | '|' | '【' | '】' | '†'))
        .unwrap_or(url.len());
    let mut length = end;
    // A bracket that was not opened within the address closes what stands around it: `[title](url)`, `(url)`.
    for (open, close) in [('(', ')'), ('[', ']')] {
        let mut depth = 0_i32;
        for (i, c) in url[..length].char_indices() {
            if c == open {
                depth += 1;
            } else if c == close {
                depth -= 1;
                if depth < 0 {
                    length = i;
                    break;
                }
            }
        }
    }
    let url = url[..length].trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
    let host = url.split_once("://").map_or("", |(_, host)| host);
    if host.is_empty() || host.starts_with(['/', '?', '#']) {
        // No address: go on behind it.
        let skip = at + url.len();
        let (_, address, after) = next_url(&text[skip..])?;
        let before = &text[..text.len() - after.len() - address.len()];
        return Some((before, address, after));
    }
    Some((&text[..at], url, &text[at + url.len()..]))
}

/// A title in the text beside an address: without list marks, labels and separators; `None` if nothing is left.
fn title_in(text: &str) -> Option<String> {
    const LABELS: [&str; 7] = ["url", "link", "source", "title", "address", "href", "ref"];
    let marks = |c: char| c.is_whitespace() || "-–—•*#<>|:()[]{}\"'`,;【】†".contains(c);
    let mut text = text.trim_matches(marks);
    if let Some((number, rest)) = text.split_once(['.', ')'])
        && number.len() <= 3
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        text = rest.trim_matches(marks);
    }
    let is_label =
        |word: &str| LABELS.iter().any(|label| word.trim_matches(marks).eq_ignore_ascii_case(label));
    if let Some((_, rest)) = text.split_once(':').filter(|(first, _)| is_label(first)) {
        text = rest.trim_matches(marks);
    }
    if let Some((rest, _)) = text.rsplit_once(char::is_whitespace).filter(|(_, last)| is_label(last)) {
        text = rest.trim_matches(marks);
    }
    // A mere number, a label or a whole paragraph is no title.
    let is_title =
        !is_label(text) && text.chars().any(|c| !c.is_ascii_digit()) && text.chars().count() <= LONGEST_TITLE;
    // The trimming may have taken the bracket that closes the title's own.
    let is_open = text.matches('(').count() > text.matches(')').count();
    is_title.then(|| if is_open { format!("{text})") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pages(text: &str) -> Vec<(String, Option<String>)> {
        let answer = SearchAnswer { output: text.to_owned() };
        answer.pages().into_iter().map(|page| (page.url, page.title)).collect()
    }

    #[test]
    fn links_are_read_however_the_text_names_them() {
        let some = |url: &str, title: &str| (url.to_owned(), Some(title.to_owned()));
        for (text, expected) in [
            ("fake search result [Example](https://example.com/a)", some("https://example.com/a", "Example")),
            ("1. Tauri 2.0 (https://tauri.app/).", some("https://tauri.app/", "Tauri 2.0")),
            (
                "- **Tauri**: https://tauri.app/?a=1&b=(2), more",
                some("https://tauri.app/?a=1&b=(2)", "Tauri"),
            ),
            ("Tauri – Wikipedia\nURL: https://de.wikipedia.org/wiki/Tauri_(Framework)\ntext", {
                some("https://de.wikipedia.org/wiki/Tauri_(Framework)", "Tauri – Wikipedia")
            }),
            ("Title: 中文 😀\nLink: <https://例え.jp/道>", some("https://例え.jp/道", "中文 😀")),
            ("[a [b] c](http://x.example)", some("http://x.example", "b] c")),
            ("【1†https://x.example/p†Page】", ("https://x.example/p".to_owned(), None)),
            (
                "Tauri (Wikipedia): https://x.example/T_(x)",
                some("https://x.example/T_(x)", "Tauri (Wikipedia)"),
            ),
            ("https://bare.example/x", ("https://bare.example/x".to_owned(), None)),
        ] {
            assert_eq!(pages(text), [expected], "{text}");
        }
    }

    #[test]
    fn a_page_is_named_once_and_what_is_no_address_never() {
        assert_eq!(
            pages("https://a.example and [A](https://a.example)\nhttps:// and http:///x"),
            [("https://a.example".to_owned(), Some("A".to_owned()))]
        );
        assert_eq!(pages("nothing was found; try example.com"), []);
        let request = SearchRequest::new("s", "m", Vec::new(), "ünï \"q\" & more", &[], None);
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"id":"s","model":"m","input":[],"commands":{"search_query":[{"q":"ünï \"q\" & more"}]},"settings":{"allowed_callers":["direct"],"external_web_access":true},"max_output_tokens":10000}"#
        );
    }

    proptest! {
        #[test]
        fn every_page_stands_in_the_text(text in "([a-zé😀()\\[\\].:\n ]|https?://|/){0,60}") {
            for (url, _) in pages(&text) {
                prop_assert!(text.contains(&url), "{url}");
                prop_assert!(url.starts_with("http"));
            }
        }
    }
}
