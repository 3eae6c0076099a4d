//! A lease that is kept.

use std::{fmt, sync::Arc, time::Duration};

use floodway::Ceiling;
use floodway_control::fleet::{Demand, HolderState, LeaseRequest};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    BudgetDisagreement, Fleet, GrantError, Holder, LeaseStore, ReleaseError,
    fence::application_name, keeper::Keeper, shared::Shared,
};

/// How often a replica that leaves looks whether its connections are closed.
const CLOSING: Duration = Duration::from_millis(10);
/// How long the engine may take to hear of that.
const FAREWELL: Duration = Duration::from_secs(1);

/// This replica's part of a budget, renewed for as long as this exists.
///
/// [`release`](Self::release) gives it back. Dropping it does so too, in the background and without
/// saying how that went: nothing is used from then on.
#[must_use = "the lease ends when this is dropped"]
pub struct Lease(Option<Kept>);

struct Kept {
    fleet: Fleet,
    shared: Arc<Shared>,
    ceiling: Ceiling,
    holder: Arc<dyn Holder>,
    keeper: JoinHandle<()>,
}

/// A lease at one moment. Amounts in permits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseSnapshot {
    /// What this replica's permits come from.
    pub state: HolderState,
    /// What it may use now.
    pub grant: u32,
    /// What it may use when its burst lapses.
    pub floor: u32,
    /// What is in use or open.
    pub held: u32,
    /// What it could use: the peak of the last second.
    pub want: u32,
    /// The number of the lease; 0 before there is one.
    pub epoch: u64,
    /// The budget in force.
    pub budget: u32,
    /// The margin in force.
    pub margin: u32,
    /// What all replicas may use or hold.
    pub outstanding: u32,
    /// What of it replicas that are gone have left behind.
    pub unfenced: u32,
    /// Replicas with a lease that runs.
    pub replicas: u32,
    /// Replicas that have less than their share.
    pub hungry: u32,
    /// Since the request was sent that was answered last; since the budget was built before that.
    pub age: Duration,
    /// Until what it may use now ends; `None` if that does not end by itself.
    pub remaining: Option<Duration>,
    /// What this replica declares, where others declare something else and theirs is in force.
    pub disagreement: Option<BudgetDisagreement>,
}

impl Lease {
    pub(crate) fn begin<H: Holder>(
        fleet: Fleet,
        shared: Arc<Shared>,
        ceiling: Ceiling,
        holder: Arc<H>,
    ) -> Self {
        let keeper =
            Keeper::new(fleet.clone(), Arc::clone(&shared), ceiling.clone(), Arc::clone(&holder));
        let keeper = tokio::spawn(keeper.run());
        Self(Some(Kept { fleet, shared, ceiling, holder, keeper }))
    }

