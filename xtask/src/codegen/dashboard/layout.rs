//! Where rows and panels are on the grid.

use super::panel::Draft;
use crate::codegen::grafana::{GridPos, Item, Panel, Row};

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// A titled row and the lines of panels below it.
pub(super) struct Section {
    title: &'static str,
    collapsed: bool,
    lines: Vec<Line>,
}

impl Section {
    /// What one has to see at once.
    pub(super) fn open(title: &'static str, lines: Vec<Line>) -> Self {
        Self { title, collapsed: false, lines }
    }

    /// A detail: nothing of it is asked for or drawn until somebody opens the row.
    pub(super) fn collapsed(title: &'static str, lines: Vec<Line>) -> Self {
        Self { title, collapsed: true, lines }
    }
}

/// Panels side by side, which share the width by their parts of it.
pub(super) struct Line {
    /// In grid rows of 30 pixels.
    pub(super) height: u32,
    pub(super) panels: Vec<Draft>,
}

/// Gives every row and panel its place, from the top left, and its number.
pub(super) fn place(sections: Vec<Section>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut ids = 1..;
    let mut y = 0;
    for section in sections {
        let id = ids.next().unwrap_or_default();
        let grid_pos = GridPos { x: 0, y, w: COLUMNS, h: 1 };
        let (panels, bottom) = below(y + 1, section.lines, &mut ids);
        let mut row = Row {
            id,
            kind: "row",
            title: section.title,
            collapsed: section.collapsed,
            grid_pos,
            panels: Vec::new(),
        };
        if section.collapsed {
            // What follows moves down by as much as the row takes when it is opened.
            y += 1;
            row.panels = panels;
            items.push(Item::Row(row));
        } else {
            y = bottom;
            items.push(Item::Row(row));
            items.extend(panels.into_iter().map(|panel| Item::Panel(Box::new(panel))));
        }
    }
    items
}

/// The panels of `lines` from `y` on, and where they end.
fn below(mut y: u32, lines: Vec<Line>, ids: &mut impl Iterator<Item = u32>) -> (Vec<Panel>, u32) {
    let mut panels = Vec::new();
    for line in lines {
        let parts: u32 = line.panels.iter().map(Draft::parts).sum();
        assert!(COLUMNS.is_multiple_of(parts), "{parts} parts do not share {COLUMNS} columns");
        let mut x = 0;
        for panel in line.panels {
            let id = ids.next().unwrap_or_default();
            let w = panel.parts() * COLUMNS / parts;
            panels.push(panel.place(id, GridPos { x, y, w, h: line.height }));
            x += w;
        }
        y += line.height;
    }
    (panels, y)
}
