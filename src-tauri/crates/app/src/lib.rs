//! The facade: every verb a user sees, settings, the listener's life.

mod environment;
mod error;
mod logging;
pub mod paths;
mod running;
pub mod settings;
pub mod token;

pub use error::Error;
pub use dragoman_upstream::BackendKind;
pub use running::Running;
