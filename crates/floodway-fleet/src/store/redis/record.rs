//! What scripts have written about a budget, for people.

use floodway_control::fleet::{MemberStatus, Remnant, RemnantStatus, Status};

/// Numbers in the order in which `ledger.lua` writes them.
struct Numbers<'a>(std::str::SplitAsciiWhitespace<'a>);

impl Numbers<'_> {
    fn of(text: &str) -> Numbers<'_> {
        Numbers(text.split_ascii_whitespace())
    }

    fn skip(&mut self, count: usize) -> &mut Self {
        if count > 0 {
            self.0.nth(count - 1);
        }
        self
    }

    fn signed(&mut self) -> Option<i64> {
        self.0.next()?.parse().ok()
    }

    fn next<T: TryFrom<i64>>(&mut self) -> Option<T> {
        T::try_from(self.signed()?).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        self.next::<u8>().map(|flag| flag == 1)
    }
}

/// What an account says of itself, and the fleet's time.
pub(super) fn account(state: &str) -> Option<(Status, u64)> {
    let mut numbers = Numbers::of(state);
    let now = numbers.next()?;
    let (budget, margin) = (numbers.skip(3).next()?, numbers.next()?);
    let set_by_operator = numbers.flag()?;
    let outstanding = numbers.skip(2).next()?;
    let learning_until: u64 = numbers.skip(6).next()?;
    let learning = now < learning_until;
    Some((
        Status { budget, margin, set_by_operator, outstanding, learning, ..Status::default() },
        now,
    ))
}

pub(super) fn member(replica: String, record: &str, now: u64) -> Option<MemberStatus> {
    let mut numbers = Numbers::of(record);
    let epoch = numbers.skip(1).next()?;
    let seen: u64 = numbers.skip(2).next()?;
    let (grant, bound) = (numbers.skip(1).next()?, numbers.next()?);
    let (floor, held, want) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let weight = numbers.skip(1).next()?;
    let (lapsed, hungry) = (numbers.skip(4).flag()?, numbers.flag()?);
    let due: u64 = numbers.skip(2).next()?;
    let (age_ms, remaining_ms) = (now.saturating_sub(seen), due.saturating_sub(now));
    Some(MemberStatus {
        replica,
        epoch,
        grant,
        held,
        want,
        floor,
        bound,
        weight,
        age_ms,
        remaining_ms,
        lapsed,
        hungry,
    })
}

/// What is left behind at `place`.
pub(super) fn remnant(place: &str, record: &str) -> Option<Remnant> {
    let (replica, epoch) = place.rsplit_once('\0')?;
    let epoch = u64::from_str_radix(epoch, 16).ok()?;
    let mut numbers = Numbers::of(record);
    let (seq, permits, keep) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let due = u64::try_from(numbers.signed()?).ok();
    Some(Remnant { replica: replica.to_owned(), epoch, seq, permits, keep, due })
}

pub(super) fn remnant_status(remnant: Remnant, now: u64) -> RemnantStatus {
    let remaining_ms = remnant.due.map(|due| due.saturating_sub(now));
    let Remnant { replica, epoch, permits, .. } = remnant;
    RemnantStatus { replica, epoch, permits, remaining_ms }
}

/// What many replicas declare, with how many do: what may be leased, budget and margin, and their count.
pub(super) fn declared(kind: &str, count: u64) -> Option<((u32, u32, u32), u64)> {
    let mut numbers = Numbers::of(kind);
    Some(((numbers.next()?, numbers.next()?, numbers.next()?), count))
}
