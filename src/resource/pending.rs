//! Pending reloads on disk: what must be started after a crash, and which commands run.
//!
//! Before files are swapped, their reloads are appended to this process's journal and synced: one
//! write and one sync for a whole apply. A command clears its entries itself, between fork and exec
//! ([`Announcement`]), so that no moment is left in which a kill could lose or repeat it. The
//! process that works on a journal holds a lock on it, which the system releases when that process
//! dies: a journal without a lock is one to take over.
//!
//! ```text
//! confdir/reloads/journal-PID-RANDOM   +NUMBER {"file": …, "dest": …, "command": …}
//!                                      -NUMBER
//! confdir/reloads/run-MD5-OF-COMMAND   the identity of the process that runs it
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::go::hex;
use crate::platform::{self, Announcement};
use crate::random;

/// The directory below confdir.
const DIRECTORY: &str = "reloads";
const JOURNAL: &str = "journal-";
const RUN: &str = "run-";
/// The directory of the version before this one: a file for each dest, with its path.
const OLD_DIRECTORY: &str = "owed";
/// A journal that has grown beyond this number of bytes is written again without what is cleared.
const LARGEST: u64 = 64 << 10;
/// How long the journal of a process that is gone may stay locked by a command that it was
/// starting.
const HANDOVER: Duration = Duration::from_millis(250);

/// A reload that is due once its file is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The conf.d file.
    pub file: PathBuf,
    /// The file that is swapped.
    pub dest: PathBuf,
    /// The MD5 of its new content, in hex.
    pub md5: String,
    /// Which file it replaces, by its number on the file system; none for a new one.
    pub replaces: Option<u64>,
    /// The command.
    pub command: String,
    /// The keys that changed.
    pub keys: Vec<String>,
}

impl Record {
    pub(super) fn to_json(&self) -> Json {
        json!({
            "file": self.file.to_string_lossy(),
            "dest": self.dest.to_string_lossy(),
            "md5": self.md5,
            "replaces": self.replaces,
            "command": self.command,
            "keys": self.keys,
        })
    }

    fn to_line(&self, number: u64) -> String {
        format!("+{number} {}\n", self.to_json())
    }

    pub(super) fn from_json(json: &Json) -> Option<Record> {
        let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let keys = json.get("keys")?.as_array()?;
        let keys = keys.iter().filter_map(Json::as_str).map(str::to_owned);
        Some(Record {
            file: text("file")?.into(),
            dest: text("dest")?.into(),
            md5: text("md5")?,
            replaces: json.get("replaces").and_then(Json::as_u64),
            command: text("command")?,
            keys: keys.collect(),
        })
    }

    /// Returns false if the file has certainly not been swapped: dest is still the file that was to
    /// be replaced, with another content.
    pub fn took_place(&self) -> bool {
        let id = fs::metadata(&self.dest).ok().and_then(|found| {
            let file = platform::open_without_waiting(&self.dest).ok()?;
            found
                .is_file()
                .then_some(platform::file_meta(&file).ok()?.id.1)
        });
        let is_old = id.is_some() && id == self.replaces;
        let content = || fs::read(&self.dest).unwrap_or_default();
        !is_old || hex::encode(&Md5::digest(content())) == self.md5
    }
}

/// The content of a journal.
#[derive(Debug, Default)]
struct Entries {
    pending: BTreeMap<u64, Record>,
    cleared: BTreeSet<u64>,
    /// Lines that cannot be read. The last one may be cut off: nothing was swapped after that.
    corrupt: usize,
}

impl Entries {
    fn parse(text: &str) -> Entries {
        let mut entries = Entries::default();
        for line in text.split_inclusive('\n') {
            if let Some(line) = line.strip_suffix('\n')
                && entries.take(line).is_none()
            {
                entries.corrupt += 1;
            }
        }
        entries
            .pending
            .retain(|number, _| !entries.cleared.contains(number));
        entries
    }

    fn take(&mut self, line: &str) -> Option<()> {
        if let Some(number) = line.strip_prefix('-') {
            self.cleared.insert(number.parse().ok()?);
        } else {
            let (number, json) = line.strip_prefix('+')?.split_once(' ')?;
            let record = Record::from_json(&serde_json::from_str(json).ok()?)?;
            self.pending.insert(number.parse().ok()?, record);
        }
        Some(())
    }
}

