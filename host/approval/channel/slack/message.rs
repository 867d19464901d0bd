//! A pending approval as a Slack message, in Block Kit.
//!
//! Whatever an agent may have written stands in a code block or a code span, with everything escaped
//! that Slack would read as its own: `&`, `<` and `>` (mentions, links, dates), runs of backticks (they
//! end a block), and characters that nobody sees. Outside of code stand only words of this file, so
//! that a command cannot draw a second message into its own. A command that does not fit is cut, and
//! then there is no button to approve it: nobody approves what they could not read.

use serde_json::{Map, Value, json};

use super::super::{Notice, Settled, Vote, cut};
use crate::clock;
use crate::gate::explain::escaped;

/// Slack refuses a block whose text has more than 3,000 characters. Counted in bytes, which are never
/// fewer, with room for what stands around the code.
const BLOCK_BYTES_MAX: usize = 2_800;
/// Slack refuses messages of about 13,200 characters over all blocks, and of less than that where
/// characters become names of emoji. Of these the act takes the most:
const ACT_BYTES_MAX: usize = 5_800;
/// and what explains it the rest.
const EFFECTS_BYTES_MAX: usize = 800;
const REASONS_BYTES_MAX: usize = 1_000;
const VOTES_MAX: usize = 6;
const APPROVERS_MAX: usize = 10;
const COMMENT_BYTES_MAX: usize = 100;
/// A name in the line of facts.
const LABEL_BYTES_MAX: usize = 80;
const SUMMARY_BYTES_MAX: usize = 200;
/// Slack takes 300 characters of a dialog's text.
const CONFIRMED_CHARS_MAX: usize = 140;
/// Why it ended.
const ENDED_BYTES_MAX: usize = 300;
/// What is shown of the hash: enough to compare two.
const HASH_BYTES_SHOWN: usize = 16;
/// What a person may type as a comment.
const TYPED_CHARS_MAX: usize = 500;

pub(super) const APPROVE_ONCE: &str = "pi_approve_once";
pub(super) const APPROVE_SESSION: &str = "pi_approve_session";
pub(super) const DENY: &str = "pi_deny";
pub(super) const COMMENT: &str = "pi_comment";

/// The message while nobody has decided: `text` and `blocks`.
pub(super) fn pending(notice: &Notice) -> Map<String, Value> {
    let mut blocks = vec![header("Approval needed")];
    let is_whole = act(notice, &mut blocks);
    explained(notice, &mut blocks);
    votes(&notice.votes, &mut blocks);
    let count = notice.votes.iter().filter(|vote| vote.is_granted).count();
    let needed = match notice.votes_needed {
        0 | 1 => "one approval is needed".to_owned(),
        more => format!("{count} of {more} approvals"),
    };
    blocks.push(context(&format!("Until {} · {needed} · {}", date(notice.expires_at_ms), reference(notice))));
    // Named, so that Slack tells those whose turn it is.
    let may: Vec<String> = notice.approvers.iter().take(APPROVERS_MAX).map(|name| person(name)).collect();
    if !may.is_empty() {
        blocks.push(context(&format!("May decide: {}", may.join(", "))));
    }
    if !is_whole {
        blocks.push(elsewhere(notice));
    }
    blocks.push(comment());
    blocks.push(buttons(notice, is_whole));
    message(format!("Approval needed, risk {} of 100: {}", notice.risk, line(&notice.summary)), blocks)
}

/// The message when it is over: who decided, and no buttons.
pub(super) fn settled(notice: &Notice, settled: &Settled) -> Map<String, Value> {
    let title = title(settled);
    let mut blocks = vec![header(title), section(&verdict(settled))];
    act(notice, &mut blocks);
    explained(notice, &mut blocks);
    votes(&notice.votes, &mut blocks);
    blocks.push(context(&reference(notice)));
    message(format!("{title}: {}", line(&notice.summary)), blocks)
}

