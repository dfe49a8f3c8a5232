//! One HTTP request over a connection of our own, so that a test sees exactly what comes and what does not.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// An answer with all of its body.
    Whole { status: u16, head: String, body: Vec<u8> },
    /// The connection ended before that.
    Cut,
}

impl Answer {
    /// 0 when it was cut.
    pub fn status(&self) -> u16 {
        match self {
            Self::Whole { status, .. } => *status,
            Self::Cut => 0,
        }
    }

    /// The body; empty when there is none.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Whole { body, .. } => body,
            Self::Cut => &[],
        }
    }

    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        match self {
            Self::Whole { body, .. } => serde_json::from_slice(body).unwrap_or_default(),
            Self::Cut => Value::Null,
        }
    }
}

/// A request that is on its way.
pub struct Request(TcpStream);

impl Request {
    /// Sends its head; `length` bytes are to follow.
    pub fn begin(url: &str, method: &str, path: &str, headers: &[&str], length: usize) -> Self {
        Self::try_begin(url, method, path, headers, length).unwrap()
    }

    /// The same where nobody may listen any more.
    pub fn try_begin(url: &str, method: &str, path: &str, headers: &[&str], length: usize) -> io::Result<Self> {
        let host = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        Ok(Self(stream))
    }

    /// Sends some of its body.
    pub fn send(&mut self, bytes: &[u8]) {
        // Whoever is killed reads no more.
        let _ = self.0.write_all(bytes);
    }

    /// Sends all of its body and reads the answer.
    pub fn whole(mut self, bytes: &[u8]) -> Answer {
        self.send(bytes);
        self.answer()
    }

    /// Waits until some of the answer is there, and takes none of it.
    pub fn wait_for_bytes(&self) {
        assert!(self.0.peek(&mut [0]).unwrap() > 0, "the connection ended");
    }

    /// Reads the answer to its end.
    pub fn answer(mut self) -> Answer {
        let mut answer = Vec::new();
        // An end by force is told by what is missing.
        let _ = self.0.read_to_end(&mut answer);
        let Some(split) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Answer::Cut };
        let body = answer.split_off(split + 4);
        // Names of headers in small letters; values as they came.
        let head = String::from_utf8_lossy(&answer).split("\r\n").fold(String::new(), |head, line| {
            let (name, value) = line.split_once(": ").map_or((line, ""), |(name, value)| (name, value));
            let colon = if value.is_empty() { "" } else { ": " };
            format!("{head}{}{colon}{value}\r\n", name.to_ascii_lowercase())
        });
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap();
        if body.len() < length {
            return Answer::Cut;
        }
        Answer::Whole { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }
}
