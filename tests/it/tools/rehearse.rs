//! `-rehearse`: the stages of a cluster's life, and what fails in them.

use serde_json::{Value as Json, json};

use crate::env::{Env, Run};

/// An environment with this recording and the resources `web` and `db`.
fn env(recording: &Json, web: &str, db: &str) -> Env {
    let env = Env::new();
    env.put("dump.json", &recording.to_string());
    env.simple_with("web", web, "reload_cmd = \"touch reloaded web\"");
    env.simple_with("db", db, "reload_cmd = \"touch reloaded db\"");
    env
}

fn rehearse(env: &Env) -> Run {
    let run = env.run(&["-rehearse", "dump.json", "-confdir", "etc"]);
    assert!(env.names("out").is_empty(), "no file is written");
    assert!(!env.path("reloaded").exists(), "no command runs");
    let width = run.stdout.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(80), "{}", run.stdout);
    run
}

/// The rows of the table without their names: after, changed, reloads, failed.
fn rows(run: &Run) -> Vec<String> {
    let rows = run
        .stdout
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty());
    let columns = rows.map(|row| {
        let figures: String = row.chars().skip(48).collect();
        figures.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    columns.collect()
}

#[test]
fn the_life_of_a_cluster_with_roles() {
    let env = env(
        &json!({
            "host": {"ip": "192.168.0.2", "instance_id": "i-1"},
            "hosts": {
                "web": {
                    "i-1": {"ip": "192.168.0.2", "instance_id": "i-1"},
                    "i-2": {"ip": "192.168.0.3", "instance_id": "i-2"},
                },
                "db": {"i-3": {"ip": "192.168.0.4", "instance_id": "i-3"}},
            },
            "env": {"port": "80", "threads": "4"},
        }),
        "{{getv \"/env/port\"}} {{add (getv \"/env/threads\") 1}}\n{{range getvs \"/hosts/web/*/ip\"}}{{.}} {{end}}",
        "{{index (getvs \"/hosts/db/*/ip\") 0}}{{range gets \"/adding-hosts/web/*/ip\"}}+{{end}}\
         {{range lsdir \"/deleting-hosts/web\"}}-{{end}}",
    );
    let run = rehearse(&env);
    run.expect_code(1);
    let expected = "     stage                                       after changed  reloads  failed
  1  as recorded                                     -       -  -             0
  2  created with one node of each role              -     2/2  a b           0
  3  scale out: nodes in adding-hosts                1     1/2  a             0
  4  scale out: they are in hosts, too               3     1/2  b             0
  5  scale out: done                                 4     1/2  a             0
  6  scale in: nodes in deleting-hosts               5     1/2  a             0
  7  scale in: they are not in hosts any more        6     2/2  a b           0
  8  scale in: done                                  7     1/2  a             0
  9  no node of role db                              1     0/2  -             1
 10  stopped and started: new instance ids           1     0/2  -             0
 11  each of 2 parameters empty                      1     1/2  b             1
 12  each of 2 parameters absent                     1     0/2  -             1

reloads:
  a  touch reloaded db
       of db.toml
  b  touch reloaded web
       of web.toml

failures:
  db.toml in stage 9:
    template: db.tmpl:1:2: executing \"db.tmpl\" at <index (getvs
    \"/hosts/db/*/ip\") 0>: error calling index: reflect: slice index out of range
       1 | {{index (getvs \"/hosts/db/*/ip\") 0}}{{range gets \"/adding-hosts/
         |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    help: getvs \"/hosts/db/*/ip\" is empty: nothing matches; use it inside {{if
    …}} or {{with …}}
";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    for told in [
        "\n  web.toml in stage 11 (/env/threads):\n",
        "\n  web.toml in stage 12 (/env/threads):\n",
        "\n  web.toml in stage 12 (/env/port):\n    template: web.tmpl:1:2: ",
        "key does not exist: /env/port\n    the metadata has no such key\n",
    ] {
        assert!(run.stdout.contains(told), "{told}\n{}", run.stdout);
    }
}

#[test]
fn the_life_of_a_cluster_without_roles() {
    let env = env(
        &json!({
            "host": {"ip": "192.168.0.3"},
            "hosts": {"i-1": {"ip": "192.168.0.2", "sid": "1"}, "i-2": {"ip": "192.168.0.3", "sid": "2"}},
        }),
        "{{range lsdir \"/hosts\"}}{{.}}={{getv (printf \"/hosts/%s/sid\" .)}} {{end}}",
        "{{getv \"/host/ip\"}}",
    );
    let run = rehearse(&env);
    run.expect_code(0);
    assert_eq!(
        rows(&run),
        [
            "- - - 0",
            "- 2/2 a b 0",
            "1 0/2 - 0",
            "3 1/2 b 0",
            "4 0/2 - 0",
            "5 0/2 - 0",
            "6 1/2 b 0",
            "7 0/2 - 0",
            "1 1/2 b 0",
        ]
    );
    let end = "\nnot rehearsed:\n  no role without nodes: the recording has no roles in /hosts\n  \
               nothing about parameters: the recording has no /env\n";
    assert!(run.stdout.ends_with(end), "{}", run.stdout);
}

#[test]
fn a_failure_in_every_stage_is_told_once() {
    let env = env(
        &json!({"host": {"ip": "192.168.0.2"}, "env": {"a": "1"}}),
        "{{getv \"/nope\"}}",
        "",
    );
    let run = rehearse(&env);
    run.expect_code(1);
    assert_eq!(rows(&run), ["- - - 1", "1 0/2 - 1", "1 0/2 - 1"]);
    let told = "\n  web.toml in stage 1, 2 (/env/a), 3 (/env/a):\n";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert_eq!(run.stdout.matches("key does not exist").count(), 1);
}

#[test]
fn a_resource_that_cannot_be_read_is_a_failure_and_the_others_are_rehearsed() {
    let env = env(&json!({"host": {"ip": "192.168.0.2"}}), "", "");
    env.resource("broken.toml", "[template]\nsrc = \"x\"\n");
    let run = rehearse(&env);
    run.expect_code(1);
    assert_eq!(rows(&run), ["- - - 0"]);
    assert!(
        run.stdout
            .contains("\nfailures:\n  etc/conf.d/broken.toml: dest is missing")
    );
}

#[test]
fn a_recording_that_is_none_ends_it() {
    let env = env(&json!({"host": {"ip": "192.168.0.2"}}), "", "");
    env.put("dump.json", "{}");
    let run = rehearse(&env);
    run.expect_code(1)
        .expect_log("dump.json: there is no metadata in it");
    assert_eq!(run.stdout, "");
}
