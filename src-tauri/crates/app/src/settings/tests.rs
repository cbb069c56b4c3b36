use dragoman_protocol::route::Effort;
use std::path::Path;

use serde::Deserialize as _;

use super::*;

const PATH: &str = "/home/me/config.toml";

fn load(text: &str) -> Result<Settings, Problem> {
    load_with(text, &[], &[])
}

fn load_with(text: &str, variables: &[(&str, &str)], flags: &[Flag]) -> Result<Settings, Problem> {
    let environment = variables.iter().copied().collect();
    Settings::load(Layers { path: Path::new(PATH), text, environment: &environment, flags })
}

fn complaint(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

fn listen_flag(value: &str) -> Flag {
    Flag { key: "server.listen", value: value.to_owned(), name: "--listen" }
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(load("").unwrap(), Settings::default());
    assert_eq!(load("").unwrap().source("server.listen"), Source::Default);
}

#[test]
fn later_layers_win_and_each_value_knows_its_source() {
    let text = "[server]\nlisten = \"127.0.0.1:1111\"\n\n[log]\nlevel = \"warn\"\nkeep_days = 3\n";
    let variables = [("DRAGOMAN_LISTEN", "127.0.0.1:2222"), ("DRAGOMAN_LOG", "debug")];
    let settings = load_with(text, &variables, &[listen_flag("127.0.0.1:0")]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:0");
    assert_eq!(settings.log, Log { level: Level::Debug, keep_days: 3 });
    assert_eq!(settings.source("server.listen"), Source::Flag("--listen".to_owned()));
    assert_eq!(settings.source("log.level"), Source::Environment("DRAGOMAN_LOG".to_owned()));
    assert_eq!(settings.source("log.keep_days"), Source::File { path: PATH.into(), line: 6 });
    assert_eq!(settings.source("models.opus"), Source::Default);
}

#[test]
fn every_key_can_be_set_by_a_variable() {
    let settings = load_with(
        "",
        &[
            ("DRAGOMAN_CHATGPT_URL", "http://127.0.0.1:9/backend-api/"),
            ("DRAGOMAN_ISSUER_URL", "http://127.0.0.1:9"),
            ("DRAGOMAN_TOKEN_STORE", "file"),
            ("DRAGOMAN_ADMIN_LISTEN", "off"),
            ("DRAGOMAN_SERVER_ALLOWED_HOSTS", "a.lan, B.lan"),
            ("DRAGOMAN_SERVER_BODY_LIMIT_MB", "8"),
            ("DRAGOMAN_SERVER_ALLOW_REMOTE", "yes"),
            ("DRAGOMAN_SERVER_LISTEN", "0.0.0.0:80"),
            ("DRAGOMAN_MODELS_OPUS", "gpt-6.1-sol-high"),
            ("DRAGOMAN_MODELS_EFFORT", "xhigh"),
            ("DRAGOMAN_DEFAULT_HAIKU_MODEL", "gpt-5.5-low"),
            ("DRAGOMAN_DEFAULT_EFFORT", "high"),
            ("DRAGOMAN_CLIENT_TOKEN", "secret"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(settings.upstream.chatgpt_url, "http://127.0.0.1:9/backend-api");
    assert_eq!(settings.accounts.token_store, TokenStore::File);
    assert_eq!(settings.server.admin_listen, AdminListen::Off);
    assert_eq!(settings.server.allowed_hosts, ["a.lan", "b.lan"]);
    assert_eq!(settings.server.body_limit_mb, 8);
    assert_eq!(settings.server.listen.to_string(), "0.0.0.0:80");
    assert_eq!(settings.models.opus, Some("gpt-6.1-sol-high".parse().unwrap()));
    assert_eq!(settings.models.effort, Some(Effort::Xhigh));
    assert_eq!(settings.models.haiku, Some("gpt-5.5-low".parse().unwrap()));
    assert_eq!(settings.models.default_effort, Some(Effort::High));
    assert_eq!(settings.hints(), <[String; 0]>::default());
}

#[test]
fn a_wrong_value_names_file_line_and_key() {
    let at = "/home/me/config.toml, line";
    assert_eq!(
        complaint("[server]\n\nlisten = \"here\""),
        format!("{at} 3: server.listen: \"here\" is not an address with a port, such as \"127.0.0.1:3746\"")
    );
    assert_eq!(
        complaint("[server]\nlisten = 3746"),
        format!(
            "{at} 2: server.listen: invalid type: integer `3746`, expected an address with a port, such as \"127.0.0.1:3746\""
        )
    );
    assert_eq!(
        complaint("[server]\nbody_limit_mb = -1"),
        format!(
            "{at} 2: server.body_limit_mb: invalid value: integer `-1`, expected a whole number from 1 to 1024"
        )
    );
    assert_eq!(
        complaint("# a\n[upstream]\ncompression = \"gzip\" # b\n"),
        format!("{at} 3: upstream.compression: \"gzip\" is not \"auto\" or \"on\" or \"off\"")
    );
    assert_eq!(
        complaint("[server]\nallowed_hosts = [\n  \"a.lan\",\n  \"http://b.lan\",\n]"),
        format!(
            "{at} 2: server.allowed_hosts: \"http://b.lan\" is not a host name such as \"dev-box.lan\" (no scheme, no path)"
        )
    );
    assert_eq!(
        complaint("[models]\neffort = \"ultra\""),
        format!(
            "{at} 2: models.effort: \"ultra\" is not an effort (none, minimal, low, medium, high, xhigh or max); leave the key out to do as the client asks"
        )
    );
    assert!(complaint("server = 3").starts_with(&format!("{at} 1: server: invalid type: integer `3`")));
}

#[test]
fn broken_toml_names_file_and_line() {
    for (text, line) in [("[server\n", 1), ("[log]\nlevel = \n", 2), ("[log]\nlevel='a'\nlevel='b'", 3)] {
        let complaint = complaint(text);
        assert!(complaint.starts_with(&format!("{PATH}, line {line}: ")), "{complaint}");
        assert!(!complaint.contains('\n'), "{complaint}");
    }
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let problem = load_with("", &[("DRAGOMAN_LISTEN", "x")], &[]).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "DRAGOMAN_LISTEN (setting server.listen): \"x\" is not an address with a port, such as \"127.0.0.1:3746\""
    );
    let problem = load_with("", &[("DRAGOMAN_LOG_KEEP_DAYS", "many")], &[]).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "DRAGOMAN_LOG_KEEP_DAYS (setting log.keep_days): invalid type: string \"many\", expected a whole number from 1 to 3650"
    );
    let problem = load_with("", &[], &[listen_flag("x")]).unwrap_err();
    assert!(problem.to_string().starts_with("--listen (setting server.listen): "), "{problem}");
}

#[test]
fn an_address_that_others_can_reach_needs_permission() {
    let text = "[server]\nlisten = \"0.0.0.0:3746\"\n";
    assert_eq!(
        complaint(text),
        "server.listen is 0.0.0.0:3746 (/home/me/config.toml line 2), which other machines can reach; use 127.0.0.1, or set server.allow_remote = true if that is what you want"
    );
    assert!(load(&format!("{text}allow_remote = true\n")).is_ok());
    assert!(load("[server]\nlisten = \"[::1]:1\"\n").is_ok());
    assert!(load("[server]\nlisten = \"localhost:1\"\n").is_ok());
}

#[test]
fn unknown_keys_are_hints_with_what_was_meant() {
    let text = "listen = 1\n[server]\nlistn = \"x\"\n[future]\nthing = 1\n[log]\nlevel = \"info\"\n";
    let settings = load_with(text, &[("DRAGOMAN_LISTTEN", "x")], &[]).unwrap();
    let mut hints = settings.hints().to_vec();
    hints.sort();
    assert_eq!(
        hints,
        [
            "/home/me/config.toml, line 1: there is no setting listen; did you mean server.listen?",
            "/home/me/config.toml, line 3: there is no setting server.listn; did you mean server.listen?",
            "/home/me/config.toml, line 4: there is no setting future",
            "the variable DRAGOMAN_LISTTEN sets nothing; did you mean DRAGOMAN_LISTEN?",
        ]
    );
}

#[test]
fn what_is_shown_can_be_set_again() {
    let text =
        "[server]\nallowed_hosts = [\"a.lan\", \"b.lan\"]\nbody_limit_mb = 8\n[models]\nopus = \"gpt-5.5\"";
    let settings = load(text).unwrap();
    let entries = settings.entries();
    let shown = |key| entries.iter().find(|entry| entry.key == key).unwrap().clone();
    assert_eq!(shown("server.allowed_hosts").value.as_deref(), Some("a.lan,b.lan"));
    assert_eq!(shown("models.opus").source, "/home/me/config.toml line 5");
    assert_eq!(shown("models.haiku").value, None);
    let edited = entries.iter().fold(String::new(), |text, entry| {
        Settings::edit(&text, Path::new(PATH), entry.key, entry.value.as_deref()).unwrap()
    });
    assert_eq!(load(&edited).unwrap().entries().len(), KEYS.len());
    assert_eq!(load(&edited).unwrap().server, settings.server);
}

#[test]
fn secrets_in_urls_and_odd_urls_are_refused() {
    for url in ["ftp://x", "https://", "https://me:pw@x", "chatgpt.com", "https://x/?a", "https://a b"] {
        assert!(load(&format!("[upstream]\nchatgpt_url = \"{url}\"")).is_err(), "{url}");
    }
    for version in ["", "1", "0.169", "0.169.0\\r\\nx: y", "a.b.c"] {
        assert!(load(&format!("[upstream]\ncodex_version = \"{version}\"")).is_err(), "{version}");
    }
}

#[test]
fn comments_and_unknown_keys_survive_a_write() {
    let text = "\
# mine
[server] # the listener
  listen = \"127.0.0.1:1\"   # not the default
future = { a = 1 } # later

# models
[models]
opus = 'gpt-5.5'
";
    let path = Path::new(PATH);
    let edited = Settings::edit(text, path, "server.listen", Some("127.0.0.1:2")).unwrap();
    let edited = Settings::edit(&edited, path, "models.opus", None).unwrap();
    let edited = Settings::edit(&edited, path, "server.allowed_hosts", Some("a.lan,b.lan")).unwrap();
    let edited = Settings::edit(&edited, path, "log.keep_days", Some("2")).unwrap();
    assert_eq!(
        edited,
        "\
# mine
[server] # the listener
  listen = \"127.0.0.1:2\"   # not the default
future = { a = 1 } # later
allowed_hosts = [\"a.lan\", \"b.lan\"]

# models
[models]

[log]
keep_days = 2
"
    );
}

#[test]
fn every_way_to_write_a_table_can_be_edited() {
    let path = Path::new(PATH);
    let edit = |text| Settings::edit(text, path, "log.level", Some("debug")).unwrap();
    assert_eq!(edit("log.level = \"info\" # dotted\n"), "log.level = \"debug\" # dotted\n");
    assert_eq!(
        edit("log = { level = \"info\", keep_days = 1 }\n"),
        "log = { level = \"debug\", keep_days = 1 }\n"
    );
    assert_eq!(edit(""), "[log]\nlevel = \"debug\"\n");
}

#[test]
fn rules_for_names_are_read_from_every_layer() {
    let rule = |name: &str, words: &str| (name.to_owned(), words.parse().unwrap());
    let text = "[models.names]\n\"gpt-5.3\" = \"gpt-5.3-codex\"\n\"claude-*\" = \"api,gpt-5.5 effort=low\"\n";
    let settings = load(text).unwrap();
    let expected = [rule("gpt-5.3", "gpt-5.3-codex"), rule("claude-*", "api,gpt-5.5 effort=low")];
    assert_eq!(settings.models.names, expected.into());
    let shown = settings.entries().into_iter().find(|entry| entry.key == "models.names").unwrap();
    let words = shown.value.unwrap();
    assert_eq!(words, "claude-*=api,gpt-5.5 effort=low; gpt-5.3=gpt-5.3-codex");
    // What is shown is what a variable would hold.
    let again = load_with("", &[("DRAGOMAN_MODELS_NAMES", &words)], &[]).unwrap();
    assert_eq!(again.models.names, settings.models.names);
    assert!(
        complaint("[models.names]\ngpt-5.3 = \"x\"").contains("written in quotes"),
        "{}",
        complaint("[models.names]\ngpt-5.3 = \"x\"")
    );
    assert!(complaint("[models.names]\n\"a b\" = \"x\"").contains("is not a model name"));
    assert!(complaint("[models.names]\nx = \"y tier=slow\"").contains("tier=fast"));
    assert!(
        complaint("models.opus = \"x loud\"").contains("models.opus: \"x loud\": \"loud\" is not effort=")
    );
}

#[test]
fn one_rule_is_written_without_touching_the_others() {
    let path = Path::new(PATH);
    let text = "# mine\n[models.names] # aliases\nmine = \"gpt-5.5\" # the best\n";
    let target = "gpt-6-luna effort=low".parse().unwrap();
    let edited = Settings::edit_name(text, path, "gpt-5.3", Some(&target)).unwrap();
    let edited = Settings::edit_name(&edited, path, "mine", Some(&target)).unwrap();
    assert_eq!(
        edited,
        "# mine\n[models.names] # aliases\nmine = \"gpt-6-luna effort=low\" # the best\n\"gpt-5.3\" = \"gpt-6-luna effort=low\"\n"
    );
    let edited = Settings::edit_name(&edited, path, "mine", None).unwrap();
    assert_eq!(edited, "# mine\n[models.names] # aliases\n\"gpt-5.3\" = \"gpt-6-luna effort=low\"\n");
    let new = Settings::edit_name("", path, "gpt-5.3", Some(&target)).unwrap();
    assert_eq!(new, "[models.names]\n\"gpt-5.3\" = \"gpt-6-luna effort=low\"\n");
    assert_eq!(Settings::edit_name("", path, "gone", None).unwrap(), "");
    let whole = Settings::edit(&new, path, "models.names", Some("a=b; c=d high")).unwrap_err();
    assert!(whole.to_string().contains("is not effort="), "{whole}");
    let whole = Settings::edit(&new, path, "models.names", Some("a=b; c=d")).unwrap();
    assert_eq!(load(&whole).unwrap().models.names.len(), 2);
}

#[test]
fn a_write_checks_key_and_value() {
    let edit = |key, value| Settings::edit("", Path::new(PATH), key, Some(value)).unwrap_err().to_string();
    assert_eq!(edit("log.levle", "debug"), "there is no setting log.levle; did you mean log.level?");
    assert!(edit("log.level", "loud").starts_with("the new value (setting log.level): \"loud\" is not"));
}

#[test]
fn plain_http_to_another_machine_is_a_hint() {
    let hints = |url| load_with("", &[("DRAGOMAN_CHATGPT_URL", url)], &[]).unwrap().hints().to_vec();
    for url in ["http://127.0.0.1:9/x", "http://localhost", "http://[::1]:1/x", "https://gateway.lan"] {
        assert!(hints(url).is_empty(), "{url}");
    }
    assert_eq!(
        hints("http://gateway.lan:80/x"),
        [
            "upstream.chatgpt_url is http://gateway.lan:80/x: your login would travel there unencrypted; use https"
        ]
    );
}

/// The dotted names in a value.
fn names(value: &Value) -> Vec<String> {
    let sections = value.as_table().unwrap().iter();
    let fields = sections.flat_map(|(section, fields)| {
        fields.as_table().unwrap().keys().map(move |field| format!("{section}.{field}"))
    });
    fields.collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn the_table_of_keys_names_every_field() {
    let model = || Some("m".parse().unwrap());
    let full = Settings {
        models: Models {
            opus: model(),
            sonnet: model(),
            haiku: model(),
            fable: model(),
            default: model(),
            names: [("gpt-5.3".to_owned(), "api,m-high effort=low".parse().unwrap())].into(),
            web_search: model(),
            compact: model(),
            long_context: model(),
            image: model(),
            background: model(),
            subagent: model(),
            think: model(),
            long_context_over: 1,
            effort: Some(Effort::Low),
            default_effort: Some(Effort::High),
            mode: Mode::Map,
            from_codex: true,
        },
        updates: Updates {
            check: true,
            url: Some("https://example.com/latest.json".to_owned()),
            key: Some(KEY.to_owned()),
        },
        ..Settings::default()
    };
    let value = Value::try_from(&full).unwrap();
    let listed = KEYS.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(sorted(names(&value)), sorted(listed));
    assert_eq!(Settings::deserialize(value).unwrap(), full, "what is written can be read");
}

#[test]
fn the_document_describes_every_key_with_its_default_and_variables() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/configuration.md");
    let document = std::fs::read_to_string(document).unwrap();
    let described: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .filter(|name| name.contains('.'))
        .collect();
    assert_eq!(described, KEYS.map(|key| key.name), "same keys, same order");
    let defaults = Value::try_from(Settings::default()).unwrap();
    for key in KEYS {
        let heading = format!("### `{}`\n", key.name);
        let section = document.split(&heading).nth(1).unwrap().split("\n#").next().unwrap();
        let default = defaults.get(key.section()).and_then(|section| section.get(key.field()));
        let default = default.map_or("not set".to_owned(), |value| format!("`{value}`"));
        assert!(section.contains(&format!("Default: {default} ")), "{}: default {default}", key.name);
        for variable in paths::variables(key.name) {
            assert!(section.contains(&format!("`{variable}`")), "{}: variable {variable}", key.name);
        }
    }
}

/// A public key as Tauri's signer writes it.
const KEY: &str = "dW50cnVzdGVkIGNvbW1lbnQ6IG1pbmlzaWduIHB1YmxpYyBrZXk6IDEKUldRCg==";

#[test]
fn versions_are_listed_where_nobody_on_the_way_can_answer_and_the_key_is_one() {
    let load = |name, value| load_with("", &[(name, value)], &[]).map(|settings| settings.updates);
    for url in
        ["https://example.com/{{target}}/latest.json?a=b", "http://127.0.0.1:8000/a", "http://localhost/a"]
    {
        assert_eq!(load("DRAGOMAN_UPDATES_URL", url).unwrap().url.as_deref(), Some(url));
    }
    for url in ["http://example.com/a", "ftp://127.0.0.1/a", "https://me@example.com/a", "https://", "a b"] {
        let problem = load("DRAGOMAN_UPDATES_URL", url).unwrap_err().to_string();
        assert!(problem.contains("DRAGOMAN_UPDATES_URL") && problem.contains("https://"), "{problem}");
    }
    assert_eq!(load("DRAGOMAN_UPDATES_KEY", KEY).unwrap().key.as_deref(), Some(KEY));
    for key in ["RWQ", "not base64", "aGVsbG8K"] {
        let problem = load("DRAGOMAN_UPDATES_KEY", key).unwrap_err().to_string();
        assert!(problem.contains("tauri signer generate"), "{problem}");
    }
}
