//! install.sh in throw-away roots that look like each image: where files go, that a second run
//! changes nothing, that an upgrade keeps edited files, that it can be removed, and that a failure
//! stops it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

use super::{said, shells, source, under};
use crate::env::Env;

/// The part of a system that the installer looks at.
struct Look {
    name: &'static str,
    /// The shell that is /bin/sh there.
    shell: &'static [&'static str],
    /// Files of the system; with ` -> ` a link.
    files: &'static [&'static str],
    systemd: bool,
}

const DASH: &[&str] = &["dash"];
const BASH: &[&str] = &["bash", "--posix"];
const BUSYBOX: &[&str] = &["busybox", "sh"];

const UPSTART: &[&str] = &[
    "sbin/init",
    "etc/init/rc.conf",
    "etc/lsb-release",
    "usr/sbin/update-rc.d",
    "etc/rc2.d/",
];
const RED_HAT_6: &[&str] = &[
    "sbin/init",
    "etc/redhat-release",
    "sbin/chkconfig",
    "etc/rc.d/init.d/",
    "etc/init.d -> rc.d/init.d",
];
const RED_HAT: &[&str] = &[
    "usr/lib/systemd/systemd",
    "sbin/init -> ../lib/systemd/systemd",
    "etc/redhat-release",
    "sbin/chkconfig",
    "etc/rc.d/init.d/",
    "etc/init.d -> rc.d/init.d",
];
const SYSTEMD: &[&str] = &[
    "usr/lib/systemd/systemd",
    "sbin/init -> /lib/systemd/systemd",
    "etc/os-release",
    "etc/init.d/",
];
const BARE: &[&str] = &["usr/lib/systemd/systemd", "etc/openEuler-release"];
const ALPINE: &[&str] = &[
    "sbin/init -> /bin/busybox",
    "sbin/openrc-run",
    "sbin/rc-update",
    "etc/alpine-release",
    "etc/init.d/",
];

/// The tested images, and today's.
const LOOKS: &[Look] = &[
    Look {
        name: "Ubuntu 12.10",
        shell: DASH,
        files: UPSTART,
        systemd: false,
    },
    Look {
        name: "Ubuntu 13.10",
        shell: DASH,
        files: UPSTART,
        systemd: false,
    },
    Look {
        name: "Ubuntu 14.04",
        shell: DASH,
        files: UPSTART,
        systemd: false,
    },
    Look {
        name: "Ubuntu 16.04",
        shell: DASH,
        files: SYSTEMD,
        systemd: true,
    },
    Look {
        name: "CentOS 6.4",
        shell: BASH,
        files: RED_HAT_6,
        systemd: false,
    },
    Look {
        name: "CentOS 7",
        shell: BASH,
        files: RED_HAT,
        systemd: true,
    },
    Look {
        name: "Debian 7.5",
        shell: DASH,
        files: &[
            "sbin/init",
            "etc/debian_version",
            "usr/sbin/update-rc.d",
            "sbin/insserv",
            "etc/init.d/",
        ],
        systemd: false,
    },
    Look {
        name: "openSUSE 12.3",
        shell: BASH,
        files: &[
            "usr/lib/systemd/systemd",
            "sbin/init -> ../bin/systemd",
            "etc/SuSE-release",
            "sbin/insserv",
            "etc/init.d/",
        ],
        systemd: true,
    },
    Look {
        name: "Fedora 18",
        shell: BASH,
        files: RED_HAT,
        systemd: true,
    },
    Look {
        name: "Fedora 20",
        shell: BASH,
        files: RED_HAT,
        systemd: true,
    },
    Look {
        name: "Debian and Ubuntu today",
        shell: DASH,
        files: SYSTEMD,
        systemd: true,
    },
    Look {
        name: "Rocky and Alma today",
        shell: BASH,
        files: RED_HAT,
        systemd: true,
    },
    Look {
        name: "openEuler without an init link",
        shell: BASH,
        files: BARE,
        systemd: true,
    },
    Look {
        name: "Alpine",
        shell: BUSYBOX,
        files: ALPINE,
        systemd: false,
    },
];

/// An unpacked archive and a root to install it in.
struct Site {
    env: Env,
    shell: &'static [&'static str],
}

