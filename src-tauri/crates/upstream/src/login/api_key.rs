//! An OpenAI API key, tried before it is kept.

use super::Desk;
use super::call::{self, Trouble};
use super::error::{LoginError, Step};
use super::progress::{LoginStep, Progress};
use crate::accounts::Secret;
use crate::http::join;

/// The key without what pasting adds, if OpenAI accepts it.
pub(super) async fn check(desk: &Desk, key: &Secret, progress: &Progress) -> Result<Secret, LoginError> {
    let key = Secret::new(key.expose().trim());
    let plain = key.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || !(8..=500).contains(&key.expose().len()) {
        return Err(LoginError::KeyMalformed);
    }
    progress.push(LoginStep::CheckingKey);
    let url = join(&desk.issuer.signpost.now().api, "/models");
    let request = desk.issuer.http.client(&url).get(url.clone()).bearer_auth(key.expose()).build();
    let answer = match request {
        Ok(request) => call::send(&desk.issuer.http, request).await,
        Err(_) => Err(Trouble::Unreadable),
    };
    match answer.and_then(call::Answered::accept) {
        Ok(_) => Ok(key),
        Err(Trouble::Refused { status: status @ (401 | 403), .. }) => Err(LoginError::KeyRefused { status }),
        Err(trouble) => Err(trouble.at(Step::CheckKey)),
    }
}
