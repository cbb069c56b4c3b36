//! What the real backend is reported to refuse, as one table. Where reports differ the stricter one stands here, and
//! three checks are our own: `include`, the two id headers and the catalog's dialect are insisted on, because the
//! Codex CLI always sends them so.
//!
//! Not here: what the backend *answers*. Scripts say that.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::view::list;
use crate::http::Headers;

/// A refusal: status and body.
pub(crate) type Refusal = (u16, Value);

/// What the fake knows when it judges.
pub(crate) struct Knowledge<'a> {
    pub(crate) catalog: &'a Value,
    pub(crate) issued: &'a HashSet<String>,
    pub(crate) valid_tokens: &'a HashSet<String>,
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

/// The refusal that a request deserves, if any.
pub(crate) fn refusal(headers: &Headers, body: &Value, knows: &Knowledge<'_>) -> Option<Refusal> {
    authorization(headers, knows.valid_tokens)
        .or_else(|| identity(headers, body))
        .or_else(|| request(headers, body, knows).err().map(|refused| (400, refused)))
}

/// Asks for a bearer token that this fake has given out and not withdrawn.
pub(crate) fn authorization(headers: &Headers, valid: &HashSet<String>) -> Option<Refusal> {
    let token = headers.value("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| valid.contains(token));
    let account = headers.value("chatgpt-account-id").is_some_and(|id| !id.is_empty());
    (!known || !account).then(|| {
        let message = "Provided authentication token is expired. Please try signing in again.";
        let error = json!({ "message": message, "type": null, "code": "token_expired", "param": null });
        (401, json!({ "error": error, "status": 401 }))
    })
}

fn identity(headers: &Headers, body: &Value) -> Option<Refusal> {
    let codex = |name| headers.value(name).is_some_and(|value| value.starts_with("codex"));
    let known = codex("originator") && codex("user-agent") && headers.value("version").is_some();
    (!known).then(|| {
        let message = format!("Model not found {}", body["model"].as_str().unwrap_or_default());
        (404, error(message, None, Some("model")))
    })
}

fn request(headers: &Headers, body: &Value, knows: &Knowledge<'_>) -> Result<(), Value> {
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
    for name in ["session-id", "thread-id"] {
        if headers.value(name).is_none_or(str::is_empty) {
            return Err(error(format!("missing header {name} (this fake insists on it)"), None, None));
        }
    }
    let lite = headers.value("x-openai-internal-codex-responses-lite") == Some("true");
    model(body, lite, knows.catalog)?;
    let input = body["input"].as_array().ok_or_else(|| error("Input must be a list", None, Some("input")))?;
    if input.is_empty() {
        return Err(error("Input must not be empty", None, Some("input")));
    }
    dialect(body, lite)?;
    offered(body)?;
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
    if let Some(effort) = body["reasoning"]["effort"].as_str() {
        let mut levels: Vec<&str> =
            list(&model["supported_reasoning_levels"]).filter_map(|level| level["effort"].as_str()).collect();
        levels.push("none");
        if effort == "ultra" || !levels.contains(&effort) {
            let message = format!(
                "Unsupported value: '{effort}' is not supported with the '{slug}' model. Supported values are: {}",
                levels.join(", ")
            );
            return Err(unsupported(message, Some("reasoning.effort")));
        }
    }
    Ok(())
}

/// The rules that hold for one of the two dialects only.
fn dialect(body: &Value, lite: bool) -> Result<(), Value> {
    if !lite {
        return match list(&body["input"]).any(|item| kind(item) == "additional_tools") {
            true => Err(unsupported("additional_tools needs Responses Lite.", Some("input"))),
            false => Ok(()),
        };
    }
    if list(&body["tools"]).next().is_some() {
        return Err(unsupported(
            "Responses Lite takes tools as an additional_tools input item.",
            Some("tools"),
        ));
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
        if kind == "function" {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
                return Err(error(
                    format!("Invalid 'tools.name': '{name}'"),
                    Some("invalid_value"),
                    Some("tools"),
                ));
            }
            if tool["parameters"]["type"] != "object" {
                let message = format!(
                    "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'"
                );
                return Err(error(message, Some("invalid_function_parameters"), Some("tools")));
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
    Ok(())
}

/// A reasoning item stands before a message or a call, and carries a ciphertext that came from here.
fn reasoning(input: &[Value], issued: &HashSet<String>) -> Result<(), Value> {
    for (index, item) in input.iter().enumerate().filter(|(_, item)| kind(item) == "reasoning") {
        let next = input[index + 1..].iter().map(kind).find(|kind| *kind != "reasoning");
        if matches!(next, None | Some("function_call_output" | "custom_tool_call_output")) {
            let id = item["id"].as_str().unwrap_or_default();
            let message =
                format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
            return Err(error(message, None, Some("input")));
        }
        if !item["encrypted_content"].as_str().is_some_and(|text| issued.contains(text)) {
            let message = "The encrypted content could not be verified.";
            return Err(error(message, Some("invalid_encrypted_content"), Some("input")));
        }
    }
    Ok(())
}

fn items(input: &[Value]) -> Result<(), Value> {
    for item in input {
        match kind(item) {
            "message" => message(item)?,
            "function_call" | "custom_tool_call" => {
                if call_id(item).len() > 64 {
                    let message = "Invalid 'input.call_id': string too long.";
                    return Err(error(message, Some("string_above_max_length"), Some("input")));
                }
            }
            "function_call_output" | "custom_tool_call_output" => {}
            other if OTHER_ITEMS.contains(&other) => {}
            other => {
                let message = format!("Invalid value: '{other}'.");
                return Err(error(message, Some("invalid_value"), Some("input")));
            }
        }
        if item["id"].as_str().is_some_and(|id| id.len() > 64) {
            let message = "Invalid 'input.id': string too long.";
            return Err(error(message, Some("string_above_max_length"), Some("input")));
        }
    }
    Ok(())
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
    for part in list(&item["content"]) {
        let kind = part["type"].as_str().unwrap_or_default();
        if !allowed.contains(&kind) {
            let message = format!("Invalid value: '{kind}'. Supported values are: {}.", allowed.join(", "));
            return Err(error(message, Some("invalid_value"), Some("input")));
        }
    }
    Ok(())
}

fn pairs(input: &[Value]) -> Result<(), Value> {
    let of = |first: &'static str, second: &'static str| {
        input.iter().filter(move |item| [first, second].contains(&kind(item))).map(call_id)
    };
    let calls: Vec<&str> = of("function_call", "custom_tool_call").collect();
    let outputs: Vec<&str> = of("function_call_output", "custom_tool_call_output").collect();
    if let Some(call) = calls.iter().find(|call| !outputs.contains(call)) {
        return Err(error(format!("No tool output found for function call {call}."), None, Some("input")));
    }
    if let Some(output) = outputs.iter().find(|output| !calls.contains(output)) {
        let message = format!("No tool call found for function call output with call_id {output}.");
        return Err(error(message, None, Some("input")));
    }
    let unique: HashSet<&&str> = calls.iter().collect();
    if unique.len() != calls.len() {
        return Err(error("Duplicate function call id in input.", Some("invalid_value"), Some("input")));
    }
    Ok(())
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

fn call_id(item: &Value) -> &str {
    item["call_id"].as_str().unwrap_or_default()
}

fn detail(message: &str) -> Value {
    json!({ "detail": message })
}

fn unsupported(message: impl Into<String>, param: Option<&str>) -> Value {
    error(message, Some("unsupported_value"), param)
}

pub(crate) fn error(message: impl Into<String>, code: Option<&str>, param: Option<&str>) -> Value {
    json!({ "error": {
        "message": message.into(), "type": "invalid_request_error", "param": param, "code": code,
    } })
}

#[cfg(test)]
#[path = "reject_tests.rs"]
mod tests;
