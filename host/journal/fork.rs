//! A session that begins with another's entries and then goes its own way.
//!
//! The entries are copied as they are stored, with their times and keys, into a chain of the fork's own; the entry
//! after them says whose they are. What they answer is not done again: whoever takes the fork up is answered from the
//! copy. A fork can be made wherever nothing is under way, since what was begun before and ended after would be done
//! twice, or would be told as unknown though it is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chain;
use super::session::{PAGE_ROWS, entries};
use super::{Body, Entry, History, Journal, JournalError, verify};
use crate::clock;
use crate::store::{Batch, Durability, Head, LEDGER, NewSession, Row, SessionMark};

/// Most bytes of entries that are copied. Danger: all of them are one transaction, during which nobody else writes.
pub const FORK_BYTES_MAX: usize = 256 << 20;

/// A session that was forked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    pub session: String,
    pub parent: String,
    /// The last entry that was copied.
    pub at: u64,
    pub agent: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("there is no session (`pi-host session list` has them): {0}")]
    NoSession(String),
    #[error(
        "the journal of session `{session}` does not hold: {detail}\nhint: `pi-host session verify {session}` has all of it; a fork would stand on what somebody has changed"
    )]
    Broken { session: String, detail: String },
    #[error("session `{session}` is no run of an agent (it is of `{agent}`): there is nobody who could go on")]
    NoAgent { session: String, agent: String },
    #[error(
        "session `{session}` has no entry {at}\nhint: its last one is {last}; `pi-host session show {session}` numbers them"
    )]
    NoEntry { session: String, at: u64, last: u64 },
    #[error("at entry {at} of session `{session}`, {what}\nhint: {}", nearest(.before.as_ref(), .after.as_ref()))]
    UnderWay { session: String, at: u64, what: String, before: Option<u64>, after: Option<u64> },
    #[error(
        "the entries up to {at} are {bytes} bytes, more than the {FORK_BYTES_MAX} that a fork may copy\nhint: fork at an earlier entry"
    )]
    TooLarge { at: u64, bytes: usize },
}

fn nearest(before: Option<&u64>, after: Option<&u64>) -> String {
    let at = |at: &u64| format!("--at {at}");
    match (before.map(at), after.map(at)) {
        (Some(before), Some(after)) => format!("the next possible ones are {before} and {after}"),
        (Some(one), None) | (None, Some(one)) => format!("the next possible one is {one}"),
        (None, None) => "there is no entry at which it could be forked".into(),
    }
}

/// The entries after which a session can be forked, by their sequences.
#[must_use]
pub fn forkable(entries: &[Entry]) -> Vec<u64> {
    let mut open = Open::default();
    let mut found = Vec::new();
    for entry in entries {
        open.add(&entry.body);
        if open.nothing() {
            found.push(entry.sequence);
        }
    }
    found
}

/// Where a session is forked if nobody says where: as late as possible, and before it was over. One that was taken up
/// after an end went on.
#[must_use]
pub fn fork_default(entries: &[Entry]) -> Option<u64> {
    let is_over = |entry: &&Entry| matches!(entry.body, Body::SessionEnded { .. } | Body::Heard { is_over: true, .. });
    let resumed = entries.iter().rposition(|entry| matches!(entry.body, Body::SessionResumed { .. })).unwrap_or(0);
    let end = entries.iter().skip(resumed).find(is_over).map_or(u64::MAX, |entry| entry.sequence);
    forkable(entries).into_iter().rev().find(|at| *at < end)
}

/// What is under way.
#[derive(Default)]
struct Open {
    has_begun: bool,
    has_ended: bool,
    calls: BTreeSet<String>,
    effects: BTreeSet<String>,
}

impl Open {
    fn nothing(&self) -> bool {
        self.has_begun && !self.has_ended && self.calls.is_empty() && self.effects.is_empty()
    }

