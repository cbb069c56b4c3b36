//! Each row of the table is broken once; the unbroken request passes in both dialects.

use super::*;
use crate::fake::body::kind;
use crate::fake::catalog;

const CIPHER: &str = "Y2lwaGVy";
const TOKEN: &str = "ey.known.token";

fn headers(lite: bool) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in [
        ("authorization", "Bearer ey.known.token"),
        ("chatgpt-account-id", "acct"),
        ("originator", "codex_exec"),
        ("user-agent", "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dragoman (codex_exec; 0.169.0)"),
        ("version", "0.169.0"),
        ("session-id", "s"),
        ("thread-id", "t"),
    ] {
        headers.push(name, value);
    }
    if lite {
        headers.push("x-openai-internal-codex-responses-lite", "true");
    }
    headers
}

fn history() -> Value {
    json!([
        { "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": "be good" }] },
        { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": CIPHER },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "so" }] },
        { "type": "function_call", "call_id": "call_1", "name": "Bash", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "call_1", "output": "done" },
    ])
}

fn tool() -> Value {
    json!({ "type": "function", "name": "Bash", "strict": false, "parameters": { "type": "object" } })
}

fn classic() -> Value {
    json!({
        "model": "gpt-5.5", "stream": true, "store": false, "input": history(), "tools": [tool()],
        "tool_choice": "auto", "parallel_tool_calls": true, "reasoning": { "effort": "low" },
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "t",
    })
}

fn lite() -> Value {
    let mut input = history();
    let added = json!({ "type": "additional_tools", "role": "developer", "tools": [tool()] });
    input.as_array_mut().unwrap().insert(0, added);
    json!({
        "model": "gpt-6.1-sol", "stream": true, "store": false, "input": input, "tool_choice": "auto",
        "parallel_tool_calls": false, "reasoning": { "effort": "low", "context": "all_turns" },
        "include": ["reasoning.encrypted_content"],
    })
}

fn judge(headers: &Headers, body: &Value) -> Option<Refusal> {
    let catalog = catalog::catalog();
    let issued = HashSet::from([CIPHER.to_owned()]);
    let valid_tokens = HashSet::from([TOKEN.to_owned()]);
    refusal(headers, body, &Knowledge { catalog: &catalog, issued: &issued, valid_tokens: &valid_tokens })
}

/// Applies one change to a good request and asserts status and words of the refusal.
fn refused(body: Value, change: impl FnOnce(&mut Value), words: &str) {
    let is_lite = body["model"] == "gpt-6.1-sol";
    let mut broken = body;
    change(&mut broken);
    let (status, answer) =
        judge(&headers(is_lite), &broken).unwrap_or_else(|| panic!("accepted; expected {words}"));
    assert_eq!(status, 400, "{answer}");
    assert!(answer.to_string().contains(words), "{answer} lacks {words}");
}

#[test]
fn well_formed_requests_pass_in_both_dialects() {
    assert_eq!(judge(&headers(false), &classic()), None);
    assert_eq!(judge(&headers(true), &lite()), None);
}

#[test]
fn a_caller_without_credentials_is_unauthorised() {
    for name in ["authorization", "chatgpt-account-id"] {
        let mut headers = headers(false);
        headers.0.retain(|(key, _)| key != name);
        assert_eq!(judge(&headers, &classic()).map(|(status, _)| status), Some(401), "{name}");
    }
}

#[test]
fn a_caller_that_is_not_codex_finds_no_model() {
    for name in ["originator", "user-agent", "version"] {
        let mut headers = headers(false);
        headers.0.retain(|(key, _)| key != name);
        assert_eq!(judge(&headers, &classic()).map(|(status, _)| status), Some(404), "{name}");
    }
}

#[test]
fn missing_id_headers_are_refused() {
    for name in ["session-id", "thread-id"] {
        let mut headers = headers(false);
        headers.0.retain(|(key, _)| key != name);
        let (status, answer) = judge(&headers, &classic()).unwrap();
        assert_eq!(status, 400);
        assert!(answer.to_string().contains(name), "{answer}");
    }
}

#[test]
fn fields_that_codex_does_not_send_are_refused() {
    for field in [
        "max_output_tokens",
        "temperature",
        "top_p",
        "metadata",
        "user",
        "truncation",
        "stop",
        "previous_response_id",
        "context_management",
        "stream_options",
        "safety_identifier",
        "prompt_cache_retention",
    ] {
        refused(classic(), |body| body[field] = json!(1), &format!("Unsupported parameter: {field}"));
    }
}

