//! What the user did wrong is named with the value.

use std::net::TcpListener;

use crate::demo::{run, stderr};

fn check_refused(arguments: &[&str], parts: &[&str]) {
    let output = run(arguments);
    let said = stderr(&output);
    assert!(!output.status.success(), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn seed_that_is_no_number() {
    check_refused(&["--seed", "abc"], &["--seed", "'abc'"]);
}

#[test]
fn port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    check_refused(&["--port", &port], &[&format!("--port {port}: "), "in use"]);
}

#[test]
fn control_token_that_is_too_short() {
    check_refused(
        &["--serve", "--control-token", "secret"],
        &["--control-token: ", "6 characters"],
    );
}

#[test]
fn database_url_that_cannot_be_read() {
    check_refused(
        &["--database-url", "me:secret@host"],
        &["--database-url", "host", "postgres://"],
    );
    check_refused(
        &["--database-url", "mysql://me:secret@host/shop"],
        &["--database-url mysql://me@host/shop: ", "\"mysql\""],
    );
}

#[test]
fn database_that_is_not_there() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    drop(taken);
    check_refused(
        &["--database-url", &format!("postgres://me:secret@127.0.0.1:{port}/shop")],
        &[&format!("--database-url postgres://me@127.0.0.1:{port}/shop: "), "cannot connect"],
    );
}

#[test]
fn report_that_cannot_be_written() {
    check_refused(&["--json", "/nowhere/report.json"], &["--json /nowhere/report.json: "]);
}
