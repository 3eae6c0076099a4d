//! The four services that the page is made of: one is slow and one fails half the time.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// A piece of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Profile,
    Orders,
    Recommendations,
    Ads,
}

impl Service {
    /// In the order of the page.
    pub(crate) const ALL: [Self; 4] =
        [Self::Profile, Self::Orders, Self::Recommendations, Self::Ads];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Profile => "Profile",
            Self::Orders => "Orders",
            Self::Recommendations => "Recommendations",
            Self::Ads => "Ads",
        }
    }

    fn routes(self) -> Router {
        let route = match self {
            Self::Profile => get(|| answer(15, "Ada Lovelace, a customer since 1842")),
            Self::Orders => get(|| answer(45, "2 on their way: looms & punched cards")),
            Self::Recommendations => get(|| answer(400, "An analytical engine")),
            Self::Ads => get(ads),
        };
        Router::new().route("/", route)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

async fn answer(milliseconds: u64, text: &'static str) -> &'static str {
    sleep(Duration::from_millis(milliseconds)).await;
    text
}

/// Fails half the time. In a fixed pattern, so that three pages show what can happen: a retry that
/// helps, no need for one, and one that does not help.
async fn ads() -> Result<&'static str, StatusCode> {
    const WORKS: [bool; 4] = [false, true, true, false];
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    sleep(Duration::from_millis(10)).await;
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    if WORKS[number % WORKS.len()] {
        Ok("Steam: now a tenth off")
    } else {
        Err(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// The services, as long as this is kept.
#[derive(Debug)]
pub(crate) struct Services {
    urls: [String; Service::ALL.len()],
    _tasks: JoinSet<std::io::Result<()>>,
}

impl Services {
    /// Each on a free loopback port.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let mut urls = [const { String::new() }; Service::ALL.len()];
        let mut tasks = JoinSet::new();
        for (url, service) in urls.iter_mut().zip(Service::ALL) {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            *url = format!("http://{}/", listener.local_addr()?);
            tasks.spawn(async move { axum::serve(listener, service.routes()).await });
        }
        Ok(Self { urls, _tasks: tasks })
    }

    pub(crate) fn url(&self, service: Service) -> &str {
        &self.urls[service as usize]
    }
}
