//! A scripted Anthropic server: what Claude Code talks to when nothing stands in between. With it a test can tell whether
//! a user could tell the difference.
//!
//! It says one turn after the other to the main loop (which offers Bash) and `ok` to everything else. Not here: errors,
//! pauses, other endpoints. `FakeChatGpt` has those.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::credentials::random;
use crate::http::{self, Framing};

/// Something the model says.
#[derive(Clone, Debug)]
pub enum Saying {
    /// Thinking, with a signature.
    Think(String),
    /// Text.
    Text(String),
    /// A tool call.
    Call {
        /// Its id.
        id: String,
        /// The tool.
        name: String,
        /// Its input.
        input: Value,
    },
}

/// The running server. Dropping it closes its port.
#[derive(Debug)]
pub struct ScriptedAnthropic {
    address: SocketAddr,
    left: Arc<Mutex<Vec<Vec<Saying>>>>,
    _serving: tokio::task::JoinSet<()>,
}

impl ScriptedAnthropic {
    /// Starts it on a free port of 127.0.0.1 with the turns of the main loop.
    pub async fn start(turns: &[Vec<Saying>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let left = Arc::new(Mutex::new(turns.iter().rev().cloned().collect::<Vec<_>>()));
        let mut serving = tokio::task::JoinSet::new();
        let script = Arc::clone(&left);
        serving.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&script);
                // A connection that breaks is the other side's affair.
                connections.spawn(async move { drop(serve(stream, &script).await) });
            }
        });
        Self { address, left, _serving: serving }
    }

    /// What `ANTHROPIC_BASE_URL` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many turns nobody has asked for.
    pub fn left(&self) -> usize {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

async fn serve(stream: TcpStream, script: &Mutex<Vec<Vec<Saying>>>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    while let Some((line, headers)) = http::read_head(&mut reader).await? {
        let raw = Framing::of_request(&headers).whole(&mut reader).await?;
        let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
        let (kind, answer) = if line.contains("/v1/messages/count_tokens") {
            ("application/json", json!({ "input_tokens": raw.len() / 4 }).to_string())
        } else if line.contains("/v1/messages") {
            ("text/event-stream", events(&body, &turn(&body, script)))
        } else {
            ("application/json", "{}".to_owned())
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", answer.len());
        write.write_all(head.as_bytes()).await?;
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn turn(body: &Value, script: &Mutex<Vec<Vec<Saying>>>) -> Vec<Saying> {
    let is_main = body["tools"].as_array().into_iter().flatten().any(|tool| tool["name"] == "Bash");
    let next = is_main.then(|| script.lock().unwrap_or_else(PoisonError::into_inner).pop()).flatten();
    next.unwrap_or_else(|| vec![Saying::Text("ok".to_owned())])
}

/// A whole answer as Anthropic streams it.
fn events(body: &Value, turn: &[Saying]) -> String {
    let mut stream = String::new();
    let mut send = |kind: &str, mut event: Value| {
        event["type"] = kind.into();
        stream.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    };
    let usage = json!({ "input_tokens": 1200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 40 });
    let message = json!({
        "id": format!("msg_{}", random()), "type": "message", "role": "assistant", "model": body["model"],
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    send("message_start", json!({ "message": message }));
    for (index, saying) in turn.iter().enumerate() {
        let (block, deltas) = match saying {
            Saying::Think(text) => (
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                vec![
                    json!({ "type": "thinking_delta", "thinking": text }),
                    json!({ "type": "signature_delta", "signature": "EqQBCgIYAhIM" }),
                ],
            ),
            Saying::Text(text) => {
                (json!({ "type": "text", "text": "" }), vec![json!({ "type": "text_delta", "text": text })])
            }
            Saying::Call { id, name, input } => (
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                vec![json!({ "type": "input_json_delta", "partial_json": input.to_string() })],
            ),
        };
        send("content_block_start", json!({ "index": index, "content_block": block }));
        for delta in deltas {
            send("content_block_delta", json!({ "index": index, "delta": delta }));
        }
        send("content_block_stop", json!({ "index": index }));
    }
    let calls = turn.iter().any(|saying| matches!(saying, Saying::Call { .. }));
    let delta = json!({ "stop_reason": if calls { "tool_use" } else { "end_turn" }, "stop_sequence": null });
    send("message_delta", json!({ "delta": delta, "usage": usage }));
    send("message_stop", json!({}));
    stream
}
