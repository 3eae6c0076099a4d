//! An account with all that belongs to it, in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, LeaseReply, LeaseRequest, Member, Remnant, Step};

/// Leases that end in one step at most: the rest ends in the next, and counts until then.
pub const LAPSES_PER_STEP: usize = 32;

/// One budget of a fleet, kept in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger {
    account: Account,
    members: BTreeMap<String, Member>,
    remnants: BTreeMap<(String, u64), Remnant>,
    /// What ends when: of a replica, or of what a lease of it has left behind.
    due: BTreeSet<(u64, String, Option<u64>)>,
}

/// What is known of a budget and of all who share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Status {
    /// The budget in force, in permits.
    pub budget: u32,
    /// The margin in force.
    pub margin: u32,
    /// Whether an operator has set them.
    pub set_by_operator: bool,
    /// The fleet's time, which goes on while replicas renew, in milliseconds.
    pub time_ms: u64,
    /// What replicas declare, as budget and margin, each with how many do.
    pub declared: Vec<(u32, u32, u64)>,
    /// What all replicas, and those that are gone, may use or hold.
    pub outstanding: u64,
    /// Whether the engine has lost what it knew and grants nothing new yet.
    pub learning: bool,
    /// Those who share the budget.
    pub replicas: Vec<MemberStatus>,
    /// What those that are gone have left behind.
    pub remnants: Vec<RemnantStatus>,
}

/// One replica, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MemberStatus {
    /// Its name.
    pub replica: String,
    /// Its lease.
    pub epoch: u64,
    /// What it may use.
    pub grant: u32,
    /// What it said to hold.
    pub held: u32,
    /// What it asked for.
    pub want: u32,
    /// What it keeps when its burst lapses.
    pub floor: u32,
    /// What counts against the budget.
    pub bound: u32,
    /// Its share beside others.
    pub weight: u32,
    /// Milliseconds since its last request.
    pub age_ms: u64,
    /// Milliseconds until its lease ends.
    pub remaining_ms: u64,
    /// Whether its burst has lapsed and only the floor is left.
    pub lapsed: bool,
    /// Whether it has less than its share.
    pub hungry: bool,
}

/// What a lease has left behind, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RemnantStatus {
    /// Whose it was.
    pub replica: String,
    /// By which lease.
    pub epoch: u64,
    /// How many permits.
    pub permits: u32,
    /// Milliseconds until it counts no more; `None`: when somebody confirms that it is closed.
    pub remaining_ms: Option<u64>,
}

impl Status {
    /// Puts together what a storage has found.
    pub fn of<'a>(
        account: &Account,
        members: impl IntoIterator<Item = &'a Member>,
        remnants: impl IntoIterator<Item = &'a Remnant>,
    ) -> Self {
        let now = account.clock.now;
        let (_, budget, margin) = account.in_force;
        Self {
            budget,
            margin,
            set_by_operator: account.operator.is_some(),
            time_ms: now,
            declared: account
                .declared()
                .iter()
                .map(|((_, b, m), count)| (*b, *m, *count))
                .collect(),
            outstanding: account.total,
            learning: account.is_learning(),
            replicas: members.into_iter().map(|member| MemberStatus::of(member, now)).collect(),
            remnants: remnants
                .into_iter()
                .filter(|one| one.permits > 0)
                .map(|one| RemnantStatus::of(one, now))
                .collect(),
        }
    }
}

impl MemberStatus {
    fn of(member: &Member, now: u64) -> Self {
        Self {
            replica: member.replica.clone(),
            epoch: member.epoch,
            grant: member.grant,
            held: member.held,
            want: member.want,
            floor: member.keep,
            bound: member.bound,
            weight: member.weight,
            age_ms: now.saturating_sub(member.seen),
            remaining_ms: member.due.saturating_sub(now),
            lapsed: member.lapsed,
            hungry: member.hungry,
        }
    }
}

impl RemnantStatus {
    fn of(remnant: &Remnant, now: u64) -> Self {
        Self {
            replica: remnant.replica.clone(),
            epoch: remnant.epoch,
            permits: remnant.permits,
            remaining_ms: remnant.due.map(|due| due.saturating_sub(now)),
        }
    }
}

impl Ledger {
    /// What a storage has of a budget. A part will do, if it holds all that a step touches: of the
    /// replica and of the [`LAPSES_PER_STEP`] things that end first, what they are and have left behind.
    pub fn of(
        account: Account,
        members: impl IntoIterator<Item = Member>,
        remnants: impl IntoIterator<Item = Remnant>,
    ) -> Self {
        let mut ledger = Self { account, ..Self::default() };
        for member in members {
            ledger.put(Some(member), None);
        }
        for remnant in remnants {
            ledger.put(None, Some(remnant));
        }
        ledger
    }

