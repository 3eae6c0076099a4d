//! Where things are: numbers, places, rows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{check, held, is_row, items, panels};

/// More than about two screens are not read.
const MOST_OPEN: usize = 17;

#[test]
fn ids_are_unique() {
    check(|dashboard| {
        let mut seen = BTreeSet::new();
        let rows = items(dashboard).iter().filter(|item| is_row(item));
        for item in panels(dashboard).chain(rows) {
            assert!(seen.insert(item["id"].as_u64().unwrap()), "{} repeats its id", item["title"]);
        }
    });
}

/// The cells of `items` fill all columns from `top` to the end of the last.
#[track_caller]
fn assert_filled(items: &[Value], top: u64) {
    let mut cells = BTreeSet::new();
    for item in items {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| item["gridPos"][side].as_u64().unwrap());
        for cell in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (y, x))) {
            assert!(cells.insert(cell), "{} overlaps at {cell:?}", item["title"]);
        }
    }
    let &(bottom, _) = cells.last().unwrap();
    for cell in (top..=bottom).flat_map(|y| (0..24).map(move |x| (y, x))) {
        assert!(cells.remove(&cell), "a gap at {cell:?}");
    }
    assert!(cells.is_empty(), "outside of the grid: {cells:?}");
}

#[test]
fn the_grid_has_no_gap_and_no_overlap() {
    check(|dashboard| {
        assert_filled(items(dashboard), 0);
        // Grafana moves the panels of a row that is opened by where they are below it.
        for row in items(dashboard).iter().filter(|item| item["collapsed"] == true) {
            assert_filled(held(row), row["gridPos"]["y"].as_u64().unwrap() + 1);
        }
    });
}

#[test]
fn only_collapsed_rows_hold_their_panels() {
    check(|dashboard| {
        for row in items(dashboard).iter().filter(|item| is_row(item)) {
            assert_eq!(row["collapsed"] == true, !held(row).is_empty(), "{}", row["title"]);
        }
    });
}

/// Details are asked for when somebody opens them, and what is open comes first.
#[test]
fn little_is_open_and_details_come_last() {
    check(|dashboard| {
        let open = items(dashboard).iter().filter(|item| !is_row(item)).count();
        assert!(open <= MOST_OPEN, "{open} panels are open");
        let rows: Vec<_> = items(dashboard).iter().filter(|item| is_row(item)).collect();
        assert!(rows.is_sorted_by_key(|row| row["collapsed"] == true));
    });
}
