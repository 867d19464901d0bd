//! How fast appending is. The bound is a generous one: the numbers are in BENCHMARKS.md.

use pi_host::clock::{self, Duration};

use super::{Place, writing};

on_both! {
    appending_does_not_wait_for_the_disk,
    who_appends_more_than_the_disk_takes_is_slowed_down,
}

/// The goal is 3 us. A build without optimisation on a machine that does other work takes longer,
/// and one that waited for the disk longer still.
const APPEND_MAX: Duration = Duration::from_micros(50);

async fn appending_does_not_wait_for_the_disk(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    let mut times = Vec::new();
    for _ in 0..10_000 {
        let body = writing("1.0.0");
        let begun = clock::monotonic();
        session.append(body);
        times.push(begun.elapsed());
    }
    session.flush().await.unwrap();
    times.sort_unstable();
    assert!(times[5_000] < APPEND_MAX, "{:?}", times[5_000]);
}

async fn who_appends_more_than_the_disk_takes_is_slowed_down(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    let text = "x".repeat(60_000);
    let mut most = 0;
    for _ in 0..2_000 {
        session.ready().await;
        session.append(super::said(&text));
        most = most.max(journal.health().queued_bytes);
    }
    session.flush().await.unwrap();
    // 120 MB went through; one entry may go beyond the mark.
    assert!(most < pi_host::journal::QUEUE_BYTES_HIGH + 100_000, "{most}");
    assert_eq!(journal.health().stored, 2_000);
}
