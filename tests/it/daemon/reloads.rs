//! Commands of the daemon: what they see, what is logged of them, and who waits for whom.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

#[test]
fn a_scale_out_in_five_steps_while_a_long_command_runs() {
    let metad =
        Metad::start(json!({"cmd": {"id": "1", "cmd": "x"}, "hosts": {"i-1": {"ip": "1"}}}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("exec");
    let hosts = r#"{{range ls "/hosts"}}{{.}} {{end}}"#;
    let long = format!("reload_cmd = \"\"\"{}\"\"\"", gate.command());
    env.simple_with(
        "cmd.info",
        &format!("{{{{getv \"/cmd/id\"}}}}:{hosts}"),
        &long,
    );
    env.simple("hosts", hosts);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    let mut expected = String::from("i-1 ");
    env.wait_content("out/hosts", &expected);
    for number in 2..7 {
        metad.put(&format!("/hosts/i-{number}/ip"), "1");
        expected.push_str(&format!("i-{number} "));
        env.wait_content("out/hosts", &expected);
        env.wait_lines("reloads", number);
    }
    assert_eq!(env.read("out/cmd.info"), "1:i-1 ", "its command still runs");
    assert_eq!(gate.started(), 1);
    gate.open();
    env.wait_content("out/cmd.info", &format!("1:{expected}"));
    gate.wait_started(2);
    assert_eq!(daemon.stop(), Some(0));
    let updated = env.expand("Target config $ROOT/out/cmd.info has been updated");
    assert_eq!(
        (gate.started(), env.reloads().len()),
        (2, 6),
        "trees in between are skipped"
    );
    assert!(!updated.is_empty());
}

#[test]
fn commands_know_their_files_and_the_keys_that_changed() {
    let metad = Metad::start(json!({"a": "1", "gone": "1", "other": "1"}));
    let env = Env::with_metad(&metad);
    env.template(
        "app.tmpl",
        r#"{{getv "/a"}}{{range gets "/g*"}}{{.Key}}{{end}}{{range gets "/new*"}}{{.Key}}{{end}}"#,
    );
    let show = "echo {{.src}} {{.dest}} $CONFD_SRC $CONFD_DEST $CONFD_CHANGED_KEYS";
    env.resource(
        "app.toml",
        &format!(
            "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/\"]\n\
             check_cmd = \"{show} >> $ROOT/checks\"\nreload_cmd = \"{show} >> $ROOT/reloads\"\n"
        ),
    );
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.set(json!({"a": "2", "new": "1", "other": "2"}));
    env.wait_lines("reloads", 2);
    let dest = env.expand("$ROOT/out/app");
    let last = env.lines("reloads").pop().unwrap_or_default();
    let words: Vec<&str> = last.split(' ').collect();
    assert_eq!(words[1..2], [&dest], "{last}");
    assert_eq!(words[3..4], [&dest], "{last}");
    assert_eq!(words[4..], ["/a", "/gone", "/new"], "{last}");
    let check = env.lines("checks").pop().unwrap_or_default();
    let words: Vec<&str> = check.split(' ').collect();
    assert!(
        words[0] != dest && words[0].starts_with(&env.expand("$ROOT/out/")),
        "{check}"
    );
    assert_eq!((words[0], words[1]), (words[2], words[3]), "{check}");
    assert_eq!(words[4..], ["/a", "/gone", "/new"], "{check}");
    let log = daemon.log();
    let told = log
        .lines()
        .find(|line| line.contains("/gone") && line.contains("/new"));
    assert!(told.is_some_and(|line| !line.contains("/other")), "{log}");
}

#[test]
fn of_many_changed_keys_the_log_names_the_first() {
    let hosts = |count: usize| {
        let ips = (0..count).map(|number| (format!("i-{number:04}"), json!({"ip": "1"})));
        json!({"hosts": ips.collect::<serde_json::Map<_, _>>()})
    };
    let metad = Metad::start(hosts(1));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{len (getvs "/hosts/*/ip")}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    metad.set(hosts(22));
    env.wait_content("out/app", "22");
    metad.set(hosts(1001));
    env.wait_content("out/app", "1001");
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains("because of"));
    let ends: Vec<&str> = lines
        .filter_map(|line| line.split("/hosts/i-").last())
        .collect();
    assert_eq!(ends, ["0020/ip and 1 more", "0041/ip and 959 more"]);
}

#[test]
fn a_command_that_floods_is_logged_with_its_status_and_its_tail() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let flood = "seq 1 200000; echo the last words; exit 3";
    env.simple_with("app", "x", &format!("reload_cmd = \"{flood}\""));
    let run = env.onetime();
    run.expect_code(1)
        .expect_log("the last words")
        .expect_log("3");
    assert!(
        run.stderr.len() < 64 << 10,
        "{} bytes of log",
        run.stderr.len()
    );
}

