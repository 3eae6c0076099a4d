//! What happens to a limiter: load and capacity over time.

use crate::random::Service;

/// A course of events, for given numbers of workers and mean service time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A letter, for identifiers.
    pub id: &'static str,
    /// What happens, for people.
    pub title: &'static str,
    /// The nominal number.
    pub workers: usize,
    /// Mean service time, in seconds.
    pub mean: f64,
    /// How the work is distributed.
    pub service: Service,
    /// Callers give up after this many seconds.
    pub deadline: f64,
    /// One after the other.
    pub phases: Vec<Phase>,
    /// How much slower all work gets with each operation more than there are workers: memory,
    /// locks, context switches.
    pub crowding: f64,
    /// Whether the limiters disagree on what time it is.
    pub clocks_differ: bool,
    /// What those do who were refused; without any, they are gone.
    pub clients: Option<Clients>,
    /// What is asked besides goodput and latency.
    pub asks: Asks,
}

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Seconds.
    pub length: f64,
    /// Offered load, as a multiple of the nominal capacity.
    pub load: f64,
    /// Workers, as a multiple of the nominal number.
    pub workers: f64,
    /// Work per operation, as a multiple.
    pub cost: f64,
    /// Added to each operation after its work, in mean service times; infinite for no answer.
    pub delay: f64,
    /// Limiters among which the load is spread.
    pub replicas: usize,
}

/// A phase, or half of the last one.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// What holds meanwhile.
    pub phase: Phase,
    /// When it ends, in nanoseconds since the beginning.
    pub end: u64,
    /// Whether it is the last: everybody has settled by then.
    pub last: bool,
}

/// Callers who come back, and a limiter with a queue in front of them.
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    /// When they come back.
    pub returns: Returns,
    /// Places in the queue.
    pub queue: usize,
    /// What it costs the workers to refuse somebody, in mean service times.
    pub refusal: f64,
    /// Seconds after which they do not come back.
    pub patience: f64,
}

/// When callers come back. All of them vary by half, so that they do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// After 100 ms, whatever they were told.
    Impatient,
    /// After as long as the queue takes to drain.
    Depth,
    /// After as long as the queue and all who were told to come back take.
    Paced,
}

impl Returns {
    /// For identifiers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Impatient => "impatient",
            Self::Depth => "depth",
            Self::Paced => "paced",
        }
    }
}

/// A question that only some scenarios can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// No question.
    Nothing,
    /// How goodput is ten seconds after the trouble that ends at this second.
    Recovery {
        /// Seconds.
        end: usize,
    },
    /// How far the limit drifts.
    Drift,
    /// How evenly limiters share.
    Fairness,
    /// How long the limit takes to its minimum, from this second on.
    Floor {
        /// Seconds.
        from: usize,
    },
    /// How many are rejected although there is room for all.
    Rejections,
}

const CALM: Phase =
    Phase { length: 30.0, load: 1.5, workers: 1.0, cost: 1.0, delay: 0.0, replicas: 1 };

/// Of every downstream, unless a scenario says otherwise.
const CROWDING: f64 = 0.01;

/// Callers give up after this many mean service times, unless a scenario says otherwise.
const DEADLINE: f64 = 12.5;

