//! Redis starts, serves and stops.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
};

use floodway_test_support::Redis;
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// The answer to a line, as long as `expected`.
fn check_answer(mut stream: impl Read + Write, line: &str, expected: &str) {
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), expected, "{line}");
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
}

#[test]
fn a_server_serves_until_it_is_dropped() {
    let Some(server) = Redis::start() else {
        return;
    };
    let (port, socket) = (server.port(), server.socket());
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    assert_eq!(server.url(), format!("redis://127.0.0.1:{port}/"));
    assert_eq!(server.unix_url(), format!("redis+unix://{}", socket.display()));
    check_answer(connect(port).unwrap(), "SET key value", "+OK\r\n");
    check_answer(UnixStream::connect(&socket).unwrap(), "GET key", "$5\r\nvalue\r\n");
    test_kill_process(pid).unwrap();

    let folder = socket.parent().unwrap().to_owned();
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["log", "socket"], "nothing is written to disk");

    drop(server);
    assert_eq!(test_kill_process(pid), Err(Errno::SRCH), "the server is gone and reaped");
    assert!(connect(port).is_err(), "nobody listens any more");
    assert!(!folder.exists(), "the files are gone");
}

#[test]
fn servers_do_not_share_anything_and_take_settings() {
    let Some(first) = Redis::start_with(&[("maxclients", "7")]) else {
        return;
    };
    let Some(second) = Redis::start() else {
        return;
    };
    assert_ne!(first.port(), second.port());
    check_answer(connect(first.port()).unwrap(), "SET key 1", "+OK\r\n");
    check_answer(connect(second.port()).unwrap(), "GET key", "$-1\r\n");
    let setting = "*2\r\n$10\r\nmaxclients\r\n$1\r\n7\r\n";
    check_answer(connect(first.port()).unwrap(), "CONFIG GET maxclients", setting);
}

#[test]
#[should_panic(expected = "no-such-setting")]
fn a_failure_shows_the_log() {
    let started = Redis::start_with(&[("no-such-setting", "1")]);
    assert!(started.is_none(), "the setting was accepted");
    // Without Redis there is no failure to show.
    panic!("no-such-setting");
}

#[test]
fn a_server_that_is_started_again_is_empty_and_keeps_port_and_settings() {
    let Some(mut server) = Redis::start_with(&[("maxclients", "7")]) else {
        return;
    };
    let port = server.port();
    check_answer(connect(port).unwrap(), "SET key value", "+OK\r\n");
    server.stop();
    assert!(connect(port).is_err(), "nobody listens any more");
    server.restart();
    assert_eq!(server.port(), port);
    check_answer(connect(port).unwrap(), "EXISTS key", ":0\r\n");
    check_answer(
        connect(port).unwrap(),
        "CONFIG GET maxclients",
        "*2\r\n$10\r\nmaxclients\r\n$1\r\n7\r\n",
    );
}