/// The reloads that other processes have left.
#[derive(Debug, Default)]
pub struct Left {
    /// Reloads that may not have been started, now this process's own, with their numbers.
    pub pending: Vec<(u64, Record)>,
    /// The dests whose reloads the former version of confd has noted as pending.
    pub old: Vec<PathBuf>,
    /// The journals that cannot be read, for the log.
    pub problems: Vec<String>,
}

/// The journal of this process.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    file: Option<(PathBuf, Arc<File>)>,
    next: u64,
    pending: BTreeMap<u64, Record>,
    /// The number of records in the file, cleared ones included.
    recorded: usize,
    /// The entries that commands have cleared, as far as the file was read.
    cleared: BTreeSet<u64>,
    /// The number of bytes that were read.
    read: u64,
}

impl Journal {
    /// A journal for this confdir. Nothing is made before the first record.
    pub fn new(confdir: &Path) -> Journal {
        Journal {
            directory: confdir.join(DIRECTORY),
            file: None,
            next: 1,
            pending: BTreeMap::new(),
            recorded: 0,
            cleared: BTreeSet::new(),
            read: 0,
        }
    }

    /// Records reloads, on the disk; returns their numbers in the same order.
    pub fn record(&mut self, records: &[Record]) -> Result<Vec<u64>> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (mut lines, mut numbers) = (String::new(), Vec::new());
        for record in records {
            lines.push_str(&record.to_line(self.next));
            numbers.push(self.next);
            self.next += 1;
        }
        let (path, file) = self.open()?;
        append(&file, lines.as_bytes())
            .and_then(|()| sync(&file))
            .map_err(|source| Error::io("write", &path, source))?;
        self.recorded += records.len();
        self.pending
            .extend(numbers.iter().copied().zip(records.iter().cloned()));
        Ok(numbers)
    }

    /// The announcement of a command that clears these entries when it starts.
    pub fn clearance(&self, numbers: &[u64]) -> Option<(Arc<File>, Vec<u8>)> {
        let (_, file) = self.file.as_ref()?;
        (!numbers.is_empty()).then(|| (Arc::clone(file), lines_to_clear(numbers).into_bytes()))
    }

    /// Returns true if a command has cleared these entries; then they are forgotten.
    pub fn confirm(&mut self, numbers: &[u64]) -> bool {
        if self.read_cleared().is_err() {
            // A file that cannot be read proves nothing.
            return false;
        }
        let all = numbers.iter().all(|number| self.cleared.contains(number));
        if all {
            self.forget(numbers);
        }
        all
    }

    /// Reads what commands have appended since the last time.
    fn read_cleared(&mut self) -> io::Result<()> {
        let Some((path, _)) = &self.file else {
            return Ok(());
        };
        let mut file = File::open(path)?;
        if file.metadata()?.len() < self.read {
            // A write that failed was taken back.
            self.read_again();
        }
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A line that is not complete yet is read the next time.
        let complete = text.iter().rposition(|byte| *byte == b'\n');
        text.truncate(complete.map_or(0, |last| last + 1));
        self.read += text.len() as u64;
        let text = String::from_utf8_lossy(&text);
        let numbers = text.lines().filter_map(|line| line.strip_prefix('-'));
        self.cleared
            .extend(numbers.filter_map(|number| number.parse::<u64>().ok()));
        Ok(())
    }

    /// Clears entries. What cannot be written is started once more after a crash.
    pub fn clear(&mut self, numbers: &[u64]) -> Result<()> {
        self.forget(numbers);
        match &self.file {
            Some((path, file)) => append(file, lines_to_clear(numbers).as_bytes())
                .map_err(|source| Error::io("write", path, source)),
            None => Ok(()),
        }
    }

    fn forget(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.pending.remove(number);
        }
    }

    /// Makes room. To be called while no command is being started.
    pub fn tidy(&mut self) -> Result<()> {
        let Some((path, file)) = &self.file else {
            return Ok(());
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let write = |source| Error::io("write", path, source);
        if self.pending.is_empty() && length > 0 {
            file.set_len(0).map_err(write)?;
            self.read_again();
            return Ok(());
        }
        if length <= LARGEST || self.recorded < 2 * self.pending.len() {
            return Ok(());
        }
        let old = self.file.take();
        let lines = self
            .pending
            .iter()
            .map(|(number, record)| record.to_line(*number));
        let lines = lines.collect::<String>();
        let rewritten = self.open().and_then(|(path, file)| {
            append(&file, lines.as_bytes())
                .and_then(|()| sync(&file))
                .map_err(|source| Error::io("write", &path, source))
        });
        match (rewritten, old) {
            (Ok(()), Some((path, _))) => {
                self.read_again();
                remove(&path)
            }
            (Err(error), old) => {
                // What there is of the new one is not to be taken over by others.
                if let Some((path, _)) = std::mem::replace(&mut self.file, old) {
                    let _reported_already = fs::remove_file(path);
                }
                Err(error)
            }
            (Ok(()), None) => Ok(()),
        }
    }

    /// The file is another one now, without what is cleared.
    fn read_again(&mut self) {
        self.read = 0;
        self.cleared.clear();
        self.recorded = self.pending.len();
    }

    fn open(&mut self) -> Result<(PathBuf, Arc<File>)> {
        if let Some(own) = &self.file {
            return Ok(own.clone());
        }
        make_directory(&self.directory)?;
        let name = format!("{JOURNAL}{}-{:x}", std::process::id(), random::number());
        let path = self.directory.join(name);
        let make = |source| Error::io("make", &path, source);
        let file = platform::open_private(&path).map_err(make)?;
        file.try_lock().map_err(|error| make(error.into()))?;
        sync_directory(&self.directory).map_err(make)?;
        let own = (path, Arc::new(file));
        self.file = Some(own.clone());
        Ok(own)
    }

    /// Takes over what processes have left that are gone. Their reloads are recorded here before
    /// they are removed there.
    pub fn take_over(&mut self) -> Left {
        let mut left = Left::default();
        for path in list(&self.directory, JOURNAL) {
            if self.file.as_ref().is_none_or(|(own, _)| *own != path)
                && let Err(error) = self.take_over_one(&path, &mut left)
            {
                left.problems.push(error.chain());
            }
        }
        self.take_over_old(&mut left);
        left
    }

    fn take_over_one(&mut self, path: &Path, left: &mut Left) -> Result<()> {
        let read = |source| Error::io("read", path, source);
        let Some(_locked) = open_left(path).map_err(read)? else {
            return Ok(());
        };
        let text = fs::read(path).map_err(read)?;
        let Entries {
            pending, corrupt, ..
        } = Entries::parse(&String::from_utf8_lossy(&text));
        if corrupt > 0 {
            let path = path.display();
            left.problems.push(format!(
                "{path} is corrupt in {corrupt} lines: a reload that was pending may be missing"
            ));
        }
        let records: Vec<Record> = pending.into_values().collect();
        let numbers = self.record(&records)?;
        left.pending.extend(numbers.into_iter().zip(records));
        remove(path)
    }

    fn take_over_old(&self, left: &mut Left) {
        let Some(directory) = self
            .directory
            .parent()
            .map(|confdir| confdir.join(OLD_DIRECTORY))
        else {
            return;
        };
        for path in list(&directory, "") {
            // Of a running daemon of that version, which takes care of it.
            if let Ok(Some(_locked)) = open_abandoned(&path)
                && let Ok(dest) = fs::read_to_string(&path)
            {
                left.old.push(dest.trim_end_matches('\n').into());
            }
        }
    }

    /// Removes what the former version of confd has noted about `dest`, once it is recorded here.
    pub fn remove_old(&self, dest: &Path) {
        let Some(confdir) = self.directory.parent() else {
            return;
        };
        let directory = confdir.join(OLD_DIRECTORY);
        let digest = Md5::digest(dest.as_os_str().as_encoded_bytes());
        // What cannot be removed is started again after the next start. The directory is not
        // removed while it has more.
        let _again = fs::remove_file(directory.join(hex::encode(&digest)));
        let _has_more = fs::remove_dir(directory);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some((path, _)) = self.file.take().filter(|_| self.pending.is_empty()) {
            // An empty journal that stays is removed by the next process. The directory is not
            // removed while it has more.
            let _next_time = fs::remove_file(path);
            let _has_more = fs::remove_dir(&self.directory);
        }
    }
}

