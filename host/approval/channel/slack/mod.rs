//! Slack: a message with buttons in one channel, answered by Socket Mode or by signed HTTP.
//!
//! With an app token the host opens a web socket to Slack and needs no address of its own; with a
//! signing secret Slack posts clicks to [`Slack::router`]. `message.rs` writes what is shown, `socket.rs` and `inbound.rs` receive, `interaction.rs` reads a click and answers it.

mod inbound;
mod interaction;
mod message;
mod socket;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, Semaphore};

use super::recent::Recent;
use super::{CLICKS_MAX, Channel, ChannelError, Clock, Desk, Notice, Patience, Secret, Settled};
pub use crate::outbound::slack::API_URL;
use crate::outbound::slack::Api;

const NAME: &str = "slack";
/// Messages that are remembered as settled, so that a late update does not give them their buttons back.
const SETTLED_MAX: usize = 1_024;
/// With what Slack refuses a message for its form.
const TOO_MUCH: &[&str] = &["msg_blocks_too_long", "msg_too_long", "invalid_blocks", "invalid_blocks_format"];
/// A handle is a channel and a time stamp.
const HANDLE_BYTES_MAX: usize = 512;

/// The app and the channel. Each host needs an app of its own for Socket Mode: where two are connected
/// with one app, Slack gives a click to either of them. `app_token` or `signing_secret` or both: there must be a way for clicks.
#[derive(Clone, Debug)]
pub struct SlackSettings {
    /// An id, `C0123456789`, or a name, `#operations`.
    pub channel: String,
    /// `xoxb-...`, with the scope `chat:write`.
    pub bot_token: Secret,
    /// `xapp-...`, with the scope `connections:write`.
    pub app_token: Option<Secret>,
    pub signing_secret: Option<Secret>,
    /// [`API_URL`], or a Slack of this host's own.
    pub api_url: String,
    pub patience: Patience,
}

/// The channel to Slack.
pub struct Slack {
    shared: Arc<Shared>,
    signing_secret: Option<Secret>,
    clock: Clock,
}

/// What the tasks of clicks share with the channel.
struct Shared {
    api: Api,
    channel: String,
    has_socket: bool,
    /// One message is written at a time, so that what was read later is not overwritten by what was read before.
    writing: Mutex<()>,
    settled: Recent,
    room: Arc<Semaphore>,
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    channel: String,
    ts: String,
}

impl Slack {
    /// # Errors
    /// A setting is missing, is of another kind, or leaves no way for clicks.
    pub fn new(settings: SlackSettings, clock: Clock) -> Result<Self, ChannelError> {
        let wrong = |place: &str, what: &str, hint: &str| {
            Err(ChannelError::Config { place: place.into(), what: what.into(), hint: hint.into() })
        };
        if settings.channel.trim().is_empty() {
            return wrong("Slack's `channel`", "it is empty", "write the channel's id, as in `C0123456789`");
        }
        if !settings.bot_token.expose().starts_with("xoxb-") {
            let hint = "it stands under `OAuth & Permissions` of the app, as `Bot User OAuth Token`";
            return wrong("Slack's bot token", "it does not begin with `xoxb-`", hint);
        }
        if settings.app_token.as_ref().is_some_and(|token| !token.expose().starts_with("xapp-")) {
            let hint = "make one under `Basic Information` of the app, `App-Level Tokens`, with `connections:write`";
            return wrong("Slack's app token", "it does not begin with `xapp-`", hint);
        }
        if settings.signing_secret.as_ref().is_some_and(|secret| secret.expose().len() < 16) {
            let hint = "it stands under `Basic Information` of the app, as `Signing Secret`";
            return wrong("Slack's signing secret", "it is shorter than 16 characters", hint);
        }
        if settings.app_token.is_none() && settings.signing_secret.is_none() {
            let hint = "give it an app token (Socket Mode) or a signing secret (HTTP)";
            return wrong("Slack", "nobody could answer: there is neither an app token nor a signing secret", hint);
        }
        let has_socket = settings.app_token.is_some();
        let api = Api::new(&settings.api_url, settings.bot_token, settings.app_token, settings.patience)?;
        let shared = Shared {
            api,
            channel: settings.channel,
            has_socket,
            writing: Mutex::new(()),
            settled: Recent::new(SETTLED_MAX),
            room: Arc::new(Semaphore::new(CLICKS_MAX)),
        };
        Ok(Self { shared: Arc::new(shared), signing_secret: settings.signing_secret, clock })
    }

