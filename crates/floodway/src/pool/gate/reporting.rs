//! What a pool limiter tells those who scrape it.

use std::sync::atomic::Ordering;

use floodway_metrics::{Collector, Source, catalogue::pool as catalogue};

use super::{
    super::{Pool, PoolSnapshot},
    Gate,
};

impl<P: Pool> Source for Gate<P> {
    fn collect(&self, out: &mut Collector) {
        let PoolSnapshot { max, open, idle, .. } = self.pool.snapshot();
        let idle = idle.min(open);
        let (pool_limit, allowance, foreign) = {
            let tracker = self.tracker();
            // Of a copy: asking ends a pause that is over, which a scrape must not.
            let allowance = tracker.health.clone().allowance(self.clock.elapsed());
            (tracker.limit, allowance, tracker.ceiling.foreign())
        };
        let cells = &self.cells;
        out.numbers(&catalogue::CONNECTIONS, [f64::from(idle), f64::from(open - idle)]);
        out.number(&catalogue::CONNECTIONS_MAX, f64::from(max));
        out.number(&catalogue::CONNECTIONS_RESERVED, f64::from(self.reserved));
        out.number(&catalogue::CONNECTIONS_FOREIGN, f64::from(foreign));
        let limits = [
            self.limiter.limit(),
            pool_limit,
            allowance.min(pool_limit),
            self.outer_limit().min(max),
            self.limiter.algorithm_limit().min(max),
        ];
        out.numbers(&catalogue::LIMIT, limits.map(f64::from));
        let pending = self.limiter.queued() + self.claims.queued();
        out.number(&catalogue::PENDING_REQUESTS, pending as f64);
        out.number(&catalogue::CLAIMS, f64::from(self.claimed.load(Ordering::Relaxed)));
        out.number(&catalogue::OLDEST_HOLD, self.holds.oldest(self.clock.now()).as_secs_f64());
        out.number(&catalogue::TIMEOUTS, cells.timeouts.total() as f64);
        out.number(&catalogue::ERRORS, cells.errors.total() as f64);
        let rejections = cells.rejections.values();
        out.numbers(&catalogue::REJECTIONS, rejections.map(|count| count as f64));
        out.number(&catalogue::TRIMMED, cells.trimmed.total() as f64);
        out.number(&catalogue::ABANDONED, cells.abandoned.total() as f64);
        out.number(&catalogue::IMPLAUSIBLE, cells.implausible.total() as f64);
        out.histogram(&catalogue::WAIT_DURATION, cells.wait.value());
        out.histogram(&catalogue::USE_DURATION, cells.usage.value());
        if let Some(connects) = self.pool.connects() {
            out.number(&catalogue::CONNECTING, f64::from(connects.opening()));
            out.number(&catalogue::CONNECT_FAILURES, connects.failed_total() as f64);
            out.histogram(&catalogue::CONNECT_DURATION, connects.durations().value());
        }
    }
}
