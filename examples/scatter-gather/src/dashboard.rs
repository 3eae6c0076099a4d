//! The page as a fan-out: four calls at once, and what came of them in time.

use std::{num::NonZeroU32, time::Duration};

use anyhow::Result;
use floodway::{
    Limiter,
    fan_out::{AttemptBudget, FanOutExt, Name, Report, Retry},
};
use reqwest::Client;

use crate::services::{Service, Services};

/// When the page is sent, whatever is there.
pub(crate) const DEADLINE: Duration = Duration::from_millis(150);

/// Calls at once, of all pages together: how many connections the services may see.
const CALLS: u32 = 16;

const ATTEMPTS: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// What became of each piece, in the order of [`Service::ALL`].
pub(crate) type Pieces = Report<String, reqwest::Error>;

/// Puts pages together. Everything in here is shared by all pages that are made at the same time.
#[derive(Debug)]
pub(crate) struct Dashboard {
    services: Services,
    client: Client,
    limiter: Limiter,
    name: Name,
    budget: AttemptBudget,
}

impl Dashboard {
    pub(crate) fn new(services: Services) -> Result<Self> {
        Ok(Self {
            services,
            client: Client::new(),
            limiter: Limiter::builder("services").limit(CALLS).build()?,
            name: Name::new("dashboard")?,
            // One extra attempt for every page of four, and four beside them. When a service is
            // down, that is all it gets on top, however many pages are asked for.
            budget: AttemptBudget::new(0.25, 4)?,
        })
    }

    /// Returns within the deadline. A call that is not over by then is dropped, and its connection
    /// with it.
    pub(crate) async fn gather(&self) -> Pieces {
        let retry = Retry::up_to(ATTEMPTS)
            .backoff(Duration::from_millis(10), Duration::from_millis(20))
            .budget(&self.budget)
            .when(|error: &reqwest::Error| error.status().is_some_and(|s| s.is_server_error()));
        Service::ALL
            .fan_out(|service| self.call(service))
            .name(&self.name)
            .limiter(&self.limiter)
            .attempts(retry)
            .timeout(DEADLINE)
            // The calls wait for the network and hardly compute, and they borrow the client: no
            // need for tasks of their own.
            .in_task()
            .collect()
            .await
    }

    async fn call(&self, service: Service) -> reqwest::Result<String> {
        let answer = self.client.get(self.services.url(service)).send().await?;
        answer.error_for_status()?.text().await
    }
}

#[cfg(test)]
mod tests {
    use floodway::fan_out::{ItemError, StopReason};
    use tokio::time::Instant;

    use super::*;
    use crate::page;

    #[tokio::test]
    async fn a_page_is_there_in_time_with_notes_for_what_is_missing() {
        let services = Services::start().await.expect("four free ports");
        let dashboard = Dashboard::new(services).expect("valid");
        let began = Instant::now();
        let pieces = dashboard.gather().await;
        let took = began.elapsed();

        assert!(took >= DEADLINE, "{took:?}");
        // Far below what the slow service takes, and above what a busy machine adds.
        assert!(took < Duration::from_millis(350), "{took:?}");
        assert_eq!(pieces.stop, StopReason::Deadline);

        let [profile, orders, recommendations, ads] = &pieces.outcomes[..] else {
            panic!("four outcomes, not {:?}", pieces.outcomes);
        };
        let name = profile.result.as_ref().expect("quick");
        orders.result.as_ref().expect("quick");
        assert!(matches!(
            recommendations.result,
            Err(ItemError::TimedOut | ItemError::Cancelled(StopReason::Deadline))
        ));
        assert_eq!(recommendations.attempts, 1);
        ads.result.as_ref().expect("the second attempt works");
        assert_eq!(ads.attempts, 2);

        let page = page::render(&pieces);
        assert!(page.contains(name.as_str()), "{page}");
        assert!(page.contains("looms &amp; punched cards"), "{page}");
        assert_eq!(page.matches("class=\"missing\"").count(), 1, "{page}");
        assert!(page.contains("Recommendations are missing"), "{page}");
    }
}
