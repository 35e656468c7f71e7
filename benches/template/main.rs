//! `make bench`: how fast templates parse and render, how that grows with the data, and what has
//! become of it since the commit before. Prints figures, judges only the growth.

mod before;
mod figures;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv};
use app_agent::template::{Budget, Options, Template, Value};
use app_agent::tree::{Tree, View};
use figures::Figures;

/// Ten times the hosts may take this many times as long.
const MOST_FOR_HOSTS: f64 = 12.0;
/// So may ten times the text, whose parse tree leaves the processor's cache on the way.
const MOST_FOR_TEXT: f64 = 15.0;

const ZOOKEEPER: &str = include_str!("../../tests/fixtures/zookeeper/templates/zoo.cfg.tmpl");

fn main() {
    let mut figures = Figures::default();
    let growth = measure(&mut figures);
    if let Some(file) = std::env::var_os(before::ONLY_FIGURES) {
        figures
            .write(Path::new(&file))
            .expect("the figures can be written");
        return;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    if let Some(file) = before::kept(&target) {
        figures.write(&file).expect("the figures can be kept");
    }
    let before = before::figures(&target);
    figures.print(before.as_ref().ok().map(|(_, figures)| figures));
    match before {
        Ok((commit, _)) => println!("before: {commit}"),
        Err(reason) => println!("nothing to compare with: {reason}"),
    }
    for (what, times, most) in growth {
        println!("{what}: {times:.1} times as long for ten times as much (at most {most})");
        assert!(times <= most, "{what} does not grow with its data");
    }
}

/// All figures; and what grows, how much longer ten times as much takes, and how much longer it
/// may.
fn measure(figures: &mut Figures) -> Vec<(&'static str, f64, f64)> {
    functions(figures);
    vec![
        ("parsing", parse(figures), MOST_FOR_TEXT),
        ("the ZooKeeper template", zookeeper(figures), MOST_FOR_HOSTS),
    ]
}

fn growth(small: Duration, large: Duration) -> f64 {
    large.as_secs_f64() / small.as_secs_f64()
}

fn parsed(text: &str) -> Template {
    Template::parse("bench.tmpl", text.as_bytes(), FUNCTIONS).expect("it parses")
}

fn parse(figures: &mut Figures) -> f64 {
    let mut time_for = |times: usize| {
        let text = ZOOKEEPER.repeat(times);
        let name = format!("parse {} bytes", text.len());
        figures.measure(&name, (text.len() as f64 / 1e6, "MB"), || {
            drop(black_box(parsed(&text)));
        })
    };
    time_for(1);
    // Below a megabyte the processor's cache makes the small one look better than it is.
    let (small, large) = (time_for(4_000), time_for(40_000));
    growth(small, large)
}

/// The metadata of a cluster with this number of hosts.
fn cluster(hosts: usize) -> Arc<Tree> {
    let mut pairs = Vec::new();
    for host in 0..hosts {
        let leaf = |name: &str| format!("/hosts/i-{host:08x}/{name}");
        pairs.push((
            leaf("ip"),
            format!("10.{}.{}.{}", host >> 16, host >> 8 & 255, host & 255),
        ));
        pairs.push((leaf("sid"), host.to_string()));
        for name in ["gid", "cpu", "memory", "node_id", "role"] {
            pairs.push((leaf(name), "1".to_owned()));
        }
    }
    Arc::new(Tree::from_pairs(pairs))
}

fn view(tree: &Arc<Tree>) -> View {
    tree.view("/", &["/".to_owned()])
}

fn render(template: &Template, view: View) -> Vec<u8> {
    let around = HostEnv::of_process(Path::new("."), Options::default());
    let mut host = Funcs::new(view, around);
    template
        .execute(
            &mut host,
            &Value::Nil,
            Options::default(),
            &mut Budget::default(),
        )
        .expect("it renders")
}

fn zookeeper(figures: &mut Figures) -> f64 {
    let template = parsed(ZOOKEEPER);
    let mut time_for = |hosts| {
        let tree = cluster(hosts);
        assert!(render(&template, view(&tree)).len() > hosts * 20);
        let name = format!("render zoo.cfg for {hosts} hosts");
        figures.measure(&name, (hosts as f64, "lines"), || {
            drop(black_box(render(&template, view(&tree))));
        })
    };
    time_for(100);
    let (small, large) = (time_for(1_000), time_for(10_000));
    growth(small, large)
}

/// The cost of single actions in a tree of 70,000 leaves.
fn functions(figures: &mut Figures) {
    let tree = cluster(10_000);
    for action in [
        r#"getv "/hosts/i-00000001/ip""#,
        r#"getv "/none" "x""#,
        r#"exists "/hosts/i-00000001/ip""#,
        r#"ls "/hosts/i-00000001""#,
        r#"lsdir "/hosts/i-00000001""#,
        r#"gets "/hosts/i-00000001/*""#,
        r#"getvs "/hosts/*/sid""#,
        r#"ls "/hosts""#,
        r#"lsdir "/hosts""#,
        r#"printf "%s:%d" "a" 1"#,
        r#"add 1 "2""#,
        r#"filter "web|job" (split "webx,abc" ",")"#,
        r#"regexReplaceAll "[0-9]+" (repeat 1000 "server 10.0.0.1:8080 weight=5; ") "N""#,
        r#"regexReplaceAll "(\w+)=(\d+)" (repeat 1000 "server 10.0.0.1:8080 weight=5; ") "$2=$1""#,
    ] {
        let template = parsed(&format!("{{{{{action}}}}}"));
        figures.measure(action, (1.0, "times"), || {
            drop(black_box(render(&template, view(&tree))))
        });
    }
    let mut text = String::from(
        "{{range seq 1 10000}}{{$x := add . 1}}{{if gt $x 5}}a{{else}}b{{end}}{{end}}",
    );
    text.push_str("{{range $i, $v := seq 1 10000}}{{$v}},{{end}}");
    let template = parsed(&text);
    figures.measure("two loops of 10,000 turns", (20_000.0, "turns"), || {
        drop(black_box(render(&template, view(&tree))))
    });
}
