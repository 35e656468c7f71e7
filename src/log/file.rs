//! A log file that its only writer rotates: `NAME`, and its older parts `NAME.1` to `NAME.5`, the
//! newest first.
//!
//! Whole lines come in, and each is in one of the files, whatever others do to them: when a file
//! cannot be renamed (on Windows somebody may have it open), the lines go on in the same file.
//! Knows nothing of what is logged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// No file gets larger than this, in bytes, as long as it can be rotated: as in the logrotate file
/// of the other systems.
pub const LARGEST: u64 = 10 << 20;
/// How many older parts are kept.
const KEPT: u32 = 5;

/// The open file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    largest: u64,
    /// The size at which it is rotated.
    limit: u64,
}

impl LogFile {
    /// Opens the file to append to it, making it and its directory if they are not there. Others
    /// may read and rename it.
    pub fn open(path: &Path, largest: u64) -> Result<LogFile> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)
                .map_err(|error| Error::io("make the directory", directory, error))?;
        }
        let file = append_to(path).map_err(|error| Error::io("open", path, error))?;
        let meta = file.metadata();
        let meta = meta.map_err(|error| Error::io("look at", path, error))?;
        Ok(LogFile {
            path: path.to_owned(),
            file,
            size: meta.len(),
            largest,
            limit: largest,
        })
    }

    /// The file that the next line goes to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Writes one line, in one piece.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.size += line.len() as u64;
        self.file.write_all(line)
    }

    /// To be called before a line of `bytes` bytes is written. Gives the file that was written to
    /// until now when another one has taken its place. After an error the lines go on in the same
    /// file, and it is tried again when that has grown some more.
    pub fn make_room(&mut self, bytes: usize) -> Result<Option<File>> {
        if self.size == 0 || self.size + bytes as u64 <= self.limit {
            return Ok(None);
        }
        // However this ends.
        self.limit = self.size + self.largest / 16;
        self.shift()?;
        let file = append_to(&self.path).map_err(|error| Error::io("make", &self.path, error))?;
        self.size = 0;
        self.limit = self.largest;
        Ok(Some(std::mem::replace(&mut self.file, file)))
    }

    /// Renames this file and the older ones up to the first number that is free; only a file beyond
    /// the last number is lost.
    fn shift(&self) -> Result<()> {
        let is_free = |number: &u32| fs::symlink_metadata(self.part(*number)).is_err();
        let free = (1..=KEPT).find(is_free).unwrap_or(KEPT);
        for number in (1..free).rev() {
            rename(&self.part(number), &self.part(number + 1))?;
        }
        rename(&self.path, &self.part(1))
    }

    fn part(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        // Somebody has removed it.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| Error::io("rename", from, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("confd-log-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// On Windows an open file keeps its directory.
    fn clear(log: LogFile, path: &Path) {
        drop(log);
        fs::remove_dir_all(path).unwrap();
    }

    fn write(log: &mut LogFile, line: &str) {
        // What fails here is what the tests look at.
        let _goes_on_in_the_same_file = log.make_room(line.len());
        log.write(line.as_bytes()).unwrap();
    }

    /// The lines of all parts, the oldest first.
    fn lines(log: &LogFile) -> String {
        let parts = (1..=KEPT + 1).rev().map(|number| log.part(number));
        let texts = parts.chain([log.path.clone()]).map(fs::read_to_string);
        texts.filter_map(|text| text.ok()).collect()
    }

    #[test]
    fn every_line_is_in_one_file_and_the_oldest_go() {
        let path = scratch("rotates");
        let mut log = LogFile::open(&path.join("sub/a.log"), 50).unwrap();
        let all: String = (10..50).map(|n| format!("this is line {n}\n")).collect();
        all.split_inclusive('\n')
            .for_each(|line| write(&mut log, line));
        assert_eq!(fs::read_dir(path.join("sub")).unwrap().count(), 6);
        // Three lines of 16 bytes go into each of the older parts; one is in the newest: 40 = 13 *
        // 3 + 1.
        let expected: String = (34..50).map(|n| format!("this is line {n}\n")).collect();
        assert_eq!(lines(&log), expected);
        clear(log, &path);
    }

    #[test]
    fn it_goes_on_where_an_earlier_run_has_stopped() {
        let path = scratch("restarts");
        let open = || LogFile::open(&path.join("a.log"), 50).unwrap();
        for number in 10..16 {
            write(&mut open(), &format!("this is line {number}\n"));
        }
        let expected: String = (10..16).map(|n| format!("this is line {n}\n")).collect();
        assert_eq!(lines(&open()), expected);
        assert_eq!(fs::metadata(path.join("a.log")).unwrap().len(), 48);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_cannot_be_rotated_grows_and_is_tried_again() {
        let path = scratch("stuck");
        let mut log = LogFile::open(&path.join("a.log"), 160).unwrap();
        // A directory that is not empty cannot be replaced by a file, on no system.
        (1..=KEPT).for_each(|number| fs::create_dir_all(log.part(number).join("x")).unwrap());
        let all: String = (10..50).map(|n| format!("this is line {n}\n")).collect();
        let (first, second) = all.split_at(20 * 16);
        first
            .split_inclusive('\n')
            .for_each(|line| write(&mut log, line));
        assert_eq!(fs::read_to_string(&log.path).unwrap(), first);
        let error = log.make_room(1).unwrap_err();
        assert!(error.chain().contains("a.log.4"), "{}", error.chain());
        (1..=KEPT).for_each(|number| fs::remove_dir_all(log.part(number)).unwrap());
        second
            .split_inclusive('\n')
            .for_each(|line| write(&mut log, line));
        assert_eq!(lines(&log), all);
        assert!(fs::metadata(&log.path).unwrap().len() <= 160);
        clear(log, &path);
    }

    #[test]
    fn a_gap_is_filled_before_anything_is_lost() {
        let path = scratch("gap");
        let mut log = LogFile::open(&path.join("a.log"), 10).unwrap();
        for number in [1, 3, 4, 5] {
            fs::write(log.part(number), format!("part {number}\n")).unwrap();
        }
        write(&mut log, "the newest\n");
        write(&mut log, "x\n");
        assert_eq!(
            lines(&log),
            "part 5\npart 4\npart 3\npart 1\nthe newest\nx\n"
        );
        clear(log, &path);
    }

    #[test]
    fn one_long_line_is_not_cut() {
        let path = scratch("long");
        let mut log = LogFile::open(&path.join("a.log"), 10).unwrap();
        let long = "x".repeat(100) + "\n";
        write(&mut log, &long);
        write(&mut log, "y\n");
        assert_eq!(lines(&log), long + "y\n");
        clear(log, &path);
    }
}
