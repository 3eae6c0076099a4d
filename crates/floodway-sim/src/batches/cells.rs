//! The settings of the report.

use std::time::Duration;

use floodway_sim::batch::{Cost, Pattern, Setting, Shape};

/// Of what is offered in overload, as a multiple of what the largest batches can do.
const OVERLOAD: f64 = 1.5;

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Load,
    Slots,
    Pattern,
    Shape,
    Objective,
}

impl Group {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 5] =
        [Self::Load, Self::Slots, Self::Pattern, Self::Shape, Self::Objective];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Load => "Loads",
            Self::Slots => "Fewer slots",
            Self::Pattern => "Bursts and callers",
            Self::Shape => "Other downstreams",
            Self::Objective => "Objectives",
        }
    }
}

/// A setting.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) id: String,
    pub(crate) group: Group,
    pub(crate) title: String,
    pub(crate) setting: Setting,
}

impl Cell {
    /// Whether more wait than an ideal batch has, nearly always, so that sizes are the rule's.
    pub(crate) fn is_sized(&self) -> bool {
        self.setting.is_overloaded() && self.setting.cost.shape != Shape::Contention
    }

    /// Whether estimates are compared with the truth: where that stays the same, and where more
    /// than two items wait on average.
    pub(crate) fn is_estimated(&self) -> bool {
        let shape = self.setting.cost.shape;
        let constant = matches!(shape, Shape::Plain | Shape::Slowness | Shape::Bimodal);
        constant && (self.setting.is_overloaded() || self.setting.load >= 2.0)
    }

    pub(crate) fn is_light(&self) -> bool {
        self.setting.load < 0.1
    }

    /// Whether the overhead is not worth saving, at most a fiftieth of an item.
    pub(crate) fn pays_not(&self) -> bool {
        let cost = self.setting.cost;
        50 * cost.overhead <= cost.item
    }

    pub(crate) fn has_callers(&self) -> bool {
        matches!(self.setting.pattern, Pattern::Callers(_))
    }

    /// Whether batches cost what this first part of an identifier says.
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        self.id.split('.').next() == Some(kind)
    }

    pub(crate) fn steps(&self) -> bool {
        matches!(self.setting.cost.shape, Shape::Step(_))
    }
}

/// What batches cost, by what is saved.
#[derive(Clone, Copy)]
struct Kind {
    id: &'static str,
    title: &'static str,
    overhead: Duration,
    item: Duration,
}

const fn kind(id: &'static str, title: &'static str, overhead: u64, item: u64) -> Kind {
    let [overhead, item] = [Duration::from_micros(overhead), Duration::from_micros(item)];
    Kind { id, title, overhead, item }
}

const R100: Kind = kind("r100", "1 ms + 10 µs", 1_000, 10);
const R50: Kind = kind("r50", "50 µs + 1 µs", 50, 1);
const R20: Kind = kind("r20", "1 ms + 50 µs", 1_000, 50);
const R5: Kind = kind("r5", "1 ms + 200 µs", 1_000, 200);
const R1: Kind = kind("r1", "1 ms + 1 ms", 1_000, 1_000);
const NO_PAY: Kind = kind("no_pay", "5 µs + 1 ms", 5, 1_000);

/// What is offered.
#[derive(Clone, Copy)]
enum Load {
    /// As a multiple of what is done one item at a time.
    Times(f64),
    Overload,
}

use Load::{Overload, Times};

struct Cells(Vec<Cell>);

impl Cells {
    fn add(&mut self, group: Group, kind: Kind, load: Load) -> &mut Cell {
        let cost =
            Cost { overhead: kind.overhead, item: kind.item, outliers: true, shape: Shape::Plain };
        let mut setting =
            Setting { slots: 16, cost, pattern: Pattern::Poisson, load: 1.0, objective: None };
        let mut id = kind.id.to_owned();
        let mut title = kind.title.to_owned();
        match load {
            Times(times) => {
                setting.load = times;
                id += &format!(".{times}");
                title += &format!(", load {times}");
            }
            Overload => {
                setting.load = OVERLOAD * setting.gain();
                id += ".over";
                title += ", overload";
            }
        }
        let place = self.0.len();
        self.0.push(Cell { id, group, title, setting });
        &mut self.0[place]
    }
}

