//! Files on Unix: owners, modes, links, other names, full and read-only disks, mount points.
//!
//! Most of this needs root; a test that cannot do its work says so on stderr.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::env::until;
use app_agent::error::{self, Result};
use app_agent::resource::stage::{Attributes, Stage, Target, clear_leftovers, sync_directories};

const KEEP: Attributes = Attributes {
    mode: None,
    uid: None,
    gid: None,
};

/// A user who is not root. Nobody has to know the number.
const USER: u32 = 12345;

/// A directory of its own for each test, with file systems mounted below it, all gone afterwards.
struct Scratch {
    root: PathBuf,
    mounts: Vec<PathBuf>,
}

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stage-{}-{count}", std::process::id());
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&root).expect("a directory");
        Scratch {
            root,
            mounts: Vec::new(),
        }
    }

    /// The same, or `None` and a line on stderr when this is not root's test.
    fn as_root(test: &str) -> Option<Scratch> {
        let scratch = Scratch::new();
        if scratch.root.metadata().expect("metadata").uid() == 0 {
            return Some(scratch);
        }
        eprintln!("SKIPPED {test}: needs root");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        fs::write(self.path(name), content).expect("written");
        self.path(name)
    }

    fn dir(&self, name: &str) -> PathBuf {
        fs::create_dir(self.path(name)).expect("made");
        self.path(name)
    }

    /// False, and a line on stderr, when mounting is not allowed here.
    fn mount(&mut self, arguments: &[&str], at: &Path) -> bool {
        let done = Command::new("mount").args(arguments).arg(at).status();
        if done.is_ok_and(|status| status.success()) {
            self.mounts.push(at.to_owned());
            return true;
        }
        eprintln!("SKIPPED: cannot mount {}", at.display());
        false
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for mount in self.mounts.iter().rev() {
            // Lazily: a test that forks at this moment may hold a file open.
            let done = Command::new("umount").arg("-l").arg(mount).status();
            assert!(done.expect("umount").success() || std::thread::panicking());
        }
        fs::remove_dir_all(&self.root).expect("removed");
    }
}

fn apply(dest: &Path, content: &str, wanted: Attributes) -> Result<()> {
    let stage = Stage::create(Target::resolve(dest, wanted)?, content.as_bytes(), false)?;
    stage.sync()?;
    sync_directories(&[stage.commit()?])
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("read")
}

/// The mode, the owner and the group.
fn attributes(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).expect("metadata");
    (found.mode() & 0o7777, found.uid(), found.gid())
}

fn set(path: &Path, mode: u32, owner: u32) {
    chown(path, Some(owner), Some(owner)).expect("chown");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_file_and_its_directories_have_the_usual_modes() {
    let scratch = Scratch::new();
    let dest = scratch.path("a/b/x");
    apply(&dest, "1", KEEP).expect("applied");
    assert_eq!(attributes(&dest).0, 0o644);
    assert_eq!(attributes(&scratch.path("a")).0, 0o755);
    assert_eq!(attributes(&scratch.path("a/b")).0, 0o755);
    let wanted = Attributes {
        mode: Some(0o4750),
        ..KEEP
    };
    apply(&dest, "2", wanted).expect("applied");
    assert_eq!(attributes(&dest).0, 0o4750);
}

/// The umask belongs to the whole process, so the test above is run in one that has another.
#[test]
fn the_umask_changes_nothing() {
    for umask in ["077", "000"] {
        let tests = std::env::current_exe().expect("this program");
        let name = "stage::a_new_file_and_its_directories_have_the_usual_modes";
        let output = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("umask {umask}; exec \"$0\" --exact {name}"))
            .arg(tests)
            .output()
            .expect("sh");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1 passed"), "umask {umask}: {text}");
    }
}

#[test]
fn row_10_owner_and_mode_stay_unless_configured() {
    let Some(scratch) = Scratch::as_root("row_10_owner_and_mode") else {
        return;
    };
    let dest = scratch.file("x", "old");
    set(&dest, 0o2640, USER);
    apply(&dest, "new", KEEP).expect("applied");
    assert_eq!(attributes(&dest), (0o2640, USER, USER));

    let wanted = Attributes {
        mode: Some(0o4711),
        uid: Some(1),
        gid: None,
    };
    let target = Target::resolve(&dest, wanted).expect("found");
    let difference = target.compare(b"new").expect("read").expect("differs");
    let name = dest.display();
    let lines = [
        format!("{name} has UID {USER} should be 1"),
        format!("{name} has mode -rw-r-S--- should be -rws--x--x"),
    ];
    assert_eq!(difference.lines(&dest), lines);
    apply(&dest, "new", wanted).expect("applied");
    assert_eq!(attributes(&dest), (0o4711, 1, USER));
    let target = Target::resolve(&dest, wanted).expect("found");
    assert_eq!(target.compare(b"new").expect("read"), None);
}

