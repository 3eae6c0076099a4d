//! What a replica may use now, and how long.

use super::{super::LeaseRequest, Fallback, LeaseHolder, Outage};

/// What a replica may use, until when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// How much.
    pub permits: u32,
    /// Until when; `None`: until something happens.
    pub until: Option<u64>,
    /// Why.
    pub state: HolderState,
}

/// What a replica's permits come from.
///
/// ```text
/// none ──answer──▶ leased (or learning) ──lapse──▶ reused ──▶ floor ──▶ none, or unleased
///   └──long wait──▶ unleased ──answer──▶ leased
/// ```
/// An answer of the engine makes any of them `leased`, `superseded` and `released` excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HolderState {
    /// There is no lease: it has not begun, or all of it has ended.
    None,
    /// A lease of an engine that has lost what it knew: the replica has what it had.
    Learning,
    /// A lease.
    Leased,
    /// A burst that has lapsed and is used beyond its end.
    Reused,
    /// The floor of a burst that has lapsed.
    Floor,
    /// The part that every replica may use without a lease.
    Unleased,
    /// Another process has taken the replica's name.
    Superseded,
    /// Everything was given back.
    Released,
}

impl HolderState {
    /// All of them, as [`as_str`](Self::as_str) calls them.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Learning,
        Self::Leased,
        Self::Reused,
        Self::Floor,
        Self::Unleased,
        Self::Superseded,
        Self::Released,
    ];

    /// Whether nothing follows: there is nothing to renew any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Superseded | Self::Released)
    }

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Learning => "learning",
            Self::Leased => "leased",
            Self::Reused => "reused",
            Self::Floor => "floor",
            Self::Unleased => "unleased",
            Self::Superseded => "superseded",
            Self::Released => "released",
        }
    }
}

impl LeaseHolder {
    /// What the replica may use at `now`.
    #[must_use]
    pub fn cap(&self, now: u64) -> Cap {
        let none = |state| Cap { permits: 0, until: None, state };
        if self.released {
            return none(HolderState::Released);
        }
        if self.superseded {
            return none(HolderState::Superseded);
        }
        let Some(sent) = self.granted_at else { return self.without_burst(now) };
        let permits = self.reply.grant;
        let lapses = sent + LeaseRequest::usable_for(self.reply.ttl);
        if now < lapses {
            let learning = self.reply.learning;
            let state = if learning { HolderState::Learning } else { HolderState::Leased };
            return Cap { permits, until: Some(lapses), state };
        }
        if let Outage::Reuse(reuse) = self.terms.outage
            && now < lapses + reuse
        {
            return Cap { permits, until: Some(lapses + reuse), state: HolderState::Reused };
        }
        self.without_burst(now)
    }

    /// What the replica may use at `now` if it has no burst.
    pub(super) fn without_burst(&self, now: u64) -> Cap {
        let begun = match self.granted_at {
            Some(sent) => {
                let ends = sent + self.reply.floor_ttl.saturating_sub(self.reply.ttl / 4);
                if now < ends && self.terms.outage != Outage::Nothing {
                    let permits = self.reply.floor;
                    return Cap { permits, until: Some(ends), state: HolderState::Floor };
                }
                ends
            }
            None => self.begun,
        };
        match self.terms.fallback {
            Fallback::Share { max_replicas, after } if self.terms.outage != Outage::Nothing => {
                let begins = begun + after;
                if now < begins {
                    return Cap { permits: 0, until: Some(begins), state: HolderState::None };
                }
                let usable = self.terms.budget.saturating_sub(self.terms.margin);
                let permits = usable / max_replicas.max(1);
                Cap { permits, until: None, state: HolderState::Unleased }
            }
            _ => Cap { permits: 0, until: None, state: HolderState::None },
        }
    }
}
