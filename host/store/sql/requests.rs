//! The table of requests: other processes write and wait, the host claims and answers.

use std::time::Duration;

use serde_json::Value;

use super::attempts::Attempts;
use super::{Database, SqlStore, Statement, Transaction, ended};
use crate::clock;
use crate::store::lease::random_id;
use crate::store::{Answer, Lease, NewRequest, Outcome, REQUEST_BYTES_MAX, REQUESTS_MAX, Request, StoreError};

/// How long what is over is kept: its payload may be large.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

const WAITING: &str = "waiting";
const CLAIMED: &str = "claimed";
const ANSWERED: &str = "answered";
const UNKNOWN: &str = "unknown";
const WITHDRAWN: &str = "withdrawn";

impl<D: Database> SqlStore<D> {
    pub(super) async fn leave_request(&self, request: NewRequest) -> Result<String, StoreError> {
        let payload = limited("the payload of a request", &request.payload)?;
        let id = random_id();
        let mut attempts = Attempts::new();
        loop {
            let result = match self.database.begin().await {
                Ok(mut transaction) => {
                    let result = leave_in(&mut transaction, &id, &request, &payload).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                // Its id is its own: what an attempt without an answer has left is not left twice.
                Err(error) if attempts.repeat(&error).await => {}
                result => return result.map(|()| id),
            }
        }
    }

    pub(super) async fn claim_requests(&self, lease: &Lease) -> Result<Vec<Request>, StoreError> {
        // Most of the time there is nothing: look without the lock that writing takes.
        let statement = Statement::new("SELECT COUNT(*) FROM requests WHERE state = ? OR (state = ? AND epoch <> ?)");
        let statement = statement.bind(WAITING).bind(CLAIMED).bind(lease.epoch);
        let open = self.read_one(statement).await?.map(|mut row| row.natural()).transpose()?;
        if open.unwrap_or(0) == 0 {
            return Ok(Vec::new());
        }
        let mut attempts = Attempts::new();
        let mut claimed = Vec::new();
        loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let result = self.claim_in(&mut transaction, lease, &mut claimed).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if attempts.repeat(&error).await => {}
                result => return result.map(|()| claimed),
            }
        }
    }

    /// Claim what is open into `claimed`, which holds what an attempt without an answer may have claimed.
    async fn claim_in(
        &self,
        transaction: &mut D::Transaction,
        lease: &Lease,
        claimed: &mut Vec<Request>,
    ) -> Result<(), StoreError> {
        if let Some(first) = claimed.first() {
            let statement = Statement::new("SELECT id FROM requests WHERE id = ? AND state = ? AND epoch = ?");
            let statement = statement.bind(&*first.id).bind(CLAIMED).bind(lease.epoch);
            if !transaction.fetch(&statement).await?.is_empty() {
                return Ok(());
            }
            claimed.clear();
        }
        let now_ms = transaction.now_ms().await?;
        let statement = Statement::new(
            "SELECT id, kind, payload, created_ms, state, idempotent, expires_ms FROM requests
             WHERE state = ? OR (state = ? AND epoch <> ?) ORDER BY number",
        );
        let rows = transaction.fetch(&statement.bind(WAITING).bind(CLAIMED).bind(lease.epoch)).await?;
        for mut row in rows {
            let (id, kind, payload) = (row.text()?, row.text()?, row.text()?);
            let (created_ms, state) = (row.natural()?, row.text()?);
            let (is_idempotent, is_valid) = (row.natural()? != 0, row.natural()? >= now_ms);
            let next = match (state.as_str(), is_valid) {
                (WAITING, true) => CLAIMED,
                (WAITING, false) => WITHDRAWN,
                // The host that had it is dead.
                (_, true) if is_idempotent => CLAIMED,
                _ => UNKNOWN,
            };
            let statement = Statement::new("UPDATE requests SET state = ?, epoch = ? WHERE id = ?");
            transaction.execute(&statement.bind(next).bind(lease.epoch).bind(&*id)).await?;
            if next == CLAIMED {
                let payload = serde_json::from_str(&payload)
                    .map_err(|error| self.corrupt(&format!("request {id} is no JSON: {error}")))?;
                claimed.push(Request { id, kind, payload, created_ms });
            }
        }
        Ok(())
    }

    pub(super) async fn answer_request(&self, lease: &Lease, id: &str, response: &Value) -> Result<(), StoreError> {
        let response = limited("the response to a request", response)?;
        let mut attempts = Attempts::new();
        let mut is_first = true;
        loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let result = answer_in(&mut transaction, lease, id, &response, is_first).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if attempts.repeat(&error).await => is_first = false,
                result => return result,
            }
        }
    }

    pub(super) async fn read_outcome(&self, id: &str) -> Result<Outcome, StoreError> {
        let statement = Statement::new("SELECT state, response, expires_ms FROM requests WHERE id = ?").bind(id);
        let row = self.read_one(statement).await?;
        let mut row = row.ok_or_else(|| StoreError::NoRequest { id: id.into() })?;
        let (state, response, expires_ms) = (row.text()?, row.maybe_text()?, row.natural()?);
        Ok(match (state.as_str(), response) {
            (WAITING, _) if expires_ms >= self.now_ms().await? => Outcome::Waiting,
            (WAITING | WITHDRAWN, _) => Outcome::Withdrawn,
            (CLAIMED, _) => Outcome::Claimed,
            (ANSWERED, Some(response)) => Outcome::Answered(
                serde_json::from_str(&response)
                    .map_err(|error| self.corrupt(&format!("the response to {id} is no JSON: {error}")))?,
            ),
            _ => Outcome::Unknown,
        })
    }

    pub(super) async fn withdraw_request(&self, id: &str) -> Result<bool, StoreError> {
        let statement = Statement::new("UPDATE requests SET state = ? WHERE id = ? AND state IN (?, ?)");
        let statement = statement.bind(WITHDRAWN).bind(id).bind(WAITING).bind(WITHDRAWN);
        self.repeat(&statement).await.map(|changed| changed > 0)
    }

    pub(super) async fn await_answer(&self, id: &str, timeout: Duration) -> Result<Answer, StoreError> {
        let begun = clock::monotonic();
        loop {
            match self.read_outcome(id).await? {
                Outcome::Answered(response) => return Ok(Answer::Response(response)),
                Outcome::Unknown => return Ok(Answer::Unknown),
                Outcome::Withdrawn => return Ok(Answer::Withdrawn),
                Outcome::Waiting | Outcome::Claimed => {}
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            self.database.wait(left).await;
        }
        if self.withdraw_request(id).await? {
            return Ok(Answer::Withdrawn);
        }
        // A host had taken it; its answer may have come just now.
        match self.read_outcome(id).await? {
            Outcome::Answered(response) => Ok(Answer::Response(response)),
            _ => Ok(Answer::Unknown),
        }
    }
}

