//! Runs the program as a user does.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-scatter-gather"));
    command.args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn every_round_shows_what_came_and_what_did_not() {
    let output = command(&["--rounds", "3"]).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for part in [
        "Ada Lovelace",
        "cancelled while running: the deadline passed",
        "Page 3: ",
        "the fan-out ended because: the deadline passed",
        "Recommendations are missing",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn wrong_values_are_named_with_their_option() {
    for (arguments, part) in [(&["--rounds", "0"][..], "--rounds"), (&["--port", "1"], "--serve")] {
        let output = command(arguments).output().expect("starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{said}");
    }
}

/// Stops the service when the test ends, however it does.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("asks");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answers");
    response
}

#[test]
fn the_page_and_its_metrics_are_served() {
    let child = command(&["--serve"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut service = Service(child);
    let mut line = String::new();
    let stdout = service.0.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("prints its address");
    let address = line.trim_start_matches("http://").split('/').next().expect("an address");

    let page = get(address, "/");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("looms &amp; punched cards"), "{page}");
    assert!(page.contains("Recommendations are missing: they took too long."), "{page}");

    let metrics = get(address, "/metrics");
    for line in [
        r#"floodway_fan_out_calls_total{fan_out="dashboard",outcome="error"} 1"#,
        r#"floodway_fan_out_items_processed_total{fan_out="dashboard",outcome="cancelled"} 1"#,
        r#"floodway_fan_out_items_processed_total{fan_out="dashboard",outcome="ok"} 3"#,
        r#"floodway_fan_out_retries_total{fan_out="dashboard"} 1"#,
        r#"floodway_limiter_in_flight{limiter="services"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
}
