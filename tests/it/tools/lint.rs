//! `-lint`: seeded mistakes, and what the program says about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::env::{Env, Run};

/// The ZooKeeper example in an environment of its own.
pub(super) fn zookeeper() -> Env {
    let env = Env::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/zookeeper");
    let copy = |from: &str, to: &str| {
        let text = fs::read_to_string(example.join(from)).expect("a file of the example");
        env.put(to, &text);
    };
    for name in ["zoo.cfg", "myid"] {
        let (toml, template) = (
            format!("conf.d/{name}.toml"),
            format!("templates/{name}.tmpl"),
        );
        copy(&toml, &format!("etc/{toml}"));
        copy(&template, &format!("etc/{template}"));
    }
    copy("metadata.json", "metadata.json");
    env
}

const LINT: &[&str] = &["-lint", "-confdir", "$ROOT/etc", "-prefix", "/self"];
pub(super) const WITH_DUMP: &[&str] = &["-file", "$ROOT/metadata.json"];

pub(super) fn lint(env: &Env) -> Run {
    env.run(&[LINT, WITH_DUMP].concat())
}

/// Puts `bad` in place of `good` in a file below etc.
pub(super) fn seed(env: &Env, file: &str, good: &str, bad: &str) {
    let file = format!("etc/{file}");
    let text = env.read(&file);
    assert!(text.contains(good), "{good:?} is in {file}");
    env.put(&file, &text.replacen(good, bad, 1));
}

#[test]
fn there_is_nothing_to_say_about_the_example() {
    let env = zookeeper();
    for run in [
        lint(&env),
        env.run(&[LINT, &["-node", "127.0.0.1:1"]].concat()),
    ] {
        run.expect_code(0);
        assert_eq!(run.stdout, "");
        run.expect_log("4 files: 0 errors, 0 warnings");
    }
}

