//! A bounded concurrent map: one outcome for every input.

#![allow(dead_code, reason = "what counts in the cells is on its way")]

mod cells;
