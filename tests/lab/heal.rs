//! The whole path on real faults: the host notices, finds out why, repairs, proves and reports, and
//! the lab judges by what it saw itself.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pi_host::lab::{Dice, Effects, Fault, Lab, Scenario, Verdict};

use super::EXE;
use super::host::HostProcess;

/// So many labs at once: they mostly wait, but each has a host and services of its own.
const TOGETHER_MAX: usize = 4;
const HEALTHY_MAX: Duration = Duration::from_secs(150);
const HEAL_MAX: Duration = Duration::from_secs(200);
/// After all is well, so long nothing more may be done.
const CALM: Duration = Duration::from_millis(1_500);
/// Longer than an alarm takes.
const HANDED_OVER: Duration = Duration::from_secs(6);
/// What is well again within this has not relapsed.
const RELAPSE: Duration = Duration::from_secs(5);
/// Kills of the host, over all runs.
const KILLS: usize = 50;
const KILLS_IN_A_RUN: usize = 4;
/// A kill is drawn from the time that healing takes.
const KILL_MS_MAX: u64 = 6_000;

/// On more seeds with `PI_LAB_SEEDS=n`.
#[test]
fn heals_each_fault_alone() {
    let seeds = std::env::var("PI_LAB_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1);
    let scenarios =
        (0..seeds).flat_map(|seed| Fault::ALL.into_iter().map(move |fault| Scenario::single(100 + seed, fault)));
    all(scenarios.collect(), |scenario| Run::start(scenario)?.faults()?.expect_good());
}

#[test]
fn heals_pairs_of_faults() {
    let pairs = Fault::ALL
        .into_iter()
        .enumerate()
        .flat_map(|(index, first)| Fault::ALL.into_iter().skip(index + 1).map(move |second| (first, second)));
    let scenarios = pairs.zip(200..).map(|((first, second), seed)| Scenario::pair(seed, first, second));
    all(scenarios.collect(), |scenario| Run::start(scenario)?.faults()?.expect_good());
}

#[test]
fn a_host_killed_at_any_moment_heals_after_all_and_repeats_nothing() {
    let healed = Fault::ALL.into_iter().filter(|fault| !matches!(fault, Fault::DependencyDown | Fault::FalseAlarm));
    let faults: Vec<Fault> = healed.collect();
    let runs = KILLS.div_ceil(KILLS_IN_A_RUN);
    let scenarios = (0..runs).map(|index| Scenario::single(300 + index as u64, faults[index % faults.len()]));
    all(scenarios.collect(), |scenario| {
        let mut dice = Dice::new(scenario.seed).fork("kills");
        let mut run = Run::start(scenario)?.faults()?;
        for _ in 0..KILLS_IN_A_RUN {
            run.wait_for_the_moment(&mut dice);
            run.host.kill();
            run.host.start_again(&mut run.lab);
        }
        run.expect_good()
    });
}

#[test]
fn what_was_handed_over_stays_with_people_over_a_restart() {
    all(vec![Scenario::single(410, Fault::DependencyDown)], |scenario| {
        let mut run = Run::start(scenario)?.faults()?;
        let deadline = Instant::now() + HEAL_MAX;
        while !run.verdict().is_good() {
            run.check(deadline)?;
        }
        run.host.kill();
        run.host.start_again(&mut run.lab);
        let calm = Instant::now() + HANDED_OVER;
        while Instant::now() < calm {
            run.check(deadline)?;
        }
        if run.host.events("session") > 0 {
            return Err(run.report("the next host took up what people have"));
        }
        run.lab.restore_dependencies().map_err(|error| error.to_string())?;
        while run.host.events("alarm") == 0 {
            run.check(deadline)?;
        }
        if run.host.events("session") > 0 || !run.host.said().contains("is healthy again") {
            return Err(run.report("the recovery was not told as one"));
        }
        if run.host.stop() { Ok(()) } else { Err(run.report("the host did not stop when it was asked to")) }
    });
}

#[test]
fn an_empty_agent_heals_nothing() {
    let scenario = Scenario::single(400, Fault::Hung);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let component = folder.path().join("empty.wasm");
    std::fs::write(&component, empty_agent()).expect("written");
    all(vec![scenario], |scenario| {
        let run = Run::start_with(scenario, |text| {
            let text = text.replace("[agents.sre]\n", "[agents.sre]\nplugin = \"guest_empty_agent\"\n");
            format!("{text}\n[plugins.guest_empty_agent]\npath = {component:?}\n")
        })?
        .faults()?;
        run.expect_unhealed("")
    });
}

/// An agent that does nothing, built and packed.
fn empty_agent() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("PI_PLUGINS_TARGET"));
    let status = std::process::Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "build",
            "-q",
            "-p",
            "guests",
            "--example",
            "guest_empty_agent",
            "--target",
            "wasm32-wasip2",
            "--profile",
            "plugin",
        ])
        .arg("--target-dir")
        .arg(target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guest does not build");
    let component =
        std::fs::read(target.join("wasm32-wasip2/plugin/examples/guest_empty_agent.wasm")).expect("the guest");
    let manifest = std::fs::read_to_string(root.join("tests/guests/manifests/empty_agent.json")).expect("its manifest");
    pi_host::plugin::pack(&component, &manifest)
}

