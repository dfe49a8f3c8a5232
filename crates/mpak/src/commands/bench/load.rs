//! `mpak bench load`: asks for the paths of a file over kept connections, each connection one request
//! after the other, and tells how many were answered and how long they took.
//!
//! One thread and no HTTP library, so that it costs far less than the server that it measures.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{CommandError, CommandResult, Kind};
use crate::ui;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Load {
    /// The registry's address
    #[arg(long, value_name = "ADDR:PORT")]
    pub server: SocketAddr,
    /// One path per line; asked in order, again from the first when all were asked
    #[arg(long, value_name = "FILE")]
    pub paths: PathBuf,
    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub connections: usize,
    /// How long to ask, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub duration: f64,
    /// Seconds before that are not measured
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub warm_up: f64,
    /// The Accept header
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    pub accept: String,
}

/// What the connections share.
struct Run {
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    measure_from: Instant,
    until: Instant,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    took_us: Vec<u32>,
    bytes: u64,
    /// Answers other than 2xx, with the first of them.
    refused: u64,
    first_refused: Option<String>,
}

/// Measures.
pub fn run(args: &Load) -> CommandResult {
    let fault = |e: &io::Error| CommandError::from_error(Kind::Network, e);
    let paths = std::fs::read_to_string(&args.paths).map_err(|e| CommandError::from_error(Kind::Usage, &e))?;
    let request = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: {}\r\n\r\n", args.server, args.accept).into_bytes()
    };
    let requests: Vec<Vec<u8>> = paths.lines().filter(|l| l.starts_with('/')).map(request).collect();
    if requests.is_empty() {
        return Err(CommandError::new(Kind::Usage, "no path to ask for"));
    }
    let measure_from = Instant::now() + Duration::from_secs_f64(args.warm_up);
    let run = Rc::new(Run {
        requests,
        next: Cell::new(0),
        measure_from,
        until: measure_from + Duration::from_secs_f64(args.duration),
        seen: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| fault(&e))?;
    let local = tokio::task::LocalSet::new();
    local
        .block_on(&runtime, async {
            let asking: Vec<_> =
                (0..args.connections).map(|_| tokio::task::spawn_local(ask(args.server, Rc::clone(&run)))).collect();
            for one in asking {
                one.await.map_err(io::Error::other)??;
            }
            Ok(())
        })
        .map_err(|e: io::Error| fault(&e))?;
    let mut seen = run.seen.take();
    seen.took_us.sort_unstable();
    let at = |share: f64| {
        #[expect(clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a count of requests")]
        let index = (seen.took_us.len() as f64 * share) as usize;
        seen.took_us.get(index.min(seen.took_us.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    let answered = seen.took_us.len() as u64;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = (answered as f64 / args.duration).round();
    ui::json(&json!({
        "answered": answered, "per_second": per_second,
        "p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1.0),
        "mean_bytes": seen.bytes / answered.max(1), "refused": seen.refused, "first_refused": seen.first_refused,
    }));
    Ok(ExitCode::SUCCESS)
}

async fn ask(server: SocketAddr, run: Rc<Run>) -> io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let number = run.next.get();
        run.next.set(number + 1);
        let request = &run.requests[number % run.requests.len()];
        let began = Instant::now();
        if began >= run.until {
            return Ok(());
        }
        stream.write_all(request).await?;
        let answer = answer(&mut stream, &mut buffer).await?;
        let ended = Instant::now();
        if began < run.measure_from || ended > run.until {
            continue;
        }
        let mut seen = run.seen.borrow_mut();
        seen.took_us.push(u32::try_from((ended - began).as_micros()).unwrap_or(u32::MAX));
        seen.bytes += answer.body_bytes as u64;
        if !(200..300).contains(&answer.status) {
            seen.refused += 1;
            if seen.first_refused.is_none() {
                let line = String::from_utf8_lossy(request);
                seen.first_refused = Some(format!("{} for {}", answer.status, line.lines().next().unwrap_or_default()));
            }
        }
    }
}

struct Answer {
    status: u16,
    body_bytes: usize,
}

/// Reads one answer with `content-length`; all of ours have it.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Answer> {
    let (mut filled, mut whole) = (0, None);
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::Error::other("the server closed the connection, or its answer is longer than a mebibyte"));
        }
        filled += read;
        if whole.is_none() {
            whole = head(&buffer[..filled])?;
        }
        if let Some((status, head_bytes, body_bytes)) = whole
            && filled >= head_bytes + body_bytes
        {
            return Ok(Answer { status, body_bytes });
        }
    }
}

/// Status, length of the head and length of the body, once the head is complete.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(io::Error::other)?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4, length))),
        _ => Err(io::Error::other("an answer without status or content-length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_status_and_length() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nConte").unwrap(), None);
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nx: y\r\n\r\nhello";
        assert_eq!(head(whole).unwrap(), Some((404, whole.len() - 5, 12)));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
