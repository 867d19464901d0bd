//! A message in a channel of Slack; pictures and pages go into its thread, so that the channel stays readable.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Claim, Parcel, Route, Sheet, setting};
use crate::clock;
use crate::gate::explain::escaped;
use crate::outbound::slack::Api;
use crate::outbound::{ChannelError, Patience, Secret, cut};

/// Slack's limits of a header, of a section, and of blocks in a message.
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3_000;
const BLOCKS_MAX: usize = 50;
/// Slack refuses messages whose texts are longer together.
const MESSAGE_CHARS_MAX: usize = 12_000;
/// Claims in the message; the page has all of them.
const CLAIMS_MAX: usize = 10;
const CLAIM_CHARS_MAX: usize = 250;
/// Pictures in the thread.
const PICTURES_MAX: usize = 6;

/// Posts parcels.
pub struct Slack {
    api: Api,
    channel: String,
}

impl Slack {
    /// # Errors
    /// A setting is missing or is of another kind.
    pub fn new(channel: &str, bot_token: Secret, api_url: &str, patience: Patience) -> Result<Self, ChannelError> {
        if !bot_token.expose().starts_with("xoxb-") {
            let hint = "it stands under `OAuth & Permissions` of the app, as `Bot User OAuth Token`";
            return Err(setting("Slack's bot token", "it does not begin with `xoxb-`", hint));
        }
        Ok(Self { api: Api::new(api_url, bot_token, None, patience)?, channel: channel.to_owned() })
    }

    /// Bring pictures and pages into the thread of a message.
    async fn attach(&self, parcel: &Parcel, channel: &str, thread: &str) -> Result<(), ChannelError> {
        let pages = parcel.sheets.iter().filter(|sheet| !sheet.page.is_empty());
        let pages = pages.map(|sheet| (sheet.page_name(), sheet.title.as_str(), "", sheet.page.as_slice()));
        let pictures = parcel.bitmaps().take(PICTURES_MAX).map(|picture| {
            let title = picture.alternative.as_str();
            (picture.name.clone(), title, title, picture.bytes.as_slice())
        });
        let mut files = Vec::new();
        for (name, title, alternative, bytes) in pictures.chain(pages) {
            let id = self.api.upload(&name, &cut(alternative, 1_000), bytes).await?;
            files.push(json!({ "id": id, "title": cut(&escaped(title), HEADER_CHARS_MAX) }));
        }
        if files.is_empty() {
            return Ok(());
        }
        let body = json!({ "files": files, "channel_id": channel, "thread_ts": thread });
        self.api.call("files.completeUploadExternal", body).await.map(|_| ())
    }
}

#[async_trait]
impl Route for Slack {
    fn target(&self) -> String {
        format!("Slack's channel {}", escaped(&self.channel))
    }

    fn wants_bitmaps(&self) -> bool {
        true
    }

    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError> {
        let posted = self.api.call("chat.postMessage", message(&self.channel, parcel)).await?;
        let text = |key: &str| posted.get(key).and_then(Value::as_str).unwrap_or_default();
        let (channel, ts) = (text("channel"), text("ts"));
        // The message is there: to send all of it again would be worse than to go without pictures.
        Ok(match self.attach(parcel, channel, ts).await {
            Ok(()) => format!("message {ts} in {channel}"),
            Err(error) => format!("message {ts} in {channel}, without pictures: {error}"),
        })
    }
}

fn message(channel: &str, parcel: &Parcel) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&escaped(&parcel.title), HEADER_CHARS_MAX - 1), "emoji": false },
    })];
    let (mut room, mut left) = (MESSAGE_CHARS_MAX, 0);
    for sheet in &parcel.sheets {
        let claims = sheet.claims.iter().take(CLAIMS_MAX);
        let size = claims.map(|claim| claim.text.chars().count().min(CLAIM_CHARS_MAX) + 30).sum::<usize>()
            + sheet.summary.chars().count().min(SECTION_CHARS_MAX)
            + sheet.title.chars().count().min(HEADER_CHARS_MAX)
            + 250;
        if size > room || blocks.len() + 5 > BLOCKS_MAX {
            left += 1;
            continue;
        }
        room -= size;
        if parcel.sheets.len() > 1 {
            blocks.push(rich(&json!({ "type": "rich_text_section", "elements": [bold(&sheet.title)] })));
        }
        blocks.push(section(&sheet.summary));
        if !sheet.claims.is_empty() {
            blocks.push(rich(&list(&sheet.claims)));
        }
        blocks.push(context(&reference(parcel, sheet)));
    }
    if left > 0 {
        blocks.push(context(&format!("{left} more than a message holds: `pi-host report list` has all of them")));
    }
    json!({
        "channel": channel, "text": cut(&safe(&parcel.title), HEADER_CHARS_MAX), "blocks": blocks,
        "unfurl_links": false, "unfurl_media": false,
        "metadata": { "event_type": "pi_host_report", "event_payload": { "key": parcel.key } },
    })
}