impl Cell {
    fn with(&mut self, id: &str, title: &str, change: impl FnOnce(&mut Setting)) {
        self.id += &format!(".{id}");
        self.title += &format!(", {title}");
        change(&mut self.setting);
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = Cells(Vec::new());
    let times = |loads: &[f64]| loads.iter().copied().map(Times).collect::<Vec<_>>();
    let grid = [
        (R100, times(&[0.05, 0.8, 2.0, 8.0, 30.0])),
        (R50, times(&[0.05, 0.8, 2.0, 8.0, 30.0])),
        (R20, vec![]),
        (R5, times(&[0.05, 0.8, 2.0, 4.8])),
        (R1, times(&[0.05, 0.8, 1.6])),
        (NO_PAY, times(&[0.05, 0.8])),
    ];
    for (kind, loads) in grid {
        for load in loads.into_iter().chain([Overload]) {
            cells.add(Group::Load, kind, load);
        }
    }
    for slots in [1, 2, 4] {
        let all = [
            (R100, Times(0.05)),
            (R100, Times(0.8)),
            (R100, Times(8.0)),
            (R100, Times(30.0)),
            (R5, Times(0.8)),
            (R5, Times(2.0)),
            (R5, Overload),
            (NO_PAY, Times(0.05)),
            (NO_PAY, Times(0.8)),
        ];
        for (kind, load) in all {
            let cell = cells.add(Group::Slots, kind, load);
            cell.with(&format!("k{slots}"), &title_of(slots), |setting| setting.slots = slots);
        }
    }
    patterns(&mut cells);
    shapes(&mut cells);
    objectives(&mut cells);
    cells.0
}

fn patterns(cells: &mut Cells) {
    let all = [
        (R100, 0.05),
        (R100, 0.8),
        (R100, 8.0),
        (R50, 8.0),
        (R5, 0.8),
        (R5, 1.4),
        (NO_PAY, 0.2),
        (NO_PAY, 0.8),
    ];
    for (kind, load) in all {
        let cell = cells.add(Group::Pattern, kind, Times(load));
        cell.with("bursts", "bursts", |setting| setting.pattern = Pattern::Bursts);
    }
    let all = [
        (R100, 16, Shape::Plain),
        (R100, 4, Shape::Plain),
        (R100, 2, Shape::Plain),
        (R100, 1, Shape::Plain),
        (R100, 4, Shape::Shared),
        (R100, 2, Shape::Shared),
        (R50, 16, Shape::Plain),
        (R50, 2, Shape::Plain),
        (R5, 16, Shape::Plain),
        (R5, 2, Shape::Plain),
        (NO_PAY, 16, Shape::Plain),
    ];
    for (kind, slots, shape) in all {
        let cell = cells.add(Group::Pattern, kind, Times(1.0));
        cell.id = kind.id.to_owned();
        cell.title = kind.title.to_owned();
        let mut id = format!("callers.k{slots}");
        let mut title = format!("64 callers, {}", title_of(slots));
        if shape == Shape::Shared {
            id += ".shared";
            title += " that share";
        }
        cell.with(&id, &title, |setting| {
            setting.pattern = Pattern::Callers(64);
            setting.slots = slots;
            setting.cost.shape = shape;
        });
    }
}

fn title_of(slots: usize) -> String {
    if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") }
}

fn shapes(cells: &mut Cells) {
    let all = [
        ("slowness", "slow at times", Shape::Slowness),
        ("step", "a step up", Shape::Step(5.0)),
        ("drop", "a step down", Shape::Step(0.2)),
        ("ramp", "a ramp", Shape::Ramp(5.0)),
        ("bimodal", "dear items", Shape::Bimodal),
        ("knee", "a knee", Shape::Knee),
        ("contention", "contention", Shape::Contention),
    ];
    for (id, title, shape) in all {
        let loads: &[(Kind, Load)] = match shape {
            Shape::Slowness => &[
                (R100, Times(8.0)),
                (R100, Overload),
                (R20, Overload),
                (R5, Times(2.0)),
                (R5, Overload),
            ],
            Shape::Step(_) => &[
                (R100, Times(8.0)),
                (R5, Times(1.4)),
                (R20, Overload),
                (R5, Overload),
                (R1, Overload),
            ],
            Shape::Knee => &[(R100, Times(8.0)), (R100, Times(30.0)), (R100, Overload)],
            Shape::Contention => {
                &[(R100, Times(8.0)), (R100, Overload), (R5, Times(1.4)), (R5, Overload)]
            }
            _ => &[(R100, Times(8.0)), (R5, Times(1.4)), (R5, Overload)],
        };
        for (kind, load) in loads {
            cells.add(Group::Shape, *kind, *load).with(id, title, |setting| {
                setting.cost.shape = shape;
            });
        }
    }
}

fn objectives(cells: &mut Cells) {
    let all: [(Kind, &[f64], u64, bool); 4] = [
        (R100, &[0.8, 2.0, 8.0, 30.0], 10, false),
        (R100, &[0.8, 8.0, 30.0], 30, true),
        (R5, &[0.8, 2.0, 4.0], 20, false),
        (R50, &[8.0, 30.0], 5, true),
    ];
    for (kind, loads, objective, outliers) in all {
        for load in loads {
            let title = format!("{objective} ms{}", if outliers { "" } else { ", no outliers" });
            cells.add(Group::Objective, kind, Times(*load)).with(
                &format!("{objective}ms"),
                &title,
                |setting| {
                    setting.objective = Some(Duration::from_millis(objective));
                    setting.cost.outliers = outliers;
                },
            );
        }
    }
}
