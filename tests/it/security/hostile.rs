//! A user who owns the directory of dest, and does his worst between the look-up and the swap: no
//! file elsewhere is written, read, given away or opened to others.
//!
//! A check_cmd is the moment at which he acts. Second names are made for him by root: Linux before
//! 3.6 lets him.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::env::{Env, Gate, Run, confd, until};
use crate::security::{USER, among_users, he_does};

/// The content of a file beside his directory that is none of his business.
const SECRET: &str = "root's own";

struct Scene {
    env: Env,
    gate: Gate,
}

impl Scene {
    /// out/ is his, with out/app rendered from metadata; secret/file is root's, 0600. `lines` go
    /// into the resource.
    fn new(test: &str, lines: &str) -> Option<Scene> {
        let mut env = among_users(test)?;
        env.put("metadata.json", "{\"k\": \"new\"}");
        env.settings("backend = \"file\"\nfile = \"$ROOT/metadata.json\"");
        let gate = env.gate("check");
        let lines = format!("check_cmd = \"{}\"\n{lines}", gate.command());
        env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
        env.put("secret/file", SECRET);
        fs::set_permissions(env.path("secret/file"), Permissions::from_mode(0o600)).expect("chmod");
        env.put("out/app", "old");
        for path in ["out", "out/app"] {
            chown(env.path(path), Some(USER), Some(USER)).expect("chown");
        }
        Some(Scene { env, gate })
    }

    /// Runs confd; while the staged file waits for its check, `act` is called with its path.
    fn run(&self, act: impl FnOnce(&Path)) -> Run {
        let mut confd = self.env.daemon(&["-onetime", "-log-level", "debug"]);
        self.gate.wait_started(1);
        let names = self.env.names("out").into_iter();
        let mut staged = names.filter(|name| name.starts_with(".app.confd-"));
        let staged = self
            .env
            .path("out")
            .join(staged.next().expect("a staged file"));
        act(&staged);
        self.gate.open();
        let status = confd.wait_exit();
        Run {
            status,
            stdout: String::new(),
            stderr: confd.log(),
        }
    }

    /// Nothing has become of root's own file, and nothing has come beside it.
    fn expect_untouched(&self) {
        assert_eq!(self.env.names("secret"), ["file"]);
        assert_eq!(self.env.read("secret/file"), SECRET);
        assert_eq!(attributes(&self.env.path("secret/file")), (0o600, 0, 0));
    }
}

/// The mode, the owner and the group.
fn attributes(path: &Path) -> (u32, u32, u32) {
    let found = fs::symlink_metadata(path).expect("metadata");
    (found.mode() & 0o7777, found.uid(), found.gid())
}

const REPLACED: &str = "another file was put in its place, in a directory that others may write to";

#[test]
fn a_link_put_in_the_place_of_dest_is_replaced_not_followed() {
    let test = "a_link_put_in_the_place_of_dest_is_replaced_not_followed";
    let Some(scene) = Scene::new(test, "") else {
        return;
    };
    let attack = "rm $ROOT/out/app; ln -s $ROOT/secret/file $ROOT/out/app";
    scene.run(|_| he_does(&scene.env, attack)).expect_code(0);
    scene.expect_untouched();
    let dest = scene.env.path("out/app");
    assert!(!dest.is_symlink());
    assert_eq!(scene.env.read("out/app"), "new");
}

#[test]
fn a_directory_moved_away_takes_its_file_along() {
    let Some(scene) = Scene::new("a_directory_moved_away_takes_its_file_along", "") else {
        return;
    };
    // His directory stands in one of his, so that he can move it.
    let env = &scene.env;
    env.put("home/conf/app", "old");
    for path in ["home", "home/conf", "home/conf/app"] {
        chown(env.path(path), Some(USER), Some(USER)).expect("chown");
    }
    let lines = format!("check_cmd = \"{}\"", scene.gate.command());
    env.resource(
        "app.toml",
        &format!("[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/home/conf/app\"\nkeys = [\"/\"]\n{lines}\n"),
    );
    let mut confd = env.daemon(&["-onetime"]);
    scene.gate.wait_started(1);
    he_does(
        env,
        "mv $ROOT/home/conf $ROOT/home/moved && ln -s $ROOT/secret $ROOT/home/conf",
    );
    scene.gate.open();
    assert_eq!(confd.wait_exit().code(), Some(0), "{}", confd.log());
    scene.expect_untouched();
    assert_eq!(env.read("home/moved/app"), "new");
}

