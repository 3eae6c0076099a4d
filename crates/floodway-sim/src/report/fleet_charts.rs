//! What is in use of a fleet's budget over time, as SVG.

use anyhow::Result;
use floodway_sim::fleet::{HAPPENS, Ran};
use plotters::{coord::Shift, prelude::*};

use super::charts::broken;

const SIZE: (u32, u32) = (860, 420);
const HEADER: u32 = 28;
/// Seconds before it happens that are shown.
const BEFORE: f64 = 5.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line = (String, Vec<(f64, f64)>);

/// A line for each size: what is in use as a part of what may be leased, and the requests.
pub(super) fn draw(runs: &[&Ran]) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let (header, body) = area.split_vertically(HEADER);
        let lines = |value: &dyn Fn(&Ran, usize) -> f64| -> Vec<Line> {
            runs.iter().map(|ran| line(ran, value)).collect()
        };
        let usable = |ran: &Ran| f64::from(ran.plan.usable());
        let used = lines(&|ran, at| 100.0 * ran.moments[at].in_use as f64 / usable(ran));
        // A moment is a tenth of a second.
        let requests =
            lines(&|ran, at| 10.0 * ran.moments[at].renewals as f64 / ran.plan.replicas as f64);
        draw_legend(&header, &used)?;
        let (upper, lower) = body.split_vertically((SIZE.1 - HEADER) * 3 / 5);
        draw_panel(&upper, "in use, %, by seconds after it happens", &used, 105.0)?;
        draw_panel(&lower, "requests per second and replica", &requests, 10.0)?;
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

fn line(ran: &Ran, value: &dyn Fn(&Ran, usize) -> f64) -> Line {
    let happens = HAPPENS as f64 / 1e3;
    let points = ran.moments.iter().enumerate().map(|(at, moment)| (moment.at - happens, at));
    let points = points.filter(|(at, _)| *at >= -BEFORE).map(|(at, index)| (at, value(ran, index)));
    (format!("{} replicas", ran.plan.replicas), points.collect())
}

fn draw_legend(header: &Area<'_>, lines: &[Line]) -> Result<()> {
    for (index, (name, _)) in lines.iter().enumerate() {
        let x = 56 + 160 * index as i32;
        let line = PathElement::new([(x, 14), (x + 22, 14)], style(index));
        header.draw(&line).map_err(broken)?;
        let name = Text::new(name.clone(), (x + 28, 7), ("sans-serif", 15));
        header.draw(&name).map_err(broken)?;
    }
    Ok(())
}

fn draw_panel(panel: &Area<'_>, name: &str, lines: &[Line], most: f64) -> Result<()> {
    let points = || lines.iter().flat_map(|(_, line)| line.iter());
    let end = points().map(|point| point.0).fold(1.0, f64::max);
    let top = (points().map(|point| point.1).fold(0.0, f64::max) * 1.05).clamp(1.0, most);
    let mut chart = ChartBuilder::on(panel)
        .margin_right(16)
        .margin_top(6)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(22)
        .y_label_area_size(48)
        .build_cartesian_2d(-BEFORE..end, 0.0..top)
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
    for (index, (_, line)) in lines.iter().enumerate() {
        let points = line.iter().map(|&(at, value)| (at, value.min(top)));
        chart.draw_series(LineSeries::new(points, style(index))).map_err(broken)?;
    }
    Ok(())
}

fn style(index: usize) -> ShapeStyle {
    let colors = [(120, 120, 120), (230, 159, 0), (86, 180, 233), (0, 114, 90)];
    let (red, green, blue) = colors[index % colors.len()];
    RGBColor(red, green, blue).stroke_width(2)
}
