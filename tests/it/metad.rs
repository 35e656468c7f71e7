//! A metadata server that behaves like metad: JSON subtrees by path, a data version in a header,
//! long polls that are held until the data changes, 404 bodies, restarts that count versions anew,
//! and faults to order.
//!
//! One thread accepts; each connection has one thread that reads and one that answers, so that a
//! client that hangs up is noticed while its poll is held. Everything that tests may ask is in one
//! locked [`State`] with two conditions.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::env::LIMIT;
use crate::http::{self, Answer, Request};

/// The node's own view; what nearly every agent asks for.
const PREFIX: &str = "self";
/// Between two bytes of [`Fault::Drip`].
const DRIP: Duration = Duration::from_millis(200);

/// A failure of the server instead of its answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This answer, complete and with a right length.
    Answer(Answer),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// The right answer, up to the middle of its body, then the end of the connection.
    HalfBody,
    /// Nothing, until the client hangs up.
    Silence,
    /// A connection reset as soon as the request arrives.
    Reset,
    /// The right answer, up to so many bytes, then the end of the connection.
    Cut(usize),
    /// The same as soon as the request arrives, and a reset in place of the end.
    CutByReset(usize),
    /// The right answer, so slow that nobody waits for its end.
    Drip,
    /// The right answer, in segments of one byte.
    Dribble,
}

impl Fault {
    /// metad's own error answer.
    pub(crate) fn error(code: u16, message: &str) -> Fault {
        Fault::Answer(Answer::error(code, message))
    }
}

/// The running server. Ends with its value.
pub(crate) struct Metad {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// For the connections: data, faults, the end. Of hundreds of held polls none is to be woken by
    /// what others ask.
    changed: Condvar,
    /// For the tests: what clients have done.
    noticed: Condvar,
}

#[derive(Default)]
struct State {
    /// The whole data; the node's view is below [`PREFIX`].
    data: Json,
    /// The node's view as text; empty when there is none.
    text: String,
    version: u64,
    /// The version at which something below [`PREFIX`] last changed.
    changed_at: u64,
    listening: bool,
    /// Answers every request while it is set.
    fault: Option<Fault>,
    /// Each answers one request; these come first.
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
    answered: usize,
    /// How many of them were polls.
    polls_answered: usize,
    /// Polls that are held now, by connection, with the version that they know.
    held: BTreeMap<usize, u64>,
    open: BTreeMap<usize, TcpStream>,
    /// When each connection was accepted.
    accepted: Vec<Instant>,
    sent: usize,
}

impl State {
    /// How many clients have everything there is, and wait for more.
    fn idle(&self) -> usize {
        let held = self.held.values();
        held.filter(|known| **known == self.version).count()
    }
}

impl Metad {
    /// Serves `tree` as the node's view, at version 1.
    pub(crate) fn start(tree: Json) -> Metad {
        let metad = Metad::unregistered();
        metad.edit(|data| *data = json!({ PREFIX: tree }));
        metad
    }

