//! `-watch -root OUT` on a recording: what is saved is rendered again at once, below OUT, without
//! commands.

use std::fs;

use serde_json::json;

use crate::env::{Daemon, Env};

const LINES: &str = "check_cmd = \"touch $ROOT/ran\"\nreload_cmd = \"touch $ROOT/ran\"";

fn env() -> Env {
    let env = Env::new();
    env.put("meta.json", &json!({"port": "80"}).to_string());
    resource(&env, LINES);
    env.template("app.tmpl", "listen {{getv \"/port\"}}\n");
    env
}

fn resource(env: &Env, lines: &str) {
    let text = format!(
        "[template]\nsrc = \"app.tmpl\"\ndest = \"/opt/app.conf\"\nkeys = [\"/\"]\n{lines}\n"
    );
    env.resource("app.toml", &text);
}

fn preview(env: &Env) -> Daemon {
    let arguments = [
        "-watch",
        "-root",
        "OUT",
        "-file",
        "meta.json",
        "-confdir",
        "etc",
    ];
    let daemon = env.start(env.command(&arguments));
    env.wait_content("OUT/opt/app.conf", "listen 80\n");
    daemon
}

#[test]
fn what_is_saved_is_rendered_and_its_diff_printed() {
    let env = env();
    let daemon = preview(&env);
    daemon.wait_log("+++ OUT/opt/app.conf");
    daemon.wait_log("+listen 80");
    env.template("app.tmpl", "listen {{getv \"/port\"}};\n");
    daemon.wait_log("--- OUT/opt/app.conf");
    daemon.wait_log("-listen 80");
    daemon.wait_log("+listen 80;");
    env.put("meta.json", &json!({"port": "8080"}).to_string());
    daemon.wait_log("+listen 8080;");
    resource(&env, "mode = \"0600\"\nkeyz = 1");
    daemon.wait_log("unknown key \"keyz\" is ignored");
    env.resource(
        "b.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"/opt/b.conf\"\nkeys = [\"/\"]\n",
    );
    daemon.wait_log("+++ OUT/opt/b.conf");
    assert_eq!(env.read("OUT/opt/b.conf"), "listen 8080;\n");
    assert!(!env.path("ran").exists());
    assert_eq!(env.names("OUT/opt"), ["app.conf", "b.conf"]);
}

#[test]
fn errors_are_printed_once_and_the_file_stays() {
    let env = env();
    let daemon = preview(&env);
    env.template("app.tmpl", "listen {{getv \"/prt\"}}\n");
    daemon.wait_log("key does not exist: /prt");
    daemon.wait_log("did you mean /port?");
    assert_eq!(env.read("OUT/opt/app.conf"), "listen 80\n");
    // A change of something else does not repeat it.
    env.resource(
        "b.toml",
        "[template]\nsrc = \"b.tmpl\"\ndest = \"/opt/b.conf\"\n",
    );
    daemon.wait_log("b.tmpl");
    env.resource("c.toml", "[template]\nmode = 0644\n");
    daemon.wait_log("c.toml:2: unexpected leading zero; put the string in quotes: mode = \"0644\"");
    assert_eq!(daemon.count("key does not exist: /prt"), 1);
    env.template("app.tmpl", "port {{getv \"/port\"}}\n");
    daemon.wait_log("etc/conf.d/app.toml: works again");
    assert_eq!(env.read("OUT/opt/app.conf"), "port 80\n");
}

#[test]
fn a_broken_recording_is_reported_and_the_preview_goes_on() {
    let env = env();
    let daemon = preview(&env);
    env.put("meta.json", "{");
    daemon.wait_log("meta.json: ");
    assert_eq!(env.read("OUT/opt/app.conf"), "listen 80\n");
    fs::remove_file(env.path("meta.json")).expect("the recording");
    daemon.wait_log("cannot read meta.json: ");
    env.put("meta.json", &json!({"port": "81"}).to_string());
    daemon.wait_log("recording: works again");
    env.wait_content("OUT/opt/app.conf", "listen 81\n");
}
