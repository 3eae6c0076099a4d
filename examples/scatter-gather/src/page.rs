//! The page, with a note for every piece that is missing.

use std::fmt::Write;

use floodway::fan_out::ItemError;

use crate::{dashboard::Pieces, services::Service};

/// What came, and what to say about the rest.
pub(crate) fn render(pieces: &Pieces) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Dashboard</title>\n",
    );
    for (service, outcome) in Service::ALL.iter().zip(&pieces.outcomes) {
        let (class, text) = match &outcome.result {
            Ok(text) => ("piece", escaped(text)),
            Err(error) => ("missing", format!("{service} are missing: {}.", excuse(error))),
        };
        writeln!(page, "<section class=\"{class}\"><h2>{service}</h2><p>{text}</p></section>")
            .expect("strings take everything");
    }
    page.push_str("</html>\n");
    page
}

/// For who reads the page: no addresses, no error messages.
const fn excuse<E>(error: &ItemError<E>) -> &'static str {
    match error {
        ItemError::TimedOut | ItemError::Cancelled(_) => "they took too long",
        ItemError::NotStarted(_) | ItemError::Rejected(_) => "there is too much to do",
        _ => "something went wrong",
    }
}

/// Services are not trusted with the page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
