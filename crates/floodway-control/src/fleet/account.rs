//! The engine's side of a budget: what is leased, and what a step of it does.

mod counted;
mod leaving;
mod share;

use self::counted::Counted;
use super::{Claim, FleetClock, LeaseReply, LeaseRequest, Level, Member, Remnant};

/// Up to so many replicas, shares are computed again at every request.
const FEW: u32 = 64;
/// Beyond, so many milliseconds apart at least: that takes time for every different wish.
const LEVEL_EVERY: u64 = 500;
/// How far apart replicas are told to close what others have left, in milliseconds.
const SWEEP_EVERY: u64 = 500;

/// A budget, and sums over those who share it.
///
/// The sums are kept up to date instead of computed, so that a request costs the same whether ten
/// replicas share the budget or ten thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Account {
    /// The fleet's time.
    pub clock: FleetClock,
    /// The last lease that was given, for names that never come back.
    pub epoch: u64,
    /// What may be leased, the budget and the margin in force.
    pub in_force: (u32, u32, u32),
    /// The same, where an operator has set it.
    pub operator: Option<(u32, u32, u32)>,
    /// What all replicas, and those that are gone, may use or hold.
    pub total: u64,
    /// What of it those that are gone have left behind.
    pub remnants: u64,
    /// What of it is floors of those whose burst has lapsed.
    pub lapsed_floors: u64,
    /// How many those are.
    pub lapsed: u32,
    /// The floors of all replicas.
    pub floors: u64,
    /// Replicas with a lease that runs.
    pub members: u32,
    /// Replicas that have less than their share.
    pub hungry: u32,
    /// Which run of the engine this was kept by.
    pub engine: String,
    /// Since when the engine learns what it has lost.
    pub learning_from: u64,
    /// Until when nothing new is granted for that: until all leases have lapsed that were given
    /// before.
    pub learning_until: u64,
    /// Until when floors of those are reserved who have not come back since.
    pub reserve_until: u64,
    /// The floors of all replicas before the engine lost what it knew, as far as anybody has heard.
    pub reserve_floors: u64,
    /// The floors of those who have come back since.
    pub returned_floors: u64,
    /// What everybody may have at most.
    pub level: Level,
    /// Since when.
    pub levelled: u64,
    /// When somebody was last told to close what others have left.
    pub swept: u64,
    wants: Counted<Claim>,
    declared: Counted<(u32, u32, u32)>,
}

/// What a request has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The answer.
    pub reply: LeaseReply,
    /// What is known of the replica now; `None` if it has gone.
    pub member: Option<Member>,
    /// What it has left behind; where it is `None`, what was found is no longer.
    pub remnant: Option<Remnant>,
}

impl Account {
    /// A request comes while the engine's wall clock shows `wall` milliseconds; `own` is what is
    /// known of the replica. Returns the time up to which leases end before [`renew`](Self::renew).
    pub fn advance(&mut self, wall: u64, request: &LeaseRequest, own: Option<&Member>) -> u64 {
        let begins = self.engine != request.engine;
        // Whoever was away for a lease has not seen what this time has lost since. And an engine that
        // begins with an old copy of what it knew listens from now on, not from the time of the copy,
        // which is what everybody's distance from this time was measured in until they ask again.
        let proof = own
            .filter(|own| own.incarnation == request.incarnation && !begins)
            .filter(|own| !self.is_anew(own, request))
            .map(|own| own.proves(request.sent));
        self.clock.advance(wall, proof);
        if begins {
            self.engine.clone_from(&request.engine);
            // So that whoever was seen before was seen earlier.
            self.clock.now += 1;
            let now = self.clock.now;
            (self.learning_from, self.learning_until) = (now, now + 1);
            self.reserve_until = now;
            (self.reserve_floors, self.returned_floors) = (0, 0);
        }
        if self.is_learning() {
            let lapsed = LeaseRequest::usable_for(self.ttl(request));
            let until = self.learning_from + lapsed + request.reuse + request.linger;
            self.learning_until = self.learning_until.max(until);
            // Who has floors has them as long as anybody says, and closes them later.
            let until = self.learning_from + request.floor_ttl + request.linger;
            self.reserve_until = self.reserve_until.max(until);
        }
        self.clock.now
    }

