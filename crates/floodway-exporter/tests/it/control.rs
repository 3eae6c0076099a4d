//! Changing limiters from the status page.

use floodway::Mode;
use floodway_exporter::{Controls, Exporter, Token};
use floodway_metrics::{Registry, catalogue::exporter as catalogue};

use crate::support::{LOCAL, SECRET, exchange, get, json, limiter, post};

const AUTHORIZED: &str = "Authorization: Bearer 0123456789abcdef\r\n";

#[tokio::test]
async fn a_limit_and_a_mode_can_be_changed_by_those_with_the_token() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").bounds(1..=9).build().unwrap();
    let other = limiter(&registry, "other").build().unwrap();
    let controls = Controls::new(Token::new(SECRET).unwrap()).limiter(orders.handle());
    let exporter = Exporter::new(&registry).with_controls(controls).unwrap();
    let server = exporter.serve(LOCAL).await.unwrap();
    let addr = server.local_addr();
    let path = "/floodway/control";

    let data = json(&get(addr, "/floodway/data", "").await);
    assert_eq!(data["control"], true);
    let range = serde_json::json!({ "min": 1, "max": 9 });
    assert_eq!(data["limiters"][0]["adjustable"], range, "{data}");
    assert_eq!(data["limiters"][1]["adjustable"], serde_json::Value::Null, "{data}");

    let answer = post(addr, path, AUTHORIZED, r#"{"limiter":"orders","limit":7}"#).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let now = serde_json::json!({ "limiter": "orders", "limit": 7, "mode": "enforce" });
    assert_eq!((json(&answer), orders.limit()), (now, 7));
    post(addr, path, AUTHORIZED, r#"{"limiter":"orders","mode":"shadow"}"#).await;
    assert_eq!(orders.handle().mode(), Mode::Shadow);

    let refused = |status: u16, headers: &'static str, body: String, text: &'static str| async move {
        let answer = post(addr, path, headers, &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body}: {answer}");
        let error = json(&answer)["error"].as_str().unwrap().to_owned();
        assert!(error.contains(text), "{error}");
    };
    let change = || r#"{"limiter":"orders","limit":5}"#.to_owned();
    refused(401, "", change(), "missing or wrong").await;
    refused(401, "Authorization: Bearer 0123456789abcdee\r\n", change(), "missing or wrong").await;
    let body = r#"{"limiter":"orders","limit":10}"#.to_owned();
    refused(400, AUTHORIZED, body, "limit: 10 is out of bounds, expected 1 to 9").await;
    let body = r#"{"limiter":"orders","mode":"on"}"#.to_owned();
    refused(400, AUTHORIZED, body, "mode: \"on\" is unknown").await;
    let body = r#"{"limiter":"orders","limit":5,"mode":"off"}"#.to_owned();
    refused(400, AUTHORIZED, body, "one of limit and mode").await;
    refused(400, AUTHORIZED, r#"{"limiter":"orders"}"#.to_owned(), "one of limit and mode").await;
    refused(400, AUTHORIZED, r#"{"limiter":"orders","limt":5}"#.to_owned(), "limt").await;
    refused(400, AUTHORIZED, r#"{"limiter":"orders","limit":-1}"#.to_owned(), "-1").await;
    refused(400, AUTHORIZED, "{".to_owned(), "JSON").await;
    refused(404, AUTHORIZED, r#"{"limiter":"other","limit":5}"#.to_owned(), "\"other\"").await;
    let long = format!(r#"{{"limiter":"{}","limit":5}}"#, "x".repeat(64 * 1024));
    refused(413, AUTHORIZED, long, "limit").await;

    // Nothing changes by looking.
    let answer = get(addr, "/floodway/control?limiter=orders&limit=5", AUTHORIZED).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    let plain = "POST /floodway/control HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n\
                 Content-Length: 30\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n\
                 {\"limiter\":\"orders\",\"limit\":5}";
    let answer = exchange(addr, plain).await;
    assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
    assert_eq!((orders.limit(), other.limit()), (7, 3));

    let count = |reason| registry.snapshot().number(&catalogue::REFUSED, &[reason]);
    assert_eq!(count("unauthorized"), Some(2.0));
    assert_eq!(count("too_large"), Some(1.0));
    assert_eq!(count("invalid"), Some(9.0));
}

#[tokio::test]
async fn nothing_can_be_changed_unless_the_application_says_so() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").build().unwrap();
    let server = Exporter::new(&registry).serve(LOCAL).await.unwrap();
    let addr = server.local_addr();
    let answer =
        post(addr, "/floodway/control", AUTHORIZED, r#"{"limiter":"orders","limit":2}"#).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(json(&answer)["error"].as_str().unwrap().contains("has not enabled it"));
    assert_eq!(json(&get(addr, "/floodway/data", "").await)["control"], false);
    assert_eq!(orders.limit(), 3);
}

#[tokio::test]
async fn the_application_says_how_far() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").build().unwrap();
    let controls = Controls::new(Token::new(SECRET).unwrap());
    let controls = controls.limiter_within(orders.handle(), 2..=6);
    let exporter = Exporter::new(&registry).with_controls(controls).unwrap();
    let server = exporter.serve(LOCAL).await.unwrap();
    let set = async |limit: u32| {
        let body = format!(r#"{{"limiter":"orders","limit":{limit}}}"#);
        post(server.local_addr(), "/floodway/control", AUTHORIZED, &body).await
    };
    for refused in [1, 7, 1_000] {
        let error = json(&set(refused).await)["error"].as_str().unwrap().to_owned();
        assert_eq!(error, format!("limit: {refused} is out of bounds, expected 2 to 6 here"));
    }
    let before = json(&get(server.local_addr(), "/floodway/data", "").await);
    assert_eq!(before["limiters"][0]["limit"], 3.0);
    assert!(set(6).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(orders.limit(), 6);
    // Who looks next sees it.
    let after = json(&get(server.local_addr(), "/floodway/data", "").await);
    assert_eq!(after["limiters"][0]["limit"], 6.0);
    let range = serde_json::json!({ "min": 2, "max": 6 });
    assert_eq!(after["limiters"][0]["adjustable"], range);
}

#[test]
fn controls_that_cannot_work_are_refused() {
    let registry = Registry::new();
    let orders = limiter(&registry, "orders").build().unwrap();
    let token = || Token::new(SECRET).unwrap();
    let refused = |exporter: Exporter, controls: Controls| {
        exporter.with_controls(controls).unwrap_err().to_string()
    };
    let exporter = || Exporter::new(&registry);
    assert_eq!(
        refused(exporter().with_token(token()), Controls::new(token())),
        "token: the one for changes is the one for looking, expected another"
    );
    let twice = Controls::new(token()).limiter(orders.handle()).limiter(orders.handle());
    assert_eq!(refused(exporter(), twice), "limiter \"orders\" is named twice");
    let none = std::ops::RangeInclusive::new(9, 3);
    let none = Controls::new(token()).limiter_within(orders.handle(), none);
    assert_eq!(refused(exporter(), none), "limits of \"orders\": minimum 9 is above maximum 3");
}
