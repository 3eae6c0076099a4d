//! Batching: many calls become few.

#[cfg_attr(not(test), expect(dead_code, reason = "the batcher that counts in it is not there yet"))]
mod cells;
