//! Where things are: every directory, every file name and every environment variable Dragoman reads or hands out is
//! named here and nowhere else, and so is the one function that writes whole files.
//!
//! Not here: what the files contain (`settings.rs`, `token.rs`, `running.rs`, `logging.rs`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::Error;

/// The directory below which every file of our own lies.
pub const HOME: &str = "DRAGOMAN_HOME";
/// The local bearer token, instead of the one in the state directory.
pub const CLIENT_TOKEN: &str = "DRAGOMAN_CLIENT_TOKEN";
/// Where the Codex CLI keeps its login.
pub const CODEX_HOME: &str = "CODEX_HOME";
/// Where Claude Code keeps its settings.
pub const CLAUDE_CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// What says how text is shown; the first that is set counts.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// What every variable of ours starts with.
const PREFIX: &str = "DRAGOMAN_";

/// Variables with a name of their own, shorter than `DRAGOMAN_<SECTION>_<KEY>`, which works for every key.
const SHORT: [(&str, &str); 12] = [
    ("server.listen", "DRAGOMAN_LISTEN"),
    ("server.admin_listen", "DRAGOMAN_ADMIN_LISTEN"),
    ("upstream.chatgpt_url", "DRAGOMAN_CHATGPT_URL"),
    ("upstream.issuer_url", "DRAGOMAN_ISSUER_URL"),
    ("upstream.api_url", "DRAGOMAN_API_URL"),
    ("accounts.token_store", "DRAGOMAN_TOKEN_STORE"),
    // As Claude Code calls its own: for scripts that run a server with another map.
    ("models.opus", "DRAGOMAN_DEFAULT_OPUS_MODEL"),
    ("models.sonnet", "DRAGOMAN_DEFAULT_SONNET_MODEL"),
    ("models.haiku", "DRAGOMAN_DEFAULT_HAIKU_MODEL"),
    ("models.fable", "DRAGOMAN_DEFAULT_FABLE_MODEL"),
    ("models.default_effort", "DRAGOMAN_DEFAULT_EFFORT"),
    ("log.level", "DRAGOMAN_LOG"),
];

/// What Claude Code reads (`claude-code.md` §17). Values are made in `environment.rs`.
pub(crate) mod claude_code {
    pub(crate) const BASE_URL: &str = "ANTHROPIC_BASE_URL";
    pub(crate) const AUTH_TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";
    pub(crate) const MAX_CONTEXT_TOKENS: &str = "CLAUDE_CODE_MAX_CONTEXT_TOKENS";
    pub(crate) const AUTO_COMPACT_WINDOW: &str = "CLAUDE_CODE_AUTO_COMPACT_WINDOW";
    pub(crate) const ATTRIBUTION_HEADER: &str = "CLAUDE_CODE_ATTRIBUTION_HEADER";
    pub(crate) const API_KEY: &str = "ANTHROPIC_API_KEY";
    pub(crate) const USE_BEDROCK: &str = "CLAUDE_CODE_USE_BEDROCK";
    pub(crate) const USE_VERTEX: &str = "CLAUDE_CODE_USE_VERTEX";
    /// Members of the settings beside `env`.
    pub(crate) const MODEL_PICKER: &str = "modelPicker";
    pub(crate) const DISABLE_AUTO_MODE: &str = "disableAutoMode";
    pub(crate) const API_KEY_HELPER: &str = "apiKeyHelper";
}

/// Variables that say where other programs' files are.
const PLACES: [&str; 5] = [CODEX_HOME, CLAUDE_CONFIG_DIR, "ZDOTDIR", "XDG_CONFIG_HOME", "PATH"];

/// Where managed settings of Claude Code are.
const MANAGED: &str = if cfg!(target_os = "macos") {
    "/Library/Application Support/ClaudeCode"
} else if cfg!(windows) {
    r"C:\Program Files\ClaudeCode"
} else {
    "/etc/claude-code"
};

/// Variables that decide where Claude Code goes.
pub(crate) const DECIDING: [&str; 5] = [
    claude_code::API_KEY,
    claude_code::AUTH_TOKEN,
    claude_code::BASE_URL,
    claude_code::USE_BEDROCK,
    claude_code::USE_VERTEX,
];

