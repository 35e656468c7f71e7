//! exec.sh: the platform's command runs once for each id, arrives as it was sent, and its verdict
//! is in cmd.log.

use std::fs;
use std::process::{Command, ExitStatus, Stdio};

use super::{shells, source, under, works};
use crate::env::{Env, copy_program, until};

/// An image's app-agent directory with exec.sh in it.
struct Agent {
    env: Env,
    shell: &'static [&'static str],
}

impl Agent {
    fn new(shell: &'static [&'static str]) -> Agent {
        let env = Env::new();
        for directory in ["bin", "log", "data"] {
            fs::create_dir(env.path(directory)).expect("a directory of the agent");
        }
        copy_program(source("exec.sh"), env.path("bin/exec.sh"));
        Agent { env, shell }
    }

    /// exec.sh with its shell.
    fn exec(&self) -> Command {
        let mut command = under(self.shell, self.env.path("bin/exec.sh"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Puts `info` into cmd.info and runs exec.sh.
    fn run(&self, info: &str) -> ExitStatus {
        fs::write(self.env.path("log/cmd.info"), info).expect("cmd.info");
        self.exec().status().expect("exec.sh")
    }

    /// Runs exec.sh with these options; it must succeed.
    fn start(&self, options: &[&str]) {
        let status = self.exec().args(options).status();
        assert!(status.expect("exec.sh").success(), "{options:?}");
    }

    fn app_log(&self) -> String {
        fs::read_to_string(self.env.path("log/app.log")).unwrap_or_default()
    }

    /// cmd.log with its times, which must have their form, taken off.
    fn cmd_log(&self) -> String {
        let text = fs::read_to_string(self.env.path("log/cmd.log")).unwrap_or_default();
        let untimed = |line: &str| -> String {
            match line.split_at_checked(20) {
                Some((time, rest)) if is_time(time) => rest.to_string(),
                _ => line.to_string(),
            }
        };
        text.split_inclusive('\n').map(untimed).collect()
    }
}

/// Returns true if `text` is `YYYY-mm-dd HH:MM:SS `.
fn is_time(text: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    text.chars().map(shape).collect::<String>() == "0000-00-00 00:00:00 "
}

/// Does `test` with a fresh agent under each shell.
fn under_each_shell(test: impl Fn(&Agent)) {
    for shell in shells() {
        println!("under {shell:?}");
        test(&Agent::new(shell));
    }
}

#[test]
fn a_command_that_succeeds_is_logged_and_its_output_appended() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("log/app.log"), "before\n").expect("app.log");
        assert!(agent.run("c-1:echo out; echo err >&2").success());
        assert_eq!(agent.app_log(), "before\nout\nerr\n");
        let log =
            "c-1 [executing]: echo out; echo err >&2\nc-1 [successful]: echo out; echo err >&2\n";
        assert_eq!(agent.cmd_log(), log);
    });
}

#[test]
fn a_command_that_fails_is_logged_with_its_status() {
    under_each_shell(|agent| {
        assert_eq!(agent.run("c-1:exit 7").code(), Some(1));
        let log = "c-1 [executing]: exit 7\nc-1 [failed7]: exit 7\n";
        assert_eq!(agent.cmd_log(), log);
    });
}

#[test]
fn an_empty_or_missing_cmd_info_does_nothing() {
    under_each_shell(|agent| {
        assert!(agent.exec().status().expect("exec.sh").success());
        for info in ["", "\n", "\n\n"] {
            assert!(agent.run(info).success(), "{info:?}");
        }
        assert_eq!(agent.cmd_log() + &agent.app_log(), "");
    });
}

#[test]
fn what_is_not_id_and_command_is_refused() {
    under_each_shell(|agent| {
        for info in ["no colon", ":echo no id"] {
            assert_eq!(agent.run(info).code(), Some(1), "{info:?}");
        }
        assert_eq!(agent.cmd_log() + &agent.app_log(), "");
    });
}

