//! An image in a directory of its own, and the program that shows it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// How long anything that must happen may take. Only a failure ever waits this long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Looks again and again until there is something; fails when [`LIMIT`] is over. The only place
/// that waits by looking.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// An image: conf.d, templates, and a recording.
pub(crate) struct Image {
    root: PathBuf,
}

impl Image {
    /// An image with this recording and nothing else.
    pub(crate) fn new(recording: &Json) -> Image {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("image-{}-{number}", std::process::id());
        let image = Image {
            root: Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(name)
                .join("shop"),
        };
        for below in ["conf.d", "templates"] {
            fs::create_dir_all(image.root.join(below)).expect("a directory for the test");
        }
        image.put("metadata.json", &format!("{recording:#}"));
        image
    }

    /// The ZooKeeper example of the repository.
    pub(crate) fn zookeeper() -> Image {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/zookeeper");
        let recording = fs::read_to_string(example.join("metadata.json")).expect("a recording");
        let image = Image::new(&serde_json::from_str(&recording).expect("JSON"));
        for file in [
            "conf.d/myid.toml",
            "conf.d/zoo.cfg.toml",
            "templates/myid.tmpl",
            "templates/zoo.cfg.tmpl",
        ] {
            let text = fs::read_to_string(example.join(file)).expect("a file of the example");
            image.put(file, &text);
        }
        image
    }

    /// Writes a file.
    pub(crate) fn put(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("a file of the image");
    }

    /// Adds a template, and the resource that makes /etc/NAME of it.
    pub(crate) fn add(&self, name: &str, template: &str) {
        self.add_with(name, template, "");
    }

    /// The same, with further lines in the resource.
    pub(crate) fn add_with(&self, name: &str, template: &str, more: &str) {
        self.put(&format!("templates/{name}.tmpl"), template);
        let lines =
            format!("src = \"{name}.tmpl\"\ndest = \"/etc/{name}\"\nkeys = [\"/\"]\n{more}\n");
        self.put(
            &format!("conf.d/{name}.toml"),
            &format!("[template]\n{lines}"),
        );
    }

    /// The path of a file.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// All files below the image's directory, with their contents.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut open = vec![self.root.clone()];
        let mut files = Vec::new();
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push((path.clone(), fs::read(&path).expect("a file")));
                }
            }
        }
        files.sort();
        files
    }

    /// Starts the lab.
    pub(crate) fn show(&self) -> Lab {
        self.show_with(&[])
    }

    /// Starts the lab with further flags.
    pub(crate) fn show_with(&self, flags: &[&str]) -> Lab {
        let mut child = Command::new(env!("CARGO_BIN_EXE_confd-lab"))
            .arg(&self.root)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("a line");
        let address = address.trim().to_owned();
        assert!(address.starts_with("http://127.0.0.1:"), "{address}");
        Lab { child, address }
    }

    /// Runs `confd-lab` with these arguments in the image's directory, and waits for the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let stderr = File::create(self.path("stderr")).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_confd-lab"));
        command
            .args(arguments)
            .current_dir(&self.root)
            .stderr(stderr);
        let mut output = command.output().expect("the program runs");
        output.stderr = fs::read(self.path("stderr")).expect("its messages");
        output
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Kept after a failure, for whoever looks into it.
        if !thread::panicking() {
            let _ = self.root.parent().map(fs::remove_dir_all);
        }
    }
}

/// A running lab.
pub(crate) struct Lab {
    child: Child,
    /// The address that it printed.
    pub address: String,
}

impl Lab {
    /// Asks a question as the page does.
    pub(crate) fn ask(&self, question: &str, request: &Json) -> Json {
        let (status, text) = send(
            "POST",
            &format!("{}api/{question}", self.address),
            &[("Content-Type", "application/json")],
            &request.to_string(),
        );
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The files that use a key, after all answers.
    pub(crate) fn uses(&self, key: &str) -> Json {
        let (mut files, mut next) = (Vec::new(), json!(0));
        loop {
            let request = json!({"edits": [], "key": key, "after": next});
            let mut answer = self.ask("uses", &request);
            let found = answer["files"].as_array_mut().expect("files");
            files.append(found);
            if answer["left"] == 0 {
                return files.into();
            }
            next = answer["next"].take();
        }
    }

    /// The file of this resource as the page would show it.
    pub(crate) fn file(&self, name: &str) -> Json {
        self.ask("view", &json!({"file": name, "edits": []}))["file"].take()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request with these headers, and returns the status and the body.
pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(LIMIT))
        .build();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    let mut response = ureq::Agent::new_with_config(config)
        .run(request)
        .expect("an answer");
    let text = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_string();
    (response.status().as_u16(), text.expect("a body"))
}

/// The text of a file's output.
pub(crate) fn text_of(file: &Json) -> String {
    let lines = file["output"]["lines"].as_array().into_iter().flatten();
    let lines = lines.map(|line| {
        let pieces = line.as_array().into_iter().flatten().step_by(2);
        pieces.filter_map(Json::as_str).collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}
