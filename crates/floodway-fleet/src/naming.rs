//! Names for the connections of a pool.

use sqlx::PgPool;

/// What gives the connections of `pool` the name of the lease under which they are opened, for a
/// [`PostgresFence`](crate::PostgresFence) to find them should this process die:
///
/// ```no_run
/// # async fn example(fleet: floodway_fleet::Fleet) -> Result<(), Box<dyn std::error::Error>> {
/// use floodway_fleet::name_connections;
/// use sqlx::postgres::PgPoolOptions;
///
/// let pool = PgPoolOptions::new().max_connections(20).connect_lazy("postgres://orders@db/orders")?;
/// let budget = fleet.budget("orders-db", 40).on_lease(name_connections(&pool)).build()?;
/// # Ok(())
/// # }
/// ```
///
/// It replaces the `application_name` of connections that the pool opens from then on. So the pool must
/// not open any before: `connect_lazy` and `min_connections(0)`, which is the default.
pub fn name_connections(pool: &PgPool) -> impl Fn(&str) + Send + Sync + 'static {
    let pool = pool.clone();
    move |name| {
        let options = (*pool.connect_options()).clone();
        pool.set_connect_options(options.application_name(name));
    }
}
