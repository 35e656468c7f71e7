//! A failure of every file call of an apply, in every way that disks and systems fail: no file torn
//! or lost, an error that names what it is about, and a next run that finishes the job.

use super::calls::{Call, calls, can_trace, injected, traced};
use super::scene::{Scene, tree};
use super::{SIDE_BY_SIDE, for_each, sample};
use crate::env::Run;
use crate::metad::Metad;

/// The failures, in the system's words.
const FAILURES: &[(&str, &str)] = &[
    ("ENOSPC", "No space left on device"),
    ("EROFS", "Read-only file system"),
    ("EACCES", "Permission denied"),
    ("EIO", "Input/output error"),
    ("EMFILE", "Too many open files"),
    ("ENOMEM", "Cannot allocate memory"),
];

/// The end of a run with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The run made no such call.
    NotMet,
    /// All files are right all the same.
    Harmless,
    /// It said what is wrong.
    Said,
    /// It could not even start, or not go on.
    Died,
}

#[test]
fn a_failure_of_any_file_call_is_survived_and_said() {
    if !can_trace("a_failure_of_any_file_call") {
        return;
    }
    let metad = Metad::start(tree("2"));
    let good = Scene::new(&metad);
    let options = ["-o", "$ROOT/trace", "-e", "trace=%file,%desc"];
    let run = good.env.finish(traced(&good.env, &options, &["-onetime"]));
    run.expect_code(0);
    let mut every = calls(&good.env.lines("trace"));
    // Most calls of mmap are for memory; and a close that fails closes all the same, which strace
    // cannot do.
    every.retain(|call| !["mmap", "close"].contains(&call.name.as_str()));
    let cases = every
        .into_iter()
        .flat_map(|call| FAILURES.iter().map(move |failure| (call.clone(), *failure)));
    // A new process counts anew, so that no command could ever start: it would wait a minute for
    // others to end.
    let is_lasting =
        |call: &Call, errno: &str| call.name == "dup2" && ["EMFILE", "ENOMEM"].contains(&errno);
    let cases = cases.filter(|(call, (errno, _))| !is_lasting(call, errno));
    let ends = for_each(
        SIDE_BY_SIDE,
        sample(cases.collect()),
        |(call, failure): (Call, _)| {
            let (errno, words) = failure;
            let scene = Scene::new(&metad);
            let run = injected(&scene.env, &call, &format!("error={errno}"));
            let context = Scene::context(&run, &format!("{errno} at {call:?}"));
            scene.expect_whole(&context);
            let end = judge(&scene, &run, words, &context);
            scene.expect_mended(&context);
            end
        },
    );
    let count = |end: End| ends.iter().filter(|found| **found == end).count();
    println!(
        "failed file calls: {} runs; {} said what is wrong, {} put everything right all the same, {} died, {} made no such \
         call; each mended by the next run",
        ends.len(),
        count(End::Said),
        count(End::Harmless),
        count(End::Died),
        count(End::NotMet),
    );
}

fn judge(scene: &Scene, run: &Run, words: &str, context: &str) -> End {
    let injected: Vec<String> = scene
        .env
        .lines("trace")
        .into_iter()
        .filter(|line| line.ends_with("(INJECTED)"))
        .collect();
    match run.code() {
        Some(0) => {
            scene.expect_new(context);
            if injected.is_empty() {
                End::NotMet
            } else {
                End::Harmless
            }
        }
        Some(1 | 2) => {
            let log_failed = injected.iter().any(|line| line.contains(" write(2, "));
            assert!(
                log_failed || is_clear(run, words),
                "unclear: {context}\n{injected:?}"
            );
            End::Said
        }
        // The system's own loader of programs, or memory that the standard library cannot do
        // without.
        _ => End::Died,
    }
}

/// Whether an error names what it is about, and either why or which command has failed.
fn is_clear(run: &Run, words: &str) -> bool {
    let lines: Vec<&str> = run.stderr.lines().collect();
    lines.iter().any(|line| {
        let error = [": ERROR ", ": FATAL ", "confd: "]
            .iter()
            .any(|mark| line.contains(mark));
        error && line.contains('/') && (line.contains(words) || line.contains("command \""))
    })
}