/// The variables of one process that concern us, read once at start. Tests make their own, so the process environment
/// is never changed. `Debug` shows names only: one of the values is a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// The value, as it is. An empty one counts as not set, as everywhere in Unix.
    pub(crate) fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variable that sets `key`, with its value: the short name first.
    pub(crate) fn setting(&self, key: &str) -> Option<(String, &OsStr)> {
        variables(key).into_iter().find_map(|name| self.raw(&name).map(|value| (name.clone(), value)))
    }

    /// Can the terminal show more than ASCII, as far as its locale tells? Windows has no such variable.
    pub fn speaks_utf8(&self) -> bool {
        let locale = LOCALE.iter().find_map(|name| self.raw(name)).map(OsStr::to_string_lossy);
        locale.map_or(cfg!(windows), |locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }

    /// Every `DRAGOMAN_…` variable that is set.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| name.starts_with(PREFIX))
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let ours = |name: &str| {
            name.starts_with(PREFIX)
                || PLACES.contains(&name)
                || DECIDING.contains(&name)
                || LOCALE.contains(&name)
        };
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(pairs.filter(|(name, _)| ours(name)).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The variables that set `key`, the preferred one first.
pub(crate) fn variables(key: &str) -> Vec<String> {
    let short = SHORT.iter().filter(|(name, _)| *name == key).map(|(_, variable)| (*variable).to_owned());
    let long = format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase());
    short.chain([long]).collect()
}

/// Where everything of one Dragoman is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Holds `config.toml`.
    pub config: PathBuf,
    /// What must survive a restart: the client token, where the server runs.
    pub state: PathBuf,
    /// What may be deleted at any time: the model catalog.
    pub cache: PathBuf,
    /// The log files.
    pub logs: PathBuf,
    /// The Codex CLI's home, if this user has a home at all.
    pub codex: Option<PathBuf>,
    /// Claude Code's directory, likewise.
    pub claude: Option<PathBuf>,
    /// The user's home.
    pub user: Option<PathBuf>,
    /// Where the owner of the machine lays down settings for Claude Code.
    pub managed: PathBuf,
}

impl Paths {
    /// `home` (a flag or a test) > `DRAGOMAN_HOME` > the directories the platform has for these things.
    pub fn find(home: Option<&Path>, environment: &Environment) -> Result<Self, Error> {
        let user = directories::BaseDirs::new().map(|base| base.home_dir().to_owned());
        let named = |variable, name| match environment.raw(variable) {
            Some(path) => Some(PathBuf::from(path)),
            None => user.as_ref().map(|user| user.join(name)),
        };
        let codex = named(CODEX_HOME, ".codex");
        let claude = named(CLAUDE_CONFIG_DIR, ".claude");
        let home = home.map(Path::to_owned).or_else(|| environment.raw(HOME).map(PathBuf::from));
        if let Some(home) = home {
            // Absolute, because the desktop and a child process may have another working directory.
            let home = std::path::absolute(&home).map_err(Error::file("find", &home))?;
            let inside = |name| home.join(name);
            return Ok(Self {
                config: inside("config"),
                state: inside("state"),
                cache: inside("cache"),
                logs: inside("logs"),
                codex,
                claude,
                user,
                managed: PathBuf::from(MANAGED),
            });
        }
        let platform = directories::ProjectDirs::from("", "", "Dragoman").ok_or(Error::NoHome)?;
        // Windows and macOS have no state directory of their own.
        let state =
            platform.state_dir().map_or_else(|| platform.data_local_dir().join("state"), Path::to_owned);
        Ok(Self {
            config: platform.config_dir().to_owned(),
            cache: platform.cache_dir().to_owned(),
            logs: state.join("logs"),
            state,
            codex,
            claude,
            user,
            managed: PathBuf::from(MANAGED),
        })
    }

    /// The settings, edited by people and by us.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The Codex CLI's settings.
    pub(crate) fn codex_config(&self) -> Option<PathBuf> {
        self.codex.as_ref().map(|codex| codex.join("config.toml"))
    }

    /// The local bearer token.
    pub(crate) fn client_token(&self) -> PathBuf {
        self.state.join("client-token")
    }

    /// What programs must send to the admin API.
    pub(crate) fn admin_token(&self) -> PathBuf {
        self.state.join("admin-token")
    }

    /// Where the admin API of this home listens.
    pub(crate) fn admin(&self) -> PathBuf {
        self.state.join("admin.json")
    }

    /// Where the server of this home listens.
    pub(crate) fn server(&self) -> PathBuf {
        self.state.join("server.json")
    }

    /// Where Claude Code keeps its state, MCP servers included: beside its directory, or inside of one that was named.
    pub(crate) fn claude_json(&self) -> Option<PathBuf> {
        let usual = self.user.as_ref().map(|user| user.join(".claude"));
        match &self.claude {
            Some(claude) if usual.as_ref() != Some(claude) => Some(claude.join(".claude.json")),
            _ => self.user.as_ref().map(|user| user.join(".claude.json")),
        }
    }

