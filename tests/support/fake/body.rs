//! What the real backend is reported to refuse of a request's body, as one table: `upstream.md` §b.7, and what the public
//! Responses API is known to refuse of the same members (ids and names beyond their pattern, pictures that are no
//! pictures, schemas that can't be strict). Where reports differ the stricter one stands here, and three checks are our
//! own: `include`, the catalog's dialect, and R38 are insisted on, because the Codex CLI always sends them so.
//!
//! Needs nothing but JSON, so that the fuzz targets (`tests/fuzz`) can judge by it too. Not here: headers (`reject.rs`).

use std::collections::HashSet;

use serde_json::{Value, json};

/// What the judge knows.
pub(crate) struct Knowledge<'a> {
    pub(crate) catalog: &'a Value,
    /// The ciphertexts that came from here.
    pub(crate) issued: &'a HashSet<String>,
}

/// The request fields of Codex 0.169.0; any other one is refused.
const FIELDS: [&str; 14] = [
    "model",
    "stream",
    "store",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "include",
    "service_tier",
    "prompt_cache_key",
    "text",
    "client_metadata",
    "instructions",
];

/// Input items that are neither messages nor calls nor outputs, and are accepted.
const OTHER_ITEMS: [&str; 9] = [
    "reasoning",
    "additional_tools",
    "web_search_call",
    "compaction",
    "compaction_trigger",
    "tool_search_call",
    "tool_search_output",
    "image_generation_call",
    "local_shell_call",
];

/// Keywords that the backend takes inside a function's schema, but not at its top.
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];

/// The longest id or name.
const LONGEST: usize = 64;

/// `Err`: the body of the 400 that a request deserves.
pub(crate) fn accept(body: &Value, lite: bool, knows: &Knowledge<'_>) -> Result<(), Value> {
    let fields = body.as_object().ok_or_else(|| detail("Input should be a valid dictionary"))?;
    if let Some(unknown) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(detail(&format!("Unsupported parameter: {unknown}")));
    }
    if body["store"] != false {
        return Err(detail("Store must be set to false"));
    }
    if body["stream"] != true {
        return Err(detail("Stream must be set to true"));
    }
    if !list(&body["include"]).any(|value| value == "reasoning.encrypted_content") {
        let message = "include must hold reasoning.encrypted_content (this fake insists on it)";
        return Err(error(message, None, Some("include")));
    }
    if body["prompt_cache_key"].as_str().is_some_and(|key| key.len() > LONGEST) {
        return Err(too_long("prompt_cache_key"));
    }
    model(body, lite, knows.catalog)?;
    let input = body["input"].as_array().ok_or_else(|| error("Input must be a list", None, Some("input")))?;
    if input.is_empty() {
        return Err(error("Input must not be empty", None, Some("input")));
    }
    dialect(body, lite)?;
    offered(body)?;
    format(&body["text"]["format"])?;
    reasoning(input, knows.issued)?;
    items(input)?;
    pairs(input)
}

