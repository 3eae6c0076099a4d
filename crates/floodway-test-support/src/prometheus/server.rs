//! A Prometheus server of one test's own, and what it says.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use reqwest::blocking::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, port, process::Server, requirement};

/// How often a port that was taken in the meantime is replaced by another.
const ATTEMPTS: u32 = 5;

/// An answer takes milliseconds; a machine that is busy with compilers takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server with an empty database, on a loopback port of its own, stopped and deleted on
/// drop.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Prometheus {
    // Declared before the folder, so that the server is gone when its files go.
    server: Server,
    port: u16,
    http: Client,
    folder: TempDir,
}

/// One series of an answer: its labels, and its values in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Names and values; empty for a scalar.
    pub labels: BTreeMap<String, String>,
    /// One for an instant query; those that exist for a query over a range.
    pub values: Vec<f64>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// `pending` or `firing`.
    pub state: String,
    /// All labels, the name included.
    pub labels: BTreeMap<String, String>,
}

impl Prometheus {
    /// Starts a server with the configuration `config`, and with `files` (names and contents, such
    /// as those of rules) beside it; `None`, after saying so, if Prometheus is not installed.
    ///
    /// # Panics
    ///
    /// If Prometheus is not installed and [`required`](crate::required), or refuses the
    /// configuration.
    #[must_use]
    pub fn start(config: &str, files: &[(&str, &str)]) -> Option<Self> {
        let Some(programs) = binary::folder_in_path(&["prometheus"]) else {
            requirement::skip("Prometheus is not installed");
            return None;
        };
        let started = Self::launch(&programs.join("prometheus"), config, files);
        Some(started.unwrap_or_else(|error| panic!("Prometheus does not start: {error:?}")))
    }

    /// Where its API and its pages are: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What the server wrote to its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(self.folder.path())
    }

    /// What `expression` is now.
    ///
    /// # Errors
    ///
    /// With what the server says against the expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>> {
        series(&self.get("query", &[("query", expression)])?)
    }

    /// What `expression` was in the time `last`, up to now, once every `step`.
    ///
    /// # Errors
    ///
    /// As for [`query`](Self::query).
    pub fn query_range(
        &self,
        expression: &str,
        last: Duration,
        step: Duration,
    ) -> Result<Vec<Series>> {
        // The server's own clock, which is the one that its samples have.
        let end = self.query("time()")?.first().map_or(0.0, |now| now.values[0]);
        let start = (end - last.as_secs_f64()).to_string();
        let (end, step) = (end.to_string(), step.as_secs_f64().to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        series(&self.get("query_range", &parameters)?)
    }

    /// The alerts that are pending or firing.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn alerts(&self) -> Result<Vec<Alert>> {
        let data = self.get("alerts", &[])?;
        let alerts = data["alerts"].as_array().context("no list of alerts")?;
        let alert = |alert: &Value| -> Result<Alert> {
            let labels = labels(&alert["labels"])?;
            let name = labels.get("alertname").cloned().context("an alert without a name")?;
            let state = alert["state"].as_str().context("an alert without a state")?.to_owned();
            Ok(Alert { name, state, labels })
        };
        alerts.iter().map(alert).collect()
    }

    fn get(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let url = format!("{}/api/v1/{what}", self.url());
        let mut answer: Value = self.http.get(url).query(parameters).send()?.json()?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            // Also refusals are JSON, with a reason.
            _ => Err(anyhow!("{}", answer["error"])),
        }
    }

    fn launch(program: &Path, config: &str, files: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodway-prometheus-")
            .tempdir()
            .context("cannot create a temporary folder")?;
        for (name, content) in files.iter().chain(&[(CONFIG, config)]) {
            fs::write(folder.path().join(name), content)
                .with_context(|| format!("cannot write {name}"))?;
        }
        // No proxy: whatever the environment says, this server is on loopback.
        let http = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        for _ in 0..ATTEMPTS {
            let port = port::free_port();
            let mut server = Server::spawn(command(program, folder.path(), port)?)?;
            if server.wait_until(|_| is_ready(&http, folder.path(), port))? {
                return Ok(Self { server, port, http, folder });
            }
            let log = read_log(folder.path());
            if !log.contains("address already in use") {
                bail!("the server ended or did not become ready; its log:\n{log}");
            }
        }
        bail!("{ATTEMPTS} free ports were taken before the server could listen on them");
    }
}

const CONFIG: &str = "prometheus.yml";

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn read_log(folder: &Path) -> String {
    let bytes = fs::read(folder.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the server serves. Where another one has taken the port, that one answers; so the log has
/// to say it first.
fn is_ready(http: &Client, folder: &Path, port: u16) -> bool {
    let answers = || http.get(format!("{}/-/ready", url(port))).send();
    read_log(folder).contains("Server is ready to receive web requests")
        && answers().is_ok_and(|answer| answer.status().is_success())
}

fn command(program: &Path, folder: &Path, port: u16) -> Result<Command> {
    // A new log for each attempt: what an earlier one said must not count against this one.
    let log = File::create(folder.join("log")).context("cannot create the server's log")?;
    let same_log = log.try_clone().context("cannot share the server's log")?;
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", folder.join(CONFIG).display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(same_log);
    Ok(command)
}

/// The series of an answer, whatever it was a query for.
fn series(data: &Value) -> Result<Vec<Series>> {
    let result = &data["result"];
    if let Some("scalar" | "string") = data["resultType"].as_str() {
        return Ok(vec![Series { labels: BTreeMap::new(), values: vec![value(result)?] }]);
    }
    let one = |series: &Value| -> Result<Series> {
        let values = match series["values"].as_array() {
            Some(values) => values.iter().map(value).collect::<Result<_>>()?,
            None => vec![value(&series["value"])?],
        };
        Ok(Series { labels: labels(&series["metric"])?, values })
    };
    result.as_array().context("no list of series")?.iter().map(one).collect()
}

/// The value of a pair of a time and a value, which is text, because JSON knows no `NaN`.
fn value(pair: &Value) -> Result<f64> {
    let text = pair[1].as_str().with_context(|| format!("{pair} is no sample"))?;
    // Prometheus writes `+Inf` and `NaN`, which Rust reads.
    text.parse().with_context(|| format!("{text:?} is no number"))
}

fn labels(object: &Value) -> Result<BTreeMap<String, String>> {
    let label = |(name, value): (&String, &Value)| {
        let value = value.as_str().with_context(|| format!("label {name} is no text"))?;
        Ok((name.clone(), value.to_owned()))
    };
    object.as_object().context("no labels")?.iter().map(label).collect()
}
