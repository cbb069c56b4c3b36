//! What the desktop program costs a person: rows of figures, some with a target. `make bench` runs it, in a desktop of
//! its own; the words on its command line pick rows. It ends with 1 if a target is missed.
//!
//! Not here: whether things work (the tests beside this folder). No test looks at these figures.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends the program, and figures are printed"
)]
#![expect(dead_code, reason = "the tests use more of what they share with this")]

#[path = "../app.rs"]
mod app;
#[path = "../page.rs"]
mod page;
#[path = "../tray.rs"]
mod tray;

mod memory;
mod menu;
mod paint;

use std::process::ExitCode;

use tokio::runtime::Runtime;

/// A figure and what it should stay below.
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    below: Option<f64>,
}

impl Row {
    fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, below: None }
    }

    fn below(mut self, target: f64) -> Self {
        self.below = Some(target);
        self
    }

    fn is_met(&self) -> bool {
        self.below.is_none_or(|target| self.value < target)
    }

    fn print(&self) {
        let judged = match self.below {
            Some(target) => {
                let met = if self.is_met() { "met" } else { "NOT MET" };
                format!(
                    "  target < {target} {}: {met}, {:.0} % of it",
                    self.unit,
                    100.0 * self.value / target
                )
            }
            None => String::new(),
        };
        println!("  {:<58} {:>9.1} {:<4}{judged}", self.what, self.value, self.unit);
    }
}

/// The value below which that part of the sorted values lies (the nearest rank).
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let known = ["menu", "paint", "memory"];
    if let Some(unknown) = wanted.iter().find(|word| !known.contains(&word.as_str())) {
        println!("There is no row called {unknown}; there are {}.", known.join(", "));
        return ExitCode::from(2);
    }
    println!("{}", app::binary().display());
    let runtime = Runtime::new().unwrap();
    let mut missed = 0;
    for name in known.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|word| word == *name)) {
        println!("{name}");
        let rows = runtime.block_on(async {
            match *name {
                "menu" => menu::rows().await,
                "paint" => paint::rows().await,
                _ => memory::rows().await,
            }
        });
        for row in rows {
            row.print();
            missed += usize::from(!row.is_met());
        }
    }
    println!("{missed} targets missed");
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
