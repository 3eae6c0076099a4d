//! Resets and half-open connections.

use std::io::ErrorKind;

use floodway_test_support::{Connections, Toxic};

use super::{connect, echo};

#[test]
fn a_reset_reaches_both_sides() {
    let (server, proxy) = echo();
    let mut client = connect(&proxy);
    proxy.reset_connections();
    assert_eq!(proxy.connections(), Connections { open: 0, accepted: 1 });
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.next_end().unwrap_err().kind(), ErrorKind::ConnectionReset);
    connect(&proxy).ask().unwrap();
}

#[test]
fn a_half_open_connection_ends_for_the_server_alone() {
    let (server, proxy) = echo();
    let mut client = connect(&proxy);
    proxy.half_open_connections();
    assert_eq!(server.next_end().unwrap(), 5, "all that was sent before came through");
    for _ in 0..2 {
        client.send().unwrap();
        client.hears_nothing();
        proxy.heal();
    }
    connect(&proxy).ask().unwrap();
    assert_eq!(proxy.connections().accepted, 2);

    proxy.reset_connections();
    assert_eq!(proxy.connections().open, 0);
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn connections_can_be_cut_whatever_holds_them_up() {
    let (_server, proxy) = echo();
    let mut client = connect(&proxy);
    proxy.set(Toxic::Blackhole);
    client.send().unwrap();
    proxy.reset_connections();
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.heal();
    connect(&proxy).ask().unwrap();
}
