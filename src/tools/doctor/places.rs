//! The places of files: may confd write there, is there room, is something left of killed runs, who may not read it all.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Case, Finding, Verdict, agents, in_time};
use crate::agent::status;
use crate::config::Config;
use crate::error::Result;
use crate::platform::{self, Disk, Lock, Running};
use crate::resource::Resource;
use crate::resource::stage::{Attributes, Target, count_staged};
use crate::threads::{self, Task};

/// What a new file needs on a disk beside its content, in bytes.
const OVERHEAD: u64 = 16 << 10;
/// With less to spare than this a disk is nearly full: bytes, and files.
const RESERVE: u64 = 4 << 20;
const RESERVE_OF_FILES: u64 = 100;

/// A file system that does not answer for so long hangs; a busy disk may take its time.
const HANG: Duration = Duration::from_secs(5);

/// Where one file is made.
#[derive(Default)]
struct Place {
    /// Whether it is the state file.
    is_state: bool,
    /// The deepest directory on the way to it that exists.
    directory: PathBuf,
    /// Why nothing can be made there.
    refusal: Option<io::Error>,
    /// None when that cannot be seen.
    disk: Option<Disk>,
    /// The size of the file that there is.
    size: u64,
    /// Staged files beside it.
    staged: usize,
    /// The file, and a label that is not usual for it.
    odd_label: Option<(PathBuf, String)>,
}

/// The dest of every resource, and the state file.
pub fn check(case: &Case) -> Vec<Finding> {
    let state = status::file(&case.config.confdir);
    let mut files = case.resource_files();
    files.push(state.clone());
    let mut tasks: Vec<Task<Option<Result<Place>>>> = Vec::new();
    for file in &files {
        let (file, is_state) = (file.clone(), *file == state);
        let config = Arc::clone(&case.config);
        tasks.push(Box::new(move || look(&file, &config, is_state)));
    }
    let mut findings = Vec::new();
    let mut places = Vec::new();
    for (found, file) in threads::run_all_within(HANG, tasks).into_iter().zip(&files) {
        match found {
            None => {
                let message = format_args!("{}: no answer within {HANG:?}", file.display());
                let cure = "the file system of its dest hangs: see mount and the kernel's log";
                findings.push(Finding::new("dest", Verdict::Wrong, message, cure));
            }
            Some(Some(Err(error))) => {
                let message = format_args!("{}: {}", file.display(), error.chain());
                let cure = "correct dest in that file, or what is there";
                findings.push(Finding::new("dest", case.refused(&error), message, cure));
            }
            Some(Some(Ok(place))) => places.push(place),
            // What is wrong with the file itself, another check says.
            Some(None) => {}
        }
    }
    add_rights(case, &places, &mut findings);
    findings.extend(leftovers(case, &places));
    findings.push(labels(&places));
    for daemon in agents::daemons(case) {
        places.extend(log(&daemon));
    }
    add_disks(&places, &mut findings);
    findings
}

/// None when the resource cannot be read.
fn look(file: &Path, config: &Config, is_state: bool) -> Option<Result<Place>> {
    let target = match is_state {
        true => Target::resolve(file, Attributes::default()),
        false => Resource::load(file, config).ok()?.target(config),
    };
    Some(target.map(|target| Place {
        is_state,
        directory: target.directory().to_owned(),
        refusal: target.may_be_made().err(),
        disk: platform::disk(target.directory()).ok(),
        size: target.old_size().unwrap_or(0),
        staged: count_staged(&target).unwrap_or(0),
        odd_label: odd_label(target.path()),
    }))
}

/// May confd write there?
fn add_rights(case: &Case, places: &[Place], findings: &mut Vec<Finding>) {
    let mut refused: Vec<(&Path, &io::Error, bool)> = Vec::new();
    let mut good: Vec<&Path> = Vec::new();
    for place in places {
        let known = refused.iter_mut().find(|known| known.0 == place.directory);
        match (&place.refusal, known) {
            (None, _) if good.contains(&place.directory.as_path()) => {}
            (None, _) => good.push(&place.directory),
            (Some(_), Some((_, _, only_state))) => *only_state &= place.is_state,
            (Some(error), None) => refused.push((&place.directory, error, place.is_state)),
        }
    }
    if refused.is_empty() {
        let message = format_args!("{0} of {0} directories can be written", good.len());
        findings.push(Finding::ok("dest", message));
    }
    for (directory, error, only_state) in refused {
        let message = format_args!("cannot make files in {}: {error}", directory.display());
        let verdict = match only_state {
            // Only -status is the poorer for it.
            true => Verdict::Warning,
            false => case.refused_by(error),
        };
        let cure = match error.kind() {
            io::ErrorKind::PermissionDenied if platform::own_user() == 0 => {
                "somebody has made it immutable (lsattr), or a security module refuses it"
            }
            _ => platform::advice(error).unwrap_or("see what is there"),
        };
        findings.push(Finding::new("dest", verdict, message, cure));
    }
}

/// Staged files, while nobody is at work, are what killed runs have left.
fn leftovers(case: &Case, places: &[Place]) -> Option<Finding> {
    let place = places.iter().find(|place| place.staged > 0)?;
    let count: usize = places.iter().map(|place| place.staged).sum();
    let is_held = Lock::is_held(&case.config.confdir).unwrap_or(true);
    (!is_held).then(|| {
        let directory = place.directory.display();
        let message = format_args!("{count} staged files of killed runs, the first in {directory}");
        let cure = "the next run removes those of its resources; see what kills it";
        Finding::new("leftovers", Verdict::Warning, message, cure)
    })
}

