//! A worker: takes items until the job is done, whatever becomes of its connection.

mod hand;
mod permits;
mod session;
mod source;

use std::num::NonZeroUsize;

use anyhow::Result;
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep},
};

use self::{permits::Permits, session::Session};
use crate::{
    arguments::WorkerArguments as Arguments,
    server::Server,
    stop,
    store::{Gone, Store},
    unique,
};

/// Until it looks again for the job, or tries again to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// How long it goes on trying after the last session that lasted longer than a pause.
const PATIENCE: Duration = Duration::from_secs(30);

/// Works until the job is done, or until `stop` and what is in hand is done.
pub(crate) async fn run(
    arguments: &Arguments,
    server: &Server,
    stop: &watch::Sender<bool>,
) -> Result<()> {
    let worker = &*arguments.name();
    let Some(mut store) = wait_for_job(arguments, server, stop).await? else { return Ok(()) };
    let concurrency = arguments.concurrency;
    let permits = Permits::lease(server, store.job(), worker, concurrency).await?;
    let concurrency = NonZeroUsize::new(concurrency as usize).unwrap_or(NonZeroUsize::MIN);
    let mut well = Instant::now();
    let ended = loop {
        let began = Instant::now();
        let session = Session {
            server,
            store: store.clone(),
            worker,
            consumer: format!("{worker}#{}", unique::id()),
            concurrency,
            permits: &permits,
        };
        let ended = match session.run(stop).await {
            Ok(()) => break Ok(()),
            Err(error) => error,
        };
        if began.elapsed() > PAUSE {
            well = Instant::now();
        }
        // A job that is removed ends a read with an error of its own.
        if let Ok(connection) = server.connect().await {
            store = store.through(connection);
            if store.status().await.is_err_and(|error| error.is::<Gone>()) {
                break Ok(());
            }
        }
        let hopeless =
            *stop.borrow() || well.elapsed() > PATIENCE || permits.check(worker).is_err();
        if hopeless {
            break Err(ended);
        }
        eprintln!("{worker}: {ended:#}; trying again");
        sleep(PAUSE).await;
    };
    permits.release().await;
    ended
}

/// The job, once there is one; `None` if it is to stop before.
async fn wait_for_job(
    arguments: &Arguments,
    server: &Server,
    stop: &watch::Sender<bool>,
) -> Result<Option<Store>> {
    let job = &arguments.at.job;
    // The first connection tells whoever started it what is wrong.
    let connection = server.connect().await?;
    let mut said = false;
    loop {
        if let Some(store) = Store::find(connection.clone(), job).await? {
            return Ok(Some(store));
        }
        if !said {
            eprintln!("waiting for job {job}");
            said = true;
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stop::thrown(stop.subscribe()) => return Ok(None),
        }
    }
}
