//! What a lease leaves behind when its replica is gone.

/// Permits of a lease that ended while its replica may still use them.
///
/// They count against the budget until nothing can use them any more: until somebody has closed what
/// stood behind them, or, where nobody can, until the replica has had time to notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Remnant {
    /// Whose they were.
    pub replica: String,
    /// By which lease.
    pub epoch: u64,
    /// The last request of the replica.
    pub seq: u64,
    /// How many; none where it only keeps requests that come late from being taken for new ones.
    pub permits: u32,
    /// How many the replica may go on using: its floor.
    pub keep: u32,
    /// When they count no more, in the fleet's time, or from when on somebody may close them if they
    /// are `fenced`; `None`: when somebody confirms it.
    pub due: Option<u64>,
    /// Whether they count until somebody confirms that they are closed.
    pub fenced: bool,
}

#[cfg(test)]
mod tests {
    use super::super::{LeaseRequest, Ledger};

    const WALL: u64 = 1_000_000_000;

    fn request(seq: u64, sent: u64, applied: u32) -> LeaseRequest {
        LeaseRequest {
            replica: "a".to_owned(),
            incarnation: 7,
            epoch: u64::from(seq > 1),
            seq,
            sent,
            want: 10,
            held: applied,
            applied,
            floor_applied: 0,
            weight: 1,
            floor: 0,
            ttl: 4_000,
            reuse: 0,
            floor_ttl: 0,
            linger: 1_000,
            refresh: 1_000,
            budget: 10,
            margin: 0,
            fenced: true,
            fencer: true,
            seen_members: 0,
            seen_floors: 0,
            engine: String::new(),
            leaving: false,
        }
    }

    /// Renews, while the wall clock agrees with the replica's.
    fn renew(ledger: &mut Ledger, request: &LeaseRequest) -> u32 {
        ledger.renew(WALL + request.sent, request).grant
    }

    #[test]
    fn a_request_that_comes_after_its_lease_has_ended_does_not_free_what_that_left_behind() {
        let mut ledger = Ledger::default();
        assert_eq!(renew(&mut ledger, &request(1, 0, 0)), 10);
        let late = request(2, 100, 2);
        assert_eq!(renew(&mut ledger, &request(3, 1_000, 10)), 10);
        // Another replica's requests take time past the end of the lease.
        let other = LeaseRequest { replica: "b".to_owned(), epoch: 0, ..request(1, 1_000, 0) };
        assert_eq!(renew(&mut ledger, &other), 0);
        let other = LeaseRequest { epoch: 2, seq: 2, sent: 6_000, ..other };
        renew(&mut ledger, &other);
        assert_eq!(ledger.remnants().map(|left| left.permits).collect::<Vec<_>>(), [10]);

        assert_eq!(renew(&mut ledger, &late), 0);
        assert_eq!(ledger.remnants().map(|left| left.permits).collect::<Vec<_>>(), [10]);
        // What it says next does count.
        assert_eq!(renew(&mut ledger, &request(4, 6_000, 3)), 5);
        assert_eq!(ledger.remnants().count(), 0);
        assert_eq!(ledger.status().outstanding, 5);
    }

    #[test]
    fn a_newcomer_that_goes_at_once_leaves_no_permits_that_nobody_can_free() {
        let mut ledger = Ledger::default();
        renew(&mut ledger, &request(1, 0, 0));
        let gone = LeaseRequest { incarnation: 8, held: 3, leaving: true, ..request(1, 0, 0) };
        assert!(ledger.renew(WALL, &gone).superseded);
        let left: u32 = ledger.remnants().map(|left| left.permits).sum();
        let bound: u32 = ledger.members().map(|member| member.bound).sum();
        assert_eq!(ledger.status().outstanding, u64::from(left + bound));
    }

    #[test]
    fn absurd_wishes_are_answered() {
        let absurd = LeaseRequest {
            weight: u32::MAX,
            want: u32::MAX,
            budget: u32::MAX,
            refresh: 0,
            ..request(1, 0, 0)
        };
        let mut ledger = Ledger::default();
        for replica in ["a", "b", "c", "d", "e", "f"] {
            renew(&mut ledger, &LeaseRequest { replica: replica.to_owned(), ..absurd.clone() });
        }
        assert!(ledger.status().outstanding <= u64::from(u32::MAX));
    }
}