const BASE: &str = "opt/qingcloud/app-agent";
/// The files of the archive, except the program.
const ARCHIVE: &[&str] = &[
    "install.sh",
    "exec.sh",
    "daemons.sh",
    "confd.init",
    "confd.openrc",
    "confd.service",
    "app-agent.logrotate",
    "cmd.info.toml",
    "cmd.info.tmpl",
    "originals",
];

impl Site {
    fn new(shell: &'static [&'static str]) -> Site {
        let env = Env::new();
        for directory in ["archive", "root"] {
            fs::create_dir(env.path(directory)).expect("a directory of the test");
        }
        for name in ARCHIVE {
            fs::copy(source(name), env.path("archive").join(name)).expect("a file of the archive");
        }
        env.put("archive/confd", "program 1");
        Site { env, shell }
    }

    fn with_look(look: &Look) -> Option<Site> {
        let shell = shells().into_iter().find(|shell| *shell == look.shell)?;
        let site = Site::new(shell);
        for file in look.files {
            site.add(file);
        }
        Some(site)
    }

    /// Adds `file`, `directory/` or `link -> target` to the root.
    fn add(&self, file: &str) {
        let (path, target) = match file.split_once(" -> ") {
            Some((path, target)) => (self.root(path), Some(target)),
            None => (self.root(file), None),
        };
        let directory = if file.ends_with('/') {
            path.as_path()
        } else {
            path.parent().expect("a directory")
        };
        fs::create_dir_all(directory).expect("a directory of the image");
        match target {
            Some(target) => run(Command::new("ln").arg("-s").arg(target).arg(&path)),
            None if file.ends_with('/') => (),
            None => {
                fs::write(&path, "").expect("a file of the image");
                run(Command::new("chmod").arg("755").arg(&path));
            }
        }
    }

    fn root(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.env.path("root").join(relative)
    }

    fn install(&self, options: &[&str]) -> Output {
        let mut command = under(self.shell, self.env.path("archive/install.sh"));
        command.args(options).env("DESTDIR", self.env.path("root"));
        command.output().expect("install.sh")
    }

    fn installs(&self, options: &[&str]) -> String {
        let output = self.install(options);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// Every path of the root with its inode, mode, times and links.
    fn listing(&self) -> String {
        let format = "%p %i %M %T@ %C@ %l\n";
        let output = Command::new("find")
            .arg(self.env.path("root"))
            .args(["-printf", format])
            .output();
        let text = String::from_utf8(output.expect("find").stdout).expect("paths");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    /// Every path of the root with its mode and link, and the content of its files.
    fn content(&self) -> Vec<(String, Vec<u8>)> {
        let format = "%P\t%y %M %l\n";
        let output = Command::new("find")
            .arg(self.env.path("root"))
            .args(["-printf", format])
            .output();
        let text = String::from_utf8(output.expect("find").stdout).expect("paths");
        let with_content = |line: &str| {
            let content = match line.split_once('\t') {
                Some((path, kind)) if kind.starts_with('f') => fs::read(self.root(path)),
                _ => Ok(Vec::new()),
            };
            (line.to_string(), content.expect("a file of the image"))
        };
        let mut lines: Vec<_> = text.lines().map(with_content).collect();
        lines.sort_unstable();
        lines
    }

    fn mode(&self, relative: &str) -> String {
        let output = Command::new("stat")
            .args(["-c", "%a"])
            .arg(self.root(relative))
            .output();
        let text = String::from_utf8(output.expect("stat").stdout).expect("a mode");
        text.trim().to_string()
    }

    fn text(&self, relative: &str) -> String {
        fs::read_to_string(self.root(relative))
            .unwrap_or_else(|error| panic!("{relative}: {error}"))
    }
}

fn run(command: &mut Command) {
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

/// The installed files: path, mode, and name in the archive.
const LANDS: &[(&str, &str, &str)] = &[
    ("opt/qingcloud/app-agent/bin/confd", "755", "confd"),
    ("opt/qingcloud/app-agent/bin/exec.sh", "755", "exec.sh"),
    (
        "opt/qingcloud/app-agent/bin/daemons.sh",
        "755",
        "daemons.sh",
    ),
    (
        "opt/qingcloud/app-agent/bin/install.sh",
        "755",
        "install.sh",
    ),
    ("etc/logrotate.d/app-agent", "644", "app-agent.logrotate"),
    ("etc/confd/conf.d/cmd.info.toml", "644", "cmd.info.toml"),
    ("etc/confd/templates/cmd.info.tmpl", "644", "cmd.info.tmpl"),
];
const UNIT: &str = "etc/systemd/system/confd.service";
const WANTED: &str = "etc/systemd/system/multi-user.target.wants/confd.service";

#[test]
fn everything_lands_in_its_place_on_each_image_and_a_second_run_changes_nothing() {
    for look in LOOKS {
        let Some(site) = Site::with_look(look) else {
            continue;
        };
        site.installs(&[]);
        for (path, mode, name) in LANDS {
            let expected = fs::read(site.env.path("archive").join(name)).expect("the archive's");
            let found = fs::read(site.root(path))
                .unwrap_or_else(|error| panic!("{}: {path}: {error}", look.name));
            assert!(found == expected, "{}: {path} is not {name}", look.name);
            assert_eq!(site.mode(path), *mode, "{}: {path}", look.name);
        }
        let init = match look.name {
            "Alpine" => "confd.openrc",
            _ => "confd.init",
        };
        let expected = fs::read_to_string(source(init)).expect("the init script");
        assert_eq!(site.text("etc/init.d/confd"), expected, "{}", look.name);
        assert_eq!(site.mode("etc/init.d/confd"), "755", "{}", look.name);
        for directory in ["log", "run"] {
            assert_eq!(
                site.mode(&format!("{BASE}/{directory}")),
                "755",
                "{}: {directory}",
                look.name
            );
        }
        assert_eq!(site.root(UNIT).exists(), look.systemd, "{}", look.name);
        assert!(
            !site.root(WANTED).is_symlink(),
            "{}: starts at boot unasked",
            look.name
        );
        let before = site.listing();
        site.installs(&[]);
        assert_eq!(site.listing(), before, "{}", look.name);
    }
}

#[test]
fn removal_leaves_no_trace_except_records_on_each_image() {
    for look in LOOKS {
        // Their own tools take the service out; these roots only look as if they had any.
        if look.files.iter().any(|file| {
            ["chkconfig", "insserv", "update-rc.d"]
                .iter()
                .any(|tool| file.ends_with(tool))
        }) && !look.systemd
        {
            continue;
        }
        let Some(site) = Site::with_look(look) else {
            continue;
        };
        for directory in [
            "etc/init.d/",
            "etc/logrotate.d/",
            "etc/systemd/system/",
            "opt/",
        ] {
            site.add(directory);
        }
        let before = site.content();
        site.installs(&[]);
        // What confd leaves in its directories when it has run.
        for path in [
            ".confd.lock",
            ".confd.generation",
            "conf.d/.confd.lock",
            "status.json",
        ] {
            fs::write(site.root("etc/confd").join(path), "").expect("a file of confd's");
        }
        site.add("etc/confd/owed/a.toml");
        site.add("etc/confd/reloads/journal-1-a");
        site.add("etc/confd/swaps/a");
        site.add("etc/confd/made/a");
        site.installs(&["--uninstall"]);
        assert_eq!(site.content(), before, "{}", look.name);
    }
}

#[test]
fn logs_records_and_settings_survive_the_removal() {
    let site = Site::new(shells()[0]);
    site.installs(&[]);
    let kept = [
        "opt/qingcloud/app-agent/log/app.log",
        "opt/qingcloud/app-agent/data/cmd.started/c-1",
        "etc/confd/confd.toml",
        "etc/confd/conf.d/zoo.toml",
    ];
    for path in kept {
        fs::write(site.root(path), "kept").expect("a file to keep");
    }
    fs::write(site.root("etc/logrotate.d/app-agent"), "edited").expect("the rotation");
    site.installs(&["--uninstall"]);
    for path in kept {
        assert_eq!(site.text(path), "kept");
    }
    assert_eq!(site.text("etc/logrotate.d/app-agent"), "edited");
    assert!(!site.root("opt/qingcloud/app-agent/bin").exists());
    assert!(!site.root("etc/init.d/confd").exists());
}

#[test]
fn an_upgrade_replaces_the_program_by_a_rename() {
    for shell in shells() {
        let site = Site::new(shell);
        site.installs(&[]);
        let program = site.root("opt/qingcloud/app-agent/bin/confd");
        let running = fs::File::open(&program).expect("the old program");
        site.env.put("archive/confd", "program 2");
        site.installs(&[]);
        assert_eq!(fs::read(&program).expect("the new program"), b"program 2");
        let old = std::io::read_to_string(running).expect("what still runs");
        assert_eq!(old, "program 1", "the file that runs was written to");
    }
}

/// The files that people edit, and where a new one goes beside an edited one.
const EDITABLE: &[(&str, &str, &str)] = &[
    (
        "cmd.info.toml",
        "etc/confd/conf.d/cmd.info.toml",
        "etc/confd/conf.d/cmd.info.toml.new",
    ),
    (
        "cmd.info.tmpl",
        "etc/confd/templates/cmd.info.tmpl",
        "etc/confd/templates/cmd.info.tmpl.new",
    ),
    (
        "app-agent.logrotate",
        "etc/logrotate.d/app-agent",
        "etc/logrotate.d/app-agent.rpmnew",
    ),
];

#[test]
fn an_upgrade_keeps_what_was_edited_and_replaces_what_was_not() {
    for shell in shells() {
        for (name, path, beside) in EDITABLE {
            let site = Site::new(shell);
            site.installs(&[]);
            site.env.put(&format!("archive/{name}"), "version 2");
            site.installs(&[]);
            assert_eq!(site.text(path), "version 2");
            assert!(!site.root(beside).exists(), "{beside}");

            fs::write(site.root(path), "edited").expect("an edit");
            site.installs(&[]);
            assert_eq!(site.text(path), "edited");
            site.env.put(&format!("archive/{name}"), "version 3");
            let text = site.installs(&[]);
            assert_eq!(site.text(path), "edited");
            assert_eq!(site.text(beside), "version 3");
            assert!(text.contains("was edited and stays"), "{text}");

            // Whoever takes the new one over is asked no more.
            fs::rename(site.root(beside), site.root(path)).expect("the new one is taken");
            site.env.put(&format!("archive/{name}"), "version 4");
            site.installs(&[]);
            assert_eq!(site.text(path), "version 4");
        }
    }
}

#[test]
fn what_another_agent_left_is_kept_or_put_aside() {
    let site = Site::new(shells()[0]);
    let foreign = [
        "etc/init.d/confd",
        "etc/logrotate.d/app-agent",
        "etc/confd/conf.d/cmd.info.toml",
        "opt/qingcloud/app-agent/bin/exec.sh",
        "opt/qingcloud/app-agent/bin/confd",
    ];
    for path in foreign {
        site.add(path);
        fs::write(site.root(path), format!("foreign {path}")).expect("another agent's file");
    }
    site.installs(&[]);
    for path in foreign {
        let kept = match path {
            "etc/confd/conf.d/cmd.info.toml" => path.to_string(),
            _ => format!("{BASE}/data/replaced/{path}"),
        };
        assert_eq!(site.text(&kept), format!("foreign {path}"));
        assert_eq!(site.text(path) == site.text(&kept), path == kept, "{path}");
    }
}

/// Files of the original agent, and what they are called in the archive.
const REPLACED: &[(&str, &str)] = &[
    ("etc/init.d/confd", "confd.init"),
    ("etc/logrotate.d/app-agent", "app-agent.logrotate"),
    ("etc/confd/conf.d/cmd.info.toml", "cmd.info.toml"),
    ("etc/confd/templates/cmd.info.tmpl", "cmd.info.tmpl"),
    ("opt/qingcloud/app-agent/bin/exec.sh", "exec.sh"),
];

#[test]
fn unedited_files_of_the_original_agent_are_replaced_without_a_copy() {
    for shell in shells() {
        let site = Site::new(shell);
        let table = site.env.path("archive/originals");
        let mut lines = fs::read_to_string(&table).expect("the table");
        for (path, name) in REPLACED {
            let stand_in = format!("{name} as the original agent has it");
            site.add(path);
            fs::write(site.root(path), &stand_in).expect("a stand-in");
            let sum = Sha256::digest(stand_in.as_bytes());
            lines += &format!("{} {name}\n", app_agent::go::hex::encode(&sum));
        }
        fs::write(&table, lines).expect("the table");
        let text = site.installs(&[]);
        for (path, name) in REPLACED {
            let expected = fs::read_to_string(source(name)).expect("the archive's");
            assert_eq!(site.text(path), expected, "{path}");
            assert!(!site.root(format!("{path}.new")).exists(), "{path}");
        }
        assert!(!text.contains("edited"), "{text}");
        assert!(!site.root(BASE).join("data/replaced").exists());
    }
}

#[test]
fn the_table_of_the_original_agents_files_is_well_formed() {
    let table = fs::read_to_string(source("originals")).expect("the table");
    let lines = table.lines().filter(|line| !line.is_empty());
    for line in lines.filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let sum = words.next().unwrap_or_default();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        assert!(sum.len() == 64 && sum.bytes().all(is_hex), "{line}");
        let name = words.next().unwrap_or_default();
        let ours = ["exec.bat", "logrotate.ps1", "nssm.exe"];
        assert!(ARCHIVE.contains(&name) || ours.contains(&name), "{line}");
    }
}

#[test]
fn a_copy_that_fails_leaves_no_half_file() {
    for shell in shells() {
        let site = Site::new(shell);
        // As on a full disk.
        site.env
            .put("bin/cp", "#!/bin/sh\necho half >\"$2\"\nexit 1\n");
        run(Command::new("chmod")
            .arg("755")
            .arg(site.env.path("bin/cp")));
        let path = std::env::var("PATH").expect("a PATH");
        let path = format!("{}:{path}", site.env.path("bin").display());
        let mut command = under(shell, site.env.path("archive/install.sh"));
        let output = command
            .env("DESTDIR", site.env.path("root"))
            .env("PATH", path)
            .output()
            .expect("install.sh");
        if shell[0] == "busybox" && output.status.success() {
            // Its cp is part of it.
            continue;
        }
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot replace"), "{said}");
        let left: Vec<_> = fs::read_dir(site.root(BASE).join("bin"))
            .expect("bin")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A file that has an attribute until this is dropped.
struct Attribute<'p>(&'p str, &'p Path);

impl<'p> Attribute<'p> {
    /// Sets it; none where that is not possible.
    fn set(letter: &'p str, path: &'p Path) -> Option<Attribute<'p>> {
        let attribute = Attribute(letter, path);
        attribute.change('+').then_some(attribute)
    }

    fn change(&self, sign: char) -> bool {
        let Attribute(letter, path) = self;
        let mut command = Command::new("chattr");
        let status = command.arg(format!("{sign}{letter}")).arg(path).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Attribute<'_> {
    fn drop(&mut self) {
        self.change('-');
    }
}

#[test]
fn what_may_not_be_replaced_is_explained() {
    let relative = "opt/qingcloud/app-agent/bin/exec.sh";
    for (attribute, place, word) in [
        ("i", relative, "immutable"),
        ("i", "opt/qingcloud/app-agent/bin", "immutable"),
        ("a", relative, "append-only"),
    ] {
        let site = Site::new(shells()[0]);
        site.installs(&[]);
        let place = site.root(place);
        let Some(_set) = Attribute::set(attribute, &place) else {
            println!("left out: no attributes of files can be set here");
            return;
        };
        let shown = place.display();
        site.env.put("archive/exec.sh", "another one");
        for (options, verb) in [(&[][..], "replace"), (&["--uninstall"], "remove")] {
            let output = site.install(options);
            let words = format!(
                "cannot {verb} {}: {shown} is {word}; chattr -{attribute} {shown} permits it",
                site.root(relative).display()
            );
            let first = verb == "replace" || place == site.root(relative);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&words) || !first, "{words}: {said}");
            let list = site.env.names("root/opt/qingcloud/app-agent/bin");
            assert!(!list.iter().any(|name| name.ends_with(".tmp")), "{list:?}");
        }
    }
}

#[test]
fn it_may_be_called_through_links() {
    for shell in shells() {
        let site = Site::new(shell);
        run(Command::new("ln")
            .arg("-s")
            .arg("archive/install.sh")
            .arg(site.env.path("relative")));
        run(Command::new("ln")
            .arg("-s")
            .arg(site.env.path("relative"))
            .arg(site.root("absolute")));
        let mut command = under(shell, site.root("absolute"));
        run(command.env("DESTDIR", site.env.path("root")));
        assert!(site.root(BASE).join("bin/confd").exists());
    }
}

#[test]
fn what_is_missing_or_has_lost_its_mode_is_repaired() {
    let site = Site::new(shells()[0]);
    site.installs(&[]);
    fs::remove_file(site.root("etc/confd/conf.d/cmd.info.toml")).expect("removed");
    let program = site.root("opt/qingcloud/app-agent/bin/confd");
    run(Command::new("chmod").arg("600").arg(&program));
    site.installs(&[]);
    assert!(site.root("etc/confd/conf.d/cmd.info.toml").exists());
    assert_eq!(site.mode("opt/qingcloud/app-agent/bin/confd"), "755");
}

#[test]
fn it_starts_at_boot_only_when_asked_to() {
    for look in LOOKS.iter().filter(|look| look.systemd) {
        let Some(site) = Site::with_look(look) else {
            continue;
        };
        for _ in 0..2 {
            site.installs(&["--enable"]);
            let target = fs::read_link(site.root(WANTED)).expect("a link to the unit");
            assert_eq!(target, Path::new("/").join(UNIT));
        }
        site.installs(&[]);
        assert!(
            site.root(WANTED).is_symlink(),
            "{}: an upgrade turned it off",
            look.name
        );
        site.installs(&["--uninstall"]);
        assert!(!site.root(WANTED).is_symlink(), "{}", look.name);
    }
}

#[test]
fn it_starts_at_boot_when_the_original_agent_did() {
    for look in LOOKS.iter().filter(|look| look.systemd) {
        let Some(site) = Site::with_look(look) else {
            continue;
        };
        let link = "etc/rc3.d/S95confd -> ../init.d/confd";
        site.add("etc/init.d/confd");
        site.add(link);
        site.installs(&[]);
        assert!(site.root(WANTED).is_symlink(), "{}", look.name);
        site.installs(&["--uninstall"]);
        assert!(!site.root(WANTED).is_symlink(), "{}", look.name);
        assert!(!site.root("etc/rc3.d/S95confd").is_symlink());
    }
}

#[test]
fn the_installed_copy_enables_without_an_archive() {
    let look = LOOKS
        .iter()
        .find(|look| look.name == "Debian and Ubuntu today");
    let site = look.and_then(Site::with_look).expect("dash is installed");
    site.installs(&[]);
    fs::remove_dir_all(site.env.path("archive")).expect("the archive is gone");
    let copy = site.root(BASE).join("bin/install.sh");
    let output = under(site.shell, copy)
        .arg("--enable")
        .env("DESTDIR", site.env.path("root"))
        .output();
    let output = output.expect("install.sh");
    assert!(output.status.success(), "{}", said(&output));
    assert!(site.root(WANTED).is_symlink());
}

#[test]
fn in_the_sources_it_says_how_to_come_by_an_archive() {
    let site = Site::new(shells()[0]);
    let output = under(site.shell, source("install.sh"))
        .env("DESTDIR", site.env.path("root"))
        .output();
    let output = output.expect("install.sh");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("make dist"), "{}", said(&output));
    assert!(!site.root("opt").exists());
}

