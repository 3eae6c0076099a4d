//! The load generator.

mod arrivals;
mod client;
mod closed_loop;
mod mix;
mod open_loop;
mod request;
mod swing;

pub(crate) use self::{
    client::Client,
    closed_loop::closed_loop,
    open_loop::{OpenLoop, Phase},
    request::{Answer, Answered, Measured, Request},
    swing::Swing,
};
