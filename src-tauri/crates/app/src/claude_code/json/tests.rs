use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn env(name: &str) -> Key {
    Key::within("env", name)
}

/// Sets and puts back; the text between the two.
#[track_caller]
fn round(text: &str, key: &Key, value: &Value) -> String {
    let (changed, before) = set(text, key, value).unwrap();
    assert_eq!(put_back(&changed, key, &before).unwrap(), text, "undone");
    changed
}

#[test]
fn a_member_is_added_in_the_style_that_is_there() {
    let value = json!("v");
    for (text, expected) in [
        ("{}", "{\n  \"k\": \"v\"\n}"),
        ("{ }\n", "{\n  \"k\": \"v\"\n}\n"),
        ("{\"a\":1}", "{\"a\":1,\"k\":\"v\"}"),
        ("{ \"a\": 1 }", "{ \"a\": 1, \"k\": \"v\" }"),
        ("{\n\t\"a\": 1\n}\n", "{\n\t\"a\": 1,\n\t\"k\": \"v\"\n}\n"),
        ("{\r\n    \"a\": 1\r\n}\r\n", "{\r\n    \"a\": 1,\r\n    \"k\": \"v\"\r\n}\r\n"),
        ("\u{feff}{\n  \"a\": 1\n}", "\u{feff}{\n  \"a\": 1,\n  \"k\": \"v\"\n}"),
        ("\n\n{\n\"a\": 1 }  ", "\n\n{\n\"a\": 1,\n\"k\": \"v\" }  "),
    ] {
        assert_eq!(round(text, &Key::top("k"), &value), expected);
    }
}

#[test]
fn a_member_of_a_section_keeps_its_indentation() {
    let text = "{\n    \"env\": {\n        \"A\": \"1\"\n    },\n    \"z\": 0\n}\n";
    let changed = round(text, &env("B"), &json!("2"));
    assert_eq!(
        changed,
        "{\n    \"env\": {\n        \"A\": \"1\",\n        \"B\": \"2\"\n    },\n    \"z\": 0\n}\n"
    );
    let empty = round("{\n  \"env\": {},\n  \"z\": 0\n}", &env("B"), &json!("2"));
    assert_eq!(empty, "{\n  \"env\": {\n    \"B\": \"2\"\n  },\n  \"z\": 0\n}");
    let line = round("{\n  \"env\": {\"A\": \"1\"}\n}", &env("B"), &json!("2"));
    assert_eq!(line, "{\n  \"env\": {\"A\": \"1\", \"B\": \"2\"}\n}");
    let rows = round(text, &Key::top("p"), &json!({ "options": [{ "m": 1 }] }));
    let rows = rows.strip_prefix(text.trim_end_matches("\n}\n")).unwrap();
    assert_eq!(
        rows,
        ",\n    \"p\": {\n        \"options\": [\n            {\n                \"m\": 1\n            }\n        ]\n    }\n}\n"
    );
}

#[test]
fn a_value_is_replaced_and_comes_back_as_it_was_written() {
    let text = "{ \"env\" : { \"A\" :  \"\\u0041\\/\" , \"B\": 1 } }";
    let changed = round(text, &env("A"), &json!("x"));
    assert_eq!(changed, "{ \"env\" : { \"A\" :  \"x\" , \"B\": 1 } }");
    assert_eq!(get(&changed, &env("A")).unwrap(), Some(("\"x\"", 1)));
}

#[test]
fn a_member_is_taken_out_wherever_it_has_moved_to() {
    let before = Before::Nothing(None);
    let out = |text| put_back(text, &Key::top("k"), &before).unwrap();
    assert_eq!(out("{\"k\": 1, \"a\": 2}"), "{\"a\": 2}");
    assert_eq!(out("{\"a\": 2,\n \"k\": 1\n}"), "{\"a\": 2\n}");
    assert_eq!(out("{\"a\": 2, \"k\": 1, \"b\": 3}"), "{\"a\": 2, \"b\": 3}");
    assert_eq!(out("{\n  \"k\": 1\n}"), "{}");
    assert_eq!(out("{\"a\": 2}"), "{\"a\": 2}", "it was gone already");
}

