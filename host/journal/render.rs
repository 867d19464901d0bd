//! The journal for people: the list of sessions, one session line by line, and what verification
//! found. Each is a structure that serializes, and a text made of it.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::fork::{fork_default, forkable};
use super::mask::{self, Mask};
use super::session::entries;
use super::{Body, Entry, JournalError, Overview, Report, Status, overview, tombstones};
use crate::clock;
use crate::gate::{Decision, Verdict};
use crate::store::{OPEN, PRUNED, Store};

/// Characters of a value within a line; `--json` has all of it.
const DETAIL_CHARS_MAX: usize = 160;

/// Characters of a title in the list.
const TITLE_CHARS_MAX: usize = 60;
/// Billionths of a dollar in a cent's hundredth, the smallest part that is shown.
const NANO_PER_SHOWN: u64 = 100_000;

/// One session as `session show` has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionView {
    pub session: Overview,
    /// Where it is forked if nobody says where.
    pub fork_at: Option<u64>,
    pub entries: Vec<Line>,
}

/// One entry: what a person reads, and the whole of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub sequence: u64,
    pub time: String,
    pub key: String,
    /// Whether a fork may begin with all up to here.
    pub can_fork: bool,
    /// What happened, in words.
    pub what: String,
    /// `allow`, `ask` or `deny`, with the risk and the rules; empty where nothing was judged.
    pub verdict: String,
    /// How it ended, or what it said; empty for what only begins.
    pub outcome: String,
    pub body: Body,
}

/// One session with its entries, line by line, without what the mask finds.
///
/// # Errors
/// As of [`read`].
pub async fn show(store: &dyn Store, session: &str, mask: Option<&dyn Mask>) -> Result<SessionView, JournalError> {
    let (overview, all) = read(store, session, mask).await?;
    let (possible, fork_at) = (forkable(&all), fork_default(&all));
    let mut lines: Vec<Line> = all.into_iter().map(Line::from).collect();
    lines.iter_mut().for_each(|line| line.can_fork = possible.binary_search(&line.sequence).is_ok());
    Ok(SessionView { session: overview, fork_at, entries: lines })
}

/// One session and its entries, without what the mask finds.
///
/// # Errors
/// The store failed, there is no such session, it was pruned, or an entry cannot be read.
pub async fn read(
    store: &dyn Store,
    session: &str,
    mask: Option<&dyn Mask>,
) -> Result<(Overview, Vec<Entry>), JournalError> {
    let record = store.session(session).await?.ok_or_else(|| no_session(session))?;
    if record.status == PRUNED {
        let stone = tombstones(store).await?.remove(session);
        let when = stone.map_or_else(String::new, |stone| {
            format!(
                " on {}: {} entries, the last with the hash {}",
                clock::rfc3339(stone.time_ms),
                stone.entries,
                stone.hash
            )
        });
        return Err(JournalError(format!("session `{session}` was pruned{when}")));
    }
    let mut overview = overview(store, record).await?;
    let mut all = entries(store, session).await?;
    if let Some(mask) = mask {
        overview.hide(mask);
        for entry in &mut all {
            if let Some(masked) = mask::body(mask, &entry.body)? {
                entry.body = masked;
            }
        }
    }
    Ok((overview, all))
}

pub(super) fn no_session(id: &str) -> JournalError {
    JournalError(format!("there is no session (`pi-host session list` has them): {id}"))
}

/// How it stands, in a word or two.
fn state(session: &Overview) -> &str {
    if session.is_cut_off { "cut off" } else { &session.session.status }
}

/// `$0.0123`; nothing where nothing had a price.
#[must_use]
pub fn cost(nano_usd: Option<u64>) -> String {
    let Some(nano) = nano_usd else { return String::new() };
    let parts = nano.div_ceil(NANO_PER_SHOWN);
    format!("${}.{:04}", parts / 10_000, parts % 10_000)
}