/// Returns true if a reload of `dest` is pending, in whosever journal. Changes nothing.
pub fn is_pending(confdir: &Path, dest: &Path) -> bool {
    list(&confdir.join(DIRECTORY), JOURNAL).iter().any(|path| {
        let text = fs::read(path).unwrap_or_default();
        let entries = Entries::parse(&String::from_utf8_lossy(&text));
        entries.pending.values().any(|record| record.dest == dest)
    })
}

/// The right to run a command: no other process runs one with the same text, not even one that was
/// left behind by a confd that is gone.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    file: Arc<File>,
}

impl Claim {
    /// Claims a command; `None` while it runs.
    pub fn take(confdir: &Path, command: &str) -> Result<Option<Claim>> {
        let directory = confdir.join(DIRECTORY);
        make_directory(&directory)?;
        let name = format!("{RUN}{}", hex::encode(&Md5::digest(command)));
        let path = directory.join(name);
        let claim = |source| Error::io("lock", &path, source);
        platform::open_private(&path).map_err(claim)?;
        let Some(file) = open_abandoned(&path).map_err(claim)? else {
            return Ok(None);
        };
        if platform::is_still_running(&fs::read(&path).map_err(claim)?) {
            return Ok(None);
        }
        file.set_len(0).map_err(claim)?;
        let file = Arc::new(file);
        Ok(Some(Claim { path, file }))
    }

