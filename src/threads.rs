//! Threads of one kind, and the queue by which they tell what came of their work.
//!
//! std makes the code that starts a thread anew for each closure, and that of three kinds of channels for each message, which
//! would be 30 KB of the program. Here work is boxed before std sees it, and the queue is a lock with two conditions. Knows nothing
//! of what is done or told.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Duration;

/// What a thread does; one type for all.
pub type Work<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Work with a result.
pub type Task<T> = Box<dyn FnOnce() -> T + Send>;

/// Starts a thread that ends by itself. What is to be known of its work comes through a [`queue`].
pub fn start(thread: Builder, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start_boxed(thread, Box::new(work))
}

/// The same with a name, by which debuggers and `ps` know it.
pub fn start_named(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start(Builder::new().name(name.to_owned()), work)
}

fn start_boxed(thread: Builder, work: Work<'static>) -> io::Result<()> {
    thread.spawn(work).map(drop)
}

/// Runs all, each in a thread of its own, and returns when the last has ended. What there is no thread for is not run.
pub fn run_all<'a>(jobs: impl IntoIterator<Item = Work<'a>>) {
    thread::scope(|scope| {
        for job in jobs {
            let _not_run = Builder::new().spawn_scoped(scope, job);
        }
    });
}

/// Does the work in a thread of its own; `None` when it is not done within `limit`. What hangs is left behind, and ends with the
/// process.
pub fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (job, result) = job(work);
    run_for(limit, vec![job]);
    lock(&result).take()
}

/// [`in_time`] for many, all at once. The results are in the order of the tasks.
pub fn side_by_side<T: Send + 'static>(limit: Duration, tasks: Vec<Task<T>>) -> Vec<Option<T>> {
    let (mut jobs, mut places) = (Vec::new(), Vec::new());
    for task in tasks {
        let (job, place) = job(task);
        jobs.push(job);
        places.push(place);
    }
    run_for(limit, jobs);
    let mut results = Vec::new();
    for place in places {
        results.push(lock(&place).take());
    }
    results
}

/// Work that leaves its result behind, and the place where it does.
fn job<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> (Work<'static>, Arc<Mutex<Option<T>>>) {
    let result = Arc::new(Mutex::new(None));
    let place = Arc::clone(&result);
    let job = move || {
        let done = work();
        *lock(&place) = Some(done);
    };
    (Box::new(job), result)
}

/// [`run_all`], but returns when the time is over, too.
fn run_for(limit: Duration, jobs: Vec<Work<'static>>) {
    let (running, end) = queue::<()>(1);
    for job in jobs {
        let running = running.clone();
        let work = move || {
            job();
            drop(running);
        };
        let _not_run = start(Builder::new(), work);
    }
    drop(running);
    // Nobody sends anything; the last that ends hangs up. Whether all have ended is seen by their results.
    let _ended_or_over = end.receive_within(limit);
}

/// Takes a lock, even if its last holder has panicked. Only tests find such a lock: the program ends with its first panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queue with room for so many messages, at least one. Whoever sends one more waits.
pub fn queue<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    debug_assert!(room > 0, "nothing could be sent");
    let queue = Arc::new(Queue {
        state: Mutex::new(State {
            messages: VecDeque::new(),
            room,
            senders: 1,
            has_receiver: true,
        }),
        may_receive: Condvar::new(),
        may_send: Condvar::new(),
    });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<State<T>>,
    /// There is a message, or the last sender is gone.
    may_receive: Condvar,
    /// There is room, or the receiver is gone.
    may_send: Condvar,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    room: usize,
    senders: usize,
    has_receiver: bool,
}

/// The side of a queue that gives; each of many has a clone. The last one that is dropped hangs up.
#[derive(Debug)]
pub struct Sender<T>(Arc<Queue<T>>);

/// The side of a queue that takes. Hangs up when it is dropped.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Queue<T>>);

/// Nobody is on the other side of the queue any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HungUp;

/// Why no message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// There was none in time.
    TimeOver,
    /// All senders are gone: there will never be one.
    HungUp,
}

