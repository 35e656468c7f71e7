//! A server on 127.0.0.1 that sends the same bytes to whoever asks, and hangs up.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Nobody who asks takes so long to ask, or to hang up.
const LIMIT: Duration = Duration::from_secs(5);

/// The answer of the moment, and who sends it: one for the whole process.
struct Server {
    node: String,
    answer: Arc<Mutex<Vec<u8>>>,
    /// Held while one answer is used.
    turn: Mutex<()>,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let node = listener.local_addr().expect("its address").to_string();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = lock(&sent).clone();
            // Whoever hangs up in the middle is answered already.
            let _ = send(&stream, &answer);
        }
    });
    Server {
        node,
        answer,
        turn: Mutex::new(()),
    }
});

/// Calls `ask` with the address of a server that sends `answer`.
pub(super) fn with<T>(answer: &[u8], ask: impl FnOnce(&str) -> T) -> T {
    let server = &*SERVER;
    let _turn = lock(&server.turn);
    *lock(&server.answer) = answer.to_vec();
    ask(&server.node)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(mut stream: &TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream);
    crate::http::read_request(&mut reader)?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    // Closed only after the other side: with something unread, the end would be a reset that can
    // overtake the answer.
    io::copy(&mut reader.take(1 << 20), &mut io::sink()).map(drop)
}
