//! The webhook: approvals are posted to a URL as signed JSON, and answered by signed requests.
//!
//! Both directions carry `X-Pi-Timestamp` (seconds) and `X-Pi-Signature: v1=HEX`, the HMAC-SHA256 of
//! `v1:TIMESTAMP:BODY` with the one secret that both sides know. Out goes
//! `{"event": "pending"|"settled", "notice": {...}, "settled": null|{...}}`; in comes
//! `POST /approvals/ID` with `{"id", "decision": "approve"|"deny", "by", "action_hash", "scope"?, "comment"?}`.
//! What is settled stays so: a receiver ignores a `pending` that comes after it.
//! The id stands in the signed body as well: the path alone could be changed on the way. Who holds the
//! secret says who decided; the desk's list of approvers names them as `webhook:NAME`.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::incoming::{Form, Rejected};
use super::recent::Recent;
use super::{
    CLICKS_MAX, COMMENT_CHARS_MAX, Channel, ChannelError, Click, Clock, DESK_MS_MAX, Desk, HASH_BYTES_MAX,
    ID_BYTES_MAX, NAME_CHARS_MAX, Notice, Patience, Refused, Scope, Secret, Settled, Taken, cut,
};
use crate::clock::Duration;
use crate::outbound::sign::Signer;
use crate::outbound::webhook::{SIGNATURE, SignedPost, TIMESTAMP};

const NAME: &str = "webhook";
/// Approvals that are remembered as settled, so that a late update does not open them again.
const SETTLED_MAX: usize = 1_024;
/// An answer is a few words. Danger: a body without end, before its signature can be checked.
const BODY_BYTES_MAX: usize = 16 << 10;
const FORM: Form =
    Form { content_type: "application/json", bytes_max: BODY_BYTES_MAX, timestamp: TIMESTAMP, signature: SIGNATURE };

/// Where it posts to, and the secret of both directions.
#[derive(Clone)]
pub struct WebhookSettings {
    pub url: String,
    pub secret: Secret,
    pub patience: Patience,
}

/// A channel to a program of the operator's.
pub struct Webhook {
    post: SignedPost,
    settled: Recent,
}

impl Webhook {
    /// # Errors
    /// The URL is not encrypted and not of this host, or the secret is too short.
    pub fn new(settings: WebhookSettings, clock: Clock) -> Result<Self, ChannelError> {
        let post = SignedPost::new(&settings.url, settings.secret, settings.patience, clock)?;
        Ok(Self { post, settled: Recent::new(SETTLED_MAX) })
    }

    /// Takes answers at `POST /approvals/ID`.
    pub fn router(&self, desk: Arc<dyn Desk>) -> Router {
        let entry = Entry { signer: self.post.signer.clone(), desk, room: Arc::new(Semaphore::new(CLICKS_MAX)) };
        Router::new().route("/approvals/{id}", post(answered)).with_state(entry)
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        NAME
    }

    async fn announce(&self, notice: &Notice) -> Result<String, ChannelError> {
        self.post.post(&json!({ "event": "pending", "notice": notice, "settled": null }), None).await?;
        Ok(json!({ "id": notice.id }).to_string())
    }

    async fn update(&self, _handle: &str, notice: &Notice, settled: Option<&Settled>) -> Result<(), ChannelError> {
        // The notice says which it is of, so that the handle is not needed.
        let event = if settled.is_some() { "settled" } else { "pending" };
        if settled.is_some() {
            self.settled.insert(&notice.id);
        } else if self.settled.contains(&notice.id) {
            return Ok(());
        }
        self.post.post(&json!({ "event": event, "notice": notice, "settled": settled }), None).await?;
        Ok(())
    }

    async fn check(&self) -> Result<String, ChannelError> {
        let status = self.post.post(&json!({ "event": "check" }), None).await?;
        Ok(format!("{}, which answers with status {}", self.post.target(), status.as_u16()))
    }

    async fn listen(&self, _desk: Arc<dyn Desk>) {
        std::future::pending::<()>().await;
    }
}

/// What a request is answered with.
#[derive(Clone)]
struct Entry {
    signer: Arc<Signer>,
    desk: Arc<dyn Desk>,
    room: Arc<Semaphore>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Approve,
    Deny,
}

/// Nothing else may stand in it: an event that this host itself signed must not pass for an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: String,
    decision: Verb,
    by: String,
    action_hash: String,
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    comment: String,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Outcome {
    Counted { votes: u32, needed: u32 },
    Settled { is_granted: bool, by: Vec<String>, reason: String },
}

async fn answered(
    State(entry): State<Entry>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> impl IntoResponse {
    let (status, answer) = match take(&entry, &id, &headers, body).await {
        Ok(outcome) => (StatusCode::OK, json!(outcome)),
        Err((status, error)) => (status, json!({ "error": error })),
    };
    (status, [(CONTENT_TYPE, FORM.content_type)], answer.to_string())
}

async fn take(entry: &Entry, id: &str, headers: &HeaderMap, body: Body) -> Result<Outcome, Rejected> {
    let body = FORM.read(&entry.signer, headers, body).await?;
    let said: Said = serde_json::from_slice(&body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body is not an answer to an approval: {error}")))?;
    let click = checked(id, said).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    // Only now: strangers who take their time must not take the room of those who hold the secret.
    let Ok(_permit) = entry.room.try_acquire() else {
        let error = "too many answers at a time; sign it anew and send it again";
        return Err((StatusCode::SERVICE_UNAVAILABLE, error.into()));
    };
    let taken = tokio::time::timeout(Duration::from_millis(DESK_MS_MAX), entry.desk.click(click)).await;
    match taken {
        Err(_) => Err((StatusCode::GATEWAY_TIMEOUT, "the host did not take the answer in time".into())),
        Ok(Err(Refused(why))) => Err((StatusCode::FORBIDDEN, why)),
        Ok(Ok(Taken::Counted { votes, needed })) => Ok(Outcome::Counted { votes, needed }),
        Ok(Ok(Taken::Settled(Settled { is_granted, by, reason }))) => Ok(Outcome::Settled { is_granted, by, reason }),
    }
}

fn checked(id: &str, said: Said) -> Result<Click, String> {
    if said.id != id {
        return Err("the `id` of the body is not that of the path".into());
    }
    if said.id.is_empty() || said.id.len() > ID_BYTES_MAX {
        return Err(format!("`id` must have 1 to {ID_BYTES_MAX} bytes"));
    }
    if said.action_hash.is_empty() || said.action_hash.len() > HASH_BYTES_MAX {
        return Err(format!("`action_hash` must have 1 to {HASH_BYTES_MAX} bytes"));
    }
    // A name with a blank or a hidden character could look like another person's.
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    if said.by.is_empty() || said.by.chars().count() > NAME_CHARS_MAX || !said.by.chars().all(is_name) {
        return Err(format!("`by` must have 1 to {NAME_CHARS_MAX} of: letters, digits, `-`, `_`, `.`, `@`, `+`"));
    }
    if matches!(said.scope, Scope::Rule { minutes: 0 }) {
        return Err("a `scope` of 0 minutes is over before it begins".into());
    }
    Ok(Click {
        id: said.id,
        action_hash: said.action_hash,
        by: format!("{NAME}:{}", said.by),
        name: said.by,
        is_granted: matches!(said.decision, Verb::Approve),
        scope: said.scope,
        comment: cut(&said.comment, COMMENT_CHARS_MAX),
    })
}
