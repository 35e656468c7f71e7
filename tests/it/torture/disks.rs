//! Disks that are full, read-only or gone under the daemon's hands: the old file stays, the log
//! names it, and the new one comes as soon as it can.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::env::{Daemon, Env, until};
use crate::metad::Metad;

/// A small file system of its own at `out`, gone with its value.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// None, said aloud, where nothing can be mounted.
    fn mount(env: &Env, test: &str, options: &str) -> Option<Disk> {
        let path = env.path("out");
        if mount(&["-t", "tmpfs", "-o", options, "none"], &path) {
            return Some(Disk { path });
        }
        eprintln!("SKIPPED {test}: mounting needs root, and a system that permits it");
        None
    }

    /// Not while a file there is open for writing, or other tests change the list of mounts.
    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        until("it is mounted again", || {
            mount(&["-o", &options], &self.path)
        });
    }
}

fn mount(arguments: &[&str], at: &PathBuf) -> bool {
    let output = Command::new("mount").args(arguments).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: after a failure somebody may still be in it.
        let done = Command::new("umount").arg("-l").arg(&self.path).status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// A daemon whose one file shows the metadata, with version 1 of it in place.
fn started(env: &Env, metad: &Metad, lines: &str) -> Daemon {
    env.simple_with("app", r#"{{getv "/k"}}"#, lines);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    metad.wait_idle();
    daemon
}

#[test]
fn a_full_disk_keeps_the_old_file_until_there_is_room() {
    for (options, filler) in [("size=64k", "one"), ("nr_inodes=5", "many")] {
        let metad = Metad::start(json!({"k": "1"}));
        let env = Env::with_metad(&metad);
        let Some(_disk) = Disk::mount(&env, "a_full_disk_keeps", options) else {
            return;
        };
        let daemon = started(&env, &metad, "");
        let fill = |number| fs::write(env.path(&format!("out/{filler}{number}")), [0; 40_000]);
        let full = (0..10).find(|number| fill(*number).is_err());
        let full = full.expect("it is small");
        let new = "2".repeat(30_000);
        metad.put("/k", &new);
        daemon.wait_log("No space left on device");
        daemon.wait_log("free some space, or inodes, on its file system");
        assert_eq!(env.read("out/app"), "1");
        for number in 0..=full {
            // The last one may not even have been made.
            let _ = fs::remove_file(env.path(&format!("out/{filler}{number}")));
        }
        env.wait_content("out/app", &new);
        assert_eq!(env.names("out"), ["app"], "{options}");
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_disk_that_turns_read_only_keeps_the_old_file_until_it_turns_back() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let Some(disk) = Disk::mount(&env, "a_disk_that_turns_read_only", "size=64k") else {
        return;
    };
    let daemon = started(&env, &metad, "");
    disk.remount("ro");
    metad.put("/k", "2");
    daemon.wait_log("mount its file system read-write");
    assert_eq!(env.read("out/app"), "1");
    disk.remount("rw");
    env.wait_content("out/app", "2");
    assert_eq!(daemon.count(": ERROR "), 1, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_directory_that_goes_away_in_an_apply_is_made_again() {
    for gone in ["rm -r $ROOT/out/below", "mv $ROOT/out/below $ROOT/moved"] {
        let metad = Metad::start(json!({"k": "1"}));
        let mut env = Env::with_metad(&metad);
        env.settings("reconcile = true");
        env.template("app.tmpl", r#"{{getv "/k"}}"#);
        env.resource(
            "app.toml",
            &format!(
                "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/below/app\"\nkeys = [\"/\"]\n\
                 check_cmd = \"test -e $ROOT/once || {{ touch $ROOT/once; {gone}; }}\""
            ),
        );
        let daemon = env.daemon(&["-watch", "-interval", "1"]);
        env.wait_content("out/below/app", "1");
        assert_eq!(env.names("out/below"), ["app"]);
        assert_eq!(daemon.stop(), Some(0));
    }
}
