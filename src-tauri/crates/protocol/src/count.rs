//! How many tokens a request is, by the o200k vocabulary of the models it goes to.
//!
//! Serves `count_tokens` only; `/v1/messages` estimates from the last true usage (DECISIONS 17). The vocabulary is
//! large (24 MB in memory): whoever owns a [`Counter`] decides when to drop it. Not here: threads, caching.

use std::fmt;

use base64::Engine as _;
use tiktoken::CoreBpe;

use crate::anthropic::block::{Block, DocumentBlock, ImageBlock, Source};
use crate::anthropic::request::{Content, MessagesRequest};

/// Tokens of a picture whose size can't be read, and the most that any picture costs.
const LARGEST_IMAGE: u64 = 1_600;
/// Tokens of a PDF page, text and picture together.
const PDF_PAGE: u64 = 2_000;
/// What stands between messages and around a tool or a call: roles and separators.
const FRAME: u64 = 4;
/// Text is counted in pieces of this size, so that no input takes longer than its length.
const PIECE: usize = 256 * 1024;

/// A loaded vocabulary.
pub struct Counter(CoreBpe);

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter(o200k_base)")
    }
}

impl Counter {
    /// Loads the vocabulary; takes some 60 ms.
    pub fn load() -> Self {
        Self(tiktoken::encoding::o200k_base())
    }

    /// Tokens of a text.
    pub fn text(&self, text: &str) -> u64 {
        let mut rest = text;
        let mut tokens = 0;
        while rest.len() > PIECE {
            let mut end = PIECE;
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let end = rest[..end].rfind(char::is_whitespace).filter(|at| *at > PIECE / 2).unwrap_or(end);
            tokens += self.0.count(&rest[..end]) as u64;
            rest = &rest[end..];
        }
        tokens + self.0.count(rest) as u64
    }

    /// Tokens of a whole request.
    pub fn request(&self, request: &MessagesRequest<'_>) -> u64 {
        let system = request.system.as_ref().map_or(0, |system| self.content(system) + FRAME);
        let messages: u64 = request.messages.iter().map(|message| self.content(&message.content)).sum();
        let between = request.messages.len().saturating_sub(1) as u64 * FRAME;
        let tools: u64 = request
            .tools
            .iter()
            .map(|tool| {
                let description = tool.description.as_ref().map_or(0, |text| self.text(&text.to_text()));
                let schema = tool.input_schema.map_or(0, |schema| self.text(schema.get()));
                self.text(&tool.name) + description + schema + FRAME
            })
            .sum();
        system + messages + between + tools
    }

    fn content(&self, content: &Content<'_>) -> u64 {
        match content {
            Content::Text(text) => self.text(&text.to_text()),
            Content::Blocks(blocks) => blocks.iter().map(|block| self.block(block)).sum(),
        }
    }

    fn block(&self, block: &Block<'_>) -> u64 {
        match block {
            Block::Text(block) => self.text(&block.text.to_text()),
            Block::Image(image) => image_tokens(image),
            Block::Document(document) => self.document(document),
            Block::Thinking(block) => sealed(&block.signature) + self.text(&block.thinking.to_text()),
            Block::RedactedThinking(block) => sealed(&block.data),
            Block::ToolUse(call) => {
                let input = call.input.map_or(0, |input| self.text(input.get()));
                self.text(&call.name) + input + FRAME
            }
            Block::ToolResult(result) => {
                result.content.as_ref().map_or(0, |content| self.content(content)) + FRAME
            }
            Block::ToolReference(tool) => self.text(&tool.tool_name) + FRAME,
            Block::ServerToolUse(call) => call.input.map_or(0, |input| self.text(input.get())) + FRAME,
            Block::WebSearchToolResult(result) => self.text(result.content.get()),
            Block::SearchResult(result) => {
                self.text(&result.source) + self.text(&result.title) + self.content(&result.content)
            }
            Block::Unknown { raw, .. } => self.text(raw.get()),
        }
    }

