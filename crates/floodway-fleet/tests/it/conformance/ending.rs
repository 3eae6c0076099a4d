//! How leases end.

use floodway_control::fleet::Remnant;

use super::{Replica, Stage};

pub(super) async fn who_leaves_gives_back_what_is_closed(mut stage: Stage) {
    let mut a = Replica::new("a");
    let mut b = Replica::new("b");
    assert_eq!(stage.grant(&mut a).await, 40);
    a.held = Some(3);
    let reply = stage.leave(&mut a).await;
    assert_eq!((reply.grant, reply.floor, reply.unfenced), (0, 0, 3));
    assert!(stage.replica("a").await.is_none());
    assert_eq!(stage.grant(&mut b).await, 37);
    // Now they are closed.
    a.held = None;
    let reply = stage.leave(&mut a).await;
    assert_eq!((reply.grant, reply.unfenced), (0, 0));
    assert_eq!(stage.grant(&mut b).await, 40);
    // Or nobody says so: for as long as a lease, and a while.
    b.held = Some(5);
    stage.leave(&mut b).await;
    let mut c = Replica::new("c");
    assert_eq!(stage.grant(&mut c).await, 35);
    stage.pass(4_500);
    assert_eq!(stage.grant(&mut c).await, 35);
    stage.pass(1_000);
    assert_eq!(stage.grant(&mut c).await, 40);
    stage.balanced().await;
}

pub(super) async fn a_burst_lapses_to_its_floor(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| (a.floor, a.floor_ttl, a.want) = (3, 60_000, 10));
    let mut b = Replica::new("b").with(|b| b.want = 0);
    stage.rounds(3, &mut [&mut b, &mut a]).await;
    let reply = stage.renew(&mut a).await;
    assert_eq!(reply.floor, 3);
    let granted = reply.grant;
    assert!(granted >= 10, "{granted}");
    stage.renew(&mut b).await;
    stage.pass(3_500);
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.members, reply.unfenced), (2, 0));
    stage.pass(1_000);
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.members, reply.unfenced), (1, granted - 3));
    let status = stage.replica("a").await.expect("its floor");
    assert!(status.lapsed);
    assert_eq!((status.grant, status.bound, status.floor), (3, 3, 3));
    stage.pass(1_500);
    b.request.want = 100;
    assert_eq!(stage.grant(&mut b).await, 37);
    stage.balanced().await;
    // It comes back to its lease.
    let reply = stage.renew(&mut a).await;
    assert_eq!((reply.epoch, reply.members), (a.request.epoch, 2));
    // Or does not.
    for _ in 0..70 {
        stage.pass(1_000);
        stage.renew(&mut b).await;
    }
    assert_eq!(stage.replica("a").await, None);
    assert_eq!(b.request.applied, 40);
    stage.balanced().await;
}

pub(super) async fn what_nobody_can_close_lingers(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| (a.linger, a.floor_ttl) = (5_000, 0));
    let mut b = Replica::new("b");
    let granted = stage.grant(&mut a).await;
    assert_eq!(stage.grant(&mut b).await, 40 - granted);
    stage.pass(4_500);
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.members, reply.unfenced), (1, granted));
    assert_eq!(stage.store.unfenced(&stage.budget).await.expect("a list"), []);
    stage.pass(3_000);
    assert_eq!(stage.renew(&mut b).await.unfenced, granted);
    stage.pass(3_000);
    assert_eq!(stage.renew(&mut b).await.unfenced, 0);
    stage.balanced().await;
}

pub(super) async fn what_somebody_can_close_counts_until_it_is_closed(mut stage: Stage) {
    let mut a = Replica::new("a").with(|a| (a.fenced, a.floor_ttl) = (true, 0));
    let mut b = Replica::new("b").with(|b| b.fencer = true);
    let granted = stage.grant(&mut a).await;
    let epoch = a.request.epoch;
    stage.renew(&mut b).await;
    stage.pass(4_500);
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.unfenced, reply.sweep, reply.grant), (granted, true, 0));
    assert!(!stage.renew(&mut b).await.sweep, "not so soon again");
    for _ in 0..100 {
        stage.pass(1_000);
        assert_eq!(stage.renew(&mut b).await.unfenced, granted);
    }
    let unfenced = stage.store.unfenced(&stage.budget).await.expect("a list");
    let found: Vec<_> = unfenced.iter().map(|left| (&*left.replica, left.epoch)).collect();
    assert_eq!(found, [("a", epoch)]);
    assert_eq!((unfenced[0].permits, unfenced[0].keep, unfenced[0].due), (granted, 0, None));

    let left = &unfenced[0];
    let others = vec![
        Remnant { replica: "nobody".to_owned(), ..left.clone() },
        Remnant { epoch: epoch + 1, ..left.clone() },
        // As it was before it came back, or before its floor ended.
        Remnant { seq: left.seq - 1, ..left.clone() },
        Remnant { keep: 1, ..left.clone() },
        Remnant { permits: left.permits - 1, ..left.clone() },
    ];
    stage.store.fenced(&stage.budget, others).await.expect("nothing");
    assert_eq!(stage.left().await, [granted]);
    stage.store.fenced(&stage.budget, unfenced).await.expect("closed");
    assert!(stage.left().await.is_empty());
    let reply = stage.renew(&mut b).await;
    assert_eq!((reply.grant, reply.unfenced, reply.sweep), (40, 0, false));
    stage.balanced().await;
}

pub(super) async fn another_process_takes_a_name_over(mut stage: Stage) {
    let mut old = Replica::new("a").with(|a| a.want = 10);
    let mut new = Replica::new("a").with(|a| a.incarnation = 8);
    let granted = stage.grant(&mut old).await;
    let reply = stage.renew(&mut new).await;
    assert!(!reply.superseded && reply.epoch > old.request.epoch);
    assert_eq!((reply.members, reply.unfenced), (1, granted));
    let reply = stage.send(old.ask(stage.now())).await;
    assert!(reply.superseded);
    assert_eq!((reply.epoch, reply.members), (new.request.epoch, 1));
    // What the former process has counts until it has had the time to close.
    assert_eq!(stage.grant(&mut new).await, 40 - granted);
    stage.pass(2_000);
    assert_eq!(stage.grant(&mut new).await, 40);
    // A third that goes before it has anything takes nothing over.
    let mut third = Replica::new("a").with(|a| a.incarnation = 9);
    third.held = Some(2);
    assert!(stage.leave(&mut third).await.superseded);
    assert_eq!(stage.grant(&mut new).await, 40);
    stage.balanced().await;
}
