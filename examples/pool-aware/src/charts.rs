//! Goodput and latency over offered load, as SVG.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::{
    chart::ChartContext,
    coord::{
        Shift,
        ranged1d::{AsRangedCoord, ValueFormatter},
        types::RangedCoordf64,
    },
    prelude::*,
};

use crate::{
    arm::Arm,
    report::{Figures, Report},
};

const WIDTH: u32 = 860;
const HEADER: u32 = 28;
const PANEL: u32 = 300;

const IDEAL: RGBColor = RGBColor(120, 120, 120);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Value = fn(&Figures) -> Option<f64>;
type Plane<Y> = Cartesian2d<RangedCoordf64, Y>;

/// What is served, beside what could be.
pub(crate) fn goodput(report: &Report) -> Result<String> {
    let capacity = report.capacity_rps;
    let best = report.points.iter().map(|point| point.goodput_rps).fold(capacity, f64::max);
    draw(1, &["what the pool can serve"], |panels| {
        let y_label = |rate: &f64| format!("{rate:.0}");
        let mut chart = plane(&panels[0], report, "answers per second", 0.0..1.1 * best, &y_label)?;
        let ideal = [0.0, 1.0, highest(report)].map(|load| (load, capacity * load.min(1.0)));
        chart.draw_series(LineSeries::new(ideal, IDEAL.stroke_width(1))).map_err(broken)?;
        lines(&mut chart, report, |point| Some(point.goodput_rps))
    })
}

/// How long it takes to be served, and to be refused: name, range in milliseconds, value.
const LATENCIES: [(&str, Range<f64>, Value); 2] = [
    ("99 % of the answers took at most", 10.0..3_000.0, |point| point.p99_s),
    ("99 % of those who got no connection were told so within", 1.0..3_000.0, |point| {
        point.refused_p99_s
    }),
];

/// To scale of its logarithm.
pub(crate) fn latency(report: &Report) -> Result<String> {
    draw(LATENCIES.len(), &[], |panels| {
        for (panel, (name, range, value)) in panels.iter().zip(LATENCIES) {
            let y_label = |milliseconds: &f64| shown(*milliseconds);
            let mut chart = plane(panel, report, name, range.clone().log_scale(), &y_label)?;
            lines(&mut chart, report, |point| {
                let milliseconds = value(point)? * 1e3;
                Some(milliseconds.clamp(range.start, range.end))
            })?;
        }
        Ok(())
    })
}

/// A legend, and so many panels below each other.
fn draw(
    count: usize,
    ideal: &[&str],
    panels: impl FnOnce(&[Area<'_>]) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let size = (WIDTH, HEADER + PANEL * count as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(broken)?;
        let (header, body) = area.split_vertically(HEADER);
        let arms = Arm::BOTH.map(|arm| (arm.to_string(), color(arm).stroke_width(2)));
        let ideal = ideal.iter().map(|name| ((*name).to_owned(), IDEAL.stroke_width(1)));
        for (index, (name, style)) in arms.into_iter().chain(ideal).enumerate() {
            let x = 56 + 160 * index as i32;
            let line = PathElement::new([(x, 14), (x + 22, 14)], style);
            header.draw(&line).map_err(broken)?;
            let name = Text::new(name, (x + 28, 7), ("sans-serif", 15));
            header.draw(&name).map_err(broken)?;
        }
        panels(&body.split_evenly((count, 1)))?;
        area.present().map_err(broken)?;
    }
    Ok(svg)
}

/// One panel, over the offered load.
fn plane<'a, 'b, Y>(
    area: &'b Area<'a>,
    report: &Report,
    name: &str,
    range: Y,
    y_label: &dyn Fn(&f64) -> String,
) -> Result<ChartContext<'b, SVGBackend<'a>, Plane<Y::CoordDescType>>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .margin_right(16)
        .margin_top(6)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(38)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..1.02 * highest(report), range)
        .map_err(broken)?;
    chart
        .configure_mesh()
        .max_light_lines(1)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc("offered load, in multiples of what the pool can serve")
        .x_labels(11)
        .y_labels(6)
        .x_label_formatter(&|load| format!("{load:.0}×"))
        .y_label_formatter(y_label)
        .draw()
        .map_err(broken)?;
    Ok(chart)
}

/// Where there is no value, the line has a gap.
fn lines<'a, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'a>, Plane<Y>>,
    report: &Report,
    value: impl Fn(&Figures) -> Option<f64>,
) -> Result<()>
where
    Y: Ranged<ValueType = f64>,
{
    for arm in Arm::BOTH {
        let points: Vec<_> = report.of(arm).map(|point| (point.load, value(point))).collect();
        for stretch in points.split(|(_, value)| value.is_none()) {
            let points: Vec<_> =
                stretch.iter().filter_map(|(load, value)| Some((*load, (*value)?))).collect();
            if points.len() > 1 {
                let line = LineSeries::new(points.clone(), color(arm).stroke_width(2));
                chart.draw_series(line).map_err(broken)?;
            }
            let dots = points.into_iter().map(|point| Circle::new(point, 3, color(arm).filled()));
            chart.draw_series(dots).map_err(broken)?;
        }
    }
    Ok(())
}

const fn color(arm: Arm) -> RGBColor {
    match arm {
        Arm::Plain => RGBColor(230, 159, 0),
        Arm::Limited => RGBColor(0, 114, 90),
    }
}

fn highest(report: &Report) -> f64 {
    report.points.iter().map(|point| point.load).fold(0.0, f64::max)
}

fn shown(milliseconds: f64) -> String {
    if milliseconds < 1_000.0 {
        format!("{milliseconds} ms")
    } else {
        format!("{} s", milliseconds / 1e3)
    }
}

/// Drawing into a string fails only if the drawing makes no sense.
fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a chart: {error}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{Answer, Answered};

    #[test]
    fn a_line_for_each_service_and_a_legend() {
        let answered = [Answered {
            due: Some(Duration::ZERO),
            at: Duration::from_millis(30),
            answer: Answer::Success,
        }];
        let point = |arm, load| Figures::new(arm, load, Duration::from_secs(1), &answered, 0);
        let points = Arm::BOTH.iter().flat_map(|&arm| [point(arm, 1.0), point(arm, 2.0)]);
        let report = Report {
            database: "SQLite",
            pool_size: 10,
            patience_s: 1.0,
            capacity_rps: 1.0,
            points: points.collect(),
        };
        let goodput = goodput(&report).expect("drawn");
        for part in ["plain pool", "PoolLimiter", "what the pool can serve", "#E69F00", "#00725A"] {
            assert!(goodput.contains(part), "{part:?} is not in:\n{goodput}");
        }
        // Nobody was refused: the lower panel is there without a line.
        let latency = latency(&report).expect("drawn");
        assert_eq!(latency.matches("<circle").count(), 4, "{latency}");
        assert!(latency.contains("no connection"), "{latency}");
    }
}