    /// What was written into Claude Code's settings, and what stood there before.
    pub(crate) fn claude_code_state(&self) -> PathBuf {
        self.state.join("claude-code.json")
    }

    /// Locked while those settings are read and written.
    pub(crate) fn claude_code_lock(&self) -> PathBuf {
        self.state.join("claude-code.lock")
    }

    /// A settings file as it was before the first write, at this time.
    pub(crate) fn claude_code_backup(&self, nanoseconds: u128) -> PathBuf {
        self.state.join(format!("backups/claude-code-settings-{nanoseconds}.json"))
    }

    /// The settings of Claude Code that go before all others, as far as they are files.
    pub(crate) fn managed_settings(&self) -> Vec<PathBuf> {
        let mut more = below(&self.managed.join("managed-settings.d"), "json");
        more.push(self.managed.join("managed-settings.json"));
        more
    }

    /// Where cases go that are made of what was recorded.
    pub(crate) fn cases(&self) -> PathBuf {
        self.state.join("cases")
    }

    /// The usage history.
    pub fn history(&self) -> PathBuf {
        self.state.join("history.db")
    }

    /// The log: number 0 is being written, higher numbers are older.
    pub(crate) fn log(&self, number: usize) -> PathBuf {
        self.logs.join(match number {
            0 => "dragoman.log".to_owned(),
            number => format!("dragoman.{number}.log"),
        })
    }
}

/// The files that shells of this user read at their start.
pub(crate) fn start_files(user: Option<&Path>, environment: &Environment) -> Vec<PathBuf> {
    let Some(user) = user else { return vec![PathBuf::from("/etc/environment")] };
    let set = |name, otherwise: PathBuf| environment.raw(name).map_or(otherwise, PathBuf::from);
    let config = set("XDG_CONFIG_HOME", user.join(".config"));
    let zsh = set("ZDOTDIR", user.to_owned());
    let mut files: Vec<PathBuf> =
        [".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_aliases", ".cshrc", ".tcshrc"]
            .map(|name| user.join(name))
            .to_vec();
    files.extend([".zshenv", ".zprofile", ".zshrc", ".zlogin"].map(|name| zsh.join(name)));
    files.extend(["fish/config.fish", "nushell/env.nu", "nushell/config.nu"].map(|name| config.join(name)));
    files.extend(below(&config.join("fish/conf.d"), "fish"));
    files.extend(below(&config.join("environment.d"), "conf"));
    let powershell = [
        config.join("powershell"),
        user.join("Documents/PowerShell"),
        user.join("Documents/WindowsPowerShell"),
    ];
    for directory in powershell {
        files.extend(["profile.ps1", "Microsoft.PowerShell_profile.ps1"].map(|name| directory.join(name)));
    }
    files.push(PathBuf::from("/etc/environment"));
    files
}

/// The files of one kind in a directory, sorted; none if there is no such directory.
fn below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension() == Some(OsStr::new(extension))).collect();
    files.sort();
    files
}

/// Who may read a file that [`write_atomic`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its owner only (0600), whatever the old file had.
    Private,
    /// As the file it replaces; a new one as the umask says.
    Keep,
}

/// Replace the whole file or nothing: temporary file beside it, fsync, rename, fsync of the directory. A symlink
/// stays one and its target is replaced (people keep their dot files elsewhere). Missing directories are made.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let path = &target(path)?;
    let (file, directory) = temporary(path, bytes, mode)?;
    file.persist(path).map_err(|error| error.error)?;
    sync(&directory)
}

/// As [`write_atomic`], but only if the file still holds `old` (`None`: if there is still none). Tells whether it was
/// so; if not, the file is as someone else left it.
pub(crate) fn replace(path: &Path, old: Option<&[u8]>, bytes: &[u8], mode: Mode) -> io::Result<bool> {
    let path = &target(path)?;
    let (file, directory) = temporary(path, bytes, mode)?;
    let replaced = match old {
        None => file.persist_noclobber(path),
        Some(old) => match fs::read(path) {
            Ok(there) if there == old => file.persist(path),
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        },
    };
    match replaced {
        Ok(_) => sync(&directory).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// As [`write_atomic`], for the owner only, but a file that is already there stays: of two processes that start at
/// once one wins. Tells whether it was this one.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let (file, directory) = temporary(path, bytes, Mode::Private)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync(&directory).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// The bytes on disk beside `path`, and the directory of both.
fn temporary(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<(tempfile::NamedTempFile, PathBuf)> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directory(directory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".dragoman-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(match mode {
            Mode::Private => 0o600,
            Mode::Keep => 0o644,
        }));
    }
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(bytes)?;
    if let (Mode::Keep, Ok(old)) = (mode, fs::metadata(path)) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    Ok((file, directory.to_owned()))
}

