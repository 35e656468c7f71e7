//! `-onetime` is a program that boots a node: reloads in order, rounds until nothing changes, an
//! end in time.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::show;
use crate::env::{Env, until};
use crate::metad::Metad;
use crate::names;
use crate::security::lock::{Holder, has_flock};

/// Two seconds in place of fifteen until a one-time run gives up, and the room that a loaded
/// machine needs beyond that.
const ONETIME_WAIT: &str = "2s";
const IN_TIME: Duration = Duration::from_secs(10);

#[test]
fn reloads_of_a_one_time_run_run_one_after_another_in_file_order() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for (name, status) in [("10-init", 0), ("15-fails", 3), ("20-start", 0)] {
        let reload = format!(
            "reload_cmd = \"echo begin {name} >> $ROOT/seen; sleep 0.3; echo end {name} >> $ROOT/seen; exit {status}\""
        );
        env.simple_with(name, "x", &reload);
    }
    env.onetime().expect_code(1);
    let expected = ["10-init", "15-fails", "20-start"]
        .map(|name| [format!("begin {name}"), format!("end {name}")])
        .concat();
    assert_eq!(env.lines("seen"), expected);
}

#[test]
fn reloads_of_the_daemon_run_side_by_side() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("init");
    env.simple_with(
        "10-init",
        "x",
        &format!("reload_cmd = \"{}\"", gate.command()),
    );
    env.simple("20-start", "x");
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    env.wait_lines("reloads", 1);
    gate.open();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_check_that_needs_another_file_of_the_run_is_tried_again_at_once() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", "0s");
    for (name, needs) in [("1", "2"), ("2", "3"), ("3", "4")] {
        let check = format!("check_cmd = \"test -e $ROOT/out/{needs}\"\n{}", show(name));
        env.simple_with(name, name, &check);
    }
    env.simple_with("4", "4", &show("4"));
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["1", "2", "3", "4"]);
    let mut seen = env.lines("seen");
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4"], "each reload once");
}

#[test]
fn a_reload_that_fails_is_left_to_the_next_run_however_long_others_take() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["1", "2", "3"] {
        // Longer than the pause after which a daemon would try the first one again.
        let reload = format!(
            "reload_retry = true\nreload_cmd = \"echo {name} >> $ROOT/reloads; sleep 1.5; test -e $ROOT/works\""
        );
        env.simple_with(name, "x", &reload);
    }
    env.onetime().expect_code(1);
    assert_eq!(env.reloads(), ["1", "2", "3"]);
    env.put("works", "");
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["1", "2", "3", "1", "2", "3"]);
    env.onetime().expect_code(0);
    assert_eq!(env.reloads().len(), 6);
}

#[test]
fn a_template_that_another_resource_makes_is_found_by_the_same_run() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("1-made", r#"{{getv "/k"}}"#);
    fs::remove_file(env.path("etc/templates/1-made.tmpl")).expect("the file");
    env.template("maker.tmpl", r#"{{"{{"}}getv "/k"}} made"#);
    env.resource(
        "2-maker.toml",
        "[template]\nsrc = \"maker.tmpl\"\ndest = \"$ROOT/etc/templates/1-made.tmpl\"\nkeys = [\"/\"]\n",
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/1-made"), "v made");
}

#[test]
fn a_one_time_run_retries_after_a_swap_and_only_then() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", "15s");
    let failing = "check_cmd = \"echo try >> $ROOT/tries; false\"";
    env.simple_with("1-fails", "x", failing);
    // Long enough for a retry by the clock to show.
    env.simple_with(
        "2-slow",
        "x",
        "reload_cmd = \"sleep 6; echo done >> $ROOT/reloads\"",
    );
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.reloads(), ["done"]);
    // Once in the first round, and once after its swap; neither by the clock nor after the reload
    // of a resource that comes later.
    assert_eq!(env.lines("tries").len(), 2, "{}", run.stderr);
    env.onetime().expect_code(1);
    assert_eq!(env.lines("tries").len(), 3, "nothing was swapped");
}

#[test]
fn each_round_tries_once_what_has_failed() {
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
    // The first round makes b and e, the second a and d, and the third nothing; then b's reload may
    // have made c possible.
    assert_eq!((tries("a"), tries("c")), (2, 4), "{checks:?}");
}

