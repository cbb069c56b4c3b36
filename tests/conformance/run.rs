//! Runs one case: a Dragoman and a backend of its own, its steps in order, every expectation compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dragoman_protocol::layout as json;
use support::fake::FakeChatGpt;
use support::http::{Call, Headers};
use support::{Dragoman, Launch};

use crate::case::{Case, Catalog, Dialect, Step, beside};
use crate::placeholder::Bindings;
use crate::script;
use crate::upstream::{Seen, Upstream};
use crate::{diff, notes, offered};

/// The longest that a case may take.
const LIMIT: Duration = Duration::from_secs(120);
/// From the client's hanging up to the end of the upstream connection (S57).
const ABORT: Duration = Duration::from_secs(1);

/// Runs it. The error is for people.
pub(crate) fn run(case: &Case, update: bool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, Runner::start(case, update).await?.steps())
            .await
            .unwrap_or_else(|_| Err(format!("the case was not over after {LIMIT:?}")))
    })
}

struct Runner<'a> {
    case: &'a Case,
    update: bool,
    upstream: Upstream,
    dragoman: Dragoman,
    bindings: Bindings,
    /// How much of Dragoman's log belongs to earlier steps.
    heard: usize,
}

/// What the client got.
struct Got {
    status: u16,
    headers: Headers,
    body: String,
}

impl<'a> Runner<'a> {
    async fn start(case: &'a Case, update: bool) -> Result<Self, String> {
        let upstream = Upstream::start(FakeChatGpt::start()).await.map_err(|error| error.to_string())?;
        let launch = if case.signed_in {
            Launch::beside(upstream.fake())
        } else {
            Launch::signed_out(upstream.fake())
        };
        if case.catalog == Catalog::Lite {
            upstream.fake().serve_catalog(support::fake::lite_catalog());
        }
        if let Some(text) = case.file("catalog.json") {
            upstream.fake().serve_catalog(scripted(&text)?);
        }
        if let Some(code) = &case.refresh_error {
            upstream.fake().fail_refresh(401, code.clone().leak());
        }
        let launch = match case.file("config.toml") {
            Some(text) => launch.config(&text),
            None => launch,
        };
        let tools = case.file("mcp.json");
        let launch = match &tools {
            Some(text) => offered::beside(launch, text)?,
            None => launch,
        };
        let dragoman = launch
            .argument("-vv")
            .env("DRAGOMAN_CHATGPT_URL", &upstream.chatgpt_url())
            .env("TZ", "UTC")
            .start()
            .await;
        let bindings = Bindings::new(support::now(), &case.session);
        let runner = Self { case, update, upstream, dragoman, bindings, heard: 0 };
        if case.signed_in {
            runner.catalog().await?;
        }
        if tools.is_some() {
            offered::ready(&runner.dragoman).await?;
        }
        Ok(runner)
    }

