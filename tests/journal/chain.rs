//! The chain holds, and every way of tampering with what is stored shows.

use std::sync::Arc;

use pi_host::journal::{self, BODY_BYTES_MAX, Body, Finding, verify};
use serde_json::{Value, json};

use super::{Place, call, said, started};

on_both! {
    an_untouched_journal_holds,
    a_changed_body_shows,
    a_changed_time_shows,
    a_body_of_another_type_shows,
    a_changed_hash_shows,
    swapped_rows_show,
    a_missing_row_shows,
    a_missing_first_row_shows,
    a_cut_tail_shows,
    a_head_that_was_set_back_shows,
    a_row_behind_the_head_shows,
    a_row_with_a_negative_sequence_shows,
    a_missing_head_shows,
    a_changed_head_shows,
    a_removed_session_shows,
    a_removed_last_session_shows,
    a_session_without_its_line_in_the_list_shows,
    a_session_under_another_name_shows,
    exchanged_sessions_show,
    a_removed_head_of_the_list_shows,
    a_changed_end_in_the_list_shows,
    an_invented_end_in_the_list_shows,
    a_removed_payload_shows,
    a_changed_payload_shows,
    one_session_is_verified_alone,
    a_damaged_end_is_not_appended_to,
    a_session_goes_on_where_it_ended,
    a_session_that_is_opened_twice_has_one_chain,
    groups_keep_the_order_of_eight_sessions,
    a_durable_entry_takes_all_before_it_along,
    time_never_runs_backwards,
    a_large_payload_reads_back,
    what_looks_like_a_reference_is_no_reference,
    the_deepest_json_of_a_guest_reads_back,
    a_body_beyond_the_limit_is_refused_and_nothing_is_stored,
    a_body_beyond_the_limit_that_cannot_be_refused_says_what_was_left_out,
}

/// Three sessions: `a` with five entries, `b` that ended, `c` with a payload beside the chain.
async fn three_sessions(place: &Place) {
    let (_store, journal) = place.journal().await;
    let a = journal.session("a").await.unwrap();
    a.append(started("sre"));
    for number in 1..5 {
        a.append(said(&format!("line {number}")));
    }
    let b = journal.session("b").await.unwrap();
    b.append(started("sre"));
    b.append(said("hello"));
    b.append(Body::SessionEnded { status: "done".into(), summary: "healed".into(), details: Value::Null });
    let c = journal.session("c").await.unwrap();
    c.append(started("sre"));
    c.append(call("1.0", json!({ "content": "x".repeat(100_000) })));
    journal.close().await.unwrap();
}

/// What verification finds: `session@sequence: finding`.
async fn findings(place: &Place) -> Vec<(Option<String>, Option<u64>, Finding)> {
    let store = place.open_existing().await.unwrap();
    let reports = verify(&*store, None).await.unwrap();
    let problems = |report: journal::Report| {
        let session = report.session.clone();
        report.problems.into_iter().map(move |problem| (session.clone(), problem.sequence, problem.finding))
    };
    reports.into_iter().flat_map(problems).collect()
}

async fn found_after(place: &Place, sql: &str) -> Vec<(Option<String>, Option<u64>, Finding)> {
    three_sessions(place).await;
    place.tamper(sql).await;
    findings(place).await
}

fn in_session(id: &str, sequence: impl Into<Option<u64>>, finding: Finding) -> (Option<String>, Option<u64>, Finding) {
    (Some(id.into()), sequence.into(), finding)
}

fn in_ledger(number: impl Into<Option<u64>>, finding: Finding) -> (Option<String>, Option<u64>, Finding) {
    (None, number.into(), finding)
}

async fn an_untouched_journal_holds(place: Place) {
    three_sessions(&place).await;
    let store = place.open_existing().await.unwrap();
    let reports = verify(&*store, None).await.unwrap();
    let counts: Vec<_> =
        reports.iter().map(|report| (report.session.as_deref(), report.entries, report.holds())).collect();
    assert_eq!(counts, [(None, 3, true), (Some("a"), 5, true), (Some("b"), 3, true), (Some("c"), 2, true)]);
}

async fn a_changed_body_shows(place: Place) {
    let found =
        found_after(&place, "UPDATE entries SET body = replace(body, 'line 2', 'line X') WHERE session = 'a'").await;
    assert_eq!(found, [in_session("a", 2, Finding::ChangedRow)]);
}

