//! The READMEs' chapter about debugging: what it shows is what the program prints, and whoever
//! follows it gets there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::env::{Env, Run, confd};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies the files of a directory, and of those in it.
fn copy(from: &Path, env: &Env, to: &str) {
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            copy(&path, env, &format!("{to}/{name}"))
        } else {
            env.put(
                &format!("{to}/{name}"),
                &fs::read_to_string(&path).expect("text"),
            )
        }
    }
}

/// The directory of examples, in an environment of its own.
fn examples() -> Env {
    let env = Env::new();
    for name in ["mistakes", "zookeeper"] {
        copy(&project().join("tests/fixtures").join(name), &env, name);
    }
    env
}

fn run_in(env: &Env, directory: &str, line: &str) -> Run {
    let arguments: Vec<&str> = line.split(' ').collect();
    let mut command = env.command(&arguments);
    command.current_dir(env.path(directory));
    env.finish(command)
}

/// The output on a terminal of 80 columns. None, said aloud, where there is no script(1).
fn shown_in(env: &Env, directory: &str, line: &str) -> Option<String> {
    let line = format!("NO_COLOR=1 COLUMNS=80 {} {line}", confd());
    let mut command = env.command_of("script", &["-qec", &line, "/dev/null"]);
    command.current_dir(env.path(directory));
    if env.command_of("script", &["-V"]).output().is_err() {
        eprintln!("SKIPPED the_chapter_shows_what_the_program_prints: no script(1)");
        return None;
    }
    Some(env.finish(command).stdout.replace('\r', ""))
}

const LINT: &str = "-lint -confdir . -prefix /self -file ../zookeeper/metadata.json";
const DIFF: &str = "-diff -confdir . -prefix /self -file ../zookeeper/metadata.json";
const DOCTOR: &str = "-doctor -confdir . -prefix /self -node 127.0.0.1:9";
const REHEARSE: &str = "-rehearse metadata.json -confdir .";

/// Fails unless both READMEs show this as a block.
#[track_caller]
fn expect_shown(block: &str) {
    for name in ["README.md", "README.zh-CN.md"] {
        let readme = fs::read_to_string(project().join(name)).expect(name);
        assert!(
            readme.contains(&format!("```\n{block}```\n")),
            "{name} does not show\n{block}"
        );
    }
}

#[test]
fn the_chapter_shows_what_the_program_prints() {
    let env = examples();
    let Some(lint) = shown_in(&env, "mistakes", LINT) else {
        return;
    };
    expect_shown(&lint);

    let diff = run_in(&env, "mistakes", DIFF);
    diff.expect_code(1);
    let answer = diff
        .stderr
        .lines()
        .skip_while(|line| !line.contains("myid.tmpl"));
    let answer: Vec<&str> = answer.take(3).collect();
    expect_shown(&format!("{}\n", answer.join("\n")));

    let Some(doctor) = shown_in(&env, "mistakes", DOCTOR) else {
        return;
    };
    // What is between these lines depends on the machine.
    let shown = ["resources  ", "node       ", "dest       "].map(|check| {
        let (_, from) = doctor.split_once(check).expect(check);
        let more = from
            .lines()
            .skip(1)
            .take_while(|line| line.starts_with(' '));
        let lines = from.lines().take(1).chain(more);
        let verdict = if check.starts_with("dest") {
            "ok"
        } else {
            "error"
        };
        format!("{verdict:9}{check}{}\n", Vec::from_iter(lines).join("\n"))
    });
    expect_shown(&shown.concat());

    let zoo = "zookeeper/templates/zoo.cfg.tmpl";
    env.put(
        zoo,
        &format!(
            "{}standby={{{{index (getvs \"/hosts/*/ip\") 1}}}}\n",
            env.read(zoo)
        ),
    );
    let rehearsal = run_in(&env, "zookeeper", REHEARSE);
    rehearsal.expect_code(1);
    expect_shown(&rehearsal.stdout);
}

#[test]
fn following_the_help_repairs_the_image() {
    let env = examples();
    let printed = run_in(&env, "mistakes", LINT).stdout;
    // File, what is wrong, what was printed about it, what becomes of it.
    let cures = [
        (
            "conf.d/java.env.toml",
            "mode = 0644",
            "mode = \"0644\"",
            "mode = \"0644\"",
        ),
        (
            "conf.d/myid.toml",
            "mode = \"644\"",
            "mode = \"0644\"",
            "mode = \"0644\"",
        ),
        (
            "conf.d/myid.toml",
            "relaod_cmd",
            "did you mean reload_cmd?",
            "reload_cmd",
        ),
        (
            "conf.d/myid.toml",
            "keys = [\"/hosts\"]",
            "keys = [\"/hosts\", \"/host\"]",
            "keys = [\"/hosts\", \"/host\"]",
        ),
        (
            "conf.d/zoo.cfg.toml",
            "zkServer.sh",
            "(/…/zkServer.sh)",
            "/opt/zookeeper/bin/zkServer.sh",
        ),
        (
            "templates/java.env.tmpl",
            "max 512 (getv \"/host/memory\" \"1024\")",
            "{{printf \"%.0f\" (max …)}}",
            "printf \"%.0f\" (max 512 (getv \"/host/memory\" \"1024\"))",
        ),
        (
            "templates/zoo.cfg.tmpl",
            "# made at {{datetime}}\n",
            "remove it",
            "",
        ),
        (
            "templates/zoo.cfg.tmpl",
            "/self/host/ip",
            "write \"/host/ip\"",
            "/host/ip",
        ),
        (
            "templates/zoo.cfg.tmpl",
            "{{if exists \"/hosts\"}}",
            "{{if ls \"/hosts\"}}",
            "{{if ls \"/hosts\"}}",
        ),
        (
            "templates/zoo.cfg.tmpl",
            "gtev",
            "there is a function getv",
            "getv",
        ),
        (
            "templates/zoo.cfg.tmpl",
            "/ipp",
            "did you mean /hosts/i-1/ip?",
            "/ip",
        ),
    ];
    for (file, wrong, said, right) in cures {
        assert!(printed.contains(said), "{said:?} in\n{printed}");
        let file = format!("mistakes/{file}");
        let text = env.read(&file);
        assert!(text.contains(wrong), "{wrong} in {file}");
        env.put(&file, &text.replacen(wrong, right, 1));
    }
    let lint = run_in(&env, "mistakes", LINT);
    lint.expect_code(0);
    assert_eq!(lint.stdout, "");

    let line = DIFF.replace("-diff", "-onetime -root ../image");
    run_in(&env, "mistakes", &line).expect_code(0);
    let image = PathBuf::from("image");
    let file = |path: &str| env.read(&image.join(path).to_string_lossy());
    assert_eq!(file("zk_data/zookeeper/myid"), "2\n");
    assert_eq!(
        file("opt/zookeeper/conf/java.env"),
        "JVMFLAGS=\"-Xmx1024m\"\n"
    );
    assert!(file("opt/zookeeper/conf/zoo.cfg").contains("\nserver.3=192.168.100.4:2888:3888"));

    let line = "-rehearse ../zookeeper/metadata.json -confdir . -prefix /self";
    run_in(&env, "mistakes", line).expect_code(0);
}
