//! Arbitrary Messages requests, grown from bytes: every choice takes the next byte, and a choice without one takes the
//! simplest way. So a property test can shrink them and a fuzzer can steer them, with one generator for both.
//!
//! What grows here is what the Messages API allows, or what clients send all the same (orphans, repeated ids, odd names,
//! lone surrogates). Where a request asks for something that may be refused in words, [`Grown::refusable`] says so.

use dragoman_protocol::translate::Envelope;
use serde_json::{Map, Value, json};

/// The ciphertexts that the backend would know again.
pub(crate) const ISSUED: [&str; 3] = ["Y2lwaGVyLTE=", "Y2lwaGVyLTI=", "Y2lwaGVyLTM="];
/// The account's tag in envelopes of ours.
pub(crate) const ACCOUNT: &str = "0011aabb";

/// A request.
#[derive(Debug)]
pub(crate) struct Grown {
    /// Its JSON text.
    pub(crate) text: String,
    /// It asks for something that may be refused.
    pub(crate) refusable: bool,
    /// Every text in it that must not get lost, with the place where it stands.
    pub(crate) leaves: Vec<Leaf>,
}

/// A text that must not get lost.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The text, unlike any other.
    pub(crate) mark: String,
    /// E.g. `messages.3.content.0`.
    pub(crate) place: String,
    /// It stands in a thinking block.
    pub(crate) thinking: bool,
}

/// Grows the request of these bytes for a model.
pub(crate) fn grow(bytes: &[u8], model: &str) -> Grown {
    let mut grower =
        Grower { bytes, model, refusable: false, leaves: Vec::new(), place: String::new(), depth: 0 };
    let request = grower.request();
    // A JSON value can't hold half a surrogate pair: it is written in afterwards.
    let text = request.to_string().replace(HALF, "\\ud83d");
    Grown { text, refusable: grower.refusable, leaves: grower.leaves }
}

/// Stands for half of a surrogate pair until the text is written.
const HALF: &str = "\u{e0d8}";

const IDS: [&str; 9] = [
    "toolu_1",
    "toolu_2",
    "toolu_1-2",
    "call_AbC123|fc_0d1",
    "",
    "toolu_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "toolu_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    "id with spaces é",
    "toolu_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

const NAMES: [&str; 12] = [
    "Bash",
    "Read",
    "Edit",
    "mcp__server__tool",
    "mcp__xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx__a",
    "mcp__xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx__b",
    "web_search",
    "name.with.dots",
    "name with dots",
    "ünïcode",
    "StructuredOutput",
    "WebSearch",
];

struct Grower<'a> {
    bytes: &'a [u8],
    model: &'a str,
    refusable: bool,
    leaves: Vec<Leaf>,
    place: String,
    depth: usize,
}

