//! What is to be done, case by case. Each test tells a short story in instants.

use jiff::Timestamp;
use pi_schedule::{
    CANDIDATES_MAX, Cancel, CancelWhy, Job, Known, Look, MissedWhy, Notice, Origin, Plan, Record, SlotKey, SlotState,
    backfill, plan, run_now,
};

fn job(text: &str) -> Job {
    Job::new("job", toml::from_str(text).unwrap()).unwrap()
}

/// A time of 2026-01-01, `10:00` or `10:00:30`.
fn at(time: &str) -> Timestamp {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2026-01-01T{time}{seconds}Z").parse().unwrap()
}

fn key(origin: Origin, time: &str) -> SlotKey {
    SlotKey { job: "job".to_owned(), origin, at: at(time) }
}

fn record(time: &str, state: SlotState) -> Record {
    Record { key: key(Origin::Schedule, time), state }
}

fn running(started: &str) -> SlotState {
    SlotState::Running { attempt: 1, started_at: at(started), ran_ms: None, is_cancelling: false }
}

fn failed(attempt: u32, ended: &str) -> SlotState {
    SlotState::Failed { attempt, ended_at: at(ended), is_final: false }
}

fn known(covered: &str, records: &[Record]) -> Known {
    Known { records: records.to_vec(), ..Known::since(at(covered)) }
}

fn planned(job: &Job, known: &Known, now: &str) -> Plan {
    plan(job, known, &Look::wall(at(now)))
}

fn short(instant: Timestamp) -> String {
    instant.strftime("%H:%M").to_string()
}

fn starts(plan: &Plan) -> Vec<String> {
    plan.start.iter().map(|start| format!("{}#{}", short(start.key.at), start.attempt)).collect()
}

fn queued(plan: &Plan) -> Vec<String> {
    plan.queue.iter().map(|key| short(key.at)).collect()
}

fn missed(plan: &Plan) -> Vec<String> {
    plan.missed.iter().map(|missed| format!("{}: {}", short(missed.key.at), missed.why)).collect()
}

const HOURLY: &str = "cron = \"0 * * * *\"\n";

#[test]
fn starts_what_is_due_and_says_when_to_look_again() {
    let plan = planned(&job(HOURLY), &known("09:00", &[]), "10:00:01");
    assert_eq!((starts(&plan), plan.covered), (vec!["10:00#1".to_owned()], at("10:00")));
    assert_eq!(plan.wake, Some(at("11:00")));
    let plan = planned(&job(HOURLY), &known("10:00", &[]), "10:00:02");
    assert!(plan.start.is_empty() && plan.missed.is_empty());
}

#[test]
fn a_slot_that_has_a_record_is_not_started_again() {
    for state in
        [running("10:00"), SlotState::Done { attempt: 1, ended_at: at("10:00"), did_nothing: true }, failed(1, "10:00")]
    {
        let plan = planned(&job(HOURLY), &known("09:00", &[record("10:00", state)]), "10:00:30");
        assert!(plan.start.is_empty() && plan.missed.is_empty(), "{plan:?}");
    }
}

#[test]
fn jitter_puts_the_start_off() {
    let job = job(&format!("{HOURLY}jitter = \"30m\""));
    let due = job.due(at("10:00"));
    assert!(due > at("10:00") && due < at("10:30"));
    let plan = planned(&job, &known("09:00", &[]), "10:00");
    assert_eq!((starts(&plan), plan.wake, plan.covered), (vec![], Some(due), at("09:00")));
    let plan = pi_schedule::plan(&job, &known("09:00", &[]), &Look::wall(due));
    assert_eq!(starts(&plan), ["10:00#1"]);
}