fn model(body: &Value, lite: bool, catalog: &Value) -> Result<(), Value> {
    let slug = body["model"].as_str().unwrap_or_default();
    let Some(model) = list(&catalog["models"]).find(|model| model["slug"] == slug) else {
        let message = format!("The '{slug}' model is not supported when using Codex with a ChatGPT account.");
        return Err(detail(&message));
    };
    let wants_lite = model["use_responses_lite"] == true;
    if lite && !wants_lite {
        return Err(unsupported(
            "This model is not supported when using X-OpenAI-Internal-Codex-Responses-Lite.",
            None,
        ));
    }
    if wants_lite && !lite {
        let message = format!(
            "The '{slug}' model is served in Responses Lite only (this fake insists on the catalog)."
        );
        return Err(unsupported(message, Some("model")));
    }
    let one_of = |value: &Value, words: &[&str], param: &str| match value.as_str() {
        Some(word) if !words.contains(&word) => {
            let message = format!(
                "Unsupported value: '{word}' is not supported with the '{slug}' model. Supported values are: {}",
                words.join(", ")
            );
            Err(unsupported(message, Some(param)))
        }
        Some(_) => Ok(()),
        None if value.is_null() => Ok(()),
        None => Err(error(format!("Invalid type for '{param}'."), Some("invalid_type"), Some(param))),
    };
    let mut levels: Vec<&str> = list(&model["supported_reasoning_levels"])
        .filter_map(|level| level["effort"].as_str())
        .filter(|level| *level != "ultra")
        .collect();
    levels.push("none");
    one_of(&body["reasoning"]["effort"], &levels, "reasoning.effort")?;
    one_of(&body["reasoning"]["summary"], &["auto", "concise", "detailed"], "reasoning.summary")?;
    one_of(&body["reasoning"]["context"], &["auto", "current_turn", "all_turns"], "reasoning.context")?;
    one_of(&body["text"]["verbosity"], &["low", "medium", "high"], "text.verbosity")?;
    let tiers: Vec<&str> = list(&model["service_tiers"]).filter_map(|tier| tier["id"].as_str()).collect();
    one_of(&body["service_tier"], &tiers, "service_tier")
}

/// The rules that hold for one of the two dialects only.
fn dialect(body: &Value, lite: bool) -> Result<(), Value> {
    let none_offered = tools(body).is_empty();
    if !lite {
        if list(&body["input"]).any(|item| kind(item) == "additional_tools") {
            return Err(unsupported("additional_tools needs Responses Lite.", Some("input")));
        }
        for field in ["tool_choice", "parallel_tool_calls"] {
            if none_offered && !body[field].is_null() {
                let message = format!("'{field}' is only allowed when 'tools' are specified.");
                return Err(error(message, Some("invalid_value"), Some(field)));
            }
        }
        return Ok(());
    }
    if list(&body["tools"]).next().is_some() {
        return Err(unsupported(
            "Responses Lite takes tools as an additional_tools input item.",
            Some("tools"),
        ));
    }
    if list(&body["input"])
        .any(|item| kind(item) == "additional_tools" && list(&item["tools"]).next().is_none())
    {
        return Err(unsupported("additional_tools must hold tools.", Some("input")));
    }
    if body["parallel_tool_calls"] != false {
        let message = "parallel_tool_calls must be false with Responses Lite.";
        return Err(unsupported(message, Some("parallel_tool_calls")));
    }
    if !matches!(body["tool_choice"].as_str(), None | Some("auto")) || body["tool_choice"].is_object() {
        return Err(unsupported("tool_choice must be auto with Responses Lite.", Some("tool_choice")));
    }
    if body["reasoning"]["context"] != "all_turns" {
        let message = "reasoning.context must be all_turns with Responses Lite.";
        return Err(unsupported(message, Some("reasoning.context")));
    }
    let parts = list(&body["input"]).flat_map(|item| list(&item["content"]).chain(list(&item["output"])));
    if parts.into_iter().any(|part| !part["detail"].is_null()) {
        return Err(unsupported("detail is not supported with Responses Lite.", Some("input")));
    }
    let plain = ["function", "custom", "namespace", "tool_search"];
    if tools(body).iter().any(|tool| !plain.contains(&tool["type"].as_str().unwrap_or_default())) {
        let message =
            "Responses Lite only supports function tools, custom tools, and client-executed tool search.";
        return Err(unsupported(message, Some("tools")));
    }
    Ok(())
}