#[must_use]
pub fn list_text(sessions: &[Overview]) -> String {
    if sessions.is_empty() {
        return "no sessions yet\n".into();
    }
    let row = |session: &Overview| {
        let record = &session.session;
        let count = |count: u64| if count == 0 { "-".to_owned() } else { count.to_string() };
        let begun: String = clock::rfc3339(record.created_ms).chars().take(19).collect();
        let about = if session.title.is_empty() { &record.summary } else { &session.title };
        [
            begun.replace('T', " "),
            clean(&record.id),
            clean(&record.agent),
            clean(state(session)),
            count(session.turns),
            count(session.calls),
            if session.cost_nano_usd.is_none() { "-".to_owned() } else { cost(session.cost_nano_usd) },
            within(about, TITLE_CHARS_MAX),
        ]
    };
    let head = ["began (UTC)", "session", "agent", "status", "turns", "calls", "cost", "about"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(sessions.iter().map(row)).collect();
    let mut text = String::new();
    for cells in &rows {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let cells = rows.iter().filter_map(|cells| cells.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[must_use]
pub fn show_text(view: &SessionView) -> String {
    let (about, session) = (&view.session, &view.session.session);
    let mut text = format!(
        "session {}, agent {}, {}, began {}\n",
        clean(&session.id),
        clean(&session.agent),
        clean(state(about)),
        clock::rfc3339(session.created_ms)
    );
    // Writing to a string does not fail.
    if !about.component.is_empty() {
        let _ = writeln!(text, "component {}", clean(&about.component));
    }
    if let Some(parent) = &about.parent {
        let _ = writeln!(text, "forked from {} at entry {}", clean(&parent.session), parent.at);
    }
    if about.turns > 0 {
        let cost = cost(about.cost_nano_usd);
        let gap = if cost.is_empty() { "" } else { ", " };
        let count = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let (turns, calls) = (count(about.turns, "turn", "turns"), count(about.calls, "call", "calls"));
        let _ = writeln!(text, "{turns}, {calls}, {} tokens{gap}{cost}", about.tokens);
    }
    for line in &view.entries {
        let _ = write!(text, "{:>5}  {}  {:<8} {}", line.sequence, line.time, clean(&line.key), short(&line.what));
        if !line.verdict.is_empty() {
            let _ = write!(text, "  [{}]", clean(&line.verdict));
        }
        if !line.outcome.is_empty() {
            let _ = write!(text, "  {}", short(&line.outcome));
        }
        text.push('\n');
    }
    if !session.summary.is_empty() {
        let _ = writeln!(text, "{}", clean(&session.summary));
    }
    if session.status == OPEN && about.is_cut_off {
        let _ = writeln!(
            text,
            "it goes on with the next `pi-host run`, or by `pi-host session resume {}`",
            clean(&session.id)
        );
    }
    text
}

#[must_use]
pub fn verify_text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let (name, link) = match &report.session {
            Some(id) => (format!("session {}", clean(id)), ("entry", "entries")),
            None => ("the chain over the sessions".into(), ("session", "sessions")),
        };
        if let Some(head) = &report.head {
            let link = if report.entries == 1 { link.0 } else { link.1 };
            let _ = writeln!(text, "holds    {name}: {} {link}, head {head}", report.entries);
        }
        for problem in &report.problems {
            let at = problem.sequence.map(|sequence| format!(" at {sequence}")).unwrap_or_default();
            let _ = writeln!(text, "BROKEN   {name}{at}: {}", clean(&problem.detail));
        }
        if let Some(stone) = report.pruned.as_ref().filter(|_| report.holds()) {
            let at = clock::rfc3339(stone.time_ms);
            let _ = writeln!(text, "pruned   {name}: on {at}, {} entries, head {}", stone.entries, clean(&stone.hash));
        } else if report.holds() && report.head.is_none() {
            let _ = writeln!(text, "holds    {name}: it is empty");
        }
    }
    text
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        let mut line = Self {
            sequence: entry.sequence,
            time: clock::rfc3339(entry.time_ms),
            key: String::new(),
            can_fork: false,
            what: String::new(),
            verdict: String::new(),
            outcome: String::new(),
            body: entry.body,
        };
        match &line.body {
            Body::SessionStarted { agent, task, .. } => {
                line.what = format!("session of `{agent}` began");
                line.outcome = task.to_string();
            }
            Body::SessionForked { parent, at, by, .. } => {
                line.what = format!("forked from {parent} at entry {at} by {by}; what is above is of there");
            }
            Body::SessionPruned { session, entries, status, .. } => {
                line.what = format!("pruned {session}: {entries} entries, {status}");
            }
            Body::AllStopped { by, reason, time_ms } => {
                line.what = format!("everything was stopped by {by} at {}", clock::rfc3339(*time_ms));
                line.outcome.clone_from(reason);
            }
            Body::AllResumed { by, time_ms } => {
                line.what = format!("{by} let agents go on at {}", clock::rfc3339(*time_ms));
            }
            Body::SessionResumed { host } => line.what = format!("taken up again by host {host}"),
            Body::WaitStarted { key, until_ms } => {
                line.key.clone_from(key);
                line.what = format!("wait until {}", clock::rfc3339(*until_ms));
            }
            Body::WaitEnded { key } => {
                line.key.clone_from(key);
                line.what = "waited".into();
            }
            Body::Offered { tools, models } => {
                let count = |value: &Value| value.as_array().map_or(0, Vec::len);
                line.what = format!("offered {} tools and {} models", count(tools), count(models));
            }
            Body::ModelAsked { key, model, question, .. } => {
                line.key.clone_from(key);
                line.what = format!("ask `{model}`, {} new messages after {}", question.messages.len(), question.same);
            }
            Body::ModelAnswered { key, status, answer } => {
                line.key.clone_from(key);
                line.what = format!("answer {}", status_text(*status));
                line.outcome = answer.to_string();
            }
            Body::Said { by, text } => {
                line.what = format!("{by} said");
                line.outcome.clone_from(text);
            }
            Body::Heard { key, is_over: true, .. } => {
                line.key.clone_from(key);
                line.what = "nothing more will be said".into();
            }
            Body::Heard { key, count, .. } => {
                line.key.clone_from(key);
                line.what = format!("heard {count} messages");
            }
            Body::CallStarted { key, tool, arguments, decision, .. } => {
                line.key.clone_from(key);
                line.what = format!("call `{tool}` with {arguments}");
                line.verdict = verdict(decision);
            }
            Body::CallEnded { key, status, result } => {
                line.key.clone_from(key);
                line.what = format!("call {}", status_text(*status));
                line.outcome = result.to_string();
            }
            Body::EffectStarted { key, act, decision, .. } => {
                line.key.clone_from(key);
                line.what = act.summary();
                line.verdict = verdict(decision);
            }
            Body::EffectEnded { key, status, detail } => {
                line.key.clone_from(key);
                line.what = status_text(*status).into();
                line.outcome = if *detail == Value::Null { String::new() } else { detail.to_string() };
            }
            Body::Refused { key, act, decision, .. } => {
                line.key.clone_from(key);
                line.what = format!("refused: {}", act.summary());
                line.verdict = verdict(decision);
                line.outcome.clone_from(&decision.reason);
            }
            Body::Approved { key, is_granted, by, reason, .. } => {
                line.key.clone_from(key);
                line.what = format!("{} by {by}", if *is_granted { "granted" } else { "not granted" });
                line.outcome.clone_from(reason);
            }
            Body::Shadowed { key, act, shadow, .. } => {
                line.key.clone_from(key);
                line.what = format!("the shadow policy differs: {}", act.summary());
                line.verdict = verdict(shadow);
            }
            Body::ApprovalAsked { key, id, act, votes_needed, .. } => {
                line.key.clone_from(key);
                let people =
                    if *votes_needed > 1 { format!("{votes_needed} people are") } else { "somebody is".into() };
                line.what = format!("{people} asked ({id}): {}", act.summary());
            }
            Body::ApprovalAnswered { id, by, is_granted, comment, scope, edited, uncounted } => {
                line.what = format!("{by} says {} ({id})", if *is_granted { "yes" } else { "no" });
                if !scope.is_empty() {
                    line.what.push_str(&format!(", {scope}"));
                }
                if let Some(edited) = edited {
                    line.what.push_str(&format!(", but {}", edited.summary()));
                }
                line.outcome = match uncounted {
                    Some(why) => format!("not counted: {why}"),
                    None => comment.clone(),
                };
            }
            Body::ApprovalPassedOn { id, approvers } => {
                line.what = format!("nobody has answered; {} may as well ({id})", approvers.join(", "));
            }
            Body::ApprovalUsed { id, key } => {
                line.key.clone_from(key);
                line.what = format!("let through by its approval ({id})");
            }
            Body::ApprovalSettled { id, reason, .. } => line.what = format!("{reason} ({id})"),
            Body::Logged { plugin, level, context, message } => {
                line.what = format!("{plugin} {level} {context}").trim_end().to_string();
                line.outcome.clone_from(message);
            }
            Body::SessionEnded { status, summary, .. } => {
                line.what = format!("session ended: {status}");
                line.outcome.clone_from(summary);
            }
        }
        line
    }
}

/// A decision in a few words.
#[must_use]
pub fn verdict(decision: &Decision) -> String {
    let name = match decision.verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    };
    let mut text = format!("{name}, risk {}", decision.risk);
    if !decision.rules.is_empty() {
        let _ = write!(text, ", {}", decision.rules.join(" "));
    }
    text
}

