//! docs/tutorial.md: every block is executed, in its order, in one directory; the Chinese page has
//! the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::env::{Env, confd};

/// A fenced block: the words behind the fence, and the text.
type Block = (String, String);

fn blocks(page: &str) -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let page = fs::read_to_string(path).expect("the page");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```");
            let text: String = text.map(|line| format!("{line}\n")).collect();
            blocks.push((info.to_owned(), text));
        }
    }
    blocks
}

/// The commands of a block, each with what it prints.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, printed))) => printed.push(line.to_owned()),
            (None, None) => panic!("{line} stands before any command"),
        }
    }
    commands
}

/// The lines of a command on both outputs.
fn run(env: &Env, command: &str) -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(env.path("work"))
        .env_clear()
        .env("PATH", format!("{}:{path}", env.path("bin").display()))
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("confd: still "));
    lines.map(str::to_owned).collect()
}

/// True when the lines are the expected ones, of which `…` stands for any number.
fn fits(expected: &[String], printed: &[String]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, printed) => printed.is_none(),
        (Some((line, rest)), printed_first) if line == "…" => {
            fits(rest, printed) || printed_first.is_some_and(|(_, after)| fits(expected, after))
        }
        (Some((line, rest)), Some((first, after))) => line == first && fits(rest, after),
        (Some(_), None) => false,
    }
}

#[test]
fn the_tutorial_does_what_it_says() {
    let env = Env::new();
    fs::create_dir_all(env.path("bin")).expect("a directory");
    symlink(confd(), env.path("bin/confd")).expect("a link to the program");
    let (mut files, mut ran) = (0, 0);
    for (info, text) in blocks("tutorial.md") {
        if let Some((_, file)) = info.split_once(" file=") {
            env.put(&format!("work/{file}"), &text);
            files += 1;
            continue;
        }
        assert_eq!(info, "console", "{text}");
        for (command, expected) in commands(&text) {
            let printed = run(&env, &command);
            assert!(
                fits(&expected, &printed),
                "{command} prints\n{}\nand not\n{}",
                printed.join("\n"),
                expected.join("\n"),
            );
            ran += 1;
        }
    }
    assert!(files >= 15 && ran >= 14, "{files} {ran}");
}

#[test]
fn the_chinese_tutorial_has_the_same_blocks() {
    assert_eq!(blocks("tutorial.md"), blocks("tutorial.zh-CN.md"));
}
