//! The operator's program against real engines.

mod database;
mod doctor;
mod failures;
mod operator;
mod postgres;
mod run;
mod status;
