//! Threads that end by themselves, and work with a deadline.
//!
//! Results travel through the channels of [`std::sync::mpsc`]. Knows nothing of the work itself.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Builder};
use std::time::Duration;

/// The work of one thread.
pub(crate) type Work<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Work with a result.
pub(crate) type Task<T> = Box<dyn FnOnce() -> T + Send>;

/// Starts a thread with a name, by which debuggers and `ps` know it. It ends when `work` returns.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Runs each job in its own thread and returns when the last one has ended. A job for which no
/// thread can be started is dropped.
pub(crate) fn run_all<'a>(jobs: impl IntoIterator<Item = Work<'a>>) {
    thread::scope(|scope| {
        for job in jobs {
            let _not_run = Builder::new().spawn_scoped(scope, job);
        }
    });
}

/// Runs `work` in its own thread; `None` when it does not end within `timeout`. A thread that hangs
/// is left behind and ends with the process.
pub(crate) fn run_within<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    run_all_within(timeout, vec![Box::new(work)])
        .pop()
        .flatten()
}

/// [`run_within`] for several tasks at once. The results are in the order of the tasks.
pub(crate) fn run_all_within<T: Send + 'static>(
    timeout: Duration,
    tasks: Vec<Task<T>>,
) -> Vec<Option<T>> {
    let mut places = Vec::new();
    let jobs = tasks.into_iter().map(|task| {
        let place = Arc::new(Mutex::new(None));
        places.push(Arc::clone(&place));
        let job = move || {
            let result = task();
            *lock(&place) = Some(result);
        };
        Box::new(job) as Work<'static>
    });
    wait_for_all(timeout, jobs.collect());
    places.iter().map(|place| lock(place).take()).collect()
}

/// Runs the jobs in threads and returns when all have ended or the time is up. Not generic:
/// compiled once for all types of results.
fn wait_for_all(timeout: Duration, jobs: Vec<Work<'static>>) {
    let (running, ended) = mpsc::sync_channel::<()>(0);
    for job in jobs {
        let running = running.clone();
        let run = move || {
            job();
            drop(running);
        };
        let _not_run = Builder::new().spawn(run);
    }
    drop(running);
    // Nobody sends: the channel disconnects when the last job has ended.
    let _ended_or_timed_out = ended.recv_timeout(timeout);
}

/// Takes a lock, even if its last holder has panicked. Only tests find such a lock: the program
/// ends with its first panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_lock_that_was_held_in_a_panic_can_be_taken() {
        let mutex = Mutex::new(1);
        let panicked = thread::scope(|scope| {
            let hold = || {
                let _held = mutex.lock();
                panic!("on purpose");
            };
            scope.spawn(hold).join().is_err()
        });
        assert!(panicked && mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 1);
    }

    #[test]
    fn a_spawned_thread_has_its_name() {
        let (sender, receiver) = mpsc::channel();
        let send_name = move || {
            let name = thread::current().name().map(str::to_owned);
            sender.send(name).unwrap();
        };
        spawn("given", send_name).unwrap();
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("given"));
    }

    #[test]
    fn run_all_returns_when_all_is_done() {
        let mut squares = [0, 1, 2, 3, 4];
        run_all(squares.iter_mut().map(|number| {
            let square = move || *number *= *number;
            Box::new(square) as Work
        }));
        assert_eq!(squares, [0, 1, 4, 9, 16]);
    }

    #[test]
    fn a_task_that_hangs_holds_up_nothing_else() {
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let task = |hangs| -> Task<bool> {
            let gate = Arc::clone(&gate);
            Box::new(move || {
                if hangs {
                    let _opened = lock(&gate).recv();
                }
                hangs
            })
        };
        let tasks = vec![task(false), task(true), task(false)];
        let timeout = Duration::from_millis(500);
        assert_eq!(
            run_all_within(timeout, tasks),
            [Some(false), None, Some(false)]
        );
        drop(open);
        assert_eq!(run_within(timeout, || 7), Some(7));
    }

    #[test]
    fn nobody_waits_longer_than_the_work_takes() {
        let start = Instant::now();
        let timeout = Duration::from_secs(3600);
        let tasks: Vec<Task<u8>> = vec![Box::new(|| 1), Box::new(|| 2)];
        assert_eq!(run_all_within(timeout, tasks), [Some(1), Some(2)]);
        assert!(run_all_within::<u8>(timeout, Vec::new()).is_empty());
        assert_eq!(run_within(Duration::MAX, || 3), Some(3));
        assert!(start.elapsed() < timeout / 60);
    }
}
