//! The environment and descriptors that a command gets from confd, and those that it does not.

use serde_json::json;

use crate::env::{Env, confd};
use crate::metad::Metad;

/// An open connection, a lock and a queue are nothing for a database that a reload starts.
#[test]
fn a_command_inherits_three_descriptors_and_no_more() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let list =
        "for fd in 0 1 2 3 4 5 6 7 8 9; do if test -h /proc/$$/fd/$fd; then echo $fd; fi; done";
    let lines = format!(
        "check_cmd = \"{list} > $ROOT/check\"\nreload_cmd = \"{list} > $ROOT/reload; echo >> $ROOT/done\""
    );
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("done", 1);
    metad.put("/k", "2");
    env.wait_lines("done", 2);
    assert_eq!(daemon.stop(), Some(0));
    for name in ["check", "reload"] {
        assert_eq!(env.lines(name), ["0", "1", "2"], "{name}");
    }
}

/// Neither a variable nor a limit of confd's own: what it was started with, and the three that the
/// README names.
#[test]
fn a_command_has_the_environment_and_umask_that_confd_was_started_with() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("GIVEN", "by the caller");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_cmd = \"env > $ROOT/environment; umask > $ROOT/umask\"",
    );
    let script = "umask 027; exec \"$0\" -onetime -config-file $ROOT/etc/confd.toml";
    let confd = confd();
    env.finish(env.command_of("/bin/sh", &["-c", script, confd]))
        .expect_code(0);
    let lines = env.lines("environment");
    let mut names: Vec<&str> = lines
        .iter()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    // Those that the shell sets by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    let wanted = [
        "CONFD_CHANGED_KEYS",
        "CONFD_DEST",
        "CONFD_SRC",
        "GIVEN",
        "PATH",
    ];
    assert_eq!(names, wanted);
    assert_eq!(env.read("umask"), "0027\n");
}
