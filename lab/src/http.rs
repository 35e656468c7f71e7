//! HTTP/1.1 for one page: a thread and one request for each connection, everything with a limit.
//!
//! Knows no paths and no questions.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// An answer in place of what was asked for: the status and a reason for people.
pub(crate) type Refusal = (u16, &'static str);

/// How long a client may take for the next part of its request, or to take its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As many connections are served at once.
const MOST_CONNECTIONS: usize = 64;
/// How long a request may take that is not served, while nobody else is.
const SHORT: Duration = Duration::from_millis(100);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// As much of a request that was refused is read and forgotten, in bytes.
const MOST_UNREAD: u64 = 1 << 20;
/// As many headers are read.
const MOST_HEADERS: usize = 64;

/// The head of a request, and the connection that the rest is read from.
pub(crate) struct Request {
    pub method: String,
    /// The path as it was asked for, with what follows a `?`.
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// The beginning of the body, which came with the head.
    begun: Vec<u8>,
    pub stream: Option<TcpStream>,
}

/// Calls `serve` with each request. Returns only when the listener fails.
pub(crate) fn listen(
    listener: &TcpListener,
    serve: impl Fn(Request) + Send + Sync + 'static,
) -> io::Error {
    let serve = Arc::new(serve);
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return error,
        };
        if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            refuse(stream);
            continue;
        }
        let (serve, open) = (Arc::clone(&serve), Arc::clone(&open));
        thread::spawn(move || {
            handle(stream, &*serve);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Answers that there is no room.
fn refuse(mut stream: TcpStream) {
    let limits = [
        stream.set_read_timeout(Some(SHORT)),
        stream.set_write_timeout(Some(SHORT)),
    ];
    // An answer to what was not read would not arrive. Who asks nothing gets the answer, too.
    if limits.iter().all(Result::is_ok) {
        let _ = stream.read(&mut [0; LONGEST_HEAD]);
        let reason = b"too many connections are open; close some pages, and try again";
        let _ = stream.write_all(&head(503, &[("Retry-After", "1")], reason.len()));
        let _ = stream.write_all(reason);
    }
}

fn handle(mut stream: TcpStream, serve: &dyn Fn(Request)) {
    let limits = [
        stream.set_read_timeout(Some(TIMEOUT)),
        stream.set_write_timeout(Some(TIMEOUT)),
        stream.set_nodelay(true),
    ];
    if limits.iter().any(Result::is_err) {
        return;
    }
    match read_head(&mut stream) {
        Ok(Some(mut request)) => {
            request.stream = Some(stream);
            serve(request);
        }
        // A browser opens connections that it may need, and closes them.
        Ok(None) => {}
        Err((status, reason)) => answer(stream, status, &[], reason.as_bytes()),
    }
}

/// The head of a request; none when there is no whole one.
fn read_head(stream: &mut TcpStream) -> Result<Option<Request>, Refusal> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return Ok(None),
            Ok(count) => count,
        };
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if let Some(request) = parse_head(&bytes)? {
            return Ok(Some(request));
        }
        if bytes.len() > LONGEST_HEAD {
            return Err((431, "the head is too long"));
        }
    }
}

/// The request at the beginning of these bytes; none while its head is not whole.
pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<Request>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let end = match head.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err((400, "this is no request")),
    };
    let headers = head.headers.iter().map(|header| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_owned(), value)
    });
    Ok(Some(Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers: headers.collect(),
        begun: bytes.get(end..).unwrap_or_default().to_vec(),
        stream: None,
    }))
}

impl Request {
    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let same = move |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        let found = self.headers.iter().filter(same);
        found.map(|(_, value)| value.as_str())
    }

    /// The body, of the length that the head says.
    pub(crate) fn body(&mut self, longest: usize) -> Result<Vec<u8>, Refusal> {
        let length = self.all("Content-Length").next();
        let length = length.and_then(|length| length.parse::<usize>().ok());
        let length = length.ok_or((411, "the request has no length"))?;
        if length > longest {
            return Err((413, "the request is too long"));
        }
        let mut body = std::mem::take(&mut self.begun);
        let missing = length.saturating_sub(body.len()) as u64;
        let rest = self.stream.as_mut().map(|stream| stream.take(missing));
        let read = rest.map_or(Ok(0), |mut rest| rest.read_to_end(&mut body));
        if read.is_err() || body.len() != length {
            return Err((400, "the request is not whole"));
        }
        Ok(body)
    }
}

/// Answers, and ends the connection.
pub(crate) fn answer(mut stream: TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let sent = stream
        .write_all(&head(status, headers, body.len()))
        .and_then(|()| stream.write_all(body))
        .and_then(|()| stream.shutdown(Shutdown::Write));
    // What was not read of a request would end the connection before the answer has arrived. A page
    // that has gone needs no answer.
    if sent.is_ok() {
        let _ = io::copy(&mut stream.take(MOST_UNREAD), &mut io::sink());
    }
}

/// The head of an answer with a body of so many bytes.
fn head(status: u16, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} \r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!(
        "Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ));
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_whole_broken_or_not_there_yet() {
        let whole = "POST /a?b HTTP/1.1\r\nHost: h\r\nX: 1\r\nx: 2\r\n\r\nbody";
        let request = parse_head(whole.as_bytes()).expect("a head");
        let request = request.expect("a whole one");
        assert_eq!((&*request.method, &*request.target), ("POST", "/a?b"));
        assert_eq!(request.all("X").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.begun, b"body");
        for part in ["", "GET", "GET / HTTP/1.1\r\nHost: h\r\n"] {
            assert!(matches!(parse_head(part.as_bytes()), Ok(None)), "{part}");
        }
        for broken in ["\0", "GET\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"] {
            assert!(parse_head(broken.as_bytes()).is_err(), "{broken:?}");
        }
    }
}