#[test]
fn what_can_t_be_edited_is_refused_with_its_place() {
    let said = |text: &str| get(text, &env("A")).unwrap_err().to_string();
    assert_eq!(said(""), "line 1, column 0 is not valid JSON (EOF while parsing a value)");
    assert_eq!(said("{\n  // no\n}"), "line 2, column 3 is not valid JSON (key must be a string)");
    assert_eq!(said("{\"a\": 1,}"), "line 1, column 9 is not valid JSON (key must be a string)");
    assert_eq!(said("[]"), "the whole file (line 1) is not an object in braces");
    assert_eq!(said("{\n\"env\": \"x\"}"), "env (line 2) is not an object in braces");
    assert_eq!(
        said("{\"env\": {},\n\"b\": 1,\n\"env\": {}}"),
        "env is there twice, in lines 1 and 3, and only the last one counts"
    );
    assert!(said("{\"env\": {\"A\": 1, \"\\u0041\": 2}}").starts_with("A is there twice"));
    assert_eq!(get("{\"a\": {\"b\": 1, \"b\": 2}}", &env("A")), Ok(None), "other twins are not our business");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(get(&format!("{{\"a\": {deep}}}"), &env("A")), Ok(None), "depth is no matter");
}

#[test]
fn values_are_compared_by_what_they_say() {
    assert!(same("\"a\"", "\"\\u0061\""));
    assert!(same("{\"a\":1,\"b\":[]}", "{ \"b\": [], \"a\": 1 }"));
    assert!(!same("\"1\"", "1"));
}

/// JSON of any shape, laid out in any way.
fn file() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zé\"\\\\\n ]{0,6}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-eA-C]{1,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let section = prop::collection::btree_map("[A-C]", "[a-z]{0,3}", 0..3)
        .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name, value.into())).collect()));
    let top = prop::collection::btree_map("[a-eA-C]{1,2}", tree, 0..5);
    (top, prop::option::of(section), 0..4_usize, any::<bool>(), any::<bool>(), "[ \n]{0,2}").prop_map(
        |(mut top, section, indent, crlf, bom, end)| {
            if let Some(section) = section {
                top.insert("env".to_owned(), section);
            }
            let text = match indent {
                0 => serde_json::to_string(&top).unwrap(),
                steps => {
                    let unit = ["", "  ", "\t", "    "][steps];
                    let mut bytes = Vec::new();
                    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
                    top.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
                        .unwrap();
                    String::from_utf8(bytes).unwrap()
                }
            } + &end;
            let text = if crlf { text.replace('\n', "\r\n") } else { text };
            if bom { format!("\u{feff}{text}") } else { text }
        },
    )
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap()
}

proptest! {
    /// The whole promise: after the edits the text says the old things and ours, nothing outside our members has
    /// changed, and undoing them gives the old bytes.
    #[test]
    fn everything_else_stays_byte_for_byte(
        text in file(),
        edits in prop::collection::vec(("[A-E]", any::<bool>(), "[a-z\"é]{0,4}"), 1..6),
    ) {
        let mut expected = parsed(&text);
        let mut now = text.clone();
        let mut undo = Vec::new();
        if get(&now, &Key::top("env")).unwrap().is_none() {
            let (changed, before) = set(&now, &Key::top("env"), &json!({})).unwrap();
            undo.push((Key::top("env"), before));
            now = changed;
            expected["env"] = json!({});
        }
        for (name, at_top, value) in edits {
            let key = if at_top { Key::top(&name) } else { env(&name) };
            let (changed, before) = set(&now, &key, &value).unwrap();
            // What the edit did is one replaced stretch; around it are the old bytes, and in it is only the member.
            let same_start = changed.bytes().zip(now.bytes()).take_while(|(new, old)| new == old).count();
            let room = changed.len().min(now.len()) - same_start;
            let same_end =
                changed.bytes().rev().zip(now.bytes().rev()).take(room).take_while(|(new, old)| new == old).count();
            let inserted = &changed.as_bytes()[same_start..changed.len() - same_end];
            let written = serde_json::to_string(&value).unwrap();
            let most = written.len() + serde_json::to_string(&name).unwrap().len() + 40;
            prop_assert!(inserted.len() <= most, "{inserted:?}");
            if at_top { expected[&name] = value.clone().into() } else { expected["env"][&name] = value.clone().into() }
            now = changed;
            undo.push((key, before));
            prop_assert_eq!(parsed(&now), expected.clone());
            if now.contains("\r\n") {
                prop_assert!(!now.replace("\r\n", "").contains('\n'), "line ends are mixed: {:?}", now);
            }
        }
        for (key, before) in undo.iter().rev() {
            now = put_back(&now, key, before).unwrap();
        }
        prop_assert_eq!(now, text);
    }
}