impl Scenario {
    /// Every scenario, for this many workers and this mean service time in seconds.
    #[must_use]
    pub fn all(workers: usize, mean: f64) -> Vec<Self> {
        let scenario = |id, title, phases: &[Phase]| Self {
            id,
            title,
            workers,
            mean,
            service: Service::Exponential,
            deadline: DEADLINE * mean,
            phases: phases.to_vec(),
            crowding: CROWDING,
            clocks_differ: false,
            clients: None,
            asks: Asks::Nothing,
        };
        let between = |middle| [CALM, middle, CALM];
        let bursts: Vec<_> = (0..18)
            .flat_map(|_| {
                let rest = Phase { length: 4.0, load: 0.7, ..CALM };
                [rest, Phase { length: 1.0, load: 4.0, ..CALM }]
            })
            .collect();
        let steady = [Phase { length: 330.0, load: 0.8, ..CALM }];
        vec![
            Self {
                asks: Asks::Recovery { end: 60 },
                ..scenario(
                    "A",
                    "every answer takes 60 ms more",
                    &between(Phase { delay: 3.0, ..CALM }),
                )
            },
            Self {
                asks: Asks::Recovery { end: 60 },
                ..scenario("B", "half of the workers", &between(Phase { workers: 0.5, ..CALM }))
            },
            scenario("C", "bursts of 1 s to 4 times the capacity", &bursts),
            Self {
                service: Service::Bimodal { share: 0.1, slow: 7.75 },
                deadline: 25.0 * mean,
                ..scenario("D", "operations of 5 and 155 ms", &[Phase { length: 90.0, ..CALM }])
            },
            Self {
                asks: Asks::Drift,
                ..scenario("E", "ten minutes of overload", &[Phase { length: 600.0, ..CALM }])
            },
            Self {
                asks: Asks::Fairness,
                ..scenario(
                    "F",
                    "eight replicas, half of them late",
                    &[
                        Phase { length: 60.0, replicas: 4, ..CALM },
                        Phase { length: 60.0, replicas: 8, ..CALM },
                    ],
                )
            },
            scenario(
                "G",
                "idle, then overload",
                &[Phase { load: 0.05, ..CALM }, Phase { length: 60.0, ..CALM }],
            ),
            Self {
                deadline: 20.0 * mean,
                asks: Asks::Recovery { end: 60 },
                ..scenario(
                    "H",
                    "each operation costs three times",
                    &between(Phase { cost: 3.0, ..CALM }),
                )
            },
            Self {
                asks: Asks::Floor { from: 30 },
                ..scenario(
                    "I",
                    "no answers at all",
                    &[CALM, Phase { delay: f64::INFINITY, ..CALM }],
                )
            },
            scenario(
                "J",
                "capacity halves and doubles every 4 s",
                &(0..11)
                    .flat_map(|_| {
                        [Phase { length: 4.0, ..CALM }, Phase { length: 4.0, workers: 0.5, ..CALM }]
                    })
                    .collect::<Vec<_>>(),
            ),
            Self {
                service: Service::LogNormal { sigma: 2.0 },
                deadline: 50.0 * mean,
                ..scenario(
                    "K",
                    "a few operations take a hundred times as long",
                    &[Phase { length: 90.0, ..CALM }],
                )
            },
            Self {
                clocks_differ: true,
                asks: Asks::Fairness,
                ..scenario(
                    "L",
                    "eight replicas whose clocks differ",
                    &[Phase { length: 90.0, replicas: 8, ..CALM }],
                )
            },
            Self {
                asks: Asks::Rejections,
                ..scenario("S", "four fifths of the capacity", &steady)
            },
            Self {
                crowding: 0.0,
                asks: Asks::Rejections,
                ..scenario("T", "the same, and a crowd slows nobody", &steady)
            },
        ]
    }

    /// Five seconds at three times the capacity, between times at four fifths of it, with callers
    /// who come back.
    #[must_use]
    pub fn storm(workers: usize, mean: f64, clients: Clients) -> Self {
        let calm = Phase { load: 0.8, ..CALM };
        let surge = Phase { length: 5.0, load: 3.0, ..CALM };
        Self {
            id: "R",
            title: "callers who come back",
            workers,
            mean,
            service: Service::Exponential,
            deadline: DEADLINE * mean,
            phases: vec![calm, surge, Phase { length: 75.0, ..calm }],
            crowding: CROWDING,
            clocks_differ: false,
            clients: Some(clients),
            asks: Asks::Nothing,
        }
    }

    /// The same course with another kind of work.
    #[must_use]
    pub fn with_service(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// The same course with another length of each phase, in seconds.
    #[must_use]
    pub fn with_lengths(mut self, length: impl Fn(f64) -> f64) -> Self {
        for phase in &mut self.phases {
            phase.length = length(phase.length);
        }
        self
    }

    /// All phases, the last one in two halves. At the beginning of each, the time to the next
    /// arrival is drawn anew.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> {
        let mut end = 0.0;
        self.phases.iter().enumerate().flat_map(move |(index, &phase)| {
            let halves = if index + 1 == self.phases.len() { 2 } else { 1 };
            let mut stretches = Vec::new();
            for half in 0..halves {
                end += phase.length * 1e9 / f64::from(halves);
                stretches.push(Stretch { phase, end: end as u64, last: half == 1 });
            }
            stretches
        })
    }

    /// How many work in `phase`.
    #[must_use]
    pub fn workers_in(&self, phase: &Phase) -> usize {
        ((phase.workers * self.workers as f64).round() as usize).max(1)
    }

    /// Seconds from the beginning to the end.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.phases.iter().map(|phase| phase.length).sum()
    }

    /// Operations per second that the downstream can do when nothing is wrong with it.
    #[must_use]
    pub fn capacity(&self) -> f64 {
        self.workers as f64 / self.mean
    }

    /// The most limiters that any phase has.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.phases.iter().map(|phase| phase.replicas).max().unwrap_or(1)
    }
}
