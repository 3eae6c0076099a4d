//! One budget shared by a fleet of replicas: the protocol of its leases, without clock and network.
//!
//! A replica asks for a part of the budget, spends it without asking again, and renews before the
//! part runs out. [`Account`] is the side of the engine, one per budget; [`LeaseHolder`] is the
//! side of a replica. A storage loads what a step of the account needs, runs it and writes back
//! what has changed, all at once; [`Ledger`] is one that keeps everything in memory.
//!
//! What holds after every step, whatever is lost, repeated, delayed or dead: the sum over all
//! replicas of what they may use or really hold is at most the budget less its margin, unless
//! replicas already held more when the budget was lowered. See `docs/decisions/0018`.
//!
//! The source of leases with a fair share, a safe capacity and a learning mode is
//! [Doorman](https://github.com/youtube/doorman); floors that outlive an engine and bounded reuse
//! are those of Envoy's rate limit quota service. What differs is written in the decision.

mod account;
mod clock;
mod holder;
mod ledger;
mod level;
mod member;
mod message;
mod remnant;

pub use account::{Account, Step};
pub use clock::FleetClock;
pub use holder::{Cap, Demand, Fallback, HolderState, LeaseHolder, Outage, Terms};
pub use ledger::{LAPSES_PER_STEP, Ledger, MemberStatus, RemnantStatus, Status};
pub use level::{Claim, Level};
pub use member::Member;
pub use message::{LeaseReply, LeaseRequest};
pub use remnant::Remnant;
