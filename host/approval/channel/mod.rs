//! Channels carry pending approvals to people and bring their answers back: [`Slack`] and [`Webhook`].
//!
//! A channel shows and carries, it decides nothing: who may answer, whether an answer is in time and
//! what it settles is the [`Desk`]'s to say. An answer carries the hash of the act that was shown, so
//! that it counts for this act alone. What a channel shows may have been written by an agent: each
//! channel escapes it for its medium, and what cannot be shown in full cannot be approved there.
//! A further channel implements [`Channel`]; `outbound` and `serve.rs` are there for it.

mod incoming;
mod recent;
mod serve;
pub mod slack;
pub mod webhook;

#[cfg(test)]
#[path = "../../../tests/loopback_slack.rs"]
mod loopback_slack;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use crate::outbound::{ChannelError, Clock, Patience, Secret};
pub use serve::serve;
pub use slack::{Slack, SlackSettings};
pub use webhook::{Webhook, WebhookSettings};

pub(crate) use crate::outbound::cut;

/// Longest id and longest hash that an answer may carry: they are looked up, and shown in errors.
pub(crate) const ID_BYTES_MAX: usize = 64;
pub(crate) const HASH_BYTES_MAX: usize = 128;
/// Longest name of a person, and longest comment; both are stored. Longer ones are cut.
pub(crate) const NAME_CHARS_MAX: usize = 80;
pub(crate) const COMMENT_CHARS_MAX: usize = 1_000;
/// How long the desk may take to answer: a stuck store must not hold a connection for ever.
pub(crate) const DESK_MS_MAX: u64 = 30_000;
/// Answers that are worked on at a time: a flood of clicks must not become a flood of tasks.
pub(crate) const CLICKS_MAX: usize = 32;

/// What a channel shows of a pending approval. Every text is final; the channel escapes it for its medium.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Short, for people: `a-7f3k2q`.
    pub id: String,
    pub host: String,
    pub agent: String,
    pub session: String,
    /// One line.
    pub summary: String,
    /// The exact act; it may be long and of many lines.
    pub command: String,
    pub directory: Option<String>,
    /// What hides in the command, decoded.
    pub decoded: Vec<String>,
    pub effects: Vec<String>,
    /// 0 to 100.
    pub risk: u8,
    pub reason: String,
    pub advice: String,
    /// Name, points, detail.
    pub evidence: Vec<(String, u8, String)>,
    pub action_hash: String,
    pub expires_at_ms: i64,
    pub votes_needed: u32,
    pub votes: Vec<Vote>,
    /// Who may decide now.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// What it does is not shown in full, so that it cannot be approved where no more can be seen.
    #[serde(default)]
    pub is_partial: bool,
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// `slack:U123`.
    pub by: String,
    pub is_granted: bool,
    pub at_ms: i64,
    pub comment: String,
}

/// How an approval ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    pub is_granted: bool,
    pub by: Vec<String>,
    /// `denied by U123`, `nobody answered`, `withdrawn`.
    pub reason: String,
}

/// For what an approval holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// This act, one time.
    #[default]
    Once,
    /// Acts like it, as long as this run of the agent lasts.
    Session,
    /// Acts like it, for a time.
    Rule { minutes: u32 },
}

/// What a person did in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    pub id: String,
    /// Of the act that was shown. The desk refuses the click if it is not that of the approval.
    pub action_hash: String,
    /// With the channel before it, so that a name of one channel never counts as one of another: `slack:U123`.
    pub by: String,
    /// As people know them; proves nothing.
    pub name: String,
    pub is_granted: bool,
    pub scope: Scope,
    pub comment: String,
}

/// What became of a click that counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Counted { votes: u32, needed: u32 },
    Settled(Settled),
}

/// Why a click did not count, in words for the person who clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// Takes people's answers.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Count the click, or say why not: a stranger, too late, a second click, another act.
    async fn click(&self, click: Click) -> Result<Taken, Refused>;

    /// The approval as it stands now. None: there is none of this id.
    async fn notice(&self, id: &str) -> Option<(Notice, Option<Settled>)>;

    /// What keeps a channel from bringing answers back, told once and not with each attempt; None says
    /// that it is connected again. Also what could not be shown of a single answer.
    fn trouble(&self, _channel: &str, _trouble: Option<&str>) {}
}

/// Shows approvals to people, and brings their answers back.
#[async_trait]
pub trait Channel: Send + Sync {
    fn name(&self) -> &str;

    /// Show it. The handle finds it again after a restart; it holds no secret.
    async fn announce(&self, notice: &Notice) -> Result<String, ChannelError>;

    /// Show how it stands. What was shown as settled stays settled, whatever comes later.
    async fn update(&self, handle: &str, notice: &Notice, settled: Option<&Settled>) -> Result<(), ChannelError>;

    /// Whether it is reachable and allowed to do what it must; says what it is connected to.
    async fn check(&self) -> Result<String, ChannelError>;

    /// Bring clicks back until the future is dropped. It never ends by itself, and reconnects with a
    /// bounded back-off; a channel that is clicked over HTTP alone only waits.
    async fn listen(&self, desk: Arc<dyn Desk>);
}