#[test]
fn misfires_are_made_up_for_as_the_job_says() {
    let of = |misfire: &str| planned(&job(&format!("{HOURLY}misfire = {misfire}")), &known("05:00", &[]), "10:30");
    let skip = of("\"skip\"");
    assert!(skip.start.is_empty());
    assert_eq!(missed(&skip)[0], "06:00: nobody was there until 4h 30m after it");
    assert_eq!(missed(&skip).len(), 5);
    let latest = of("\"latest\"");
    assert_eq!(starts(&latest), ["10:00#1"]);
    assert_eq!(missed(&latest)[3], "09:00: nobody was there; the slot at 2026-01-01T10:00:00Z stands for it");
    let all = of("{ all = 3 }");
    assert_eq!(
        (starts(&all), queued(&all)),
        (vec!["08:00#1".to_owned()], vec!["09:00".to_owned(), "10:00".to_owned()])
    );
    assert_eq!(
        missed(&all),
        [
            "06:00: nobody was there; only the latest 3 are made up for",
            "07:00: nobody was there; only the latest 3 are made up for"
        ]
    );
    assert_eq!(starts(&of("{ deadline = \"30m\" }")), ["10:00#1"]);
    let deadline = of("{ deadline = \"29m\" }");
    assert!(deadline.start.is_empty());
    assert_eq!(missed(&deadline)[4], "10:00: found 30m late, past its deadline of 29m");
    for plan in [skip, latest, all, deadline] {
        assert_eq!((plan.covered, plan.wake.is_some_and(|wake| wake <= at("11:30"))), (at("10:00"), true));
    }
}

#[test]
fn a_slot_that_is_a_little_late_is_on_time() {
    let job = job(&format!("{HOURLY}misfire = \"skip\""));
    assert_eq!(starts(&planned(&job, &known("09:00", &[]), "10:01")), ["10:00#1"]);
    assert!(planned(&job, &known("09:00", &[]), "10:01:01").start.is_empty());
}

#[test]
fn a_year_of_sleep_is_a_span() {
    let job = job("every = \"1s\"");
    let began = std::time::Instant::now();
    let known = Known::since("2025-01-01T00:00:00Z".parse().unwrap());
    let plan = planned(&job, &known, "00:00");
    assert!(began.elapsed().as_secs() < 2);
    assert_eq!((starts(&plan).len(), plan.missed.len()), (1, CANDIDATES_MAX - 1));
    let span = plan.missed_span.unwrap();
    assert_eq!((span.after, span.before), (known.covered, plan.missed[0].key.at));
    assert_eq!(plan.covered, at("00:00"));
}

#[test]
fn overlap_forbid_misses_the_slot() {
    let plan = planned(&job(HOURLY), &known("09:00", &[record("09:00", running("09:30"))]), "10:00");
    assert_eq!(missed(&plan), ["10:00: the run of 2026-01-01T09:00:00Z had not ended"]);
    assert!(plan.start.is_empty() && plan.cancel.is_empty());
    // The timeout comes before the next slot.
    assert_eq!(plan.wake, Some(at("10:30")));
}

#[test]
fn overlap_queue_waits_and_then_goes_in_order() {
    let job = job(&format!("{HOURLY}overlap = {{ queue = 2 }}\ntimeout = \"1d\""));
    let mut records = vec![record("08:00", running("08:00"))];
    for time in ["09:00", "10:00"] {
        let plan = planned(&job, &Known { covered: records.last().unwrap().key.at, ..known("08:00", &records) }, time);
        assert_eq!((queued(&plan), starts(&plan).len()), (vec![time.to_owned()], 0));
        records.push(record(time, SlotState::Queued));
    }
    let plan = planned(&job, &known("10:00", &records), "11:00");
    assert_eq!(missed(&plan), ["11:00: 2 were waiting already"]);
    records[0].state = SlotState::Done { attempt: 1, ended_at: at("11:01"), did_nothing: false };
    assert_eq!(starts(&planned(&job, &known("11:00", &records), "11:01")), ["09:00#1"]);
}

