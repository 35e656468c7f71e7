//! The functions that read the machine: its environment, clock, name, addresses, name servers and
//! files.

use std::io::ErrorKind;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::HostEnv;
use super::table::Name;
use crate::go::time::Time;
use crate::net::{self, SrvRecord};
use crate::platform;
use crate::template::value::{Service, Str};
use crate::template::{CallError, Value};
use crate::threads;

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

/// The time that name servers get for all names of one rendering.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// The name look-ups of one rendering, which share one deadline.
#[derive(Debug)]
pub(super) struct Lookups {
    left: Duration,
}

impl Default for Lookups {
    fn default() -> Lookups {
        Lookups { left: LOOKUP_TIME }
    }
}

/// The result of a look-up, on its way from one thread to another.
enum Found {
    Addresses(Vec<IpAddr>),
    Records(Vec<SrvRecord>),
}

impl Lookups {
    /// `lookupIP`, `lookupIPV4`, `lookupIPV6` and `lookupSRV`. A name that does not exist, or about
    /// which the servers know nothing, has no addresses, as in the original. No answer in time is
    /// an error: a file without its servers would be worse than the old one.
    pub(super) fn look_up(&mut self, name: Name, args: &[Str]) -> Result<Value, CallError> {
        let texts: Vec<String> = args.iter().map(|arg| arg.to_text().into_owned()).collect();
        let (about, start) = (texts.join(" "), Instant::now());
        let find = move || match (name, texts.as_slice()) {
            (Name::LookupSrv, [service, protocol, domain]) => {
                Found::Records(records(service, protocol, domain))
            }
            (_, texts) => {
                Found::Addresses(texts.first().map_or(Vec::new(), |host| addresses(host)))
            }
        };
        // A number needs no name server, and no thread.
        let is_number = name != Name::LookupSrv && about.parse::<IpAddr>().is_ok();
        let found = if is_number {
            Some(find())
        } else {
            threads::run_within(self.left, find)
        };
        self.left = self.left.saturating_sub(start.elapsed());
        match found {
            Some(found) => Ok(found.into_value(name)),
            None => Err(CallError::failed(format!(
                "no name server has answered for {about} in time"
            ))),
        }
    }
}

impl Found {
    fn into_value(self, name: Name) -> Value {
        match self {
            Found::Addresses(addresses) => {
                let wanted = if name == Name::LookupIpv6 {
                    IpAddr::is_ipv6
                } else {
                    // The original's lookupIP is for IPv4 only.
                    IpAddr::is_ipv4
                };
                let wanted = addresses.into_iter().filter(wanted);
                let mut texts: Vec<Str> = wanted.map(|ip| ip.to_string().into()).collect();
                texts.sort_unstable();
                Value::Strings(texts.into())
            }
            Found::Records(records) => {
                let service = |record: SrvRecord| Service {
                    target: record.target.into(),
                    port: record.port,
                    priority: record.priority,
                    weight: record.weight,
                };
                Value::Services(records.into_iter().map(service).collect())
            }
        }
    }
}

/// The addresses of a host; none when they cannot be found.
fn addresses(host: &str) -> Vec<IpAddr> {
    // To Windows no name means this machine.
    let named = Some(host).filter(|host| !host.is_empty());
    let found = named.and_then(|host| (host, 0).to_socket_addrs().ok());
    let found = found.into_iter().flatten();
    found.map(|address| address.ip().to_canonical()).collect()
}

/// The records of a service, sorted by all their fields as one string; none when they cannot be
/// found.
fn records(service: &str, protocol: &str, domain: &str) -> Vec<SrvRecord> {
    let name = match (service, protocol) {
        ("", "") => domain.to_owned(),
        _ => format!("_{service}._{protocol}.{domain}"),
    };
    let mut records = net::query_srv(&name).unwrap_or_default();
    records.sort_by_cached_key(|r| format!("{}{}{}{}", r.target, r.port, r.priority, r.weight));
    records
}

/// `lookupIfaceIPV4` and `lookupIfaceIPV6`: the first address of a network interface, or nothing.
pub(super) fn interface_address(name: Name, interface: &Str) -> Value {
    let wanted = if name == Name::LookupIfaceIpv6 {
        IpAddr::is_ipv6
    } else {
        IpAddr::is_ipv4
    };
    // No such interface, or none that may be asked: no address, as in confd's other lines.
    let found = platform::interface_addresses(&interface.to_text()).unwrap_or_default();
    let first = found.into_iter().find(wanted);
    Value::text(first.map(|ip| ip.to_string()).unwrap_or_default())
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

    fn looked_up(name: Name, host: &str) -> Vec<String> {
        texts(Lookups::default().look_up(name, &[host.into()]).unwrap())
    }

    #[test]
    fn addresses_need_no_name_server() {
        assert_eq!(looked_up(Name::LookupIp, "10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(looked_up(Name::LookupIpv4, "::ffff:10.0.0.1"), ["10.0.0.1"]);
        assert!(looked_up(Name::LookupIp, "::1").is_empty());
        assert_eq!(looked_up(Name::LookupIpv6, "::1"), ["::1"]);
        assert!(looked_up(Name::LookupIp, "").is_empty());
        let none = interface_address(Name::LookupIfaceIpv4, &"no such".into());
        assert!(matches!(none, Value::Str(text) if text.as_bytes().is_empty()));
    }

    #[test]
    fn a_spent_deadline_fails_at_once() {
        let mut spent = Lookups {
            left: Duration::ZERO,
        };
        let error = spent.look_up(Name::LookupIp, &["a.invalid".into()]);
        let words = error.unwrap_err().to_string();
        assert!(words.contains("a.invalid"), "{words}");
        assert!(spent.look_up(Name::LookupIp, &["127.0.0.1".into()]).is_ok());
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