#[test]
fn seeded_mistakes_are_found_and_explained() {
    const ZOO: &str = "conf.d/zoo.cfg.toml";
    const MYID: &str = "conf.d/myid.toml";
    const ZOO_TEMPLATE: &str = "templates/zoo.cfg.tmpl";
    const MYID_TEMPLATE: &str = "templates/myid.tmpl";
    // File, what is good, what is seeded, what the program says, and its exit code.
    #[rustfmt::skip]
    let mistakes: &[(&str, &str, &str, &str, i32)] = &[
        (
            ZOO, "mode = \"0644\"", "mode = 0644",
            "etc/conf.d/zoo.cfg.toml:5:8: E101 unexpected leading zero\n    \
             put the string in quotes: mode = \"0644\"\n",
            1,
        ),
        (
            ZOO, "mode = \"0644\"", "mode = 644",
            "etc/conf.d/zoo.cfg.toml:5:8: E102 mode must be a string, not a number\n    \
             write mode = \"0644\"\n",
            1,
        ),
        (
            ZOO, "mode = \"0644\"", "mode = \"644\"",
            "etc/conf.d/zoo.cfg.toml:5:8: W203 mode \"644\" has no leading zero\n    \
             write mode = \"0644\": other programs read it as decimal\n",
            0,
        ),
        (
            ZOO, "keys = [\"/\"]", "keys = \"/\"",
            "etc/conf.d/zoo.cfg.toml:4:8: W105 keys is a list, this is one string\n    \
             write keys = [\"/\"]\n",
            0,
        ),
        (
            ZOO, "reload_cmd", "relaod_cmd",
            "etc/conf.d/zoo.cfg.toml:6:1: W104 unknown key relaod_cmd is ignored\n    \
             did you mean reload_cmd?\n",
            0,
        ),
        (
            ZOO, "/opt/zookeeper/bin/zkServer.sh", "zkServer.sh",
            "etc/conf.d/zoo.cfg.toml:6:14: W204 reload_cmd runs zkServer.sh, which depends on PATH\n    \
             write its absolute path: PATH is short at boot (/…/zkServer.sh)\n",
            0,
        ),
        (
            ZOO, "src = \"zoo.cfg.tmpl\"", "src = \"zoo.cgf.tmpl\"",
            "etc/conf.d/zoo.cfg.toml:2:7: E201 there is no template zoo.cgf.tmpl\n    \
             did you mean src = \"zoo.cfg.tmpl\"?\n",
            1,
        ),
        (
            MYID, "/zk_data/zookeeper/myid", "/opt/zookeeper/conf/zoo.cfg",
            "etc/conf.d/zoo.cfg.toml:3:8: E202 etc/conf.d/myid.toml:3 has dest \
             /opt/zookeeper/conf/zoo.cfg, too\n    \
             remove one of the two resources\n",
            1,
        ),
        (
            MYID, "keys = [\"/host\"]", "keys = [\"/self/host\"]",
            "etc/conf.d/myid.toml:4:9: E402 key /self/host repeats the prefix /self\n    \
             keys begin below the prefix: write \"/host\"\n\
             etc/templates/myid.tmpl:1:8: E401 keys of etc/conf.d/myid.toml do not cover \
             /host/sid\n    \
             write keys = [\"/self/host\", \"/host\"]\n",
            1,
        ),
        (
            MYID, "keys = [\"/host\"]", "keys = [\"/cluster\"]",
            "etc/templates/myid.tmpl:1:8: E401 keys of etc/conf.d/myid.toml do not cover \
             /host/sid\n    \
             write keys = [\"/cluster\", \"/host\"]\n",
            1,
        ),
        (
            MYID_TEMPLATE, "getv", "gtev",
            "etc/templates/myid.tmpl:1:3: E302 function \"gtev\" not defined\n    \
             there is a function getv\n",
            1,
        ),
        (
            MYID_TEMPLATE, "/host/sid", "/host/sidd",
            "etc/templates/myid.tmpl:1:8: E404 the metadata has no /host/sidd\n    \
             did you mean /host/sid?\n",
            1,
        ),
        (
            MYID_TEMPLATE, "/host/sid", "/self/host/sid",
            "etc/templates/myid.tmpl:1:8: E402 /self/host/sid repeats the prefix /self\n    \
             keys begin below the prefix: write \"/host/sid\"\n",
            1,
        ),
        (
            MYID_TEMPLATE, "{{getv", "\u{feff}{{getv",
            "etc/templates/myid.tmpl:1:1: W106 the template and the file begin with a byte \
             order mark\n    \
             save it as UTF-8 without BOM\n",
            0,
        ),
        (
            ZOO_TEMPLATE, "{{end}}", "",
            "etc/templates/zoo.cfg.tmpl:7:3: E301 unexpected EOF\n    \
             the block that begins on line 7 has no {{end}}\n",
            1,
        ),
        (
            ZOO_TEMPLATE, "/hosts/%s/sid", "/hosts/%s/side",
            "etc/templates/zoo.cfg.tmpl:7:50: E404 the metadata has no /hosts/…/side\n    \
             did you mean /hosts/i-1/sid?\n",
            1,
        ),
        (
            ZOO_TEMPLATE, "{{range $dir", "{{if exists \"/hosts\"}}{{end}}{{range $dir",
            "etc/templates/zoo.cfg.tmpl:7:13: E403 /hosts is a directory: exists is always \
             false\n    \
             test whether it has names: {{if ls \"/hosts\"}}\n",
            1,
        ),
        (
            ZOO_TEMPLATE, "1000", "{{max 1000 (getv \"/host/heap\" \"5\")}}",
            "etc/templates/zoo.cfg.tmpl:6:18: W310 max returns a float: values from 1,000,000 \
             on print as 1e+06\n    \
             print it as {{printf \"%.0f\" (max …)}}\n",
            0,
        ),
        (
            ZOO_TEMPLATE, "tickTime", "# {{datetime}}\ntickTime",
            "etc/templates/zoo.cfg.tmpl:1:5: W309 datetime prints the current time: the file \
             differs at every run\n    \
             remove it: each run rewrites the file and runs the reload_cmd\n",
            0,
        ),
    ];
    for (file, good, bad, says, code) in mistakes {
        let env = zookeeper();
        let whole = env.read(&format!("etc/{file}"));
        seed(&env, file, good, bad);
        let run = lint(&env);
        run.expect_code(*code);
        assert_eq!(run.stdout, *says, "{bad}");
        env.put(&format!("etc/{file}"), &whole);
        assert_eq!(lint(&env).stdout, "", "{bad}");
    }
}

