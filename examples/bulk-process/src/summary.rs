//! How it went, in sentences.

use floodway::fan_out::Stats;

pub(crate) fn shown(stats: &Stats) -> String {
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
    if stats.chunks > 0 {
        let mean = ended as f64 / stats.chunks as f64;
        text += &format!("\n{} chunks, of {mean:.0} lines on average.", stats.chunks);
    }
    text
}
