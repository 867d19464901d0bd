//! Verification: compute every chain again and compare it with the rows, the heads and the list of
//! sessions. It needs no lease, and is right beside a host that writes.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::JournalError;
use super::chain::{self, Hash};
use super::payload::{self, RestoreError};
use super::prune::{Tombstone, tombstones};
use super::session::PAGE_ROWS;
use crate::store::{Head, LEDGER, OPEN, PRUNED, Row, SUMMARY_CHARS_MAX, SessionRecord, Store};

/// What verification found in one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The session's id; None for the chain over the sessions.
    pub session: Option<String>,
    /// How many links hold.
    pub entries: u64,
    /// The hash at the end, if all holds: whoever keeps it elsewhere can compare it later.
    pub head: Option<String>,
    /// Its entries were removed by the host, which says so in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Tombstone>,
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub finding: Finding,
    /// Where: an entry of the session, or a session's number.
    pub sequence: Option<u64>,
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The row is not what was written, or the one before it is not.
    ChangedRow,
    /// Rows are missing between others.
    MissingRow,
    /// Rows are missing at the end.
    CutTail,
    /// There are rows after the end that the head names.
    ExtraRow,
    /// The head is gone.
    MissingHead,
    /// The head is not what the rows say.
    ChangedHead,
    /// A payload beside the chain is gone.
    MissingPayload,
    /// A payload beside the chain is not what was written.
    ChangedPayload,
    /// A session is gone from the list of sessions.
    MissingSession,
    /// A session is in the list that no host has opened.
    ExtraSession,
    /// The list of sessions says other than the session's entries.
    ChangedSession,
}

/// Verify one session, or all and the chain over them.
///
/// # Errors
/// The store failed, or there is no such session. What is wrong with the chains is no error.
pub async fn verify(store: &dyn Store, session: Option<&str>) -> Result<Vec<Report>, JournalError> {
    if let Some(id) = session {
        let report = match store.session(id).await? {
            Some(record) if record.status == PRUNED => {
                verify_pruned(store, &record, tombstones(store).await?.remove(&record.id)).await?
            }
            Some(record) => verify_session(store, &record).await?,
            None if store.traces().await?.iter().any(|trace| trace == id) => unlisted(id),
            None => return Err(JournalError(format!("there is no session: {id}"))),
        };
        return Ok(vec![report]);
    }
    let head = store.head(LEDGER).await?;
    let sessions = store.sessions().await?;
    let mut reports = vec![verify_ledger(head.as_ref(), &sessions)];
    let is_pruned = |record: &SessionRecord| record.status == PRUNED;
    let mut stones = if sessions.iter().any(is_pruned) { tombstones(store).await? } else { HashMap::new() };
    for record in &sessions {
        // One that is pruned in this moment has no entries left to be looked at.
        let record = if is_pruned(record) { record.clone() } else { listed(store, record).await? };
        if !is_pruned(&record) {
            reports.push(verify_session(store, &record).await?);
            continue;
        }
        if !stones.contains_key(&record.id) {
            stones.extend(tombstones(store).await?);
        }
        reports.push(verify_pruned(store, &record, stones.remove(&record.id)).await?);
    }
    // Looked up last: a session that was opened meanwhile is no finding.
    let traces = store.traces().await?;
    let sessions = store.sessions().await?;
    // Without a head, which is a finding by itself, nobody can say.
    let now = store.head(LEDGER).await?.map_or(u64::MAX, |head| head.entries);
    for record in sessions.iter().filter(|record| record.number >= now) {
        let mut report = Report::new(Some(&record.id));
        let detail = format!("its number is {}, and the chain over the sessions counts {now}", record.number);
        report.find(Finding::ExtraSession, Some(record.number), &detail);
        reports.push(report);
    }
    for id in traces {
        if !sessions.iter().any(|record| record.id == id) {
            reports.push(unlisted(&id));
        }
    }
    Ok(reports)
}

