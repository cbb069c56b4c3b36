//! Expected text against actual text: line by line, and a picture for people where they differ.

use crate::placeholder::Bindings;

/// How many equal lines are shown around a difference.
const AROUND: usize = 3;

/// Compares; what placeholders stand for goes into `bindings`. The error is a readable diff.
pub(crate) fn compare(
    what: &str,
    expected: &str,
    actual: &str,
    bindings: &mut Bindings,
) -> Result<(), String> {
    let mut found = bindings.clone();
    let (wanted, got): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    if wanted.len() == got.len() && wanted.iter().zip(&got).all(|(wanted, got)| found.accept(wanted, got)) {
        *bindings = found;
        return Ok(());
    }
    Err(format!("{what} (- expected, + came):\n{}", picture(&wanted, &got, &found)))
}

/// The expected text brought up to date: lines that still hold stay as they are written, placeholders included.
pub(crate) fn updated(expected: &str, actual: &str, bindings: &mut Bindings) -> String {
    let wanted: Vec<&str> = expected.lines().collect();
    let got: Vec<&str> = actual.lines().collect();
    let mut out = String::new();
    for step in steps(&wanted, &got, bindings) {
        let line = match step {
            Step::Both(line, now) => {
                bindings.accept(line, now);
                line
            }
            Step::Came(line) => line,
            Step::Expected(_) => continue,
        };
        out.push_str(line);
        out.push('\n');
    }
    out
}

enum Step<'a> {
    Both(&'a str, &'a str),
    Expected(&'a str),
    Came(&'a str),
}

/// The longest common subsequence, where "common" means that the expected line accepts the actual one.
fn steps<'a>(wanted: &[&'a str], got: &[&'a str], bindings: &Bindings) -> Vec<Step<'a>> {
    let same: Vec<Vec<bool>> =
        wanted.iter().map(|w| got.iter().map(|g| bindings.clone().accept(w, g)).collect()).collect();
    let mut longest = vec![vec![0_usize; got.len() + 1]; wanted.len() + 1];
    for w in (0..wanted.len()).rev() {
        for g in (0..got.len()).rev() {
            longest[w][g] =
                if same[w][g] { longest[w + 1][g + 1] + 1 } else { longest[w + 1][g].max(longest[w][g + 1]) };
        }
    }
    let (mut w, mut g, mut steps) = (0, 0, Vec::new());
    while w < wanted.len() || g < got.len() {
        if w < wanted.len() && g < got.len() && same[w][g] {
            steps.push(Step::Both(wanted[w], got[g]));
            (w, g) = (w + 1, g + 1);
        } else if g == got.len() || (w < wanted.len() && longest[w + 1][g] >= longest[w][g + 1]) {
            steps.push(Step::Expected(wanted[w]));
            w += 1;
        } else {
            steps.push(Step::Came(got[g]));
            g += 1;
        }
    }
    steps
}

fn picture(wanted: &[&str], got: &[&str], bindings: &Bindings) -> String {
    let steps = steps(wanted, got, bindings);
    let differs: Vec<bool> = steps.iter().map(|step| !matches!(step, Step::Both(..))).collect();
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(differs.len()));
        differs[from..to].contains(&true)
    };
    // Equal lines that differ only in what a placeholder stood for before.
    if !differs.contains(&true) {
        return "    (the lines agree, but one name stands for two values)\n".to_owned();
    }
    let mut out = String::new();
    let mut skipped = false;
    for (at, step) in steps.iter().enumerate() {
        if !near(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("    …\n");
        }
        let (mark, line) = match step {
            Step::Both(_, now) => (' ', (*now).to_owned()),
            Step::Expected(line) => ('-', bindings.shown(line)),
            Step::Came(line) => ('+', (*line).to_owned()),
        };
        out.push_str(&format!("  {mark} {line}\n"));
    }
    out
}
