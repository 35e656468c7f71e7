//! Ctrl-C, Ctrl-Break and shutdown of a console program, and what a service is asked, as the events
//! that signals are on Unix.

use std::io;
use std::sync::{OnceLock, mpsc};
use std::thread;

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

use crate::platform::Signal;
use crate::threads;

static EVENTS: OnceLock<mpsc::Sender<Signal>> = OnceLock::new();

/// Nothing to do: only [`listen_for_signals`] changes what happens.
pub fn block_signals() -> io::Result<()> {
    Ok(())
}

/// Starts the thread that calls back for each event. Called once in a process.
pub fn listen_for_signals(mut on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    // The system's own threads send: they must not be made to wait.
    let (sender, receiver) = mpsc::channel();
    if EVENTS.set(sender).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let wait = move || {
        receiver.into_iter().for_each(&mut on_signal);
    };
    threads::spawn("signals", wait)?;
    // SAFETY: the handler is a function of the right type that lives as long as the program.
    match unsafe { SetConsoleCtrlHandler(Some(handle), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Hands an event to the listener, if there is one by now.
pub(super) fn post(signal: Signal) {
    if let Some(events) = EVENTS.get() {
        // The listener lives as long as the program.
        let _never_fails = events.send(signal);
    }
}

/// Called by the system in a thread of its own.
unsafe extern "system" fn handle(event: u32) -> BOOL {
    let signal = match event {
        // Services receive it for every user who logs off, which does not concern them.
        CTRL_LOGOFF_EVENT => return 1,
        CTRL_BREAK_EVENT => Signal::Reload,
        _ => Signal::Terminate,
    };
    post(signal);
    while !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        // The console closes or the machine goes down: the process would be ended as soon as this
        // returns.
        thread::park();
    }
    1
}
