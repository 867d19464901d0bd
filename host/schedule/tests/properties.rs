//! What holds for every schedule in every zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use pi_schedule::{Job, JobSpec, zone, zone_names};
use proptest::prelude::*;

const CRONS: [&str; 14] = [
    "30 2 * * *",
    "0 0 * * *",
    "*/15 * * * *",
    "0 */2 * * *",
    "17 3,15 * * 1-5",
    "0 9 L * *",
    "0 9 LW * *",
    "30 1 * * SUN#1",
    "0 0 29 2 *",
    "*/20 0-4 * * *",
    "45 23 * * FRIL",
    "0 12 15W * *",
    "30 0 1,15 * *",
    "5 30 1 * * *",
];

fn job(name: &str, text: &str) -> Job {
    let spec: JobSpec = toml::from_str(text).unwrap();
    Job::new(name, spec).unwrap()
}

fn cron(cron: &str, zone: &str, gap: &str, fold: &str) -> Job {
    job("job", &format!("cron = \"{cron}\"\nzone = \"{zone}\"\ngap = \"{gap}\"\nfold = \"{fold}\""))
}

fn any_zone() -> impl Strategy<Value = String> {
    prop::sample::select(zone_names())
}

fn any_instant() -> impl Strategy<Value = Timestamp> {
    // 2000-01-01 to 2040-01-01.
    (946_684_800_i64..2_208_988_800, prop::sample::select(vec![0, 1, 500_000_000]))
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn any_cron() -> impl Strategy<Value = Job> {
    let policies = (prop::sample::select(vec!["shift", "skip"]), prop::sample::select(vec!["first", "second", "both"]));
    (prop::sample::select(CRONS.to_vec()), any_zone(), policies)
        .prop_map(|(expression, zone, (gap, fold))| cron(expression, &zone, gap, fold))
}

/// Whether a clock of `zone` ever shows `reading`, by the offsets around it and nothing of the way back.
fn is_shown(zone: &TimeZone, reading: DateTime) -> bool {
    let as_utc = Offset::UTC.to_timestamp(reading).unwrap().as_second();
    let offsets =
        (-30..=30).map(|hour| zone.to_offset(Timestamp::from_second(as_utc + hour * 3_600).unwrap()).seconds());
    offsets
        .into_iter()
        .any(|offset| zone.to_datetime(Timestamp::from_second(as_utc - i64::from(offset)).unwrap()) == reading)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn slots_only_go_forward_and_back_again(job in any_cron(), from in any_instant()) {
        let schedule = job.schedule();
        let mut last = from;
        for _ in 0..40 {
            let Some(slot) = schedule.next(last) else { break };
            prop_assert!(slot > last);
            prop_assert!(schedule.is_slot(slot));
            // Nothing lies between the two, seen from either side.
            prop_assert_eq!(schedule.next(schedule.previous(slot).unwrap_or(Timestamp::MIN).max(last)), Some(slot));
            let following = schedule.next(slot);
            if let Some(following) = following {
                prop_assert_eq!(schedule.previous(following), Some(slot));
            }
            prop_assert!(schedule.previous(slot).is_none_or(|previous| previous < slot && previous <= last));
            last = slot;
        }
    }

    #[test]
    fn the_start_of_a_search_does_not_matter(job in any_cron(), from in any_instant(), ahead in 0_i64..100_000) {
        let schedule = job.schedule();
        let later = Timestamp::from_second(from.as_second() + ahead).unwrap();
        let end = Timestamp::from_second(from.as_second() + 400_000).unwrap();
        let all: Vec<Timestamp> = schedule.slots(from, end).filter(|slot| *slot >= later).collect();
        let some: Vec<Timestamp> = schedule.slots(later, end).collect();
        prop_assert_eq!(all, some);
    }

    #[test]
    fn a_daily_job_has_one_slot_for_each_date(
        name in any_zone(),
        (hour, minute) in (0_i8..24, 0_i8..60),
        (year, month) in (2000_i16..2040, 1_i8..13),
        fold in prop::sample::select(vec!["first", "second"]),
    ) {
        let job = cron(&format!("{minute} {hour} * * *"), &name, "shift", fold);
        let zone = zone(&name).unwrap();
        // A schedule of one hour is one of every day, whatever the hour: from noon before to noon after half a year.
        let first = Date::new(year, month, 1).unwrap();
        let mut after = Offset::UTC.to_timestamp(first.yesterday().unwrap().at(0, 0, 0, 0)).unwrap();
        let mut date = zone.to_datetime(job.schedule().next(after).unwrap()).date();
        let mut previous = None;
        for _ in 0..200 {
            let slot = job.schedule().next(after).unwrap();
            let local = zone.to_datetime(slot);
            let nominal = date.at(hour, minute, 0, 0);
            if previous.is_some() {
                if is_shown(&zone, nominal) {
                    prop_assert_eq!(local, nominal);
                } else if local == date.tomorrow().unwrap().at(hour, minute, 0, 0) && hour == 0 && minute == 0 {
                    // A whole day was left out, and its slot at midnight is that of the next one.
                    date = date.tomorrow().unwrap();
                } else {
                    // The first instant of a new offset, and later than what was left out.
                    prop_assert!(local > nominal);
                    let earlier = Timestamp::from_second(slot.as_second() - 1).unwrap();
                    prop_assert!(zone.to_offset(earlier) < zone.to_offset(slot));
                    prop_assert!(zone.to_datetime(earlier) < nominal);
                }
            }
            previous = Some(slot);
            after = slot;
            date = date.tomorrow().unwrap();
        }
    }

    #[test]
    fn skip_leaves_out_nothing_but_gaps_and_both_adds_nothing_but_folds(name in any_zone(), from in any_instant(), (hour, minute) in (0_u8..24, 0_u8..60)) {
        let expression = format!("{minute} {hour} * * *");
        let zone = zone(&name).unwrap();
        let end = Timestamp::from_second(from.as_second() + 366 * 86_400).unwrap();
        let slots = |gap, fold| -> Vec<Timestamp> { cron(&expression, &name, gap, fold).schedule().slots(from, end).collect() };
        let (shifted, skipped) = (slots("shift", "first"), slots("skip", "first"));
        for slot in &shifted {
            let local = zone.to_datetime(*slot);
            let is_plain = local.hour() == hour as i8 && local.minute() == minute as i8 && local.second() == 0;
            prop_assert_eq!(skipped.contains(slot), is_plain);
        }
        let (both, second) = (slots("shift", "both"), slots("shift", "second"));
        prop_assert!(shifted.iter().chain(&second).all(|slot| both.contains(slot)));
        prop_assert!(both.iter().all(|slot| shifted.contains(slot) || second.contains(slot)));
    }

    #[test]
    fn jitter_stays_before_the_next_slot(job_name in "[a-z]{1,12}", name in any_zone(), from in any_instant(), jitter_seconds in 1_i64..86_400, expression in prop::sample::select(CRONS.to_vec())) {
        let text = format!("cron = \"{expression}\"\nzone = \"{name}\"\njitter = \"{jitter_seconds}s\"");
        let (here, there) = (job(&job_name, &text), job(&job_name, &text));
        let mut last_due = Timestamp::MIN;
        for planned in here.preview(from, 20) {
            prop_assert!(planned.due >= planned.slot);
            prop_assert!(planned.due.as_second() < planned.slot.as_second() + jitter_seconds);
            prop_assert!(here.schedule().next(planned.slot).is_none_or(|next| planned.due < next));
            prop_assert!(planned.due > last_due);
            prop_assert_eq!(planned.due, there.due(planned.slot));
            last_due = planned.due;
        }
    }

    #[test]
    fn an_interval_goes_forward_and_back(seconds in 1_i64..1_000_000, from in any_instant()) {
        let job = job("job", &format!("every = \"{seconds}s\""));
        let schedule = job.schedule();
        let next = schedule.next(from).unwrap();
        prop_assert!(next > from && next.as_second() - from.as_second() <= seconds);
        prop_assert_eq!(next.as_second() % seconds, 0);
        prop_assert!(schedule.previous(next).unwrap() <= from);
        prop_assert_eq!(schedule.next(schedule.previous(next).unwrap()), Some(next));
    }

    #[test]
    fn no_expression_panics_and_each_error_is_short(expression in "[0-9*/,#LW? A-Z@+-]{0,40}") {
        let spec = JobSpec { cron: Some(expression), ..JobSpec::default() };
        match Job::new("job", spec) {
            Ok(job) => {
                let after = "2026-01-01T00:00Z".parse().unwrap();
                prop_assert!(job.schedule().next(after).is_some());
            }
            Err(error) => prop_assert!(error.to_string().len() < 400),
        }
    }
}

#[test]
fn jitter_spreads_jobs_and_slots() {
    let due = |name: &str, slot: &str| {
        let job = job(name, "every = \"1d\"\njitter = \"1h\"");
        let slot: Timestamp = slot.parse().unwrap();
        (job.due(slot).as_second() - slot.as_second()) / 600
    };
    let mut tenths = [0; 6];
    for number in 0..600 {
        tenths[usize::try_from(due(&format!("job-{number}"), "2026-01-01T00:00Z")).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (70..130).contains(count)), "{tenths:?}");
    let days: std::collections::BTreeSet<i64> =
        (1..29).map(|day| due("job", &format!("2026-01-{day:02}T00:00Z"))).collect();
    assert_eq!(days.len(), 6, "one job starts at all times of the hour");
}

#[test]
fn the_far_ends_of_time_are_no_trouble() {
    for expression in CRONS {
        for zone in ["UTC", "America/New_York", "Pacific/Apia", "Africa/Cairo"] {
            let job = cron(expression, zone, "shift", "both");
            for instant in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
                let _ = (job.schedule().next(instant), job.schedule().previous(instant), job.due(instant));
            }
            assert_eq!(job.schedule().next(Timestamp::MAX), None);
            assert_eq!(job.schedule().previous(Timestamp::MIN), None);
        }
    }
}
