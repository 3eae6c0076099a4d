//! The orders: their table and the queries of the service.
//!
//! One SQL for SQLite and PostgreSQL: only 64-bit integers, and every aggregate is cast, because
//! PostgreSQL sums into its own decimal type.

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe, Result};

/// Few, so that the summary of one aggregates thousands of orders.
pub(crate) const CUSTOMERS: i64 = 10;

pub(crate) const PRODUCTS: i64 = 499;

pub(crate) const MONTHS: i64 = 24;

/// What a client sends to place an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) customer_id: i64,
    pub(crate) product_id: i64,
    /// Months since the shop opened.
    pub(crate) month: i64,
    pub(crate) quantity: i64,
    pub(crate) unit_price_cents: i64,
}

/// An order as it is stored.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    #[serde(flatten)]
    pub(crate) order: NewOrder,
}

/// What one customer bought.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    customer_id: i64,
    months: Vec<Month>,
    top_products: Vec<Product>,
}

#[derive(Debug, Serialize)]
struct Month {
    month: i64,
    orders: i64,
    products: i64,
    revenue_cents: i64,
    average_cents: f64,
}

#[derive(Debug, Serialize)]
struct Product {
    product_id: i64,
    quantity: i64,
    revenue_cents: i64,
}

/// Creates the table and fills it with `count` orders that are spread over everything.
pub(crate) async fn create(connection: &mut AnyConnection, count: u32) -> Result<()> {
    sqlx::raw_sql(
        "CREATE TABLE orders (
            id BIGINT PRIMARY KEY,
            customer_id BIGINT NOT NULL,
            product_id BIGINT NOT NULL,
            month BIGINT NOT NULL,
            quantity BIGINT NOT NULL,
            unit_price_cents BIGINT NOT NULL
        )",
    )
    .execute(&mut *connection)
    .await?;
    // Multiples of primes, modulo numbers with little in common: no two columns repeat together.
    sqlx::query(
        "WITH RECURSIVE numbers(n) AS (
            SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < $1
        )
        INSERT INTO orders (id, customer_id, product_id, month, quantity, unit_price_cents)
        SELECT n, n % $2 + 1, n * 7919 % $3 + 1, n * 7907 % $4 + 1, n * 17 % 9 + 1, n * 7901 % 9900 + 100
        FROM numbers",
    )
    .bind(i64::from(count))
    .bind(CUSTOMERS)
    .bind(PRODUCTS)
    .bind(MONTHS)
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql("CREATE INDEX orders_by_customer ON orders (customer_id)")
        .execute(&mut *connection)
        .await?;
    // A plan made for an empty table would be measured otherwise.
    sqlx::raw_sql("ANALYZE orders").execute(connection).await?;
    Ok(())
}

/// The highest id; 0 without any order.
pub(crate) async fn last(connection: &mut AnyConnection) -> Result<i64> {
    sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM orders").fetch_one(connection).await
}

/// Stores an order under `id`.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    id: i64,
    order: &NewOrder,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO orders (id, customer_id, product_id, month, quantity, unit_price_cents)
        VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(order.customer_id)
    .bind(order.product_id)
    .bind(order.month)
    .bind(order.quantity)
    .bind(order.unit_price_cents)
    .execute(connection)
    .await?;
    Ok(())
}

/// How many each order has, and so how many parameters it takes in [`insert_all`].
pub(crate) const COLUMNS: u64 = 6;

/// Stores all orders in one statement, or none.
pub(crate) async fn insert_all(connection: &mut AnyConnection, orders: &[Order]) -> Result<()> {
    // Written here because sqlx's builder numbers no parameters for a database it does not know.
    let row = |first: usize| {
        let [a, b, c, d, e, f] = std::array::from_fn(|column| first + column);
        format!("(${a}, ${b}, ${c}, ${d}, ${e}, ${f})")
    };
    let columns = COLUMNS as usize;
    let rows: Vec<_> = (0..orders.len()).map(|index| row(index * columns + 1)).collect();
    let statement = format!(
        "INSERT INTO orders (id, customer_id, product_id, month, quantity, unit_price_cents)
        VALUES {}",
        rows.join(", ")
    );
    // Not kept on the connection: each number of rows would push another statement out.
    let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
    for Order { id, order } in orders {
        query = query
            .bind(id)
            .bind(order.customer_id)
            .bind(order.product_id)
            .bind(order.month)
            .bind(order.quantity)
            .bind(order.unit_price_cents);
    }
    query.execute(connection).await?;
    Ok(())
}

/// The order under `id`.
pub(crate) async fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<Order>> {
    let row = sqlx::query_as::<_, (i64, i64, i64, i64, i64)>(
        "SELECT customer_id, product_id, month, quantity, unit_price_cents FROM orders WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(customer_id, product_id, month, quantity, unit_price_cents)| Order {
        id,
        order: NewOrder { customer_id, product_id, month, quantity, unit_price_cents },
    }))
}

/// The order of a customer with the highest id.
pub(crate) async fn latest(
    connection: &mut AnyConnection,
    customer_id: i64,
) -> Result<Option<Order>> {
    let id =
        sqlx::query_scalar::<_, Option<i64>>("SELECT MAX(id) FROM orders WHERE customer_id = $1")
            .bind(customer_id)
            .fetch_one(&mut *connection)
            .await?;
    match id {
        Some(id) => find(connection, id).await,
        None => Ok(None),
    }
}

/// The summary of a customer; `None` without any order. Two aggregates over all its orders.
pub(crate) async fn summary(
    connection: &mut AnyConnection,
    customer_id: i64,
) -> Result<Option<Summary>> {
    let months = sqlx::query_as::<_, (i64, i64, i64, i64, f64)>(
        "SELECT month, COUNT(*), COUNT(DISTINCT product_id),
            CAST(SUM(quantity * unit_price_cents) AS BIGINT),
            CAST(AVG(quantity * unit_price_cents) AS DOUBLE PRECISION)
        FROM orders WHERE customer_id = $1 GROUP BY month ORDER BY month",
    )
    .bind(customer_id)
    .fetch_all(&mut *connection)
    .await?;
    if months.is_empty() {
        return Ok(None);
    }
    let top_products = sqlx::query_as::<_, (i64, i64, i64)>(
        "SELECT product_id,
            CAST(SUM(quantity) AS BIGINT),
            CAST(SUM(quantity * unit_price_cents) AS BIGINT) AS revenue
        FROM orders WHERE customer_id = $1
        GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 5",
    )
    .bind(customer_id)
    .fetch_all(connection)
    .await?;
    Ok(Some(Summary {
        customer_id,
        months: months
            .into_iter()
            .map(|(month, orders, products, revenue_cents, average_cents)| Month {
                month,
                orders,
                products,
                revenue_cents,
                average_cents,
            })
            .collect(),
        top_products: top_products
            .into_iter()
            .map(|(product_id, quantity, revenue_cents)| Product {
                product_id,
                quantity,
                revenue_cents,
            })
            .collect(),
    }))
}
