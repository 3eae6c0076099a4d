//! Runs the program as a user does.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

use floodway_test_support::Postgres;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-pool-aware"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("starts")
}

fn check_said(bytes: &[u8], parts: &[&str]) {
    let said = String::from_utf8_lossy(bytes);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
    assert!(!said.contains('\u{1b}'), "control sequences without a terminal");
}

/// Short loads: what the figures are depends on the machine, that they are there does not.
fn check_compared(more: &[&str]) -> Vec<serde_json::Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let (json, charts) = (path("report.json"), path("charts"));
    let arguments = ["--load", "0.5x,8x", "--seconds", "0.5", "--two-connections", "10"];
    let files = ["--json", &json, "--svg", &charts];
    let output = run(&[&arguments[..], &files, more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check_said(
        &output.stdout,
        &["0.5x", "8x", "plain pool", "PoolLimiter", "behind a PoolLimiter"],
    );
    let report = fs::read(json).expect("the report is written");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    let points = report["points"].as_array().expect("a list");
    assert_eq!(points.len(), 4);
    for point in points {
        assert_eq!(point["failed"], 0, "{point}");
    }
    // What the plain pool makes of eight times its load may well be nothing.
    let limited = &points[3];
    assert_eq!(limited["service"], "limited");
    assert!(limited["goodput_rps"].as_f64().expect("a number") > 0.0, "{limited}");
    assert!(!limited["refused"].as_object().expect("by cause").is_empty(), "{limited}");
    for name in ["goodput.svg", "latency.svg"] {
        let svg = fs::read_to_string(folder.path().join("charts").join(name)).expect("drawn");
        assert!(svg.contains("<svg") && svg.contains("PoolLimiter"), "{name}");
    }
    points.clone()
}

#[test]
fn sqlite_is_compared() {
    for point in check_compared(&[]) {
        // The limiter never interrupts the pool, which so keeps its connections.
        assert!(point["service"] == "plain" || point["connections_opened"] == 0, "{point}");
    }
}

#[test]
fn postgres_is_compared() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    check_compared(&["--database-url", &postgres.url()]);
}

#[test]
fn what_the_user_did_wrong_is_named_with_the_value() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    for (arguments, parts) in [
        (&["--load", "none"][..], &["--load", "'none'"][..]),
        (&["--svg", "charts", "--load", "2x"], &["--svg", "--load"]),
        (&["--json", "/nowhere/report.json"], &["--json /nowhere/report.json: "]),
        (&["--serve", "--port", &port], &["--port ", &port, "cannot listen"]),
        (&["--database-url", "nonsense"], &["--database-url nonsense: ", "postgres://"]),
        (
            &["--database-url", "mysql://me:secret@host/shop"],
            &["--database-url mysql://me@host/shop: ", "\"mysql\""],
        ),
        (
            &["--database-url", "postgres://me:secret@127.0.0.1:1/shop"],
            &["--database-url postgres://me@127.0.0.1:1/shop: cannot connect: "],
        ),
    ] {
        let output = run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        check_said(&output.stderr, parts);
    }
}

/// A failed test leaves no process behind.
struct Running(Child);

impl Running {
    fn interrupt(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("installed").success());
        self.0.wait().expect("ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_route_is_served_until_ctrl_c() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = command(&["--serve"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().expect("piped")).lines();
    let line = lines.next().expect("the URLs are printed").expect("text");
    let address = line.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let address = address.expect("an address");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).expect("the service listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    };
    // The sum of 1 to 20,000, once and twice.
    for (path, parts) in [
        ("/report", &["200 OK", "200010000\n"][..]),
        ("/audit", &["200 OK", "200010000\n200010000\n"]),
        ("/metrics", &["200 OK", "floodway_pool_limit", "reports-db"]),
    ] {
        check_said(get(path).as_bytes(), parts);
    }
    assert_eq!(running.interrupt(), Some(0));
    let left = fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(left, 0, "the database is still there");
}

#[test]
fn ctrl_c_ends_a_comparison_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = command(&["--seconds", "600"])
        .env("TMPDIR", folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stderr.take().expect("piped")).lines();
    let line = lines.next().expect("the capacity is told").expect("text");
    assert!(line.contains("requests/s"), "{line}");
    assert_eq!(running.interrupt(), Some(130));
    let left = fs::read_dir(folder.path()).expect("readable").count();
    assert_eq!(left, 0, "the database is still there");
}
