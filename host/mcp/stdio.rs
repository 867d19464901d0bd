//! The server over this process's standard streams. stdout carries the protocol and nothing else.
//!
//! tokio's own standard streams hand every read and every write to another thread, which doubles
//! the time of a short call. Pipes and sockets (Node starts its servers with those) are read and
//! written without.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;

use rmcp::transport::stdio_pipes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::{McpServer, McpServerError, Tools};

/// Serve the client that started this process, until it closes its end or `stop` is cancelled.
///
/// A read of a terminal or a file cannot be broken off: whoever cancels `stop` ends the process
/// itself rather than wait for the runtime.
///
/// # Errors
/// The connection never began, or a task of it has failed.
pub async fn serve_stdio<T: Tools>(server: &McpServer<T>, stop: CancellationToken) -> Result<(), McpServerError> {
    let (pipe_in, pipe_out) = stdio_pipes();
    let read: Box<dyn AsyncRead + Unpin + Send> = match socket(&io::stdin()) {
        Some(socket) => Box::new(socket),
        None => Box::new(pipe_in),
    };
    let write: Box<dyn AsyncWrite + Unpin + Send> = match socket(&io::stdout()) {
        Some(socket) => Box::new(socket),
        None => Box::new(pipe_out),
    };
    server.serve(read, write, stop).await
}

/// The stream, if it is a socket.
fn socket(stream: &impl AsFd) -> Option<UnixStream> {
    let owned = stream.as_fd().try_clone_to_owned().ok()?;
    let file = std::fs::File::from(owned);
    if !file.metadata().ok()?.file_type().is_socket() {
        return None;
    }
    let stream = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(file));
    stream.set_nonblocking(true).ok()?;
    UnixStream::from_std(stream).ok()
}
