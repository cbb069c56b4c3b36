//! The one place where HTTP clients are made.

/// Makes ring the process's TLS crypto. Idempotent; called first in every `main` and by [`crate::Client::start`].
pub fn install_crypto() {
    // An error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
