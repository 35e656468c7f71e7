//! The places of files: may confd write there, is there room, is something left of killed runs, who may not read it all.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Case, Finding, Verdict, agents, in_time};
use crate::config::Config;
use crate::error::Result;
use crate::platform::{self, Disk, Lock};
use crate::resource::stage::{Attributes, Target, count_staged};
use crate::resource::{self, Resource};
use crate::status;
use crate::threads;

/// What a new file needs on a disk beside its content, in bytes.
const OVERHEAD: u64 = 16 << 10;
/// With less to spare than this a disk is nearly full: bytes, and files.
const RESERVE: u64 = 4 << 20;
const RESERVE_OF_FILES: u64 = 100;

/// A file system that does not answer for so long hangs; a busy disk may take its time.
const HANG: Duration = Duration::from_secs(5);

/// Where one file is made.
struct Place {
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
    let found = resource::find(&case.config.confdir.join("conf.d")).unwrap_or_default();
    let mut files: Vec<PathBuf> = found.into_iter().map(|(path, _)| path).collect();
    files.push(state.clone());
    let work = files.iter().map(|file| {
        let (file, is_state) = (file.clone(), *file == state);
        let config = Arc::clone(&case.config);
        move || look(&file, &config, is_state)
    });
    let mut findings = Vec::new();
    let mut places = Vec::new();
    for (found, file) in threads::side_by_side(HANG, work).into_iter().zip(&files) {
        match found {
            None => {
                let message = format!("{}: no answer within {HANG:?}", file.display());
                let cure = "the file system of its dest hangs: see mount and the kernel's log";
                findings.push(Finding::new("dest", Verdict::Wrong, message, cure));
            }
            Some(Some(Err(error))) => {
                let message = format!("{}: {}", file.display(), error.chain());
                let cure = "correct dest in that file, or what is there";
                findings.push(Finding::new("dest", case.refused(&error), message, cure));
            }
            Some(Some(Ok(place))) => places.push((place, *file == state)),
            // What is wrong with the file itself, another check says.
            Some(None) => {}
        }
    }
    findings.extend(rights(case, &places));
    let mut places: Vec<Place> = places.into_iter().map(|(place, _)| place).collect();
    findings.extend(leftovers(case, &places));
    findings.push(labels(&places));
    places.extend(logs(case));
    findings.extend(disks(&places));
    findings
}

/// None when the resource cannot be read.
fn look(file: &Path, config: &Config, is_state: bool) -> Option<Result<Place>> {
    let target = match is_state {
        true => Target::resolve(file, Attributes::default()),
        false => Resource::load(file, config).ok()?.target(config),
    };
    Some(target.map(|target| Place {
        directory: target.directory().to_owned(),
        refusal: target.may_be_made().err(),
        disk: platform::disk(target.directory()).ok(),
        size: target.old_size().unwrap_or(0),
        staged: count_staged(&target).unwrap_or(0),
        odd_label: odd_label(target.path()),
    }))
}

/// May confd write there?
fn rights(case: &Case, places: &[(Place, bool)]) -> Vec<Finding> {
    let mut refused: Vec<(&Path, &io::Error, bool)> = Vec::new();
    let mut good: Vec<&Path> = Vec::new();
    for (place, is_state) in places {
        let known = refused.iter_mut().find(|known| known.0 == place.directory);
        match (&place.refusal, known) {
            (None, _) if good.contains(&place.directory.as_path()) => {}
            (None, _) => good.push(&place.directory),
            (Some(_), Some((_, _, only_state))) => *only_state &= is_state,
            (Some(error), None) => refused.push((&place.directory, error, *is_state)),
        }
    }
    let findings = refused.into_iter().map(|(directory, error, only_state)| {
        let message = format!("cannot make files in {}: {error}", directory.display());
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
        Finding::new("dest", verdict, message, cure)
    });
    let findings: Vec<Finding> = findings.collect();
    if !findings.is_empty() {
        return findings;
    }
    let message = format!("{0} of {0} directories can be written", good.len());
    vec![Finding::ok("dest", message)]
}

