//! The page in a real browser. LAB_PICTURES=1 writes the pictures of the documents.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::driver::{self, Browser, DOWN, ENTER, ESCAPE, RIGHT, TAB};
use crate::env::{Image, Lab};

/// A window that shows the image. None where there is no chromium.
pub(crate) fn open(test: &str, lab: &Lab, (width, height): (u32, u32)) -> Option<Browser> {
    let browser = driver::open(test, width, height)?;
    browser.go(&lab.address);
    browser.wait("document.documentElement.dataset.shown > 0");
    Some(browser)
}

pub(crate) const WIDE: (u32, u32) = (1280, 800);
const NARROW: (u32, u32) = (390, 844);

/// Takes a picture: for the documents, or else to be thrown away.
fn picture(browser: &Browser, name: &str) {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab");
    let directory = match std::env::var_os("LAB_PICTURES") {
        Some(_) => documents,
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    std::fs::create_dir_all(&directory).expect("a directory for pictures");
    browser.picture(&directory.join(format!("{name}.png")));
}

/// An application with three roles, links and parameters.
fn three_roles() -> Image {
    let nodes = |role: &str, ids: &[u32]| -> Json {
        let nodes = ids.iter().map(|id| {
            let leaves = json!({
                "ip": format!("192.168.7.{id}"), "instance_id": format!("i-{role}{id}"),
                "sid": id.to_string(), "cpu": "2", "memory": "4096",
            });
            (format!("i-{role}{id}"), leaves)
        });
        Json::Object(nodes.collect())
    };
    let image = Image::new(&json!({
        "cluster": {"cluster_id": "cl-7", "app_id": "app-7", "zone": "pek3"},
        "env": {"max_clients": "500", "log_level": "info", "db_password": "s3cret"},
        "host": {"ip": "192.168.7.21", "instance_id": "i-web21", "sid": "21", "cpu": "2", "memory": "4096", "role": "web"},
        "hosts": {"db": nodes("db", &[11, 12]), "proxy": nodes("proxy", &[31]), "web": nodes("web", &[21, 22])},
        "links": {"cache": {"i-c1": {"ip": "192.168.7.41"}}},
    }));
    image.add_with(
        "proxy.conf",
        "# made by confd\n{{$web := getvs \"/hosts/web/*/ip\"}}upstream web {\n{{range $web}}    server {{.}}:8080;\n{{end}}}\n\
         limit {{getv \"/env/max_clients\"}};\n{{if exists \"/links/cache/i-c1/ip\"}}cache {{getv \"/links/cache/i-c1/ip\"}}:6379;\n{{end}}",
        "reload_cmd = \"/usr/sbin/proxy reload\"",
    );
    image.add(
        "app.env",
        "ROLE={{getv \"/host/role\"}}\nIP={{getv \"/host/ip\"}}\nLOG_LEVEL={{getv \"/env/log_level\"}}\n\
         DB_HOSTS={{join (getvs \"/hosts/db/*/ip\") \",\"}}\nHEAP={{div (atoi (getv \"/host/memory\")) 2}}m\n",
    );
    image.add("standby", "{{index (getvs \"/hosts/db/*/ip\") 1}}\n");
    image
}

/// Fails when the browser has reported an error.
#[track_caller]
fn assert_no_errors(browser: &Browser) {
    assert_eq!(browser.errors(), Vec::<String>::new());
}

#[test]
fn a_value_is_edited_and_the_file_changes() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("editing", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"proxy.conf.toml\"]");
    browser.wait_text("#output", "limit 500;");
    browser.click(".node[data-key=\"/env/max_clients\"]");
    browser.press(ENTER);
    browser.wait("document.activeElement.matches('.node textarea')");
    browser.press("9000");
    browser.press(ENTER);
    browser.wait_text("#output", "limit 9000;");
    browser.wait_text("#edits", "1 edit");
    browser.wait("document.querySelector('.node.edited').dataset.key === '/env/max_clients'");
    // It is there after a reload of the page, and gone when it is undone.
    browser.go(&lab.address);
    browser.wait_text("#output", "limit 9000;");
    browser.click("#undo");
    browser.wait_text("#output", "limit 500;");
    browser.wait_gone("#edits");
    browser.click("#add-node");
    browser.wait("document.querySelector('dialog').open");
    browser.eval("document.querySelector('dialog select').value = 'web'");
    browser.click("dialog button[type=submit]");
    browser.wait_text("#output", "server 192.168.7.");
    browser.wait("document.querySelectorAll('#output .line').length === 8");
    browser.wait_text("#tree", "i-added1");
    assert_no_errors(&browser);
}