fn offered(body: &Value) -> Result<(), Value> {
    let mut names = HashSet::new();
    for tool in tools(body) {
        let name = tool["name"].as_str().unwrap_or_default();
        let kind = tool["type"].as_str().unwrap_or_default();
        match kind {
            "function" => function(&tool, name)?,
            "custom" | "tool_search" | "web_search" | "namespace" => {}
            other => {
                let message = format!("Invalid value: '{other}' is no tool type.");
                return Err(error(message, Some("invalid_value"), Some("tools")));
            }
        }
        if matches!(kind, "function" | "custom") && !names.insert(name.to_owned()) {
            return Err(error(
                format!("Duplicate tool name '{name}'."),
                Some("invalid_value"),
                Some("tools"),
            ));
        }
    }
    let choice = &body["tool_choice"];
    if choice["type"] == "function" && !names.contains(choice["name"].as_str().unwrap_or_default()) {
        let message = "Tool choice 'function' not found in 'tools' parameter.";
        return Err(error(message, Some("invalid_value"), Some("tool_choice")));
    }
    if choice.as_str().is_some_and(|word| !matches!(word, "auto" | "none" | "required")) {
        return Err(error("Invalid value for 'tool_choice'.", Some("invalid_value"), Some("tool_choice")));
    }
    Ok(())
}

fn function(tool: &Value, name: &str) -> Result<(), Value> {
    if !is_name(name) {
        return Err(error(format!("Invalid 'tools.name': '{name}'"), Some("invalid_value"), Some("tools")));
    }
    let schema = &tool["parameters"];
    let invalid = |why: &str| {
        let message = format!("Invalid schema for function '{name}': {why}");
        error(message, Some("invalid_function_parameters"), Some("tools"))
    };
    if schema["type"] != "object" {
        return Err(invalid("schema must be a JSON Schema of 'type: \"object\"'"));
    }
    if NOT_AT_THE_TOP.iter().any(|keyword| !schema[*keyword].is_null()) {
        return Err(invalid(
            "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.",
        ));
    }
    if !schema["properties"].is_null() && !schema["properties"].is_object() {
        return Err(invalid("'properties' must be an object"));
    }
    if tool["strict"] == true && !is_strict(schema) {
        return Err(invalid("'additionalProperties' must be false and 'required' must list every property."));
    }
    Ok(())
}

/// Structured output (`text.format`).
fn format(format: &Value) -> Result<(), Value> {
    let invalid =
        |message: String| Err(error(message, Some("invalid_json_schema"), Some("text.format.schema")));
    match format["type"].as_str() {
        None | Some("text" | "json_object") => Ok(()),
        Some("json_schema") => {
            let name = format["name"].as_str().unwrap_or_default();
            if !is_name(name) {
                return Err(error(
                    "Invalid 'text.format.name'.",
                    Some("invalid_value"),
                    Some("text.format.name"),
                ));
            }
            match (&format["schema"], &format["strict"]) {
                (Value::Object(_), Value::Bool(true)) if !is_strict(&format["schema"]) => invalid(format!(
                    "Invalid schema for response_format '{name}': In context=(), 'additionalProperties' is required to be supplied and to be false, and 'required' to list every property."
                )),
                (Value::Object(_), _) => Ok(()),
                _ => invalid(format!("Invalid schema for response_format '{name}': it is no object.")),
            }
        }
        Some(other) => {
            Err(error(format!("Invalid value: '{other}'."), Some("invalid_value"), Some("text.format")))
        }
    }
}

/// What a strict schema must be, all the way down.
fn is_strict(schema: &Value) -> bool {
    if !schema.is_object() {
        return true;
    }
    let closed = match &schema["properties"] {
        Value::Object(properties) => {
            let required: HashSet<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
            schema["additionalProperties"] == false
                && properties.keys().all(|key| required.contains(key.as_str()))
        }
        _ => schema["type"] != "object" || schema["additionalProperties"] == false,
    };
    let below = ["properties", "$defs", "definitions"]
        .iter()
        .filter_map(|name| schema[*name].as_object())
        .flat_map(serde_json::Map::values);
    let besides = ["anyOf", "prefixItems"].iter().flat_map(|name| list(&schema[*name]));
    closed && !schema["items"].is_array() && below.chain(besides).chain([&schema["items"]]).all(is_strict)
}

