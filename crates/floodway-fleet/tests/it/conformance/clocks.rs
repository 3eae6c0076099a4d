//! Clocks that somebody steps.

use super::{Replica, Stage};

const FIVE_MINUTES: i64 = 300_000;

pub(super) async fn steps_of_the_wall_clock_end_no_lease(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| a.want = 20);
    let mut b = Replica::new("b").with(|b| b.want = 20);
    stage.rounds(3, &mut [&mut a, &mut b]).await;
    for by in [FIVE_MINUTES, -FIVE_MINUTES, FIVE_MINUTES, FIVE_MINUTES] {
        stage.step_wall_clock(by);
        stage.pass(1_000);
        // Only one of them asks: the other's lease runs, whatever the clock shows.
        let reply = stage.renew(&mut b).await;
        assert_eq!((reply.members, reply.unfenced, reply.grant), (2, 0, 20), "after {by}");
        let reply = stage.renew(&mut a).await;
        assert_eq!((reply.members, reply.grant), (2, 20), "after {by}");
    }
    stage.balanced().await;
}

pub(super) async fn steps_of_the_wall_clock_keep_no_lease(mut stage: Stage) {
    for by in [FIVE_MINUTES, -FIVE_MINUTES] {
        let mut a = Replica::new("a").with(|a| a.floor_ttl = 0);
        let mut b = Replica::new("b");
        stage.renew(&mut a).await;
        stage.renew(&mut b).await;
        stage.step_wall_clock(by);
        for _ in 0..8 {
            stage.pass(1_000);
            stage.renew(&mut b).await;
        }
        // A dead replica's part is back once its time has really passed.
        assert_eq!(stage.status().await.replicas.len(), 1, "after {by}");
        assert_eq!(b.request.applied, 40, "after {by}");
        stage.leave(&mut b).await;
    }
    stage.balanced().await;
}
