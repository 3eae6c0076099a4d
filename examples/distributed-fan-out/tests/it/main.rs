//! Runs the program as a user does: coordinator and workers, and kills them.

mod arguments;
mod killed;
mod redelivered;
mod support;
mod whole;
