//! The origins of outputs in the answers to the page: actions, keys, files of items, and includes.

use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::browser::{TURNS, limit};
use crate::env::Image;

#[test]
fn origins_lead_from_the_output_to_the_keys_and_back() {
    let image = Image::zookeeper();
    let lab = image.show();
    let output = &lab.file("zoo.cfg.toml")["output"];
    let line = &output["lines"][7];
    assert_eq!(line[0], "server.");
    assert_eq!(line[2], "1");
    let origin = &output["origins"][line[3].as_u64().expect("a number") as usize];
    let text = output["templates"][0]["text"]
        .as_str()
        .expect("the template");
    let place = |index: usize| origin[index].as_u64().expect("an offset") as usize;
    assert_eq!(&text[place(1)..place(2)], "getv $sid");
    let set = &output["sets"][place(3)];
    let keys = set.as_array().into_iter().flatten().flat_map(|read| {
        let read = &output["reads"][read.as_u64().expect("a number") as usize];
        read[2].as_array().cloned().unwrap_or_default()
    });
    let keys: Vec<_> = keys.collect();
    assert!(keys.contains(&json!("/hosts/i-1/sid")), "{keys:?}");
    let uses = lab.uses("/hosts/i-1/sid");
    assert_eq!(
        uses,
        json!([{"file": "zoo.cfg.toml", "lines": [7], "decided": []}])
    );
    let uses = lab.uses("/host");
    assert_eq!(uses[0]["file"], "myid.toml");
}

