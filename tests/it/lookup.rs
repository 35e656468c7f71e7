//! Names of hosts and services, looked up in the system's /etc/hosts and by its name servers: each
//! C library has its own code for that, so what is built with another one must be asked anew.

use serde_json::json;

use crate::env::Env;
use crate::names;

#[test]
fn names_are_found_in_hosts_and_by_name_servers() {
    let name = "names_are_found_in_hosts_and_by_name_servers";
    names::set("db.example", &[[10, 9, 0, 2], [10, 9, 0, 1]]);
    names::set_services("_db._tcp.example", &[(10, 5, 3306, "db.example")]);
    let env = Env::with_tree(&json!({"k": "1"}));
    let Some(mounts) = names::mounts(&env, name, "10.8.0.1 web web.cluster\n") else {
        return;
    };
    env.simple_with(
        "app",
        "{{lookupIP \"web.cluster\"}} {{lookupIP \"db.example\"}} {{lookupIP \"none.example\"}} {{lookupIPV6 \"db.example\"}}\n\
         {{range lookupSRV \"db\" \"tcp\" \"example\"}}{{.Target}}:{{.Port}} {{.Priority}} {{.Weight}}{{end}}\n",
        "",
    );
    let Some(run) = env.onetime_with_mounts(name, mounts) else {
        return;
    };
    run.expect_code(0);
    assert_eq!(
        env.read("out/app"),
        "[10.8.0.1] [10.9.0.1 10.9.0.2] [] []\ndb.example.:3306 10 5\n"
    );
}
