//! What 10,000 jobs cost: reading them, building the agenda, and three simulated hours of waking, planning and going back to
//! sleep, with every run over at once. `cargo bench -p pi-schedule`.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pi_schedule::{Agenda, Job, JobSpec, Known, Look, plan};

const JOBS: usize = 10_000;
/// The simulated time, in seconds.
const SIMULATED_SECONDS: i64 = 3 * 3_600;

fn main() {
    for (name, spec) in [("mixed", mixed as fn(usize) -> JobSpec), ("every minute", every_minute)] {
        measure(name, spec);
    }
}

/// One in twenty every minute, a fifth every quarter of an hour or hour, the others daily or weekly; a third with jitter.
fn mixed(number: usize) -> JobSpec {
    const ZONES: [&str; 6] =
        ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata"];
    let (minute, hour) = (number % 60, number / 60 % 24);
    let cron = match number % 20 {
        0 => "* * * * *".to_owned(),
        1 | 2 => "*/15 * * * *".to_owned(),
        3 | 4 => format!("{minute} * * * *"),
        5..=7 => format!("{minute} {hour} * * 1-5"),
        8 => format!("{minute} {hour} L * *"),
        9 => format!("{minute} {hour} * * MON#1"),
        _ => format!("{minute} {hour} * * *"),
    };
    JobSpec {
        cron: Some(cron),
        zone: ZONES.get(number % ZONES.len()).map(|zone| (*zone).to_owned()),
        jitter: number.is_multiple_of(3).then(|| "30s".to_owned()),
        ..JobSpec::default()
    }
}

fn every_minute(_: usize) -> JobSpec {
    JobSpec { cron: Some("* * * * *".to_owned()), zone: Some("Europe/Berlin".to_owned()), ..JobSpec::default() }
}

fn measure(name: &str, spec: fn(usize) -> JobSpec) {
    let begin = Timestamp::from_second(1_774_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
    let started = Instant::now();
    let jobs: Vec<Job> = (0..JOBS).filter_map(|number| Job::new(format!("job-{number}"), spec(number)).ok()).collect();
    let read = started.elapsed();

    let started = Instant::now();
    let mut agenda = Agenda::new();
    let mut known: Vec<Known> = Vec::with_capacity(JOBS);
    for (number, job) in jobs.iter().enumerate() {
        let state = Known::since(begin);
        agenda.update(number, plan(job, &state, &Look::wall(begin)).wake);
        known.push(state);
    }
    let built = started.elapsed();

    let started = Instant::now();
    let (mut looks, mut starts) = (0_u64, 0_u64);
    let end = Timestamp::from_second(begin.as_second() + SIMULATED_SECONDS).unwrap_or(begin);
    while let Some(now) = agenda.next_wake().filter(|wake| *wake < end) {
        for number in agenda.due(now, usize::MAX) {
            let (Some(job), Some(state)) = (jobs.get(number), known.get_mut(number)) else { continue };
            let planned = black_box(plan(job, state, &Look::wall(now)));
            looks += 1;
            starts += planned.start.len() as u64;
            state.covered = planned.covered;
            // The run is over at once, so what is left to wake for is the next slot.
            agenda.update(number, plan(job, state, &Look::wall(now)).wake);
        }
    }
    report(name, jobs.len(), read, built, started.elapsed(), looks, starts);
}

fn report(name: &str, jobs: usize, read: Duration, built: Duration, ran: Duration, looks: u64, starts: u64) {
    let each = |time: Duration, count: u64| time.as_secs_f64() * 1e6 / count.max(1) as f64;
    println!("{name}: {jobs} jobs");
    println!("  read and checked  {read:>10.1?}  {:.2} us each", each(read, jobs as u64));
    println!("  agenda built      {built:>10.1?}  {:.2} us each", each(built, jobs as u64));
    println!(
        "  3 simulated hours {ran:>10.1?}  {looks} wakes, {starts} starts, {:.2} us for each start",
        each(ran, starts)
    );
    println!("  share of a core   {:.4} %", ran.as_secs_f64() / SIMULATED_SECONDS as f64 * 100.0);
}
