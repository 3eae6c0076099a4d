//! One run of the demo from the beginning to the end.

mod serve;

use std::{
    fs::{self, OpenOptions},
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use anyhow::{Context, Result};
use floodway_exporter::{Exporter, Token};
use floodway_metrics::Registry;
use tokio::{net::TcpSocket, runtime::Handle};

use crate::{
    arguments::{Arguments, ROUNDS},
    arm::Arm,
    database::Database,
    inserts,
    load::{Client, OpenLoop, Phase, closed_loop},
    report::{self, OVERLOAD, OVERLOAD_FACTOR, RECOVERY, Report, STEADY},
    server::{Extras, Server},
    stop::Stop,
};

/// Well within what the service can do.
const STEADY_FACTOR: f64 = 0.5;

/// A service so slow that nothing can be measured is offered at least this many requests per
/// second: arrivals need a rate.
const MIN_RATE: f64 = 1.0;

/// Runs the demo; `server` are the threads of the services. Leaves nothing behind, also when it
/// fails or is stopped.
pub(crate) async fn run(arguments: &Arguments, server: &Handle, stop: &Stop) -> Result<()> {
    let listener = listen(arguments.port)?;
    let control_token = control_token(arguments)?;
    if let Some(path) = &arguments.json {
        check_writable(path)?;
    }
    let exporter = Exporter::new(Registry::global()).with_facade()?;
    let database = Database::create(arguments.database_url.as_deref()).await?;
    let demo =
        Demo { arguments, server, stop, listener, control_token, exporter, database: &database };
    let outcome = demo.run().await;
    let removed = database.remove().await;
    outcome.and(removed)
}

/// Connections that may wait to be accepted. The standard library's 128 overflow when thousands of
/// requests need new connections at once, and each that is dropped comes back a second later.
const BACKLOG: u32 = 4_096;

/// Listens before anything else, so that a port in use is known at once; both services use it.
fn listen(port: Option<u16>) -> Result<TcpListener> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)).into())?;
        socket.listen(BACKLOG)?.into_std()
    };
    listen().with_context(|| match port {
        Some(port) => format!("--port {port}: cannot listen on 127.0.0.1:{port}"),
        None => "no free port on 127.0.0.1".to_owned(),
    })
}

/// Read before anything begins, and not by clap, which would repeat what it refuses.
fn control_token(arguments: &Arguments) -> Result<Option<Token>> {
    let token = arguments.control_token.as_deref().map(Token::new);
    token.transpose().context("--control-token")
}

fn check_writable(path: &Path) -> Result<()> {
    // Not truncated: if the run fails, an earlier report is still there.
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)
        .map(drop)
        .with_context(|| format!("--json {}: cannot write", path.display()))
}

struct Demo<'a> {
    arguments: &'a Arguments,
    server: &'a Handle,
    stop: &'a Stop,
    listener: TcpListener,
    control_token: Option<Token>,
    exporter: Exporter,
    database: &'a Database,
}

