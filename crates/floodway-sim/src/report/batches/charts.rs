//! Sizes over time, and latency and cost against load, as SVG.

use anyhow::{Result, anyhow};
use floodway_sim::batch::{Ran, Rule, Sent};
use plotters::{coord::Shift, prelude::*};

use crate::batches::{Group, RULES, Row};

const SIZE: (u32, u32) = (860, 640);
const HEADER: u32 = 28;

/// Batches that the panels of sizes show.
const SHOWN: u64 = 160;

/// Sizes and times are drawn to scale of their logarithm.
const SIZES: std::ops::Range<f64> = 0.8..1_400.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The panels: a setting, whether from the step on, and a name.
const PANELS: [(&str, bool, &str); 4] = [
    ("r5.over", false, "1 ms + 200 µs, from the start"),
    ("r20.over", false, "1 ms + 50 µs, from the start"),
    ("r5.over.step", true, "1 ms + 200 µs, then 5 ms + 200 µs"),
    ("r5.over.drop", true, "1 ms + 200 µs, then 200 µs + 200 µs"),
];

const IDEAL: RGBColor = RGBColor(120, 120, 120);
const OURS: RGBColor = RGBColor(0, 114, 90);
const TARGET: RGBColor = RGBColor(86, 180, 233);
const PROBE: RGBColor = RGBColor(230, 159, 0);

/// Sizes of the batches of the first seed, from cold and across a step.
pub(super) fn sizes(rows: &[Row]) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let (header, body) = area.split_vertically(HEADER);
        let legend =
            [("regular batch", OURS), ("probe", PROBE), ("target", TARGET), ("ideal size", IDEAL)];
        draw_legend(&header, &legend.map(|(name, color)| (name.to_owned(), color)))?;
        for (panel, (id, step, name)) in body.split_evenly((2, 2)).iter().zip(PANELS) {
            if let Some(row) = rows.iter().find(|row| row.cell.id == id) {
                draw_sizes(panel, name, &row.log, step)?;
            }
        }
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

fn draw_sizes(panel: &Area<'_>, name: &str, log: &[Sent], step: bool) -> Result<()> {
    let start = if step { log.partition_point(|sent| sent.share < 0.5) } else { 0 };
    let before = if step { SHOWN as usize / 4 } else { 0 };
    let log: Vec<_> = log.iter().skip(start.saturating_sub(before)).take(SHOWN as usize).collect();
    let at = |index: usize| index as f64 - before.min(start) as f64;
    let range = at(0)..at(SHOWN as usize);
    let mut chart = ChartBuilder::on(panel)
        .margin_right(16)
        .margin_top(6)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(range, SIZES.log_scale())
        .map_err(broken)?;
    let axis = if step { "batches sent since the step" } else { "batches sent" };
    chart
        .configure_mesh()
        .max_light_lines(1)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(axis)
        .y_desc("items")
        .x_labels(9)
        .x_label_formatter(&|batches| format!("{batches:.0}"))
        .y_label_formatter(&|items| format!("{items:.0}"))
        .draw()
        .map_err(broken)?;
    let all = || log.iter().enumerate();
    let ideal = all().map(|(index, sent)| (at(index), sent.ideal as f64));
    chart.draw_series(LineSeries::new(ideal, IDEAL.stroke_width(2))).map_err(broken)?;
    let target = all().map(|(index, sent)| (at(index), sent.target.items as f64));
    chart.draw_series(LineSeries::new(target, TARGET.stroke_width(1))).map_err(broken)?;
    for (probe, color) in [(false, OURS), (true, PROBE)] {
        let dots = all()
            .filter(|(_, sent)| sent.probe == probe)
            .map(|(index, sent)| Circle::new((at(index), sent.items as f64), 2, color.filled()));
        chart.draw_series(dots).map_err(broken)?;
    }
    Ok(())
}

/// What is drawn against load.
type Value = fn(&Ran) -> f64;

