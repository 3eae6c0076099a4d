//! How the lines of a panel are drawn.

use super::{Draft, Kind};
use crate::codegen::grafana::{
    Color, Custom, LineStyle, Matcher, Override, Property, Scale, Stacking, ThresholdsStyle,
};

#[derive(Clone, Copy, Default)]
pub(super) enum Lines {
    #[default]
    Plain,
    Stacked,
    /// The states, and the colour of each.
    States(&'static [&'static str], &'static [&'static str]),
    Logarithmic {
        zeros: bool,
    },
}

impl Lines {
    fn are_stacked(self) -> bool {
        matches!(self, Self::Stacked | Self::States(..))
    }
}

impl Draft {
    pub(super) fn custom(&self) -> Option<Custom> {
        let lines = self.lines;
        let style = if self.thresholds.is_some() { "dashed" } else { "off" };
        let fill_opacity = match lines {
            // On a logarithmic scale an area is no amount, and those below lines of several
            // meanings blend into a colour of none.
            Lines::Logarithmic { .. } => 0,
            Lines::Plain if self.queries.len() > 1 => 0,
            Lines::Plain => 10,
            Lines::Stacked => 30,
            Lines::States(..) => 60,
        };
        let steps = matches!(lines, Lines::States(..));
        (self.kind == Kind::TimeSeries).then(|| Custom {
            // Of a state that nothing is in, a line would be left on top of the others.
            line_width: u32::from(!steps),
            line_interpolation: if steps { "stepAfter" } else { "linear" },
            fill_opacity,
            show_points: "never",
            stacking: lines.are_stacked().then_some(Stacking { mode: "normal", group: "A" }),
            axis_soft_max: self.soft_max(),
            scale_distribution: self.scale(),
            thresholds_style: ThresholdsStyle { mode: style },
        })
    }

    fn scale(&self) -> Option<Scale> {
        match self.lines {
            Lines::Logarithmic { zeros: false } => Some(Scale::Log { log: 2 }),
            Lines::Logarithmic { zeros: true } => {
                Some(Scale::Symlog { log: 2, linear_threshold: 1 })
            }
            _ => None,
        }
    }

    pub(super) fn has_zero(&self) -> bool {
        !matches!(self.lines, Lines::Logarithmic { zeros: false })
    }

    /// Zeros alone would make an axis up to 100, which is over a minute and 10000 %. It is so low
    /// that what is more than nothing can be seen.
    fn soft_max(&self) -> Option<f64> {
        (self.max.is_none() && self.has_zero()).then_some(match self.text.unit {
            "s" => 0.001,
            "reqps" | "ops" | "cps" => 0.1,
            _ => 1.0,
        })
    }

    pub(super) fn overrides(&self) -> Vec<Override> {
        let bounds = self.references().filter(|(_, query)| query.is_bound);
        let bounds = bounds.map(|(reference, _)| Override {
            matcher: Matcher::Target(reference),
            properties: self.bound_properties(),
        });
        let (states, colors): (&[_], &[_]) = match self.lines {
            Lines::States(states, colors) => (states, colors),
            _ => (&[], &[]),
        };
        let states = states.iter().zip(colors).map(|(state, color)| Override {
            matcher: Matcher::Regexp(format!("/ {state}$/")),
            properties: vec![Property::Color(Color::Fixed { fixed_color: color })],
        });
        bounds.chain(states).collect()
    }

    fn bound_properties(&self) -> Vec<Property> {
        let mut properties = vec![
            Property::FillOpacity(0),
            Property::LineStyle(LineStyle { fill: "dash", dash: [8, 6] }),
        ];
        // What others are seen against is no part of their sum.
        if self.lines.are_stacked() {
            properties.push(Property::Stacking(Stacking { mode: "none", group: "A" }));
        }
        properties
    }
}
