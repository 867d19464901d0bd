//! What becomes of alarms: each firing one ends in exactly one place, whatever comes in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::MaintenanceConfig;
use crate::watch::alarms::maintenance::Maintenance;

const T0: u64 = 1_800_000_000_000;
const SECOND: u64 = 1_000;

fn alarm(fingerprint: &str, target: &str, state: State) -> Alarm {
    Alarm {
        fingerprint: fingerprint.into(),
        source: "test".into(),
        target: target.into(),
        title: format!("{fingerprint} of {target}"),
        detail: String::new(),
        state,
        severity: Severity::Error,
        labels: BTreeMap::new(),
        started_ms: None,
    }
}

fn firing(alarms: &mut Alarms, fingerprint: &str, target: &str, now_ms: u64) -> Taken {
    alarms.observe("t", "sre", alarm(fingerprint, target, State::Firing), now_ms)
}

fn resolved(alarms: &mut Alarms, fingerprint: &str, target: &str, now_ms: u64) -> Taken {
    alarms.observe("t", "sre", alarm(fingerprint, target, State::Resolved), now_ms)
}

fn place<'a>(alarms: &'a Alarms, fingerprint: &str) -> &'a Place {
    &alarms.known()[&format!("t/{fingerprint}")].place
}

/// Let an incident's time of gathering pass; whom that wakes.
fn woken(alarms: &mut Alarms, now_ms: u64) -> Vec<Wake> {
    alarms.tick(now_ms);
    alarms.take_wakes()
}

/// Write the changes to a store and read them back, as the next host does.
fn restarted(alarms: &mut Alarms, store: &mut BTreeMap<String, Value>) -> Alarms {
    for (row, value) in alarms.take_changes() {
        match value {
            Some(value) => _ = store.insert(row, value),
            None => _ = store.remove(&row),
        }
    }
    Alarms::load(alarms.settings.clone(), store.clone().into_iter().collect())
}

/// What holds whatever has come.
fn check(alarms: &Alarms) {
    for (key, known) in &alarms.known {
        let member_of: Vec<u64> =
            alarms.members.iter().filter(|(_, keys)| keys.contains(key)).map(|(id, _)| *id).collect();
        match &known.place {
            Place::Incident { incident } | Place::Grouped { incident, .. } => {
                assert_eq!(member_of, [*incident], "{key}");
                assert!(alarms.incidents.contains_key(incident), "{key}");
                assert!(!alarms.held.contains(key));
            }
            Place::Suppressed { .. } => assert!(member_of.is_empty() && alarms.held.contains(key), "{key}"),
            Place::Resolved => assert!(member_of.is_empty() && !alarms.held.contains(key), "{key}"),
        }
        assert_eq!(known.place == Place::Resolved, alarms.resolved.contains(&(known.last_ms, key.clone())), "{key}");
        assert!(known.changes.len() <= 100);
    }
    for (id, incident) in &alarms.incidents {
        let is_empty = alarms.members[id].is_empty();
        assert!(!is_empty || incident.phase == Phase::Running, "{incident:?}");
        assert_eq!(alarms.by_target.get(&(incident.agent.clone(), incident.target.clone())), Some(id));
    }
    assert_eq!(alarms.by_target.len(), alarms.incidents.len());
    assert!(alarms.held.iter().all(|key| alarms.known.contains_key(key)));
    assert!(alarms.known.len() <= ALARMS_MAX && alarms.incidents.len() <= INCIDENTS_MAX);
    let running = alarms.incidents.values().filter(|incident| incident.phase == Phase::Running).count();
    assert!(running <= alarms.settings.sessions_max, "{running}");
    assert!(alarms.starts.len() <= alarms.settings.sessions_per_hour);
}

#[test]
fn an_alarm_wakes_its_agent_once_and_the_same_again_is_noted() {
    let mut alarms = Alarms::new(Settings::default());
    assert_eq!(firing(&mut alarms, "a", "web", T0), Taken::Opened(1));
    assert_eq!(firing(&mut alarms, "a", "web", T0 + 1), Taken::Noted);
    assert!(woken(&mut alarms, T0 + 1).is_empty());
    let wakes = woken(&mut alarms, T0 + 2 * SECOND);
    assert_eq!(wakes.len(), 1);
    let alert = &wakes[0].alert;
    assert_eq!((alert["target"].as_str(), alert["title"].as_str()), (Some("web"), Some("a of web")));
    assert_eq!((alert["incident"].as_u64(), alert["trigger"].as_str()), (Some(1), Some("t")));
    assert_eq!(firing(&mut alarms, "a", "web", T0 + 3 * SECOND), Taken::Noted);
    assert!(woken(&mut alarms, T0 + 9 * SECOND).is_empty());
    assert_eq!(alarms.known()["t/a"].times, 3);
    check(&alarms);
}