#[test]
fn the_output_of_a_command_that_works_is_logged_too() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with(
        "app",
        "x",
        "reload_cmd = \"echo to stdout; echo to stderr >&2\"",
    );
    env.onetime_with(&["-log-level", "debug"])
        .expect_code(0)
        .expect_log("to stdout")
        .expect_log("to stderr");
}

#[test]
fn a_long_check_holds_the_others_up_for_a_while_only() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    let check = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("slow", r#"{{getv "/k"}}"#, &check);
    env.simple("quick", r#"{{getv "/k"}}"#);
    // A resource file this young would be read again, and the check made again, in case it changed
    // within a tick.
    let resource = File::options()
        .write(true)
        .open(env.path("etc/conf.d/slow.toml"));
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let aged = resource.and_then(|file| file.set_modified(hour_ago));
    aged.expect("an older resource");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/quick", "1");
    assert!(!env.path("out/slow").exists(), "its check still runs");
    gate.open();
    env.wait_content("out/slow", "1");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(gate.started(), 1, "what was checked is used");
}

/// Waits until a process is gone, or dead and only not yet taken note of.
fn wait_dead(pid: &str) {
    let stat = Path::new("/proc").join(pid).join("stat");
    until("the process is gone", || {
        fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "))
    });
}

#[test]
fn a_time_limit_ends_the_whole_process_group() {
    for kind in ["check_cmd", "reload_cmd"] {
        let env = Env::with_tree(&json!({"k": "v"}));
        let command = "sleep 1000 & echo $! > $ROOT/child; wait";
        let lines = format!("{kind} = \"{command}\"\n{kind}_timeout = \"300ms\"");
        env.simple_with("app", "x", &lines);
        env.onetime().expect_code(1).expect_log("300ms");
        wait_dead(env.read("child").trim());
        let kept = if kind == "check_cmd" {
            &[][..]
        } else {
            &["app"]
        };
        assert_eq!(env.names("out"), kept);
    }
}

#[test]
fn a_shared_reload_runs_once_for_all_that_changed() {
    let metad = Metad::start(json!({"a": "1", "b": "1", "c": "1"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b", "c"] {
        let reload = "reload_cmd = \"echo $CONFD_CHANGED_KEYS >> $ROOT/reloads\"";
        env.simple_with(name, &format!("{{{{getv \"/{name}\"}}}}"), reload);
    }
    let _daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.set(json!({"a": "2", "b": "2", "c": "1"}));
    env.wait_lines("reloads", 2);
    assert_eq!(env.reloads()[1], "/a /b");
}

#[test]
fn a_command_reads_nothing_from_the_agents_input() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", "reload_cmd = \"cat > $ROOT/seen\"");
    let mut command = env.command(&["-onetime", "-config-file", "$ROOT/etc/confd.toml"]);
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    command.stdin(reader);
    env.finish(command).expect_code(0);
    assert_eq!(env.read("seen"), "");
}
