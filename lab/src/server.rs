//! The server: the page, its questions, and its events, for loopback only.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use serde_json::{Value as Json, json};

use crate::access::Access;
use crate::api::Lab;
use crate::http::{self, Refusal, Request};
use crate::image::Image;
use crate::live::{self, Pages};
use crate::page;

/// A longer question is refused, in bytes.
const LONGEST: usize = 16 << 20;

/// Headers of every answer. The page may load only what this server has, and nobody may frame it.
const HEADERS: &[(&str, &str)] = &[
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

struct Service {
    lab: Lab,
    pages: Pages,
    access: Access,
}

/// Serves the image until the program is ended.
pub(crate) fn run(image: Image, port: u16) -> Result<(), String> {
    let failed = |error| format!("cannot listen on 127.0.0.1:{port}: {error}");
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let service = Arc::new(Service {
        lab: Lab::new(image),
        pages: Pages::default(),
        access: Access::new(address.port())?,
    });
    println!("{}", service.access.address());
    for problem in &service.lab.image.state().problems {
        eprintln!("confd-lab: {}", problem.message);
    }
    let watched = Arc::clone(&service);
    thread::spawn(move || live::watch_files(&watched.lab, &watched.pages));
    if !service.lab.image.is_recorded() {
        let followed = Arc::clone(&service);
        thread::spawn(move || live::follow_node(&followed.lab, &followed.pages));
    }
    Err(failed(http::listen(&listener, move |request| {
        service.serve(request);
    })))
}

/// The content of an answer and its type.
type Content = (&'static str, Vec<u8>);

impl Service {
    fn serve(&self, mut request: Request) {
        let answer = match self.access.path(&request).map(str::to_owned) {
            Ok(path) if path == "api/events" && request.method == "GET" => {
                if let Some(stream) = request.stream.take() {
                    self.pages.add(stream, &self.lab);
                }
                return;
            }
            Ok(path) => self.answer(&path, &mut request),
            Err(refusal) => Err(refusal),
        };
        let (status, (kind, content)) = match answer {
            Ok(content) => (200, content),
            Err((status, reason)) => (status, ("text/plain; charset=utf-8", reason.into())),
        };
        let headers = [HEADERS, &[("Content-Type", kind)]].concat();
        if let Some(stream) = request.stream.take() {
            http::answer(stream, status, &headers, &content);
        }
    }

    fn answer(&self, path: &str, request: &mut Request) -> Result<Content, Refusal> {
        let Some(question) = path.strip_prefix("api/") else {
            if request.method != "GET" {
                return Err((405, "only GET"));
            }
            return page::asset(path).ok_or((404, "there is no such file"));
        };
        if request.method != "POST" {
            return Err((405, "only POST"));
        }
        let question_body = read(request)?;
        let answer = self.lab.answer(question, &question_body);
        let answer = answer.ok_or((404, "there is no such question"))?;
        let answer = answer.unwrap_or_else(|problem| json!({"problem": problem}));
        Ok(("application/json", answer.to_string().into_bytes()))
    }
}

/// The JSON of a question. A form of another page cannot send this type.
fn read(request: &mut Request) -> Result<Json, Refusal> {
    let mut types = request.all("Content-Type");
    if !types.any(|kind| kind.starts_with("application/json")) {
        return Err((415, "only application/json"));
    }
    drop(types);
    let body = request.body(LONGEST)?;
    serde_json::from_slice(&body).map_err(|_| (400, "the question is not JSON"))
}