#[test]
fn a_value_of_several_lines_keeps_them() {
    let image = Image::new(&json!({"env": {"list": "one\ntwo", "other": "x"}}));
    image.add("app", "{{getv \"/env/list\"}}\n");
    let lab = image.show();
    let Some(browser) = open("lines", &lab, WIDE) else {
        return;
    };
    let edit = || {
        browser.click(".node[data-key=\"/env/list\"]");
        browser.press(ENTER);
        browser.wait("document.activeElement.matches('.node textarea')");
    };
    edit();
    assert_eq!(browser.eval("document.activeElement.value"), "one\ntwo");
    // Only looked at, it stays as it is.
    browser.click("#output");
    browser.wait("!document.querySelector('.node textarea')");
    assert_eq!(
        browser.eval("document.querySelector('#edits').textContent"),
        ""
    );
    edit();
    browser.eval("document.activeElement.setSelectionRange(7, 7)");
    browser.press("!");
    browser.press(ENTER);
    browser.wait_text("#output", "two!");
    browser.wait("document.querySelectorAll('#output .line').length === 2");
    assert_no_errors(&browser);
}

#[test]
fn what_is_being_typed_stays_whatever_happens_around_it() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("typing", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"proxy.conf.toml\"]");
    browser.wait_text("#output", "limit 500;");
    browser.click(".node[data-key=\"/env/max_clients\"]");
    browser.press(ENTER);
    browser.wait("document.activeElement.matches('.node textarea')");
    browser.press("12");
    // A click is for the caret.
    browser.click("#tree textarea");
    browser.press("3");
    let template = std::fs::read_to_string(image.path("templates/proxy.conf.tmpl"));
    let template = template.expect("the template").replace("limit", "most");
    image.put("templates/proxy.conf.tmpl", &template);
    browser.wait_text("#output", "most 500;");
    browser.press("4");
    assert_eq!(
        browser.eval("document.activeElement.value.length"),
        4,
        "{}",
        browser.eval("document.activeElement.value")
    );
    browser.press(ENTER);
    browser.wait_text("#edits", "1 edit");
    browser.wait("/most \\d{4};/.test(document.querySelector('#output').textContent)");
    assert_no_errors(&browser);
}

#[test]
fn what_stays_on_the_disk_is_shown_with_the_reason() {
    let image = Image::new(&json!({
        "env": {"a": "1"},
        "host": {"ip": "10.0.0.1"},
        "hosts": {"i-1": {"ip": "10.0.0.1"}, "i-2": {"ip": "10.0.0.2"}},
    }));
    image.add_with(
        "once",
        "{{len (lsdir \"/hosts\")}} nodes\n",
        "create_only = true",
    );
    image.add_with(
        "joining",
        "{{if ls \"/adding-hosts\"}}joining{{end}}\n",
        "skip_empty = true",
    );
    let lab = image.show();
    let Some(browser) = open("stays", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"once.toml\"]");
    browser.wait_text("#output", "2 nodes");
    browser.click("[data-stage=\"scale-out\"]");
    browser.wait_text("#error.calm", "create_only leaves the file alone.");
    browser.wait_text("#output", "2 nodes");
    browser.wait("document.querySelectorAll('#output .removed').length === 0");
    browser.click("[data-file=\"joining.toml\"]");
    browser.wait_text("#output", "joining");
    browser.wait_gone("#error");
    browser.click("[data-stage=\"scale-out-done\"]");
    browser.wait_text("#error.calm", "skip_empty leaves the file alone.");
    browser.wait_text("#output", "joining");
    browser.click("[data-stage=\"as-recorded\"]");
    browser.wait_text("#error.calm", "There is no file.");
    assert_no_errors(&browser);
}

