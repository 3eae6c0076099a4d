//! `evict`: takes the lease of a replica away that is gone.

use floodway_fleet::Status;

use crate::{
    Outcome, arguments,
    engine::Engine,
    failure::Failure,
    output::{complain, say},
    time::show_ms,
};

pub(crate) async fn run(engine: &Engine, command: &arguments::Evict) -> Result<Outcome, Failure> {
    let arguments::Evict { budget, replica, yes } = command;
    let before = engine.status(budget).await?;
    let leased = before.replicas.iter().any(|one| one.replica == *replica);
    let left = left_behind(&before, replica);
    // One that lives may still use them: the first eviction leaves them behind for that time.
    if !leased && left > 0 && !yes {
        complain(format_args!(
            "{replica:?} has left {left} permits behind that count until a fence has closed their \
             connections or their time is over; if none is open any more, confirm with --yes"
        ));
        return Ok(Outcome::Warned);
    }
    if !engine.evict(budget, replica).await? {
        let known: Vec<_> = before.replicas.iter().map(|one| &*one.replica).collect();
        return Err(Failure::Refused(format!(
            "replica {replica:?} has nothing of budget {budget:?}; there are: {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )));
    }
    if !leased {
        say(format_args!("{replica}: what it had left behind counts no more"))?;
        return Ok(Outcome::Fine);
    }
    say(evicted(&engine.status(budget).await?, replica))?;
    Ok(Outcome::Fine)
}

fn left_behind(status: &Status, replica: &str) -> u64 {
    let left = status.remnants.iter().filter(|one| one.replica == replica);
    left.map(|one| u64::from(one.permits)).sum()
}

/// What became of it.
fn evicted(after: &Status, replica: &str) -> String {
    if after.replicas.iter().any(|one| one.replica == replica) {
        return format!("{replica}: evicted, and back already: it is alive");
    }
    let left: Vec<_> = after.remnants.iter().filter(|one| one.replica == replica).collect();
    let permits: u64 = left.iter().map(|one| u64::from(one.permits)).sum();
    let until = match left.iter().map(|one| one.remaining_ms).max() {
        None => return format!("{replica}: evicted"),
        // `None` sorts first, and waits longest.
        _ if left.iter().any(|one| one.remaining_ms.is_none()) => {
            "until a fence has closed its connections".to_owned()
        }
        Some(ms) => {
            let lasts = show_ms(ms.unwrap_or_default());
            format!("for {lasts} more, and with a fence until its connections are closed")
        }
    };
    format!("{replica}: evicted, {permits} of its permits count {until}")
}
