//! The row about what batching saves.

use floodway_metrics::catalogue::batcher::{
    BATCH_ITEMS, EXECUTE_DURATION, FIXED_COST, ITEM_COST, OVERHEAD, OVERHEAD_AVOIDED,
};

use super::{Draft, Line, NAME, NO_BATCHER, NO_COSTS, NO_ENDS, Text};
use crate::codegen::promql::{gauge, rate, sum_rate};

pub(super) fn costs() -> Line {
    let cost = Draft::time_series(Text {
        title: "Cost per item",
        unit: "s",
        description: "Time of batches per item, failures and further attempts included, above \
            what an item costs in a batch of any size (0 while unknown). Good: close to that \
            floor under load. The gap is what larger batches can still save; without one, only a \
            quicker downstream helps.",
        no_value: NO_ENDS,
    })
    .query(
        sum_rate(&EXECUTE_DURATION).sum_by(NAME).per(&sum_rate(&BATCH_ITEMS).sum_by(NAME)),
        "{{batcher}} cost",
    )
    .query(gauge(&ITEM_COST).avg_by(NAME), "{{batcher}} floor");
    let fixed = Draft::time_series(Text {
        title: "Fixed cost",
        unit: "s",
        description: "What a batch costs whatever its size, as estimated; 0 while unknown. Good: \
            constant. It is what batching saves on every item but the first: many times the \
            floor of Cost per item makes large batches worth it, a small part of it makes \
            batching pointless.",
        no_value: NO_BATCHER,
    })
    .query(gauge(&FIXED_COST).avg_by(NAME), "{{batcher}}");
    let avoided = Draft::time_series(Text {
        title: "Overhead avoided per second",
        unit: "s",
        description: "Time of the downstream that batching saves in each second, against batches \
            of one, and that it still spends on fixed cost. Good: more avoided than paid. Little \
            avoided: the batcher earns its keep only where calls themselves are scarce.",
        no_value: NO_COSTS,
    })
    .query(rate(&OVERHEAD_AVOIDED).sum_by(NAME), "{{batcher}} avoided")
    .query(rate(&OVERHEAD).sum_by(NAME), "{{batcher}} paid");
    Line { height: 9, panels: vec![cost, fixed, avoided] }
}