#[test]
fn what_a_reload_does_to_later_resources_is_put_right_before_their_turn() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.put("out/in-sync", "x");
    let resets = "echo default > $ROOT/out/later; echo default > $ROOT/out/in-sync";
    let makes = "echo made > $ROOT/etc/templates/made.tmpl; sleep 0.3; touch $ROOT/ready";
    env.simple_with(
        "a-init",
        "x",
        &format!("reload_cmd = \"{resets}; {makes}; echo a-init >> $ROOT/reloads\""),
    );
    env.simple_with(
        "checked",
        "x",
        "check_cmd = \"test -e $ROOT/ready\"\nreload_cmd = \"echo checked >> $ROOT/reloads\"",
    );
    env.simple("in-sync", "x");
    env.simple("later", r#"{{getv "/k"}}"#);
    env.simple("made", "unmade");
    env.simple("seen", r#"{{fileExists "$ROOT/ready"}}"#);
    env.onetime().expect_code(0);
    let contents = ["checked", "in-sync", "later", "made", "seen"];
    let contents = contents.map(|name| env.read(&format!("out/{name}")));
    assert_eq!(contents, ["x", "x", "v", "made\n", "true"]);
    let order = ["a-init", "checked", "in-sync", "later", "made", "seen"];
    assert_eq!(env.reloads(), order, "each once, with the final file");
}

#[test]
fn what_comes_after_a_reload_that_is_not_started_is_put_right_before_its_turn() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", "1s");
    let gate = env.gate("busy");
    let change = "reload_cmd = \"echo changed > $ROOT/out/c\"";
    env.simple_with("a", "x", change);
    env.simple_with("b", "x", &format!("reload_cmd = \"{}\"", gate.command()));
    env.simple_with("c", r#"{{getv "/k"}}"#, &show("c"));
    let mut killed = env.daemon(&["-onetime"]);
    gate.wait_started(1);
    killed.kill();
    for name in ["a", "b", "c"] {
        fs::remove_file(env.path(&format!("out/{name}"))).expect("the file");
    }
    env.onetime()
        .expect_code(1)
        .expect_log("another process is still running it");
    assert_eq!(env.lines("seen"), ["v"], "once, with the final file");
    gate.open();
}

#[test]
fn a_reload_that_has_waited_leaves_the_next_one_its_own_time_to_wait() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", "5s");
    let [first, second] = ["first", "second"].map(|name| env.gate(name));
    // The second run of a takes longer than anybody waits.
    let long = "test $(wc -l < $ROOT/first.started) -lt 2 || sleep 6";
    let reload = |command: &str| format!("reload_cmd = \"{command}\"");
    env.simple_with("a", "x", &reload(&format!("{}; {long}", first.command())));
    env.simple_with("b", "x", &reload(&second.command()));
    let daemon = env.daemon(&[]);
    first.wait_started(1);
    second.wait_started(1);
    assert_eq!(daemon.stop(), Some(0));
    for name in ["a", "b"] {
        fs::remove_file(env.path(&format!("out/{name}"))).expect("the file");
    }
    let mut run = env.daemon(&["-onetime"]);
    run.wait_log("its next run waits");
    first.open();
    run.wait_logs("its next run waits", 2);
    second.open();
    assert_eq!(run.wait_exit().code(), Some(0), "{}", run.log());
    assert_eq!(second.started(), 2);
}

#[test]
fn what_a_reload_does_to_its_own_file_and_earlier_ones_stays() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("a", "x");
    let edit = "echo edited >> $ROOT/out/b; echo edited >> $ROOT/out/a; echo b >> $ROOT/reloads";
    env.simple_with("b", "x", &format!("reload_cmd = \"{edit}\""));
    let shared = "echo edited >> $ROOT/out/c; echo edited >> $ROOT/out/d; echo cd >> $ROOT/reloads";
    for name in ["c", "d"] {
        env.simple_with(name, "x", &format!("reload_cmd = \"{shared}\""));
    }
    env.onetime().expect_code(0);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(env.read(&format!("out/{name}")), "xedited\n", "{name}");
    }
    assert_eq!(env.reloads(), ["a", "b", "cd"]);
}

#[test]
fn reloads_that_change_each_others_resources_come_to_an_end() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let reload = |name: &str, text: &str| {
        env.put(&format!("{name}.sh"), text);
        env.simple_with(
            name,
            "x",
            &format!("reload_cmd = \"/bin/sh $ROOT/{name}.sh\""),
        );
    };
    reload("a", "echo changed > $ROOT/out/b\n");
    // Another dest each time, so that a is swapped and reloaded again.
    let count = "echo b >> $ROOT/reloads; count=$(wc -l < $ROOT/reloads)";
    let moves = "sed -i \"s,^dest.*,dest = \\\"$ROOT/out/a-$count\\\",\" $ROOT/etc/conf.d/a.toml";
    reload(
        "b",
        &format!("{count}\n{moves}\necho changed > $ROOT/out/c\n"),
    );
    env.simple_with("c", "x", "");
    env.onetime().expect_code(0);
    let count = env.reloads().len();
    assert!((2..100).contains(&count), "{count}");
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
fn three_node_names_and_a_silent_name_server_end_in_time() {
    let test = "three_node_names_and_a_silent_name_server_end_in_time";
    let mut env = Env::new();
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    env.settings("nodes = [\"a.silent:80\", \"b.silent:80\", \"c.silent:80\"]\nprefix = \"/self\"");
    env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
    env.simple("app", "x");
    let start = Instant::now();
    let Some(run) = env.onetime_with_mounts(test, mounts) else {
        return;
    };
    run.expect_code(1);
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    assert!(env.names("out").is_empty());
}