/// The claims as a numbered list. Its texts are no markup: Slack shows them as they are.
fn list(claims: &[Claim]) -> Value {
    let mut lines: Vec<Value> = claims
        .iter()
        .take(CLAIMS_MAX)
        .map(|claim| {
            let text = format!(" {}", cut(&claim.text, CLAIM_CHARS_MAX));
            json!({ "type": "rich_text_section", "elements": [bold(&claim.severity), words(&text)] })
        })
        .collect();
    if claims.len() > CLAIMS_MAX {
        let more = format!("and {} more", claims.len() - CLAIMS_MAX);
        lines.push(json!({ "type": "rich_text_section", "elements": [words(&more)] }));
    }
    json!({ "type": "rich_text_list", "style": "ordered", "elements": lines })
}

fn reference(parcel: &Parcel, sheet: &Sheet) -> String {
    let (sender, when) = (safe(&parcel.sender), clock::rfc3339(sheet.created_ms));
    match sheet.report.as_str() {
        "" => format!("{sender}, {when}"),
        report => format!("{sender}, {when}. `pi-host report show {report}`, `pi-host report mute {report} N`"),
    }
}

fn rich(element: &Value) -> Value {
    json!({ "type": "rich_text", "elements": [element] })
}

fn words(text: &str) -> Value {
    json!({ "type": "text", "text": escaped(text) })
}

fn bold(text: &str) -> Value {
    let text = match escaped(&cut(text, HEADER_CHARS_MAX)) {
        // Slack takes no empty text.
        text if text.is_empty() => "-".to_owned(),
        text => text,
    };
    json!({ "type": "text", "text": text, "style": { "bold": true } })
}

fn section(text: &str) -> Value {
    let text = match cut(&escaped(text), SECTION_CHARS_MAX - 1) {
        text if text.is_empty() => "-".to_owned(),
        text => text,
    };
    json!({ "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false } })
}

fn context(text: &str) -> Value {
    let text = cut(text, SECTION_CHARS_MAX - 1);
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text, "verbatim": true }] })
}

/// Text that Slack shows and does not obey, where it reads markup.
fn safe(text: &str) -> String {
    escaped(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_would_obey_is_shown() {
        let claim = Claim { severity: "high".into(), text: "<!channel> & *all* <https://x|y>".into() };
        let sheet = Sheet { summary: "<@U1>".into(), claims: vec![claim], ..Sheet::default() };
        let message = message("C1", &Parcel { title: "<!here>".into(), sheets: vec![sheet], ..Parcel::default() });
        assert_eq!(message["text"], "&lt;!here&gt;");
        // Nothing of it is read as markup.
        for block in message["blocks"].as_array().unwrap() {
            let is_markup = block.to_string().contains("mrkdwn");
            assert!(!is_markup || !block.to_string().contains("<!"), "{block}");
        }
        assert!(message.to_string().contains("<!channel> & *all* <https://x|y>"));
    }

    #[test]
    fn a_message_is_within_slacks_limits() {
        let claim = Claim { severity: "high".into(), text: "<".repeat(5_000) };
        let sheet = Sheet { summary: "&".repeat(5_000), claims: vec![claim; 40], ..Sheet::default() };
        let parcel = Parcel { title: "t".repeat(900), sheets: vec![sheet; 60], ..Parcel::default() };
        let message = message("C1", &parcel);
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= BLOCKS_MAX);
        for block in blocks {
            let text = block.pointer("/text/text").or(block.pointer("/elements/0/text")).and_then(Value::as_str);
            let Some(text) = text else { continue };
            let most = if block["type"] == "header" { HEADER_CHARS_MAX } else { SECTION_CHARS_MAX };
            assert!(text.chars().count() <= most, "{}", text.chars().count());
        }
    }
}
