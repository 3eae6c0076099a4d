//! What ends a process from outside, in good order.

use std::{
    future::{pending, poll_fn},
    io::{self, Read},
    process,
    task::Poll,
    thread,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

/// What shells expect of a program that Ctrl-C has ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// Gives what is done with the next Ctrl-C or SIGTERM, which do not end the process from now on. The one
/// after that does.
pub(crate) async fn signalled() -> impl Future<Output = ()> + Send + 'static {
    let mut first = Box::pin(async {
        // Without a handler there is nothing to wait for, and signals end the process as ever.
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            process::exit(INTERRUPTED.into());
        });
    });
    // The first poll installs the handlers.
    poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_ready())).await;
    first
}

/// Is done when whoever holds the other end of stdin is gone, however that came about.
pub(crate) async fn orphaned() {
    let (gone, told) = oneshot::channel();
    // A thread of its own, because a runtime waits for its blocking ones when it ends.
    thread::spawn(move || {
        let mut byte = [0];
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {}
        let _ = gone.send(());
    });
    let _ = told.await;
}

/// A switch that is thrown once `ended` is done.
pub(crate) fn switch(ended: impl Future<Output = ()> + Send + 'static) -> watch::Sender<bool> {
    let (stop, _) = watch::channel(false);
    tokio::spawn({
        let stop = stop.clone();
        async move {
            ended.await;
            stop.send_replace(true);
        }
    });
    stop
}

/// Is done once the switch is thrown, or gone.
pub(crate) async fn thrown(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