#[test]
fn each_rule_for_both_dialects_refuses() {
    for body in [classic(), lite()] {
        let case = |change: fn(&mut Value), words| refused(body.clone(), change, words);
        case(|body| body["store"] = json!(true), "Store must be set to false");
        case(|body| body["stream"] = json!(false), "Stream must be set to true");
        case(|body| body["include"] = json!([]), "include must hold");
        case(|body| body["reasoning"]["effort"] = json!("ultra"), "reasoning.effort");
        case(|body| body["reasoning"]["effort"] = json!("minimal"), "reasoning.effort");
        case(|body| body["input"] = json!("hi"), "Input must be a list");
        case(|body| body["input"] = json!([]), "Input must not be empty");
        case(
            |body| push(body, json!({ "role": "system", "content": "x" })),
            "System messages are not allowed",
        );
        case(|body| push(body, json!({ "role": "tool", "content": "x" })), "Invalid value: 'tool'");
        case(|body| push(body, json!({ "type": "thinking" })), "Invalid value: 'thinking'");
        let text =
            |role: &str, kind: &str| json!({ "role": role, "content": [{ "type": kind, "text": "x" }] });
        refused(body.clone(), |body| push(body, text("user", "output_text")), "Invalid value: 'output_text'");
        refused(
            body.clone(),
            |body| push(body, text("assistant", "input_text")),
            "Invalid value: 'input_text'",
        );
        case(|body| remove(body, "function_call_output"), "No tool output found for function call call_1");
        case(|body| remove(body, "function_call"), "No tool call found for function call output");
        case(
            |body| push(body, json!({ "type": "reasoning", "id": "rs_2", "encrypted_content": CIPHER })),
            "without its required following item",
        );
        case(
            |body| {
                let item = find(body, "reasoning");
                item["encrypted_content"] = json!("Zm9yZWlnbg==");
            },
            "invalid_encrypted_content",
        );
        case(
            |body| {
                let long = json!("c".repeat(65));
                find(body, "function_call")["call_id"] = long.clone();
                find(body, "function_call_output")["call_id"] = long;
            },
            "call_id': string too long",
        );
        case(|body| find(body, "reasoning")["id"] = json!("r".repeat(65)), "input.id': string too long");
    }
    refused(classic(), |body| body["model"] = json!("gpt-4"), "model is not supported when using Codex");
}

#[test]
fn tools_are_judged_in_both_dialects() {
    for body in [classic(), lite()] {
        let case =
            |change: fn(&mut Value), words| refused(body.clone(), |body| change(tools_of(body)), words);
        case(|tools| tools[0]["name"] = json!("a b"), "Invalid 'tools.name'");
        case(|tools| tools[0]["name"] = json!("n".repeat(65)), "Invalid 'tools.name'");
        case(|tools| tools[0]["parameters"] = json!({}), "schema must be a JSON Schema");
        case(|tools| *tools = json!([tool(), tool()]), "Duplicate tool name");
    }
    let choice = |body: &mut Value| body["tool_choice"] = json!({ "type": "function", "name": "Read" });
    refused(classic(), choice, "not found in 'tools'");
}

#[test]
fn the_dialects_are_not_mixed() {
    refused(lite(), |body| body["tools"] = json!([tool()]), "additional_tools input item");
    refused(lite(), |body| body["parallel_tool_calls"] = json!(true), "parallel_tool_calls must be false");
    refused(lite(), |body| body["tool_choice"] = json!("required"), "tool_choice must be auto");
    refused(
        lite(),
        |body| body["tool_choice"] = json!({ "type": "function", "name": "Bash" }),
        "tool_choice must",
    );
    refused(lite(), |body| body["reasoning"]["context"] = Value::Null, "reasoning.context must be all_turns");
    refused(
        lite(),
        |body| *tools_of(body) = json!([{ "type": "web_search" }]),
        "only supports function tools",
    );
    let image = json!({ "role": "user", "content": [
        { "type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high" },
    ] });
    refused(lite(), |body| push(body, image.clone()), "detail is not supported");
    let added = json!({ "type": "additional_tools", "tools": [] });
    refused(classic(), |body| push(body, added.clone()), "needs Responses Lite");
    let wrong = judge(&headers(true), &classic()).unwrap();
    assert!(wrong.1.to_string().contains("X-OpenAI-Internal-Codex-Responses-Lite"), "{wrong:?}");
    let wrong = judge(&headers(false), &lite()).unwrap();
    assert!(wrong.1.to_string().contains("Responses Lite only"), "{wrong:?}");
}

fn push(body: &mut Value, item: Value) {
    body["input"].as_array_mut().unwrap().push(item);
}

fn remove(body: &mut Value, unwanted: &str) {
    body["input"].as_array_mut().unwrap().retain(|item| kind(item) != unwanted);
}

fn find<'a>(body: &'a mut Value, wanted: &str) -> &'a mut Value {
    body["input"].as_array_mut().unwrap().iter_mut().find(|item| kind(item) == wanted).unwrap()
}

fn tools_of(body: &mut Value) -> &mut Value {
    match body["model"] == "gpt-6.1-sol" {
        true => &mut body["input"][0]["tools"],
        false => &mut body["tools"],
    }
}