#[test]
fn the_pages_for_image_builders_name_all_that_is_installed() {
    for page in ["docs/images.md", "docs/images.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let page = fs::read_to_string(path).expect("the page");
        for look in LOOKS {
            let Some(site) = Site::with_look(look) else {
                continue;
            };
            let before = site.content();
            site.installs(&[]);
            let installed = site
                .content()
                .into_iter()
                .filter(|path| !before.contains(path));
            for (line, _) in installed.filter(|(line, _)| line.contains("\tf ")) {
                let (path, _) = line.split_once('\t').expect("a path");
                // By its usual name, which is a link there.
                let path = path.replace("etc/rc.d/init.d", "etc/init.d");
                let (directory, name) = path.rsplit_once('/').expect("a directory");
                let named = [format!("`/{path}`"), format!("`{name}`")];
                assert!(named.iter().any(|text| page.contains(text)), "{path}");
                assert!(page.contains(&format!("`/{directory}")), "{directory}");
            }
        }
    }
}

#[test]
fn a_narrow_umask_does_not_lock_anybody_out() {
    for shell in shells() {
        let site = Site::new(shell);
        let script = "umask 077; exec \"$@\"";
        let mut command = under(shell, "-c");
        command
            .args([script, "sh"])
            .args(shell)
            .arg(site.env.path("archive/install.sh"));
        run(command.env("DESTDIR", site.env.path("root")));
        assert_eq!(site.mode(BASE), "755");
        assert_eq!(site.mode("etc/confd/conf.d/cmd.info.toml"), "644");
    }
}

