use std::cell::{Cell, RefCell};
use std::fs::File;

use super::super::keys::Ours;
use super::*;
use crate::paths::home;

const OLD: &str = "{\r\n\t\"env\": {\r\n\t\t\"ANTHROPIC_BASE_URL\": \"https:\\/\\/old\"\r\n\t}\r\n}";

struct Bench {
    _directory: tempfile::TempDir,
    paths: Paths,
    target: Target,
}

impl Bench {
    fn new(text: Option<&str>) -> Self {
        let (directory, paths) = home();
        let target = Target { file: directory.path().join("claude/settings.json"), user: true };
        let bench = Self { _directory: directory, paths, target };
        if let Some(text) = text {
            fs::create_dir_all(bench.target.file.parent().unwrap()).unwrap();
            fs::write(&bench.target.file, text).unwrap();
        }
        bench
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(&self.target.file).ok()
    }

    fn connect(&self, between: Between<'_>) -> Result<Done, Error> {
        self.connect_to("http://127.0.0.1:1", between)
    }

    fn connect_to(&self, url: &str, between: Between<'_>) -> Result<Done, Error> {
        let wanted =
            [(Key::within("env", "ANTHROPIC_BASE_URL"), url), (Key::top("disableAutoMode"), "disable")];
        let wanted = wanted.map(|(key, value)| Wanted { key, value: Ours::Text(value.to_owned()) }).to_vec();
        let wish = Wish { wanted, reach: Reach::Take, disable_auto_mode: false, dry_run: false };
        connect(&self.paths, &self.target, &wish, between)
    }

    fn disconnect(&self, between: Between<'_>) -> Result<Option<Done>, Error> {
        disconnect(&self.paths, &self.target.file, Undo::Forget, false, between)
    }
}

fn crash() -> Error {
    Error::Stopping
}

/// Every state a settings file may be in, each crash point of connecting, of connecting anew and of undoing: at each of
/// them the file is whole (the old text or the new), and after it undoing gives the old bytes.
#[test]
fn a_crash_at_any_point_leaves_a_whole_file_that_can_be_undone() {
    let states = [
        None,
        Some(""),
        Some(" \n"),
        Some("{}"),
        Some("{\"env\":{\"A\":\"1\"}}"),
        Some(OLD),
        Some("\u{feff}{ }\n"),
    ];
    let mut crashes = 0;
    for state in states {
        // What the file looks like after each of the three steps.
        let smooth = Bench::new(state);
        smooth.connect(&undisturbed).unwrap();
        let first = smooth.text();
        smooth.connect_to("http://127.0.0.1:2", &undisturbed).unwrap();
        let second = smooth.text();
        smooth.disconnect(&undisturbed).unwrap();
        assert_eq!(smooth.text().as_deref(), state, "undone");
        for step in 0..3 {
            for stop in 0..6 {
                let bench = Bench::new(state);
                if step > 0 {
                    bench.connect(&undisturbed).unwrap();
                }
                if step > 1 {
                    bench.connect_to("http://127.0.0.1:2", &undisturbed).unwrap();
                }
                let passed = Cell::new(0);
                let between = |_| {
                    passed.set(passed.get() + 1);
                    if passed.get() > stop { Err(crash()) } else { Ok(()) }
                };
                let (outcome, whole) = match step {
                    0 => (bench.connect(&between).map(drop), [state.map(str::to_owned), first.clone()]),
                    1 => (
                        bench.connect_to("http://127.0.0.1:2", &between).map(drop),
                        [first.clone(), second.clone()],
                    ),
                    _ => (bench.disconnect(&between).map(drop), [second.clone(), state.map(str::to_owned)]),
                };
                crashes += u32::from(outcome.is_err());
                assert!(whole.contains(&bench.text()), "{state:?} {step} {stop}: {:?}", bench.text());
                bench.disconnect(&undisturbed).unwrap();
                assert_eq!(bench.text().as_deref(), state, "{step} {stop}");
                bench.connect(&undisturbed).unwrap();
                assert_eq!(bench.text(), first, "and connecting works again");
            }
        }
    }
    assert!(crashes > 60, "{crashes}");
}

