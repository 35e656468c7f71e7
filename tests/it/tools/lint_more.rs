//! `-lint`: mistakes of names, files, commands, conditions and patterns, and the real-world shapes
//! that are none.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use crate::env::{Env, Run};
use crate::tools::lint::zookeeper;

/// One resource with its template, and a recording with roles, parameters and no links.
fn image(resource: &str, template: &str) -> Env {
    let env = Env::new();
    env.template("app.tmpl", template);
    let head = "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/app.conf\"\nkeys = [\"/\"]\n";
    env.resource("app.toml", &format!("{head}{resource}"));
    let node = |ip: &str| json!({"ip": ip, "sid": "1"});
    let metadata = json!({
        "host": {"ip": "10.0.0.1", "sid": "1"},
        "hosts": {"web": {"i-1": node("10.0.0.1")}, "db": {"i-2": node("10.0.0.2")}},
        "env": {"port": "8080", "tls": "false", "cache": "off", "tls-port": "8443", "name": "x"},
    });
    env.put("metadata.json", &metadata.to_string());
    env
}

fn lint(env: &Env) -> Run {
    let file = ["-file", "$ROOT/metadata.json"];
    env.run(
        &[
            &["-lint", "-confdir", "$ROOT/etc", "-prefix", "/self"][..],
            &file,
        ]
        .concat(),
    )
}