#[test]
fn a_mistake_in_a_resource_stands_at_its_line() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("resource", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"app.env.toml\"]");
    browser.wait_text("#output", "ROLE=web");
    let good = std::fs::read_to_string(image.path("conf.d/app.env.toml")).expect("the resource");
    image.put(
        "conf.d/app.env.toml",
        &good.replace("dest = \"/etc/app.env\"", "dest = \"/etc/app.env"),
    );
    browser.wait_text("#error", "conf.d/app.env.toml:3");
    browser.wait_text("#template .line", "dest = \"/etc/app.env");
    browser.wait_text("#template .error-note", "the closing \" is missing");
    browser.wait("document.querySelector('#template .has-error .number').textContent === '3'");
    let each = "for_each = 'ls (getv \"/env/log_levle\")'\n";
    let dest = good.replace("/etc/app.env", "/etc/{{.}}");
    image.put("conf.d/app.env.toml", &format!("{dest}{each}"));
    browser.wait_text("#error .cure", "/env/log_level");
    browser.click("#sources button:last-child");
    browser.wait_text(
        "#template .error-note",
        "key does not exist: /env/log_levle",
    );
    browser.wait_text("#template .error-note .cure", "/env/log_level");
    image.put("conf.d/app.env.toml", &good);
    browser.wait_gone("#error");
    browser.wait("document.querySelectorAll('#template .error-note').length === 0");
    assert_no_errors(&browser);
}

#[test]
fn the_edited_recording_can_be_downloaded() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("download", &lab, WIDE) else {
        return;
    };
    browser.click(".node[data-key=\"/env/log_level\"]");
    browser.press(ENTER);
    browser.press("debug");
    browser.press(ENTER);
    browser.wait_text("#edits", "1 edit");
    browser.eval(
        "(URL.createObjectURL = (file) => { file.text().then((text) => { window.text = text; }); return '#'; }) && true",
    );
    browser.click("#download");
    browser.wait("window.text !== undefined");
    let text = browser.eval("window.text");
    let recording: Json = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    assert_eq!(recording["env"]["log_level"], "debug");
    assert_eq!(recording["env"]["max_clients"], "500");
}

#[test]
fn the_slider_goes_through_the_stages_and_shows_what_happens() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("stages", &lab, WIDE) else {
        return;
    };
    browser.wait("document.querySelectorAll('.mark-fail').length === 2");
    assert_eq!(
        browser.eval("document.querySelector('.stop .mark-fail').closest('.stop').dataset.stage"),
        "created"
    );
    browser.click("[data-file=\"proxy.conf.toml\"]");
    browser.wait_text("#dest", "proxy.conf");
    browser.click("#stage");
    browser.eval("document.querySelector('#stage').value = 0, document.querySelector('#stage').dispatchEvent(new Event('input'))");
    browser.wait_text("#stage-name", "as recorded");
    browser.press(&RIGHT.repeat(2));
    browser.wait_text("#stage-name", "scale out: nodes join");
    browser.wait_text("#output .added", "server 192.168.7.25:8080;");
    browser.wait_text("#stage-facts", "compared with “as recorded”");
    browser.wait("document.querySelectorAll('#output .removed').length === 0");
    browser.click("[data-stage=\"scale-in-done\"]");
    browser.wait_text("#output .removed", "server 192.168.7.25:8080;");
    browser.click("#diff");
    browser.wait("document.querySelectorAll('#output .removed').length === 0");
    browser.click("#diff");
    // Another node has another /host.
    browser.click("[data-file=\"app.env.toml\"]");
    browser.wait_text("#output", "IP=192.168.7.21");
    browser.eval("document.querySelector('#node').value = 'proxy/i-proxy31', document.querySelector('#node').dispatchEvent(new Event('change'))");
    browser.wait_text("#output", "ROLE=proxy");
    browser.click("[data-stage=\"parameter-empty\"]");
    browser.wait("!document.querySelector('#variant').hidden");
    browser.eval("document.querySelector('#variant').value = '/env/log_level', document.querySelector('#variant').dispatchEvent(new Event('change'))");
    browser.wait_text("#output .removed", "LOG_LEVEL=info");
    assert_no_errors(&browser);
}

