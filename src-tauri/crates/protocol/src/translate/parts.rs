//! Content blocks → the parts of a message or of a call's output: text, pictures, documents.
//!
//! Not here: messages, calls and reasoning (`content.rs`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::content::{Place, Writer};
use super::notes::What;
use crate::anthropic::block::{
    Block, DocumentBlock, ImageBlock, Source, ToolResultBlock, WebSearchToolResultBlock,
};
use crate::anthropic::request::Content;
use crate::failure::Failure;
use crate::json::JsonStr;
use crate::openai::request::{CallOutput, InputPart};
use crate::route::Dialect;

/// First in the output of a tool that failed (R20).
const ERROR_MARK: &str = "[The tool reported an error]";

impl<'a> Writer<'a, '_> {
    /// A result's content as a call's output: plain text where it is nothing else.
    pub(super) fn output(
        &mut self,
        result: &ToolResultBlock<'a>,
        place: Place<'_>,
    ) -> Result<CallOutput<'a>, Failure> {
        let mut parts = self.result_parts(result, place)?;
        let only_text = parts.iter().all(|part| matches!(part, InputPart::InputText { .. }));
        Ok(match parts.len() {
            0 => CallOutput::Text(JsonStr::from("")),
            1 if only_text => match parts.pop() {
                Some(InputPart::InputText { text }) => CallOutput::Text(text),
                _ => CallOutput::Text(JsonStr::from("")),
            },
            _ if only_text => {
                let texts: Vec<Cow<'_, str>> = parts
                    .iter()
                    .filter_map(|part| match part {
                        InputPart::InputText { text } => Some(text.to_text()),
                        _ => None,
                    })
                    .collect();
                CallOutput::Text(JsonStr::from(texts.join("\n")))
            }
            _ => CallOutput::Parts(parts),
        })
    }

    pub(super) fn result_parts(
        &mut self,
        result: &ToolResultBlock<'a>,
        place: Place<'_>,
    ) -> Result<Vec<InputPart<'a>>, Failure> {
        let mut parts = Vec::new();
        if result.is_error == Some(true) {
            parts.push(InputPart::InputText { text: JsonStr::from(ERROR_MARK) });
        }
        match &result.content {
            Some(Content::Text(text)) if may_hold_pictures(text) => match self.pictures_in(text, place) {
                Some(pictures) => parts.extend(pictures),
                None => parts.push(InputPart::InputText { text: text.clone() }),
            },
            Some(content) => parts.extend(self.content_parts(content, place, "content")?),
            None => {}
        }
        Ok(parts)
    }

    /// The blocks of a result that is JSON in a string, if pictures are among them and nothing but text beside them:
    /// as text their base64 would cost thousands of tokens (R18).
    fn pictures_in(&mut self, text: &JsonStr<'_>, place: Place<'_>) -> Option<Vec<InputPart<'a>>> {
        let text = text.to_text();
        let blocks = serde_json::from_str::<Vec<Block<'_>>>(&text)
            .or_else(|_| serde_json::from_str::<Block<'_>>(&text).map(|block| vec![block]))
            .ok()?;
        let is_picture = |block: &Block<'_>| match block {
            Block::Image(image) => image.data.is_some() || matches!(image.source, Some(Source::Base64(_))),
            _ => false,
        };
        let fits = |block: &Block<'_>| is_picture(block) || matches!(block, Block::Text(_));
        if !blocks.iter().any(is_picture) || !blocks.iter().all(fits) {
            return None;
        }
        let mut parts = Vec::with_capacity(blocks.len());
        for block in &blocks {
            match block {
                Block::Image(image) => parts.push(self.image(image, place).ok()?),
                Block::Text(block) if !block.text.is_empty() => {
                    parts.push(InputPart::InputText { text: JsonStr::from(block.text.to_owned_text()) });
                }
                _ => {}
            }
        }
        Some(parts)
    }

    fn content_parts(
        &mut self,
        content: &Content<'a>,
        place: Place<'_>,
        member: &'static str,
    ) -> Result<Vec<InputPart<'a>>, Failure> {
        match content {
            Content::Text(text) if text.is_empty() => Ok(Vec::new()),
            Content::Text(text) => Ok(vec![InputPart::InputText { text: text.clone() }]),
            Content::Blocks(blocks) => {
                let mut parts = Vec::with_capacity(blocks.len());
                for (b, block) in blocks.iter().enumerate() {
                    let place = place.within(member, b);
                    self.tell(block, place);
                    parts.extend(self.parts(block, place)?);
                }
                Ok(parts)
            }
        }
    }

    /// A block as parts of whatever holds it.
    pub(super) fn parts(
        &mut self,
        block: &Block<'a>,
        place: Place<'_>,
    ) -> Result<Vec<InputPart<'a>>, Failure> {
        Ok(match block {
            Block::Text(block) if block.text.is_empty() => Vec::new(),
            Block::Text(block) => vec![InputPart::InputText { text: block.text.clone() }],
            Block::Image(image) => vec![self.image(image, place)?],
            Block::Document(document) => self.document(document, place)?,
            Block::ToolReference(tool) => {
                vec![text(format!("The tool {} is loaded and can be called now.", tool.tool_name))]
            }
            Block::Thinking(_) | Block::RedactedThinking(_) => {
                self.notes.add(What::Dropped, place.to_string(), "thinking outside of the model's turn");
                Vec::new()
            }
            // Not in a message of its own, so no call: `Pairs` does not count it either.
            Block::ToolUse(call) => {
                vec![self.describe(&format!("tool_use {}", call.name), call.input, place)]
            }
            Block::ToolResult(result) => self.result_parts(result, place)?,
            Block::ServerToolUse(call) => {
                vec![text(format!("[{}] {}", call.name, call.input.map_or("", RawValue::get)))]
            }
            Block::WebSearchToolResult(result) => vec![text(self.found(result, place))],
            Block::SearchResult(result) => {
                let mut parts = vec![text(format!("[Search result: {}]\n{}", result.title, result.source))];
                parts.extend(self.content_parts(&result.content, place, "content")?);
                parts
            }
            Block::Unknown { kind, raw } => vec![self.describe(kind, Some(raw), place)],
        })
    }

    /// Readable text for something that upstream has no word for (R15).
    fn describe(&mut self, kind: &str, raw: Option<&RawValue>, place: Place<'_>) -> InputPart<'a> {
        self.notes.add(What::Described, place.to_string(), format!("a {kind} block became text"));
        text(format!("[{kind}] {}", raw.map_or("", RawValue::get)))
    }

    fn image(&mut self, image: &ImageBlock<'_>, place: Place<'_>) -> Result<InputPart<'a>, Failure> {
        let (media_type, data) = match (&image.source, &image.data) {
            (Some(Source::Base64(source)), _) => (source.media_type.as_deref(), &source.data),
            (None, Some(data)) => (image.mime_type.as_deref(), data),
            (Some(Source::Url(source)), _) => {
                on_the_web(&source.url, place)?;
                return Ok(self.picture(source.url.clone().into_owned()));
            }
            (Some(Source::File(source)), _) => {
                return Ok(self.file_placeholder("image", &source.file_id, place));
            }
            (Some(other), _) => {
                let message = format_args!("an image can't come from a {} source", other.kind());
                return Err(Failure::invalid(format!("{place}.source.type"), message));
            }
            (None, None) => return Err(Failure::invalid(format!("{place}.source"), "field required")),
        };
        let data = data.to_text();
        let media_type = media_type.unwrap_or_else(|| sniff(&data));
        if !matches!(media_type, "image/png" | "image/jpeg" | "image/jpg" | "image/gif" | "image/webp") {
            self.notes.add(What::Described, place.to_string(), format!("an image of type {media_type}"));
            return Ok(text(format!("[An image of type {media_type}, which this model can't read]")));
        }
        if !is_base64(&data) {
            self.notes.add(What::Described, place.to_string(), "an image that is not base64");
            return Ok(text("[An image that can't be read: its data is damaged]".to_owned()));
        }
        Ok(self.picture(data_url(media_type, &data)))
    }

    fn picture(&self, image_url: String) -> InputPart<'a> {
        let detail = match self.reader.dialect {
            Dialect::Classic => Some("original"),
            Dialect::Lite => None,
        };
        InputPart::InputImage { image_url, detail }
    }

    fn document(
        &mut self,
        document: &DocumentBlock<'a>,
        place: Place<'_>,
    ) -> Result<Vec<InputPart<'a>>, Failure> {
        let mut parts = Vec::new();
        let name = document.title.clone().filter(|title| !title.is_blank());
        if let Some(context) = document.context.clone().filter(|context| !context.is_blank()) {
            parts.push(InputPart::InputText { text: context });
        }
        let heading =
            || text(format!("[Document: {}]", name.as_ref().map_or("untitled".into(), JsonStr::to_text)));
        match &document.source {
            Source::Base64(source) if !is_base64(&source.data.to_text()) => {
                self.notes.add(What::Described, place.to_string(), "a document that is not base64");
                parts.push(heading());
                parts.push(text("[The document can't be read: its data is damaged]".to_owned()));
            }
            Source::Base64(source) => {
                let media_type = source.media_type.as_deref().unwrap_or("application/pdf");
                let default_name = if media_type == "application/pdf" { "document.pdf" } else { "document" };
                parts.push(InputPart::InputFile {
                    filename: Some(name.clone().unwrap_or_else(|| JsonStr::from(default_name))),
                    file_data: Some(data_url(media_type, &source.data.to_text())),
                    file_url: None,
                });
            }
            Source::Url(source) => {
                on_the_web(&source.url, place)?;
                // The backend names a file that it fetches by its address.
                parts.extend(name.is_some().then(heading));
                parts.push(InputPart::InputFile {
                    filename: None,
                    file_data: None,
                    file_url: Some(source.url.clone()),
                });
            }
            Source::Text(source) => {
                parts.push(heading());
                parts.push(InputPart::InputText { text: source.data.clone() });
            }
            Source::Content(source) => {
                parts.push(heading());
                parts.extend(self.content_parts(&source.content, place, "source.content")?);
            }
            Source::File(source) => {
                parts.extend(name.is_some().then(heading));
                parts.push(self.file_placeholder("document", &source.file_id, place));
            }
            Source::Unknown { kind, raw } => {
                parts.extend(name.is_some().then(heading));
                let described = format!("document from {kind}");
                parts.push(self.describe(&described, Some(raw), place));
            }
        }
        Ok(parts)
    }

    /// A replayed search in words: the backend has no item for results that it did not find itself (R45).
    fn found(&mut self, result: &WebSearchToolResultBlock<'_>, place: Place<'_>) -> String {
        let Some(pages) = result.pages() else {
            return format!("[The web search failed] {}", result.content.get());
        };
        let mut lines = vec!["[Found on the web]".to_owned()];
        for (n, page) in pages.iter().enumerate() {
            self.notes.rest(format_args!("{place}.content.{n}"), &page.rest);
            lines.push(format!("- {}: {}", page.title, page.url));
        }
        lines.join("\n")
    }

    /// Files in Anthropic's own store can't be reached from here (R11).
    fn file_placeholder(&mut self, what: &str, file_id: &str, place: Place<'_>) -> InputPart<'a> {
        self.notes.add(
            What::Described,
            place.to_string(),
            format!("the {what} {file_id} is stored at Anthropic"),
        );
        text(format!("[The {what} with the file id {file_id}, which can't be read here]"))
    }
}

