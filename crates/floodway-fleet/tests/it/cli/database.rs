//! What `doctor --database` finds in PostgreSQL.

use floodway_fleet::Left;
use floodway_test_support::{Postgres, Redis};
use serde_json::Value;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

use super::{
    doctor::{DURABLE, finds, finds_nothing},
    run::{Asker, Said, connect, run},
};

/// A replica that has everything, and a database.
struct World {
    redis: Redis,
    postgres: Postgres,
    replica: Asker,
}

impl World {
    async fn start() -> Option<Self> {
        let (redis, postgres) = (Redis::start_with(DURABLE)?, Postgres::start()?);
        let mut replica = Asker::new("orders-0");
        replica.granted(&connect(&redis).await).await;
        let world = Self { redis, postgres, replica };
        world.run("CREATE ROLE orders LOGIN").await;
        Some(world)
    }

    async fn run(&self, sql: &'static str) {
        let mut admin = self.connect("postgres", "admin").await;
        sqlx::raw_sql(sql).execute(&mut admin).await.expect("runs");
    }

    async fn connect(&self, role: &str, name: &str) -> PgConnection {
        let options: PgConnectOptions = self.postgres.url().parse().expect("a URL");
        options.username(role).application_name(name).connect().await.expect("a connection")
    }

    fn url(&self, role: &str) -> String {
        format!("postgres://{role}:s3cret@127.0.0.1:{}/postgres", self.postgres.port())
    }

    fn doctor(&self, arguments: &[&str]) -> Said {
        let mut all = vec!["doctor", "orders-db", "--json", "--database"];
        all.extend(arguments);
        let said = run(&self.redis.url(), &all);
        assert!(!said.out.contains("s3cret") && !said.err.contains("s3cret"), "{said:?}");
        said
    }

    /// Looked at as the role itself, and as an administrator.
    #[track_caller]
    fn both(&self, code: i32, check: impl Fn(&Value)) {
        check(&self.doctor(&[&self.url("orders")]).ended(code).json());
        check(&self.doctor(&[&self.url("postgres"), "--role", "orders"]).ended(code).json());
    }
}

#[tokio::test]
async fn a_database_as_it_comes_needs_settings() {
    let Some(world) = World::start().await else { return };
    world.both(1, |document| {
        finds(document, "database", "ok", "PostgreSQL ", "");
        let change = "ALTER ROLE orders CONNECTION LIMIT 40";
        finds(document, "role limit", "warning", "any number of connections", change);
        finds(document, "server limit", "ok", "97 connections for ordinary roles", "");
        let change = "ALTER ROLE orders SET client_connection_check_interval = '1s'";
        finds(document, "connection check", "warning", "run to their end", change);
        let change = "ALTER ROLE orders SET statement_timeout";
        finds(document, "statement timeout", "warning", "nothing bounds", change);
        finds(document, "keepalives", "warning", "vanished", "SET tcp_keepalives_idle = 10");
        finds(document, "connections", "ok", "0 connections open, the fleet counts 38", "");
        finds_nothing(document, "database limit");
        finds_nothing(document, "names");
    });
    let document = world.doctor(&[&world.url("postgres")]).ended(1).json();
    finds(&document, "role limit", "warning", "superuser", "ordinary role");
}

#[tokio::test]
async fn what_it_proposes_makes_it_content() {
    let Some(world) = World::start().await else { return };
    world
        .run(
            "ALTER ROLE orders CONNECTION LIMIT 40; \
             ALTER ROLE orders SET client_connection_check_interval = '1s'; \
             ALTER ROLE orders SET statement_timeout = '2s'; \
             ALTER ROLE orders SET tcp_keepalives_idle = 10; \
             ALTER ROLE orders SET tcp_keepalives_interval = 5; \
             ALTER ROLE orders SET tcp_keepalives_count = 3",
        )
        .await;
    let content = |document: &Value| {
        finds(document, "role limit", "ok", "may have 40 connections, the budget is 40", "");
        finds(document, "connection check", "ok", "end within 1 s", "");
        finds(document, "keepalives", "ok", "noticed after 25 s", "");
    };
    // One timeout beside another linger.
    world.both(1, |document| {
        content(document);
        finds(document, "statement timeout", "warning", "is 2 s, linger 1 s", "linger to no less");
    });
    let url = world.url("orders");
    // No replica renews meanwhile, and that is all that is left to say.
    let document = world.doctor(&[&url, "--linger", "2s"]).ended(1).json();
    content(&document);
    finds(&document, "statement timeout", "ok", "end after 2 s", "");
    let all = document["findings"].as_array().expect("a list").iter();
    let left: Vec<_> = all.filter(|one| one["level"] != "ok").map(|one| &one["check"]).collect();
    assert_eq!(left, ["renewals"], "{document:#}");

    // What holds for the database gives way to what holds for the role in it.
    world.run("ALTER DATABASE postgres SET client_connection_check_interval = 0").await;
    world.both(1, |document| {
        finds(document, "connection check", "ok", "end within 1 s", "");
    });
    world
        .run("ALTER ROLE orders IN DATABASE postgres SET client_connection_check_interval = '9s'")
        .await;
    world.both(1, |document| {
        finds(document, "connection check", "warning", "is 9 s, a lease lasts 4 s", "= '1s'");
    });
}