#[test]
fn a_mistake_is_shown_with_its_cure_until_it_is_fixed_on_disk() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("mistake", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"app.env.toml\"]");
    browser.wait_text("#output", "ROLE=web");
    let good = std::fs::read_to_string(image.path("templates/app.env.tmpl")).expect("the template");
    image.put(
        "templates/app.env.tmpl",
        &good.replace("/env/log_level", "/env/log_levle"),
    );
    browser.wait_text("#error .cure", "/env/log_level");
    browser.wait_text(
        "#template .error-note",
        "key does not exist: /env/log_levle",
    );
    browser.wait_text("#template .note", "E404");
    browser.wait("document.querySelector('#template .has-error .number').textContent === '3'");
    browser.wait_text("[data-file=\"app.env.toml\"]", "fails");
    // The file of the stage before stays on the disk.
    browser.click("[data-stage=\"restarted\"]");
    browser.wait_text("#stage-name", "stopped and started");
    browser.click("[data-stage=\"as-recorded\"]");
    browser.wait_text("#error", "There is no file.");
    browser.press(ESCAPE);
    picture(&browser, "mistake");
    image.put("templates/app.env.tmpl", &good);
    browser.wait_gone("#error");
    browser.wait_text("#output", "LOG_LEVEL=info");
    browser.wait("document.querySelectorAll('#template .note').length === 0");
    image.put(
        "conf.d/standby.toml",
        "[template]\nsrc = \"standby.tmpl\"\n",
    );
    browser.wait_text("[data-file=\"standby.toml\"]", "fails");
    assert_no_errors(&browser);
}

#[test]
fn what_is_saved_is_shown_soon_and_nothing_else_moves() {
    let image = three_roles();
    let mut text = String::new();
    for line in 0..400 {
        let _ = writeln!(text, "line {line} {{{{getv \"/env/log_level\"}}}}");
    }
    image.add("long", &text);
    let lab = image.show();
    let Some(browser) = open("live", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"long.toml\"]");
    browser.wait_text("#output", "line 399 info");
    browser.click("[data-stage=\"scale-out\"]");
    browser.wait_text("#stage-name", "scale out");
    browser.eval("document.querySelector('#output').scrollTop = 3000");
    let mut times = (0..TURNS).map(|turn| {
        let changed = format!("line 160 turn {turn}");
        browser.eval(&format!(
            "window.seen = null, new MutationObserver((_, o) => {{ if (document.querySelector('#output').textContent.includes({changed:?})) {{ window.seen = Date.now(); o.disconnect(); }} }}).observe(document.querySelector('#output'), {{childList: true, subtree: true}})"
        ));
        let saved = std::time::SystemTime::now();
        image.put("templates/long.tmpl", &text.replace("line 160", &changed));
        browser.wait("window.seen !== null");
        let saved = saved.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        browser.eval("window.seen").as_f64().expect("a time") - saved as f64
    });
    assert!(
        times.any(|time| time < 300.0),
        "it takes longer than 300 ms"
    );
    assert_eq!(
        browser.eval("document.querySelector('#output').scrollTop"),
        3000
    );
    browser.wait_text("#stage-name", "scale out");
    browser
        .wait("document.querySelector('.file[aria-selected=true]').dataset.file === 'long.toml'");
    assert_no_errors(&browser);
}