#[test]
fn suspending_that_was_cut_short_is_taken_up_again_and_undone() {
    for state in [None, Some("{}"), Some(OLD)] {
        for stop in 0..5 {
            let bench = Bench::new(state);
            bench.connect(&undisturbed).unwrap();
            let connected = bench.text();
            let passed = Cell::new(0);
            let between = |_| {
                passed.set(passed.get() + 1);
                if passed.get() > stop { Err(crash()) } else { Ok(()) }
            };
            let suspend = disconnect(&bench.paths, &bench.target.file, Undo::Suspend, false, &between);
            assert_eq!(suspend.is_ok(), stop == 4, "{state:?} {stop}");
            let remembered = State::read(&bench.paths).unwrap().connections;
            assert_eq!(remembered[0].suspended, stop > 0, "{state:?} {stop}");
            bench.connect(&undisturbed).unwrap();
            assert_eq!(bench.text(), connected, "{state:?} {stop}");
            bench.disconnect(&undisturbed).unwrap();
            assert_eq!(bench.text().as_deref(), state, "{stop}");
        }
    }
}

#[test]
fn an_edit_in_between_is_kept() {
    for point in [Point::Read, Point::BackedUp, Point::Announced] {
        let bench = Bench::new(Some(OLD));
        let edits = RefCell::new(vec!["{\"model\": \"opus\"}"]);
        let between = |at| {
            if at == point
                && let Some(edit) = edits.borrow_mut().pop()
            {
                fs::write(&bench.target.file, edit).unwrap();
            }
            Ok(())
        };
        bench.connect(&between).unwrap();
        let text = bench.text().unwrap();
        assert!(text.starts_with("{\"model\": \"opus\", \"env\": {"), "{text}");
        bench.disconnect(&undisturbed).unwrap();
        assert_eq!(bench.text().as_deref(), Some("{\"model\": \"opus\"}"));
    }
}

#[test]
fn a_file_that_never_rests_is_left_alone() {
    let bench = Bench::new(Some("{}"));
    let count = Cell::new(0);
    let restless = |at| {
        if at == Point::Read {
            count.set(count.get() + 1);
            fs::write(&bench.target.file, format!("{{\"n\": {}}}", count.get())).unwrap();
        }
        Ok(())
    };
    let error = bench.connect(&restless).unwrap_err().to_string();
    assert!(error.contains("another program keeps writing"), "{error}");
    assert_eq!(bench.text().unwrap(), format!("{{\"n\": {TRIES}}}"));
}

#[test]
fn what_is_no_settings_file_is_refused_and_left_as_it_is() {
    for (text, why) in [
        ("{\"a\": 1,}", "line 1, column 9 is not valid JSON"),
        ("[]", "the whole file (line 1) is not an object"),
        ("{\"env\": []}", "env (line 1) is not an object"),
        ("{\"env\": {}, \"env\": {}}", "env is there twice"),
        (
            "{\"env\": {\"ANTHROPIC_BASE_URL\": 1, \"ANTHROPIC_BASE_URL\": 2}}",
            "ANTHROPIC_BASE_URL is there twice",
        ),
    ] {
        let bench = Bench::new(Some(text));
        let error = bench.connect(&undisturbed).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("settings.json"), "{error}");
        assert_eq!(bench.text().as_deref(), Some(text));
    }
    let bench = Bench::new(Some("{}"));
    fs::write(&bench.target.file, b"{\"a\": \"\xff\"}").unwrap();
    assert!(bench.connect(&undisturbed).unwrap_err().to_string().contains("not UTF-8"));
    fs::remove_file(&bench.target.file).unwrap();
    fs::create_dir(&bench.target.file).unwrap();
    assert!(bench.connect(&undisturbed).unwrap_err().to_string().contains("not a file"));
    let bench = Bench::new(Some("{}"));
    File::options().write(true).open(&bench.target.file).unwrap().set_len(LARGEST + 1).unwrap();
    assert!(bench.connect(&undisturbed).unwrap_err().to_string().contains("larger than"));
}

