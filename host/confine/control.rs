//! What host and helper say to each other, over a socket that is the helper's standard input.
//!
//! The host sends one message with two descriptors: the job in a memory file, and what shall be
//! the program's standard input. So nothing of a job is on a command line, where any user could
//! read it, and no descriptor is ever inheritable in the host, where another start could catch it.
//! Afterwards each byte from the host is a signal to send, and the end of what it says is the kill:
//! it always gets through, and it comes as well when the host is gone. The helper answers with lines of JSON.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use super::service::ServiceSpec;
use super::{Confine, Identity, Spec, StartError};
use crate::clock::Duration;

/// The hidden subcommand.
pub(crate) const SUBCOMMAND: &str = "__confine";
/// A helper that has not answered by then hangs, for example in a dead network file system.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The longest line that a helper writes: an error with a path in it.
const REPORT_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Job {
    Run(Spec),
    Service(ServiceSpec),
    /// Try what this system lets a helper do.
    Probe,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The program has been executed.
    Started(Identity),
    Failed(StartError),
    /// It has ended, and all its descendants with it.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
    },
    Abilities(super::Abilities),
}

/// A helper that has taken its job.
pub(crate) struct Helper {
    pub child: Child,
    pub reports: Reports,
    pub signals: OwnedWriteHalf,
}

pub(crate) struct Reports(BufReader<OwnedReadHalf>);

impl Reports {
    /// The next report. None: the helper is gone.
    pub(crate) async fn next(&mut self) -> Option<Report> {
        let mut line = Vec::new();
        loop {
            let bytes = self.0.fill_buf().await.ok()?;
            if bytes.is_empty() || line.len() > REPORT_BYTES_MAX {
                return None;
            }
            if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                line.extend(bytes.iter().take(end));
                self.0.consume(end + 1);
                return serde_json::from_slice(&line).ok();
            }
            line.extend_from_slice(bytes);
            let length = bytes.len();
            self.0.consume(length);
        }
    }

    /// The first report, bounded in time.
    pub(crate) async fn first(&mut self) -> Result<Report, StartError> {
        match tokio::time::timeout(ANSWER_WITHIN, self.next()).await {
            Ok(Some(Report::Failed(error))) => Err(error),
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err(StartError::Helper("it ended without an answer".into())),
            Err(_) => Err(StartError::Helper(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))),
        }
    }
}

/// Host: start a helper and give it its job.
pub(crate) fn launch(
    confine: &Confine,
    job: &Job,
    input: BorrowedFd<'_>,
    stdout: Stdio,
    stderr: Stdio,
) -> Result<Helper, StartError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| StartError::Helper(format!("{what}: {error}"));
    let text = serde_json::to_vec(job).map_err(|error| StartError::Invalid(format!("a path is not UTF-8: {error}")))?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| failed("no socket", &error))?;
    hand_over(&ours, &text, input).map_err(|error| failed("the job could not be handed over", &error))?;
    let child = Command::new(confine.helper())
        .arg0("pi-host")
        .arg(SUBCOMMAND)
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(|error| failed(&format!("`{}` could not be started", confine.helper().display()), &error))?;
    let stream = ours
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UnixStream::from_std(ours))
        .map_err(|error| failed("no socket", &error))?;
    let (reports, signals) = stream.into_split();
    Ok(Helper { child, reports: Reports(BufReader::new(reports)), signals })
}

fn hand_over(socket: &UnixStream, text: &[u8], input: BorrowedFd<'_>) -> io::Result<()> {
    let mut file = File::from(memfd_create("pi-host-job", MemfdFlags::CLOEXEC)?);
    file.write_all(text)?;
    let descriptors = [file.as_fd(), input];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for two descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Helper: take the job, and the descriptor that shall be the program's standard input.
pub(crate) fn take_job(socket: &UnixStream) -> io::Result<(Job, OwnedFd)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes != 1 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host is gone"));
    }
    let mut descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let (Some(job), Some(input)) = (descriptors.next(), descriptors.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the job came without descriptors"));
    };
    let mut file = File::from(job);
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok((serde_json::from_slice(&text)?, input))
}

/// Helper: say something to the host. A host that is gone is noticed elsewhere.
pub(crate) fn report(socket: &UnixStream, report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let mut socket = socket;
        let _ = socket.write_all(&line);
    }
}
