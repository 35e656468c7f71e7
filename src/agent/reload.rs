//! Reload commands: started in file order after all swaps, identical ones once, each beside the others.

use std::path::PathBuf;
use std::time::Instant;

use super::slot::State;
use super::{Agent, Event, commands};
use crate::error::Result;
use crate::log;
use crate::resource::Prepared;
use crate::resource::command::Invocation;
use crate::resource::owed::Owed;

/// One run of a command, for one resource or several.
struct Run {
    paths: Vec<PathBuf>,
    invocation: Invocation,
}

impl Agent {
    /// Before the swap: marks the reloads that must not be forgotten if this process ends before they worked.
    pub(super) fn owe(&mut self, synced: &[(PathBuf, Box<Prepared>)]) {
        if self.config.sync_only {
            return;
        }
        for (path, _) in synced {
            let Some(slot) = self
                .slots
                .get_mut(path)
                .filter(|slot| slot.resource.retries_reload())
            else {
                continue;
            };
            slot.owes = true;
            if slot.owed.is_none() {
                match Owed::mark(&self.config.confdir, slot.resource.dest()) {
                    Ok(owed) => slot.owed = Some(owed),
                    Err(error) => log::warning(format_args!(
                        "{}; this reload would not survive a restart",
                        error.chain()
                    )),
                }
            }
        }
    }

    /// Starts the reload of every resource that wants one.
    pub(super) fn start_reloads(&mut self) {
        for Run { paths, invocation } in self.runs() {
            for path in &paths {
                if let Some(slot) = self.slots.get_mut(path) {
                    slot.state = State::Reloading;
                }
            }
            let event = {
                let paths = paths.clone();
                move |outcome| Event::Reloaded { paths, outcome }
            };
            if let Err(error) = commands::start(invocation, &self.queue, event) {
                self.take_reloaded(&paths, Err(error));
            }
        }
    }

    /// The wanted reloads in file order, resources with the same command together.
    fn runs(&mut self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (path, slot) in self.slots.iter_mut() {
            let Some(changed) = slot.wants_reload.take() else {
                continue;
            };
            let Some(invocation) = slot
                .resource
                .reload(changed)
                .filter(|_| !self.config.sync_only)
            else {
                self.health.take_reload(slot.resource.dest(), &Ok(()));
                slot.succeed();
                continue;
            };
            match runs
                .iter_mut()
                .find(|run| run.invocation.text == invocation.text)
            {
                Some(run) => {
                    run.paths.push(path.clone());
                    run.invocation.also_serve(invocation);
                }
                None => runs.push(Run {
                    paths: vec![path.clone()],
                    invocation,
                }),
            }
        }
        runs
    }

    /// A reload command ended: its resources are free again, and due if something came in the meantime.
    pub(super) fn take_reloaded(&mut self, paths: &[PathBuf], outcome: Result<()>) {
        for path in paths {
            let Some(slot) = self.slots.get_mut(path) else {
                continue;
            };
            slot.state = State::Idle;
            self.health.take_reload(slot.resource.dest(), &outcome);
            match &outcome {
                Ok(()) => slot.reloaded(),
                Err(error) if slot.resource.retries_reload() => slot.fail(error, Instant::now()),
                Err(error) => slot.fail_for_now(error),
            }
        }
    }
}
