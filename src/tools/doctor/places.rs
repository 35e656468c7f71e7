//! The places of files: permissions, free space, leftovers of killed runs and SELinux labels.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Case, agents, in_time};
use crate::agent::status;
use crate::config::Config;
use crate::error::Result;
use crate::platform::{self, Disk, Lock, Running};
use crate::resource::stage::unit::recorded;
use crate::resource::stage::{Attributes, Target, find_leftovers};
use crate::resource::{Resource, unit_of};
use crate::threads::{self, Task};
use crate::tools::console;
use crate::tools::finding::{Finding, Severity};

/// The bytes that a new file needs on a disk besides its content.
const OVERHEAD: u64 = 16 << 10;
/// The bytes and files below which a disk is nearly full.
const RESERVE: u64 = 4 << 20;
const RESERVE_OF_FILES: u64 = 100;

/// The time after which a file system hangs; a busy disk may be slow.
const HANG: Duration = Duration::from_secs(5);
/// The age at which an unclaimed staged file is no longer one that a run is about to swap.
const SWAP: Duration = Duration::from_millis(500);

/// The place of one file.
#[derive(Default)]
struct Place {
    /// True for the status file.
    is_state: bool,
    /// The deepest directory on its path that exists.
    directory: PathBuf,
    /// The error that prevents creating files there.
    refusal: Option<io::Error>,
    /// None when it cannot be examined.
    disk: Option<Disk>,
    /// The size of the existing file.
    size: u64,
    /// The staged files beside it that no run has claimed.
    leftovers: Vec<PathBuf>,
    /// The resource, and what deserves attention about it.
    notes: Vec<String>,
    /// The file that not even root can replace, and the letter of its attribute in chattr.
    protected: Option<(PathBuf, char)>,
    /// The file and its label, if that is unusual.
    odd_label: Option<(PathBuf, String)>,
}

/// Checks the dest of every resource and the status file.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    let state = status::file(&case.config.confdir);
    let mut files = case.resource_files();
    files.push(state.clone());
    let mut tasks: Vec<Task<Option<Result<Place>>>> = Vec::new();
    let all: Arc<[PathBuf]> = files.clone().into();
    for file in &files {
        let all = Arc::clone(&all);
        let (file, is_state) = (file.clone(), *file == state);
        let config = Arc::clone(&case.config);
        tasks.push(Box::new(move || look(&file, &config, is_state, &all)));
    }
    let mut findings = Vec::new();
    let mut places = Vec::new();
    for (found, file) in threads::run_all_within(HANG, tasks).into_iter().zip(&files) {
        match found {
            None => {
                let message = format_args!("{}: no answer within {HANG:?}", file.display());
                let help = "see mount and the kernel's log: the file system of its dest hangs";
                findings.push(Finding::new("dest", Severity::Error, message, help));
            }
            Some(Some(Err(error))) => {
                let message = format_args!("{}: {}", file.display(), error.chain());
                let help = "correct dest in that file, or remove what is there";
                findings.push(Finding::new("dest", case.refused(&error), message, help));
            }
            Some(Some(Ok(place))) => places.push(place),
            // Another check reports what is wrong with the file itself.
            Some(None) => {}
        }
    }
    for note in places.iter().flat_map(|place| &place.notes) {
        let help = "correct the name, or create it (useradd, groupadd)";
        findings.push(Finding::new("dest", Severity::Warning, note, help));
    }
    add_protected(&places, &mut findings);
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
fn look(file: &Path, config: &Config, is_state: bool, all: &[PathBuf]) -> Option<Result<Place>> {
    let mut notes = Vec::new();
    let target = if is_state {
        Target::resolve(file, Attributes::default())
    } else {
        let resource = Resource::load(file, config).ok()?;
        // Where its files are depends on the metadata.
        if resource.is_for_each() {
            return None;
        }
        resource.ownership(config).and_then(|mut ownership| {
            let mut others = all.iter().filter(|other| *other != file);
            if ownership.unknown_unit.is_some()
                && !others.any(|other| unit_of(other).as_deref() == resource.unit())
            {
                resource.be_alone(&mut ownership)?;
            }
            for name in ownership.unknown {
                let file = file.display();
                notes.push(format!("{file}: {name}"));
            }
            resource.target_with(ownership.attributes, config)
        })
    };
    Some(target.map(|target| Place {
        is_state,
        directory: target.directory().to_owned(),
        refusal: target.may_be_made().err(),
        disk: platform::disk(target.directory()).ok(),
        size: target.old_size().unwrap_or(0),
        leftovers: leftovers_of(&target, config),
        notes,
        protected: protected(&target),
        odd_label: odd_label(target.path()),
    }))
}

/// The files beside it that killed runs have left; those of a recorded swap are none.
fn leftovers_of(target: &Target, config: &Config) -> Vec<PathBuf> {
    let mut leftovers = find_leftovers(target).unwrap_or_default();
    if !leftovers.is_empty() {
        let recorded = recorded(&config.confdir);
        leftovers.retain(|path| path.file_name().is_none_or(|name| !recorded.contains(name)));
    }
    leftovers
}

/// The attribute that keeps even root from replacing the file, and where it is set.
fn protected(target: &Target) -> Option<(PathBuf, char)> {
    let places = [target.path(), target.directory().to_owned()];
    places.into_iter().find_map(|place| {
        let letter = platform::protection(&place)?;
        Some((place, letter))
    })
}