#[test]
fn a_command_arrives_unharmed() {
    let long = format!("printf %s {} | wc -c", "x".repeat(100_000));
    let cases = [
        ("echo a:b::c:", "a:b::c:\n"),
        (
            "echo 'single  quotes' \"double  quotes\"",
            "single  quotes double  quotes\n",
        ),
        ("echo \"it's\" '\"'", "it's \"\n"),
        ("printf '%s|%%|%5d\\n' 100% 7", "100%|%|    7\n"),
        ("echo a & wait; echo b && echo c || echo d", "a\nb\nc\n"),
        ("echo one\necho two\n\necho three", "one\ntwo\nthree\n"),
        ("cat <<'E'\n$x `y` \\z\nE", "$x `y` \\z\n"),
        (
            "x='a  b'; echo \"$x\" $(echo sub) `echo old`",
            "a  b sub old\n",
        ),
        (
            "echo '*' '?' '[a-z]' '~' '!' '#' # gone",
            "* ? [a-z] ~ ! #\n",
        ),
        ("printf '%s\\n' '\\n\\t\\\\'", "\\n\\t\\\\\n"),
        ("  echo leading", "leading\n"),
        (
            "echo \u{91cd}\u{542f}\u{670d}\u{52a1}",
            "\u{91cd}\u{542f}\u{670d}\u{52a1}\n",
        ),
        ("printf 'tab\\there\\n' | cat", "tab\there\n"),
        (&long, "100000\n"),
    ];
    under_each_shell(|agent| {
        for (number, (command, output)) in cases.iter().enumerate() {
            let before = agent.app_log();
            assert!(
                agent.run(&format!("c{number}:{command}")).success(),
                "{command}"
            );
            let added = agent.app_log()[before.len()..].to_string();
            assert_eq!(added, *output, "{command}");
            let log = format!("c{number} [executing]: {command}\n");
            assert!(agent.cmd_log().contains(&log), "{command}");
        }
    });
}

#[test]
fn nothing_but_the_command_gets_the_text() {
    under_each_shell(|agent| {
        let info = "c-1:printf '%s|' \"$#\" \"$PWD\"; cat";
        assert!(agent.run(info).success());
        let here = std::env::current_dir().expect("a directory");
        assert_eq!(agent.app_log(), format!("0|{}|", here.display()));
    });
}

#[test]
fn an_id_is_started_once() {
    under_each_shell(|agent| {
        assert!(agent.run("c-1:echo first").success());
        assert!(agent.run("c-1:echo first").success());
        assert!(agent.run("c-1:echo other").success());
        fs::remove_file(agent.env.path("log/cmd.info")).expect("cmd.info is lost");
        fs::remove_file(agent.env.path("log/cmd.log")).expect("cmd.log is lost");
        assert!(agent.run("c-1:echo first").success());
        assert!(agent.run("c-2:echo second").success());
        assert_eq!(agent.app_log(), "first\nsecond\n");
    });
}

#[test]
fn an_id_that_failed_is_not_started_again_either() {
    under_each_shell(|agent| {
        assert_eq!(agent.run("c-1:echo tried; exit 3").code(), Some(1));
        assert!(agent.run("c-1:echo tried; exit 3").success());
        assert_eq!(agent.app_log(), "tried\n");
    });
}

#[test]
fn the_record_is_there_before_the_command_starts() {
    under_each_shell(|agent| {
        let started = agent.env.path("data/cmd.started");
        assert!(
            agent
                .run(&format!("c-1:ls '{}'", started.display()))
                .success()
        );
        assert_eq!(agent.app_log(), "c-1\n");
    });
}

#[test]
fn a_command_of_the_agent_that_was_here_before_is_not_started_again() {
    under_each_shell(|agent| {
        let log = "2016-10-11 13:54:41 c-1 [executing]: echo x\n2016-10-11 13:54:42 c-1 [successful]: echo x\n";
        fs::write(agent.env.path("log/cmd.log"), log).expect("cmd.log");
        assert!(agent.run("c-1:echo x").success());
        assert_eq!(agent.app_log(), "");
        assert!(agent.run("c-11:echo y").success());
        assert_eq!(agent.app_log(), "y\n");
    });
}