/// How the list of sessions has it now.
async fn listed(store: &dyn Store, record: &SessionRecord) -> Result<SessionRecord, JournalError> {
    Ok(store.session(&record.id).await?.unwrap_or_else(|| record.clone()))
}

/// Nothing may be there but what says that it was removed.
async fn verify_pruned(
    store: &dyn Store,
    record: &SessionRecord,
    tombstone: Option<Tombstone>,
) -> Result<Report, JournalError> {
    let mut report = Report::new(Some(&record.id));
    let extent = store.extent(&record.id).await?;
    if extent.rows > 0 {
        report.find(Finding::ExtraRow, extent.last, "it was pruned, and there are entries of it");
    }
    if tombstone.is_none() {
        let detail = "the list of sessions says that it was pruned, and no entry of the journal says so";
        report.find(Finding::MissingHead, None, detail);
    }
    report.pruned = tombstone;
    Ok(report)
}

fn unlisted(id: &str) -> Report {
    let mut report = Report::new(Some(id));
    report.find(Finding::MissingSession, None, "it has entries or a head, and is not in the list of sessions");
    report
}

/// The chain over the sessions. Sessions beyond `head` were opened after it was read.
fn verify_ledger(head: Option<&Head>, sessions: &[SessionRecord]) -> Report {
    let mut report = Report::new(None);
    let Some(head) = head else {
        if !sessions.is_empty() {
            report.find(Finding::MissingHead, None, "the chain over the sessions has lost its head");
        }
        return report;
    };
    let mut previous = chain::ORIGIN;
    let mut number = 0;
    for record in sessions.iter().filter(|record| record.number < head.entries) {
        report.find_missing(number, record.number, "");
        number = record.number + 1;
        let hash = chain::link_session(&previous, record.number, record.created_ms, &record.id);
        if chain::to_hex(&hash) != record.hash && report.problems.is_empty() {
            let detail = format!("the entry of session `{}` is not what was written", record.id);
            report.find(Finding::ChangedSession, Some(record.number), &detail);
        }
        // Go on from what stands there, so that one change is found once.
        previous = chain::from_hex(&record.hash).unwrap_or(hash);
        report.entries += 1;
    }
    report.find_missing(number, head.entries, " from the end");
    report.conclude(&previous, head)
}

async fn verify_session(store: &dyn Store, record: &SessionRecord) -> Result<Report, JournalError> {
    let mut report = Report::new(Some(&record.id));
    let Some(start) = chain::from_hex(&record.hash) else {
        report.find(Finding::ChangedSession, None, "its hash in the list of sessions is no hash");
        return Ok(report);
    };
    let Some(head) = store.head(&record.id).await? else {
        report.find(Finding::MissingHead, None, "its head is gone: nobody can say where it ended");
        return Ok(report);
    };
    let mut walk = Walk { previous: start, next: 0, end: head.entries, started: None, ended: None };
    'pages: loop {
        let page = store.rows(&record.id, walk.next, PAGE_ROWS).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            if row.sequence >= walk.end {
                break 'pages;
            }
            walk.step(store, &row, &mut report).await?;
        }
    }
    if walk.next < walk.end {
        let detail = format!("the entries from {} to {} are gone", walk.next, walk.end - 1);
        report.find(Finding::CutTail, Some(walk.next), &detail);
    }
    // Read in this order, the head is never behind the rows unless somebody put them there.
    let extent = store.extent(&record.id).await?;
    let now = store.head(&record.id).await?.map_or(0, |head| head.entries).max(head.entries);
    if extent.rows > now || extent.last.is_some_and(|last| last >= now) {
        let detail = format!("there are {} entries, and the head counts {now}", extent.rows);
        report.find(Finding::ExtraRow, Some(now), &detail);
    }
    if let Some(listed) = store.session(&record.id).await?
        && store.head(&record.id).await?.as_ref() == Some(&head)
    {
        // Nothing was appended meanwhile, so the list and the entries are of the same moment.
        walk.compare(&listed, &mut report);
    }
    Ok(report.conclude(&walk.previous, &head))
}