impl<T> Sender<T> {
    /// Puts the message at the end of the queue, once there is room.
    pub fn send(&self, message: T) -> Result<(), HungUp> {
        let Queue {
            state,
            may_receive,
            may_send,
        } = &*self.0;
        let is_full =
            |state: &mut State<T>| state.has_receiver && state.messages.len() >= state.room;
        let mut state = may_send
            .wait_while(lock(state), is_full)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.has_receiver {
            return Err(HungUp);
        }
        state.messages.push_back(message);
        may_receive.notify_one();
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        lock(&self.0.state).senders += 1;
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.senders -= 1;
        if state.senders == 0 {
            self.0.may_receive.notify_all();
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the first message, once there is one; `None` when there will be no more.
    pub fn receive(&self) -> Option<T> {
        // That much time is never over.
        self.receive_within(Duration::MAX).ok()
    }

    /// The same, but waits no longer than `limit`. Setting the clock changes nothing.
    pub fn receive_within(&self, limit: Duration) -> Result<T, Silence> {
        let Queue {
            state,
            may_receive,
            may_send,
        } = &*self.0;
        let is_quiet = |state: &mut State<T>| state.messages.is_empty() && state.senders > 0;
        let (mut state, _) = may_receive
            .wait_timeout_while(lock(state), limit, is_quiet)
            .unwrap_or_else(PoisonError::into_inner);
        match state.messages.pop_front() {
            Some(message) => {
                may_send.notify_one();
                Ok(message)
            }
            None if state.senders > 0 => Err(Silence::TimeOver),
            None => Err(Silence::HungUp),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.has_receiver = false;
        // They are dropped when the lock is free again: one may have a sender of this queue in it.
        let _unread = std::mem::take(&mut state.messages);
        drop(state);
        self.0.may_send.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn messages_come_in_order_through_a_queue_that_is_mostly_full() {
        let (sender, receiver) = queue(1);
        let send_all = move || (0..1000).for_each(|number| sender.send(number).unwrap());
        start(Builder::new(), send_all).unwrap();
        let received: Vec<i32> = std::iter::from_fn(|| receiver.receive()).collect();
        assert_eq!(received, Vec::from_iter(0..1000));
    }

    #[test]
    fn many_senders_lose_nothing_and_only_the_last_hangs_up() {
        let (sender, receiver) = queue(2);
        for name in 0..8 {
            let sender = sender.clone();
            let send_all = move || (0..200).for_each(|number| sender.send((name, number)).unwrap());
            start(Builder::new(), send_all).unwrap();
        }
        drop(sender);
        let mut next = [0; 8];
        while let Some((name, number)) = receiver.receive() {
            assert_eq!(number, next[name]);
            next[name] += 1;
        }
        assert_eq!(next, [200; 8]);
    }

    #[test]
    fn what_was_sent_before_the_hang_up_is_still_received() {
        let (sender, receiver) = queue(2);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        assert_eq!(receiver.receive_within(Duration::ZERO), Ok(1));
        assert_eq!(receiver.receive(), Some(2));
        assert_eq!(receiver.receive(), None);
        assert_eq!(receiver.receive_within(Duration::MAX), Err(Silence::HungUp));
    }

    #[test]
    fn silence_is_waited_for_as_long_as_was_asked() {
        let (sender, receiver) = queue(1);
        for limit in [Duration::ZERO, SHORT] {
            let begun = Instant::now();
            assert_eq!(receiver.receive_within(limit), Err(Silence::TimeOver));
            assert!(begun.elapsed() >= limit);
        }
        sender.send(1).unwrap();
        assert_eq!(receiver.receive_within(SHORT), Ok(1));
    }

    #[test]
    fn wakes_for_nothing_do_not_end_a_wait() {
        let (sender, receiver) = queue::<()>(1);
        let queue = Arc::clone(&receiver.0);
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let wake = move || {
            while !end.load(Ordering::Relaxed) {
                queue.may_receive.notify_all();
                thread::yield_now();
            }
        };
        start(Builder::new(), wake).unwrap();
        let begun = Instant::now();
        assert_eq!(receiver.receive_within(SHORT), Err(Silence::TimeOver));
        assert!(begun.elapsed() >= SHORT);
        ended.store(true, Ordering::Relaxed);
        drop(sender);
    }

    #[test]
    fn a_receiver_that_waits_is_told_of_the_hang_up() {
        let (sender, receiver) = queue::<()>(1);
        let (waiting, begun) = queue::<()>(1);
        let (result, results) = queue(1);
        let wait = move || {
            drop(waiting);
            result.send(receiver.receive()).unwrap();
        };
        start(Builder::new(), wait).unwrap();
        assert_eq!(begun.receive(), None);
        drop(sender);
        assert_eq!(results.receive(), Some(None));
    }

    #[test]
    fn senders_that_wait_for_room_are_told_when_the_receiver_goes() {
        let (sender, receiver) = queue(1);
        sender.send(0).unwrap();
        let (result, results) = queue(3);
        for number in 1..4 {
            let (sender, result) = (sender.clone(), result.clone());
            let send = move || result.send(sender.send(number)).unwrap();
            start(Builder::new(), send).unwrap();
        }
        assert_eq!(results.receive_within(SHORT), Err(Silence::TimeOver));
        drop(receiver);
        for _ in 1..4 {
            assert_eq!(results.receive(), Some(Err(HungUp)));
        }
        assert_eq!(sender.send(4), Err(HungUp));
    }

    #[test]
    fn what_nobody_has_received_goes_with_the_receiver() {
        struct Message {
            _queue: Sender<Message>,
            _counted: Arc<()>,
        }
        let counted = Arc::new(());
        let message = |sender: &Sender<Message>| Message {
            _queue: sender.clone(),
            _counted: Arc::clone(&counted),
        };
        let (sender, receiver) = queue(2);
        for _ in 0..2 {
            sender.send(message(&sender)).unwrap();
        }
        drop(receiver);
        assert_eq!(Arc::strong_count(&counted), 1);
        assert_eq!(sender.send(message(&sender)), Err(HungUp));
        assert_eq!(Arc::strong_count(&counted), 1);
    }

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
    fn threads_have_the_names_that_were_given_them() {
        for name in [Some("given"), None] {
            let (sender, receiver) = queue(1);
            let thread =
                name.map_or_else(Builder::new, |name| Builder::new().name(name.to_owned()));
            let tell = move || {
                let name = thread::current().name().map(str::to_owned);
                sender.send(name).unwrap();
            };
            start(thread, tell).unwrap();
            assert_eq!(receiver.receive(), Some(name.map(str::to_owned)));
        }
    }

    #[test]
    fn all_is_done_when_run_all_returns() {
        let mut squares = [0, 1, 2, 3, 4];
        run_all(squares.iter_mut().map(|number| {
            let square = move || *number *= *number;
            Box::new(square) as Work
        }));
        assert_eq!(squares, [0, 1, 4, 9, 16]);
    }

    #[test]
    fn what_hangs_holds_up_nothing_else() {
        let (open, gate) = queue::<()>(1);
        let gate = Arc::new(gate);
        let task = |hangs| -> Task<bool> {
            let gate = Arc::clone(&gate);
            Box::new(move || {
                if hangs {
                    gate.receive();
                }
                hangs
            })
        };
        let tasks = vec![task(false), task(true), task(false)];
        let limit = Duration::from_millis(500);
        assert_eq!(side_by_side(limit, tasks), [Some(false), None, Some(false)]);
        drop(open);
        assert_eq!(in_time(limit, || 7), Some(7));
    }

    #[test]
    fn nobody_waits_longer_than_the_work_takes() {
        let begun = Instant::now();
        let limit = Duration::from_secs(3600);
        let tasks: Vec<Task<u8>> = vec![Box::new(|| 1), Box::new(|| 2)];
        assert_eq!(side_by_side(limit, tasks), [Some(1), Some(2)]);
        assert!(side_by_side::<u8>(limit, Vec::new()).is_empty());
        assert!(begun.elapsed() < limit / 60);
    }
}