async fn a_changed_time_shows(place: Place) {
    let found =
        found_after(&place, "UPDATE entries SET time_ms = time_ms + 1 WHERE session = 'a' AND sequence = 3").await;
    assert_eq!(found, [in_session("a", 3, Finding::ChangedRow)]);
}

async fn a_body_of_another_type_shows(place: Place) {
    let found = found_after(&place, "UPDATE entries SET body = 7 WHERE session = 'a' AND sequence = 3").await;
    assert_eq!(found.first(), Some(&in_session("a", 3, Finding::ChangedRow)));
}

async fn a_changed_hash_shows(place: Place) {
    let found =
        found_after(&place, "UPDATE entries SET hash = replace(hash, '0', '1') WHERE session = 'a' AND sequence = 2")
            .await;
    assert_eq!(found.first(), Some(&in_session("a", 2, Finding::ChangedRow)));
}

async fn swapped_rows_show(place: Place) {
    let found = found_after(
        &place,
        "UPDATE entries SET sequence = 99 WHERE session = 'a' AND sequence = 2;
         UPDATE entries SET sequence = 2 WHERE session = 'a' AND sequence = 3;
         UPDATE entries SET sequence = 3 WHERE session = 'a' AND sequence = 99",
    )
    .await;
    assert_eq!(found.first(), Some(&in_session("a", 2, Finding::ChangedRow)));
}

async fn a_missing_row_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM entries WHERE session = 'a' AND sequence = 2").await;
    assert_eq!(found, [in_session("a", 2, Finding::MissingRow)]);
}

async fn a_missing_first_row_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM entries WHERE session = 'a' AND sequence = 0").await;
    assert_eq!(found.first(), Some(&in_session("a", 0, Finding::MissingRow)));
}

async fn a_cut_tail_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM entries WHERE session = 'a' AND sequence >= 3").await;
    assert_eq!(found, [in_session("a", 3, Finding::CutTail)]);
}

async fn a_head_that_was_set_back_shows(place: Place) {
    let found = found_after(&place, "UPDATE heads SET entries = 3 WHERE session = 'a'").await;
    assert_eq!(found.first(), Some(&in_session("a", 3, Finding::ExtraRow)));
}

async fn a_row_behind_the_head_shows(place: Place) {
    let found = found_after(
        &place,
        "INSERT INTO entries (session, sequence, time_ms, body, hash)
         SELECT session, 5, time_ms, body, hash FROM entries WHERE session = 'a' AND sequence = 4",
    )
    .await;
    assert_eq!(found, [in_session("a", 5, Finding::ExtraRow)]);
}

async fn a_row_with_a_negative_sequence_shows(place: Place) {
    let found = found_after(
        &place,
        "INSERT INTO entries (session, sequence, time_ms, body, hash)
         SELECT session, -1, time_ms, body, hash FROM entries WHERE session = 'a' AND sequence = 4",
    )
    .await;
    assert_eq!(found, [in_session("a", 5, Finding::ExtraRow)]);
}

async fn a_missing_head_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM heads WHERE session = 'a'").await;
    assert_eq!(found, [in_session("a", None, Finding::MissingHead)]);
}

async fn a_changed_head_shows(place: Place) {
    let found =
        found_after(&place, "UPDATE heads SET hash = (SELECT hash FROM heads WHERE session = 'b') WHERE session = 'a'")
            .await;
    assert_eq!(found, [in_session("a", None, Finding::ChangedHead)]);
}

async fn a_removed_session_shows(place: Place) {
    let found = found_after(
        &place,
        "DELETE FROM entries WHERE session = 'b'; DELETE FROM heads WHERE session = 'b';
         DELETE FROM sessions WHERE id = 'b'",
    )
    .await;
    assert_eq!(found.first(), Some(&in_ledger(1, Finding::MissingSession)));
}

async fn a_removed_last_session_shows(place: Place) {
    let found = found_after(
        &place,
        "DELETE FROM entries WHERE session = 'c'; DELETE FROM heads WHERE session = 'c';
         DELETE FROM sessions WHERE id = 'c'",
    )
    .await;
    assert_eq!(found, [in_ledger(2, Finding::MissingSession)]);
}

