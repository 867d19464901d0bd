//! Clicks by signed HTTP: `POST /slack/interactions`.
//!
//! Slack waits three seconds for an answer, so that a click is answered as soon as it is known to be
//! Slack's, and worked on afterwards.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use super::super::incoming::{Form, Rejected};
use super::super::{Clock, Desk, Secret};
use super::Shared;
use super::interaction::{self, Interaction};
use crate::outbound::sign::Signer;

const VERSION: &str = "v0";
const FORM: Form = Form {
    content_type: "application/x-www-form-urlencoded",
    // A click comes with the whole message that was clicked, encoded.
    bytes_max: 256 << 10,
    timestamp: "x-slack-request-timestamp",
    signature: "x-slack-signature",
};

#[derive(Clone)]
struct Entry {
    shared: Arc<Shared>,
    signer: Arc<Signer>,
    desk: Arc<dyn Desk>,
}

pub(super) fn router(shared: Arc<Shared>, secret: Secret, clock: Clock, desk: Arc<dyn Desk>) -> Router {
    let signer = Arc::new(Signer::new(VERSION, secret, clock));
    Router::new().route("/slack/interactions", post(interacted)).with_state(Entry { shared, signer, desk })
}

async fn interacted(State(entry): State<Entry>, headers: HeaderMap, body: Body) -> Rejected {
    match take(&entry, &headers, body).await {
        // Slack shows the person whatever else the body says.
        Ok(()) => (StatusCode::OK, String::new()),
        Err(rejected) => rejected,
    }
}

async fn take(entry: &Entry, headers: &HeaderMap, body: Body) -> Result<(), Rejected> {
    let body = FORM.read(&entry.signer, headers, body).await?;
    let payload = form_urlencoded::parse(&body).find(|(name, _)| name == "payload").map(|(_, value)| value);
    let interaction: Interaction = payload
        .as_deref()
        .and_then(|payload| serde_json::from_str(payload).ok())
        .ok_or_else(|| (StatusCode::BAD_REQUEST, "there is no `payload` of an interaction".to_owned()))?;
    // Only now: strangers who take their time must not take the room of those who are known.
    let Ok(permit) = entry.shared.room.clone().try_acquire_owned() else {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "too many clicks at a time; click again".into()));
    };
    let entry = entry.clone();
    tokio::spawn(async move {
        interaction::handle(&entry.shared, &entry.desk, &interaction).await;
        drop(permit);
    });
    Ok(())
}