#[test]
fn alarms_of_one_target_are_one_incident_also_while_its_session_runs() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    assert_eq!(firing(&mut alarms, "b", "web", T0 + SECOND), Taken::Grouped(1));
    let wakes = woken(&mut alarms, T0 + 2 * SECOND);
    assert_eq!(wakes[0].alert["group"]["alarms"][0]["title"], "b of web");
    assert_eq!(firing(&mut alarms, "c", "web", T0 + 3_600 * SECOND), Taken::Grouped(1));
    check(&alarms);
}

#[test]
fn two_triggers_do_not_speak_for_each_other() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    assert_eq!(alarms.observe("other", "sre", alarm("a", "web", State::Resolved), T0 + 1), Taken::Unknown);
    assert!(matches!(place(&alarms, "a"), Place::Incident { incident: 1 }));
}

#[test]
fn what_is_resolved_before_anybody_was_woken_wakes_nobody() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    assert_eq!(resolved(&mut alarms, "a", "web", T0 + 1), Taken::Resolved);
    assert!(woken(&mut alarms, T0 + 10 * SECOND).is_empty() && alarms.incidents().is_empty());
    assert_eq!(resolved(&mut alarms, "a", "web", T0 + 2), Taken::Unknown);
    check(&alarms);
}

#[test]
fn what_needs_a_sick_target_is_grouped_with_it_and_the_incident_is_about_the_root() {
    let mut settings = Settings::default();
    settings.need("web", "api");
    settings.need("api", "db");
    settings.need("db", "web");
    let mut alarms = Alarms::new(settings.clone());
    firing(&mut alarms, "d", "db", T0);
    assert_eq!(firing(&mut alarms, "w", "web", T0), Taken::Grouped(1));
    assert_eq!(firing(&mut alarms, "x", "other", T0), Taken::Opened(2));

    let mut settings = Settings::default();
    settings.need("web", "api");
    settings.need("api", "db");
    let mut alarms = Alarms::new(settings);
    firing(&mut alarms, "w", "web", T0);
    assert_eq!(firing(&mut alarms, "d", "db", T0), Taken::Grouped(1));
    let wakes = woken(&mut alarms, T0 + 2 * SECOND);
    assert_eq!((wakes.len(), wakes[0].target.as_str()), (1, "db"));
    assert_eq!(wakes[0].alert["title"], "d of db");
    // The incident is about the root now; what is of the first target belongs to it all the same.
    assert_eq!(firing(&mut alarms, "w2", "web", T0 + 3 * SECOND), Taken::Grouped(1));
    check(&alarms);
}

#[test]
fn alarms_that_share_a_label_at_one_moment_are_one_incident_and_later_ones_are_not() {
    let mut alarms = Alarms::new(Settings::default());
    let in_zone = |fingerprint: &str, zone: &str| {
        let labels = BTreeMap::from([("az".to_owned(), zone.to_owned()), ("team".to_owned(), "x".to_owned())]);
        Alarm { labels, ..alarm(fingerprint, fingerprint, State::Firing) }
    };
    assert_eq!(alarms.observe("t", "sre", in_zone("a", "1"), T0), Taken::Opened(1));
    assert_eq!(alarms.observe("t", "sre", in_zone("b", "1"), T0 + 60 * SECOND), Taken::Grouped(1));
    assert_eq!(alarms.observe("t", "sre", in_zone("c", "2"), T0 + 60 * SECOND), Taken::Opened(2));
    assert_eq!(alarms.observe("t", "other", in_zone("d", "1"), T0 + 60 * SECOND), Taken::Opened(3));
    assert_eq!(alarms.observe("t", "sre", in_zone("e", "1"), T0 + 181 * SECOND), Taken::Opened(4));
    check(&alarms);
}

#[test]
fn a_group_whose_root_is_well_before_anybody_looked_stands_for_itself() {
    let mut settings = Settings::default();
    settings.need("web", "db");
    let mut alarms = Alarms::new(settings);
    firing(&mut alarms, "d", "db", T0);
    firing(&mut alarms, "w", "web", T0);
    resolved(&mut alarms, "d", "db", T0 + SECOND);
    assert_eq!(place(&alarms, "w"), &Place::Incident { incident: 2 });
    check(&alarms);
}

