//! Whether a missing program skips a test or fails it.

use std::env;

/// Whether tests must fail, rather than be skipped, where a program is missing.
#[must_use]
pub fn required() -> bool {
    env::var_os("FLOODWAY_REQUIRE_SERVICES").is_some_and(|value| value == "1")
}

/// Says that a test is skipped because of `reason`.
///
/// # Panics
///
/// If the program is [`required`].
#[expect(clippy::print_stderr, reason = "a skipped test has no other way to say so")]
pub(crate) fn skip(reason: &str) {
    assert!(!required(), "{reason}, and FLOODWAY_REQUIRE_SERVICES=1");
    eprintln!("skipped: {reason} (run `cargo xtask test --install-services`)");
}
