//! A collector of OpenTelemetry traces: takes OTLP over HTTP with protobuf and keeps what matters of each span.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A span that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// 16 bytes in hex.
    pub trace_id: String,
    /// 8 bytes in hex.
    pub span_id: String,
    /// 8 bytes in hex; empty for a root.
    pub parent_id: String,
    /// Its name.
    pub name: String,
}

/// A collector on a free port of loopback; lives as long as the test's process.
pub struct Collector {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Starts it.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { url, spans }
    }

    /// What arrived so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a span with this name arrived, and gives it; nothing after 20 seconds.
    pub fn wait_for(&self, name: &str) -> Option<Span> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(span) = self.spans().into_iter().find(|span| span.name == name) {
                return Some(span);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, kept: &Mutex<Vec<Span>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let known = first.starts_with("POST /v1/traces ");
        if known {
            kept.lock().unwrap_or_else(PoisonError::into_inner).extend(spans(&body));
        }
        let status = if known { "200 OK" } else { "404 Not Found" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// `ExportTraceServiceRequest` → `ResourceSpans` → `ScopeSpans` → `Span`.
fn spans(request: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for resource in fields(request, 1) {
        for scope in fields(resource, 2) {
            for span in fields(scope, 2) {
                let hex = |number| {
                    let bytes = fields(span, number).first().copied().unwrap_or_default();
                    bytes.iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
                };
                let name = fields(span, 5).first().map(|n| String::from_utf8_lossy(n).into_owned());
                let (trace_id, span_id, parent_id) = (hex(1), hex(2), hex(4));
                found.push(Span { trace_id, span_id, parent_id, name: name.unwrap_or_default() });
            }
        }
    }
    found
}

/// The length-delimited fields of a message with this number.
fn fields(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((tag, rest)) = varint(message) {
        let Some((value, rest)) = field(tag & 7, rest) else { break };
        if tag >> 3 == number && tag & 7 == 2 {
            found.push(value);
        }
        message = rest;
    }
    found
}

fn field(wire_type: u64, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match wire_type {
        0 => bytes.len() - varint(bytes)?.1.len(),
        1 => 8,
        5 => 4,
        2 => {
            let (length, rest) = varint(bytes)?;
            return rest.split_at_checked(usize::try_from(length).ok()?);
        }
        _ => return None,
    };
    bytes.split_at_checked(length)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_found_where_it_stands() {
        let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
        let span = [field(1, &[0xab; 16]), field(2, &[0xcd; 8]), vec![6 << 3, 3], field(5, b"request")].concat();
        let request = field(1, &[field(1, b"resource"), field(2, &field(2, &span))].concat());
        let found = spans(&request);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].trace_id, "ab".repeat(16));
        assert_eq!((found[0].name.as_str(), found[0].parent_id.as_str()), ("request", ""));
        assert!(spans(&request[..10]).is_empty());
    }
}
