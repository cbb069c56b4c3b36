//! opencode, by our recipe: another real client than Claude Code.

use std::process::Stdio;

use serde_json::json;
use support::fake::{FakeChatGpt, Rule};
use support::{Dragoman, workspace};

use crate::Done;

#[tokio::test]
async fn opencode_works_by_its_recipe() {
    let program = workspace().join("target/tools/clients/node_modules/.bin/opencode");
    assert!(program.exists(), "opencode is not at {}; `make setup-tests` installs it", program.display());
    let fake = FakeChatGpt::start();
    let dragoman = Dragoman::start(&fake).await;
    let recipe =
        Done::from(dragoman.launch().command().args(["recipe", "opencode"]).output().unwrap()).good();
    assert!(recipe.err.contains("tested with Dragoman"), "{}", recipe.err);
    let start = recipe.out.find('{').unwrap();
    let work = dragoman.path().join("opencode/work");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join("opencode.json"), &recipe.out[start..]).unwrap();
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
    assert_eq!(fake.only("end").view().model, "gpt-6.1-sol");
}
