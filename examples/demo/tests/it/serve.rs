//! `--serve`: the protected service, without load.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use floodway_test_support::Postgres;

use crate::demo::Running;

/// Status and body of an answer.
fn exchange(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let status = answer[9..12].parse().expect("a status");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    (status, body.to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n"))
}

fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    )
}

fn check(answer: &(u16, String), status: u16, parts: &[&str]) {
    assert_eq!(answer.0, status, "{}", answer.1);
    for part in parts {
        assert!(answer.1.contains(part), "{part:?} is not in:\n{}", answer.1);
    }
}

#[test]
fn sqlite() {
    check_every_route(&[]);
}

#[test]
fn postgres() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    check_every_route(&["--database-url", &postgres.url()]);
}

/// Every route answers, and names what is wrong.
fn check_every_route(more: &[&str]) {
    let mut demo = Running::start(&[&["--serve", "--orders", "2000"], more].concat());
    let address = &demo.address();

    let order = r#"{"customer_id":1,"product_id":2,"month":3,"quantity":4,"unit_price_cents":5}"#;
    check(&post(address, "/orders", order), 201, &[r#"{"id":2001}"#]);
    check(&get(address, "/orders/2001"), 200, &[r#""quantity":4"#]);
    check(&get(address, "/customers/1/summary"), 200, &["\"months\"", "\"top_products\""]);
    // The carrier fails now and then, and a busy machine may be late: what a page is for.
    check(&get(address, "/customers/1/page"), 200, &["\"customer_id\":1", "\"parcels\":["]);
    check(&get(address, "/"), 307, &[]);
    check(&get(address, "/floodway"), 200, &["<title>Floodway</title>"]);

    let (two, none) = (format!("[{order},{order}]"), "[]");
    check(&post(address, "/orders/bulk", &two), 201, &[r#"{"id":2002}"#, r#"{"id":2003}"#]);
    let wrong = format!("[{order},{}]", order.replace('4', "5000"));
    check(&post(address, "/orders/bulk", &wrong), 400, &[r#""field":"quantity""#, "5000"]);
    check(&post(address, "/orders/bulk", none), 400, &[r#""field":"orders""#, r#""value":0"#]);

    check(&post(address, "/orders", r#"{"customer_id":"#), 400, &["\"malformed\""]);
    check(&post(address, "/orders", r#"{"customer_id":1}"#), 400, &["missing field", "product_id"]);
    let without_number = order.replace('4', r#""four""#);
    check(&post(address, "/orders", &without_number), 400, &["quantity", "four"]);
    let too_many = order.replace('4', "4000");
    check(&post(address, "/orders", &too_many), 400, &[r#""field":"quantity""#, r#""value":4000"#]);
    check(&get(address, "/orders/7000"), 404, &["order 7000"]);
    check(&get(address, "/orders/first"), 400, &["first"]);
    check(&get(address, "/customers/7000/summary"), 404, &["customer 7000"]);
    check(&get(address, "/customers/first/page"), 400, &["first"]);

    check(
        &get(address, "/metrics"),
        200,
        &[
            r#"floodway_limiter_limit{limiter="orders-http"} 7"#,
            "orders-db",
            r#"floodway_batcher_items_total{batcher="orders",outcome="ok"} 3"#,
            "demo_pool_timeouts_total 0",
            r#"floodway_limiter_keys{limiter="page-customers"} 1"#,
            r#"floodway_limiter_limit{limiter="carrier-http"} 16"#,
            r#"floodway_pool_connect_failures_total{pool="carrier-http"} 0"#,
            r#"floodway_fan_out_items_processed_total{fan_out="bulk-checks",outcome="ok"} 4"#,
            "page-lookups",
            "page-partners",
        ],
    );

    demo.interrupt();
    let (code, _) = demo.end();
    assert_eq!(code, Some(0));
}