#[test]
fn callers_at_the_same_time_start_it_once() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("log/cmd.info"), "c-1:echo once").expect("cmd.info");
        let spawn = |_| agent.exec().spawn().expect("exec.sh");
        let callers: Vec<_> = (0..8).map(spawn).collect();
        for mut caller in callers {
            assert!(caller.wait().expect("exec.sh").success());
        }
        assert_eq!(agent.app_log(), "once\n");
    });
}

#[test]
fn any_id_can_be_recorded() {
    under_each_shell(|agent| {
        for id in [
            "../../out",
            ".",
            "..",
            "/",
            "a b",
            "-n",
            "*",
            "%s",
            "=2e",
            "x\ny",
            "\u{4efb}\u{52a1}",
        ] {
            let before = agent.app_log();
            for _ in 0..2 {
                assert!(agent.run(&format!("{id}:echo ran")).success(), "{id:?}");
            }
            assert_eq!(agent.app_log(), before + "ran\n", "{id:?}");
        }
        assert_eq!(agent.env.names("data"), ["cmd.started"]);
    });
}

#[test]
fn what_cannot_be_recorded_is_not_started() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("data/cmd.started"), "").expect("a file in the way");
        assert_eq!(agent.run("c-1:echo x").code(), Some(1));
        assert_eq!(agent.app_log(), "");
        assert_eq!(agent.cmd_log(), "c-1 [failed1]: echo x\n");
    });
}

#[test]
fn a_limit_holds_when_it_is_asked_for() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("log/cmd.timeout"), "1\n").expect("cmd.timeout");
        assert_eq!(agent.run("c-1:echo begun; exec sleep 600").code(), Some(1));
        // Some shells say into their log that a signal ended the command.
        assert!(
            agent.app_log().starts_with("begun\n"),
            "{}",
            agent.app_log()
        );
        let log = agent.cmd_log();
        let failed = ["c-1 [failed124]: ", "c-1 [failed143]: "];
        assert!(failed.iter().any(|line| log.contains(line)), "{log}");
        for (number, no_limit) in ["", "\n", "soon"].into_iter().enumerate() {
            fs::write(agent.env.path("log/cmd.timeout"), no_limit).expect("cmd.timeout");
            let status = agent.run(&format!("free-{number}:echo x"));
            assert!(status.success(), "{no_limit:?}");
        }
    });
}

#[test]
fn a_limit_ends_all_that_the_command_started() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("log/cmd.timeout"), "1\n").expect("cmd.timeout");
        let status = agent.run("c-1:trap '' TERM; sleep 600 & echo $!; wait");
        assert_eq!(status.code(), Some(1));
        let log = agent.app_log();
        let pid = log.lines().next().expect("a process number");
        let path = format!("/proc/{pid}/exe");
        until("the child is gone", || fs::read_link(&path).is_err());
        assert!(agent.cmd_log().contains("c-1 [failed124]: "));
    });
}

/// A PATH with what exec.sh needs of a small system, and neither bash, timeout nor setsid.
fn narrow_path(env: &Env) -> String {
    for tool in [
        "cat", "date", "dd", "dirname", "grep", "mkdir", "od", "sed", "sleep", "sync", "tr",
    ] {
        let place = program_of(tool);
        env.put("tools/empty", "");
        let link = env.path("tools").join(tool);
        std::os::unix::fs::symlink(place.expect(tool), link).expect("a link");
    }
    env.path("tools").display().to_string()
}