/// The message where Slack refuses the whole one: that there is something, and where to see it.
pub(super) fn brief(notice: &Notice, settled: Option<&Settled>) -> Map<String, Value> {
    match settled {
        Some(settled) => {
            let title = title(settled);
            message(
                format!("{title}: {}", line(&notice.summary)),
                vec![header(title), section(&verdict(settled)), context(&reference(notice))],
            )
        }
        None => message(
            format!("Approval needed, risk {} of 100: {}", notice.risk, line(&notice.summary)),
            vec![header("Approval needed"), elsewhere(notice), context(&reference(notice)), buttons(notice, false)],
        ),
    }
}

fn title(settled: &Settled) -> &'static str {
    if settled.is_granted { "Approved" } else { "Not approved" }
}

/// How it ended, and by whom.
fn verdict(settled: &Settled) -> String {
    let sign = if settled.is_granted { ":white_check_mark:" } else { ":no_entry:" };
    let mut verdict = format!("{sign} *{}*", title(settled));
    if !settled.by.is_empty() {
        let by: Vec<String> = settled.by.iter().take(VOTES_MAX).map(|by| person(by)).collect();
        verdict.push_str(&format!(" by {}", by.join(", ")));
    }
    if !settled.reason.is_empty() {
        verdict.push_str(&format!(": {}", span(&settled.reason, ENDED_BYTES_MAX)));
    }
    verdict
}

/// Where to see and to approve what is not shown in full.
fn elsewhere(notice: &Notice) -> Value {
    section(&format!(
        ":warning: The act is too long to be shown here in full, so that it cannot be approved here. See it with \
         `pi-host approvals show {0}`, then `pi-host approvals approve {0}`.",
        fitted(&notice.id, LABEL_BYTES_MAX)
    ))
}

/// What is to be done. Whether all of it is shown.
fn act(notice: &Notice, blocks: &mut Vec<Value>) -> bool {
    blocks.push(section(&format!(
        "{} *Risk {} of 100* · agent {} · host {} · run {}",
        square(notice.risk),
        notice.risk,
        span(&notice.agent, LABEL_BYTES_MAX),
        span(&notice.host, LABEL_BYTES_MAX),
        span(&notice.session, LABEL_BYTES_MAX),
    )));
    let mut room = ACT_BYTES_MAX;
    let mut is_whole = !notice.is_partial;
    is_whole &= code("What it does", &notice.command, &mut room, blocks);
    if let Some(directory) = &notice.directory {
        is_whole &= code("In the folder", directory, &mut room, blocks);
    }
    if !notice.decoded.is_empty() {
        is_whole &= code("Decoded", &notice.decoded.join("\n"), &mut room, blocks);
    }
    is_whole
}

/// Why it is asked.
fn explained(notice: &Notice, blocks: &mut Vec<Value>) {
    if !notice.effects.is_empty() {
        let effects: Vec<String> = notice.effects.iter().map(|effect| format!("- {}", escaped(effect))).collect();
        code("Effects", &effects.join("\n"), &mut { EFFECTS_BYTES_MAX }, blocks);
    }
    let mut reasons = vec![escaped(&notice.reason)];
    for (name, points, detail) in &notice.evidence {
        reasons.push(format!("+{points} {}: {}", escaped(name), escaped(detail)));
    }
    if !notice.advice.is_empty() {
        reasons.push(format!("safer: {}", escaped(&notice.advice)));
    }
    code("Why it is asked", &reasons.join("\n"), &mut { REASONS_BYTES_MAX }, blocks);
}

