//! The engine that was named, and how long it may take.

use std::{sync::Arc, time::Duration};

use floodway_fleet::{EngineReport, LeaseStore, PostgresStore, RedisStore, Status, StoreError};
use tokio::time::timeout;

use crate::failure::Failure;

/// With which URLs of engines begin.
const SCHEMES: [&str; 9] = [
    "redis://",
    "rediss://",
    "redis+unix://",
    "postgres://",
    "postgresql://",
    "valkey://",
    "valkeys://",
    "valkey+unix://",
    "unix://",
];

pub(crate) struct Engine {
    store: Arc<dyn LeaseStore>,
    patience: Duration,
}

impl Engine {
    pub(crate) async fn connect(url: Option<&str>, patience: Duration) -> Result<Self, Failure> {
        let url = url.filter(|url| !url.is_empty()).ok_or(Failure::NoEngine)?;
        let known = SCHEMES.iter().any(|scheme| url.starts_with(scheme));
        if !known {
            return Err(Failure::NotAnEngine(SCHEMES.join(", ")));
        }
        let connecting = async {
            Ok::<Arc<dyn LeaseStore>, StoreError>(if url.starts_with("postgres") {
                Arc::new(PostgresStore::connect(url).await?)
            } else {
                Arc::new(RedisStore::connect(url).await?)
            })
        };
        let store = within(patience, connecting).await?;
        Ok(Self { store, patience })
    }

    pub(crate) async fn check(&self) -> Result<EngineReport, Failure> {
        within(self.patience, self.store.check()).await
    }

    pub(crate) async fn budgets(&self) -> Result<Vec<String>, Failure> {
        within(self.patience, self.store.budgets()).await
    }

    pub(crate) async fn find(&self, budget: &str) -> Result<Option<Status>, Failure> {
        let mut found = within(self.patience, self.store.status(budget)).await?;
        if let Some(status) = &mut found {
            // Those of replicas that have given everything back are there for late requests only.
            status.remnants.retain(|remnant| remnant.permits > 0);
        }
        Ok(found)
    }

    pub(crate) async fn status(&self, budget: &str) -> Result<Status, Failure> {
        match self.find(budget).await? {
            Some(status) => Ok(status),
            None => {
                let (budget, known) = (budget.to_owned(), self.budgets().await?);
                Err(Failure::UnknownBudget { budget, known })
            }
        }
    }

    /// Of `budget`, or of all.
    pub(crate) async fn statuses(
        &self,
        budget: Option<&str>,
    ) -> Result<Vec<(String, Status)>, Failure> {
        if let Some(budget) = budget {
            return Ok(vec![(budget.to_owned(), self.status(budget).await?)]);
        }
        let mut statuses = Vec::new();
        for budget in self.budgets().await? {
            // It may be gone by now.
            if let Some(status) = self.find(&budget).await? {
                statuses.push((budget, status));
            }
        }
        Ok(statuses)
    }

    pub(crate) async fn set_budget(
        &self,
        budget: &str,
        set: Option<(u32, u32)>,
    ) -> Result<(), Failure> {
        within(self.patience, self.store.set_budget(budget, set)).await
    }

    pub(crate) async fn evict(&self, budget: &str, replica: &str) -> Result<bool, Failure> {
        within(self.patience, self.store.evict(budget, replica)).await
    }
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Failure> {
    let answered = timeout(patience, answer).await;
    Ok(answered.map_err(|_| Failure::TimedOut(patience))??)
}
