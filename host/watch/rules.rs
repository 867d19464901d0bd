//! When a service's events are an alarm. Pure: events in, alarms out, no clock of its own.

use std::collections::VecDeque;

use super::{Alarm, AlarmState, Standing};
use crate::supervisor::{Event, Exit};

/// So many ends within so long are a crash loop.
const ENDS_MAX: usize = 3;
const ENDS_WITHIN_MS: u64 = 60_000;
/// After an incident: what it stirred up settles first.
const COOL_DOWN_MS: u64 = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing is known to be wrong.
    Quiet,
    /// An alarm was raised, and its incident is not over.
    Open { is_recovered: bool },
    /// A person has it.
    HandedOver,
}

/// The rules for one service.
pub(crate) struct Rules {
    failures_max: u32,
    phase: Phase,
    failures: u32,
    /// Looks in a row that said neither.
    unknowns: u32,
    /// When the first of these failures came.
    failing_since_ms: u64,
    successes: u32,
    /// Times of the ends that nobody asked for, oldest first.
    ends: VecDeque<u64>,
    /// Nothing before this counts.
    quiet_until_ms: u64,
}

impl Rules {
    pub(crate) fn new(failures_max: u32) -> Self {
        Self {
            failures_max,
            phase: Phase::Quiet,
            failures: 0,
            unknowns: 0,
            failing_since_ms: 0,
            successes: 0,
            ends: VecDeque::new(),
            quiet_until_ms: 0,
        }
    }

    pub(crate) fn observe(&mut self, event: &Event) -> Option<Alarm> {
        match event {
            Event::Started { .. } => None,
            Event::Ended { service, exit, is_asked, is_to_start } => {
                self.successes = 0;
                if *is_asked { None } else { self.ended(service, exit, *is_to_start) }
            }
            // It may just be slow to start; if it ends instead, that is told as such.
            Event::Probed { result, is_starting: true, .. } if !result.healthy => None,
            Event::Probed { service, result, time_ms, .. } if result.unknown => {
                self.unknown(service, &result.detail, *time_ms)
            }
            Event::Probed { service, result, time_ms, .. } if result.healthy => {
                self.healthy(service, &result.detail, *time_ms)
            }
            Event::Probed { service, result, time_ms, .. } => self.failed(service, &result.detail, *time_ms),
        }
    }

    pub(crate) fn open(&mut self) {
        self.phase = Phase::Open { is_recovered: false };
        self.forget();
    }

    pub(crate) fn close(&mut self, now_ms: u64) {
        self.phase = Phase::Quiet;
        self.forget();
        self.quiet_until_ms = now_ms.saturating_add(COOL_DOWN_MS);
    }

    pub(crate) fn hand_over(&mut self) {
        self.phase = Phase::HandedOver;
        self.forget();
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.phase {
            Phase::Quiet => Standing::Quiet,
            Phase::Open { .. } => Standing::Open,
            Phase::HandedOver => Standing::HandedOver,
        }
    }

    /// A clock that was set back mutes nothing for longer than the cool-down.
    fn is_cooling(&self, time_ms: u64) -> bool {
        (1..=COOL_DOWN_MS).contains(&self.quiet_until_ms.saturating_sub(time_ms))
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.unknowns = 0;
        self.successes = 0;
        self.ends.clear();
    }

    fn ended(&mut self, service: &str, exit: &Exit, is_to_start: bool) -> Option<Alarm> {
        if self.is_cooling(exit.time_ms) {
            return None;
        }
        self.ends.push_back(exit.time_ms);
        while self.ends.front().is_some_and(|time| exit.time_ms.saturating_sub(*time) > ENDS_WITHIN_MS) {
            self.ends.pop_front();
        }
        if !is_to_start {
            let title = format!("`{service}` has ended and is not started again");
            return self.raise(service, title, how(exit), exit.time_ms);
        }
        if self.ends.len() < ENDS_MAX {
            return None;
        }
        let title = format!("`{service}` ended {} times within a minute", self.ends.len());
        self.raise(service, title, how(exit), exit.time_ms)
    }

    /// Neither health nor sickness: what failed before has not got well by it, and a row of health ends. That nobody can
    /// look is an alarm of its own.
    fn unknown(&mut self, service: &str, detail: &str, time_ms: u64) -> Option<Alarm> {
        self.successes = 0;
        if self.is_cooling(time_ms) {
            return None;
        }
        if self.unknowns == 0 && self.failures == 0 {
            self.failing_since_ms = time_ms;
        }
        self.unknowns = self.unknowns.saturating_add(1);
        if self.unknowns < self.failures_max {
            return None;
        }
        let title = format!("`{service}` cannot be observed: {} looks in a row told nothing", self.unknowns);
        self.raise(service, title, detail.to_owned(), time_ms)
    }

