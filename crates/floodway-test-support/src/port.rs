//! Ports that nobody listens on.

use std::net::{Ipv4Addr, TcpListener};

/// A loopback port that was free a moment ago.
///
/// Somebody else may take it before it is used; bind port 0 instead where that is possible.
///
/// # Panics
///
/// If the system has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    listener.local_addr().expect("the address of a bound socket").port()
}
