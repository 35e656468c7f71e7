//! Commands in threads of their own, which post when they have started and how they ended.

use std::sync::mpsc::SyncSender;

use super::Event;
use crate::error::{Error, Result};
use crate::log;
use crate::platform::Announcement;
use crate::resource::command::{Ended, Invocation, Status};
use crate::threads;

/// The end of a command.
#[derive(Debug)]
pub enum End {
    /// It could not even be started.
    NotStarted(Error),
    /// It has run; `killed` if a signal ended it.
    Ended { outcome: Result<()>, killed: bool },
}

impl End {
    /// The outcome, where a command that could not be started has failed.
    pub fn outcome(self) -> Result<()> {
        match self {
            End::NotStarted(error) => Err(error),
            End::Ended { outcome, .. } => outcome,
        }
    }
}

/// Starts a command. Posts `started` once it runs, and the event made by `ended` at its end.
pub(super) fn start(
    invocation: Invocation,
    announcement: Announcement,
    queue: &SyncSender<Event>,
    started: Option<Event>,
    ended: impl FnOnce(End) -> Event + Send + 'static,
) -> Result<()> {
    log::debug(format_args!("Running {}", invocation.text));
    let (queue, text) = (queue.clone(), invocation.text.clone());
    let run = move || {
        let end = match invocation.start(&announcement) {
            Err(error) => End::NotStarted(error),
            Ok(running) => {
                if let Some(started) = started {
                    // The loop has ended: the command goes on, and so does this thread.
                    let _nobody_listens = queue.send(started);
                }
                match running.wait() {
                    Ok(ended) => report(&invocation, &ended),
                    Err(error) => End::Ended {
                        outcome: Err(error),
                        killed: false,
                    },
                }
            }
        };
        let _nobody_listens = queue.send(ended(end));
    };
    threads::spawn("command", run).map_err(|error| {
        let problem = format!("cannot be started: no thread for it: {error}");
        Error::command(&text, problem)
    })
}

/// Logs the output of a command that has succeeded; an error when it failed.
fn report(invocation: &Invocation, ended: &Ended) -> End {
    let outcome = invocation.judge(ended);
    if outcome.is_ok() {
        let (text, output) = (&invocation.text, ended.output.to_string());
        match output.trim_end() {
            "" => log::debug(format_args!("command {text:?} succeeded")),
            output => log::info(format_args!(
                "command {text:?} succeeded; its output:\n{output}"
            )),
        }
    }
    End::Ended {
        outcome,
        killed: matches!(ended.status, Status::Signal(_)),
    }
}