#[tokio::test]
async fn limits_that_do_not_fit_the_budget_are_found() {
    let Some(world) = World::start().await else { return };
    world.run("ALTER ROLE orders CONNECTION LIMIT 37").await;
    world.both(2, |document| {
        let change =
            "ALTER ROLE orders CONNECTION LIMIT 40, or `floodway-fleet set-budget orders-db 37`";
        finds(document, "role limit", "broken", "38 of it may be leased", change);
    });
    world.run("ALTER ROLE orders CONNECTION LIMIT 39").await;
    world.both(1, |document| finds(document, "role limit", "warning", "margin is not there", "40"));
    world.run("ALTER ROLE orders CONNECTION LIMIT 41").await;
    world.both(1, |document| finds(document, "role limit", "warning", "stopped late", "40"));

    world.run("ALTER DATABASE postgres CONNECTION LIMIT 30").await;
    world.both(2, |document| {
        finds(
            document,
            "database limit",
            "broken",
            "30 connections, 38 may be leased",
            "ALTER DATABASE",
        );
    });
    world.run("ALTER DATABASE postgres CONNECTION LIMIT -1").await;

    for (budget, code, level, found) in [
        ("60", 1, "ok", "97 connections for ordinary roles; the budget is 60"),
        ("98", 1, "warning", "the budget is 98"),
        ("120", 2, "broken", "118 may be leased"),
    ] {
        run(&world.redis.url(), &["set-budget", "orders-db", budget]).ended(0);
        world.run("ALTER ROLE orders CONNECTION LIMIT -1").await;
        let document = world.doctor(&[&world.url("orders")]).ended(code).json();
        finds(&document, "server limit", level, found, "");
    }
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(world.connect("postgres", "others").await);
    }
    run(&world.redis.url(), &["set-budget", "orders-db", "95"]).ended(0);
    let document = world.doctor(&[&world.url("orders")]).ended(1).json();
    finds(
        &document,
        "server limit",
        "warning",
        "the 3 that other roles have now",
        "max_connections",
    );
}

#[tokio::test]
async fn connections_that_the_fleet_does_not_count_are_found() {
    let Some(mut world) = World::start().await else { return };
    let named = Left::name("orders-db", world.replica.request.epoch, "orders-0");
    let _named = [world.connect("orders", &named).await, world.connect("orders", &named).await];
    world.both(1, |document| {
        finds(document, "connections", "ok", "2 connections open, the fleet counts 38", "");
        finds_nothing(document, "names");
        finds(document, "statement timeout", "ok", "but a fence", "");
    });
    let _nameless = world.connect("orders", "orders").await;
    world.both(1, |document| {
        finds(document, "names", "warning", "1 of 3 connections", "connect_lazy")
    });

    world.replica.request.leaving = true;
    (world.replica.request.applied, world.replica.request.held) = (0, 0);
    world.replica.ask(&connect(&world.redis).await).await;
    world.both(1, |document| {
        let found = "3 connections open, the fleet counts 0: some are not leased";
        finds(document, "connections", "warning", found, "pg_stat_activity");
    });
}

#[tokio::test]
async fn what_is_still_open_of_a_lease_that_has_ended_is_counted() {
    let Some(mut world) = World::start().await else { return };
    let store = connect(&world.redis).await;
    world.replica.request.fenced = true;
    world.replica.request.floor = 0;
    world.replica.request.floor_applied = 0;
    world.replica.later(&store, 1_000);
    world.replica.ask(&store).await;
    let mut alive = Asker::new("alive");
    alive.request.sent = world.replica.request.sent;
    alive.ask(&store).await;
    alive.later(&store, 6_000);
    alive.ask(&store).await;
    let found = |document: &Value, found: &str, change: &str| {
        let all = super::doctor::findings(document, "left behind");
        let any = all.iter().any(|(_, says, to)| says.contains(found) && to.contains(change));
        assert!(any, "{document:#}");
    };
    let change = "evict orders-db orders-0 --yes";
    world.both(1, |document| found(document, "no connection has the name", change));
    let name = Left::name("orders-db", world.replica.request.epoch, "orders-0");
    let _open = world.connect("orders", &name).await;
    world.both(1, |document| found(document, "1 connections of leases that have ended", "fence"));
}

#[tokio::test]
async fn a_database_that_cannot_be_looked_at_is_broken() {
    let Some(mut world) = World::start().await else { return };
    let document = world.doctor(&[&world.url("orders"), "--role", "nobody"]).ended(2).json();
    finds(&document, "role", "broken", "there is no role \"nobody\"", "--role");
    let document = world.doctor(&["mysql://me:s3cret@host/db"]).ended(2).json();
    finds(&document, "database", "broken", "not a URL of PostgreSQL", "postgres://");
    let document = world.doctor(&[&world.url("nobody")]).ended(2).json();
    finds(&document, "database", "broken", "role \"nobody\" does not exist", "");
    world.postgres.stop();
    let document = world.doctor(&[&world.url("orders")]).ended(2).json();
    finds(&document, "database", "broken", "Connection refused", "");

    run(&world.redis.url(), &["set-budget", "users-db", "40", "--yes"]).ended(0);
    let said = run(&world.redis.url(), &["doctor", "--database", &world.url("orders")]).ended(2);
    assert!(said.err.contains("name it; there are: orders-db, users-db"), "{said:?}");
}