    /// Serves nothing: 404 for the node's view.
    pub(crate) fn unregistered() -> Metad {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the address just bound");
        let state = State {
            data: json!({}),
            version: 1,
            changed_at: 1,
            listening: true,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            noticed: Condvar::new(),
        });
        let acceptor = Some(accept(listener, &shared));
        Metad {
            address,
            shared,
            acceptor,
        }
    }

    /// `host:port`, as in `nodes`.
    pub(crate) fn node(&self) -> String {
        self.address.to_string()
    }

    /// Makes `tree` the node's view.
    pub(crate) fn set(&self, tree: Json) {
        self.change(|view| *view = tree);
    }

    /// Sets one leaf of the node's view, making what is above it. Returns the time from which on
    /// clients are answered.
    pub(crate) fn put(&self, key: &str, value: &str) -> Instant {
        self.change(|view| {
            let mut place = view;
            for name in segments(key) {
                place = &mut place[name];
            }
            *place = Json::from(value);
        })
    }

    /// Removes a leaf or a directory of the node's view.
    pub(crate) fn delete(&self, key: &str) {
        let (parent, name) = key.rsplit_once('/').expect("an absolute key");
        self.change(|view| {
            let parent = segments(parent).fold(view, |place, name| &mut place[name]);
            let removed = parent.as_object_mut().and_then(|map| map.remove(name));
            assert!(removed.is_some(), "{key} is not in the data");
        });
    }

    /// Takes the node's view away: 404.
    pub(crate) fn unregister(&self) {
        self.edit(|data| *data = json!({}));
        self.bump();
    }

    /// A change of somebody else's data: the version moves, the node's view does not, held polls
    /// stay held.
    pub(crate) fn change_elsewhere(&self) {
        self.lock().version += 1;
    }

    /// Changes somebody else's data so many times a second, until the value is dropped. With
    /// `wakes` each change answers held polls as well, as servers do that look at the version only.
    pub(crate) fn change_elsewhere_often(&self, a_second: u32, wakes: bool) -> ForeignChanges {
        let (stop, stopped) = mpsc::channel::<()>();
        let shared = Arc::clone(&self.shared);
        let pause = Duration::from_secs(1) / a_second;
        thread::spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let mut state = shared.lock();
                state.version += 1;
                if wakes {
                    state.changed_at = state.version;
                    shared.changed.notify_all();
                }
            }
        });
        ForeignChanges { _stop: stop }
    }

    /// A write that leaves the node's view as it was: held polls are answered all the same.
    pub(crate) fn touch(&self) {
        self.bump();
    }

    fn change(&self, edit: impl FnOnce(&mut Json)) -> Instant {
        self.edit(|data| edit(&mut data[PREFIX]));
        self.bump()
    }

    fn edit(&self, edit: impl FnOnce(&mut Json)) {
        let mut state = self.lock();
        edit(&mut state.data);
        state.text = state
            .data
            .get(PREFIX)
            .map(Json::to_string)
            .unwrap_or_default();
    }

    fn bump(&self) -> Instant {
        let mut state = self.lock();
        state.version += 1;
        state.changed_at = state.version;
        self.shared.changed.notify_all();
        Instant::now()
    }

    /// From now on every request fails like this; held polls at once.
    pub(crate) fn fail(&self, fault: Fault) {
        self.lock().fault = Some(fault);
        self.shared.changed.notify_all();
    }

    /// The next answer fails like this; a held poll stays held until its time comes.
    pub(crate) fn fail_next(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Ends the fault that [`Metad::fail`] began.
    pub(crate) fn heal(&self) {
        self.lock().fault = None;
    }

    /// Closes the port and every connection: from now on, connection refused.
    pub(crate) fn stop(&mut self) {
        self.lock().listening = false;
        // Only a connection wakes the acceptor.
        let woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().expect("the acceptor does not panic");
        }
        drop(woken);
        let mut state = self.lock();
        for stream in state.open.values() {
            // It may be gone already, which is what we want.
            let _ = stream.shutdown(Shutdown::Both);
        }
        state.open.clear();
        state.held.clear();
        self.shared.changed.notify_all();
    }

    /// Listens on the same port again, with the same data, counting versions anew.
    pub(crate) fn restart(&mut self) {
        if self.acceptor.is_some() {
            self.stop();
        }
        let mut listener = None;
        crate::env::until("the port is free again", || {
            listener = TcpListener::bind(self.address).ok();
            listener.is_some()
        });
        {
            let mut state = self.lock();
            state.version = 1;
            state.changed_at = 1;
            state.listening = true;
        }
        self.acceptor = listener.map(|listener| accept(listener, &self.shared));
    }

    /// Every request so far, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// The number of requests so far.
    pub(crate) fn request_count(&self) -> usize {
        self.lock().requests.len()
    }

    /// The number of requests that were not polls which were answered.
    pub(crate) fn extra_requests(&self) -> usize {
        let state = self.lock();
        state.requests.len() - state.polls_answered
    }

    /// The connections that clients hold open now.
    pub(crate) fn open_connections(&self) -> usize {
        self.lock().open.len()
    }

    /// The connections ever accepted.
    pub(crate) fn connections(&self) -> usize {
        self.lock().accepted.len()
    }

    /// When each of them was accepted.
    pub(crate) fn accepted(&self) -> Vec<Instant> {
        self.lock().accepted.clone()
    }

    /// The bytes of all answers so far.
    pub(crate) fn bytes_sent(&self) -> usize {
        self.lock().sent
    }

    /// Waits until `count` requests arrived in all.
    pub(crate) fn wait_requests(&self, count: usize) {
        self.wait("requests", |state| state.requests.len() >= count);
    }

    /// Waits until a poll is held that knows the current version: the client has everything there
    /// is.
    pub(crate) fn wait_idle(&self) {
        self.wait_all_idle(1);
    }

    /// The same for so many clients.
    pub(crate) fn wait_all_idle(&self, count: usize) {
        self.wait("held polls with the current version", |state| {
            state.idle() >= count
        });
    }

    /// Whether a poll is held now that knows the current version.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().idle() > 0
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let guard = self.lock();
        let (state, result) = self
            .shared
            .noticed
            .wait_timeout_while(guard, LIMIT, |state| !done(state))
            .expect("no thread panics with the lock");
        assert!(
            !result.timed_out(),
            "metad waited in vain for {what}; requests so far: {:#?}",
            state.requests
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

/// Changes of other clusters that go on until this is dropped.
pub(crate) struct ForeignChanges {
    _stop: Sender<()>,
}

impl Drop for Metad {
    fn drop(&mut self) {
        if self.acceptor.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

fn accept(listener: TcpListener, shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut state = shared.lock();
            if !state.listening {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(twin) = stream.try_clone() else {
                continue;
            };
            state.accepted.push(Instant::now());
            let id = state.accepted.len();
            state.open.insert(id, twin);
            drop(state);
            serve(id, stream, &shared);
        }
    })
}

fn serve(id: usize, stream: TcpStream, shared: &Arc<Shared>) {
    let Ok(reading) = stream.try_clone() else {
        return;
    };
    let (sender, requests) = mpsc::channel();
    let reader = Connection {
        id,
        stream: reading,
        shared: Arc::clone(shared),
    };
    let answerer = Connection {
        id,
        stream,
        shared: Arc::clone(shared),
    };
    thread::spawn(move || {
        reader.read_all(&sender);
        reader.closed();
    });
    thread::spawn(move || {
        // The client may hang up at any time: then there is nobody to tell.
        let _ = answerer.answer_all(&requests);
        answerer.closed();
    });
}

/// The reply to one request.
enum Reply {
    Whole(Vec<u8>),
    /// Followed by the end of the connection.
    Part(Vec<u8>),
    /// A byte, a pause, a byte, …
    Slow(Vec<u8>, Duration),
    Nothing,
}

struct Connection {
    id: usize,
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl Connection {
    fn read_all(&self, sender: &Sender<Request>) {
        let mut reader = BufReader::new(&self.stream);
        loop {
            // Looks without taking, since a close with data unread is what makes a reset.
            let mut start = [0; 4096];
            let peeked = self.stream.peek(&mut start).unwrap_or(0);
            if peeked == 0 || self.must_reset(&start[..peeked]) {
                return;
            }
            let Ok(mut request) = http::read_request(&mut reader) else {
                return;
            };
            request.connection = self.id;
            self.shared.lock().requests.push(request.clone());
            self.shared.noticed.notify_all();
            if sender.send(request).is_err() {
                return;
            }
        }
    }

    fn must_reset(&self, start: &[u8]) -> bool {
        let mut state = self.shared.lock();
        let length = match state.faults.front().or(state.fault.as_ref()) {
            Some(Fault::Reset) => 0,
            Some(Fault::CutByReset(length)) => *length,
            _ => return false,
        };
        state.faults.pop_front();
        if let Ok(request) = http::read_request(&mut &*start) {
            let bytes = answer(&state, &request, state.version).to_bytes();
            // The client may hang up at any time.
            let _ = (&self.stream).write_all(&bytes[..length.min(bytes.len())]);
        }
        state.requests.push(Request::unread(self.id));
        state.answered += 1;
        self.shared.noticed.notify_all();
        true
    }

    fn closed(&self) {
        let mut state = self.shared.lock();
        if let Some(stream) = state.open.remove(&self.id) {
            // The other thread of this connection may have closed it first.
            let _ = stream.shutdown(Shutdown::Read);
        }
        drop(state);
        self.shared.changed.notify_all();
        self.shared.noticed.notify_all();
    }

    fn answer_all(&self, requests: &Receiver<Request>) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        for request in requests {
            let reply = self.reply(&request);
            let last = !matches!(reply, Reply::Whole(_) | Reply::Slow(..))
                || request.header("connection") == Some("close");
            let sent = self.send(reply);
            {
                let mut state = self.shared.lock();
                state.answered += 1;
                state.polls_answered += usize::from(request.prev_version().is_some());
                state.sent += *sent.as_ref().unwrap_or(&0);
            }
            self.shared.noticed.notify_all();
            sent?;
            if last {
                return self.stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    /// Returns how many bytes went out.
    fn send(&self, reply: Reply) -> io::Result<usize> {
        let mut stream = &self.stream;
        let bytes = match reply {
            Reply::Whole(bytes) | Reply::Part(bytes) => bytes,
            Reply::Slow(bytes, pause) => {
                for byte in bytes.chunks(1) {
                    stream.write_all(byte)?;
                    thread::sleep(pause);
                }
                return Ok(bytes.len());
            }
            Reply::Nothing => return Ok(0),
        };
        stream.write_all(&bytes).map(|()| bytes.len())
    }

    /// Decides, after holding a poll for as long as it must be held. metad reads the version before
    /// it waits and the data after: that is why a change is followed by one early answer.
    fn reply(&self, request: &Request) -> Reply {
        let mut state = self.shared.lock();
        let version = state.version;
        let known = request.prev_version();
        if known == Some(version) {
            state = self.hold(state, version);
            if !state.open.contains_key(&self.id) {
                return Reply::Nothing;
            }
        }
        let right = answer(&state, request, version);
        let fault = state.faults.pop_front().or_else(|| state.fault.clone());
        drop(state);
        let mut bytes = right.to_bytes();
        match fault {
            None => Reply::Whole(bytes),
            Some(Fault::Answer(answer)) => Reply::Whole(answer.to_bytes()),
            Some(Fault::Raw(bytes)) => Reply::Part(bytes),
            Some(Fault::HalfBody) => {
                bytes.truncate(bytes.len() - right.body.len() / 2);
                Reply::Part(bytes)
            }
            Some(Fault::Cut(length)) => {
                bytes.truncate(length);
                Reply::Part(bytes)
            }
            Some(Fault::Dribble) => Reply::Slow(bytes, Duration::ZERO),
            Some(Fault::Drip) => Reply::Slow(bytes, DRIP),
            Some(Fault::Reset | Fault::CutByReset(_)) => Reply::Nothing,
            Some(Fault::Silence) => {
                self.wait_while(self.shared.lock(), |_| true);
                Reply::Nothing
            }
        }
    }

    fn hold<'a>(&'a self, mut state: MutexGuard<'a, State>, version: u64) -> MutexGuard<'a, State> {
        let seen = state.changed_at;
        state.held.insert(self.id, version);
        self.shared.noticed.notify_all();
        let mut state = self.wait_while_in(state, |state| {
            state.changed_at == seen && state.fault.is_none()
        });
        state.held.remove(&self.id);
        state
    }

    fn wait_while(&self, state: MutexGuard<'_, State>, more: impl Fn(&State) -> bool) {
        drop(self.wait_while_in(state, more));
    }

    fn wait_while_in<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        more: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.shared
            .changed
            .wait_while(state, |state| {
                state.open.contains_key(&self.id) && more(state)
            })
            .expect("no thread panics with the lock")
    }
}

fn answer(state: &State, request: &Request, version: u64) -> Answer {
    let place = segments(&request.path).try_fold(&state.data, |place, name| place.get(name));
    let mut answer = match place {
        _ if request.method != "GET" => Answer::error(405, "Method not allowed"),
        None => Answer::error(404, "Not found"),
        Some(data) if request.header("accept") == Some("application/json") => {
            let is_view = segments(&request.path).eq([PREFIX]);
            let text = if is_view {
                state.text.clone()
            } else {
                data.to_string()
            };
            Answer::new(200, "application/json", text)
        }
        Some(data) => Answer::new(200, "text/plain", listing(data)),
    };
    answer = answer.header("X-Metad-Version", &version.to_string());
    answer.header("X-Metad-Requestid", &format!("REQ-{}", state.answered + 1))
}

/// The answer of metad to those who do not ask for JSON: a value, or the names of a directory.
fn listing(data: &Json) -> String {
    let Json::Object(map) = data else {
        return data.as_str().unwrap_or_default().to_string();
    };
    map.iter().fold(String::new(), |mut text, (name, below)| {
        let slash = if below.is_object() { "/" } else { "" };
        let _ = writeln!(text, "{name}{slash}");
        text
    })
}