    /// Waits until this replica may use something, and says how much. A limiter under the ceiling waits by
    /// itself: this is for who wants to know why there is nothing.
    ///
    /// # Errors
    ///
    /// [`GrantError`] with what is in the way, at `deadline`, or at once if there will never be anything.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn granted(&self, deadline: Instant) -> Result<u32, GrantError> {
        let shared = &self.kept().shared;
        loop {
            // Before the look, so that no news is missed.
            let news = shared.news.notified();
            let cap = shared.cap();
            if cap.permits > 0 {
                return Ok(cap.permits);
            }
            let hopeless = matches!(cap.state, HolderState::Superseded | HolderState::Released);
            if hopeless || timeout_at(deadline, news).await.is_err() {
                return Err(self.why_not());
            }
        }
    }

    fn why_not(&self) -> GrantError {
        let Kept { fleet, shared, .. } = self.kept();
        let known = shared.known();
        let budget = shared.name.clone();
        match known.lease.cap(shared.clock.now()).state {
            HolderState::Superseded => {
                return GrantError::Superseded { replica: fleet.replica().to_owned() };
            }
            HolderState::Released => return GrantError::Released { budget },
            _ => {}
        }
        if let Some(source) = &known.failure {
            return GrantError::Store { budget, source: source.clone() };
        }
        let Some((last, _)) = known.lease.last().filter(|_| !known.failing) else {
            return GrantError::Unanswered { budget };
        };
        if last.learning {
            return GrantError::Learning { budget };
        }
        GrantError::Exhausted {
            budget,
            outstanding: last.outstanding,
            usable: last.budget.saturating_sub(last.margin),
            replicas: last.members,
            unfenced: last.unfenced,
        }
    }

    /// The lease now.
    #[must_use]
    pub fn snapshot(&self) -> LeaseSnapshot {
        self.kept().shared.snapshot()
    }

    /// Whether the budget in force is the one that this replica declares, or one that an operator has set
    /// while all replicas declare the same.
    ///
    /// # Errors
    ///
    /// [`BudgetDisagreement`] with both, if it is not.
    pub fn agreed(&self) -> Result<(), BudgetDisagreement> {
        self.snapshot().disagreement.map_or(Ok(()), Err)
    }

    /// The name that connections of this lease have to have at the backend, for others to find them
    /// should this process die: `fw/<epoch>/<budget>/<replica>`, at most 63 bytes. `None` before there is
    /// a lease; see [`BudgetBuilder::on_lease`](crate::BudgetBuilder::on_lease).
    #[must_use]
    pub fn application_name(&self) -> Option<String> {
        let Kept { fleet, shared, .. } = self.kept();
        let epoch = shared.known().lease.epoch();
        (epoch > 0).then(|| application_name(&shared.name, epoch, fleet.replica()))
    }

    /// Gives the lease back: nothing is used any more, and once all permits have come back and all
    /// connections are closed, or at `deadline`, others may have them.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] if something was still in use at the deadline, or the engine was not told. It
    /// then counts until the lease has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back in the background, as dropping the lease does.
    pub async fn release(mut self, deadline: Instant) -> Result<(), ReleaseError> {
        self.stop();
        let kept = self.kept();
        let held = kept.closed(deadline).await;
        let request = kept.shared.known().lease.leave(kept.shared.clock.now(), held);
        let outcome = kept.tell(request).await;
        // Told: there is nothing left to do on drop.
        self.0 = None;
        match outcome? {
            () if held > 0 => Err(ReleaseError::Held { held }),
            () => Ok(()),
        }
    }

    /// Nothing is used from now on, and nothing renewed.
    fn stop(&self) {
        let kept = self.kept();
        kept.keeper.abort();
        kept.shared.known().lease.stop();
        kept.ceiling.refresh();
        kept.shared.news.notify_waiters();
    }

    fn kept(&self) -> &Kept {
        self.0.as_ref().expect("only release takes it, and takes the lease with it")
    }
}

impl Kept {
    /// Waits until nothing is in use or open, or `deadline`; what still is.
    async fn closed(&self, deadline: Instant) -> u32 {
        loop {
            let held = self.holder.held();
            // The keeper, which has looked so far, is gone.
            self.shared.known().demand = Demand { want: 0, held };
            if held == 0 || Instant::now() >= deadline {
                return held;
            }
            sleep(CLOSING).await;
        }
    }

    async fn tell(&self, request: LeaseRequest) -> Result<(), ReleaseError> {
        let told = timeout(FAREWELL, self.fleet.0.store.renew(&self.shared.name, request)).await;
        match told {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ReleaseError::Store(error)),
            Err(_) => Err(ReleaseError::Unanswered),
        }
    }
}

/// Gives the lease back in the background, if there still is a runtime for that.
impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.is_none() {
            return;
        }
        self.stop();
        let Some(kept) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let linger = Duration::from_millis(kept.shared.known().lease.terms().linger);
            let held = kept.closed(Instant::now() + linger).await;
            let request = kept.shared.known().lease.leave(kept.shared.clock.now(), held);
            if let Err(error) = kept.tell(request).await {
                tracing::warn!(budget = kept.shared.name, %error, "a lease was not given back");
            }
        });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.0.as_ref().map(|kept| kept.shared.snapshot());
        f.debug_tuple("Lease").field(&snapshot).finish()
    }
}
