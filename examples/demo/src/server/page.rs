//! The page of a customer: what the database and the partners have to say, in time or not at all.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail};
use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    routing::get,
};
use floodway::{
    Acquire, AnchoredGradient, Limiter, LimiterBuilder, LimiterMap, Outcome,
    fan_out::{AttemptBudget, FanOutExt, Name, Report, Retry},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{access::Access, answer::Refusal, carrier::Carrier};
use crate::{
    orders,
    partners::{Partner, Partners},
};

/// When the page is sent, whatever is there.
const DEADLINE: Duration = Duration::from_millis(500);

/// Within the deadline, so that a partner that does not answer counts as overloaded.
const PATIENCE: Duration = Duration::from_millis(250);

/// Later than nineteen of twenty answers.
const HEDGE_AFTER: Duration = Duration::from_millis(50);

const ATTEMPTS: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// Parcels and recommendations on a page.
const QUESTIONS_PER_PARTNER: i64 = 3;

/// Of one customer at a time.
const PAGES_PER_CUSTOMER: u32 = 8;

/// Puts pages together. Everything in here is shared by all that are made at the same time.
pub(super) struct Pages {
    access: Arc<Access>,
    partners: Partners,
    carrier: Carrier,
    /// For the recommender.
    http: legacy::Client<HttpConnector, Empty<Bytes>>,
    /// How many questions each partner is asked at a time: found out, because nobody knows.
    limiters: [Limiter; Partner::ALL.len()],
    /// So that one customer in a hurry takes no partner from the others.
    customers: LimiterMap<i64>,
    budget: AttemptBudget,
    lookups: Name,
    questions: Name,
}

/// What is read from the database.
#[derive(Clone, Copy, Debug)]
enum Lookup {
    Summary,
    LatestOrder,
}

const LOOKUPS: [Lookup; 2] = [Lookup::Summary, Lookup::LatestOrder];

/// What a partner is asked: who, and about which number.
type Question = (Partner, i64);

#[derive(Debug, Serialize)]
struct Page {
    customer_id: i64,
    summary: Piece,
    latest_order: Piece,
    parcels: Vec<Piece>,
    recommendations: Vec<Piece>,
}

/// `null` is what did not come in time.
type Piece = Option<Value>;

pub(super) fn route(pages: Pages) -> Router {
    Router::new().route("/customers/{id}/page", get(page)).with_state(Arc::new(pages))
}

async fn page(
    State(pages): State<Arc<Pages>>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Page>, Refusal> {
    let Path(id) = id?;
    let limiter = pages.customers.limiter(&id);
    Ok(Json(limiter.run(pages.gather(id)).await.map_err(Refusal::Rejected)?))
}

impl Pages {
    pub(super) fn new(access: Arc<Access>, partners: Partners) -> Result<Self> {
        // Both limits are found out. The carrier's is not above its connections either.
        let limiter = |partner: Partner| {
            let algorithm = AnchoredGradient::default();
            Limiter::builder(partner.name()).algorithm(algorithm).bounds(1..=64)
        };
        let carrier = Carrier::new(partners.address(Partner::Carrier))?;
        let parcels = limiter(Partner::Carrier).ceiling(carrier.ceiling()).build()?;
        let customer = |_: Option<&i64>, limiter: LimiterBuilder| limiter.limit(PAGES_PER_CUSTOMER);
        Ok(Self {
            access,
            partners,
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            limiters: [parcels, limiter(Partner::Recommender).build()?],
            carrier,
            customers: LimiterMap::builder("page-customers", customer).build()?,
            // One extra attempt for ten questions, and ten beside them: when a partner is down,
            // that is all it gets on top.
            budget: AttemptBudget::new(0.1, 10)?,
            lookups: Name::new("page-lookups")?,
            questions: Name::new("page-partners")?,
        })
    }

    /// Returns within the deadline. What is not there by then is dropped.
    async fn gather(self: Arc<Self>, customer: i64) -> Page {
        let deadline = Instant::now() + DEADLINE;
        let lookups = LOOKUPS
            .fan_out(|lookup| Arc::clone(&self).look_up(lookup, customer))
            .name(&self.lookups)
            .deadline(deadline)
            .in_task()
            .collect();
        // A second question beside a slow one is for partners alone: a busy database is no place
        // for a rival.
        let retry = Retry::up_to(ATTEMPTS)
            .backoff(Duration::from_millis(5), Duration::from_millis(20))
            .hedge_after(HEDGE_AFTER)
            .budget(&self.budget);
        let questions = questions_about(customer)
            .fan_out(|question| Arc::clone(&self).ask(question, deadline))
            .name(&self.questions)
            .attempts(retry)
            .deadline(deadline)
            .in_task()
            .collect();
        let (lookups, questions) = tokio::join!(lookups, questions);
        let (mut lookups, mut questions) = (pieces(lookups), pieces(questions));
        Page {
            customer_id: customer,
            summary: lookups.next().flatten(),
            latest_order: lookups.next().flatten(),
            parcels: questions.by_ref().take(QUESTIONS_PER_PARTNER as usize).collect(),
            recommendations: questions.collect(),
        }
    }

    async fn look_up(self: Arc<Self>, lookup: Lookup, customer: i64) -> Result<Value> {
        let connection = self.access.connection().await;
        let mut connection = connection.map_err(|error| anyhow!("{error:?}"))?;
        Ok(match lookup {
            Lookup::Summary => {
                serde_json::to_value(orders::summary(&mut connection, customer).await?)?
            }
            Lookup::LatestOrder => {
                serde_json::to_value(orders::latest(&mut connection, customer).await?)?
            }
        })
    }

    async fn ask(self: Arc<Self>, (partner, number): Question, deadline: Instant) -> Result<Value> {
        let limiter = &self.limiters[partner as usize];
        let permit = limiter.acquire_with(Acquire::new().deadline(deadline)).await?;
        // Dropped at the deadline, or with an error, the permit says nothing about load.
        match timeout(PATIENCE, self.get(partner, number, deadline)).await {
            Ok(answer) => {
                let answer = answer?;
                permit.complete(Outcome::Success);
                Ok(answer)
            }
            Err(elapsed) => {
                permit.complete(Outcome::Overload);
                Err(elapsed.into())
            }
        }
    }

    async fn get(&self, partner: Partner, number: i64, deadline: Instant) -> Result<Value> {
        match partner {
            Partner::Carrier => self.carrier.ask(number, deadline).await,
            Partner::Recommender => {
                let url = format!("http://{}/{number}", self.partners.address(partner));
                read(self.http.get(url.parse()?).await?).await
            }
        }
    }
}

/// The answer of a partner.
pub(super) async fn read(response: Response<Incoming>) -> Result<Value> {
    if response.status() != StatusCode::OK {
        bail!("a partner answers {}", response.status());
    }
    Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
}

fn questions_about(customer: i64) -> Vec<Question> {
    let numbers = |partner| (1..=QUESTIONS_PER_PARTNER).map(move |n| (partner, 10 * customer + n));
    Partner::ALL.into_iter().flat_map(numbers).collect()
}

/// By index, with a gap for whatever failed.
fn pieces(report: Report<Value, anyhow::Error>) -> impl Iterator<Item = Piece> {
    report.outcomes.into_iter().map(|outcome| outcome.result.ok())
}
