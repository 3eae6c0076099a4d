//! The replica's side of a lease: what it may use now, and what it says when.

mod cap;

pub use self::cap::{Cap, HolderState};
use super::{LeaseReply, LeaseRequest};

/// What a replica does while the engine cannot be reached and its burst has lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Outage {
    /// It uses its floor, for as long as that lasts; then what [`Fallback`] says.
    #[default]
    Floor,
    /// It goes on with the burst for so many milliseconds, then with its floor. The engine counts the
    /// burst for as much longer: what a dead replica had comes back later.
    Reuse(u64),
    /// It uses nothing.
    Nothing,
}

/// What a replica uses that has no lease: the engine has not been reached since the replica began,
/// or for longer than its floor lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Fallback {
    /// Nothing.
    #[default]
    Nothing,
    /// What may be leased, divided by the most replicas that there ever are. With all of them cut off
    /// the budget holds; beside others with leases it may not, which is why it has to be asked for.
    Share {
        /// The most replicas that there ever are.
        max_replicas: u32,
        /// How long to wait for a first lease before, in milliseconds.
        after: u64,
    },
}

/// What a replica declares. Durations in milliseconds, amounts in permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Its name.
    pub replica: String,
    /// The process of that name.
    pub incarnation: u64,
    /// The budget.
    pub budget: u32,
    /// What of it is never leased.
    pub margin: u32,
    /// Its share beside others that want more than there is.
    pub weight: u32,
    /// What it has at all times.
    pub floor: u32,
    /// How often it renews.
    pub refresh: u64,
    /// How long a burst lasts.
    pub ttl: u64,
    /// How long a floor lasts.
    pub floor_ttl: u64,
    /// How long it may take, once its lease has ended, until it uses nothing more.
    pub linger: u64,
    /// What it does while the engine cannot be reached.
    pub outage: Outage,
    /// What it does without a lease.
    pub fallback: Fallback,
    /// Whether what it leaves behind counts until somebody confirms that it is closed.
    pub fenced: bool,
    /// Whether it can close what others leave behind.
    pub fencer: bool,
}

/// What a replica needs and has, in permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Demand {
    /// What it could use: the peak of what was in use and what waited.
    pub want: u32,
    /// What is in use or open.
    pub held: u32,
}

/// A lease, as the replica knows it. Times are milliseconds of one clock that runs through suspend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseHolder {
    terms: Terms,
    epoch: u64,
    seq: u64,
    /// The latest request, until it is answered: number and time.
    asked: Option<(u64, u64)>,
    /// What the latest request said.
    said: Demand,
    /// When the latest request was sent.
    said_at: u64,
    begun: u64,
    /// What the last answer granted, and when its request was sent.
    reply: LeaseReply,
    granted_at: Option<u64>,
    superseded: bool,
    released: bool,
    next: u64,
}

impl LeaseHolder {
    /// A replica that begins at `now` and has nothing yet.
    #[must_use]
    pub fn new(terms: Terms, now: u64) -> Self {
        Self {
            terms,
            epoch: 0,
            seq: 0,
            asked: None,
            said: Demand::default(),
            said_at: now,
            begun: now,
            reply: LeaseReply::default(),
            granted_at: None,
            superseded: false,
            released: false,
            next: now,
        }
    }

    /// What it says now. The storage adds which run of the engine it asks. Whatever is still under way is void from now on.
    pub fn request(&mut self, now: u64, demand: Demand) -> LeaseRequest {
        self.ask(now, demand, false)
    }

    /// Gives everything back. What it may use is 0 from now on.
    pub fn leave(&mut self, now: u64, held: u32) -> LeaseRequest {
        self.released = true;
        self.ask(now, Demand { want: 0, held }, true)
    }

    /// Uses nothing from now on, and tells nobody yet.
    pub const fn stop(&mut self) {
        self.released = true;
    }

    fn ask(&mut self, now: u64, demand: Demand, leaving: bool) -> LeaseRequest {
        self.seq += 1;
        self.asked = Some((self.seq, now));
        self.said_at = now;
        let applied = self.cap(now).permits;
        self.said = Demand { want: demand.want, held: demand.held.max(applied) };
        let terms = &self.terms;
        let (reuse, floor_ttl) = match terms.outage {
            Outage::Floor => (0, terms.floor_ttl),
            Outage::Reuse(reuse) => (reuse, terms.floor_ttl),
            Outage::Nothing => (0, 0),
        };
        LeaseRequest {
            replica: terms.replica.clone(),
            incarnation: terms.incarnation,
            epoch: self.epoch,
            seq: self.seq,
            sent: now,
            want: demand.want,
            held: demand.held,
            applied,
            floor_applied: self.without_burst(now).permits.min(applied),
            weight: terms.weight,
            floor: terms.floor,
            ttl: terms.ttl,
            reuse,
            floor_ttl,
            linger: terms.linger,
            refresh: terms.refresh,
            budget: terms.budget,
            margin: terms.margin,
            fenced: terms.fenced,
            fencer: terms.fencer,
            seen_members: self.reply.members,
            seen_floors: self.reply.floors,
            engine: String::new(),
            leaving,
        }
    }

    /// The engine has answered. `jitter`, from 0 to 1, keeps replicas apart from each other. Whether
    /// that was the answer to the latest request; any other says nothing, because the engine may
    /// have counted on its being void.
    pub fn reply(&mut self, now: u64, reply: LeaseReply, jitter: f64) -> bool {
        let Some((_, sent)) = self.asked.filter(|(seq, _)| *seq == reply.seq) else {
            return false;
        };
        self.asked = None;
        if reply.superseded {
            self.superseded = true;
            return true;
        }
        self.epoch = reply.epoch;
        self.granted_at = Some(sent);
        // A tenth more or less.
        let refresh = reply.refresh as f64 * (0.9 + 0.2 * jitter);
        self.next = now + refresh as u64;
        self.reply = reply;
        true
    }

    /// The latest request has failed or was not answered in time.
    pub fn failed(&mut self, now: u64, jitter: f64) {
        self.next = now + (self.terms.refresh as f64 * (0.2 + 0.1 * jitter)) as u64;
    }

    /// When to renew, at the latest.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// When to renew, now that the replica needs and has `demand`: at once after a large change that
    /// the engine can do something about, and after a shrink that is done.
    #[must_use]
    pub fn next_for(&self, now: u64, demand: Demand) -> u64 {
        if self.asked.is_some() || self.granted_at.is_none() {
            return self.next;
        }
        let grant = self.cap(now).permits;
        let (before, after) = (self.said.want, demand.want);
        let large = 4 * u64::from(before.abs_diff(after)) >= u64::from(before.max(1));
        let useful = if after > before { after > grant } else { after < grant };
        let closed = self.said.held > grant && demand.held <= grant;
        let worth_it = closed || (large && useful);
        if !worth_it {
            return self.next;
        }
        // In a large fleet, everybody renews early when a load moves.
        let apart = if self.reply.members <= 500 { 8 } else { 2 };
        self.next.min(self.said_at + self.reply.refresh.max(self.terms.refresh) / apart)
    }

    /// The last answer that counted, and when its request was sent.
    #[must_use]
    pub fn last(&self) -> Option<(&LeaseReply, u64)> {
        self.granted_at.map(|at| (&self.reply, at))
    }

    /// When the request was sent that was answered last; when the replica began, before that.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.granted_at.unwrap_or(self.begun)
    }

    /// What the replica declares.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The lease; 0 before there was any.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}
