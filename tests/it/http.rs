//! Just enough HTTP/1.1 for the metadata server of the tests: requests without a body in, answers
//! out. Knows no metadata.

use std::io::{self, BufRead};

/// Longer bodies go out in chunks, as from Go's HTTP server.
const CHUNKED_OVER: usize = 2048;

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The connection that it came by, counted from 1.
    pub connection: usize,
}

impl Request {
    /// A request that was cut off before anybody read it.
    pub(crate) fn unread(connection: usize) -> Request {
        Request {
            connection,
            ..Request::default()
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The version that a long poll knows; none for a plain fetch.
    pub(crate) fn prev_version(&self) -> Option<u64> {
        let mut fields = self.query.split('&');
        if !fields.clone().any(|field| field == "wait=true") {
            return None;
        }
        fields
            .find_map(|field| field.strip_prefix("prev_version="))
            .and_then(|number| number.parse().ok())
    }
}

/// Reads one request; an error when the client hangs up.
pub(crate) fn read_request(reader: &mut impl BufRead) -> io::Result<Request> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_string();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method,
        path: path.to_string(),
        query: query.to_string(),
        ..Request::default()
    };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(request);
        }
        if let Some((name, value)) = line.split_once(':') {
            let header = (name.to_ascii_lowercase(), value.trim().to_string());
            request.headers.push(header);
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}

/// One answer: status, headers beside the length, body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<String>) -> Answer {
        let answer = Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        answer.header("Content-Type", content_type)
    }

    /// metad's body for errors.
    pub(crate) fn error(code: u16, message: &str) -> Answer {
        let body = format!(r#"{{"code":{code},"message":"{message}","type":"ERROR"}}"#);
        Answer::new(code, "application/json", body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Status\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let (body, length) = (&self.body, self.body.len());
        if length > CHUNKED_OVER {
            head.push_str("Transfer-Encoding: chunked\r\n");
            format!("{head}\r\n{length:x}\r\n{body}\r\n0\r\n\r\n").into_bytes()
        } else {
            head.push_str(&format!("Content-Length: {length}\r\n"));
            format!("{head}\r\n{body}").into_bytes()
        }
    }
}
