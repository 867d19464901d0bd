//! A guest that was granted nothing: each misbehaviour ends, with a reason, and the next call works.

use std::time::{Duration, Instant};

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::plugin::pack;
use pi_host::runtime::{CallLimits, Grants};
use pi_host::session::message;
use serde_json::{Value, json};

use super::component::{growing_a_table, looping_at_start};
use super::guest::{call, component, limits, linked, manifest, runtime};
use crate::capability::bench::Bench;

/// Longest that a call may take that ends at its deadline of 2 s: beyond it the deadline does not hold.
const LATE: Duration = Duration::from_secs(8);

async fn misbehave(name: &str, arguments: Value, limits: CallLimits) -> Result<Vec<Content>, Error> {
    let bench = Bench::new().await;
    let hostile = linked("hostile", Grants::default()).await;
    let begun = Instant::now();
    let result = call(&bench, &hostile, limits, name, arguments).await;
    assert!(begun.elapsed() < LATE, "`{name}` took {:?}", begun.elapsed());
    // Whatever it did, the next call of the same plugin is not the worse for it.
    assert_eq!(
        call(&bench, &hostile, super::guest::limits(), "noop", json!({})).await,
        Ok(vec![Content::Text(String::new())])
    );
    result
}

fn limit(result: Result<Vec<Content>, Error>) -> String {
    match result {
        Err(Error::Limit(text)) => text,
        other => panic!("no limit: {other:?}"),
    }
}

fn failure(result: Result<Vec<Content>, Error>) -> String {
    match result {
        Err(Error::Failed(text)) => text,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_loop_ends_at_the_deadline() {
    let limits = CallLimits { call_ms_max: 300, ..limits() };
    assert!(limit(misbehave("loop_forever", json!({}), limits).await).contains("300 ms"));
}

#[tokio::test]
async fn a_wait_inside_a_host_call_ends_at_the_deadline() {
    let limits = CallLimits { call_ms_max: 300, ..limits() };
    assert!(limit(misbehave("wait", json!({}), limits).await).contains("300 ms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_room_waits_for_it() {
    let bench = Bench::new().await;
    let hostile = linked("hostile", Grants::default()).await;
    let limits = CallLimits { call_ms_max: 200, ..limits() };
    // There is room for 64: each of these keeps its place until its deadline.
    let calls = (0..200).map(|_| call(&bench, &hostile, limits.clone(), "wait", json!({})));
    for result in futures::future::join_all(calls).await {
        assert!(limit(result).contains("200 ms"));
    }
}

#[tokio::test]
async fn asking_for_the_time_without_end_ends_at_the_limit_of_host_calls() {
    assert!(limit(misbehave("clock_spin", json!({}), limits()).await).contains("1000 host calls"));
}

#[tokio::test]
async fn asking_for_the_time_without_end_ends_at_the_deadline() {
    let limits = CallLimits { call_ms_max: 300, host_calls_max: u64::MAX, ..limits() };
    assert!(limit(misbehave("clock_spin", json!({}), limits).await).contains("300 ms"));
}

#[tokio::test]
async fn as_many_host_calls_as_there_may_be_are_made() {
    // The instance makes some of its own when it starts.
    assert!(misbehave("host_calls", json!({ "count": 900 }), limits()).await.is_ok());
    assert!(limit(misbehave("host_calls", json!({ "count": 1_001 }), limits()).await).contains("1000 host calls"));
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    assert!(limit(misbehave("allocate", json!({}), limits()).await).contains("33554432 bytes of memory"));
}

#[tokio::test]
async fn output_ends_at_its_limit() {
    let text = limit(misbehave("flood", json!({ "parts": 2, "part_bytes": 600_000 }), limits()).await);
    assert!(text.contains("1048576"), "{text}");
    let most = misbehave("flood", json!({ "parts": 2, "part_bytes": 500_000 }), limits()).await;
    assert_eq!(most.map(|parts| parts.len()), Ok(2));
}

#[tokio::test]
async fn output_that_repeats_the_same_bytes_does_not_fill_the_hosts_memory() {
    let flood = misbehave("flood", json!({ "parts": 10_000, "part_bytes": 1_000_000 }), limits()).await;
    assert!(flood.is_err(), "10 GB were taken");
}

#[tokio::test]
async fn a_trap_and_a_panic_are_failures_that_say_so() {
    assert!(failure(misbehave("trap", json!({}), limits()).await).contains("unreachable"));
    let text = failure(misbehave("panic", json!({}), limits()).await);
    assert!(text.contains("the guest panics as it was told"), "{text}");
}

#[tokio::test]
async fn a_stack_that_overflows_is_a_failure() {
    // Whichever of the guest's two stacks ends first.
    let text = failure(misbehave("overflow_stack", json!({}), limits()).await);
    assert!(text.contains("stack") || text.contains("out of bounds memory access"), "{text}");
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_an_error_of_the_guests_own() {
    assert_eq!(misbehave("no_such_tool", json!({}), limits()).await, Err(Error::NotFound("no_such_tool".into())));
}

#[tokio::test]
async fn a_component_that_loops_while_it_starts_ends_at_the_deadline() {
    let bench = Bench::new().await;
    let bytes = pack(&looping_at_start(&component("hostile")), &manifest("hostile"));
    let compiled = runtime().load(&bytes).await.unwrap();
    let guest = runtime().link_tool(&compiled, Grants::default()).unwrap();
    let limits = CallLimits { call_ms_max: 300, ..limits() };
    assert!(limit(call(&bench, &guest, limits, "noop", json!({})).await).contains("300 ms"));
}

#[tokio::test]
async fn a_table_ends_at_its_limit() {
    let bench = Bench::new().await;
    let bytes = pack(&growing_a_table(&component("hostile")), &manifest("hostile"));
    let compiled = runtime().load(&bytes).await.unwrap();
    let guest = runtime().link_tool(&compiled, Grants::default()).unwrap();
    let result = call(&bench, &guest, limits(), "noop", json!({})).await;
    assert!(result.is_err(), "the table grew: {result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_loops_does_not_hold_up_another() {
    let bench = Bench::new().await;
    let hostile = linked("hostile", Grants::default()).await;
    let limits = CallLimits { call_ms_max: 1_000, ..limits() };
    let looping = async {
        futures::future::join_all((0..8).map(|_| call(&bench, &hostile, limits.clone(), "loop_forever", json!({}))))
            .await
    };
    let working = async {
        let begun = Instant::now();
        for _ in 0..10 {
            call(&bench, &hostile, super::guest::limits(), "noop", json!({})).await.unwrap();
        }
        begun.elapsed()
    };
    let (looped, worked) = tokio::join!(looping, working);
    assert!(looped.into_iter().all(|result| matches!(result, Err(Error::Limit(_)))));
    assert!(worked < LATE, "ten calls took {worked:?}");
}

#[tokio::test]
async fn a_refusal_that_no_gate_has_spoken_is_a_failure() {
    let text = failure(misbehave("bad_result", json!({ "what": "forged_refusal" }), limits()).await);
    assert!(text.contains("`a-rule-that-is-none`") && text.contains("no act of it was"), "{text}");
}

#[tokio::test]
async fn json_that_is_none_or_too_deep_reaches_the_caller_as_text() {
    for (tool, arguments) in [("bad_result", json!({ "what": "no_json" })), ("deep_json", json!({}))] {
        let contents = misbehave(tool, arguments, limits()).await.unwrap();
        let written: Vec<Content> = contents.into_iter().map(message::as_written).collect();
        assert!(matches!(written.as_slice(), [Content::Text(_)]), "{tool}");
    }
}
