//! The operator's program against real engines.

mod database;
mod doctor;
mod failures;
mod operator;
mod run;
mod status;
