//! Who may call the listener: holders of the admin token, and browsers that were let in with a one-time link.
//!
//! The token is not the client token: what Claude Code holds opens nothing here. A link's code is made from the token
//! without asking the server, so that `dragoman open` never sends the token anywhere; it holds for a minute and once.
//! The cookie that it is traded for is known to this process only. Not here: reading requests (`guard.rs`).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::Error;
use crate::paths::Paths;
use crate::token;

/// How long a link holds. A browser may have to start first.
const LINK: u64 = 60;
/// How long a browser stays let in.
const SESSION: Duration = Duration::from_secs(7 * 24 * 3600);
/// So many browsers at once; the oldest goes.
const SESSIONS: usize = 32;

/// What a program must send.
#[derive(Clone)]
pub(crate) struct AdminToken(String);

impl AdminToken {
    /// The one kept in the state directory, readable by its owner only; a new one if there is none.
    pub(crate) fn find(paths: &Paths) -> Result<Self, Error> {
        token::kept(&paths.admin_token()).map(Self)
    }

    /// A code that [`Access::enter`] takes once, within a minute.
    pub(crate) fn code(&self) -> Result<String, Error> {
        let mut nonce = [0; 16];
        token::fill(&mut nonce)?;
        let said = format!("{}.{}", now(), URL_SAFE_NO_PAD.encode(nonce));
        let tag = hmac::sign(&self.key(), said.as_bytes());
        Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// The token, the links that were used, and the browsers that are in.
#[derive(Debug)]
pub(super) struct Access {
    token: AdminToken,
    /// When they were made, and their code.
    used: Mutex<Vec<(u64, String)>>,
    sessions: Mutex<Vec<Session>>,
}

/// A browser that was let in.
struct Session {
    secret: String,
    since: Instant,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Access {
    pub(super) fn new(token: AdminToken) -> Self {
        Self { token, used: Mutex::default(), sessions: Mutex::default() }
    }

    /// Is this the token? Takes as long whatever it is.
    pub(super) fn knows_token(&self, shown: &str) -> bool {
        shown.as_bytes().ct_eq(self.token.0.as_bytes()).into()
    }

    /// Is this the secret of a browser that was let in?
    pub(super) fn knows_session(&self, shown: &str) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.since.elapsed() < SESSION);
        // All of them are compared, so that the time tells nothing.
        let is_one = |known: bool, session: &Session| {
            known | bool::from(session.secret.as_bytes().ct_eq(shown.as_bytes()))
        };
        sessions.iter().fold(false, is_one)
    }

    /// Trades a link's code for a browser's secret. `None`: it is not ours, too old, or was used.
    pub(super) fn enter(&self, code: &str) -> Result<Option<String>, Error> {
        let Some(made) = self.made(code) else { return Ok(None) };
        let now = now();
        // A code of the future would hold for longer than a minute.
        if made > now || now - made > LINK {
            return Ok(None);
        }
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.retain(|(made, _)| now.saturating_sub(*made) <= LINK);
            if used.iter().any(|(_, other)| other == code) {
                return Ok(None);
            }
            used.push((made, code.to_owned()));
        }
        let secret = token::random()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS {
            sessions.remove(0);
        }
        sessions.push(Session { secret: secret.clone(), since: Instant::now() });
        Ok(Some(secret))
    }

    /// A browser leaves.
    pub(super) fn leave(&self, shown: &str) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.secret != shown);
    }

    /// When this code was made, if its tag is right.
    fn made(&self, code: &str) -> Option<u64> {
        let (said, tag) = code.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.token.key(), said.as_bytes(), &tag).ok()?;
        said.split_once('.')?.0.parse().ok()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access::new(AdminToken("canary".to_owned()))
    }

    /// A code with a right tag that was made at another time.
    fn code_of(access: &Access, made: u64) -> String {
        let said = format!("{made}.nonce");
        let tag = hmac::sign(&access.token.key(), said.as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    #[test]
    fn a_code_lets_one_browser_in_once() {
        let access = access();
        let code = access.token.code().unwrap();
        let secret = access.enter(&code).unwrap().unwrap();
        assert!(access.knows_session(&secret));
        assert_eq!(access.enter(&code).unwrap(), None, "once");
        assert!(!access.knows_session(&code));
        access.leave(&secret);
        assert!(!access.knows_session(&secret));
    }

    #[test]
    fn a_code_that_is_old_or_early_or_not_ours_lets_nobody_in() {
        let access = access();
        for made in [now() - LINK - 1, now() + 60] {
            assert_eq!(access.enter(&code_of(&access, made)).unwrap(), None);
        }
        let other = Access::new(AdminToken("other".to_owned())).token.code().unwrap();
        let own = access.token.code().unwrap();
        let later = format!("{}{}", now(), &own[own.find('.').unwrap()..]);
        let changed = if later == own { format!("1{own}") } else { later };
        for code in ["", ".", "..", "1.2.3", &other, &changed, &own[..own.len() - 1]] {
            assert_eq!(access.enter(code).unwrap(), None, "{code}");
        }
        assert!(access.enter(&own).unwrap().is_some());
    }

    #[test]
    fn the_oldest_browser_goes_when_there_are_too_many() {
        let access = access();
        let enter = || access.enter(&access.token.code().unwrap()).unwrap().unwrap();
        let first = enter();
        let later: Vec<String> = (0..SESSIONS).map(|_| enter()).collect();
        assert!(!access.knows_session(&first));
        assert!(later.iter().all(|secret| access.knows_session(secret)));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let access = access();
        let secret = access.enter(&access.token.code().unwrap()).unwrap().unwrap();
        let printed = format!("{access:?}");
        assert!(!printed.contains("canary") && !printed.contains(&secret), "{printed}");
    }
}
