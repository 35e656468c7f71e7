//! `for_each` with `on_reload_failure = "rollback"` and without a group: the files of items that
//! are gone come back, too.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::env::{Env, Run, until};
use crate::metad::Metad;

const TEST: &str = "echo x >> $ROOT/reloads; test ! -e $ROOT/bad";

fn put(env: &Env, command: &str) {
    env.template("sites.tmpl", "{{.}} {{getv (printf \"/sites/%s\" .)}}\n");
    let toml = format!(
        "[template]\nsrc = \"sites.tmpl\"\nfor_each = 'ls \"/sites\"'\n\
         dest = \"$ROOT/out/{{{{.}}}}.conf\"\nkeys = [\"/\"]\nmode = \"0640\"\n\
         on_reload_failure = \"rollback\"\nreload_cmd = \"{command}\"\n"
    );
    env.resource("sites.toml", &toml);
}

fn status(env: &Env) -> Run {
    env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"])
}

fn diff(env: &Env) -> Run {
    let run = env.run(&["-diff", "-config-file", "$ROOT/etc/confd.toml"]);
    run.expect_code(3);
    run
}

/// All reloads have worked, and the old files are let go.
fn is_well(env: &Env) -> bool {
    !env.reloads().is_empty()
        && env.names("etc/swaps").is_empty()
        && !env.has_pending_reloads()
        && status(env).code() == Some(0)
}

/// The names in the manifest.
fn made(env: &Env) -> String {
    let names = env.lasting_names("etc/made");
    let read = |name| fs::read_to_string(env.path("etc/made").join(name)).unwrap_or_default();
    names.iter().map(read).collect()
}

