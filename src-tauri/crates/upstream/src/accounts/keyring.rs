//! The system's keyring as a token store.
//!
//! Three things are not obvious (`desktop.md` §4). A call may block for ever behind a password window, holding its
//! store's mutex: so every call runs on a thread of its own with a time limit, and after a failure the thread and the
//! store are replaced. Windows keeps at most 2,560 bytes an entry: so a secret is cut into pieces. And a refresh token
//! that has been spent is worthless: so pieces go under a new generation number, and one small entry, the head, is
//! flipped last. Not here: the fallback to files, which is the user's choice.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use keyring_core::{CredentialStore, Error};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::store::{StoreError, TokenStore};

/// The bytes of one entry. Windows: `CRED_MAX_CREDENTIAL_BLOB_SIZE` = 2,560.
const PIECE: usize = 2048;
/// From the call to its answer. Long, because the user may be typing a password.
const LIMIT: Duration = Duration::from_secs(60);

type Opener = dyn Fn() -> Result<Arc<CredentialStore>, Error> + Send + Sync;
type Job = Box<dyn FnOnce(&mut Option<Arc<CredentialStore>>) + Send>;

/// Tokens in the system's keyring.
pub(crate) struct KeyringStore {
    service: &'static str,
    limit: Duration,
    open: Arc<Opener>,
    /// The thread that talks to the keyring; replaced when it hangs.
    worker: Mutex<Option<mpsc::Sender<Job>>>,
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("service", &self.service).finish_non_exhaustive()
    }
}

impl KeyringStore {
    /// The keyring of this platform. Nothing is opened before the first call.
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(platform), LIMIT)
    }

    /// The same one, where the Codex CLI has its entries.
    pub(super) fn of_codex() -> Self {
        Self { service: "Codex Auth", ..Self::new() }
    }

    /// An entry of another program's: a text as it is, not cut and without generations.
    pub(super) fn entry(&self, user: &str) -> Result<Option<Secret>, StoreError> {
        let user = user.to_owned();
        self.run(move |entries| Ok(entries.password(&user)?))
    }

    /// Puts a text into another program's entry, as it is.
    pub(super) fn set_entry(&self, user: &str, text: Secret) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.run(move |entries| Ok(entries.build(&user)?.set_password(text.expose())?))
    }

    /// Deletes another program's entry.
    pub(super) fn remove_entry(&self, user: &str) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.run(move |entries| Ok(entries.delete(&user).map(drop)?))
    }

    fn over(open: Arc<Opener>, limit: Duration) -> Self {
        Self { service: "Dragoman", limit, open, worker: Mutex::new(None) }
    }

    /// Does the work on the keyring thread, within the limit.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Entries) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let (open, service) = (Arc::clone(&self.open), self.service);
        let job: Job = Box::new(move |kept| {
            let result = kept.take().map_or_else(|| open(), Ok).map_err(Fault::from).and_then(|store| {
                let entries = Entries { store: Arc::clone(&store), service };
                let result = work(&entries);
                if result.is_ok() {
                    // After a failure the next call gets a fresh store: this one's connection may be dead.
                    *kept = Some(store);
                }
                result
            });
            let _ = answer.send(result);
        });
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match worker.as_ref() {
            Some(jobs) => jobs.send(job).err().map(|mpsc::SendError(job)| job),
            None => Some(job),
        };
        if let Some(job) = job {
            let jobs =
                spawn().map_err(|error| StoreError::Unavailable(Error::PlatformFailure(Box::new(error))))?;
            let _ = jobs.send(job);
            *worker = Some(jobs);
        }
        match answered.recv_timeout(self.limit) {
            Ok(result) => result.map_err(StoreError::from),
            Err(_) => {
                // The thread is left behind; it ends when its call does.
                *worker = None;
                Err(StoreError::TimedOut(self.limit))
            }
        }
    }
}

impl TokenStore for KeyringStore {
    fn load(&self, name: &str) -> Result<Option<Secret>, StoreError> {
        let name = name.to_owned();
        self.run(move |entries| match entries.load(&name) {
            // Another process may have flipped the head between our reads.
            Err(Fault::Damaged) => entries.load(&name),
            other => other,
        })
    }

    fn save(&self, name: &str, secret: &Secret) -> Result<(), StoreError> {
        let (name, secret) = (name.to_owned(), secret.clone());
        self.run(move |entries| entries.save(&name, secret.expose().as_bytes()))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.run(move |entries| entries.remove(&name))
    }
}

fn spawn() -> std::io::Result<mpsc::Sender<Job>> {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let mut store = None;
        for job in jobs {
            job(&mut store);
        }
    })?;
    Ok(sender)
}