#[test]
fn overlap_replace_cancels_first_and_starts_when_it_ended() {
    let job = job(&format!("{HOURLY}overlap = \"replace\""));
    let old = record("09:00", running("09:30"));
    let plan = planned(&job, &known("09:00", std::slice::from_ref(&old)), "10:00");
    assert_eq!(
        plan.cancel,
        [Cancel { key: old.key.clone(), attempt: 1, why: CancelWhy::Replaced { by: at("10:00") } }]
    );
    assert_eq!((starts(&plan).len(), queued(&plan)), (0, vec!["10:00".to_owned()]));
    let ended = record("09:00", SlotState::Cancelled { attempt: 1, ended_at: at("10:01") });
    let waiting = record("10:00", SlotState::Queued);
    assert_eq!(starts(&planned(&job, &known("10:00", &[ended, waiting.clone()]), "10:01")), ["10:00#1"]);
    // Where it does not end, the newer slot takes the place of the one that waits.
    let cancelling = SlotState::Running { attempt: 1, started_at: at("09:30"), ran_ms: None, is_cancelling: true };
    let plan = planned(&job, &known("10:00", &[record("09:00", cancelling), waiting]), "11:00");
    assert_eq!(missed(&plan), ["10:00: the slot at 2026-01-01T11:00:00Z took its place"]);
    assert_eq!((queued(&plan), plan.cancel.len()), (vec!["11:00".to_owned()], 0));
}

#[test]
fn overlap_allow_has_so_many_places() {
    let job = job(&format!("{HOURLY}overlap = {{ allow = 2 }}\ntimeout = \"1d\""));
    let first = record("08:00", running("08:00"));
    let second = record("09:00", running("09:00"));
    assert_eq!(starts(&planned(&job, &known("08:00", std::slice::from_ref(&first)), "09:00")), ["09:00#1"]);
    let plan = planned(&job, &known("09:00", &[first, second]), "10:00");
    assert_eq!(missed(&plan), ["10:00: the run of 2026-01-01T08:00:00Z had not ended"]);
}

#[test]
fn a_run_is_cancelled_when_its_time_is_over_and_once_only() {
    let job = job(&format!("{HOURLY}timeout = \"5m\""));
    let plan = planned(&job, &known("10:00", &[record("10:00", running("10:00"))]), "10:04");
    assert_eq!((plan.cancel.len(), plan.wake), (0, Some(at("10:05"))));
    let plan = planned(&job, &known("10:00", &[record("10:00", running("10:00"))]), "10:05");
    assert_eq!(plan.cancel[0].why, CancelWhy::TimedOut { timeout: std::time::Duration::from_secs(300) });
    let cancelling = SlotState::Running { attempt: 1, started_at: at("10:00"), ran_ms: None, is_cancelling: true };
    assert!(planned(&job, &known("10:00", &[record("10:00", cancelling)]), "10:06").cancel.is_empty());
    // Eight hours of sleep are no running time, where the host that runs it knows better.
    let slept = SlotState::Running { attempt: 1, started_at: at("10:00"), ran_ms: Some(60_000), is_cancelling: false };
    let plan = planned(&job, &known("10:00", &[record("10:00", slept)]), "18:00:30");
    assert!(plan.cancel.is_empty());
}

#[test]
fn a_failed_run_is_tried_again_in_its_time() {
    let job =
        job(&format!("{HOURLY}retries = {{ attempts = 2, first = \"1m\", factor = 3, max = \"2m\", jitter = 0 }}"));
    let plan = planned(&job, &known("10:00", &[record("10:00", failed(1, "10:05"))]), "10:05:30");
    assert_eq!((starts(&plan).len(), plan.wake), (0, Some(at("10:06"))));
    let plan = planned(&job, &known("10:00", &[record("10:00", failed(1, "10:05"))]), "10:06");
    assert_eq!(starts(&plan), ["10:00#2"]);
    // Three minutes by the factor, two by the longest wait.
    let plan = planned(&job, &known("10:00", &[record("10:00", failed(2, "10:10"))]), "10:10");
    assert_eq!((starts(&plan).len(), plan.wake), (0, Some(at("10:12"))));
    let last = record("10:00", failed(3, "10:20"));
    assert!(last.state.has_ended(&job));
    assert!(planned(&job, &known("10:00", &[last]), "10:59").start.is_empty());
    // It keeps its place until then.
    let plan = planned(&job, &known("10:00", &[record("10:00", failed(2, "10:59"))]), "11:00");
    assert_eq!(missed(&plan), ["11:00: the run of 2026-01-01T10:00:00Z had not ended"]);
}

