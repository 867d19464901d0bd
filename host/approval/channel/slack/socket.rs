//! Clicks by Socket Mode: a web socket that this host opens to Slack, again and again.
//!
//! Each envelope is acknowledged before it is worked on: Slack waits three seconds, and shows the person
//! an error after that. A connection ends when Slack says so, when it is silent, or when it breaks;
//! the next begins after a wait that grows with each failure and has a limit.

use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use rustls_platform_verifier::BuilderVerifierExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::super::recent::Recent;
use super::super::{ChannelError, Desk, cut};
use super::interaction::{self, Interaction};
use super::{NAME, Shared};
use crate::clock::{self, Duration};
use crate::gate::explain::escaped;

/// A click comes with the whole message. Danger: a frame without end fills the memory.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Envelopes that are known to have come: Slack sends one again if its acknowledgement was lost.
const ENVELOPES_MAX: usize = 512;
const CAUSE_CHARS_MAX: usize = 300;
const TARGET: &str = "Slack's web socket";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What Slack sends.
#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    envelope_id: Option<String>,
    #[serde(default)]
    payload: Value,
}

/// Receive until the future is dropped.
pub(super) async fn listen(shared: &Arc<Shared>, desk: &Arc<dyn Desk>) {
    let patience = &shared.api.http.patience;
    let envelopes = Recent::new(ENVELOPES_MAX);
    let mut failures: u32 = 0;
    let mut told: Option<String> = None;
    loop {
        let begin = clock::monotonic();
        let ended = connection(shared, desk, &envelopes, &mut told).await;
        if begin.elapsed() >= Duration::from_millis(patience.steady_ms) {
            failures = 0;
        }
        if let Err(error) = ended {
            let error = error.to_string();
            if told.as_deref() != Some(error.as_str()) {
                desk.trouble(NAME, Some(&error));
                told = Some(error);
            }
        }
        // After a good connection there is no wait: Slack ends each of them after some hours.
        tokio::time::sleep(patience.wait(failures, &shared.api.http.jitter)).await;
        failures = failures.saturating_add(1);
    }
}

/// One connection, from its opening to its end. Ok: Slack ended it in order.
async fn connection(
    shared: &Arc<Shared>,
    desk: &Arc<dyn Desk>,
    envelopes: &Recent,
    told: &mut Option<String>,
) -> Result<(), ChannelError> {
    let patience = &shared.api.http.patience;
    let mut socket = open(shared).await?;
    let mut has_greeted = false;
    let mut is_asked = false;
    loop {
        let silence = if has_greeted { Duration::from_millis(patience.silence_ms_max) } else { patience.request() };
        let message = match tokio::time::timeout(silence, socket.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return Err(broken(&in_words(&error))),
            Ok(None) => return Ok(()),
            Err(_) if has_greeted && !is_asked => {
                is_asked = true;
                send(shared, &mut socket, Message::Ping(Bytes::new())).await?;
                continue;
            }
            Err(_) => return Err(broken("it is silent")),
        };
        is_asked = false;
        let text = match message {
            Message::Text(text) => text,
            // The answer is written by the library, and sent with the next flush.
            Message::Ping(_) => {
                let flushed = tokio::time::timeout(patience.request(), socket.flush()).await;
                match flushed {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => return Err(broken(&in_words(&error))),
                    Err(_) => return Err(broken("it takes nothing")),
                }
            }
            Message::Close(_) => return Ok(()),
            _ => continue,
        };
        // What is no JSON has no envelope that could be acknowledged.
        let Ok(frame) = serde_json::from_str::<Frame>(&text) else { continue };
        match frame.kind.as_str() {
            "hello" => {
                has_greeted = true;
                if told.take().is_some() {
                    desk.trouble(NAME, None);
                }
            }
            "disconnect" if frame.reason.as_deref() == Some("link_disabled") => {
                return Err(ChannelError::Refused {
                    target: TARGET.into(),
                    code: "link_disabled".into(),
                    hint: "switch on `Socket Mode` on the app's page".into(),
                });
            }
            "disconnect" => {
                let _ = tokio::time::timeout(patience.request(), socket.close(None)).await;
                return Ok(());
            }
            _ => {}
        }
        let Some(envelope_id) = frame.envelope_id else { continue };
        let acknowledgement = json!({ "envelope_id": envelope_id }).to_string();
        send(shared, &mut socket, Message::text(acknowledgement)).await?;
        if frame.kind != "interactive" || !envelopes.insert(&envelope_id) {
            continue;
        }
        let Ok(interaction) = serde_json::from_value::<Interaction>(frame.payload) else { continue };
        // Waits where too many are worked on: Slack keeps what is not read yet.
        let Ok(permit) = shared.room.clone().acquire_owned().await else { return Ok(()) };
        let (shared, desk) = (shared.clone(), desk.clone());
        // A task of its own, which outlives the connection: a click that was acknowledged is worked on.
        tokio::spawn(async move {
            interaction::handle(&shared, &desk, &interaction).await;
            drop(permit);
        });
    }
}

async fn open(shared: &Shared) -> Result<Socket, ChannelError> {
    let patience = &shared.api.http.patience;
    let url = shared.api.open().await?;
    let limits =
        WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX));
    let connecting = connect_async_tls_with_config(url.as_str(), Some(limits), true, Some(connector()?));
    match tokio::time::timeout(patience.request(), connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(broken(&in_words(&error))),
        Err(_) => Err(broken(&format!("no connection within {} ms", patience.request_ms_max))),
    }
}

/// Trusts what the system trusts, with the cryptography that the HTTP client uses; named here, because
/// a process with two kinds of it has no default.
fn connector() -> Result<Connector, ChannelError> {
    let wrong = |error: rustls::Error| ChannelError::Config {
        place: TARGET.into(),
        what: format!("there is no TLS: {error}"),
        hint: "the system's certificates must be readable, e.g. the package `ca-certificates`".into(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(wrong)?
        .with_no_client_auth();
    Ok(Connector::Rustls(Arc::new(config)))
}

async fn send(shared: &Shared, socket: &mut Socket, message: Message) -> Result<(), ChannelError> {
    match tokio::time::timeout(shared.api.http.patience.request(), socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(&in_words(&error))),
        Err(_) => Err(broken("it takes nothing")),
    }
}

fn broken(cause: &str) -> ChannelError {
    ChannelError::Unreachable { target: TARGET.into(), attempts: 1, cause: cause.to_owned() }
}

/// Without the URL, which holds a ticket: only causes are told of which it is known that they do not.
fn in_words(error: &Error) -> String {
    let text = match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "it is closed".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Tls(error) => format!("TLS: {error}"),
        Error::Capacity(error) => error.to_string(),
        Error::Protocol(error) => error.to_string(),
        Error::Http(response) => format!("status {} instead of a web socket", response.status().as_u16()),
        Error::Url(_) => "its address cannot be used".to_owned(),
        _ => "it broke".to_owned(),
    };
    cut(&escaped(&text), CAUSE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_without_tls_is_an_error_and_not_spoken_to_in_the_clear() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://localhost:{}/link?ticket=secret", listener.local_addr().unwrap().port());
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut first = [0; 1];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            first
        };
        let connecting = connect_async_tls_with_config(url, None, true, Some(connector().unwrap()));
        let (connected, [first]) = tokio::join!(connecting, serving);
        let text = in_words(&connected.unwrap_err());
        // 22 begins a TLS handshake.
        assert_eq!(first, 22);
        assert!(!text.is_empty() && !text.contains("secret"), "{text}");
    }
}