#[test]
fn it_works_from_any_directory_under_any_name() {
    for shell in shells() {
        let site = Site::new(shell);
        let odd = site.env.path("a b'c \u{76ee}\u{5f55}");
        fs::rename(site.env.path("archive"), &odd).expect("another name");
        let mut command = under(shell, "../a b'c \u{76ee}\u{5f55}/install.sh");
        command
            .current_dir(site.root(""))
            .env("DESTDIR", ".")
            .env("CDPATH", "/");
        run(&mut command);
        assert!(site.root("opt/qingcloud/app-agent/bin/confd").exists());
    }
}

#[test]
fn a_failure_stops_it_with_a_message() {
    for shell in shells() {
        let site = Site::new(shell);
        site.add("etc/");
        fs::write(site.root("etc/confd"), "a file in the way").expect("a file");
        let output = site.install(&[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("cannot make"), "{}", said(&output));
        assert!(!site.root("opt/qingcloud/app-agent/bin/confd").exists());
    }
}

#[test]
fn a_directory_in_the_place_of_a_file_stops_it() {
    for shell in shells() {
        for path in [
            "opt/qingcloud/app-agent/bin/exec.sh",
            "etc/logrotate.d/app-agent",
        ] {
            let site = Site::new(shell);
            site.add(&format!("{path}/"));
            let output = site.install(&[]);
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            let message = format!("{path} is a directory");
            assert!(said(&output).contains(&message), "{}", said(&output));
            assert_eq!(fs::read_dir(site.root(path)).expect("it").count(), 0);
        }
    }
}

#[test]
fn an_archive_that_is_not_whole_installs_nothing() {
    let site = Site::new(shells()[0]);
    fs::remove_file(site.env.path("archive/exec.sh")).expect("removed");
    let output = site.install(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("exec.sh is missing"),
        "{}",
        said(&output)
    );
    assert!(!site.root("opt").exists());
}

#[test]
fn a_link_in_the_image_does_not_lead_out_of_it() {
    for shell in shells() {
        let site = Site::new(shell);
        let outside = site.env.path("outside");
        fs::create_dir(&outside).expect("a directory");
        site.add(&format!("opt -> {}", outside.display()));
        let output = site.install(&[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("leads out of"), "{}", said(&output));
        assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0);

        let site = Site::new(shell);
        let records = "opt/qingcloud/app-agent/data/installed.tmp";
        site.add(&format!("{records} -> {}", outside.join("x").display()));
        site.installs(&[]);
        assert_eq!(fs::read_dir(&outside).expect("the directory").count(), 0);
    }
}

#[test]
fn its_options_are_explained_and_others_refused() {
    let site = Site::new(shells()[0]);
    let text = site.installs(&["--help"]);
    for option in ["--enable", "--uninstall", "DESTDIR"] {
        assert!(text.contains(option), "{text}");
    }
    for options in [&["--remove"][..], &["--enable", "--uninstall"]] {
        assert_eq!(site.install(options).status.code(), Some(1), "{options:?}");
    }
    let output = site.install(&["--uninstall"]);
    assert!(
        said(&output).contains("is not installed"),
        "{}",
        said(&output)
    );
    assert!(!site.root("opt").exists());
}
