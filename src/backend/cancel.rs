//! A switch that ends a request, a wait or a pause of a source from another thread.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ureq::Agent;

use crate::threads;

/// The switch; clones share it. Once cancelled, it stays so.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
    /// The HTTP client whose connections are shut down.
    agent: Option<Agent>,
}

#[derive(Debug, Default)]
struct Shared {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

impl Cancel {
    /// A switch that shuts down the connections of `agent` as well.
    pub(super) fn of_agent(agent: Agent) -> Cancel {
        Cancel {
            agent: Some(agent),
            ..Cancel::default()
        }
    }

    /// Ends what the source is doing. Only a name lookup or a TCP connect in progress goes on until
    /// its own limit.
    pub fn cancel(&self) {
        *threads::lock(&self.shared.cancelled) = true;
        self.shared.changed.notify_all();
        if let Some(agent) = self.agent.clone() {
            agent.shutdown();
        }
    }

    /// True after [`Cancel::cancel`].
    pub fn is_cancelled(&self) -> bool {
        *threads::lock(&self.shared.cancelled)
    }

    /// Sleeps for `pause`, or until cancelled.
    pub fn sleep(&self, pause: Duration) {
        let guard = threads::lock(&self.shared.cancelled);
        let waiting = |cancelled: &mut bool| !*cancelled;
        // Poisoned or not, the pause is over.
        let _woken = self
            .shared
            .changed
            .wait_timeout_while(guard, pause, waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_sleep_ends_when_it_is_over_or_cancelled() {
        let cancel = Cancel::default();
        cancel.sleep(Duration::from_millis(1));
        assert!(!cancel.is_cancelled());
        let (other, start) = (cancel.clone(), Instant::now());
        let sleeper = thread::spawn(move || other.sleep(Duration::from_secs(3600)));
        cancel.cancel();
        sleeper.join().expect("no panic");
        assert!(cancel.is_cancelled());
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