    /// The announcement of the command that is started under this claim.
    pub fn announce(&self, announcement: &mut Announcement) {
        announcement.identity = Some(Arc::clone(&self.file));
    }

    /// The command has ended. A claim that is only dropped leaves the command's identity behind,
    /// for the next process.
    pub fn end(self) {
        // What cannot be removed names a process that is gone.
        let _harmless = fs::remove_file(&self.path);
    }
}

fn lines_to_clear(numbers: &[u64]) -> String {
    numbers
        .iter()
        .map(|number| format!("-{number}\n"))
        .collect()
}

/// Waits until the record is on the disk, where its file system can do that.
pub(super) fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if platform::is_unsupported(&error) => Ok(()),
        result => result,
    }
}

/// Appends in one write; nothing of it stays if it cannot be written to its end.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    file.write_all(bytes).inspect_err(|_| {
        // The first error is the one to report; what is cut off counts as nothing anyway.
        let _reported_already = file.set_len(end);
    })
}

pub(super) fn make_directory(directory: &Path) -> Result<()> {
    match fs::create_dir(directory) {
        Ok(()) => directory.parent().map_or(Ok(()), sync_directory),
        Err(_) if directory.is_dir() => Ok(()),
        Err(source) => Err(source),
    }
    .map_err(|source| Error::io("make", directory, source))
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    platform::Dir::at(directory)?.sync()
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
}

fn list(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let name = entry.file_name();
        name.as_encoded_bytes().starts_with(prefix.as_bytes())
    });
    let mut paths: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

/// Opens and locks the journal of a process that is gone; `None` if it is not.
fn open_left(path: &Path) -> io::Result<Option<File>> {
    // A command that its process was just starting holds the lock until it has become that command.
    let until = Instant::now() + HANDOVER;
    loop {
        let opened = open_abandoned(path)?;
        if opened.is_some() || !is_owner_gone(path) || Instant::now() >= until {
            return Ok(opened);
        }
        thread::sleep(HANDOVER / 50);
    }
}

/// Returns true if the process that a journal is named after does not exist any more.
fn is_owner_gone(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let pid = name
        .strip_prefix(JOURNAL)
        .and_then(|rest| rest.split('-').next()?.parse().ok());
    pid.is_some_and(|pid: u32| {
        platform::process(pid).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    })
}

