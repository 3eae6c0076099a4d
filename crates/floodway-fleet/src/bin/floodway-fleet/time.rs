//! Durations, as people write and read them.

use std::time::Duration;

/// A day: longer than anybody waits.
const MOST: Duration = Duration::from_secs(86_400);

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected =
        || "expected a time above 0, such as 500ms, 2s, 1.5s or 1m, up to a day".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return Err(expected()),
    };
    let number: f64 = digits.parse().map_err(|_| expected())?;
    let parsed = Duration::try_from_secs_f64(number * unit).map_err(|_| expected())?;
    let usable = (Duration::from_millis(1)..=MOST).contains(&parsed);
    usable.then_some(parsed).ok_or_else(expected)
}

/// Short, in the largest unit of which there is more than one.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    match millis {
        ..100.0 => format!("{millis:.1} ms"),
        ..1_000.0 => format!("{millis:.0} ms"),
        ..120_000.0 => format!("{:.1} s", millis / 1000.0).replace(".0 s", " s"),
        ..7_200_000.0 => format!("{:.0} min", millis / 60_000.0),
        _ => format!("{:.0} h", millis / 3_600_000.0),
    }
}

/// [`show`], of so many milliseconds.
pub(crate) fn show_ms(millis: u64) -> String {
    if millis < 1_000 { format!("{millis} ms") } else { show(Duration::from_millis(millis)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_their_unit() {
        for (text, millis) in
            [("500ms", 500), ("2s", 2_000), ("1.5s", 1_500), ("3", 3_000), ("1m", 60_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "0", "1h", "inf", "NaN", "1e300", "2d", "0.1ms", "1 s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_shown_in_a_unit_that_fits() {
        for (millis, shown) in
            [(0, "0 ms"), (312, "312 ms"), (4_000, "4 s"), (4_250, "4.2 s"), (599_000, "10 min")]
        {
            assert_eq!(show_ms(millis), shown);
        }
        assert_eq!(show(Duration::from_micros(340)), "0.3 ms");
        assert_eq!(show(Duration::from_secs(7_200)), "2 h");
    }
}
