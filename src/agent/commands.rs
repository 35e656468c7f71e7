//! Commands in threads of their own, which post how they ended; and what their end means.

use super::Event;
use crate::error::{self, Error, Result};
use crate::log;
use crate::resource::command::{Ended, Invocation, Status};
use crate::threads;
use std::sync::mpsc::SyncSender;

/// Starts a command; `event` says of what it is the end.
pub fn start(
    invocation: Invocation,
    queue: &SyncSender<Event>,
    event: impl FnOnce(Result<()>) -> Event + Send + 'static,
) -> Result<()> {
    log::debug(format_args!("Running {}", invocation.text));
    let (queue, text) = (queue.clone(), invocation.text.clone());
    let run = move || {
        let outcome = invocation
            .run()
            .and_then(|ended| judge(&invocation.text, &ended));
        // Nobody is left to tell when the loop has ended.
        let _ = queue.send(event(outcome));
    };
    let started = threads::spawn("command", run);
    started.map_err(|error| {
        let problem = format!("cannot be started: no thread for it: {error}");
        Error::command(&text, problem)
    })
}

/// Logs the output of a command that has run; an error when it failed.
fn judge(text: &str, ended: &Ended) -> Result<()> {
    let output = ended.output.to_string();
    let output = output.trim_end();
    if ended.status == Status::Success {
        match output.is_empty() {
            true => log::debug(format_args!("command {text:?} succeeded")),
            false => log::info(format_args!(
                "command {text:?} succeeded; its output:\n{output}"
            )),
        }
        return Ok(());
    }
    Err(error::Kind::Command {
        command: text.to_owned(),
        problem: ended.status.to_string(),
        output: output.to_owned(),
    }
    .into())
}