/// The way along one session's chain.
struct Walk {
    previous: Hash,
    next: u64,
    end: u64,
    started: Option<String>,
    ended: Option<(String, String, u64)>,
}

impl Walk {
    async fn step(&mut self, store: &dyn Store, row: &Row, report: &mut Report) -> Result<(), JournalError> {
        if row.sequence > self.next {
            let detail = format!("the entries from {} to {} are gone", self.next, row.sequence - 1);
            report.find(Finding::MissingRow, Some(self.next), &detail);
        }
        let is_gap = row.sequence > self.next;
        self.next = row.sequence + 1;
        let hash = chain::link(&self.previous, row.sequence, row.time_ms, &row.body);
        // After a gap the link before is not known, so this row cannot be judged by itself.
        if chain::to_hex(&hash) != row.hash && !is_gap {
            report.find(Finding::ChangedRow, Some(row.sequence), "the entry is not what was written");
        }
        // Go on from what stands there, so that one change is found once.
        self.previous = chain::from_hex(&row.hash).unwrap_or(hash);
        report.entries += 1;
        match payload::restore(store, &row.body).await {
            Ok(body) => self.note(&body, row.time_ms),
            Err(RestoreError::Store(error)) => return Err(error.into()),
            Err(error @ RestoreError::Missing(_)) => {
                report.find(Finding::MissingPayload, Some(row.sequence), &error.to_string());
            }
            Err(error) => report.find(Finding::ChangedPayload, Some(row.sequence), &error.to_string()),
        }
        Ok(())
    }

    fn note(&mut self, body: &Value, time_ms: u64) {
        let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_string();
        match body.get("entry").and_then(Value::as_str) {
            Some("session_started") => self.started = Some(text("agent")),
            Some("session_resumed") => self.ended = None,
            Some("session_ended") => self.ended = Some((text("status"), text("summary"), time_ms)),
            _ => {}
        }
    }

    /// The list of sessions is a copy of what the entries say.
    fn compare(&self, record: &SessionRecord, report: &mut Report) {
        let agent = self.started.as_deref().unwrap_or_default();
        if agent != record.agent {
            let detail = format!("the list of sessions says agent `{}`, its entries `{agent}`", record.agent);
            report.find(Finding::ChangedSession, None, &detail);
        }
        let (status, summary, ended_ms) = self
            .ended
            .as_ref()
            .map_or((OPEN, "", None), |(status, summary, time_ms)| (status.as_str(), summary.as_str(), Some(*time_ms)));
        if ended_ms != record.ended_ms {
            report.find(
                Finding::ChangedSession,
                None,
                "the list of sessions has another time of its end than its entries",
            );
        }
        if status != record.status || !summary.chars().take(SUMMARY_CHARS_MAX).eq(record.summary.chars()) {
            let detail = format!("the list of sessions says it is `{}`, its entries `{status}`", record.status);
            report.find(Finding::ChangedSession, None, &detail);
        }
    }
}

impl Report {
    fn new(session: Option<&str>) -> Self {
        Self { session: session.map(str::to_string), entries: 0, head: None, pruned: None, problems: Vec::new() }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }

    /// Sessions from one number up to another are not there; as one finding, however many they are.
    fn find_missing(&mut self, from: u64, to: u64, place: &str) {
        if from < to {
            let detail = match to - from {
                1 => format!("a whole session was removed{place}"),
                count => format!("{count} whole sessions were removed{place}, up to number {}", to - 1),
            };
            self.find(Finding::MissingSession, Some(from), &detail);
        }
    }

    fn find(&mut self, finding: Finding, sequence: Option<u64>, detail: &str) {
        self.problems.push(Problem { finding, sequence, detail: detail.to_string() });
    }

    /// Compare the end of the chain with its head.
    fn conclude(mut self, end: &Hash, head: &Head) -> Self {
        let end = chain::to_hex(end);
        if end != head.hash && self.holds() {
            self.find(Finding::ChangedHead, None, "the head's hash is not that of the last entry");
        }
        if self.holds() {
            self.head = Some(end);
        }
        self
    }
}