    /// Whether `member` has no distance from the fleet's time that still counts: by its own clock, it
    /// has been away for as long as it could use a burst, while others took this time on; or the engine
    /// has begun anew.
    fn is_anew(&self, member: &Member, request: &LeaseRequest) -> bool {
        let away = request.sent.saturating_sub(member.sent);
        let others = self.clock.now.saturating_sub(member.seen) >= request.refresh;
        let was_away = others && away >= LeaseRequest::usable_for(self.ttl(request));
        member.seq == 0 || member.lapsed || member.seen < self.learning_from || was_away
    }

    /// Under which lease there may be something that the replica has left behind.
    #[must_use]
    pub fn left_under(request: &LeaseRequest, own: Option<&Member>) -> u64 {
        match own {
            Some(own) if request.epoch == 0 || own.incarnation != request.incarnation => own.epoch,
            _ => request.epoch,
        }
    }

    /// Answers `request`. `own` is what is known of the replica, `left` what it has left behind
    /// [under](Self::left_under) its lease.
    pub fn renew(
        &mut self,
        request: &LeaseRequest,
        own: Option<Member>,
        left: Option<Remnant>,
    ) -> Step {
        match own {
            Some(own) if own.incarnation != request.incarnation => {
                // Of an old copy, the process may be the former one: leases that begin later have
                // higher numbers.
                let outdated = own.seen < self.learning_from && own.epoch < request.epoch;
                // And a newcomer that goes at once has nothing that is counted: it takes nothing over.
                if (request.epoch != 0 && !outdated) || request.leaving {
                    let reply = LeaseReply { superseded: true, ..self.reply(request, &own) };
                    return Step { reply, member: Some(own), remnant: left };
                }
                // Another process under this name: what the former one had stays behind.
                let remnant = self.leave_behind(own, left, self.clock.now);
                let step = self.lease(request, Member::default(), false);
                Step { remnant, ..step }
            }
            Some(own) if request.seq <= own.seq => {
                // Came before: the same answer, and nothing lasts longer for it.
                let reply = LeaseReply { refresh: own.refresh, ..self.reply(request, &own) };
                Step { reply, member: Some(own), remnant: left }
            }
            None if left.as_ref().is_some_and(|left| request.seq <= left.seq) => {
                // Came late: what it says was true before its lease ended.
                let epoch = request.epoch;
                let reply = self.reply(request, &Member { epoch, ..Member::default() });
                Step { reply, member: None, remnant: left }
            }
            own => {
                let evicted = own.is_none() && left.is_some();
                // Whoever comes back says itself what it still holds.
                if let Some(left) = left {
                    self.release(&left);
                }
                if let Some(own) = &own {
                    self.unlist(own);
                    self.total -= u64::from(own.bound);
                }
                self.lease(request, own.unwrap_or_default(), evicted)
            }
        }
    }

    /// Leases to a replica that is not counted at the moment; `evicted` if it has lost all it had and left
    /// something behind.
    fn lease(&mut self, request: &LeaseRequest, before: Member, evicted: bool) -> Step {
        let now = self.clock.now;
        let mut member = before;
        if member.epoch == 0 {
            let epoch = if request.epoch == 0 { self.epoch + 1 } else { request.epoch };
            self.epoch = self.epoch.max(epoch);
            member.epoch = epoch;
            member.replica.clone_from(&request.replica);
            member.incarnation = request.incarnation;
        } else if request.epoch != 0 {
            // The replica knows: a late repetition of its first request may have got another.
            self.epoch = self.epoch.max(request.epoch);
            member.epoch = request.epoch;
        }
        // Nobody is missed but whoever had a lease: newcomers do not stand for them, nor who was evicted
        // from a lease of this engine.
        let unknown = member.seq == 0 && (!evicted || self.is_learning());
        let was_missed =
            request.epoch != 0 && (unknown || (member.seq > 0 && member.seen < self.learning_from));
        if was_missed && now < self.reserve_until {
            self.reserve_floors = self.reserve_floors.max(u64::from(request.seen_floors));
            self.returned_floors += u64::from(request.floor_applied);
        }
        let anew = self.is_anew(&member, request);
        member.take(request, now, anew);
        if request.leaving {
            return self.leave(request, &member);
        }
        self.list(&member);
        self.set_in_force();
        self.level_if_due();
        self.grant(request, &mut member);
        self.hungry += u32::from(member.hungry);
        self.total += u64::from(member.bound);
        self.floors += u64::from(member.keep);
        let mut reply = self.reply(request, &member);
        if self.remnants > 0 && request.fencer && now >= self.swept + SWEEP_EVERY {
            self.swept = now;
            reply.sweep = true;
        }
        Step { reply, member: Some(member), remnant: None }
    }

