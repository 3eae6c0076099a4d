//! The time of day, for people and for systems that count from 1970.

use std::time::SystemTime;

#[expect(clippy::disallowed_methods, reason = "a label; nothing is measured with it")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
