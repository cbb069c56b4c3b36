//! How the modules in `ui/` import each other: never in a circle. WebKit may load such modules and then never run them,
//! so that the window stays empty where Chromium shows everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::expect_none;
use crate::metadata::root;

/// What each module imports.
type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// The paths in `import … from '…'` and `export … from '…'`, as seen from `ui/`.
fn imports(file: &Path, text: &str) -> BTreeSet<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let paths = text.split("from '").skip(1).filter_map(|rest| rest.split_once('\'')).map(|(path, _)| path);
    paths.filter(|path| path.starts_with('.')).map(|path| plain(&folder.join(path))).collect()
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The first circle that is met from `module` on.
fn circle(
    imports: &Imports,
    module: &Path,
    way: &mut Vec<PathBuf>,
    done: &mut BTreeSet<PathBuf>,
) -> Option<String> {
    if let Some(start) = way.iter().position(|passed| passed == module) {
        let names: Vec<_> = way[start..].iter().map(|path| path.display().to_string()).collect();
        return Some(format!("{} import each other in a circle", names.join(", ")));
    }
    if !done.insert(module.to_owned()) {
        return None;
    }
    way.push(module.to_owned());
    let found = imports.get(module)?.iter().find_map(|next| circle(imports, next, way, done));
    way.pop();
    found
}

fn circles(imports: &Imports) -> Vec<String> {
    let mut done = BTreeSet::new();
    imports.keys().filter_map(|module| circle(imports, module, &mut Vec::new(), &mut done)).collect()
}

fn read(folder: &Path, all: &mut Imports) {
    let ui = root().join("ui");
    for entry in fs::read_dir(ui.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read(&path, all);
        } else if path.extension().is_some_and(|end| end == "js") {
            let text = fs::read_to_string(entry.path()).unwrap();
            all.insert(path.clone(), imports(&path, &text));
        }
    }
}

#[test]
fn no_modules_of_the_page_import_each_other_in_a_circle() {
    let mut all = Imports::new();
    read(Path::new(""), &mut all);
    assert!(all.values().map(BTreeSet::len).sum::<usize>() > 20, "the imports were not understood: {all:?}");
    let missing = all.values().flatten().filter(|path| !all.contains_key(*path));
    let missing = missing.map(|path| format!("{} is imported and not there", path.display()));
    let violations: Vec<_> = circles(&all).into_iter().chain(missing).collect();
    expect_none(&violations);
}

#[test]
fn a_planted_circle_is_found() {
    let module = |name: &str, text: &str| {
        let path = PathBuf::from(name);
        (path.clone(), imports(&path, text))
    };
    let straight = [module("a.js", "import { b } from './parts/b.js';"), module("parts/b.js", "")];
    assert_eq!(circles(&straight.clone().into()), Vec::<String>::new());
    let [first, _] = straight;
    let round = [first, module("parts/b.js", "import { a } from '../a.js';")];
    assert_eq!(circles(&round.into()), ["a.js, parts/b.js import each other in a circle"]);
}