/// Where a daemon logs to, which may be another disk.
fn log(daemon: &Running) -> Option<Place> {
    let directory = daemon.log().ok()?.parent()?.to_owned();
    let wanted = directory.clone();
    Some(Place {
        disk: in_time(move || platform::disk(&wanted).ok())??.into(),
        directory,
        ..Place::default()
    })
}

/// Is there room for one more of each file?
fn add_disks(places: &[Place], findings: &mut Vec<Finding>) {
    let mut disks: Vec<(Disk, &Path, u64, u64)> = Vec::new();
    for place in places {
        let Some(disk) = place.disk else { continue };
        let need = place.size + OVERHEAD;
        match disks.iter_mut().find(|(known, ..)| known.id == disk.id) {
            Some((_, _, bytes, files)) => (*bytes, *files) = (*bytes + need, *files + 1),
            None => disks.push((disk, &place.directory, need, 1)),
        }
    }
    let others = findings.len();
    for (disk, directory, bytes, files) in &disks {
        let directory = directory.display().to_string();
        findings.extend(judge_disk(disk, &directory, *bytes, *files));
    }
    let least = disks.iter().map(|(disk, ..)| disk.free).min();
    if let Some(least) = least.filter(|_| findings.len() == others) {
        let least = size(least);
        findings.push(match disks.len() {
            1 => Finding::ok("disk", format_args!("{least} free")),
            count => {
                let message = format_args!("{least} free at least, on each of {count}");
                Finding::ok("disk", message)
            }
        });
    }
}

fn judge_disk(disk: &Disk, directory: &str, bytes: u64, files: u64) -> Option<Finding> {
    let found = |verdict, what: fmt::Arguments<'_>, cure| {
        let message = format_args!("{what} where {directory} is");
        Some(Finding::new("disk", verdict, message, cure))
    };
    let free = size(disk.free);
    let more = "free some space on it (du -x finds what takes it)";
    let inodes = "remove files from it: many small ones have taken all inodes (df -i)";
    match disk.files {
        _ if disk.free < bytes => found(
            Verdict::Wrong,
            format_args!("only {free} free, {} needed,", size(bytes)),
            more,
        ),
        Some(left) if left < files => found(
            Verdict::Wrong,
            format_args!("no more than {left} files can be made"),
            inodes,
        ),
        _ if disk.free - bytes < RESERVE => {
            found(Verdict::Warning, format_args!("{free} free"), more)
        }
        Some(left) if left - files < RESERVE_OF_FILES => found(
            Verdict::Warning,
            format_args!("no more than {left} files can be made"),
            inodes,
        ),
        _ => None,
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// What SELinux keeps others from reading, or confd from running.
fn labels(places: &[Place]) -> Finding {
    match platform::selinux_enforces() {
        None => Finding::ok("selinux", "not in use"),
        Some(false) => Finding::ok("selinux", "permissive: it refuses nothing"),
        Some(true) => {
            let odd = places.iter().find_map(|place| place.odd_label.clone());
            let own = || odd_label(env::current_exe().ok()?);
            let Some((path, label)) = odd.or_else(own) else {
                let message = "enforcing; the labels are not odd";
                return Finding::ok("selinux", message);
            };
            let path = path.display();
            let message = format_args!("enforcing, and {path} has the label {label}");
            let cure = "services may not read such files: restorecon -v FILE; ausearch -m avc \
                        says what was refused";
            Finding::new("selinux", Verdict::Warning, message, cure)
        }
    }
}

/// A label that a file has kept from where it was before (`mv` does that), or that the policy has no name for.
fn odd_label(path: PathBuf) -> Option<(PathBuf, String)> {
    let label = platform::label(&path).ok()??;
    is_odd(&label, &path).then_some((path, label))
}

fn is_odd(label: &str, path: &Path) -> bool {
    let mut fields = label.split(':');
    let (_user, _role, kind) = (fields.next(), fields.next(), fields.next());
    let path = path.as_os_str().as_encoded_bytes();
    let home = ["/home/", "/root/", "/tmp/", "/var/tmp/"];
    match kind.unwrap_or_default() {
        "unlabeled_t" | "file_t" | "default_t" => true,
        "user_home_t" | "admin_home_t" | "user_tmp_t" | "tmp_t" => {
            !home.iter().any(|home| path.starts_with(home.as_bytes()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_needs_room_for_one_more_of_each_file() {
        let plenty = 1 << 30;
        for (free, files, verdict) in [
            (plenty, None, None),
            (plenty, Some(1000), None),
            (100_000, None, Some(Verdict::Wrong)),
            (300_000, None, Some(Verdict::Warning)),
            (plenty, Some(2), Some(Verdict::Wrong)),
            (plenty, Some(50), Some(Verdict::Warning)),
        ] {
            let disk = Disk { id: 1, free, files };
            let found = judge_disk(&disk, "/opt", 200_000, 3);
            assert_eq!(found.map(|found| found.verdict), verdict, "{disk:?}");
        }
        let sizes = [0, 65_536, 4 << 20, 5 << 30].map(size);
        assert_eq!(sizes, ["0 KB", "65 KB", "4 MB", "5 GB"]);
    }

    #[test]
    fn labels_are_odd_by_their_type_and_place() {
        for (label, path, odd) in [
            ("system_u:object_r:etc_t:s0", "/etc/x", false),
            ("unconfined_u:object_r:user_home_t:s0", "/etc/x", true),
            ("unconfined_u:object_r:user_home_t:s0", "/home/u/x", false),
            ("system_u:object_r:unlabeled_t:s0", "/home/u/x", true),
            ("unconfined_u:object_r:tmp_t:s0:c1", "/opt/x", true),
            ("", "/opt/x", false),
        ] {
            assert_eq!(is_odd(label, Path::new(path)), odd, "{label} {path}");
        }
    }
}
