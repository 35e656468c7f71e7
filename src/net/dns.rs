//! SRV records: one question to the system's name servers over UDP, over TCP when the answer was
//! cut short (RFC 1035, 2782).
//!
//! A name goes in, records come out in the order of the answer. Every wait ends, and every byte of
//! an answer is suspect. Knows no search domains: a service name is a whole name, with or without
//! its last dot.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::platform;
use crate::random;

/// One server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SrvRecord {
    /// The host, with its last dot, as Go's `net.LookupSRV` gives it.
    pub target: String,
    /// The port on it.
    pub port: u16,
    /// Lower is tried first.
    pub priority: u16,
    /// The share among equal priorities.
    pub weight: u16,
}

const PORT: u16 = 53;
/// The number of servers and of rounds, as in the C library.
const SERVERS: usize = 3;
const ROUNDS: usize = 2;
const TIMEOUT: Duration = Duration::from_secs(2);

const HEADER: usize = 12;
const TYPE_SRV: u16 = 33;
const CLASS_IN: u16 = 1;
/// The longest name and label on the wire.
const NAME: usize = 255;
const LABEL: usize = 63;

/// The SRV records of `name`, such as `_metad._tcp.example.com`. `NotFound` when there are none; it
/// takes 24 seconds at the most.
pub(crate) fn query_srv(name: &str) -> io::Result<Vec<SrvRecord>> {
    let mut servers = Vec::new();
    for ip in platform::nameservers()?.into_iter().take(SERVERS) {
        servers.push(SocketAddr::new(ip, PORT));
    }
    query(&servers, name, TIMEOUT)
}

/// Asks one server after the other until one knows; a server that says that there is no such name
/// is believed.
fn query(servers: &[SocketAddr], name: &str, timeout: Duration) -> io::Result<Vec<SrvRecord>> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "no name server is configured");
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        let question = encode_question(random_id(), name)?;
        match ask(*server, &question, timeout) {
            Ok(Answer::Records(records)) if !records.is_empty() => return Ok(records),
            Ok(Answer::Records(_) | Answer::NoSuchName) => {
                return Err(io::Error::new(ErrorKind::NotFound, "no such host"));
            }
            Ok(Answer::Truncated) => failure = invalid("the answer over TCP is truncated, too"),
            Ok(Answer::Refused(code)) => {
                failure = io::Error::other(format!("name server {server} answers code {code}"));
            }
            Err(error) => {
                let text = format!("name server {server}: {error}");
                failure = io::Error::new(error.kind(), text);
            }
        }
    }
    Err(failure)
}

fn ask(server: SocketAddr, question: &[u8], timeout: Duration) -> io::Result<Answer> {
    match ask_udp(server, question, Instant::now() + timeout)? {
        Answer::Truncated => ask_tcp(server, question, Instant::now() + timeout),
        answer => Ok(answer),
    }
}

/// Takes the first datagram that answers the question; others may be late answers to somebody else,
/// or forged.
fn ask_udp(server: SocketAddr, question: &[u8], deadline: Instant) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if waited_in_vain(&error) => continue,
            Err(error) => return Err(error),
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        if answers(question, datagram) {
            return decode_answer(question, datagram);
        }
    }
}

fn ask_tcp(server: SocketAddr, question: &[u8], deadline: Instant) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let length = u16::try_from(question.len()).map_err(|_| invalid("the name is too long"))?;
    stream.write_all(&[&length.to_be_bytes()[..], question].concat())?;
    let mut length = [0; 2];
    read_all(&mut stream, &mut length, deadline)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    read_all(&mut stream, &mut message, deadline)?;
    if !answers(question, &message) {
        return Err(invalid("the answer belongs to another question"));
    }
    decode_answer(question, &message)
}