    fn failed(&mut self, service: &str, detail: &str, time_ms: u64) -> Option<Alarm> {
        self.successes = 0;
        self.unknowns = 0;
        if self.is_cooling(time_ms) {
            return None;
        }
        if self.failures == 0 {
            self.failing_since_ms = time_ms;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.failures_max {
            return None;
        }
        let title = format!("`{service}` failed {} probes in a row", self.failures);
        self.raise(service, title, detail.to_owned(), time_ms)
    }

    fn healthy(&mut self, service: &str, detail: &str, time_ms: u64) -> Option<Alarm> {
        self.failures = 0;
        self.unknowns = 0;
        self.successes = self.successes.saturating_add(1);
        if self.successes < self.failures_max {
            return None;
        }
        self.phase = match self.phase {
            Phase::Open { is_recovered: false } => Phase::Open { is_recovered: true },
            Phase::HandedOver => Phase::Quiet,
            Phase::Quiet | Phase::Open { .. } => return None,
        };
        Some(Alarm {
            service: service.into(),
            title: format!("`{service}` is healthy again"),
            detail: detail.into(),
            time_ms,
            since_ms: time_ms,
            state: AlarmState::Recovered,
        })
    }

    fn raise(&mut self, service: &str, title: String, detail: String, time_ms: u64) -> Option<Alarm> {
        if self.phase != Phase::Quiet {
            return None;
        }
        self.phase = Phase::Open { is_recovered: false };
        let probe = (self.failures > 0 || self.unknowns > 0).then_some(self.failing_since_ms);
        let since_ms = probe.into_iter().chain(self.ends.front().copied()).min().unwrap_or(time_ms);
        Some(Alarm { service: service.into(), title, detail, time_ms, since_ms, state: AlarmState::Raised })
    }
}

fn how(exit: &Exit) -> String {
    let cause = match (exit.out_of_memory, exit.code, exit.signal) {
        (true, ..) => "out of memory".to_owned(),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, _, Some(signal)) => format!("signal {signal}"),
        _ => "ended, it is not known how".to_owned(),
    };
    match exit.last_words.lines().last() {
        Some(line) if !line.is_empty() => format!("{cause} after {} ms: {line}", exit.uptime_ms),
        _ => format!("{cause} after {} ms", exit.uptime_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::ProbeResult;

    fn probed(healthy: bool, time_ms: u64) -> Event {
        let result = ProbeResult { healthy, detail: "500: no".into(), ..ProbeResult::default() };
        Event::Probed { service: "web".into(), result, time_ms, is_starting: false }
    }

    fn ended(time_ms: u64) -> Event {
        let exit = Exit { time_ms, code: Some(1), last_words: "boom".into(), ..Exit::default() };
        Event::Ended { service: "web".into(), exit, is_asked: false, is_to_start: true }
    }

    fn raised(rules: &mut Rules, events: impl IntoIterator<Item = Event>) -> Vec<AlarmState> {
        events.into_iter().filter_map(|event| rules.observe(&event)).map(|alarm| alarm.state).collect()
    }

    #[test]
    fn raises_after_so_many_failures_in_a_row_and_not_before() {
        let mut rules = Rules::new(3);
        assert!(raised(&mut rules, [probed(false, 1), probed(false, 2), probed(true, 3)]).is_empty());
        assert!(raised(&mut rules, [probed(false, 4), probed(false, 5)]).is_empty());
        let alarm = rules.observe(&probed(false, 6)).unwrap();
        assert_eq!((alarm.state, alarm.time_ms, alarm.detail.as_str()), (AlarmState::Raised, 6, "500: no"));
        assert_eq!(alarm.title, "`web` failed 3 probes in a row");
        assert_eq!(alarm.since_ms, 4);
    }

    fn unknown(time_ms: u64) -> Event {
        let result = ProbeResult { unknown: true, detail: "throttled".into(), ..ProbeResult::default() };
        Event::Probed { service: "web".into(), result, time_ms, is_starting: false }
    }

    #[test]
    fn what_cannot_be_asked_is_no_failure_and_an_alarm_of_its_own() {
        let mut rules = Rules::new(3);
        // Two failures and a look that told nothing are not three failures, nor is the row forgotten.
        assert!(raised(&mut rules, [probed(false, 1), probed(false, 2), unknown(3)]).is_empty());
        assert_eq!(rules.observe(&probed(false, 4)).unwrap().title, "`web` failed 3 probes in a row");
        let mut rules = Rules::new(3);
        assert!(raised(&mut rules, [unknown(1), unknown(2), probed(true, 3), unknown(4), unknown(5)]).is_empty());
        let alarm = rules.observe(&unknown(6)).unwrap();
        assert_eq!((alarm.detail.as_str(), alarm.since_ms), ("throttled", 4));
        assert_eq!(alarm.title, "`web` cannot be observed: 3 looks in a row told nothing");
    }

    #[test]
    fn what_cannot_be_asked_is_no_recovery() {
        let mut rules = Rules::new(2);
        raised(&mut rules, [probed(false, 1), probed(false, 2)]);
        assert!(raised(&mut rules, [probed(true, 3), unknown(4), probed(true, 5)]).is_empty());
        assert_eq!(raised(&mut rules, [probed(true, 6)]), [AlarmState::Recovered]);
    }

    #[test]
    fn an_open_alarm_is_not_raised_again() {
        let mut rules = Rules::new(1);
        assert_eq!(raised(&mut rules, (1..9).map(|time| probed(false, time))), [AlarmState::Raised]);
    }

    #[test]
    fn tells_a_recovery_once() {
        let mut rules = Rules::new(2);
        raised(&mut rules, [probed(false, 1), probed(false, 2), probed(true, 3)]);
        assert_eq!(raised(&mut rules, (4..9).map(|time| probed(true, time))), [AlarmState::Recovered]);
    }

    #[test]
    fn after_the_incident_it_takes_a_cool_down_and_fresh_failures() {
        let mut rules = Rules::new(2);
        raised(&mut rules, [probed(false, 1), probed(false, 2)]);
        rules.close(10);
        let calm = 10 + COOL_DOWN_MS;
        assert!(raised(&mut rules, [probed(false, 11), probed(false, calm - 1), probed(false, calm)]).is_empty());
        assert_eq!(raised(&mut rules, [probed(false, calm + 1)]), [AlarmState::Raised]);
    }

    #[test]
    fn what_a_person_has_is_quiet_until_it_was_healthy() {
        let mut rules = Rules::new(1);
        raised(&mut rules, [probed(false, 1)]);
        rules.hand_over();
        assert!(raised(&mut rules, (2..100_000).step_by(1_000).map(|time| probed(false, time))).is_empty());
        let later = [probed(true, 200_000), probed(true, 200_001), probed(false, 200_002)];
        assert_eq!(raised(&mut rules, later), [AlarmState::Recovered, AlarmState::Raised]);
    }

    #[test]
    fn a_crash_loop_is_an_alarm_without_any_probe() {
        let mut rules = Rules::new(3);
        assert!(raised(&mut rules, [ended(1_000), ended(2_000)]).is_empty());
        let alarm = rules.observe(&ended(3_000)).unwrap();
        assert_eq!(alarm.title, "`web` ended 3 times within a minute");
        assert_eq!(alarm.detail, "exit code 1 after 0 ms: boom");
    }

    #[test]
    fn ends_far_apart_or_asked_for_are_no_crash_loop() {
        let mut rules = Rules::new(3);
        assert!(raised(&mut rules, (0..9).map(|n| ended(n * (ENDS_WITHIN_MS / 2 + 1)))).is_empty());
        let asked = |time_ms| match ended(time_ms) {
            Event::Ended { service, exit, is_to_start, .. } => {
                Event::Ended { service, exit, is_asked: true, is_to_start }
            }
            other => other,
        };
        let mut rules = Rules::new(3);
        assert!(raised(&mut rules, (1..9).map(asked)).is_empty());
    }

    #[test]
    fn one_that_is_not_started_again_is_an_alarm_at_once() {
        let mut rules = Rules::new(3);
        let exit = Exit { signal: Some(9), out_of_memory: true, ..Exit::default() };
        let event = Event::Ended { service: "web".into(), exit, is_asked: false, is_to_start: false };
        assert_eq!(rules.observe(&event).unwrap().detail, "out of memory after 0 ms");
    }

    #[test]
    fn a_slow_start_is_no_failure() {
        let mut rules = Rules::new(1);
        let event = match probed(false, 1) {
            Event::Probed { service, result, time_ms, .. } => {
                Event::Probed { service, result, time_ms, is_starting: true }
            }
            other => other,
        };
        assert_eq!(rules.observe(&event), None);
    }
}
