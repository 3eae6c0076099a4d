//! Latency and bandwidth.

use std::{
    io::{Read, Write},
    num::NonZeroU32,
    thread,
    time::Duration,
};

use floodway_test_support::{Direction, Toxic};
use tokio::time::Instant;

use super::{connect, echo, latency};

fn bandwidth(direction: Direction, bytes_per_second: u32) -> Toxic {
    Toxic::Bandwidth { direction, bytes_per_second: NonZeroU32::new(bytes_per_second).unwrap() }
}

/// Sends so many bytes through an echo server and says how long it takes to have them back.
fn time_for(client: &super::Client, bytes: usize) -> Duration {
    let began = Instant::now();
    let mut received = vec![0; bytes];
    thread::scope(|scope| {
        scope.spawn(|| (&client.stream).write_all(&vec![7; bytes]).unwrap());
        (&client.stream).read_exact(&mut received).unwrap();
    });
    assert!(received.iter().all(|byte| *byte == 7));
    began.elapsed()
}

#[test]
fn latency_is_added_in_each_direction() {
    let (_server, proxy) = echo();
    let mut client = connect(&proxy);
    for (toxic, least) in
        [(latency(Direction::Upstream, 30), 30), (latency(Direction::Downstream, 50), 80)]
    {
        proxy.set(toxic);
        let began = Instant::now();
        client.ask().unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(least), "{took:?} instead of {least} ms");
    }
}

#[test]
fn jitter_spreads_the_latency() {
    let (_server, proxy) = echo();
    let mut client = connect(&proxy);
    let delay = Duration::from_millis(40);
    proxy.set(Toxic::Latency { direction: Direction::Upstream, delay, jitter: delay });
    let took: Vec<_> = std::iter::repeat_with(|| {
        let began = Instant::now();
        client.ask().unwrap();
        began.elapsed()
    })
    .take(12)
    .collect();
    // From 0 to 80 ms, the same in every run: some are far below the delay and some far above.
    assert!(*took.iter().max().unwrap() > delay + delay / 2, "{took:?}");
    assert!(*took.iter().min().unwrap() < delay, "{took:?}");
}

#[test]
fn latency_does_not_lessen_throughput() {
    let (_server, proxy) = echo();
    let client = connect(&proxy);
    proxy.set(latency(Direction::Upstream, 50));
    let took = time_for(&client, 2 << 20);
    // One chunk at a time, each 50 ms, would take 6.4 s.
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn bandwidth_is_what_was_asked_for() {
    for direction in [Direction::Upstream, Direction::Downstream] {
        let (_server, proxy) = echo();
        let client = connect(&proxy);
        proxy.set(bandwidth(direction, 100_000));
        let took = time_for(&client, 20_000);
        assert!(took >= Duration::from_millis(180), "{took:?} for 200 ms of bytes");
    }
}

#[test]
fn healing_frees_what_was_slow() {
    let (_server, proxy) = echo();
    let mut client = connect(&proxy);
    proxy.set(latency(Direction::Downstream, 3_600_000));
    client.send().unwrap();
    client.hears_nothing();
    proxy.heal();
    client.answer().unwrap();

    // A minute's worth, and a client waits ten seconds for each byte.
    let minute = [1; 60];
    proxy.set(bandwidth(Direction::Upstream, 1));
    client.stream.write_all(&minute).unwrap();
    proxy.heal();
    let began = Instant::now();
    client.stream.read_exact(&mut [0; 60]).unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
}
