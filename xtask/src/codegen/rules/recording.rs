//! Recording rules: ratios and quantiles that alerts and people ask for again and again.

use floodway_metrics::ComponentKind;

use super::{
    COMMENT,
    example::Example,
    group,
    yaml::{self, Node, text},
};
use crate::codegen::promql::{Expr, rule::recorded};

/// A recording rule. Its name is `level:metric:operations`, after
/// <https://prometheus.io/docs/practices/rules/>.
pub(super) struct Recording {
    pub(super) name: String,
    pub(super) expr: Expr,
    /// The labels that its series have.
    pub(super) labels: Vec<&'static str>,
    pub(super) example: Example,
    /// What it records in the example.
    pub(super) value: &'static str,
}

impl Recording {
    /// What it has recorded.
    pub(super) fn read(&self) -> Expr {
        recorded(&self.name)
    }
}

pub(super) fn document(components: &[(ComponentKind, Vec<Recording>)]) -> String {
    let groups = components.iter().map(|(kind, recordings)| {
        let rules = recordings.iter().map(|recording| {
            Node::Map(vec![
                ("record", text(&recording.name)),
                ("expr", Node::Lines(recording.expr.laid_out())),
            ])
        });
        Node::Map(vec![
            ("name", text(format!("{}-recording", group(*kind)))),
            ("rules", Node::List(rules.collect())),
        ])
    });
    let root = Node::Map(vec![("groups", Node::List(groups.collect()))]);
    yaml::document(COMMENT, &root)
}
