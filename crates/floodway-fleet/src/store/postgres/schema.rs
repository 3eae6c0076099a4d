//! The tables.

use sqlx::{PgConnection, Row, postgres::PgPool};

use super::{
    failure::{code, store_error},
    step::query,
};
use crate::store::StoreError;

/// What creates the tables.
pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// Of processes that start together, one creates the tables: `IF NOT EXISTS` does not wait for others.
const LOCK: u64 = 0x464c_4f4f_4457_4159;

const TABLES: [(&str, &str); 3] = [
    ("floodway_fleet_account", "budget, state"),
    ("floodway_fleet_member", "budget, replica, due, state"),
    ("floodway_fleet_remnant", "budget, replica, epoch, due, state"),
];

const REMEDY: &str = "grant CREATE on the schema to the role, or run PostgresStore::SCHEMA as \
                      another and grant SELECT, INSERT, UPDATE and DELETE on its tables";

/// Makes sure that there are tables, and that they are ours.
pub(super) async fn prepare(pool: &PgPool, engine: &str) -> Result<(), StoreError> {
    let fail = |error| store_error(engine, error);
    let mut connection = pool.acquire().await.map_err(fail)?;
    let prepared = prepare_on(&mut connection, engine).await;
    if prepared.is_err() {
        connection.close_on_drop();
    }
    prepared
}

async fn prepare_on(connection: &mut PgConnection, engine: &str) -> Result<(), StoreError> {
    let fail = |error| store_error(engine, error);
    let mut missing = Vec::new();
    for (table, columns) in TABLES {
        match query(connection, format!("SELECT {columns} FROM {table} LIMIT 0")).await {
            Ok(_) => {}
            Err(error) => match code(&error).as_deref() {
                // undefined_table
                Some("42P01") => missing.push(table),
                // undefined_column
                Some("42703") => {
                    let found = columns_of(connection, table).await.map_err(fail)?;
                    let (place, found) = (format!("table {table}"), format!("the columns {found}"));
                    return Err(StoreError::Foreign { place, found });
                }
                _ => return Err(fail(error)),
            },
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let create = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK}); {SCHEMA}; COMMIT;");
    match query(connection, create).await {
        Ok(_) => Ok(()),
        // insufficient_privilege, read_only_sql_transaction
        Err(error) if matches!(code(&error).as_deref(), Some("42501")) => {
            let (engine, missing) = (engine.to_owned(), format!("table {}", missing.join(", ")));
            let source = std::sync::Arc::new(error);
            Err(StoreError::Unprepared { engine, missing, remedy: REMEDY, source })
        }
        Err(error) => Err(fail(error)),
    }
}

async fn columns_of(connection: &mut PgConnection, table: &str) -> Result<String, sqlx::Error> {
    let sql = format!(
        "SELECT coalesce(string_agg(attname, ', ' ORDER BY attnum), '')::text AS columns \
         FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped"
    );
    let rows = query(connection, sql).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("columns")
}
