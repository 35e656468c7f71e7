//! Time zones: Go's `Location`, read from a zone file (TZif) or a rule as POSIX writes it, or known
//! to the system alone.

use std::borrow::Cow;

use super::rule::Rule;

/// How far a zone's clock is ahead at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Seconds east of Greenwich.
    pub seconds: i32,
    /// The abbreviation, such as `CST`.
    pub name: Cow<'static, str>,
    /// True if daylight saving time is in force.
    pub is_dst: bool,
}

impl Offset {
    /// That of UTC.
    pub const UTC: Offset = Offset {
        seconds: 0,
        name: Cow::Borrowed("UTC"),
        is_dst: false,
    };
}

/// A time zone, Go's `time.Location`.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Utc,
    Rule(Rule),
    File(File),
    System(fn(i64) -> Offset),
}

/// The content of a zone file.
#[derive(Clone, Debug)]
struct File {
    offsets: Vec<Offset>,
    /// From which second on which offset holds; never empty.
    changes: Vec<(i64, u8)>,
    /// The rule that holds after the last change.
    rule: Option<Rule>,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone {
            name: "UTC".to_owned(),
            kind: Kind::Utc,
        }
    }

    /// A zone that only the system knows: a function from seconds since 1970 to the offset.
    pub fn of_system(name: &str, offset_at: fn(i64) -> Offset) -> Zone {
        Zone {
            name: name.to_owned(),
            kind: Kind::System(offset_at),
        }
    }

    /// A rule such as `CST-8` or `EST5EDT,M3.2.0,M11.1.0`, which is also the zone's name; none when
    /// it is malformed.
    pub fn of_rule(rule: &str) -> Option<Zone> {
        Some(Zone {
            name: rule.to_owned(),
            kind: Kind::Rule(Rule::parse(rule)?),
        })
    }

    /// A zone file's content, Go's `LoadLocationFromTZData`; none when it is malformed.
    pub fn of_file(name: &str, content: &[u8]) -> Option<Zone> {
        Some(Zone {
            name: name.to_owned(),
            kind: Kind::File(File::parse(content)?),
        })
    }

    /// `Location.String`: `UTC`, `Local`, or the name of the zone file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The offset at an instant, in seconds since 1970.
    pub fn offset_at(&self, seconds: i64) -> Offset {
        match &self.kind {
            Kind::Utc => Offset::UTC,
            Kind::Rule(rule) => rule.offset_at(seconds),
            Kind::File(file) => file.offset_at(seconds),
            Kind::System(offset_at) => offset_at(seconds),
        }
    }
}

impl File {
    fn offset_at(&self, seconds: i64) -> Offset {
        let after = self.changes.partition_point(|(start, _)| *start <= seconds);
        if let (true, Some(rule)) = (after == self.changes.len(), &self.rule) {
            return rule.offset_at(seconds);
        }
        let index = match after.checked_sub(1).and_then(|last| self.changes.get(last)) {
            Some((_, index)) => usize::from(*index),
            None => self.first_offset(),
        };
        self.offsets.get(index).cloned().unwrap_or(Offset::UTC)
    }

    /// The offset before the first change: one that no change leads to, or one without daylight
    /// saving.
    fn first_offset(&self) -> usize {
        if self.changes.iter().all(|(_, index)| *index != 0) {
            return 0;
        }
        let is_standard = |index: &usize| self.offsets.get(*index).is_some_and(|o| !o.is_dst);
        let first = self
            .changes
            .first()
            .map_or(0, |(_, index)| usize::from(*index));
        let before = (0..first).rev().find(is_standard);
        let before = before.filter(|_| !is_standard(&first));
        before
            .or_else(|| (0..self.offsets.len()).find(is_standard))
            .unwrap_or(0)
    }

    fn parse(content: &[u8]) -> Option<File> {
        let mut reader = Reader(content);
        let (version, mut counts) = reader.header()?;
        let mut width = 4;
        if version > 1 {
            // The same again with 64 bits follows.
            reader.take(counts.size(width)?)?;
            (_, counts) = reader.header()?;
            width = 8;
        }
        let times = reader.take(counts.changes.checked_mul(width)?)?;
        let indexes = reader.take(counts.changes)?;
        let offsets = reader.take(counts.offsets.checked_mul(6)?)?;
        let names = reader.take(counts.names)?;
        reader.take(counts.rest(width)?)?;
        let rule = match reader.0 {
            [b'\n', rule @ .., b'\n'] if !rule.is_empty() => std::str::from_utf8(rule).ok(),
            _ => None,
        };
        let offsets = offsets.chunks_exact(6).map(|chunk| offset(chunk, names));
        let offsets = offsets.collect::<Option<Vec<Offset>>>()?;
        let indexes_fit = indexes
            .iter()
            .all(|index| usize::from(*index) < offsets.len());
        if offsets.is_empty() || !indexes_fit {
            return None;
        }
        let times = times.chunks_exact(width).map(big_endian);
        let mut changes: Vec<_> = times.zip(indexes.iter().copied()).collect();
        if changes.is_empty() {
            changes.push((i64::MIN, 0));
        }
        Some(File {
            offsets,
            changes,
            rule: rule.and_then(Rule::parse),
        })
    }
}

