//! Alerting rules: something that somebody should do something about.

use floodway_metrics::ComponentKind;

use super::{
    COMMENT, OBJECTIVE,
    example::Example,
    group,
    yaml::{self, Node, text},
};
use crate::codegen::promql::Expr;

/// An alerting rule, and examples of when it fires and when it does not.
pub(super) struct Alert {
    /// Alerts of one name differ in severity, and share a runbook.
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    pub(super) expr: Expr,
    /// How long it has to be true.
    pub(super) lasts: &'static str,
    /// The labels that its expression leaves.
    pub(super) labels: Vec<&'static str>,
    /// For the list of all alerts.
    pub(super) when: &'static str,
    pub(super) summary: &'static str,
    /// May contain `{{ $value }}`, formatted or not, once.
    pub(super) description: &'static str,
    pub(super) fires: Example,
    /// What the description shows of the value in that example.
    pub(super) shows: &'static str,
    /// Near the threshold; the first with the same series as `fires`.
    pub(super) silent: Vec<Example>,
}

/// What an alert asks of people.
#[derive(Clone, Copy)]
pub(super) enum Severity {
    /// Look now: users are refused or wait in vain.
    Critical,
    /// Look today.
    Warning,
    /// Look when you tune.
    Info,
}

impl Severity {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

impl Alert {
    pub(super) fn runbook(&self) -> String {
        format!("docs/runbooks/{}.md", self.name)
    }

    /// The annotations, as templates.
    pub(super) fn annotations(&self) -> [(&'static str, String); 3] {
        [
            ("summary", self.summary.to_owned()),
            ("description", self.description.to_owned()),
            ("runbook", self.runbook()),
        ]
    }
}

pub(super) fn document(components: &[(ComponentKind, Vec<Alert>)]) -> String {
    let groups = components.iter().map(|(kind, alerts)| {
        let rules = alerts.iter().map(|alert| rule(*kind, alert));
        Node::Map(vec![("name", text(group(*kind))), ("rules", Node::List(rules.collect()))])
    });
    let root = Node::Map(vec![("groups", Node::List(groups.collect()))]);
    let comment = format!(
        "{COMMENT}\n\nThe recording rules beside this file have to be loaded, too. Budgets are \
         those of an objective\nof {} %; for another one, replace {OBJECTIVE} in this file. A \
         runbook is a path in the\nrepository of Floodway: dashboards/README.md says how to make \
         a link of it.",
        OBJECTIVE * 100.0
    );
    yaml::document(&comment, &root)
}

fn rule(kind: ComponentKind, alert: &Alert) -> Node {
    let annotations = alert.annotations().map(|(name, template)| {
        let node = if name == "description" { Node::Prose(template) } else { text(template) };
        (name, node)
    });
    Node::Map(vec![
        ("alert", text(alert.name)),
        ("expr", Node::Lines(alert.expr.laid_out())),
        ("for", text(alert.lasts)),
        (
            "labels",
            Node::Map(vec![
                ("severity", text(alert.severity.as_str())),
                ("component", text(kind.as_str())),
            ]),
        ),
        ("annotations", Node::Map(annotations.into())),
    ])
}
