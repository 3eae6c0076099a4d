//! The labels of a series, and the values that each may have.

use std::collections::BTreeMap;

use floodway_metrics::{CATALOGUE, ComponentKind, Metric};
use promql_parser::label::{MatchOp, Matcher};

/// Label names with their values; without a list, any value.
pub(super) struct Known(BTreeMap<&'static str, Option<Vec<&'static str>>>);

impl Known {
    /// Those of the catalogue, and what Prometheus adds.
    pub(super) fn of(metric: &Metric, buckets: bool) -> Self {
        let mut labels = BTreeMap::from([("job", None), ("instance", None)]);
        labels.extend(metric.component.label().map(|name| (name, None)));
        labels.extend(metric.labels.iter().map(|label| (label.name, Some(label.values.to_vec()))));
        labels.extend(buckets.then_some(("le", None)));
        Self(labels)
    }

    /// Those that an aggregation of any metrics may have kept.
    pub(super) fn recorded() -> Self {
        let mut labels = BTreeMap::from([("job", None), ("instance", None), ("le", None)]);
        for label in CATALOGUE.iter().flat_map(|metric| metric.labels) {
            let values = labels.entry(label.name).or_insert(Some(Vec::new()));
            values.iter_mut().for_each(|values: &mut Vec<_>| values.extend(label.values));
        }
        labels.extend(ComponentKind::ALL.iter().filter_map(|kind| Some((kind.label()?, None))));
        Self(labels)
    }

    /// Those of `ALERTS`: what the expression of an alert has, and what Prometheus adds.
    pub(super) fn alerts() -> Self {
        let Self(mut labels) = Self::recorded();
        labels.insert("alertname", None);
        labels.insert("alertstate", Some(vec!["pending", "firing"]));
        labels.insert("severity", None);
        Self(labels)
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.0.contains_key(label)
    }

    /// # Errors
    ///
    /// If the label does not exist or never has such a value.
    pub(super) fn check(&self, matcher: &Matcher) -> Result<(), String> {
        let Matcher { op, name, value } = matcher;
        let Some(values) = self.0.get(name.as_str()) else {
            return Err(format!("no label {name}"));
        };
        if let Some(variable) = value.strip_prefix('$') {
            let own = variable == name;
            return own.then_some(()).ok_or(format!("{value} is not the variable of {name}"));
        }
        let Some(values) = values else { return Ok(()) };
        match op {
            MatchOp::Equal | MatchOp::NotEqual => legal(name, values, value),
            // Only alternatives, perhaps in a group: each of them has to be legal.
            MatchOp::Re(_) | MatchOp::NotRe(_) if is_list(value) => {
                words(value).try_for_each(|word| legal(name, values, word))
            }
            MatchOp::Re(regex) | MatchOp::NotRe(regex) => {
                let some = values.iter().any(|value| regex.is_match(value));
                some.then_some(()).ok_or(format!("{value} matches no value of {name}"))
            }
        }
    }
}

fn legal(name: &str, values: &[&str], value: &str) -> Result<(), String> {
    values.contains(&value).then_some(()).ok_or(format!("{name} is never {value}"))
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_list(regex: &str) -> bool {
    regex.chars().all(|letter| is_word(letter) || "|()?:".contains(letter))
}

fn words(regex: &str) -> impl Iterator<Item = &str> {
    regex.split(|letter| !is_word(letter)).filter(|word| !word.is_empty())
}
