//! What PostgreSQL says of itself, and what of it endangers leases.

use std::time::Duration;

use sqlx::{Row, postgres::PgPool};
use tokio::time::Instant;

use super::step::query;
use crate::store::EngineReport;

const LOOK: &str = "SELECT current_setting('server_version') AS version, \
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS wall, \
    current_setting('fsync') = 'on' AS fsync, \
    current_setting('synchronous_commit') AS synchronous_commit, \
    pg_is_in_recovery() AS standby, \
    current_setting('synchronous_standby_names') = '' \
     AND EXISTS (SELECT FROM pg_stat_replication) AS lagging, \
    (SELECT relpersistence::text FROM pg_class \
     WHERE oid = to_regclass('floodway_fleet_account')) AS persistence";

pub(super) async fn report(pool: &PgPool, shift: i64) -> Result<EngineReport, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let began = Instant::now();
    let rows = query(&mut connection, LOOK.to_owned()).await?;
    let round_trip = began.elapsed();
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (version, wall): (&str, i64) = (row.try_get("version")?, row.try_get("wall")?);
    let (fsync, standby): (bool, bool) = (row.try_get("fsync")?, row.try_get("standby")?);
    let persistence: Option<&str> = row.try_get("persistence")?;
    let commit: &str = row.try_get("synchronous_commit")?;
    let mut warnings = Vec::new();
    if !fsync || commit == "off" {
        warnings.push(format!(
            "fsync is {} and synchronous_commit is {commit}: a crash of the server may lose leases \
             that replicas go by, and then too much is granted",
            if fsync { "on" } else { "off" }
        ));
    }
    if persistence == Some("u") {
        warnings.push(
            "the tables are unlogged: a crash of the server loses all leases that replicas go by"
                .to_owned(),
        );
    }
    if standby {
        warnings.push("this is a standby: leases need the primary".to_owned());
    }
    if row.try_get("lagging")? {
        warnings.push(
            "standbys follow asynchronously: one that takes over may lack leases that replicas go \
             by; name them in `synchronous_standby_names`, or keep a larger margin"
                .to_owned(),
        );
    }
    let wall = wall.saturating_add(shift).max(0).unsigned_abs();
    Ok(EngineReport {
        engine: format!("PostgreSQL {version}"),
        wall_clock: Duration::from_millis(wall),
        round_trip,
        durable: fsync && commit != "off" && persistence != Some("u"),
        warnings,
    })
}
