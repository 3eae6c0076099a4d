//! Changing limiters from the status page, where the application allows it.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, Request, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use floodway_metrics::Adjustable;
use serde::{Deserialize, Serialize};
use tokio::{task::spawn_blocking, time::timeout};

use super::data::Range;
use crate::{Exporter, Token, about::Refusal, answer};

/// Longest time that the body of a change may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Which limiters the status page may change, for whom.
///
/// ```
/// use floodway::{Limiter, Registry};
/// use floodway_exporter::{Controls, Exporter, Token};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Limiter::builder("orders").limit(8).build()?;
/// let secret = "0123456789abcdef"; // from the environment
/// let controls = Controls::new(Token::new(secret)?).limiter_within(limiter.handle(), 1..=32);
/// let exporter = Exporter::new(Registry::global()).with_controls(controls)?;
/// # Ok(())
/// # }
/// ```
pub struct Controls {
    token: Token,
    limiters: Vec<Controlled>,
}

struct Controlled {
    limiter: Box<dyn Adjustable>,
    /// Limits that may be set.
    within: RangeInclusive<u32>,
}

impl Controls {
    /// Nothing yet, for those who have `token`. It is another one than that for looking.
    #[must_use]
    pub const fn new(token: Token) -> Self {
        Self { token, limiters: Vec::new() }
    }

    /// Also `limiter`: its mode, and its limit within its own bounds. A limiter that was built with
    /// `limit` alone has none to speak of: see [`limiter_within`](Self::limiter_within). A handle keeps
    /// its limiter.
    #[must_use]
    pub fn limiter(self, limiter: impl Adjustable + 'static) -> Self {
        self.limiter_within(limiter, 0..=u32::MAX)
    }

    /// Also `limiter`: its mode, and its limit within its own bounds and `limits`, in permits.
    #[must_use]
    pub fn limiter_within(
        mut self,
        limiter: impl Adjustable + 'static,
        limits: RangeInclusive<u32>,
    ) -> Self {
        self.limiters.push(Controlled { limiter: Box::new(limiter), within: limits });
        self
    }

    /// Whether all of it can be used beside the token for looking.
    pub(crate) fn check(&self, look: Option<&Token>) -> Result<(), ControlsError> {
        if look.is_some_and(|look| look.is(&self.token)) {
            return Err(ControlsError::Token);
        }
        for (at, Controlled { limiter, within }) in self.limiters.iter().enumerate() {
            let name = || limiter.name().to_owned();
            if within.is_empty() {
                let (min, max) = (*within.start(), *within.end());
                return Err(ControlsError::Limits { limiter: name(), min, max });
            }
            if self.limiters[..at].iter().any(|before| before.limiter.name() == limiter.name()) {
                return Err(ControlsError::Duplicate { limiter: name() });
            }
        }
        Ok(())
    }

    /// The limits that `name` may be given, if it may be changed.
    pub(super) fn range(&self, name: &str) -> Option<Range> {
        let Controlled { limiter, within } = self.find(name)?;
        let bounds = limiter.bounds();
        Some(Range {
            min: *within.start().max(bounds.start()),
            max: *within.end().min(bounds.end()),
        })
    }

    fn find(&self, name: &str) -> Option<&Controlled> {
        self.limiters.iter().find(|controlled| controlled.limiter.name() == name)
    }
}

/// By hand, because limiters need not be printable.
impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.limiters.iter().map(|one| one.limiter.name()).collect();
        f.debug_struct("Controls").field("limiters", &names).finish_non_exhaustive()
    }
}

/// What a request asks for: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    limiter: String,
    limit: Option<u32>,
    mode: Option<String>,
}

/// What holds now.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    limiter: &'a str,
    limit: u32,
    mode: &'static str,
}

/// `POST floodway/control`.
pub(super) async fn control(State(exporter): State<Exporter>, request: Request) -> Response {
    match change(&exporter, request).await {
        Ok(response) => response,
        Err((status, text)) => {
            exporter.about.refused(match status {
                StatusCode::UNAUTHORIZED => Refusal::Unauthorized,
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
                _ => Refusal::Invalid,
            });
            answer::error(status, &text)
        }
    }
}

async fn change(exporter: &Exporter, request: Request) -> Result<Response, (StatusCode, String)> {
    let Some(controls) = exporter.controls.as_ref().map(Arc::clone) else {
        let text = "nothing can be changed here: the application has not enabled it";
        return Err((StatusCode::NOT_FOUND, text.into()));
    };
    // Before the body is read: a stranger costs no more than a header.
    if !controls.token.is_in(request.headers()) {
        let text = "the token that allows changes is missing or wrong";
        return Err((StatusCode::UNAUTHORIZED, text.into()));
    }
    let Change { limiter: name, limit, mode } = read(request).await?;
    let Some(Controlled { limiter, within }) = controls.find(&name) else {
        let text = format!("limiter: {name:?} is not one that may be changed here");
        return Err((StatusCode::NOT_FOUND, text));
    };
    let (limit_before, mode_before) = (limiter.limit(), limiter.mode());
    match (limit, &mode) {
        (Some(limit), None) if !within.contains(&limit) => {
            let (min, max) = (within.start(), within.end());
            Err(format!("limit: {limit} is out of bounds, expected {min} to {max} here").into())
        }
        (Some(limit), None) => limiter.set_limit(limit),
        (None, Some(mode)) => limiter.set_mode(mode),
        _ => Err("expected one of limit and mode".into()),
    }
    .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    let changed = Changed { limiter: limiter.name(), limit: limiter.limit(), mode: limiter.mode() };
    // So that the next look sees it.
    let history = Arc::clone(&exporter.history);
    let _ = spawn_blocking(move || history.sample_now()).await;
    tracing::warn!(
        limiter = changed.limiter,
        limit_before,
        limit = changed.limit,
        mode_before,
        mode = changed.mode,
        "changed from the status page"
    );
    Ok(Json(changed).into_response())
}

async fn read(request: Request<Body>) -> Result<Change, (StatusCode, String)> {
    match timeout(BODY_TIMEOUT, Json::<Change>::from_request(request, &())).await {
        Ok(Ok(Json(change))) => Ok(change),
        Ok(Err(JsonRejection::JsonDataError(error))) => {
            Err((StatusCode::BAD_REQUEST, error.body_text()))
        }
        Ok(Err(error)) => Err((error.status(), error.body_text())),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time".into())),
    }
}

/// Why the status page may not change limiters as described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlsError {
    /// Whoever may look could change.
    #[error("token: the one for changes is the one for looking, expected another")]
    Token,
    /// No limit could be set.
    #[error("limits of {limiter:?}: minimum {min} is above maximum {max}")]
    Limits {
        /// The limiter.
        limiter: String,
        /// The lowest limit.
        min: u32,
        /// The highest limit.
        max: u32,
    },
    /// Only the first could be changed.
    #[error("limiter {limiter:?} is named twice")]
    Duplicate {
        /// The limiter.
        limiter: String,
    },
}
