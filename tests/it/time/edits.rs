//! HUP and edits are never lost: whatever runs, however an editor saves, and with no interval near.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};

use super::watch_with_mounts;
use crate::env::{Env, until};
use crate::metad::Metad;
use crate::names;

/// No edit is found by looking around in time: only by HUP, a change of the metadata, or a second
/// look.
const NO_INTERVAL: [&str; 3] = ["-watch", "-interval", "3600"];

/// Makes a file an hour old, by a time that two files share.
fn age(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path);
    let aged = file.and_then(|file| file.set_modified(time));
    aged.expect("an older file");
}

fn hour_ago() -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600)
}

#[test]
fn a_hup_while_a_command_runs_is_not_lost() {
    let metad = Metad::start(json!({"one": {"k": "1"}, "two": {"k": "2"}}));
    let mut env = Env::new();
    env.settings(&format!("nodes = [\"{}\"]", metad.node()));
    let fixed = env.read("etc/confd.toml");
    let with_prefix =
        |prefix: &str| env.put("etc/confd.toml", &format!("{fixed}prefix = \"{prefix}\"\n"));
    with_prefix("/self/one");
    let gate = env.gate("reload");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        &format!("reload_cmd = \"{}\"", gate.command()),
    );
    // A file this young would be read again in any case.
    age(&env.path("etc/conf.d/app.toml"), hour_ago());
    age(&env.path("etc/templates/app.tmpl"), hour_ago());
    let daemon = env.daemon(&NO_INTERVAL);
    gate.wait_started(1);
    with_prefix("/self/two");
    env.simple("other", r#"{{getv "/k"}}"#);
    daemon.signal("HUP");
    env.wait_content("out/other", "2");
    gate.open();
    env.wait_content("out/app", "2");
    gate.wait_started(2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_hup_while_a_check_runs_is_not_lost() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        &format!("check_cmd = \"{}\"", gate.command()),
    );
    let daemon = env.daemon(&NO_INTERVAL);
    gate.wait_started(1);
    env.template("app.tmpl", r#"edited {{getv "/k"}}"#);
    daemon.signal("HUP");
    daemon.wait_log("read again");
    gate.open();
    env.wait_content("out/app", "edited 1");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_changes_back_after_a_hup_while_a_rendering_hangs_is_not_lost() {
    let test = "what_changes_back_after_a_hup_while_a_rendering_hangs_is_not_lost";
    let metad = Metad::start(json!({"slow": "no", "k": "1", "marker": "1"}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    let slow = r#"{{if eq (getv "/slow") "yes"}}{{lookupIP "back.silent"}}{{end}}"#;
    env.simple_with("0-slow", slow, "");
    env.simple_with("app", r#"{{getv "/k"}}"#, "");
    env.simple_with("marker", r#"{{getv "/marker"}}"#, "");
    let Some(daemon) = watch_with_mounts(&env, test, mounts, &NO_INTERVAL[1..]) else {
        return;
    };
    env.wait_content("out/marker", "1");
    metad.put("/slow", "yes");
    names::wait_asked("back.silent");
    metad.put("/k", "2");
    metad.wait_idle();
    daemon.signal("HUP");
    daemon.wait_log("read again");
    metad.set(json!({"slow": "no", "k": "1", "marker": "2"}));
    env.wait_content("out/marker", "2");
    assert_eq!(env.read("out/app"), "1", "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_changes_for_an_item_while_its_list_waits_to_be_rendered_is_not_lost() {
    let test = "what_changes_for_an_item_while_its_list_waits_to_be_rendered_is_not_lost";
    let metad = Metad::start(json!({"slow": "no", "sites": {"a": "1"}}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    let slow = r#"{{if eq (getv "/slow") "yes"}}{{lookupIP "each.silent"}}{{end}}"#;
    env.simple_with("0-slow", slow, "");
    let template = r#"{{.}} {{getv (printf "/sites/%s" .)}}"#;
    env.simple_with("list", template, r#"for_each = 'ls "/sites"'"#);
    let toml = env.read("etc/conf.d/list.toml");
    env.resource("list.toml", &toml.replace("out/list", "out/{{.}}"));
    let Some(daemon) = watch_with_mounts(&env, test, mounts, &NO_INTERVAL[1..]) else {
        return;
    };
    env.wait_content("out/a", "a 1");
    metad.wait_idle();
    metad.set(json!({"slow": "yes", "sites": {"a": "1", "b": "1"}}));
    names::wait_asked("each.silent");
    metad.put("/sites/a", "2");
    env.wait_content("out/b", "b 1");
    env.wait_content("out/a", "a 2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_hup_that_changes_only_the_poll_limit_keeps_the_metadata() {
    let mut metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&NO_INTERVAL);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    metad.stop();
    daemon.wait_log(": WARNING ");
    let settings = env.read("etc/confd.toml");
    env.put(
        "etc/confd.toml",
        &format!("{settings}poll_limit = \"50s\"\n"),
    );
    env.template("app.tmpl", r#"edited {{getv "/k"}}"#);
    daemon.signal("HUP");
    env.wait_content("out/app", "edited 1");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_resource_file_that_is_empty_while_it_is_saved_is_read_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.simple("other", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&NO_INTERVAL);
    env.wait_lines("reloads", 2);
    let text = env.read("etc/conf.d/app.toml");
    for (version, moment) in [
        ("2", ""),
        ("3", "[templ"),
        ("4", "[template]\nsrc = \"app.tmpl\"\n"),
    ] {
        env.resource("app.toml", moment);
        daemon.signal("HUP");
        metad.put("/k", version);
        env.wait_content("out/other", version);
        env.resource("app.toml", &text);
        env.wait_content("out/app", version);
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_resource_file_that_is_empty_at_the_start_is_read_again() {
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
fn another_confdir_needs_a_restart() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&NO_INTERVAL);
    env.wait_lines("reloads", 1);
    let settings = env.read("etc/confd.toml");
    let own = env.expand("$ROOT/etc");
    let moved = settings.replace(&format!("{own}\""), &format!("{own}2\""));
    assert_ne!(moved, settings);
    fs::create_dir_all(env.path("etc2/conf.d")).expect("a directory");
    env.put("etc/confd.toml", &moved);
    daemon.signal("HUP");
    let warning = format!("confdir {own}2 needs a restart; {own} stays in use");
    daemon.wait_log(&format!(": WARNING {warning}"));
    let status = || env.run(&["-status", "-confdir", &own]).stdout;
    until("-status says so", || status().contains(&warning));
    // It goes on as before, with its files where other processes look for them.
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    env.wait_lines("reloads", 2);
    assert!(env.names("etc2").len() == 1, "{:?}", env.names("etc2"));
    env.put("etc/confd.toml", &settings);
    daemon.signal("HUP");
    until("the note is gone", || !status().contains(&warning));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_hup_turns_noop_off_and_on() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let settings = env.read("etc/confd.toml");
    let noop = |is_on: bool| env.put("etc/confd.toml", &format!("{settings}noop = {is_on}\n"));
    let names = || env.names("etc");
    noop(true);
    let before = names();
    let daemon = env.daemon(&NO_INTERVAL);
    daemon.wait_log("out of sync");
    assert_eq!((names(), env.names("out").len()), (before, 0));
    noop(false);
    daemon.signal("HUP");
    env.wait_lines("reloads", 1);
    assert_eq!(env.read("out/app"), "1");
    let status = || env.run(&["-status", "-confdir", &env.expand("$ROOT/etc")]);
    until("-status sees the daemon", || status().code() == Some(0));
    noop(true);
    let seen = daemon.log().lines().count();
    daemon.signal("HUP");
    daemon.wait_log("read again");
    metad.put("/k", "2");
    until("the log says what would change", || {
        let log = daemon.log();
        log.lines()
            .skip(seen)
            .any(|line| line.contains("out of sync"))
    });
    assert_eq!(
        (env.read("out/app").as_str(), env.lines("reloads").len()),
        ("1", 1)
    );
    // It goes without status now, and does not leave one that looks like a running daemon's.
    until("-status finds no daemon", || status().code() == Some(1));
    noop(false);
    daemon.signal("HUP");
    env.wait_content("out/app", "2");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_conf_d_that_was_empty_for_a_while_is_looked_at_again() {
    let metad = Metad::start(json!({"k": "1", "other": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    let text = env.read("etc/conf.d/app.toml");
    fs::remove_file(env.path("etc/conf.d/app.toml")).expect("the file");
    metad.put("/k", "2");
    until("no resource is left", || {
        let state: Result<Json, _> = serde_json::from_str(&env.read("etc/status.json"));
        state.is_ok_and(|state| state["resources"] == json!([]))
    });
    metad.wait_idle();
    env.resource("app.toml", &text);
    env.wait_content("out/app", "2");
    metad.put("/k", "3");
    env.wait_content("out/app", "3");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn row_27_a_daemon_that_starts_without_a_resource_finds_the_first() {
    for mode in [&["-watch", "-interval", "1"][..], &["-interval", "1"]] {
        let metad = Metad::start(json!({"k": "1"}));
        let env = Env::with_metad(&metad);
        let daemon = env.daemon(mode);
        metad.wait_requests(1);
        env.simple("app", r#"{{getv "/k"}}"#);
        env.wait_content("out/app", "1");
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_template_replaced_by_one_of_equal_size_and_time_is_noticed() {
    let env = Env::with_tree(&json!({"k": "1"}));
    env.simple("app", "one");
    let (template, time) = (env.path("etc/templates/app.tmpl"), hour_ago());
    age(&template, time);
    age(&env.path("etc/conf.d/app.toml"), time);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_content("out/app", "one");
    // As a package manager does it: another file under the same name.
    env.template("new.tmpl", "two");
    age(&env.path("etc/templates/new.tmpl"), time);
    fs::rename(env.path("etc/templates/new.tmpl"), &template).expect("renamed");
    env.wait_content("out/app", "two");
    // As cp -p does it: in place.
    env.template("app.tmpl", "six");
    age(&template, time);
    env.wait_content("out/app", "six");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_template_half_copied_when_it_was_read_is_read_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&NO_INTERVAL);
    env.wait_lines("reloads", 1);
    env.template("app.tmpl", r#"{{getv "/k"}} first half"#);
    metad.put("/k", "2");
    env.wait_content("out/app", "2 first half");
    // Nothing else happens: the daemon itself looks again.
    env.template("app.tmpl", r#"{{getv "/k"}} first half and second"#);
    env.wait_content("out/app", "2 first half and second");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_template_that_was_half_an_action_when_it_was_read_is_read_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&NO_INTERVAL);
    env.wait_lines("reloads", 1);
    env.template("app.tmpl", r#"new {{getv "/k"#);
    metad.put("/k", "2");
    daemon.wait_log(": ERROR ");
    env.template("app.tmpl", r#"new {{getv "/k"}}"#);
    env.wait_content("out/app", "new 2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn settle_holds_for_the_interval_too() {
    let metad = Metad::start(json!({"hosts": {"i-0": "1"}}));
    let mut env = Env::with_metad(&metad);
    env.settings("settle = \"5s\"");
    env.simple("app", r#"{{range ls "/hosts"}}{{.}} {{end}}"#);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    for number in 1..=5 {
        metad.put(&format!("/hosts/i-{number}"), "1");
        // As the platform writes its steps, over several intervals; nothing is waited for.
        thread::sleep(Duration::from_millis(600));
    }
    env.wait_content("out/app", "i-0 i-1 i-2 i-3 i-4 i-5 ");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(
        env.reloads().len(),
        2,
        "one for the start, one for all steps"
    );
}
