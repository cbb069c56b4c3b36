//! The backend's web searches → `server_tool_use` and `web_search_tool_result` (S21–S26).
//!
//! The backend tells the addresses with the search and the titles only with the text that cites them, so a search waits
//! until the answer is over. Not here: asking for a search (`tools.rs`).

use std::collections::{HashMap, HashSet};

use super::super::envelope::short_hash;
use super::slot::Blocks;
use crate::anthropic::event::{
    BlockStart, Citation, Delta, EmptyObject, SearchContent, SearchError, SearchResult, Sink,
};
use crate::json::JsonStr;
use crate::openai::item::{Annotation, OutputSearch, OutputText};

/// What the client allows a search to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRules {
    /// Results from these domains are left out (R41).
    pub blocked_domains: Vec<String>,
    /// More searches than this are an error (S26).
    pub max_uses: Option<u64>,
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
        let mut results: Vec<SearchResult> = Vec::new();
        for (url, title) in found {
            if is_blocked(&url, &rules.blocked_domains) || !searches.listed.insert(url.clone()) {
                continue;
            }
            let title = title.or_else(|| searches.titles.get(&url).cloned());
            results.push(SearchResult::new(title.unwrap_or_else(|| name_of(&url)), url));
        }
        if self.opened_page && results.is_empty() {
            return; // the same page again
        }
        let query = if self.query.is_empty() {
            self.urls.first().map(|(url, _)| url.clone()).unwrap_or_default()
        } else {
            self.query.clone()
        };
        let content = if self.failed || !whole {
            SearchContent::Error(SearchError::new("unavailable"))
        } else if rules.max_uses.is_some_and(|most| searches.made >= most) {
            SearchContent::Error(SearchError::new("max_uses_exceeded"))
        } else {
            searches.made += 1;
            SearchContent::Results(results)
        };
        let id = format!("srvtoolu_{}", short_hash(&format!("{item_id}{}", searches.made), 12));
        let input = serde_json::json!({ "query": query }).to_string();
        blocks.start(BlockStart::ServerToolUse { id: &id, name: "web_search", input: EmptyObject {} }, sink);
        blocks.delta(Delta::InputJsonDelta { partial_json: JsonStr::from(input) }, sink);
        blocks.start(BlockStart::WebSearchToolResult { tool_use_id: &id, content }, sink);
    }
}

impl Searches {
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
            let cited_text = text.text.to_text().chars().skip(cited.start_index).take(length).collect();
            citations.push(Citation::new(url, title, cited_text));
        }
        citations
    }
}

fn is_blocked(url: &str, domains: &[String]) -> bool {
    let host = host_of(url);
    domains.iter().any(|domain| {
        let domain = host_of(domain);
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    })
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
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
        assert!(is_blocked("https://example.com/a", &blocked));
        assert!(is_blocked("https://www.example.com:8080", &blocked));
        assert!(!is_blocked("https://notexample.com/", &blocked));
        assert!(!is_blocked("https://example.org/?q=example.com", &blocked));
    }
}