/// Opens a file that no process holds; `None` if one does.
pub(super) fn open_abandoned(path: &Path) -> io::Result<Option<File>> {
    let file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    let found = File::open(path).and_then(|found| platform::file_meta(&found));
    let is_there = found
        .is_ok_and(|found| platform::file_meta(&file).is_ok_and(|locked| locked.id == found.id));
    Ok(is_there.then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confdir(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("confd-pending-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn record(name: &str) -> Record {
        Record {
            file: format!("/etc/confd/conf.d/{name}.toml").into(),
            dest: format!("/etc/{name}").into(),
            md5: "0".to_owned(),
            replaces: None,
            command: format!("echo \"{name}\"\necho"),
            keys: vec!["/a".to_owned(), "/b c".to_owned()],
        }
    }

    #[test]
    fn what_is_pending_is_taken_over_once_its_process_is_gone() {
        let confdir = confdir("left");
        let (one, two) = (record("one"), record("two"));
        let mut journal = Journal::new(&confdir);
        let numbers = journal.record(&[one.clone(), two.clone()]).unwrap();
        assert!(is_pending(&confdir, &two.dest));
        let mut next = Journal::new(&confdir);
        assert!(next.take_over().pending.is_empty(), "its process lives");
        journal.clear(&numbers[..1]).unwrap();
        drop(journal);
        let left = next.take_over();
        let records: Vec<&Record> = left.pending.iter().map(|(_, record)| record).collect();
        assert_eq!(records, [&two]);
        assert!(left.problems.is_empty() && next.take_over().pending.is_empty());
        next.clear(&[left.pending[0].0]).unwrap();
        next.tidy().unwrap();
        assert!(!is_pending(&confdir, &two.dest));
        drop(next);
        assert!(!confdir.join(DIRECTORY).exists());
        fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn a_journal_does_not_grow_for_ever() {
        let confdir = confdir("grows");
        let mut journal = Journal::new(&confdir);
        let kept = journal.record(&[record("kept")]).unwrap();
        for _ in 0..1000 {
            let numbers = journal.record(&[record("gone")]).unwrap();
            journal.clear(&numbers).unwrap();
            journal.tidy().unwrap();
        }
        let path = list(&confdir.join(DIRECTORY), JOURNAL);
        assert!(fs::metadata(&path[0]).unwrap().len() <= LARGEST + 1000);
        assert_eq!(path.len(), 1);
        drop(journal);
        let left = Journal::new(&confdir).take_over();
        assert_eq!(left.pending.len(), kept.len());
        fs::remove_dir_all(confdir).unwrap();
    }

    /// A journal of a process that is gone, held open by somebody for this time; what a process
    /// that starts now takes over, and how long that takes it.
    fn taken_while_held(name: &str, held: Duration) -> (usize, Duration) {
        let confdir = confdir(name);
        make_directory(&confdir.join(DIRECTORY)).unwrap();
        // No process has this number.
        let path = confdir
            .join(DIRECTORY)
            .join(format!("{JOURNAL}{}-0", i32::MAX));
        fs::write(&path, record("left").to_line(1)).unwrap();
        let file = File::open(&path).unwrap();
        file.lock().unwrap();
        let (start, mut next) = (Instant::now(), Journal::new(&confdir));
        let taken = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(held);
                file.unlock().unwrap();
            });
            let left = next.take_over();
            (left.pending.len(), start.elapsed())
        });
        fs::remove_dir_all(confdir).unwrap();
        taken
    }

    #[test]
    fn a_command_that_was_being_started_is_waited_for_but_not_for_long() {
        let (count, elapsed) = taken_while_held("starting", HANDOVER / 5);
        assert_eq!(count, 1);
        assert!(elapsed >= HANDOVER / 5, "{elapsed:?}");
        let (count, elapsed) = taken_while_held("hanging", HANDOVER * 8);
        assert_eq!(count, 0);
        assert!(elapsed >= HANDOVER && elapsed < HANDOVER * 8, "{elapsed:?}");
    }

    #[test]
    fn a_cut_line_is_ignored_and_a_corrupt_one_reported() {
        let line = record("a").to_line(7);
        for (text, pending, corrupt) in [
            (line.clone(), 1, 0),
            (line.clone() + "+8 {\"file\"", 1, 0),
            (line.clone() + "-7\n", 0, 0),
            (format!("rubbish\n+x\n+9 {{}}\n{line}"), 1, 3),
            (String::new(), 0, 0),
        ] {
            let entries = Entries::parse(&text);
            assert_eq!(
                (entries.pending.len(), entries.corrupt),
                (pending, corrupt),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_command_is_claimed_once_and_while_its_process_runs() {
        let confdir = confdir("claim");
        let claim = Claim::take(&confdir, "x").unwrap().expect("nobody runs it");
        assert!(Claim::take(&confdir, "x").unwrap().is_none());
        assert!(Claim::take(&confdir, "y").unwrap().is_some());
        let mut announcement = Announcement::default();
        claim.announce(&mut announcement);
        let mut command = platform::shell("sort");
        let (reader, writer) = io::pipe().unwrap();
        command.stdin(reader);
        let process = platform::Process::start_announced(&mut command, announcement).unwrap();
        drop(command);
        // The process that started it is gone, but the command still runs.
        drop(claim);
        assert!(Claim::take(&confdir, "x").unwrap().is_none());
        drop(writer);
        process.finish().unwrap();
        Claim::take(&confdir, "x")
            .unwrap()
            .expect("it has ended")
            .end();
        fs::remove_dir_all(confdir).unwrap();
    }
}