#[test]
fn retries_vary_but_are_the_same_everywhere() {
    let job =
        job(&format!("{HOURLY}retries = {{ attempts = 5, first = \"100s\", factor = 1, max = \"1h\", jitter = 0.5 }}"));
    let waits: std::collections::BTreeSet<i64> = (1..=5)
        .map(|attempt| {
            let key = key(Origin::Schedule, "10:00");
            let retry = job.retry_at(&key, attempt, at("10:00")).unwrap();
            assert_eq!(job.retry_at(&key, attempt, at("10:00")), Some(retry));
            retry.as_second() - at("10:00").as_second()
        })
        .collect();
    assert!(waits.len() >= 4 && waits.iter().all(|wait| (50..=150).contains(wait)), "{waits:?}");
    assert_eq!(job.retry_at(&key(Origin::Schedule, "10:00"), 6, at("10:00")), None);
}

#[test]
fn replace_gives_up_what_waits_for_a_retry() {
    let job =
        job(&format!("{HOURLY}overlap = \"replace\"\nretries = {{ attempts = 3, first = \"1h\", max = \"1h\" }}"));
    let plan = planned(&job, &known("09:00", &[record("09:00", failed(1, "09:55"))]), "10:00");
    assert_eq!((starts(&plan), plan.give_up), (vec!["10:00#1".to_owned()], vec![key(Origin::Schedule, "09:00")]));
}

#[test]
fn a_pause_misses_slots_and_leaves_runs_that_are_asked_for() {
    let job = job(HOURLY);
    let paused = Known { is_paused: true, ..known("08:00", &[]) };
    let plan = planned(&job, &paused, "10:00");
    assert_eq!(missed(&plan), ["09:00: the job was paused", "10:00: the job was paused"]);
    let asked = Record { key: run_now(&job, at("10:10")), state: SlotState::Queued };
    let plan = planned(&job, &Known { records: vec![asked], covered: at("10:00"), ..paused }, "10:10");
    assert_eq!(starts(&plan), ["10:10#1"]);
    // Nobody looked while it was paused: nothing is made up for after it was resumed.
    let resumed = Known { resumed_at: Some(at("09:30")), ..known("07:00", &[]) };
    let plan = planned(&job, &resumed, "10:00");
    assert_eq!((starts(&plan), missed(&plan).len()), (vec!["10:00#1".to_owned()], 2));
}

#[test]
fn a_backfill_is_of_its_own_and_stands_behind_the_schedule() {
    let job = job(HOURLY);
    let keys = backfill(&job, at("03:00"), at("06:00"), 10).unwrap();
    assert_eq!(keys.iter().map(|key| short(key.at)).collect::<Vec<_>>(), ["03:00", "04:00", "05:00"]);
    assert_eq!(keys[0].to_string(), "job@2026-01-01T03:00:00Z/backfill");
    assert!(backfill(&job, at("03:00"), at("06:00"), 2).unwrap_err().to_string().contains("more than 2"));
    assert!(backfill(&job, at("03:00"), at("03:00"), 2).is_err());
    assert!(backfill(&job, at("03:01"), at("03:59"), 2).unwrap_err().to_string().contains("no slot"));
    let mut records: Vec<Record> = keys.into_iter().map(|key| Record { key, state: SlotState::Queued }).collect();
    assert_eq!(starts(&planned(&job, &known("09:00", &records), "09:30")), ["03:00#1"]);
    // The schedule's own slot waits for the one that runs, and goes before the others.
    records[0].state = running("09:30");
    let plan = planned(&job, &known("09:00", &records), "10:00");
    assert_eq!((queued(&plan), missed(&plan).len(), starts(&plan).len()), (vec!["10:00".to_owned()], 0, 0));
    records[0].state = SlotState::Done { attempt: 1, ended_at: at("10:01"), did_nothing: false };
    records.push(record("10:00", SlotState::Queued));
    assert_eq!(starts(&planned(&job, &known("10:00", &records), "10:01")), ["10:00#1"]);
}

