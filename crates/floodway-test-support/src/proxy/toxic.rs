//! What can be wrong with a network, and for which direction.

use std::{num::NonZeroU32, time::Duration};

/// The way in which bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

/// Something that is wrong with the network, until it is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toxic {
    /// All that is sent arrives later. Opening a connection takes no longer, since the proxy
    /// answers that itself.
    Latency {
        /// Which way.
        direction: Direction,
        /// By how much.
        delay: Duration,
        /// At most this much is added to the delay or taken off it, evenly distributed and the
        /// same in every run; bytes never overtake one another.
        jitter: Duration,
    },
    /// Each connection passes no more than so much.
    Bandwidth {
        /// Which way.
        direction: Direction,
        /// How much, in bytes per second.
        bytes_per_second: NonZeroU32,
    },
    /// Connections stay open and new ones are accepted, and nothing goes through in either
    /// direction: neither bytes nor the end of a connection. It is all held back and arrives once
    /// healed, except for connections that were opened and given up in the meantime.
    Blackhole,
    /// New connections are refused, because nobody listens on the port; open ones are not affected.
    Refuse,
}

/// All toxics that are in force.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toxics {
    upstream: Flow,
    downstream: Flow,
    pub(super) blackhole: bool,
    pub(super) refuse: bool,
}

impl Toxics {
    pub(super) fn set(&mut self, toxic: Toxic) {
        match toxic {
            Toxic::Latency { direction, delay, jitter } => {
                let flow = self.flow_mut(direction);
                (flow.delay, flow.jitter) = (delay, jitter);
            }
            Toxic::Bandwidth { direction, bytes_per_second } => {
                self.flow_mut(direction).rate = Some(bytes_per_second);
            }
            Toxic::Blackhole => self.blackhole = true,
            Toxic::Refuse => self.refuse = true,
        }
    }

    pub(super) fn flow(&self, direction: Direction) -> Flow {
        match direction {
            Direction::Upstream => self.upstream,
            Direction::Downstream => self.downstream,
        }
    }

    fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Upstream => &mut self.upstream,
            Direction::Downstream => &mut self.downstream,
        }
    }
}

/// What slows one direction down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    delay: Duration,
    jitter: Duration,
    /// Bytes per second.
    rate: Option<NonZeroU32>,
}

impl Flow {
    /// The delay of bytes that drew `luck`, from 0 to 1.
    pub(super) fn delay(&self, luck: f64) -> Duration {
        (self.delay + self.jitter.mul_f64(2.0 * luck)).saturating_sub(self.jitter)
    }

    /// How many bytes go at once: about 10 ms of them, so that the flow is even.
    pub(super) fn portion(&self) -> usize {
        self.rate.map_or(usize::MAX, |rate| (rate.get() / 100).max(1) as usize)
    }

    /// How long the line is busy with so many bytes.
    pub(super) fn time_for(&self, bytes: usize) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(bytes as f64 / f64::from(rate.get()))
        })
    }
}