    fn add(&mut self, body: &Body) {
        match body {
            Body::SessionStarted { .. } => self.has_begun = true,
            Body::SessionEnded { .. } => self.has_ended = true,
            Body::SessionResumed { .. } => {
                self.has_ended = false;
                // What was cut off outside of a call is told to nobody.
                let calls = &self.calls;
                self.effects.retain(|effect| calls.iter().any(|call| is_within(effect, call)));
            }
            Body::CallStarted { key, .. } => {
                self.effects.retain(|effect| !is_within(effect, key));
                self.calls.insert(key.clone());
            }
            Body::CallEnded { key, .. } => {
                self.effects.retain(|effect| !is_within(effect, key));
                self.calls.remove(key);
            }
            Body::EffectStarted { key, .. } => _ = self.effects.insert(key.clone()),
            Body::EffectEnded { key, .. } => _ = self.effects.remove(key),
            _ => {}
        }
    }

    fn words(&self) -> String {
        let name = |keys: &BTreeSet<String>| keys.iter().next().cloned().unwrap_or_default();
        match (self.has_begun, self.has_ended) {
            (false, _) => "the session has not begun".into(),
            (_, true) => "the session has ended".into(),
            _ if !self.calls.is_empty() => format!("the call {} is under way", name(&self.calls)),
            _ => format!("the act {} is under way", name(&self.effects)),
        }
    }
}

fn is_within(effect: &str, call: &str) -> bool {
    effect.strip_prefix(call).is_some_and(|rest| rest.starts_with('.'))
}

impl Journal {
    /// Make a session `id` of the entries of `parent` up to `at`, or as far as can be.
    ///
    /// # Errors
    /// The parent's journal does not hold, something is under way there, or the store failed.
    pub async fn fork(&self, parent: &str, at: Option<u64>, id: &str, by: &str) -> Result<Forked, ForkError> {
        self.flush().await?;
        let store = self.store();
        let store_error = |error: crate::store::StoreError| ForkError::Journal(error.into());
        let record = store.session(parent).await.map_err(store_error)?;
        let record = record.ok_or_else(|| ForkError::NoSession(parent.to_owned()))?;
        let reports = verify(store.as_ref(), Some(parent)).await?;
        if let Some(problem) = reports.iter().flat_map(|report| &report.problems).next() {
            return Err(ForkError::Broken { session: parent.to_owned(), detail: problem.detail.clone() });
        }
        let all = entries(store.as_ref(), parent).await?;
        let agent = all.iter().find_map(|entry| match &entry.body {
            Body::SessionStarted { agent, component, .. } if !component.is_empty() => Some(agent.clone()),
            _ => None,
        });
        let agent = agent.filter(|agent| !crate::config::RESERVED.contains(&agent.as_str()));
        let agent =
            agent.ok_or_else(|| ForkError::NoAgent { session: parent.to_owned(), agent: record.agent.clone() })?;
        let at = choose(parent, &all, at)?;
        let root = History::load(&all).root().unwrap_or(parent).to_owned();

        let mut open = self.open.lock().await;
        open.retain(|_, chain| chain.strong_count() > 0);
        let ledger = store.head(LEDGER).await.map_err(store_error)?;
        let (number, previous) = match &ledger {
            Some(head) => (head.entries, super::parse("ledger", head)?),
            None => (0, chain::ORIGIN),
        };
        let created_ms = clock::now_ms();
        let session: Arc<str> = Arc::from(id);
        let start = chain::link_session(&previous, number, created_ms, id);
        let mut rows: Vec<Row> = Vec::new();
        let (mut last, mut bytes, mut time_ms) = (start, 0, 0);
        let mut parent_hash = String::new();
        'pages: loop {
            let from = rows.len() as u64;
            for row in store.rows(parent, from, PAGE_ROWS).await.map_err(store_error)? {
                if row.sequence > at {
                    break 'pages;
                }
                bytes += row.body.len();
                if bytes > FORK_BYTES_MAX {
                    return Err(ForkError::TooLarge { at, bytes });
                }
                last = chain::link(&last, row.sequence, row.time_ms, &row.body);
                (time_ms, parent_hash) = (row.time_ms, row.hash);
                rows.push(Row { session: session.clone(), hash: chain::to_hex(&last), ..row });
            }
            if rows.len() as u64 == from {
                break;
            }
        }
        let sequence = rows.len() as u64;
        if sequence != at + 1 {
            return Err(ForkError::Broken { session: parent.to_owned(), detail: "entries have gone meanwhile".into() });
        }
        let body = Body::SessionForked { parent: parent.to_owned(), root, at, hash: parent_hash, by: by.to_owned() };
        let text = super::session::to_text(&body)?;
        let time_ms = clock::now_ms().max(time_ms);
        last = chain::link(&last, sequence, time_ms, &text);
        let hash = chain::to_hex(&last);
        rows.push(Row { session: session.clone(), sequence, time_ms, body: Arc::from(text), hash: hash.clone() });
        let start = chain::to_hex(&start);
        let batch = Batch {
            sessions: vec![NewSession { id: session.clone(), number, created_ms, hash: start.clone() }],
            marks: vec![SessionMark::Started { session: session.clone(), agent: agent.clone() }],
            heads: vec![
                (Arc::from(LEDGER), Head { entries: number + 1, hash: start }),
                (session, Head { entries: sequence + 1, hash }),
            ],
            rows,
            ..Batch::default()
        };
        store.write(self.lease(), &batch, Durability::Disk).await.map_err(store_error)?;
        Ok(Forked { session: id.to_owned(), parent: parent.to_owned(), at, agent })
    }
}