/// Four bytes of offset, one of daylight saving, and the place of the name.
fn offset(chunk: &[u8], names: &[u8]) -> Option<Offset> {
    let [seconds @ .., is_dst, name] = chunk else {
        return None;
    };
    let name = names
        .get(usize::from(*name)..)
        .filter(|name| !name.is_empty())?;
    let end = name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(name.len());
    let name = String::from_utf8_lossy(&name[..end]).into_owned();
    Some(Offset {
        seconds: i32::try_from(big_endian(seconds)).ok()?,
        name: Cow::Owned(name),
        is_dst: *is_dst != 0,
    })
}

/// A signed number of at most eight bytes.
fn big_endian(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) {
        -1
    } else {
        0
    };
    bytes
        .iter()
        .fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

/// The lengths in a header.
struct Counts {
    utc_marks: usize,
    standard_marks: usize,
    leap_seconds: usize,
    changes: usize,
    offsets: usize,
    names: usize,
}

impl Counts {
    /// The bytes after the names.
    fn rest(&self, width: usize) -> Option<usize> {
        let leap_seconds = self.leap_seconds.checked_mul(width + 4)?;
        leap_seconds.checked_add(self.standard_marks + self.utc_marks)
    }

    /// The bytes after the header.
    fn size(&self, width: usize) -> Option<usize> {
        let changes = self.changes.checked_mul(width + 1)?;
        let offsets = self.offsets.checked_mul(6)?;
        let before = changes.checked_add(offsets)?.checked_add(self.names)?;
        before.checked_add(self.rest(width)?)
    }
}

/// The rest of a file.
struct Reader<'f>(&'f [u8]);

impl<'f> Reader<'f> {
    fn take(&mut self, count: usize) -> Option<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn count(&mut self) -> Option<usize> {
        let count = big_endian(self.take(4)?);
        usize::try_from(count).ok()
    }

    /// The version, 1 to 3, and the counts.
    fn header(&mut self) -> Option<(u8, Counts)> {
        if self.take(4)? != b"TZif" {
            return None;
        }
        let version = match self.take(16)?.first()? {
            0 => 1,
            b'2' => 2,
            b'3' => 3,
            _ => return None,
        };
        let counts = Counts {
            utc_marks: self.count()?,
            standard_marks: self.count()?,
            leap_seconds: self.count()?,
            changes: self.count()?,
            offsets: self.count()?,
            names: self.count()?,
        };
        Some((version, counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, counts: [u32; 6]) -> Vec<u8> {
        let mut bytes = b"TZif".to_vec();
        bytes.push(version);
        bytes.extend([0; 15]);
        bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        bytes
    }

    /// An hour ahead, two ahead between the seconds 1000 and 2000, and three ahead from 5000 on.
    fn file() -> Vec<u8> {
        let mut bytes = header(b'2', [0; 6]);
        bytes.extend(header(b'2', [0, 0, 0, 3, 3, 12]));
        bytes.extend(
            [1000_i64, 2000, 5000]
                .iter()
                .flat_map(|at| at.to_be_bytes()),
        );
        bytes.extend([1, 0, 2]);
        for (seconds, is_dst, name) in [(3600_i32, 0, 0), (7200, 1, 4), (10_800, 0, 8)] {
            bytes.extend(seconds.to_be_bytes());
            bytes.extend([is_dst, name]);
        }
        bytes.extend(b"ONE\0TWO\0TRE\0\nXST-4\n");
        bytes
    }

    fn shown(zone: &Zone, seconds: i64) -> String {
        let Offset {
            seconds,
            name,
            is_dst,
        } = zone.offset_at(seconds);
        format!("{name} {seconds} {is_dst}")
    }

    #[test]
    fn a_file_has_changes_and_a_rule() {
        let zone = Zone::of_file("Far/Away", &file()).expect("a zone");
        assert_eq!(zone.name(), "Far/Away");
        for (seconds, want) in [
            (i64::MIN, "ONE 3600 false"),
            (999, "ONE 3600 false"),
            (1000, "TWO 7200 true"),
            (2000, "ONE 3600 false"),
            (4999, "ONE 3600 false"),
            (5000, "XST 14400 false"),
            (i64::MAX, "XST 14400 false"),
        ] {
            assert_eq!(shown(&zone, seconds), want, "{seconds}");
        }
    }

    #[test]
    fn a_file_without_changes_has_one_offset() {
        let mut bytes = header(0, [0, 0, 0, 0, 1, 4]);
        bytes.extend((-3600_i32).to_be_bytes());
        bytes.extend(b"\0\0-01\0");
        let zone = Zone::of_file("x", &bytes).expect("a zone");
        assert_eq!(shown(&zone, 0), "-01 -3600 false");
    }

    #[test]
    fn damaged_files_are_none() {
        let whole = file();
        let rule = whole.len() - b"\nXST-4\n".len();
        for end in 0..rule {
            assert!(Zone::of_file("x", &whole[..end]).is_none(), "{end}");
        }
        let huge = header(b'2', [u32::MAX; 6]);
        assert!(Zone::of_file("x", &huge).is_none());
        assert!(Zone::of_file("x", b"").is_none());
        let mut index = file();
        let first_index = 2 * 44 + 3 * 8;
        index[first_index] = 9;
        assert!(Zone::of_file("x", &index).is_none());
    }

    #[test]
    fn other_zones() {
        assert_eq!(shown(&Zone::utc(), 5), "UTC 0 false");
        let rule = Zone::of_rule("CST-8").expect("a zone");
        assert_eq!(
            (shown(&rule, 5), rule.name()),
            ("CST 28800 false".to_owned(), "CST-8")
        );
        assert!(Zone::of_rule("Foo/Bar").is_none());
    }
}