/// A reasoning item stands before a message or a call, and carries a ciphertext that came from here.
fn reasoning(input: &[Value], issued: &HashSet<String>) -> Result<(), Value> {
    for (index, item) in input.iter().enumerate().filter(|(_, item)| kind(item) == "reasoning") {
        let next = input[index + 1..].iter().find(|item| kind(item) != "reasoning");
        let follows = next.is_some_and(|next| match kind(next) {
            "message" => next["role"] == "assistant",
            other => {
                !matches!(other, "function_call_output" | "custom_tool_call_output" | "additional_tools")
            }
        });
        if !follows {
            let id = item["id"].as_str().unwrap_or_default();
            let message =
                format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
            return Err(error(message, None, Some("input")));
        }
        if !item["summary"].is_array() {
            return Err(error("Missing required parameter: 'input.summary'.", None, Some("input")));
        }
        if !item["encrypted_content"].as_str().is_some_and(|text| issued.contains(text)) {
            let message = "The encrypted content could not be verified.";
            return Err(error(message, Some("invalid_encrypted_content"), Some("input")));
        }
    }
    Ok(())
}

fn items(input: &[Value]) -> Result<(), Value> {
    let mut ids = HashSet::new();
    for item in input {
        match kind(item) {
            "message" => message(item)?,
            "function_call" | "custom_tool_call" => call(item)?,
            "function_call_output" | "custom_tool_call_output" => match &item["output"] {
                Value::String(_) => {}
                Value::Array(parts) if !parts.is_empty() => {
                    parts
                        .iter()
                        .try_for_each(|part| this_part(part, &["input_text", "input_image", "input_file"]))?;
                }
                _ => return Err(error("Invalid 'input.output'.", Some("invalid_value"), Some("input"))),
            },
            other if OTHER_ITEMS.contains(&other) => {}
            other => {
                let message = format!("Invalid value: '{other}'.");
                return Err(error(message, Some("invalid_value"), Some("input")));
            }
        }
        if let Some(id) = item["id"].as_str() {
            if id.len() > LONGEST {
                return Err(too_long("input.id"));
            }
            if !ids.insert(id) {
                return Err(error(format!("Duplicate item found with id {id}."), None, Some("input")));
            }
        }
    }
    Ok(())
}

fn call(item: &Value) -> Result<(), Value> {
    if call_id(item).len() > LONGEST {
        return Err(too_long("input.call_id"));
    }
    if call_id(item).is_empty() {
        return Err(error("Invalid 'input.call_id': empty string.", Some("empty_string"), Some("input")));
    }
    if !is_name(item["name"].as_str().unwrap_or_default()) {
        return Err(error("Invalid 'input.name'.", Some("invalid_value"), Some("input")));
    }
    let text = if kind(item) == "function_call" { &item["arguments"] } else { &item["input"] };
    match text.is_string() {
        true => Ok(()),
        false => Err(error("Invalid type for 'input.arguments'.", Some("invalid_type"), Some("input"))),
    }
}

fn message(item: &Value) -> Result<(), Value> {
    let allowed: &[&str] = match item["role"].as_str() {
        Some("system") => return Err(detail("System messages are not allowed")),
        Some("assistant") => &["output_text", "refusal"],
        Some("user" | "developer") => &["input_text", "input_image", "input_file"],
        other => {
            let message = format!("Invalid value: '{}'.", other.unwrap_or_default());
            return Err(error(message, Some("invalid_value"), Some("input")));
        }
    };
    match &item["content"] {
        Value::String(_) => Ok(()),
        Value::Array(parts) if !parts.is_empty() => {
            parts.iter().try_for_each(|part| this_part(part, allowed))
        }
        _ => Err(error("Invalid 'input.content'.", Some("invalid_value"), Some("input"))),
    }
}

