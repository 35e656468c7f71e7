//! A browser for tests: Debian's chromium, headless, by the WebDriver protocol of its chromedriver.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::env::{send, until};

/// Named keys, as WebDriver writes them.
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const DOWN: &str = "\u{e015}";
pub(crate) const RIGHT: &str = "\u{e014}";

/// The name of an element's id in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One at a time: several would slow each other down, and what is measured with them.
static TURN: Mutex<()> = Mutex::new(());

/// A browser window.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    _turn: MutexGuard<'static, ()>,
}

/// Opens a window of this size. None, and a line that says so, where there is no chromium.
pub(crate) fn open(test: &str, width: u32, height: u32) -> Option<Browser> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let started = Command::new("chromedriver")
        .args(["--port=0", "--log-level=SEVERE"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut driver) = started else {
        eprintln!("SKIPPED {test}: chromium and its chromedriver are not installed");
        return None;
    };
    let stdout = driver.stdout.take().expect("its output");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let port = line.split_once("successfully on port ")?.1;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    // Whatever else it writes must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    let mut browser = Browser {
        driver,
        session: format!("http://127.0.0.1:{}/session", port.expect("a port")),
        _turn: turn,
    };
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        "--lang=en-US",
    ];
    let options = json!({"goog:chromeOptions": {"args": arguments}, "pageLoadStrategy": "normal"});
    let made = browser.post("", &json!({"capabilities": {"alwaysMatch": options}}));
    let id = made["sessionId"].as_str().expect("a session").to_owned();
    browser.session = format!("{}/{id}", browser.session);
    // A window cannot be as narrow as a telephone: the page is told that it is.
    let metrics =
        json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
    browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    Some(browser)
}

impl Browser {
    #[track_caller]
    fn post(&self, path: &str, body: &Json) -> Json {
        let answer = self.try_post(path, body);
        answer.unwrap_or_else(|message| panic!("{path} {body}: {message}"))
    }

    fn try_post(&self, path: &str, body: &Json) -> Result<Json, String> {
        let url = format!("{}{path}", self.session);
        let json = [("Content-Type", "application/json")];
        let (status, text) = send("POST", &url, &json, &body.to_string());
        let mut answer: Json = serde_json::from_str(&text).expect("JSON");
        match status {
            200 => Ok(answer["value"].take()),
            _ => Err(answer["value"]["message"].to_string()),
        }
    }

    /// Sends a command of Chrome's own protocol.
    pub(crate) fn devtools(&self, command: &str, params: &Json) -> Json {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": params}),
        )
    }

    /// Goes to an address.
    pub(crate) fn go(&self, address: &str) {
        self.post("/url", &json!({"url": address}));
    }

    /// Opens another tab, and goes on with it.
    pub(crate) fn new_tab(&self) {
        let made = self.post("/window/new", &json!({"type": "tab"}));
        self.tab(made["handle"].as_str().expect("a tab"));
    }

    /// Goes on with a tab.
    pub(crate) fn tab(&self, handle: &str) {
        self.post("/window", &json!({"handle": handle}));
    }

    /// The tab that is shown.
    pub(crate) fn this_tab(&self) -> String {
        let (_, text) = send("GET", &format!("{}/window", self.session), &[], "");
        let answer: Json = serde_json::from_str(&text).expect("JSON");
        answer["value"].as_str().expect("a tab").to_owned()
    }

    /// The value of a JavaScript expression.
    pub(crate) fn eval(&self, expression: &str) -> Json {
        let script = format!("return ({expression});");
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a JavaScript expression is true.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        until(expression, || {
            self.eval(expression).as_bool().filter(|is_so| *is_so)
        });
    }

    /// Waits until an element that matches has this in its text.
    #[track_caller]
    pub(crate) fn wait_text(&self, selector: &str, text: &str) {
        let text = json!(text);
        let selector = json!(selector);
        self.wait(&format!(
            "[...document.querySelectorAll({selector})].some((one) => one.textContent.includes({text}))"
        ));
    }

    /// Waits until no element that matches is shown.
    #[track_caller]
    pub(crate) fn wait_gone(&self, selector: &str) {
        let selector = json!(selector);
        self.wait(&format!(
            "![...document.querySelectorAll({selector})].some((one) => one.offsetParent !== null)"
        ));
    }

    fn find(&self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &wanted);
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// Clicks on the first element that matches. One that is replaced meanwhile is looked for
    /// again.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        until(&format!("{selector} is clicked"), || {
            let element = self.find(selector);
            let clicked = self.try_post(&format!("/element/{element}/click"), &json!({}));
            match clicked {
                Ok(_) => Some(()),
                Err(message) if message.contains("stale element") => None,
                Err(message) => panic!("{selector}: {message}"),
            }
        });
    }

    /// Moves the pointer over the first element that matches.
    pub(crate) fn point(&self, selector: &str) {
        let origin = json!({ELEMENT: self.find(selector)});
        let step = json!({"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin});
        self.act(&json!({"type": "pointer", "id": "mouse", "actions": [step]}));
    }

    /// Presses keys, one after the other, on whatever has the focus.
    pub(crate) fn press(&self, keys: &str) {
        let steps = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [
                json!({"type": "keyDown", "value": key}),
                json!({"type": "keyUp", "value": key}),
            ]
        });
        let steps: Vec<Json> = steps.collect();
        self.act(&json!({"type": "key", "id": "keyboard", "actions": steps}));
    }

    fn act(&self, source: &Json) {
        self.post("/actions", &json!({"actions": [source]}));
    }

    /// Writes a picture of the window.
    pub(crate) fn picture(&self, path: &Path) {
        let shot = self.devtools("Page.captureScreenshot", &json!({"format": "png"}));
        let data = shot["data"].as_str().expect("a picture");
        fs::write(path, base64(data)).expect("the picture is written");
    }

    /// The errors in the console since the page was loaded.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closes the windows. One that hangs goes with its driver.
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
        let _ = ureq::Agent::new_with_config(config.build())
            .delete(&self.session)
            .call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The bytes of a base64 text.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for value in text.bytes().filter_map(value) {
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
