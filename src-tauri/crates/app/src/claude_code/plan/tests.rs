use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn wanted(pairs: &[(&str, &str)]) -> Vec<Wanted> {
    let one = |(name, value): &(&str, &str)| Wanted {
        key: name.strip_prefix("env.").map_or_else(|| Key::top(name), |name| Key::within(ENV, name)),
        value: Ours::Text((*value).to_owned()),
    };
    pairs.iter().map(one).collect()
}

const URL: [(&str, &str); 2] =
    [("env.ANTHROPIC_BASE_URL", "http://127.0.0.1:1"), ("disableAutoMode", "disable")];

fn take(text: Option<&str>, known: &[Entry], pairs: &[(&str, &str)]) -> Plan {
    connect(text, known, &wanted(pairs), Reach::Take).unwrap()
}

fn deeds(plan: &Plan) -> Vec<(String, Deed)> {
    plan.steps.iter().map(|step| (step.key.to_string(), step.deed.clone())).collect()
}

#[test]
fn connecting_and_undoing_gives_the_old_bytes() {
    for text in [
        "{}",
        "{\n}\n",
        "{\"env\": {}}",
        "\u{feff}{\r\n  \"permissions\": {\r\n    \"allow\": []\r\n  }\r\n}\r\n",
        "{\n  \"env\": {\n    \"ANTHROPIC_BASE_URL\": \"https:\\/\\/old\"\n  },\n  \"disableAutoMode\": null\n}\n",
    ] {
        let plan = take(Some(text), &[], &URL);
        let back = disconnect(plan.text.as_deref(), &plan.entries, &Origin::There).unwrap();
        assert_eq!(back.text.as_deref(), Some(text));
    }
}

#[test]
fn a_file_of_ours_goes_again_and_a_blank_one_is_blank_again() {
    let plan = take(None, &[], &URL);
    assert_eq!(
        plan.text.as_deref(),
        Some(
            "{\n  \"env\": {\n    \"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:1\"\n  },\n  \"disableAutoMode\": \"disable\"\n}\n"
        )
    );
    let missing = Origin::Missing { directory: true };
    assert_eq!(disconnect(plan.text.as_deref(), &plan.entries, &missing).unwrap().text, None);
    let blank = Origin::Blank(" \n".to_owned());
    let back = disconnect(plan.text.as_deref(), &plan.entries, &blank).unwrap();
    assert_eq!(back.text.as_deref(), Some(" \n"));
    // What the user wrote meanwhile keeps the file.
    let more = json::set(plan.text.as_deref().unwrap(), &Key::top("model"), &"opus").unwrap().0;
    let back = disconnect(Some(&more), &plan.entries, &missing).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&back.text.unwrap()).unwrap(), json!({ "model": "opus" }));
}

#[test]
fn undoing_leaves_alone_what_someone_changed_since() {
    let plan = take(Some("{\"env\": {\"ANTHROPIC_BASE_URL\": \"old\"}}"), &[], &URL);
    let text = plan.text.unwrap().replace("http://127.0.0.1:1", "https://mine");
    let back = disconnect(Some(&text), &plan.entries, &Origin::There).unwrap();
    assert_eq!(back.text.as_deref(), Some("{\"env\": {\"ANTHROPIC_BASE_URL\": \"https://mine\"}}"));
    let deeds = deeds(&back);
    assert!(deeds.contains(&("env.ANTHROPIC_BASE_URL".to_owned(), Deed::LeftAlone)), "{deeds:?}");
    assert!(deeds.contains(&("disableAutoMode".to_owned(), Deed::Removed)), "{deeds:?}");
}

#[test]
fn connecting_twice_remembers_the_first_value() {
    let text = "{\"env\": {\"ANTHROPIC_BASE_URL\": \"old\"}}";
    let first = take(Some(text), &[], &URL);
    let second = take(first.text.as_deref(), &first.entries, &[(URL[0].0, "http://127.0.0.1:2")]);
    assert_eq!(second.text.as_deref(), Some("{\"env\": {\"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:2\"}}"));
    let expected = [("disableAutoMode", Deed::Removed), ("env.ANTHROPIC_BASE_URL", Deed::Updated)];
    assert_eq!(deeds(&second), expected.map(|(key, deed)| (key.to_owned(), deed)));
    let back = disconnect(second.text.as_deref(), &second.entries, &Origin::There).unwrap();
    assert_eq!(back.text.as_deref(), Some(text));
}

#[test]
fn keeping_up_touches_only_what_is_still_ours() {
    let pairs = [("env.A", "1"), ("env.B", "1"), ("env.C", "1")];
    let plan = take(Some("{}"), &[], &pairs);
    let theirs = plan.text.unwrap().replace("\"A\": \"1\"", "\"A\": \"mine\"").replace("\"B\": \"1\",", "");
    let newer = wanted(&[("env.A", "2"), ("env.B", "2"), ("env.C", "2"), ("env.D", "2")]);
    let kept = connect(Some(&theirs), &plan.entries, &newer, Reach::Keep).unwrap();
    let says: Value = serde_json::from_str(kept.text.as_deref().unwrap()).unwrap();
    assert_eq!(says, json!({ "env": { "A": "mine", "C": "2", "D": "2" } }));
    assert_eq!(still_ours(kept.text.as_deref(), &kept.entries).unwrap().0, 2);
}

#[test]
fn a_write_that_never_happened_is_undone_by_doing_nothing() {
    let text = "{\"env\": {\"ANTHROPIC_BASE_URL\": \"old\"}}";
    let plan = take(Some(text), &[], &URL);
    let back = disconnect(Some(text), &plan.entries, &Origin::There).unwrap();
    assert_eq!((back.text.as_deref(), back.steps), (Some(text), Vec::new()));
}

proptest! {
    /// Whatever the user does to the file meanwhile, undoing gives what they would have without us.
    #[test]
    fn undoing_is_as_if_we_had_never_been_there(
        old in prop::collection::btree_map("[A-D]", "[0-9]{1,2}", 0..4),
        ours in prop::collection::btree_map("[A-F]", "[a-z]{1,2}", 1..6),
        later in prop::collection::btree_map("[A-H]", "[A-Z]{1,2}", 0..4),
        rewritten in any::<bool>(),
    ) {
        let text = json!({ "env": old, "z": 1 }).to_string();
        let ours: Vec<_> = ours.iter().map(|(key, value)| (format!("env.{key}"), value.as_str())).collect();
        let ours: Vec<_> = ours.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let plan = take(Some(&text), &[], &ours);
        let mut now = plan.text.unwrap();
        let mut expected: Value = serde_json::from_str(&text).unwrap();
        for (key, value) in &later {
            now = json::set(&now, &Key::within(ENV, key), value).unwrap().0;
            expected["env"][key] = value.clone().into();
        }
        if rewritten {
            now = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&now).unwrap()).unwrap();
        }
        let back = disconnect(Some(&now), &plan.entries, &Origin::There).unwrap().text.unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), expected);
        if later.is_empty() && !rewritten {
            prop_assert_eq!(back, text);
        }
    }
}