/// A rename is on disk when its directory is. Windows has no such call.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// The file behind a symlink, also where that file does not exist yet.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).or_else(|_| {
            let link = fs::read_link(path)?;
            Ok(path.parent().map_or_else(|| link.clone(), |parent| parent.join(&link)))
        }),
        Ok(_) => Ok(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// Make a directory and its parents, for the owner only.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Open a file of ours to append to it, readable by its owner only.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// A home of its own for a test.
#[cfg(test)]
pub(crate) fn home() -> (tempfile::TempDir, Paths) {
    let directory = tempfile::tempdir().unwrap();
    let paths = Paths::find(Some(directory.path()), &Environment::default()).unwrap();
    (directory, paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_lies_below_dragoman_home() {
        let environment: Environment =
            [(HOME, "/h"), (CODEX_HOME, "/c"), ("PATH", "/bin")].into_iter().collect();
        let paths = Paths::find(None, &environment).unwrap();
        assert_eq!(paths.config_file(), Path::new("/h/config/config.toml"));
        assert_eq!(paths.client_token(), Path::new("/h/state/client-token"));
        assert_eq!(paths.cache, Path::new("/h/cache"));
        assert_eq!(paths.log(2), Path::new("/h/logs/dragoman.2.log"));
        assert_eq!(paths.codex.as_deref(), Some(Path::new("/c")));
        let flag = Paths::find(Some(Path::new("/flag")), &environment).unwrap();
        assert_eq!(flag.state, Path::new("/flag/state"));
    }

    #[test]
    fn an_environment_keeps_only_what_concerns_us_and_prints_no_value() {
        let environment: Environment =
            [(CLIENT_TOKEN, "canary"), ("EDITOR", "ed"), ("DRAGOMAN_LOG", "")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"DRAGOMAN_CLIENT_TOKEN", "DRAGOMAN_LOG"}"#);
        assert_eq!(environment.setting("log.level"), None, "an empty variable is not set");
    }

    #[test]
    fn the_first_locale_that_is_set_tells_whether_there_is_utf_8() {
        let speaks = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Environment>().speaks_utf8();
        assert!(speaks(&[("LANG", "de_DE.UTF-8")]));
        assert!(speaks(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(!speaks(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert_eq!(speaks(&[("LC_ALL", "")]), cfg!(windows));
    }

    #[test]
    fn the_short_name_of_a_variable_goes_before_the_long_one() {
        assert_eq!(variables("server.listen"), ["DRAGOMAN_LISTEN", "DRAGOMAN_SERVER_LISTEN"]);
        assert_eq!(variables("models.mode"), ["DRAGOMAN_MODELS_MODE"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        #[test]
        fn write_atomic_keeps_the_mode_of_the_file_it_replaces() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("config.toml");
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            write_atomic(&path, b"new", Mode::Keep).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(mode(&path), 0o640);
            write_atomic(&path, b"secret", Mode::Private).unwrap();
            assert_eq!(mode(&path), 0o600);
        }

        #[test]
        fn write_atomic_writes_through_symlinks() {
            let directory = tempfile::tempdir().unwrap();
            let (real, link) =
                (directory.path().join("dotfiles/real.toml"), directory.path().join("link.toml"));
            fs::create_dir(directory.path().join("dotfiles")).unwrap();
            symlink("dotfiles/real.toml", &link).unwrap();
            write_atomic(&link, b"dangling before", Mode::Keep).unwrap();
            write_atomic(&link, b"there now", Mode::Keep).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read(&real).unwrap(), b"there now");
        }

        #[test]
        fn a_failed_write_leaves_no_temporary_file() {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir(directory.path().join("taken")).unwrap();
            assert!(write_atomic(&directory.path().join("taken"), b"x", Mode::Private).is_err());
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }

        #[test]
        fn missing_directories_are_made_for_the_owner_only() {
            let directory = tempfile::tempdir().unwrap();
            write_atomic(&directory.path().join("state/token"), b"x", Mode::Private).unwrap();
            assert_eq!(mode(&directory.path().join("state")), 0o700);
        }
    }
}