/// Staged files, while nobody is at work, are what killed runs have left.
fn leftovers(case: &Case, places: &[Place]) -> Option<Finding> {
    let place = places.iter().find(|place| place.staged > 0)?;
    let count: usize = places.iter().map(|place| place.staged).sum();
    let is_held = Lock::is_held(&case.config.confdir).unwrap_or(true);
    (!is_held).then(|| {
        let directory = place.directory.display();
        let message = format!("{count} staged files of killed runs, the first in {directory}");
        let cure = "the next run removes those of its resources; see what kills it";
        Finding::new("leftovers", Verdict::Warning, message, cure)
    })
}

/// The disks of the logs, which may be others.
fn logs(case: &Case) -> Vec<Place> {
    let logs = agents::daemons(case).into_iter();
    let logs = logs.filter_map(|daemon| {
        let directory = daemon.log().ok()?.parent()?.to_owned();
        let wanted = directory.clone();
        Some(Place {
            disk: in_time(move || platform::disk(&wanted).ok())??.into(),
            directory,
            refusal: None,
            size: 0,
            staged: 0,
            odd_label: None,
        })
    });
    logs.collect()
}

/// Is there room for one more of each file?
fn disks(places: &[Place]) -> Vec<Finding> {
    let mut disks: Vec<(Disk, &Path, u64, u64)> = Vec::new();
    for place in places {
        let Some(disk) = place.disk else { continue };
        let need = place.size + OVERHEAD;
        match disks.iter_mut().find(|(known, ..)| known.id == disk.id) {
            Some((_, _, bytes, files)) => (*bytes, *files) = (*bytes + need, *files + 1),
            None => disks.push((disk, &place.directory, need, 1)),
        }
    }
    let judged = disks.iter().filter_map(|(disk, directory, bytes, files)| {
        judge_disk(disk, &directory.display().to_string(), *bytes, *files)
    });
    let mut findings: Vec<Finding> = judged.collect();
    let least = disks.iter().map(|(disk, ..)| disk.free).min();
    if let (true, Some(least)) = (findings.is_empty(), least) {
        let message = match disks.len() {
            1 => format!("{} free", size(least)),
            count => format!("{} free at least, on each of {count}", size(least)),
        };
        findings.push(Finding::ok("disk", message));
    }
    findings
}

fn judge_disk(disk: &Disk, directory: &str, bytes: u64, files: u64) -> Option<Finding> {
    let found = |verdict, what: String, cure| {
        let message = format!("{what} where {directory} is");
        Some(Finding::new("disk", verdict, message, cure))
    };
    let free = size(disk.free);
    let more = "free some space on it (du -x finds what takes it)";
    let inodes = "remove files from it: many small ones have taken all inodes (df -i)";
    match disk.files {
        _ if disk.free < bytes => found(
            Verdict::Wrong,
            format!("only {free} free, {} needed,", size(bytes)),
            more,
        ),
        Some(left) if left < files => found(
            Verdict::Wrong,
            format!("no more than {left} files can be made"),
            inodes,
        ),
        _ if disk.free - bytes < RESERVE => found(Verdict::Warning, format!("{free} free"), more),
        Some(left) if left - files < RESERVE_OF_FILES => found(
            Verdict::Warning,
            format!("no more than {left} files can be made"),
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
        None => Finding::ok("selinux", "not in use".to_owned()),
        Some(false) => Finding::ok("selinux", "permissive: it refuses nothing".to_owned()),
        Some(true) => {
            let odd = places.iter().find_map(|place| place.odd_label.clone());
            let own = || odd_label(env::current_exe().ok()?);
            odd.or_else(own).map_or_else(
                || Finding::ok("selinux", "enforcing; the labels are not odd".to_owned()),
                |(path, label)| {
                    let path = path.display();
                    let message = format!("enforcing, and {path} has the label {label}");
                    let cure = "services may not read such files: restorecon -v FILE; ausearch -m avc \
                                says what was refused";
                    Finding::new("selinux", Verdict::Warning, message, cure)
                },
            )
        }
    }
}

/// A label that a file has kept from where it was before (`mv` does that), or that the policy has no name for.
fn odd_label(path: PathBuf) -> Option<(PathBuf, String)> {
    let label = platform::label(&path).ok()??;
    is_odd(&label, &path).then_some((path, label))
}

fn is_odd(label: &str, path: &Path) -> bool {
    let kind = label.split(':').nth(2).unwrap_or_default();
    let path = path.as_os_str().as_encoded_bytes();
    let home = ["/home/", "/root/", "/tmp/", "/var/tmp/"];
    match kind {
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
