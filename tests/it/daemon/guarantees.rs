//! What holds over time: nothing is lost in a crash, nothing runs beside itself, nobody waits for a
//! stranger, and what others write is left alone.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

#[test]
fn a_one_time_run_that_waited_for_the_daemon_does_not_write_older_metadata() {
    let metad = Metad::start(json!({"k": "1"}));
    let mut env = Env::with_metad(&metad);
    env.settings("onetime_wait = \"30s\"");
    let fixed = env
        .read("etc/confd.toml")
        .replace("onetime_wait = \"1s\"\n", "");
    env.put("etc/confd.toml", &fixed);
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen; echo >> $ROOT/seen\"",
    );
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("seen", 1);
    metad.wait_idle();
    let lock = fs::File::open(env.path("etc/.confd.lock")).expect("the lock");
    lock.lock().expect("locked");
    metad.put("/k", "2");
    let mut beside = env.daemon(&["-onetime"]);
    beside.wait_log("; waiting");
    daemon.wait_log("; waiting");
    metad.put("/k", "3");
    metad.wait_idle();
    drop(lock);
    assert_eq!(beside.wait_exit().code(), Some(0), "{}", beside.log());
    env.wait_content("out/app", "3");
    until("the last reload has run", || {
        env.lines("seen").last().is_some_and(|line| line == "3")
    });
    assert_eq!(daemon.stop(), Some(0));
    let seen = env.lines("seen");
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn a_lock_that_is_not_released_is_given_up_and_its_holder_named() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("etc/.confd.lock", "");
    let lock = fs::File::open(env.path("etc/.confd.lock")).expect("the lock");
    lock.lock().expect("locked");
    let run = env.onetime();
    run.expect_code(1)
        .expect_log(&format!("(pid {})", std::process::id()))
        .expect_log("gave up after");
    assert!(env.names("out").is_empty());
}

#[test]
fn a_slow_check_delays_others_by_two_seconds_and_is_used_when_it_ends() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    env.simple_with(
        "a",
        r#"{{getv "/k"}}"#,
        &format!("check_cmd = \"{}\"", gate.command()),
    );
    env.simple("b", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    let start = Instant::now();
    env.wait_content("out/b", "1");
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
    // The lock is free meanwhile.
    let lock = fs::File::open(env.path("etc/.confd.lock")).expect("the lock");
    until("the lock is free", || lock.try_lock().is_ok());
    lock.unlock().expect("unlocked");
    gate.open();
    env.wait_content("out/a", "1");
    assert_eq!(gate.started(), 1, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_pipe_as_template_fails_its_own_resource_only_and_term_ends_at_once() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("pipe", "x");
    env.simple("app", r#"{{getv "/k"}}"#);
    let template = env.path("etc/templates/pipe.tmpl");
    fs::remove_file(&template).expect("removed");
    let made = Command::new("mkfifo")
        .arg(&template)
        .status()
        .expect("mkfifo");
    assert!(made.success());
    let mut daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    daemon.wait_log("it is not a regular file");
    let start = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_one_time_run_runs_reloads_one_after_the_other() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["10-init", "20-start"] {
        let lines = format!(
            "reload_cmd = \"echo {name} begins >> $ROOT/seen; sleep 0.2; echo {name} ends >> $ROOT/seen\""
        );
        env.simple_with(name, "x", &lines);
    }
    env.onetime().expect_code(0);
    let expected = [
        "10-init begins",
        "10-init ends",
        "20-start begins",
        "20-start ends",
    ];
    assert_eq!(env.lines("seen"), expected);
}

/// The processor time of a process so far, in ticks.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    let fields = rest.split(' ').skip(11).take(2);
    fields
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum()
}

#[test]
fn nobody_spins_while_a_reload_waits_for_another() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("first");
    env.simple_with("a", "x", &format!("reload_cmd = \"{}\"", gate.command()));
    env.simple("b", "x");
    let mut run = env.daemon(&["-onetime"]);
    gate.wait_started(1);
    let before = ticks(run.pid());
    // Not to wait for anything, but to give it the time to spin.
    thread::sleep(Duration::from_secs(1));
    let spent = ticks(run.pid()) - before;
    assert!(spent < 20, "{spent} ticks in a second");
    gate.open();
    assert_eq!(run.wait_exit().code(), Some(0));
    assert_eq!(env.reloads(), ["b"]);
}

#[test]
fn a_one_time_run_tries_again_after_a_swap_only() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with(
        "a",
        "x",
        "check_cmd = \"echo a >> $ROOT/checks; test -e $ROOT/out/b\"",
    );
    env.simple_with("b", "x", "reload_cmd = \"sleep 3\"");
    env.simple_with("c", "x", "check_cmd = \"echo c >> $ROOT/checks; false\"");
    env.template("made.tmpl", "");
    fs::remove_file(env.path("etc/templates/made.tmpl")).expect("removed");
    env.resource(
        "d.toml",
        "[template]\nsrc = \"made.tmpl\"\ndest = \"$ROOT/out/d\"\nkeys = [\"/\"]\n",
    );
    env.template("e.tmpl", "made of {{\"{{getv \\\"/k\\\"}}\"}}");
    env.resource(
        "e.toml",
        "[template]\nsrc = \"e.tmpl\"\ndest = \"$ROOT/etc/templates/made.tmpl\"\nkeys = [\"/\"]\n",
    );
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/a"), "x");
    assert_eq!(env.read("out/d"), "made of v");
    let checks = env.lines("checks");
    let tries = |name: &str| checks.iter().filter(|line| *line == name).count();
    assert_eq!(tries("a"), 2, "{checks:?}");
    assert!(tries("c") <= 4, "{checks:?}");
}

