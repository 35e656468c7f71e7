//! This machine's name, time zone, interfaces and name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS, FILETIME, SYSTEMTIME,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses, IP_ADAPTER_ADDRESSES_LH,
};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_IN, SOCKADDR_IN6, SOCKET_ADDRESS,
};
use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, GetConsoleScreenBufferInfo, GetStdHandle, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};
use windows_sys::Win32::System::Time::{
    FileTimeToSystemTime, GetTimeZoneInformation, SystemTimeToFileTime,
    SystemTimeToTzSpecificLocalTime, TIME_ZONE_INFORMATION,
};

use crate::go::time::{Local, Offset, Zone};

/// Seconds from 1601, where Windows counts from, to 1970.
const EPOCH: i64 = 11_644_473_600;
/// Windows counts in steps of 100 ns.
const STEPS: i64 = 10_000_000;
/// The largest accepted list of adapters, in bytes.
const LARGEST_LIST: u32 = 1 << 24;

/// The machine's name, as Go's `os.Hostname`; `localhost` when it has none.
pub fn hostname() -> String {
    let mut name = [0_u16; 256];
    let mut length = 256;
    // SAFETY: the buffer has the length given, and is not longer than that afterwards.
    let done = unsafe {
        GetComputerNameExW(
            ComputerNamePhysicalDnsHostname,
            name.as_mut_ptr(),
            &mut length,
        )
    };
    match name.get(..length as usize) {
        Some(text) if done != 0 && !text.is_empty() => String::from_utf16_lossy(text),
        _ => "localhost".to_owned(),
    }
}

/// The columns of the console that stdout is, less one: a line that fills it would be followed by
/// an empty one. `None` when it is no console.
pub fn terminal_columns() -> Option<usize> {
    // SAFETY: every field of the structure may be zero.
    let mut info: CONSOLE_SCREEN_BUFFER_INFO = unsafe { std::mem::zeroed() };
    // SAFETY: an invalid handle is an error, and `info` is valid to be written.
    let done =
        unsafe { GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &mut info) != 0 };
    let columns = i32::from(info.srWindow.Right) - i32::from(info.srWindow.Left);
    usize::try_from(columns).ok().filter(|_| done)
}

/// The machine's time zone, by the rules that hold today.
pub fn local_zone() -> Local {
    static ZONE: OnceLock<Local> = OnceLock::new();
    let zone = ZONE.get_or_init(|| Local::new(Zone::of_system("Local", offset_at)));
    zone.clone()
}

/// The offset at `seconds` after 1970-01-01T00:00:00Z.
fn offset_at(seconds: i64) -> Offset {
    local_offset(seconds).map_or(Offset::UTC, |offset| {
        let (name, is_dst) = abbreviation(offset);
        Offset {
            seconds: offset,
            name: name.into(),
            is_dst,
        }
    })
}

fn local_offset(seconds: i64) -> Option<i32> {
    let steps = seconds.checked_add(EPOCH)?.checked_mul(STEPS)?;
    let steps = u64::try_from(steps).ok()?;
    let utc = FILETIME {
        dwLowDateTime: steps as u32,
        dwHighDateTime: (steps >> 32) as u32,
    };
    let mut parts = SYSTEMTIME::default();
    let mut local_parts = SYSTEMTIME::default();
    let mut local = FILETIME::default();
    // SAFETY: all pointers are valid for their calls; the null one stands for the zone in force.
    let done = unsafe {
        FileTimeToSystemTime(&utc, &mut parts) != 0
            && SystemTimeToTzSpecificLocalTime(ptr::null(), &parts, &mut local_parts) != 0
            && SystemTimeToFileTime(&local_parts, &mut local) != 0
    };
    let local = i64::from(local.dwHighDateTime) << 32 | i64::from(local.dwLowDateTime);
    // The parts stop at milliseconds, which divides away.
    let offset = local / STEPS - EPOCH - seconds;
    i32::try_from(offset).ok().filter(|_| done)
}

/// The capitals of Windows' long name ("China Standard Time"), as Go does it; `+08` where that has
/// none. And whether that is the one of daylight saving time.
fn abbreviation(offset: i32) -> (String, bool) {
    let mut zone = TIME_ZONE_INFORMATION::default();
    // SAFETY: the pointer is valid for the call; left at zero when the call fails.
    unsafe { GetTimeZoneInformation(&mut zone) };
    let in_summer = offset == -60 * (zone.Bias + zone.DaylightBias) && zone.DaylightBias != 0;
    let long = match in_summer {
        true => zone.DaylightName,
        false => zone.StandardName,
    };
    let long = String::from_utf16_lossy(&long);
    let capitals: String = long.chars().filter(char::is_ascii_uppercase).collect();
    let name = match capitals.is_empty() {
        true => format!("{:+03}", offset / 3600),
        false => capitals,
    };
    (name, in_summer)
}