#[test]
fn pointing_shows_what_belongs_together_in_both_directions() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("provenance", &lab, WIDE) else {
        return;
    };
    browser.wait("document.querySelector('.mark-fail') !== null");
    browser.click("[data-file=\"proxy.conf.toml\"]");
    browser.wait_text("#output", "limit 500;");
    browser.click("[data-stage=\"scale-out\"]");
    browser.wait_text("#output .added", "server 192.168.7.25:8080;");
    browser.eval("[...document.querySelectorAll('#output .origin-of')].find((one) => one.textContent === '192.168.7.22').id = 'wanted'");
    browser.point("#wanted");
    browser.wait("document.querySelector('#wanted').classList.contains('strong')");
    browser.wait_text("#template .strong", ".");
    browser.wait_text("#template .weak", "$web");
    browser.wait_text("#origin", "/hosts/web/i-web22/ip");
    browser.click("#wanted");
    browser.wait("document.querySelector('.node.pointed').dataset.key === '/hosts/web/i-web22/ip'");
    picture(&browser, "lab");
    // It stays when something else is saved.
    let shown = browser.eval("document.documentElement.dataset.shown");
    image.put("templates/standby.tmpl", "later");
    browser.wait(&format!(
        "document.documentElement.dataset.shown !== {shown}"
    ));
    browser.wait("[...document.querySelectorAll('#output .strong')].map((one) => one.textContent).join() === '192.168.7.22'");
    browser.press(ESCAPE);
    browser.wait("document.querySelector('.node.pointed') === null");
    // And back: a key marks its outputs in all files.
    browser.point(".node[data-key=\"/env/max_clients\"]");
    browser.wait_text("#output .strong", "500");
    browser.wait_text("#origin", "used in proxy.conf.toml (1 line)");
    browser.wait(
        "document.querySelector('[data-file=\"proxy.conf.toml\"]').classList.contains('used')",
    );
    browser.click(".node[data-key=\"/hosts\"] .count");
    browser.wait_text("#origin", "app.env.toml (1 line), proxy.conf.toml");
    browser.wait("document.querySelectorAll('.file.used').length >= 2");
    assert_no_errors(&browser);
}

#[test]
fn the_files_of_items_are_tied_to_their_keys() {
    let image = Image::new(&json!({
        "sites": {"a.example": {"port": "80"}, "b.example": {"port": "81"}},
        "host": {"ip": "10.0.0.1"},
    }));
    image.put("templates/site.tmpl", "name {{.}}\n");
    image.put(
        "conf.d/site.toml",
        "[template]\nsrc = \"site.tmpl\"\ndest = \"/etc/{{.}}.conf\"\nkeys = [\"/\"]\nfor_each = 'lsdir \"/sites\"'\n",
    );
    let lab = image.show();
    let Some(browser) = open("items", &lab, WIDE) else {
        return;
    };
    browser.wait_text("#output", "name b.example");
    let find = |text: &str, id: &str| {
        browser.eval(&format!(
            "[...document.querySelectorAll('#output .origin-of')].find((one) => one.textContent === {text:?}).id = {id:?}"
        ));
    };
    find("b.example", "item");
    find("==> /etc/b.example.conf <==", "title");
    browser.point("#item");
    browser.wait_text(
        "#origin",
        "because of for_each = 'lsdir \"/sites\"' conf.d/site.toml:5",
    );
    browser.click("#item");
    browser.wait("document.querySelector('.node.pointed').dataset.key === '/sites/b.example'");
    browser.wait_text("#template .strong", ".");
    browser.press(ESCAPE);
    // The path of the file is that of the resource, which is shown then.
    browser.click("#title");
    browser.wait_text("#sources [aria-selected=true]", "site.toml");
    browser.wait_text("#template .strong", "dest = \"/etc/{{.}}.conf\"");
    browser.wait_text("#template .weak", "for_each");
    browser.press(ESCAPE);
    browser.point(".node[data-key=\"/sites/a.example\"]");
    browser.wait_text("#output .strong", "==> /etc/a.example.conf <==");
    browser.wait_text("#output .weak", "name ");
    browser.wait_text("#origin", "used in site.toml (2 lines)");
    assert_no_errors(&browser);
}