#[test]
fn a_command_may_be_written_for_bash_as_for_the_original_agent() {
    if !works(&["bash"]) {
        println!("bash is not installed");
        return;
    }
    under_each_shell(|agent| {
        fs::write(agent.env.path("rc"), "sourced=yes\n").expect("a file to source");
        let rc = agent.env.path("rc");
        let command = format!(
            "source '{}'; x=(a b); [[ $sourced == y* ]] && echo ${{x[1]}} && echo no &>/dev/null",
            rc.display()
        );
        assert!(agent.run(&format!("c-1:{command}")).success());
        assert_eq!(agent.app_log(), "b\n");
    });
}

#[test]
fn without_bash_and_timeout_a_command_runs_all_the_same_and_has_its_limit() {
    for shell in shells() {
        let agent = Agent::new(shell);
        let path = narrow_path(&agent.env);
        // Of another kind than today's, and not to be used.
        agent.env.put(
            "tools/timeout",
            "#!/bin/sh\necho 'timeout: invalid option'; exit 1\n",
        );
        let run = |info: &str| {
            fs::write(agent.env.path("log/cmd.info"), info).expect("cmd.info");
            let shell = shell.iter().map(|word| word.to_string());
            let mut words = shell.collect::<Vec<_>>();
            if let Some(program) = program_of(&words[0]) {
                words[0] = program;
            }
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).arg(agent.env.path("bin/exec.sh"));
            let command = command.env("PATH", &path).stdin(Stdio::null());
            command.status().expect("exec.sh")
        };
        assert!(run("c-1:echo \"in ${BASH_VERSION:-sh}\"").success());
        fs::write(agent.env.path("log/cmd.timeout"), "1\n").expect("cmd.timeout");
        assert!(run("c-2:echo in time").success());
        assert_eq!(run("c-3:sleep 600").code(), Some(1));
        let sh_is_bash = agent.app_log().starts_with("in 5");
        assert!(sh_is_bash || agent.app_log().starts_with("in sh\nin time\n"));
        assert!(agent.cmd_log().contains("c-3 [failed124]: sleep 600"));
    }
}

/// Where PATH finds the program `name`.
fn program_of(name: &str) -> Option<String> {
    let path = std::env::var("PATH").ok()?;
    let mut places = path.split(':').map(|place| format!("{place}/{name}"));
    places.find(|place| fs::exists(place).unwrap_or(false))
}

#[test]
fn zero_is_no_limit() {
    under_each_shell(|agent| {
        fs::write(agent.env.path("log/cmd.timeout"), "0\n").expect("cmd.timeout");
        assert!(agent.run("c-1:sleep 0.1; echo x").success());
    });
}

#[test]
fn a_commands_text_makes_no_other_id_look_started() {
    under_each_shell(|agent| {
        let log = "2016-10-11 13:54:41 c-1 [executing]: echo c-2 [executing]: x\n\
                   2016-10-11 13:54:42 a c-3 [executing]: y\n\
                   2016-10-11 13:54:42 cx4 [executing]: y\n";
        fs::write(agent.env.path("log/cmd.log"), log).expect("cmd.log");
        for id in ["c-2", "c-3", "c.4"] {
            assert!(agent.run(&format!("{id}:echo {id}")).success());
        }
        assert!(agent.run("c-1:echo c-1").success());
        assert_eq!(agent.app_log(), "c-2\nc-3\nc.4\n");

        let lines = "2016-10-11 13:54:41 c-6 [executing]: x\n2016-10-11 13:54:42 c-6 [failed1]: x";
        assert!(agent.run(&format!("c-5:cat <<E\n{lines}\nE")).success());
        assert!(agent.run("c-6:echo c-6").success());
        let output = format!("c-2\nc-3\nc.4\n{lines}\nc-6\n");
        assert_eq!(agent.app_log(), output);
    });
}