#[test]
fn the_file_of_a_gone_item_comes_back_and_goes_once_the_reload_works() {
    let metad = Metad::start(json!({"sites": {"a": "1", "b": "2"}}));
    let env = Env::with_metad(&metad);
    put(&env, TEST);
    let daemon = env.daemon(&["-watch"]);
    until("it is healthy", || is_well(&env));
    let b = env.path("out/b.conf");
    fs::set_permissions(&b, Permissions::from_mode(0o2604)).expect("a mode");
    let look = || {
        let meta = fs::metadata(&b).ok()?;
        Some((meta.ino(), meta.mode(), meta.uid(), meta.gid()))
    };
    let before = look();
    let reloads = env.reloads().len();
    env.put("bad", "");
    metad.delete("/sites/b");
    daemon.wait_log("rolled back");
    until("status says so", || {
        let run = status(&env);
        run.code() == Some(1) && run.stdout.contains("rolled back")
    });
    until("the second reload has failed, too", || {
        env.reloads().len() == reloads + 2
    });
    assert_eq!((look(), env.read("out/b.conf")), (before, "b 2\n".into()));
    assert_eq!(env.names("out"), ["a.conf", "b.conf"]);
    // What the list does not read is no reason to try it again.
    metad.put("/other", "x");
    metad.wait_idle();
    assert_eq!(env.reloads().len(), reloads + 2, "{}", daemon.log());
    assert!(!daemon.log().contains("works again"), "{}", daemon.log());
    fs::remove_file(env.path("bad")).expect("it");
    metad.put("/sites/c", "3");
    until("it is removed at last", || {
        env.names("out") == ["a.conf", "c.conf"]
    });
    until("it is healthy again", || is_well(&env));
    until("nothing is left of it", || {
        env.names("etc/swaps").is_empty() && !made(&env).contains("b.conf")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_is_new_while_a_reload_runs_is_a_new_try_for_the_gone_item() {
    // The first reload runs without b.conf, the second one with it.
    for is_there in ["! -e", "-e"] {
        let metad = Metad::start(json!({"sites": {"a": "1", "b": "2"}}));
        let env = Env::with_metad(&metad);
        let hold = format!(
            "echo x >> $ROOT/reloads; \
             if test {is_there} $ROOT/out/b.conf; then touch $ROOT/held; \
             while test -e $ROOT/hold; do sleep 0.02; done; fi; test ! -e $ROOT/bad"
        );
        put(&env, &hold);
        let daemon = env.daemon(&["-watch"]);
        until("it is healthy", || is_well(&env));
        let _ = fs::remove_file(env.path("held"));
        env.put("bad", "");
        env.put("hold", "");
        metad.delete("/sites/b");
        until("the reload is held", || env.path("held").exists());
        metad.put("/sites/c", "3");
        until("the new file is there", || env.path("out/c.conf").exists());
        if is_there == "-e" {
            fs::remove_file(env.path("bad")).expect("it");
        }
        fs::remove_file(env.path("hold")).expect("it");
        daemon.wait_log("rolled back");
        let _ = fs::remove_file(env.path("bad"));
        let removed = || daemon.log().matches("b.conf has been removed").count();
        until("it is removed again", || removed() == 2);
        until("the reload has ended", || !env.has_pending_reloads());
        assert!(!env.path("out/b.conf").exists(), "{}", daemon.log());
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn the_failure_goes_with_the_resource() {
    let metad = Metad::start(json!({"sites": {"a": "1", "b": "2"}}));
    let env = Env::with_metad(&metad);
    put(&env, TEST);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    until("it is healthy", || is_well(&env));
    env.put("bad", "");
    metad.delete("/sites/b");
    daemon.wait_log("rolled back");
    until("status says so", || status(&env).code() == Some(1));
    fs::remove_file(env.path("etc/conf.d/sites.toml")).expect("it");
    env.simple("other", "x");
    until("it is forgotten", || is_well(&env));
    assert_eq!(env.names("out"), ["a.conf", "b.conf", "other"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_change_of_another_item_is_a_new_try() {
    let env = Env::with_tree(&json!({"sites": {"a": "1", "b": "2"}}));
    let set = |tree| env.put("metadata.json", &json!({"sites": tree}).to_string());
    put(&env, "echo x >> $ROOT/reloads; ! grep bad $ROOT/out/*");
    env.onetime().expect_code(0);
    set(json!({"a": "bad"}));
    for tries in [2, 0] {
        let before = env.reloads().len();
        let run = env.onetime();
        run.expect_code(1);
        run.expect_log("rolled back");
        assert_eq!(env.names("out"), ["a.conf", "b.conf"], "{}", run.stderr);
        assert_eq!(env.read("out/a.conf"), "a 1\n");
        assert_eq!(env.reloads().len(), before + tries, "{}", run.stderr);
        let shown = status(&env);
        shown.expect_code(1);
        assert!(shown.stdout.contains("out/b.conf"), "{}", shown.stdout);
        let shown = diff(&env);
        let count = shown.stdout.matches("stays rolled back").count();
        assert_eq!(count, 2, "{}", shown.stdout);
    }
    set(json!({"a": "3"}));
    let shown = diff(&env);
    assert!(!shown.stdout.contains("rolled back"), "{}", shown.stdout);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf"]);
    assert!(env.names("etc/swaps").is_empty());
    assert!(!made(&env).contains("b.conf"));
}

#[test]
fn a_gone_item_that_is_back_is_no_failure() {
    let env = Env::with_tree(&json!({"sites": {"a": "1", "b": "2"}}));
    put(&env, TEST);
    env.onetime().expect_code(0);
    env.put("bad", "");
    let tree = env.read("metadata.json");
    env.put("metadata.json", &json!({"sites": {"a": "1"}}).to_string());
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["a.conf", "b.conf"]);
    env.put("metadata.json", &tree);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf", "b.conf"]);
    assert!(env.names("etc/swaps").is_empty());
}

#[test]
fn a_kill_during_the_reload_is_survived() {
    for is_bad in [true, false] {
        let metad = Metad::start(json!({"sites": {"a": "1", "b": "2"}}));
        let env = Env::with_metad(&metad);
        let gate = env.gate("reload");
        gate.open();
        put(&env, &format!("{}; {TEST}", gate.command()));
        let mut daemon = env.daemon(&["-watch"]);
        until("it is healthy", || is_well(&env));
        gate.shut();
        let started = gate.started();
        if is_bad {
            env.put("bad", "");
        }
        metad.delete("/sites/b");
        gate.wait_started(started + 1);
        daemon.kill();
        gate.open();
        let daemon = env.daemon(&["-watch"]);
        let (names, code): (&[&str], _) = if is_bad {
            (&["a.conf", "b.conf"], 1)
        } else {
            (&["a.conf"], 0)
        };
        until("it is over", || {
            env.names("out") == names
                && !env.has_pending_reloads()
                && status(&env).code() == Some(code)
                && env.names("etc/swaps").is_empty() != is_bad
                && made(&env).contains("b.conf") == is_bad
        });
        assert_eq!(daemon.log().contains("rolled back"), is_bad);
        // The next one knows it, too.
        daemon.stop();
        let run = env.onetime();
        run.expect_code(code);
        assert_eq!(env.names("out"), names, "{}", run.stderr);
    }
}
