//! Times, measured in turns so that what else the machine does falls on all alike.

use std::time::{Duration, Instant};

/// One thing to be measured: what to call it, and what does it once and says how long it took.
pub(crate) type Entry<'a> = (String, Box<dyn FnMut(usize) -> Duration + 'a>);

/// Something that is timed from its start to its end.
pub(crate) fn entry<'a>(name: &str, mut work: impl FnMut() + 'a) -> Entry<'a> {
    (name.to_owned(), Box::new(move |_| timed(&mut work)))
}

/// How long it takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Does each of them once, and again, `count` times; prints a line for each, with its ratio to the
/// first. Returns the medians.
pub(crate) fn in_turns(count: usize, entries: &mut [Entry<'_>]) -> Vec<Duration> {
    let mut times = vec![Vec::with_capacity(count); entries.len()];
    let mut ticks = vec![0; entries.len()];
    for turn in 0..count {
        for (((_, measure), times), ticks) in entries.iter_mut().zip(&mut times).zip(&mut ticks) {
            let before = ticks_of_children();
            times.push(measure(turn));
            *ticks += ticks_of_children() - before;
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let medians: Vec<Duration> = times.iter().map(|times| at(times, 50)).collect();
    for ((((name, _), times), median), ticks) in entries.iter().zip(&times).zip(&medians).zip(ticks)
    {
        let [best, half, most] = [0, 50, 99].map(|percent| milliseconds(at(times, percent)));
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        let cpu = match ticks {
            0 => String::new(),
            // Good for the average of many runs: a tick is longer than most of them.
            ticks => format!(
                "   CPU {:.1} ms",
                f64::from(ticks) * MS_A_TICK / count as f64
            ),
        };
        println!(
            "  {name:<46} best {best:>8} ms   p50 {half:>8} ms   p99 {most:>8} ms   x {ratio:.2}{cpu}"
        );
    }
    medians
}

/// Linux counts in hundredths of a second.
const MS_A_TICK: f64 = 10.0;

/// The processor time of all children that have ended, in ticks; 0 where the system does not say.
fn ticks_of_children() -> u32 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name, in parentheses, may have spaces in it.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum()
}

/// The smallest duration that `percent` of all do not exceed.
fn at(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
