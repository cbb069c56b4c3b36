//! The log: one line per event into files of bounded size, and to stderr where someone asked with `-v`.
//!
//! What is logged is decided where it happens; tokens and prompts have types that can't be printed. Libraries below us
//! are held at `warn`, because HTTP crates print headers on their lower levels.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::log_lines::LogLines;
use crate::paths::{self, Paths};
use crate::settings::{Level, Log};

/// A file is closed when it reaches this size, in bytes …
const SIZE: u64 = 5 << 20;
/// … and so many are kept.
const FILES: usize = 5;

/// Writes what is still in memory when it is dropped, and changes what is logged meanwhile.
pub(crate) struct Guard {
    _worker: Option<WorkerGuard>,
    set_level: Box<dyn Fn(Level) + Send + Sync>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

impl Guard {
    /// From now on, in the files and in memory. What `-v` asked for stays.
    pub(crate) fn set_level(&self, level: Level) {
        (self.set_level)(level);
    }
}

/// Where lines go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// The files' directory; `None` for commands that end at once.
    pub(crate) files: Option<&'a Paths>,
    /// The newest ones, in memory.
    pub(crate) lines: &'a LogLines,
    /// How many `-v` there were.
    pub(crate) verbose: u8,
}

/// Start logging. Only the first start in a process takes effect (tests start many apps), and a log that can't be
/// written is a hint, not a reason to refuse work.
pub(crate) fn start(targets: Targets<'_>, settings: &Log) -> (Guard, Option<String>) {
    let mut hint = None;
    let writer = targets.files.and_then(|paths| match Files::open(paths.clone(), settings.keep_days) {
        Ok(files) => Some(files),
        Err(error) => {
            hint = Some(format!("there is no log: could not write below {}: {error}", paths.logs.display()));
            None
        }
    });
    let (file_filter, file_level) = reload::Layer::new(filter(settings.level.as_str()));
    let (file_layer, worker) = match writer {
        Some(files) => {
            let (writer, worker) = NonBlockingBuilder::default().finish(files);
            let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
            (Some(layer.with_filter(file_filter)), Some(worker))
        }
        None => (None, None),
    };
    let stderr_level = match targets.verbose {
        0 => None,
        1 => Some("info"),
        2 => Some("debug"),
        _ => Some("trace"),
    };
    let stderr_layer = stderr_level.map(|level| {
        use std::io::IsTerminal as _;
        let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        layer.with_ansi(io::stderr().is_terminal()).with_filter(filter(level))
    });
    let (lines_filter, lines_level) = reload::Layer::new(filter(settings.level.as_str()));
    let lines = targets.lines.clone().with_filter(lines_filter);
    // An error means that someone else's subscriber is in place already, which then stays.
    let _first = tracing_subscriber::registry().with(file_layer).with(stderr_layer).with(lines).try_init();
    let set_level = Box::new(move |level: Level| {
        // An error means that ours is not the subscriber in place, or that there are no files.
        let _ = file_level.reload(filter(level.as_str()));
        let _ = lines_level.reload(filter(level.as_str()));
    });
    (Guard { _worker: worker, set_level }, hint)
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("warn,dragoman={level}"))
}

/// The files, newest first: `dragoman.log`, `dragoman.1.log`, …
#[derive(Debug)]
struct Files {
    paths: Paths,
    keep: Duration,
    current: File,
    written: u64,
    limit: u64,
}

impl Files {
    fn open(paths: Paths, keep_days: u32) -> io::Result<Self> {
        paths::create_directory(&paths.logs)?;
        let current = paths::open_private(&paths.log(0))?;
        let written = current.metadata()?.len();
        let keep = Duration::from_secs(u64::from(keep_days) * 24 * 3600);
        let files = Self { paths, keep, current, written, limit: SIZE };
        files.delete_old();
        Ok(files)
    }

    /// Everything moves up by one, the last one out.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..FILES - 1).rev() {
            match fs::rename(self.paths.log(number), self.paths.log(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.current = paths::open_private(&self.paths.log(0))?;
        self.written = 0;
        self.delete_old();
        Ok(())
    }

    fn delete_old(&self) {
        let old = |path: &Path| {
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
            modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > self.keep))
        };
        for path in (1..FILES).map(|number| self.paths.log(number)).filter(|path| old(path)) {
            // It is tried again at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

impl Write for Files {
    /// One call is one line, so no line is cut in two.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.limit {
            self.rotate()?;
        }
        self.current.write_all(line)?;
        self.written += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.current.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::home;

    #[test]
    fn the_log_never_grows_beyond_its_files() {
        let (_directory, paths) = home();
        let mut files = Files { limit: 100, ..Files::open(paths.clone(), 7).unwrap() };
        for line in 0..200 {
            files.write_all(format!("line {line:03} 0123456789\n").as_bytes()).unwrap();
        }
        assert_eq!(fs::read_dir(&paths.logs).unwrap().count(), FILES);
        let newest = fs::read_to_string(paths.log(0)).unwrap();
        assert!(newest.ends_with("line 199 0123456789\n"), "{newest}");
        assert!((0..FILES).all(|number| fs::metadata(paths.log(number)).unwrap().len() <= 100));
    }

    #[test]
    fn a_line_longer_than_a_file_is_still_written_whole() {
        let (_directory, paths) = home();
        let mut files = Files { limit: 10, ..Files::open(paths.clone(), 7).unwrap() };
        files.write_all(b"more than ten bytes\n").unwrap();
        assert_eq!(fs::read(paths.log(0)).unwrap(), b"more than ten bytes\n");
    }

    #[test]
    fn old_files_go_at_the_next_start() {
        let (_directory, paths) = home();
        paths::create_directory(&paths.logs).unwrap();
        for (number, days) in [(1, 1), (2, 9)] {
            let file = File::create(paths.log(number)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
        }
        Files::open(paths.clone(), 7).unwrap();
        assert!(paths.log(1).exists());
        assert!(!paths.log(2).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_log() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, paths) = home();
        Files::open(paths.clone(), 7).unwrap();
        assert_eq!(fs::metadata(paths.log(0)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
