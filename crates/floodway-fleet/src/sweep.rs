//! Closes what others have left behind, on behalf of the fleet.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{Fence, Fleet, LeaseStore, fence::Left, shared::Shared};

/// After so long an attempt is given up; a later one begins anew.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(fleet: Fleet, shared: Arc<Shared>, fence: Arc<dyn Fence>) {
    let outcome = timeout(PATIENCE, sweep(&fleet, &shared, &*fence)).await;
    let error: Box<dyn std::error::Error + Send + Sync> = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(elapsed) => elapsed.into(),
    };
    shared.cells.fence_failures.increment(0);
    tracing::warn!(budget = shared.name, %error, "what replicas have left behind was not closed");
}

async fn sweep(
    fleet: &Fleet,
    shared: &Shared,
    fence: &dyn Fence,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let store = &fleet.0.store;
    let mut outcome = Ok(());
    for remnant in store.unfenced(&shared.name).await? {
        match fence.close(&Left::of(&shared.name, &remnant)).await {
            Ok(closed) => {
                shared.cells.fenced.add(0, closed.into());
                store.fenced(&shared.name, vec![remnant]).await?;
            }
            // What cannot be closed must not keep the rest open.
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}
