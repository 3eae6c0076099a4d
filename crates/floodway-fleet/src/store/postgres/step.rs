//! One step of a budget in PostgreSQL.

use floodway_control::fleet::{Account, Ledger, Member, Remnant};
use serde::de::DeserializeOwned;
use sqlx::{
    AssertSqlSafe, PgConnection, Row,
    postgres::{PgPool, PgRow},
};

use super::sql::{self, Rows};

/// What there is of a budget: the rows that were asked for, and the engine's wall clock.
pub(super) struct Found {
    pub(super) ledger: Ledger,
    pub(super) wall: u64,
}

/// Does `act` to what there is of `budget`, as one step. `None` if there is no such budget and none shall
/// be created.
pub(super) async fn step<T>(
    pool: &PgPool,
    budget: &str,
    create: bool,
    rows: Rows,
    shift: i64,
    act: impl FnOnce(&mut Ledger, u64) -> T + Send,
) -> Result<Option<T>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let done = step_on(&mut connection, budget, create, rows, shift, act).await;
    if done.is_err() {
        // It may be in the middle of a transaction, or broken.
        connection.close_on_drop();
    }
    done
}

async fn step_on<T>(
    connection: &mut PgConnection,
    budget: &str,
    create: bool,
    rows: Rows,
    shift: i64,
    act: impl FnOnce(&mut Ledger, u64) -> T + Send,
) -> Result<Option<T>, sqlx::Error> {
    let first = if create { Some(text(&Account::default())?) } else { None };
    let sql = sql::begin(budget, first.as_deref()) + &sql::read(budget, &rows);
    let found = query(connection, sql).await?;
    // The lock is a row as well, without columns.
    let Some(row) = found.last().filter(|row| row.len() > 1) else {
        query(connection, "ROLLBACK".to_owned()).await?;
        return Ok(None);
    };
    let mut before = found_in(row, shift)?;
    let latest = before.ledger.account().clock.latest(before.wall);
    let earliest: Option<i64> = row.try_get("earliest")?;
    if let Some(earliest) = earliest
        && earliest.unsigned_abs() <= latest
    {
        let ending = query(connection, sql::read_due(budget, latest)).await?;
        let ending = ending.last().ok_or(sqlx::Error::RowNotFound)?;
        let ledger = before.ledger;
        // What is in both is the same.
        before.ledger = Ledger::of(
            ledger.account().clone(),
            ledger.members().cloned().chain(list::<Member>(ending, "members")?),
            ledger.remnants().cloned().chain(list::<Remnant>(ending, "remnants")?),
        );
    }
    let mut after = before.ledger.clone();
    let done = act(&mut after, before.wall);
    query(connection, sql::commit(budget, &before.ledger, &after)?).await?;
    Ok(Some(done))
}

/// What there is of `budget`, as of one moment.
pub(super) async fn look(pool: &PgPool, budget: &str) -> Result<Option<Ledger>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let found = query(&mut connection, sql::read(budget, &Rows::All)).await;
    if found.is_err() {
        connection.close_on_drop();
    }
    let found = found?;
    found.first().map(|row| Ok(found_in(row, 0)?.ledger)).transpose()
}

pub(super) async fn query(
    connection: &mut PgConnection,
    sql: String,
) -> Result<Vec<PgRow>, sqlx::Error> {
    // All that does not come from us was quoted.
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await
}

fn found_in(row: &PgRow, shift: i64) -> Result<Found, sqlx::Error> {
    let account: Account = value(row.try_get("account")?)?;
    let ledger = Ledger::of(account, list(row, "members")?, list(row, "remnants")?);
    let wall: i64 = row.try_get("wall")?;
    Ok(Found { ledger, wall: wall.saturating_add(shift).max(0).unsigned_abs() })
}

fn list<T: DeserializeOwned>(row: &PgRow, column: &str) -> Result<Vec<T>, sqlx::Error> {
    value(row.try_get(column)?)
}

fn value<T: DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn text(account: &Account) -> Result<String, sqlx::Error> {
    serde_json::to_string(account).map_err(|error| sqlx::Error::Encode(error.into()))
}