fn votes(votes: &[Vote], blocks: &mut Vec<Value>) {
    if votes.is_empty() {
        return;
    }
    let mut text = String::from("*Answers*");
    for vote in votes.iter().take(VOTES_MAX) {
        let verb = if vote.is_granted { "approved" } else { "denied" };
        text.push_str(&format!("\n• {} {verb}, {}", person(&vote.by), date(vote.at_ms)));
        if !vote.comment.is_empty() {
            text.push_str(&format!(": {}", span(&vote.comment, COMMENT_BYTES_MAX)));
        }
    }
    if votes.len() > VOTES_MAX {
        text.push_str(&format!("\n• and {} more", votes.len() - VOTES_MAX));
    }
    blocks.push(section(&text));
}

fn comment() -> Value {
    json!({
        "type": "input",
        "optional": true,
        "label": plain("Comment"),
        "element": {
            "type": "plain_text_input",
            "action_id": COMMENT,
            "max_length": TYPED_CHARS_MAX,
            "placeholder": plain("why, for the record"),
        },
    })
}

fn buttons(notice: &Notice, is_whole: bool) -> Value {
    let value = json!({ "id": notice.id, "hash": notice.action_hash }).to_string();
    let button = |action: &str, text: &str, style: Option<&str>, title: &str, confirm: &str| {
        let mut button = json!({
            "type": "button",
            "action_id": action,
            "text": plain(text),
            "value": value,
            "confirm": {
                "title": plain(title),
                "text": plain(&cut(&escaped(&notice.summary), CONFIRMED_CHARS_MAX)),
                "confirm": plain(confirm),
                "deny": plain("Back"),
            },
        });
        if let (Some(style), Some(fields)) = (style, button.as_object_mut()) {
            fields.insert("style".into(), json!(style));
        }
        button
    };
    let mut elements = Vec::new();
    if is_whole {
        elements.push(button(APPROVE_ONCE, "Approve once", Some("primary"), "Approve this once?", "Approve"));
        let title = "Approve for this session?";
        elements.push(button(APPROVE_SESSION, "Approve for this session", None, title, "Approve"));
    }
    elements.push(button(DENY, "Deny", Some("danger"), "Deny this?", "Deny"));
    json!({ "type": "actions", "elements": elements })
}

/// Code under a title, in as many blocks as it takes, within the room that is left. Whether all of it fits.
fn code(title: &str, text: &str, room: &mut usize, blocks: &mut Vec<Value>) -> bool {
    let (parts, left_out) = parts(text, *room);
    for (number, part) in parts.iter().enumerate() {
        *room = room.saturating_sub(part.len());
        let title = if number == 0 { format!("*{title}*\n") } else { String::new() };
        blocks.push(section(&format!("{title}```\n{part}\n```")));
    }
    if left_out > 0 {
        blocks.push(section(&format!("_and {left_out} characters more, which are not shown_")));
    }
    left_out == 0
}

/// The text as it may stand in code blocks, in parts that fit one each, and how many characters of it
/// do not fit the room. A part ends at the end of a line where it can, never within an escape.
fn parts(text: &str, room: usize) -> (Vec<String>, usize) {
    if text.is_empty() {
        return (vec!["(nothing)".into()], 0);
    }
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut used = 0;
    let mut shown = 0;
    let mut ticks = 0;
    for c in text.chars() {
        let safe = in_code(c, &mut ticks);
        if used + safe.len() > room {
            break;
        }
        if part.len() + safe.len() > BLOCK_BYTES_MAX {
            let rest = match part.rfind('\n') {
                Some(end) => {
                    let rest = part.split_off(end + 1);
                    part.pop();
                    rest
                }
                None => String::new(),
            };
            parts.push(std::mem::replace(&mut part, rest));
        }
        used += safe.len();
        shown += 1;
        part.push_str(&safe);
    }
    if !part.is_empty() || parts.is_empty() {
        parts.push(part);
    }
    (parts, text.chars().count() - shown)
}

/// A character as it may stand in a code block. The third backtick in a row would end the block.
fn in_code(c: char, ticks: &mut usize) -> String {
    *ticks = if c == '`' { *ticks + 1 } else { 0 };
    match c {
        '\n' => "\n".into(),
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '`' if *ticks == 3 => {
            *ticks = 0;
            "\\u{60}".into()
        }
        c => escaped(c.encode_utf8(&mut [0; 4])),
    }
}

