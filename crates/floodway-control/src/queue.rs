//! Who waits, in which order, and who is turned away.

mod codel;
mod deadlines;
mod discipline;
mod drain;
mod group;
mod line;
mod priority;
mod types;
mod wait_queue;

pub use discipline::Discipline;
pub use priority::Priority;
pub use types::{Class, Next, QueueConfig, Refusal, Ticket, Verdict, WaitRequest};
pub use wait_queue::WaitQueue;
