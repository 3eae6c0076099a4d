//! The deadline that a gRPC request brings.

use std::time::Duration;

use ::http::Request;
use floodway::Acquire;
use tokio::time::Instant;

/// Asks with the deadline that `grpc-timeout` sets, if there is one, counted from now; for
/// [`LimiterLayer::acquire_from`](crate::LimiterLayer::acquire_from).
///
/// A caller that has given up is then not served, and one whose time is too short is refused
/// before the queue's longest wait. A header that cannot be read is as none.
///
/// ```
/// use floodway::Limiter;
/// use floodway_tower::{LimiterLayer, grpc};
/// use tonic::body::Body;
///
/// # fn main() -> Result<(), floodway::BuildError> {
/// let limiter = Limiter::builder("grpc").limit(16).build()?;
/// let layer = LimiterLayer::new(limiter).acquire_from(grpc::acquire::<Body>);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
pub fn acquire<B>(request: &Request<B>) -> Acquire {
    let timeout = request.headers().get("grpc-timeout");
    timeout
        .and_then(|value| parse(value.as_bytes()))
        .and_then(|timeout| Instant::now().checked_add(timeout))
        .map_or(Acquire::new(), |deadline| Acquire::new().deadline(deadline))
}

/// At most eight digits and a unit, as in
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>.
fn parse(timeout: &[u8]) -> Option<Duration> {
    let (unit, digits) = timeout.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(value * 3_600),
        b'M' => Duration::from_secs(value * 60),
        b'S' => Duration::from_secs(value),
        b'm' => Duration::from_millis(value),
        b'u' => Duration::from_micros(value),
        b'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let minute = Duration::from_secs(60);
        for text in ["1M", "60S", "00060S", "60000m", "60000000u"] {
            assert_eq!(parse(text.as_bytes()), Some(minute), "{text}");
        }
        assert_eq!(parse(b"99999999H"), Some(minute * 60 * 99_999_999));
        assert_eq!(parse(b"1n"), Some(Duration::from_nanos(1)));
        assert_eq!(parse(b"0S"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_not_a_timeout_is_none() {
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", " 1S", "123456789S", "1SS"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
