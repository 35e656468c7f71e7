//! kill -9 at every system call of an apply: files old or new and whole, nothing left over, no
//! reload forgotten.

use std::os::unix::process::ExitStatusExt;

use super::calls::{Call, calls, calls_since, can_trace, injected, injection, traced};
use super::scene::{Scene, tree};
use super::{SIDE_BY_SIDE, for_each, sample};
use crate::metad::Metad;

const KILL: &str = "signal=KILL";
/// strace as a grandchild: the process that is started, and killed in the end, is confd and not
/// strace.
const ASIDE: &str = "-D";

fn report(what: &str, killed: &[bool]) {
    println!(
        "{what}: killed at {} system calls, {} runs ended before theirs; each mended by the next run",
        killed.iter().filter(|killed| **killed).count(),
        killed.iter().filter(|killed| !**killed).count()
    );
}

#[test]
fn a_kill_at_any_system_call_of_a_one_time_run_loses_nothing() {
    if !can_trace("a_kill_at_any_system_call_of_a_one_time_run") {
        return;
    }
    let metad = Metad::start(tree("2"));
    let good = Scene::new(&metad);
    let run = good
        .env
        .finish(traced(&good.env, &["-o", "$ROOT/trace"], &["-onetime"]));
    run.expect_code(0);
    good.expect_mended("a good run");
    let every = calls(&good.env.lines("trace"));
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let scene = Scene::new(&metad);
        let run = injected(&scene.env, &call, KILL);
        let context = Scene::context(&run, &format!("killed at {call:?}"));
        scene.expect_whole(&context);
        scene.expect_mended(&context);
        run.status.signal() == Some(9)
    });
    report("one-time run", &killed);
}

#[test]
fn a_kill_at_any_system_call_of_the_daemons_apply_loses_nothing() {
    if !can_trace("a_kill_at_any_system_call_of_the_daemons_apply") {
        return;
    }
    let every = calls_of_a_change();
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let metad = Metad::start(tree("1"));
        let mut scene = Scene::new(&metad);
        let [trace, inject] = injection(&call, KILL);
        let options = [ASIDE, "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let mut daemon = scene.env.start(traced(&scene.env, &options, &["-watch"]));
        scene.wait_made(&metad, || !daemon.is_running());
        metad.put("/k", "2");
        // It dies of the change, or takes it, or one of its commands dies in the same call.
        scene.wait_taken(|| !daemon.is_running() || daemon.count("killed by signal 9") > 0);
        let died = !daemon.is_running();
        if !died {
            daemon.kill();
        }
        let context = format!("killed at {call:?}\n{}", daemon.log());
        scene.expect_whole(&context);
        scene.expect_mended(&context);
        died
    });
    report("the daemon's apply", &killed);
}

/// The system calls that a change costs the daemon.
fn calls_of_a_change() -> Vec<Call> {
    let metad = Metad::start(tree("1"));
    let mut scene = Scene::new(&metad);
    let options = [ASIDE, "-o", "$ROOT/trace"];
    let daemon = scene.env.start(traced(&scene.env, &options, &["-watch"]));
    scene.wait_made(&metad, || false);
    let before = scene.env.lines("trace");
    metad.put("/k", "2");
    scene.wait_taken(|| false);
    metad.wait_idle();
    let after = scene.env.lines("trace");
    drop(daemon);
    calls_since(&before, &after)
}
