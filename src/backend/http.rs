//! One GET of a JSON document, within limits of time and size: a whole body, or an error in words.
//!
//! No proxy, no redirect, one connection, kept alive. The same error always has the same words,
//! without times and ports, so that the log can tell a change of state. Does not look into the
//! body.

use std::io::{ErrorKind, Read};
use std::net::ToSocketAddrs;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{NextTimeout, TcpConnector};
use ureq::{Agent, Body, Timeout};

use super::cancel::Cancel;

/// The time limits of the parts of an exchange, however busy the other side looks meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// From the request to the head of the answer; a long poll has its own limit.
    pub answer: Duration,
    /// From the head of the answer until its end.
    pub body: Duration,
    /// The largest answer, in bytes.
    pub size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            body: Duration::from_secs(15),
            size: 64 << 20,
        }
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// The header asked for, if it is there and a number.
    pub number: Option<u64>,
    /// The whole body; not looked into.
    pub body: Vec<u8>,
}

/// The head of an answer, good or not.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The header asked for, if it is there and a number.
    pub number: Option<u64>,
    /// The `Date` header: the server's clock.
    pub date: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Connected and asked, but no answer began within the timeout.
    Timeout,
    /// Anything else, in words that go on after the URL.
    Other(String),
}

/// An HTTP client with one connection, kept alive.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    limits: Limits,
}

impl Client {
    /// A client without a connection yet.
    pub(super) fn new(limits: Limits) -> Client {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("confd/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .accept_encoding("")
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .input_buffer_size(32 << 10)
            .output_buffer_size(4 << 10)
            .timeout_connect(Some(limits.connect))
            .timeout_send_request(Some(limits.connect))
            .timeout_recv_body(Some(limits.body))
            .build();
        Client {
            agent: Agent::with_parts(config, TcpConnector::default(), Names),
            limits,
        }
    }

    /// The timeout of a request that is to be answered at once.
    pub(super) fn timeout(&self) -> Duration {
        self.limits.answer
    }

    /// A switch that ends a request in progress and refuses further ones.
    pub(super) fn cancel(&self) -> Cancel {
        Cancel::of_agent(self.agent.clone())
    }

    /// Gets `url`; the answer must begin within `timeout`. `header` is the one wanted of it.
    pub(super) fn get(
        &self,
        url: &str,
        header: &str,
        timeout: Duration,
    ) -> Result<Answer, Problem> {
        self.probe(url, header, timeout).1
    }

    /// [`Client::get`] with the head of whatever answer there was.
    pub(super) fn probe(
        &self,
        url: &str,
        header: &str,
        timeout: Duration,
    ) -> (Option<Head>, Result<Answer, Problem>) {
        let request = self.agent.get(url).config();
        let response = request
            .timeout_recv_response(Some(timeout))
            .build()
            .call()
            .map_err(|error| match error {
                ureq::Error::Timeout(Timeout::RecvResponse) => Problem::Timeout,
                other => Problem::Other(self.explain(&other)),
            });
        match response {
            Err(problem) => (None, Err(problem)),
            Ok(response) => {
                let head = head(&response, header);
                let answer = self.read(response, head.number).map_err(Problem::Other);
                (Some(head), answer)
            }
        }
    }

    fn read(&self, mut response: Response<Body>, number: Option<u64>) -> Result<Answer, String> {
        check_status(&response)?;
        check_type(&response)?;
        let length = response.body().content_length();
        if length.is_some_and(|length| length > self.limits.size) {
            return Err(self.too_large());
        }
        let mut body = Vec::with_capacity(usize::try_from(length.unwrap_or(0)).unwrap_or(0));
        let reader = response.body_mut().with_config().limit(self.limits.size);
        let read = reader.reader().read_to_end(&mut body);
        read.map_err(|error| self.explain(&error.into()))?;
        Ok(Answer { number, body })
    }

    fn too_large(&self) -> String {
        format!("the answer is larger than {} bytes", self.limits.size)
    }

    fn explain(&self, error: &ureq::Error) -> String {
        let limits = &self.limits;
        match error {
            ureq::Error::Timeout(Timeout::RecvBody) => {
                format!("the answer did not end within {:?}", limits.body)
            }
            ureq::Error::Timeout(_) => format!("no connection within {:?}", limits.connect),
            ureq::Error::BodyExceedsLimit(_) => self.too_large(),
            ureq::Error::HostNotFound => "the host is not known".to_owned(),
            ureq::Error::LargeResponseHeader(..) => "the answer's head is too large".to_owned(),
            ureq::Error::Protocol(_) => "the answer is not HTTP".to_owned(),
            ureq::Error::Io(error) => match error.kind() {
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe => "the connection broke".to_owned(),
                ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                _ => error.to_string(),
            },
            other => other.to_string(),
        }
    }
}

/// Looks up a host's name on this thread. The system's own time limit holds: another one would take
/// a thread for each lookup.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        url: &Uri,
        _config: &Config,
        _limit: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = url.host().unwrap_or_default();
        // A literal IPv6 address stands in brackets, which are the URL's.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = self.empty();
        let found = (host, url.port_u16().unwrap_or(80)).to_socket_addrs()?;
        for address in found.take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            Err(ureq::Error::HostNotFound)
        } else {
            Ok(addresses)
        }
    }
}

/// The value of header `name`; none if it is not ASCII.
fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    let mut headers = response.headers().iter();
    let (_, value) = headers.find(|(found, _)| found.as_str().eq_ignore_ascii_case(name))?;
    value.to_str().ok()
}

fn head(response: &Response<Body>, number: &str) -> Head {
    Head {
        status: response.status().as_u16(),
        number: header(response, number).and_then(|value| value.parse().ok()),
        date: header(response, "Date").map(str::to_owned),
    }
}

fn check_status(response: &Response<Body>) -> Result<(), String> {
    let status = response.status();
    match status.as_u16() {
        200 => Ok(()),
        404 => Err("there is no metadata for this node (yet): status 404".to_owned()),
        code if status.is_redirection() => {
            let target = header(response, "Location").unwrap_or("nowhere");
            let target: String = target.chars().take(200).collect();
            Err(format!(
                "a redirect to {target} (status {code}), which is not followed"
            ))
        }
        code => Err(format!("status {code}")),
    }
}

/// An older metad sends no type, and Go's server then calls JSON text/plain: the body decides. Any
/// other type is reported by its name, which says more than an error about the body.
fn check_type(response: &Response<Body>) -> Result<(), String> {
    let Some(text) = header(response, "Content-Type") else {
        return Ok(());
    };
    let essence = text.split(';').next().unwrap_or(text).trim();
    let known = ["application/json", "text/plain"];
    if known
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
    {
        Ok(())
    } else {
        let essence: String = essence.chars().take(100).collect();
        Err(format!("the answer is {essence}, not JSON"))
    }
}
