//! What operators see and do.

use super::{Replica, Stage};

pub(super) async fn a_replica_is_evicted(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| a.fenced = true);
    let mut b = Replica::new("b");
    let granted = stage.grant(&mut a).await;
    stage.renew(&mut b).await;
    assert!(!stage.store.evict(&stage.budget, "nobody").await.expect("nobody"));
    assert!(!stage.store.evict("no budget", "a").await.expect("nothing"));
    assert_eq!(stage.store.status("no budget").await.expect("nothing"), None);
    assert!(stage.store.evict(&stage.budget, "a").await.expect("evicted"));
    assert!(stage.replica("a").await.is_none());
    // It may live: until its lease has ended, what it has counts.
    assert_eq!(stage.left().await, [granted]);
    assert_eq!(stage.grant(&mut b).await, 40 - granted);
    // Then it says so.
    a.request.want = 0;
    a.request.applied = 5;
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.epoch, reply.unfenced), (a.request.epoch, 0));
    assert_eq!(stage.grant(&mut b).await, 35);

    // What nobody is there to close goes with a second one.
    let mut c = Replica::new("c").with(|c| (c.fenced, c.floor_ttl) = (true, 0));
    b.request.want = 1;
    stage.rounds(3, &mut [&mut a, &mut b, &mut c]).await;
    let granted = c.request.applied;
    assert!(granted > 5);
    for _ in 0..6 {
        stage.pass(1_000);
        stage.renew(&mut a).await;
        stage.renew(&mut b).await;
    }
    assert_eq!(stage.left().await, [granted]);
    assert!(stage.store.evict(&stage.budget, "c").await.expect("evicted"));
    assert!(stage.left().await.is_empty());
    assert!(!stage.store.evict(&stage.budget, "c").await.expect("nothing is left"));
    stage.balanced().await;
}

pub(super) async fn an_operator_sets_the_budget(stage: Stage) {
    let mut a = Replica::new("a");
    assert_eq!(stage.grant(&mut a).await, 40);
    stage.store.set_budget(&stage.budget, Some((20, 5))).await.expect("set");
    let status = stage.status().await;
    assert_eq!((status.budget, status.margin, status.set_by_operator), (20, 5, true));
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.grant, reply.budget, reply.margin, reply.outstanding), (15, 20, 5, 40));
    assert!(!reply.disagree);
    assert_eq!(stage.renew(&mut a).await.outstanding, 15);
    stage.store.set_budget(&stage.budget, None).await.expect("cleared");
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.grant, reply.budget, reply.margin), (40, 42, 2));
    assert!(!stage.status().await.set_by_operator);
    // One that nobody has asked for yet.
    let early = format!("{}_early", stage.budget);
    stage.store.set_budget(&early, Some((7, 1))).await.expect("set");
    let mut b = Replica::new("b");
    let reply = stage.store.renew(&early, b.ask(stage.now())).await.expect("a renewal");
    assert_eq!((reply.budget, reply.margin), (7, 1));
    stage.balanced().await;
}

pub(super) async fn the_lowest_declared_budget_is_in_force(stage: Stage) {
    let mut a = Replica::new("a");
    let mut b = Replica::new("b").with(|b| (b.budget, b.want) = (30, 0));
    assert_eq!(stage.grant(&mut a).await, 40);
    let reply = stage.renew(&mut b).await;
    assert!(reply.disagree);
    assert_eq!((reply.budget, reply.margin), (30, 2));
    assert_eq!(stage.grant(&mut a).await, 28);
    let declared = stage.status().await.declared;
    assert_eq!(declared, [(30, 2, 1), (42, 2, 1)]);
    b.request.budget = 42;
    let reply = stage.renew(&mut b).await;
    assert!(!reply.disagree);
    assert_eq!(reply.budget, 42);
    assert_eq!(stage.grant(&mut a).await, 40);
    stage.balanced().await;
}

pub(super) async fn status_shows_everybody(mut stage: Stage) {
    let mut b = Replica::new("b").with(|b| (b.want, b.weight, b.floor) = (5, 3, 2));
    let mut a = Replica::new("a").with(|a| a.want = 7);
    stage.renew(&mut b).await;
    stage.renew(&mut a).await;
    stage.pass(1_000);
    let reply = stage.renew(&mut b).await;
    stage.pass(1_000);
    stage.renew(&mut a).await;
    let status = stage.status().await;
    let names: Vec<_> = status.replicas.iter().map(|one| &*one.replica).collect();
    assert_eq!(names, ["a", "b"]);
    let seen = &status.replicas[1];
    assert_eq!((seen.epoch, seen.grant, seen.held), (reply.epoch, reply.grant, b.request.held));
    assert_eq!((seen.want, seen.weight, seen.floor), (5, 3, 2));
    assert!(!seen.lapsed && !seen.hungry);
    assert!((1_000..1_300).contains(&seen.age_ms), "{seen:?}");
    assert!((2_700..=3_000).contains(&seen.remaining_ms), "{seen:?}");
    assert_eq!((status.declared, status.learning), (vec![(42, 2, 2)], false));
    let budgets = stage.store.budgets().await.expect("names");
    assert!(budgets.contains(&stage.budget), "{budgets:?}");
    assert!(budgets.is_sorted());
    stage.store.check().await.expect("a report");
}
