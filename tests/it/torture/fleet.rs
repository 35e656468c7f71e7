//! A small fleet at one server: after a restart of the server its daemons come back one after the
//! other. `make fleet` measures a large one.

use serde_json::json;

use crate::env::{Env, share_of};
use crate::metad::Metad;

#[test]
fn a_restart_of_the_server_brings_the_daemons_back_spread() {
    let count = share_of(200).max(80);
    let mut metad = Metad::start(json!({"k": "1"}));
    let start = |_| {
        let mut env = Env::with_metad(&metad);
        // Wide, so that what the machine is busy with besides cannot make one second of two.
        env.settings("splay = \"8s\"");
        env.simple_with("app", r#"{{getv "/k"}}"#, "");
        let daemon = env.daemon(&["-watch"]);
        (env, daemon)
    };
    let _nodes: Vec<_> = (0..count).map(start).collect();
    metad.wait_all_idle(count);
    let before = metad.connections();
    metad.restart();
    metad.wait_all_idle(count);
    let back = &metad.accepted()[before..];
    let seconds = back.iter().map(|at| at.duration_since(back[0]).as_secs());
    let mut by_second = [0; 16];
    for second in seconds {
        by_second[usize::try_from(second).expect("a few")] += 1;
    }
    let most = by_second.iter().max().copied().unwrap_or(0);
    let length = 16
        - by_second
            .iter()
            .rev()
            .take_while(|count| **count == 0)
            .count();
    println!(
        "{count} daemons came back by the second: {:?}",
        &by_second[..length]
    );
    assert!(length >= 6, "{by_second:?}");
    assert!(most * length <= 3 * back.len(), "{by_second:?}");
}
