//! What must hold for the suite as a whole, and for the runner itself: a runner that can't fail proves nothing.

use std::collections::BTreeSet;

use dragoman_protocol::layout as json;
use libtest_mimic::{Failed, Trial};

use crate::case::Case;
use crate::placeholder::Bindings;
use crate::{diff, directories, exported, ids, script, table};

/// Checks as tests of their own.
pub(crate) fn trials(ci: bool, update: bool) -> Vec<Trial> {
    vec![
        Trial::test("suite::expected_files_are_never_rewritten_in_ci", move || {
            holds(!(ci && update), "UPDATE and CI are both set")
        }),
        Trial::test("suite::every_required_id_has_a_case", every_required_id_has_a_case),
        Trial::test("suite::no_id_is_listed_twice", no_id_is_listed_twice),
        Trial::test("suite::the_table_in_the_readme_is_up_to_date", move || {
            table::check(update && !ci).map_err(Failed::from)
        }),
        Trial::test(
            "runner::a_row_without_a_case_is_listed_as_missing",
            a_row_without_a_case_is_listed_as_missing,
        ),
        Trial::test("runner::a_difference_is_found_and_shown", a_difference_is_found_and_shown),
        Trial::test(
            "runner::a_name_stands_for_one_value_of_its_shape",
            a_name_stands_for_one_value_of_its_shape,
        ),
        Trial::test("runner::layout_changes_white_space_only", layout_changes_white_space_only),
        Trial::test(
            "runner::control_lines_are_understood_or_refused",
            control_lines_are_understood_or_refused,
        ),
        Trial::test("runner::odd_case_directories_are_refused", odd_case_directories_are_refused),
        Trial::test("exported::a_recorded_request_with_tools_of_mcp_servers_passes_as_a_case", || {
            exported::a_recorded_request_with_tools_of_mcp_servers_passes_as_a_case().map_err(Failed::from)
        }),
        Trial::test("exported::a_recorded_conversation_passes_as_a_case", || {
            exported::a_recorded_conversation_passes_as_a_case().map_err(Failed::from)
        }),
        Trial::test("exported::recorded_requests_of_openais_clients_pass_as_cases", || {
            exported::recorded_requests_of_openais_clients_pass_as_cases().map_err(Failed::from)
        }),
        Trial::test("exported::a_case_that_was_changed_fails", || {
            exported::a_case_that_was_changed_fails().map_err(Failed::from)
        }),
    ]
}

fn holds(condition: bool, otherwise: impl Into<String>) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise.into().into()) }
}

fn every_required_id_has_a_case() -> Result<(), Failed> {
    let mut proven = BTreeSet::new();
    for directory in directories() {
        // A case that can't be read fails in its own name.
        if let Ok(case) = Case::read(&directory) {
            proven.extend(case.ids().map(str::to_owned));
        }
    }
    let missing: Vec<&str> = ids::REQUIRED.iter().copied().filter(|id| !proven.contains(*id)).collect();
    holds(missing.is_empty(), format!("no case for {}", missing.join(" ")))
}

fn no_id_is_listed_twice() -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    let twice: Vec<&&str> = ids::REQUIRED.iter().chain(ids::LATER).filter(|id| !seen.insert(**id)).collect();
    holds(twice.is_empty(), format!("{twice:?}"))
}

/// Every ID has its row, and one is missing exactly if it has neither a case nor a word that says why.
fn a_row_without_a_case_is_listed_as_missing() -> Result<(), Failed> {
    let rendered = table::rendered();
    holds(rendered.lines().count() == 2 + 24 + 75 + 68 + 12, "not a row for each ID")?;
    for id in table::missing(&rendered) {
        holds(!ids::REQUIRED.contains(&id), format!("{id} is required and has no case"))?;
        holds(ids::LATER.contains(&id), format!("{id} is in no list"))?;
    }
    let example = "| R01 | golden | R01-x |\n| R02 | **missing** | – |\n";
    holds(table::missing(example) == ["R02"], "a missing row was not found")
}

