//! Hosts that share one store, by clocks that are set about, and that are killed anywhere: between the plan and its
//! writing, between a claim and the run, between the run and its outcome. The store is a model that does no more than
//! keep what it is told; that nothing is started twice is the plan's doing, so a claim of what had been claimed fails
//! the test wherever the host had a fresh view.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pi_schedule::{Job, Known, Look, Origin, Plan, Record, SlotKey, SlotState, backfill, plan, run_now};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A host looks, plans, and is killed after so many writes (if it is).
    Look {
        killed_after: Option<usize>,
    },
    /// A host looks, another one does all of its work, and only then the first one writes what it planned.
    LookLate,
    /// A run ends.
    End {
        index: usize,
        outcome: u8,
    },
    /// Somebody finds that the host of a run is gone.
    Lost {
        index: usize,
    },
    Pass {
        seconds: i64,
    },
    /// The clock is set by so much, until it is set right again.
    Set {
        seconds: i64,
    },
    SetRight,
    Pause(bool),
    RunNow,
    Backfill {
        hours: i64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::option::weighted(0.3, 0_usize..6).prop_map(|killed_after| Step::Look { killed_after }),
        2 => Just(Step::LookLate),
        4 => (0_usize..4, 0_u8..4).prop_map(|(index, outcome)| Step::End { index, outcome }),
        1 => (0_usize..4).prop_map(|index| Step::Lost { index }),
        6 => prop_oneof![1_i64..120, 300_i64..4_000, 4_000_i64..90_000].prop_map(|seconds| Step::Pass { seconds }),
        1 => prop_oneof![-4_000_i64..4_000, -200_000_i64..200_000, Just(150_000_000)].prop_map(|seconds| Step::Set { seconds }),
        1 => Just(Step::SetRight),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::RunNow),
        1 => (1_i64..6).prop_map(|hours| Step::Backfill { hours }),
    ]
}

fn any_job() -> impl Strategy<Value = String> {
    let when = prop::sample::select(vec![
        "cron = \"*/10 * * * *\"",
        "every = \"7m\"",
        "cron = \"30 */2 * * *\"\nzone = \"America/New_York\"",
        "cron = \"0 0 * * *\"\nzone = \"Africa/Cairo\"",
    ]);
    let misfire = prop::sample::select(vec!["\"skip\"", "\"latest\"", "{ all = 5 }", "{ deadline = \"20m\" }"]);
    let overlap = prop::sample::select(vec!["\"forbid\"", "{ queue = 2 }", "\"replace\"", "{ allow = 2 }"]);
    let rest = prop::sample::select(vec![
        "",
        "jitter = \"5m\"\n",
        "retries = { attempts = 2, first = \"1m\" }\n",
        "jitter = \"1h\"\nretries = { attempts = 1 }\n",
    ]);
    (when, misfire, overlap, rest).prop_map(|(when, misfire, overlap, rest)| {
        format!("{when}\n{rest}misfire = {misfire}\noverlap = {overlap}\ntimeout = \"30m\"")
    })
}

