//! The backend's web searches → `server_tool_use` and `web_search_tool_result` (S21–S26).
//!
//! The backend tells the addresses with the search and the titles only with the text that cites them, so a search waits
//! until the answer is over. Not here: asking for a search (`tools.rs`).

use std::collections::{HashMap, HashSet};

use super::super::envelope::short_hash;
use super::blocks::Blocks;
use crate::anthropic::event::{
    BlockStart, Citation, Delta, EmptyObject, SearchContent, SearchError, SearchResult, Sink,
};
use crate::json::JsonStr;
use crate::openai::item::{Annotation, OutputSearch, OutputText};
use crate::openai::search::SearchAnswer;

/// What the client allows a search to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRules {
    /// The function by which a model without hosted search asks for one.
    pub function: Option<&'static str>,
    /// If there are any, results from other domains are left out.
    pub allowed_domains: Vec<String>,
    /// Results from these domains are left out (R41).
    pub blocked_domains: Vec<String>,
    /// More searches than this are an error (S26).
    pub max_uses: Option<u64>,
}

impl SearchRules {
    fn allow(&self, url: &str) -> bool {
        (self.allowed_domains.is_empty() || is_within(url, &self.allowed_domains))
            && !is_within(url, &self.blocked_domains)
    }
}

/// A search that the model asks for and somebody else makes: the search endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The call's id.
    pub call_id: String,
    /// What to search for.
    pub query: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The endpoint's answer.
    Answer(SearchAnswer),
    /// The endpoint is busy.
    Busy,
    /// No answer, in words for the model.
    Failed(String),
}

/// All searches of an answer.
#[derive(Debug, Default)]
pub(super) struct Searches {
    /// Titles by address, from citations.
    titles: HashMap<String, String>,
    /// Cited addresses in order.
    cited: Vec<String>,
    /// Addresses that the client has seen (S23).
    listed: HashSet<String>,
    /// Searches that were made (S25).
    pub(super) made: u64,
    /// Searches that the client was told of, whatever came of them.
    shown: u64,
    /// Searches beyond the client's limit.
    pub(super) refused: u64,
}

/// One search, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Search {
    query: String,
    urls: Vec<(String, Option<String>)>,
    opened_page: bool,
    failed: bool,
}

impl Search {
    pub(super) fn of(call: &OutputSearch<'_>) -> Self {
        let action = call.action.clone().unwrap_or_default();
        let queries = action.queries.unwrap_or_default();
        let query = action.query.or_else(|| queries.into_iter().next()).unwrap_or_default();
        let sources = action.sources.unwrap_or_default();
        let found = sources
            .into_iter()
            .map(|source| (source.url.into_owned(), source.title.map(|title| title.into_owned())));
        let page = action.url.map(|url| (url.into_owned(), None));
        Self {
            opened_page: page.is_some(),
            query: query.into_owned(),
            urls: found.chain(page).filter(|(url, _)| url.starts_with("http")).collect(),
            failed: !matches!(call.status.as_ref(), "completed" | ""),
        }
    }

    /// Sends the call and its result.
    pub(super) fn send(
        &self,
        item_id: &str,
        whole: bool,
        rules: &SearchRules,
        searches: &mut Searches,
        blocks: &mut Blocks,
        sink: &mut impl Sink,
    ) {
        // A search that names no sources: what the text cites is all that is known.
        let found = if self.urls.is_empty() && !self.failed {
            searches.cited.iter().map(|url| (url.clone(), None)).collect()
        } else {
            self.urls.clone()
        };
        let results = searches.results(found, rules);
        if self.opened_page && results.is_empty() {
            return; // the same page again
        }
        let query = if self.query.is_empty() {
            self.urls.first().map(|(url, _)| url.as_str()).unwrap_or_default()
        } else {
            &self.query
        };
        let content = if self.failed || !whole {
            SearchContent::Error(SearchError::new("unavailable"))
        } else if searches.is_over(rules) {
            searches.refused += 1;
            SearchContent::Error(SearchError::new("max_uses_exceeded"))
        } else {
            searches.made += 1;
            SearchContent::Results(results)
        };
        searches.show(item_id, query, content, blocks, sink);
    }
}

impl Searches {
    /// True if the client wants no more searches (S26).
    pub(super) fn is_over(&self, rules: &SearchRules) -> bool {
        rules.max_uses.is_some_and(|most| self.made >= most)
    }

