//! Cryptography for TLS.

/// Without one that the application has chosen for its process, rustls is given one: it does not choose
/// where several are compiled in, and panics.
pub(super) fn provide_cryptography() {
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
