//! What Redis says of itself, and what of it endangers leases.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::link::{Links, field};
use crate::store::{EngineReport, StoreError};

pub(super) async fn report(links: &Links, shift: &AtomicI64) -> Result<EngineReport, StoreError> {
    let product = links.link().await?.product.clone();
    let began = Instant::now();
    let time = links.call(|link| async move {
        redis::cmd("TIME").query_async::<(u64, u64)>(&mut link.connection.clone()).await
    });
    let (seconds, micros) = time.await?.map_err(|error| links.error(error))?;
    let round_trip = began.elapsed();
    let millis =
        (seconds * 1000 + micros / 1000).saturating_add_signed(shift.load(Ordering::Relaxed));
    let info = links.call(|link| async move {
        redis::cmd("INFO").query_async::<String>(&mut link.connection.clone()).await
    });
    let info = info.await?.map_err(|error| links.error(error))?;
    let saves = links.call(|link| async move {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg("save");
        command.query_async::<(String, String)>(&mut link.connection.clone()).await
    });
    // Many providers do not let their customers see that; no snapshots is then the careful guess.
    let saves = saves.await?.is_ok_and(|(_, schedule)| !schedule.is_empty());
    Ok(EngineReport {
        engine: product,
        wall_clock: Duration::from_millis(millis),
        round_trip,
        durable: saves || field(&info, "aof_enabled") == Some("1"),
        warnings: warnings(&info, saves),
    })
}

fn warnings(info: &str, saves: bool) -> Vec<String> {
    let says = |name| field(info, name).unwrap_or_default();
    let mut warnings = Vec::new();
    let mut warn = |text: String| warnings.push(text);
    let policy = says("maxmemory_policy");
    if says("maxmemory") != "0" && policy.starts_with("allkeys") {
        warn(format!(
            "maxmemory-policy is {policy}: Redis may throw budgets away when its memory is full; use \
             a server with `maxmemory-policy noeviction`, or one of the volatile policies"
        ));
    }
    if says("aof_enabled") != "1" {
        let kept = if saves { "only snapshots are kept" } else { "nothing is kept" };
        warn(format!(
            "{kept} across a restart, after which nothing new is granted for some seconds; with \
             `appendonly yes` less is lost"
        ));
    }
    if says("cluster_enabled") == "1" {
        warn(
            "this is a node of a cluster: it serves only budgets whose slot it has, and not after \
             that has moved"
                .to_owned(),
        );
    }
    if says("role") == "slave" {
        warn("this is a read-only replica: leases need the primary".to_owned());
    }
    warnings
}
