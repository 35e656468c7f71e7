//! Real commands. What is written for `sh` and not for `cmd` as well is in tests/it/command.rs.

use std::path::Path;

use super::*;

fn run_invocation(invocation: &Invocation) -> Result<Ended> {
    let running = invocation.start(&Announcement::default())?;
    running.wait()
}

fn invocation(text: &str) -> Invocation {
    Invocation {
        text: text.to_owned(),
        src: Path::new("/etc/.x.confd-1").to_owned(),
        dest: Path::new("/etc/x").to_owned(),
        changed_keys: vec!["/a".to_owned(), "/b c".to_owned()],
        time_limit: None,
    }
}

fn run(text: &str) -> (Status, String) {
    let ended = run_invocation(&invocation(text)).unwrap();
    (ended.status, ended.output.to_string().replace('\r', ""))
}

#[test]
fn a_command_ends_with_its_status_and_its_output() {
    assert_eq!(run("echo hello"), (Status::Success, "hello".to_owned()));
    assert_eq!(run("exit 3"), (Status::Code(3), String::new()));
    let (status, text) = run("echo one&& echo two 1>&2&& echo three&& exit 1");
    assert_eq!(status, Status::Code(1));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines, ["one", "two", "three"]);
}

#[test]
fn a_command_that_cannot_be_started_is_named() {
    let error = run_invocation(&invocation("echo a\0b"))
        .unwrap_err()
        .to_string();
    let name = r#"command "echo a\0b" cannot be started: "#;
    assert!(error.starts_with(name), "{error}");
}

#[test]
fn a_list_of_keys_fits_into_a_variable() {
    let keys = |keys: &[&str]| list(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
    assert_eq!(keys(&[]), "");
    assert_eq!(keys(&["/a", "/b c"]), "/a\n/b c");
    assert_eq!(keys(&["/a\0b\nc"]), "/a\u{fffd}b\u{fffd}c");
    assert_eq!(keys(&[&"x".repeat(LONGEST_LIST + 1)]), "...");
    let many: Vec<String> = (0..10_000).map(|n| format!("/hosts/{n}")).collect();
    let text = list(&many);
    assert!(text.len() < 32_767, "{}", text.len());
    assert!(text.starts_with("/hosts/0\n/hosts/1\n"));
    assert!(text.ends_with("\n..."), "{}", &text[text.len() - 40..]);
}

#[test]
fn statuses_read_as_the_end_of_a_sentence() {
    for (status, text) in [
        (Status::Success, "succeeded"),
        (Status::Code(2), "failed with exit status 2"),
        (Status::Signal(9), "killed by signal 9"),
        (
            Status::TimedOut(Duration::from_millis(1500)),
            "timed out after 1.5s",
        ),
    ] {
        assert_eq!(status.to_string(), text);
    }
}
