//! Asking the process that has the store to do something, and waiting for its answer.
//!
//! It has a time to answer, in which what waits for a person does not count: the call's approval is in the
//! store, where it is seen that it waits, and it has an end of its own. So a call that people decide about
//! is not given up before they have, and one that hangs is.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::requests::{PEER_TOOLS, TOOL_CALL, ToolCall};
use super::single::{SingleError, is_of_request};
use super::station::Tell;
use crate::approval::all_now;
use crate::clock;
use crate::session::message::{self, CallResult};
use crate::store::{Answer, NewRequest, Outcome, Store, StoreError};

/// How long a command waits for the running host to do what it asks, beside what people take to decide.
const HOST_ANSWER_MAX: Duration = Duration::from_secs(120);
/// How often who waits looks for the answer, and whether a person is waited for.
const ANSWER_EVERY: Duration = Duration::from_millis(20);
const PEOPLE_EVERY: Duration = Duration::from_secs(1);

/// A call of a tool, by the process that has the store. `agent` is who calls, where that is no person.
pub(super) async fn tool_call(
    store: &dyn Store,
    agent: Option<&str>,
    tool: &str,
    arguments: &str,
    tell: Tell<'_>,
) -> Result<CallResult, SingleError> {
    let call = ToolCall { tool: tool.to_owned(), arguments: arguments.to_owned(), agent: agent.map(str::to_owned) };
    let value = ask(store, TOOL_CALL, json!(call), false, tell).await?;
    message::from_value(&value).ok_or(SingleError::Answer)
}

/// The tools of the servers of `[mcp]`, as [`super::PeerTools`] or with an `error`.
pub(super) async fn peer_tools(store: &dyn Store) -> Result<Value, SingleError> {
    ask(store, PEER_TOOLS, json!({}), true, &|_| ()).await
}

