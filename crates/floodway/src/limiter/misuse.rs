//! Finds who waits for a permit while holding one, in debug builds.
//!
//! Inside [`Permit::scope`](super::Permit::scope) a permit is lent and nothing can go wrong. A
//! permit that is merely kept in a variable is not lent, because nothing says that what comes next
//! belongs to it: the task may then wait for itself. Release builds do not look for that, as it
//! would cost every permit a lock.

use std::panic::Location;

/// Where a permit was asked for; nothing in release builds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site(#[cfg(debug_assertions)] &'static Location<'static>);

impl Site {
    #[inline]
    #[track_caller]
    pub(crate) fn here() -> Self {
        Self(
            #[cfg(debug_assertions)]
            Location::caller(),
        )
    }

    /// The place, where it is known.
    pub(crate) const fn location(self) -> Option<&'static Location<'static>> {
        #[cfg(debug_assertions)]
        return Some(self.0);
        #[cfg(not(debug_assertions))]
        None
    }
}

/// Says why nobody could be lent the permits asked for.
#[cold]
pub(super) fn report_nested(limiter: &str, wanted: u32, held: u32, outer: Site, inner: Site) {
    #[cfg(debug_assertions)]
    tracing::warn!(
        limiter,
        outer = %outer.0,
        inner = %inner.0,
        "an operation that holds {held} permits of a limiter asked it for {wanted} more; refused, \
         because it might wait for itself"
    );
    #[cfg(not(debug_assertions))]
    {
        let (_, _) = (outer, inner);
        tracing::warn!(
            limiter,
            "an operation that holds {held} permits of a limiter asked it for {wanted} more; \
             refused, because it might wait for itself; a debug build names both places"
        );
    }
}

#[cfg(debug_assertions)]
pub(super) use debug::{Holder, Holders};

#[cfg(debug_assertions)]
mod debug {
    use std::{
        collections::HashMap,
        panic::Location,
        sync::{
            Arc, Mutex, PoisonError,
            atomic::{AtomicBool, Ordering},
        },
    };

    use tokio::task;

    use super::{super::core::Core, Site};

    /// The tasks that hold permits of one limiter, and where they asked for them.
    #[derive(Debug, Default)]
    pub(in crate::limiter) struct Holders {
        sites: Mutex<HashMap<task::Id, Vec<&'static Location<'static>>>>,
        reported: AtomicBool,
    }

    impl Holders {
        /// Reports, once per limiter, that the calling task is about to wait while it holds.
        pub(in crate::limiter) fn check(&self, limiter: &str, inner: Site) {
            let Some(task) = task::try_id() else {
                return;
            };
            let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(outer) = sites.get(&task).and_then(|sites| sites.last()).copied() else {
                return;
            };
            drop(sites);
            if !self.reported.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    limiter,
                    outer = %outer,
                    inner = %inner.0,
                    "a task that holds a permit of a limiter waits for another and may wait for \
                     itself; run what is nested inside Permit::scope or Limiter::run"
                );
            }
        }
    }

    /// Notes who holds a permit, for as long as they do.
    #[derive(Debug)]
    pub(in crate::limiter) struct Holder {
        core: Arc<Core>,
        task: Option<task::Id>,
        site: &'static Location<'static>,
    }

    impl Holder {
        pub(in crate::limiter) fn new(core: &Arc<Core>, site: Site) -> Self {
            let holder = Self { core: Arc::clone(core), task: task::try_id(), site: site.0 };
            if let Some(task) = holder.task {
                let mut sites = core.holders().sites.lock().unwrap_or_else(PoisonError::into_inner);
                sites.entry(task).or_default().push(holder.site);
            }
            holder
        }
    }

    /// The permit is gone, wherever it was dropped.
    impl Drop for Holder {
        fn drop(&mut self) {
            let Some(task) = self.task else {
                return;
            };
            let mut all = self.core.holders().sites.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(sites) = all.get_mut(&task) {
                if let Some(position) = sites.iter().rposition(|site| *site == self.site) {
                    sites.swap_remove(position);
                }
                if sites.is_empty() {
                    all.remove(&task);
                }
            }
        }
    }
}
