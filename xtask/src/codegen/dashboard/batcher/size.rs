//! The row about what decides how large batches are.

use floodway_metrics::catalogue::batcher::{
    BINDING_BOUND_INFO, BOUND, DIRECTION, IN_FLIGHT, IN_FLIGHT_LIMIT, MAX_WEIGHT, MODEL_PAIRS,
    MODEL_RESETS, MODEL_RESIDUAL, TARGET_CHANGES,
};

use super::{Draft, Line, NAME, NO_BATCHER, Text};
use crate::codegen::promql::{gauge, rate};

/// Of each [`BOUND`], in its order: green where nothing has to be done, orange what is configured.
const BOUND_COLORS: &[&str] =
    &["green", "orange", "blue", "dark-orange", "light-orange", "purple", "yellow", "light-blue"];

pub(super) fn bounds() -> Line {
    let binding = Draft::time_series(Text {
        title: "Binding bound",
        unit: "short",
        description: "Instances by what keeps their batches from being larger. Good: overhead, \
            which is large enough. Objective, weight, max: set by you, raise it if items queue. \
            Load: larger would only wait longer. Unprofitable: batching saves nothing here. \
            Observed: larger ones took longer per item. Warm up: too little was measured yet.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&BINDING_BOUND_INFO).sum_by(&["batcher", BOUND.name]), "{{batcher}} {{bound}}")
    .states(&BOUND, BOUND_COLORS)
    .wide();
    let in_flight = Draft::time_series(Text {
        title: "Batches in flight",
        unit: "short",
        description: "Batches that run at the moment of the scrape, below the most that may. \
            Good: below the limit, or at it with an empty queue. At the limit with a queue: \
            raise it if Execute stays, or let batches be larger. Far below the limit with a \
            queue: the limiter behind it holds them back, or fewer at a time are quicker for \
            callers who come back.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&IN_FLIGHT).sum_by(NAME), "{{batcher}} in flight")
    .bound(gauge(&IN_FLIGHT_LIMIT).sum_by(NAME), "{{batcher}} limit");
    let weight = Draft::time_series(Text {
        title: "Most weight",
        unit: "short",
        description: "The most that a batch may weigh on the instance that allows least, in the \
            unit that you weigh in; 0 if weight bounds nothing. Good: what you configured. Below \
            that: the downstream refused such a batch as too large, so configure what it takes.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&MAX_WEIGHT).min_by(NAME), "{{batcher}}");
    Line { height: 9, panels: vec![binding, in_flight, weight] }
}

pub(super) fn model() -> Line {
    let residual = Draft::time_series(Text {
        title: "Residual",
        unit: "percentunit",
        description: "How far the time of a batch is from what the fixed cost and the cost per \
            item say, on the worst instance, as the mean absolute logarithm of their quotient: \
            0.3 is typically a third off, and it is at most 1. Good: below 0.4. High: something \
            else than the number of items decides, such as their size or the load of others; \
            trust the costs less, and bound the size yourself.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&MODEL_RESIDUAL).max_by(NAME), "{{batcher}}")
    .bad_above(0.4, 0.7);
    let pairs = Draft::time_series(Text {
        title: "Pairs",
        unit: "short",
        description: "Pairs of a probe and a regular batch that the costs rest on, on the \
            instance with the fewest. Good: grows to some tens and stays. Stays at 0: probing is \
            off, or there is too little load to probe.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&MODEL_PAIRS).min_by(NAME), "{{batcher}}");
    let changes = Draft::time_series(Text {
        title: "Changes of the target",
        unit: "opm",
        description: "Moves of the target per minute, and how often the costs were given up \
            because they had changed. Good: a few moves, no resets. Both directions fast and for \
            long: the size follows noise, fix it. Steady resets: the downstream is now quick, \
            now slow.",
        no_value: NO_BATCHER,
    })
    .query(
        rate(&TARGET_CHANGES).sum_by(&["batcher", DIRECTION.name]).times(60),
        "{{batcher}} {{direction}}",
    )
    .query(rate(&MODEL_RESETS).sum_by(NAME).times(60), "{{batcher}} resets");
    Line { height: 9, panels: vec![residual, pairs, changes] }
}
