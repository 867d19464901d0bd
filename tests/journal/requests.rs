//! Requests: other commands ask, the host answers.

use std::sync::Arc;
use std::time::Duration;

use pi_host::store::{Answer, Holder, Lease, NewRequest, Outcome, REQUEST_BYTES_MAX, REQUESTS_MAX, Store, StoreError};
use serde_json::json;

use super::Place;

on_both! {
    an_answer_reaches_who_asked,
    requests_come_in_order_and_once,
    what_nobody_takes_is_withdrawn_and_never_done,
    what_is_no_longer_valid_is_not_done,
    what_the_host_does_not_answer_in_time_is_unknown,
    what_a_dead_host_had_taken_is_unknown,
    what_a_dead_host_had_taken_comes_again_where_that_is_harmless,
    a_request_is_answered_once,
    more_requests_than_may_wait_are_refused,
    a_payload_beyond_the_limit_is_refused,
    a_payload_of_four_mebibytes_arrives,
}

const SHORT: Duration = Duration::from_millis(50);

async fn store(place: &Place) -> (Arc<dyn Store>, Lease) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    (store, lease)
}

/// The host dies and another takes over.
async fn replace(place: &Place, store: &dyn Store) -> Lease {
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
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

async fn an_answer_reaches_who_asked(place: Place) {
    let (host, lease) = store(&place).await;
    let asker = place.open_existing().await.unwrap();
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

async fn requests_come_in_order_and_once(place: Place) {
    let (store, lease) = store(&place).await;
    for number in 0..20 {
        store.push_request(request(number)).await.unwrap();
    }
    let taken = store.take_requests(&lease).await.unwrap();
    let numbers: Vec<_> = taken.iter().map(|request| request.payload["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
}

async fn what_nobody_takes_is_withdrawn_and_never_done(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(request(1)).await.unwrap();
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Withdrawn);
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
}

async fn what_is_no_longer_valid_is_not_done(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(NewRequest { valid_ms: 0, ..request(1) }).await.unwrap();
    let asked_at = pi_host::clock::now_ms();
    while pi_host::clock::now_ms() <= asked_at {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Withdrawn);
}

async fn what_the_host_does_not_answer_in_time_is_unknown(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(request(1)).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Unknown);
    assert!(!store.withdraw(&id).await.unwrap());
}

async fn what_a_dead_host_had_taken_is_unknown(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(request(1)).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    let next = replace(&place, &*store).await;
    assert_eq!(store.take_requests(&next).await.unwrap(), []);
    assert_eq!(store.wait_answer(&id, SHORT).await.unwrap(), Answer::Unknown);
}

async fn what_a_dead_host_had_taken_comes_again_where_that_is_harmless(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(NewRequest { is_idempotent: true, ..request(1) }).await.unwrap();
    store.take_requests(&lease).await.unwrap();
    let next = replace(&place, &*store).await;
    let again = store.take_requests(&next).await.unwrap();
    assert_eq!(again.len(), 1);
    // The dead one, if it still lives, cannot answer for the new one.
    assert_eq!(store.answer(&lease, &id, json!(1)).await, Err(StoreError::Fenced { epoch: 1 }));
    store.answer(&next, &id, json!(2)).await.unwrap();
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Answered(json!(2)));
}

async fn a_request_is_answered_once(place: Place) {
    let (store, lease) = store(&place).await;
    let id = store.push_request(request(1)).await.unwrap();
    assert!(matches!(store.answer(&lease, &id, json!(0)).await, Err(StoreError::NoRequest { .. })));
    store.take_requests(&lease).await.unwrap();
    store.answer(&lease, &id, json!(1)).await.unwrap();
    assert!(matches!(store.answer(&lease, &id, json!(2)).await, Err(StoreError::NoRequest { .. })));
    assert_eq!(store.outcome(&id).await.unwrap(), Outcome::Answered(json!(1)));
}

async fn more_requests_than_may_wait_are_refused(place: Place) {
    let (store, lease) = store(&place).await;
    for number in 0..REQUESTS_MAX {
        store.push_request(request(number)).await.unwrap();
    }
    let error = store.push_request(request(0)).await.unwrap_err();
    assert_eq!(error, StoreError::TooManyRequests { waiting: REQUESTS_MAX, waiting_max: REQUESTS_MAX });
    store.take_requests(&lease).await.unwrap();
    assert!(store.push_request(request(0)).await.is_ok());
}

async fn a_payload_beyond_the_limit_is_refused(place: Place) {
    let (store, _lease) = store(&place).await;
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

async fn a_payload_of_four_mebibytes_arrives(place: Place) {
    let (store, lease) = store(&place).await;
    let payload = json!("x".repeat(4 << 20));
    store.push_request(NewRequest { payload: payload.clone(), ..request(1) }).await.unwrap();
    assert_eq!(store.take_requests(&lease).await.unwrap()[0].payload, payload);
}