/// Checks the attributes that keep even root from replacing a file.
fn add_protected(places: &[Place], findings: &mut Vec<Finding>) {
    let mut known: Vec<&Path> = Vec::new();
    for (path, letter) in places.iter().filter_map(|place| place.protected.as_ref()) {
        if !known.contains(&path.as_path()) {
            known.push(path);
            let kind = if *letter == 'i' {
                "immutable"
            } else {
                "append-only"
            };
            let message = format_args!("{} is {kind}, even for root", path.display());
            let help = format!("remove the attribute: chattr -{letter} {}", path.display());
            findings.push(Finding::new("dest", Severity::Error, message, &help));
        }
    }
}

/// Checks the permissions.
fn add_rights(case: &Case, places: &[Place], findings: &mut Vec<Finding>) {
    let mut refused: Vec<(&Path, &io::Error, bool)> = Vec::new();
    let mut good: Vec<&Path> = Vec::new();
    let is_protected = |place: &&Place| {
        let protected = place.protected.as_ref();
        protected.is_some_and(|(path, _)| *path == place.directory)
    };
    for place in places.iter().filter(|place| !is_protected(place)) {
        let known = refused.iter_mut().find(|known| known.0 == place.directory);
        match (&place.refusal, known) {
            (None, _) if good.contains(&place.directory.as_path()) => {}
            (None, _) => good.push(&place.directory),
            (Some(_), Some((_, _, only_state))) => *only_state &= place.is_state,
            (Some(error), None) => refused.push((&place.directory, error, place.is_state)),
        }
    }
    if refused.is_empty() && !findings.iter().any(|found| found.code == "dest") {
        let message = format_args!("{0} of {0} directories are writable", good.len());
        findings.push(Finding::ok("dest", message));
    }
    for (directory, error, only_state) in refused {
        let message = format_args!("cannot make files in {}: {error}", directory.display());
        let severity = if only_state {
            // Only -status needs it.
            Severity::Warning
        } else {
            case.refused_by(error)
        };
        let help = platform::advice(error).unwrap_or("see what is there: ls -ld DIRECTORY");
        findings.push(Finding::new("dest", severity, message, help));
    }
}

/// Checks for staged files of killed runs.
fn leftovers(case: &Case, places: &[Place]) -> Option<Finding> {
    let mut files: Vec<&PathBuf> = places.iter().flat_map(|place| &place.leftovers).collect();
    if !files.is_empty() {
        thread::sleep(SWAP);
        files.retain(|file| file.exists());
    }
    let directory = files.first()?.parent()?.display();
    let is_held = Lock::is_held(&case.config.confdir).unwrap_or(true);
    (!is_held).then(|| {
        let files = console::counted(files.len(), "staged file");
        let message = format_args!("{files} of killed runs, the first in {directory}");
        let help = "find out what kills confd; the next run removes the files";
        Finding::new("leftovers", Severity::Warning, message, help)
    })
}

/// The directory of a daemon's log, which may be on another disk.
fn log(daemon: &Running) -> Option<Place> {
    let directory = daemon.log().ok()?.parent()?.to_owned();
    let wanted = directory.clone();
    Some(Place {
        disk: in_time(move || platform::disk(&wanted).ok())??.into(),
        directory,
        ..Place::default()
    })
}

/// Checks that there is room for one more of each file.
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
    let least = disks.iter().filter_map(|(disk, ..)| disk.free).min();
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
    let found = |severity, what: fmt::Arguments<'_>, help| {
        let message = format_args!("{what} where {directory} is");
        Some(Finding::new("disk", severity, message, help))
    };
    let more = "free some space on it (du -x shows what uses it)";
    let inodes = "remove small files from it: they use all inodes (df -i)";
    match (disk.free, disk.files) {
        (Some(free), _) if free < bytes => found(
            Severity::Error,
            format_args!("only {} free, {} needed,", size(free), size(bytes)),
            more,
        ),
        (_, Some(left)) if left < files => found(
            Severity::Error,
            format_args!("no more than {left} files can be made"),
            inodes,
        ),
        (Some(free), _) if free - bytes < RESERVE => {
            found(Severity::Warning, format_args!("{} free", size(free)), more)
        }
        (_, Some(left)) if left - files < RESERVE_OF_FILES => found(
            Severity::Warning,
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

/// Checks for labels with which SELinux keeps others from reading, or confd from running.
fn labels(places: &[Place]) -> Finding {
    match platform::selinux_enforces() {
        None => Finding::ok("selinux", "not in use"),
        Some(false) => Finding::ok("selinux", "permissive"),
        Some(true) => {
            let odd = places.iter().find_map(|place| place.odd_label.clone());
            let own = || odd_label(env::current_exe().ok()?);
            let Some((path, label)) = odd.or_else(own) else {
                let message = "enforcing, with usual labels";
                return Finding::ok("selinux", message);
            };
            let path = path.display();
            let message = format_args!("enforcing, and {path} has the label {label}");
            let help = "restore it (restorecon -v FILE), since services may not read such files; ausearch -m avc \
                        shows what was refused";
            Finding::new("selinux", Severity::Warning, message, help)
        }
    }
}

/// A label that a file has kept from its previous place (`mv` does that), or that the policy has no
/// name for.
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
        let judge = |free, files| {
            let disk = Disk { id: 1, free, files };
            judge_disk(&disk, "/opt", 200_000, 3)
        };
        assert_eq!(
            judge(None, None),
            None,
            "one that does not count is not full"
        );
        for (free, files, severity) in [
            (plenty, None, None),
            (plenty, Some(1000), None),
            (100_000, None, Some(Severity::Error)),
            (300_000, None, Some(Severity::Warning)),
            (plenty, Some(2), Some(Severity::Error)),
            (plenty, Some(50), Some(Severity::Warning)),
        ] {
            let found = judge(Some(free), files);
            assert_eq!(
                found.map(|found| found.severity),
                severity,
                "{free} {files:?}"
            );
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
