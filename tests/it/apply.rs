//! From rendered bytes to the file in place: checks, modes, owners, links, mount points, leftovers.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use serde_json::json;

use crate::env::{Env, confd};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file").mode() & 0o7777
}

fn owner(path: &Path) -> (u32, u32) {
    let data = fs::metadata(path).expect("the file");
    (data.uid(), data.gid())
}

/// Whether this test may give files away; says so when it may not.
pub(crate) fn is_root(test: &str) -> bool {
    let probe = Env::new();
    probe.put("probe", "");
    let root = chown(probe.path("probe"), Some(12345), Some(12345)).is_ok();
    if !root {
        eprintln!("SKIPPED {test}: only root may give files away");
    }
    root
}

/// An environment with one resource that renders `new`, with these lines of TOML.
fn one(lines: &str) -> Env {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, lines);
    env
}

#[test]
fn a_failed_check_leaves_dest_alone_and_logs_its_output() {
    let env = one(
        "check_cmd = \"echo first words; echo last words >&2; exit 7\"\n\
         reload_cmd = \"echo app >> $ROOT/reloads\"",
    );
    env.put("out/app", "old");
    env.onetime()
        .expect_code(1)
        .expect_log("Config check failed: ")
        .expect_log("first words")
        .expect_log("last words")
        .expect_log("7")
        .expect_no_log("has been updated");
    assert_eq!(env.read("out/app"), "old");
    assert_eq!(env.names("out"), ["app"], "no stage is left");
    assert!(env.reloads().is_empty());
}

#[test]
fn the_check_sees_the_staged_file_under_src_and_dest_still_old() {
    let env =
        one("check_cmd = \"cat {{.src}} $ROOT/out/app > $ROOT/seen; echo {{.src}} > $ROOT/src\"");
    env.put("out/app", "old");
    env.onetime().expect_code(0);
    assert_eq!(env.read("seen"), "newold");
    let stage = env.read("src");
    assert!(stage.starts_with(&env.expand("$ROOT/out/")), "{stage}");
    assert_eq!(env.read("out/app"), "new");
}

#[test]
fn the_staged_file_has_its_final_mode_when_it_is_checked() {
    for (mode, shown) in [("0640", "-rw-r-----"), ("0600", "-rw-------")] {
        let env = one(&format!(
            "mode = \"{mode}\"\ncheck_cmd = \"ls -l {{{{.src}}}} > $ROOT/seen\""
        ));
        env.onetime().expect_code(0);
        let seen = env.read("seen");
        assert!(seen.starts_with(shown), "{seen}");
    }
}

#[test]
fn a_check_that_is_a_broken_template_is_reported() {
    let env = one("check_cmd = \"test {{.src\"");
    env.onetime().expect_code(1).expect_log("check_cmd");
    assert!(env.names("out").is_empty());
}

#[test]
fn a_check_that_cannot_be_started_fails() {
    let env = one("check_cmd = \"$ROOT/no-such-program\"");
    env.onetime()
        .expect_code(1)
        .expect_log("Config check failed: ");
    assert!(env.names("out").is_empty());
}

#[test]
fn missing_parents_are_made_0755() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.template("app.tmpl", "x");
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/a/b/app\"\nkeys = [\"/\"]\n",
    );
    // Whatever the umask is.
    let script = "umask 077; exec \"$0\" \"$@\"";
    let confd = confd();
    let command = [
        "-c",
        script,
        confd,
        "-onetime",
        "-config-file",
        "$ROOT/etc/confd.toml",
    ];
    env.finish(env.command_of("/bin/sh", &command))
        .expect_code(0);
    assert_eq!(mode(&env.path("out/a")), 0o755);
    assert_eq!(mode(&env.path("out/a/b")), 0o755);
    assert_eq!(mode(&env.path("out/a/b/app")), 0o644);
}

#[test]
fn mode_is_the_configured_one_else_that_of_dest_else_0644() {
    let cases = [
        ("mode = \"0600\"", Some(0o640), 0o600),
        ("mode = \"4755\"", None, 0o4755),
        ("", Some(0o640), 0o640),
        ("", None, 0o644),
    ];
    for (line, before, after) in cases {
        let env = one(line);
        if let Some(before) = before {
            env.put("out/app", "old");
            fs::set_permissions(env.path("out/app"), Permissions::from_mode(before))
                .expect("a mode");
        }
        env.onetime().expect_code(0);
        assert_eq!(mode(&env.path("out/app")), after, "{line} {before:?}");
    }
}