/// Run each scenario, some at once; then tell of all that went wrong. With `PI_LAB_SEED` set, only
/// the scenario of that seed: to look into one that failed.
pub(super) fn all(mut scenarios: Vec<Scenario>, heal: impl Fn(Scenario) -> Result<(), String> + Sync) {
    if let Some(seed) = std::env::var("PI_LAB_SEED").ok().and_then(|seed| seed.parse::<u64>().ok()) {
        scenarios.retain(|scenario| scenario.seed == seed);
    }
    let next = Mutex::new(scenarios.into_iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER_MAX {
            scope.spawn(|| {
                loop {
                    let scenario = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(scenario) = scenario else { return };
                    let name = format!("{:?} with seed {}", scenario.faults, scenario.seed);
                    let _slot = Slot::take();
                    if let Err(error) = heal(scenario) {
                        wrong.lock().unwrap_or_else(PoisonError::into_inner).push(format!("== {name}\n{error}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{} went wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// One healing run.
pub(super) struct Run {
    // Dropped first: a host that is still there would start again what the lab ends.
    host: HostProcess,
    lab: Lab,
    _folder: tempfile::TempDir,
}

impl Run {
    fn start(scenario: Scenario) -> Result<Self, String> {
        Self::start_with(scenario, str::to_owned)
    }

    /// With another project file than the lab wrote.
    pub(super) fn start_with(scenario: Scenario, change: impl Fn(&str) -> String) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let exe = Path::new(EXE);
        let mut lab =
            Lab::generate(scenario, &folder.path().join("project"), exe).map_err(|error| format!("{error:?}"))?;
        let file = lab.project.join("pi.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        std::fs::write(&file, change(&text)).map_err(|error| error.to_string())?;
        let host = HostProcess::start(exe, &mut lab, folder.path());
        let mut run = Self { host, lab, _folder: folder };
        let deadline = Instant::now() + HEALTHY_MAX;
        while let Err(error) = run.lab.wait_until_healthy(Duration::from_millis(500)) {
            run.check(deadline).map_err(|report| format!("{error}\n{report}"))?;
        }
        // On a busy machine a service may be slow to start, and that is looked into first.
        while !run.host.is_calm() {
            run.check(deadline)?;
        }
        Ok(run)
    }

    pub(super) fn faults(mut self) -> Result<Self, String> {
        for index in 0..self.lab.planned.len() {
            if let Err(error) = self.lab.inject(index) {
                return Err(self.report(&format!("{error:?}")));
            }
        }
        Ok(self)
    }

    /// The host runs on, and there is time left.
    fn check(&mut self, deadline: Instant) -> Result<(), String> {
        if self.host.has_ended() {
            return Err(self.report("the host ended"));
        }
        if Instant::now() > deadline {
            return Err(self.report("not in time"));
        }
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    fn expect_good(mut self) -> Result<(), String> {
        let deadline = Instant::now() + HEAL_MAX;
        while !self.verdict().is_good() {
            self.check(deadline)?;
        }
        let effects = self.effects();
        std::thread::sleep(CALM);
        // One slow answer on a busy machine is no relapse: a relapse stays, or is acted on.
        let deadline = Instant::now() + RELAPSE;
        while !self.verdict().is_good() {
            if Instant::now() > deadline {
                return Err(self.report("it was well for a moment only"));
            }
            self.check(deadline + RELAPSE)?;
        }
        if self.effects() != effects {
            return Err(self.report("something was done to what was well"));
        }
        let verdict = self.verdict();
        for incident in verdict.findings.iter().filter_map(|finding| finding.incident.as_ref()) {
            if !incident.report.as_ref().is_some_and(|report| report.is_file()) {
                return Err(self.report(&format!("no report was written for {}", incident.session)));
            }
        }
        if !self.host.stop() {
            return Err(self.report("the host did not stop when it was asked to"));
        }
        let (is_content, said) = self.host.command(&["session", "verify"]);
        if is_content { Ok(()) } else { Err(self.report(&format!("the journal does not verify: {said}"))) }
    }

    /// The incident ends, the host has `told` why, and nobody has healed the service.
    pub(super) fn expect_unhealed(mut self, told: &str) -> Result<(), String> {
        let deadline = Instant::now() + HEAL_MAX;
        while self.host.incidents().is_empty() {
            self.check(deadline)?;
        }
        let service = &self.lab.services[self.lab.planned[0].service];
        if self.lab.ask(service).is_ok() {
            return Err(self.report("the service was healed by nobody"));
        }
        if !self.host.said().contains(told) {
            return Err(self.report(&format!("the run does not say `{told}`")));
        }
        if self.host.stop() { Ok(()) } else { Err(self.report("the host did not stop when it was asked to")) }
    }

    /// At random, or when something has just been done and the journal may not know it yet.
    fn wait_for_the_moment(&self, dice: &mut Dice) {
        let deadline = Instant::now() + Duration::from_millis(dice.between(0, KILL_MS_MAX));
        if dice.chance(50) {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            return;
        }
        let before = self.done();
        let deadline = Instant::now() + Duration::from_millis(KILL_MS_MAX);
        while Instant::now() < deadline && self.done() == before {
            std::thread::sleep(Duration::from_micros(500));
        }
        std::thread::sleep(Duration::from_micros(dice.between(0, 8_000)));
    }

    fn done(&self) -> (Effects, usize) {
        let service = &self.lab.services[0];
        (self.lab.effects(service), self.lab.starts(service))
    }

    fn effects(&self) -> Vec<Effects> {
        self.lab.services.iter().map(|service| self.lab.effects(service)).collect()
    }

    fn verdict(&self) -> Verdict {
        self.lab.judge(&self.host.incidents())
    }

    fn report(&self, what: &str) -> String {
        let verdict = self.verdict();
        let effects: Vec<String> = self
            .lab
            .services
            .iter()
            .map(|service| {
                format!("{}: {:?}, {} starts", service.name, self.lab.effects(service), self.lab.starts(service))
            })
            .collect();
        let planned: Vec<String> = self.lab.planned.iter().map(|planned| format!("{:?}", planned.method)).collect();
        format!(
            "{what}\n{}\n{}\n{}\n{}",
            verdict.complaints().join("\n"),
            planned.join("\n"),
            effects.join("\n"),
            self.host.said()
        )
    }
}

/// A place among the labs that run at once, over all tests of this file.
struct Slot;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREED.wait_while(taken, |taken| *taken >= TOGETHER_MAX).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
