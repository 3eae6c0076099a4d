//! How it went, in sentences.

use floodway::fan_out::Stats;
use floodway_metrics::HistogramValue;

/// `chunks` has the items per chunk.
pub(crate) fn shown(stats: &Stats, chunks: Option<HistogramValue>) -> String {
    let counts = &stats.counts;
    let ended = counts.succeeded + counts.failures();
    let seconds = stats.duration.as_secs_f64();
    let mut text = format!(
        "{ended} lines in {seconds:.2} s, {:.0} lines/s; {} malformed.",
        ended as f64 / seconds,
        counts.failed,
    );
    if let Some(parallelism) = stats.parallelism() {
        text += &format!(
            "\n{:.2} of {} workers were busy on average; {:.1} % of the work was serial, so twice the \
             cores would be at most {:.2} times as fast.",
            parallelism.effective(),
            stats.width,
            100.0 * parallelism.serial_share(),
            parallelism.gain_of_doubling(),
        );
    }
    if let Some(chunks) = chunks.filter(|chunks| chunks.count() > 0) {
        let mean = chunks.sum / chunks.count() as f64;
        text += &format!("\n{} chunks, of {mean:.0} lines on average.", chunks.count());
    }
    text
}
