//! A process that is killed loses nothing that it was told is stored.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pi_host::journal::{self, verify};

use super::{Place, said};

on_both! {
    what_was_acknowledged_survives_sigkill,
    reading_works_beside_a_process_that_writes,
}

/// No test by itself: the process that the others start and kill. It says `stored N` after each
/// durable entry, with entries between that it does not wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_appends() {
    let Some((_store, journal)) = super::given().await else { return };
    let session = journal.session("s").await.unwrap();
    for number in (0_u64..).step_by(3) {
        session.append(said(&number.to_string()));
        session.append(said(&(number + 1).to_string()));
        session.append_durable(said(&(number + 2).to_string())).await.unwrap();
        println!("stored {}", number + 2);
    }
}

async fn what_was_acknowledged_survives_sigkill(place: Place) {
    for lines in [1, 7, 40, 111] {
        let place = place.another();
        let mut child = place
            .process("journal::crash::process_that_appends")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stored: Option<u64> = None;
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, number)) = line.split_once("stored ") else { continue };
            stored = number.parse().ok().max(stored);
            seen += 1;
            if seen == lines {
                // SIGKILL. What is still in the pipe was acknowledged as well, so reading goes on.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();

        // The killed process still has the lease by the clock; it is taken over at once.
        let (store, journal) = place.journal().await;
        let entries = journal::entries(&*store, "s").await.unwrap();
        assert!(entries.len() as u64 > stored.unwrap(), "{} entries, {stored:?} was acknowledged", entries.len());
        for (entry, number) in entries.iter().zip(0_u64..) {
            assert_eq!(entry.body, said(&number.to_string()));
        }
        assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
        // And it goes on.
        journal.session("s").await.unwrap().append_durable(said("again")).await.unwrap();
    }
}

async fn reading_works_beside_a_process_that_writes(place: Place) {
    let mut child = place
        .process("journal::crash::process_that_appends")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut counts = Vec::new();
    while counts.len() < 20 {
        // The child goes on only while its lines are read.
        let line = lines.next().unwrap().unwrap();
        if !line.contains("stored ") {
            continue;
        }
        let store = place.open_existing().await.unwrap();
        let reports = verify(&*store, None).await.unwrap();
        assert!(reports.iter().all(journal::Report::holds), "{reports:?}");
        counts.push(reports[1].entries);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(counts.is_sorted() && counts.first() < counts.last(), "{counts:?}");
}
