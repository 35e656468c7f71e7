//! The facts about this machine: its name, zone, interfaces, users and name servers.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::sync::OnceLock;

use crate::go::time::{Local, Zone};

/// An entry of the user database that needs more room than this is not an entry.
const LARGEST_ENTRY: usize = 1 << 20;

/// The machine's name, as Go's `os.Hostname`; `localhost` when it has none.
pub fn hostname() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is one byte longer than the length given, so its last byte stays NUL.
    let code = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    match CStr::from_bytes_until_nul(&name) {
        Ok(text) if code == 0 && !text.is_empty() => text.to_string_lossy().into_owned(),
        _ => "localhost".to_owned(),
    }
}

/// The columns of the terminal that stdout is; `None` when it is none, or does not say.
pub fn terminal_columns() -> Option<usize> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the request fills in a `winsize`, which `size` is valid to be written for.
    let code = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: zeroed is a valid `winsize`.
    let columns = unsafe { size.assume_init() }.ws_col;
    (code == 0 && columns > 0).then_some(columns.into())
}

/// Where zone files are, as Go looks for them.
const ZONE_FILES: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/usr/lib/locale/TZ",
];

/// No zone file is nearly as large.
const LARGEST_ZONE_FILE: u64 = 1 << 20;

/// The machine's time zone, looked up once: the zone file that `TZ` names, else the rule that it
/// is, else UTC; without `TZ`, that of /etc/localtime. Zone files are read here and not by the C
/// library: Go takes `EST5EDT` for a file's name, the C libraries for a rule.
pub fn local_zone() -> Local {
    static ZONE: OnceLock<Local> = OnceLock::new();
    let zone = ZONE.get_or_init(|| {
        let name = std::env::var_os("TZ");
        let name = name.as_ref().map(|name| name.to_string_lossy());
        Local::new(find_zone(name.as_deref()))
    });
    zone.clone()
}

fn find_zone(name: Option<&str>) -> Zone {
    let Some(name) = name else {
        return zone_file("/etc/localtime", "Local").unwrap_or_else(Zone::utc);
    };
    let name = name.strip_prefix(':').unwrap_or(name);
    let zone = match name {
        "" | "UTC" => None,
        "/etc/localtime" => zone_file(name, "Local"),
        _ if name.starts_with('/') => zone_file(name, name),
        _ => {
            let files = ZONE_FILES.iter().map(|dir| format!("{dir}/{name}"));
            let found = files.into_iter().find_map(|path| zone_file(&path, name));
            found.or_else(|| Zone::of_rule(name))
        }
    };
    zone.unwrap_or_else(Zone::utc)
}

fn zone_file(path: &str, name: &str) -> Option<Zone> {
    let mut content = Vec::new();
    let file = File::open(path).ok()?;
    file.take(LARGEST_ZONE_FILE)
        .read_to_end(&mut content)
        .ok()?;
    Zone::of_file(name, &content)
}

/// The addresses of one network interface, in the system's order; none when there is no such
/// interface.
pub fn interface_addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut first = ptr::null_mut();
    // SAFETY: `first` receives a list that is freed below, and not used after that.
    if unsafe { libc::getifaddrs(&mut first) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = first;
    // SAFETY: every entry is null or valid until `freeifaddrs`.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: `ifa_name` is a NUL-terminated string of the list.
        if unsafe { CStr::from_ptr(entry.ifa_name) }.to_bytes() == name.as_bytes() {
            // SAFETY: `ifa_addr` is null or a socket address as long as its family says.
            addresses.extend(unsafe { ip_address(entry.ifa_addr) });
        }
        next = entry.ifa_next;
    }
    // SAFETY: `first` came from `getifaddrs`, and everything was copied out of it.
    unsafe { libc::freeifaddrs(first) };
    Ok(addresses)
}