#[test]
fn a_wrong_mode_alone_is_out_of_sync() {
    let env = one("mode = \"0640\"\nreload_cmd = \"echo app >> $ROOT/reloads\"");
    env.onetime().expect_code(0);
    fs::set_permissions(env.path("out/app"), Permissions::from_mode(0o600)).expect("a mode");
    env.onetime().expect_code(0).expect_log("out of sync");
    assert_eq!(mode(&env.path("out/app")), 0o640);
    assert_eq!(env.reloads(), ["app", "app"]);
}

#[test]
fn a_mode_that_is_none_is_refused() {
    for wrong in ["rw-r--r--", "0999", "77777"] {
        let env = one(&format!("mode = \"{wrong}\""));
        env.onetime().expect_code(1).expect_log("mode");
        assert!(env.names("out").is_empty());
    }
}

#[test]
fn uid_and_gid_are_set_and_put_right_again() {
    if !is_root("uid_and_gid_are_set_and_put_right_again") {
        return;
    }
    let env = one("uid = 12345\ngid = 12346");
    env.onetime().expect_code(0);
    assert_eq!(owner(&env.path("out/app")), (12345, 12346));
    chown(env.path("out/app"), Some(0), Some(0)).expect("root may");
    env.onetime().expect_code(0).expect_log("out of sync");
    assert_eq!(owner(&env.path("out/app")), (12345, 12346));
}

#[test]
fn a_dangling_link_is_filled_at_its_target() {
    let env = one("");
    symlink("../aside/target", env.path("out/app")).expect("a link");
    fs::create_dir(env.path("aside")).expect("a directory");
    env.onetime().expect_code(0);
    assert_eq!(env.read("aside/target"), "new");
    assert!(env.path("out/app").is_symlink());
}

#[test]
fn links_that_go_round_in_circles_are_refused() {
    let env = one("");
    symlink("app", env.path("out/app")).expect("a link to itself");
    env.onetime()
        .expect_code(1)
        .expect_log(&env.expand("$ROOT/out/app"));
}

#[test]
fn dest_that_is_a_directory_is_refused() {
    let env = one("");
    fs::create_dir(env.path("out/app")).expect("a directory");
    env.onetime()
        .expect_code(1)
        .expect_log(&env.expand("$ROOT/out/app"));
    assert!(env.names("out/app").is_empty());
}

#[test]
fn dest_that_is_a_mount_point_is_written_in_place() {
    let env = one("reload_cmd = \"cat $ROOT/out/app >> $ROOT/reloads\"");
    env.put("out/app", "old and longer");
    env.put("outside", "old and longer");
    let before = fs::metadata(env.path("outside")).expect("the file").ino();
    let name = "dest_that_is_a_mount_point_is_written_in_place";
    let mounts = "mount --bind $ROOT/outside $ROOT/out/app";
    let Some(run) = env.onetime_with_mounts(name, mounts) else {
        return;
    };
    run.expect_code(0).expect_log("has been updated");
    assert_eq!(env.read("outside"), "new");
    let after = fs::metadata(env.path("outside")).expect("the file").ino();
    assert_eq!(after, before, "written in place");
    assert_eq!(env.names("out"), ["app"], "no stage is left");
    assert_eq!(env.reloads(), ["new"]);
}

#[test]
fn a_full_disk_leaves_dest_whole() {
    let env = one("");
    env.put(
        "metadata.json",
        &json!({"k": "x".repeat(1 << 20)}).to_string(),
    );
    let name = "a_full_disk_leaves_dest_whole";
    let mounts = "mount -t tmpfs -o size=64k none $ROOT/out; echo old > $ROOT/out/app; \
                  trap 'cp -R $ROOT/out $ROOT/after' EXIT; \"$0\" \"$@\"; exit";
    let Some(run) = env.onetime_with_mounts(name, mounts) else {
        return;
    };
    run.expect_code(1).expect_log("No space left on device");
    assert_eq!(env.read("after/app"), "old\n");
    assert_eq!(env.names("after"), ["app"], "no stage is left");
}

#[test]
fn dest_that_cannot_be_written_is_named_with_the_reason() {
    let env = one("");
    env.put("file", "");
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/file/app\"\nkeys = [\"/\"]\n",
    );
    env.onetime()
        .expect_code(1)
        .expect_log(&env.expand("$ROOT/file"))
        .expect_log("not a directory");
}
