//! `-rehearse`: the stages of a cluster's life as each node sees them, and what fails in them.

use std::fs;

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

/// An environment with this recording and one resource.
fn single(recording: &Json, template: &str, lines: &str) -> Env {
    let env = Env::new();
    env.put("dump.json", &recording.to_string());
    env.template("app.tmpl", template);
    env.resource(
        "app.toml",
        &format!(
            "[template]\nsrc = \"app.tmpl\"\ndest = \"/opt/app.conf\"\nkeys = [\"/\"]\n{lines}\n"
        ),
    );
    env
}

fn rehearse(env: &Env) -> Run {
    rehearse_with(env, &[])
}

fn rehearse_with(env: &Env, arguments: &[&str]) -> Run {
    let fixed = ["-rehearse", "dump.json", "-confdir", "etc"];
    let run = env.run(&[&fixed, arguments].concat());
    assert!(env.names("out").is_empty(), "no file is written");
    assert!(!env.path("reloaded").exists(), "no reload runs");
    run
}

/// The rows of the table without their numbers and names: after, changed, reloads, failed.
fn rows(run: &Run) -> Vec<String> {
    let rows = run.stdout.lines().filter(|line| {
        let number = line.get(..3).unwrap_or_default().trim();
        number.parse::<u32>().is_ok()
    });
    let columns = rows.map(|row| {
        let figures: String = row.chars().skip(48).collect();
        figures.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    columns.collect()
}

fn two_roles() -> Json {
    json!({
        "host": {"ip": "192.168.0.2", "instance_id": "i-1"},
        "hosts": {
            "web": {
                "i-1": {"ip": "192.168.0.2", "instance_id": "i-1"},
                "i-2": {"ip": "192.168.0.3", "instance_id": "i-2"},
            },
            "db": {"i-3": {"ip": "192.168.0.4", "instance_id": "i-3"}},
        },
        "env": {"port": "80", "threads": "4"},
    })
}

#[test]
fn the_life_of_a_cluster_with_roles() {
    let env = env(
        &two_roles(),
        "{{getv \"/env/port\"}} {{add (getv \"/env/threads\") 1}}\n{{range getvs \"/hosts/web/*/ip\"}}{{.}} {{end}}",
        "{{index (getvs \"/hosts/db/*/ip\") 0}}{{range gets \"/adding-hosts/web/*/ip\"}}+{{end}}\
         {{range lsdir \"/deleting-hosts/web\"}}-{{end}}",
    );
    let run = rehearse(&env);
    run.expect_code(1);
    let expected =
        "seen from db/i-3 web/i-1 web/i-2, and as they join from db/i-joined1 web/i-joined2

     stage                                       after changed  reloads  failed
  1  as recorded                                     -       -  -             0
  2  created with one node of each role              -     6/6  a b           0
  3  scale out: nodes join                           1   10/10  a b           0
  4  scale out: done                                 3    5/10  a             0
  5  scale in: nodes leave                           4    5/10  a             0
  6  scale in: done                                  5     6/6  a b           0
  7  vertical scaling of each of 2 roles             1     0/6  -             0
  8  no node of role db                              1     0/4  -             1
  9  no node of role web                             1     1/2  b             0
 10  stopped and started: new instance ids           1     0/6  -             0
 11  each of 2 parameters empty                      1     2/4  b             1
between two writes of the platform (only warnings):
 12  nodes in adding-hosts only                      1     3/6  a             0
 13  nodes in deleting-hosts only                    5     6/6  a b           0
parameters that the application does not have (only warnings):
 14  each of 2 parameters absent                     1     0/4  -             1

reloads:
  a  touch reloaded db
       of db.toml
  b  touch reloaded web
       of web.toml

failures:
  db.toml in stage 8:
    template: db.tmpl:1:2: executing \"db.tmpl\" at <index (getvs \"/hosts/db/*/ip\") 0>: \
     error calling index: reflect: slice index out of range
       1 | {{index (getvs \"/hosts/db/*/ip\") 0}}{{range gets \"/adding-hosts/
";
    assert!(run.stdout.starts_with(expected), "{}", run.stdout);
    let (failures, warnings) = run.stdout.split_once("\nwarnings:\n").expect("warnings");
    assert!(
        failures.contains("\n  web.toml in stage 11 (/env/threads):\n"),
        "{failures}"
    );
    for told in [
        "  web.toml in stage 14 (/env/threads):\n",
        "  web.toml in stage 14 (/env/port):\n    template: web.tmpl:1:2: ",
        "key does not exist: /env/port\n    the metadata has no such key\n",
    ] {
        assert!(warnings.contains(told), "{told}\n{warnings}");
    }
    let end = "\nnot rehearsed:\n  nothing about links: the recording has no /links\n";
    assert!(run.stdout.ends_with(end), "{}", run.stdout);
}

#[test]
fn the_life_of_a_cluster_without_roles() {
    let env = env(
        &json!({
            "host": {"ip": "192.168.0.3"},
            "hosts": {
                "i-1": {"ip": "192.168.0.2", "sid": "1"},
                "i-2": {"ip": "192.168.0.3", "sid": "2"},
            },
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
            "- 4/4 a b 0",
            "1 4/6 a b 0",
            "3 0/6 - 0",
            "4 0/6 - 0",
            "5 2/4 b 0",
            "1 2/4 b 0",
            "1 0/4 - 0",
            "5 2/4 b 0",
        ],
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .starts_with("seen from i-1 i-2, and as they join from i-joined1\n")
    );
    let end = "\nnot rehearsed:\n  no role without nodes: the recording has fewer than two roles in /hosts\n  \
               nothing about links: the recording has no /links\n  \
               nothing about parameters: the recording has no /env\n";
    assert!(run.stdout.ends_with(end), "{}", run.stdout);
}

#[test]
fn a_failure_in_every_stage_is_reported_once() {
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
    assert!(!run.stdout.contains("\nwarnings:\n"));
}

#[test]
fn a_failure_on_some_nodes_names_them() {
    let env = single(
        &two_roles(),
        "{{if eq (getv \"/host/ip\") \"192.168.0.3\"}}{{getv \"/nope\"}}{{end}}",
        "",
    );
    let run = rehearse(&env);
    run.expect_code(1);
    let told = "  app.toml in stage 1 (web/i-2), 2 (web/i-2), 3 (web/i-2), ";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn a_resource_that_cannot_be_read_is_a_failure_and_the_others_are_rehearsed() {
    let env = env(&json!({"host": {"ip": "192.168.0.2"}}), "", "");
    env.resource("broken.toml", "[template]\nsrc = \"x\"\n");
    let run = rehearse(&env);
    run.expect_code(1);
    assert_eq!(rows(&run), ["- - - 0"]);
    let told = "\nfailures:\n  etc/conf.d/broken.toml: dest is missing";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn a_directory_without_resources_ends_it() {
    let env = env(&json!({"host": {"ip": "192.168.0.2"}}), "", "");
    let run = env.run(&["-rehearse", "$ROOT/dump.json", "-confdir", "$ROOT/nowhere"]);
    run.expect_code(1)
        .expect_log("nowhere: there is no conf.d in it; set -confdir");
    assert_eq!(run.stdout, "");
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

#[test]
fn what_happens_only_between_two_writes_or_without_a_parameter_is_a_warning() {
    let added =
        "{{range lsdir \"/adding-hosts/web\"}}{{getv (printf \"/hosts/web/%s/ip\" .)}}{{end}}";
    let env = single(
        &two_roles(),
        &format!("{added}{{{{getv \"/env/port\"}}}}"),
        "",
    );
    let run = rehearse(&env);
    run.expect_code(0);
    let (before, warnings) = run.stdout.split_once("\nwarnings:\n").expect("warnings");
    assert!(!before.contains("\nfailures:\n"), "{before}");
    for told in ["app.toml in stage 12:", "app.toml in stage 14 (/env/port):"] {
        assert!(warnings.contains(told), "{told}\n{}", run.stdout);
    }
}

#[test]
fn vertical_scaling_and_links_are_stages() {
    let mut recording = two_roles();
    recording["hosts"]["db"]["i-3"]["memory"] = json!("4096");
    recording["links"] = json!({"zk": {"ip": "10.0.0.9"}});
    let template = "{{if ne (getv \"/vertical-scaling-roles\" \"\") \"\"}}scaling {{end}}\
                    {{getvs \"/hosts/*/*/memory\"}} {{getv \"/host/memory\" \"none\"}} {{getv \"/links/zk/ip\"}}";
    let env = single(&recording, template, "");
    let run = rehearse_with(&env, &["-root", "kept"]);
    run.expect_code(1);
    let told = "app.toml in stage 12 (/links/zk):";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert!(
        run.stdout.contains("12  the link absent "),
        "{}",
        run.stdout
    );
    for (file, content) in [
        ("as-recorded/db/i-3", "[4096] 4096 10.0.0.9"),
        ("as-recorded/web/i-1", "[4096] none 10.0.0.9"),
        (
            "vertical-scaling/db/web/i-1",
            "scaling [4096] none 10.0.0.9",
        ),
        ("vertical-scaling-done/db/i-3", "[8192] 8192 10.0.0.9"),
    ] {
        assert_eq!(
            env.read(&format!("kept/{file}/opt/app.conf")),
            content,
            "{file}"
        );
    }
}

#[test]
fn every_file_is_kept_by_stage_and_node() {
    let template = "{{getv \"/host/ip\"}} of {{len (getvs \"/hosts/*/*/ip\")}}{{range lsdir \"/adding-hosts\"}} +{{.}}{{end}}";
    let env = single(&two_roles(), template, "");
    let run = rehearse_with(&env, &["-root", "kept"]);
    run.expect_code(0);
    for (file, content) in [
        ("as-recorded/web/i-2", "192.168.0.3 of 3"),
        ("as-recorded/db/i-3", "192.168.0.4 of 3"),
        ("created/web/i-2", "192.168.0.3 of 2"),
        ("scale-out/db/i-joined1", "192.168.0.5 of 5 +db +web"),
        ("scale-out-done/web/i-joined2", "192.168.0.6 of 5"),
        ("scale-in/db/i-3", "192.168.0.4 of 5"),
        ("scale-in-done/web/i-1", "192.168.0.2 of 3"),
        ("role-without-nodes/db/web/i-1", "192.168.0.2 of 2"),
    ] {
        assert_eq!(
            env.read(&format!("kept/{file}/opt/app.conf")),
            content,
            "{file}"
        );
    }
    assert!(
        !env.path("kept/scale-in-done/db/i-3").exists(),
        "it has left"
    );
    assert!(
        !env.path("kept/parameter-empty").exists(),
        "no parameter is read"
    );

    // What is no longer rendered goes; what others put there stays.
    env.put("kept/notes.txt", "mine");
    env.put("kept/created/web/i-9/opt/app.conf", "old");
    rehearse_with(&env, &["-root", "kept"]).expect_code(0);
    assert_eq!(env.read("kept/notes.txt"), "mine");
    assert!(!env.path("kept/created/web/i-9/opt/app.conf").exists());
}

#[test]
fn golden_files_are_compared_and_updated() {
    let env = single(&two_roles(), "port {{getv \"/env/port\"}}\n", "");
    rehearse_with(&env, &["-expect", "golden"])
        .expect_code(1)
        .expect_log("cannot read the expected files in golden: ");
    let made = rehearse_with(&env, &["-expect", "golden", "-update"]);
    made.expect_code(0);
    assert!(
        made.stdout.contains("\ngolden: 38 files written\n"),
        "{}",
        made.stdout
    );
    let same = rehearse_with(&env, &["-expect", "golden"]);
    same.expect_code(0);
    assert!(
        same.stdout.contains("\ngolden: 38 files as expected\n"),
        "{}",
        same.stdout
    );

    env.template("app.tmpl", "port = {{getv \"/env/port\"}}\n");
    fs::remove_file(env.path("golden/created/db/i-3/opt/app.conf")).expect("it was there");
    env.put("golden/restarted/db/i-99/opt/app.conf", "gone\n");
    let differs = rehearse_with(&env, &["-expect", "golden"]);
    differs.expect_code(1);
    for told in [
        "\ndifferences from golden (-update accepts them):\n",
        "--- golden/as-recorded/db/i-3/opt/app.conf\n+++ golden/as-recorded/db/i-3/opt/app.conf\n@@ -1 +1 @@\n-port 80\n+port = 80\n",
        "--- /dev/null\n+++ golden/created/db/i-3/opt/app.conf\n",
        "golden/restarted/db/i-99/opt/app.conf is expected, but not rendered\n",
    ] {
        assert!(differs.stdout.contains(told), "{told}\n{}", differs.stdout);
    }
    rehearse_with(&env, &["-expect", "golden", "-update"]).expect_code(0);
    rehearse_with(&env, &["-expect", "golden"]).expect_code(0);
    assert!(!env.path("golden/restarted/db/i-99/opt/app.conf").exists());
    rehearse_with(&env, &["-update"])
        .expect_code(2)
        .expect_log("-update goes with -expect");
}

#[test]
fn each_check_runs_once_for_equal_files_when_asked_for() {
    let check = "check_cmd = \"cat {{.src}} >> $ROOT/checked; ! grep -q 192.168.0.3 {{.src}}\"";
    let env = single(&two_roles(), "{{getv \"/host/ip\"}}\n", check);
    rehearse(&env).expect_code(0);
    assert!(!env.path("checked").exists());
    let run = rehearse_with(&env, &["-check"]);
    run.expect_code(1);
    let told = "  app.toml in stage 1 (web/i-2), 2 (web/i-2), ";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    assert!(
        run.stdout
            .contains("/opt/app.conf: Config check failed: command "),
        "{}",
        run.stdout
    );
    let mut checked = env.lines("checked");
    checked.sort();
    let mut once = checked.clone();
    once.dedup();
    assert_eq!(checked, once);
    assert_eq!(checked.len(), 5, "{checked:?}");
}

#[test]
fn the_promised_format_is_checked_in_every_stage() {
    let template = "{\"nodes\": [{{range $i, $ip := getvs \"/hosts/*/*/ip\"}}{{if $i}},{{end}}\"{{$ip}}\"{{end}}], \
                    \"port\": {{getv \"/env/port\"}}}";
    let env = single(&two_roles(), template, "output = \"json\"");
    let run = rehearse_with(&env, &["-root", "kept"]);
    run.expect_code(1);
    let told = "app.toml in stage 11 (/env/port):\n    /opt/app.conf: the output is not valid json: line 1, column ";
    assert!(run.stdout.contains(told), "{}", run.stdout);
}

#[test]
fn the_result_is_also_json() {
    let env = env(
        &two_roles(),
        "{{getv \"/env/port\"}}",
        "{{getv \"/host/ip\"}}",
    );
    let run = rehearse_with(&env, &["-format", "json"]);
    run.expect_code(0);
    let told: Json = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["version"], 1);
    assert_eq!(told["failed"], false);
    assert_eq!(
        told["nodes"][3],
        json!({"name": "db/i-joined1", "joins": true})
    );
    let reload = &told["resources"][1]["reload_cmd"];
    assert_eq!(reload, "touch reloaded web");
    let created = &told["stages"][1];
    assert_eq!(created["group"], "life");
    assert_eq!(created["directory"], "created");
    assert_eq!(
        created["steps"][0],
        json!({
            "node": "db/i-3",
            "variant": "",
            "changed": ["db.toml", "web.toml"],
            "failed": [],
            "reloads": ["touch reloaded db", "touch reloaded web"],
        })
    );
    let failure = &told["failures"][0];
    assert_eq!(failure["severity"], "warning");
    assert_eq!(failure["resource"], "web.toml");
    assert_eq!(
        failure["places"][0],
        json!({"stage": 14, "node": "db/i-3", "variant": "/env/port"})
    );
}

#[test]
fn the_prefix_of_a_resource_is_replaced_as_on_a_node() {
    let env = single(
        &two_roles(),
        "{{getv \"/env/port\"}}",
        "prefix = \"/other\"",
    );
    rehearse(&env).expect_code(0);
    let whole = json!({"other": two_roles()});
    let env = single(&whole, "{{getv \"/env/port\"}}", "prefix = \"/other\"");
    rehearse(&env).expect_code(0);
}
