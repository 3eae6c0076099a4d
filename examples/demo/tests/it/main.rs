//! Runs the program as a user does.

mod browser;
mod demo;
mod errors;
mod live;
mod measure;
mod serve;
