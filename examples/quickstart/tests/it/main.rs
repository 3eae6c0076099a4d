//! The quickstart works, and it is what the README shows.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Barrier},
    thread,
};

/// Stops the service when the test ends, however it does.
struct Service(Child, String);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> Service {
    let mut child = Command::new(env!("CARGO_BIN_EXE_floodway-quickstart"))
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("prints its address");
    let address = line.trim_start_matches("http://").split('/').next().expect("an address");
    let address = address.to_owned();
    Service(child, address)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("asks");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("answers");
    response
}

#[test]
fn the_excess_is_refused_and_the_page_says_so() {
    let service = start();
    let start_line = Arc::new(Barrier::new(60));
    let clients: Vec<_> = (0..60)
        .map(|_| {
            let (address, start_line) = (service.1.clone(), Arc::clone(&start_line));
            thread::spawn(move || {
                start_line.wait();
                get(&address, "/report")
            })
        })
        .collect();
    let responses: Vec<_> =
        clients.into_iter().map(|client| client.join().expect("ends")).collect();
    let count = |status: &str| responses.iter().filter(|one| one.starts_with(status)).count();
    let (served, refused) = (count("HTTP/1.1 200"), count("HTTP/1.1 503"));
    assert_eq!(served + refused, 60);
    // Sixty at once for eight permits and sixteen places. On a slow machine they arrive spread out
    // and more get through.
    assert!(served >= 8 && refused > 0, "{served} served, {refused} refused");
    let refusal = responses.iter().find(|one| one.starts_with("HTTP/1.1 503")).expect("refused");
    // A second while nothing is known about the rate, a few milliseconds later, rounded up.
    let after = ["1", "2"].map(|seconds| refusal.contains(&format!("retry-after: {seconds}\r\n")));
    assert!(after.contains(&true), "{refusal}");
    let page = get(&service.1, "/metrics");
    let completed = format!("outcome=\"success\"}} {served}\n");
    assert!(page.contains(&completed), "{page}");
    assert!(page.contains("floodway_limiter_in_flight{limiter=\"reports\"} 0\n"), "{page}");
}

#[test]
fn the_readme_shows_this_code() {
    let readme = include_str!("../../../../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(include_str!("../../src/main.rs")));
    assert!(include_str!("../../src/main.rs").lines().count() < 60);
}