/// How something ended, in a word.
#[must_use]
pub fn status_text(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Refused => "refused",
        Status::Abandoned => "abandoned",
        Status::Unknown => "unknown",
    }
}

/// Without control characters: a guest's text must not write to the terminal on its own account.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        // The marks that reorder text hide what stands there as well as an escape sequence does.
        if character.is_control()
            || matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}

fn short(text: &str) -> String {
    within(text, DETAIL_CHARS_MAX)
}

fn within(text: &str, chars_max: usize) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(chars_max).collect();
    let rest = if characters.next().is_some() { "..." } else { "" };
    format!("{}{rest}", clean(&start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::{Act, Evidence, Origin, Severity};
    use crate::journal::Parent;
    use crate::store::SessionRecord;

    fn view(bodies: Vec<Body>) -> SessionView {
        let entries = bodies.into_iter().zip(0_u64..).map(|(body, sequence)| {
            Line::from(Entry {
                session: "s1".into(),
                sequence,
                time_ms: 1_700_000_000_000 + sequence,
                body,
                hash: String::new(),
            })
        });
        SessionView {
            session: Overview {
                session: SessionRecord {
                    id: "s1".into(),
                    number: 0,
                    agent: "sre".into(),
                    status: "done".into(),
                    created_ms: 1_700_000_000_000,
                    ended_ms: None,
                    summary: "healed \u{1b}[31m".into(),
                    hash: String::new(),
                },
                is_cut_off: false,
                title: String::new(),
                component: "c".into(),
                entries: 6,
                turns: 3,
                calls: 1,
                tokens: 1_234,
                cost_nano_usd: Some(12_300_001),
                parent: Some(Parent { session: "s0".into(), at: 2 }),
            },
            fork_at: None,
            entries: entries.collect(),
        }
    }

    fn denied() -> Decision {
        Decision {
            verdict: Verdict::Deny,
            risk: 90,
            evidence: vec![Evidence { name: "root".into(), points: 90, detail: "the root".into() }],
            rules: vec!["no_root_removal".into()],
            reason: "it removes the root".into(),
            advice: String::new(),
            ..Decision::allow()
        }
    }

    #[test]
    fn a_session_reads_line_by_line() {
        let view = view(vec![
            Body::SessionStarted {
                agent: "sre".into(),
                component: "c".into(),
                task: json!({"prompt": "look"}),
                policy: "p".into(),
            },
            Body::CallStarted {
                key: "1.0".into(),
                tool: "bash".into(),
                arguments: json!({"command": "rm -rf /"}),
                effect: Severity::Destructive,
                idempotent: false,
                decision: Decision::allow(),
            },
            Body::Refused {
                key: "1.0.0".into(),
                act: Act::FileRemove { path: "/".into(), recursive: true },
                origin: Origin::default(),
                decision: denied(),
            },
            Body::CallEnded { key: "1.0".into(), status: Status::Refused, result: json!({"error": {"refused": {}}}) },
            Body::Logged {
                plugin: "sre".into(),
                level: "info".into(),
                context: "act".into(),
                message: "two\nlines \u{202e}".into(),
            },
            Body::SessionEnded { status: "done".into(), summary: "healed".into(), details: Value::Null },
        ]);
        insta::assert_snapshot!(show_text(&view), @r#"
        session s1, agent sre, done, began 2023-11-14T22:13:20.000Z
        component c
        forked from s0 at entry 2
        3 turns, 1 call, 1234 tokens, $0.0124
            0  2023-11-14T22:13:20.000Z           session of `sre` began  {"prompt":"look"}
            1  2023-11-14T22:13:20.001Z  1.0      call `bash` with {"command":"rm -rf /"}  [allow, risk 0]
            2  2023-11-14T22:13:20.002Z  1.0.0    refused: remove `/` and all below it  [deny, risk 90, no_root_removal]  it removes the root
            3  2023-11-14T22:13:20.003Z  1.0      call refused  {"error":{"refused":{}}}
            4  2023-11-14T22:13:20.004Z           sre info act  two\nlines \u{202e}
            5  2023-11-14T22:13:20.005Z           session ended: done  healed
        healed \u{1b}[31m
        "#);
    }

    #[test]
    fn a_long_value_is_cut_in_the_text() {
        let text = short(&"x".repeat(500));
        assert_eq!(text.len(), DETAIL_CHARS_MAX + 3);
    }

    #[test]
    fn verification_names_what_is_broken() {
        use crate::journal::{Finding, Problem};
        let holds = Report { session: None, entries: 1, head: Some("ab".into()), pruned: None, problems: Vec::new() };
        let broken = Report {
            session: Some("s1".into()),
            entries: 2,
            head: None,
            pruned: None,
            problems: vec![Problem {
                finding: Finding::CutTail,
                sequence: Some(2),
                detail: "the entries from 2 to 4 are gone".into(),
            }],
        };
        insta::assert_snapshot!(verify_text(&[holds, broken]), @r"
        holds    the chain over the sessions: 1 session, head ab
        BROKEN   session s1 at 2: the entries from 2 to 4 are gone
        ");
    }

    #[test]
    fn the_list_reads_line_by_line() {
        insta::assert_snapshot!(
            list_text(&[view(Vec::new()).session]),
            @r"
        began (UTC)          session  agent  status  turns  calls  cost     about
        2023-11-14 22:13:20  s1       sre    done    3      1      $0.0124  healed \u{1b}[31m
        "
        );
        assert_eq!(list_text(&[]), "no sessions yet\n");
    }
}
