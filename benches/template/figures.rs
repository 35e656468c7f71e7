//! Results: named times, kept in a file for each commit so that the next one can be
//! compared with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a round of measuring takes at least.
const ROUND: Duration = Duration::from_millis(50);

/// Times by name, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    name: String,
    time: Duration,
    /// How much was done in that time, and of what.
    amount: (f64, &'static str),
}

impl Figures {
    /// Measures `work`: the best of several rounds of at least 50 ms each, so that what else the
    /// machine does counts little.
    pub(crate) fn measure(
        &mut self,
        name: &str,
        amount: (f64, &'static str),
        mut work: impl FnMut(),
    ) -> Duration {
        let mut round = |turns: u32| {
            let start = cpu_time();
            for _ in 0..turns {
                work();
            }
            cpu_time().saturating_sub(start) / turns
        };
        let mut turns = 1;
        let mut best = round(turns);
        while best * turns < ROUND && turns < 1 << 24 {
            turns *= 2;
            best = round(turns);
        }
        for _ in 0..7 {
            best = best.min(round(turns));
        }
        self.0.push(Figure {
            name: name.to_owned(),
            time: best,
            amount,
        });
        best
    }

    /// The figures of an earlier run, by name.
    pub(crate) fn read(path: &Path) -> Option<BTreeMap<String, Duration>> {
        let text = fs::read_to_string(path).ok()?;
        let figures = text.lines().filter_map(|line| {
            let (name, nanos) = line.split_once('\t')?;
            Some((name.to_owned(), Duration::from_nanos(nanos.parse().ok()?)))
        });
        Some(figures.collect())
    }

    /// Keeps the figures.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let lines = self.0.iter();
        let lines = lines.map(|figure| format!("{}\t{}\n", figure.name, figure.time.as_nanos()));
        fs::write(path, lines.collect::<String>())
    }

    /// One line for each figure, beside that of the commit before.
    pub(crate) fn print(&self, before: Option<&BTreeMap<String, Duration>>) {
        for Figure { name, time, amount } in &self.0 {
            let rate = amount.0 / time.as_secs_f64();
            let before = before.and_then(|before| before.get(name));
            let change = before.map_or(String::new(), |before| {
                let percent = (time.as_secs_f64() / before.as_secs_f64() - 1.0) * 100.0;
                format!("{:>12} before  {percent:+5.0} %", show(*before))
            });
            println!(
                "{name:<36} {:>12} {rate:>12.0} {:<10}{change}",
                show(*time),
                format!("{}/s", amount.1)
            );
        }
    }
}

/// How long this thread has been running, not waiting for its turn. Where the system does not say:
/// the clock.
fn cpu_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let running = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = running.and_then(|text| text.split(' ').next()?.parse().ok());
    match nanos {
        Some(nanos) => Duration::from_nanos(nanos),
        None => START.get_or_init(Instant::now).elapsed(),
    }
}

/// A time with three digits.
pub(crate) fn show(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    let (number, unit) = match nanos {
        0.0..1e3 => (nanos, "ns"),
        1e3..1e6 => (nanos / 1e3, "µs"),
        1e6..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{number:.2} {unit}")
}
