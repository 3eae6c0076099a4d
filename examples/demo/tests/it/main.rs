//! Runs the program as a user does.

mod demo;
mod errors;
mod measure;
mod serve;
