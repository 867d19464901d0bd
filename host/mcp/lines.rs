//! Lines with a bound, and a writer that never leaves half a line behind.
//!
//! Both are used inside a `select!` that drops them whenever something else is ready, so every state
//! between two bytes is kept in the value and none in the future.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// Read at once. A tool call is smaller, and one `read` fetches it.
const READ_BYTES: usize = 64 << 10;

/// Memory that is kept from one line to the next; what a larger line took is given back.
const KEPT_BYTES: usize = 256 << 10;

/// What the far side sent.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Without its end.
    Whole(&'a [u8]),
    /// It was longer than allowed, and was skipped up to its end; or not, where that ends the connection.
    TooLong,
    /// Nothing follows. What stands without a line's end is part of a message that was cut off.
    End,
}

/// Reads lines of at most `bytes_max` bytes.
pub(super) struct Lines<R> {
    read: BufReader<R>,
    line: Vec<u8>,
    bytes_max: usize,
    /// A line that is too long is said at once: nothing is read behind it.
    is_strict: bool,
    /// The line is longer than allowed, and its end is not here yet.
    is_skipping: bool,
    /// The line was handed out and is to be forgotten.
    is_done: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(read: R, bytes_max: usize) -> Self {
        let read = BufReader::with_capacity(READ_BYTES, read);
        Self { read, line: Vec::new(), bytes_max, is_strict: false, is_skipping: false, is_done: false }
    }

    /// As [`Self::new`], for whom a line that is too long ends the connection. To look for its end would mean to
    /// read a line without one for ever.
    pub(super) fn strict(read: R, bytes_max: usize) -> Self {
        Self { is_strict: true, ..Self::new(read, bytes_max) }
    }

    /// The next line. Dropped before it is ready, nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Line<'_>> {
        if std::mem::take(&mut self.is_done) {
            self.line.clear();
            self.line.shrink_to(KEPT_BYTES);
        }
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                return Ok(Line::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let (part, consumed) = match end {
                Some(end) => (available.get(..end).unwrap_or_default(), end + 1),
                None => (available, available.len()),
            };
            if !self.is_skipping {
                if self.line.len() + part.len() > self.bytes_max {
                    if self.is_strict {
                        return Ok(Line::TooLong);
                    }
                    self.is_skipping = true;
                    self.line.clear();
                } else {
                    self.line.extend_from_slice(part);
                }
            }
            self.read.consume(consumed);
            if end.is_some() {
                if std::mem::take(&mut self.is_skipping) {
                    return Ok(Line::TooLong);
                }
                self.is_done = true;
                let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
                return Ok(Line::Whole(line));
            }
        }
    }
}

/// Whole lines on their way out.
pub(super) struct Outbox<W> {
    write: W,
    waiting: BytesMut,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write, waiting: BytesMut::new() }
    }

    /// Put a message behind what waits already.
    pub(super) fn put(&mut self, message: &[u8]) {
        self.waiting.reserve(message.len() + 1);
        self.waiting.extend_from_slice(message);
        self.waiting.extend_from_slice(b"\n");
    }

    /// Write all that waits. Dropped half way, the next call goes on at the same byte.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            let written = self.write.write(&self.waiting).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.waiting.advance(written);
        }
        self.waiting.clear();
        if self.waiting.capacity() > KEPT_BYTES {
            self.waiting = BytesMut::new();
        }
        self.write.flush().await
    }

    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.write.shutdown().await
    }
}

/// What a reading loop itself answers, beside the messages that others send. It stays where it is when the
/// loop's future is dropped half way.
#[derive(Default)]
pub(super) struct Reply {
    message: Option<Vec<u8>>,
    is_flushing: bool,
}

impl Reply {
    pub(super) fn put(&mut self, message: Vec<u8>) {
        self.message = Some(message);
    }

    /// Send it, if there is one. False where the far side takes nothing any more.
    pub(super) async fn is_sent<W: AsyncWrite + Unpin>(&mut self, out: &tokio::sync::Mutex<Outbox<W>>) -> bool {
        if self.message.is_none() && !self.is_flushing {
            return true;
        }
        let mut out = out.lock().await;
        if let Some(message) = self.message.take() {
            out.put(&message);
            self.is_flushing = true;
        }
        let is_written = out.flush().await.is_ok();
        self.is_flushing = false;
        is_written
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_line_at_the_limit_is_whole_and_one_byte_more_is_too_long() {
        let mut lines = Lines::new(&b"12345\n123456\nab\r\n\nrest"[..], 5);
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"12345"));
        assert_eq!(lines.next().await.unwrap(), Line::TooLong);
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"ab"));
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b""));
        assert_eq!(lines.next().await.unwrap(), Line::End);
    }

    #[tokio::test]
    async fn an_endless_line_is_said_at_its_limit_where_that_ends_the_connection() {
        let mut lines = Lines::strict(tokio::io::repeat(b'x'), 1000);
        assert_eq!(lines.next().await.unwrap(), Line::TooLong);
        let mut lines = Lines::strict(&b"abc\n"[..], 3);
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"abc"));
    }

    #[tokio::test]
    async fn an_endless_line_takes_no_memory() {
        let endless = tokio::io::repeat(b'x').take(64 << 20);
        let mut lines = Lines::new(endless, 1000);
        assert_eq!(lines.next().await.unwrap(), Line::End);
        assert!(lines.line.capacity() <= READ_BYTES, "{}", lines.line.capacity());
    }

    #[tokio::test]
    async fn a_read_that_is_dropped_loses_nothing() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut lines = Lines::new(near, 100);
        far.write_all(b"first half, ").await.unwrap();
        let dropped = tokio::time::timeout(Duration::from_millis(1), lines.next()).await;
        assert!(dropped.is_err());
        far.write_all(b"second half\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Line::Whole(b"first half, second half"));
    }

    #[tokio::test]
    async fn a_write_that_is_dropped_goes_on_at_the_same_byte() {
        let (near, mut far) = tokio::io::duplex(3);
        let mut outbox = Outbox::new(near);
        outbox.put(b"a message");
        assert!(tokio::time::timeout(Duration::from_millis(1), outbox.flush()).await.is_err());
        outbox.put(b"another");
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            far.read_to_string(&mut text).await.unwrap();
            text
        });
        outbox.close().await.unwrap();
        assert_eq!(reading.await.unwrap(), "a message\nanother\n");
    }
}
