//! Numbers, durations and tables as people read them, and the one way to stdout.

use std::fmt;
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Write to stdout. A reader that left is an error of kind `BrokenPipe`, which `main` takes for a wish to end.
pub(crate) fn say(text: impl fmt::Display) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Write one JSON document to stdout.
pub(crate) fn say_json(value: &impl Serialize) -> io::Result<()> {
    say(serde_json::to_string_pretty(value)?)
}

/// Write to stderr. No one has to read it.
pub(crate) fn note(text: impl fmt::Display) {
    let _unread = writeln!(anstream::stderr().lock(), "{text}");
}

/// `258,400`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut words = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// The two largest units: `1 h 12 min`.
pub(crate) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: i64, unit, small: i64, small_unit| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => two(hours, "h", minutes, "min"),
        (days, hours, _) => two(days, "d", hours, "h"),
    }
}

/// Columns, padded; two spaces between them, none at the end of a line.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    lined_up(rows, |_| false)
}

/// As [`table`], with every column but the first at the right: for numbers.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    lined_up(rows, |column| column > 0)
}

fn lined_up<const N: usize>(rows: &[[String; N]], at_the_right: fn(usize) -> bool) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let cell = |(column, cell): (usize, &String)| match widths[column] {
        width if at_the_right(column) => format!("{cell:>width$}"),
        width => format!("{cell:<width$}"),
    };
    let line = |row: &[String; N]| {
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_readable() {
        assert_eq!(
            [0, 999, 1_000, 258_400, 1_000_000].map(grouped),
            ["0", "999", "1,000", "258,400", "1,000,000"]
        );
        assert_eq!(
            [-5, 59, 60, 3_600, 4_320, 90_000, 172_800].map(duration),
            ["0 s", "59 s", "1 min", "1 h", "1 h 12 min", "1 d 1 h", "2 d"]
        );
    }

    #[test]
    fn a_table_lines_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned);
        assert_eq!(table(&[row(["A", "B"]), row(["long", "x"])]), "A     B\nlong  x");
    }
}
