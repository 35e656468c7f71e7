//! The lines of a file that are replaced by others, as few as can be found in time.

use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::algorithms::{Compact, DiffHook, myers};

/// After this long the differences found so far have to do; they are right, but may be more than
/// needed.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// Files with fewer lines than this are searched whole: even the worst search is done in no
/// time.
const SMALL: usize = 2000;

/// Lines that are replaced by others, either of which may be none.
#[derive(Debug)]
pub struct Change {
    pub old: Range<usize>,
    pub new: Range<usize>,
}

/// The changes from the old lines to the new ones, in order. A line between two changes stays.
pub(super) fn changes(from: &[&str], to: &[&str]) -> Vec<Change> {
    let mut known = [from, to].concat();
    known.sort_unstable();
    known.dedup();
    let (old, new) = (numbers(from, &known), numbers(to, &known));
    let is_small = old.len().max(new.len()) < SMALL;
    let (old_places, new_places) = if is_small {
        ((0..=old.len()).collect(), (0..=new.len()).collect())
    } else {
        let known = known.len();
        (shared(&old, &new, known), shared(&new, &old, known))
    };
    let mut search = Search {
        old: &old_places,
        new: &new_places,
        reached: (0, 0),
        found: Compact::new(Changes(Vec::new()), &old, &new),
    };
    let (old, new) = (searched(&old, &old_places), searched(&new, &new_places));
    let (all_old, all_new) = (0..old.len(), 0..new.len());
    let deadline = Some(Instant::now() + TIME_LIMIT);
    let Ok(()) = myers::diff_deadline_raw(&mut search, &old, all_old, &new, all_new, deadline);
    search.found.into_inner().0
}

/// The lines by their numbers among the known ones.
fn numbers(lines: &[&str], known: &[&str]) -> Vec<usize> {
    let mut numbers = Vec::new();
    for line in lines {
        numbers.push(known.binary_search(line).unwrap_or_default());
    }
    numbers
}

/// The lines at these places; the end is none.
fn searched(lines: &[usize], places: &[usize]) -> Vec<usize> {
    let mut searched = Vec::new();
    for place in places {
        searched.extend(lines.get(*place));
    }
    searched
}

/// Where the lines are that the other side has as well, and where the end is. The others are
/// changes whatever the search finds, and would make it long in a large file.
fn shared(lines: &[usize], other: &[usize], known: usize) -> Vec<usize> {
    let mut is_shared = vec![false; known];
    for &line in other {
        is_shared[line] = true;
    }
    let mut places = Vec::new();
    for (place, &line) in lines.iter().enumerate() {
        if is_shared[line] {
            places.push(place);
        }
    }
    places.push(lines.len());
    places
}

/// Gets what is found in the lines that are searched, and hands on what that means for all lines.
struct Search<'a> {
    /// Where the searched lines are, and where the end is.
    old: &'a [usize],
    new: &'a [usize],
    /// The number of lines of each side that have been passed on.
    reached: (usize, usize),
    found: Compact<'a, 'a, Vec<usize>, Vec<usize>, Changes>,
}

impl Search<'_> {
    /// The old lines before `old` go, the new ones before `new` come.
    fn change(&mut self, old: usize, new: usize) -> Result<(), Infallible> {
        let (from, to) = self.reached;
        if old > from {
            self.found.delete(from, old - from, to)?;
            self.reached.0 = old;
        }
        if new > to {
            self.found.insert(self.reached.0, to, new - to)?;
            self.reached.1 = new;
        }
        Ok(())
    }
}

impl DiffHook for Search<'_> {
    type Error = Infallible;

    fn equal(&mut self, old: usize, new: usize, len: usize) -> Result<(), Infallible> {
        let places = self.old[old..old + len]
            .iter()
            .zip(&self.new[new..new + len]);
        let places: Vec<(usize, usize)> = places.map(|(&old, &new)| (old, new)).collect();
        for run in places.chunk_by(|a, b| (a.0 + 1, a.1 + 1) == *b) {
            let (old, new) = run[0];
            self.change(old, new)?;
            self.found.equal(old, new, run.len())?;
            self.reached = (old + run.len(), new + run.len());
        }
        Ok(())
    }

    fn delete(&mut self, old: usize, old_len: usize, _new: usize) -> Result<(), Infallible> {
        self.change(self.old[old + old_len], 0)
    }

    fn insert(&mut self, _old: usize, new: usize, new_len: usize) -> Result<(), Infallible> {
        self.change(0, self.new[new + new_len])
    }

    fn finish(&mut self) -> Result<(), Infallible> {
        let (old, new) = (self.old.last(), self.new.last());
        self.change(old.copied().unwrap_or(0), new.copied().unwrap_or(0))?;
        self.found.finish()
    }
}

/// Gathers the changes; those that touch are one.
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, old: Range<usize>, new: Range<usize>) {
        match self.0.last_mut() {
            Some(last) if old.start <= last.old.end && new.start <= last.new.end => {
                last.old.end = old.end.max(last.old.end);
                last.new.end = new.end.max(last.new.end);
            }
            _ => self.0.push(Change { old, new }),
        }
    }
}

impl DiffHook for Changes {
    type Error = Infallible;

    fn delete(&mut self, old: usize, old_len: usize, new: usize) -> Result<(), Infallible> {
        self.add(old..old + old_len, new..new);
        Ok(())
    }

    fn insert(&mut self, old: usize, new: usize, new_len: usize) -> Result<(), Infallible> {
        self.add(old..old, new..new + new_len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_one_side_has_alone_cost_a_large_file_no_time() {
        let lines = |changed: usize| -> Vec<String> {
            let network = |n: usize| if n % 3 == 1 { changed } else { 10 };
            (0..60_000).map(|n| format!("{}.{n}", network(n))).collect()
        };
        let (old, new) = (lines(11), lines(12));
        let [old, new] =
            [&old, &new].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
        let found = changes(&old, &new);
        assert_eq!(found.len(), 20_000);
        for (n, change) in found.iter().enumerate() {
            let line = 3 * n + 1..3 * n + 2;
            assert_eq!((&change.old, &change.new), (&line, &line));
        }
    }
}