fn this_part(part: &Value, allowed: &[&str]) -> Result<(), Value> {
    let kind = part["type"].as_str().unwrap_or_default();
    if !allowed.contains(&kind) {
        let message = format!("Invalid value: '{kind}'. Supported values are: {}.", allowed.join(", "));
        return Err(error(message, Some("invalid_value"), Some("input")));
    }
    let invalid =
        |what: &str| Err(error(format!("Invalid 'input.{what}'."), Some("invalid_value"), Some("input")));
    match kind {
        "input_text" | "output_text" if !part["text"].is_string() => invalid("text"),
        "input_image" => {
            if !matches!(part["detail"].as_str(), None | Some("auto" | "low" | "high" | "original")) {
                return invalid("detail");
            }
            match part["image_url"].as_str() {
                Some(url) if is_web(url) => Ok(()),
                Some(url)
                    if is_data(url, &["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"]) =>
                {
                    Ok(())
                }
                _ => invalid("image_url"),
            }
        }
        "input_file" => {
            match (part["file_data"].as_str(), part["file_url"].as_str(), part["file_id"].as_str()) {
                (Some(data), None, None) if part["filename"].is_string() && is_data(data, &[]) => Ok(()),
                (None, Some(url), None) if is_web(url) => Ok(()),
                (None, None, Some(_)) => Ok(()),
                _ => invalid("file"),
            }
        }
        _ => Ok(()),
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// A data URL of one of these types (none: of any), and nothing but base64 in it.
fn is_data(url: &str, types: &[&str]) -> bool {
    let Some((media_type, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"))
    else {
        return false;
    };
    let known = if types.is_empty() { media_type.contains('/') } else { types.contains(&media_type) };
    let digits = data.trim_end_matches('=');
    known
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn pairs(input: &[Value]) -> Result<(), Value> {
    let (mut called, mut answered) = (HashSet::new(), HashSet::new());
    for item in input {
        match kind(item) {
            "function_call" | "custom_tool_call" if !called.insert(call_id(item)) => {
                let message = "Duplicate function call id in input.";
                return Err(error(message, Some("invalid_value"), Some("input")));
            }
            "function_call_output" | "custom_tool_call_output" => {
                let id = call_id(item);
                if !called.contains(id) {
                    let message = format!("No tool call found for function call output with call_id {id}.");
                    return Err(error(message, None, Some("input")));
                }
                if !answered.insert(id) {
                    let message = format!("Duplicate function call output with call_id {id}.");
                    return Err(error(message, Some("invalid_value"), Some("input")));
                }
            }
            _ => {}
        }
    }
    match called.difference(&answered).next() {
        Some(call) => {
            Err(error(format!("No tool output found for function call {call}."), None, Some("input")))
        }
        None => Ok(()),
    }
}

/// All offered tools, namespaces opened, of either dialect.
pub(crate) fn tools(body: &Value) -> Vec<Value> {
    let added = list(&body["input"]).filter(|item| kind(item) == "additional_tools");
    let mut all = Vec::new();
    for tool in list(&body["tools"]).chain(added.flat_map(|item| list(&item["tools"]))) {
        if tool["type"] == "namespace" {
            let prefix = tool["name"].as_str().unwrap_or_default();
            for inner in list(&tool["tools"]) {
                let mut inner = inner.clone();
                inner["name"] = format!("{prefix}{}", inner["name"].as_str().unwrap_or_default()).into();
                all.push(inner);
            }
        } else {
            all.push(tool.clone());
        }
    }
    all
}

/// The type of an input item; a bare `role` makes it a message.
pub(crate) fn kind(item: &Value) -> &str {
    match item["type"].as_str() {
        Some(kind) => kind,
        None if item["role"].is_string() => "message",
        None => "?",
    }
}

/// The elements of an array; none of anything else.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(legal)
}

fn call_id(item: &Value) -> &str {
    item["call_id"].as_str().unwrap_or_default()
}

fn detail(message: &str) -> Value {
    json!({ "detail": message })
}

fn too_long(param: &str) -> Value {
    error(format!("Invalid '{param}': string too long."), Some("string_above_max_length"), Some(param))
}

fn unsupported(message: impl Into<String>, param: Option<&str>) -> Value {
    error(message, Some("unsupported_value"), param)
}

/// OpenAI's error object.
pub(crate) fn error(message: impl Into<String>, code: Option<&str>, param: Option<&str>) -> Value {
    json!({ "error": {
        "message": message.into(), "type": "invalid_request_error", "param": param, "code": code,
    } })
}
