//! What a request is for, as far as its form tells (`claude-code.md` §§3, 6–10, 13). Claude Code says it nowhere in so
//! many words; what is looked for here was measured with 2.1.329.

use dragoman_protocol::anthropic::block::{Block, ToolResultBlock};
use dragoman_protocol::anthropic::request::{Content, MessagesRequest};
use dragoman_protocol::translate::is_compaction;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::Rules;
use crate::reminders::reminders;

/// A kind of request that may have a rule of its own. If several hold, the first in this order with a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// The API's web search is offered.
    WebSearch,
    /// The conversation is to be summed up, to go on with less.
    Compact,
    /// The conversation is longer than the rules' limit.
    LongContext,
    /// There is a picture in the conversation.
    Image,
    /// Titles, page summaries, and whatever asks for Haiku.
    Background,
    /// A subagent works.
    Subagent,
    /// Plan mode, or thinking with a budget.
    Think,
}

impl Scenario {
    /// All, in their order.
    pub const ALL: [Self; 7] = [
        Self::WebSearch,
        Self::Compact,
        Self::LongContext,
        Self::Image,
        Self::Background,
        Self::Subagent,
        Self::Think,
    ];

    /// The name, as in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSearch => "web_search",
            Self::Compact => "compact",
            Self::LongContext => "long_context",
            Self::Image => "image",
            Self::Background => "background",
            Self::Subagent => "subagent",
            Self::Think => "think",
        }
    }
}

/// What a request wants beside a model, and which scenarios hold for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The priority tier is asked for.
    pub fast: bool,
    /// The web search is offered.
    pub search: bool,
    /// Scenarios that hold, in their order.
    pub scenarios: Vec<Scenario>,
}

impl Facts {
    /// The facts of one scenario, to see what it would get.
    pub fn of_scenario(scenario: Scenario) -> Self {
        Self { fast: false, search: scenario == Scenario::WebSearch, scenarios: vec![scenario] }
    }

    /// Looks at a request. `tokens`: its size, estimated. What costs a look through the conversation is done only if a
    /// rule asks for it.
    pub(crate) fn of(headers: &HeaderMap, request: &MessagesRequest<'_>, tokens: u64, rules: &Rules) -> Self {
        let search = request.web_search().is_some();
        let agent = headers.contains_key("x-claude-code-agent-id");
        let holds = |scenario: &Scenario| match scenario {
            Scenario::WebSearch => search,
            Scenario::Compact => is_compaction(request),
            Scenario::LongContext => tokens > rules.long_context_over,
            Scenario::Image => rules.has(Scenario::Image) && shows_a_picture(request),
            Scenario::Background => !agent && (is_aside(headers, request) || super::asks_for_haiku(request)),
            Scenario::Subagent => agent,
            Scenario::Think => rules.has(Scenario::Think) && (has_a_budget(request) || plans(request)),
        };
        let scenarios = Scenario::ALL.iter().filter(|scenario| holds(scenario)).copied().collect();
        Self { fast: request.wants_speed(), search, scenarios }
    }
}

/// Titles and page summaries: Claude Code's own, without tools and without thinking. Its judge in auto mode looks the
/// same but for the sequence it stops at, and is not: its verdict guards the user, so it keeps the model it asks for.
fn is_aside(headers: &HeaderMap, request: &MessagesRequest<'_>) -> bool {
    let named = headers.contains_key("x-claude-code-session-id");
    let stops = request.stop_sequences.as_ref().is_some_and(|sequences| !sequences.is_empty());
    named && request.tools.is_empty() && request.thinking.is_none() && !stops
}

fn has_a_budget(request: &MessagesRequest<'_>) -> bool {
    // `adaptive` comes with every request of Claude Code and tells nothing.
    request.thinking.as_ref().is_some_and(|thinking| thinking.kind == "enabled")
}

/// Is plan mode on? Claude Code tells the model when it begins and when it ends. The last of it counts.
fn plans(request: &MessagesRequest<'_>) -> bool {
    const BEGINS: [&str; 3] = ["Plan mode is active", "Plan mode still active", "## Re-entering Plan Mode"];
    const ENDS: &str = "## Exited Plan Mode";
    let told = |text: &str| {
        let begun = BEGINS.iter().filter_map(|words| text.rfind(words)).max();
        match (begun, text.rfind(ENDS)) {
            (None, None) => None,
            (begun, ended) => Some(begun > ended),
        }
    };
    reminders(request).find_map(|text| told(&text)).unwrap_or_default()
}

fn shows_a_picture(request: &MessagesRequest<'_>) -> bool {
    fn is_picture(block: &Block<'_>) -> bool {
        match block {
            Block::Image(_) => true,
            Block::ToolResult(result) => holds_a_picture(result),
            _ => false,
        }
    }
    fn holds_a_picture(result: &ToolResultBlock<'_>) -> bool {
        match &result.content {
            Some(Content::Blocks(blocks)) => blocks.iter().any(is_picture),
            Some(Content::Text(_)) | None => false,
        }
    }
    request.messages.iter().any(|message| match &message.content {
        Content::Blocks(blocks) => blocks.iter().any(is_picture),
        Content::Text(_) => false,
    })
}
