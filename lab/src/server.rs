//! The server: the page, its questions, and its events, for loopback only.

use std::io::Read;
use std::sync::Arc;
use std::thread;

use serde_json::{Value as Json, json};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::access::{Access, Refusal};
use crate::api::Lab;
use crate::image::Image;
use crate::live::{self, Pages};
use crate::page;

/// As many questions are answered at once.
const WORKERS: usize = 4;
/// A longer question is refused, in bytes.
const LONGEST: u64 = 16 << 20;

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
    let server = Server::http(("127.0.0.1", port))
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
    let port = server
        .server_addr()
        .to_ip()
        .map_or(port, |address| address.port());
    let service = Arc::new(Service {
        lab: Lab::new(image),
        pages: Pages::default(),
        access: Access::new(port)?,
    });
    println!("{}", service.access.address());
    let watched = Arc::clone(&service);
    thread::spawn(move || live::watch_files(&watched.lab, &watched.pages));
    if !service.lab.image.is_recorded() {
        let followed = Arc::clone(&service);
        thread::spawn(move || live::follow_node(&followed.lab, &followed.pages));
    }
    let server = Arc::new(server);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (server, service) = (Arc::clone(&server), Arc::clone(&service));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    service.serve(request);
                }
            })
        })
        .collect();
    for worker in workers {
        // Ends only with the program.
        let _ = worker.join();
    }
    Ok(())
}

/// The content of an answer and its type.
type Content = (&'static str, Vec<u8>);

impl Service {
    fn serve(&self, mut request: Request) {
        let path = self.access.path(&request).map(str::to_owned);
        let answer = match path {
            Ok(path) if path == "api/events" && *request.method() == Method::Get => {
                return self.pages.add(request.into_writer());
            }
            Ok(path) => self.answer(&path, &mut request),
            Err(refusal) => Err(refusal),
        };
        let (status, (kind, content)) = match answer {
            Ok(content) => (200, content),
            Err((status, reason)) => (status, ("text/plain; charset=utf-8", reason.into())),
        };
        let mut response = Response::from_data(content).with_status_code(status);
        for (name, value) in HEADERS.iter().chain(&[("Content-Type", kind)]) {
            if let Ok(header) = Header::from_bytes(*name, *value) {
                response.add_header(header);
            }
        }
        // A page that has gone needs no answer.
        let _ = request.respond(response);
    }

    fn answer(&self, path: &str, request: &mut Request) -> Result<Content, Refusal> {
        let Some(question) = path.strip_prefix("api/") else {
            if *request.method() != Method::Get {
                return Err((405, "only GET"));
            }
            return page::asset(path).ok_or((404, "there is no such file"));
        };
        if *request.method() != Method::Post {
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
    let mut headers = request.headers().iter();
    let is_json = headers.any(|header| {
        header.field.equiv("Content-Type") && header.value.as_str().starts_with("application/json")
    });
    if !is_json {
        return Err((415, "only application/json"));
    }
    let mut body = Vec::new();
    let mut limited = request.as_reader().take(LONGEST + 1);
    limited
        .read_to_end(&mut body)
        .map_err(|_| (400, "the question is not whole"))?;
    if body.len() as u64 > LONGEST {
        return Err((413, "the question is too long"));
    }
    serde_json::from_slice(&body).map_err(|_| (400, "the question is not JSON"))
}
