//! What scripts have written about a budget, for people.

use floodway_control::fleet::{MemberStatus, Remnant, RemnantStatus, Status};

use super::pack::Packed;

/// What an account says of itself, and the fleet's time.
pub(super) fn account(state: &[u8]) -> Option<(Status, u64)> {
    let mut numbers = Packed::of(state);
    let now = numbers.next()?;
    let (budget, margin) = (numbers.skip(3)?.next()?, numbers.next()?);
    let set_by_operator = numbers.flag()?;
    let outstanding = numbers.skip(2)?.next()?;
    let learning_until: u64 = numbers.skip(6)?.next()?;
    let learning = now < learning_until;
    Some((
        Status {
            budget,
            margin,
            set_by_operator,
            time_ms: now,
            outstanding,
            learning,
            ..Status::default()
        },
        now,
    ))
}

pub(super) fn member(replica: String, record: &[u8], now: u64) -> Option<MemberStatus> {
    let mut numbers = Packed::of(record);
    let epoch = numbers.skip(1)?.next()?;
    let seen: u64 = numbers.skip(2)?.next()?;
    let (grant, bound) = (numbers.skip(1)?.next()?, numbers.next()?);
    let (floor, held, want) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let weight = numbers.skip(1)?.next()?;
    let (lapsed, hungry) = (numbers.skip(4)?.flag()?, numbers.flag()?);
    let due: u64 = numbers.skip(2)?.next()?;
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
pub(super) fn remnant(place: &str, record: &[u8]) -> Option<Remnant> {
    let (replica, epoch) = place.rsplit_once('\0')?;
    let epoch = u64::from_str_radix(epoch, 16).ok()?;
    let mut numbers = Packed::of(record);
    let (seq, permits, keep) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let due = u64::try_from(numbers.next::<i64>()?).ok();
    let fenced = numbers.flag()?;
    Some(Remnant { replica: replica.to_owned(), epoch, seq, permits, keep, due, fenced })
}

pub(super) fn remnant_status(remnant: Remnant, now: u64) -> RemnantStatus {
    let remaining_ms = remnant.due.map(|due| due.saturating_sub(now));
    let Remnant { replica, epoch, permits, .. } = remnant;
    RemnantStatus { replica, epoch, permits, remaining_ms }
}

/// What many replicas declare, with how many do: what may be leased, budget and margin, and their count.
pub(super) fn declared(kind: &str, count: u64) -> Option<((u32, u32, u32), u64)> {
    let mut numbers = kind.split(' ').map(|number| number.parse().ok());
    let mut next = || numbers.next().flatten();
    Some(((next()?, next()?, next()?), count))
}
