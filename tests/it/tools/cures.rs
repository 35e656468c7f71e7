//! `-lint`: whoever does what is printed has repaired the mistake, whatever its class.

use std::fs;

use super::lint::{WITH_DUMP, lint, seed, zookeeper};
use crate::env::Env;

/// The files that the example makes, below a root of their own.
fn image(env: &Env) -> Vec<String> {
    let made = env.run(
        &[
            &["-onetime", "-confdir", "$ROOT/etc", "-prefix", "/self"],
            WITH_DUMP,
            &["-root", "$ROOT/image"],
        ]
        .concat(),
    );
    made.expect_code(0);
    ["opt/zookeeper/conf/zoo.cfg", "zk_data/zookeeper/myid"]
        .map(|path| env.read(&format!("image/{path}")))
        .into()
}

#[test]
fn one_mistake_of_each_class_is_repaired_with_what_is_printed() {
    let good = image(&zookeeper());
    const ZOO: &str = "conf.d/zoo.cfg.toml";
    const MYID: &str = "conf.d/myid.toml";
    const ZOO_TEMPLATE: &str = "templates/zoo.cfg.tmpl";
    const MYID_TEMPLATE: &str = "templates/myid.tmpl";
    let env_toml = "[template]\nsrc = \"env.tmpl\"\ndest = \"/opt/java.env\"\n";
    let twin =
        "[template]\nsrc = \"myid.tmpl\"\ndest = \"/zk_data/zookeeper/myid\"\nkeys = [\"/host\"]\n";
    // Code, file, what is good, what is seeded (a whole file where nothing is good), what is
    // printed, what is wrong by that, what becomes of it (nothing of a file that is removed).
    #[rustfmt::skip]
    let mistakes = [
        ("E301", ZOO_TEMPLATE, "{{end}}", "", "the block that begins on line 7 has no {{end}}", ":3888", ":3888{{end}}"),
        ("E302", MYID_TEMPLATE, "getv", "gtev", "there is a function getv", "gtev", "getv"),
        ("W104", ZOO, "reload_cmd", "relaod_cmd", "did you mean reload_cmd?", "relaod_cmd", "reload_cmd"),
        ("E201", ZOO, "zoo.cfg.tmpl", "zoo.cgf.tmpl", "did you mean src = \"zoo.cfg.tmpl\"?", "zoo.cgf.tmpl", "zoo.cfg.tmpl"),
        ("E202", "conf.d/twin.toml", "", twin, "remove one of the two resources", "", ""),
        ("E401", MYID, "[\"/host\"]", "[\"/cluster\"]", "keys = [\"/cluster\", \"/host\"]", "[\"/cluster\"]", "[\"/cluster\", \"/host\"]"),
        ("E402", MYID_TEMPLATE, "/host/sid", "/self/host/sid", "write \"/host/sid\"", "/self/host/sid", "/host/sid"),
        ("E403", ZOO_TEMPLATE, "{{range $dir", "{{if exists \"/hosts\"}}{{end}}{{range $dir", "{{if ls \"/hosts\"}}", "{{if exists \"/hosts\"}}", "{{if ls \"/hosts\"}}"),
        ("W310", ZOO_TEMPLATE, "1000", "{{max 1000 (getv \"/host/heap\" \"5\")}}", "{{printf \"%.0f\" (max …)}}", "max 1000 (getv \"/host/heap\" \"5\")", "printf \"%.0f\" (max 1000 (getv \"/host/heap\" \"5\"))"),
        ("W309", ZOO_TEMPLATE, "tickTime", "{{datetime}}tickTime", "remove it", "{{datetime}}", ""),
        ("W204", ZOO, "/opt/zookeeper/bin/zkServer.sh", "zkServer.sh", "write its absolute path", "zkServer.sh", "/opt/zookeeper/bin/zkServer.sh"),
        ("W106", MYID_TEMPLATE, "{{getv", "\u{feff}{{getv", "save it as UTF-8 without BOM", "\u{feff}", ""),
        ("E107", "templates/env.tmpl", "", "A=1\r\n", "LF", "\r\n", "\n"),
        ("W203", ZOO, "\"0644\"", "\"644\"", "write mode = \"0644\"", "\"644\"", "\"0644\""),
        ("E101", ZOO, "\"0644\"", "0644", "put the string in quotes: mode = \"0644\"", "0644", "\"0644\""),
    ];
    for (code, file, whole, bad, printed, wrong, right) in mistakes {
        let env = zookeeper();
        match whole {
            "" => env.put(&format!("etc/{file}"), bad),
            _ => seed(&env, file, whole, bad),
        }
        if code == "E107" {
            env.resource("env.toml", env_toml);
        }
        let run = lint(&env);
        assert!(
            run.stdout.contains(&format!(": {code} ")),
            "{code}: {}",
            run.stdout
        );
        // Words that were broken over lines are together again.
        let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(printed), "{code}: {}", run.stdout);
        match wrong {
            "" => fs::remove_file(env.path(&format!("etc/{file}"))).expect("removed"),
            _ => seed(&env, file, wrong, right),
        }
        let run = lint(&env);
        run.expect_code(0);
        assert_eq!(run.stdout, "", "{code}");
        assert_eq!(image(&env), good, "{code}");
    }
}

