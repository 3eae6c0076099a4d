//! Limit, latency and goodput over time, as SVG.

use anyhow::{Result, anyhow};
use floodway_sim::{Algorithm, Second, Trace};
use plotters::{coord::Shift, prelude::*};

use crate::study::Outcome;

const SIZE: (u32, u32) = (860, 640);
const HEADER: u32 = 28;

/// More points than this make a line no clearer and the file larger.
const POINTS: usize = 120;

/// A line may leave the chart at so many times what the best fixed limit shows.
const HEADROOM: f64 = 3.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Value = fn(&Second) -> f64;

/// What a panel shows: its name, and the value of a second.
const PANELS: [(&str, Value); 3] = [
    ("limit, all replicas", |second| second.limit()),
    ("latency, ms", |second| second.mean_latency() * 1e3),
    ("goodput per second", |second| f64::from(second.good)),
];

/// The chart of a scenario's first seed.
pub(super) fn draw(outcome: &Outcome) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let (header, body) = area.split_vertically(HEADER);
        draw_legend(&header, outcome)?;
        let panels = body.split_evenly((PANELS.len(), 1));
        for (panel, (name, value)) in panels.iter().zip(PANELS) {
            let lines: Vec<_> = outcome
                .traces
                .iter()
                .map(|(algorithm, trace)| (*algorithm, line(trace, value)))
                .collect();
            draw_panel(panel, name, &lines, outcome.scenario.length())?;
        }
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

/// One row above the panels, where it hides no line.
fn draw_legend(header: &Area<'_>, outcome: &Outcome) -> Result<()> {
    for (index, (algorithm, _)) in outcome.traces.iter().enumerate() {
        let x = 56 + 160 * index as i32;
        let line = PathElement::new([(x, 14), (x + 22, 14)], style(*algorithm));
        header.draw(&line).map_err(broken)?;
        let name = Text::new(algorithm.name(), (x + 28, 7), ("sans-serif", 15));
        header.draw(&name).map_err(broken)?;
    }
    Ok(())
}

fn draw_panel(
    panel: &Area<'_>,
    name: &str,
    lines: &[(Algorithm, Vec<(f64, f64)>)],
    length: f64,
) -> Result<()> {
    let peak = |line: &[(f64, f64)]| line.iter().map(|point| point.1).fold(0.0, f64::max);
    let best = lines.first().map_or(1.0, |(_, line)| peak(line));
    let top = lines.iter().map(|(_, line)| peak(line)).fold(1.0, f64::max);
    let top = top.min(HEADROOM * best.max(1.0)) * 1.05;
    let mut chart = ChartBuilder::on(panel)
        .margin_right(16)
        .margin_top(6)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(22)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..length, 0.0..top)
        .map_err(broken)?;
    chart
        .configure_mesh()
        .max_light_lines(1)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(12)
        .y_labels(5)
        .x_label_formatter(&|seconds| format!("{seconds:.0} s"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()
        .map_err(broken)?;
    for (algorithm, line) in lines {
        let points = line.iter().map(|&(at, value)| (at, value.min(top)));
        chart.draw_series(LineSeries::new(points, style(*algorithm))).map_err(broken)?;
    }
    Ok(())
}

/// Averages over equal stretches of time.
fn line(trace: &Trace, value: Value) -> Vec<(f64, f64)> {
    let stretch = trace.seconds.len().div_ceil(POINTS).max(1);
    trace
        .seconds
        .chunks(stretch)
        .enumerate()
        .map(|(index, seconds)| {
            let sum: f64 = seconds.iter().map(value).sum();
            ((index * stretch) as f64, sum / seconds.len() as f64)
        })
        .collect()
}

fn style(algorithm: Algorithm) -> ShapeStyle {
    let (color, width) = match algorithm {
        Algorithm::Fixed(_) => (RGBColor(120, 120, 120), 2),
        Algorithm::Aimd => (RGBColor(230, 159, 0), 1),
        Algorithm::Vegas => (RGBColor(86, 180, 233), 1),
        Algorithm::Gradient2 => (RGBColor(204, 121, 167), 1),
        Algorithm::AnchoredGradient => (RGBColor(0, 114, 90), 2),
    };
    color.stroke_width(width)
}

/// Drawing into a string fails only if the drawing makes no sense.
pub(super) fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a chart: {error}")
}
