//! A Chromium of one test's own, with one page, driven over the `DevTools` protocol.

mod devtools;
mod observed;

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use self::devtools::DevTools;
pub use self::observed::Message;
use crate::{
    binary,
    process::{Server, pause},
    requirement,
};

/// Whatever the distribution calls it.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "chromium-headless-shell"];

/// Without a window, and without the services that a browser of a person starts. Without a sandbox,
/// because tests run as root in containers; they open pages of this project only.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Containers have little shared memory.
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-proxy-server",
    "--remote-debugging-port=0",
];

/// A running browser with one page.
///
/// It is stopped on drop, and its profile is removed.
#[derive(Debug)]
#[must_use = "the browser stops when this is dropped"]
pub struct Browser {
    devtools: DevTools,
    // Declared before the folder, so that the browser is gone when its files go.
    server: Server,
    folder: TempDir,
}

impl Browser {
    /// Starts a browser with an empty page; `None`, after saying so, if there is no Chromium.
    ///
    /// # Panics
    ///
    /// If Chromium is not installed and [`required`](crate::required), or does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let found = PROGRAMS
            .iter()
            .find_map(|name| binary::folder_in_path(&[name]).map(|folder| folder.join(name)));
        let Some(program) = found else {
            requirement::skip("Chromium is not installed");
            return None;
        };
        Some(Self::launch(&program).unwrap_or_else(|error| panic!("no Chromium: {error:?}")))
    }

    /// Goes to `url`. What the page does then may take its time: see [`wait_for`](Self::wait_for).
    ///
    /// # Errors
    ///
    /// If there is nothing to show, with what the browser says.
    pub fn open(&mut self, url: &str) -> Result<()> {
        let answer = self.devtools.call("Page.navigate", json!({ "url": url }))?;
        match answer["errorText"].as_str() {
            None => Ok(()),
            Some(error) => bail!("{url}: {error}"),
        }
    }

    /// The value of a JavaScript expression in the page; of a promise, what becomes of it.
    ///
    /// # Errors
    ///
    /// If it throws, with what it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.devtools.call("Runtime.evaluate", parameters)?;
        match observed::thrown(&answer["exceptionDetails"]) {
            None => Ok(answer["result"]["value"].take()),
            Some(thrown) => Err(anyhow!("{expression}: {thrown}")),
        }
    }

    /// Waits until `expression`, or what its promise becomes, is true, which an error is not.
    ///
    /// # Errors
    ///
    /// With its last value, if it is not within `patience`.
    pub fn wait_for(&mut self, expression: &str, patience: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            // A page that is just being replaced has no context to evaluate anything in.
            let last = self.evaluate(&format!("(async () => Boolean(await ({expression})))()"));
            if let Ok(Value::Bool(true)) = last {
                return Ok(());
            }
            if began.elapsed() >= patience {
                bail!("not within {patience:?}: {expression} ({last:?})");
            }
            pause();
        }
    }

    /// What the page and the browser have said so far on the console, exceptions included.
    ///
    /// # Errors
    ///
    /// If the browser is gone.
    pub fn messages(&mut self) -> Result<Vec<Message>> {
        self.catch_up()?;
        Ok(self.devtools.observed().messages.clone())
    }

    /// The URL of everything that the page has asked for so far, itself included.
    ///
    /// # Errors
    ///
    /// If the browser is gone.
    pub fn requests(&mut self) -> Result<Vec<String>> {
        self.catch_up()?;
        Ok(self.devtools.observed().requests.clone())
    }

    /// Makes the page so large, in CSS pixels; below 600 wide it is a telephone's.
    ///
    /// # Errors
    ///
    /// If the browser is gone.
    pub fn set_viewport(&mut self, width: u32, height: u32) -> Result<()> {
        let mobile = width < 600;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools.call("Emulation.setDeviceMetricsOverride", metrics).map(drop)
    }

    /// What the page is told that its reader prefers: `light` or `dark`.
    ///
    /// # Errors
    ///
    /// If the browser is gone.
    pub fn set_color_scheme(&mut self, scheme: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools.call("Emulation.setEmulatedMedia", json!({ "features": features })).map(drop)
    }

    /// A picture of what is in the viewport, as PNG.
    ///
    /// # Errors
    ///
    /// If the browser is gone.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let answer = self.devtools.call("Page.captureScreenshot", json!({ "format": "png" }))?;
        let data = answer["data"].as_str().context("no picture")?;
        Ok(BASE64_STANDARD.decode(data)?)
    }

    /// The browser's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The folder with everything that it writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Events come before the answer to a later question, and are read while waiting for one.
    fn catch_up(&mut self) -> Result<()> {
        self.evaluate("0").map(drop)
    }

    fn launch(program: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodway-chromium-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        let mut server = Server::spawn(command(program, folder.path())?)?;
        let profile = folder.path().join("profile");
        if !server.wait_until(|_| port(&profile).is_some())? {
            let log = fs::read(folder.path().join("log")).unwrap_or_default();
            bail!("it ended or does not listen:\n{}", String::from_utf8_lossy(&log));
        }
        let port = port(&profile).context("the port was written")?;
        let devtools = DevTools::connect((Ipv4Addr::LOCALHOST, port).into())?;
        Ok(Self { devtools, server, folder })
    }
}

/// Where it listens, which it chose itself and wrote down; `None` before that.
fn port(profile: &Path) -> Option<u16> {
    let text = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
    // The second line, the path, is written last.
    let (port, _) = text.split_once('\n')?;
    port.parse().ok()
}

fn command(program: &Path, folder: &Path) -> Result<Command> {
    let log = File::create(folder.join("log")).context("cannot create the log of Chromium")?;
    let same_log = log.try_clone().context("cannot share the log of Chromium")?;
    let mut command = Command::new(program);
    command
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(same_log);
    Ok(command)
}
