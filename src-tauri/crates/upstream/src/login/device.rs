//! Sign-in by device code (`upstream.md` §a.3): a code is typed on any computer, and the server tells us when.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Desk;
use super::call::{self, Trouble, refusal};
use super::error::{LoginError, Step};
use super::oauth::{self, Issued};
use super::progress::{LoginStep, Progress};
use crate::accounts::{CLIENT_ID, Secret};

/// How long the code can be typed.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// Between two questions if the server names no time.
const INTERVAL: u64 = 5;

/// The server names the code in one of two ways, and the interval as a string or as a number.
#[derive(Deserialize)]
struct Given {
    device_auth_id: String,
    user_code: Option<String>,
    usercode: Option<String>,
    interval: Option<Interval>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Interval {
    Number(f64),
    Text(String),
}

impl Interval {
    fn seconds(&self) -> Option<u64> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        // Nothing that a server says makes us ask without pause, or fall asleep.
        (seconds.is_finite()).then(|| (seconds.ceil() as u64).clamp(1, 60))
    }
}

#[derive(Deserialize)]
struct Entered {
    authorization_code: Secret,
    code_verifier: Secret,
}

pub(super) async fn sign_in(desk: &Desk, progress: &Progress) -> Result<Issued, LoginError> {
    #[derive(Serialize)]
    struct Ask<'a> {
        client_id: &'a str,
    }
    let given: Given =
        match post(desk, "/api/accounts/deviceauth/usercode", &Ask { client_id: CLIENT_ID }).await {
            Err(Trouble::Refused { status: 404, .. }) => return Err(LoginError::DeviceDisabled),
            answer => answer.map_err(|trouble| trouble.at(Step::DeviceCode))?,
        };
    let unreadable = || LoginError::Unreadable { step: Step::DeviceCode };
    let code =
        given.user_code.or(given.usercode).filter(|code| !code.trim().is_empty()).ok_or_else(unreadable)?;
    let interval = given.interval.as_ref().and_then(Interval::seconds).unwrap_or(INTERVAL);
    let started = Timestamp::now().as_second();
    let told =
        given.expires_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok()).map(|at| at.as_second());
    let most = started + LIMIT.as_secs().cast_signed();
    // By a clock that is wrong the server's time may be over before it begins: then ours counts.
    let expires_at = told.filter(|at| *at > started).unwrap_or(most).min(most);
    progress.push(LoginStep::DeviceCode {
        url: desk.issuer.at("/codex/device").to_string(),
        code: call::clean(&code),
        expires_at,
    });
    let until = Instant::now() + Duration::from_secs((expires_at - started).unsigned_abs());
    let entered = entered(desk, &given.device_auth_id, &code, Duration::from_secs(interval), until).await?;
    progress.push(LoginStep::Exchanging);
    oauth::exchange_device(desk, &entered.authorization_code, &entered.code_verifier).await
}

async fn entered(
    desk: &Desk,
    id: &str,
    code: &str,
    interval: Duration,
    until: Instant,
) -> Result<Entered, LoginError> {
    #[derive(Serialize)]
    struct Ask<'a> {
        device_auth_id: &'a str,
        user_code: &'a str,
    }
    let mut last = None;
    loop {
        tokio::time::sleep(interval).await;
        if Instant::now() >= until {
            // If the network was the reason, that is what helps.
            return Err(last.unwrap_or(LoginError::TimedOut { minutes: LIMIT.as_secs() / 60 }));
        }
        match post(desk, "/api/accounts/deviceauth/token", &Ask { device_auth_id: id, user_code: code }).await
        {
            Ok(entered) => return Ok(entered),
            Err(Trouble::Refused { status: 403 | 404, .. }) => last = None,
            // The person is typing meanwhile: a network that comes and goes must not end it.
            Err(trouble @ (Trouble::Offline(_) | Trouble::Server(_))) => {
                last = Some(trouble.at(Step::DevicePoll))
            }
            Err(Trouble::Refused { status, code, clock }) => return Err(refusal(status, code, clock)),
            Err(trouble @ Trouble::Unreadable) => return Err(trouble.at(Step::DevicePoll)),
        }
    }
}

async fn post<T: for<'de> Deserialize<'de>>(
    desk: &Desk,
    path: &str,
    body: &impl Serialize,
) -> Result<T, Trouble> {
    let url = desk.issuer.at(path);
    let request = desk.issuer.http.client(&url).post(url.clone()).json(body).build();
    call::send(&desk.issuer.http, request.map_err(|_| Trouble::Unreadable)?).await?.json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_or_a_string_and_never_silly() {
        let seconds = |json: &str| serde_json::from_str::<Interval>(json).unwrap().seconds();
        for (json, expected) in [
            ("5", Some(5)),
            ("\"5\"", Some(5)),
            ("\" 1.2 \"", Some(2)),
            ("0", Some(1)),
            ("-3", Some(1)),
            ("1e30", Some(60)),
            ("\"soon\"", None),
        ] {
            assert_eq!(seconds(json), expected, "{json}");
        }
    }
}