#[test]
fn hostile_values_are_text() {
    let hostile = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>";
    let image = Image::new(&json!({
        "env": {"html": hostile, "control": "\u{1b}[2J\u{7}\u{202e}x", "</script><b>": "key", "__proto__": "p", "constructor": "c"},
        "host": {"ip": hostile},
    }));
    image.add("app", "{{getv \"/env/html\"}}\n{{range gets \"/env/*\"}}{{.Key}}={{.Value}}\n{{end}}{{getv \"/none\"}}");
    image.add(
        "good",
        "{{getv \"/env/html\"}}\n{{range gets \"/env/*\"}}{{.Key}}={{.Value}}\n{{end}}",
    );
    let lab = image.show();
    let Some(browser) = open("hostile", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"good.toml\"]");
    browser.wait_text("#output", hostile);
    browser.wait_text("#tree", hostile);
    browser.wait_text("#output", "/env/__proto__=p");
    browser.point("#output .origin-of");
    browser.wait_text("#origin", "/env/html");
    browser.click("[data-file=\"app.toml\"]");
    browser.wait_text("#error", "key does not exist");
    browser.eval("document.querySelector('#search').value = '<', document.querySelector('#search').dispatchEvent(new Event('input'))");
    browser.wait_text("#tree", "</script><b>");
    assert_eq!(browser.eval("window.hacked"), Json::Null);
    assert_eq!(
        browser.eval("document.querySelectorAll('img, b, script:not([src])').length"),
        0
    );
    assert_no_errors(&browser);
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("keyboard", &lab, WIDE) else {
        return;
    };
    browser.press(".");
    browser.wait_text("#dest", "/etc/proxy.conf");
    browser.press("/max_cl");
    browser.wait("document.querySelectorAll('.node').length === 1");
    browser.press(ENTER);
    browser.wait("document.activeElement.id === 'tree'");
    browser.press(ENTER);
    browser.wait("document.activeElement.matches('.node textarea')");
    browser.press("42");
    browser.press(ENTER);
    browser.wait_text("#output", "limit 42;");
    browser.press("]]");
    browser.wait_text("#stage-name", "scale out: nodes join");
    browser.press("[");
    browser.wait_text("#stage-name", "created");
    browser.press("o");
    browser.press(&DOWN.repeat(4));
    browser.press(RIGHT);
    browser.wait("document.querySelector('#output .cursor.strong') !== null");
    browser.wait_text("#origin", "proxy.conf.tmpl:");
    browser.press(ENTER);
    browser.press("u");
    browser.wait_text("#output", "limit 500;");
    browser.press("?");
    browser.wait("document.querySelector('dialog').open");
    browser.wait_text("dialog", "search the metadata");
    browser.press(ESCAPE);
    browser.wait("!document.querySelector('dialog').open");
    browser.press("d");
    browser.wait("!document.querySelector('#diff').checked");
    // Every control can be reached with the tabulator.
    let reached = "(window.reached ??= new Set()).add(document.activeElement.id).size";
    for _ in 0..30 {
        browser.press(TAB);
        browser.eval(reached);
    }
    for id in [
        "node", "language", "theme", "help", "stage", "files", "search", "add", "add-node",
        "download", "tree", "template", "output", "diff",
    ] {
        assert_eq!(
            browser.eval(&format!("window.reached.has({id:?})")),
            true,
            "{id}"
        );
    }
    assert_no_errors(&browser);
}

#[test]
fn a_narrow_window_has_tabs_and_nothing_sticks_out() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("narrow", &lab, NARROW) else {
        return;
    };
    browser.wait("document.querySelector('.mark-fail') !== null");
    browser.click("[data-pane=\"metadata\"]");
    browser.click("[data-file=\"proxy.conf.toml\"]");
    for (pane, id) in [
        ("template", "pane-template"),
        ("metadata", "pane-metadata"),
        ("output", "pane-output"),
    ] {
        browser.click(&format!("[data-pane={pane}]"));
        browser.wait(&format!(
            "document.querySelector('#{id}').offsetWidth === 390"
        ));
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth"),
            390,
            "{pane}"
        );
        assert_eq!(browser.eval("document.body.scrollWidth"), 390, "{pane}");
    }
    browser.click("[data-stage=\"scale-out\"]");
    browser.wait_text("#output .added", "server 192.168.7.25:8080;");
    picture(&browser, "narrow");
    assert_no_errors(&browser);
}