/// A quick look at a text before anybody reads it as JSON.
fn may_hold_pictures(text: &JsonStr<'_>) -> bool {
    let text = match text {
        JsonStr::Literal(raw) => raw.get().trim_start_matches('"'),
        JsonStr::Text(text) => text.as_ref(),
    };
    text.trim_start().starts_with(['{', '[']) && memchr::memmem::find(text.as_bytes(), b"image").is_some()
}

fn text<'a>(text: String) -> InputPart<'a> {
    InputPart::InputText { text: JsonStr::from(text) }
}

fn data_url(media_type: &str, data: &str) -> String {
    let mut url = String::with_capacity(media_type.len() + data.len() + 13);
    url.push_str("data:");
    url.push_str(media_type);
    url.push_str(";base64,");
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        url.extend(data.chars().filter(|c| !c.is_ascii_whitespace())); // R07
    } else {
        url.push_str(data);
    }
    url
}

/// Other addresses would be this machine's own, or the client's.
fn on_the_web(url: &str, place: Place) -> Result<(), Failure> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    let message = "only http and https addresses can be fetched";
    Err(Failure::invalid(format!("{place}.source.url"), message))
}

/// Is there anything, and nothing but base64? The backend refuses the whole request otherwise, and with it every later
/// one that replays the picture.
fn is_base64(data: &str) -> bool {
    let digits = data.trim_end_matches(|c: char| c == '=' || c.is_ascii_whitespace());
    let legal =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') || byte.is_ascii_whitespace();
    digits.bytes().any(|byte| !byte.is_ascii_whitespace()) && digits.bytes().all(legal)
}

