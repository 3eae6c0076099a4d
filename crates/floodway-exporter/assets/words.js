// What the server's names for modes, bounds and labels mean, in words.

export const MODES = {
  enforce: "enforced",
  shadow: "shadow: refuses nobody",
  off: "off: refuses nobody",
};

/** What the permits of a replica come from. */
export const STATES = {
  none: "no lease: no permits",
  learning: "learning: nothing new is granted",
  leased: "leased",
  reused: "lapsed: goes on with what it had",
  floor: "lapsed: on its floor",
  unleased: "no lease: on its share without one",
  superseded: "superseded: no permits",
  released: "released",
};

/** What keeps the batches of a batcher from being larger. */
export const BOUNDS = {
  overhead: "larger ones would save little",
  objective: "larger ones would miss the latency objective",
  load: "no load calls for larger ones",
  weight: "larger ones would weigh too much",
  max: "the configured maximum",
  observed: "larger ones cost more per item",
  unprofitable: "batching saves nothing here",
  warm_up: "costs are still being measured",
};

/** Labels of a breakdown, where the name alone does not say. */
export const LABELS = {
  queue_full: "as many wait as may",
  deadline: "the deadline passed while waiting",
  unmeetable: "the deadline would have passed before a permit is free",
  shed: "dropped by the queue after too long a wait",
  displaced: "somebody with a better right took the place in the queue",
  no_permit: "no permit was free, and the caller does not wait",
  weight: "heavier than could ever be admitted",
  nested: "asked for inside an operation that holds a permit",
  closed: "closed",
  connect_failing: "connections cannot be opened",
  pool_held: "all connections were held by this service",
  foreign: "others used the connections",
  ceiling: "a limit above the pool is lower than the pool",
  ignored: "an answer that came too late to count",
};