#[test]
fn a_clock_that_was_set_back_runs_nothing_twice_and_loses_nothing() {
    let job = job(HOURLY);
    let done = |time| record(time, SlotState::Done { attempt: 1, ended_at: at(time), did_nothing: false });
    let records = [done("10:00"), done("11:00")];
    let look = Known { looked: Some(Look::wall(at("11:30"))), ..known("11:00", &records) };
    let plan = planned(&job, &look, "09:30");
    assert_eq!((starts(&plan).len(), plan.covered), (0, at("09:30")));
    assert_eq!(plan.notices, [Notice::SetBack { by_ms: 7_200_000 }]);
    let plan = planned(&job, &known("09:30", &records), "12:00");
    assert_eq!((starts(&plan), missed(&plan).len()), (vec!["12:00#1".to_owned()], 0));
}

#[test]
fn a_clock_that_was_years_ahead_does_not_stop_the_job() {
    let job = job(HOURLY);
    let far: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let plan = pi_schedule::plan(&job, &known("09:00", &[]), &Look::wall(far));
    assert_eq!(plan.covered, far);
    let of = |key: &SlotKey, state| Record { key: key.clone(), state };
    let mut records: Vec<Record> = plan
        .missed
        .iter()
        .map(|missed| of(&missed.key, SlotState::Missed { why: missed.why.clone(), at: far }))
        .collect();
    records.extend(
        plan.start.iter().map(|start| of(&start.key, SlotState::Failed { attempt: 1, ended_at: far, is_final: true })),
    );
    let back = planned(&job, &Known { covered: far, records: records.clone(), ..known("09:00", &[]) }, "09:30");
    assert_eq!((starts(&back).len(), back.covered, back.wake), (0, at("09:30"), Some(at("10:00"))));
    let next = planned(&job, &Known { records, ..known("09:30", &[]) }, "10:00");
    assert_eq!(starts(&next), ["10:00#1"]);
}

#[test]
fn what_a_wrong_clock_missed_is_run_when_its_time_comes() {
    let job = job(HOURLY);
    let wrong = |at: Timestamp| record("10:00", SlotState::Missed { why: MissedWhy::Paused, at });
    let tomorrow: Timestamp = "2026-01-02T09:00:00Z".parse().unwrap();
    assert_eq!(starts(&planned(&job, &known("09:30", &[wrong(tomorrow)]), "10:00")), ["10:00#1"]);
    assert!(planned(&job, &known("09:30", &[wrong(at("10:00"))]), "10:00").start.is_empty());
}

#[test]
fn only_what_is_old_and_has_ended_is_forgotten() {
    let job = job(&format!("{HOURLY}keep = {{ days = 30, runs = 2 }}\nretries = {{ attempts = 1 }}"));
    let of = |day: &str, state| {
        let at: Timestamp = format!("2026-{day}T10:00:00Z").parse().unwrap();
        Record { key: SlotKey { job: "job".to_owned(), origin: Origin::Schedule, at }, state }
    };
    let done = SlotState::Done { attempt: 1, ended_at: at("10:00"), did_nothing: false };
    let records = [
        of("01-01", done.clone()),
        of("01-02", SlotState::Queued),
        of("02-20", done.clone()),
        of("02-21", failed(1, "10:00")),
        of("02-22", done.clone()),
        of("02-23", done.clone()),
        of("02-28", done.clone()),
        of("03-01", done.clone()),
        of("03-01", done),
    ];
    let gone = job.removable(&records, "2026-03-01T12:00:00Z".parse().unwrap());
    let days: Vec<String> = gone.iter().map(|key| key.at.strftime("%m-%d").to_string()).collect();
    assert_eq!(days, ["02-23", "02-22", "02-20", "01-01"]);
    let floor = Known { floor: Some(at("10:00")), ..known("05:00", &[]) };
    assert_eq!(
        (starts(&planned(&job, &floor, "10:30")).len(), starts(&planned(&job, &floor, "11:00"))),
        (0, vec!["11:00#1".to_owned()])
    );
}

#[test]
fn a_queued_slot_past_its_deadline_is_missed() {
    let job = job(&format!("{HOURLY}misfire = {{ deadline = \"30m\" }}\noverlap = \"queue\""));
    let plan = planned(&job, &known("10:00", &[record("10:00", SlotState::Queued)]), "10:31");
    assert_eq!(
        (starts(&plan).len(), missed(&plan)),
        (0, vec!["10:00: found 31m late, past its deadline of 30m".to_owned()])
    );
}
