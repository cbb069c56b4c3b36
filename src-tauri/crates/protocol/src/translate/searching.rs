//! Web search for models without a hosted one: they get a function, and what they ask it is asked of the search
//! endpoint by us, within the same answer (DECISIONS 15).
//!
//! Here: the function, what goes to the endpoint, and the items that the next request to the model has beside the
//! client's. Not here: the blocks that the client sees (`response/search.rs`), the rounds themselves (proxy).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::anthropic::block::Block;
use crate::anthropic::request::{Content, MessagesRequest, Role as ClientRole};
use crate::json::JsonStr;
use crate::openai::item::{OutputItem, OutputPart};
use crate::openai::request::{Arguments, CallOutput, InputItem, InputPart, Role, Schema, SummaryPart, Tool};
use crate::openai::search::SearchRequest;

/// What the function is called, unless the client has a tool of that name (R40).
const NAMES: [&str; 2] = ["web_search", "search_the_web"];
const DESCRIPTION: &str = "Searches the web and answers with what it finds. Name the pages that you use.";
const PARAMETERS: &str = r#"{"type":"object","properties":{"query":{"type":"string","description":"What to search for"}},"required":["query"],"additionalProperties":false}"#;

/// The name of the function that stands for the client's web search; `None` if it offers none.
pub fn search_function(request: &MessagesRequest<'_>) -> Option<&'static str> {
    request.web_search()?;
    let is_taken = |name: &str| request.tools.iter().any(|tool| !tool.is_server_tool() && tool.name == name);
    NAMES.into_iter().find(|name| !is_taken(name)).or(Some("dragoman_web_search"))
}

/// The function.
pub(super) fn function<'a>(name: &'static str) -> Tool<'a> {
    let parameters = serde_json::from_str::<&'static RawValue>(PARAMETERS).unwrap_or(RawValue::NULL);
    Tool {
        kind: "function",
        name: Cow::Borrowed(name),
        description: Some(JsonStr::from(DESCRIPTION)),
        strict: false,
        parameters: Schema::Raw(parameters),
    }
}