async fn a_session_without_its_line_in_the_list_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM sessions WHERE id = 'c'").await;
    assert_eq!(found, [in_ledger(2, Finding::MissingSession), in_session("c", None, Finding::MissingSession)]);
}

async fn a_session_under_another_name_shows(place: Place) {
    let found = found_after(
        &place,
        "UPDATE sessions SET id = 'z' WHERE id = 'b'; UPDATE heads SET session = 'z' WHERE session = 'b';
         UPDATE entries SET session = 'z' WHERE session = 'b'",
    )
    .await;
    assert_eq!(found, [in_ledger(1, Finding::ChangedSession)]);
}

async fn exchanged_sessions_show(place: Place) {
    // The rows and heads of `a` and `b` change places: each chain is whole in itself.
    let found = found_after(
        &place,
        "UPDATE entries SET session = 't' WHERE session = 'a'; UPDATE entries SET session = 'a' WHERE session = 'b';
         UPDATE entries SET session = 'b' WHERE session = 't'; UPDATE heads SET session = 't' WHERE session = 'a';
         UPDATE heads SET session = 'a' WHERE session = 'b'; UPDATE heads SET session = 'b' WHERE session = 't'",
    )
    .await;
    assert_eq!(found.first(), Some(&in_session("a", 0, Finding::ChangedRow)));
}

async fn a_removed_head_of_the_list_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM heads WHERE session = ''").await;
    assert_eq!(found, [in_ledger(None, Finding::MissingHead)]);
}

async fn a_changed_end_in_the_list_shows(place: Place) {
    let found = found_after(&place, "UPDATE sessions SET status = 'escalated' WHERE id = 'b'").await;
    assert_eq!(found, [in_session("b", None, Finding::ChangedSession)]);
}

async fn an_invented_end_in_the_list_shows(place: Place) {
    let found = found_after(&place, "UPDATE sessions SET status = 'done' WHERE id = 'a'").await;
    assert_eq!(found, [in_session("a", None, Finding::ChangedSession)]);
}

async fn a_removed_payload_shows(place: Place) {
    let found = found_after(&place, "DELETE FROM blobs").await;
    assert_eq!(found, [in_session("c", 1, Finding::MissingPayload)]);
}

async fn a_changed_payload_shows(place: Place) {
    let found = found_after(&place, "UPDATE blobs SET json = replace(json, 'xx', 'xy')").await;
    assert_eq!(found, [in_session("c", 1, Finding::ChangedPayload)]);
}

async fn one_session_is_verified_alone(place: Place) {
    three_sessions(&place).await;
    place.tamper("DELETE FROM entries WHERE session = 'a' AND sequence = 2").await;
    let store = place.open_existing().await.unwrap();
    assert!(verify(&*store, Some("b")).await.unwrap().iter().all(journal::Report::holds));
    assert!(!verify(&*store, Some("a")).await.unwrap().iter().all(journal::Report::holds));
    assert!(verify(&*store, Some("nobody")).await.is_err());
}

async fn a_damaged_end_is_not_appended_to(place: Place) {
    three_sessions(&place).await;
    place.tamper("DELETE FROM entries WHERE session = 'a' AND sequence = 4").await;
    let (_store, journal) = place.journal().await;
    let error = journal.session("a").await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the journal of session `a` does not end where its head says; see `pi-host session verify a`"
    );
}

async fn a_session_goes_on_where_it_ended(place: Place) {
    three_sessions(&place).await;
    let (store, journal) = place.journal().await;
    let session = journal.session("a").await.unwrap();
    session.append_durable(said("again")).await.unwrap();
    assert_eq!(session.entries().await.unwrap().last().unwrap().sequence, 5);
    assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
}

async fn a_session_that_is_opened_twice_has_one_chain(place: Place) {
    let (store, journal) = place.journal().await;
    let (one, two) = (journal.session("s").await.unwrap(), journal.session("s").await.unwrap());
    one.append(said("1"));
    two.append(said("2"));
    one.append_durable(said("3")).await.unwrap();
    assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
    assert_eq!(two.entries().await.unwrap().len(), 3);
}

