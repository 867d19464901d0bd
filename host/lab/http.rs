//! As much HTTP/1.1 as the lab needs, both sides: one request a connection, small bodies, a deadline
//! over the whole exchange.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::clock::{self, Duration, Instant};

/// A peer that sends more than this is cut off.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// What stands behind the `?`.
    pub(crate) query: String,
}

impl Request {
    /// The number behind `key=` in the query.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    }
}

/// What a server said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Ask `http://ADDRESS:PORT/path`.
pub(crate) fn get(url: &str, within: Duration) -> io::Result<Answer> {
    exchange("GET", url, within)
}

pub(crate) fn post(url: &str, within: Duration) -> io::Result<Answer> {
    exchange("POST", url, within)
}

fn exchange(method: &str, url: &str, within: Duration) -> io::Result<Answer> {
    let invalid = || io::Error::new(ErrorKind::InvalidInput, format!("cannot parse address: {url}"));
    let rest = url.strip_prefix("http://").ok_or_else(invalid)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: SocketAddr = authority.parse().map_err(|_| invalid())?;
    let path = if path.is_empty() { "/" } else { path };
    let deadline = clock::monotonic() + within;
    let mut stream = TcpStream::connect_timeout(&address, within)
        .map_err(|error| io::Error::new(error.kind(), format!("connect to {authority}: {error}")))?;
    stream.set_write_timeout(Some(within))?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let text = read_until(&mut stream, deadline, |_| false)?;
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match status {
        Some(status) => Ok(Answer { status, body: body.to_owned() }),
        None => Err(io::Error::new(
            ErrorKind::UnexpectedEof,
            format!("{authority} closed the connection without an answer"),
        )),
    }
}

/// The request that a client sent.
pub(crate) fn read_request(stream: &mut TcpStream, within: Duration) -> io::Result<Request> {
    let deadline = clock::monotonic() + within;
    let text = read_until(stream, deadline, |bytes| bytes.windows(4).any(|window| window == b"\r\n\r\n"))?;
    let mut words = text.split(' ');
    match (words.next(), words.next()) {
        (Some(method), Some(target)) if !method.is_empty() => {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            Ok(Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned() })
        }
        _ => Err(io::Error::new(ErrorKind::InvalidData, "no request line")),
    }
}

pub(crate) fn respond(stream: &mut TcpStream, status: u16, body: &str) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        202 => "Accepted",
        404 => "Not Found",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes())
}

fn read_until(stream: &mut TcpStream, deadline: Instant, is_enough: impl Fn(&[u8]) -> bool) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 4096];
    while bytes.len() < MESSAGE_BYTES_MAX && !is_enough(&bytes) {
        let left = deadline.saturating_duration_since(clock::monotonic());
        if left.is_zero() {
            return Err(io::Error::new(ErrorKind::TimedOut, "deadline exceeded while reading"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(io::Error::new(ErrorKind::TimedOut, "deadline exceeded while reading"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