/// The body for the search endpoint, with the client's rules. `session`: its id; `model`: who asks.
pub fn search_body(request: &MessagesRequest<'_>, session: &str, model: &str, query: &str) -> Vec<u8> {
    let tool = request.web_search();
    let domains: Vec<String> = tool
        .and_then(|tool| tool.allowed_domains.as_ref())
        .map(|domains| domains.iter().map(|domain| domain.clone().into_owned()).collect())
        .unwrap_or_default();
    let location = tool.and_then(|tool| tool.user_location).filter(|location| location.get() != "null");
    let input = last_words(request).into_iter().map(|text| InputItem::Message {
        role: Role::User,
        content: vec![InputPart::InputText { text: JsonStr::from(text) }],
    });
    let body = SearchRequest::new(session, model, input.collect(), query, &domains, location);
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The text of the user's last message.
fn last_words(request: &MessagesRequest<'_>) -> Option<String> {
    let message = request.messages.iter().rev().find(|message| message.role == ClientRole::User)?;
    let text = match &message.content {
        Content::Text(text) => text.to_owned_text(),
        Content::Blocks(blocks) => {
            let texts = blocks.iter().filter_map(|block| match block {
                Block::Text(block) => Some(block.text.to_text()),
                _ => None,
            });
            texts.collect::<Vec<_>>().join("\n")
        }
    };
    (!text.trim().is_empty()).then_some(text)
}

/// What the model said and what was found since the client's request: the next request to the model goes on from here.
#[derive(Debug, Clone, Default)]
pub struct Searched(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    /// What only the account that made it can read.
    Reasoning {
        account: String,
        id: String,
        summary: Vec<String>,
        encrypted_content: String,
    },
    Text(Vec<String>),
    Call {
        call_id: String,
        name: String,
        arguments: String,
    },
    Output {
        call_id: String,
        text: String,
    },
}

impl Searched {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The model said this, whole; `account` is the tag of the one that asked.
    pub(super) fn heard(&mut self, item: &OutputItem<'_>, account: &str) {
        let step = match item {
            OutputItem::Reasoning(reasoning) => {
                let Some(encrypted_content) = reasoning.encrypted_content.as_deref() else { return };
                Step::Reasoning {
                    account: account.to_owned(),
                    id: reasoning.id.clone().into_owned(),
                    summary: reasoning.summary.iter().map(|part| part.text.to_owned_text()).collect(),
                    encrypted_content: encrypted_content.to_owned(),
                }
            }
            OutputItem::Message(message) => {
                let texts = message.content.iter().filter_map(|part| match part {
                    OutputPart::Text(text) => Some(text.text.to_owned_text()),
                    OutputPart::Refusal(refusal) => Some(refusal.refusal.to_owned_text()),
                    OutputPart::Unknown { .. } => None,
                });
                Step::Text(texts.filter(|text| !text.is_empty()).collect())
            }
            OutputItem::FunctionCall(call) => Step::Call {
                call_id: call.call_id.clone().into_owned(),
                name: call.name.clone().into_owned(),
                arguments: call
                    .arguments
                    .as_ref()
                    .map(JsonStr::to_owned_text)
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| "{}".to_owned()),
            },
            OutputItem::WebSearchCall(_) | OutputItem::Unknown { .. } => return,
        };
        if !matches!(&step, Step::Text(texts) if texts.is_empty()) {
            self.0.push(step);
        }
    }

    /// This was found, or why nothing was.
    pub(super) fn answered(&mut self, call_id: &str, text: &str) {
        self.0.push(Step::Output { call_id: call_id.to_owned(), text: text.to_owned() });
    }

    /// The items of the next request, for an account. `reasoning`: false leaves it out, the backend could not read it.
    pub(super) fn items<'a>(
        &'a self,
        reasoning: bool,
        account: &'a str,
    ) -> impl Iterator<Item = InputItem<'a>> {
        self.0.iter().filter_map(move |step| match step {
            Step::Reasoning { account: of, .. } if !reasoning || of != account => None,
            Step::Reasoning { id, summary, encrypted_content, .. } => Some(InputItem::Reasoning {
                id: Cow::Borrowed(id),
                summary: summary
                    .iter()
                    .map(|text| SummaryPart { kind: "summary_text", text: JsonStr::from(text.as_str()) })
                    .collect(),
                encrypted_content: Cow::Borrowed(encrypted_content),
            }),
            Step::Text(texts) => Some(InputItem::Message {
                role: Role::Assistant,
                content: texts
                    .iter()
                    .map(|text| InputPart::OutputText { text: JsonStr::from(text.as_str()) })
                    .collect(),
            }),
            Step::Call { call_id, name, arguments } => Some(InputItem::FunctionCall {
                call_id: Cow::Borrowed(call_id),
                name: Cow::Borrowed(name),
                arguments: Arguments::Original(arguments),
            }),
            Step::Output { call_id, text } => Some(InputItem::FunctionCallOutput {
                call_id: Cow::Borrowed(call_id),
                output: CallOutput::Text(JsonStr::from(text.as_str())),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_goes_on_only_with_the_account_that_made_it() {
        let mut searched = Searched::default();
        for item in [
            r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"sealed"}"#,
            r#"{"type":"function_call","id":"fc_1","call_id":"call_1","name":"web_search","arguments":"{}"}"#,
        ] {
            searched.heard(&serde_json::from_str(item).unwrap(), "first");
        }
        searched.answered("call_1", "found");
        let kinds = |reasoning, account| {
            let items = searched.items(reasoning, account);
            items.map(|item| matches!(item, InputItem::Reasoning { .. })).collect::<Vec<_>>()
        };
        assert_eq!(kinds(true, "first"), [true, false, false]);
        assert_eq!(kinds(true, "second"), [false, false], "call and result stay together");
        assert_eq!(kinds(false, "first"), [false, false]);
    }
}
