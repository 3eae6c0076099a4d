//! Servers that are gone, slow, foreign or old.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use floodway_fleet::{LeaseStore, RedisStore, StoreError};
use floodway_test_support::{Proxy, Redis, free_port};
use tokio::time::{sleep, timeout};

use crate::conformance::Replica;

/// What a caller waits for.
const PATIENCE: Duration = Duration::from_millis(500);

fn shown(error: &StoreError) -> String {
    use std::error::Error;
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        text += &format!(" {inner} {inner:?}");
        source = inner.source();
    }
    text
}

async fn refused(url: &str) -> StoreError {
    let error = RedisStore::connect(url).await.expect_err("a refusal");
    assert!(!shown(&error).contains("sesame"), "{}", shown(&error));
    error
}

async fn command(server: &Redis, words: &[&str]) {
    let client = redis::Client::open(server.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]).exec_async(&mut connection).await.expect("an answer");
}

#[tokio::test]
async fn urls_name_an_engine() {
    for url in ["", "host:6379", "http://me:sesame@host", "redis://:ses/ame@host:x/", "redis://"] {
        let error = refused(url).await;
        assert!(matches!(&error, StoreError::Url { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("does not name an engine"), "{error}");
    }
    let store = RedisStore::connect_lazy("redis://me:sesame@host:1").expect("a URL");
    assert!(!format!("{store:?}").contains("sesame"));
}

#[tokio::test]
async fn passwords_open_servers() {
    let Some(server) = Redis::start() else { return };
    command(&server, &["CONFIG", "SET", "requirepass", "open sesame"]).await;
    let port = server.port();
    for url in [format!("redis://:sesame@127.0.0.1:{port}/"), server.url(), server.unix_url()] {
        let error = refused(&url).await;
        assert!(matches!(&error, StoreError::Denied { .. }), "{error:?}");
    }
    let url = format!("redis://:open%20sesame@127.0.0.1:{port}/3");
    let store = RedisStore::connect(&url).await.expect("the password");
    store.renew("budget", Replica::new("a").ask(1)).await.expect("a renewal");
    let url = format!("{}?pass=open%20sesame&db=3", server.unix_url());
    let store = RedisStore::connect(&url).await.expect("the password");
    assert_eq!(store.budgets().await.expect("names"), ["budget"]);
}

#[tokio::test]
async fn commands_may_be_denied() {
    let Some(server) = Redis::start() else { return };
    command(&server, &["ACL", "SETUSER", "me", "on", ">sesame", "~*", "+@all", "-evalsha"]).await;
    let url = format!("redis://me:sesame@127.0.0.1:{}/", server.port());
    let store = RedisStore::connect(&url).await.expect("a connection");
    let error = store.renew("budget", Replica::new("a").ask(1)).await.expect_err("a denial");
    assert!(matches!(&error, StoreError::Denied { .. }), "{error:?}");
    assert!(shown(&error).contains("evalsha"), "{}", shown(&error));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_until_it_is() {
    let url = format!("redis://127.0.0.1:{}/", free_port());
    assert!(matches!(refused(&url).await, StoreError::Unreachable { .. }));
    let store = RedisStore::connect_lazy(&url).expect("a URL");
    let error = store.renew("budget", Replica::new("a").ask(1)).await.expect_err("nobody");
    assert!(matches!(&error, StoreError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn what_others_keep_is_left_alone() {
    let Some(server) = Redis::start() else { return };
    let store = RedisStore::connect(&server.url()).await.expect("a connection");
    command(&server, &["SET", "floodway:{text}", "value"]).await;
    command(&server, &["HSET", "floodway:{hash}", "field", "value"]).await;
    command(&server, &["HSET", "floodway:{later}", "version", "2"]).await;
    command(&server, &["SET", "floodway:{part}:members", "value"]).await;
    for (budget, place, found) in [
        ("text", "floodway:{text}", "a string"),
        ("hash", "floodway:{hash}", "a hash of something else"),
        ("later", "floodway:{later}", "a budget in layout \"2\" of another Floodway"),
        ("part", "floodway:{part}:members", "a string"),
    ] {
        let expected = format!("{place} holds {found}, not a budget");
        let check = |error: StoreError| {
            assert!(matches!(&error, StoreError::Foreign { .. }), "{error:?}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        };
        check(store.renew(budget, Replica::new("a").ask(1)).await.expect_err(budget));
        check(store.set_budget(budget, Some((5, 1))).await.expect_err(budget));
        check(store.status(budget).await.expect_err(budget));
    }
}

#[tokio::test]
async fn old_servers_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}/", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let info = "# Server\r\nredis_version:6.0.16\r\nrun_id:0123\r\n";
        let mut read = [0; 4096];
        loop {
            let count = stream.read(&mut read).unwrap_or(0);
            if count == 0 {
                return;
            }
            let asked = String::from_utf8_lossy(&read[..count]).to_lowercase();
            let unknown = "-ERR unknown\r\n".repeat(asked.matches("setinfo").count());
            let info = format!("${}\r\n{info}\r\n", info.len());
            let info = if asked.contains("info\r\n$6\r\nserver") { info } else { String::new() };
            if stream.write_all((unknown + &info).as_bytes()).is_err() {
                return;
            }
        }
    });
    let error = refused(&url).await;
    assert!(matches!(&error, StoreError::TooOld { .. }), "{error:?}");
    assert!(
        error.to_string().ends_with("is Redis 6.0.16, leases need Redis 6.2 or later"),
        "{error}"
    );
    server.join().expect("a fake server");
}

#[tokio::test]
async fn a_connection_that_does_not_answer_is_replaced() {
    let Some(server) = Redis::start() else { return };
    let proxy = Proxy::start(server.address());
    let store = RedisStore::connect(&server.url_through(&proxy)).await.expect("a connection");
    let mut a = Replica::new("a");
    store.renew("budget", a.ask(1)).await.expect("a renewal");
    proxy.half_open_connections();
    let waited = timeout(PATIENCE, store.renew("budget", a.ask(2))).await;
    assert!(waited.is_err(), "{waited:?}");
    // The old connection is as dead as before; a new one is not.
    let waited = timeout(PATIENCE, store.renew("budget", a.ask(3))).await;
    waited.expect("in time").expect("a renewal");
}

#[tokio::test]
async fn a_slow_answer_keeps_the_connection() {
    let Some(server) = Redis::start() else { return };
    let store = RedisStore::connect(&server.url()).await.expect("a connection");
    let mut a = Replica::new("a");
    store.renew("budget", a.ask(1)).await.expect("a renewal");
    command(&server, &["CLIENT", "PAUSE", "300", "ALL"]).await;
    let waited = timeout(Duration::from_millis(50), store.renew("budget", a.ask(2))).await;
    assert!(waited.is_err(), "{waited:?}");
    sleep(PATIENCE).await;
    let before = connections(&server).await;
    store.renew("budget", a.ask(3)).await.expect("a renewal");
    // The look itself is one.
    assert_eq!(connections(&server).await, before + 1);
    let seq = store.status("budget").await.expect("a status").expect("a budget");
    assert_eq!(seq.replicas.len(), 1);
}

async fn connections(server: &Redis) -> u64 {
    let client = redis::Client::open(server.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let mut info = redis::cmd("INFO");
    let text: String = info.arg("stats").query_async(&mut connection).await.expect("statistics");
    let line = text.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.trim().parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_server_that_forgot_everything_learns() {
    let Some(server) = Redis::start() else { return };
    let store = RedisStore::connect(&server.url()).await.expect("a connection");
    let mut a = Replica::new("a");
    store.renew("budget", a.ask(1_000)).await.expect("a renewal");
    store.shift_clock(10_000);
    let reply = store.renew("budget", a.ask(11_000)).await.expect("a renewal");
    assert!(!reply.learning);
    a.take(&reply);
    command(&server, &["FLUSHALL"]).await;
    command(&server, &["SCRIPT", "FLUSH"]).await;
    let reply = store.renew("budget", a.ask(12_000)).await.expect("a renewal");
    assert!(reply.learning);
    assert_eq!((reply.grant, reply.epoch), (40, a.request.epoch));
}

#[tokio::test]
async fn a_restarted_server_learns_even_with_its_data() {
    let Some(first) = Redis::start() else { return };
    let Some(second) = Redis::start() else { return };
    let store = RedisStore::connect(&first.url()).await.expect("a connection");
    let mut a = Replica::new("a");
    store.renew("budget", a.ask(1_000)).await.expect("a renewal");
    store.shift_clock(10_000);
    let reply = store.renew("budget", a.ask(11_000)).await.expect("a renewal");
    a.take(&reply);
    // The other has what the first has, as after a failover.
    let port = first.port().to_string();
    command(&second, &["REPLICAOF", "127.0.0.1", &port]).await;
    let copy = RedisStore::connect(&second.url()).await.expect("a connection");
    while copy.status("budget").await.ok().flatten().is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    let error = copy.renew("budget", a.ask(11_500)).await.expect_err("a read-only replica");
    assert!(matches!(&error, StoreError::Unreachable { .. }), "{error:?}");
    command(&second, &["REPLICAOF", "NO", "ONE"]).await;
    copy.shift_clock(11_000);
    let reply = copy.renew("budget", a.ask(12_000)).await.expect("a renewal");
    assert!(reply.learning);
    assert_eq!((reply.grant, reply.epoch, reply.members), (40, a.request.epoch, 1));
}

#[tokio::test]
async fn the_report_names_what_endangers_leases() {
    let Some(server) =
        Redis::start_with(&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")])
    else {
        return;
    };
    let store = RedisStore::connect(&server.url()).await.expect("a connection");
    let report = store.check().await.expect("a report");
    assert!(report.engine.starts_with("Redis "), "{report:?}");
    assert!(!report.durable);
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("maxmemory-policy is allkeys-lru"), "{warnings}");
    assert!(warnings.contains("nothing is kept"), "{warnings}");
    command(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    command(&server, &["CONFIG", "SET", "appendonly", "yes"]).await;
    let report = store.check().await.expect("a report");
    assert!(report.durable && report.warnings.is_empty(), "{report:?}");
}
