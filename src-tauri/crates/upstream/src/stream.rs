//! The model's answer as it arrives.

use bytes::Bytes;
use dragoman_protocol::failure::Failure;

use crate::attempt::Attempt;

/// The raw SSE bytes of one answer. Dropping it closes the connection.
#[derive(Debug)]
pub struct EventStream {
    /// What the request was finally translated for.
    pub attempt: Attempt,
}

impl EventStream {
    /// The next bytes, one upstream read each; the first item holds all that was read while opening. `None` is a clean
    /// end of file. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        None
    }
}