/// The media type by the first bytes, where the client names none (R08).
fn sniff(base64: &str) -> &'static str {
    match base64 {
        data if data.starts_with("/9j/") => "image/jpeg",
        data if data.starts_with("R0lG") => "image/gif",
        data if data.starts_with("UklG") => "image/webp",
        _ => "image/png",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::anthropic::request::MessagesRequest;
    use crate::route::{Dialect, Effort, Route};
    use crate::translate::{Context, Originals, StaleReasoning, ToolOrder, messages_to_responses};

    /// What the output of a call becomes whose result has this content.
    fn output(content: &Value) -> Value {
        let call = json!({ "type": "tool_use", "id": "call_1", "name": "Read", "input": {} });
        let result = json!({ "type": "tool_result", "tool_use_id": "call_1", "content": content });
        let body = json!({ "model": "m", "messages": [
            { "role": "assistant", "content": [call] }, { "role": "user", "content": [result] },
        ] });
        let route = Route::to("m", Dialect::Lite, &[Effort::Low]);
        let (originals, stale) = (Originals::new(), StaleReasoning::new());
        let tools = ToolOrder::default();
        let context = Context::new(&route, &tools, &originals, &stale);
        let text = body.to_string();
        let request = MessagesRequest::parse(&text).unwrap();
        let translated = messages_to_responses(&request, context).unwrap();
        serde_json::to_value(&translated.request).unwrap()["input"][1]["output"].clone()
    }

    #[test]
    fn pictures_in_a_json_string_are_pictures_and_all_other_json_stays_text() {
        let picture = json!({ "type": "image", "data": "iVBO\nRw0=", "mimeType": "image/png" });
        let image = json!({ "type": "input_image", "image_url": "data:image/png;base64,iVBORw0=" });
        let text = json!({ "type": "text", "text": "a \"dot\"" });
        assert_eq!(output(&json!(picture.to_string())), json!([image]));
        assert_eq!(
            output(&json!(json!([text, picture]).to_string())),
            json!([{ "type": "input_text", "text": "a \"dot\"" }, image])
        );
        for other in [
            json!({ "type": "image", "name": "no data" }),
            json!([text]),
            json!([picture, { "type": "audio" }]),
            json!({ "image": 1 }),
        ] {
            assert_eq!(output(&json!(other.to_string())), json!(other.to_string()), "{other}");
        }
        assert_eq!(output(&json!("[image")), json!("[image"));
    }
}