#[test]
fn another_name_of_a_foreign_file_is_neither_given_away_nor_opened() {
    let test = "another_name_of_a_foreign_file_is_neither_given_away_nor_opened";
    let Some(scene) = Scene::new(test, "mode = \"0644\"") else {
        return;
    };
    let run = scene.run(|staged| {
        fs::remove_file(staged).expect("removed");
        fs::hard_link(scene.env.path("secret/file"), staged).expect("linked");
    });
    run.expect_code(1).expect_log(REPLACED);
    scene.expect_untouched();
    assert_eq!(scene.env.read("out/app"), "old");
}

/// Two resources in his directory, one of them not for his eyes: the file of the one must not get
/// the mode of the other.
#[test]
fn a_closed_file_of_his_directory_is_not_opened_under_another_name() {
    let test = "a_closed_file_of_his_directory_is_not_opened_under_another_name";
    let Some(scene) = Scene::new(test, "mode = \"0644\"") else {
        return;
    };
    scene.env.put("out/closed", SECRET);
    let closed = scene.env.path("out/closed");
    fs::set_permissions(&closed, Permissions::from_mode(0o600)).expect("chmod");
    let run = scene.run(|staged| {
        let staged = staged.display();
        he_does(&scene.env, &format!("mv -f $ROOT/out/closed {staged}"));
    });
    run.expect_code(1).expect_log(REPLACED);
    for name in scene.env.names("out") {
        let path = scene.env.path("out").join(&name);
        let content = fs::read_to_string(&path).expect("read");
        let (mode, ..) = attributes(&path);
        assert!(content != SECRET || mode == 0o600, "{name} is {mode:o}");
    }
}

#[test]
fn a_file_of_his_own_does_not_become_roots() {
    let test = "a_file_of_his_own_does_not_become_roots";
    let Some(scene) = Scene::new(test, "mode = \"4755\"\nuid = 0\ngid = 0") else {
        return;
    };
    let run = scene.run(|staged| {
        let staged = staged.display();
        he_does(&scene.env, &format!("rm -f {staged}; echo evil > {staged}"));
    });
    run.expect_code(1).expect_log(REPLACED);
    for name in scene.env.names("out") {
        let path = scene.env.path("out").join(name);
        let (mode, owner, _) = attributes(&path);
        assert!(mode & 0o6000 == 0 && owner == USER, "{}", path.display());
    }
}

#[test]
fn links_and_pipes_in_the_place_of_the_staged_file_hold_nobody_up() {
    let test = "links_and_pipes_in_the_place_of_the_staged_file_hold_nobody_up";
    for attack in ["ln -s $ROOT/secret/file", "mkfifo", "mkdir"] {
        let Some(scene) = Scene::new(test, "mode = \"0644\"") else {
            return;
        };
        let run = scene.run(|staged| {
            let staged = staged.display();
            he_does(&scene.env, &format!("rm -f {staged}; {attack} {staged}"));
        });
        run.expect_code(1).expect_log("/out/.app.confd-");
        scene.expect_untouched();
        assert_eq!(scene.env.read("out/app"), "old", "{attack}");
    }
}

#[test]
fn a_staged_file_that_is_his_cannot_be_followed_by_another_mode() {
    // The owner is kept, so the staged file is his: he may change it, but only to what he could
    // make of dest as well.
    let test = "a_staged_file_that_is_his_cannot_be_followed_by_another_mode";
    let Some(scene) = Scene::new(test, "mode = \"0640\"") else {
        return;
    };
    let run = scene.run(|staged| {
        let staged = staged.display();
        he_does(&scene.env, &format!("chmod 0666 {staged}"));
    });
    run.expect_code(0);
    assert_eq!(attributes(&scene.env.path("out/app")), (0o640, USER, USER));
}

#[test]
fn in_a_directory_for_all_nothing_of_others_is_followed_or_opened() {
    let test = "in_a_directory_for_all_nothing_of_others_is_followed_or_opened";
    for attack in [
        "ln -s $ROOT/secret/file",
        "ln -s $ROOT/secret/new",
        "mkfifo",
    ] {
        let Some(scene) = Scene::new(test, "") else {
            return;
        };
        chown(scene.env.path("out"), Some(0), Some(0)).expect("chown");
        fs::remove_file(scene.env.path("out/app")).expect("removed");
        let all = Permissions::from_mode(0o1777);
        fs::set_permissions(scene.env.path("out"), all).expect("chmod");
        he_does(&scene.env, &format!("{attack} $ROOT/out/app"));
        let run = scene.env.onetime();
        run.expect_code(1);
        assert!(
            run.stderr.contains("is not followed") || run.stderr.contains("not a file"),
            "{attack}: {}",
            run.stderr
        );
        scene.expect_untouched();
    }
}

