//! A confined program, as the host holds it: bounded buffers of its output, its input, its end.
//!
//! One task a program reads its pipes and watches its deadline. A full buffer stops the reading, so a
//! program that floods waits in its own `write`, and the host's memory is bounded.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::control::{self, Helper, Job, Report, Reports};
use super::{Confine, Exit, Spec, StartError};
use crate::clock::{self, Duration};

/// Output that was read and not yet fetched, for each stream: the host's memory for a guest that
/// starts a flood and never reads it.
const BUFFER_BYTES_MAX: usize = 256 << 10;
/// One read from a pipe.
const READ_BYTES: usize = 64 << 10;
/// After a kill, how long the helper may take to say that all are gone. A process that hangs in
/// the kernel (a dead disk) does not hold up its caller any longer.
const GONE_WITHIN: Duration = Duration::from_secs(5);

const KILL: u8 = 9;

/// What has come since the last call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Set once all output has been fetched and the program and its descendants are gone.
    pub ended: Option<Exit>,
}

/// A running program. Dropping it kills the program and all its descendants.
pub struct Running {
    shared: Arc<Shared>,
    /// Its end is the kill, see [`kill`]: so that works when the host dies as well.
    signals: Arc<OwnedWriteHalf>,
    task: JoinHandle<()>,
}

/// Waits for a program to have something to do with. Does not keep it running.
#[derive(Clone)]
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Something for the caller: output, or the end.
    arrived: Notify,
    /// Room in the buffer of a stream.
    fetched: [Notify; 2],
    /// The output is beyond its limit.
    over: Notify,
}

#[derive(Default)]
struct State {
    /// Standard output and standard error.
    buffers: [VecDeque<u8>; 2],
    /// Of both, since the start.
    bytes: u64,
    input: Option<Arc<Sender>>,
    /// The last write did not take all. Then, and only then, room in the pipe is news: a program
    /// whose input is not used would else be ready at all times.
    is_input_full: bool,
    /// Set when both streams are at their end and all processes are gone.
    exit: Option<Exit>,
}

/// Start a program, confined.
///
/// # Errors
/// Why it was not started. Nothing of it has run then.
pub async fn start(confine: &Confine, spec: Spec) -> Result<Running, StartError> {
    let failed = |error: io::Error| StartError::Helper(format!("no pipe: {error}"));
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()));
    let (input, input_ours) = pipe()?;
    let (stdout_ours, stdout) = pipe()?;
    let (stderr_ours, stderr) = pipe()?;
    let deadline = Instant::from_std(clock::monotonic()) + Duration::from_millis(spec.limits.timeout_ms);
    let output_bytes_max = spec.limits.output_bytes;
    let job = Job::Run(spec);
    let mut helper = control::launch(confine, &job, input.as_fd(), Stdio::from(stdout), Stdio::from(stderr))?;
    drop(input);
    if let Err(error) = helper.reports.first().await {
        // The end of the socket is the kill; waiting leaves no zombie.
        drop(helper.signals);
        let _ = timeout(GONE_WITHIN, helper.child.wait()).await;
        return Err(error);
    }
    let shared = Arc::new(Shared::default());
    shared.state().input = Some(Arc::new(Sender::from_owned_fd(input_ours).map_err(failed)?));
    let streams =
        [Receiver::from_owned_fd(stdout_ours).map_err(failed)?, Receiver::from_owned_fd(stderr_ours).map_err(failed)?];
    let Helper { child, reports, signals } = helper;
    let signals = Arc::new(signals);
    let pump = Pump { shared: Arc::clone(&shared), signals: Arc::clone(&signals), deadline, output_bytes_max };
    let task = tokio::spawn(pump.run(streams, reports, child));
    Ok(Running { shared, signals, task })
}

impl Running {
    /// What has come, at most `length` bytes of each stream. Never waits.
    pub fn read(&self, length: usize) -> Output {
        let mut state = self.shared.state();
        let [stdout, stderr] = [0, 1].map(|stream| {
            let buffer = &mut state.buffers[stream];
            let bytes: Vec<u8> = buffer.drain(..length.min(buffer.len())).collect();
            if !bytes.is_empty() {
                self.shared.fetched[stream].notify_one();
            }
            bytes
        });
        let ended = state.exit.filter(|_| state.buffers.iter().all(VecDeque::is_empty));
        Output { stdout, stderr, ended }
    }