#[test]
fn keys_without_their_section_have_one_cure() {
    let env = zookeeper();
    seed(&env, "conf.d/myid.toml", "[template]\n", "");
    let run = lint(&env);
    run.expect_code(1);
    let says = "etc/conf.d/myid.toml:1:1: E103 there is no [template] section\n    \
                write [template] on a line above the keys\n";
    assert_eq!(run.stdout, says);
}

#[test]
fn lines_for_a_shell_end_in_lf() {
    let env = zookeeper();
    let says = "etc/templates/env.tmpl:1:4: E107 lines end in CRLF, and a shell reads";
    for (dest, text, lines, found) in [
        ("/opt/zookeeper/conf/java.env", "A=1\r\n", "", true),
        ("/etc/default/zookeeper", "A=1\r\n", "", true),
        ("/opt/run", "#!/bin/sh\r\n", "", true),
        (
            "/opt/run",
            "A=1\r\n",
            "reload_cmd = \". /opt/run; /bin/x\"",
            true,
        ),
        (
            "/opt/run",
            "A=1\r\n",
            "reload_cmd = \"/bin/sh /opt/run\"",
            true,
        ),
        ("/opt/run", "A=1\r\n", "reload_cmd = \"/opt/run\"", true),
        (
            "/opt/run",
            "A=1\r\n",
            "reload_cmd = \"/bin/x /opt/run\"",
            false,
        ),
        ("/opt/app.ini", "A=1\r\n", "", false),
        ("/opt/java.env", "A=1\n", "", false),
    ] {
        env.template("env.tmpl", text);
        env.resource(
            "env.toml",
            &format!("[template]\nsrc = \"env.tmpl\"\ndest = \"{dest}\"\n{lines}\n"),
        );
        let run = lint(&env);
        let begins = run.stdout.split(',').next().unwrap_or_default();
        assert_eq!(
            run.stdout.contains(" E107 "),
            found,
            "{dest} {lines}: {}",
            run.stdout
        );
        if found && text.starts_with('A') {
            assert!(says.starts_with(begins), "{}", run.stdout);
        }
    }
}

/// The findings in each of these templates, as code, column and message, and as sorted by them.
fn findings(env: &Env, cases: &[(&str, &str)]) -> Vec<String> {
    for (number, (template, _)) in cases.iter().enumerate() {
        env.template(&format!("t{number:03}.tmpl"), template);
        env.resource(
            &format!("t{number:03}.toml"),
            &format!(
                "[template]\nsrc = \"t{number:03}.tmpl\"\ndest = \"/o/{number}\"\nkeys = [\"/\"]\n"
            ),
        );
    }
    let run = env.run(&[LINT, WITH_DUMP, &["-format", "json"]].concat());
    let all: Json = serde_json::from_str(&run.stdout).expect("JSON");
    let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in all["findings"].as_array().expect("a list") {
        let text = |key: &str| finding[key].as_str().expect("text").to_owned();
        let found = format!("{} {} {}", text("code"), finding["column"], text("message"));
        by_file.entry(text("file")).or_default().push(found);
    }
    let found = (0..cases.len()).map(|number| {
        let file = format!("etc/templates/t{number:03}.tmpl");
        by_file.remove(&file).unwrap_or_default().join("; ")
    });
    found.collect()
}

