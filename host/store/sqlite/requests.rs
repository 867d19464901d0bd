//! The table of requests: other processes write and wait, the host claims and answers.

use std::time::Duration;

use serde_json::Value;
use sqlx::Connection;

use super::SqliteStore;
use super::entries::{natural, whole};
use crate::clock;
use crate::store::lease::random_id;
use crate::store::{Answer, Lease, NewRequest, Outcome, REQUEST_BYTES_MAX, REQUESTS_MAX, Request, StoreError};

/// How often who waits for an answer looks.
const POLL: Duration = Duration::from_millis(20);
/// How long what is over is kept: its payload may be large.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

const WAITING: &str = "waiting";
const CLAIMED: &str = "claimed";
const ANSWERED: &str = "answered";
const UNKNOWN: &str = "unknown";
const WITHDRAWN: &str = "withdrawn";

/// Id, kind, payload, time, state, whether it may be done twice, the epoch that claimed it, validity.
type RequestRow = (String, String, String, i64, String, i64, i64, i64);

impl SqliteStore {
    pub(super) async fn leave_request(&self, request: NewRequest) -> Result<String, StoreError> {
        let of = |error| self.failures.of(error);
        let payload = limited("the payload of a request", &request.payload)?;
        let now_ms = clock::now_ms();
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await.map_err(of)?;
        sqlx::query("DELETE FROM requests WHERE state <> ? AND expires_ms < ?")
            .bind(CLAIMED)
            .bind(whole(now_ms.saturating_sub(KEPT_MS)))
            .execute(&mut *transaction)
            .await
            .map_err(of)?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM requests WHERE state = ? AND expires_ms >= ?")
            .bind(WAITING)
            .bind(whole(now_ms))
            .fetch_one(&mut *transaction)
            .await
            .map_err(of)?;
        if natural(waiting) >= REQUESTS_MAX {
            return Err(StoreError::TooManyRequests { waiting: natural(waiting), waiting_max: REQUESTS_MAX });
        }
        let id = random_id();
        sqlx::query(
            "INSERT INTO requests (id, number, kind, payload, idempotent, state, epoch, created_ms, expires_ms)
             VALUES (?, (SELECT COALESCE(MAX(number), 0) + 1 FROM requests), ?, ?, ?, ?, 0, ?, ?)",
        )
        .bind(&id)
        .bind(request.kind)
        .bind(payload)
        .bind(i64::from(request.is_idempotent))
        .bind(WAITING)
        .bind(whole(now_ms))
        .bind(whole(now_ms.saturating_add(request.valid_ms)))
        .execute(&mut *transaction)
        .await
        .map_err(of)?;
        transaction.commit().await.map_err(of)?;
        Ok(id)
    }

    pub(super) async fn claim_requests(&self, lease: &Lease) -> Result<Vec<Request>, StoreError> {
        let of = |error| self.failures.of(error);
        // Most of the time there is nothing: look without the lock that writing takes.
        let open: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM requests WHERE state = ? OR (state = ? AND epoch <> ?)")
                .bind(WAITING)
                .bind(CLAIMED)
                .bind(whole(lease.epoch))
                .fetch_one(&self.readers)
                .await
                .map_err(of)?;
        if open == 0 {
            return Ok(Vec::new());
        }
        let now_ms = clock::now_ms();
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        let rows: Vec<RequestRow> = sqlx::query_as(
            "SELECT id, kind, payload, created_ms, state, idempotent, epoch, expires_ms FROM requests
             WHERE state = ? OR (state = ? AND epoch <> ?) ORDER BY number",
        )
        .bind(WAITING)
        .bind(CLAIMED)
        .bind(whole(lease.epoch))
        .fetch_all(&mut *transaction)
        .await
        .map_err(of)?;
        let mut requests = Vec::new();
        for (id, kind, payload, created_ms, state, idempotent, _, expires_ms) in rows {
            let is_valid = natural(expires_ms) >= now_ms;
            let next = match (state.as_str(), is_valid) {
                (WAITING, true) => CLAIMED,
                (WAITING, false) => WITHDRAWN,
                // The host that had it is dead.
                (_, true) if idempotent != 0 => CLAIMED,
                _ => UNKNOWN,
            };
            sqlx::query("UPDATE requests SET state = ?, epoch = ? WHERE id = ?")
                .bind(next)
                .bind(whole(lease.epoch))
                .bind(&id)
                .execute(&mut *transaction)
                .await
                .map_err(of)?;
            if next == CLAIMED {
                let payload = serde_json::from_str(&payload)
                    .map_err(|error| self.failures.corrupt(&format!("request {id} is no JSON: {error}")))?;
                requests.push(Request { id, kind, payload, created_ms: natural(created_ms) });
            }
        }
        transaction.commit().await.map_err(of)?;
        Ok(requests)
    }

    pub(super) async fn answer_request(&self, lease: &Lease, id: &str, response: &Value) -> Result<(), StoreError> {
        let of = |error| self.failures.of(error);
        let response = limited("the response to a request", response)?;
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        let done = sqlx::query("UPDATE requests SET state = ?, response = ? WHERE id = ? AND state = ? AND epoch = ?")
            .bind(ANSWERED)
            .bind(response)
            .bind(id)
            .bind(CLAIMED)
            .bind(whole(lease.epoch))
            .execute(&mut *transaction)
            .await
            .map_err(of)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NoRequest { id: id.into() });
        }
        transaction.commit().await.map_err(of)
    }

    pub(super) async fn read_outcome(&self, id: &str) -> Result<Outcome, StoreError> {
        let row: Option<(String, Option<String>, i64)> =
            sqlx::query_as("SELECT state, response, expires_ms FROM requests WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.readers)
                .await
                .map_err(|error| self.failures.of(error))?;
        let (state, response, expires_ms) = row.ok_or_else(|| StoreError::NoRequest { id: id.into() })?;
        Ok(match (state.as_str(), response) {
            (WAITING, _) if natural(expires_ms) >= clock::now_ms() => Outcome::Waiting,
            (WAITING | WITHDRAWN, _) => Outcome::Withdrawn,
            (CLAIMED, _) => Outcome::Claimed,
            (ANSWERED, Some(response)) => Outcome::Answered(
                serde_json::from_str(&response)
                    .map_err(|error| self.failures.corrupt(&format!("the response to {id} is no JSON: {error}")))?,
            ),
            _ => Outcome::Unknown,
        })
    }

    pub(super) async fn withdraw_request(&self, id: &str) -> Result<bool, StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let done = sqlx::query("UPDATE requests SET state = ? WHERE id = ? AND state IN (?, ?)")
            .bind(WITHDRAWN)
            .bind(id)
            .bind(WAITING)
            .bind(WITHDRAWN)
            .execute(&mut writer.connection)
            .await
            .map_err(of)?;
        Ok(done.rows_affected() > 0)
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
            tokio::time::sleep(POLL.min(left)).await;
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

fn limited(what: &'static str, value: &Value) -> Result<String, StoreError> {
    let text = value.to_string();
    if text.len() > REQUEST_BYTES_MAX {
        return Err(StoreError::TooLarge { what, bytes: text.len(), bytes_max: REQUEST_BYTES_MAX });
    }
    Ok(text)
}
