//! How far it is, on a terminal.

use std::fmt;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

use crate::store::Status;

/// Draws nothing where stderr is not a terminal.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// `recorded` of `items` have an outcome from an earlier run, which says nothing about the rate.
    pub(crate) fn start(title: &str, recorded: u64, items: u64) -> Self {
        let template = "{prefix}{bar:30} {percent:>3} %  {human_pos} of {human_len}, {rate}/s, {eta} left{msg}";
        let style = ProgressStyle::with_template(template)
            .expect("the template is valid")
            .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
                let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
            });
        let bar = ProgressBar::new(items).with_style(style).with_prefix(title.to_owned());
        bar.set_position(recorded);
        bar.reset_eta();
        Self(bar)
    }

    pub(crate) fn draw(&self, status: &Status) {
        self.0.set_position(status.recorded());
        let again = status.lost + status.retried;
        self.0.set_message(match again {
            0 => String::new(),
            _ => format!(", {} delivered again", HumanCount(again)),
        });
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
