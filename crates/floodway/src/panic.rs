//! A panic of somebody else's code.

use std::{
    any::Any,
    fmt,
    sync::{Mutex, PoisonError},
};

/// A panic that was caught, as a value.
///
/// Nothing is caught where the program is built with `panic = "abort"`.
pub struct Panic {
    message: Box<str>,
    /// In a lock, because a payload need not be `Sync` and errors that go far have to be.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    #[cold]
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a panic without a message").into();
        Self { message, payload: Mutex::new(payload) }
    }

    /// What `panic!` said, if it said something.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The payload, for [`std::panic::resume_unwind`].
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}
