//! One apply that has everything: what it finds, what it must leave behind when it is hindered, and
//! when it is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::env::{Env, Run, until};
use crate::metad::Metad;

/// A template whose file shows by itself whether it is one whole version.
const LONG: &str = "{{range seq 1 300}}{{getv \"/k\"}}\n{{end}}end\n";
/// A user who is not root. Nobody has to know the number.
const USER: u32 = 12345;

fn long(version: &str) -> String {
    format!("{}end\n", format!("{version}\n").repeat(300))
}

/// The metadata that the files are to be made from.
pub(super) fn tree(version: &str) -> Json {
    json!({"k": version})
}

/// A dest of the scene, below its directory.
struct Dest {
    path: &'static str,
    /// Whether it must be there.
    old: bool,
    mode: u32,
    owner: u32,
}

/// An environment with files of version `old` and metadata of version `new`.
pub(super) struct Scene {
    pub env: Env,
    dests: Vec<Dest>,
    /// The content on disk before.
    old: &'static str,
    new: &'static str,
}

impl Scene {
    pub(super) fn new(metad: &Metad) -> Scene {
        let mut env = Env::with_metad(metad);
        // The service answers: only a failure injected into the request makes anybody wait.
        env.var("CONFD_ONETIME_WAIT", "5s");
        Scene::in_env(env)
    }

    /// The four kinds of dest: one of somebody else's that is checked, one that is new in a new
    /// directory, one behind a link whose reload must not be forgotten, one that is right already.
    fn in_env(env: Env) -> Scene {
        let resource = |name: &str, dest: &str, lines: &str| {
            env.template(&format!("{name}.tmpl"), LONG);
            let text = format!("src = \"{name}.tmpl\"\ndest = \"$ROOT/{dest}\"\nkeys = [\"/\"]");
            env.resource(
                &format!("{name}.toml"),
                &format!("[template]\n{text}\n{lines}\n"),
            );
        };
        let reload = |name: &str, dest: &str| {
            let show = format!("set -e; line=`head -n 1 $ROOT/{dest}`; echo {name} $line");
            format!("reload_cmd = \"{show} >> $ROOT/seen\"")
        };
        let checked = format!(
            "check_cmd = \"grep -q end {{{{.src}}}}\"\n{}",
            reload("his", "out/his")
        );
        resource("his", "out/his", &checked);
        resource("made", "out/deep/er/made", "mode = \"0600\"");
        let retried = format!("reload_retry = true\n{}", reload("linked", "data/real"));
        resource("linked", "out/linked", &retried);
        env.template("still.tmpl", "still");
        env.simple("still", "still");
        env.put("out/still", "still");
        env.put("out/his", &long("1"));
        env.put("data/real", &long("1"));
        symlink("../data/real", env.path("out/linked")).expect("a link");
        let owner = match chown(env.path("out/his"), Some(USER), Some(USER)) {
            Ok(()) => USER,
            Err(_) => fs::metadata(env.path("out/his")).expect("the file").uid(),
        };
        let own = fs::metadata(env.path("out/still")).expect("the file").uid();
        let dest = |path, old, mode, owner| Dest {
            path,
            old,
            mode,
            owner,
        };
        let dests = vec![
            dest("out/his", true, 0o640, owner),
            dest("out/deep/er/made", false, 0o600, own),
            dest("data/real", true, 0o4711, own),
        ];
        for dest in dests.iter().filter(|dest| dest.old) {
            let mode = Permissions::from_mode(dest.mode);
            fs::set_permissions(env.path(dest.path), mode).expect("a mode");
        }
        Scene {
            env,
            dests,
            old: "1",
            new: "2",
        }
    }

    /// Waits until the daemon has made with version 1 what was not there, and waits for a change;
    /// or until it is `dead`.
    pub(super) fn wait_made(&mut self, metad: &Metad, mut dead: impl FnMut() -> bool) {
        let made = self.env.path("out/deep/er/made");
        let is_made = || fs::read(&made).is_ok_and(|text| text == long("1").as_bytes());
        until("the daemon is idle", || {
            dead() || (is_made() && metad.is_idle())
        });
        if is_made() {
            self.dests.iter_mut().for_each(|dest| dest.old = true);
        }
    }

    /// Waits until the last of what a change to version 2 leads to has happened, or `dead`.
    pub(super) fn wait_taken(&self, mut dead: impl FnMut() -> bool) {
        until("the change is over", || {
            let seen = self.env.lines("seen");
            let reloaded = |name: &str| seen.iter().any(|line| line == name);
            dead() || (reloaded("his 2") && reloaded("linked 2") && !self.env.has_pending_reloads())
        });
    }

    /// Fails unless every file is the old one or the new one, whole, with its mode and owner.
    /// `context` says what was done.
    pub(super) fn expect_whole(&self, context: &str) {
        for dest in &self.dests {
            let path = self.env.path(dest.path);
            let Ok(text) = fs::read_to_string(&path) else {
                let missing = matches!(path.try_exists(), Ok(false));
                assert!(missing && !dest.old, "{} is lost: {context}", dest.path);
                continue;
            };
            let whole = text == long(self.new) || text == long(self.old);
            assert!(whole, "{} is torn: {text:?}: {context}", dest.path);
            self.expect_attributes(dest, &path, context);
        }
        assert!(self.env.path("out/linked").is_symlink(), "{context}");
        assert_eq!(self.env.read("out/still"), "still", "{context}");
    }

    fn expect_attributes(&self, dest: &Dest, path: &Path, context: &str) {
        let found = fs::metadata(path).expect("the file");
        let found = (found.mode() & 0o7777, found.uid());
        let wanted = (dest.mode, dest.owner);
        assert_eq!(found, wanted, "mode and owner of {}: {context}", dest.path);
    }

    /// Fails unless every file is the new one.
    pub(super) fn expect_new(&self, context: &str) {
        self.expect_whole(context);
        for dest in &self.dests {
            let text = fs::read_to_string(self.env.path(dest.path)).unwrap_or_default();
            assert!(
                text == long(self.new),
                "{} is not new: {context}",
                dest.path
            );
        }
    }

    /// The next run, which nothing hinders: fails unless it finishes the job, clears everything
    /// away, and has not forgotten the reload that must not be.
    pub(super) fn expect_mended(&self, context: &str) {
        let run = self.env.onetime();
        let context = format!("{context}\nthe next run: {}", run.stderr);
        assert_eq!(run.code(), Some(0), "{context}");
        self.expect_new(&context);
        let names = |directory| self.env.names(directory);
        assert_eq!(
            names("out"),
            ["deep", "his", "linked", "still"],
            "{context}"
        );
        assert_eq!(names("out/deep"), ["er"], "{context}");
        assert_eq!(names("out/deep/er"), ["made"], "{context}");
        assert_eq!(names("data"), ["real"], "{context}");
        assert!(
            !self.env.has_pending_reloads(),
            "a reload is still pending: {context}"
        );
        let reload = format!("linked {}", self.new);
        let lines = self.env.lines("trace");
        // The shell of the reload may have met the same failure when it read the version.
        let is_injected = lines.iter().any(|line| line.ends_with("(INJECTED)"));
        let is_reload = |line: &String| *line == reload || (is_injected && line == "linked");
        let reloaded = self.env.lines("seen").iter().any(is_reload);
        assert!(reloaded, "no reload: {context}");
    }

    /// The message of a test that fails: the log of the hindered run.
    pub(super) fn context(run: &Run, what: &str) -> String {
        format!("{what}\n{}", run.stderr)
    }
}
