//! The report: one file, nothing secret in it, nothing executed from it.

use serde_json::json;

use crate::env::Image;

fn image() -> Image {
    let image = Image::new(&json!({
        "env": {"title": "<script>alert(1)</script>", "db_password": "hunter2", "licence": "L-1"},
        "host": {"ip": "10.0.0.1", "instance_id": "i-1"},
        "hosts": {
            "i-1": {"ip": "10.0.0.1", "instance_id": "i-1"},
            "i-2": {"ip": "10.0.0.2", "instance_id": "i-2"},
        },
    }));
    image.add(
        "app",
        "{{getv \"/env/title\"}} {{getv \"/env/db_password\"}} {{getv \"/env/licence\"}}\n",
    );
    image.add("peers", "{{range getvs \"/hosts/*/ip\"}}{{.}}\n{{end}}");
    image.add("second", "{{index (getvs \"/hosts/*/ip\") 1}}\n");
    image.add(
        "secretly",
        "{{index (split (getv \"/env/db_password\") \"-\") 3}}\n",
    );
    image
}

#[test]
fn a_report_is_one_file_with_everything_escaped_and_no_secret() {
    let image = image();
    let output = image.run(&["report", ".", "-o", "report.html", "-redact", "licence"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(image.path("report.html")).expect("the report");
    for shown in [
        "failures in the life of the cluster",
        "second.toml in stage 2",
        "getvs &quot;/hosts/*/ip&quot; has 1 element, at index 0",
        "created with one node",
        "4 files, 11 stages, 4 warnings. -lint: 0 errors, 2 warnings.",
        "+10.0.0.3",
        "&lt;script&gt;alert(1)&lt;/script&gt; REDACTED REDACTED",
        "default-src &#39;none&#39;",
    ] {
        let shown = if shown.starts_with("default-src") {
            "default-src 'none'"
        } else {
            shown
        };
        assert!(text.contains(shown), "{shown} in\n{text}");
    }
    for hidden in [
        "hunter2", "L-1", "<script", "http://", "https://", "src=", "href=",
    ] {
        assert!(!text.contains(hidden), "{hidden} in\n{text}");
    }
}

#[test]
fn a_report_goes_to_stdout_too() {
    let image = Image::zookeeper();
    let output = image.run(&["report", ".", "-o", "-"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"));
    assert!(
        text.contains("Every file is rendered in every stage"),
        "{text}"
    );
}

#[test]
fn a_report_can_be_in_chinese() {
    let image = image();
    let output = image.run(&["report", ".", "-o", "-", "-lang", "zh"]);
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    for shown in [
        "<html lang=\"zh-CN\">",
        "<title>预演：shop</title>",
        "集群生命周期中有 2 处失败。",
        "4 个文件，11 个阶段，4 个警告。-lint：0 个错误，2 个警告。",
        "second.toml，阶段 2",
        "<td>扩容：节点加入</td>",
        "疑似敏感的信息显示为 REDACTED。",
    ] {
        assert!(text.contains(shown), "{shown} in\n{text}");
    }
    for english in [
        "Stages",
        "What changes",
        "It fails",
        "Rehearsal",
        "scale out",
        "in stage",
    ] {
        assert!(!text.contains(english), "{english} in\n{text}");
    }
}

#[test]
fn wrong_calls_exit_with_2_and_failures_with_1() {
    let image = image();
    for (arguments, code, message) in [
        (&["report", "nowhere"][..], 2, "nowhere is no image"),
        (&["report", ".", "-file", "none.json"], 1, "none.json"),
        (
            &["report", ".", "-o", "no/such/dir/r.html"],
            1,
            "cannot write no/such/dir/r.html",
        ),
    ] {
        let output = image.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
}
