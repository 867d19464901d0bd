//! Requests: other commands ask, the host answers.

use std::time::Duration;

use pi_host::store::sqlite::SqliteStore;
use pi_host::store::{Answer, Holder, Lease, NewRequest, Outcome, REQUEST_BYTES_MAX, REQUESTS_MAX, Store, StoreError};
use serde_json::json;
use tempfile::TempDir;

use super::tamper;

const SHORT: Duration = Duration::from_millis(50);

async fn store() -> (TempDir, SqliteStore, Lease) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    (folder, store, lease)
}

/// The host dies and another takes over.
async fn replace(folder: &TempDir, store: &SqliteStore) -> Lease {
    tamper(folder.path(), "UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    store.acquire(&Holder::this_process("run")).await.unwrap()
}

fn request(number: u64) -> NewRequest {
    NewRequest {
        kind: "tool_call".into(),
        payload: json!({ "number": number }),
        is_idempotent: false,
        valid_ms: 60_000,
    }
}

#[tokio::test]
async fn an_answer_reaches_who_asked() {
    let (folder, host, lease) = store().await;
    let asker = SqliteStore::open_existing(&folder.path().join("store.db")).await.unwrap();
    let id = asker.push_request(request(1)).await.unwrap();
    let asked = tokio::spawn({
        let id = id.clone();
        async move { asker.wait_answer(&id, Duration::from_secs(30)).await.unwrap() }
    });
    let taken = host.take_requests(&lease).await.unwrap();
    assert_eq!(
        (taken[0].id.as_str(), taken[0].kind.as_str(), &taken[0].payload),
        (id.as_str(), "tool_call", &json!({"number": 1}))
    );
    host.answer(&lease, &id, json!({"ok": true})).await.unwrap();
    assert_eq!(asked.await.unwrap(), Answer::Response(json!({"ok": true})));
}

#[tokio::test]
async fn requests_come_in_order_and_once() {
    let (_folder, store, lease) = store().await;
    for number in 0..20 {
        store.push_request(request(number)).await.unwrap();
    }
    let taken = store.take_requests(&lease).await.unwrap();
    let numbers: Vec<_> = taken.iter().map(|request| request.payload["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_takes_is_withdrawn_and_never_done() {
    let (_folder, store, lease) = store().await;
    let id = store.push_request(request(1)).await.unwrap();
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Withdrawn);
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_longer_valid_is_not_done() {
    let (_folder, store, lease) = store().await;
    let id = store.push_request(NewRequest { valid_ms: 0, ..request(1) }).await.unwrap();
    let asked_at = pi_host::clock::now_ms();
    while pi_host::clock::now_ms() <= asked_at {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Withdrawn);
}

#[tokio::test]
async fn what_the_host_does_not_answer_in_time_is_unknown() {
    let (_folder, store, lease) = store().await;
    let id = store.push_request(request(1)).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Unknown);
    assert!(!store.withdraw(&id).await.unwrap());
}

#[tokio::test]
async fn what_a_dead_host_had_taken_is_unknown() {
    let (folder, store, lease) = store().await;
    let id = store.push_request(request(1)).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    let next = replace(&folder, &store).await;
    assert_eq!(store.take_requests(&next).await.unwrap(), []);
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Unknown);
}

#[tokio::test]
async fn what_a_dead_host_had_taken_comes_again_where_that_is_harmless() {
    let (folder, store, lease) = store().await;
    let id = store.push_request(NewRequest { is_idempotent: true, ..request(1) }).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    let next = replace(&folder, &store).await;
    let again = store.take_requests(&next).await.unwrap();
    assert_eq!(again.len(), 1);
    // The dead one, if it still lives, cannot answer for the new one.
    assert_eq!(store.answer(&lease, &id, json!(1)).await, Err(StoreError::Fenced { epoch: 1 }));
    store.answer(&next, &id, json!(2)).await.unwrap();
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Answered(json!(2)));
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let (_folder, store, lease) = store().await;
    let id = store.push_request(request(1)).await.unwrap();
    assert!(matches!(store.answer(&lease, &id, json!(0)).await, Err(StoreError::NoRequest { .. })));
    store.take_requests(&lease).await.unwrap();
    store.answer(&lease, &id, json!(1)).await.unwrap();
    assert!(matches!(store.answer(&lease, &id, json!(2)).await, Err(StoreError::NoRequest { .. })));
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Answered(json!(1)));
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused() {
    let (_folder, store, lease) = store().await;
    for number in 0..REQUESTS_MAX {
        store.push_request(request(number)).await.unwrap();
    }
    let error = store.push_request(request(0)).await.unwrap_err();
    assert_eq!(error, StoreError::TooManyRequests { waiting: REQUESTS_MAX, waiting_max: REQUESTS_MAX });
    store.take_requests(&lease).await.unwrap();
    assert!(store.push_request(request(0)).await.is_ok());
}

#[tokio::test]
async fn a_payload_beyond_the_limit_is_refused() {
    let (_folder, store, _lease) = store().await;
    let error = store
        .push_request(NewRequest { payload: json!("x".repeat(REQUEST_BYTES_MAX)), ..request(1) })
        .await
        .unwrap_err();
    assert_eq!(
        error,
        StoreError::TooLarge {
            what: "the payload of a request",
            bytes: REQUEST_BYTES_MAX + 2,
            bytes_max: REQUEST_BYTES_MAX
        }
    );
}

#[tokio::test]
async fn a_payload_of_four_mebibytes_arrives() {
    let (_folder, store, lease) = store().await;
    let payload = json!("x".repeat(4 << 20));
    store.push_request(NewRequest { payload: payload.clone(), ..request(1) }).await.unwrap();
    assert_eq!(store.take_requests(&lease).await.unwrap()[0].payload, payload);
}