#[test]
fn ids_names_pairs_and_parts_are_judged_in_both_dialects() {
    for body in [classic(), lite()] {
        let case = |change: fn(&mut Value), words| refused(body.clone(), change, words);
        case(|body| body["prompt_cache_key"] = json!("k".repeat(65)), "prompt_cache_key': string too long");
        case(|body| body["reasoning"]["summary"] = json!("long"), "reasoning.summary");
        case(|body| body["service_tier"] = json!("platinum"), "service_tier");
        case(|body| body["text"] = json!({ "verbosity": "chatty" }), "text.verbosity");
        case(|body| find(body, "function_call")["call_id"] = json!(""), "call_id': empty string");
        case(|body| find(body, "function_call")["name"] = json!("a b"), "input.name");
        case(|body| find(body, "function_call")["arguments"] = json!({}), "input.arguments");
        case(|body| find(body, "function_call_output")["output"] = json!([]), "input.output");
        case(|body| find(body, "function_call_output")["output"] = Value::Null, "input.output");
        case(|body| find(body, "message")["content"] = json!([]), "input.content");
        case(|body| find(body, "reasoning")["summary"] = Value::Null, "input.summary");
        case(
            |body| {
                let again = find(body, "function_call").clone();
                push(body, again);
            },
            "Duplicate function call id",
        );
        case(
            |body| {
                let again = find(body, "function_call_output").clone();
                push(body, again);
            },
            "Duplicate function call output",
        );
        case(
            |body| {
                let output = find(body, "function_call_output").clone();
                remove(body, "function_call_output");
                body["input"].as_array_mut().unwrap().insert(1, output);
            },
            "No tool call found for function call output",
        );
        case(
            |body| {
                let thought = find(body, "reasoning").clone();
                body["input"].as_array_mut().unwrap().insert(1, thought);
            },
            "without its required following item",
        );
        case(
            |body| {
                let thought = find(body, "reasoning").clone();
                let at = body["input"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .position(|item| kind(item) == "reasoning")
                    .unwrap();
                body["input"].as_array_mut().unwrap().insert(at, thought);
            },
            "Duplicate item found with id rs_1",
        );
        let part = |part: Value| json!({ "role": "user", "content": [part] });
        for (bad, words) in [
            (json!({ "type": "input_text" }), "input.text"),
            (json!({ "type": "input_image", "image_url": "file:///x" }), "input.image_url"),
            (json!({ "type": "input_image", "image_url": "data:image/bmp;base64,AA==" }), "input.image_url"),
            (json!({ "type": "input_image", "image_url": "data:image/png;base64,a b" }), "input.image_url"),
            (json!({ "type": "input_file", "file_data": "data:application/pdf;base64,AA==" }), "input.file"),
            (json!({ "type": "input_file", "file_url": "data:x" }), "input.file"),
        ] {
            refused(body.clone(), |body| push(body, part(bad.clone())), words);
        }
    }
}

#[test]
fn schemas_are_judged() {
    let with = |schema: Value| {
        let mut tool = tool();
        tool["parameters"] = schema;
        tool
    };
    for keyword in ["oneOf", "anyOf", "allOf", "enum", "not"] {
        let tool = with(json!({ "type": "object", keyword: [] }));
        refused(classic(), |body| *tools_of(body) = json!([tool]), "at the top level");
    }
    let tool_of_lists = with(json!({ "type": "object", "properties": [] }));
    refused(classic(), |body| *tools_of(body) = json!([tool_of_lists]), "'properties' must be an object");
    let mut strict =
        with(json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false }));
    strict["strict"] = json!(true);
    refused(classic(), |body| *tools_of(body) = json!([strict]), "'required' must list every property");
    refused(classic(), |body| *tools_of(body) = json!([{ "type": "bash" }]), "no tool type");

    let format = |schema: Value, strict: bool| json!({ "format": { "type": "json_schema", "name": "answer", "strict": strict, "schema": schema } });
    let open = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let closed = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"],
        "additionalProperties": false });
    for (schema, strict, accepted) in
        [(&open, false, true), (&open, true, false), (&closed, true, true), (&json!(true), false, false)]
    {
        let mut body = classic();
        body["text"] = format(schema.clone(), strict);
        assert_eq!(judge(&headers(false), &body).is_none(), accepted, "{schema} {strict}");
    }
    let nested = json!({ "type": "object", "properties": { "a": open }, "required": ["a"], "additionalProperties": false });
    refused(classic(), |body| body["text"] = format(nested, true), "Invalid schema for response_format");
}

#[test]
fn without_tools_a_classic_request_says_nothing_about_them() {
    for field in ["tool_choice", "parallel_tool_calls"] {
        let change = |body: &mut Value| {
            for field in ["tools", "tool_choice", "parallel_tool_calls"] {
                body.as_object_mut().unwrap().remove(field);
            }
            body[field] = if field == "tool_choice" { json!("auto") } else { json!(true) };
        };
        refused(classic(), change, "only allowed when 'tools' are specified");
    }
    refused(classic(), |body| body["tool_choice"] = json!("any"), "Invalid value for 'tool_choice'");
    refused(lite(), |body| *tools_of(body) = json!([]), "additional_tools must hold tools");
}
