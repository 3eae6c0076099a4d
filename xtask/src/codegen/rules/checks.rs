//! Rules that the rules keep.
