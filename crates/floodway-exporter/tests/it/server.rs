//! How the pages are served.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use floodway_exporter::{Exporter, ServeError, Token};
use floodway_metrics::{
    Collector, ComponentKind, Registry, Source, catalogue::exporter as catalogue,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;

use crate::support::{LOCAL, exchange, get, limiter};

#[tokio::test]
async fn a_server_of_its_own_serves_refuses_a_used_port_and_stops() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let exporter = Exporter::new(&registry);
    let server = exporter.serve(LOCAL).await.unwrap();
    let addr = server.local_addr();

    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("floodway_limiter_limit{limiter=\"orders\"} 3\n"), "{response}");

    let taken = exporter.serve(addr).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("cannot serve metrics on {addr}"));
    let ServeError::Bind { source, .. } = taken else { panic!("{taken}") };
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);

    server.shutdown().await;
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_component_that_panics_is_a_failed_scrape() {
    struct Broken;
    impl Source for Broken {
        fn collect(&self, _: &mut Collector) {
            panic!("on purpose");
        }
    }
    let registry = Registry::new();
    let broken: Arc<dyn Source> = Arc::new(Broken);
    registry.register(ComponentKind::Limiter, "broken", &broken).unwrap();
    let app: Router = floodway_exporter::routes(&registry);
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 500);
}

#[tokio::test]
async fn only_loopback_is_served_to_everybody_unless_told_otherwise() {
    let exporter = Exporter::new(&Registry::new());
    let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    let refused = exporter.serve(everywhere).await.unwrap_err();
    assert!(matches!(refused, ServeError::Remote { addr } if addr == everywhere), "{refused}");
    assert!(refused.to_string().starts_with("addr: 0.0.0.0:0 is no loopback address"));
    let token = Token::new("0123456789abcdef").unwrap();
    exporter.clone().with_token(token).serve(everywhere).await.unwrap().shutdown().await;
    exporter.allow_remote().serve(everywhere).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn numbers_are_shown_to_those_with_the_token() {
    let registry = Registry::new();
    let _limiter = limiter(&registry, "orders").build().unwrap();
    let exporter = Exporter::new(&registry).with_token(Token::new("0123456789abcdef").unwrap());
    let server = exporter.serve(LOCAL).await.unwrap();
    let addr = server.local_addr();
    for path in ["/metrics", "/floodway/data"] {
        for headers in [
            "",
            "Authorization: Bearer 0123456789abcdeX\r\n",
            "Authorization: Bearer 0123456789abcdef0\r\n",
            "Authorization: Basic 0123456789abcdef\r\n",
            "Authorization: Bearer\r\n",
        ] {
            let answer = get(addr, path, headers).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path} {headers}{answer}");
            assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
            assert!(!answer.contains("orders"), "{answer}");
        }
        let answer = get(addr, path, "authorization: bearer 0123456789abcdef\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("orders"), "{answer}");
    }
    // What a browser shows before somebody has entered the token.
    assert!(get(addr, "/floodway", "").await.starts_with("HTTP/1.1 200 "));
    let refused = registry.snapshot().number(&catalogue::REFUSED, &["unauthorized"]);
    assert_eq!(refused, Some(10.0));
    assert!(!format!("{exporter:?}").contains("0123456789abcdef"), "secrets are not printed");
}

#[test]
fn a_token_that_is_none_is_refused() {
    let check = |secret: &str, message: &str| {
        assert_eq!(Token::new(secret).unwrap_err().to_string(), message);
    };
    check(
        "short",
        "token: 5 characters are out of range, expected 16 to 512; `openssl rand -hex 32` makes one",
    );
    check(
        "0123456789abcde\n",
        "token: character 15 is not allowed, expected letters, digits and - . _ ~ + / =",
    );
}

/// Slow clients: they send a byte of a header now and then, or nothing, and as many of them as the
/// server takes connections. Everybody else waits for five seconds at most. Real time, because the
/// sockets are real.
#[tokio::test]
async fn slow_clients_cannot_hold_it() {
    let exporter = Exporter::new(&Registry::new());
    let server = exporter.serve(LOCAL).await.unwrap();
    let addr = server.local_addr();
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(8), get(addr, "/metrics", "")).await;
    assert!(answer.expect("in time").starts_with("HTTP/1.1 200 "));
    let mut rest = Vec::new();
    // Either way of ending is the end.
    let _ = slow[0].read_to_end(&mut rest).await;
    let said = String::from_utf8_lossy(&rest);
    assert!(rest.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let server = Exporter::new(&Registry::new()).serve(LOCAL).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(32 * 1024));
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    // The server may hang up before it has read all of it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let server = Exporter::new(&Registry::new()).serve(LOCAL).await.unwrap();
    let twice = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    let answer = exchange(server.local_addr(), &twice).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[tokio::test]
async fn the_bare_address_leads_to_the_status_page() {
    let server = Exporter::new(&Registry::new()).serve(LOCAL).await.unwrap();
    let answer = get(server.local_addr(), "/", "").await;
    assert!(answer.contains("location: floodway\r\n"), "{answer}");
}

/// Real time, because the sockets are real.
#[tokio::test]
async fn slow_clients_do_not_hold_up_the_end() {
    let server = Exporter::new(&Registry::new()).serve(LOCAL).await.unwrap();
    let addr = server.local_addr();
    let mut slow = Vec::new();
    for _ in 0..70 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    // Until all places are taken.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stopped = tokio::time::timeout(Duration::from_secs(3), server.shutdown()).await;
    assert!(stopped.is_ok());
    assert!(TcpStream::connect(addr).await.is_err());
}
