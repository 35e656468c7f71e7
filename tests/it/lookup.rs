//! Names of hosts and services, looked up in the system's /etc/hosts and by its name servers: each C library has its own code
//! for that, so what is built with another one must be asked anew.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use serde_json::json;

use crate::env::Env;

/// An address of this machine that nobody else serves names on, not even other runs of this test.
fn server() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high & 63, middle, low)
}

const A: u16 = 1;
const SRV: u16 = 33;

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

/// What the server knows: the data of each record; none when there is no such name.
fn records(name: &str, kind: u16) -> Option<Vec<Vec<u8>>> {
    match (name, kind) {
        ("db.example", A) => Some(vec![vec![10, 9, 0, 2], vec![10, 9, 0, 1]]),
        ("db.example", _) => Some(Vec::new()),
        ("_db._tcp.example", SRV) => {
            let numbers = [0, 10, 0, 5, 0x0c, 0xea];
            Some(vec![[&numbers[..], b"\x02db\x07example\0"].concat()])
        }
        _ => None,
    }
}

fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (name, kind) = question(query)?;
    let found = records(&name, kind);
    let code = if found.is_some() { 0 } else { 3 };
    let records = found.unwrap_or_default();
    // One question, so many answers, nothing else; a length of the name, its end, the type and the class make the question.
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

/// Answers for as long as this process lives: nothing holds anybody up, and no test has a second server.
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

#[test]
fn names_are_found_in_hosts_and_by_name_servers() {
    let name = "names_are_found_in_hosts_and_by_name_servers";
    match serve() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            eprintln!("SKIPPED {name}: this system does not permit port 53");
            return;
        }
        served => served.expect("a name server"),
    }
    let env = Env::with_tree(&json!({"k": "1"}));
    env.put("hosts", "127.0.0.1 localhost\n10.8.0.1 web web.cluster\n");
    env.put("resolv.conf", &format!("nameserver {}\n", server()));
    env.simple_with(
        "app",
        "{{lookupIP \"web.cluster\"}} {{lookupIP \"db.example\"}} {{lookupIP \"none.example\"}} {{lookupIPV6 \"db.example\"}}\n\
         {{range lookupSRV \"db\" \"tcp\" \"example\"}}{{.Target}}:{{.Port}} {{.Priority}} {{.Weight}}{{end}}\n",
        "",
    );
    // Resolvers that the machine's own configuration would ask instead are none of the test's.
    let mounts = "mount --bind $ROOT/hosts /etc/hosts; mount --bind $ROOT/resolv.conf \"$(readlink -f /etc/resolv.conf)\"";
    let Some(run) = env.onetime_with_mounts(name, mounts) else {
        return;
    };
    run.expect_code(0);
    assert_eq!(
        env.read("out/app"),
        "[10.8.0.1] [10.9.0.1 10.9.0.2] [] []\ndb.example.:3306 10 5\n"
    );
}