/// The findings as `CODE message; help`.
fn findings(env: &Env) -> Vec<String> {
    let run = env.run(&[
        "-lint",
        "-confdir",
        "$ROOT/etc",
        "-prefix",
        "/self",
        "-format",
        "json",
        "-file",
        "$ROOT/metadata.json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let list = report.get("findings").unwrap_or(&report);
    let text = |finding: &serde_json::Value, name: &str| {
        finding[name].as_str().unwrap_or_default().to_owned()
    };
    let list = list.as_array().expect("a list").iter();
    list.map(|found| {
        let [code, message, help] = ["code", "message", "help"].map(|name| text(found, name));
        format!("{code} {message}; {help}")
    })
    .collect()
}

#[track_caller]
fn expect(env: &Env, want: &[&str]) {
    let found = findings(env);
    let want: Vec<String> = want.iter().map(|want| env.expand(want)).collect();
    assert_eq!(found, want);
}

#[test]
fn templates_that_ask_first_are_not_suspected() {
    for template in [
        // Optional links, guarded in all the ways of real images.
        r#"{{if exists "/links/zk/ip"}}{{getv "/links/zk/ip"}}{{end}}"#,
        r#"{{if exists "/links/zk/host/sid"}}{{getv "/links/zk/host/sid"}}{{end}}"#,
        r#"{{getv "/links/zk/hosts/web/i-1/ip" "none"}}"#,
        r#"{{range lsdir "/links/zk/hosts"}}{{getv "/links/zk/host/ip"}}{{end}}"#,
        r#"{{range ls "/links"}}{{end}}{{if exists "/links/kafka/cluster_id"}}x{{end}}"#,
        r#"{{with getvs "/links/zk/*/ip"}}{{join . ","}}{{end}}"#,
        r#"{{$has := exists "/env/tls_cert"}}{{if $has}}{{getv "/env/tls_cert"}}{{end}}"#,
        r#"{{if exists "/port"}}{{getv "/port"}}{{end}}"#,
        // Distant names, and names of which the template knows both.
        r#"{{if exists "/env/tls-cert"}}{{getv "/env/tls-cert"}}{{end}}"#,
        r#"{{getv "/env/tls-cert" ""}}"#,
        r#"{{getv "/env/port"}}{{getv "/env/ports" ""}}"#,
        r#"{{getv "/env/port2" "1"}}"#,
        // Joining and leaving nodes are not there most of the time.
        r#"{{range getvs "/adding-hosts/*/*/ip"}}{{.}}{{end}}{{range gets "/deleting-hosts/*"}}{{end}}"#,
        // Numbers that stay small.
        r#"{{max 1 (len (lsdir "/hosts"))}} {{min 100 (getv "/env/name")}} {{max 2 (div (getv "/host/cpu" "4") 2)}}"#,
        r#"{{max 1024 (getv "/env/port")}} {{mod (getv "/env/name") 10 | max 3}}"#,
        // Conditions on parameters that are no truth values.
        r#"{{if getv "/env/name" ""}}{{end}}{{if eq (getv "/env/tls") "true"}}{{end}}"#,
        r#"{{range gets "/env/*"}}{{.Key}}={{.Value}}{{end}}{{range $i, $p := gets "/env/*"}}{{$p.Key}}{{end}}"#,
        r#"{{with json (getv "/env/x" "{}")}}{{.a}}{{end}}"#,
        // Templates for clusters with roles and without.
        r#"{{if ls "/hosts/web"}}{{getvs "/hosts/web/*/ip"}}{{else}}{{getvs "/hosts/*/ip"}}{{end}}"#,
        r#"{{range gets "/hosts/*/ip"}}{{.Value}}{{else}}{{join (getvs "/hosts/*/*/ip") " "}}{{end}}"#,
    ] {
        let env = image("reload_cmd = \"cp a b && chmod 600 b\"\n", template);
        assert_eq!(findings(&env), [""; 0], "{template}");
    }
}

#[test]
fn mistakes_of_keys_and_patterns_are_found() {
    for (template, want) in [
        (
            r#"{{getvs "/hosts/*/ip"}}"#,
            "W408 \"/hosts/*/ip\" matches nothing; there is a level between: write \"/hosts/*/*/ip\"",
        ),
        (
            r#"{{gets "/hostss/*"}}"#,
            "W408 \"/hostss/*\" matches nothing; did you mean \"/hosts/*\"?",
        ),
        (
            r#"{{getvs "/hosts/wev/*/ip"}}"#,
            "W408 \"/hosts/wev/*/ip\" matches nothing; did you mean \"/hosts/web/*/ip\"?",
        ),
        (
            r#"{{getvs "/hosts/**/ip"}}"#,
            "W408 \"/hosts/**/ip\" matches nothing; * stops at a /: write one * for each level, such as \"/hosts/*/*/ip\"",
        ),
        (
            r#"{{getvs "/host/*/ip"}}"#,
            "W408 \"/host/*/ip\" matches nothing; that is one level too many: write \"/host/ip\"",
        ),
        (
            r#"{{if exists "/env/prot"}}x{{end}}"#,
            "W405 the metadata has no /env/prot; did you mean /env/port?",
        ),
        (
            r#"{{getv "/env/portt" "1"}}"#,
            "W405 the metadata has no /env/portt; did you mean /env/port?",
        ),
        (
            r#"{{.host.ip}}"#,
            "E313 the dot has no metadata; write {{getv \"/host/ip\"}}",
        ),
        (
            r#"{{.Values.port}}"#,
            "E313 the dot has no metadata; write {{getv \"/env/port\"}}",
        ),
        (
            r#"{{if not exists "/env/port"}}x{{end}}"#,
            "E303 exists gets 0 arguments; put the inner call in parentheses: not (exists …)",
        ),
        (
            r#"{{getv printf "/hosts/%s" "web"}}"#,
            "E303 printf gets 0 arguments; put the inner call in parentheses: getv (printf …)",
        ),
        (
            r#"{{if exists "/env/port" and (exists "/env/tls")}}x{{end}}"#,
            "E303 and gets 0 arguments; write and before both values: {{if and A B}}",
        ),
        (
            r#"{{if (exists "/env/port") or (exists "/env/tls")}}x{{end}}"#,
            "E303 this is no function, and gets arguments; write or before both values: {{if or A B}}",
        ),
        (
            r#"{{$port := getv "/env/port"}}{{if $port eq "80"}}x{{end}}"#,
            "E303 this is no function, and gets arguments; write eq before both values: {{if eq A B}}",
        ),
        (
            r#"{{"a" "b"}}"#,
            "E303 this is no function, and gets arguments; the first word of an action is a function; join values with printf",
        ),
        (
            r#"a=｛｛getv "/env/port"｝｝"#,
            "W315 full-width braces make no action: this is text; write {{ and }} with ordinary braces",
        ),
        (
            r#"{{getv "／env/port"}}"#,
            "E406 the key \"／env/port\" has a full-width / in it; write \"/env/port\"",
        ),
        (
            r#"{{getv " /env/port"}}"#,
            "E406 the key \" /env/port\" has a space at an end; write \"/env/port\"",
        ),
        (
            r#"{{getv "/hosts/{{.}}/ip"}}"#,
            "E406 the key \"/hosts/{{.}}/ip\" has an action in it; actions do not nest: (printf \"/hosts/%s/ip\" $x)",
        ),
        (
            r#"{{range gets "/env/*"}}{{.Name}}{{end}}"#,
            "E313 memkv.KVPair has no field Name; its fields are Key and Value",
        ),
        (
            r#"{{range $p := gets "/env/*"}}{{$p.value}}{{end}}"#,
            "E313 memkv.KVPair has no field value; its fields are Key and Value",
        ),
        (
            r#"{{range getvs "/env/*"}}{{.Value}}{{end}}"#,
            "E313 string has no field Value; use get or gets for .Key and .Value, json for the fields of an object",
        ),
        (
            r#"{{if getv "/env/tls"}}x{{end}}"#,
            "W312 any value of /env/tls counts as true, \"false\" and \"0\" too; compare it: {{if eq (getv \"/env/tls\") \"true\"}}",
        ),
        (
            r#"{{if (get "/env/tls").Value}}x{{end}}"#,
            "W312 any value of /env/tls counts as true, \"false\" and \"0\" too; compare it: {{if eq (getv \"/env/tls\") \"true\"}}",
        ),
        (
            r#"{{if eq (get "/env/tls").Value true}}x{{end}}"#,
            "E311 eq compares a string with a truth value: never equal; put it in quotes: \"true\" or \"false\"",
        ),
        (
            r#"{{range gets "/env/*"}}{{if ne .Value false}}x{{end}}{{end}}"#,
            "E311 ne compares a string with a truth value: never equal; put it in quotes: \"true\" or \"false\"",
        ),
        (
            r#"{{$now := datetime}}{{if $now.format "2006"}}{{end}}"#,
            "E313 time.Time has no method format; did you mean Format?",
        ),
        (
            r#"{{$c := getv "/env/cache"}}{{if and $c (exists "/env/port")}}x{{end}}"#,
            "W312 any value of /env/cache counts as true, \"false\" and \"0\" too; compare it: {{if eq (getv \"/env/cache\") \"on\"}}",
        ),
        (
            r#"{{if eq (getv "/env/tls") true}}x{{end}}"#,
            "E311 eq compares a string with a truth value: never equal; put it in quotes: \"true\" or \"false\"",
        ),
        (
            r#"{{$m := max 1 (getv "/env/name")}}{{$m}}"#,
            "W310 max returns a float: values from 1,000,000 on print as 1e+06; print it as {{printf \"%.0f\" (max …)}}",
        ),
        (
            r#"{{$m := max 1 (getv "/env/name")}}{{$n := $m}}{{$n}}"#,
            "W310 max returns a float: values from 1,000,000 on print as 1e+06; print it as {{printf \"%.0f\" (max …)}}",
        ),
        (
            r#"{{$m := "1"}}{{if exists "/env/name"}}{{$m = max 1 (getv "/env/name")}}{{end}}{{$m}}"#,
            "W310 max returns a float: values from 1,000,000 on print as 1e+06; print it as {{printf \"%.0f\" (max …)}}",
        ),
    ] {
        let env = image("", template);
        assert_eq!(findings(&env), [want], "{template}");
    }
}

#[test]
fn one_hint_stands_for_a_recording_of_everything() {
    let env = image(
        "",
        r#"{{getv "/host/ip"}}{{getv "/env/port"}}{{getvs "/hosts/*/*/ip"}}"#,
    );
    let recording = format!("{{\"self\": {}}}", env.read("metadata.json"));
    env.put("metadata.json", &recording);
    expect(
        &env,
        &[
            "W409 everything in the recording is below /self, the prefix; record the part below it with confd -dump, or leave out -prefix /self",
        ],
    );
}

#[test]
fn a_recording_of_everything_has_one_hint_without_a_prefix_too() {
    let lint = |template: &str| {
        let env = image("", template);
        let recording = format!("{{\"self\": {}}}", env.read("metadata.json"));
        env.put("metadata.json", &recording);
        env.run(&[
            "-lint",
            "-confdir",
            "$ROOT/etc",
            "-file",
            "$ROOT/metadata.json",
        ])
    };
    let run = lint(r#"{{getv "/host/ip"}}{{getv "/env/port"}}"#);
    run.expect_code(0);
    let hint = "W409 everything in the recording is below /self, and no prefix is set\n    record the part below it with confd -dump, or set -prefix /self\n";
    assert!(run.stdout.contains(hint), "{}", run.stdout);
    assert!(!run.stdout.contains("E404"), "{}", run.stdout);
    // Keys that begin with it are meant.
    let run = lint(r#"{{getv "/self/host/ip"}}"#);
    run.expect_code(0);
    assert!(!run.stdout.contains("W409"), "{}", run.stdout);
}

#[test]
fn files_that_confd_does_not_read_are_named() {
    let env = image("", "x");
    env.put("etc/conf.d/old.toml.bak", "[template]\n");
    env.put("etc/conf.d/web.tmol", "[template]\n");
    env.put("etc/conf.d/zoo.cfg.toml.bak", "[template]\n");
    env.put("etc/conf.d/notes.txt", "see the wiki\n");
    env.template("unused.tmpl", "x");
    env.template("part.tmpl", "x");
    env.template("app.tmpl", r#"{{include "part.tmpl"}}"#);
    expect(
        &env,
        &[
            "W109 old.toml.bak is not read: its name does not end in toml; rename it to old.toml, or move it out of conf.d",
            "W109 web.tmol is not read: its name does not end in toml; rename it to web.toml, or move it out of conf.d",
            "W109 zoo.cfg.toml.bak is not read: its name does not end in toml; rename it to zoo.cfg.toml, or move it out of conf.d",
            "W214 no resource uses this template; name it as src of a file in conf.d, or remove it",
        ],
    );
}

#[test]
fn one_file_that_cannot_be_read_hides_nothing_else() {
    let env = image("", "{{gtev 1}}");
    symlink("/nowhere/b.toml", env.path("etc/conf.d/b.toml")).expect("a link");
    symlink("/nowhere/part", env.path("etc/templates/part.tmpl")).expect("a link");
    fs::create_dir(env.path("etc/templates/dir")).expect("a directory");
    let found = findings(&env);
    assert!(found[0].starts_with("E108 cannot read "), "{found:?}");
    assert!(
        found[0].ends_with("; the link leads to /nowhere/b.toml: correct or remove it"),
        "{found:?}"
    );
    let codes: Vec<&str> = found.iter().map(|found| &found[..4]).collect();
    assert_eq!(codes, ["E108", "E302", "E108"], "{found:?}");
    lint(&env).expect_code(1);
}

#[test]
fn places_and_modes_of_a_resource_are_checked() {
    let env = image("mode = \"0777\"\n", "x");
    expect(
        &env,
        &["W212 mode \"0777\" lets everybody write to the file; write mode = \"0755\""],
    );
    let env = image("mode = \"0644\"\n", r#"{{getv "/env/db_password" ""}}"#);
    expect(
        &env,
        &[
            "W213 everybody can read $ROOT/app.conf, which has /env/db_password; write mode = \"0600\", or \"0640\" with a group",
        ],
    );
    let env = image("mode = \"0640\"\n", r#"{{getv "/env/db_password" ""}}"#);
    expect(&env, &[]);
    let env = image("", "x");
    fs::create_dir(env.path("app.conf")).expect("a directory");
    expect(
        &env,
        &[
            "E205 dest $ROOT/app.conf is a directory on this machine; write the absolute path of the file",
        ],
    );
    let env = Env::new();
    env.template(
        "app.tmpl",
        "a:\n\tb: 1\n{{if 1}}\n\t{{/* fine */}}\n{{end}}\n",
    );
    let resource =
        "[template]\nsrc = \"app.tmpl\"\ndest = \"/etc/app.yaml\"\nkeys = [\"/a, /b\"]\n";
    env.resource("app.toml", resource);
    env.put("metadata.json", "{\"a\": \"1\"}");
    expect(
        &env,
        &[
            "W105 \"/a, /b\" is one key with commas in it; put each key in quotes: keys = [\"/a\", \"/b\"]",
            "W314 a tab indents this line: YAML does not allow it; indent with spaces",
        ],
    );
}

#[test]
fn several_keys_in_one_string_have_one_finding() {
    for keys in ["\"/env, /host\"", "[\"/env，/host\"]", "[\"/env、/host\"]"] {
        let env = Env::new();
        env.template("app.tmpl", "x");
        let head = "[template]\nsrc = \"app.tmpl\"\ndest = \"/etc/app.conf\"\n";
        env.resource("app.toml", &format!("{head}keys = {keys}\n"));
        env.put("metadata.json", "{\"env\": {\"a\": \"1\"}}");
        let found = findings(&env);
        assert_eq!(found.len(), 1, "{found:?}");
        let want = "put each key in quotes: keys = [\"/env\", \"/host\"]";
        assert!(found[0].ends_with(want), "{found:?}");
    }
}

#[test]
fn owners_that_do_not_exist_are_errors_on_the_image_only() {
    let env = image("owner = \"no-such-user\"\ngroup = \"no-such-group\"\n", "x");
    let create = "correct the name, or create it before confd runs (useradd, groupadd)";
    let finding = |name: &str| {
        format!("E215 this machine has no {name}; the file is written without it; {create}")
    };
    expect(
        &env,
        &[
            &finding("owner no-such-user"),
            &finding("group no-such-group"),
        ],
    );
    let env = image("owner = \"root:no-such-group\"\n", "x");
    expect(&env, &[&finding("group no-such-group")]);
    let env = image("owner = \"no-such-user\"\nuid = 0\n", "x");
    expect(&env, &[]);
    // A machine without the application is not the image.
    let env = image("", "x");
    for name in ["one", "two"] {
        let resource = format!(
            "[template]\nsrc = \"app.tmpl\"\ndest = \"/opt/no-such-app/{name}\"\nowner = \"no-such-user\"\n"
        );
        env.resource(&format!("{name}.toml"), &resource);
    }
    expect(
        &env,
        &[&format!(
            "W216 this machine has no owner no-such-user; if the image has none, either: {create}"
        )],
    );
}

#[test]
fn programs_of_commands_are_looked_at_where_they_should_be() {
    for (script, mode, want) in [
        (
            Some("#!/bin/sh\n"),
            0o644,
            "E211 reload_cmd runs $ROOT/bin/reload, which is not executable; make it executable: chmod +x $ROOT/bin/reload",
        ),
        (
            Some("#!/bin/sh\r\n"),
            0o755,
            "E211 reload_cmd runs $ROOT/bin/reload, which has CRLF line ends, so that its interpreter is not found; save it with LF line ends: sed -i 's/\\r$//' $ROOT/bin/reload",
        ),
        (
            Some("#!/opt/none/python\n"),
            0o755,
            "E211 reload_cmd runs $ROOT/bin/reload, which needs the interpreter /opt/none/python, which does not exist; correct its first line, or install the interpreter",
        ),
        (
            None,
            0,
            "W210 reload_cmd runs $ROOT/bin/reload, which this machine does not have; did you mean $ROOT/bin/reloads?",
        ),
    ] {
        let env = image("reload_cmd = \"$ROOT/bin/reload now\"\n", "x");
        match script {
            Some(script) => {
                env.put("bin/reload", script);
                fs::set_permissions(env.path("bin/reload"), Permissions::from_mode(mode))
                    .expect("chmod");
            }
            None => env.put("bin/reloads", ""),
        }
        expect(&env, &[want]);
    }
    // A program that confd makes itself is there when it is run.
    let env = image("reload_cmd = \"$ROOT/app.conf\"\nmode = \"0755\"\n", "x");
    expect(&env, &[]);
    // Another version of a shared program is another program.
    let env = image("reload_cmd = \"/usr/bin/env-9.9 x\"\n", "x");
    expect(&env, &[]);
    // Another machine than the image has no application.
    let env = image("reload_cmd = \"/opt/app-of-the-image/bin/run\"\n", "x");
    expect(&env, &[]);
}

#[test]
fn parts_that_a_build_step_joins_are_no_templates() {
    let env = image("", "x");
    let first = "{{$ip := getv \"/host/ip\"}}{{if $ip}}\n";
    env.template("run.sh/00.head.tmpl", first);
    env.template("run.sh/10-body.tmpl", "{{$ip}}{{end}}\n");
    expect(&env, &[]);
    let resource = "[template]\nsrc = \"run.sh.tmpl\"\ndest = \"$ROOT/run.sh\"\nkeys = [\"/\"]\n";
    env.resource("run.toml", resource);
    expect(
        &env,
        &[
            "E201 there is no template run.sh.tmpl; join its parts, which are in $ROOT/etc/templates/run.sh",
        ],
    );
    env.template("run.sh.tmpl", &format!("{first}{{{{$ip}}}}{{{{end}}}}\n"));
    expect(&env, &[]);
}

#[test]
fn the_example_stays_without_findings() {
    let env = zookeeper();
    expect(&env, &[]);
}
