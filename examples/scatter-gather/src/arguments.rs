//! The command line.

use clap::Parser;

/// Puts a page together from four HTTP services within 150 ms, whatever they do.
///
/// The services run in the same process, on loopback: a profile and orders, which are quick,
/// recommendations, which take 400 ms, and ads, of which every second answer is a 503. What did not
/// come in time is a note on the page.
#[derive(Debug, Parser)]
#[command(name = "floodway-scatter-gather", version)]
pub(crate) struct Arguments {
    /// How many pages to put together
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: u32,

    /// Serve the page and its metrics until Ctrl-C
    #[arg(long, conflicts_with = "rounds")]
    pub(crate) serve: bool,

    /// Loopback port to serve on [default: a free one]
    #[arg(long, requires = "serve")]
    pub(crate) port: Option<u16>,
}