#[test]
fn row_10_a_link_stays_and_its_target_is_replaced() {
    let scratch = Scratch::new();
    let real = scratch.dir("real");
    scratch.file("real/file", "old");
    symlink("real", scratch.path("directory")).expect("linked");
    symlink("directory/../directory/file", scratch.path("first")).expect("linked");
    symlink(scratch.path("first"), scratch.path("second")).expect("linked");
    apply(&scratch.path("second"), "new", KEEP).expect("applied");
    assert_eq!(read(&real.join("file")), "new");
    for link in ["directory", "first", "second"] {
        assert!(scratch.path(link).is_symlink(), "{link}");
    }
    assert_eq!(names(&real), ["file"]);
    assert_eq!(
        names(&scratch.root),
        ["directory", "first", "real", "second"]
    );
}

#[test]
fn the_target_of_a_dangling_link_is_made() {
    let scratch = Scratch::new();
    symlink("not/yet/there", scratch.path("link")).expect("linked");
    apply(&scratch.path("link"), "new", KEEP).expect("applied");
    assert_eq!(read(&scratch.path("not/yet/there")), "new");
    assert!(scratch.path("link").is_symlink());
}

#[test]
fn links_in_a_circle_are_an_error() {
    let scratch = Scratch::new();
    symlink("b", scratch.path("a")).expect("linked");
    symlink("a", scratch.path("b")).expect("linked");
    let error = Target::resolve(&scratch.path("a"), KEEP).expect_err("a circle");
    assert!(error.to_string().ends_with("leads through too many links"));
}

#[test]
fn a_users_link_to_what_is_not_his_is_not_followed() {
    let Some(scratch) = Scratch::as_root("a_users_link") else {
        return;
    };
    let (his, roots) = (scratch.dir("his"), scratch.dir("roots"));
    let secret = scratch.file("roots/secret", "root's");
    chown(&his, Some(USER), Some(USER)).expect("chown");
    let link = |text: &Path, name: &str| {
        symlink(text, his.join(name)).expect("linked");
        lchown(his.join(name), Some(USER), Some(USER)).expect("chown");
        his.join(name)
    };
    let mut refused = vec![
        link(&secret, "file"),
        link(&roots.join("new"), "new file"),
        link(&roots, "directory").join("secret"),
        link(&roots, "other directory").join("new/directory/file"),
        link(&his.join("file"), "by another link"),
    ];
    // Not even root's own link, when he has put another name of it into his directory.
    symlink("../roots/secret", scratch.path("roots/link")).expect("linked");
    fs::hard_link(scratch.path("roots/link"), his.join("root's link")).expect("linked");
    refused.push(his.join("root's link"));
    for dest in refused {
        let error = apply(&dest, "new", KEEP).expect_err("not followed");
        assert!(
            matches!(error.kind(), error::Kind::Resource { .. }),
            "{error}"
        );
        assert!(error.to_string().ends_with("is not followed"), "{error}");
    }
    assert_eq!(read(&secret), "root's");
    assert_eq!(names(&roots), ["link", "secret"]);
}

#[test]
fn a_users_link_to_what_is_his_is_followed() {
    let Some(scratch) = Scratch::as_root("a_users_own_link") else {
        return;
    };
    let his = scratch.dir("his");
    let other = scratch.dir("other");
    scratch.file("other/file", "old");
    for path in [&his, &other.join("file")] {
        chown(path, Some(USER), Some(USER)).expect("chown");
    }
    for (name, text) in [("file", "../other/file"), ("new", "made")] {
        symlink(text, his.join(name)).expect("linked");
        lchown(his.join(name), Some(USER), Some(USER)).expect("chown");
        apply(&his.join(name), "new", KEEP).expect("followed");
        assert_eq!(read(&his.join(text)), "new");
    }
    assert_eq!(attributes(&other.join("file")).1, USER);
}

#[test]
fn a_file_under_another_name_stays_as_it_was() {
    let scratch = Scratch::new();
    let dest = scratch.file("x", "old");
    fs::hard_link(&dest, scratch.path("other name")).expect("linked");
    apply(&dest, "new", KEEP).expect("applied");
    assert_eq!(read(&scratch.path("other name")), "old");
    assert_eq!(read(&dest), "new");
}