async fn leave_in(
    transaction: &mut impl Transaction,
    id: &str,
    request: &NewRequest,
    payload: &str,
) -> Result<(), StoreError> {
    let now_ms = transaction.now_ms().await?;
    let statement = Statement::new("DELETE FROM requests WHERE state <> ? AND expires_ms < ?");
    transaction.execute(&statement.bind(CLAIMED).bind(now_ms.saturating_sub(KEPT_MS))).await?;
    let statement = Statement::new("SELECT COUNT(*) FROM requests WHERE state = ? AND expires_ms >= ?");
    for mut row in transaction.fetch(&statement.bind(WAITING).bind(now_ms)).await? {
        let waiting = row.natural()?;
        if waiting >= REQUESTS_MAX {
            return Err(StoreError::TooManyRequests { waiting, waiting_max: REQUESTS_MAX });
        }
    }
    let statement = Statement::new(
        "INSERT INTO requests (id, number, kind, payload, idempotent, state, epoch, created_ms, expires_ms)
         VALUES (?, (SELECT COALESCE(MAX(number), 0) + 1 FROM requests), ?, ?, ?, ?, 0, ?, ?)
         ON CONFLICT (id) DO NOTHING",
    );
    let statement = statement
        .bind(id)
        .bind(&*request.kind)
        .bind(payload)
        .bind(u64::from(request.is_idempotent))
        .bind(WAITING)
        .bind(now_ms)
        .bind(now_ms.saturating_add(request.valid_ms));
    transaction.execute(&statement).await?;
    transaction.nudge().await
}

async fn answer_in(
    transaction: &mut impl Transaction,
    lease: &Lease,
    id: &str,
    response: &str,
    is_first: bool,
) -> Result<(), StoreError> {
    let statement =
        Statement::new("UPDATE requests SET state = ?, response = ? WHERE id = ? AND state = ? AND epoch = ?");
    let statement = statement.bind(ANSWERED).bind(response).bind(id).bind(CLAIMED).bind(lease.epoch);
    if transaction.execute(&statement).await? > 0 {
        return transaction.nudge().await;
    }
    if !is_first {
        // An attempt without an answer may have gone through.
        let statement = Statement::new("SELECT id FROM requests WHERE id = ? AND state = ? AND epoch = ?");
        let statement = statement.bind(id).bind(ANSWERED).bind(lease.epoch);
        if !transaction.fetch(&statement).await?.is_empty() {
            return Ok(());
        }
    }
    Err(StoreError::NoRequest { id: id.into() })
}

fn limited(what: &'static str, value: &Value) -> Result<String, StoreError> {
    let text = value.to_string();
    if text.len() > REQUEST_BYTES_MAX {
        return Err(StoreError::TooLarge { what, bytes: text.len(), bytes_max: REQUEST_BYTES_MAX });
    }
    Ok(text)
}