#[test]
fn it_speaks_chinese_and_has_a_dark_theme() {
    let image = three_roles();
    let lab = image.show();
    let Some(browser) = open("chinese", &lab, WIDE) else {
        return;
    };
    browser.wait("document.querySelector('.mark-fail') !== null");
    let light = browser.eval("getComputedStyle(document.body).backgroundColor");
    browser.click("#language");
    browser.wait("document.documentElement.lang === 'zh-CN'");
    browser.wait_text("#stage-name", "按录制");
    browser.wait_text("h2", "元数据");
    browser.click("#theme");
    browser.wait("document.documentElement.dataset.theme === 'light'");
    browser.click("#theme");
    browser.wait("document.documentElement.dataset.theme === 'dark'");
    assert_ne!(
        browser.eval("getComputedStyle(document.body).backgroundColor"),
        light
    );
    browser.click("[data-file=\"proxy.conf.toml\"]");
    browser.click("[data-stage=\"scale-in-done\"]");
    browser.wait_text("#output .removed", "192.168.7.25");
    picture(&browser, "chinese");
    // Every word of the page is there in both languages.
    let words = browser.eval("import('./i18n.js').then(({ words, switchLanguage }) => { const names = () => JSON.stringify([Object.keys(words()), Object.keys(words().short), words().keys.map(([key]) => key)]); const one = names(); switchLanguage(); return one === names(); })");
    assert_eq!(words, true);
    assert_no_errors(&browser);
}

#[test]
fn a_thousand_hosts_and_fifty_files_stay_usable() {
    let nodes = (1..=1000).map(|id| {
        let leaves = json!({
            "ip": format!("10.{}.{}.1", id / 250, id % 250), "instance_id": format!("i-{id:04}"), "sid": id.to_string(),
            "node_id": format!("cln-{id:04}"), "cpu": "4", "memory": "8192", "mac": format!("52:54:00:00:{:02x}:{:02x}", id / 256, id % 256),
            "zone": "pek3a", "pub_key": "ssh-rsa AAAAB3NzaC1yc2E", "reserved_ips": "",
        });
        (format!("i-{id:04}"), leaves)
    });
    let nodes: serde_json::Map<String, Json> = nodes.collect();
    let image = Image::new(&json!({
        "env": {"port": "8080"},
        "host": nodes["i-0500"].clone(),
        "hosts": {"web": nodes},
    }));
    for number in 0..50 {
        let text = format!(
            "# file {number}\n{{{{range $id := lsdir \"/hosts/web\"}}}}server {{{{$id}}}} {{{{getv (printf \"/hosts/web/%s/ip\" $id)}}}}:{{{{getv \"/env/port\"}}}}\n{{{{end}}}}"
        );
        image.add(&format!("f{number:02}"), &text);
    }
    let lab = image.show();
    let Some(browser) = open("large", &lab, WIDE) else {
        return;
    };
    browser.click("[data-file=\"f25.toml\"]");
    browser.wait_text("#dest", "/etc/f25");
    browser.wait_text("#output", "10.0.1.1:8080");
    let mut times = Vec::new();
    for turn in 10..10 + TURNS {
        browser.eval(&format!(
            "window.seen = null, new MutationObserver((_, o) => {{ if (document.querySelector('#output').textContent.includes(':{turn}9999')) {{ o.disconnect(); requestAnimationFrame(() => setTimeout(() => {{ window.seen = performance.now(); }})); }} }}).observe(document.querySelector('#output'), {{childList: true, subtree: true}})"
        ));
        browser.eval(&format!(
            "window.begun = performance.now(), import('./state.js').then(({{ edit }}) => edit(['/env/port', '{turn}9999'])).then(() => 1)"
        ));
        browser.wait("window.seen !== null");
        let time = browser.eval("window.seen - window.begun").as_f64();
        times.push(time.expect("a time"));
        if times.len() >= 4 && times.iter().any(|time| *time < limit()) {
            break;
        }
    }
    println!("1000 hosts, 50 files: a change is shown after {times:.0?} ms");
    assert!(times.iter().any(|time| *time < limit()), "{times:?}");
    browser.eval("document.querySelector('#output').scrollTop = 15000");
    browser.wait_text("#output", "i-0750");
    assert_no_errors(&browser);
}

/// How often something is tried that has to be fast once: other tests may have the processor.
pub(crate) const TURNS: usize = 20;

/// The longest time until a change is on the screen, in milliseconds. A program that is not
/// optimized takes several times as long.
pub(crate) fn limit() -> f64 {
    if cfg!(debug_assertions) {
        3000.0
    } else {
        500.0
    }
}