    /// Offer input. Returns how much was taken; 0 when the pipe is full. Never waits.
    ///
    /// # Errors
    /// The program has closed its input, or [`Running::close_input`] has.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.state();
        let Some(input) = state.input.clone() else {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the input is closed"));
        };
        // The pipe itself is asked first: the runtime hears of its room only later.
        let mut count = taken(rustix::io::write(input.as_ref(), bytes).map_err(io::Error::from))?;
        if let Some(rest) = bytes.get(count..).filter(|rest| !rest.is_empty()) {
            // And now the runtime, so that it knows that the pipe is full, and wakes when it is not.
            count += taken(input.try_write(rest)).unwrap_or(0);
        }
        state.is_input_full = count < bytes.len();
        Ok(count)
    }

    /// The end of the program's input.
    pub fn close_input(&self) {
        self.shared.state().input = None;
    }

    /// Send a signal (1 to 31) to the program and all its descendants.
    ///
    /// # Errors
    /// Not a signal's number.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        let byte = u8::try_from(number).ok().filter(|byte| (1..=31).contains(byte)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("not a signal from 1 to 31: {number}"))
        })?;
        if byte == KILL {
            kill(&self.signals);
            return Ok(());
        }
        // A helper that is gone has nothing left to signal. One whose socket is full has hundreds before it that it
        // has not come to: a guest that floods it loses signals, and makes nobody wait.
        let _ = self.signals.try_write(&[byte]);
        Ok(())
    }

    /// How it ended, output that was not fetched or not.
    #[must_use]
    pub fn ended(&self) -> Option<Exit> {
        self.shared.state().exit
    }

    /// Bytes of output so far.
    #[must_use]
    pub fn output_bytes(&self) -> u64 {
        self.shared.state().bytes
    }

    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { shared: Arc::clone(&self.shared) }
    }

    /// Close its input, and wait for its end. All its output is returned: it is bounded by
    /// [`super::Limits::output_bytes`].
    pub async fn finish(self) -> (Output, Exit) {
        self.close_input();
        let watch = self.watch();
        let mut all = Output::default();
        loop {
            watch.ready().await;
            let output = self.read(usize::MAX);
            all.stdout.extend(output.stdout);
            all.stderr.extend(output.stderr);
            if let Some(exit) = output.ended {
                all.ended = Some(exit);
                return (all, exit);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill(&self.signals);
        self.task.abort();
    }
}

impl Watch {
    /// Returns when there is output, or the end, or room for input after there was none.
    pub async fn ready(&self) {
        loop {
            let mut arrived = pin!(self.shared.arrived.notified());
            // Before looking: what comes in between is then not missed.
            arrived.as_mut().enable();
            let input = {
                let state = self.shared.state();
                if state.exit.is_some() || state.buffers.iter().any(|buffer| !buffer.is_empty()) {
                    return;
                }
                state.input.clone().filter(|_| state.is_input_full)
            };
            let writable = async {
                match &input {
                    Some(input) => input.writable().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = arrived => {}
                _ = writable => {
                    self.shared.state().is_input_full = false;
                    return;
                }
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it; and if somebody did, bytes are still bytes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of one program.
struct Pump {
    shared: Arc<Shared>,
    signals: Arc<OwnedWriteHalf>,
    deadline: Instant,
    output_bytes_max: u64,
}

impl Pump {
    async fn run(self, streams: [Receiver; 2], mut reports: Reports, mut child: Child) {
        let [stdout, stderr] = streams;
        let mut reading = pin!(async { tokio::join!(self.copy(stdout, 0), self.copy(stderr, 1)) });
        let mut is_read = false;
        let mut report: Option<Option<Report>> = None;
        let mut cause: Option<Exit> = None;
        let mut gone_by: Option<Instant> = None;
        while !is_read || report.is_none() {
            tokio::select! {
                _ = &mut reading, if !is_read => is_read = true,
                answer = reports.next(), if report.is_none() => report = Some(answer),
                () = sleep_until(self.deadline), if cause.is_none() && report.is_none() => {
                    cause = Some(Exit::Timeout);
                    gone_by = Some(self.kill());
                }
                () = self.shared.over.notified(), if cause.is_none() => {
                    cause = Some(Exit::OutputLimit);
                    gone_by = Some(self.kill());
                }
                () = until(gone_by), if gone_by.is_some() => {
                    report = Some(None);
                    is_read = true;
                }
            }
        }
        let _ = timeout(GONE_WITHIN, child.wait()).await;
        let exit = cause.unwrap_or(match report.flatten() {
            Some(Report::Ended { code: Some(code), .. }) => Exit::Code(code),
            Some(Report::Ended { signal: Some(signal), .. }) => Exit::Signal(signal),
            // The helper was killed, and its program with it.
            _ => Exit::Signal(i32::from(KILL)),
        });
        self.shared.state().exit = Some(exit);
        self.shared.arrived.notify_waiters();
    }

    /// Kill all. Returns by when they have to be gone.
    fn kill(&self) -> Instant {
        kill(&self.signals);
        Instant::from_std(clock::monotonic()) + GONE_WITHIN
    }

    /// Read one stream into its buffer until its end, or the limit of both.
    async fn copy(&self, mut pipe: Receiver, stream: usize) {
        let mut chunk = vec![0; READ_BYTES];
        loop {
            let room = BUFFER_BYTES_MAX.saturating_sub(self.shared.state().buffers[stream].len());
            if room == 0 {
                self.shared.fetched[stream].notified().await;
                continue;
            }
            let wanted = room.min(READ_BYTES);
            let Ok(length @ 1..) = pipe.read(&mut chunk[..wanted]).await else { return };
            let mut state = self.shared.state();
            let left = usize::try_from(self.output_bytes_max.saturating_sub(state.bytes)).unwrap_or(usize::MAX);
            state.buffers[stream].extend(&chunk[..length.min(left)]);
            state.bytes += u64::try_from(length.min(left)).unwrap_or(u64::MAX);
            drop(state);
            self.shared.arrived.notify_waiters();
            if length > left {
                self.shared.over.notify_one();
                return;
            }
        }
    }
}

/// Kill the program and all its descendants, by the end of what the host says. A byte would be lost where a
/// guest has filled the socket with signals; the end needs no room, and the helper sees it before those.
fn kill(signals: &OwnedWriteHalf) {
    let socket: &UnixStream = signals.as_ref();
    // An error means that the helper is gone, and all others with it.
    let _ = shutdown(socket, Shutdown::Write);
}

/// A full pipe takes nothing, and is no error.
fn taken(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        sleep_until(time).await;
    }
}