#[test]
fn calls_are_checked_without_being_executed() {
    let env = zookeeper();
    let cases: &[(&str, &str)] = &[
        // Arguments.
        (
            r#"{{replace "a" "b" "c"}}"#,
            "E303 3 replace gets 3 arguments",
        ),
        (
            r#"{{"c" | replace "a" "b"}}"#,
            "E303 9 replace gets 3 arguments",
        ),
        ("{{(len)}}", "E303 4 len gets 0 arguments"),
        (r#"{{or}}"#, "E303 3 or gets 0 arguments"),
        (
            r#"{{join (getv "/host/ip") ","}}"#,
            "E304 9 join takes []string; getv returns string",
        ),
        (r#"{{getv 5}}"#, "E304 8 getv takes string; this is int"),
        (r#"{{join (ls "/hosts") ","}} {{split "a" "," | len}}"#, ""),
        (
            r#"{{range getv "/host/ip"}}{{end}}"#,
            "E304 9 range cannot go through a string",
        ),
        // Formats.
        (
            r#"{{printf "%d" (getv "/host/sid")}}"#,
            "E308 16 printf prints %!d(string=…)",
        ),
        (
            r#"{{"x" | printf "%s%s"}}"#,
            "E308 9 printf has 2 verbs for 1 argument: it prints %!(MISSING)",
        ),
        (
            r#"{{printf "%s" "a" "b"}}"#,
            "E308 3 printf has 1 verb for 2 arguments: it prints %!(EXTRA …)",
        ),
        (r#"{{printf "100%"}}"#, "E308 3 printf prints %!(NOVERB)"),
        (
            r#"{{printf "%s %d %v %% %5.1f %*d" "a" (len "a") 1 1.5 2 3}}"#,
            "",
        ),
        // Floats and time.
        (
            r#"{{max 1 2}} {{min 5 (getv "/host/ip")}} {{printf "%.0f" (max 1 (getv "/host/ip"))}}"#,
            "",
        ),
        (
            r#"{{$x := min (getv "/host/ip") 2000000}}{{$x}}"#,
            "W310 9 min returns a float: values from 1,000,000 on print as 1e+06",
        ),
        (
            r#"{{add 1 (max 1 (getv "/host/ip")) | print "x"}}"#,
            "W310 10 max returns a float: values from 1,000,000 on print as 1e+06",
        ),
        (r#"{{if gt (max 1 (getv "/host/ip")) 5}}{{end}}"#, ""),
        (
            r#"{{datetime.Format "2006-01-02"}} {{datetime.Year}} {{if datetime}}{{end}}"#,
            "",
        ),
        (
            r#"{{datetime.Format "15:04"}}"#,
            "W309 3 this prints the time of day: the file differs at every run",
        ),
        (
            r#"{{$t := datetime}}{{$t}}"#,
            "W309 9 datetime prints the current time: the file differs at every run",
        ),
        // Patterns, expressions, other files.
        (r#"{{gets "/hosts/[/ip"}}"#, "E307 8 gets: invalid pattern"),
        (
            r#"{{filter "*.log" (ls "/hosts")}}"#,
            "E307 10 filter: error parsing regexp: missing argument to repetition operator: `*`",
        ),
        (
            r#"{{include "none"}}{{include "myid.tmpl"}}"#,
            "E201 11 include: there is no template none",
        ),
        // Names.
        (
            "{{$x}}{{gtev 1}}{{exsts 1}}",
            "E305 3 undefined variable \"$x\"; E302 9 function \"gtev\" not defined; E302 19 function \"exsts\" not defined",
        ),
        (
            "{{if 1}}{{$x := 1}}{{end}}{{if 1}}{{$x = 2}}{{end}}",
            "E305 37 $x is assigned, but not declared",
        ),
        (
            r#"{{template "head"}}"#,
            "E305 12 template \"head\" is not defined",
        ),
        (
            "{{$n := 1}}{{if 1}}{{$n := 2}}{{end}}{{$n}}",
            "W306 22 this $n ends with its block and is not used",
        ),
        ("{{$n := 1}}{{if 1}}{{$n = 2}}{{end}}{{$n}}", ""),
    ];
    for ((template, expected), found) in cases.iter().zip(findings(&env, cases)) {
        assert_eq!(found, *expected, "{template}");
    }
}

#[test]
fn keys_are_looked_up_where_that_is_certain() {
    let env = zookeeper();
    let cases: &[(&str, &str)] = &[
        // Certain to fail, or guarded.
        (
            r#"{{getv "/cmd/id"}}"#,
            "E404 8 the metadata has no /cmd/id",
        ),
        (
            r#"{{if exists "/cmd/id"}}{{getv "/cmd/id"}}:{{getv "/cmd/cmd"}}{{end}}"#,
            "",
        ),
        (
            r#"{{getv "/env/x" ""}}{{range gets "/env/*"}}{{getv "/x"}}{{end}}"#,
            "",
        ),
        (r#"{{and (exists "/cmd/id") (getv "/cmd/id")}}"#, ""),
        (
            r#"{{range gets "/adding-hosts/*/ip"}}{{end}}{{ls "/adding-hosts"}}"#,
            "",
        ),
        // Misspelt.
        (
            r#"{{if exists "/cluster/zon"}}{{end}}"#,
            "W405 13 the metadata has no /cluster/zon",
        ),
        (
            r#"{{if exists "/host/gid"}}{{getv "/host/gid"}}{{end}}"#,
            "",
        ),
        (
            r#"{{range ls "/hots"}}{{end}}"#,
            "W405 12 the metadata has nothing below /hots",
        ),
        (
            r#"{{range ls "/host/none"}}{{end}}"#,
            "W405 12 the metadata has nothing below /host/none",
        ),
        // Directories.
        (
            r#"{{getv "/host"}}"#,
            "E403 8 /host is a directory: getv never finds it",
        ),
        (
            r#"{{"/hosts/i-1" | exists}}"#,
            "E403 3 /hosts/i-1 is a directory: exists is always false",
        ),
        (
            r#"{{range gets "/hosts/*"}}{{end}}"#,
            "W407 14 \"/hosts/*\" matches nothing: what it matches has keys below it",
        ),
        (
            r#"{{getvs "/host"}}"#,
            "W407 9 \"/host\" matches nothing: what it matches has keys below it",
        ),
        // Forms.
        (
            r#"{{getv "host/ip"}}"#,
            "E406 8 the key \"host/ip\" does not begin with /",
        ),
        (
            r#"{{getv "/host/ip/"}}"#,
            "E406 8 the key \"/host/ip/\" ends with /",
        ),
        (
            r#"{{getv (printf "hosts/%s" .)}}"#,
            "E406 16 the key \"hosts/\" does not begin with /",
        ),
        // The prefix.
        (
            r#"{{range $d := ls "/self/hosts"}}{{end}}"#,
            "E402 18 /self/hosts repeats the prefix /self",
        ),
        (
            r#"{{range .}}{{getv (printf "/self/hosts/%s/ip" .)}}{{end}}"#,
            "E402 27 /self/hosts repeats the prefix /self",
        ),
        (
            r#"{{$h := "/hosts"}}{{range .}}{{getv (print $h "/" . "/ipp")}}{{end}}"#,
            "E404 38 the metadata has no /hosts/…/ipp",
        ),
    ];
    for ((template, expected), found) in cases.iter().zip(findings(&env, cases)) {
        assert_eq!(found, *expected, "{template}");
    }
}

#[test]
fn commands_and_places_of_a_resource_are_checked() {
    let cases = [
        ("check_cmd = \"/usr/sbin/nginx -t\"", "5:13: W206"),
        ("check_cmd = \"/usr/sbin/x {{.Src}}\"", "5:13: E208"),
        ("check_cmd = \"/usr/sbin/x {{.src}}\"", ""),
        ("prefix = \"/hosts\"", "5:10: W207"),
        ("prefix = \"/self\"", ""),
        ("mode = \"0999\"", "5:1: E103"),
        ("uid = \"mysql\"", "5:7: E102"),
    ];
    for (line, expected) in cases {
        let env = zookeeper();
        seed(&env, "conf.d/myid.toml", "mode = \"0644\"", line);
        let found = lint(&env).stdout;
        let expected = match expected {
            "" => String::new(),
            place => format!("etc/conf.d/myid.toml:{place} "),
        };
        assert!(
            found.starts_with(&expected) && found.is_empty() == expected.is_empty(),
            "{line}: {found}"
        );
    }
}

#[test]
fn without_keys_a_template_sees_nothing() {
    let env = zookeeper();
    seed(&env, "conf.d/myid.toml", "keys = [\"/host\"]\n", "");
    let run = lint(&env);
    run.expect_code(1);
    assert!(
        run.stdout.starts_with("etc/conf.d/myid.toml:2:1: E209 "),
        "{}",
        run.stdout
    );
    env.template("myid.tmpl", "7");
    assert_eq!(lint(&env).stdout, "");
}

#[test]
fn a_broken_confd_toml_hides_nothing_else() {
    let mut env = zookeeper();
    env.settings("nodes = \"metadata:80\"\nintervall = 5\ninterval = 0\nwatch = True");
    seed(&env, "templates/myid.tmpl", "getv", "gtev");
    let run = env.run(&[
        "-lint",
        "-config-file",
        "$ROOT/etc/confd.toml",
        "-file",
        "$ROOT/metadata.json",
    ]);
    run.expect_code(1);
    let heads = run.stdout.lines().filter(|line| !line.starts_with(' '));
    let heads: Vec<String> = heads
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let settings = env.read("etc/confd.toml");
    let first = 1 + settings
        .lines()
        .take_while(|line| !line.starts_with("nodes"))
        .count();
    assert_eq!(
        heads,
        [
            format!("etc/confd.toml:{first}:9: W105"),
            format!("etc/confd.toml:{}:1: W104", first + 1),
            format!("etc/confd.toml:{}:9: E101", first + 3),
            "etc/templates/myid.tmpl:1:3: E302".to_owned(),
        ]
    );
}

#[test]
fn every_file_is_read_not_only_the_first_broken_one() {
    let env = zookeeper();
    env.resource("a.toml", "[template\nsrc = 'a'\n");
    env.resource("b.toml", "[templates]\nsrc = 'a'\n");
    env.template("x.tmpl", "{{if}}");
    env.template("y.tmpl", "{{end}}");
    let run = lint(&env);
    run.expect_code(1);
    let heads: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert_eq!(
        heads,
        [
            "etc/conf.d/a.toml:1:10: E101 unclosed table, expected `]`",
            "etc/conf.d/b.toml:1:1: E103 there is no [template] section",
            "etc/conf.d/b.toml:1:2: W104 unknown key templates is ignored",
            "etc/templates/x.tmpl:1:5: E301 missing value for if",
            "etc/templates/y.tmpl:1:6: E301 unexpected {{end}}",
        ]
    );
}

#[test]
fn machines_read_json_and_get_the_same_exit_code() {
    let env = zookeeper();
    seed(&env, "templates/myid.tmpl", "getv", "gtev");
    let run = env.run(&[LINT, WITH_DUMP, &["-format", "json"]].concat());
    run.expect_code(1);
    let found: Json = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(
        found,
        json!({
            "version": 1,
            "errors": 1,
            "warnings": 0,
            "findings": [{
                "file": "etc/templates/myid.tmpl",
                "line": 1,
                "column": 3,
                "code": "E302",
                "severity": "error",
                "message": "function \"gtev\" not defined",
                "help": "there is a function getv",
            }],
        })
    );
}

#[test]
fn wrong_calls_of_lint_are_reported() {
    let env = zookeeper();
    for (arguments, code, said) in [
        (
            &["-lint", "-format", "xml"][..],
            2,
            "-format must be text or json, not \"xml\"",
        ),
        (
            &["-format", "json"],
            2,
            "-format goes with -diff or -status or -doctor or -lint or",
        ),
        (
            &[
                "-lint",
                "-confdir",
                "$ROOT/none",
                "-file",
                "$ROOT/metadata.json",
            ],
            1,
            "there is no conf.d in it",
        ),
        (
            &["-lint", "-confdir", "$ROOT/etc", "-file", "$ROOT/none.json"],
            1,
            "none.json",
        ),
    ] {
        let run = env.run(arguments);
        run.expect_code(code).expect_log(said);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn an_unknown_environment_variable_is_a_finding() {
    let mut env = Env::new();
    env.var("CONFD_PREFX", "/self");
    let run = env.run(&["-lint", "-confdir", "etc"]);
    run.expect_code(0);
    let told = "environment:1:1: W104 unknown variable CONFD_PREFX is ignored; did you mean CONFD_PREFIX?\n";
    assert!(run.stdout.contains(told), "{}", run.stdout);
    env.run(&["-lint", "-config-file", "none.toml"])
        .expect_code(2);
}
