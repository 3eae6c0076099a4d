//! A process with a lease and connections that it really opens and closes.

use floodway_control::fleet::{Demand, HolderState, LeaseHolder, LeaseReply, LeaseRequest, Terms};

use super::chance::draw;

/// How long a replica waits for an answer, in milliseconds.
const TIMEOUT: u64 = 1_000;

#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) holder: LeaseHolder,
    /// How far its clock is from the true time.
    ahead: u64,
    pub(super) want: u32,
    /// Whether it opens all that it may, rather than what it could use.
    greedy: bool,
    pub(super) open: u32,
    /// When what exceeds its cap is closed.
    close_by: Option<u64>,
    pub(super) paused_until: u64,
    /// When the latest request counts as failed.
    times_out: Option<u64>,
    leaving: bool,
    /// Whether the engine has lost what it knew since it answered last.
    pub(super) unknown: bool,
}

impl Replica {
    pub(super) fn new(terms: Terms, now: u64, want: u32, greedy: bool) -> Self {
        let ahead = draw([terms.incarnation, 0, 0, 0]) % 100_000_000;
        Self {
            holder: LeaseHolder::new(terms, now + ahead),
            ahead,
            want,
            greedy,
            open: 0,
            close_by: None,
            paused_until: 0,
            times_out: None,
            leaving: false,
            unknown: false,
        }
    }

    pub(super) fn cap(&self, now: u64) -> u32 {
        self.holder.cap(now + self.ahead).permits
    }

    pub(super) fn state(&self, now: u64) -> HolderState {
        self.holder.cap(now + self.ahead).state
    }

    pub(super) const fn is_paused(&self, now: u64) -> bool {
        now < self.paused_until
    }

    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// What it keeps without a burst.
    pub(super) fn floor(&self, now: u64) -> u32 {
        let Some((reply, sent)) = self.holder.last() else { return 0 };
        let ends = sent + reply.floor_ttl;
        if now + self.ahead < ends { reply.floor } else { 0 }
    }

    /// What it may use or has open, whichever is more, as far as an engine can know.
    pub(super) fn bound(&self, now: u64, fenced: bool) -> u32 {
        let known = if self.unknown && fenced { 0 } else { self.open };
        self.cap(now).max(known)
    }

    const fn demand(&self) -> Demand {
        Demand { want: self.want, held: self.open }
    }

    /// When something happens next without a message.
    pub(super) fn next(&self, now: u64) -> u64 {
        let lapses = self.holder.cap(now + self.ahead).until.map(|until| until - self.ahead);
        let timers = [lapses, self.close_by, Some(self.asks(now))];
        let next = timers.into_iter().flatten().filter(|at| *at > now).min();
        let next = next.unwrap_or(u64::MAX);
        if self.is_paused(now) { next.min(self.paused_until) } else { next }
    }

    /// When it asks, or gives up the latest request.
    fn asks(&self, now: u64) -> u64 {
        if self.state(now) == HolderState::Superseded {
            return u64::MAX;
        }
        let next = self.holder.next_for(now + self.ahead, self.demand()) - self.ahead;
        let next = next.max(now);
        if self.is_paused(now) { u64::MAX } else { self.times_out.unwrap_or(next) }
    }

    /// Opens and closes. What runs elsewhere on its behalf ends by itself if `alone`, even while it is
    /// paused.
    pub(super) fn use_cap(&mut self, now: u64, alone: bool) {
        if self.is_paused(now) && !alone {
            return;
        }
        let (cap, linger) = (self.cap(now), self.holder.terms().linger);
        if self.close_by.is_some_and(|by| by <= now) {
            self.open = self.open.min(cap);
            self.close_by = None;
        }
        if self.open > cap {
            let about = [self.holder.terms().incarnation, now, 1, 0];
            self.close_by =
                self.close_by.or(Some(now + linger / 2 + draw(about) % (linger / 2 + 1)));
            return;
        }
        self.close_by = None;
        if self.is_paused(now) {
            return;
        }
        let wanted = if self.greedy { cap } else { self.want.min(cap) };
        self.open = if self.greedy { self.open.max(wanted) } else { wanted };
    }

    /// A request, if it is time for one.
    pub(super) fn ask(&mut self, now: u64) -> Option<LeaseRequest> {
        if self.is_paused(now) || self.asks(now) > now {
            return None;
        }
        let clock = now + self.ahead;
        if self.times_out.take().is_some() && !self.leaving {
            self.holder.failed(clock, jitter(clock));
            return None;
        }
        self.times_out = Some(now + TIMEOUT);
        Some(match self.leaving {
            true => self.holder.leave(clock, self.open),
            false => self.holder.request(clock, self.demand()),
        })
    }

    /// Gives everything back.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.times_out = None;
        self.holder.stop();
    }

    /// An answer. Whether the process has ended with it.
    pub(super) fn hear(&mut self, now: u64, reply: LeaseReply) -> bool {
        let clock = now + self.ahead;
        let epoch = self.holder.epoch();
        if self.holder.reply(clock, reply, jitter(clock)) {
            self.times_out = None;
            // Connections carry the number of their lease: it must not change under them.
            assert!(epoch == 0 || epoch == self.holder.epoch(), "the lease has changed its number");
        }
        self.leaving && self.open == 0 && self.times_out.is_none()
    }
}

fn jitter(clock: u64) -> f64 {
    (draw([clock, 2, 0, 0]) % 1_001) as f64 / 1_000.0
}