#[test]
fn names_in_templates_and_a_silent_name_server_end_in_time() {
    let test = "names_in_templates_and_a_silent_name_server_end_in_time";
    let mut env = Env::with_tree(&json!({"k": "v"}));
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
    for name in ["1", "2", "3", "4"] {
        env.simple(name, &format!("{{{{lookupIP \"host-{name}.silent\"}}}}"));
    }
    env.simple("app", r#"{{getv "/k"}}"#);
    let start = Instant::now();
    let Some(run) = env.onetime_with_mounts(test, mounts) else {
        return;
    };
    // Each name by itself would take ten seconds.
    assert!(start.elapsed() < Duration::from_secs(25), "{}", run.stderr);
    assert_eq!(env.read("out/app"), "v", "{}", run.stderr);
}

#[test]
fn a_lock_whose_holder_is_stopped_is_reported_and_given_up() {
    let test = "a_lock_whose_holder_is_stopped_is_reported_and_given_up";
    if !has_flock(test) {
        return;
    }
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
    env.simple("app", "x");
    env.put("etc/.confd.lock", "");
    // Its command says so, and stops it.
    let lock = "exec flock -x $ROOT/etc/.confd.lock -c 'kill -STOP $PPID; echo held; exec cat'";
    let holder = Holder::start(env.command_of("/bin/sh", &["-c", lock])).expect("it is held");
    let start = Instant::now();
    let run = env.onetime();
    let elapsed = start.elapsed();
    holder.signal("CONT");
    run.expect_code(1)
        .expect_log(&format!(
            "another confd (pid {}, which is stopped)",
            holder.pid()
        ))
        .expect_log("gave up after");
    assert!(elapsed < IN_TIME, "{elapsed:?}: {}", run.stderr);
    assert!(env.names("out").is_empty());
}

#[test]
fn a_daemon_that_is_stopped_with_the_lock_does_not_hold_a_one_time_run_up_without_end() {
    let metad = Metad::start(json!({"k": "v"}));
    let mut env = Env::with_metad(&metad);
    env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
    let gate = env.gate("check");
    env.simple_with("app", "x", &format!("check_cmd = \"{}\"", gate.command()));
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    // Within the two seconds for which it waits for the check, usually; later it has let go, and
    // the check gets its turn.
    daemon.signal("STOP");
    gate.open();
    let start = Instant::now();
    let run = env.onetime();
    assert!(start.elapsed() < IN_TIME, "{}", run.stderr);
    daemon.signal("CONT");
    env.wait_content("out/app", "x");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_confdir_that_does_not_exist_is_one_warning_and_is_not_made() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let fixed = [
        "-confdir",
        "$ROOT/none",
        "-backend",
        "file",
        "-file",
        "$ROOT/metadata.json",
    ];
    let run = env.run(&[&fixed[..], &["-onetime"]].concat());
    run.expect_code(0)
        .expect_log(&env.expand("confdir '$ROOT/none' does not exist"));
    assert_eq!(run.at("WARNING").len(), 1, "{}", run.stderr);
    assert!(!env.path("none").exists());
    let status = env.run(&[&fixed[..], &["-status"]].concat());
    status.expect_code(1);

    let daemon = env.start(env.command(&[&fixed[..], &["-interval", "1"]].concat()));
    daemon.wait_log(&env.expand("$ROOT/none"));
    let status = env.run(&[&fixed[..], &["-status"]].concat());
    status.expect_code(1);
    assert!(!env.path("none").exists());
    // Once it is made, it is used.
    Command::new("cp")
        .args(["-r", &env.expand("$ROOT/etc"), &env.expand("$ROOT/none")])
        .status()
        .expect("cp");
    env.put(
        "none/conf.d/app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/\"]\n",
    );
    env.put("none/templates/app.tmpl", "x");
    until("the new confdir is used", || env.path("out/app").exists());
    assert_eq!(daemon.stop(), Some(0));
}