impl Demo<'_> {
    async fn run(&self) -> Result<()> {
        let orders = self.arguments.orders;
        // Whoever opens it now has it as soon as there is a service: the port is bound already.
        let page = format!("http://{}/floodway", self.listener.local_addr()?);
        if self.arguments.serve {
            println!("{page}");
        } else {
            eprintln!("{page}");
        }
        eprintln!("filling the table with {orders} orders");
        tokio::select! {
            filled = self.database.fill(orders) => filled?,
            () = self.stop.requested() => return Ok(()),
        }
        if self.arguments.serve {
            return self.serve().await;
        }
        let report = self.compare().await?;
        println!("{}", report::table(&report));
        if let Some(inserts) = &report.inserts {
            println!("{}", report::inserts_table(inserts));
        }
        for sentence in report::sentences(&report) {
            println!("{sentence}");
        }
        if let Some(path) = &self.arguments.json {
            let json = serde_json::to_string_pretty(&report)?;
            fs::write(path, json + "\n")
                .with_context(|| format!("--json {}: cannot write", path.display()))?;
        }
        Ok(())
    }

    async fn compare(&self) -> Result<Report> {
        let mut report = Report::default();
        let Some(capacity) = self.capacity().await? else {
            return Ok(report);
        };
        report.add_capacity(capacity);
        // Both services are offered the same, whatever the later measurements say.
        let phases = self.phases(capacity);
        for arm in [Arm::Plain, Arm::Protected] {
            let server = self.start(arm).await?;
            let client = Client::new(server.address())?;
            let open_loop = OpenLoop::new(arm, client, self.stop.clone());
            let measured = open_loop.run(&phases, self.arguments.orders, self.arguments.seed).await;
            report.set(arm, &measured);
            server.stop().await?;
            // Again after each service, because the speed of a shared machine moves within
            // seconds: the goodput of each lies between two measurements.
            match self.capacity().await? {
                Some(capacity) => report.add_capacity(capacity),
                None => return Ok(report),
            }
        }
        self.rounds(&mut report, phases[1]).await?;
        if !self.stop.is_requested() {
            let duration = self.arguments.durations().inserts;
            eprintln!("inserts from {} callers", inserts::CALLERS);
            report.inserts =
                inserts::compare(self.database, self.server, duration, self.stop).await?;
        }
        Ok(report)
    }

    /// Short overloads of the protected service between measurements of the capacity.
    async fn rounds(&self, report: &mut Report, overload: Phase) -> Result<()> {
        let duration = self.arguments.durations().round;
        for round in 1..=ROUNDS as u64 {
            let Some(&before) = report.capacity_samples_rps.last() else {
                return Ok(());
            };
            let server = self.start(Arm::Protected).await?;
            let client = Client::new(server.address())?;
            let open_loop = OpenLoop::new(Arm::Protected, client, self.stop.clone());
            let seed = self.arguments.seed.wrapping_add(round);
            let phase = Phase { duration, ..overload };
            let measured = open_loop.run(&[phase], self.arguments.orders, seed).await;
            server.stop().await?;
            let Some(after) = self.capacity().await? else {
                return Ok(());
            };
            report.add_capacity(after);
            report.add_round((before + after) / 2.0, &measured);
        }
        Ok(())
    }

    /// A service on a pool of its own.
    async fn start(&self, arm: Arm) -> Result<Server> {
        self.start_with(arm, Extras::default()).await
    }

    async fn start_with(&self, arm: Arm, extras: Extras) -> Result<Server> {
        Server::start(
            self.server,
            self.listener.try_clone()?,
            arm,
            self.database.pool(),
            self.database.last_order().await?,
            self.exporter.clone(),
            extras,
        )
        .await
    }

    /// What the plain service can do now; `None` if interrupted.
    async fn capacity(&self) -> Result<Option<f64>> {
        if self.stop.is_requested() {
            return Ok(None);
        }
        let server = self.start(Arm::Plain).await?;
        let client = Client::new(server.address())?;
        let Arguments { orders, seed, .. } = *self.arguments;
        let durations = self.arguments.durations();
        let (warm_up, duration) = (durations.warm_up, durations.capacity);
        let capacity = closed_loop(&client, orders, seed, warm_up, duration, self.stop).await;
        server.stop().await?;
        if let Some(capacity) = capacity {
            eprintln!("capacity of the plain service: {capacity:.0}/s");
        }
        Ok(capacity)
    }

    fn phases(&self, capacity: f64) -> [Phase; 3] {
        let durations = self.arguments.durations();
        let phase = |name, duration, factor: f64| Phase {
            name,
            duration,
            rate: (factor * capacity).max(MIN_RATE),
        };
        [
            phase(STEADY, durations.steady, STEADY_FACTOR),
            phase(OVERLOAD, durations.overload, OVERLOAD_FACTOR),
            phase(RECOVERY, durations.recovery, STEADY_FACTOR),
        ]
    }
}