#[test]
fn what_still_fires_after_a_session_that_ended_well_counts_again_and_then_is_for_people() {
    let settings = Settings { attempts_max: 2, ..Settings::default() };
    let settle = settings.settle_ms;
    let mut alarms = Alarms::new(settings);
    firing(&mut alarms, "a", "web", T0);
    let mut now = T0 + 2 * SECOND;
    for attempt in 1..=2 {
        let wakes = woken(&mut alarms, now);
        assert_eq!(wakes[0].alert["attempt"], attempt);
        alarms.closed(1, Ending::Well, now);
        assert!(woken(&mut alarms, now + settle - 1).is_empty());
        now += settle;
    }
    assert!(woken(&mut alarms, now).is_empty());
    assert_eq!(alarms.incidents()[&1].phase, Phase::WithPeople);
    assert!(alarms.take_notes().iter().any(|note| note.text.contains("for people now")));
    assert_eq!(firing(&mut alarms, "b", "web", now), Taken::Grouped(1));
    resolved(&mut alarms, "a", "web", now);
    resolved(&mut alarms, "b", "web", now);
    assert!(alarms.incidents().is_empty());
    assert_eq!(firing(&mut alarms, "c", "web", now), Taken::Opened(2));
    check(&alarms);
}

#[test]
fn what_a_session_hands_over_stays_with_people_and_what_it_healed_is_over() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    woken(&mut alarms, T0 + 2 * SECOND);
    alarms.running(1, "sre-1");
    alarms.closed(1, Ending::HandedOver, T0 + 9 * SECOND);
    assert!(woken(&mut alarms, T0 + 24 * HOUR_MS).is_empty());
    assert_eq!(alarms.incidents()[&1].phase, Phase::WithPeople);

    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    woken(&mut alarms, T0 + 2 * SECOND);
    resolved(&mut alarms, "a", "web", T0 + 3 * SECOND);
    assert_eq!(alarms.incidents()[&1].phase, Phase::Running);
    alarms.closed(1, Ending::Well, T0 + 4 * SECOND);
    assert!(alarms.incidents().is_empty());
    check(&alarms);
}

#[test]
fn a_session_that_could_not_run_is_tried_again() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    woken(&mut alarms, T0 + 2 * SECOND);
    alarms.closed(1, Ending::Broken, T0 + 3 * SECOND);
    assert!(woken(&mut alarms, T0 + 62 * SECOND).is_empty());
    assert_eq!(woken(&mut alarms, T0 + 63 * SECOND).len(), 1);
}

#[test]
fn an_alarm_that_flaps_is_held_until_it_is_steady_and_that_is_said() {
    let settings = Settings { flap_changes: 4, ..Settings::default() };
    let steady = settings.steady_ms;
    let mut alarms = Alarms::new(settings);
    for n in 0..3_u64 {
        firing(&mut alarms, "a", "web", T0 + 10 * n * SECOND);
        resolved(&mut alarms, "a", "web", T0 + (10 * n + 1) * SECOND);
    }
    assert_eq!(firing(&mut alarms, "a", "web", T0 + 40 * SECOND), Taken::Suppressed);
    assert!(matches!(place(&alarms, "a"), Place::Suppressed { reason: Reason::Flapping { changes: 7 }, .. }));
    assert!(alarms.take_notes().iter().any(|note| note.text.contains("flaps")));
    assert!(woken(&mut alarms, T0 + 40 * SECOND + steady - 1).is_empty());
    assert!(matches!(place(&alarms, "a"), Place::Suppressed { .. }));
    alarms.tick(T0 + 40 * SECOND + steady);
    assert_eq!(woken(&mut alarms, T0 + 43 * SECOND + steady).len(), 1);
    check(&alarms);
}

#[test]
fn maintenance_holds_an_alarm_until_its_end_and_forgets_none() {
    let window: MaintenanceConfig = toml::from_str(
        "name = \"upgrade\"\ntargets = [\"db-*\"]\nfrom = \"2027-01-15T07:00:00Z\"\nto = \"2027-01-15T09:00:00Z\"",
    )
    .unwrap();
    let settings = Settings { maintenance: vec![Maintenance::of(&window, 0).unwrap()], ..Settings::default() };
    let mut alarms = Alarms::new(settings);
    // T0 is 2027-01-15T08:00:00Z.
    assert_eq!(firing(&mut alarms, "a", "db-1", T0), Taken::Suppressed);
    assert_eq!(firing(&mut alarms, "b", "db-2", T0), Taken::Suppressed);
    assert_eq!(firing(&mut alarms, "c", "web", T0), Taken::Opened(1));
    assert_eq!(place(&alarms, "a").why(), "maintenance: upgrade");
    resolved(&mut alarms, "b", "db-2", T0 + SECOND);
    alarms.tick(T0 + HOUR_MS - 1);
    assert!(matches!(place(&alarms, "a"), Place::Suppressed { .. }));
    alarms.tick(T0 + HOUR_MS);
    assert!(matches!(place(&alarms, "a"), Place::Incident { .. }));
    assert_eq!(place(&alarms, "b"), &Place::Resolved);
    check(&alarms);
}