#[test]
fn a_confdir_that_does_not_exist_is_one_warning_and_is_not_made() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let run = env.onetime_with(&["-confdir", "$ROOT/none"]);
    assert_eq!(run.at("WARNING").len(), 1, "{}", run.stderr);
    run.expect_log("does not exist");
    assert!(!env.path("none").exists());
}

#[test]
fn a_command_that_runs_is_waited_for_by_the_next_process() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        &format!("reload_cmd = \"{}\"", gate.command()),
    );
    let mut daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    daemon.kill();
    metad.put("/k", "2");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "2");
    daemon.wait_log("is still running; its next run waits");
    assert_eq!(gate.started(), 1);
    gate.open();
    gate.wait_started(2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn commands_that_name_their_file_run_once_for_each() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["a", "b"] {
        env.simple_with(
            name,
            name,
            "reload_cmd = \"cp \\\"$CONFD_DEST\\\" $ROOT/copy-`cat $CONFD_DEST`\"",
        );
    }
    env.onetime().expect_code(0);
    assert_eq!(
        (env.read("copy-a"), env.read("copy-b")),
        ("a".to_owned(), "b".to_owned())
    );
}

#[test]
fn what_others_write_is_left_alone_in_watch_mode() {
    let metad = Metad::start(json!({"k": "1", "other": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}{{with datetime}}{{end}}"#);
    env.simple(
        "seen",
        r#"{{fileExists "$ROOT/there"}}"#.replace("$ROOT", &env.expand("$ROOT")).as_str(),
    );
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 2);
    env.put("out/app", "rewritten by its service");
    daemon.wait_log("was changed by another program");
    metad.put("/other", "2");
    metad.wait_idle();
    // The result of a call has changed: only that resource is made again.
    env.put("there", "");
    env.wait_content("out/seen", "true");
    assert_eq!(env.read("out/app"), "rewritten by its service");
    assert_eq!(daemon.count("was changed by another program"), 1);
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn of_two_resources_with_one_dest_the_last_is_applied() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["a", "b"] {
        env.template(&format!("{name}.tmpl"), name);
        let link = if name == "a" { "out" } else { "linked" };
        env.resource(
            &format!("{name}.toml"),
            &format!("[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/{link}/app\"\nreload_cmd = \"echo {name} >> $ROOT/reloads\"\n"),
        );
    }
    std::os::unix::fs::symlink("out", env.path("linked")).expect("a link");
    for _ in 0..2 {
        env.onetime().expect_code(0).expect_log("both make");
    }
    assert_eq!(env.read("out/app"), "b");
    assert_eq!(env.reloads(), ["b"]);
}

#[test]
fn an_unknown_owner_fails_a_strict_resource() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", "strict = true\nowner = \"no-such-user\"");
    if std::process::Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
    {
        env.onetime().expect_code(1).expect_log("no-such-user");
        assert!(env.names("out").is_empty());
    }
}

#[test]
fn a_resource_file_that_is_empty_for_a_moment_is_read_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let text = env.read("etc/conf.d/app.toml");
    env.put("etc/conf.d/app.toml", "");
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log(": ERROR ");
    env.put("etc/conf.d/app.toml", &text);
    env.wait_content("out/app", "1");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_template_half_copied_when_it_was_read_is_read_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", "half");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "half");
    env.template("app.tmpl", "half and whole");
    env.wait_content("out/app", "half and whole");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn hup_while_a_command_runs_is_not_lost() {
    let metad = Metad::start(json!({"one": {"k": "1"}, "two": {"k": "2"}}));
    let mut env = Env::new();
    env.settings(&format!("nodes = [\"{}\"]", metad.node()));
    let fixed = env.read("etc/confd.toml");
    env.put(
        "etc/confd.toml",
        &format!("{fixed}prefix = \"/self/one\"\n"),
    );
    let gate = env.gate("reload");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        &format!("reload_cmd = \"{}\"", gate.command()),
    );
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    env.put(
        "etc/confd.toml",
        &format!("{fixed}prefix = \"/self/two\"\n"),
    );
    daemon.signal("HUP");
    daemon.wait_log("are read again");
    gate.open();
    env.wait_content("out/app", "2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn kills_between_the_swap_and_the_reload_lose_no_reload() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen; echo >> $ROOT/seen\"",
    );
    let mut version = 0;
    for micros in (0..40).map(|step| step * 150) {
        version += 1;
        let mut daemon = env.daemon(&["-watch"]);
        daemon.wait_log("confd 0");
        metad.put("/k", &version.to_string());
        // Not to wait for anything, but to spread the kills over the apply.
        until("the file is new, or not yet", || true);
        thread::sleep(Duration::from_micros(micros));
        daemon.kill();
    }
    env.onetime().expect_code(0);
    let last = version.to_string();
    until("the last version is reloaded", || {
        env.lines("seen").contains(&last)
    });
}