    /// What may be leased at all.
    #[must_use]
    pub fn usable(&self) -> u64 {
        u64::from(self.in_force.0)
    }

    /// Whether the engine listens before it grants anything new.
    #[must_use]
    pub const fn is_learning(&self) -> bool {
        self.clock.now < self.learning_until
    }

    /// The claims of all replicas with a lease that runs, each with how many have it.
    #[must_use]
    pub fn claims(&self) -> &[(Claim, u64)] {
        self.wants.entries()
    }

    /// What replicas declare: what may be leased, the budget and the margin, each with how many do.
    #[must_use]
    pub fn declared(&self) -> &[((u32, u32, u32), u64)] {
        self.declared.entries()
    }

    /// An operator sets budget and margin for all replicas, or leaves them to the replicas again.
    pub fn set_operator(&mut self, set: Option<(u32, u32)>) {
        self.operator = set.map(|(budget, margin)| (budget.saturating_sub(margin), budget, margin));
        self.set_in_force();
        self.relevel();
    }

    fn set_in_force(&mut self) {
        let lowest = self.declared.entries().first().map(|(declared, _)| *declared);
        if let Some(in_force) = self.operator.or(lowest) {
            self.in_force = in_force;
        }
    }

    /// Floors of those who were there before the engine lost what it knew, and have not come back.
    fn reserve(&self) -> u64 {
        if self.clock.now >= self.reserve_until {
            return 0;
        }
        self.reserve_floors.saturating_sub(self.returned_floors)
    }

    fn level_if_due(&mut self) {
        if self.members <= FEW || self.clock.now >= self.levelled + LEVEL_EVERY {
            self.relevel();
        }
    }

    fn relevel(&mut self) {
        self.levelled = self.clock.now;
        let taken = self.remnants + self.lapsed_floors + self.reserve();
        self.level = Level::of(self.wants.entries(), self.usable().saturating_sub(taken));
    }

    /// Counts `member` among those with a lease that runs.
    fn list(&mut self, member: &Member) {
        self.members += 1;
        self.wants.add(member.claim());
        self.declared.add(member.declares());
    }

    /// Counts `member` no more, but for what it may use or holds.
    fn unlist(&mut self, member: &Member) {
        self.floors -= u64::from(member.keep);
        if member.lapsed {
            self.lapsed -= 1;
            self.lapsed_floors -= u64::from(member.bound);
            return;
        }
        self.members -= 1;
        self.hungry -= u32::from(member.hungry);
        self.wants.remove(&member.claim());
        self.declared.remove(&member.declares());
    }

    fn reply(&self, request: &LeaseRequest, member: &Member) -> LeaseReply {
        let (_, budget, margin) = self.in_force;
        LeaseReply {
            seq: request.seq,
            epoch: member.epoch,
            grant: member.grant,
            floor: if request.floor_ttl == 0 { 0 } else { member.floor.min(member.grant) },
            ttl: self.ttl(request),
            floor_ttl: request.floor_ttl,
            refresh: member.refresh,
            budget,
            margin,
            outstanding: u32::try_from(self.total).unwrap_or(u32::MAX),
            unfenced: u32::try_from(self.remnants).unwrap_or(u32::MAX),
            members: self.members,
            floors: u32::try_from(self.floors + self.reserve()).unwrap_or(u32::MAX),
            hungry: self.hungry,
            learning: self.is_learning(),
            disagree: self.declared.entries().len() > 1,
            floors_exceed: !self.level.floors_fit,
            superseded: false,
            sweep: false,
        }
    }
}
