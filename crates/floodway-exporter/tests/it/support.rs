//! What the tests of this crate share.

use std::net::{Ipv4Addr, SocketAddr};

use floodway::{Limiter, LimiterBuilder};
use floodway_metrics::Registry;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A token that is long enough.
pub(crate) const SECRET: &str = "0123456789abcdef";

pub(crate) fn limiter(registry: &Registry, name: &str) -> LimiterBuilder {
    Limiter::builder(name).limit(3).registry(registry)
}

/// The answer to `request`, head and body.
pub(crate) async fn exchange(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The answer to `GET path` with further header lines.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &str) -> String {
    exchange(addr, &format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n")).await
}

/// The answer to `POST path` with a JSON body.
pub(crate) async fn post(addr: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    exchange(addr, &(head + body)).await
}

/// The body of an answer as JSON.
pub(crate) fn json(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}