#[test]
fn a_large_file_is_handled() {
    let text = format!("{{\"x\": \"{}\"}}", "y".repeat(8 << 20));
    let bench = Bench::new(Some(&text));
    bench.connect(&undisturbed).unwrap();
    bench.disconnect(&undisturbed).unwrap();
    assert_eq!(bench.text(), Some(text));
}

#[test]
fn there_is_one_backup_and_it_holds_the_first_text() {
    let bench = Bench::new(Some(OLD));
    let backup = bench.connect(&undisturbed).unwrap().backup.unwrap();
    assert_eq!(bench.connect_to("http://127.0.0.1:2", &undisturbed).unwrap().backup.as_ref(), Some(&backup));
    assert_eq!(fs::read_to_string(&backup).unwrap(), OLD);
    assert_eq!(fs::read_dir(backup.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn rows_of_the_user_s_own_stay() {
    let bench = Bench::new(Some("{\"modelPicker\": {\"options\": []}}"));
    let wanted = vec![Wanted { key: Key::top("modelPicker"), value: Ours::Text("x".to_owned()) }];
    let wish = Wish { wanted, reach: Reach::Take, disable_auto_mode: false, dry_run: false };
    let done = connect(&bench.paths, &bench.target, &wish, &undisturbed).unwrap();
    assert!(done.own_rows);
    let text = bench.text().unwrap();
    assert!(text.contains("\"modelPicker\": {\"options\": []}"), "{text}");
}

#[test]
fn what_is_remembered_is_read_back_and_nonsense_is_told() {
    let bench = Bench::new(Some(OLD));
    bench.connect(&undisturbed).unwrap();
    let state = State::read(&bench.paths).unwrap();
    assert_eq!(state.connections.len(), 1);
    fs::write(bench.paths.claude_code_state(), "{").unwrap();
    let error = bench.disconnect(&undisturbed).unwrap_err().to_string();
    assert!(error.contains("could not understand") && error.contains("claude-code.json"), "{error}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn mode_and_symlink_stay_and_new_files_are_private() {
        let bench = Bench::new(Some(OLD));
        let real = bench.target.file.with_file_name("dotfiles.json");
        fs::rename(&bench.target.file, &real).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("dotfiles.json", &bench.target.file).unwrap();
        let backup = bench.connect(&undisturbed).unwrap().backup.unwrap();
        assert_eq!((mode(&real), mode(&backup)), (0o640, 0o600));
        assert!(fs::symlink_metadata(&bench.target.file).unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("127.0.0.1:1"));
        bench.disconnect(&undisturbed).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), OLD);

        let bench = Bench::new(None);
        bench.connect(&undisturbed).unwrap();
        assert_eq!((mode(&bench.target.file), mode(&bench.paths.claude_code_state())), (0o600, 0o600));
        bench.disconnect(&undisturbed).unwrap();
        assert!(!bench.target.file.parent().unwrap().exists(), "the directory was ours too");
    }

    #[test]
    fn a_read_only_file_is_refused() {
        let bench = Bench::new(Some(OLD));
        fs::set_permissions(&bench.target.file, fs::Permissions::from_mode(0o444)).unwrap();
        let error = bench.connect(&undisturbed).unwrap_err().to_string();
        assert!(error.contains("read-only") && error.contains("dragoman run"), "{error}");
        assert_eq!((bench.text().as_deref(), mode(&bench.target.file)), (Some(OLD), 0o444));
    }

    #[test]
    fn a_dangling_symlink_gets_its_file() {
        let bench = Bench::new(None);
        fs::create_dir_all(bench.target.file.parent().unwrap()).unwrap();
        symlink("elsewhere.json", &bench.target.file).unwrap();
        bench.connect(&undisturbed).unwrap();
        assert!(bench.target.file.with_file_name("elsewhere.json").is_file());
    }
}