    /// Waits until the backend's catalog has taken the place of the built-in one: it decides model and dialect.
    async fn catalog(&self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let models = self.dragoman.call("GET", "/v1/models?limit=1000").send().await.text();
            if models.contains("(scripted)") {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the backend's catalog was not taken over: {models}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn steps(mut self) -> Result<(), String> {
        for (number, step) in self.case.steps.iter().enumerate() {
            let result = self.step(step).await;
            let many = self.case.steps.len() > 1;
            result.map_err(|error| if many { format!("step {}: {error}", number + 1) } else { error })?;
        }
        let stranger = self
            .upstream
            .fake()
            .requests()
            .into_iter()
            .find(|request| request.method == "CONNECT" || request.path.contains("://"));
        match stranger {
            Some(request) => Err(format!("another host was asked for: {} {}", request.method, request.path)),
            None => Ok(()),
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        if let Some(events) = &step.events {
            let text = self.bindings.fill(&self.case.file(events).unwrap_or_default())?;
            self.upstream.play(script::parse(&text).map_err(|error| format!("{events}: {error}"))?);
        }
        if let Some(found) = &step.found {
            let text = self.bindings.fill(&self.case.file(found).unwrap_or_default())?;
            self.upstream.find(script::parse(&text).map_err(|error| format!("{found}: {error}"))?);
        }
        let call = self.call(step)?;
        let begun = Instant::now();
        let got = match &step.hang_up_at {
            Some(event) => vec![self.hang_up(call, event).await?],
            None => together(std::iter::repeat_n(call, step.times)).await?,
        };
        let took = begun.elapsed();
        let mut problems = Vec::new();
        if step.cancels {
            problems.extend(self.cancelled().await.err());
        }
        problems.extend(self.asked(step).err());
        problems.extend(self.searched(step).err());
        for got in &got {
            problems.extend(self.answered(step, got).err());
        }
        problems.extend(self.noted(step, &got).await.err());
        if let Some(within) = &step.within
            && took > script::duration(within)?
        {
            problems.push(format!("it took {took:?}, not {within}"));
        }
        let left = self.upstream.unused();
        if left > 0 {
            problems.push(format!("{left} of the backend's answers were not asked for"));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// The client's request, with the headers that Claude Code sends, or OpenAI's SDK where that API is asked.
    fn call(&self, step: &Step) -> Result<Call, String> {
        let is_openai = ["/chat/completions", "/responses"].iter().any(|path| step.path.contains(path));
        let mut headers = if is_openai {
            BTreeMap::from([
                ("accept", "application/json"),
                ("user-agent", "OpenAI/Python 2.9.0"),
                ("anthropic-version", ""),
            ])
        } else {
            BTreeMap::from([
                ("accept", "application/json"),
                ("user-agent", "claude-cli/2.1.329 (external, sdk-cli)"),
                ("x-app", "cli"),
                ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24"),
                ("anthropic-dangerous-direct-browser-access", "true"),
            ])
        };
        if step.client.is_some() {
            headers.insert("content-type", "application/json");
        }
        if !self.case.session.is_empty() && !is_openai {
            headers.insert("x-claude-code-session-id", &self.case.session);
        }
        for (name, value) in self.case.headers.iter().chain(&step.headers) {
            headers.insert(name, value);
        }
        let mut call = self.dragoman.call(&step.method, &step.path);
        for (name, value) in headers {
            call = if value.is_empty() { call.without(name) } else { call.header(name, value) };
        }
        if let Some(client) = &step.client {
            let body = self.case.file(client).unwrap_or_default();
            let body = self.bindings.fill(&body).map_err(|error| format!("{client}: {error}"))?;
            call = call.bytes(json::packed(&body));
        }
        Ok(call)
    }

    /// Reads up to an event, hangs up, and sees how long the upstream connection lives on.
    async fn hang_up(&self, call: Call, event: &str) -> Result<Got, String> {
        let mut answer = call.try_open().await.map_err(|error| format!("no answer: {error}"))?;
        let (status, headers, mut body) = (answer.status, answer.headers.clone(), String::new());
        while !body.contains(&format!("event: {event}\n")) {
            match answer.piece().await {
                Ok(Some(bytes)) => body.push_str(&String::from_utf8_lossy(&bytes)),
                _ => return Err(format!("the stream ended before {event}:\n{body}")),
            }
        }
        drop(answer);
        self.cancelled().await?;
        Ok(Got { status, headers, body })
    }

    async fn cancelled(&self) -> Result<(), String> {
        let closed = self.upstream.gone(ABORT).await;
        closed.then_some(()).ok_or_else(|| format!("the upstream connection was still open after {ABORT:?}"))
    }

    /// Compares what went upstream.
    fn asked(&mut self, step: &Step) -> Result<(), String> {
        let seen = self.upstream.take();
        let mut problems = Vec::new();
        if seen.len() != step.upstream.len() {
            let bodies: Vec<&str> = seen.iter().map(|seen| seen.body.as_str()).collect();
            problems.push(format!(
                "{} requests went upstream instead of {}:\n{}",
                seen.len(),
                step.upstream.len(),
                bodies.join("\n")
            ));
        }
        for (seen, name) in seen.iter().zip(&step.upstream) {
            let body = json::laid_out(&seen.body).unwrap_or_else(|| seen.body.clone());
            problems.extend(self.compare(name, &body).err());
            problems.extend(self.headers(&beside(name, "headers"), &seen.headers).err());
            problems.extend(self.identity(seen).err());
            // Ciphertexts in our events were not made by the kit's fake, so it can't vouch for them.
            let refused =
                seen.refused.as_ref().filter(|(_, body)| !body.contains("invalid_encrypted_content"));
            problems
                .extend(refused.map(|refused| format!("{name}: the backend would refuse this: {refused:?}")));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Compares what the search endpoint was asked.
    fn searched(&mut self, step: &Step) -> Result<(), String> {
        let seen = self.upstream.take_searched();
        let mut problems = Vec::new();
        if seen.len() != step.searched.len() {
            problems.push(format!("{} searches were made instead of {}", seen.len(), step.searched.len()));
        }
        for (seen, name) in seen.iter().zip(&step.searched) {
            let body = json::laid_out(&seen.body).unwrap_or_else(|| seen.body.clone());
            problems.extend(self.compare(name, &body).err());
            problems.extend(self.headers(&beside(name, "headers"), &seen.headers).err());
            let refused = seen.refused.as_ref();
            problems
                .extend(refused.map(|refused| format!("{name}: the backend would refuse this: {refused:?}")));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Model and dialect are what `case.toml` says.
    fn identity(&self, seen: &Seen) -> Result<(), String> {
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let lite = seen.headers.value("x-openai-internal-codex-responses-lite") == Some("true");
        let dialect = if lite { Dialect::Lite } else { Dialect::Classic };
        let model = self.case.model.as_deref().unwrap_or_default();
        if body["model"] != model || Some(dialect) != self.case.dialect {
            return Err(format!("went to {} as {dialect:?}, not as case.toml says", body["model"]));
        }
        Ok(())
    }

    /// Compares what the client got.
    fn answered(&mut self, step: &Step, got: &Got) -> Result<(), String> {
        let mut problems = Vec::new();
        let file = step.beside_answer("status");
        let expected = self.case.file(&file).map_or(Ok(200), |text| text.trim().parse::<u16>());
        let expected = expected.map_err(|_| format!("{file} holds no status"))?;
        if expected != got.status {
            if self.update {
                self.write(&file, &format!("{}\n", got.status))?;
            } else {
                problems.push(format!("the status is {}, not {expected}", got.status));
            }
        }
        problems.extend(self.headers(&step.beside_answer("headers"), &got.headers).err());
        match &step.answer {
            None if got.body.is_empty() => {}
            None => problems.push(format!("a body came: {}", got.body)),
            Some(name) if name.ends_with(".json") => {
                let body = json::laid_out(&got.body).unwrap_or_else(|| got.body.clone());
                problems.extend(self.compare(name, &body).err());
            }
            // Where the client hangs up it has seen the beginning only, and maybe more than the file shows.
            Some(name) if step.hang_up_at.is_some() => {
                let expected = self.case.file(name).unwrap_or_default();
                let lines = expected.lines().count();
                let start: String = got.body.split_inclusive('\n').take(lines).collect();
                problems.extend(self.compare(name, &start).err());
            }
            Some(name) => problems.extend(self.compare(name, &got.body).err()),
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }

    /// Compares the fidelity notes. They come by way of stderr, where a request's last line follows them.
    async fn noted(&mut self, step: &Step, got: &[Got]) -> Result<(), String> {
        let asks_a_model = step.method == "POST" && !step.path.contains("count_tokens");
        for got in got.iter().filter(|_| asks_a_model) {
            let id = got.headers.value("request-id").ok_or("the answer has no request-id header")?;
            let last = |line: &str| {
                line.contains(id) && (line.contains("request finished") || line.contains("request refused"))
            };
            let end = Instant::now() + Duration::from_secs(5);
            while !self.dragoman.said()[self.heard..].lines().any(last) {
                if Instant::now() > end {
                    return Err(format!("the log does not say that {id} has ended"));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let said = self.dragoman.said();
        let actual = notes::in_log(&said[self.heard..]);
        self.heard = said.len();
        match &step.notes {
            Some(name) => self.compare(name, &actual),
            None if actual.is_empty() => Ok(()),
            None => Err(format!("unexpected fidelity notes:\n{actual}")),
        }
    }

    fn compare(&mut self, name: &str, actual: &str) -> Result<(), String> {
        let expected = self.case.file(name).unwrap_or_default();
        let result = diff::compare(name, &expected, actual, &mut self.bindings);
        if result.is_err() && self.update {
            let text = diff::updated(&expected, actual, &mut self.bindings);
            return self.write(name, &text);
        }
        result
    }

    /// `name: value` must be there; `!name` must not.
    fn headers(&mut self, file: &str, actual: &Headers) -> Result<(), String> {
        let Some(expected) = self.case.file(file) else { return Ok(()) };
        let mut problems = Vec::new();
        let mut lines = String::new();
        for line in expected.lines().filter(|line| !line.trim().is_empty()) {
            let (name, wanted) = line.split_once(':').unwrap_or((line, ""));
            let value = actual.value(name.trim_start_matches('!'));
            let holds = match (line.starts_with('!'), value) {
                (absent, None) => absent,
                (true, Some(_)) => false,
                (false, Some(value)) => self.bindings.accept(wanted.trim(), value),
            };
            if !holds {
                problems.push(format!("{file}: {line} — came: {}", value.unwrap_or("nothing")));
            }
            let now =
                value.filter(|_| !holds).map(|value| format!("{}: {value}", name.trim_start_matches('!')));
            lines.push_str(&now.unwrap_or_else(|| line.to_owned()));
            lines.push('\n');
        }
        match problems.is_empty() {
            true => Ok(()),
            false if self.update => self.write(file, &lines),
            false => Err(problems.join("\n")),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.case.directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// A catalog, marked so that the runner sees when it has been taken over.
fn scripted(text: &str) -> Result<serde_json::Value, String> {
    let mut catalog: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("catalog.json: {error}"))?;
    for model in catalog["models"].as_array_mut().into_iter().flatten() {
        let description = model["description"].as_str().unwrap_or_default();
        model["description"] = format!("{description} (scripted)").into();
    }
    Ok(catalog)
}

/// Sends calls all at once.
async fn together(calls: impl Iterator<Item = Call>) -> Result<Vec<Got>, String> {
    let mut tasks = tokio::task::JoinSet::new();
    for call in calls {
        tasks.spawn(get(call));
    }
    let mut all = Vec::new();
    while let Some(got) = tasks.join_next().await {
        all.push(got.map_err(|error| error.to_string())??);
    }
    Ok(all)
}

async fn get(call: Call) -> Result<Got, String> {
    let mut answer = call.try_open().await.map_err(|error| format!("no answer: {error}"))?;
    let mut body = Vec::new();
    loop {
        match answer.piece().await {
            Ok(Some(bytes)) => body.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(error) => {
                body.extend_from_slice(format!("\n(the connection broke: {error})\n").as_bytes());
                break;
            }
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Got { status: answer.status, headers: answer.headers, body })
}
