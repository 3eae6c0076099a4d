//! What one replica is granted.

use super::{
    super::{LeaseRequest, Member},
    Account,
};

/// How long a replica has a permit that more replicas want than there are permits, in milliseconds.
const TURN: u64 = 10_000;
/// Requests per second that one engine shall answer: with more replicas than so many, each comes less
/// often than it declares.
const REQUESTS_PER_SECOND: u64 = 5_000;
/// Up to so many replicas that lack something ask four times as often, so that they have it soon.
const FEW_HUNGRY: u32 = 16;

impl Account {
    /// Decides what `member` may use, and until when.
    pub(super) fn grant(&self, request: &LeaseRequest, member: &mut Member) {
        let now = self.clock.now;
        let claim = member.claim();
        let want = u64::from(claim.want);
        let share = self.level.share(&claim).min(self.usable());
        let extra = self.has_extra(request, member, want, share);
        let target = match self.is_learning() {
            // What it had, and no more: who has not come back yet may have the rest.
            true => u64::from(request.applied),
            false => share + u64::from(extra),
        };
        let room = self.usable().saturating_sub(self.total + self.reserve());
        // Both fit, because what may be leased is a u32.
        member.grant = target.min(room) as u32;
        member.bound = member.grant.max(request.applied).max(request.held);
        // A turn begins when there is something to have.
        let extra = extra && u64::from(member.grant) > share;
        if member.extra != extra {
            member.since = now;
        }
        member.extra = extra;
        let floor = if self.level.floors_fit { u64::from(claim.floor) } else { 0 };
        let needs = want.max(floor).min(share.max(1));
        member.hungry = !self.is_learning() && u64::from(member.grant) < needs;
        let promised = if request.floor_ttl == 0 { 0 } else { member.floor.min(member.grant) };
        // Should this answer be lost, the replica goes by the promise that it has.
        member.keep = promised.max(request.floor_applied).min(member.bound);
        let ttl = self.ttl(request);
        member.due = now + ttl + request.reuse;
        member.floor_due = member.due.max(now + request.floor_ttl);
        member.refresh = self.refresh(request, member.hungry);
    }

    /// Whether `member` gets one permit beyond its share: shares are whole permits, and what is left
    /// over belongs to whoever comes first, as long as nobody lacks a part of its share.
    fn has_extra(&self, request: &LeaseRequest, member: &Member, want: u64, share: u64) -> bool {
        if self.level.plenty || want <= share {
            return false;
        }
        let nobody_lacks = self.hungry == 0;
        if share > 0 {
            return nobody_lacks;
        }
        // More replicas than permits: they take turns. Whoever gives one back, and has closed what it
        // had with it, leaves it to the others for as long as they take to ask.
        let since = self.clock.now - member.since;
        let others_turn = self.every(request) + request.linger;
        nobody_lacks
            || if member.extra { since < TURN } else { member.since == 0 || since > others_turn }
    }

    /// How long bursts last: longer in a fleet whose replicas renew less often.
    pub(super) fn ttl(&self, request: &LeaseRequest) -> u64 {
        let every = self.every(request);
        let declared = request.refresh.max(1);
        if every == declared { request.ttl } else { request.ttl * every / declared }
    }

    fn every(&self, request: &LeaseRequest) -> u64 {
        // An engine that has lost what it knew learns from the replicas how many they are.
        let members = self.members.max(request.seen_members);
        request.refresh.max(1).max(u64::from(members) * 1000 / REQUESTS_PER_SECOND)
    }

    fn refresh(&self, request: &LeaseRequest, hungry: bool) -> u64 {
        let every = self.every(request);
        if self.is_learning() {
            return every.min(self.learning_until - self.clock.now + 1);
        }
        // This one is not counted among the hungry yet.
        if hungry && self.hungry < FEW_HUNGRY { (every / 4).max(1) } else { every }
    }
}