#[test]
fn a_command_that_was_cut_off_gets_its_verdict_at_the_next_start() {
    under_each_shell(|agent| {
        for (id, next) in [("c-1", &["-recover"][..]), ("c 2", &[])] {
            let info = format!("{id}:echo $$; exec sleep 600 # {id}\n# second: line");
            fs::write(agent.env.path("log/cmd.info"), &info).expect("cmd.info");
            fs::write(agent.env.path("log/app.log"), "").expect("app.log");
            let mut caller = agent.exec().spawn().expect("exec.sh");
            until("the command runs", || agent.app_log().ends_with('\n'));
            let recover = || agent.start(next);
            recover();
            assert!(!agent.cmd_log().contains("failed"), "it still runs");

            caller.kill().expect("the machine goes down");
            caller.wait().expect("exec.sh");
            let command = agent.app_log();
            let killed = Command::new("kill")
                .args(["-KILL", command.trim_end()])
                .status();
            assert!(killed.expect("kill").success());
            recover();
            recover();
            let (_, command) = info.split_once(':').expect("a command");
            let verdict = format!("{id} [failed137]: {command}\n");
            assert_eq!(agent.cmd_log().matches(&verdict).count(), 1, "{id}");
            fs::write(agent.env.path("log/cmd.log"), "").expect("cmd.log");
        }
    });
}

#[test]
fn another_boot_has_other_processes() {
    under_each_shell(|agent| {
        // This process has the number, but not in the boot of that record.
        let record = format!("{} 1 no-such-boot\nc-1:echo x\n", std::process::id());
        agent.env.put("data/cmd.started/c-1", &record);
        agent.env.put("data/cmd.started/c-2", "");
        agent.start(&["-recover"]);
        assert_eq!(agent.cmd_log(), "c-1 [failed137]: echo x\n");
    });
}

#[test]
fn a_verdict_is_not_given_twice() {
    under_each_shell(|agent| {
        // The power was cut after the verdict, before the record was emptied.
        agent
            .env
            .put("data/cmd.started/c-1", "1 1 no-such-boot\nc-1:echo x\n");
        let log = "2016-10-11 13:54:41 c-1 [executing]: echo x\n2016-10-11 13:54:42 c-1 [successful]: echo x\n";
        fs::write(agent.env.path("log/cmd.log"), log).expect("cmd.log");
        agent.start(&["-recover"]);
        assert_eq!(agent.cmd_log().lines().count(), 2);
    });
}

#[test]
fn a_signal_to_the_script_does_not_hide_how_the_command_ended() {
    under_each_shell(|agent| {
        let go = agent.env.path("go");
        let info = format!(
            "c-1:echo begun; until [ -e '{}' ]; do sleep 0.01; done; exit 5",
            go.display()
        );
        fs::write(agent.env.path("log/cmd.info"), &info).expect("cmd.info");
        let mut caller = agent.exec().spawn().expect("exec.sh");
        until("the command runs", || agent.app_log() == "begun\n");
        for signal in ["-TERM", "-HUP"] {
            let pid = caller.id().to_string();
            let sent = Command::new("kill").args([signal, &pid]).status();
            assert!(sent.expect("kill").success());
        }
        fs::write(&go, "").expect("the command may end");
        assert_eq!(caller.wait().expect("exec.sh").code(), Some(1));
        assert!(
            agent.cmd_log().contains("c-1 [failed5]: "),
            "{}",
            agent.cmd_log()
        );
    });
}

#[test]
fn the_agent_may_lie_in_a_directory_with_an_odd_name() {
    for shell in shells() {
        let env = Env::new();
        let base = env.path("a b'c \u{76ee}\u{5f55}");
        for directory in ["bin", "log"] {
            fs::create_dir_all(base.join(directory)).expect("a directory of the agent");
        }
        copy_program(source("exec.sh"), base.join("bin/exec.sh"));
        fs::write(base.join("log/cmd.info"), "c-1:echo x").expect("cmd.info");
        let status = under(shell, "bin/exec.sh").current_dir(&base).status();
        assert!(status.expect("exec.sh").success());
        assert_eq!(fs::read(base.join("log/app.log")).expect("app.log"), b"x\n");
    }
}