#[test]
fn a_device_is_no_dest() {
    let test = "a_device_is_no_dest";
    let Some(scene) = Scene::new(test, "") else {
        return;
    };
    let path = scene.env.path("out/app");
    fs::remove_file(&path).expect("removed");
    let made = Command::new("mknod")
        .arg(&path)
        .args(["c", "1", "3"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED {test}: this system does not permit device files");
        return;
    }
    let text = "is a device, a pipe or a socket, not a file";
    scene.env.onetime().expect_code(1).expect_log(text);
}

/// While it is written the file is root's, 0600; owner before mode, since a change of owner would
/// clear the set-id bits, and because the mode would let others in before they are the right ones.
#[test]
fn a_staged_file_is_closed_until_it_is_whole() {
    let test = "a_staged_file_is_closed_until_it_is_whole";
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED {test}: strace is not installed");
        return;
    }
    let Some(scene) = Scene::new(test, "mode = \"6755\"") else {
        return;
    };
    scene.gate.open();
    let script = "umask 000; exec strace -f -e trace=open,openat,creat,write,fchown,fchownat,chown,fchmod,fchmodat,chmod \
        -o $ROOT/trace \"$0\" -onetime -config-file $ROOT/etc/confd.toml";
    let confd = confd();
    let run = scene
        .env
        .finish(scene.env.command_of("/bin/sh", &["-c", script, confd]));
    if run.stderr.contains("ptrace") {
        eprintln!("SKIPPED {test}: this system does not permit ptrace");
        return;
    }
    run.expect_code(0);
    scene.gate.shut();
    let calls = scene.env.lines("trace");
    let from = calls.iter().position(|call| call.contains(".app.confd-"));
    let calls = &calls[from.expect("the staged file is made")..];
    let place = |text: &str| {
        let found = calls.iter().position(|call| call.contains(text));
        found.unwrap_or_else(|| panic!("no {text}:\n{}", calls.join("\n")))
    };
    let flags = "O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600)";
    // musl has this one in addition, which means nothing on 64 bits.
    let made = calls[0].replace("O_LARGEFILE|", "");
    assert!(made.contains(flags), "{made}");
    let (write, owner, mode) = (place("\"new\""), place("chown("), place("chmod("));
    assert!(write < owner && owner < mode, "{}", calls.join("\n"));
    assert_eq!(attributes(&scene.env.path("out/app")), (0o6755, USER, USER));
}

/// Where only writing in place is left, another name could make it a file that stands elsewhere.
#[test]
fn a_mount_point_with_a_second_name_is_not_written_in_his_directory() {
    let test = "a_mount_point_with_a_second_name_is_not_written_in_his_directory";
    let Some(scene) = Scene::new(test, "") else {
        return;
    };
    let env = &scene.env;
    env.put("bound", "old");
    fs::hard_link(env.path("bound"), env.path("second")).expect("linked");
    scene.gate.open();
    let run = env.onetime_with_mounts(test, "mount --bind $ROOT/bound $ROOT/out/app");
    scene.gate.shut();
    let Some(run) = run else {
        return;
    };
    run.expect_code(1)
        .expect_log("a mount point with a second hard link");
    assert_eq!(env.read("second"), "old");
}

/// With a umask that closes new directories they are opened afterwards, but only what was really
/// made.
#[test]
fn a_directory_put_in_the_place_of_a_new_one_is_not_opened_to_all() {
    let test = "a_directory_put_in_the_place_of_a_new_one_is_not_opened_to_all";
    let Some(scene) = Scene::new(test, "") else {
        return;
    };
    let env = &scene.env;
    scene.gate.open();
    env.put("home/closed/file", SECRET);
    chown(env.path("home"), Some(USER), Some(USER)).expect("chown");
    let closed = env.path("home/closed");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("chmod");
    let lines = "src = \"app.tmpl\"\ndest = \"$ROOT/home/new/app\"\nkeys = [\"/\"]\n";
    env.resource("app.toml", &format!("[template]\n{lines}"));
    // strace holds the call up on its way back, which is when he acts.
    let script = "umask 077; exec strace -f -e trace=mkdirat -e inject=mkdirat:delay_exit=3000000 -o $ROOT/trace \
        \"$0\" -onetime -config-file $ROOT/etc/confd.toml";
    let confd = confd();
    let mut run = env.start(env.command_of("/bin/sh", &["-c", script, confd]));
    until("the directory is made, or there is no strace", || {
        env.path("home/new").exists() || !run.is_running()
    });
    scene.gate.shut();
    if !env.path("home/new").exists() {
        eprintln!(
            "SKIPPED {test}: no strace here that delays calls: {}",
            run.log()
        );
        return;
    }
    he_does(env, "cd $ROOT/home && mv new gone && mv closed new");
    assert_eq!(run.wait_exit().code(), Some(1), "{}", run.log());
    assert_eq!(attributes(&env.path("home/new")).0, 0o700);
    assert_eq!(env.names("home/new"), ["file"]);
}