/// Text of one line in a code span.
fn span(text: &str, bytes_max: usize) -> String {
    let safe = fitted(text, bytes_max);
    format!("`{}`", if safe.trim().is_empty() { "-" } else { &safe })
}

/// Text of one line for a notification, which shows no code.
fn line(text: &str) -> String {
    fitted(text, SUMMARY_BYTES_MAX)
}

/// Text of one line, escaped and without backticks, cut so that it has no more bytes than these and a mark.
fn fitted(text: &str, bytes_max: usize) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        let piece = match c {
            '`' => "'".into(),
            '\n' => "\\n".into(),
            c => in_code(c, &mut 0),
        };
        if safe.len() + piece.len() > bytes_max {
            safe.push('…');
            break;
        }
        safe.push_str(&piece);
    }
    safe
}

/// A person of Slack as Slack shows them; anybody else by what they are called.
fn person(by: &str) -> String {
    match by.strip_prefix("slack:") {
        Some(id) if is_user(id) => format!("<@{id}>"),
        _ => span(by, LABEL_BYTES_MAX),
    }
}

pub(super) fn is_user(id: &str) -> bool {
    (2..=32).contains(&id.len())
        && id.starts_with(['U', 'W'])
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// In the reader's own time zone; in UTC where Slack cannot.
fn date(time_ms: i64) -> String {
    let time_ms = u64::try_from(time_ms).unwrap_or_default();
    format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{}>", time_ms / 1_000, clock::rfc3339(time_ms))
}

fn reference(notice: &Notice) -> String {
    format!("{} · act {}", span(&notice.id, LABEL_BYTES_MAX), span(&notice.action_hash, HASH_BYTES_SHOWN))
}

/// The squares of the scale: what is seen before anything is read.
fn square(risk: u8) -> &'static str {
    match risk {
        0..=29 => ":large_green_square:",
        30..=59 => ":large_yellow_square:",
        60..=79 => ":large_orange_square:",
        _ => ":large_red_square:",
    }
}

fn message(text: String, blocks: Vec<Value>) -> Map<String, Value> {
    Map::from_iter([("text".to_owned(), Value::from(text)), ("blocks".to_owned(), Value::from(blocks))])
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(text) })
}