/// The addresses of one network interface, by the name in the control panel; none when there is no
/// such interface.
pub fn interface_addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for_each_adapter(|adapter| {
        // SAFETY: the name is a NUL-terminated string of the list.
        if unsafe { wide_text(adapter.FriendlyName) } != name {
            return;
        }
        let mut next = adapter.FirstUnicastAddress;
        // SAFETY: every entry is null or valid as long as the adapter.
        while let Some(entry) = unsafe { next.as_ref() } {
            // SAFETY: the address belongs to the entry.
            addresses.extend(unsafe { ip_address(&entry.Address) });
            next = entry.Next;
        }
    })?;
    Ok(addresses)
}

/// The name servers of all interfaces, each once.
pub fn nameservers() -> io::Result<Vec<IpAddr>> {
    let mut servers = Vec::new();
    for_each_adapter(|adapter| {
        let mut next = adapter.FirstDnsServerAddress;
        // SAFETY: every entry is null or valid as long as the adapter.
        while let Some(entry) = unsafe { next.as_ref() } {
            // SAFETY: the address belongs to the entry.
            let server = unsafe { ip_address(&entry.Address) };
            servers.extend(server.filter(|server| !servers.contains(server)));
            next = entry.Next;
        }
    })?;
    Ok(servers)
}

fn for_each_adapter(mut visit: impl FnMut(&IP_ADAPTER_ADDRESSES_LH)) -> io::Result<()> {
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST;
    let mut bytes: u32 = 16 << 10;
    let list = loop {
        // Of u64, so that the entries are aligned.
        let mut list = vec![0_u64; (bytes as usize).div_ceil(size_of::<u64>())];
        // SAFETY: the buffer has the length given, and nothing else is written.
        let code = unsafe {
            GetAdaptersAddresses(
                AF_UNSPEC.into(),
                flags,
                ptr::null(),
                list.as_mut_ptr().cast(),
                &mut bytes,
            )
        };
        match code {
            ERROR_SUCCESS => break list,
            ERROR_NO_DATA => return Ok(()),
            ERROR_BUFFER_OVERFLOW if bytes < LARGEST_LIST => bytes += 4096,
            code => return Err(io::Error::from_raw_os_error(code as i32)),
        }
    };
    let mut next: *const IP_ADAPTER_ADDRESSES_LH = list.as_ptr().cast();
    // SAFETY: the call has filled the list with entries that end in a null pointer and live as long
    // as the buffer.
    while let Some(adapter) = unsafe { next.as_ref() } {
        visit(adapter);
        next = adapter.Next;
    }
    Ok(())
}

/// # Safety
/// The address inside is null, or as long as its family says.
unsafe fn ip_address(address: &SOCKET_ADDRESS) -> Option<IpAddr> {
    // SAFETY: as the caller promises.
    match unsafe { address.lpSockaddr.as_ref() }?.sa_family {
        AF_INET => {
            // SAFETY: AF_INET addresses are `SOCKADDR_IN`; any bytes make the union valid.
            let bytes = unsafe {
                let inet = address.lpSockaddr.cast::<SOCKADDR_IN>().read_unaligned();
                inet.sin_addr.S_un.S_addr
            };
            Some(Ipv4Addr::from(u32::from_be(bytes)).into())
        }
        AF_INET6 => {
            // SAFETY: AF_INET6 addresses are `SOCKADDR_IN6`; any bytes make the union valid.
            let bytes = unsafe {
                let inet = address.lpSockaddr.cast::<SOCKADDR_IN6>().read_unaligned();
                inet.sin6_addr.u.Byte
            };
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// # Safety
/// `text` is null or NUL-terminated.
pub(super) unsafe fn wide_text(text: *const u16) -> String {
    let mut units = Vec::new();
    let mut at = text;
    // SAFETY: as the caller promises; stops at the NUL.
    while !at.is_null() && unsafe { *at } != 0 {
        // SAFETY: before the NUL.
        units.push(unsafe { *at });
        at = at.wrapping_add(1);
    }
    String::from_utf16_lossy(&units)
}

/// Always `None`: files have no numbered owner here.
pub fn user_id(_name: &str) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Always `None`: files have no numbered group here.
pub fn group_id(_name: &str) -> io::Result<Option<u32>> {
    Ok(None)
}
