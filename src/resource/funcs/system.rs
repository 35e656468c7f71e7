//! What templates may ask the machine: its environment, clock, name, addresses, name servers and files.

use std::io::ErrorKind;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::{SystemTime, UNIX_EPOCH};

use super::HostEnv;
use crate::go::time::Time;
use crate::net;
use crate::platform;
use crate::template::Value;
use crate::template::value::{Service, Str};

impl HostEnv {
    /// `getenv`: a variable that is empty counts as missing.
    pub(super) fn getenv(&self, name: &Str, default: Option<&Value>) -> Value {
        let name = std::str::from_utf8(name.as_bytes()).ok();
        match name
            .and_then(self.variable)
            .filter(|value| !value.is_empty())
        {
            Some(value) => Value::text(value.into_encoded_bytes()),
            None => default.cloned().unwrap_or_else(|| Value::text("")),
        }
    }

    /// `datetime`: now.
    pub(super) fn now(&self) -> Value {
        let (seconds, nanos) = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => (since.as_secs().cast_signed(), since.subsec_nanos()),
            // A clock before 1970 is not set at all.
            Err(_) => (0, 0),
        };
        let now = Time {
            seconds,
            nanos,
            utc: false,
            local: self.zone.clone(),
        };
        Value::Time(now.into())
    }
}

/// The addresses of a host, sorted as text; none when they cannot be found.
fn addresses(host: &Str, wanted: fn(&IpAddr) -> bool) -> Value {
    let host = host.to_text();
    // To Windows no name means this machine.
    let named = Some(&*host).filter(|host| !host.is_empty());
    let found = named.and_then(|host| (host, 0).to_socket_addrs().ok());
    let mut texts = Vec::new();
    for address in found.unwrap_or_default() {
        let ip = address.ip().to_canonical();
        if wanted(&ip) {
            texts.push(Str::from(ip.to_string()));
        }
    }
    texts.sort_unstable();
    Value::Strings(texts.into())
}

/// `lookupIP` and `lookupIPV4`: the original's is for IPv4 only.
pub(super) fn lookup_ipv4(host: &Str) -> Value {
    addresses(host, IpAddr::is_ipv4)
}

/// `lookupIPV6`
pub(super) fn lookup_ipv6(host: &Str) -> Value {
    addresses(host, IpAddr::is_ipv6)
}

/// `lookupIfaceIPV4` and `lookupIfaceIPV6`: the first address of a network interface, or nothing.
pub(super) fn interface_address(name: &Str, wanted: fn(&IpAddr) -> bool) -> Value {
    // No such interface, or none that may be asked: no address, as in confd's other lines.
    let found = platform::interface_addresses(&name.to_text()).unwrap_or_default();
    let first = found.into_iter().find(wanted);
    Value::text(first.map(|ip| ip.to_string()).unwrap_or_default())
}

/// `lookupSRV`: records sorted by all their fields as one text; none when they cannot be found.
pub(super) fn lookup_srv(service: &Str, protocol: &Str, name: &Str) -> Value {
    let (service, protocol, name) = (service.to_text(), protocol.to_text(), name.to_text());
    let name = match (&*service, &*protocol) {
        ("", "") => name.into_owned(),
        _ => format!("_{service}._{protocol}.{name}"),
    };
    let mut records = net::query_srv(&name).unwrap_or_default();
    records.sort_by_cached_key(|r| format!("{}{}{}{}", r.target, r.port, r.priority, r.weight));
    let mut services = Vec::new();
    for record in records {
        services.push(Service {
            target: record.target.into(),
            port: record.port,
            priority: record.priority,
            weight: record.weight,
        });
    }
    Value::Services(services.into())
}

/// `fileExists`: also what may not be looked at counts, as in the original.
pub(super) fn file_exists(path: &Str) -> Value {
    Value::Bool(match std::fs::metadata(&*path.to_text()) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: Value) -> Vec<String> {
        match value {
            Value::Strings(texts) => texts
                .iter()
                .map(|text| text.to_text().into_owned())
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_need_no_name_server() {
        assert_eq!(texts(lookup_ipv4(&"10.0.0.1".into())), ["10.0.0.1"]);
        assert_eq!(texts(lookup_ipv4(&"::ffff:10.0.0.1".into())), ["10.0.0.1"]);
        assert!(texts(lookup_ipv4(&"::1".into())).is_empty());
        assert_eq!(texts(lookup_ipv6(&"::1".into())), ["::1"]);
        assert!(texts(lookup_ipv4(&"".into())).is_empty());
        assert!(
            matches!(interface_address(&"no such".into(), IpAddr::is_ipv4), Value::Str(text) if text.as_bytes().is_empty())
        );
    }

    #[test]
    fn files() {
        let exists = |path: &str| matches!(file_exists(&path.into()), Value::Bool(true));
        assert!(
            exists(env!("CARGO_MANIFEST_DIR"))
                && !exists("")
                && !exists("/no/such/file")
                && !exists("a\0b")
        );
    }
}