    /// Takes clicks at `POST /slack/interactions`. Without a signing secret there is no such path.
    pub fn router(&self, desk: Arc<dyn Desk>) -> Router {
        match &self.signing_secret {
            Some(secret) => inbound::router(self.shared.clone(), secret.clone(), self.clock.clone(), desk),
            None => Router::new(),
        }
    }
}

#[async_trait]
impl Channel for Slack {
    fn name(&self) -> &str {
        NAME
    }

    async fn announce(&self, notice: &Notice) -> Result<String, ChannelError> {
        // A preview of what a command names would fetch it.
        let fields =
            [("channel", json!(self.shared.channel)), ("unfurl_links", json!(false)), ("unfurl_media", json!(false))];
        let answer = self.shared.show("chat.postMessage", &fields, notice, None).await?;
        let place: Place = serde_json::from_value(answer).map_err(|_| ChannelError::Answer {
            target: "Slack's `chat.postMessage`".into(),
            what: "there is no `channel` or no `ts`".into(),
        })?;
        Ok(json!(place).to_string())
    }

    async fn update(&self, handle: &str, notice: &Notice, settled: Option<&Settled>) -> Result<(), ChannelError> {
        let wrong = |what: String| ChannelError::Handle { channel: NAME.into(), what };
        if handle.len() > HANDLE_BYTES_MAX {
            return Err(wrong(format!("it is longer than {HANDLE_BYTES_MAX} bytes")));
        }
        let place: Place = serde_json::from_str(handle).map_err(|error| wrong(error.to_string()))?;
        let _turn = self.shared.writing.lock().await;
        self.shared.write(&place, notice, settled).await
    }

    async fn check(&self) -> Result<String, ChannelError> {
        let connected = self.shared.api.test().await?;
        if self.shared.has_socket {
            self.shared.api.open().await?;
        }
        self.check_channel().await?;
        let ways = match (self.shared.has_socket, self.signing_secret.is_some()) {
            (true, true) => "Socket Mode and signed HTTP",
            (true, false) => "Socket Mode",
            _ => "signed HTTP",
        };
        Ok(format!("{connected}, channel {}, clicks by {ways}", self.shared.channel))
    }

    async fn listen(&self, desk: Arc<dyn Desk>) {
        if self.shared.has_socket {
            socket::listen(&self.shared, &desk).await;
        }
        std::future::pending::<()>().await;
    }
}

impl Slack {
    /// Whether the channel is one that the app can write into. Asked by an update of a message that there
    /// is not, which shows nothing to anybody and needs no scope beside that of writing; only an answer
    /// about the channel counts. A name that is no id cannot be asked so.
    async fn check_channel(&self) -> Result<(), ChannelError> {
        const WRONG: [&str; 3] = ["channel_not_found", "not_in_channel", "is_archived"];
        if !self.shared.channel.starts_with(['C', 'G', 'D']) {
            return Ok(());
        }
        let nothing = json!({ "channel": self.shared.channel, "ts": "1.000000", "text": "-" });
        match self.shared.api.call("chat.update", nothing).await {
            Err(error @ ChannelError::Refused { .. }) if WRONG.iter().any(|wrong| is_code(&error, wrong)) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_code(error: &ChannelError, wanted: &str) -> bool {
    matches!(error, ChannelError::Refused { code, .. } if code == wanted)
}

impl Shared {
    /// Write the message anew. The caller holds the turn to write.
    async fn write(&self, place: &Place, notice: &Notice, settled: Option<&Settled>) -> Result<(), ChannelError> {
        let key = format!("{}:{}", place.channel, place.ts);
        match settled {
            // Before it is tried: what is settled must not become pending again because Slack was slow.
            Some(_) => {
                self.settled.insert(&key);
            }
            None if self.settled.contains(&key) => return Ok(()),
            None => {}
        }
        let fields = [("channel", json!(place.channel)), ("ts", json!(place.ts))];
        self.show("chat.update", &fields, notice, settled).await.map(|_| ())
    }

    /// Show the whole message, or the brief one where Slack does not take the whole: not all of its
    /// limits are told.
    async fn show(
        &self,
        method: &str,
        fields: &[(&str, Value)],
        notice: &Notice,
        settled: Option<&Settled>,
    ) -> Result<Value, ChannelError> {
        let with = |mut body: Map<String, Value>| {
            body.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            Value::from(body)
        };
        let whole = match settled {
            Some(settled) => message::settled(notice, settled),
            None => message::pending(notice),
        };
        match self.api.call(method, with(whole)).await {
            Err(ChannelError::Refused { code, .. }) if TOO_MUCH.contains(&code.as_str()) => {
                self.api.call(method, with(message::brief(notice, settled))).await
            }
            answer => answer,
        }
    }
}
