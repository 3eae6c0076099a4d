//! PostgreSQL starts, serves, stops and starts again.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use floodway_test_support::Postgres;
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::client::{Client, Protocol};

/// Asks for TLS, as clients do before anything else; a server without it says `N`.
fn answer(port: u16) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}

#[test]
fn a_server_serves_until_it_is_dropped() {
    let Some(server) = Postgres::start() else {
        return;
    };
    let port = server.port();
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    assert_eq!(server.url(), format!("postgres://postgres@127.0.0.1:{port}/postgres"));
    assert_eq!(answer(port).unwrap(), b'N', "{}", server.log());
    test_kill_process(pid).unwrap();

    drop(server);
    assert_eq!(test_kill_process(pid), Err(Errno::SRCH), "the server is gone and reaped");
    assert!(answer(port).is_err(), "nobody listens any more");
}

#[test]
fn servers_do_not_share_a_port_and_take_settings() {
    let Some(first) = Postgres::start_with(&[("max_connections", "7")]) else {
        return;
    };
    let Some(second) = Postgres::start_with(&[("log_min_messages", "fatal")]) else {
        return;
    };
    assert_ne!(first.port(), second.port());
    assert_eq!(answer(first.port()).unwrap(), b'N');
    assert_eq!(answer(second.port()).unwrap(), b'N');
}

#[test]
#[should_panic(expected = "no_such_setting")]
fn a_failure_shows_the_log() {
    let started = Postgres::start_with(&[("no_such_setting", "1")]);
    assert!(started.is_none(), "the setting was accepted");
    // Without PostgreSQL there is no failure to show.
    panic!("no_such_setting");
}

#[test]
fn a_server_can_be_stopped_and_started_again() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let (address, first) = (server.address(), server.pid());
    let connect = || Client::connect(Protocol::Postgres, address);
    let mut client = connect().unwrap();
    client.query("CREATE TABLE kept AS SELECT 'this' AS word").unwrap();

    server.stop();
    assert!(client.ask().is_err(), "connections are closed");
    assert!(connect().is_err(), "nobody listens any more");
    server.stop();

    server.restart();
    let mut client = connect().unwrap();
    assert_eq!(client.query("SELECT word FROM kept").unwrap(), ["this"]);
    let second = server.pid();
    server.restart();
    let mut client = connect().unwrap();
    assert_eq!(client.query("SELECT word FROM kept").unwrap(), ["this"]);
    assert!(first != second && second != server.pid());
}
