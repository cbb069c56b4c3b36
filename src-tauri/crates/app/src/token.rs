//! The local client token: what Claude Code must send, so that no other program on this machine, and no web page, can
//! use the account. Also how a secret is kept in a file, for the admin API.
//!
//! Not here: comparing it in constant time (the proxy does), showing it (`environment.rs`, on request only).

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;
use crate::paths::{self, Environment, Paths};

/// The token. It can't be printed by accident: who needs the words must ask for them.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientToken(String);

impl ClientToken {
    /// A given token (a test's, or the variable's). It travels in a header, so it must be visible ASCII.
    pub fn new(words: &str, origin: &str) -> Result<Self, Error> {
        let words = words.trim();
        if words.is_empty() || !words.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "it must be letters, digits and signs of ASCII, without spaces".to_owned();
            return Err(Error::Token { origin: origin.to_owned(), message });
        }
        Ok(Self(words.to_owned()))
    }

    /// The variable's, else the one kept in the state directory, else a new one that is kept there from now on.
    pub(crate) fn find(paths: &Paths, environment: &Environment) -> Result<Self, Error> {
        if let Some(words) = environment.raw(paths::CLIENT_TOKEN) {
            return Self::new(&words.to_string_lossy(), paths::CLIENT_TOKEN);
        }
        let path = paths.client_token();
        Self::new(&kept(&path)?, &path.display().to_string())
    }

    /// The words, for a header or for the user who asked.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The secret in this file, which only its owner may read; a new one, if there is none.
pub(crate) fn kept(path: &Path) -> Result<String, Error> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    let secret = random()?;
    if paths::write_new(path, secret.as_bytes()).map_err(Error::file("write", path))? {
        return Ok(secret);
    }
    match read(path)? {
        Some(theirs) => Ok(theirs),
        None => {
            // The file is there but empty: someone's disk was full. It holds nothing to lose.
            paths::write_atomic(path, secret.as_bytes(), paths::Mode::Private)
                .map_err(Error::file("write", path))?;
            Ok(secret)
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    let words = match fs::read_to_string(path) {
        Ok(words) => words,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    if words.trim().is_empty() {
        return Ok(None);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_or(0o600, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))
                .map_err(Error::file("protect", path))?;
        }
    }
    Ok(Some(words.trim().to_owned()))
}

/// 32 bytes of chance, in base64url.
pub(crate) fn random() -> Result<String, Error> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Chance.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| Error::Token {
        origin: "the system's random source".to_owned(),
        message: error.to_string(),
    })
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::home;

    #[test]
    fn a_token_is_made_once_and_kept() {
        let (_directory, paths) = home();
        let token = ClientToken::find(&paths, &Environment::default()).unwrap();
        assert_eq!(token.expose().len(), 43, "32 bytes in base64url");
        assert_eq!(ClientToken::find(&paths, &Environment::default()).unwrap(), token);
        assert_ne!(random().unwrap(), token.expose());
    }

    #[test]
    fn the_variable_goes_first_and_is_not_kept() {
        let (_directory, paths) = home();
        let environment = [(paths::CLIENT_TOKEN, "mine")].into_iter().collect();
        assert_eq!(ClientToken::find(&paths, &environment).unwrap().expose(), "mine");
        assert!(!paths.client_token().exists());
    }

    #[test]
    fn an_empty_file_is_replaced_and_an_odd_token_refused_without_showing_it() {
        let (_directory, paths) = home();
        paths::create_directory(&paths.state).unwrap();
        fs::write(paths.client_token(), "\n").unwrap();
        let token = ClientToken::find(&paths, &Environment::default()).unwrap();
        assert_eq!(fs::read_to_string(paths.client_token()).unwrap(), token.expose());
        let environment = [(paths::CLIENT_TOKEN, "two words")].into_iter().collect();
        let error = ClientToken::find(&paths, &environment).unwrap_err().to_string();
        assert_eq!(
            error,
            "the client token from DRAGOMAN_CLIENT_TOKEN can't be used: it must be letters, digits and signs of ASCII, without spaces"
        );
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = ClientToken::new("canary", "a test").unwrap();
        assert_eq!(format!("{token:?}"), "ClientToken(…)");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, paths) = home();
        let mode = || fs::metadata(paths.client_token()).unwrap().permissions().mode() & 0o777;
        let token = ClientToken::find(&paths, &Environment::default()).unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(paths.client_token(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(ClientToken::find(&paths, &Environment::default()).unwrap(), token);
        assert_eq!(mode(), 0o600, "a file that was opened to others is closed again");
    }
}