#[test]
fn the_files_of_items_come_from_the_items() {
    let image = Image::new(&json!({
        "hosts": {"i-1": {"ip": "10.0.0.1"}, "i-2": {"ip": "10.0.0.2"}},
        "names": {"i-1": "one", "i-2": "two"},
    }));
    image.put("templates/site.tmpl", "site {{.}}");
    image.put(
        "conf.d/site.toml",
        "[template]\nsrc = \"site.tmpl\"\ndest = '/etc/{{getv (printf \"/names/%s\" .)}}'\n\
         keys = [\"/\"]\nfor_each = 'lsdir \"/hosts\"'\n",
    );
    image.put("templates/pair.tmpl", "{{.Value}}\n");
    image.put(
        "conf.d/pair.toml",
        "[template]\nsrc = \"pair.tmpl\"\ndest = \"/etc/{{base .Key}}\"\nkeys = [\"/\"]\n\
         for_each = 'gets \"/names/*\"'\n",
    );
    let lab = image.show();
    let output = &lab.file("site.toml")["output"];
    // The text, the action and the keys of a piece, and the same of the reason for it.
    let piece = |output: &serde_json::Value, line: usize, place: usize| {
        let line = &output["lines"][line];
        let number = |json: &serde_json::Value| json.as_u64().expect("a number") as usize;
        let origin = &output["origins"][number(&line[2 * place + 1])];
        let action = |origin: &serde_json::Value| {
            let text = &output["templates"][number(&origin[0])]["text"];
            let text = text.as_str().expect("a text");
            text[number(&origin[1])..number(&origin[2])].to_owned()
        };
        let keys = |set: &serde_json::Value| {
            let set = output["sets"][number(set)].as_array().expect("a set");
            let keys = set.iter().map(|read| &output["reads"][number(read)][2]);
            keys.map(ToString::to_string).collect::<String>()
        };
        let cause = &output["causes"][number(&origin[4])];
        let (made, reason) = (keys(&origin[3]), keys(&cause[3]));
        format!(
            "{} < {} < {made} | {} < {reason}",
            line[2 * place],
            action(origin),
            action(cause)
        )
    };
    let because = |key: &str| format!("| for_each = 'lsdir \"/hosts\"' < [\"{key}\"]");
    for (line, place, want) in [
        (
            0,
            0,
            r#""==> /etc/one <==" < dest = '/etc/{{getv (printf "/names/%s" .)}}' < ["/hosts/i-1"]["/names/i-1"]"#,
        ),
        (1, 0, r#""site " < site  < "#),
        (1, 1, r#""i-1" < . < ["/hosts/i-1"]"#),
    ] {
        assert_eq!(
            piece(output, line, place),
            format!("{want} {}", because("/hosts/i-1"))
        );
    }
    assert_eq!(
        piece(&lab.file("pair.toml")["output"], 3, 0),
        r#""two" < .Value < ["/names/i-2"] | for_each = 'gets "/names/*"' < ["/names/i-2"]"#
    );
    let uses = lab.uses("/hosts/i-2");
    assert_eq!(
        uses,
        json!([{"file": "site.toml", "lines": [2, 3], "decided": []}])
    );
}

#[test]
fn includes_have_their_own_origins() {
    let image = Image::new(&json!({"env": {"a": "1"}, "host": {"ip": "10.0.0.1"}}));
    image.put("templates/part.inc", "[{{getv \"/env/a\"}}]");
    image.add(
        "app",
        "x {{include \"part.inc\"}} y {{include \"part.inc\" | printf \"<%s>\"}}",
    );
    let lab = image.show();
    let output = &lab.file("app.toml")["output"];
    let names: Vec<_> = output["templates"]
        .as_array()
        .expect("templates")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["app.tmpl", "part.inc"]);
    let line = output["lines"][0].as_array().expect("a line");
    let pieces: Vec<(String, u64)> = line
        .chunks(2)
        .map(|piece| {
            let origin = &output["origins"][piece[1].as_u64().expect("a number") as usize];
            (
                piece[0].as_str().unwrap_or_default().to_owned(),
                origin[0].as_u64().expect("a template"),
            )
        })
        .collect();
    let expected = [
        ("x ", 0),
        ("[", 1),
        ("1", 1),
        ("]", 1),
        (" y ", 0),
        ("<[1]>", 0),
    ];
    assert_eq!(
        pieces,
        expected.map(|(text, template)| (text.to_owned(), template))
    );
    let uses = lab.uses("/env/a");
    assert_eq!(uses[0]["lines"], json!([0]));
}

#[test]
fn what_an_include_reads_in_vain_decides_too() {
    let image = Image::new(&json!({"env": {"a": "1"}, "host": {"ip": "10.0.0.1"}}));
    image.put(
        "templates/part.inc",
        "{{if eq (getv \"/env/a\") \"2\"}}x{{end}}",
    );
    image.add("app", "{{if include \"part.inc\"}}on{{else}}off{{end}}");
    image.add("trimmed", "{{include \"part.inc\" | printf \"<%s>\"}}");
    let lab = image.show();
    let uses = lab.uses("/env/a");
    assert_eq!(
        uses,
        json!([
            {"file": "app.toml", "lines": [], "decided": [0]},
            {"file": "trimmed.toml", "lines": [0], "decided": []},
        ])
    );
}

#[test]
fn the_key_that_names_an_included_file_decides_on_what_it_writes() {
    let image = Image::new(&json!({"env": {"a": "1", "which": "part", "data": "d"}}));
    image.put("templates/part.inc", "[{{getv \"/env/a\"}}]\n");
    image.add(
        "app",
        "x\n{{include (printf \"%s.inc\" (getv \"/env/which\"))}}y\n",
    );
    image.add(
        "variable",
        "{{$name := \"\"}}{{if exists \"/env/which\"}}{{$name = \"part.inc\"}}{{end}}{{include $name}}y\n",
    );
    let lab = image.show();
    let uses = lab.uses("/env/which");
    assert_eq!(
        uses,
        json!([
            {"file": "app.toml", "lines": [], "decided": [1]},
            {"file": "variable.toml", "lines": [], "decided": [0]},
        ])
    );
    let output = &lab.file("app.toml")["output"];
    let last = |name: &str| {
        output[name]
            .as_array()
            .and_then(|list| list.last())
            .cloned()
    };
    let cause = last("causes").expect("a cause");
    let text = output["templates"][0]["text"].as_str().expect("a text");
    let place = |index: usize| cause[index].as_u64().expect("an offset") as usize;
    assert!(
        text[place(1)..place(2)].starts_with("include (printf"),
        "{cause}"
    );
}

#[test]
fn keys_that_reach_only_the_mode_or_a_command_of_an_item_decide_on_its_file() {
    let image = Image::new(&json!({
        "hosts": {"i-1": {"ip": "10.0.0.1"}, "i-2": {"ip": "10.0.0.2"}},
        "modes": {"i-1": "0600", "i-2": "0640"},
        "units": {"i-1": "one", "i-2": "two"},
    }));
    image.put("templates/site.tmpl", "site {{.}}\n");
    image.put(
        "conf.d/site.toml",
        "[template]\nsrc = \"site.tmpl\"\ndest = '/etc/{{.}}'\n\
         mode = '{{getv (printf \"/modes/%s\" .)}}'\n\
         reload_cmd = 'restart {{getv (printf \"/units/%s\" .)}}'\n\
         keys = [\"/\"]\nfor_each = 'lsdir \"/hosts\"'\n",
    );
    let lab = image.show();
    for key in ["/modes/i-2", "/units/i-2"] {
        let uses = lab.uses(key);
        assert_eq!(
            uses,
            json!([{"file": "site.toml", "lines": [], "decided": [2]}]),
            "{key}"
        );
    }
}

#[test]
fn the_uses_of_a_key_in_many_large_files_come_one_after_the_other() {
    let nodes = (0..1000).map(|id| {
        let leaves = json!({"ip": format!("10.0.{}.{}", id / 250, id % 250), "memory": "8192"});
        (format!("i-{id:04}"), leaves)
    });
    let nodes: serde_json::Map<String, Json> = nodes.collect();
    let image = Image::new(&json!({"env": {"port": "1"}, "hosts": nodes}));
    let template = "{{$n := 0}}{{$all := \"\"}}{{range $id := lsdir \"/hosts\"}}\
        {{$ip := getv (printf \"/hosts/%s/ip\" $id)}}{{if eq $ip (getv \"/env/port\")}}{{continue}}{{end}}\
        {{if ne $ip \"\"}}{{$n = add $n 1}}{{$all = printf \"%s,%s\" $all $ip}}\
        server.{{$n}} {{$id}} {{$ip}}:{{getv \"/env/port\"}} {{getv (printf \"/hosts/%s/memory\" $id)}}\n{{end}}{{end}}\
        {{range gets \"/hosts/*/ip\"}}{{.Key}}={{.Value}}\n{{end}}{{$all}}\n";
    for number in 0..50 {
        image.add(&format!("f{number:02}"), template);
    }
    let lab = image.show();
    // One of some: other tests may have the processor.
    let mut times = (0..TURNS).map(|turn| {
        let edits = json!([["/env/port", turn.to_string()]]);
        let begun = Instant::now();
        let request = json!({"edits": edits, "key": "/hosts/i-0500/ip", "after": 0});
        let answer = lab.ask("uses", &request);
        assert_eq!(answer["files"][0]["file"], "f00.toml", "{answer}");
        begun.elapsed().as_secs_f64() * 1000.0
    });
    let found = times.by_ref().find(|time| *time < limit());
    assert!(found.is_some(), "it takes longer than {} ms", limit());
    let uses = lab.uses("/hosts/i-0500/ip");
    let files: Vec<&Json> = uses.as_array().into_iter().flatten().collect();
    assert_eq!(files.len(), 50);
    assert!(
        files
            .iter()
            .all(|file| file["lines"] == json!([500, 1500, 2000])),
        "{uses}"
    );
    assert_eq!(uses[49]["file"], "f49.toml");
}