async fn ask(
    store: &dyn Store,
    kind: &str,
    payload: Value,
    is_idempotent: bool,
    tell: Tell<'_>,
) -> Result<Value, SingleError> {
    let valid_ms = u64::try_from(HOST_ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
    let id = store.push_request(NewRequest { kind: kind.into(), payload, is_idempotent, valid_ms }).await?;
    match answer(store, &id, HOST_ANSWER_MAX, PEOPLE_EVERY, tell).await? {
        Answer::Response(value) => Ok(value),
        Answer::Unknown => Err(SingleError::Unknown),
        Answer::Withdrawn => Err(SingleError::NotTaken),
    }
}

/// Wait for the answer to a request, `answer_max` at most beside the time in which people are waited for.
async fn answer(
    store: &dyn Store,
    id: &str,
    answer_max: Duration,
    people_every: Duration,
    tell: Tell<'_>,
) -> Result<Answer, StoreError> {
    let mut told = BTreeSet::new();
    let mut left = answer_max;
    loop {
        let begun = clock::monotonic();
        while begun.elapsed() < people_every.min(left) {
            match store.outcome(id).await? {
                Outcome::Waiting | Outcome::Claimed => tokio::time::sleep(ANSWER_EVERY).await,
                Outcome::Answered(value) => return Ok(Answer::Response(value)),
                Outcome::Unknown => return Ok(Answer::Unknown),
                Outcome::Withdrawn => return Ok(Answer::Withdrawn),
            }
        }
        // A host that has died answers no more, whatever it had asked of people.
        let waits = match store.holder().await? {
            Some(_) => waits_for_people(store, id, &mut told, tell).await?,
            None => return store.wait_answer(id, Duration::ZERO).await,
        };
        if !waits {
            left = left.saturating_sub(begun.elapsed());
        }
        if left.is_zero() {
            // What nobody has taken is taken back by it.
            return store.wait_answer(id, Duration::ZERO).await;
        }
    }
}

/// Whether the call of this request waits for people whose time is not over.
async fn waits_for_people(
    store: &dyn Store,
    id: &str,
    told: &mut BTreeSet<String>,
    tell: Tell<'_>,
) -> Result<bool, StoreError> {
    let mut waits = false;
    for pending in all_now(store).await? {
        if pending.is_open() && is_of_request(&pending.origin.session, id) {
            waits = true;
            if told.insert(pending.id.clone()) {
                tell(&waiting(&pending.id, &crate::approval::summary(&pending.act)));
            }
        }
    }
    Ok(waits)
}

/// What a caller is told while people are asked.
pub(super) fn waiting(approval: &str, summary: &str) -> String {
    format!("waits for approval {approval}: {summary}; `pi-host approvals show {approval}`")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;
    use crate::app::single::session_of_request;
    use crate::gate::{Act, Decision, Origin};
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Holder, Lease};

    const ANSWER: Duration = Duration::from_millis(300);
    const LOOK: Duration = Duration::from_millis(50);

    struct Asked {
        _folder: tempfile::TempDir,
        store: Arc<SqliteStore>,
        lease: Lease,
        id: String,
    }

    /// A request that a host has taken.
    async fn asked() -> Asked {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&folder.path().join("store.db")).await.unwrap());
        let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
        let request = NewRequest { kind: TOOL_CALL.into(), payload: json!({}), is_idempotent: false, valid_ms: 60_000 };
        let id = store.push_request(request).await.unwrap();
        assert_eq!(store.take_requests(&lease).await.unwrap().len(), 1);
        Asked { _folder: folder, store, lease, id }
    }

    impl Asked {
        /// The host has asked people about the call, who have this long.
        async fn people(&self, wait_ms: u64) {
            let now_ms = clock::now_ms();
            let session = session_of_request(&self.id);
            let origin = Origin { session, agent: "person".into(), plugin: "bash".into() };
            let act = Act::ProcessRun { argv: vec!["rm".into()], directory: "/".into(), environment: vec![] };
            let pending = json!({
                "id": "a-1", "act": act, "origin": origin, "key": "0.0", "decision": Decision::allow(),
                "action_hash": "", "policy": "", "created_ms": now_ms,
                "stages": [{ "approvers": ["cli:*"], "until_ms": now_ms + wait_ms }], "votes_needed": 1, "votes": [],
                "scope": crate::approval::channel::Scope::Once, "state": "waiting", "reason": "", "settled_ms": null,
                "edited": null, "rungs_told": 1,
            });
            self.store.set_value(&self.lease, "approval/a-1", &pending).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_call_that_waits_for_people_is_waited_for_beyond_the_time_to_answer() {
        let asked = asked().await;
        asked.people(60_000).await;
        let told = Mutex::new(Vec::new());
        let tell = |text: &str| told.lock().unwrap().push(text.to_owned());
        let begun = clock::monotonic();
        let waiting = answer(asked.store.as_ref(), &asked.id, ANSWER, LOOK, &tell);
        let answering = async {
            tokio::time::sleep(ANSWER * 4).await;
            asked.store.answer(&asked.lease, &asked.id, json!("done")).await.unwrap();
        };
        let (answer, ()) = tokio::join!(waiting, answering);
        assert_eq!(answer.unwrap(), Answer::Response(json!("done")));
        assert!(begun.elapsed() >= ANSWER * 4);
        let told = told.into_inner().unwrap();
        assert!(told.len() == 1 && told[0].starts_with("waits for approval a-1: "), "{told:?}");
    }

    #[tokio::test]
    async fn it_is_waited_for_until_the_approvals_own_end_and_the_time_to_answer() {
        let asked = asked().await;
        asked.people(600).await;
        let begun = clock::monotonic();
        let answer = answer(asked.store.as_ref(), &asked.id, ANSWER, LOOK, &|_| ()).await.unwrap();
        assert_eq!(answer, Answer::Unknown);
        assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn one_that_waits_for_nobody_has_the_time_to_answer() {
        let asked = asked().await;
        let answer = answer(asked.store.as_ref(), &asked.id, ANSWER, LOOK, &|_| ()).await.unwrap();
        assert_eq!(answer, Answer::Unknown);
    }

    #[tokio::test]
    async fn a_host_that_is_gone_is_not_waited_for() {
        let asked = asked().await;
        asked.people(60_000).await;
        asked.store.release(&asked.lease).await.unwrap();
        let answer = answer(asked.store.as_ref(), &asked.id, ANSWER, LOOK, &|_| ()).await.unwrap();
        assert_eq!(answer, Answer::Unknown);
    }
}