fn choose(parent: &str, all: &[Entry], at: Option<u64>) -> Result<u64, ForkError> {
    let session = parent.to_owned();
    let possible = forkable(all);
    let Some(at) = at else {
        return fork_default(all).ok_or(ForkError::UnderWay {
            session,
            at: 0,
            what: "something is under way from the beginning".into(),
            before: None,
            after: possible.first().copied(),
        });
    };
    if possible.binary_search(&at).is_ok() {
        return Ok(at);
    }
    let last = all.last().map_or(0, |entry| entry.sequence);
    if at > last {
        return Err(ForkError::NoEntry { session, at, last });
    }
    let mut open = Open::default();
    all.iter().take_while(|entry| entry.sequence <= at).for_each(|entry| open.add(&entry.body));
    let next = possible.partition_point(|possible| *possible < at);
    let before = next.checked_sub(1).and_then(|index| possible.get(index)).copied();
    Err(ForkError::UnderWay { session, at, what: open.words(), before, after: possible.get(next).copied() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gate::{Act, Decision, Origin, Severity};
    use crate::journal::Status;
    use crate::store::Holder;
    use crate::store::sqlite::SqliteStore;

    fn started() -> Body {
        let (agent, component, policy) = ("pi".into(), "c0".into(), String::new());
        Body::SessionStarted { agent, component, task: json!({ "prompt": "p" }), policy }
    }

    fn call(key: &str) -> Body {
        Body::CallStarted {
            key: key.into(),
            tool: "write".into(),
            arguments: Value::Null,
            effect: Severity::Write,
            idempotent: false,
            decision: Decision::allow(),
        }
    }

    fn called(key: &str) -> Body {
        Body::CallEnded { key: key.into(), status: Status::Done, result: json!({ "ok": [] }) }
    }

    fn effect(key: &str) -> Body {
        let act = Act::ServiceRestart { service: "shop".into() };
        Body::EffectStarted { key: key.into(), act, origin: Origin::default(), decision: Decision::allow() }
    }

    fn done(key: &str) -> Body {
        Body::EffectEnded { key: key.into(), status: Status::Done, detail: Value::Null }
    }

    fn ended() -> Body {
        Body::SessionEnded { status: "done".into(), summary: String::new(), details: Value::Null }
    }

    fn entries_of(bodies: Vec<Body>) -> Vec<Entry> {
        let entry = |(body, sequence)| Entry { session: "s".into(), sequence, time_ms: 0, body, hash: String::new() };
        bodies.into_iter().zip(0..).map(entry).collect()
    }

    fn resumed() -> Body {
        Body::SessionResumed { host: "h".into() }
    }

    #[test]
    fn a_fork_is_possible_where_nothing_is_under_way() {
        let calls =
            vec![started(), call("0.0"), call("0.1"), called("0.0"), called("0.1"), call("1.0"), effect("1.0.0")];
        assert_eq!(forkable(&entries_of(calls.clone())), [0, 4]);
        let rest = vec![done("1.0.0"), called("1.0"), effect("2.budget"), done("2.budget"), ended()];
        let all = entries_of(calls.into_iter().chain(rest).collect());
        assert_eq!(forkable(&all), [0, 4, 8, 10]);
        assert_eq!(fork_default(&all), Some(10));
        let said = |at| choose("s", &all, Some(at)).unwrap_err().to_string();
        assert!(said(6).contains("the call 1.0 is under way") && said(6).contains("--at 4 and --at 8"), "{}", said(6));
        assert!(said(9).contains("the act 2.budget is under way"), "{}", said(9));
        assert!(said(11).contains("the session has ended") && said(11).contains("--at 10"), "{}", said(11));
        assert!(said(12).contains("its last one is 11"), "{}", said(12));
    }

    #[test]
    fn what_was_cut_off_and_ended_after_all_is_closed() {
        // Killed in the act; the call is told as unknown when it is taken up, and its act has no end.
        let all = vec![started(), call("0.0"), effect("0.0.0"), resumed(), called("0.0"), call("1.0"), called("1.0")];
        assert_eq!(forkable(&entries_of(all)), [0, 4, 6]);
        // Killed before the act: begun again.
        let all = vec![started(), call("0.0"), resumed(), call("0.0"), called("0.0")];
        assert_eq!(forkable(&entries_of(all)), [0, 4]);
        assert!(forkable(&entries_of(vec![resumed(), called("0.0")])).is_empty(), "it has not begun");
    }

    #[test]
    fn a_conversation_that_is_over_is_forked_before_its_end() {
        let heard = |is_over| Body::Heard { key: "1".into(), count: 1, is_over };
        let all = entries_of(vec![started(), heard(false), heard(true), ended()]);
        assert_eq!(fork_default(&all), Some(1));
    }

    #[tokio::test]
    async fn a_fork_of_a_fork_is_to_its_agent_the_first_session_and_every_chain_holds() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("store.db")).await.unwrap());
        let journal = Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap();
        let first = journal.session("first").await.unwrap();
        // Large enough to stand beside the chain: the copy refers to the same payload.
        let large = Body::CallEnded {
            key: "0.0".into(),
            status: Status::Done,
            result: json!({ "ok": [{ "text": "x".repeat(100_000) }] }),
        };
        for body in [started(), call("0.0"), large, ended()] {
            first.append(body);
        }
        let fork = journal.fork("first", None, "second", "cli:me").await.unwrap();
        assert_eq!((fork.at, fork.agent.as_str()), (2, "pi"));
        journal.fork("second", Some(0), "third", "cli:me").await.unwrap();
        let third = entries(store.as_ref(), "third").await.unwrap();
        assert_eq!(History::load(&third).root(), Some("first"));
        let Body::SessionForked { parent, at, hash, .. } = &third[1].body else { panic!("{third:?}") };
        let second = entries(store.as_ref(), "second").await.unwrap();
        assert_eq!((parent.as_str(), *at, hash), ("second", 0, &second[0].hash));
        // The copy has the times and the bodies of the first, and hashes of its own.
        let of_first = entries(store.as_ref(), "first").await.unwrap();
        for (copy, entry) in second.iter().zip(&of_first).take(3) {
            assert_eq!((copy.sequence, copy.time_ms, &copy.body), (entry.sequence, entry.time_ms, &entry.body));
            assert_ne!(copy.hash, entry.hash);
        }
        // It goes on where the copy ends, and the parent is as it was.
        journal.session("second").await.unwrap().append_durable(call("1.0")).await.unwrap();
        assert_eq!(of_first.len(), 4);
        let reports = verify(store.as_ref(), None).await.unwrap();
        assert!(reports.iter().all(crate::journal::Report::holds), "{reports:?}");
        // The parent can be pruned: the payload that both refer to stays.
        drop(first);
        let pruned = journal.prune(u64::MAX, "prune-1", "test", &|| false).await.unwrap();
        assert_eq!((pruned.pruned.len(), pruned.payloads), (1, 0));
        assert_eq!(entries(store.as_ref(), "second").await.unwrap().len(), 5);
        assert!(verify(store.as_ref(), None).await.unwrap().iter().all(crate::journal::Report::holds));
    }
}
