//! Durations as people write them: `2s`, `500ms`.

use std::time::Duration;

pub(crate) fn parse(value: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: f64 = value.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    parsed.ok_or_else(|| "not a duration as in 2s or 500ms".to_owned())
}

/// As [`parse`] takes it.
pub(crate) fn shown(span: Duration) -> String {
    match span.subsec_nanos() {
        0 => format!("{}s", span.as_secs()),
        nanos if nanos % 1_000_000 == 0 => format!("{}ms", span.as_millis()),
        _ => format!("{}us", span.as_micros()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_parsed() {
        for text in ["2s", "1500ms", "250us"] {
            assert_eq!(shown(parse(text).expect("a duration")), text);
        }
        for text in ["2", "ms", "-1s", "nans", "2 h", "1e400s"] {
            parse(text).expect_err(text);
        }
    }
}
