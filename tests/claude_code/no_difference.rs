//! A user can't tell: a fixed task of twelve steps goes the same way through Dragoman as against an Anthropic server.
//! The same calls with the same inputs, the same results, the same words, the same files.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::anthropic::{Saying, ScriptedAnthropic};
use support::fake::Rule;
use support::files;

use crate::client::{Desk, Outcome};

fn think(text: &str) -> Saying {
    Saying::Think(text.to_owned())
}

fn say(text: &str) -> Saying {
    Saying::Text(text.to_owned())
}

fn call(step: usize, name: &str, input: Value) -> Saying {
    Saying::Call { id: format!("call_{step}_{name}"), name: name.to_owned(), input }
}

fn bash(command: &str) -> Value {
    json!({ "command": command, "description": "d" })
}

/// The task: what the model says in each of its twelve turns.
fn task(desk: &Desk) -> Vec<Vec<Saying>> {
    let path = |name: &str| desk.path(name);
    let awkward = "He said \"hi\\there\"\n\ttab é中😀 </script> \u{2028} $HOME `x`\n";
    vec![
        vec![
            think("First a file."),
            say("I begin."),
            call(1, "Write", json!({ "file_path": path("notes.md"), "content": "# Notes\nalpha\n" })),
        ],
        vec![call(2, "Read", json!({ "file_path": path("notes.md") }))],
        vec![
            think("Change a word."),
            call(
                3,
                "Edit",
                json!({ "file_path": path("notes.md"), "old_string": "alpha", "new_string": "beta" }),
            ),
        ],
        vec![call(4, "Bash", bash("cat notes.md; wc -l < notes.md"))],
        vec![
            say("Three at once."),
            call(5, "Read", json!({ "file_path": path("notes.md") })),
            call(51, "Bash", bash("echo one > one.txt; cat one.txt")),
            call(52, "Bash", bash("printf 'two\\n' > two.txt")),
        ],
        vec![call(6, "Write", json!({ "file_path": path("awkward.txt"), "content": awkward }))],
        vec![call(7, "Bash", bash("echo out; echo err >&2; exit 3"))],
        vec![
            think("A tool to load."),
            call(8, "ToolSearch", json!({ "query": "select:CronList", "max_results": 5 })),
        ],
        vec![call(9, "CronList", json!({}))],
        vec![call(10, "Read", json!({ "file_path": path("red.png") }))],
        vec![
            call(
                11,
                "Edit",
                json!({ "file_path": path("missing.txt"), "old_string": "a", "new_string": "b" }),
            ),
            call(111, "Bash", bash("ls | sort | tr '\\n' ' '")),
        ],
        vec![think("Done."), say("All twelve steps are done. Grüße 🎉")],
    ]
}

/// The same for the fake ChatGPT.
fn rules(task: &[Vec<Saying>]) -> Vec<Rule> {
    let rule = |(step, turn): (usize, &Vec<Saying>)| {
        turn.iter().fold(Rule::main(&format!("turn {}", step + 1)), |rule, saying| match saying {
            Saying::Think(text) => rule.think(text),
            Saying::Text(text) => rule.text(text),
            Saying::Call { id, name, input } => rule.call(id, name, input.clone()),
        })
    };
    task.iter().enumerate().map(rule).collect()
}

/// What a user can see of a run: everything said, called and answered, in order, and the files that are there then.
fn seen(desk: &Desk, outcome: &Outcome) -> (Vec<Value>, BTreeMap<String, String>) {
    let place = desk.work().display().to_string();
    let blocks = outcome
        .events
        .iter()
        .filter(|event| event["type"] == "assistant" || event["type"] == "user")
        .flat_map(|event| event["message"]["content"].as_array().cloned().unwrap_or_default())
        .map(|mut block| {
            if let Some(members) = block.as_object_mut() {
                members.remove("signature");
            }
            // The two runs have a directory each.
            serde_json::from_str(&block.to_string().replace(&place, "PLACE")).unwrap()
        })
        .collect();
    let mut there = BTreeMap::new();
    for entry in std::fs::read_dir(desk.work()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let content = std::fs::read(entry.path()).unwrap();
        there.insert(
            entry.file_name().to_string_lossy().into_owned(),
            String::from_utf8_lossy(&content).into_owned(),
        );
    }
    (blocks, there)
}

#[tokio::test]
async fn a_task_of_twelve_steps_goes_as_with_anthropic() {
    let mut runs = Vec::new();
    for through_dragoman in [false, true] {
        let desk = Desk::open().await;
        desk.file("red.png", files::png(32, 32, [255, 0, 0]));
        let task = task(&desk);
        let anthropic = ScriptedAnthropic::start(&task).await;
        desk.script(rules(&task));
        let run = desk.claude("do the task");
        let run = if through_dragoman { run } else { run.env("ANTHROPIC_BASE_URL", &anthropic.url()) };
        let outcome = run.outcome().await;
        outcome.assert_says("All twelve steps are done. Grüße 🎉");
        if through_dragoman {
            assert_eq!(anthropic.left(), 12, "Dragoman's run asked the other server");
            assert_eq!(desk.fake.turns().len(), 12, "{}", desk.fake.story());
            desk.fake.assert_content();
        } else {
            assert_eq!(anthropic.left(), 0);
            assert!(desk.fake.turns().is_empty(), "the other run went through Dragoman");
        }
        runs.push(seen(&desk, &outcome));
    }
    let (with_anthropic, with_dragoman) = (&runs[0], &runs[1]);
    let calls = with_anthropic.0.iter().filter(|block| block["type"] == "tool_use").count();
    assert_eq!(calls, 14, "the task was done as it stands here");
    for (step, (one, other)) in with_anthropic.0.iter().zip(&with_dragoman.0).enumerate() {
        assert_eq!(one, other, "block {step}");
    }
    assert_eq!(with_anthropic.0.len(), with_dragoman.0.len());
    assert_eq!(with_anthropic.1, with_dragoman.1, "the files differ");
    assert_eq!(with_dragoman.1.len(), 5, "{:?}", with_dragoman.1.keys());
}
