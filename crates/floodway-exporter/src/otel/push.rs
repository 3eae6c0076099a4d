//! Sends the metrics every few seconds.

use std::sync::Arc;

use floodway_metrics::Registry;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use prost::Message;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderMap},
};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use super::{
    Otlp, TIMEOUT, message,
    quiet::{Quiet, with_causes},
    signal,
};
use crate::{
    about::About,
    unix_time::{self, nanos},
};

/// Bytes of an answer that are read; a complaint is shorter.
const MAX_ANSWER: usize = 64 * 1024;

impl Otlp {
    /// Sends the numbers of `registry` from now on. Nothing waits for the collector: while it is away
    /// they are read again later, and nothing is lost but the points in between.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn export(self, registry: &Registry) -> Exporting {
        let url = signal(&self.endpoint, "v1/metrics");
        let push = Push {
            registry: registry.clone(),
            about: About::of(registry),
            resource: self.resource,
            client: self.client,
            headers: self.headers,
            quiet: Quiet::new("metrics", url.clone()),
            url,
        };
        let (stop, mut stopped) = oneshot::channel::<()>();
        let period = self.period;
        let task = tokio::spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let often = async {
                loop {
                    ticks.tick().await;
                    push.once().await;
                }
            };
            tokio::select! {
                () = often => {}
                _ = &mut stopped => {}
            }
            // What happened since the last time.
            push.once().await;
        });
        Exporting { stop, task, tracer_provider: self.tracer_provider }
    }
}

/// Metrics and traces are on their way until this is [shut down](Self::shutdown).
///
/// Dropped, it sends the metrics once more and stops; spans that have ended and were not sent yet
/// may be lost.
#[derive(Debug)]
#[must_use = "the export of metrics stops when this is dropped"]
pub struct Exporting {
    /// Dropped, it stops the task as well.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    tracer_provider: SdkTracerProvider,
}

impl Exporting {
    /// Sends the metrics once more and the spans that are left, for ten seconds at most each, and stops.
    ///
    /// Components that have been dropped by then are not among the metrics: keep a clone of what a
    /// router takes along when it ends, or what happened since the last export is missing.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops all the same, and spans that were not sent yet may be lost.
    pub async fn shutdown(self) {
        drop(self.stop);
        // Ends with an error only if its runtime does.
        let _ = self.task.await;
        let provider = self.tracer_provider;
        // Blocks until the thread that sends spans has ended. What goes wrong there is logged there.
        let _ = spawn_blocking(move || provider.shutdown_with_timeout(TIMEOUT)).await;
    }
}

struct Push {
    registry: Registry,
    about: Arc<About>,
    resource: Resource,
    client: Client,
    headers: HeaderMap,
    quiet: Quiet,
    url: String,
}

impl Push {
    async fn once(&self) {
        let result = self.try_once().await;
        self.about.exported(result.is_ok());
        self.quiet.note(&result);
    }

    async fn try_once(&self) -> Result<(), String> {
        let (registry, resource) = (self.registry.clone(), self.resource.clone());
        let encode = move || {
            let now = nanos(unix_time::now());
            message::request(&registry.snapshot(), &resource, now).encode_to_vec()
        };
        let body = spawn_blocking(encode).await.map_err(|_| "a component panicked".to_owned())?;
        let request = self.client.post(&self.url).headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, "application/x-protobuf").timeout(TIMEOUT);
        let sent = request.body(body).send().await;
        let answer = sent.map_err(|error| with_causes(&error))?;
        let mut answer = answer.error_for_status().map_err(|error| error.to_string())?;
        let mut said = Vec::new();
        while said.len() < MAX_ANSWER
            && let Some(part) = answer.chunk().await.map_err(|error| with_causes(&error))?
        {
            said.extend_from_slice(&part);
        }
        // Whatever is not an answer of OTLP has no complaint in it.
        let said = ExportMetricsServiceResponse::decode(&*said).unwrap_or_default();
        match said.partial_success {
            Some(partly) if partly.rejected_data_points > 0 => {
                let (points, why) = (partly.rejected_data_points, partly.error_message);
                Err(format!("the collector rejected {points} data points: {why}"))
            }
            _ => Ok(()),
        }
    }
}
