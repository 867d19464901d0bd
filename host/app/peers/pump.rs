//! A confined program's streams as those of a connection: bytes over a pair of buffers, both ways at once.
//!
//! Neither way waits for the other. A server that floods fills its buffer and then waits in its own
//! `write`; one that does not read leaves the host's bytes where they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::capability::secret::scan::{Scan, Stream};
use crate::clock;
use crate::confine::{Exit, Running};
use crate::gate::explain::escaped;

/// Bytes on their way, in each direction.
const BUFFER_BYTES: usize = 64 << 10;
/// What is kept of a server's standard error, for the message when it fails.
const SAID_BYTES_MAX: usize = 4 << 10;
/// How long a server may go on after its input has ended.
const END_WITHIN: Duration = Duration::from_secs(2);
/// How often a program that does not read is offered its input again, while its output is not taken either.
const OFFER_EVERY: Duration = Duration::from_millis(5);

/// A server's process. Dropping it ends the process with all its descendants.
pub(super) struct Process {
    task: JoinHandle<()>,
    said: Arc<Mutex<Said>>,
}

struct Said {
    /// Takes secrets out before anything is cut: half of one at the cut would not be found.
    stream: Stream,
    stderr: VecDeque<u8>,
    ended: Option<Exit>,
}

impl Said {
    fn keep(&mut self, bytes: Vec<u8>) {
        self.stderr.extend(bytes);
        let excess = self.stderr.len().saturating_sub(SAID_BYTES_MAX);
        self.stderr.drain(..excess);
    }
}

impl Process {
    /// Take over a program, and give its output and its input.
    pub(super) fn new(running: Running, scan: Arc<Scan>) -> (Self, DuplexStream, DuplexStream) {
        let (output, output_far) = tokio::io::duplex(BUFFER_BYTES);
        let (input, input_far) = tokio::io::duplex(BUFFER_BYTES);
        let said = Said { stream: Stream::new(scan), stderr: VecDeque::new(), ended: None };
        let said = Arc::new(Mutex::new(said));
        let task = tokio::spawn(pump(running, output_far, input_far, said.clone()));
        (Self { task, said }, output, input)
    }

    /// How it ended, and the last of its standard error, safe to show. Empty, where it says nothing.
    pub(super) fn last_words(&self) -> String {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a server that goes on, the end may be the beginning of a secret.
        if said.ended.is_some() {
            let held = said.stream.finish();
            said.keep(held);
        }
        let ended = match said.ended {
            Some(Exit::Code(code)) => format!("\nit ended with code {code}"),
            Some(Exit::Signal(signal)) => format!("\nit was ended by signal {signal}"),
            Some(_) => "\nit was ended".to_owned(),
            None => String::new(),
        };
        let bytes: Vec<u8> = said.stderr.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(escaped).collect();
        if lines.is_empty() { ended } else { format!("{ended}\nit said: {}", lines.join("\n  ")) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// When a server whose input has ended has to be gone.
fn end_by() -> Instant {
    Instant::from_std(clock::monotonic()) + END_WITHIN
}

async fn pump(running: Running, mut output: DuplexStream, mut input: DuplexStream, said: Arc<Mutex<Said>>) {
    let watch = running.watch();
    let (mut coming, mut going) = (VecDeque::<u8>::new(), VecDeque::<u8>::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut is_open = true;
    let mut is_over = false;
    let deadline = tokio::time::sleep(Duration::MAX);
    tokio::pin!(deadline);
    loop {
        if is_over && coming.is_empty() {
            return;
        }
        tokio::select! {
            written = output.write(coming.as_slices().0), if !coming.is_empty() => match written {
                Ok(count) if count > 0 => drop(coming.drain(..count)),
                _ => return,
            },
            () = watch.ready(), if coming.is_empty() && !is_over => {
                let read = running.read(BUFFER_BYTES);
                coming.extend(read.stdout);
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                let shown = said.stream.push(&read.stderr);
                said.keep(shown);
                is_over = read.ended.is_some();
                said.ended = read.ended;
            }
            count = input.read(&mut buffer), if is_open && going.is_empty() => match count {
                Ok(count) if count > 0 => going.extend(buffer.iter().take(count)),
                _ => {
                    is_open = false;
                    running.close_input();
                    deadline.as_mut().reset(end_by());
                }
            },
            () = tokio::time::sleep(OFFER_EVERY), if !going.is_empty() => {}
            () = &mut deadline, if !is_open => return,
        }
        if !going.is_empty() {
            match running.write(going.as_slices().0) {
                Ok(count) => drop(going.drain(..count)),
                // It has closed its input; what it still says is read.
                Err(_) => {
                    going.clear();
                    is_open = false;
                    deadline.as_mut().reset(end_by());
                }
            }
        }
    }
}