#[test]
fn ten_thousand_alarms_at_once_wake_few_and_all_of_them_have_a_place() {
    let settings = Settings { sessions_max: 4, sessions_per_hour: 30, ..Settings::default() };
    let mut alarms = Alarms::new(settings);
    for n in 0..10_000 {
        firing(&mut alarms, &format!("f{n}"), &format!("target-{n}"), T0);
    }
    check(&alarms);
    assert_eq!(alarms.incidents().len(), OPEN_MAX);
    let held = alarms.known().values().filter(|known| matches!(known.place, Place::Suppressed { .. })).count();
    assert_eq!(held, 10_000 - OPEN_MAX);
    let mut count = 0;
    for minute in 0..60 {
        let now = T0 + 3 * SECOND + minute * 60 * SECOND;
        for wake in woken(&mut alarms, now) {
            count += 1;
            alarms.closed(wake.incident, Ending::HandedOver, now);
        }
        check(&alarms);
    }
    assert_eq!(count, 30);
    let notes = alarms.take_notes();
    assert!(notes.iter().any(|note| note.text.contains("a storm")));
    assert!(notes.iter().any(|note| note.text.contains("30 sessions were woken within an hour")));
    // Those that waited follow, the next hour.
    assert!(!woken(&mut alarms, T0 + 2 * HOUR_MS).is_empty());
    for n in 0..10_000 {
        resolved(&mut alarms, &format!("f{n}"), &format!("target-{n}"), T0 + 2 * HOUR_MS);
    }
    check(&alarms);
    assert!(alarms.known().values().all(|known| known.place == Place::Resolved));
}

#[test]
fn the_worst_comes_first() {
    let mut alarms = Alarms::new(Settings { sessions_max: 1, ..Settings::default() });
    firing(&mut alarms, "a", "a", T0);
    alarms.observe("t", "sre", Alarm { severity: Severity::Critical, ..alarm("b", "b", State::Firing) }, T0 + 1);
    assert_eq!(woken(&mut alarms, T0 + 3 * SECOND)[0].target, "b");
}

#[test]
fn the_memory_is_bounded_and_what_has_no_room_is_said_to_have_none() {
    let mut alarms = Alarms::new(Settings::default());
    for n in 0..ALARMS_MAX {
        firing(&mut alarms, &format!("f{n}"), "web", T0);
    }
    assert_eq!(firing(&mut alarms, "one more", "web", T0), Taken::Full);
    resolved(&mut alarms, "f0", "web", T0 + 1);
    assert_eq!(firing(&mut alarms, "one more", "web", T0 + 2), Taken::Grouped(1));
    assert_eq!(alarms.known().len(), ALARMS_MAX);
    check(&alarms);
}

#[test]
fn what_nobody_speaks_of_any_more_is_set_aside_so_that_the_next_one_counts() {
    let mut alarms = Alarms::new(Settings::default());
    firing(&mut alarms, "a", "web", T0);
    woken(&mut alarms, T0 + 2 * SECOND);
    alarms.closed(1, Ending::HandedOver, T0 + 3 * SECOND);
    alarms.tick(T0 + 168 * HOUR_MS);
    assert!(alarms.take_notes().iter().any(|note| note.text.contains("nothing was heard of")));
    assert!(alarms.incidents().is_empty());
    assert_eq!(firing(&mut alarms, "a", "web", T0 + 169 * HOUR_MS), Taken::Opened(2));
}

