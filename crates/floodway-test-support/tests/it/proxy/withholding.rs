//! Black holes and closed ports.

use std::io::ErrorKind;

use floodway_test_support::{Connections, Toxic};
use tokio::net::TcpSocket;

use super::{Client, Protocol, connect, echo};

#[test]
fn a_black_hole_keeps_everything_for_later() {
    let (server, proxy) = echo();
    let mut client = connect(&proxy);
    let ended = connect(&proxy);
    proxy.set(Toxic::Blackhole);
    drop(ended);
    client.send().unwrap();
    let mut late = Client::dial(Protocol::Echo, proxy.address()).unwrap();
    late.send().unwrap();
    client.hears_nothing();
    late.hears_nothing();
    assert!(server.saw_no_end(), "an end is kept for later as well");
    assert_eq!(proxy.connections(), Connections { open: 3, accepted: 3 });
    proxy.heal();
    client.answer().unwrap();
    late.answer().unwrap();
    assert!(server.next_end().is_ok());
}

#[test]
fn who_gave_up_in_a_black_hole_never_connects() {
    let (server, proxy) = echo();
    proxy.set(Toxic::Blackhole);
    let mut gone = Client::dial(Protocol::Echo, proxy.address()).unwrap();
    gone.send().unwrap();
    drop(gone);
    let mut patient = Client::dial(Protocol::Echo, proxy.address()).unwrap();
    patient.send().unwrap();
    patient.hears_nothing();
    proxy.heal();
    patient.answer().unwrap();
    assert!(server.saw_no_end(), "the server never heard of the other one");
    assert_eq!(proxy.connections(), Connections { open: 1, accepted: 2 });
}

#[test]
fn a_port_is_refused_and_opened_again_and_again() {
    let (_server, proxy) = echo();
    let mut client = connect(&proxy);
    for _ in 0..3 {
        // Twice is no more than once.
        proxy.set(Toxic::Refuse);
        proxy.set(Toxic::Refuse);
        let refused = Client::dial(Protocol::Echo, proxy.address()).err();
        assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::ConnectionRefused));
        client.ask().unwrap();
        proxy.heal();
        connect(&proxy).ask().unwrap();
    }
}

#[test]
fn a_port_that_is_refused_is_not_free() {
    let (_server, proxy) = echo();
    proxy.set(Toxic::Refuse);
    let taken = TcpSocket::new_v4().unwrap().bind(proxy.address());
    assert_eq!(taken.map_err(|error| error.kind()), Err(ErrorKind::AddrInUse));
}
