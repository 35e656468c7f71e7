//! The output of a command: its last bytes while it runs, and the open end of it afterwards.
//!
//! A daemon that a command leaves behind may keep the pipe open without end, so its end says
//! nothing about the command's. Instead, when the command has ended, a mark is written into the
//! same pipe: what stands before it is the command's output. After the mark the pipe is left to a
//! process that only reads, since a daemon that writes to a pipe without a reader is killed by
//! SIGPIPE, and confd itself may be killed.

use std::fmt;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Builder};
use std::time::Duration;

use crate::platform;
use crate::random;
use crate::threads;

/// How much of a command's output is kept.
const KEPT: usize = 8 << 10;
/// Random, so that no output contains it. Far below what a pipe takes in one piece.
const MARK: usize = 16;
const CHUNK: usize = 4 << 10;
/// A thread that only reads needs no more.
const STACK: usize = 128 << 10;

/// The last bytes of an output. Displays as text, after a line that says how much is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// At most the last 8 KiB.
    pub tail: Vec<u8>,
    /// How many bytes came before them.
    pub dropped: u64,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tail = self.tail.as_slice();
        if self.dropped > 0 {
            writeln!(f, "({} bytes before this are left out)", self.dropped)?;
            // Most often the cut is in the middle of a line.
            if let Some(end) = tail.iter().position(|byte| *byte == b'\n') {
                tail = tail.get(end + 1..).unwrap_or_default();
            }
        }
        f.write_str(String::from_utf8_lossy(tail).trim_end())
    }
}

impl Output {
    /// Takes more bytes in; true when `mark` has come. What follows it is not the command's, and is
    /// forgotten.
    fn push(&mut self, bytes: &[u8], mark: &[u8; MARK]) -> bool {
        // It may have come in two parts.
        let start = self.tail.len().saturating_sub(MARK - 1);
        self.tail.extend(bytes);
        let new = self.tail.get(start..).unwrap_or_default();
        let place = new.windows(MARK).position(|window| window == mark);
        if let Some(place) = place {
            self.tail.truncate(start + place);
        }
        let spare = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..spare);
        self.dropped += spare as u64;
        place.is_some()
    }
}

/// The reading side of one command's output.
#[derive(Debug)]
pub(super) struct Capture {
    mark: [u8; MARK],
    output: Receiver<Output>,
}

/// Starts to listen. The command gets clones of the writer, and the writer itself comes back to
/// [`Capture::finish`].
pub(super) fn capture() -> io::Result<(Capture, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    let (sender, output) = mpsc::sync_channel(1);
    let mark = random_mark();
    let reader = Arc::new(reader);
    let open = Arc::clone(&reader);
    open_outputs().push(Arc::clone(&reader));
    let listen = move || {
        let output = read_output(&reader, &mark);
        let left = reader.try_clone().and_then(platform::leave_to_reader);
        // Nobody listens only when the command could not be started.
        let _not_started = sender.send(output);
        drop(sender);
        if left.is_err() {
            // Where there is no process to be had, this one reads.
            while read(&reader, &mut [0; CHUNK]).is_some() {}
        }
        open_outputs().retain(|open| !Arc::ptr_eq(open, &reader));
    };
    let thread = Builder::new().name("output".to_owned()).stack_size(STACK);
    match thread.spawn(listen) {
        Ok(_) => Ok((Capture { mark, output }, writer)),
        Err(error) => {
            open_outputs().retain(|known| !Arc::ptr_eq(known, &open));
            Err(error)
        }
    }
}

impl Capture {
    /// The output until now, when the command has ended. Others may go on writing.
    pub(super) fn finish(self, writer: PipeWriter) -> Output {
        match write_mark(writer, &self.mark) {
            Ok(()) => self.output.recv().unwrap_or_default(),
            // Without a mark there is no telling how long to wait for the rest, and a command is
            // not failed for its output.
            Err(_) => Output::default(),
        }
    }
}