impl Grower<'_> {
    // === choices ===

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// One of so many ways; 0 is the simplest.
    fn way(&mut self, of: usize) -> usize {
        usize::from(self.byte()) % of
    }

    /// Once in so many times.
    fn rarely(&mut self, of: u8) -> bool {
        self.byte() % of == of - 1
    }

    fn one<'b>(&mut self, of: &[&'b str]) -> &'b str {
        of[self.way(of.len())]
    }

    fn refuse<T>(&mut self, value: T) -> T {
        self.refusable = true;
        value
    }

    // === texts ===

    /// A text that must arrive.
    fn text(&mut self) -> String {
        self.mark(false)
    }

    fn mark(&mut self, thinking: bool) -> String {
        let mark = format!("«{}»", self.leaves.len());
        self.leaves.push(Leaf { mark: mark.clone(), place: self.place.clone(), thinking });
        let around = match self.way(10) {
            0..=4 => "",
            5 => "grüße 🎉 中文 ",
            6 => "\u{0}\u{1f}\"\\/\n\r\t\u{2028}\u{7f} ",
            7 => HALF,
            8 => "{\"type\":\"image\"} ",
            _ => "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools. ",
        };
        format!("{around}{mark}")
    }

    /// A text that may be blank.
    fn perhaps_text(&mut self) -> String {
        match self.way(6) {
            0..=3 => self.text(),
            4 => String::new(),
            _ => " \n\t ".to_owned(),
        }
    }

    /// Any JSON, its strings marked.
    fn any(&mut self) -> Value {
        if self.depth > 3 {
            return json!(1);
        }
        self.depth += 1;
        let value = match self.way(8) {
            0 | 1 => json!(self.text()),
            2 => json!(-0.5e-7),
            3 => json!(null),
            4 => json!(true),
            5 => (0..self.way(4)).map(|_| self.any()).collect(),
            _ => self.object(),
        };
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Value {
        let keys = ["command", "file_path", "pages", "b", "a", "é\"", ""];
        let members: Map<String, Value> =
            (0..self.way(4)).map(|_| (self.one(&keys).to_owned(), Value::Null)).collect();
        let mut filled = Map::new();
        for key in members.keys() {
            filled.insert(key.clone(), self.any());
        }
        Value::Object(filled)
    }

    // === the request ===

    fn request(&mut self) -> Value {
        let mut request = json!({ "model": "claude-opus-5-5", "max_tokens": 1024 });
        let count = 1 + self.way(6);
        let messages: Vec<Value> = (0..count).map(|m| self.message(m)).collect();
        request["messages"] = json!(messages);
        if let Some(system) = self.system() {
            request["system"] = system;
        }
        let (tools, names) = self.tools();
        if !tools.is_empty() || self.rarely(8) {
            request["tools"] = json!(tools);
        }
        if let Some(choice) = self.tool_choice(&names) {
            request["tool_choice"] = choice;
        }
        self.control(&mut request);
        self.extras(&mut request);
        request
    }

    fn system(&mut self) -> Option<Value> {
        self.place = "system".to_owned();
        match self.way(5) {
            0 => None,
            1 => Some(json!(self.perhaps_text())),
            2 => {
                self.place = "system".to_owned();
                let text = self.text();
                Some(json!(format!("x-anthropic-billing-header: cc_version=2.1.329.1a2;\r\n{text}")))
            }
            _ => {
                let mut blocks = Vec::new();
                if self.rarely(2) {
                    blocks
                        .push(json!({ "type": "text", "text": "x-anthropic-billing-header: cc_version=2;" }));
                }
                for _ in 0..self.way(4) {
                    self.place = format!("system.{}", blocks.len());
                    let mut block = json!({ "type": "text", "text": self.perhaps_text() });
                    self.cache(&mut block);
                    blocks.push(block);
                }
                Some(json!(blocks))
            }
        }
    }

    fn message(&mut self, m: usize) -> Value {
        let role = match self.way(8) {
            0..=2 => "user",
            3..=5 => "assistant",
            6 => "system",
            _ => "developer",
        };
        self.place = format!("messages.{m}");
        let mut message = json!({ "role": role });
        message["content"] = if self.rarely(3) {
            json!(self.perhaps_text())
        } else {
            let count = self.way(6);
            let mut blocks = Vec::new();
            for b in 0..count {
                self.place = format!("messages.{m}.content.{b}");
                let block = self.block(role);
                blocks.push(block);
            }
            json!(blocks)
        };
        if self.rarely(6) {
            message["output_config"] = json!({ "effort": self.one(&["low", "max", "nonsense"]) });
        }
        message
    }

    fn cache(&mut self, block: &mut Value) {
        if self.rarely(4) {
            block["cache_control"] = json!({ "type": "ephemeral", "ttl": "1h" });
        }
    }

    /// A block of a message. Any kind may stand with any speaker; the likely ones are likelier.
    fn block(&mut self, role: &str) -> Value {
        let mut block = match (role, self.way(16)) {
            (_, 0 | 5) => json!({ "type": "text", "text": self.perhaps_text() }),
            ("assistant", 1..=4) | (_, 15) => self.tool_use(),
            ("assistant", 6 | 7) => self.thinking(),
            ("assistant", 8) => self.redacted(),
            ("assistant", 9) => self.server_tool_use(),
            ("assistant", 10) => self.search_result(),
            (_, 1..=4) => self.tool_result(),
            (_, 6 | 7) => self.image(),
            (_, 8 | 9) => self.document(),
            (_, 10) => json!({ "type": "tool_reference", "tool_name": self.text() }),
            (_, 11) => self.unknown(),
            (_, 12) => self.server_tool_use(),
            (_, 13) => self.search_result(),
            _ => self.thinking(),
        };
        self.cache(&mut block);
        block
    }

    fn tool_use(&mut self) -> Value {
        let mut call = json!({ "type": "tool_use", "id": self.one(&IDS), "name": self.one(&NAMES) });
        match self.way(6) {
            0 => {}
            1 => call["input"] = Value::Null,
            2 => call["input"] = json!({}),
            _ => call["input"] = self.object(),
        }
        call
    }

    fn tool_result(&mut self) -> Value {
        let mut result = json!({ "type": "tool_result", "tool_use_id": self.one(&IDS) });
        match self.way(8) {
            0 | 1 => result["content"] = json!(self.text()),
            2 => {}
            3 => result["content"] = Value::Null,
            4 => result["content"] = json!(""),
            5 => {
                let text = self.text();
                let data = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
                let shown = json!([{ "type": "text", "text": text }, data]);
                result["content"] = json!(shown.to_string());
            }
            _ => {
                let blocks: Vec<Value> = (0..self.way(4)).map(|_| self.inner_block()).collect();
                result["content"] = json!(blocks);
            }
        }
        if self.rarely(3) {
            result["is_error"] = json!(self.rarely(2));
        }
        result
    }

    /// What stands in a result or in a document.
    fn inner_block(&mut self) -> Value {
        if self.depth > 2 {
            return json!({ "type": "text", "text": self.perhaps_text() });
        }
        self.depth += 1;
        let block = match self.way(9) {
            0 | 1 => json!({ "type": "text", "text": self.perhaps_text() }),
            2 => self.image(),
            3 => json!({ "type": "image", "data": PNG, "mimeType": self.one(&["image/png", "image/bmp"]) }),
            4 => self.document(),
            5 => json!({ "type": "tool_reference", "tool_name": self.text() }),
            6 => self.unknown(),
            7 => self.tool_use(),
            _ => self.tool_result(),
        };
        self.depth -= 1;
        block
    }

    fn image(&mut self) -> Value {
        let source = match self.way(10) {
            0 => json!({ "type": "base64", "media_type": "image/png", "data": PNG }),
            1 => json!({ "type": "base64", "data": "/9j/4AAQSkZJRg==" }),
            2 => json!({ "type": "base64", "media_type": "image/webp", "data": "UklG\nRg AA\r\n" }),
            3 => json!({ "type": "base64", "media_type": "image/svg+xml", "data": PNG }),
            4 => {
                json!({ "type": "base64", "media_type": "image/png", "data": self.one(&["", "§§", "a=b", "  "]) })
            }
            5 => json!({ "type": "url", "url": "https://example.com/a.png?x=\"y\"" }),
            6 => self.refuse(json!({ "type": "url", "url": "file:///etc/passwd" })),
            7 => json!({ "type": "file", "file_id": self.text() }),
            8 => {
                let raw = self.any();
                self.refuse(json!({ "type": "new_kind_of_source", "what": raw }))
            }
            _ => self.refuse(json!({ "type": "text", "data": "not a picture" })),
        };
        json!({ "type": "image", "source": source })
    }

    fn document(&mut self) -> Value {
        let source = match self.way(10) {
            0 => json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK" }),
            1 => json!({ "type": "base64", "data": "JVBE\nRi0x" }),
            2 => {
                json!({ "type": "base64", "media_type": "application/pdf", "data": self.one(&["", "%PDF"]) })
            }
            3 => json!({ "type": "text", "media_type": "text/plain", "data": self.text() }),
            4 => json!({ "type": "content", "content": self.perhaps_text() }),
            5 => {
                let blocks: Vec<Value> = (0..self.way(3)).map(|_| self.inner_block()).collect();
                json!({ "type": "content", "content": blocks })
            }
            6 => json!({ "type": "url", "url": "https://example.com/a.pdf" }),
            7 => self.refuse(json!({ "type": "url", "url": "file:///etc/passwd" })),
            8 => json!({ "type": "file", "file_id": self.text() }),
            _ => json!({ "type": "new_kind_of_source", "what": self.text() }),
        };
        let mut document = json!({ "type": "document", "source": source });
        match self.way(4) {
            0 => {}
            1 => document["title"] = Value::Null,
            2 => document["title"] = json!("  "),
            _ => document["title"] = json!(self.text()),
        }
        if self.rarely(4) {
            document["context"] = json!(self.perhaps_text());
        }
        if self.rarely(4) {
            document["citations"] = json!({ "enabled": true });
        }
        document
    }

    fn unknown(&mut self) -> Value {
        match self.way(3) {
            0 => json!({
                "type": "search_result", "source": "https://example.com/", "title": self.text(),
                "content": [{ "type": "text", "text": self.text() }],
            }),
            1 => json!({ "type": "container_upload", "file_id": self.text() }),
            _ => json!({ "type": "kind_of_tomorrow", "what": self.any() }),
        }
    }

    fn signature(&mut self) -> String {
        let (mut model, mut account, mut item) = (self.model, ACCOUNT, "");
        let mut cipher = ISSUED[self.way(ISSUED.len())];
        let long = "rs_".repeat(30);
        match self.way(10) {
            0..=3 => item = "rs_1",
            4 => item = "rs_2",
            5 => item = &long,
            6 => model = "gpt-of-yesterday",
            7 => account = "ffffffff",
            8 => cipher = "",
            _ => {
                return self
                    .one(&["", "EqQBCgIYAhIM", "dragoman1~00000000~gpt~x~y~z", "dragoman9~"])
                    .to_owned();
            }
        }
        let envelope = Envelope {
            model: model.into(),
            account: account.into(),
            item_id: item.into(),
            encrypted_content: cipher.into(),
        };
        envelope.seal()
    }

    fn thinking(&mut self) -> Value {
        let mut block = json!({ "type": "thinking", "signature": self.signature() });
        match self.way(5) {
            0 | 1 => block["thinking"] = json!(self.mark(true)),
            2 => block["thinking"] = json!(""),
            3 => {}
            _ => {
                block["thinking"] = json!(self.mark(true));
                block["signature"] = json!("");
            }
        }
        block
    }

    fn redacted(&mut self) -> Value {
        json!({ "type": "redacted_thinking", "data": self.signature() })
    }

    fn server_tool_use(&mut self) -> Value {
        let mut call = json!({ "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search" });
        if !self.rarely(4) {
            call["input"] = json!({ "query": self.text() });
        }
        call
    }

    fn search_result(&mut self) -> Value {
        let content = match self.way(3) {
            0 => json!([{
                "type": "web_search_result", "title": self.text(), "url": "https://example.com/",
                "encrypted_content": "opaque", "page_age": null,
            }]),
            1 => json!([]),
            _ => json!({ "type": "web_search_tool_result_error", "error_code": self.text() }),
        };
        json!({ "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": content })
    }

    // === tools ===

    fn tools(&mut self) -> (Vec<Value>, Vec<String>) {
        let (mut tools, mut names) = (Vec::new(), Vec::new());
        for t in 0..self.way(7) {
            self.place = format!("tools.{t}");
            let tool = match self.way(12) {
                0..=8 => {
                    let name = self.one(&NAMES);
                    names.push(name.to_owned());
                    self.client_tool(name)
                }
                9 => {
                    json!({ "name": self.one(&["DeferredToolPlaceholder", "BatchTool"]), "input_schema": {} })
                }
                10 => self.web_search(),
                _ => {
                    let kinds =
                        ["bash_20250124", "code_execution_20260521", "tool_search_tool_regex_20251119"];
                    let kind = self.one(&kinds);
                    self.refuse(json!({ "type": kind, "name": "a_server_tool" }))
                }
            };
            tools.push(tool);
        }
        (tools, names)
    }

    fn client_tool(&mut self, name: &str) -> Value {
        let mut tool = json!({ "name": name });
        match self.way(3) {
            0 => tool["description"] = json!(self.text()),
            1 => tool["description"] = json!(""),
            _ => {}
        }
        match self.way(12) {
            0..=2 => {
                tool["input_schema"] =
                    json!({ "type": "object", "properties": { "a": { "type": "string" } } })
            }
            3 => tool["input_schema"] = json!({}),
            4 => tool["input_schema"] = Value::Null,
            5 => {
                tool["input_schema"] = json!({
                    "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                    "properties": { "url": { "type": "string", "format": "uri", "description": self.text() } },
                    "additionalProperties": false, "required": ["url"], "$defs": { "x": { "enum": [1, null] } },
                });
            }
            6 => tool["input_schema"] = json!({ "type": ["object", "null"], "properties": {} }),
            7 => {
                let keyword = self.one(&["anyOf", "oneOf", "allOf"]);
                tool["input_schema"] = json!({ "type": "object", "properties": { "a": {} },
                    keyword: [{ "required": ["a"], "description": self.text() }, { "required": ["b"] }] });
            }
            8 => tool["input_schema"] = json!({ "type": "object", "not": { "required": [self.text()] } }),
            9 => tool["input_schema"] = json!({ "type": "string", "description": self.text() }),
            10 => tool["input_schema"] = json!({ "type": "object", "properties": null }),
            _ => tool["input_schema"] = self.refuse(json!(["no schema"])),
        }
        for (member, value) in [
            ("cache_control", json!({ "type": "ephemeral" })),
            ("defer_loading", json!(true)),
            ("eager_input_streaming", json!(true)),
            ("strict", json!(true)),
            ("type", json!("custom")),
            ("allowed_callers", json!(["direct"])),
        ] {
            if self.rarely(5) {
                tool[member] = value;
            }
        }
        tool
    }

    fn web_search(&mut self) -> Value {
        // A model that can't search refuses in words.
        self.refusable = true;
        let mut tool = json!({ "type": self.one(&["web_search_20250305", "web_search_20260209"]), "name": "web_search" });
        for (member, value) in [
            ("max_uses", json!(3)),
            ("allowed_domains", json!(["example.com"])),
            ("blocked_domains", json!(["blocked.example"])),
            ("user_location", json!({ "type": "approximate", "country": "CH", "city": null })),
            ("allowed_domains", json!([])),
            ("user_location", json!(null)),
        ] {
            if self.rarely(3) {
                tool[member] = value;
            }
        }
        tool
    }

    fn tool_choice(&mut self, names: &[String]) -> Option<Value> {
        let mut choice = match self.way(8) {
            0..=2 => return None,
            3 => json!({ "type": "auto" }),
            4 => json!({ "type": "any" }),
            5 => json!({ "type": "none" }),
            6 if !names.is_empty() => {
                let at = self.way(names.len());
                json!({ "type": "tool", "name": names[at] })
            }
            _ => self.refuse(json!({ "type": "tool", "name": "no such tool" })),
        };
        if self.rarely(3) {
            choice["disable_parallel_tool_use"] = json!(self.rarely(2));
        }
        Some(choice)
    }

    // === the rest ===

    fn control(&mut self, request: &mut Value) {
        match self.way(7) {
            0 => {}
            1 => request["thinking"] = json!({ "type": "disabled" }),
            2 => request["thinking"] = json!({ "type": "adaptive", "display": "updates" }),
            3 => request["thinking"] = json!({ "type": "adaptive", "display": "omitted" }),
            4 => {
                request["thinking"] =
                    json!({ "type": "enabled", "budget_tokens": u64::from(self.byte()) * 512 })
            }
            5 => request["thinking"] = Value::Null,
            _ => request["thinking"] = json!({ "type": "mode_of_tomorrow" }),
        }
        if self.rarely(2) {
            let words = ["low", "medium", "high", "xhigh", "max", "none", "minimal", "ultra", "très", ""];
            request["output_config"] = json!({ "effort": self.one(&words) });
        }
        let schema = match self.way(10) {
            0..=4 => return,
            5 => json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
                "additionalProperties": false }),
            6 => json!({ "type": "object", "properties": { "a": { "type": "string", "format": "uri" },
                "b": { "type": "array", "items": { "type": "object", "properties": { "c": {} } } } } }),
            7 => json!({ "type": "array", "items": { "type": "integer", "minimum": 3 } }),
            8 => json!({ "$ref": "#/$defs/t", "$defs": { "t": { "type": "object", "properties": {} } } }),
            _ => json!({}),
        };
        let format = json!({ "type": "json_schema", "schema": schema });
        if self.rarely(3) {
            request["output_format"] = format;
        } else {
            request["output_config"]["format"] = format;
        }
    }

    fn extras(&mut self, request: &mut Value) {
        for (member, value) in [
            ("stream", json!(true)),
            ("temperature", json!(1)),
            ("top_p", json!(0.9)),
            ("top_k", json!(40)),
            ("stop_sequences", json!(["</block>", ""])),
            ("metadata", json!({ "user_id": "{\"session_id\":\"x\"}" })),
            ("service_tier", json!("auto")),
            ("speed", json!("fast")),
            (
                "context_management",
                json!({ "edits": [{ "type": "clear_thinking_20251015", "keep": "all" }] }),
            ),
            ("mcp_servers", json!([])),
            ("container", json!(null)),
            ("member_of_tomorrow", json!({ "a": [1, { "b": null }] })),
            ("thread", json!(null)),
            ("safeguards", json!([])),
        ] {
            if self.rarely(5) {
                request[member] = value;
            }
        }
        if self.rarely(12) {
            request["thread"] = self.refuse(json!({ "type": "create" }));
        }
        if self.rarely(12) {
            request["safeguards"] = self.refuse(json!([{ "type": "dangerous_tool_use" }]));
        }
    }
}

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
