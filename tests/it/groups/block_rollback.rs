//! Blocks with `on_reload_failure = "rollback"` and without a group: each gets its own lines back,
//! and what others have written meanwhile stays.

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::{Value as Json, json};

use crate::env::{Env, until};
use crate::metad::Metad;

const HOSTS: &str = "127.0.0.1 localhost\n";

/// A resource that makes the block of its name; its reload fails with "bad" in there.
fn put(env: &Env, name: &str, lines: &str) {
    env.template(
        &format!("{name}.tmpl"),
        &format!("{{{{getv \"/{name}\"}}}}\n"),
    );
    let toml = format!(
        "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/hosts\"\nkeys = [\"/\"]\n\
         block = \"{name}\"\non_reload_failure = \"rollback\"\n\
         reload_cmd = \"echo {name} >> $ROOT/reloads; {lines} ! grep -q 'bad {name}' $ROOT/out/hosts\"\n"
    );
    env.resource(&format!("{name}.toml"), &toml);
}

fn pair(tree: &Json) -> Env {
    let env = Env::with_tree(tree);
    put(&env, "one", "");
    put(&env, "two", "");
    env.put("out/hosts", HOSTS);
    env
}

fn set(env: &Env, tree: &Json) {
    env.put("metadata.json", &tree.to_string());
}

fn block(name: &str, line: &str) -> String {
    format!("# BEGIN confd {name}\n{line}\n# END confd {name}\n")
}

fn both(one: &str, two: &str) -> String {
    format!("{HOSTS}{}{}", block("one", one), block("two", two))
}

fn append(env: &Env, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(env.path("out/hosts"))
        .expect("the file");
    file.write_all(text.as_bytes()).expect("a line");
}

#[test]
fn each_block_gets_its_own_lines_back() {
    for (one, two, left) in [
        ("bad one", "new", both("1", "new")),
        ("new", "bad two", both("new", "2")),
        ("bad one", "bad two", both("1", "2")),
        ("new", "newer", both("new", "newer")),
    ] {
        let env = pair(&json!({"one": "1", "two": "2"}));
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/hosts"), both("1", "2"));
        set(&env, &json!({"one": one, "two": two}));
        let code = i32::from((one.to_owned() + two).contains("bad"));
        for _ in 0..2 {
            let run = env.onetime();
            run.expect_code(code);
            assert_eq!(env.read("out/hosts"), left, "{one}, {two}: {}", run.stderr);
            assert_eq!(run.stderr.contains("rolled back"), code == 1);
            assert!(!run.stderr.contains("another program"), "{}", run.stderr);
        }
        // Neither is tried again when others write to the file.
        append(&env, "theirs\n");
        let before = env.reloads().len();
        env.onetime().expect_code(code);
        assert_eq!(env.read("out/hosts"), left + "theirs\n");
        assert_eq!(env.reloads().len(), before);
        assert_eq!(env.names("out"), ["hosts"]);
        set(&env, &json!({"one": "5", "two": "6"}));
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/hosts"), both("5", "6") + "theirs\n");
        assert!(env.names("etc/swaps").is_empty());
    }
}

