//! Every answer but success, as JSON.

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use floodway::Rejected;
use serde_json::{Value, json};

/// Why a request was not served.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The request cannot be read.
    Malformed {
        status: StatusCode,
        message: String,
    },
    /// A field has a value that it may not have.
    OutOfRange {
        field: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
    NotFound {
        what: &'static str,
        id: i64,
    },
    Rejected(Rejected),
    PoolTimeout,
    Failed(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Malformed { status, message } => {
                (status, json!({ "error": "malformed", "message": message }))
            }
            Self::OutOfRange { field, value, min, max } => {
                (StatusCode::BAD_REQUEST, out_of_range(field, value, min, max))
            }
            Self::NotFound { what, id } => (
                StatusCode::NOT_FOUND,
                json!({ "error": "not_found", "message": format!("{what} {id} does not exist") }),
            ),
            Self::Rejected(rejected) => {
                return floodway_tower::http::service_unavailable(&rejected);
            }
            Self::PoolTimeout => (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({
                    "error": "pool_timeout",
                    "message": "pool timeout: no connection became free in time",
                }),
            ),
            Self::Failed(message) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({ "error": "failed", "message": message }),
            ),
        };
        (status, Json(body)).into_response()
    }
}

fn out_of_range(field: &str, value: i64, min: i64, max: i64) -> Value {
    json!({
        "error": "out_of_range",
        "field": field,
        "value": value,
        "message": format!("{field}: {value} is out of range, expected {min} to {max}"),
    })
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        let status = match rejection {
            // Well-formed JSON of the wrong shape; the message names field and value.
            JsonRejection::JsonDataError(_) => StatusCode::BAD_REQUEST,
            _ => rejection.status(),
        };
        Self::Malformed { status, message: rejection.body_text() }
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Self::Malformed { status: rejection.status(), message: rejection.body_text() }
    }
}

impl From<&sqlx::Error> for Refusal {
    fn from(error: &sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        (&error).into()
    }
}
