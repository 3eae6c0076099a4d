//! The command line, and what `--help` says about it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::time::parse_duration;

/// Shows the budgets of a fleet, sets them, evicts replicas and finds what is wrong.
///
/// A budget is what replicas of a service share: the connections that their database bears. Each replica
/// leases a part of it from an engine, Redis or PostgreSQL, and this program asks that engine.
///
/// Exit codes: 0 if all is well, 1 if there are warnings or a command needs --yes, 2 if something is broken or
/// could not be done.
#[derive(Debug, Parser)]
#[command(name = "floodway-fleet", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where the fleet keeps its budgets: redis://, rediss://, redis+unix:// or postgres://.
    ///
    /// redis://:password@host:6379/0, rediss:// for TLS, redis+unix:///path/to/socket for a Unix socket,
    /// postgres://user:password@host:5432/database. Other users of this machine can see arguments but not
    /// the environment, so a URL with a password belongs there. It is never printed.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "FLOODWAY_FLEET_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// How long the engine or the database may take for one answer: 5s, 500ms.
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(Status),
    SetBudget(SetBudget),
    Evict(Evict),
    Doctor(Doctor),
}

/// Show who has what of a budget, or of all.
///
/// For each replica: its lease (a number that grows), the permits it was granted, those it holds (in use, or
/// connections that are open), those it wants (in use or waited for), the floor that it keeps when the engine
/// cannot be reached, its weight beside others, when it was last seen, and when its lease ends. Its state is
/// "hungry" if it has less than its fair share, "floor" if its lease has lapsed and only the floor is left.
///
/// What replicas that are gone have left behind counts until its time is over, or, with a fence, until the
/// connections are closed.
///
/// Times are as of the last renewal by any replica. While nobody renews, they stand still.
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The budget; without, all of them.
    pub(crate) budget: Option<String>,
    /// As JSON, on one line. Amounts in permits, times in milliseconds.
    #[arg(long)]
    pub(crate) json: bool,
    /// Again and again, every second or so often, until interrupted. Goes on while the engine is away.
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1s",
        value_parser = parse_duration
    )]
    pub(crate) watch: Option<Duration>,
}

/// Set a budget for all replicas, whatever they declare, or leave it to them again.
///
/// It holds from the next renewal of each replica on, and for replicas that start later, until --clear.
/// Raise it after the database was given more connections and before the next deployment; lower it before the
/// database gets fewer.
///
/// If more is out than the new budget allows, replicas get no more until enough has come back: nothing is
/// interrupted. This has to be confirmed with --yes, as does a budget that no replica has named.
#[derive(Args, Debug)]
pub(crate) struct SetBudget {
    pub(crate) budget: String,
    /// What replicas and margin together may have.
    #[arg(required_unless_present = "clear", value_parser = clap::value_parser!(u32).range(1..=0x0FFF_FFFF))]
    pub(crate) permits: Option<u32>,
    /// What of it is never leased. Without, as it is now; if that is as much as the budget, or there is none,
    /// 5 %, but at least 1 where the budget is above 1.
    #[arg(long, value_name = "PERMITS", conflicts_with = "clear")]
    pub(crate) margin: Option<u32>,
    /// Leave the budget to what replicas declare.
    #[arg(long, conflicts_with = "permits")]
    pub(crate) clear: bool,
    /// Also if more is out than that, or no replica has named the budget.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Take the lease of a replica away that is gone for good.
///
/// For a replica that will not come back under its name, and whose floor others need before it ends by itself.
/// What the replica may still use counts on: until its lease would have ended, or, with a fence, until its
/// connections are closed. A replica that is alive asks again at its next renewal and is back.
///
/// For a replica without a lease, what it has left behind counts no more. Where that waits for a fence, make
/// sure that its connections are closed (`doctor --database` counts them), and confirm with --yes.
#[derive(Args, Debug)]
pub(crate) struct Evict {
    pub(crate) budget: String,
    /// As `status` shows it.
    pub(crate) replica: String,
    /// Also if that frees permits of which nobody knows whether they are still in use.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Find what is wrong with the engine, the budgets and the database, and say what to change.
///
/// The engine: whether it is reached, and in time for renewals; its version; whether it keeps what it knows
/// across a restart; whether it may throw budgets away; its clock. The budgets: whether replicas agree on them
/// and renew; whether more is out than may be; whether floors leave something to share; whether there are more
/// replicas than permits; what replicas have left behind that nobody closes.
///
/// With --database: the limits of the role, the database and the server beside the budget; how long the server
/// keeps connections and queries of a client that is gone; and whether the role has connections that the fleet does
/// not count.
///
/// Looks twice, one and a half renewals apart, if there is anything to see in that.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The budget; without, all of them.
    pub(crate) budget: Option<String>,
    /// The PostgreSQL database that the budget is for: postgres://user:password@host:5432/database.
    ///
    /// Best as the role and in the way that the replicas connect: settings made for another role are
    /// otherwise taken for those of the server.
    #[arg(long, value_name = "URL", env = "FLOODWAY_FLEET_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The role as which the replicas connect; without, the one in the URL of the database.
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// As JSON, on one line.
    #[arg(long)]
    pub(crate) json: bool,
    /// How often replicas renew, as they declare it.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(crate) refresh: Duration,
    /// How long a lease lasts, as they declare it.
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = parse_duration)]
    pub(crate) ttl: Duration,
    /// How long what they have may stay in use after that, as they declare it.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(crate) linger: Duration,
}
