//! A Responses request as tests and rules look at it: who said what, whichever dialect carried it.

use serde_json::Value;

use super::body::list;

/// One piece of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text of the user or of the model.
    Text(String),
    /// A reasoning summary.
    Thinking(String),
    /// A tool call of the model.
    Call {
        /// The call id.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments, parsed where they are JSON.
        arguments: Value,
    },
    /// What a tool answered.
    Output {
        /// The call id.
        id: String,
        /// Its text, parts joined by line feeds.
        text: String,
        /// Number of images in it.
        images: usize,
        /// Number of files in it.
        documents: usize,
    },
    /// An image outside of tool outputs.
    Image,
    /// A file outside of tool outputs.
    Document,
    /// Anything else, by its type.
    Other(String),
}

/// Who said a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The user, or a tool on the user's side.
    User,
    /// The model.
    Model,
}

/// The abstract form of one request to `/codex/responses`.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The upstream model.
    pub model: String,
    /// `instructions` and all developer messages.
    pub system: String,
    /// Everything else in order.
    pub parts: Vec<(Speaker, Part)>,
    /// Names of the offered client tools.
    pub tools: Vec<String>,
    /// Types of the offered hosted tools.
    pub hosted_tools: Vec<String>,
    /// `reasoning.effort`.
    pub effort: Option<String>,
    /// Whether a JSON schema is asked for.
    pub format: bool,
}

impl View {
    pub(crate) fn of(body: &Value) -> Self {
        let mut view = Self {
            model: text_of(&body["model"]),
            system: text_of(&body["instructions"]),
            effort: body["reasoning"]["effort"].as_str().map(str::to_owned),
            format: body["text"]["format"]["type"] == "json_schema",
            ..Self::default()
        };
        for tool in super::body::tools(body) {
            match tool["type"].as_str() {
                Some("function" | "custom") => view.tools.push(text_of(&tool["name"])),
                Some(other) => view.hosted_tools.push(other.to_owned()),
                None => {}
            }
        }
        for item in list(&body["input"]) {
            view.take(item);
        }
        view
    }

    fn take(&mut self, item: &Value) {
        let kind = super::body::kind(item);
        let id = || text_of(&item["call_id"]);
        match kind {
            "message" if matches!(item["role"].as_str(), Some("developer" | "system")) => {
                self.system.push('\n');
                self.system.push_str(&text_of(&item["content"]));
            }
            "message" => {
                let speaker = if item["role"] == "assistant" { Speaker::Model } else { Speaker::User };
                match &item["content"] {
                    Value::String(text) => self.parts.push((speaker, Part::Text(text.clone()))),
                    parts => {
                        for part in list(parts) {
                            let part = match part["type"].as_str().unwrap_or_default() {
                                "input_text" | "output_text" => Part::Text(text_of(&part["text"])),
                                "input_image" => Part::Image,
                                "input_file" => Part::Document,
                                other => Part::Other(other.to_owned()),
                            };
                            self.parts.push((speaker, part));
                        }
                    }
                }
            }
            "function_call" | "custom_tool_call" => {
                let raw = item["arguments"].as_str().or(item["input"].as_str()).unwrap_or_default();
                let arguments = serde_json::from_str(raw).unwrap_or_else(|_| raw.into());
                self.parts
                    .push((Speaker::Model, Part::Call { id: id(), name: text_of(&item["name"]), arguments }));
            }
            "function_call_output" | "custom_tool_call_output" => {
                let count = |kind: &str| list(&item["output"]).filter(|part| part["type"] == kind).count();
                let part = Part::Output {
                    id: id(),
                    text: text_of(&item["output"]),
                    images: count("input_image"),
                    documents: count("input_file"),
                };
                self.parts.push((Speaker::User, part));
            }
            "reasoning" => self.parts.push((Speaker::Model, Part::Thinking(text_of(&item["summary"])))),
            "additional_tools" => {}
            other => self.parts.push((Speaker::Model, Part::Other(other.to_owned()))),
        }
    }

    /// The parts after the model's last word.
    pub fn latest(&self) -> impl Iterator<Item = &Part> + Clone {
        let start = self.parts.iter().rposition(|(who, _)| *who == Speaker::Model).map_or(0, |at| at + 1);
        self.parts[start..].iter().map(|(_, part)| part)
    }

    /// Text and tool outputs after the model's last word.
    pub fn last_user(&self) -> String {
        joined(self.latest())
    }

    /// Tool outputs after the model's last word.
    pub fn last_output(&self) -> String {
        joined(self.latest().filter(|part| matches!(part, Part::Output { .. })))
    }

    /// The first thing the user said, up to the model's first word.
    pub fn first_user(&self) -> String {
        joined(self.parts.iter().take_while(|(who, _)| *who == Speaker::User).map(|(_, part)| part))
    }

    /// All text of the conversation, without the system text.
    pub fn text(&self) -> String {
        joined(self.parts.iter().map(|(_, part)| part))
    }

    /// System text and conversation.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.system, self.text())
    }

    /// The text of one tool output.
    pub fn output(&self, call: &str) -> Option<&str> {
        self.parts.iter().find_map(|(_, part)| match part {
            Part::Output { id, text, .. } if id == call => Some(text.as_str()),
            _ => None,
        })
    }

    /// Call ids in the order in which the model made the calls.
    pub fn calls(&self) -> Vec<&str> {
        fn id((_, part): &(Speaker, Part)) -> Option<&str> {
            match part {
                Part::Call { id, .. } => Some(id),
                _ => None,
            }
        }
        self.parts.iter().filter_map(id).collect()
    }

    /// Number of images anywhere.
    pub fn images(&self) -> usize {
        self.parts.iter().map(|(_, part)| images(part)).sum()
    }

    /// Number of files anywhere.
    pub fn documents(&self) -> usize {
        self.parts.iter().map(|(_, part)| documents(part)).sum()
    }
}

pub(crate) fn images(part: &Part) -> usize {
    match part {
        Part::Image => 1,
        Part::Output { images, .. } => *images,
        _ => 0,
    }
}

pub(crate) fn documents(part: &Part) -> usize {
    match part {
        Part::Document => 1,
        Part::Output { documents, .. } => *documents,
        _ => 0,
    }
}

fn joined<'a>(parts: impl Iterator<Item = &'a Part>) -> String {
    let text = |part: &'a Part| match part {
        Part::Text(text) | Part::Thinking(text) | Part::Output { text, .. } => Some(text.as_str()),
        _ => None,
    };
    parts.filter_map(text).collect::<Vec<_>>().join("\n")
}

/// The text of a content value: a string, or the `text` of its parts.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
