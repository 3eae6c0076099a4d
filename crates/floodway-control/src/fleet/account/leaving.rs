//! How leases end.

use super::{
    super::{LeaseReply, LeaseRequest, Member, Remnant},
    Account, Step,
};

impl Account {
    /// Ends what of `member` has ended by now: its burst, then its floor. `left` is what it has left
    /// behind before. Returns what remains of both.
    pub fn lapse(
        &mut self,
        member: Member,
        left: Option<Remnant>,
    ) -> (Option<Member>, Option<Remnant>) {
        let now = self.clock.now;
        if now < member.due {
            return (Some(member), left);
        }
        if member.keep == 0 || member.floor_due <= now {
            return (None, self.leave_behind(member, left, now));
        }
        self.unlist(&member);
        let keep = member.keep;
        let gone = member.bound - keep;
        self.lapsed += 1;
        self.lapsed_floors += u64::from(keep);
        self.floors += u64::from(keep);
        let remnant = self.put_behind(&member, gone, keep, left, now);
        let due = member.floor_due;
        let (lapsed, hungry, extra) = (true, false, false);
        let kept = Member { grant: keep, bound: keep, due, lapsed, hungry, extra, ..member };
        (Some(kept), remnant)
    }

    /// The time of `remnant` has come. What is left of it.
    pub fn expire(&mut self, remnant: Remnant) -> Option<Remnant> {
        if remnant.fenced {
            return Some(Remnant { due: None, ..remnant });
        }
        self.release(&remnant);
        None
    }

    /// `remnant` counts no more: it is closed, or has had the time to close.
    pub fn release(&mut self, remnant: &Remnant) {
        self.total -= u64::from(remnant.permits);
        self.remnants -= u64::from(remnant.permits);
    }

    /// Takes the lease away from `member`. What it may still use stays behind.
    ///
    /// For replicas that are gone: one that is alive asks again within its refresh and says what it
    /// holds.
    pub fn evict(&mut self, member: Member, left: Option<Remnant>) -> Option<Remnant> {
        let until = if member.lapsed { self.clock.now } else { member.due };
        let alive = !member.lapsed;
        let remnant = self.leave_behind(member, left, until)?;
        // Until its lease has ended, a living one would open again what somebody closes.
        let due = if alive { remnant.due.or(Some(until)) } else { remnant.due };
        Some(Remnant { due, ..remnant })
    }

    /// Counts `member` no more; all it may use or holds stays behind, until a while after `until`.
    pub(super) fn leave_behind(
        &mut self,
        member: Member,
        left: Option<Remnant>,
        until: u64,
    ) -> Option<Remnant> {
        self.unlist(&member);
        self.put_behind(&member, member.bound, 0, left, until)
    }

    fn put_behind(
        &mut self,
        member: &Member,
        permits: u32,
        keep: u32,
        left: Option<Remnant>,
        until: u64,
    ) -> Option<Remnant> {
        self.remnants += u64::from(permits);
        let permits = permits + left.as_ref().map_or(0, |left| left.permits);
        let due = (!member.fenced).then_some(until + member.linger);
        let (replica, epoch, seq) = (member.replica.clone(), member.epoch, member.seq);
        let fenced = member.fenced;
        (permits > 0).then_some(Remnant { replica, epoch, seq, permits, keep, due, fenced })
    }

    /// A replica gives everything back. What it still holds stays behind for as long as a lease,
    /// and that it has gone is remembered, for requests of it that come late.
    pub(super) fn leave(&mut self, request: &LeaseRequest, member: &Member) -> Step {
        self.set_in_force();
        self.relevel();
        let holds = request.applied.max(request.held);
        self.total += u64::from(holds);
        let until = self.clock.now + self.ttl(request);
        let remnant = self.put_behind(member, holds, 0, None, until).unwrap_or_else(|| Remnant {
            replica: member.replica.clone(),
            epoch: member.epoch,
            seq: member.seq,
            permits: 0,
            keep: 0,
            due: Some(until),
            fenced: false,
        });
        let grant = 0;
        let reply = LeaseReply { grant, floor: 0, ..self.reply(request, member) };
        Step { reply, member: None, remnant: Some(remnant) }
    }
}
