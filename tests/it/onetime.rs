//! The main job, end to end: one request, the file, the reload; then nothing. Backends, and the
//! flags that hold back.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value as Json, json};

use crate::env::Env;
use crate::metad::Metad;

const ZOO: &str = r#"tickTime=2000
initLimit=1ini0
syncLimit=5
dataDir=/zk_data/zookeeper
clientPort=2181
maxClientCnxns=1000
{{range $dir := lsdir "/hosts"}}{{$sid := printf "/hosts/%s/sid" $dir}}
{{$ip := printf "/hosts/%s/ip" $dir}}server.{{getv $sid}}={{getv $ip}}:2888:3888{{end}}
"#;

const ZOO_CFG: &str = "tickTime=2000
initLimit=1ini0
syncLimit=5
dataDir=/zk_data/zookeeper
clientPort=2181
maxClientCnxns=1000

server.1=192.168.100.2:2888:3888
server.2=192.168.100.3:2888:3888
server.3=192.168.100.4:2888:3888
";

fn three_hosts() -> Json {
    json!({"hosts": {
        "i-1": {"ip": "192.168.100.2", "sid": "1"},
        "i-2": {"ip": "192.168.100.3", "sid": "2"},
        "i-3": {"ip": "192.168.100.4", "sid": "3"},
    }})
}

/// The numbers that tell whether a file was written, swapped or touched.
fn identity(env: &Env, relative: &str) -> (u64, i64, i64, i64, i64) {
    let data = fs::metadata(env.path(relative)).expect("the file");
    let changed = (data.ctime(), data.ctime_nsec());
    (
        data.ino(),
        data.mtime(),
        data.mtime_nsec(),
        changed.0,
        changed.1,
    )
}

#[test]
fn zookeeper_is_rendered_exactly_and_reloaded_once() {
    let metad = Metad::start(three_hosts());
    let env = Env::with_metad(&metad);
    env.simple("zoo.cfg", ZOO);
    let run = env.onetime();
    run.expect_code(0);
    assert_eq!(env.read("out/zoo.cfg"), ZOO_CFG);
    assert_eq!(env.reloads(), ["zoo.cfg"]);
    assert_eq!(metad.request_count(), 1);
    let dest = env.expand("$ROOT/out/zoo.cfg");
    run.expect_log(&format!("Target config {dest} out of sync"));
    run.expect_log(&format!("Target config {dest} has been updated"));
}

#[test]
fn a_second_run_writes_nothing_runs_nothing_and_sends_one_request() {
    let metad = Metad::start(three_hosts());
    let env = Env::with_metad(&metad);
    env.simple("zoo.cfg", ZOO);
    env.onetime().expect_code(0);
    let (dest, directory) = (identity(&env, "out/zoo.cfg"), identity(&env, "out"));
    env.onetime_with(&["-log-level", "debug"])
        .expect_code(0)
        .expect_log(&env.expand("Target config $ROOT/out/zoo.cfg in sync"))
        .expect_no_log("out of sync");
    assert_eq!(identity(&env, "out/zoo.cfg"), dest);
    assert_eq!(identity(&env, "out"), directory, "no file was staged");
    assert_eq!(env.reloads(), ["zoo.cfg"]);
    assert_eq!(metad.request_count(), 2);
}

#[test]
fn the_request_is_one_metad_understands() {
    let metad = Metad::start(three_hosts());
    let env = Env::with_metad(&metad);
    env.simple("zoo.cfg", ZOO);
    env.onetime().expect_code(0);
    let requests = metad.requests();
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].path, "/self");
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert_eq!(requests[0].prev_version(), None);
}

#[test]
fn a_body_in_chunks_is_read_whole() {
    let value = "x".repeat(100_000);
    let metad = Metad::start(json!({"k": value}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), value);
}

#[test]
fn a_body_that_arrives_byte_by_byte_is_read_whole() {
    let metad = Metad::start(three_hosts());
    let env = Env::with_metad(&metad);
    env.simple("zoo.cfg", ZOO);
    metad.fail(crate::metad::Fault::Dribble);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/zoo.cfg"), ZOO_CFG);
}

#[test]
fn a_resource_sees_only_what_its_keys_cover() {
    let metad = Metad::start(json!({"seen": {"k": "1"}, "hidden": {"k": "2"}}));
    let env = Env::with_metad(&metad);
    env.template("app.tmpl", r#"{{getv "/seen/k"}}{{exists "/hidden/k"}}"#);
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/seen\"]\n",
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "1false");
}

#[test]
fn conf_d_is_read_at_every_depth_in_order() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["b/z.toml", "a/deep/y.toml", "c.mytoml"] {
        let file = name.replace('/', "-");
        env.template(&format!("{file}.tmpl"), "{{getv \"/k\"}}");
        env.resource(
            name,
            &format!(
                "[template]\nsrc = \"{file}.tmpl\"\ndest = \"$ROOT/out/{file}\"\nkeys = [\"/\"]\n"
            ),
        );
    }
    env.put("etc/conf.d/notes.txt", "not a resource");
    let run = env.onetime();
    run.expect_code(0);
    assert_eq!(env.names("out"), ["a-deep-y.toml", "b-z.toml", "c.mytoml"]);
    let places: Vec<Option<usize>> = ["a-deep-y.toml", "b-z.toml", "c.mytoml"]
        .map(|name| {
            run.stderr
                .find(&env.expand(&format!("$ROOT/out/{name} has been updated")))
        })
        .into();
    assert!(places.is_sorted() && places[0].is_some(), "{}", run.stderr);
}

#[test]
fn a_slash_before_src_means_nothing() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.template("in/app.tmpl", r#"{{getv "/k"}}"#);
    env.resource(
        "app.toml",
        "[template]\nsrc = \"/in/app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/\"]\n",
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "v");
}