struct World {
    job: Job,
    second: i64,
    set_by: i64,
    covered: Timestamp,
    looked: Option<Look>,
    wake: Option<Timestamp>,
    is_paused: bool,
    resumed_at: Option<Timestamp>,
    records: BTreeMap<SlotKey, SlotState>,
    started: BTreeSet<(SlotKey, u32)>,
    spans: Vec<(Timestamp, Timestamp)>,
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second + self.set_by).unwrap()
    }

    fn known(&self) -> Known {
        Known {
            covered: self.covered,
            floor: None,
            records: self
                .records
                .iter()
                .map(|(key, state)| Record { key: key.clone(), state: state.clone() })
                .collect(),
            looked: self.looked,
            wake: self.wake,
            is_paused: self.is_paused,
            resumed_at: self.resumed_at,
        }
    }

    fn look(&mut self) -> Plan {
        let look = Look::wall(self.now());
        let plan = plan(&self.job, &self.known(), &look);
        (self.looked, self.wake) = (Some(look), plan.wake);
        self.check(&plan);
        plan
    }

    /// What every plan has to keep.
    fn check(&self, plan: &Plan) {
        let keys: Vec<&SlotKey> = plan
            .start
            .iter()
            .map(|start| &start.key)
            .chain(&plan.queue)
            .chain(plan.missed.iter().map(|missed| &missed.key))
            .collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "a slot is decided once: {plan:?}");
        assert!(plan.wake.is_none_or(|wake| wake > self.now()), "{plan:?}");
        assert!(plan.covered <= self.now());
        let running = self.records.values().filter(|state| matches!(state, SlotState::Running { .. })).count();
        let places = if matches!(self.job.overlap(), pi_schedule::Overlap::Allow(2)) { 2 } else { 1 };
        assert!(plan.start.is_empty() || running + plan.start.len() <= places, "{plan:?}");
    }

    /// Writes what is planned, in the order that is asked for, up to so many writes. `is_fresh`: nobody wrote in between.
    fn write(&mut self, plan: &Plan, most: usize, is_fresh: bool) {
        let now = self.now();
        let mut left = most;
        let mut may = || {
            let may = left > 0;
            left = left.saturating_sub(1);
            may
        };
        if let Some(span) = &plan.missed_span {
            self.spans.push((span.after, span.before));
        }
        for missed in &plan.missed {
            if !may() {
                return;
            }
            let state = SlotState::Missed { why: missed.why.clone(), at: now };
            let entry = self.records.entry(missed.key.clone()).or_insert_with(|| state.clone());
            // What a wrong clock wrote down, or what waited, may be missed now.
            if matches!(entry, SlotState::Queued | SlotState::Missed { .. }) {
                *entry = state;
            }
        }
        for key in &plan.queue {
            if !may() {
                return;
            }
            let entry = self.records.entry(key.clone()).or_insert(SlotState::Queued);
            if matches!(entry, SlotState::Missed { .. }) {
                *entry = SlotState::Queued;
            }
        }
        for start in &plan.start {
            if !may() {
                return;
            }
            let is_open = match self.records.get(&start.key) {
                None | Some(SlotState::Queued | SlotState::Missed { .. }) => start.attempt == 1,
                Some(SlotState::Failed { attempt, is_final, .. }) => !is_final && attempt + 1 == start.attempt,
                Some(_) => false,
            };
            let is_first = self.started.insert((start.key.clone(), start.attempt));
            if is_fresh {
                assert!(is_open && is_first, "started twice: {start:?}");
            } else if !is_open {
                continue;
            }
            assert!(is_first, "started twice: {start:?}");
            let state =
                SlotState::Running { attempt: start.attempt, started_at: now, ran_ms: None, is_cancelling: false };
            self.records.insert(start.key.clone(), state);
        }
        for key in &plan.give_up {
            if let Some(SlotState::Failed { is_final, .. }) = self.records.get_mut(key) {
                *is_final = true;
            }
        }
        for cancel in &plan.cancel {
            if let Some(SlotState::Running { is_cancelling, .. }) = self.records.get_mut(&cancel.key) {
                *is_cancelling = true;
            }
        }
        if may() {
            self.covered = plan.covered;
        }
    }

    fn end(&mut self, index: usize, outcome: u8) {
        let now = self.now();
        let running: Vec<SlotKey> = self
            .records
            .iter()
            .filter(|(_, state)| matches!(state, SlotState::Running { .. }))
            .map(|(key, _)| key.clone())
            .collect();
        let Some(key) = running.get(index).cloned() else { return };
        let Some(SlotState::Running { attempt, is_cancelling, .. }) = self.records.get(&key).cloned() else { return };
        let state = match outcome {
            _ if is_cancelling && outcome != 3 => SlotState::Cancelled { attempt, ended_at: now },
            0 | 1 => SlotState::Done { attempt, ended_at: now, did_nothing: outcome == 1 },
            _ => SlotState::Failed { attempt, ended_at: now, is_final: false },
        };
        self.records.insert(key, state);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Look { killed_after } => {
                let plan = self.look();
                self.write(&plan, killed_after.unwrap_or(usize::MAX), true);
                if killed_after.is_some() {
                    (self.looked, self.wake) = (None, None);
                }
            }
            Step::LookLate => {
                let stale = self.look();
                let fresh = self.look();
                self.write(&fresh, usize::MAX, true);
                let started = self.started.clone();
                self.write_stale(&stale);
                assert_eq!(started, self.started, "what was claimed is not claimed again");
            }
            Step::End { index, outcome } => self.end(*index, *outcome),
            Step::Lost { index } => self.end(*index, 3),
            Step::Pass { seconds } => self.second += seconds,
            Step::Set { seconds } => self.set_by = *seconds,
            Step::SetRight => self.set_by = 0,
            Step::Pause(is_paused) => {
                if self.is_paused && !is_paused {
                    self.resumed_at = Some(self.now());
                }
                self.is_paused = *is_paused;
            }
            Step::RunNow => {
                let key = run_now(&self.job, self.now());
                self.records.entry(key).or_insert(SlotState::Queued);
            }
            Step::Backfill { hours } => {
                let to = self.now();
                let from = Timestamp::from_second(to.as_second() - hours * 3_600).unwrap();
                for key in backfill(&self.job, from, to, 100).unwrap_or_default() {
                    self.records.entry(key).or_insert(SlotState::Queued);
                }
            }
        }
    }

    fn write_stale(&mut self, plan: &Plan) {
        let now = self.now();
        for start in &plan.start {
            let is_open = match self.records.get(&start.key) {
                None | Some(SlotState::Queued | SlotState::Missed { .. }) => start.attempt == 1,
                Some(SlotState::Failed { attempt, is_final, .. }) => !is_final && attempt + 1 == start.attempt,
                Some(_) => false,
            };
            if is_open {
                self.started.insert((start.key.clone(), start.attempt));
                let state =
                    SlotState::Running { attempt: start.attempt, started_at: now, ran_ms: None, is_cancelling: false };
                self.records.insert(start.key.clone(), state);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_slot_is_started_twice_and_none_is_lost(text in any_job(), steps in prop::collection::vec(any_step(), 1..80), from in 1_760_000_000_i64..1_800_000_000) {
        let job = Job::new("job", toml::from_str(&text).unwrap()).unwrap();
        let begin = Timestamp::from_second(from).unwrap();
        let mut world = World {
            job, second: from, set_by: 0, covered: begin, looked: None, wake: None, is_paused: false, resumed_at: None,
            records: BTreeMap::new(), started: BTreeSet::new(), spans: Vec::new(),
        };
        for step in &steps {
            world.step(step);
        }
        // The clock is right again, runs end, and after a while nothing is left to do.
        (world.set_by, world.is_paused) = (0, false);
        let mut rounds = 0;
        loop {
            let plan = world.look();
            world.write(&plan, usize::MAX, true);
            let is_idle = plan.start.is_empty() && plan.queue.is_empty() && !world.records.values().any(|state| matches!(state, SlotState::Running { .. } | SlotState::Queued));
            if is_idle && rounds > 3 {
                break;
            }
            for index in 0..4 {
                world.end(index, 0);
            }
            world.second += 61;
            rounds += 1;
            prop_assert!(rounds < 3_000, "something never ends: {:?}", world.records);
        }
        // Every slot that came due is written down, or lies in a span that is.
        let is_written = |slot: &Timestamp| {
            world.records.contains_key(&world.job.key(Origin::Schedule, *slot))
                || world.spans.iter().any(|(after, before)| slot > after && slot < before)
        };
        for slot in world.job.schedule().slots(begin, world.now()).filter(|slot| *slot > begin && world.job.due(*slot) <= world.now()) {
            prop_assert!(is_written(&slot), "{slot} was lost");
        }
    }
}