    fn document(&self, document: &DocumentBlock<'_>) -> u64 {
        let source = match &document.source {
            Source::Base64(source) => pdf_pages(&source.data.to_text()) * PDF_PAGE,
            Source::Text(source) => self.text(&source.data.to_text()),
            Source::Content(source) => self.content(&source.content),
            Source::Url(_) | Source::File(_) | Source::Unknown { .. } => PDF_PAGE,
        };
        let around = |text: &Option<crate::json::JsonStr<'_>>| {
            text.as_ref().map_or(0, |text| self.text(&text.to_text()))
        };
        source + around(&document.title) + around(&document.context)
    }
}

/// Tokens of a request, roughly and at once: bytes of text / 4, pictures and pages at their usual price. Never zero: a
/// client takes zero for a missing count (S29).
pub fn estimate(request: &MessagesRequest<'_>) -> u64 {
    let messages: u64 = request.messages.iter().map(|message| weight(&message.content)).sum();
    ((around_messages(request) + messages) / 4).max(1)
}

/// Bytes of system text and tools.
pub(crate) fn around_messages(request: &MessagesRequest<'_>) -> u64 {
    let system = request.system.as_ref().map_or(0, weight);
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            let description = tool.description.as_ref().map_or(0, |text| text.raw_len());
            description + tool.input_schema.map_or(0, |schema| schema.get().len()) + tool.name.len()
        })
        .sum();
    system + tools as u64
}

/// Bytes of text in a content; what is no text counts as four bytes a token.
pub(crate) fn weight(content: &Content<'_>) -> u64 {
    match content {
        Content::Text(text) => text.raw_len() as u64,
        Content::Blocks(blocks) => blocks.iter().map(weight_of).sum(),
    }
}

/// The same of a block.
pub(crate) fn weight_of(block: &Block<'_>) -> u64 {
    match block {
        Block::Text(block) => block.text.raw_len() as u64,
        Block::Image(_) => LARGEST_IMAGE * 4,
        Block::Document(_) => PDF_PAGE * 4,
        Block::Thinking(block) => (block.thinking.raw_len() + block.signature.len() / 2) as u64,
        Block::RedactedThinking(block) => block.data.len() as u64 / 2,
        Block::ToolUse(call) => call.input.map_or(0, |input| input.get().len()) as u64,
        Block::ToolResult(result) => result.content.as_ref().map_or(0, weight),
        Block::ToolReference(_) => FRAME * 4,
        Block::ServerToolUse(call) => call.input.map_or(0, |input| input.get().len()) as u64,
        Block::WebSearchToolResult(result) => result.content.get().len() as u64,
        Block::SearchResult(result) => {
            (result.source.len() + result.title.len()) as u64 + weight(&result.content)
        }
        Block::Unknown { raw, .. } => raw.get().len() as u64,
    }
}

/// Encrypted reasoning: its readable size is about three quarters of the ciphertext less a fixed part (S61).
fn sealed(signature: &str) -> u64 {
    (signature.len() as u64 * 3 / 4).saturating_sub(650) / 4
}

/// Width × height / 750, at most 1,600 (DECISIONS 17).
fn image_tokens(image: &ImageBlock<'_>) -> u64 {
    let data = match (&image.source, &image.data) {
        (Some(Source::Base64(source)), _) => source.data.to_text(),
        (None, Some(data)) => data.to_text(),
        _ => return LARGEST_IMAGE,
    };
    // The size stands near the start, but a JPEG may have a preview before it: 64 kB are enough for that.
    let head: String = data.chars().filter(|c| !c.is_ascii_whitespace()).take(87_380 / 4 * 4).collect();
    let head = &head[..head.len() / 4 * 4];
    let bytes = base64::engine::general_purpose::STANDARD.decode(head).unwrap_or_default();
    image_size(&bytes).map_or(LARGEST_IMAGE, |(width, height)| {
        (u64::from(width) * u64::from(height)).div_ceil(750).clamp(1, LARGEST_IMAGE)
    })
}

