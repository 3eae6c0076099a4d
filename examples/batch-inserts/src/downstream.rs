//! Where the rows go.

use anyhow::{Context, Result};
use floodway::{BatchSizing, Batcher, BuildError, Registry};
use sqlx::{PgPool, SqlitePool};
use tempfile::TempDir;

use crate::{
    arguments::{Arguments, Statement},
    order::Order,
    postgres, sqlite, url,
};

/// Understood by both databases.
const TABLE: &str = "CREATE TABLE orders (
    id BIGINT PRIMARY KEY,
    customer BIGINT NOT NULL,
    cents BIGINT NOT NULL CHECK (cents >= 0),
    note TEXT NOT NULL
)";

/// A database with an empty table.
#[derive(Debug)]
pub(crate) enum Downstream {
    Sqlite {
        pool: SqlitePool,
        /// Deleted on drop.
        _folder: TempDir,
    },
    Postgres {
        pool: PgPool,
        statement: Statement,
        in_flight: usize,
    },
}

impl Downstream {
    pub(crate) async fn open(arguments: &Arguments) -> Result<Self> {
        if let Some(url) = &arguments.database {
            let open = async {
                let pool = postgres::open(url, arguments.connections).await?;
                sqlx::query(TABLE).execute(&pool).await?;
                Ok::<_, anyhow::Error>(pool)
            };
            let pool = open.await.with_context(|| format!("--database {}", url::shown(url)))?;
            let (statement, in_flight) = (arguments.statement, arguments.in_flight);
            return Ok(Self::Postgres { pool, statement, in_flight });
        }
        let folder = tempfile::Builder::new()
            .prefix("floodway-batch-inserts-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let pool = sqlite::open(&folder.path().join("orders.sqlite")).await?;
        sqlx::query(TABLE).execute(&pool).await?;
        Ok(Self::Sqlite { pool, _folder: folder })
    }

    pub(crate) fn batcher(
        &self,
        sizing: BatchSizing,
        registry: &Registry,
    ) -> Result<Batcher<Order, (), sqlx::Error>, BuildError> {
        match self {
            Self::Sqlite { pool, .. } => sqlite::batcher(pool.clone(), sizing, registry),
            Self::Postgres { pool, statement, in_flight } => {
                let batcher = match statement {
                    Statement::Unnest => postgres::unnest::batcher,
                    Statement::Values => postgres::values::batcher,
                };
                batcher(pool.clone(), *in_flight, sizing, registry)
            }
        }
    }

    /// One row on its own, as without a batcher.
    pub(crate) async fn insert(&self, order: &Order) -> sqlx::Result<()> {
        match self {
            Self::Sqlite { pool, .. } => sqlite::insert(pool, order).await,
            Self::Postgres { pool, .. } => postgres::insert(pool, order).await,
        }
    }

    pub(crate) fn is_caused_by_row(&self, error: &sqlx::Error) -> bool {
        match self {
            Self::Sqlite { .. } => sqlite::is_caused_by_row(error),
            Self::Postgres { .. } => postgres::is_caused_by_row(error),
        }
    }

    /// Rows in the table.
    pub(crate) async fn count(&self) -> sqlx::Result<i64> {
        let count = "SELECT COUNT(*) FROM orders";
        match self {
            Self::Sqlite { pool, .. } => sqlx::query_scalar(count).fetch_one(pool).await,
            Self::Postgres { pool, .. } => sqlx::query_scalar(count).fetch_one(pool).await,
        }
    }

    /// Empties the table, so that every run finds the same.
    pub(crate) async fn clear(&self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite { pool, .. } => {
                sqlx::query("DELETE FROM orders").execute(pool).await.map(drop)
            }
            Self::Postgres { pool, .. } => {
                sqlx::query("TRUNCATE orders").execute(pool).await.map(drop)
            }
        }
    }

    /// Leaves nothing behind.
    pub(crate) async fn remove(&self) -> Result<()> {
        match self {
            Self::Sqlite { pool, .. } => pool.close().await,
            Self::Postgres { pool, .. } => {
                postgres::remove(pool).await.context("cannot drop the schema")?;
            }
        }
        Ok(())
    }
}
