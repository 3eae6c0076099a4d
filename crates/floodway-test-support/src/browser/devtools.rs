//! The connection to a page of Chromium: questions, answers, and the events between them.
//!
//! The protocol: <https://chromedevtools.github.io/devtools-protocol/>.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::observed::Observed;
use crate::process::pause;

/// For an answer: a machine that is busy with compilers is slow to draw.
const PATIENCE: Duration = Duration::from_secs(60);

/// 4 s until there is a page, which comes soon after the port.
const LOOKS_UNTIL_PAGE: u32 = 200;

/// What the page tells of itself only if asked to.
const DOMAINS: [&str; 4] = ["Page.enable", "Runtime.enable", "Network.enable", "Log.enable"];

#[derive(Debug)]
pub(super) struct DevTools {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    observed: Observed,
}

impl DevTools {
    /// Connects to the page of the browser that listens at `address`.
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let url = page(address)?;
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let (socket, _) = tungstenite::client(url, stream).context("no WebSocket")?;
        let mut devtools = Self { socket, last_id: 0, observed: Observed::default() };
        for domain in DOMAINS {
            devtools.call(domain, json!({}))?;
        }
        Ok(devtools)
    }

    /// Asks, and waits for the answer; events that come before it are taken note of.
    pub(super) fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.last_id += 1;
        let question = json!({ "id": self.last_id, "method": method, "params": parameters });
        self.socket.send(Message::text(question.to_string()))?;
        loop {
            let message = self.socket.read().with_context(|| format!("no answer to {method}"))?;
            // Pings and the like are the library's to answer.
            let Message::Text(text) = message else {
                continue;
            };
            let mut message: Value = serde_json::from_str(&text)?;
            if message["id"] != self.last_id {
                self.observed.note(&message);
                continue;
            }
            if let Some(error) = message.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(message["result"].take());
        }
    }

    pub(super) fn observed(&self) -> &Observed {
        &self.observed
    }
}

/// The URL of the WebSocket of the only page.
fn page(address: SocketAddr) -> Result<String> {
    let http = Client::builder().timeout(PATIENCE).no_proxy().build()?;
    for _ in 0..LOOKS_UNTIL_PAGE {
        let targets: Value = http.get(format!("http://{address}/json/list")).send()?.json()?;
        let targets = targets.as_array().context("no list of pages")?;
        let page = targets.iter().find(|target| target["type"] == "page");
        if let Some(url) = page.and_then(|page| page["webSocketDebuggerUrl"].as_str()) {
            return Ok(url.to_owned());
        }
        pause();
    }
    bail!("the browser has no page");
}