fn a_difference_is_found_and_shown() -> Result<(), Failed> {
    let mut bindings = Bindings::new(0, "s");
    let shown = diff::compare("x.json", "one\ntwo\nthree\n", "one\n2\nthree\n", &mut bindings).err();
    let shown = shown.ok_or("a difference was not found")?;
    holds(shown.contains("- two") && shown.contains("+ 2"), shown)?;
    holds(diff::compare("x", "one\n", "one\ntwo\n", &mut bindings).is_err(), "a line too many passed")?;
    holds(diff::compare("x", "one\ntwo\n", "one\n", &mut bindings).is_err(), "a line too few passed")?;
    let updated = diff::updated("id {{msg_id}}\nold\n", "id msg_1\nnew\n", &mut bindings);
    holds(updated == "id {{msg_id}}\nnew\n", updated)
}

fn a_name_stands_for_one_value_of_its_shape() -> Result<(), Failed> {
    let mut bindings = Bindings::new(100, "s");
    for (expected, actual, accepted) in [
        ("\"{{msg_id}}\"", "\"msg_a1\"", true),
        ("\"{{msg_id}}\"", "\"msg_b2\"", false),
        ("\"{{msg_id2}}\"", "\"msg_a1\"", false),
        ("\"{{msg_id2}}\"", "\"msg_b2\"", true),
        ("{{_msg_id}} {{_msg_id}}", "msg_a1 msg_c3", true),
        ("{{request_id}}", "msg_b2", false),
        ("{{thread}}", "not-a-uuid", false),
        ("{{estimate}},", "0,", false),
        ("{{estimate}},", "12,", true),
        ("{{now+20}}", "120", true),
        ("{{now+20}}", "121", false),
        ("{{~60}} s", "58 s", true),
        ("{{~60}} s", "12 s", false),
        ("resets {{local_time}} (in", "resets Fri 16:10 (in", true),
        ("{{nonsense}}", "nonsense", false),
        ("{{session}}", "s", true),
    ] {
        holds(bindings.accept(expected, actual) == accepted, format!("{expected} against {actual}"))?;
    }
    holds(bindings.fill("{{msg_id}}")? == "msg_a1", "a value was not filled in")?;
    holds(bindings.fill("{{thread}}").is_err(), "an unknown value was filled in")
}

fn layout_changes_white_space_only() -> Result<(), Failed> {
    let laid = json::laid_out(r#"{"b" :[1, {"a\"}":"x , {"}],"a":{ },"c":[]}"#).ok_or("no JSON")?;
    let expected = "{\n  \"b\": [\n    1,\n    {\n      \"a\\\"}\": \"x , {\"\n    }\n  ],\n  \"a\": {},\n  \"c\": []\n}\n";
    holds(laid == expected, laid)?;
    holds(json::packed("{ \"a b\" : [ 1 , \" \\\" \" ] }") == r#"{"a b":[1," \" "]}"#, "packed wrongly")?;
    holds(json::laid_out("{").is_none(), "half an object passed for JSON")
}

fn control_lines_are_understood_or_refused() -> Result<(), Failed> {
    let exchanges = script::parse("#! status 429\n#! header retry-after: 3\n{}\n#! next\ndata: 1\n#! cut\n")?;
    holds(exchanges.len() == 2 && exchanges[0].status == 429, format!("{exchanges:?}"))?;
    holds(exchanges[1].steps.last() == Some(&script::Step::Cut), format!("{exchanges:?}"))?;
    holds(script::parse("#! wait 3s\n").is_err(), "an unknown control line passed")?;
    holds(script::parse("#! pause 3\n").is_err(), "a time without a unit passed")
}

fn odd_case_directories_are_refused() -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let write = |case: &str, name: &str, text: &str| {
        let directory = home.path().join(case);
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(name), text)
    };
    let toml = "id = \"S60\"\nabout = \"x\"\n";
    for (case, text, file) in [
        ("S60-good", toml, None),
        ("S60-unread-file", toml, Some("forgotten.json")),
        ("S60-unknown-key", "id = \"S60\"\nabout = \"x\"\ndialekt = \"lite\"\n", None),
        ("Z99-unknown-id", "id = \"Z99\"\nabout = \"x\"\n", None),
        ("S59-wrong-name", toml, None),
    ] {
        write(case, "case.toml", text)?;
        write(case, "request.json", "{}")?;
        if let Some(file) = file {
            write(case, file, "")?;
        }
        let read = Case::read(&home.path().join(case));
        holds(read.is_ok() == (case == "S60-good"), format!("{case}: {read:?}"))?;
    }
    Ok(())
}