#[test]
fn what_does_not_parse_has_a_cure() {
    for (template, says) in [
        (
            "{{getv (\"/host/sid\"}}",
            "E301 unclosed left paren\n    close it with )",
        ),
        (
            "{{getv \"/host/sid}}\n",
            "E301 unterminated quoted string\n    close it with \"",
        ),
        (
            "{{getv `/host/sid}}",
            "E301 unterminated raw quoted string\n    close it with `",
        ),
        (
            "{{getv \"/host/sid\"",
            "E301 unclosed action\n    close it with }}",
        ),
        ("{{/* sid", "E301 unclosed comment\n    close it with */}}"),
        (
            "{{getv \"/host/sid\" }",
            "E301 unexpected \"}\" in operand\n    an action ends with }}",
        ),
        (
            "{{getv /host/sid}}",
            "E301 unexpected \"/\" in operand\n    put strings and paths in double quotes",
        ),
        (
            "{{getv '/host/sid'}}",
            "E301 malformed character constant: '/host/sid'\n    put strings in double quotes",
        ),
        (
            "x\n{{end}}",
            "E301 unexpected {{end}}\n    no block is open here",
        ),
        (
            "{{if 1}}{{else}}{{else}}{{end}}",
            "found {{else}}\n    a block has at most one {{else}}",
        ),
        (
            "{{if}}{{end}}",
            "E301 missing value for if\n    write a value after it",
        ),
        (
            "{{\"a\" | | len}}",
            "\n    write a function or a value between",
        ),
        (
            "{{break}}",
            "E301 {{break}} outside {{range}}\n    write it inside {{range}}",
        ),
        (
            "{{define \"a\"}}x{{end}}{{define \"a\"}}y{{end}}",
            "\n    rename one of them",
        ),
        (
            "{{define \"a\"}}{{else}}{{end}}",
            "\n    close the {{if}} inside it first",
        ),
        (
            "{{\"\\d\"}}",
            "E301 invalid syntax\n    write \\\\ for a backslash",
        ),
        (
            "{{if 1}}\n{{range ls \"/hosts\"}}\n{{with 1}}\n{{end}}{{end}}\n",
            "E301 unexpected EOF\n    the block that begins on line 1 has no {{end}}",
        ),
        (
            "\n{{define \"a\"}}\n{{if 1}}{{else}}\n",
            "E301 unexpected EOF\n    the block that begins on line 3 has no {{end}}",
        ),
    ] {
        let env = zookeeper();
        env.template("myid.tmpl", template);
        let run = lint(&env);
        run.expect_code(1);
        assert!(run.stdout.contains(says), "{template}: {}", run.stdout);
    }
}
