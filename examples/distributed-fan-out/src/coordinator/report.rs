//! How it went, in a table and in sentences, and whether nothing is missing.

use anyhow::{Result, ensure};

use super::Ended;
use crate::{
    store::{Proof, Store},
    table,
};

/// Fails if an item has no outcome, or one was counted twice.
pub(crate) async fn shown(store: &Store, ended: &Ended) -> Result<String> {
    let Ended { status, before, took, killed, died } = ended;
    let job = store.job();
    let proof = store.prove().await?;
    check(job.items, ended, proof)?;

    let mut text = table::workers(&store.workers().await?);
    let (items, seconds) = (job.items, took.as_secs_f64());
    text += &format!(
        "\n{items} items: {} succeeded, {} failed. Each has exactly one recorded outcome: {} bits are \
         set, and as many outcomes counted.",
        status.succeeded, status.failed, proof.recorded
    );
    text += &format!(
        "\n{} were delivered again because their worker died and {} because they failed; {} duplicates \
         were suppressed.",
        status.lost, status.retried, status.suppressed
    );
    text += &format!(
        "\n{:.0} items/s for {seconds:.1} s; {killed} workers were killed, {died} died.",
        (status.recorded() - before) as f64 / seconds,
    );
    text += &format!(
        "\nAt most {} of {} permits were leased at a time.",
        status.outstanding, job.budget
    );
    Ok(text)
}

fn check(items: u64, ended: &Ended, proof: Proof) -> Result<()> {
    let status = &ended.status;
    ensure!(
        proof.recorded == items && status.recorded() == items && proof.failed == status.failed,
        "of {items} items {} have a bit that says so, {} of them that they failed, and {} outcomes \
         were counted, {} of them failures",
        proof.recorded,
        proof.failed,
        status.recorded(),
        status.failed
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Status;

    #[test]
    fn what_does_not_add_up_is_an_error() {
        let ended = |succeeded, failed| Ended {
            status: Status { succeeded, failed, ..Status::default() },
            before: 0,
            took: Duration::from_secs(1),
            killed: 0,
            died: 0,
        };
        check(10, &ended(8, 2), Proof { recorded: 10, failed: 2 }).expect("complete");
        check(10, &ended(8, 2), Proof { recorded: 9, failed: 2 }).expect_err("one is missing");
        check(10, &ended(9, 2), Proof { recorded: 10, failed: 2 }).expect_err("counted twice");
        check(10, &ended(8, 2), Proof { recorded: 10, failed: 1 }).expect_err("counted otherwise");
    }
}
