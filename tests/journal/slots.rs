//! When jobs were due: each time is claimed by one, and changed by who has read it.

use pi_host::store::{Holder, Slot, SlotKey};
use serde_json::json;

use super::Place;

on_both! {
    a_time_is_claimed_once,
    a_change_counts_only_on_what_was_read,
    slots_are_found_by_job_and_state,
    a_host_that_lost_the_store_claims_nothing,
}

fn slot(job: &str, due_ms: u64, origin: &str, state: &str) -> Slot {
    let key = SlotKey { job: job.into(), due_ms, origin: origin.into() };
    let detail = json!({ "state": state, "attempt": 1 });
    Slot { key, state: state.into(), detail, session: None, epoch: 0, note: String::new() }
}

async fn a_time_is_claimed_once(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let first = slot("daily", 5, "schedule", "running");
    assert!(store.put_slot(&lease, &first, None).await.unwrap());
    assert!(!store.put_slot(&lease, &slot("daily", 5, "schedule", "missed"), None).await.unwrap());
    // What a person asks for never takes the place of what is due.
    assert!(store.put_slot(&lease, &slot("daily", 5, "manual", "queued"), None).await.unwrap());
    let kept = store.slot(&first.key).await.unwrap().unwrap();
    assert_eq!((kept.state.as_str(), kept.epoch, kept.session), ("running", lease.epoch, None));
}

async fn a_change_counts_only_on_what_was_read(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let queued = slot("daily", 5, "schedule", "queued");
    store.put_slot(&lease, &queued, None).await.unwrap();
    let running = Slot { session: Some("ghost-1".into()), ..slot("daily", 5, "schedule", "running") };
    assert!(store.put_slot(&lease, &running, Some(&queued)).await.unwrap());
    assert!(!store.put_slot(&lease, &slot("daily", 5, "schedule", "missed"), Some(&queued)).await.unwrap());
    let kept = store.slot(&queued.key).await.unwrap().unwrap();
    assert_eq!((kept.state.as_str(), kept.session.as_deref()), ("running", Some("ghost-1")));
    store.remove_slot(&lease, &queued.key).await.unwrap();
    assert_eq!(store.slot(&queued.key).await.unwrap(), None);
}

async fn slots_are_found_by_job_and_state(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    for due_ms in 1..=5 {
        let state = if due_ms == 3 { "running" } else { "done" };
        store.put_slot(&lease, &slot("a", due_ms, "schedule", state), None).await.unwrap();
    }
    store.put_slot(&lease, &slot("b", 9, "schedule", "failed"), None).await.unwrap();
    let newest: Vec<u64> = store.slots("a", 2).await.unwrap().iter().map(|slot| slot.key.due_ms).collect();
    assert_eq!(newest, [5, 4]);
    let open = store.slots_in(&["running", "failed"], None).await.unwrap();
    assert_eq!(open.iter().map(|slot| slot.key.job.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(store.slots_in(&["running", "failed"], Some("b")).await.unwrap().len(), 1);
    assert!(store.slots("nobody", 9).await.unwrap().is_empty());
}

async fn a_host_that_lost_the_store_claims_nothing(place: Place) {
    let store = place.open().await;
    let old = store.acquire(&Holder::this_process("run")).await.unwrap();
    store.release(&old).await.unwrap();
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    assert!(store.put_slot(&old, &slot("daily", 5, "schedule", "running"), None).await.is_err());
    assert!(store.put_slot(&lease, &slot("daily", 5, "schedule", "running"), None).await.unwrap());
}
