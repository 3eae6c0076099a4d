//! Chromium shows pages and tells what they do.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    thread,
    time::Duration,
};

use floodway_test_support::{Browser, Message};

const PATIENCE: Duration = Duration::from_secs(30);

const PAGE: &str = "<!doctype html><title>page</title><meta name=viewport content=width=device-width>
<style>body { background: white } @media (prefers-color-scheme: dark) { body { background: black } }</style>
<script>
  console.log('hello', 1);
  console.error('bad');
  setTimeout(() => { document.title = 'later'; throw new Error('unexpected'); }, 50);
</script><img src=missing.png>";

/// A server of one page; everything else is missing. It lives as long as the test's process.
fn serve() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut request = [0; 4_096];
                let length = stream.read(&mut request).unwrap_or(0);
                let (status, body) = match request[..length].starts_with(b"GET / ") {
                    true => ("200 OK", PAGE),
                    false => ("404 Not Found", ""),
                };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
            });
        }
    });
    format!("http://{address}/")
}

fn has(messages: &[Message], level: &str, part: &str) -> bool {
    messages.iter().any(|message| message.level == level && message.text.contains(part))
}

#[test]
fn a_page_is_shown_and_tells_what_it_does() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let url = serve();
    browser.open(&url).unwrap();
    browser.wait_for("document.title == 'later'", PATIENCE).unwrap();
    assert_eq!(
        browser.evaluate("Promise.resolve([1, 'two'])").unwrap(),
        serde_json::json!([1, "two"])
    );
    let error = browser.evaluate("nobody.there").unwrap_err().to_string();
    assert!(error.contains("nobody is not defined"), "{error}");
    browser.wait_for("Promise.resolve(true)", Duration::ZERO).unwrap();
    assert!(browser.wait_for("Promise.resolve(false)", Duration::ZERO).is_err());
    let error = browser.wait_for("document.title == 'never'", Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("never"), "{error}");

    let requests = browser.requests().unwrap();
    assert!(
        requests.contains(&url) && requests.contains(&format!("{url}missing.png")),
        "{requests:?}"
    );
    let messages = browser.messages().unwrap();
    for (level, part) in
        [("log", "hello 1"), ("error", "bad"), ("exception", "unexpected"), ("error", "404")]
    {
        assert!(has(&messages, level, part), "{level} {part:?} is not in {messages:?}");
    }
    assert!(browser.open("http://127.0.0.1:1/").is_err(), "nobody listens there");
}

#[test]
fn the_page_is_as_large_and_as_dark_as_it_should_be() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.open(&serve()).unwrap();
    browser.wait_for("document.title == 'later'", PATIENCE).unwrap();
    browser.set_viewport(390, 844).unwrap();
    browser.wait_for("innerWidth == 390 && innerHeight == 844", PATIENCE).unwrap();
    for (scheme, color) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(0, 0, 0)")] {
        browser.set_color_scheme(scheme).unwrap();
        let background = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        assert_eq!(background.unwrap(), color);
    }
    let picture = browser.screenshot().unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    // Width and height are in the first chunk.
    let size = [390_u32, 844].map(u32::to_be_bytes).concat();
    assert_eq!(picture[16..24], size);
}

#[test]
fn nothing_is_left_of_it() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (pid, folder) = (browser.pid(), browser.folder().to_owned());
    assert!(Path::new(&format!("/proc/{pid}")).exists() && folder.exists());
    drop(browser);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the browser is gone and reaped");
    assert!(!folder.exists(), "the profile is gone");
}