/// # Safety
/// `address` is null, or points to a socket address of the family that it names.
unsafe fn ip_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: as the caller promises.
    match i32::from(unsafe { address.as_ref() }?.sa_family) {
        libc::AF_INET => {
            // SAFETY: AF_INET addresses are `sockaddr_in`; read without assuming its alignment.
            let inet = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: AF_INET6 addresses are `sockaddr_in6`; read without assuming its alignment.
            let inet = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(inet.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// The id of a user by name; `None` when this machine does not know it. The static build asks
/// /etc/passwd only.
pub fn user_id(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: all pointers are valid for the call, and the buffer has the length given.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &mut found,
            )
        };
        // SAFETY: `found` is null or points to `entry`, filled in.
        (code, unsafe { found.as_ref() }.map(|entry| entry.pw_uid))
    })
}

/// The id of a group by name; `None` when this machine does not know it. The static build asks
/// /etc/group only.
pub fn group_id(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: all pointers are valid for the call, and the buffer has the length given.
        let code = unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                &mut found,
            )
        };
        // SAFETY: `found` is null or points to `entry`, filled in.
        (code, unsafe { found.as_ref() }.map(|entry| entry.gr_gid))
    })
}

/// Asks with a growing buffer until the answer fits. Some C libraries report "not found" as one of
/// these errors.
fn look_up(ask: impl Fn(&mut [u8]) -> (i32, Option<u32>)) -> io::Result<Option<u32>> {
    let mut size = 1024;
    loop {
        match ask(&mut vec![0; size]) {
            (0, id) => return Ok(id),
            (libc::ERANGE, _) if size < LARGEST_ENTRY => size *= 4,
            (libc::ENOENT | libc::ESRCH, _) => return Ok(None),
            (libc::EINTR, _) => {}
            (code, _) => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// The name servers of /etc/resolv.conf; this machine itself when it names none.
pub fn nameservers() -> io::Result<Vec<IpAddr>> {
    match std::fs::read("/etc/resolv.conf") {
        Ok(text) => Ok(parse_nameservers(&String::from_utf8_lossy(&text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(parse_nameservers("")),
        Err(error) => Err(error),
    }
}

fn parse_nameservers(text: &str) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some("nameserver"), Some(address)) = (words.next(), words.next()) {
            servers.extend(address.parse::<IpAddr>().ok());
        }
    }
    if servers.is_empty() {
        servers.push(Ipv4Addr::LOCALHOST.into());
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nameservers_come_from_resolv_conf() {
        let cases: &[(&str, &[&str])] = &[
            ("", &["127.0.0.1"]),
            (
                "# nameserver 1.1.1.1\nsearch a.b\nnameserver 192.168.0.2\n",
                &["192.168.0.2"],
            ),
            (
                "nameserver\t10.0.0.1\nnameserver ::1 # x\nnameserver fe80::1%eth0\n",
                &["10.0.0.1", "::1"],
            ),
            (
                "nameserver\nnameserver nonsense\nnameservers 1.2.3.4",
                &["127.0.0.1"],
            ),
        ];
        for (text, servers) in cases {
            let wanted: Vec<IpAddr> = servers.iter().map(|s| s.parse().unwrap()).collect();
            assert_eq!(parse_nameservers(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_superuser_is_known() {
        assert_eq!(user_id("root").unwrap(), Some(0));
        assert_eq!(group_id("root").unwrap(), Some(0));
    }

    #[test]
    fn an_entry_that_does_not_fit_is_asked_for_again() {
        let answer = look_up(|buffer| match buffer.len() {
            ..5000 => (libc::ERANGE, None),
            _ => (0, Some(7)),
        });
        assert_eq!(answer.unwrap(), Some(7));
        assert!(look_up(|_| (libc::ERANGE, None)).is_err());
        assert!(look_up(|_| (libc::EIO, None)).is_err());
    }

    #[test]
    fn the_loopback_interface_has_the_loopback_address() {
        let addresses = interface_addresses("lo").unwrap();
        assert!(
            addresses.contains(&Ipv4Addr::LOCALHOST.into()),
            "{addresses:?}"
        );
    }
}
