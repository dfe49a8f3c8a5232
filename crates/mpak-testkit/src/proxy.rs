//! A way between a program and a server that can be stopped at a chosen byte: what database, object store
//! and release server look like when they, or the way to them, fail in the middle.
//!
//! A [`Point`] names bytes that the program sends on one connection; when they come, the connection is held
//! there, before them or in the middle of the answer to them. Whoever waits for that then lets the
//! connection go on, ends it, or takes the whole server away.

#![expect(clippy::missing_panics_doc, reason = "a stand-in that cannot be used ends the test")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Longest wait for a point.
const REACH_TIMEOUT: Duration = Duration::from_secs(20);
/// A request that sends nothing for so long is complete.
const QUIET: Duration = Duration::from_millis(300);
/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 16 << 10;

/// Where a connection is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// So many bytes after the first one of the last text: at 0 the server sees nothing of it.
    Request(usize),
    /// The server has all of the request, the program so many bytes of the answer.
    Answer(usize),
}

/// Texts that come one after the other on one connection, and where it is held then.
#[derive(Clone, Debug)]
pub struct Point {
    texts: Vec<String>,
    hold: Hold,
}

impl Point {
    /// At these texts.
    pub fn new<T: Into<String>>(texts: impl IntoIterator<Item = T>, hold: Hold) -> Self {
        Self { texts: texts.into_iter().map(Into::into).collect(), hold }
    }
}

/// What a proxy and its connections share.
struct Shared {
    upstream: SocketAddr,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    /// Counts what was armed, so that connections know of a new point.
    armed_count: u64,
    armed: Option<Point>,
    /// The connection that stands still.
    held: Option<u64>,
    /// Whether the point was reached.
    reached: bool,
    /// Whether the server is gone.
    is_down: bool,
    ended: bool,
    next: u64,
    /// Both ends of those that are open.
    connections: BTreeMap<u64, [TcpStream; 2]>,
}

/// The way to one server. Ends with its connections when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.down();
        self.shared.inside().ended = true;
        // It waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no thread panicked here")
    }
}