#[test]
fn all_of_it_survives_a_restart() {
    let mut settings = Settings::default();
    settings.need("web", "db");
    let (mut alarms, mut store) = (Alarms::new(settings), BTreeMap::new());
    firing(&mut alarms, "d", "db", T0);
    firing(&mut alarms, "w", "web", T0);
    firing(&mut alarms, "x", "other", T0);
    woken(&mut alarms, T0 + 2 * SECOND);
    alarms.running(1, "sre-1");
    let mut again = restarted(&mut alarms, &mut store);
    check(&again);
    assert_eq!(again.known(), alarms.known());
    assert_eq!(again.incidents(), alarms.incidents());
    assert_eq!(again.in_session(), [(1, Some("sre-1".into())), (2, None)]);
    again.closed(2, Ending::NotBegun, T0 + 3 * SECOND);
    let wakes = woken(&mut again, T0 + 4 * SECOND);
    assert_eq!((wakes.len(), wakes[0].incident, &wakes[0].alert["attempt"]), (1, 2, &1.into()));
    assert_eq!(firing(&mut again, "y", "third", T0 + 5 * SECOND), Taken::Opened(3));
}

#[test]
fn a_row_that_cannot_be_read_or_is_missing_loses_no_other() {
    let (mut alarms, mut store) = (Alarms::new(Settings::default()), BTreeMap::new());
    firing(&mut alarms, "a", "web", T0);
    firing(&mut alarms, "b", "db", T0);
    restarted(&mut alarms, &mut store);
    store.insert(format!("{KNOWN}t/a"), Value::from("broken"));
    store.remove(&format!("{INCIDENT}2"));
    let mut again = Alarms::load(Settings::default(), store.into_iter().collect());
    assert!(again.take_notes()[0].text.contains("cannot be read"));
    assert!(matches!(place(&again, "b"), Place::Incident { .. }));
    assert!(again.take_changes().contains(&(format!("{KNOWN}t/a"), None)));
}

#[derive(Clone, Debug)]
enum Step {
    Tell { alarm: u8, target: u8, zone: u8, is_firing: bool },
    Pass { seconds: u32 },
    End { how: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..40, 0_u8..12, 0_u8..4, prop::bool::weighted(0.7))
            .prop_map(|(alarm, target, zone, is_firing)| Step::Tell { alarm, target, zone, is_firing }),
        3 => (0_u32..2_000).prop_map(|seconds| Step::Pass { seconds }),
        2 => (0_u8..5).prop_map(|how| Step::End { how }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_firing_alarm_is_at_exactly_one_place_whatever_comes(steps in prop::collection::vec(step(), 1..120)) {
        let mut settings = Settings { sessions_max: 2, sessions_per_hour: 8, flap_changes: 5, ..Settings::default() };
        settings.need("target-1", "target-2");
        settings.need("target-2", "target-3");
        settings.need("target-3", "target-1");
        settings.need("target-5", "target-4");
        let window: MaintenanceConfig =
            toml::from_str("targets = [\"target-9\"]\ndaily = \"08:10-08:40\"").unwrap();
        settings.maintenance.push(Maintenance::of(&window, 0).unwrap());
        let (mut alarms, mut store) = (Alarms::new(settings), BTreeMap::new());
        let (mut now, mut running, mut truth) = (T0, Vec::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Tell { alarm: n, target, zone, is_firing } => {
                    let state = if is_firing { State::Firing } else { State::Resolved };
                    let mut told = alarm(&format!("f{n}"), &format!("target-{target}"), state);
                    if zone > 0 {
                        told.labels.insert("az".into(), zone.to_string());
                    }
                    let taken = alarms.observe("t", "sre", told, now);
                    prop_assert_ne!(taken, Taken::Full);
                    truth.insert(format!("t/f{n}"), is_firing);
                }
                Step::Pass { seconds } => {
                    now += u64::from(seconds) * SECOND;
                    alarms.tick(now);
                    let wakes = alarms.take_wakes();
                    running.extend(wakes.into_iter().map(|wake| wake.incident));
                }
                Step::End { how } => {
                    let ending = [Ending::Well, Ending::HandedOver, Ending::Broken, Ending::Elsewhere, Ending::NotBegun];
                    if let Some(incident) = running.pop() {
                        alarms.closed(incident, ending[usize::from(how)], now);
                    }
                }
                Step::Restart => {
                    let again = restarted(&mut alarms, &mut store);
                    prop_assert_eq!(again.known(), alarms.known());
                    prop_assert_eq!(again.incidents(), alarms.incidents());
                    alarms = again;
                }
            }
            check(&alarms);
            // Nothing is lost: what fires is known to fire, and what does not, is not.
            for (key, is_firing) in &truth {
                let known = alarms.known().get(key);
                prop_assert_eq!(known.is_some_and(|known| known.place != Place::Resolved), *is_firing, "{}", key);
            }
        }
    }
}