    /// Answers `request`, which comes while the wall clock shows `wall` milliseconds.
    pub fn renew(&mut self, wall: u64, request: &LeaseRequest) -> LeaseReply {
        let own = self.members.get(&request.replica);
        let now = self.account.advance(wall, request, own);
        self.lapse(now);
        let own = self.take_member(&request.replica);
        let epoch = Account::left_under(request, own.as_ref());
        let left = self.take_remnant(&request.replica, epoch);
        let Step { reply, member, remnant } = self.account.renew(request, own, left);
        self.put(member, remnant);
        reply
    }

    /// What the dead have left behind, as far as it counts until somebody confirms that it is closed.
    pub fn unfenced(&self) -> impl Iterator<Item = &Remnant> {
        self.remnants.values().filter(|remnant| remnant.due.is_none())
    }

    /// Somebody has closed what was left behind. What is no longer as it was then is ignored: its
    /// replica has come back meanwhile, and may have left more behind since, or its floor has ended.
    pub fn fenced(&mut self, closed: &[Remnant]) {
        for remnant in closed {
            let known = self.remnants.get(&(remnant.replica.clone(), remnant.epoch));
            if known == Some(remnant) && remnant.due.is_none() {
                self.take_remnant(&remnant.replica, remnant.epoch);
                self.account.release(remnant);
            }
        }
    }

    /// An operator sets budget and margin for all replicas, or leaves them to the replicas again.
    pub fn set_budget(&mut self, set: Option<(u32, u32)>) {
        self.account.set_operator(set);
    }

    /// Takes the lease of a replica away, and what it has left behind where nobody else is there to
    /// close it. Whether there was any.
    pub fn evict(&mut self, replica: &str) -> bool {
        let Some(member) = self.take_member(replica) else {
            let left: Vec<_> =
                self.remnants.keys().filter(|(name, _)| name == replica).cloned().collect();
            for (replica, epoch) in &left {
                if let Some(remnant) = self.take_remnant(replica, *epoch) {
                    self.account.release(&remnant);
                }
            }
            return !left.is_empty();
        };
        let left = self.take_remnant(replica, member.epoch);
        let remnant = self.account.evict(member, left);
        self.put(None, remnant);
        true
    }

    /// All that is known, for people.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(&self.account, self.members.values(), self.remnants.values())
    }

    /// The sums.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// All replicas.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// All that replicas have left behind.
    pub fn remnants(&self) -> impl Iterator<Item = &Remnant> {
        self.remnants.values()
    }

    fn lapse(&mut self, now: u64) {
        for _ in 0..LAPSES_PER_STEP {
            let Some((_, replica, epoch)) =
                self.due.first().filter(|(due, ..)| *due <= now).cloned()
            else {
                return;
            };
            if let Some(epoch) = epoch {
                if let Some(remnant) = self.take_remnant(&replica, epoch) {
                    let left = self.account.expire(remnant);
                    self.put(None, left);
                }
            } else if let Some(member) = self.take_member(&replica) {
                let left = self.take_remnant(&replica, member.epoch);
                let (member, remnant) = self.account.lapse(member, left);
                self.put(member, remnant);
            }
        }
    }

    fn take_member(&mut self, replica: &str) -> Option<Member> {
        let member = self.members.remove(replica)?;
        self.due.remove(&(member.due, member.replica.clone(), None));
        Some(member)
    }

    fn take_remnant(&mut self, replica: &str, epoch: u64) -> Option<Remnant> {
        let remnant = self.remnants.remove(&(replica.to_owned(), epoch))?;
        if let Some(due) = remnant.due {
            self.due.remove(&(due, remnant.replica.clone(), Some(epoch)));
        }
        Some(remnant)
    }

    fn put(&mut self, member: Option<Member>, remnant: Option<Remnant>) {
        if let Some(member) = member {
            self.due.insert((member.due, member.replica.clone(), None));
            self.members.insert(member.replica.clone(), member);
        }
        if let Some(remnant) = remnant {
            if let Some(due) = remnant.due {
                self.due.insert((due, remnant.replica.clone(), Some(remnant.epoch)));
            }
            self.remnants.insert((remnant.replica.clone(), remnant.epoch), remnant);
        }
    }
}