#[test]
fn what_is_no_file_is_not_opened() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for dest in [&pipe, Path::new("/dev/null"), Path::new("/dev/tty")] {
        let error = Target::resolve(dest, KEEP).expect_err("no file");
        assert!(error.to_string().ends_with("not a file"), "{error}");
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    let scratch = Scratch::new();
    let closed = scratch.dir("closed");
    let dest = scratch.file("closed/x", "old");
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).expect("chmod");
    let result = apply(&dest, "new", KEEP);
    if attributes(&closed).1 == 0 {
        eprintln!("SKIPPED a_directory_that_may_not_be_written: root may write anywhere");
    } else {
        let text = result.expect_err("refused").chain();
        let words = format!(
            "cannot make a file in {}: Permission denied",
            closed.display()
        );
        assert!(text.starts_with(&words), "{text}");
        assert_eq!(read(&dest), "old");
    }
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).expect("chmod");
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let Some(mut scratch) = Scratch::as_root("a_full_disk") else {
        return;
    };
    let disk = scratch.dir("disk");
    if !scratch.mount(&["-t", "tmpfs", "-o", "size=64k", "none"], &disk) {
        return;
    }
    let dest = scratch.file("disk/x", "old");
    let text = apply(&dest, &"new".repeat(50_000), KEEP)
        .expect_err("full")
        .chain();
    let words = format!("cannot write {}/.x.confd-", disk.display());
    assert!(text.starts_with(&words), "{text}");
    assert!(
        text.ends_with("free some space, or inodes, on its file system"),
        "{text}"
    );
    assert_eq!(read(&dest), "old");
    assert_eq!(names(&disk), ["x"]);
    apply(&dest, "small enough", KEEP).expect("applied");
}

#[test]
fn a_read_only_disk_leaves_the_old_file_and_says_so() {
    let Some(mut scratch) = Scratch::as_root("a_read_only_disk") else {
        return;
    };
    let disk = scratch.dir("disk");
    if !scratch.mount(&["-t", "tmpfs", "none"], &disk) {
        return;
    }
    let dest = scratch.file("disk/x", "old");
    let stage = Stage::create(Target::resolve(&dest, KEEP).expect("found"), b"new", false);
    let stage = stage.expect("staged");
    // Not while other tests change the list of mounts.
    let remount = |options: &str| {
        until("it is mounted again", || {
            let mut mount = Command::new("mount");
            let done = mount.args(["-o", options]).arg(&disk).status();
            done.expect("mount").success()
        });
    };
    remount("remount,ro");
    let text = stage.commit().expect_err("read-only").chain();
    assert!(text.ends_with("mount its file system read-write"), "{text}");
    assert_eq!(read(&dest), "old");
    let text = apply(&dest, "new", KEEP).expect_err("read-only").chain();
    assert!(
        text.starts_with(&format!("cannot make a file in {}", disk.display())),
        "{text}"
    );

    remount("remount,rw");
    assert_eq!(
        names(&disk).len(),
        2,
        "the staged file could not be removed"
    );
    let target = Target::resolve(&dest, KEEP).expect("found");
    assert_eq!(
        clear_leftovers(vec![&target], &BTreeSet::new())
            .expect("cleared")
            .len(),
        1
    );
    assert_eq!(names(&disk), ["x"]);
}

#[test]
fn a_mount_point_is_written_in_place() {
    let Some(mut scratch) = Scratch::as_root("a_mount_point") else {
        return;
    };
    let (dest, bound) = (
        scratch.file("x", "below"),
        scratch.file("bound", "long old text"),
    );
    set(&bound, 0o640, USER);
    let source = bound.display().to_string();
    if !scratch.mount(&["--bind", &source], &dest) {
        return;
    }
    apply(&dest, "new", KEEP).expect("applied");
    assert_eq!(read(&bound), "new");
    assert_eq!(attributes(&bound), (0o640, USER, USER));
    let wanted = Attributes {
        mode: Some(0o600),
        ..KEEP
    };
    apply(&dest, "new, and longer than the old text", wanted).expect("applied");
    assert_eq!(read(&dest), "new, and longer than the old text");
    assert_eq!(attributes(&bound).0, 0o600);
    assert_eq!(names(&scratch.root), ["bound", "x"]);
}

#[test]
fn a_mount_point_on_a_full_disk_keeps_its_content() {
    let Some(mut scratch) = Scratch::as_root("a_full_mount_point") else {
        return;
    };
    let (dest, disk) = (scratch.file("x", "below"), scratch.dir("disk"));
    if !scratch.mount(&["-t", "tmpfs", "-o", "size=64k", "none"], &disk) {
        return;
    }
    let bound = scratch.file("disk/bound", "old");
    if !scratch.mount(&["--bind", &bound.display().to_string()], &dest) {
        return;
    }
    let text = apply(&dest, &"new".repeat(50_000), KEEP)
        .expect_err("full")
        .chain();
    assert!(
        text.starts_with(&format!("cannot write over {}: ", dest.display())),
        "{text}"
    );
    assert_eq!(read(&bound), "old");
    assert_eq!(names(&scratch.root), ["disk", "x"]);
}
