//! Is dest as it should be? Owner, group, mode and content, in the order and words of the
//! original's log lines.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use md5::{Digest, Md5};

use super::{Target, refused};
use crate::error::Result;
use crate::go::hex;
use crate::platform;

/// A file that is larger is not read through only to log its MD5.
const LARGEST_SUM: u64 = 64 << 20;
const CHUNK: usize = 64 << 10;
/// Stands for the sum of a file that not everybody may read.
const SECRET: &str = "(secret)";

/// The difference from the wanted file. Of two values the first is what dest has, the second what
/// it should have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// There is no dest.
    pub missing: bool,
    /// There is a dest, and there should be none.
    pub surplus: bool,
    /// The owner.
    pub uid: Option<(u32, u32)>,
    /// The group.
    pub gid: Option<(u32, u32)>,
    /// The permissions.
    pub mode: Option<(u32, u32)>,
    /// The MD5 sums of the contents, in hex; or why they are withheld.
    pub md5: Option<(String, String)>,
}

impl Difference {
    /// True when only owner, group or mode differ.
    pub fn is_of_attributes(&self) -> bool {
        !self.missing && !self.surplus && self.md5.is_none()
    }

    /// The original's log lines, such as `D has md5sum X should be Y`; none when dest is missing.
    pub fn lines(&self, dest: &Path) -> Vec<String> {
        let dest = dest.display();
        let mut lines = Vec::new();
        let mut push = |what: &str, is: &str, should: &str| {
            lines.push(format!("{dest} has {what} {is} should be {should}"));
        };
        for (what, ids) in [("UID", self.uid), ("GID", self.gid)] {
            if let Some((is, should)) = ids {
                push(what, &is.to_string(), &should.to_string());
            }
        }
        if let Some((is, should)) = self.mode {
            push("mode", &permissions(is), &permissions(should));
        }
        if let Some((is, should)) = &self.md5 {
            push("md5sum", is, should);
        }
        lines
    }
}

impl Target {
    /// The change that gives dest this content and the configured owner and mode; `None` if there
    /// is none.
    pub fn compare(&self, content: &[u8]) -> Result<Option<Difference>> {
        let Some(old) = &self.old else {
            return Ok(Some(Difference {
                missing: true,
                ..Difference::default()
            }));
        };
        let pair = |is: u32, wanted: Option<u32>| wanted.filter(|w| *w != is).map(|w| (is, w));
        let difference = Difference {
            missing: false,
            surplus: false,
            uid: pair(old.uid, self.wanted.uid),
            gid: pair(old.gid, self.wanted.gid),
            mode: pair(old.mode, self.wanted.mode),
            md5: self
                .compare_content(content)
                .map_err(|error| refused("read", &self.path(), error))?,
        };
        Ok((difference != Difference::default()).then_some(difference))
    }

    fn compare_content(&self, content: &[u8]) -> io::Result<Option<(String, String)>> {
        let Some(mut file) = self.open_old()? else {
            return Ok(None);
        };
        let size = platform::file_meta(&file)?.size;
        if size == content.len() as u64 && reads_as(&file, content)? {
            return Ok(None);
        }
        if self.is_secret() {
            // A short one could be found by trying, and the log may be read by more people than the
            // file.
            return Ok(Some((SECRET.to_owned(), SECRET.to_owned())));
        }
        file.rewind()?;
        let old = if size <= LARGEST_SUM {
            md5_of(file.take(LARGEST_SUM))?
        } else {
            format!("(not computed, {size} bytes)")
        };
        Ok(Some((old, hex::encode(&Md5::digest(content)))))
    }
}

/// Returns true if the file reads as `content` and ends there. Stops at the first byte that
/// differs.
pub(super) fn reads_as(mut file: &File, content: &[u8]) -> io::Result<bool> {
    let mut rest = content;
    let mut chunk = vec![0; CHUNK.min(content.len() + 1)];
    loop {
        let count = match file.read(&mut chunk) {
            Ok(0) => return Ok(rest.is_empty()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match chunk.get(..count).and_then(|read| rest.strip_prefix(read)) {
            Some(after) => rest = after,
            None => return Ok(false),
        }
    }
}

pub(super) fn md5_of(mut content: impl Read) -> io::Result<String> {
    let mut sum = Md5::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match content.read(&mut chunk) {
            Ok(0) => return Ok(hex::encode(&sum.finalize())),
            Ok(count) => sum.update(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A mode as `ls -l` shows it, and Go's `os.FileMode`: `-rw-r--r--`. Set-id and sticky bits, which
/// Go leaves out here, as `ls` does.
fn permissions(mode: u32) -> String {
    let bit = |shift: u32, letter: char| match mode >> shift & 1 {
        1 => letter,
        _ => '-',
    };
    let execute = |shift: u32, special: u32, letter: char| match (mode >> shift & 1, mode & special)
    {
        (executable, 0) => ['-', 'x'][executable as usize],
        (0, _) => letter.to_ascii_uppercase(),
        _ => letter,
    };
    let rows = [
        ['-', bit(8, 'r'), bit(7, 'w')],
        [execute(6, 0o4000, 's'), bit(5, 'r'), bit(4, 'w')],
        [execute(3, 0o2000, 's'), bit(2, 'r'), bit(1, 'w')],
    ];
    let mut text = String::from_iter(rows.as_flattened());
    text.push(execute(0, 0o1000, 't'));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_ls() {
        for (mode, text) in [
            (0o644, "-rw-r--r--"),
            (0o600, "-rw-------"),
            (0o755, "-rwxr-xr-x"),
            (0, "----------"),
            (0o4755, "-rwsr-xr-x"),
            (0o2640, "-rw-r-S---"),
            (0o1777, "-rwxrwxrwt"),
            (0o1776, "-rwxrwxrwT"),
        ] {
            assert_eq!(permissions(mode), text);
        }
    }

    #[test]
    fn lines_come_in_the_originals_order_and_words() {
        let difference = Difference {
            missing: false,
            surplus: false,
            uid: Some((0, 33)),
            gid: Some((0, 44)),
            mode: Some((0o644, 0o600)),
            md5: Some(("aa".to_owned(), "bb".to_owned())),
        };
        let lines = difference.lines(Path::new("/etc/x"));
        let wanted = [
            "/etc/x has UID 0 should be 33",
            "/etc/x has GID 0 should be 44",
            "/etc/x has mode -rw-r--r-- should be -rw-------",
            "/etc/x has md5sum aa should be bb",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn a_stream_is_compared_to_its_end() {
        let path = std::env::temp_dir().join(format!("confd-compare-{}", std::process::id()));
        let long: Vec<u8> = (0..CHUNK * 2 + 7).map(|n| n as u8).collect();
        let mut other = long.clone();
        other[CHUNK * 2 + 6] ^= 1;
        for (file, content, same) in [
            (&b""[..], &b""[..], true),
            (b"abc", b"abc", true),
            (b"abc", b"abd", false),
            (b"abc", b"abcd", false),
            (b"abcd", b"abc", false),
            (b"", b"a", false),
            (&long, &long, true),
            (&long, &other, false),
            (&long, &long[..CHUNK], false),
        ] {
            std::fs::write(&path, file).unwrap();
            let file = File::open(&path).unwrap();
            assert_eq!(reads_as(&file, content).unwrap(), same);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn sums_are_those_of_md5sum() {
        let sum = md5_of(&b"confd\n"[..]).unwrap();
        assert_eq!(sum, "5f60d2578c210d209f450046bcc2e453");
    }
}
