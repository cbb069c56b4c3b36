//! Whole files, written so that a crash leaves either the old or the new one; and lock files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What tells a changed file from an unchanged one without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// The stamp of the file, following symlinks; `None` if there is none.
pub(crate) fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(Some(Stamp { modified: metadata.modified().ok(), length: metadata.len(), inode }))
}

/// Writes the file for its owner's eyes only (mode 0600): a temporary file beside it with this name in front, synced,
/// then renamed. A symlink keeps being one; its target is replaced.
pub(crate) fn write_private(path: &Path, prefix: &str, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = target.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    #[cfg(test)]
    faults::step(&target)?;
    // tempfile creates with mode 0600 on Unix.
    let mut file = tempfile::Builder::new().prefix(prefix).rand_bytes(6).tempfile_in(&directory)?;
    #[cfg(test)]
    if let Err(error) = faults::step(&target) {
        let _half = file.write_all(&bytes[..bytes.len() / 2]);
        return Err(error);
    }
    file.write_all(bytes)?;
    #[cfg(test)]
    faults::step(&target)?;
    file.as_file().sync_all()?;
    #[cfg(test)]
    faults::step(&target)?;
    file.persist(&target).map_err(|error| error.error)?;
    sync_directory(&directory);
    Ok(())
}

/// Deletes the file; no error if there is none.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::step(path)?;
    match fs::remove_file(path) {
        Ok(()) => {
            if let Some(directory) = path.parent() {
                sync_directory(directory);
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A rename survives a power cut only if the directory is synced too. Not every file system can: best effort.
pub(crate) fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    #[cfg(not(unix))]
    let _ = directory;
}

/// Makes the directory and its parents, readable by its owner only where it is new.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A held lock file; dropping it lets go. BSD `flock`, as the Codex CLI uses (`upstream.md` §a.7).
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Tries to take the lock now; `None` if somebody else holds it.
pub(crate) fn try_lock(path: &Path, private: bool) -> io::Result<Option<Lock>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = private;
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits for the lock, at most this long (`TimedOut` then). Asks again and again instead of blocking a thread: a
/// holder that never lets go must not cost one.
pub(crate) async fn lock(path: PathBuf, private: bool, limit: Duration) -> io::Result<Lock> {
    let until = tokio::time::Instant::now() + limit;
    loop {
        let path = path.clone();
        if let Some(lock) = blocking(move || try_lock(&path, private)).await? {
            return Ok(lock);
        }
        if tokio::time::Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for the lock on this thread, at most this long (`TimedOut` then). For work that blocks anyway.
pub(crate) fn lock_blocking(path: &Path, limit: Duration) -> io::Result<Lock> {
    let until = std::time::Instant::now() + limit;
    loop {
        if let Some(lock) = try_lock(path, true)? {
            return Ok(lock);
        }
        if std::time::Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Lets a test end the life of the process, as far as the disk can tell, before any chosen step.
#[cfg(test)]
pub(crate) mod faults {
    use super::*;
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    /// By directory: how many steps are left to whoever writes below it.
    static LEFT: Mutex<Option<HashMap<PathBuf, usize>>> = Mutex::new(None);

    fn with<T>(work: impl FnOnce(&mut HashMap<PathBuf, usize>) -> T) -> T {
        work(LEFT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
    }

    /// From now on only so many steps below this directory succeed; `None`: all of them.
    pub(crate) fn allow(directory: &Path, steps: Option<usize>) {
        with(|left| match steps {
            Some(steps) => left.insert(directory.to_owned(), steps),
            None => left.remove(directory),
        });
    }

    /// One step.
    pub(crate) fn step(path: &Path) -> io::Result<()> {
        with(|left| match left.iter_mut().find(|(directory, _)| path.starts_with(directory)) {
            Some((_, 0)) => Err(io::Error::other("the process is dead")),
            Some((_, steps)) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_has_mode_0600_and_leaves_no_temporary_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret.json");
        fs::write(&path, "old").unwrap();
        write_private(&path, ".secret-", b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_stays_one() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_private(&link, ".t-", b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_waited_for_and_let_go() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.lock");
        let held = lock(path.clone(), true, Duration::ZERO).await.unwrap();
        let error = lock(path.clone(), true, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(held);
        lock(path, true, Duration::ZERO).await.unwrap();
    }
}