/// Percentile and slot time against load, of two downstreams.
pub(super) fn load(rows: &[Row]) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let (header, body) = area.split_vertically(HEADER);
        let names: Vec<_> = RULES
            .iter()
            .map(|rule| (rule.name(), color(*rule)))
            .chain([("best tuned".to_owned(), IDEAL)])
            .collect();
        draw_legend(&header, &names)?;
        let panels = body.split_evenly((2, 2));
        let values: [(&str, Value); 2] =
            [("p99, ms", |ran| ran.p99 * 1e3), ("slot time per item, µs", |ran| ran.busy * 1e6)];
        let kinds = [("r100", "1 ms + 10 µs"), ("r5", "1 ms + 200 µs")];
        let all = values.iter().flat_map(|value| kinds.iter().map(move |kind| (kind, value)));
        for (panel, ((id, title), (name, value))) in panels.iter().zip(all) {
            let rows: Vec<_> = rows
                .iter()
                .filter(|row| row.cell.group == Group::Load && row.cell.is_of(id))
                .filter(|row| !row.cell.setting.is_overloaded())
                .collect();
            draw_load(panel, &format!("{title}: {name}"), &rows, *value)?;
        }
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

fn draw_load(panel: &Area<'_>, name: &str, rows: &[&Row], value: Value) -> Result<()> {
    let loads = || rows.iter().map(|row| row.cell.setting.load);
    let bests: Vec<_> = rows.iter().map(|row| value(&row.best.1)).collect();
    let least = bests.iter().copied().fold(f64::INFINITY, f64::min);
    let most = bests.iter().copied().fold(0.0, f64::max);
    let top = 3.0 * most;
    let right = loads().fold(0.0, f64::max) * 1.2;
    let mut chart = ChartBuilder::on(panel)
        .margin_right(16)
        .margin_top(6)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d((0.04..right).log_scale(), (least * 0.7..top).log_scale())
        .map_err(broken)?;
    chart
        .configure_mesh()
        .max_light_lines(1)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc("load, as a multiple of what is done without batching")
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()
        .map_err(broken)?;
    let best: Vec<_> = loads().zip(bests).collect();
    chart.draw_series(LineSeries::new(best, IDEAL.stroke_width(5))).map_err(broken)?;
    for rule in RULES {
        // Who cannot keep up leaves the chart.
        let points: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row.cell.setting.load, value(row.of(rule)?))))
            .map(|(load, value)| (load, value.min(top)))
            .collect();
        let width = if rule == Rule::Adaptive { 2 } else { 1 };
        let style = color(rule).stroke_width(width);
        chart.draw_series(LineSeries::new(points, style)).map_err(broken)?;
    }
    Ok(())
}

fn color(rule: Rule) -> RGBColor {
    match rule {
        Rule::UNBATCHED => RGBColor(0, 0, 0),
        Rule::Fixed { .. } => RGBColor(86, 180, 233),
        Rule::Joblib => RGBColor(230, 159, 0),
        Rule::Bento => RGBColor(204, 121, 167),
        Rule::Clipper => RGBColor(213, 94, 0),
        Rule::Adaptive => OURS,
    }
}

/// One row above the panels, where it hides nothing.
fn draw_legend(header: &Area<'_>, names: &[(String, RGBColor)]) -> Result<()> {
    let step = 800 / names.len().max(5) as i32;
    for (index, (name, color)) in names.iter().enumerate() {
        let x = 40 + step * index as i32;
        let line = PathElement::new([(x, 14), (x + 18, 14)], color.stroke_width(3));
        header.draw(&line).map_err(broken)?;
        let name = Text::new(name.as_str(), (x + 24, 7), ("sans-serif", 14));
        header.draw(&name).map_err(broken)?;
    }
    Ok(())
}

/// Drawing into a string fails only if the drawing makes no sense.
fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a chart: {error}")
}