/// Width and height of a PNG, GIF, JPEG or WebP, from its header.
fn image_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let be16 = |at: usize| Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let le16 = |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let be32 = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((be32(16)?, be32(20)?));
    }
    if bytes.starts_with(b"GIF8") {
        return Some((le16(6)?, le16(8)?));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return match bytes.get(12..16)? {
            b"VP8X" => {
                let le24 = |at: usize| Some(le16(at)? | u32::from(*bytes.get(at + 2)?) << 16);
                Some((le24(24)? + 1, le24(27)? + 1))
            }
            b"VP8 " => Some((le16(26)? & 0x3fff, le16(28)? & 0x3fff)),
            b"VP8L" => {
                let bits = u32::from_le_bytes(bytes.get(21..25)?.try_into().ok()?);
                Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
            }
            _ => None,
        };
    }
    if bytes.starts_with(b"\xff\xd8") {
        let mut at = 2;
        while let Some(marker) = bytes.get(at + 1) {
            match marker {
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    return Some((be16(at + 7)?, be16(at + 5)?));
                }
                0xff => at += 1,
                0x01 | 0xd0..=0xd9 => at += 2,
                _ => at += 2 + be16(at + 2)? as usize,
            }
        }
    }
    None
}

/// Pages of a PDF: its page objects, where they are not compressed; at least one.
fn pdf_pages(data: &str) -> u64 {
    let compact: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(compact).unwrap_or_default();
    let pages = memchr::memmem::find_iter(&bytes, b"/Type")
        .filter(|at| {
            let rest = bytes[at + 5..].trim_ascii_start();
            rest.starts_with(b"/Page") && rest.get(5) != Some(&b's')
        })
        .count();
    (pages as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_counts() {
        let counter = Counter::load();
        // As js-tiktoken 1.0.21 (npm) counts them with its own copy of o200k_base; 512 is case S61.
        for (text, tokens) in [
            ("", 0),
            ("hello world", 2),
            ("<|endoftext|>", 7),
            ("a".repeat(4096).as_str(), 512),
            ("世界，你好！今天的天气很好。", 9),
            ("日本語のテキストを数えます。", 11),
            ("한국어 문장도 셉니다.", 9),
            ("fn main() { println!(\"héllo 🦀\"); }", 13),
            (r#"{"type":"object","properties":{"file_path":{"type":"string"}}}"#, 15),
        ] {
            assert_eq!(counter.text(text), tokens, "{:.20}", text);
        }
    }

    #[test]
    fn a_huge_text_is_counted_in_pieces_of_about_the_same_sum() {
        let counter = Counter::load();
        let line = "the quick brown fox jumps over the lazy dog\n";
        let (small, large) = (counter.text(&line.repeat(100)), counter.text(&line.repeat(20_000)));
        assert!(large.abs_diff(small * 200) < 50, "{small} {large}");
    }

    #[test]
    fn pictures_cost_by_their_size() {
        let png = |width: u32, height: u32| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            bytes.extend(width.to_be_bytes());
            bytes.extend(height.to_be_bytes());
            bytes
        };
        assert_eq!(image_size(&png(300, 250)), Some((300, 250)));
        assert_eq!(image_size(b"GIF89a\x10\0\x20\0"), Some((16, 32)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\x00\x64\x00\xc8";
        assert_eq!(image_size(jpeg), Some((200, 100)));
        assert_eq!(image_size(b"nothing"), None);
        let data = base64::engine::general_purpose::STANDARD.encode(png(300, 250));
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","data":"{data}"}}}}]}}]}}"#
        );
        let request = MessagesRequest::parse(&body).unwrap();
        assert_eq!(Counter::load().request(&request), 100);
    }

    #[test]
    fn pdf_pages_are_counted() {
        let pdf = "%PDF << /Type /Pages >> << /Type /Page /X >> <</Type/Page>>";
        assert_eq!(pdf_pages(&base64::engine::general_purpose::STANDARD.encode(pdf)), 2);
        assert_eq!(pdf_pages("????"), 1);
    }
}