impl Proxy {
    /// Opens a way to a server on this machine.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { upstream, inside: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&accepting, &listener));
        Self { shared, address }
    }

    /// The same text with the server's address replaced by the way's: of an URL, for example.
    pub fn instead(&self, url: &str) -> String {
        let upstream = self.shared.upstream.to_string();
        assert!(url.contains(&upstream), "`{url}` is not on {upstream}");
        url.replace(&upstream, &self.address.to_string())
    }

    /// Holds the next connection that comes to this point; the one after goes on.
    pub fn arm(&self, point: Point) {
        let mut inside = self.shared.inside();
        inside.armed_count += 1;
        inside.armed = Some(point);
        inside.reached = false;
    }

    /// Waits until a connection is held at the point.
    #[track_caller]
    pub fn wait(&self) {
        let inside = self.shared.inside();
        let (inside, _) =
            self.shared.changed.wait_timeout_while(inside, REACH_TIMEOUT, |inside| !inside.reached).expect("no panic");
        let (reached, armed) = (inside.reached, inside.armed.clone());
        drop(inside);
        assert!(reached, "nothing came to {armed:?}");
    }

    /// Whether the point was reached.
    pub fn is_reached(&self) -> bool {
        self.shared.inside().reached
    }

    /// Lets the held connection go on.
    pub fn go_on(&self) {
        self.shared.inside().held = None;
        self.shared.changed.notify_all();
    }

    /// Answers the held connection in the server's place, which sees nothing of the request, and ends it.
    pub fn answer(&self, bytes: &[u8]) {
        let mut inside = self.shared.inside();
        let id = inside.held.take().expect("a connection is held");
        let [mut client, server] = inside.connections.remove(&id).expect("a held connection is open");
        // What is not read when a connection ends takes the answer with it.
        client.set_read_timeout(Some(QUIET)).expect("an option of a socket");
        let mut rest = [0; PIECE_BYTES];
        while client.read(&mut rest).is_ok_and(|count| count > 0) {}
        // It may have gone away.
        let _ = client.write_all(bytes);
        for end in [client, server] {
            let _ = end.shutdown(Shutdown::Both);
        }
        drop(inside);
        self.shared.changed.notify_all();
    }

    /// Ends all connections, with what they hold; new ones are served.
    pub fn cut(&self) {
        let mut inside = self.shared.inside();
        inside.held = None;
        inside.armed = None;
        for (_, ends) in std::mem::take(&mut inside.connections) {
            for end in ends {
                // The other side may have been faster.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        drop(inside);
        self.shared.changed.notify_all();
    }

    /// Takes the server away: all connections end, and new ones get nothing.
    pub fn down(&self) {
        self.shared.inside().is_down = true;
        self.cut();
    }

    /// Brings it back.
    pub fn up(&self) {
        self.shared.inside().is_down = false;
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    for client in listener.incoming() {
        let mut inside = shared.inside();
        if inside.ended {
            return;
        }
        let Ok(client) = client else { continue };
        if inside.is_down {
            continue;
        }
        let Ok(server) = TcpStream::connect(shared.upstream) else { continue };
        let ends = [&client, &server].map(|end| end.try_clone().expect("a handle of a socket"));
        for end in &ends {
            end.set_nodelay(true).expect("an option of a socket");
        }
        let id = inside.next;
        inside.next += 1;
        inside.connections.insert(id, ends);
        drop(inside);
        let watch = Arc::new(Mutex::new(Watch::default()));
        let handle = |end: &TcpStream| end.try_clone().expect("a handle of a socket");
        let (to_client, to_server) = (handle(&client), handle(&server));
        let there = Way { shared: Arc::clone(shared), watch: Arc::clone(&watch), id };
        let back = Way { shared: Arc::clone(shared), watch, id };
        std::thread::spawn(move || there.pass(client, to_server, Way::requests_before_hold));
        std::thread::spawn(move || back.pass(server, to_client, Way::answers_before_hold));
    }
}

/// What is known of a connection.
#[derive(Default)]
struct Watch {
    /// Which point it looks for.
    armed_count: u64,
    /// Texts of that point that came.
    seen_count: usize,
    /// The end of what came since, in which the next text may begin.
    tail: Vec<u8>,
    /// Bytes that still go to the server before it is held.
    request_bytes_left: Option<usize>,
    /// Bytes that still go to the program before it is held.
    answer_bytes_left: Option<usize>,
}

/// One direction of one connection.
struct Way {
    shared: Arc<Shared>,
    watch: Arc<Mutex<Watch>>,
    id: u64,
}

impl Way {
    /// Passes everything on until an end closes. `before_hold` gives the number of bytes of a piece that go
    /// before the connection is held; nothing when all go.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, before_hold: fn(&Self, &[u8]) -> Option<usize>) {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            let piece = &piece[..count];
            let passed = match before_hold(self, piece) {
                None => to.write_all(piece).is_ok(),
                Some(first) => {
                    let written = to.write_all(&piece[..first]).is_ok();
                    self.hold() && written && to.write_all(&piece[first..]).is_ok()
                }
            };
            if !passed {
                break;
            }
        }
        self.shared.inside().connections.remove(&self.id);
        for end in [from, to] {
            // It may be closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().expect("no thread panicked here")
    }

    fn requests_before_hold(&self, piece: &[u8]) -> Option<usize> {
        let mut watch = self.watch();
        if let Some(left) = watch.request_bytes_left {
            return less(&mut watch.request_bytes_left, left, piece);
        }
        let mut inside = self.shared.inside();
        if watch.armed_count != inside.armed_count {
            *watch = Watch { armed_count: inside.armed_count, ..Watch::default() };
        }
        let point = inside.armed.as_ref()?;
        let at = watch.find(&point.texts, piece)?;
        let hold = point.hold;
        inside.armed = None;
        match hold {
            Hold::Request(more) => less(&mut watch.request_bytes_left, at + more, piece),
            Hold::Answer(bytes) => {
                watch.answer_bytes_left = Some(bytes);
                None
            }
        }
    }

    fn answers_before_hold(&self, piece: &[u8]) -> Option<usize> {
        let mut watch = self.watch();
        let left = watch.answer_bytes_left?;
        less(&mut watch.answer_bytes_left, left, piece)
    }

    /// Stands still until somebody decides; `false` when the connection was ended.
    fn hold(&self) -> bool {
        let mut inside = self.shared.inside();
        if !inside.connections.contains_key(&self.id) {
            return false;
        }
        inside.held = Some(self.id);
        inside.reached = true;
        self.shared.changed.notify_all();
        let held = |inside: &mut Inside| inside.held == Some(self.id);
        let inside = self.shared.changed.wait_while(inside, held).expect("no thread panicked here");
        inside.connections.contains_key(&self.id)
    }
}

/// The bytes of a piece that go before the hold; otherwise notes how many are left for the next piece.
fn less(noted: &mut Option<usize>, left: usize, piece: &[u8]) -> Option<usize> {
    if left < piece.len() {
        *noted = None;
        return Some(left);
    }
    *noted = Some(left - piece.len());
    None
}

impl Watch {
    /// Where the last text begins in this piece, once all the others came; 0 when it began before it.
    fn find(&mut self, texts: &[String], piece: &[u8]) -> Option<usize> {
        let tail_bytes = self.tail.len();
        let mut rest = std::mem::take(&mut self.tail);
        rest.extend_from_slice(piece);
        let mut begin = 0;
        while let Some(text) = texts.get(self.seen_count) {
            let Some(at) = rest[begin..].windows(text.len()).position(|window| window == text.as_bytes()) else {
                break;
            };
            self.seen_count += 1;
            if self.seen_count == texts.len() {
                return Some((begin + at).saturating_sub(tail_bytes));
            }
            begin += at + text.len();
        }
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        begin = begin.max(rest.len().saturating_sub(longest.saturating_sub(1)));
        self.tail = rest.split_off(begin);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every byte with itself.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn read(stream: &mut TcpStream, count: usize) -> String {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Whatever comes until the end.
    fn rest(mut stream: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_connection_is_held_before_a_text_and_goes_on_or_ends() {
        let proxy = Proxy::start(echo());
        for goes_on in [true, false] {
            let (mut one, mut other) = (connect(&proxy), connect(&proxy));
            proxy.arm(Point::new(["begin", "commit"], Hold::Request(0)));
            // Neither in the other order, nor over two connections, but over two pieces.
            one.write_all(b"commit begin ").unwrap();
            assert_eq!(read(&mut one, 13), "commit begin ");
            other.write_all(b"commit").unwrap();
            assert_eq!(read(&mut other, 6), "commit");
            one.write_all(b"insert com").unwrap();
            assert_eq!(read(&mut one, 10), "insert com");
            assert!(!proxy.is_reached());
            one.write_all(b"mit!").unwrap();
            proxy.wait();
            other.write_all(b"free").unwrap();
            assert_eq!(read(&mut other, 4), "free", "others pass");
            if goes_on {
                proxy.go_on();
                assert_eq!(read(&mut one, 4), "mit!");
            } else {
                proxy.cut();
                assert_eq!((rest(one), rest(other)), (String::new(), String::new()));
            }
        }
    }

    #[test]
    fn a_connection_is_held_in_the_middle_of_request_and_answer() {
        let proxy = Proxy::start(echo());
        for (hold, comes) in [(Hold::Request(5), "a PUT 1"), (Hold::Answer(3), "a P"), (Hold::Answer(0), "")] {
            let mut stream = connect(&proxy);
            proxy.arm(Point::new(["PUT"], hold));
            stream.write_all(b"a PUT 12345").unwrap();
            proxy.wait();
            assert_eq!(read(&mut stream, comes.len()), comes, "{hold:?}");
            proxy.cut();
            assert_eq!(rest(stream), "", "{hold:?}");
        }
    }

    #[test]
    fn a_held_connection_is_answered_in_the_place_of_the_server() {
        let proxy = Proxy::start(echo());
        let mut stream = connect(&proxy);
        proxy.arm(Point::new(["PUT"], Hold::Request(0)));
        stream.write_all(b"a PUT 12345").unwrap();
        proxy.wait();
        assert_eq!(read(&mut stream, 2), "a ");
        proxy.answer(b"503");
        assert_eq!(rest(stream), "503");
        let mut next = connect(&proxy);
        next.write_all(b"PUT").unwrap();
        assert_eq!(read(&mut next, 3), "PUT");
    }

    #[test]
    fn a_server_that_is_taken_away_comes_back() {
        let proxy = Proxy::start(echo());
        let open = connect(&proxy);
        proxy.down();
        assert_eq!(rest(open), "");
        let mut refused = connect(&proxy);
        // It may be closed already.
        let _ = refused.write_all(b"x");
        assert_eq!(rest(refused), "");
        proxy.up();
        let mut stream = connect(&proxy);
        stream.write_all(b"x").unwrap();
        assert_eq!(read(&mut stream, 1), "x");
        assert_eq!(proxy.instead(&format!("http://{}/", proxy.shared.upstream)), format!("http://{}/", proxy.address));
    }
}
