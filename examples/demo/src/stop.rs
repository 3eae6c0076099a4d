//! Ctrl-C as a request to stop, which every part of the run looks at.

use tokio::sync::watch;

/// Whether to stop. Cloning shares the request.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for Ctrl-C from now on.
    pub(crate) fn on_ctrl_c() -> Self {
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            // Without a handler there is nothing to wait for, and Ctrl-C ends the process as ever.
            if tokio::signal::ctrl_c().await.is_ok() {
                sender.send_replace(true);
            }
            // Keeps the channel open: a closed one would look like a request to stop.
            sender.closed().await;
        });
        Self(receiver)
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the request; at once if it was made before.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
