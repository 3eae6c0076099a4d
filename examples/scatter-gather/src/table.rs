//! What became of each call, on the terminal.

use std::error::Error;

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use crate::{dashboard::Pieces, services::Service};

pub(crate) fn shown(pieces: &Pieces) -> String {
    let mut table = Table::new();
    let header = ["service", "result", "latency", "attempts"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for (service, outcome) in Service::ALL.iter().zip(&pieces.outcomes) {
        let result = match &outcome.result {
            Ok(text) => text.clone(),
            // An error says what its source says only through its source.
            Err(error) => match error.source() {
                Some(source) => format!("{error}: {}", without_address(source)),
                None => error.to_string(),
            },
        };
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(service),
            Cell::new(result),
            right(format!("{} ms", outcome.timing.running().as_millis())),
            right(outcome.attempts.to_string()),
        ]);
    }
    table.to_string()
}

/// reqwest's errors end with the URL, which is another in every run.
fn without_address(error: &dyn Error) -> String {
    let text = error.to_string();
    text.split(" for url").next().unwrap_or_default().to_owned()
}
