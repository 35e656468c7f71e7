//! Signals as events: blocked everywhere, and taken one by one by a thread that waits for nothing
//! else.
//!
//! No handler runs in the middle of anything. As PID 1 of a container the same thread buries
//! orphans.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::process;
use crate::platform::Signal;
use crate::threads;

/// Blocks the signals of [`listen_for_signals`], in this thread and in all that it starts: called
/// before there are others.
pub fn block_signals() -> io::Result<()> {
    // SAFETY: the default action is no function of ours. A parent that ignored SIGCHLD would have
    // our statuses thrown away.
    if unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    set_mask(libc::SIG_BLOCK, &our_signals())
}

/// Starts the thread that calls back for each signal. Those of one kind that come at once may count
/// as one.
pub fn listen_for_signals(mut on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let signals = our_signals();
    set_mask(libc::SIG_BLOCK, &signals)?;
    let wait = move || loop {
        let mut signal = 0;
        // SAFETY: both pointers are valid. It fails only for a set that is wrong, and ours is not.
        let code = unsafe { libc::sigwait(&signals, &mut signal) };
        match signal {
            _ if code != 0 => continue,
            libc::SIGCHLD => process::reap_orphans(),
            libc::SIGHUP => on_signal(Signal::Reload),
            _ if MEANINGLESS.contains(&signal) => {}
            _ => on_signal(Signal::Terminate),
        }
    };
    threads::spawn("signals", wait)
}

/// For a new process before it runs its program: nothing is blocked. std hands the mask down as it
/// is.
pub(super) fn unblock_all() -> io::Result<()> {
    set_mask(libc::SIG_SETMASK, &signal_set(&[]))
}

/// Signals that end nothing, as in the original: others may be meant.
const MEANINGLESS: [i32; 3] = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM];

fn our_signals() -> libc::sigset_t {
    let mut signals = vec![libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    signals.extend(MEANINGLESS);
    if std::process::id() == 1 {
        signals.push(libc::SIGCHLD);
    }
    signal_set(&signals)
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` makes a valid set of any memory, and the numbers are signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn set_mask(how: i32, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set is valid, and the old mask is not asked for. Allowed between fork and exec.
    match unsafe { libc::pthread_sigmask(how, set, ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::platform::shell;

    #[test]
    fn commands_start_with_no_signal_blocked_and_sigpipe_as_usual() {
        let result = thread::spawn(|| {
            set_mask(libc::SIG_BLOCK, &our_signals()).unwrap();
            shell("grep -E 'SigBlk|SigIgn' /proc/self/status")
                .output()
                .unwrap()
        });
        let text = String::from_utf8(result.join().unwrap().stdout).unwrap();
        let mask = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
        };
        assert_eq!(mask("SigBlk"), 0, "{text}");
        // Others may be ignored since before the tests began; Rust itself ignores this one.
        let pipe = 1 << (libc::SIGPIPE - 1);
        assert_eq!(mask("SigIgn") & pipe, 0, "{text}");
    }
}