#[test]
fn symlinked_resources_count_and_symlinked_directories_do_not() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("kept", "kept");
    env.simple("aside", "aside");
    fs::create_dir(env.path("elsewhere")).expect("a directory");
    fs::rename(
        env.path("etc/conf.d/kept.toml"),
        env.path("elsewhere/kept.toml"),
    )
    .expect("moved");
    std::os::unix::fs::symlink(
        env.path("elsewhere/kept.toml"),
        env.path("etc/conf.d/kept.toml"),
    )
    .expect("a link to a file");
    fs::create_dir(env.path("other")).expect("a directory");
    fs::rename(
        env.path("etc/conf.d/aside.toml"),
        env.path("other/aside.toml"),
    )
    .expect("moved");
    std::os::unix::fs::symlink(env.path("other"), env.path("etc/conf.d/linked"))
        .expect("a link to a directory");
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["kept"]);
}

#[test]
fn the_file_backend_reads_json() {
    let env = Env::with_tree(&json!({"a": {"b": "1"}, "list": ["x", "y"]}));
    env.simple("app", r#"{{getv "/a/b"}} {{getv "/list/1"}}"#);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "1 y");
}

#[test]
fn the_file_backend_reads_toml() {
    let env = Env::new();
    env.put("metadata.toml", "[a]\nb = \"1\"\nn = 5\nyes = true\n");
    env.simple(
        "app",
        r#"{{getv "/a/b"}} {{getv "/a/n"}} {{getv "/a/yes"}}"#,
    );
    env.onetime_with(&["-backend", "file", "-file", "$ROOT/metadata.toml"])
        .expect_code(0);
    assert_eq!(env.read("out/app"), "1 5 true");
}

#[test]
fn a_missing_metadata_file_is_named_and_not_waited_for() {
    let mut env = Env::new();
    env.var("CONFD_ONETIME_WAIT", "1000s");
    env.simple("app", "x");
    let run = env.onetime_with(&["-backend", "file", "-file", "$ROOT/none.json"]);
    run.expect_code(1)
        .expect_log(&env.expand("$ROOT/none.json"));
    assert!(env.names("out").is_empty());
}

#[test]
fn the_env_backend_reads_upper_case_names() {
    let mut env = Env::new();
    env.var("DATABASE_HOST", "10.0.0.9");
    env.simple("app", r#"{{getv "/database/host"}}"#);
    env.onetime_with(&["-backend", "env"]).expect_code(0);
    assert_eq!(env.read("out/app"), "10.0.0.9");
}

#[test]
fn backends_that_are_not_here_are_refused_with_those_that_are() {
    for backend in ["etcd", "consul", "nonsense"] {
        let mut env = Env::new();
        env.settings(&format!("backend = \"{backend}\""));
        env.simple("app", "x");
        let run = env.onetime();
        assert!(matches!(run.code(), Some(1 | 2)), "{}", run.stderr);
        for word in [backend, "metad", "file", "env"] {
            run.expect_log(word);
        }
        assert!(env.names("out").is_empty());
    }
}

#[test]
fn noop_says_what_would_change_and_touches_nothing() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "old");
    env.onetime_with(&["-noop"])
        .expect_code(0)
        .expect_log(&env.expand("Target config $ROOT/out/app out of sync"))
        .expect_log(&env.expand("Noop mode enabled. $ROOT/out/app will not be modified"))
        .expect_no_log("has been updated");
    assert_eq!(env.read("out/app"), "old");
    assert_eq!(env.names("out"), ["app"]);
    assert!(env.reloads().is_empty());
}

#[test]
fn sync_only_writes_and_runs_no_command() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "check_cmd = \"echo check >> $ROOT/reloads; false\"\nreload_cmd = \"echo reload >> $ROOT/reloads\"",
    );
    env.onetime_with(&["-sync-only"]).expect_code(0);
    assert_eq!(env.read("out/app"), "new");
    assert!(env.reloads().is_empty());
}

#[test]
fn keep_stage_file_keeps_what_a_check_refused() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, "check_cmd = \"false\"");
    env.put("out/app", "old");
    env.onetime_with(&["-keep-stage-file"]).expect_code(1);
    assert_eq!(env.read("out/app"), "old");
    let names = env.names("out");
    assert_eq!(names.len(), 2, "{names:?}");
    let stage = names.iter().find(|name| *name != "app").expect("a stage");
    assert_eq!(env.read(&format!("out/{stage}")), "new");
}

#[test]
fn several_nodes_are_tried_until_one_answers() {
    let metad = Metad::start(json!({"k": "v"}));
    let mut dead = Metad::start(json!({}));
    dead.stop();
    let mut env = Env::new();
    env.settings(&format!(
        "nodes = [\"{}\", \"http://{}\"]\nprefix = \"/self\"",
        dead.node(),
        metad.node()
    ));
    env.simple("app", r#"{{getv "/k"}}"#);
    // Which one comes first is left to chance: eight runs begin with the dead one at least once in
    // 255 of 256 cases.
    for _ in 0..8 {
        env.onetime().expect_code(0);
    }
    assert_eq!(env.read("out/app"), "v");
    assert_eq!(metad.request_count(), 8);
}

#[test]
fn a_conf_d_that_cannot_be_looked_at_is_not_an_empty_one() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let conf_d = env.path("etc/conf.d");
    fs::remove_dir(&conf_d).expect("an empty directory");
    std::os::unix::fs::symlink("conf.d", &conf_d).expect("a link to itself");
    let words = env.expand("cannot list $ROOT/etc/conf.d: ");
    env.onetime().expect_code(1).expect_log(&words);
}