fn write_mark(mut writer: PipeWriter, mark: &[u8; MARK]) -> io::Result<()> {
    let mut attempts_left = 1000;
    loop {
        match writer.write_all(mark) {
            // A program can make its stdout one that never waits, and then ours is one, too. The
            // thread makes room.
            Err(error) if error.kind() == ErrorKind::WouldBlock && attempts_left > 0 => {
                attempts_left -= 1;
                thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

fn random_mark() -> [u8; MARK] {
    let number = || random::number().to_ne_bytes();
    let mut mark = [0; MARK];
    for (place, byte) in mark.iter_mut().zip([number(), number()].concat()) {
        *place = byte;
    }
    mark
}

/// The output before the mark, or before the end.
fn read_output(reader: &PipeReader, mark: &[u8; MARK]) -> Output {
    let mut output = Output::default();
    let mut chunk = [0; CHUNK];
    while let Some(bytes) = read(reader, &mut chunk) {
        if output.push(bytes, mark) {
            break;
        }
    }
    output
}

/// `None` at the end: nobody can write any more, or reading fails for good.
fn read<'a>(mut reader: &PipeReader, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
    loop {
        match reader.read(chunk) {
            Ok(0) => return None,
            Ok(count) => return chunk.get(..count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// The pipes that something outside may still write to.
static OPEN: Mutex<Vec<Arc<PipeReader>>> = Mutex::new(Vec::new());

fn open_outputs() -> MutexGuard<'static, Vec<Arc<PipeReader>>> {
    threads::lock(&OPEN)
}

/// To be called when this process is about to end: commands that still run, and daemons that
/// commands have left behind, keep somebody who reads what they write. On Unix that is one `cat`
/// for each pipe, which ends when its last writer does.
pub fn leave_open_outputs() -> io::Result<()> {
    open_outputs()
        .drain(..)
        .map(|open| platform::leave_to_reader(open.try_clone()?))
        .filter(|left| !is_unsupported(left))
        .fold(Ok(()), io::Result::and)
}

/// Where a write to a pipe without a reader ends nobody, nothing is to be done.
fn is_unsupported(left: &io::Result<()>) -> bool {
    matches!(left, Err(error) if error.kind() == ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THE_MARK: &[u8; MARK] = b"0123456789abcdef";

    fn pushed(pieces: &[&[u8]]) -> (Output, bool) {
        let mut output = Output::default();
        let found = pieces.iter().any(|piece| output.push(piece, THE_MARK));
        (output, found)
    }

    #[test]
    fn the_mark_ends_the_output_wherever_it_is_cut() {
        let whole = [b"text 0123", &THE_MARK[..], b"a daemon's"].concat();
        for cut in 0..=whole.len() {
            let (left, right) = whole.split_at(cut);
            let (output, found) = pushed(&[left, right]);
            assert!(found, "{cut}");
            assert_eq!(output.tail, b"text 0123", "{cut}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(pushed(&single).0.tail, b"text 0123");
        assert!(!pushed(&[b"0123456789abcde"]).1);
    }

    #[test]
    fn only_the_last_bytes_are_kept_and_the_others_counted() {
        let flood = vec![b'x'; 1000];
        let mut pieces = vec![&flood[..]; 100];
        pieces.extend([&b"\nlast line\n"[..], THE_MARK]);
        let (output, found) = pushed(&pieces);
        assert!(found);
        assert!(output.tail.len() <= KEPT, "{}", output.tail.len());
        assert_eq!(output.tail.len() as u64 + output.dropped, 100_011);
        let text = format!(
            "({} bytes before this are left out)\nlast line",
            output.dropped
        );
        assert_eq!(output.to_string(), text);
    }

    #[test]
    fn any_bytes_are_shown_as_text() {
        let output = Output {
            tail: b"a\xff\xfeb \n\n".to_vec(),
            dropped: 0,
        };
        assert_eq!(output.to_string(), "a\u{fffd}\u{fffd}b");
        assert_eq!(Output::default().to_string(), "");
    }

    #[test]
    fn marks_are_random() {
        assert_ne!(random_mark(), random_mark());
    }
}
