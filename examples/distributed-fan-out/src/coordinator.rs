//! A job from its first item to its report: scatters, has workers, and says how it went.

mod bar;
mod children;
pub(crate) mod patient;
mod report;

use std::{future::pending, time::Duration};

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::watch,
    time::{Instant, interval, sleep},
};

use self::{bar::Bar, children::Children, patient::Patient};
use crate::{
    arguments::RunArguments,
    server::Server,
    stop,
    store::{Status, Store},
};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// Until it looks again for room in the streams.
const FULL: Duration = Duration::from_millis(5);

/// What became of a job while this process was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    /// Items that had an outcome before.
    pub(crate) before: u64,
    pub(crate) took: Duration,
    /// Workers that were killed on purpose.
    pub(crate) killed: u64,
    /// Workers that died otherwise.
    pub(crate) died: u64,
}

/// Begins or goes on with the job; whether it is done.
pub(crate) async fn run(
    arguments: &RunArguments,
    server: &Server,
    stop: &watch::Sender<bool>,
) -> Result<bool> {
    let name = &arguments.at.job;
    let connection = server.connect().await?;
    if arguments.fresh
        && let Some(store) = Store::find(connection.clone(), name).await?
    {
        store.remove().await?;
    }
    let store = begin(arguments, connection, name).await?;
    let items = store.job().items;
    let before = store.status().await?.recorded();
    if before > 0 {
        eprintln!("Going on with job {name}: {before} of {items} items have an outcome.");
    }
    let mut patient = Patient::new(server, store);
    let ended = gather(arguments, &mut patient, name, arguments.workers, stop).await?;
    let store = patient.store();
    if ended.status.recorded() < items {
        println!(
            "{} of {items} items have an outcome. The same command goes on from there.",
            ended.status.recorded()
        );
        return Ok(false);
    }
    println!("{}", report::shown(store, &ended).await?);
    if !arguments.keep {
        store.remove().await?;
    }
    Ok(true)
}

/// The job in Redis, which must not have been begun with other values.
pub(crate) async fn begin(
    arguments: &RunArguments,
    connection: MultiplexedConnection,
    name: &str,
) -> Result<Store> {
    let store = Store::begin(connection, name, &arguments.wanted()).await?;
    arguments.check_against(store.job())?;
    Ok(store)
}

/// Has so many workers until every item has an outcome, or until `stop`.
pub(crate) async fn gather(
    arguments: &RunArguments,
    patient: &mut Patient<'_>,
    name: &str,
    workers: u16,
    stop: &watch::Sender<bool>,
) -> Result<Ended> {
    let began = Instant::now();
    let before = patient.call(Store::status).await?.recorded();
    let bar = Bar::start(&format!("{name}  "), before, patient.store().job().items);
    let mut children = Children::start(arguments, patient.server(), name, workers);
    let killers = children.killers();
    let killing = async {
        match arguments.kill_every {
            Some(time) => Children::kill_every(killers, time).await,
            None => pending().await,
        }
    };
    let ended = tokio::select! {
        watched = watch(patient.clone(), &bar) => watched.map(drop),
        scattered = scatter(patient.clone(), arguments.unread, workers) => scattered,
        failed = children.failed() => failed,
        () = killing => Ok(()),
        () = stop::thrown(stop.subscribe()) => Ok(()),
    };
    let took = began.elapsed();
    bar.finish();
    let (killed, died) = (children.killed(), children.died());
    children.stop().await?;
    ended?;
    Ok(Ended { status: patient.call(Store::status).await?, before, took, killed, died })
}

/// Ends with the last outcome.
async fn watch(mut patient: Patient<'_>, bar: &Bar) -> Result<Status> {
    let mut look = interval(LOOK);
    loop {
        look.tick().await;
        let status = patient.call(Store::status).await?;
        bar.draw(&status);
        if status.recorded() >= patient.store().job().items {
            return Ok(status);
        }
    }
}

/// Scatters what is not in the stream yet, once the workers that belong to it are there; does not end.
async fn scatter(mut patient: Patient<'_>, unread: u64, workers: u16) -> Result<()> {
    while patient.call(Store::status).await?.consumers < u64::from(workers) {
        sleep(FULL).await;
    }
    loop {
        let scattered = patient.call(async |store| store.scatter(unread).await).await?;
        if scattered.next >= patient.store().job().items {
            return pending().await;
        }
        if scattered.entries == 0 {
            sleep(FULL).await;
        }
    }
}
