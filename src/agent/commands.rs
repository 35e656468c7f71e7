//! Commands in threads of their own, which post when they have started and how they ended.

use std::sync::mpsc::SyncSender;

use super::Event;
use crate::error::{self, Error, Result};
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
                    Ok(ended) => judge(&invocation.text, &ended),
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

/// Logs the output of a command that has run; an error when it failed.
fn judge(text: &str, ended: &Ended) -> End {
    let output = ended.output.to_string();
    let output = output.trim_end();
    let outcome = if ended.status == Status::Success {
        if output.is_empty() {
            log::debug(format_args!("command {text:?} succeeded"));
        } else {
            log::info(format_args!(
                "command {text:?} succeeded; its output:\n{output}"
            ));
        }
        Ok(())
    } else {
        Err(Error::from(error::Kind::Command {
            command: text.to_owned(),
            problem: ended.status.to_string(),
            output: output.to_owned(),
        }))
    };
    End::Ended {
        outcome,
        killed: matches!(ended.status, Status::Signal(_)),
    }
}
