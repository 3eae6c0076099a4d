//! Which limiter a request passes, and how it asks for its permit.

use std::hash::Hash;

use floodway::{Acquire, Acquiring, Limiter, LimiterMap};

/// Starts to acquire the permit of a request.
///
/// A [`Limiter`] admits every request alike; [`LimiterLayer::select`](crate::LimiterLayer::select)
/// and [`LimiterLayer::acquire_from`](crate::LimiterLayer::acquire_from) look at the request.
pub trait Admit<Request> {
    /// Asks for the permit of `request` as `acquire` says.
    fn admit_with(&self, request: &Request, acquire: Acquire) -> Acquiring;

    /// Asks for the permit of `request`.
    #[inline]
    fn admit(&self, request: &Request) -> Acquiring {
        self.admit_with(request, Acquire::new())
    }
}

impl<Request> Admit<Request> for Limiter {
    #[inline]
    fn admit_with(&self, _: &Request, acquire: Acquire) -> Acquiring {
        self.acquire_with(acquire)
    }
}

/// The limiter that `F: Fn(&Request) -> Limiter` gives. Made by
/// [`LimiterLayer::select`](crate::LimiterLayer::select).
#[derive(Clone, Copy, Debug)]
pub struct Select<F>(pub(crate) F);

impl<F, Request> Admit<Request> for Select<F>
where
    F: Fn(&Request) -> Limiter,
{
    fn admit_with(&self, request: &Request, acquire: Acquire) -> Acquiring {
        (self.0)(request).acquire_with(acquire)
    }
}

/// The limiter of the key that `F: Fn(&Request) -> K` gives. Made by
/// [`LimiterLayer::keyed`](crate::LimiterLayer::keyed).
#[derive(Clone, Debug)]
pub struct Keyed<K, F> {
    pub(crate) limiters: LimiterMap<K>,
    pub(crate) key: F,
}

impl<K, F, Request> Admit<Request> for Keyed<K, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    F: Fn(&Request) -> K,
{
    fn admit_with(&self, request: &Request, acquire: Acquire) -> Acquiring {
        self.limiters.limiter(&(self.key)(request)).acquire_with(acquire)
    }
}

/// Asks `A` in the way that `F: Fn(&Request) -> Acquire` says. Made by
/// [`LimiterLayer::acquire_from`](crate::LimiterLayer::acquire_from).
#[derive(Clone, Copy, Debug)]
pub struct AcquireFrom<A, F> {
    pub(crate) admission: A,
    pub(crate) acquire: F,
}

impl<A, F, Request> Admit<Request> for AcquireFrom<A, F>
where
    A: Admit<Request>,
    F: Fn(&Request) -> Acquire,
{
    /// What is said from outside comes later and counts.
    fn admit_with(&self, request: &Request, acquire: Acquire) -> Acquiring {
        self.admission.admit_with(request, acquire)
    }

    fn admit(&self, request: &Request) -> Acquiring {
        self.admission.admit_with(request, (self.acquire)(request))
    }
}
