//! Inserts into SQLite: a transaction for each row or for each batch.

use std::path::Path;

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::runtime::Runtime;

use super::{
    Plan, SLOTS, arms,
    downstream::{Downstream, Failed, failed},
    fixed_settings, report_arms, runtime, trials, tuning,
};
use crate::report::Report;

pub(super) fn measure(plan: Plan, report: &mut Report) -> anyhow::Result<()> {
    let runtime = runtime(2)?;
    let folder = tempfile::tempdir()?;
    let pool = runtime.block_on(open(&folder.path().join("orders")))?;
    let (alone, batches) = (downstream(&pool), downstream(&pool));
    let mut empty = || delete(&runtime, &pool);

    // One batch in flight, as there is one connection: a batch that waits for it is one that nobody
    // can join any more. The default is measured beside it.
    let ours = |setting| arms::ours(&runtime, &batches, setting);
    let settings = fixed_settings(&[1]);
    let fixed = tuning::best(plan, "batch.sqlite, fixed", &settings, ours, &mut empty);
    let all = [
        arms::unbatched(&runtime, &alone),
        ours(arms::Setting::adaptive(1)),
        ours(arms::Setting::adaptive(SLOTS)),
        ours(fixed),
    ];
    let trials = trials(plan, "batch.sqlite", &all, empty);
    let names = [(0, "unbatched"), (1, "adaptive"), (2, "adaptive_4_slots"), (3, "best_fixed")];
    report_arms(report, "batch.sqlite", &trials, &names);
    let ratio = trials.ratio(1, 0, |lap| lap.rate);
    report.higher("batch.sqlite.vs_unbatched", ratio, "ratio", Some(5.0));
    let ratio = trials.ratio(2, 0, |lap| lap.rate);
    report.higher("batch.sqlite.4_slots.vs_unbatched", ratio, "ratio", None);
    let ratio = trials.ratio(1, 3, |lap| lap.rate);
    report.higher("batch.sqlite.vs_best_fixed", ratio, "ratio", Some(0.95));
    let ratio = trials.ratio(2, 3, |lap| lap.rate);
    report.higher("batch.sqlite.4_slots.vs_best_fixed", ratio, "ratio", None);
    Ok(())
}

/// One connection, because SQLite has one writer and others would only find it busy.
async fn open(path: &Path) -> anyhow::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    let create = "CREATE TABLE orders (
        id integer PRIMARY KEY, customer integer NOT NULL, amount integer NOT NULL,
        note text NOT NULL)";
    sqlx::query(create).execute(&pool).await?;
    Ok(pool)
}

fn downstream(pool: &SqlitePool) -> Downstream {
    let pool = pool.clone();
    Downstream::new(move |items| insert(pool.clone(), items))
}

async fn insert(pool: SqlitePool, items: Vec<u64>) -> Result<(), Failed> {
    let insert = "INSERT INTO orders (customer, amount, note) VALUES (?, ?, ?)";
    let query = |item: u64| {
        let note = format!("order {item:016x} of a customer who is in no hurry");
        sqlx::query(insert).bind((item >> 32) as i64).bind(item as u32 as i64).bind(note)
    };
    if let [item] = items[..] {
        // A statement is a transaction by itself.
        query(item).execute(&pool).await.map_err(failed)?;
        return Ok(());
    }
    let mut transaction = pool.begin().await.map_err(failed)?;
    for item in items {
        query(item).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

fn delete(runtime: &Runtime, pool: &SqlitePool) {
    let delete = sqlx::query("DELETE FROM orders").execute(pool);
    runtime.block_on(delete).expect("the table can be emptied");
}
