//! opencode, by our recipes: another real client than Claude Code, by either API.

use std::process::Stdio;

use serde_json::json;
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, workspace};

use crate::Done;

#[tokio::test]
async fn opencode_works_by_its_recipe() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let recipe = recipe(&dragoman, "opencode");
    note_is_read(&fake, &dragoman, &recipe[recipe.find('{').unwrap()..]).await;
    assert_eq!(fake.only("end").view().model, "gpt-6.1-sol");
}

#[tokio::test]
async fn opencode_works_as_a_program_with_an_openai_compatible_base_url() {
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let recipe = recipe(&dragoman, "openai-compatible");
    let value = |name: &str| {
        let line = recipe.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {recipe}")).trim().to_owned()
    };
    let model = value("Model");
    let config = json!({
        "provider": { "dragoman": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Dragoman",
            "options": { "baseURL": value("Base URL"), "apiKey": value("API key") },
            "models": { model.as_str(): { "name": model, "limit": { "context": 200_000, "output": 32_000 } } },
        } },
        "model": format!("dragoman/{model}"),
        "small_model": format!("dragoman/{model}"),
    });
    note_is_read(&fake, &dragoman, &config.to_string()).await;
    // It came as a chat: only those ask for a summary of the reasoning without being asked to show it.
    assert_eq!(fake.only("end").body["reasoning"]["summary"], "auto");
}

fn recipe(dragoman: &Dragoman, name: &str) -> String {
    let recipe = Done::from(dragoman.launch().command().args(["recipe", name]).output().unwrap()).good();
    assert!(recipe.err.contains("tested with Dragoman"), "{}", recipe.err);
    recipe.out
}

/// A prompt with a tool round, by a configuration of the project.
async fn note_is_read(fake: &FakeChatGpt, dragoman: &Dragoman, config: &str) {
    let program = workspace().join("target/tools/clients/node_modules/.bin/opencode");
    assert!(program.exists(), "opencode is not at {}; `make setup-tests` installs it", program.display());
    let work = dragoman.path().join("opencode/work");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join("opencode.json"), config).unwrap();
    std::fs::write(work.join("note.txt"), "kingfisher").unwrap();
    let bash = json!({ "command": "cat note.txt", "description": "Show the note" });
    fake.script([
        Rule::any("title").always().when_no_tools().text("A title"),
        Rule::any("call").when_user("read the note").when_user_speaks().tool("bash", bash),
        Rule::any("end").when_output("kingfisher").text("The note says {{last_output}}."),
    ]);
    let path = work.display().to_string();
    let mut command = tokio::process::Command::new(program);
    command
        .args(["run", "read the note"])
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("HOME", &path)])
        // Whatever is not on this machine goes to a port on which nobody listens.
        .envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")])
        .env("NO_PROXY", "127.0.0.1,localhost")
        .current_dir(&work)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), command.output()).await;
    let done =
        Done::from(output.unwrap_or_else(|_| panic!("opencode hangs: {}", fake.story())).unwrap()).good();
    assert!(done.out.contains("The note says"), "{} {}", done.out, fake.story());
}
