//! How far it is, on a terminal.

use std::time::Duration;

use floodway::fan_out::{Handle, Progress};
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use tokio::{task::JoinHandle, time::interval};

const REDRAW: Duration = Duration::from_millis(100);

/// A bar that follows a fan-out.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    handle: Handle,
    resumed_from: u64,
    drawing: JoinHandle<()>,
}

/// Draws `handle`, which began at `resumed_from` of `all` lines, in a task of its own. Draws nothing
/// where stderr is not a terminal.
pub(crate) fn start(handle: Handle, resumed_from: u64, all: u64) -> Bar {
    let bar = ProgressBar::new(all);
    let template = "{bar:30} {percent:>3} %  {human_pos} of {human_len}  {msg}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
    let drawing = tokio::spawn({
        let (bar, handle) = (bar.clone(), handle.clone());
        async move {
            let mut redraw = interval(REDRAW);
            loop {
                redraw.tick().await;
                draw(&bar, &handle.progress(), resumed_from);
            }
        }
    });
    Bar { bar, handle, resumed_from, drawing }
}

impl Bar {
    /// Leaves the last state on the terminal.
    pub(crate) async fn finish(self) {
        self.drawing.abort();
        let _ = self.drawing.await;
        draw(&self.bar, &self.handle.progress(), self.resumed_from);
        self.bar.abandon();
    }
}

fn draw(bar: &ProgressBar, progress: &Progress, resumed_from: u64) {
    let counts = progress.counts;
    // Those that a stop has spared count as done for the fan-out, and not for people.
    let ended = counts.succeeded + counts.failures();
    bar.set_position(resumed_from + ended as u64);
    let rate = HumanCount(progress.rate() as u64);
    let left = match progress.eta() {
        Some(left) if !left.is_zero() => format!(", {:#} left", HumanDuration(left)),
        _ => String::new(),
    };
    bar.set_message(format!("{rate}/s, {} malformed{left}", HumanCount(counts.failed as u64)));
}
