//! What a job is, as Redis keeps it for all who work on it.

use std::collections::HashMap;

use anyhow::{Context, Result};

use crate::work::{Operation, Work};

/// The description of a job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Tells this job from one of the same name that was removed: who was asleep meanwhile must not
    /// record its outcomes in another.
    pub(crate) run: String,
    pub(crate) items: u64,
    /// Items in an entry of the stream.
    pub(crate) chunk: u64,
    /// Deliveries of an item before it has failed.
    pub(crate) attempts: u32,
    /// Permits of all workers together.
    pub(crate) budget: u32,
    pub(crate) budget_name: String,
    pub(crate) work: Work,
    pub(crate) poisoned: u64,
    pub(crate) lethal: u64,
}

impl Job {
    pub(crate) const fn operation(&self) -> Operation {
        let Self { work, items, poisoned, lethal, .. } = *self;
        Operation { work, items, poisoned, lethal }
    }

    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let Self { run, items, chunk, attempts, budget, budget_name, work, poisoned, lethal } =
            self;
        vec![
            ("run", run.clone()),
            ("items", items.to_string()),
            ("chunk", chunk.to_string()),
            ("attempts", attempts.to_string()),
            ("budget", budget.to_string()),
            ("budget_name", budget_name.clone()),
            ("work", work.to_string()),
            ("poisoned", poisoned.to_string()),
            ("lethal", lethal.to_string()),
            ("next", "0".into()),
            ("succeeded", "0".into()),
            ("failed", "0".into()),
        ]
    }

    pub(super) fn parse(fields: &HashMap<String, String>) -> Result<Self> {
        let text = |name: &str| fields.get(name).with_context(|| format!("it has no field {name}"));
        let number = |name: &str| -> Result<u64> {
            text(name)?.parse().with_context(|| format!("its field {name} is not a number"))
        };
        let small = |name: &str| Ok::<_, anyhow::Error>(u32::try_from(number(name)?)?);
        Ok(Self {
            run: text("run")?.clone(),
            items: number("items")?,
            chunk: number("chunk")?,
            attempts: small("attempts")?,
            budget: small("budget")?,
            budget_name: text("budget_name")?.clone(),
            work: text("work")?.parse().map_err(anyhow::Error::msg)?,
            poisoned: number("poisoned")?,
            lethal: number("lethal")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_kept_is_what_was_described() {
        let job = Job {
            run: "a1".into(),
            items: 7,
            chunk: 2,
            attempts: 3,
            budget: 9,
            budget_name: "shared".into(),
            work: Work::Io(Duration::from_millis(2)),
            poisoned: 1,
            lethal: 0,
        };
        let mut fields: HashMap<String, String> =
            job.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let kept = Job::parse(&fields).expect("complete");
        assert_eq!(kept.fields(), job.fields());
        fields.remove("work");
        assert!(Job::parse(&fields).expect_err("incomplete").to_string().contains("work"));
    }
}
