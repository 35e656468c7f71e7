//! Who may talk to the lab, and what it answers; that it runs nothing and writes nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::env::{Image, LIMIT, Lab, send, text_of, until};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The address of another page of the same server.
fn at(lab: &Lab, path: &str) -> String {
    format!("{}{path}", lab.address)
}

/// The status of a request that is written by hand.
fn status_of(lab: &Lab, request: &str) -> String {
    let host = lab.address.split('/').nth(2).expect("host and port");
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn only_the_page_with_the_token_is_answered() {
    let image = Image::zookeeper();
    let lab = image.show();
    let view = at(&lab, "api/view");
    let base = lab
        .address
        .rsplitn(3, '/')
        .last()
        .expect("the address")
        .to_owned();
    for (method, url, headers, status) in [
        ("GET", &lab.address, &[][..], 200),
        ("GET", &at(&lab, "main.js"), &[], 200),
        ("POST", &view, &[JSON], 200),
        ("POST", &view, &[JSON, ("Origin", &base)], 200),
        (
            "POST",
            &view,
            &[JSON, ("Origin", "http://evil.example")],
            403,
        ),
        ("POST", &view, &[JSON, ("Origin", "null")], 403),
        (
            "POST",
            &view,
            &[JSON, ("Sec-Fetch-Site", "cross-site")],
            403,
        ),
        (
            "GET",
            &at(&lab, "api/events"),
            &[("Origin", "http://evil.example")],
            403,
        ),
        ("POST", &view, &[("Content-Type", "text/plain")], 415),
        ("POST", &view, &[], 415),
        ("GET", &view, &[], 405),
        ("POST", &lab.address, &[JSON], 405),
        ("DELETE", &view, &[], 405),
        ("GET", &format!("{base}/"), &[], 404),
        (
            "GET",
            &format!("{base}/0123456789abcdef0123456789abcdef/"),
            &[],
            404,
        ),
        ("GET", &format!("{base}/main.js"), &[], 404),
        ("GET", &at(&lab, "../main.js"), &[], 404),
        ("GET", &at(&lab, "Cargo.toml"), &[], 404),
        ("POST", &at(&lab, "api/nothing"), &[JSON], 404),
    ] {
        let body = if method == "POST" { "{}" } else { "" };
        let (found, text) = send(method, url, headers, body);
        assert_eq!(found, status, "{method} {url} {headers:?}: {text:.200}");
    }
}

#[test]
fn a_foreign_host_is_refused_before_anything_else() {
    let image = Image::zookeeper();
    let lab = image.show();
    let path = lab
        .address
        .splitn(4, '/')
        .nth(3)
        .expect("the path")
        .to_owned();
    let host = lab
        .address
        .split('/')
        .nth(2)
        .expect("host and port")
        .to_owned();
    let port = host.split(':').nth(1).expect("a port").to_owned();
    for (line, status) in [
        (format!("Host: {host}\r\n"), "200"),
        (format!("Host: localhost:{port}\r\n"), "200"),
        (format!("Host: rebound.example:{port}\r\n"), "403"),
        ("Host: 127.0.0.1\r\n".to_owned(), "403"),
        (String::new(), "403"),
    ] {
        let request = format!("GET /{path} HTTP/1.1\r\n{line}Connection: close\r\n\r\n");
        assert_eq!(status_of(&lab, &request), status, "{line}");
    }
}

#[test]
fn wrong_questions_end_nothing() {
    let image = Image::zookeeper();
    let lab = image.show();
    for body in ["", "{", "[1, 2", "\u{0}"] {
        let (status, _) = send("POST", &at(&lab, "api/view"), &[JSON], body);
        assert_eq!(status, 400, "{body:?}");
    }
    for request in [
        json!(null),
        json!({"edits": 5, "node": 7, "stage": [], "file": {}, "tree": 1}),
        json!({"node": "none", "stage": "none", "about": "none", "file": "none"}),
    ] {
        let view = lab.ask("view", &request);
        assert_eq!(view["stage"], "as-recorded", "{request}");
    }
    let problem = lab.ask("view", &json!({"edits": [["no slash", "x"]]}));
    assert!(problem["problem"].is_string(), "{problem}");
}

#[test]
fn it_writes_no_file_and_runs_no_command() {
    let image = Image::zookeeper();
    let mark = image.path("ran").display().to_string();
    let resource = format!(
        "[template]\nsrc = \"myid.tmpl\"\ndest = \"{}\"\nkeys = [\"/\"]\nreload_cmd = \"touch {mark}\"\ncheck_cmd = \"touch {mark}\"\n",
        image.path("dest").display()
    );
    image.put("conf.d/myid.toml", &resource);
    let before = image.files();
    let lab = image.show();
    for question in [
        "view",
        "overview",
        "findings",
        "uses",
        "recording",
        "another-node",
    ] {
        let answer = lab.ask(
            question,
            &json!({"edits": [["/env/a", "1"]], "key": "/host"}),
        );
        assert_eq!(answer["problem"], json!(null), "{question}");
    }
    assert!(image.files() == before, "no file was written");
}

#[test]
fn an_edit_is_seen_everywhere_and_the_recording_stays() {
    let image = Image::zookeeper();
    let lab = image.show();
    let edits = json!([
        ["/host/sid", "77"],
        ["/env/new", "<script>"],
        ["/hosts/i-3", null]
    ]);
    let view = lab.ask("view", &json!({"edits": edits, "file": "zoo.cfg.toml"}));
    assert!(
        text_of(&view["file"]).contains("server.77=192.168.100.3:2888:3888"),
        "{view}"
    );
    assert!(!text_of(&view["file"]).contains("192.168.100.4"));
    let recording = lab.ask("recording", &json!({"edits": edits}));
    let recording: serde_json::Value =
        serde_json::from_str(recording["text"].as_str().expect("a text")).expect("JSON");
    assert_eq!(recording["env"]["new"], "<script>");
    assert_eq!(
        recording["hosts"]["i-2"]["sid"], "77",
        "the node's other place"
    );
    assert_eq!(recording["hosts"]["i-3"], json!(null));
    let saved = fs::read_to_string(image.path("metadata.json")).expect("the recording");
    assert!(!saved.contains("77"));
}

#[test]
fn a_new_node_is_like_the_others_and_joins_none_of_them() {
    let image = Image::zookeeper();
    let lab = image.show();
    let first = lab.ask("another-node", &json!({"edits": [], "role": ""}))["leaves"].take();
    let second = lab.ask("another-node", &json!({"edits": first, "role": ""}))["leaves"].take();
    let edits = [
        first.as_array().expect("leaves").clone(),
        second.as_array().expect("leaves").clone(),
    ];
    let edits = edits.concat();
    let request = |stage| json!({"edits": edits, "stage": stage, "file": "zoo.cfg.toml"});
    let recorded = text_of(&lab.ask("view", &request("as-recorded"))["file"]);
    let grown = text_of(&lab.ask("view", &request("scale-out"))["file"]);
    let count = |text: &str| {
        let servers = text.lines().filter(|line| line.starts_with("server."));
        let addresses = servers.map(|line| line.split('=').nth(1).map(str::to_owned));
        addresses.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(
        (count(&recorded), count(&grown)),
        (5, 6),
        "{recorded}\n{grown}"
    );
}

#[test]
fn the_file_before_is_that_of_the_stage_before() {
    let image = Image::zookeeper();
    let lab = image.show();
    let request = json!({"edits": [], "stage": "scale-in-done", "file": "zoo.cfg.toml"});
    let view = lab.ask("view", &request);
    let changes = view["file"]["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        changes[0]["removed"],
        json!(["server.1=192.168.100.2:2888:3888"])
    );
    assert_eq!(changes[0]["count"], 0);
}

#[test]
fn a_mistake_has_its_place_and_its_cure_until_it_is_fixed() {
    let image = Image::zookeeper();
    let lab = image.show();
    image.put("templates/myid.tmpl", "a\n{{getv \"/host/sdi\"}}\n");
    let file = until("the mistake is seen", || {
        Some(lab.file("myid.toml")).filter(|file| file["error"].is_object())
    });
    let place = &file["error"]["places"][0];
    assert_eq!(
        (&place["template"], &place["line"]),
        (&json!("myid.tmpl"), &json!(2))
    );
    let cure = place["cure"].as_str().expect("a cure");
    assert!(cure.contains("/host/sid"), "{cure}");
    let findings = lab.ask("findings", &json!({"edits": []}));
    let finding = &findings["findings"][0];
    assert_eq!(finding["file"], "templates/myid.tmpl", "{findings}");
    assert_eq!(finding["line"], 2);
    image.put("templates/myid.tmpl", "{{getv \"/host/sid\"}}\n");
    until("it is gone", || {
        lab.file("myid.toml")["error"].is_null().then_some(())
    });
}

#[test]
fn a_broken_recording_is_a_problem_and_the_last_good_one_stays() {
    let image = Image::zookeeper();
    let lab = image.show();
    image.put("metadata.json", "{ broken");
    let view = until("the problem is seen", || {
        let view = lab.ask("view", &json!({"edits": [], "file": "myid.toml"}));
        Some(view).filter(|view| view["problems"][0]["origin"] == "recording")
    });
    assert_eq!(text_of(&view["file"]), "2");
    image.put("metadata.json", "{\"host\": {\"sid\": \"9\"}}");
    until("the new one is shown", || {
        (text_of(&lab.file("myid.toml")) == "9").then_some(())
    });
}

#[test]
fn it_starts_with_whatever_there_is_and_goes_on_when_it_is_repaired() {
    let image = Image::zookeeper();
    image.put("confd.toml", "");
    for (origin, file, broken) in [
        ("recording", "metadata.json", Some("{ broken")),
        ("recording", "metadata.json", Some("")),
        ("recording", "metadata.json", None),
        ("settings", "confd.toml", Some("prefix = [")),
        ("", "conf.d/myid.toml", Some("[template")),
    ] {
        let good = fs::read_to_string(image.path(file)).expect("a file of the image");
        match broken {
            Some(text) => image.put(file, text),
            None => fs::remove_file(image.path(file)).expect("it was there"),
        }
        let lab = image.show();
        let view = lab.ask("view", &json!({"edits": [], "file": "myid.toml"}));
        let problem = match origin {
            "" => &view["unread"][0],
            _ => &view["problems"][0],
        };
        assert!(problem["message"].is_string(), "{origin}: {view:.500}");
        assert!(
            origin.is_empty() || problem["origin"] == origin,
            "{view:.500}"
        );
        for question in ["overview", "findings", "uses"] {
            let answer = lab.ask(question, &json!({"edits": [], "key": "/host"}));
            assert_eq!(answer["problem"], json!(null), "{question}: {answer:.500}");
            let failed = answer["steps"].to_string().contains("message");
            assert!(origin != "recording" || !failed, "{answer:.500}");
        }
        image.put(file, &good);
        until("it goes on", || {
            let view = lab.ask("view", &json!({"edits": [], "file": "myid.toml"}));
            let is_good = view["problems"] == json!([]) && view["unread"] == json!([]);
            (is_good && text_of(&view["file"]) == "2").then_some(())
        });
    }
}

#[test]
fn what_is_saved_is_announced_within_300_ms() {
    let image = Image::zookeeper();
    image.put("outside.tmpl", "");
    image.put(
        "conf.d/outside.toml",
        "[template]\nsrc = \"../outside.tmpl\"\ndest = \"/etc/outside\"\n",
    );
    let lab = image.show();
    let host = lab.address.split('/').nth(2).expect("host and port");
    let path = lab.address.splitn(4, '/').nth(3).expect("the path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let request = format!("GET /{path}api/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut read_until = |wanted: &str| {
        let (mut text, mut bytes) = (String::new(), [0; 256]);
        while !text.contains(wanted) {
            let count = stream.read(&mut bytes).expect("an event");
            assert!(count > 0, "the events go on: {text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    read_until("event: change\ndata: 1\n\n");
    let recording = fs::read_to_string(image.path("metadata.json")).expect("the recording");
    for file in [
        "templates/myid.tmpl",
        "outside.tmpl",
        "conf.d/myid.toml",
        "confd.toml",
        "metadata.json",
    ] {
        let mut times = (0..20).map(|turn| {
            let spaces = " ".repeat(turn);
            let text = match file {
                "metadata.json" => format!("{recording}{spaces}"),
                _ => format!("# {spaces}\n"),
            };
            let saved = Instant::now();
            image.put("saved", &text);
            fs::rename(image.path("saved"), image.path(file)).expect("renamed");
            read_until("event: change");
            saved.elapsed().as_millis()
        });
        // One of some: other tests may have the processor.
        assert!(times.any(|time| time < 300), "{file}: it takes longer");
    }
}

/// Waits until the image was read again, after this was done.
fn until_noticed(lab: &Lab, what: &str, change: impl FnOnce()) {
    let generation = || lab.ask("view", &json!({"edits": []}))["generation"].clone();
    let before = generation();
    change();
    until(&format!("{what} is noticed"), || {
        (generation() != before).then_some(())
    });
}

#[test]
fn what_comes_and_goes_is_noticed_wherever_it_is() {
    let image = Image::new(&json!({"host": {"ip": "2"}}));
    image.put("outside.tmpl", "old {{getv \"/host/ip\"}}");
    image.put(
        "conf.d/app.toml",
        "[template]\nsrc = \"../outside.tmpl\"\ndest = \"/etc/app\"\nkeys = [\"/\"]\n",
    );
    let lab = image.show();
    let shows = |want: &str| {
        until(want, || {
            (text_of(&lab.file("app.toml")) == want).then_some(())
        });
    };
    shows("old 2");
    until_noticed(&lab, "a template outside", || {
        image.put("outside.tmpl", "new {{getv \"/host/ip\"}}");
    });
    shows("new 2");
    let problems = || lab.ask("view", &json!({"edits": []}))["problems"].to_string();
    until_noticed(&lab, "a new confd.toml", || {
        image.put("confd.toml", "strict = 5\n");
    });
    assert!(
        problems().contains("confd.toml:1: strict must be true or false"),
        "{}",
        problems()
    );
    let findings = lab.ask("findings", &json!({"edits": []})).to_string();
    assert!(findings.contains("confd.toml"), "{findings}");
    until_noticed(&lab, "that it is gone", || {
        fs::remove_file(image.path("confd.toml")).expect("removed");
    });
    assert_eq!(problems(), "[]");
    until_noticed(&lab, "that conf.d is gone", || {
        fs::rename(image.path("conf.d"), image.path("was")).expect("renamed");
    });
    until_noticed(&lab, "that it is there again", || {
        fs::rename(image.path("was"), image.path("conf.d")).expect("renamed");
    });
    until_noticed(&lab, "that templates is gone", || {
        fs::create_dir(image.path("more")).expect("made");
        fs::rename(image.path("templates"), image.path("was")).expect("renamed");
        image.put(
            "conf.d/b.toml",
            "[template]\nsrc = \"b.tmpl\"\ndest = \"/etc/b\"\n",
        );
    });
    until_noticed(&lab, "new templates", || {
        image.put("more/b.tmpl", "b");
        fs::rename(image.path("more"), image.path("templates")).expect("renamed");
    });
    until("b is shown", || {
        (text_of(&lab.file("b.toml")) == "b").then_some(())
    });
    until_noticed(&lab, "a recording that is gone", || {
        fs::rename(image.path("metadata.json"), image.path("old.json")).expect("renamed");
    });
    until_noticed(&lab, "a new recording", || {
        let text = fs::read_to_string(image.path("old.json")).expect("the recording");
        image.put("new.json", &text.replace('2', "3"));
        let file = fs::File::options().write(true).open(image.path("new.json"));
        let time = fs::metadata(image.path("old.json")).and_then(|old| old.modified());
        file.expect("a file")
            .set_modified(time.expect("its time"))
            .expect("the same time");
        fs::rename(image.path("new.json"), image.path("metadata.json")).expect("renamed");
    });
    shows("new 3");
    // Of the same size and time as the one before.
    until_noticed(&lab, "another recording", || {
        fs::rename(image.path("old.json"), image.path("metadata.json")).expect("renamed");
    });
    shows("new 2");
}

#[cfg(unix)]
#[test]
fn what_is_saved_in_a_linked_directory_is_seen() {
    let image = Image::new(&json!({"host": {"ip": "10.0.0.1"}}));
    let shared = image.path("shared");
    fs::create_dir(&shared).expect("a directory");
    std::os::unix::fs::symlink(&shared, image.path("templates/common")).expect("a link");
    std::os::unix::fs::symlink("..", shared.join("loop")).expect("a link");
    image.put("shared/app.tmpl", "old");
    image.put(
        "conf.d/app.toml",
        "[template]\nsrc = \"common/app.tmpl\"\ndest = \"/etc/app\"\nkeys = [\"/\"]\n",
    );
    let lab = image.show();
    assert_eq!(text_of(&lab.file("app.toml")), "old");
    let generation = |lab: &Lab| lab.ask("view", &json!({"edits": []}))["generation"].clone();
    let before = generation(&lab);
    // In place, so that nothing but the file itself looks different.
    image.put("shared/app.tmpl", "newer");
    until("it is noticed", || {
        (generation(&lab) != before).then_some(())
    });
    assert_eq!(text_of(&lab.file("app.toml")), "newer");
}

#[cfg(unix)]
#[test]
fn a_template_that_cannot_be_read_to_its_end_keeps_nobody_waiting() {
    let image = Image::zookeeper();
    let pipe = image.path("templates/pipe.tmpl");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    image.put(
        "conf.d/pipe.toml",
        "[template]\nsrc = \"pipe.tmpl\"\ndest = \"/etc/pipe\"\nkeys = [\"/\"]\n",
    );
    let lab = image.show();
    let file = lab.file("pipe.toml");
    let message = file["error"]["message"].as_str().expect("an error");
    assert!(message.contains("not a regular file"), "{message}");
}

/// The value of /self/host/sid, and its version, at a metadata service.
type Service = Arc<(Mutex<(u64, String)>, Condvar)>;

/// A metadata service with a single value, which holds long polls as metad does.
fn serve_metadata(service: &Service) -> String {
    serve_metadata_at("127.0.0.1:0", service)
}

fn serve_metadata_at(address: &str, service: &Service) -> String {
    let listener = TcpListener::bind(address).expect("a port");
    let node = listener.local_addr().expect("an address").to_string();
    let service = Arc::clone(service);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let service = Arc::clone(&service);
            thread::spawn(move || answer_metadata(stream, &service));
        }
    });
    node
}

fn answer_metadata(mut stream: TcpStream, service: &Service) {
    let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
    let mut lines = lines.by_ref().map_while(Result::ok);
    while let Some(first) = lines.next() {
        lines
            .by_ref()
            .take_while(|line| !line.is_empty())
            .for_each(drop);
        let known = first.split("prev_version=").nth(1);
        let known = known.and_then(|rest| rest.split([' ', '&']).next()?.parse::<u64>().ok());
        let (state, changed) = &**service;
        let state = state.lock().expect("no test panics with it");
        let is_known = |state: &mut (u64, String)| known == Some(state.0);
        let state = changed
            .wait_while(state, is_known)
            .expect("no test panics with it");
        let body = json!({"host": {"sid": state.1}}).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Metad-Version: {}\r\nContent-Length: {}\r\n\r\n",
            state.0,
            body.len()
        );
        drop(state);
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_live_node_is_followed() {
    let image = Image::zookeeper();
    let service = Service::new((Mutex::new((1, "first".to_owned())), Condvar::new()));
    let node = serve_metadata(&service);
    let lab = image.show_with(&["-node", &node, "-prefix", "/self"]);
    assert_eq!(text_of(&lab.file("myid.toml")), "first");
    *service.0.lock().expect("no test panics with it") = (2, "second".to_owned());
    service.1.notify_all();
    until("the change is shown", || {
        (text_of(&lab.file("myid.toml")) == "second").then_some(())
    });
}

#[test]
fn a_node_that_does_not_answer_yet_is_asked_again() {
    let image = Image::zookeeper();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let node = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let lab = image.show_with(&["-node", &node, "-prefix", "/self"]);
    let view = lab.ask("view", &json!({"edits": []}));
    assert_eq!(view["problems"][0]["origin"], "node", "{view:.500}");
    let service = Service::new((Mutex::new((1, "first".to_owned())), Condvar::new()));
    serve_metadata_at(&node, &service);
    until("it is shown", || {
        let view = lab.ask("view", &json!({"edits": [], "file": "myid.toml"}));
        (text_of(&view["file"]) == "first" && view["problems"] == json!([])).then_some(())
    });
}
