//! An HTTP client that keeps its connections.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    http::uri::{Authority, Scheme},
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{Answer, mix::Call};

/// When a user gives up: well beyond what the bare pool makes anybody wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends requests to one service. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    authority: Authority,
}

/// The part of an error's body that tells errors apart.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    reason: Option<String>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(connector),
            authority: address.to_string().parse()?,
        })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&self, call: Call) -> Answer {
        let exchange = async {
            let response = self.http.request(self.request(call)?).await?;
            answer(response).await
        };
        // What went wrong is not told apart: to the user it is all the same.
        match timeout(TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Answer::Failed,
        }
    }

    fn request(&self, call: Call) -> Result<Request<Full<Bytes>>> {
        let (method, path, body) = match call {
            Call::Summary { customer } => {
                (Method::GET, format!("/customers/{customer}/summary"), Bytes::new())
            }
            Call::Page { customer } => {
                (Method::GET, format!("/customers/{customer}/page"), Bytes::new())
            }
            Call::Find { id } => (Method::GET, format!("/orders/{id}"), Bytes::new()),
            Call::Create(order) => {
                (Method::POST, "/orders".to_owned(), serde_json::to_vec(&order)?.into())
            }
            Call::CreateAll(orders) => {
                (Method::POST, "/orders/bulk".to_owned(), serde_json::to_vec(&orders)?.into())
            }
        };
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()?;
        Ok(Request::builder()
            .method(method)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?)
    }
}

async fn answer(response: Response<Incoming>) -> Result<Answer> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        return Ok(Answer::Success);
    }
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        bail!("{status}");
    }
    let ErrorBody { error, reason } = serde_json::from_slice(&body)?;
    match (error.as_str(), reason) {
        ("rejected", Some(reason)) => Ok(Answer::Rejected { reason }),
        ("pool_timeout", _) => Ok(Answer::PoolTimeout),
        _ => bail!("{status}: {error}"),
    }
}