async fn groups_keep_the_order_of_eight_sessions(place: Place) {
    const ENTRIES: usize = 300;
    let (store, journal) = place.journal().await;
    let journal = Arc::new(journal);
    let mut tasks = Vec::new();
    for number in 0..8 {
        let journal = journal.clone();
        tasks.push(tokio::spawn(async move {
            let session = journal.session(&format!("s{number}")).await.unwrap();
            for index in 0..ENTRIES {
                if index % 50 == 49 {
                    session.append_durable(said(&index.to_string())).await.unwrap();
                } else {
                    session.append(said(&index.to_string()));
                }
                tokio::task::yield_now().await;
            }
            session.flush().await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for number in 0..8 {
        let entries = journal::entries(&*store, &format!("s{number}")).await.unwrap();
        let said: Vec<_> = entries
            .iter()
            .map(|entry| match &entry.body {
                Body::Logged { message, .. } => message.parse::<usize>().unwrap(),
                _ => usize::MAX,
            })
            .collect();
        assert_eq!(said, (0..ENTRIES).collect::<Vec<_>>());
    }
    assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
}

async fn a_durable_entry_takes_all_before_it_along(place: Place) {
    let (store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    for number in 0..1_000 {
        session.append(said(&number.to_string()));
    }
    session.append_durable(said("last")).await.unwrap();
    assert_eq!(store.head("s").await.unwrap().unwrap().entries, 1_001);
}

async fn time_never_runs_backwards(place: Place) {
    {
        let (_store, journal) = place.journal().await;
        journal.session("s").await.unwrap().append_durable(said("1")).await.unwrap();
        journal.close().await.unwrap();
    }
    // As if the system's clock had been set back since.
    let ahead = pi_host::clock::now_ms() + 1_000_000;
    place.tamper(&format!("UPDATE entries SET time_ms = {ahead}")).await;
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    assert_eq!(session.append(said("2")), ahead);
    assert_eq!(session.time_ms(), ahead);
}

async fn a_large_payload_reads_back(place: Place) {
    let (store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    let arguments = json!({ "small": [1, 2.5, null], "large": "€".repeat(1_000_000), "twice": ["y".repeat(70_000), "y".repeat(70_000)] });
    session.append_durable(call("1.0", arguments.clone())).await.unwrap();
    let body = session.entries().await.unwrap().remove(0).body;
    assert_eq!(body, call("1.0", arguments));
    let row = store.rows("s", 0, 1).await.unwrap().remove(0);
    assert!(row.body.len() < 2_000, "{}", row.body);
}

async fn what_looks_like_a_reference_is_no_reference(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    session.append(call("1.0", json!({ "secret": "s".repeat(100_000) })));
    let sha256 = "0".repeat(64);
    let forged = json!({ "$blob": sha256, "$$blob": 1, "x": { "$blob": { "$blob": 2 } }, "large": { "$blob": "z".repeat(100_000) } });
    session.append_durable(call("1.1", forged.clone())).await.unwrap();
    assert_eq!(session.entries().await.unwrap()[1].body, call("1.1", forged));
}

async fn the_deepest_json_of_a_guest_reads_back(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    // As deep as serde_json reads.
    let text = format!("{}1{}", "[".repeat(127), "]".repeat(127));
    let arguments: Value = serde_json::from_str(&text).unwrap();
    session.append_durable(call("1.0", arguments.clone())).await.unwrap();
    assert_eq!(session.entries().await.unwrap()[0].body, call("1.0", arguments));
}

async fn a_body_beyond_the_limit_is_refused_and_nothing_is_stored(place: Place) {
    let (store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    let error = session.append_durable(said(&"x".repeat(BODY_BYTES_MAX))).await.unwrap_err();
    assert!(error.to_string().ends_with("and may be: 67108864"), "{error}");
    session.append_durable(said("still works")).await.unwrap();
    assert_eq!(store.head("s").await.unwrap().unwrap().entries, 1);
}

async fn a_body_beyond_the_limit_that_cannot_be_refused_says_what_was_left_out(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    session.append(said(&"x".repeat(BODY_BYTES_MAX)));
    let Body::Logged { message, .. } = session.entries().await.unwrap().remove(0).body else {
        panic!("another entry");
    };
    assert!(message.starts_with("[left out of the journal: 67108866 bytes, sha256 "), "{message}");
}
