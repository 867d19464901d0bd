//! A click, read from what Slack sends, put to the desk, and answered to the person who clicked.
//!
//! Whoever calls this has made sure that it comes from Slack: by the signature or by the web socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    COMMENT_CHARS_MAX, ChannelError, Click, DESK_MS_MAX, Desk, HASH_BYTES_MAX, ID_BYTES_MAX, NAME_CHARS_MAX, Refused,
    Scope, cut,
};
use super::message::{APPROVE_ONCE, APPROVE_SESSION, COMMENT, DENY, is_user};
use super::{NAME, Place, Shared};
use crate::clock::Duration;
use crate::gate::explain::escaped;

/// What is told to one person: a text of ours, and a reason of the desk's.
const TOLD_CHARS_MAX: usize = 600;

/// What Slack sends for a click; the rest of it is not needed.
#[derive(Deserialize)]
pub(super) struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    channel: Option<Named>,
    #[serde(default)]
    container: Option<Container>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<Action>,
    #[serde(default)]
    state: Option<State>,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    message_ts: Option<String>,
    #[serde(default)]
    channel_id: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    ts: String,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Default, Deserialize)]
struct State {
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

/// What a button of ours carries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    id: String,
    hash: String,
}

impl Interaction {
    /// The click, if it is one of ours; a text for the person, if it is one that cannot be read.
    fn click(&self) -> Option<Result<Click, String>> {
        let [action] = self.actions.as_slice() else { return None };
        let (is_granted, scope) = match action.action_id.as_str() {
            APPROVE_ONCE => (true, Scope::Once),
            APPROVE_SESSION => (true, Scope::Session),
            DENY => (false, Scope::Once),
            _ => return None,
        };
        if self.kind != "block_actions" {
            return None;
        }
        let bound = action.value.as_deref().and_then(|value| serde_json::from_str::<Bound>(value).ok());
        let Some(Bound { id, hash }) =
            bound.filter(|bound| bound.id.len() <= ID_BYTES_MAX && bound.hash.len() <= HASH_BYTES_MAX)
        else {
            return Some(Err("this button does not say what it belongs to".into()));
        };
        if !is_user(&self.user.id) {
            return Some(Err("Slack does not say who clicked".into()));
        }
        let name = self.user.name.as_deref().or(self.user.username.as_deref()).unwrap_or(&self.user.id);
        Some(Ok(Click {
            id,
            action_hash: hash,
            by: format!("{NAME}:{}", self.user.id),
            name: cut(name, NAME_CHARS_MAX),
            is_granted,
            scope,
            comment: cut(self.comment(), COMMENT_CHARS_MAX),
        }))
    }

    fn comment(&self) -> &str {
        let values = self.state.iter().flat_map(|state| state.values.values());
        values.filter_map(|block| block.get(COMMENT)?.get("value")?.as_str()).next().unwrap_or_default().trim()
    }

    /// Where the message stands that was clicked.
    fn place(&self) -> Option<Place> {
        let container = self.container.as_ref();
        let channel = self.channel.as_ref().map(|channel| &channel.id);
        let channel = channel.or_else(|| container?.channel_id.as_ref())?;
        let ts = container.and_then(|container| container.message_ts.as_ref());
        let ts = ts.or_else(|| Some(&self.message.as_ref()?.ts))?;
        Some(Place { channel: channel.clone(), ts: ts.clone() })
    }
}

/// Put the click to the desk, show in the message how it stands now, and tell the person if it did not count.
pub(super) async fn handle(shared: &Shared, desk: &Arc<dyn Desk>, interaction: &Interaction) {
    let Some(click) = interaction.click() else { return };
    let id = click.as_ref().ok().map(|click| click.id.clone());
    let refused = match click {
        Err(why) => Some(why),
        Ok(click) => match tokio::time::timeout(Duration::from_millis(DESK_MS_MAX), desk.click(click)).await {
            Ok(Ok(_)) => None,
            Ok(Err(Refused(why))) => Some(why),
            Err(_) => Some("the host did not take it in time; look with `pi-host approvals`".into()),
        },
    };
    if let Some(why) = &refused
        && let Err(error) = tell(shared, interaction, why).await
    {
        desk.trouble(NAME, Some(&error.to_string()));
    }
    // After a refusal as well: who clicks on what is over sees a message that was not updated.
    if let (Some(id), Some(place)) = (id, interaction.place())
        && let Err(error) = refresh(shared, desk, &id, &place).await
    {
        desk.trouble(NAME, Some(&error.to_string()));
    }
}

/// The approval is looked up while it is this message's turn, so that the last who writes knows the most.
async fn refresh(shared: &Shared, desk: &Arc<dyn Desk>, id: &str, place: &Place) -> Result<(), ChannelError> {
    let _turn = shared.writing.lock().await;
    let looked_up = tokio::time::timeout(Duration::from_millis(DESK_MS_MAX), desk.notice(id)).await;
    match looked_up {
        Ok(Some((notice, settled))) => shared.write(place, &notice, settled.as_ref()).await,
        _ => Ok(()),
    }
}

/// Tell the person who clicked, and nobody else.
async fn tell(shared: &Shared, interaction: &Interaction, why: &str) -> Result<(), ChannelError> {
    let text = cut(&escaped(why), TOLD_CHARS_MAX).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!(":warning: Your click did not count: {text}");
    if let Some(url) = &interaction.response_url {
        let body = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
        if let Some(Ok(())) = shared.api.respond(url, &body).await {
            return Ok(());
        }
    }
    let Some(place) = interaction.place() else { return Ok(()) };
    let body = json!({ "channel": place.channel, "user": interaction.user.id, "text": text });
    shared.api.call("chat.postEphemeral", body).await.map(|_| ())
}
