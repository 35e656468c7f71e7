//! Times, measured in turns so that what else the machine does falls on all alike.

use std::time::{Duration, Instant};

/// One thing to be measured: what to call it, and what does it once and says how long it took.
pub type Entry<'a> = (String, Box<dyn FnMut(usize) -> Duration + 'a>);

/// Something that is timed from its start to its end.
pub fn entry<'a>(name: &str, mut work: impl FnMut() + 'a) -> Entry<'a> {
    (name.to_owned(), Box::new(move |_| timed(&mut work)))
}

/// How long it takes.
pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Does each of them once, and again, so many times; prints a line for each, with its ratio to the first. Returns the medians.
pub fn in_turns(count: usize, entries: &mut [Entry<'_>]) -> Vec<Duration> {
    let mut times = vec![Vec::with_capacity(count); entries.len()];
    for turn in 0..count {
        for ((_, measure), times) in entries.iter_mut().zip(&mut times) {
            times.push(measure(turn));
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let medians: Vec<Duration> = times.iter().map(|times| at(times, 50)).collect();
    for (((name, _), times), median) in entries.iter().zip(&times).zip(&medians) {
        let [best, half, most] = [0, 50, 99].map(|percent| milliseconds(at(times, percent)));
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        println!(
            "  {name:<46} best {best:>8} ms   p50 {half:>8} ms   p99 {most:>8} ms   x {ratio:.2}"
        );
    }
    medians
}

/// The smallest duration that `percent` of all do not exceed.
fn at(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
