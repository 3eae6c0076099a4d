//! The rows about the whole budget: what of it is leased, what of it is used, and by whom.

use floodway_metrics::catalogue::fleet::{BUDGET, HELD, OUTSTANDING, UNFENCED, WANTED};

use super::{Draft, EACH, Line, NAME, NO_LEASE, Text, counted, said, usable};
use crate::codegen::promql::gauge;

pub(super) fn leased() -> Line {
    let outstanding = Draft::time_series(Text {
        title: "Leased against the budget",
        unit: "short",
        description: "Permits that the engine counts as outstanding, below what may be leased, which \
            is the budget less its margin (both dashed). Good: at usable, because what nobody wants \
            is spread; never above. Beside it, replicas: what they have or hold by their own \
            account. Below outstanding by what is unfenced: replicas that are gone. Above it for \
            longer than a scrape: replicas use permits of which the engine does not know, such as \
            without a lease, or are not all selected above.",
        no_value: NO_LEASE,
    })
    .query(said(&OUTSTANDING).max_by(NAME), "{{budget}} outstanding")
    .query(counted().sum_by(NAME), "{{budget}} replicas")
    .query(said(&UNFENCED).max_by(NAME), "{{budget}} unfenced")
    .bound(gauge(&BUDGET).max_by(NAME), "{{budget}} budget")
    .bound(usable(), "{{budget}} usable");
    let replicas = Draft::time_series(Text {
        title: "Leased by replica",
        unit: "short",
        description: "Permits that each replica has or holds, whichever is more, on top of one \
            another below what may be leased (dashed). Good: together at usable, and the busy ones \
            have more. Equal parts under unequal load: see whether Wanted differs. A part that stays \
            large while Granted falls: connections that are not closed.",
        no_value: NO_LEASE,
    })
    .query(counted().sum_by(EACH), "{{budget}} {{instance}}")
    .bound(usable(), "{{budget}} usable")
    .stacked();
    Line { height: 10, panels: vec![outstanding, replicas] }
}

pub(super) fn used() -> Line {
    let used = Draft::time_series(Text {
        title: "Used against the budget",
        unit: "short",
        description: "Permits that all replicas hold, that they could use (wanted), and what may be \
            leased (dashed). Good: wanted below usable. Wanted above it for long: the budget is \
            exhausted, callers queue everywhere; raise it if the backend bears that. Held far above \
            wanted: pools keep more idle connections open than they need.",
        no_value: NO_LEASE,
    })
    .query(gauge(&HELD).sum_by(NAME), "{{budget}} held")
    .query(gauge(&WANTED).sum_by(NAME), "{{budget}} wanted")
    .bound(usable(), "{{budget}} usable");
    let replicas = Draft::time_series(Text {
        title: "Held by replica",
        unit: "short",
        description: "Permits in use or connections open on each replica, whichever is more, on top \
            of one another. Good: follows the load of each. One that keeps a large part without \
            load: its pool does not close idle connections.",
        no_value: NO_LEASE,
    })
    .query(gauge(&HELD).sum_by(EACH), "{{budget}} {{instance}}")
    .bound(usable(), "{{budget}} usable")
    .stacked();
    Line { height: 9, panels: vec![used, replicas] }
}
