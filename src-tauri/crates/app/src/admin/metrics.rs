//! `GET /metrics`: numbers for Prometheus, in its text format. Off unless `server.metrics` is on, and behind the token
//! like the rest. No name of a person or session is in it.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::answer::{self, Problem};
use crate::App;
use crate::recent::Sums;
use crate::snapshot::{Server, Snapshot};

const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(app): State<App>) -> Response {
    if !app.settings().server.metrics {
        return Problem::not_found("the metrics are off").hint("set server.metrics to true").into_response();
    }
    let snapshot = app.snapshot().borrow().clone();
    answer::body(text(&snapshot, &app.recent().sums()), KIND)
}

fn text(snapshot: &Snapshot, sums: &BTreeMap<(String, u16), Sums>) -> String {
    let mut out = String::new();
    let on = matches!(snapshot.server, Server::On { .. });
    family(&mut out, "dragoman_up", "gauge", "Does the proxy listen?", [(String::new(), u8::from(on))]);
    let running = [(String::new(), snapshot.activity.running.len() as u64)];
    family(&mut out, "dragoman_requests_running", "gauge", "Requests being answered now.", running);
    let each = |pick: fn(&Sums) -> u64| {
        sums.iter().map(move |((model, status), sums)| {
            (format!("{{model=\"{}\",status=\"{status}\"}}", escaped(model)), pick(sums))
        })
    };
    family(
        &mut out,
        "dragoman_requests_total",
        "counter",
        "Requests that ended.",
        each(|sums| sums.requests),
    );
    let input = "Tokens read, with those from the cache.";
    family(&mut out, "dragoman_input_tokens_total", "counter", input, each(|sums| sums.input));
    let cached = "Of these, from the cache.";
    family(&mut out, "dragoman_cached_tokens_total", "counter", cached, each(|sums| sums.cached));
    family(&mut out, "dragoman_output_tokens_total", "counter", "Tokens written.", each(|sums| sums.output));
    let milliseconds = "Milliseconds from request to end, in all.";
    family(
        &mut out,
        "dragoman_request_milliseconds_total",
        "counter",
        milliseconds,
        each(|sums| sums.milliseconds),
    );
    let windows = snapshot.accounts.iter().flat_map(|account| {
        account.limits.windows.iter().map(move |window| {
            let name = escaped(window.name.as_deref().unwrap_or_default());
            let labels =
                format!("{{account=\"{}\",limit=\"{name}\",minutes=\"{}\"}}", account.id, window.minutes);
            (labels, window.used_percent)
        })
    });
    family(&mut out, "dragoman_limit_used_percent", "gauge", "How full a window of a limit is.", windows);
    out
}

fn family<V: Display>(
    out: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    values: impl IntoIterator<Item = (String, V)>,
) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(out, "{name}{labels} {value}");
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_can_hold_anything() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