/// `expand`: Slack would fold what is long, and people would approve what is folded.
fn section(text: &str) -> Value {
    json!({ "type": "section", "expand": true, "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text, "verbatim": true }] })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            id: "a-7f3k2q".into(),
            host: "web-1".into(),
            agent: "sre".into(),
            session: "s-1".into(),
            summary: "run `rm -rf /srv/data`".into(),
            command: "rm -rf /srv/data".into(),
            directory: Some("/srv".into()),
            decoded: vec!["rm -rf /".into()],
            effects: vec!["removes `/srv/data` and all below it".into()],
            risk: 62,
            reason: "it removes a folder".into(),
            advice: "move it away".into(),
            evidence: vec![("removes_tree".into(), 62, "`/srv/data`".into())],
            action_hash: "0123456789abcdef".repeat(4),
            expires_at_ms: 1_700_000_000_000,
            votes_needed: 2,
            votes: vec![Vote {
                by: "slack:U1".into(),
                is_granted: true,
                at_ms: 1_699_999_999_000,
                comment: "ok <!here>".into(),
            }],
            approvers: Vec::new(),
            is_partial: false,
        }
    }

    fn blocks(message: &Map<String, Value>) -> Vec<Value> {
        message["blocks"].as_array().unwrap().clone()
    }

    fn text(message: &Map<String, Value>) -> String {
        let texts = blocks(message).into_iter().filter_map(|block| {
            let text = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text"))?;
            text.as_str().map(str::to_owned)
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    fn actions(message: &Map<String, Value>) -> Vec<String> {
        let blocks = blocks(message);
        let Some(block) = blocks.iter().find(|block| block["type"] == "actions") else { return Vec::new() };
        block["elements"].as_array().unwrap().iter().map(|e| e["action_id"].as_str().unwrap().to_owned()).collect()
    }

    /// What Slack refuses.
    fn assert_within_limits(message: &Map<String, Value>) {
        let blocks = blocks(message);
        assert!(blocks.len() <= 50, "{} blocks", blocks.len());
        let mut sum = 0;
        for block in &blocks {
            if let Some(text) = block.pointer("/text/text").and_then(Value::as_str) {
                let limit = if block["type"] == "header" { 150 } else { 3_000 };
                assert!((1..=limit).contains(&text.len()), "{}: {}", block["type"], text.len());
                sum += text.len();
            }
            for element in block["elements"].as_array().into_iter().flatten() {
                assert!(element["value"].as_str().unwrap_or_default().len() <= 2_000);
                let confirm = &element["confirm"];
                assert!(confirm["title"]["text"].as_str().unwrap_or_default().chars().count() <= 100);
                assert!(confirm["text"]["text"].as_str().unwrap_or_default().chars().count() <= 300);
                assert!(confirm["confirm"]["text"].as_str().unwrap_or_default().chars().count() <= 30);
            }
        }
        assert!(sum < 11_000, "{sum}");
    }

    #[test]
    fn who_may_decide_is_named() {
        let approvers = vec!["slack:U1".into(), "cli:*".into()];
        let message = Value::from(pending(&Notice { approvers, ..notice() })).to_string();
        assert!(message.contains("May decide: <@U1>, `cli:*`"), "{message}");
    }

    #[test]
    fn what_is_not_shown_in_full_cannot_be_approved_here() {
        assert_eq!(actions(&pending(&Notice { is_partial: true, ..notice() })), [DENY]);
    }

    #[test]
    fn a_pending_message_tells_everything() {
        let message = pending(&notice());
        assert_within_limits(&message);
        assert_eq!(
            text(&message),
            "Approval needed\n\
             :large_orange_square: *Risk 62 of 100* · agent `sre` · host `web-1` · run `s-1`\n\
             *What it does*\n```\nrm -rf /srv/data\n```\n\
             *In the folder*\n```\n/srv\n```\n\
             *Decoded*\n```\nrm -rf /\n```\n\
             *Effects*\n```\n- removes `/srv/data` and all below it\n```\n\
             *Why it is asked*\n```\nit removes a folder\n+62 removes_tree: `/srv/data`\nsafer: move it away\n```\n\
             *Answers*\n• <@U1> approved, <!date^1699999999^{date_short_pretty} {time_secs}|2023-11-14T22:13:19.000Z>: \
             `ok &lt;!here&gt;`\n\
             Until <!date^1700000000^{date_short_pretty} {time_secs}|2023-11-14T22:13:20.000Z> · 1 of 2 approvals · \
             `a-7f3k2q` · act `0123456789abcdef…`"
        );
        assert_eq!(actions(&message), [APPROVE_ONCE, APPROVE_SESSION, DENY]);
    }

    #[test]
    fn a_button_carries_the_id_and_the_hash_and_asks_again() {
        let message = pending(&notice());
        let blocks = blocks(&message);
        let block = blocks.iter().find(|block| block["type"] == "actions").unwrap();
        for button in block["elements"].as_array().unwrap() {
            let value: Value = serde_json::from_str(button["value"].as_str().unwrap()).unwrap();
            assert_eq!(value, json!({ "id": "a-7f3k2q", "hash": "0123456789abcdef".repeat(4) }));
            assert_eq!(button["confirm"]["text"]["text"], "run `rm -rf /srv/data`");
        }
    }

    #[test]
    fn a_settled_message_says_who_and_has_no_buttons() {
        let settled = settled(
            &notice(),
            &Settled { is_granted: false, by: vec!["slack:U1".into(), "terminal".into()], reason: "no".into() },
        );
        assert_within_limits(&settled);
        assert!(text(&settled).starts_with("Not approved\n:no_entry: *Not approved* by <@U1>, `terminal`: `no`\n"));
        assert!(actions(&settled).is_empty() && blocks(&settled).iter().all(|block| block["type"] != "input"));
        assert_eq!(settled["text"], "Not approved: run 'rm -rf /srv/data'");
    }

    #[test]
    fn what_slack_would_obey_is_escaped_everywhere() {
        let evil =
            "<!channel> <https://evil.example|safe> ``` `x` ````` & \u{202e}\u{200b}\u{1b}[2K *bold* :eyes:\nRisk 0";
        let notice = Notice {
            id: evil.into(),
            host: evil.into(),
            agent: evil.into(),
            session: evil.into(),
            summary: evil.into(),
            command: evil.into(),
            directory: Some(evil.into()),
            decoded: vec![evil.into()],
            effects: vec![evil.into()],
            reason: evil.into(),
            advice: evil.into(),
            evidence: vec![(evil.into(), 1, evil.into())],
            action_hash: evil.into(),
            votes: vec![Vote { by: format!("slack:{evil}"), is_granted: true, at_ms: 0, comment: evil.into() }],
            ..notice()
        };
        let end = Settled { is_granted: true, by: vec![evil.into()], reason: evil.into() };
        for message in [pending(&notice), settled(&notice, &end)] {
            assert_within_limits(&message);
            let mut all = vec![message["text"].as_str().unwrap().to_owned()];
            for block in blocks(&message) {
                let Some(text) = block.pointer("/text/text").or_else(|| block.pointer("/elements/0/text")) else {
                    continue;
                };
                let Some(text) = text.as_str() else { continue };
                // Outside of code nothing is left of what came from elsewhere.
                let mut outside = String::new();
                let mut rest = text;
                while let Some(start) = rest.find('`') {
                    outside.push_str(&rest[..start]);
                    let fence = if rest[start..].starts_with("```") { "```" } else { "`" };
                    rest = &rest[start + fence.len()..];
                    let end = rest.find(fence).expect("code is closed");
                    rest = &rest[end + fence.len()..];
                }
                outside.push_str(rest);
                for word in ["bold", "eyes", "evil", "Risk 0", "channel"] {
                    assert!(!outside.contains(word), "{word}: {outside}");
                }
                all.push(text.to_owned());
            }
            let all = all.join("\n").replace("<!date^", "");
            for piece in ["<!", "<h", "\u{202e}", "\u{200b}", "\u{1b}", "````"] {
                assert!(!all.contains(piece), "{piece:?} in {all}");
            }
        }
    }

    #[test]
    fn a_long_command_is_split_at_lines_and_stays_whole() {
        let command: String = (0..150).map(|number| format!("echo {number} && touch file-{number}\n")).collect();
        let message = pending(&Notice { command: command.clone(), ..notice() });
        assert_within_limits(&message);
        let shown: Vec<String> = blocks(&message)
            .iter()
            .filter_map(|block| block.pointer("/text/text")?.as_str().map(str::to_owned))
            .filter(|text| text.contains("touch"))
            .collect();
        assert!(shown.len() >= 2);
        let joined: Vec<&str> = shown
            .iter()
            .map(|text| {
                text.trim_start_matches("*What it does*\n").trim_start_matches("```\n").trim_end_matches("\n```")
            })
            .collect();
        assert_eq!(joined.join("\n").replace("&amp;", "&"), command);
        assert_eq!(actions(&message).len(), 3);
    }

    #[test]
    fn what_cannot_be_shown_in_full_cannot_be_approved() {
        for command in ["x".repeat(1 << 20), "<".repeat(3_000), "\u{1b}".repeat(2_000), "🙂\n".repeat(5_000)] {
            let message = pending(&Notice { command, ..notice() });
            assert_within_limits(&message);
            assert_eq!(actions(&message), [DENY]);
            assert!(text(&message).contains("characters more, which are not shown"));
            assert!(text(&message).contains("`pi-host approvals approve a-7f3k2q`"));
        }
        let decoded = vec!["x".repeat(ACT_BYTES_MAX)];
        assert_eq!(actions(&pending(&Notice { decoded, ..notice() })), [DENY]);
    }

    #[test]
    fn an_act_at_the_limit_is_still_shown() {
        let command = "x".repeat(ACT_BYTES_MAX);
        let notice = Notice { directory: None, decoded: Vec::new(), ..notice() };
        let message = pending(&Notice { command: command.clone(), ..notice.clone() });
        assert_within_limits(&message);
        assert_eq!(actions(&message).len(), 3);
        assert_eq!(actions(&pending(&Notice { command: command + "x", ..notice })), [DENY]);
    }

    #[test]
    fn a_message_that_is_full_everywhere_is_within_the_limits() {
        for piece in ["&", "<", "x", "\u{202e}", "`", "🙂", "\n", ":eyes:"] {
            let text = || piece.repeat(3_000);
            let vote = Vote { by: text(), is_granted: true, at_ms: i64::MAX, comment: text() };
            let notice = Notice {
                id: text(),
                host: text(),
                agent: text(),
                session: text(),
                summary: text(),
                command: text(),
                directory: Some(text()),
                decoded: vec![text(); 100],
                effects: vec![text(); 100],
                reason: text(),
                advice: text(),
                evidence: vec![(text(), 255, text()); 100],
                expires_at_ms: i64::MIN,
                votes_needed: u32::MAX,
                votes: vec![vote; 100],
                ..notice()
            };
            assert_within_limits(&settled(
                &notice,
                &Settled { is_granted: true, by: vec![text(); 100], reason: text() },
            ));
            let notice = Notice { id: notice.id.chars().take(64).collect(), ..notice };
            assert_within_limits(&pending(&notice));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_command_that_is_shown_whole_reads_as_it_is(command in "[a-z<>&;`$ \n]{1,3000}") {
            let (parts, left_out) = parts(&command, usize::MAX);
            proptest::prop_assert_eq!(left_out, 0);
            proptest::prop_assert!(parts.iter().all(|part| part.len() <= BLOCK_BYTES_MAX && !part.contains("```")));
            // Parts are split at the ends of lines, or, in a line that is longer than a block, anywhere.
            let read = |text: &str| {
                text.replace("\\u{60}", "`").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            };
            let shown: String = parts.iter().map(|part| read(part)).collect();
            proptest::prop_assert_eq!(shown.replace('\n', ""), command.replace('\n', ""));
        }

        #[test]
        fn no_text_gets_out_of_its_code(text in ".{0,400}") {
            let (parts, _) = parts(&text, usize::MAX);
            for safe in parts.iter().map(String::as_str).chain([&*fitted(&text, 100), &*fitted(&text, 2_000)]) {
                proptest::prop_assert!(!safe.contains("```") && !safe.contains(['<', '>']), "{safe}");
                proptest::prop_assert!(!safe.chars().any(|c| c != '\n' && (c.is_control() || crate::gate::explain::is_hidden(c))));
            }
            proptest::prop_assert!(!fitted(&text, 100).contains(['`', '\n']) && fitted(&text, 100).len() <= 103);
        }
    }

    #[test]
    fn only_ids_of_users_become_mentions() {
        assert_eq!(person("slack:U123ABC"), "<@U123ABC>");
        for by in ["slack:U1> <!here", "slack:u123", "slack:C123", "slack:", "webhook:U123", "slack:S12"] {
            assert!(person(by).starts_with('`'), "{by}");
        }
    }
}
