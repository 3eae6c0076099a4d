//! A PostgreSQL server that says how many connections were opened, and by whom.

use floodway_test_support::Postgres;

/// A server of a part's own.
pub(super) struct Server(Postgres);

impl Server {
    /// `None`, after saying so, if PostgreSQL is not installed.
    pub(super) fn start() -> Option<Self> {
        // Enough for every pool of a part at once, and for connections that are on their way out.
        let settings = [("max_connections", "400"), ("log_connections", "on")];
        Postgres::start_with(&settings).map(Self)
    }

    /// Where somebody called `name` connects.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}?application_name={name}", self.0.url())
    }

    /// Backends that were ever started for `name`.
    ///
    /// From the log, which has a line for each at once. `pg_stat_database.sessions` counts the same,
    /// but late, and all of a database together.
    pub(super) fn backends(&self, name: &str) -> u64 {
        let said = format!("application_name={name}");
        let log = self.0.log();
        let authorized = log.lines().filter(|line| line.contains("connection authorized:"));
        authorized.filter(|line| line.split(' ').any(|word| word == said)).count() as u64
    }
}
