//! Where the metadata service is: `nodes`, or the SRV record that lists them, and `scheme`.

use std::net::Ipv6Addr;

use super::layers::{Layers, Meaning};
use crate::error::Result;

const DEFAULT_NODE: &str = "http://127.0.0.1:80";
const DEFAULT_PORT: &str = "80";
const MALFORMED: &str = "must be HOST:PORT";
const NO_TLS: &str = "must be http: this program has no TLS";

/// The addresses of a metadata service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Their URLs, `http://HOST:PORT`, at least one, each once.
    Urls(Vec<String>),
    /// The name of the SRV record that lists them.
    Srv(String),
}

impl Nodes {
    /// As in the original, an SRV record takes the place of `nodes`.
    pub(super) fn from_layers(layers: &Layers<'_>) -> Result<Nodes> {
        if let Some(scheme) = layers.text("scheme")? {
            scheme.mean(|scheme| match scheme.to_ascii_lowercase().as_str() {
                "http" => Ok(()),
                _ => Err(NO_TLS.to_owned()),
            })?;
        }
        if let Some(record) = layers.text("srv_record")? {
            return Ok(Nodes::Srv(record.value));
        }
        if let Some(domain) = layers.text("srv_domain")? {
            return Ok(Nodes::Srv(format!("_metad._tcp.{}", domain.value)));
        }
        let Some(nodes) = layers.list("nodes")? else {
            return Ok(Nodes::Urls(vec![DEFAULT_NODE.to_owned()]));
        };
        let mut urls: Vec<String> = Vec::new();
        nodes.mean(|nodes| {
            for node in &nodes {
                let url = node_url(node).map_err(|problem| format!("{problem}: {node:?}"))?;
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
            Ok(Nodes::Urls(urls))
        })
    }
}

/// `http://HOST:PORT` of `HOST`, `HOST:PORT`, or either with `http://` before and slashes after it.
fn node_url(node: &str) -> Meaning<String> {
    let rest = match node.split_once("://") {
        None => node,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some(_) => return Err(NO_TLS.to_owned()),
    };
    let (host, port) = split_port(rest.trim_end_matches('/'))?;
    match port.parse::<u16>() {
        Ok(port @ 1..) => Ok(format!("http://{host}:{port}")),
        _ => Err(MALFORMED.to_owned()),
    }
}

/// The host, an IPv6 address with its brackets, and the port's text.
fn split_port(node: &str) -> Meaning<(String, &str)> {
    if node.parse::<Ipv6Addr>().is_ok() {
        return Err("must have an IPv6 address in brackets".to_owned());
    }
    let bracketed = node.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((address, after)) = bracketed {
        let address = address.parse::<Ipv6Addr>();
        let port = match after {
            "" => Some(DEFAULT_PORT),
            _ => after.strip_prefix(':'),
        };
        return match (address, port) {
            (Ok(address), Some(port)) => Ok((format!("[{address}]"), port)),
            _ => Err(MALFORMED.to_owned()),
        };
    }
    let (host, port) = node.split_once(':').unwrap_or((node, DEFAULT_PORT));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.is_empty() && host.bytes().all(fits) {
        Ok((host.to_owned(), port))
    } else {
        Err(MALFORMED.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_written_in_many_ways() {
        let cases = [
            ("metadata:80", Ok("http://metadata:80")),
            ("metadata", Ok("http://metadata:80")),
            ("HTTP://metadata:8080/", Ok("http://metadata:8080")),
            ("http://10.0.0.1", Ok("http://10.0.0.1:80")),
            ("[fe80::0:1]:81", Ok("http://[fe80::1]:81")),
            ("[::1]", Ok("http://[::1]:80")),
            ("::1", Err("must have an IPv6 address in brackets")),
            ("[::1]81", Err(MALFORMED)),
            ("[::1", Err(MALFORMED)),
            ("[localhost]:80", Err(MALFORMED)),
            ("", Err(MALFORMED)),
            (":80", Err(MALFORMED)),
            ("http://", Err(MALFORMED)),
            ("a:b:c", Err(MALFORMED)),
            ("a:0", Err(MALFORMED)),
            ("a:65536", Err(MALFORMED)),
            ("a:", Err(MALFORMED)),
            ("user@a:80", Err(MALFORMED)),
            ("a/b:80", Err(MALFORMED)),
            ("a b", Err(MALFORMED)),
            ("größe:80", Err(MALFORMED)),
            ("https://a:443", Err(NO_TLS)),
            ("etcd://a", Err(NO_TLS)),
        ];
        for (node, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(node_url(node), expected, "{node}");
        }
    }
}