#[test]
fn a_failed_reload_is_that_of_one_block_only() {
    let metad = Metad::start(json!({"one": "1", "two": "2"}));
    let env = Env::with_metad(&metad);
    put(&env, "one", "");
    // Fails with every content.
    put(&env, "two", "false;");
    let toml = env.read("etc/conf.d/two.toml");
    let toml = toml.replace("! grep", "false && ! grep");
    env.resource("two.toml", &toml.replace("on_reload", "# on_reload"));
    env.put("out/hosts", HOSTS);
    for _ in 0..2 {
        let daemon = env.daemon(&["-watch"]);
        // Not by the report of the one before.
        let running = format!("running as pid {},", daemon.pid());
        until("only one of them has failed", || {
            let run = env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
            run.code() == Some(1)
                && run.stdout.contains(&running)
                && run.stdout.contains("1 resource has failed")
        });
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_file_that_was_made_for_blocks_keeps_the_good_one() {
    for (one, two, left) in [
        ("bad one", "new", Some(block("two", "new"))),
        ("new", "bad two", Some(block("one", "new"))),
        ("bad one", "bad two", None),
    ] {
        let env = pair(&json!({"one": one, "two": two}));
        fs::remove_file(env.path("out/hosts")).expect("it");
        let run = env.onetime();
        run.expect_code(1);
        let found = fs::read_to_string(env.path("out/hosts")).ok();
        assert_eq!(found, left, "{one}, {two}: {}", run.stderr);
    }
}

#[test]
fn what_others_write_during_the_reload_stays() {
    let env = Env::with_tree(&json!({"one": "1"}));
    put(&env, "one", "echo theirs >> $ROOT/out/hosts;");
    env.put("out/hosts", HOSTS);
    env.onetime().expect_code(0);
    set(&env, &json!({"one": "bad one"}));
    let run = env.onetime();
    run.expect_code(1);
    run.expect_log("rolled back");
    let text = format!("{HOSTS}{}theirs\ntheirs\ntheirs\n", block("one", "1"));
    assert_eq!(env.read("out/hosts"), text, "{}", run.stderr);
    // An edit of the block itself is somebody's decision.
    let env = Env::with_tree(&json!({"one": "1"}));
    env.put("out/hosts", HOSTS);
    put(
        &env,
        "one",
        "sed -i 's/bad one/bad one, says somebody/' $ROOT/out/hosts;",
    );
    env.onetime().expect_code(0);
    set(&env, &json!({"one": "bad one"}));
    let run = env.onetime();
    run.expect_code(1);
    run.expect_log("is not rolled back");
    assert!(env.read("out/hosts").contains("says somebody"));
}

#[test]
fn the_daemon_does_the_same() {
    let metad = Metad::start(json!({"one": "1", "two": "2"}));
    let env = Env::with_metad(&metad);
    put(&env, "one", "");
    put(&env, "two", "");
    env.put("out/hosts", HOSTS);
    let daemon = env.daemon(&["-watch"]);
    let is_settled = || env.names("etc/swaps").is_empty() && !env.has_pending_reloads();
    env.wait_content("out/hosts", &both("1", "2"));
    env.wait_lines("reloads", 2);
    until("both are proven", is_settled);
    for (one, two, left, rejected) in [
        ("bad one", "3", both("1", "3"), 1),
        ("4", "bad two", both("4", "3"), 1),
        ("bad one", "bad two", both("4", "3"), 2),
        ("5", "5", both("5", "5"), 0),
    ] {
        metad.set(json!({"one": one, "two": two}));
        until(&format!("{one} and {two} are decided"), || {
            env.names("etc/swaps").len() == rejected
                && fs::read_to_string(env.path("out/hosts")).is_ok_and(|text| text == left)
                && !env.has_pending_reloads()
        });
    }
    assert!(
        !daemon.log().contains("another program"),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_others_write_after_a_kill_stays() {
    for line in ["bad one", "good one"] {
        let metad = Metad::start(json!({"one": "1"}));
        let env = Env::with_metad(&metad);
        let gate = env.gate("reload");
        put(&env, "one", &format!("{};", gate.command()));
        gate.open();
        env.put("out/hosts", HOSTS);
        let mut daemon = env.daemon(&["-watch"]);
        env.wait_lines("reloads", 1);
        until("it is proven", || env.names("etc/swaps").is_empty());
        gate.shut();
        let started = gate.started();
        metad.put("/one", line);
        gate.wait_started(started + 1);
        daemon.kill();
        append(&env, "theirs\n");
        gate.open();
        let run = env.onetime();
        let (line, code) = match line {
            "bad one" => ("1", 1),
            _ => (line, 0),
        };
        run.expect_code(code);
        let text = format!("{HOSTS}{}theirs\n", block("one", line));
        assert_eq!(env.read("out/hosts"), text, "{}", run.stderr);
    }
}

#[test]
fn a_bind_mount_gets_its_lines_back() {
    let env = Env::with_tree(&json!({"one": "1"}));
    put(&env, "one", "echo theirs >> $ROOT/out/hosts;");
    env.put("out/hosts", "");
    env.put("inner", HOSTS);
    let mounts = env.expand("mount --bind $ROOT/inner $ROOT/out/hosts");
    for (line, left, count) in [("1", "1", 1), ("bad one", "1", 3), ("2", "2", 4)] {
        set(&env, &json!({"one": line}));
        let run = env.onetime_with_mounts("a_bind_mount_gets_its_lines_back", &mounts);
        let Some(run) = run else { return };
        run.expect_code(i32::from(line != left));
        let text = format!("{HOSTS}{}{}", block("one", left), "theirs\n".repeat(count));
        assert_eq!(env.read("inner"), text, "{}", run.stderr);
    }
    assert_eq!(env.names("out"), ["hosts"]);
}

#[test]
fn the_blocks_of_a_group_get_their_lines_back_around_an_edit() {
    let env = pair(&json!({"one": "1", "two": "2"}));
    for name in ["one", "two"] {
        put(&env, name, "echo theirs >> $ROOT/out/hosts;");
        let file = format!("{name}.toml");
        let toml = env.read(&format!("etc/conf.d/{file}"));
        env.resource(&file, &(toml + "group = \"both\"\n"));
    }
    env.onetime().expect_code(0);
    let theirs = |count| both("1", "2") + &"theirs\n".repeat(count);
    assert_eq!(env.read("out/hosts"), theirs(2));
    set(&env, &json!({"one": "3", "two": "bad two"}));
    for _ in 0..2 {
        let run = env.onetime();
        run.expect_code(1);
        assert_eq!(env.read("out/hosts"), theirs(6), "{}", run.stderr);
    }
    assert_eq!(env.names("out"), ["hosts"]);
}
