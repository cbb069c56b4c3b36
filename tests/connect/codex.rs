//! The Codex CLI, by our recipe: the backend's own client, with Dragoman between.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::fake::{Fail, FakeChatGpt, Rule};
use support::{Dragoman, workspace};

use crate::Done;

const LIMIT: Duration = Duration::from_secs(90);

/// A Codex CLI with a home of its own, set up as the recipe says.
struct Codex {
    fake: FakeChatGpt,
    dragoman: Dragoman,
    home: PathBuf,
}

impl Codex {
    async fn set_up() -> Self {
        let fake = FakeChatGpt::start();
        let dragoman = Dragoman::start(&fake).await;
        let recipe =
            Done::from(dragoman.launch().command().args(["recipe", "codex"]).output().unwrap()).good();
        assert!(recipe.err.contains("tested with Dragoman"), "{}", recipe.err);
        let home = dragoman.path().join("codex-home");
        std::fs::create_dir_all(home.join(".codex")).unwrap();
        std::fs::create_dir_all(home.join("work")).unwrap();
        let start = recipe.out.find("model = ").unwrap();
        std::fs::write(home.join(".codex/config.toml"), &recipe.out[start..]).unwrap();
        Self { fake, dragoman, home }
    }

    /// `codex exec` with these arguments, in the work directory.
    async fn exec(&self, arguments: &[&str]) -> Done {
        let program = workspace().join("target/tools/clients/node_modules/.bin/codex");
        assert!(
            program.exists(),
            "the Codex CLI is not at {}; `make setup-tests` installs it",
            program.display()
        );
        let mut command = tokio::process::Command::new(program);
        command
            .args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"])
            .args(arguments)
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")])
            .env("HOME", &self.home)
            .env("CODEX_HOME", self.home.join(".codex"))
            // Whatever is not on this machine goes to a port on which nobody listens.
            .envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")])
            .env("NO_PROXY", "127.0.0.1,localhost")
            .current_dir(self.home.join("work"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        Done::from(output.unwrap_or_else(|_| panic!("the Codex CLI hangs: {}", self.fake.story())).unwrap())
    }
}

#[tokio::test]
async fn the_codex_cli_runs_a_tool_in_its_classic_form() {
    let codex = Codex::set_up().await;
    codex.fake.script([
        Rule::any("call")
            .when_user("make a note")
            .when_user_speaks()
            .think("A file will do.")
            .tool("exec_command", json!({ "cmd": "echo kingfisher > note.txt && cat note.txt" })),
        Rule::any("end").when_output("kingfisher").text("The note says kingfisher."),
    ]);
    let done = codex.exec(&["--model", "gpt-5.5", "make a note"]).await.good();
    assert!(done.out.contains("The note says kingfisher."), "{} {}", done.out, codex.fake.story());
    let note = std::fs::read_to_string(codex.home.join("work/note.txt")).unwrap();
    assert_eq!(note, "kingfisher\n");
    // The reasoning came back with the output: the fake knows its own ciphertexts only.
    let end = codex.fake.only("end");
    assert!(end.body["input"].as_array().unwrap().iter().any(|item| item["type"] == "reasoning"));
    // It is the CLI's own thread, and its prompt cache.
    assert_eq!(end.header("thread-id"), end.body["prompt_cache_key"].as_str().unwrap());
    codex.fake.assert_content();
}

/// What the models of the Lite dialect are given is one text tool, which runs JavaScript.
fn code(text: &str) -> [Value; 2] {
    let item = |status: &str, input: &str| {
        json!({ "id": "ctc_1", "type": "custom_tool_call", "status": status, "call_id": "call_c1", "name": "exec",
            "namespace": "functions", "input": input })
    };
    [
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item("in_progress", "") }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item("completed", text) }),
    ]
}

#[tokio::test]
async fn the_codex_cli_runs_code_in_its_lite_form() {
    let codex = Codex::set_up().await;
    let [added, done] = code(
        "const r = await tools.exec_command({ cmd: \"echo king\" + \"fisher > note.txt; cat note.txt\" }); text(r.output);",
    );
    codex.fake.script([
        Rule::any("call").when_user("make a note").when_user_speaks().event(added).event(done),
        Rule::any("end").when_output("kingfisher").text("The note says kingfisher."),
    ]);
    let done = codex.exec(&["make a note"]).await.good();
    assert!(done.out.contains("The note says kingfisher."), "{} {}", done.out, codex.fake.story());
    assert_eq!(codex.fake.only("end").view().model, "gpt-6.1-sol");
    assert!(codex.home.join("work/note.txt").exists());
}

#[tokio::test]
async fn the_codex_cli_tells_a_limit_in_its_own_words_and_asks_once() {
    let codex = Codex::set_up().await;
    codex.fake.script([Rule::any("limit").always().fail(Fail::UsageLimit { resets_in: 3_600 })]);
    let done = codex.exec(&["hello"]).await;
    assert!(done.err.contains("hit your usage limit"), "{} {}", done.out, done.err);
    assert_eq!(codex.fake.only("limit").view().model, "gpt-6.1-sol");
    drop(codex.dragoman);
}