fn platform() -> Result<Arc<CredentialStore>, Error> {
    #[cfg(target_os = "linux")]
    return Ok(zbus_secret_service_keyring_store::Store::new()?);
    #[cfg(target_os = "macos")]
    return Ok(apple_native_keyring_store::keychain::Store::new()?);
    #[cfg(target_os = "windows")]
    return Ok(windows_native_keyring_store::Store::new()?);
    #[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
    return Err(Error::NotSupportedByStore("this platform".to_owned()));
}

/// What goes wrong below.
enum Fault {
    Keyring(Error),
    Damaged,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Keyring(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged => Self::Damaged,
            Fault::Keyring(error @ Error::NoStorageAccess(_)) => Self::Locked(error),
            Fault::Keyring(error) => Self::Unavailable(error),
        }
    }
}

// === pieces and generations ===

/// The entry that names the valid generation: `1:<generation>:<pieces>:<start of the hash>`.
struct Head {
    generation: u64,
    pieces: usize,
    hash: String,
}

impl Head {
    fn read(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(':');
        let (format, generation, pieces, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (format == "1").then_some(())?;
        Some(Self {
            generation: generation.parse().ok()?,
            pieces: pieces.parse().ok()?,
            hash: hash.to_owned(),
        })
    }

    fn to_text(&self) -> String {
        format!("1:{}:{}:{}", self.generation, self.pieces, self.hash)
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The entries of one store.
struct Entries {
    store: Arc<CredentialStore>,
    service: &'static str,
}

impl Entries {
    fn build(&self, user: &str) -> Result<keyring_core::Entry, Error> {
        self.store.build(self.service, user, None)
    }

    fn password(&self, user: &str) -> Result<Option<Secret>, Error> {
        match self.build(user)?.get_password() {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get(&self, user: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        match self.build(user)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set(&self, user: &str, bytes: &[u8]) -> Result<(), Error> {
        self.build(user)?.set_secret(bytes)
    }

    /// True if there was such an entry.
    fn delete(&self, user: &str) -> Result<bool, Error> {
        match self.build(user)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn load(&self, name: &str) -> Result<Option<Secret>, Fault> {
        let Some(head) = self.get(name)? else { return Ok(None) };
        let head = Head::read(&head).ok_or(Fault::Damaged)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(head.pieces.min(64) * PIECE));
        for index in 0..head.pieces {
            let piece = self.get(&piece(name, head.generation, index))?.ok_or(Fault::Damaged)?;
            bytes.extend_from_slice(&piece);
        }
        if hash(&bytes) != head.hash {
            return Err(Fault::Damaged);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Damaged)?;
        Ok(Some(Secret::new(text)))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let old = self.get(name)?.and_then(|head| Head::read(&head));
        let before = old.as_ref().map_or(0, |head| head.generation);
        let head = Head {
            generation: before.wrapping_add(1),
            pieces: bytes.len().div_ceil(PIECE),
            hash: hash(bytes),
        };
        for (index, part) in bytes.chunks(PIECE).enumerate() {
            self.set(&piece(name, head.generation, index), part)?;
        }
        self.set(name, head.to_text().as_bytes())?;
        // From here on the new text is what the store holds; the rest is sweeping, also after crashed predecessors.
        self.sweep(name, head.generation, head.pieces);
        self.sweep(name, before, 0);
        self.sweep(name, before.wrapping_sub(1), 0);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Fault> {
        let head = self.get(name)?.and_then(|head| Head::read(&head));
        self.delete(name)?;
        if let Some(head) = head {
            self.sweep(name, head.generation.wrapping_add(1), 0);
            self.sweep(name, head.generation, 0);
            self.sweep(name, head.generation.wrapping_sub(1), 0);
        }
        Ok(())
    }

    /// Deletes pieces from this index on, last first: a crash in between leaves a row without gaps, which the next
    /// sweep finds. Best effort.
    fn sweep(&self, name: &str, generation: u64, from: usize) {
        let mut end = from;
        while matches!(self.get(&piece(name, generation, end)), Ok(Some(_))) {
            end += 1;
        }
        for index in (from..end).rev() {
            if self.delete(&piece(name, generation, index)).is_err() {
                return;
            }
        }
    }
}

fn piece(name: &str, generation: u64, index: usize) -> String {
    format!("{name}.{generation}.{index}")
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::collections::{BTreeMap, HashMap};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use keyring_core::api::{CredentialApi, CredentialStoreApi};
    use keyring_core::{Credential, Entry};

    use super::super::store::tests::keeps_its_promise;
    use super::*;

    /// A store that fails at the n-th change, as if the process had died there, and refuses long blobs like Windows.
    #[derive(Debug, Default)]
    struct Disk {
        entries: Mutex<BTreeMap<String, Vec<u8>>>,
        changes_left: AtomicUsize,
        hang: bool,
    }

    #[derive(Debug)]
    struct Faulty(Arc<Disk>);

    #[derive(Debug)]
    struct FaultyEntry(Arc<Disk>, String);

    impl Disk {
        fn change(&self) -> Result<(), Error> {
            let left = self.changes_left.load(Ordering::SeqCst);
            if left == 0 {
                return Err(Error::NoStorageAccess("crashed".into()));
            }
            self.changes_left.store(left - 1, Ordering::SeqCst);
            Ok(())
        }
    }

    impl CredentialStoreApi for Faulty {
        fn vendor(&self) -> String {
            "test".into()
        }
        fn id(&self) -> String {
            "test".into()
        }
        fn build(&self, _: &str, user: &str, _: Option<&HashMap<&str, &str>>) -> Result<Entry, Error> {
            Ok(Entry::new_with_credential(Arc::new(FaultyEntry(Arc::clone(&self.0), user.to_owned()))))
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    impl CredentialApi for FaultyEntry {
        fn set_secret(&self, secret: &[u8]) -> Result<(), Error> {
            if secret.len() > 2560 {
                return Err(Error::TooLong("secret".into(), 2560));
            }
            self.0.change()?;
            self.0.entries.lock().unwrap().insert(self.1.clone(), secret.to_vec());
            Ok(())
        }
        fn get_secret(&self) -> Result<Vec<u8>, Error> {
            if self.0.hang {
                thread::sleep(Duration::from_secs(3600));
            }
            self.0.entries.lock().unwrap().get(&self.1).cloned().ok_or(Error::NoEntry)
        }
        fn delete_credential(&self) -> Result<(), Error> {
            self.0.change()?;
            self.0.entries.lock().unwrap().remove(&self.1).map(|_| ()).ok_or(Error::NoEntry)
        }
        fn get_credential(&self) -> Result<Option<Arc<Credential>>, Error> {
            Ok(None)
        }
        fn get_specifiers(&self) -> Option<(String, String)> {
            None
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    fn store(disk: &Arc<Disk>, opened: &Arc<AtomicUsize>) -> KeyringStore {
        let (disk, opened) = (Arc::clone(disk), Arc::clone(opened));
        let open = move || {
            opened.fetch_add(1, Ordering::SeqCst);
            Ok(Arc::new(Faulty(Arc::clone(&disk))) as Arc<CredentialStore>)
        };
        KeyringStore::over(Arc::new(open), Duration::from_millis(200))
    }

    fn disk(changes: usize) -> Arc<Disk> {
        Arc::new(Disk { changes_left: AtomicUsize::new(changes), ..Disk::default() })
    }

    #[test]
    fn the_keyring_keeps_its_promise() {
        let (disk, opened) = (disk(usize::MAX), Arc::default());
        keeps_its_promise(&store(&disk, &opened));
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert_eq!(
            disk.entries.lock().unwrap().len(),
            2,
            "nothing but the other account's head and piece is left"
        );
    }

    #[test]
    fn a_crash_at_any_point_leaves_the_old_or_the_new_secret() {
        let text = |byte: &str, pieces: usize| Secret::new(byte.repeat(PIECE * pieces - 7));
        for (before, after) in [(3, 2), (2, 4), (1, 1)] {
            let mut whole = false;
            for crash in 0..20 {
                let (disk, opened) = (disk(usize::MAX), Arc::default());
                let store = store(&disk, &opened);
                let (old, new) = (text("o", before), text("n", after));
                store.save("a", &old).unwrap();
                disk.changes_left.store(crash, Ordering::SeqCst);
                let saved = store.save("a", &new);
                disk.changes_left.store(usize::MAX, Ordering::SeqCst);
                let kept = store.load("a").unwrap().unwrap();
                assert_eq!(kept, if saved.is_ok() { new } else { old }, "crash at change {crash}");
                whole = saved.is_ok();

                // What the crash left behind disturbs nobody and is swept.
                store.save("a", &text("x", 3)).unwrap();
                store.save("a", &text("y", 1)).unwrap();
                assert_eq!(store.load("a").unwrap(), Some(text("y", 1)));
                assert!(disk.entries.lock().unwrap().len() <= 2, "{:?}", disk.entries.lock().unwrap().keys());
            }
            assert!(whole);
        }
    }

    #[test]
    fn a_locked_keyring_is_not_a_missing_login() {
        let (disk, opened) = (disk(0), Arc::default());
        let store = store(&disk, &opened);
        assert!(store.load("a").unwrap().is_none());
        assert!(matches!(store.save("a", &Secret::new("x")), Err(StoreError::Locked(_))));
    }

    #[test]
    fn after_a_failure_a_fresh_store_is_opened() {
        let (disk, opened) = (disk(0), Arc::default());
        let store = store(&disk, &opened);
        store.save("a", &Secret::new("x")).unwrap_err();
        disk.changes_left.store(usize::MAX, Ordering::SeqCst);
        store.save("a", &Secret::new("x")).unwrap();
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_keyring_that_hangs_costs_one_time_limit_and_not_the_program() {
        let hanging = Arc::new(Disk { hang: true, ..Disk::default() });
        let opened = Arc::default();
        let store = store(&hanging, &opened);
        assert!(matches!(store.load("a"), Err(StoreError::TimedOut(_))));
        assert!(matches!(store.load("a"), Err(StoreError::TimedOut(_))));
        assert_eq!(opened.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_damaged_secret_is_said_to_be_damaged() {
        let (disk, opened) = (disk(usize::MAX), Arc::default());
        let store = store(&disk, &opened);
        store.save("a", &Secret::new("x".repeat(5000))).unwrap();
        let altered = vec![b'y'; disk.entries.lock().unwrap()["a.1.1"].len()];
        disk.entries.lock().unwrap().insert("a.1.1".to_owned(), altered);
        assert!(matches!(store.load("a"), Err(StoreError::Damaged)), "a piece is another one's");
        disk.entries.lock().unwrap().remove("a.1.1");
        assert!(matches!(store.load("a"), Err(StoreError::Damaged)), "a piece is missing");
    }

    // The tests below need an unlocked Secret Service. The stage `keyring` of `.ci/test` runs all that are ignored in
    // this room, in a session of their own, one after the other.

    #[test]
    #[ignore = "needs an unlocked system keyring"]
    fn the_system_keyring_keeps_its_promise() {
        keeps_its_promise(&KeyringStore::new());
    }

    #[test]
    #[ignore = "needs an unlocked system keyring"]
    fn another_program_s_entry_is_read_and_written_as_it_is() {
        let tool = |arguments: &[&str], input: &str| {
            let mut tool = std::process::Command::new("secret-tool");
            tool.args(arguments).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut running = tool.spawn().expect("secret-tool; `make setup-tests` installs it");
            std::io::Write::write_all(&mut running.stdin.take().unwrap(), input.as_bytes()).unwrap();
            String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap()
        };
        // As Codex CLI 0.169 has it, measured.
        let attributes = [
            "service",
            "Codex Auth",
            "username",
            "cli|test",
            "target",
            "default",
            "application",
            "rust-keyring",
        ];
        let store = KeyringStore::of_codex();
        assert_eq!(store.entry("cli|test").unwrap(), None);
        tool(&[&["store", "--label=test"][..], &attributes].concat(), "{\"a\":1}");
        assert_eq!(store.entry("cli|test").unwrap(), Some(Secret::new("{\"a\":1}")));
        let long = "x".repeat(6000);
        store.set_entry("cli|test", Secret::new(long.clone())).unwrap();
        assert_eq!(tool(&[&["lookup"][..], &attributes].concat(), ""), long, "the same entry, in one piece");
        store.remove_entry("cli|test").unwrap();
        assert_eq!(tool(&[&["lookup"][..], &attributes].concat(), ""), "");
    }

    /// The keyring's process, stopped; dropping it lets it go on.
    struct Stopped(String);

    impl Stopped {
        fn stop() -> Self {
            let mut ask = std::process::Command::new("busctl");
            ask.args([
                "--user",
                "call",
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
            ]);
            ask.args(["GetConnectionUnixProcessID", "s", "org.freedesktop.secrets"]);
            let said = String::from_utf8(ask.output().expect("busctl").stdout).unwrap();
            let id = said.split_whitespace().nth(1).expect("the keyring has a process").to_owned();
            signal("STOP", &id);
            Self(id)
        }
    }

    impl Drop for Stopped {
        fn drop(&mut self) {
            signal("CONT", &self.0);
        }
    }

    fn signal(signal: &str, id: &str) {
        assert!(std::process::Command::new("kill").args(["-s", signal, id]).status().unwrap().success());
    }

    #[test]
    #[ignore = "needs an unlocked system keyring"]
    fn a_system_keyring_that_hangs_costs_its_time_limit_and_is_used_again_afterwards() {
        let store = KeyringStore::over(Arc::new(platform), Duration::from_secs(2));
        store.save("hangs", &Secret::new("kept")).unwrap();
        let stopped = Stopped::stop();
        for _ in 0..2 {
            let begun = std::time::Instant::now();
            let error = store.load("hangs").unwrap_err();
            assert!((2..4).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
            assert!(matches!(error, StoreError::TimedOut(_)));
            assert_eq!(
                error.to_string(),
                "the system's keyring did not answer within 2 s (is a password window open?)"
            );
        }
        drop(stopped);
        assert_eq!(store.load("hangs").unwrap(), Some(Secret::new("kept")), "a fresh connection");
        store.remove("hangs").unwrap();
    }
}
