//! `docs/runbooks/README.md`: every alert, and where to read what to do.

use std::fmt::Write;

use floodway_metrics::ComponentKind;

use super::{OBJECTIVE, alert::Alert};
use crate::codegen::title;

const HEADER: &str = "\
<!-- Generated from the alerts by `cargo xtask codegen`; do not edit. -->

# Runbooks

One page for each alert of
[`alerting-rules.yml`](../../dashboards/prometheus/alerting-rules.yml): what it means, what users see,
where to look, what to do. In queries, put the component's name for NAME. How the rules are loaded and routed is in
[dashboards/README.md](../../dashboards/README.md).

| severity | asks for |
|---|---|
| critical | somebody now: users are refused or wait in vain |
| warning | somebody today: it will not end by itself, or it is a mistake in the code |
| info | nobody; look at it when you tune |
";

pub(super) fn markdown(components: &[(ComponentKind, Vec<Alert>)]) -> String {
    let mut text = HEADER.to_owned();
    let _ = writeln!(
        text,
        "\nThe budgets of the limiter's first alert are those of an objective of {} %.",
        OBJECTIVE * 100.0
    );
    for (kind, alerts) in components {
        let _ = writeln!(text, "\n## {}\n", title(kind.as_str()));
        let _ = writeln!(text, "| alert | severity | fires when |\n|---|---|---|");
        let mut names: Vec<_> = alerts.iter().map(|alert| alert.name).collect();
        names.dedup();
        for name in names {
            let severities: Vec<_> = alerts
                .iter()
                .filter(|alert| alert.name == name)
                .map(|alert| alert.severity.as_str())
                .collect();
            let reason = alerts.iter().find(|alert| alert.name == name);
            let reason = reason.map_or("", |alert| alert.when);
            let _ =
                writeln!(text, "| [{name}]({name}.md) | {} | {reason} |", severities.join(", "));
        }
    }
    text
}
