//! The rules for who may talk to the lab: only the page that it served itself.
//!
//! It listens on loopback only, but every program and every web page on this machine can reach
//! that. So the address has a random token, and requests that name another host (DNS rebinding) or
//! come from another page are refused before anything is done.

use crate::http::{Refusal, Request};

/// The address that the page is served at.
#[derive(Debug)]
pub(crate) struct Access {
    port: u16,
    token: String,
}

/// The names of this machine in an address; nothing else resolves to the lab's own page.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

impl Access {
    /// Access at a port, with a new token of 128 random bits.
    pub(crate) fn new(port: u16) -> Result<Access, String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| format!("cannot make a token: {error}"))?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Access { port, token })
    }

    /// The address of the page.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// The path below the token that a request asks for, or its refusal.
    pub(crate) fn path<'r>(&self, request: &'r Request) -> Result<&'r str, Refusal> {
        let hosts = HOSTS.map(|name| format!("{name}:{}", self.port));
        let is_host = |host: &str| hosts.iter().any(|known| host.eq_ignore_ascii_case(known));
        let named: Vec<&str> = request.all("Host").collect();
        if !matches!(named[..], [host] if is_host(host)) {
            return Err((403, "this is another host"));
        }
        let is_own = |origin: &str| origin.strip_prefix("http://").is_some_and(is_host);
        if !request.all("Origin").all(is_own) {
            return Err((403, "another page asks"));
        }
        // Browsers say where a request comes from, also where there is no Origin.
        let is_near = |site: &str| ["same-origin", "none"].contains(&site);
        if !request.all("Sec-Fetch-Site").all(is_near) {
            return Err((403, "another page asks"));
        }
        let path = request.target.split('?').next().unwrap_or_default();
        let below = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        match below {
            Some((token, path)) if is_same(token, &self.token) => Ok(path),
            _ => Err((
                404,
                "the address lacks the token; use the one that was printed",
            )),
        }
    }
}

/// Compares in a time that does not depend on the content.
fn is_same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
    one.len() == other.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    fn answer(url: &str, headers: &[(&str, &str)]) -> Result<String, Refusal> {
        let access = Access {
            port: 7000,
            token: "t0ken".to_owned(),
        };
        let headers = headers.iter();
        let headers: String = headers
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!("GET {url} HTTP/1.1\r\n{headers}\r\n");
        let request = http::parse_head(head.as_bytes()).expect("a head");
        let request = request.expect("a whole one");
        access.path(&request).map(str::to_owned)
    }

    #[test]
    fn only_the_own_page_with_the_token_gets_through() {
        let host = ("Host", "127.0.0.1:7000");
        for (url, headers, allowed) in [
            ("/t0ken/", &[host][..], true),
            ("/t0ken/api/view?x", &[("host", "LOCALHOST:7000")], true),
            (
                "/t0ken/",
                &[host, ("Origin", "http://localhost:7000")],
                true,
            ),
            ("/t0ken/", &[host, ("Sec-Fetch-Site", "none")], true),
            ("/t0ken/", &[], false),
            ("/t0ken/", &[host, host], false),
            ("/t0ken/", &[("Host", "127.0.0.1")], false),
            ("/t0ken/", &[("Host", "127.0.0.1:7001")], false),
            ("/t0ken/", &[("Host", "rebound.example:7000")], false),
            (
                "/t0ken/",
                &[host, ("Origin", "http://127.0.0.1:7001")],
                false,
            ),
            (
                "/t0ken/",
                &[host, ("Origin", "https://127.0.0.1:7000")],
                false,
            ),
            ("/t0ken/", &[host, ("Origin", "null")], false),
            ("/t0ken/", &[host, ("Sec-Fetch-Site", "cross-site")], false),
            ("/t0ken/", &[host, ("Sec-Fetch-Site", "same-site")], false),
            ("/", &[host], false),
            ("/t0ken", &[host], false),
            ("/t0keN/", &[host], false),
            ("/t0kens/", &[host], false),
            ("//t0ken/", &[host], false),
        ] {
            assert_eq!(answer(url, headers).is_ok(), allowed, "{url} {headers:?}");
        }
        assert_eq!(answer("/t0ken/a/b.js", &[host]), Ok("a/b.js".to_owned()));
    }

    #[test]
    fn each_start_has_another_token() {
        let [one, other] = [Access::new(1), Access::new(1)].map(|access| access.expect("random"));
        assert_eq!(one.token.len(), 32);
        assert_ne!(one.token, other.token);
    }
}
