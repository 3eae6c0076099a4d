//! Rounds of looking and closing, until few enough connections are left.

use std::time::Duration;

use sqlx::PgConnection;

use super::FenceError;
use crate::Left;

/// A server that has not closed a connection by then does so later, if ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// How long one call waits for one connection, in milliseconds.
const WAIT: i64 = 1_000;

/// Who works goes before who idles, the longest first. To roles that may not see what others do, all are
/// the same. Workers of parallel queries have the name of the connection that they work for, and end with
/// it.
const LOOK: &str = "SELECT pid FROM pg_catalog.pg_stat_activity \
     WHERE application_name = $1 AND pid <> pg_backend_pid() AND leader_pid IS NULL \
     ORDER BY state = 'idle', xact_start, backend_start, pid";

/// All at once. The name is looked at again, because a process number may be somebody else's by now.
const SIGNAL: &str = "SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
     WHERE application_name = $1 AND pid = ANY($2)";

/// Comes back when the process is no more, and not only the entry that shows it: the entry goes first,
/// the place among the role's connections after it.
const AWAIT: &str = "SELECT pg_terminate_backend(pid, $3) FROM pg_catalog.pg_stat_activity \
     WHERE application_name = $1 AND pid = $2";

/// One lease's connections, on the way to being closed.
pub(super) struct Closing<'a> {
    connection: &'a mut PgConnection,
    name: &'a str,
    keep: usize,
    /// These stay.
    kept: Vec<i32>,
    /// These were told to end, and have not done so yet.
    ending: Vec<i32>,
    closed: u32,
}

impl<'a> Closing<'a> {
    pub(super) fn new(connection: &'a mut PgConnection, left: &'a Left) -> Self {
        let (name, keep) = (&*left.application_name, left.keep as usize);
        Self { connection, name, keep, kept: Vec::new(), ending: Vec::new(), closed: 0 }
    }

    /// Until so many are left as shall be kept, also of those that come meanwhile; how many it closed.
    pub(super) async fn run(mut self) -> Result<u32, FenceError> {
        loop {
            let beyond = self.look().await?;
            if !beyond.is_empty() {
                self.signal(beyond).await?;
            } else if let Some(pid) = self.ending.first().copied() {
                self.wait(pid).await?;
            } else {
                return Ok(self.closed);
            }
        }
    }

    /// Those to close that were not told yet.
    async fn look(&mut self) -> Result<Vec<i32>, FenceError> {
        let looked =
            sqlx::query_scalar(LOOK).bind(self.name).fetch_all(&mut *self.connection).await;
        let open: Vec<i32> = looked.map_err(FenceError::Failed)?;
        self.kept.retain(|pid| open.contains(pid));
        self.ending.retain(|pid| open.contains(pid));
        let mut beyond = Vec::new();
        for pid in open {
            if self.kept.contains(&pid) || self.ending.contains(&pid) {
                continue;
            }
            let place = if self.kept.len() < self.keep { &mut self.kept } else { &mut beyond };
            place.push(pid);
        }
        Ok(beyond)
    }

    async fn signal(&mut self, pids: Vec<i32>) -> Result<(), FenceError> {
        let signal = sqlx::query_scalar(SIGNAL).bind(self.name).bind(&pids);
        let signalled: Vec<bool> =
            signal.fetch_all(&mut *self.connection).await.map_err(FenceError::Failed)?;
        // Those that ended by themselves just now are not counted.
        let ours = signalled.into_iter().filter(|ours| *ours).count();
        self.closed += u32::try_from(ours).unwrap_or(u32::MAX);
        self.ending.extend(pids);
        Ok(())
    }

    async fn wait(&mut self, pid: i32) -> Result<(), FenceError> {
        let wait = sqlx::query(AWAIT).bind(self.name).bind(pid).bind(WAIT);
        wait.execute(&mut *self.connection).await.map_err(FenceError::Failed)?;
        Ok(())
    }
}
