//! A name server for tests: records that change, names that are never answered, and a list of who
//! was asked for.
//!
//! One server for the whole process, at an address of this machine that nobody else serves names
//! on, not even other runs of the tests. Names that end in `.silent` get no answer, and others can
//! be silenced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::thread;

use crate::env::{Env, until};

const A: u16 = 1;
const SRV: u16 = 33;

/// Each record's data by name and type.
type Records = BTreeMap<(String, u16), Vec<Vec<u8>>>;

#[derive(Default)]
struct State {
    records: Records,
    /// Names that get no answer any more.
    silent: BTreeSet<String>,
    asked: Vec<String>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

fn state() -> MutexGuard<'static, State> {
    STATE.lock().expect("no thread panics with the lock")
}

/// Sets the addresses of a name.
pub(crate) fn set(name: &str, addresses: &[[u8; 4]]) {
    let data = addresses.iter().map(|address| address.to_vec()).collect();
    state().records.insert((name.to_owned(), A), data);
}

/// Sets the services of a name: priority, weight, port and target of each.
pub(crate) fn set_services(name: &str, services: &[(u16, u16, u16, &str)]) {
    let encode = |(priority, weight, port, target): &(u16, u16, u16, &str)| {
        let mut data = [*priority, *weight, *port].map(u16::to_be_bytes).concat();
        for label in target.split('.') {
            data.push(label.len() as u8);
            data.extend(label.as_bytes());
        }
        data.push(0);
        data
    };
    let data = services.iter().map(encode).collect();
    state().records.insert((name.to_owned(), SRV), data);
}

/// From now on questions for `name` get no answer.
pub(crate) fn silence(name: &str) {
    state().silent.insert(name.to_owned());
}

/// Waits until somebody has asked for `name`.
pub(crate) fn wait_asked(name: &str) {
    until(&format!("{name} is looked up"), || {
        state().asked.iter().any(|asked| asked == name)
    });
}

/// Waits until somebody asks for `name` once more.
pub(crate) fn wait_asked_again(name: &str) {
    let count = || {
        let state = state();
        state.asked.iter().filter(|asked| *asked == name).count()
    };
    let before = count();
    until(&format!("{name} is looked up again"), || count() > before);
}

/// Shell text that makes the server and an /etc/hosts with these lines the only source of names,
/// for [`Env::command_with_mounts`]. None, and a line that says so, where the system does not
/// permit port 53.
pub(crate) fn mounts(env: &Env, test: &str, hosts: &str) -> Option<&'static str> {
    static SERVED: LazyLock<io::Result<()>> = LazyLock::new(serve);
    match &*SERVED {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            eprintln!("SKIPPED {test}: this system does not permit port 53");
            return None;
        }
        served => served.as_ref().expect("a name server"),
    };
    env.put("hosts", &format!("127.0.0.1 localhost\n{hosts}"));
    env.put("resolv.conf", &format!("nameserver {}\n", server()));
    // Resolvers that the machine's own configuration would ask instead are none of the test's.
    Some(
        "mount --bind $ROOT/hosts /etc/hosts; \
         mount --bind $ROOT/resolv.conf \"$(readlink -f /etc/resolv.conf)\"",
    )
}

fn server() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high & 63, middle, low)
}

/// The name and type that a query asks for; none when it is not a whole question.
fn question(query: &[u8]) -> Option<(String, u16)> {
    let mut labels = Vec::new();
    let mut rest = query.get(12..)?;
    loop {
        let (length, tail) = rest.split_first()?;
        if *length == 0 {
            let kind = tail.get(..2)?;
            return Some((labels.join("."), u16::from_be_bytes([kind[0], kind[1]])));
        }
        let label = tail.get(..usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = &tail[label.len()..];
    }
}

/// The answer to a query; none to what is no question, or asks for a name that stays silent.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (name, kind) = question(query)?;
    let mut state = state();
    state.asked.push(name.clone());
    if name.ends_with(".silent") || state.silent.contains(&name) {
        return None;
    }
    let is_known = state.records.keys().any(|(known, _)| *known == name);
    let code = if is_known { 0 } else { 3 };
    let found = state.records.get(&(name.clone(), kind)).cloned();
    let records = found.unwrap_or_default();
    // One question, these answers, nothing else. The length and the end of the name, the type and
    // the class follow it.
    let mut bytes = [
        &query[..2],
        &[0x81, 0x80 | code, 0, 1, 0, records.len() as u8],
    ]
    .concat();
    bytes.extend([0; 4]);
    bytes.extend(query.get(12..12 + name.len() + 6)?);
    for data in records {
        bytes.extend([0xc0, 12]);
        bytes.extend([kind.to_be_bytes(), [0, 1]].concat());
        bytes.extend([0, 0, 0, 60]);
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    Some(bytes)
}

/// Answers for as long as this process lives: nothing holds anybody up, and no test has a second
/// server.
fn serve() -> io::Result<()> {
    let socket = UdpSocket::bind((server(), 53))?;
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            if let Some(bytes) = answer(&query[..length]) {
                // A client that is gone needs no answer.
                let _ = socket.send_to(&bytes, client);
            }
        }
    });
    Ok(())
}
