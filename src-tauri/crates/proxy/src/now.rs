//! The present moment, for error messages that tell a time.

use dragoman_protocol::failure::{Failure, Now};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Now, with times told in the system's time zone (read anew each time, so that travellers see theirs).
pub(crate) fn now() -> Now {
    Now { unix: Timestamp::now().as_second(), local }
}

/// What a client would be told, for those who are told in another way.
pub fn in_words(failure: &Failure) -> String {
    failure.message(&now())
}

fn local(at: i64) -> String {
    let Ok(time) = Timestamp::from_second(at) else { return "at an unknown time".to_owned() };
    let zone = TimeZone::system();
    let time = time.to_zoned(zone.clone());
    let same_day = time.date() == Timestamp::now().to_zoned(zone).date();
    time.strftime(if same_day { "at %H:%M" } else { "on %a %d %b at %H:%M" }).to_string()
}
