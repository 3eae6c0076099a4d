//! Each toxic does what its name says, to a plain server and to real ones.

mod cutting;
mod echo;
mod slowing;
mod withholding;

use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use floodway_test_support::{Connections, Direction, Postgres, Proxy, Redis, Toxic, free_port};
use tokio::time::Instant;

use self::echo::Echo;
use crate::client::{Client, Protocol};

/// A proxy in front of a server that sends everything back.
fn echo() -> (Echo, Proxy) {
    let server = Echo::start();
    let proxy = Proxy::start(server.address());
    (server, proxy)
}

fn connect(proxy: &Proxy) -> Client {
    Client::connect(Protocol::Echo, proxy.address()).unwrap()
}

fn latency(direction: Direction, millis: u64) -> Toxic {
    Toxic::Latency { direction, delay: Duration::from_millis(millis), jitter: Duration::ZERO }
}

/// Checks that a server can be used through a proxy under every toxic, and after it.
fn check_server(protocol: Protocol, server: SocketAddr) {
    let proxy = Proxy::start(server);
    let connect = || Client::connect(protocol, proxy.address());
    let mut client = connect().unwrap();

    let began = Instant::now();
    proxy.set(latency(Direction::Upstream, 20));
    proxy.set(latency(Direction::Downstream, 20));
    client.ask().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(40));
    proxy.heal();

    let bytes_per_second = 1_000.try_into().unwrap();
    proxy.set(Toxic::Bandwidth { direction: Direction::Downstream, bytes_per_second });
    client.ask().unwrap();
    proxy.heal();

    proxy.set(Toxic::Blackhole);
    let mut late = Client::dial(protocol, proxy.address()).unwrap();
    late.greet().unwrap();
    client.send().unwrap();
    client.hears_nothing();
    late.hears_nothing();
    proxy.heal();
    client.answer().unwrap();
    late.greeted().unwrap();
    late.ask().unwrap();

    proxy.set(Toxic::Refuse);
    assert_eq!(connect().err().map(|error| error.kind()), Some(ErrorKind::ConnectionRefused));
    client.ask().unwrap();
    proxy.heal();
    let mut third = connect().unwrap();

    proxy.reset_connections();
    for cut in [&mut client, &mut late, &mut third] {
        assert_eq!(cut.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    let mut forgotten = connect().unwrap();
    proxy.half_open_connections();
    forgotten.send().unwrap();
    forgotten.hears_nothing();
    connect().unwrap().ask().unwrap();
}

#[test]
fn an_echo_server_fails_and_heals() {
    check_server(Protocol::Echo, Echo::start().address());
}

#[test]
fn postgres_fails_and_heals() {
    if let Some(server) = Postgres::start() {
        check_server(Protocol::Postgres, server.address());
    }
}

#[test]
fn redis_fails_and_heals() {
    if let Some(server) = Redis::start() {
        check_server(Protocol::Redis, server.address());
    }
}

#[test]
fn ends_pass_through_one_by_one() {
    let (server, proxy) = echo();
    let mut client = connect(&proxy);
    let other = connect(&proxy);
    assert_eq!(proxy.connections(), Connections { open: 2, accepted: 2 });
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    // The server ends only when it has heard of the client's end.
    assert_eq!(client.stream.read(&mut [0]).unwrap(), 0);
    assert!(server.next_end().is_ok());
    drop((client, other));
    assert!(server.next_end().is_ok());
}

#[test]
fn a_reset_by_the_server_passes_through() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = Proxy::start(server.local_addr().unwrap());
    let mut client = Client::dial(Protocol::Echo, proxy.address()).unwrap();
    client.send().unwrap();
    let (accepted, _) = server.accept().unwrap();
    accepted.peek(&mut [0]).unwrap();
    // A connection that is closed before everything was read is reset.
    drop(accepted);
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn without_a_server_connections_are_reset() {
    let proxy = Proxy::start((Ipv4Addr::LOCALHOST, free_port()).into());
    let mut client = Client::dial(Protocol::Echo, proxy.address()).unwrap();
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn nothing_is_left_of_a_proxy() {
    let (server, proxy) = echo();
    let mut client = connect(&proxy);
    let address = proxy.address();
    drop(proxy);
    assert_eq!(client.stream.read(&mut [0]).unwrap(), 0);
    assert!(server.next_end().is_ok());
    let refused = Client::dial(Protocol::Echo, address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
}
