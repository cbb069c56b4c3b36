//! The pages in a real browser: Chromium, driven by `tests/ui/suite.mjs`, looked over by axe. Each check of that suite
//! prints a line; a browser or tool that is missing fails the test and says what installs it.
//!
//! Not here: the window of the desktop program (`tests/desktop`).

use std::process::Command;

#[test]
fn every_page_is_whole_and_readable_and_all_of_it_is_reached_by_keys() {
    let root = support::workspace();
    let tools = root.join("target/tools/clients/node_modules");
    for tool in ["playwright-core", "axe-core"] {
        assert!(tools.join(tool).exists(), "{tool} is missing; `.ci/setup test` installs it");
    }
    let mut node = Command::new("node");
    node.arg(root.join("tests/ui/suite.mjs")).current_dir(root);
    let output = node.output().expect("node starts; `.ci/setup test` installs it");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "the suite ended with {}", output.status);
}
