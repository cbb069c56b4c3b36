//! The licences of everything that is in this program, as far as it carries their texts: a package brings them in a file
//! (`.ci/licences.py`), a build of one's own has none.

use std::path::{Path, PathBuf};

/// What the file is called.
const FILE: &str = "LICENCES.txt";

/// Where packages put it, seen from the program: Linux, Windows, macOS.
fn places(program: &Path) -> Vec<PathBuf> {
    let Some(folder) = program.parent() else { return Vec::new() };
    let beside = |path: &str| folder.join(path).join(FILE);
    vec![beside("../share/doc/dragoman"), beside("."), beside("../Resources")]
}

/// The texts; `None` if this build carries none.
pub(crate) fn read() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    places(&program).iter().find_map(|path| std::fs::read_to_string(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_looked_for_where_packages_put_it() {
        let places = places(Path::new("/usr/bin/dragoman-desktop"));
        assert_eq!(places[0], Path::new("/usr/bin/../share/doc/dragoman/LICENCES.txt"));
        assert_eq!(super::places(Path::new("/")), Vec::<PathBuf>::new());
    }
}