    /// What the endpoint found, or why it did not: for the client, and in words for the model.
    pub(super) fn found(&mut self, found: Option<Found>, rules: &SearchRules) -> (SearchContent, String) {
        let error = |code, words: &str| (SearchContent::Error(SearchError::new(code)), words.to_owned());
        match found {
            None => {
                self.refused += 1;
                error("max_uses_exceeded", "No more searches are allowed. Answer with what there is.")
            }
            Some(Found::Busy) => error("too_many_requests", "The search failed: too many searches just now."),
            Some(Found::Failed(words)) => error("unavailable", &format!("The search failed: {words}")),
            Some(Found::Answer(answer)) => {
                let pages = answer.pages();
                if pages.is_empty() {
                    // An address is never invented (DECISIONS 15).
                    return (SearchContent::Error(SearchError::new("unavailable")), answer.output);
                }
                self.made += 1;
                let pages = pages.into_iter().map(|page| (page.url, page.title)).collect();
                (SearchContent::Results(self.results(pages, rules)), answer.output)
            }
        }
    }

    /// The pages that the client may see and has not seen, with the best titles there are (S23).
    fn results(&mut self, found: Vec<(String, Option<String>)>, rules: &SearchRules) -> Vec<SearchResult> {
        let mut results = Vec::new();
        for (url, title) in found {
            if rules.allow(&url) && self.listed.insert(url.clone()) {
                let title = title.or_else(|| self.titles.get(&url).cloned());
                results.push(SearchResult::new(title.unwrap_or_else(|| name_of(&url)), url));
            }
        }
        results
    }

    /// Sends a call and its result.
    pub(super) fn show(
        &mut self,
        item_id: &str,
        query: &str,
        content: SearchContent,
        blocks: &mut Blocks,
        sink: &mut impl Sink,
    ) {
        self.shown += 1;
        let id = format!("srvtoolu_{}", short_hash(&format!("{item_id}{}", self.shown), 12));
        let input = serde_json::json!({ "query": query }).to_string();
        blocks.start(BlockStart::ServerToolUse { id: &id, name: "web_search", input: EmptyObject {} }, sink);
        blocks.delta(Delta::InputJsonDelta { partial_json: JsonStr::from(input) }, sink);
        blocks.start(BlockStart::WebSearchToolResult { tool_use_id: &id, content }, sink);
        blocks.stop(sink);
    }

    /// What a text cites: titles for the results, and the citations for the text's block. Positions count characters
    /// (S24).
    pub(super) fn citations(&mut self, text: &OutputText<'_>) -> Vec<Citation> {
        let mut citations = Vec::new();
        for annotation in &text.annotations {
            let Annotation::UrlCitation(cited) = annotation else { continue };
            let url = cited.url.clone().into_owned();
            if !self.titles.contains_key(&url) {
                self.cited.push(url.clone());
            }
            let title = if cited.title.is_empty() { name_of(&url) } else { cited.title.clone().into_owned() };
            self.titles.insert(url.clone(), title.clone());
            let length = cited.end_index.saturating_sub(cited.start_index);
            let cited_text: String =
                text.text.to_text().chars().skip(cited.start_index).take(length).collect();
            // A range outside the text supports nothing of it.
            if !cited_text.is_empty() {
                citations.push(Citation::new(url, title, cited_text));
            }
        }
        citations
    }
}

/// Does an address lie in one of these domains, or below it? A domain may name a path (`example.com/blog`).
fn is_within(url: &str, domains: &[String]) -> bool {
    let (host, path) = host_and_path(url);
    domains.iter().any(|domain| {
        let (wanted, below) = host_and_path(domain.trim_start_matches("*."));
        let wanted = wanted.trim_end_matches('.');
        let is_host = host == wanted || host.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('.'));
        let below = below.trim_end_matches('/');
        let is_path =
            path.strip_prefix(below).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        !wanted.is_empty() && is_host && (below.is_empty() || is_path)
    })
}

/// Host in lower case, and path, of an address or of a domain.
fn host_and_path(url: &str) -> (String, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    (host.split(':').next().unwrap_or_default().to_ascii_lowercase(), path)
}

/// A title for a page that nobody named.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_blocks_itself_and_what_is_below_it() {
        let blocked = ["example.com".to_owned()];
        assert!(is_within("https://example.com/a", &blocked));
        assert!(is_within("https://www.example.com:8080", &blocked));
        assert!(!is_within("https://notexample.com/", &blocked));
        assert!(!is_within("https://example.org/?q=example.com", &blocked));
        assert!(!is_within("https://example.com@example.org/", &blocked));
        assert!(is_within("https://u@WWW.Example.com?x", &blocked));
        let parts = ["*.Example.com/blog/".to_owned(), String::new()];
        assert!(is_within("https://example.com/blog", &parts));
        assert!(is_within("https://a.example.com/blog/1", &parts));
        assert!(!is_within("https://example.com/blogs", &parts));
        assert!(!is_within("https://other.example/", &parts));
    }
}
