//! From a draft to a panel of Grafana's schema.

use super::{Draft, Kind, Query};
use crate::codegen::grafana::{
    Color, Datasource, FieldConfig, FieldDefaults, GridPos, Legend, Mapping, Options, Panel,
    Reduce, Show, Shown, Special, Target, Thresholds, Tooltip, YAxis,
};

/// Columns from which on a legend has room beside the lines, where it may be as high as they are.
/// Below them it is a third of that.
const ROOM_FOR_LEGEND: u32 = 12;

/// Of what is neither good nor bad; Grafana's name of the colour of text.
const NEUTRAL: &str = "text";

impl Draft {
    pub(in crate::codegen::dashboard) fn place(mut self, id: u32, grid_pos: GridPos) -> Panel {
        // Later ones are drawn above earlier ones, and values above what they are seen against.
        self.queries.sort_by_key(|query| !query.is_bound);
        let kind = match self.kind {
            Kind::Stat => "stat",
            Kind::TimeSeries => "timeseries",
            Kind::Heatmap => "heatmap",
            Kind::Text { .. } => "text",
        };
        let is_text = matches!(self.kind, Kind::Text { .. });
        Panel {
            id,
            kind,
            title: self.text.title,
            description: self.description(),
            datasource: (!is_text).then_some(Datasource::CHOSEN),
            grid_pos,
            targets: self.references().map(|(it, query)| self.target(it, query)).collect(),
            options: self.options(grid_pos),
            field_config: (!is_text).then(|| self.field_config()),
        }
    }

    /// A stat has no room to say what to check.
    fn description(&self) -> String {
        let description = self.text.description;
        if self.kind != Kind::Stat {
            return description.to_owned();
        }
        let short = self.text.no_value.short;
        let mut check = self.text.no_value.check.chars();
        let first = check.next().into_iter().flat_map(char::to_lowercase);
        let check: String = first.chain(check).collect();
        format!("{description} It says \"{short}\" where {check}")
    }

    /// Queries by what overrides call them.
    pub(super) fn references(&self) -> impl Iterator<Item = (String, &Query)> {
        ('A'..).map(String::from).zip(&self.queries)
    }

    fn target(&self, ref_id: String, query: &Query) -> Target {
        Target {
            ref_id,
            datasource: Datasource::CHOSEN,
            expr: query.expr.to_string(),
            legend_format: query.legend.clone(),
            format: if self.kind == Kind::Heatmap { "heatmap" } else { "time_series" },
            instant: self.instant,
            range: !self.instant,
        }
    }

    fn field_config(self) -> FieldConfig {
        let is_stat = self.kind == Kind::Stat;
        let nothing = self.text.no_value;
        let defaults = FieldDefaults {
            unit: self.text.unit,
            no_value: if is_stat { nothing.short } else { nothing.check },
            min: (self.kind == Kind::TimeSeries && self.has_zero()).then_some(0.0),
            max: self.max,
            color: self.color(),
            mappings: if is_stat { vec![neutral(nothing.short)] } else { Vec::new() },
            custom: self.custom(),
            thresholds: None,
            links: Vec::new(),
        };
        let overrides = self.overrides();
        let thresholds = self.thresholds.map(|steps| Thresholds { mode: "absolute", steps });
        FieldConfig {
            defaults: FieldDefaults { thresholds, links: self.links, ..defaults },
            overrides,
        }
    }

    fn color(&self) -> Color {
        match (&self.kind, &self.thresholds) {
            (Kind::Stat, Some(_)) => Color::Thresholds,
            (Kind::Stat, None) => Color::Fixed { fixed_color: NEUTRAL },
            _ => Color::PaletteClassic,
        }
    }

    fn options(&self, grid_pos: GridPos) -> Options {
        match &self.kind {
            Kind::Stat => Options::Stat {
                color_mode: "value",
                // Its line would run through the value, in the same colour.
                graph_mode: "none",
                text_mode: "auto",
                reduce_options: Reduce { calcs: vec!["lastNotNull"], values: false },
            },
            Kind::TimeSeries => Options::TimeSeries {
                legend: self.legend(grid_pos),
                tooltip: Tooltip { mode: "multi", sort: Some("desc") },
            },
            Kind::Heatmap => Options::Heatmap {
                // The buckets come from the query. The colours stay Grafana's: its exponential scale
                // is for opacity alone and makes the smallest counts transparent, which hides the
                // few that wait for long.
                calculate: false,
                y_axis: YAxis { unit: "s" },
                legend: Show { show: true },
                tooltip: Tooltip { mode: "single", sort: None },
            },
            Kind::Text { content } => Options::Text { mode: "markdown", content: content.clone() },
        }
    }

    /// The worst first, whatever the order of the queries: most series of a panel by reasons are
    /// zero, and what does not fit has to be scrolled to.
    fn legend(&self, grid_pos: GridPos) -> Legend {
        let has_room = grid_pos.w >= ROOM_FOR_LEGEND;
        let (worst, sort_by) = if self.low_is_bad { ("min", "Min") } else { ("max", "Max") };
        Legend {
            display_mode: "table",
            placement: if has_room { "right" } else { "bottom" },
            show_legend: true,
            calcs: vec!["lastNotNull", worst],
            sort_by,
            sort_desc: !self.low_is_bad,
        }
    }
}

/// Without this, no value has the colour of the lowest threshold, which may be red.
fn neutral(text: &'static str) -> Mapping {
    Mapping::Special(Special { values: "null+nan", result: Shown { text, color: NEUTRAL } })
}
