//! Calls and their results, by hand and in the SDKs' own loop.

use serde_json::json;
use support::fake::Rule;

use crate::client::{Desk, city, in_both_languages};

in_both_languages! { tools streamed_tools tool_runner }

async fn tools(desk: Desk) {
    desk.script([
        Rule::any("a").text("Two.").call("call_1", "get_weather", city("Oslo")).call(
            "call_2",
            "get_weather",
            city("Rome"),
        ),
        Rule::any("b").when_output("sunny in Rome").text("Both sunny."),
    ]);
    let expected =
        json!({ "stop_reason": "tool_use", "inputs": [city("Oslo"), city("Rome")], "end": "Both sunny." });
    assert_eq!(desk.run("tools").await, expected);
    let second = desk.fake.only("b");
    assert_eq!(second.view().output("call_1"), Some("sunny in Oslo"), "results were sent in the other order");
    assert_eq!(second.view().output("call_2"), Some("sunny in Rome"));
    desk.fake.assert_content();
}

async fn streamed_tools(desk: Desk) {
    let input = json!({ "city": "Zürich \"HB\" 🚆", "unit": "C" });
    desk.script([Rule::any("a").think("hm").tool("get_weather", input.clone()).pieces(7)]);
    let expected = json!({ "name": "get_weather", "input": input, "stop_reason": "tool_use" });
    assert_eq!(desk.run("streamed_tools").await, expected);
    desk.fake.assert_content();
}

/// M07: the loop asks for a server-side thread, is told that there is none, and goes on with the whole history.
async fn tool_runner(desk: Desk) {
    desk.script([
        Rule::any("a").text("Looking.").call("call_1", "get_weather", city("Oslo")),
        Rule::any("b").when_output("sunny in Oslo").call("call_2", "get_weather", city("Atlantis")),
        Rule::any("c").when_output("there is no such city").text("Sunny in Oslo; no Atlantis."),
    ]);
    let expected = json!({
        "text": "Sunny in Oslo; no Atlantis.", "ran": ["Oslo", "Atlantis"],
        "refused": ["thread_unsupported_request"],
    });
    assert_eq!(desk.run("tool_runner").await, expected);
    let last = desk.fake.only("c");
    assert!(last.view().first_user().contains("weather?"), "the history is whole");
    assert_eq!(last.view().calls(), ["call_1", "call_2"]);
    assert!(last.view().output("call_2").unwrap().starts_with("[The tool reported an error]"));
    assert_eq!(desk.fake.turns().len(), 3, "each turn was asked for once: {}", desk.fake.story());
    desk.fake.assert_content();
}