/// `read_exact` with one limit for the whole, so that a server that sends a byte a second does not
/// hold us.
fn read_all(stream: &mut TcpStream, mut rest: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(rest) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => rest = rest.get_mut(count..).unwrap_or_default(),
            Err(error) if waited_in_vain(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

fn waited_in_vain(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Not for forgers to guess: the hasher's keys come from the system's random numbers.
fn random_id() -> u16 {
    (random::number() & 0xffff) as u16
}

fn encode_question(id: u16, name: &str) -> io::Result<Vec<u8>> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion desired, one question, nothing else.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let length = u8::try_from(label.len()).unwrap_or(u8::MAX);
        if length == 0 || usize::from(length) > LABEL || !label.bytes().all(is_name_byte) {
            return Err(io::Error::new(ErrorKind::NotFound, "no such host"));
        }
        message.push(length);
        message.extend(label.as_bytes());
    }
    message.push(0);
    if message.len() > HEADER + NAME {
        return Err(io::Error::new(ErrorKind::NotFound, "no such host"));
    }
    message.extend(TYPE_SRV.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    Ok(message)
}

/// The bytes of host names. Others could end up, by way of a template, in somebody's configuration
/// file or shell.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[derive(Debug, PartialEq)]
enum Answer {
    Records(Vec<SrvRecord>),
    NoSuchName,
    Truncated,
    /// Any other response code: this server cannot help.
    Refused(u16),
}

/// The same id, a response, and the question repeated (the case of its letters is the server's
/// choice).
fn answers(question: &[u8], message: &[u8]) -> bool {
    let is_response = message.get(2).is_some_and(|flags| flags & 0x80 != 0);
    is_response
        && message.get(..2) == question.get(..2)
        && message.get(4..6) == Some(&[0, 1])
        && match (message.get(HEADER..question.len()), question.get(HEADER..)) {
            (Some(theirs), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
            _ => false,
        }
}

fn decode_answer(question: &[u8], message: &[u8]) -> io::Result<Answer> {
    let mut header = Reader { message, at: 2 };
    let flags = header.number()?;
    match flags & 0xf {
        0 => {}
        3 => return Ok(Answer::NoSuchName),
        code => return Ok(Answer::Refused(code)),
    }
    if flags & 0x200 != 0 {
        return Ok(Answer::Truncated);
    }
    header.number()?;
    let count = header.number()?;
    let mut reader = Reader {
        message,
        at: question.len(),
    };
    let mut records = Vec::new();
    for _ in 0..count {
        records.extend(reader.record()?);
    }
    Ok(Answer::Records(records))
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// One resource record; `None` when it is of another type (the CNAME on the way to the service,
    /// for one).
    fn record(&mut self) -> io::Result<Option<SrvRecord>> {
        self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        let _time_to_live = (self.number()?, self.number()?);
        let length = self.number()?;
        let end = self.at + usize::from(length);
        if kind != TYPE_SRV || class != CLASS_IN {
            self.at = end;
            return Ok(None);
        }
        let (priority, weight, port) = (self.number()?, self.number()?, self.number()?);
        let target = self.name()?;
        if self.at != end {
            return Err(invalid("a record's length is wrong"));
        }
        Ok(Some(SrvRecord {
            target,
            port,
            priority,
            weight,
        }))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let byte = self.message.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| invalid("the answer ends too early"))
    }

    fn number(&mut self) -> io::Result<u16> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A name, followed through its pointers. Each must point before the place where the last one
    /// led, so that it ends.
    fn name(&mut self) -> io::Result<String> {
        let mut name = String::new();
        let mut before = self.at;
        let mut after = None;
        loop {
            let length = usize::from(self.byte()?);
            if length == 0 {
                break;
            }
            if length >= 0xc0 {
                let place = (length & 0x3f) << 8 | usize::from(self.byte()?);
                after.get_or_insert(self.at);
                if place >= before {
                    return Err(invalid("a name points forward"));
                }
                (before, self.at) = (place, place);
                continue;
            }
            if length > LABEL || name.len() + length + 1 > NAME {
                return Err(invalid("a name is too long"));
            }
            for _ in 0..length {
                name.push(char::from(self.byte().and_then(name_byte)?));
            }
            name.push('.');
        }
        self.at = after.unwrap_or(self.at);
        if name.is_empty() {
            name.push('.');
        }
        Ok(name)
    }
}

fn name_byte(byte: u8) -> io::Result<u8> {
    if is_name_byte(byte) {
        Ok(byte)
    } else {
        Err(invalid("a name is not a host's"))
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const NAME_ASKED: &str = "_metad._tcp.example.com";

    fn question() -> Vec<u8> {
        encode_question(0x1234, NAME_ASKED).unwrap()
    }

    /// The question sent back with other flags, a number of answers, and the bytes of the answers.
    fn response(question: &[u8], flags: u16, count: u16, answers: &[u8]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        message[6..8].copy_from_slice(&count.to_be_bytes());
        message.extend(answers);
        message
    }

    /// A record of type SRV whose owner is a pointer to the question's name.
    fn srv(target: &[u8]) -> Vec<u8> {
        let length = 6 + target.len() as u16;
        let mut record = vec![0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60];
        record.extend(length.to_be_bytes());
        record.extend([0, 1, 0, 2, 0, 80]);
        record.extend(target);
        record
    }

    fn node(target: &str) -> SrvRecord {
        SrvRecord {
            target: target.to_owned(),
            port: 80,
            priority: 1,
            weight: 2,
        }
    }

    #[test]
    fn a_question_is_as_rfc_1035_says() {
        let wanted =
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06_metad\x04_tcp\x07example\x03com\0\0\x21\0\x01";
        assert_eq!(question(), wanted);
        assert_eq!(
            encode_question(0x1234, "_metad._tcp.example.com.").unwrap(),
            wanted
        );
    }

    #[test]
    fn what_is_no_name_is_not_asked() {
        let long = "a".repeat(64);
        let whole = ["abcdefg"; 33].join(".");
        for name in [
            "",
            ".",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "ä.b",
            &long[..],
            &whole,
        ] {
            let error = encode_question(1, name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name:?}");
        }
        assert!(encode_question(1, &["abcdefg"; 31].join(".")).is_ok());
    }

    #[test]
    fn answers_are_decoded() {
        let cname = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, b'x', 0xc0, 12];
        let two = [srv(b"\x01a\xc0\x13"), srv(b"\x01b\0")].concat();
        let after_cname = [&cname[..], &srv(b"\x01a\0")].concat();
        let cases = [
            (0x8180, 0, vec![], Answer::Records(vec![])),
            (
                0x8180,
                2,
                two,
                Answer::Records(vec![node("a._tcp.example.com."), node("b.")]),
            ),
            (0x8180, 2, after_cname, Answer::Records(vec![node("a.")])),
            (0x8180, 1, srv(b"\0"), Answer::Records(vec![node(".")])),
            (0x8183, 0, vec![], Answer::NoSuchName),
            (0x8182, 0, vec![], Answer::Refused(2)),
            (0x8380, 9, vec![], Answer::Truncated),
        ];
        for (flags, count, bytes, wanted) in cases {
            let message = response(&question(), flags, count, &bytes);
            assert!(answers(&question(), &message));
            assert_eq!(decode_answer(&question(), &message).unwrap(), wanted);
        }
    }

    #[test]
    fn hostile_answers_are_refused() {
        let end = question().len() as u8;
        let long: Vec<u8> = [&[63][..], &[b'a'; 63]].concat().repeat(5);
        let cases: [(&str, Vec<u8>); 9] = [
            ("a record that is not there", vec![]),
            ("a pointer to itself", vec![0xc0, end, 0, 33, 0, 1]),
            ("a pointer forward", vec![0xc0, end + 2, 0, 33, 0, 1]),
            ("a pointer past the end", vec![0xff, 0xff, 0, 33, 0, 1]),
            (
                "two pointers in a circle",
                srv(&[1, b'a', 0xc0, end + 10 + 2 + 6]),
            ),
            ("a name without an end", srv(b"\x05ab")),
            ("a name of 320 bytes", srv(&long)),
            ("a name for a shell", srv(b"\x03a;b\0")),
            ("a record longer than its content", srv(b"\x01a\0junk")),
        ];
        for (what, bytes) in cases {
            let message = response(&question(), 0x8180, 1, &bytes);
            let error = decode_answer(&question(), &message).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{what}");
        }
    }

    #[test]
    fn no_cut_or_changed_byte_does_harm() {
        let records = [srv(b"\x01a\xc0\x13"), srv(b"\x01b\0")].concat();
        let message = response(&question(), 0x8180, 2, &records);
        for place in 0..message.len() {
            let _either = decode_answer(&question(), &message[..place]);
            for byte in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
                let mut changed = message.clone();
                changed[place] = byte;
                let _either = decode_answer(&question(), &changed);
            }
        }
    }

    #[test]
    fn only_an_answer_to_this_question_counts() {
        let good = response(&question(), 0x8180, 0, &[]);
        assert!(answers(&question(), &good));
        assert!(answers(&question(), &good.to_ascii_uppercase()));
        for (what, place, byte) in [("id", 0, 0), ("a query", 2, 1), ("name", 14, b'x')] {
            let mut other = good.clone();
            other[place] = byte;
            assert!(!answers(&question(), &other), "{what}");
        }
        assert!(!answers(&question(), &good[..20]));
        assert!(!answers(&question(), &[]));
    }

    /// A name server on this machine that first sends a forged datagram, then says that the answer
    /// is too long for UDP.
    fn truncating_server() -> SocketAddr {
        let (listener, socket) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
                break (listener, socket);
            }
        };
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            let (length, client) = socket.recv_from(&mut buffer).unwrap();
            let mut forged = response(&buffer[..length], 0x8183, 0, &[]);
            forged[0] ^= 1;
            socket.send_to(&forged, client).unwrap();
            let cut = response(&buffer[..length], 0x8380, 0, &[]);
            socket.send_to(&cut, client).unwrap();

            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; length + 2];
            stream.read_exact(&mut request).unwrap();
            let answer = response(&request[2..], 0x8180, 1, &srv(b"\x01a\0"));
            for byte in (answer.len() as u16)
                .to_be_bytes()
                .into_iter()
                .chain(answer)
            {
                stream.write_all(&[byte]).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_cut_answer_is_asked_for_over_tcp() {
        let server = truncating_server();
        let records = query(&[server], NAME_ASKED, Duration::from_secs(20)).unwrap();
        assert_eq!(records, [node("a.")]);
    }

    #[test]
    fn a_silent_server_is_given_up_and_the_next_one_asked() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let talking = UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = [silent.local_addr().unwrap(), talking.local_addr().unwrap()];
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = talking.recv_from(&mut buffer) {
                let answer = response(&buffer[..length], 0x8183, 0, &[]);
                talking.send_to(&answer, client).unwrap();
            }
        });
        let error = query(&servers, NAME_ASKED, Duration::from_millis(500)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);

        let error = query(&servers[..1], NAME_ASKED, Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(silent);
    }
}
