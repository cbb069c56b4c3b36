//! The door, where people come in and leave.

use super::{Backend, Client};
use crate::accounts::AccountProblem;
use crate::login::{Desk, Login, LoginError, Progress, SignedIn, SignedOut};

impl Client {
    fn desk(&self) -> Result<&Desk, AccountProblem> {
        match &self.backend {
            Backend::ChatGpt(codex) => Ok(&codex.desk),
            Backend::Demo(_) => Err(AccountProblem::Demo),
        }
    }

    /// Signs in and tells the steps. Dropping the future cancels it, unless the tokens are being stored by then: that
    /// is finished in any case.
    pub async fn sign_in(&self, login: Login, progress: &Progress) -> Result<SignedIn, LoginError> {
        let desk = self.desk().map_err(|problem| LoginError::Store { why: problem.to_string() })?;
        desk.sign_in(login, progress).await
    }

    /// Signs out: forgets the account that is called so, and ends its login at the issuer. A login of the Codex CLI is
    /// only forgotten here, unless `codex_too`.
    pub async fn sign_out(&self, words: &str, codex_too: bool) -> Result<SignedOut, AccountProblem> {
        self.desk()?.sign_out(words, codex_too).await
    }
}
