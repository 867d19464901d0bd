//! The second layer of policy: rules in Rego, which add evidence, ask or deny.
//!
//! Pure: no I/O and no clock but the one that stops a rule that runs too long. A module is a package
//! `pi.<kind>`: the name of an act, a kind of effect, or `any`. Its partial sets `deny`, `ask` and
//! `evidence` hold what it has to say; there is no word for *allow*, so that it cannot weaken what another
//! layer refused. Whatever goes wrong (an error, a limit, a result of a wrong form) is a finding that asks.
//!
//! `compile` reads and checks the sources, `builtin` says which functions they may call, `input` makes the
//! document that they see, `finding` reads what they answer, `test` runs their tests with coverage. To
//! let policies see more, extend the input's schema, `policies/input.schema.json`.

mod builtin;
mod compile;
mod finding;
mod input;
pub mod test;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use regorus::Value;
use regorus::rvm::RegoVM;
use regorus::rvm::vm::VmError;
use regorus::utils::limits::{ExecutionTimerConfig, monotonic_now};

use compile::Module;

/// What all modules together may take for one decision, on the clock. The danger: functions that are slow
/// over large texts hold up every act. It is generous, since a host that is merely busy must not turn what
/// would be denied into a question; a rule that loops is ended by [`INSTRUCTIONS_MAX`] long before.
pub const DECISION_MS_MAX: u64 = 250;

/// How many instructions one set of rules may take. The danger: a rule that loops holds up every act. This
/// limit does not depend on how busy the machine is, and bounds what instructions can allocate.
pub const INSTRUCTIONS_MAX: usize = 200_000;

/// After how many instructions the time is looked at.
const TIMER_INTERVAL: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// How many machines are kept for the next decision. The danger: each holds on to its memory.
const IDLE_MAX: usize = 16;

/// The package whose rules hold for every act.
const ANY: &str = "any";

/// One file of policy. Whether it is valid UTF-8 is the caller's to check.
#[derive(Clone, Copy, Debug)]
pub struct RegoSource<'a> {
    /// The name, for messages. One that ends in `_test.rego` holds tests, which are no policy.
    pub file: &'a str,
    pub text: &'a str,
}

/// What is wrong with a policy in Rego, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}, at `{path}`: {message}\nhint: {hint}", line_text(*line))]
pub struct RegoError {
    pub file: String,
    /// The place: a column, a rule or a package.
    pub path: String,
    pub line: Option<usize>,
    pub message: String,
    pub hint: String,
}

fn line_text(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

/// What a finding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegoVerdict {
    /// Adds its points to the risk, nothing more.
    Evidence,
    Ask,
    Deny,
}

/// What a rule has to say about an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegoFinding {
    /// The rule's id. `policy_failed` where a module could not be heard.
    pub rule: String,
    pub verdict: RegoVerdict,
    /// 0 to 100, added to the risk.
    pub points: u8,
    pub reason: String,
    /// A safer way. Empty if there is nothing to say.
    pub advice: String,
}

/// Policies in Rego, compiled. Immutable: a changed file makes a new one.
pub struct Rego {
    revision: String,
    modules: Vec<Module>,
    by_kind: HashMap<String, usize>,
    /// Machines between two decisions. Making one costs more than most decisions do, and one cannot be
    /// used by two threads at once.
    idle: Mutex<Vec<Machines>>,
}

/// A machine for each module, made when it is needed first.
type Machines = Vec<Option<RegoVM>>;

impl std::fmt::Debug for Rego {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<&str> = self.kinds().collect();
        formatter.debug_struct("Rego").field("revision", &self.revision).field("kinds", &kinds).finish()
    }
}

impl Rego {
    /// Compile all modules. Files that end in `_test.rego` only count for the revision.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn compile(sources: &[RegoSource<'_>]) -> Result<Self, RegoError> {
        let modules = compile::compile(sources)?;
        let by_kind = modules.iter().enumerate().map(|(at, module)| (module.kind.clone(), at)).collect();
        Ok(Self { revision: compile::revision(sources), modules, by_kind, idle: Mutex::new(Vec::new()) })
    }

    /// Whether there is nothing to evaluate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Lower-case hex SHA-256 over all files, in the order of their names.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The kinds that there are rules for.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| module.kind.as_str())
    }

    /// Hold the packages to the kinds that acts can have: a rule under a misspelt kind is never asked.
    ///
    /// # Errors
    /// The first package of an unknown kind.
    pub fn check_kinds(&self, known: &[&str]) -> Result<(), RegoError> {
        let unknown = self.modules.iter().find(|module| module.kind != ANY && !known.contains(&module.kind.as_str()));
        match unknown {
            None => Ok(()),
            Some(module) => Err(RegoError {
                file: module.files.first().cloned().unwrap_or_default(),
                path: format!("pi.{}", module.kind),
                line: Some(module.line),
                message: format!("there is no kind of act or effect `{}`: its rules would never be asked", module.kind),
                hint: format!("name the package after one of: {ANY}, {}", known.join(", ")),
            }),
        }
    }

    /// Ask the rules under these kinds, and those under `any`, about one act. `kinds` may hold doubles and
    /// kinds without rules. `input` is the document that `policies/input.schema.json` describes.
    #[must_use]
    pub fn evaluate(&self, kinds: &[&str], input: &serde_json::Value) -> Vec<RegoFinding> {
        self.evaluate_since(began(), kinds, input)
    }

    /// As [`Rego::evaluate`], for a decision that `began` some time ago: a script of many commands, each of
    /// which is asked about, has no more time than one of one command.
    pub(super) fn evaluate_since(&self, began: Began, kinds: &[&str], input: &serde_json::Value) -> Vec<RegoFinding> {
        let mut selected: Vec<usize> = Vec::with_capacity(kinds.len() + 1);
        for kind in kinds.iter().chain(&[ANY]) {
            if let Some(at) = self.by_kind.get(*kind)
                && !selected.contains(at)
            {
                selected.push(*at);
            }
        }
        if selected.is_empty() {
            return Vec::new();
        }
        match input::convert(input) {
            Ok(input) => self.ask(began, &selected, &input),
            Err(message) => vec![finding::failed("the policies in Rego", "", &message)],
        }
    }

    fn ask(&self, began: Began, selected: &[usize], input: &Value) -> Vec<RegoFinding> {
        let mut findings = Vec::new();
        let mut machines = self.machines();
        builtin::refill();
        for at in selected {
            let (Some(module), Some(machine)) = (self.modules.get(*at), machines.get_mut(*at)) else { continue };
            for entry in &module.entries {
                let left = began.time_left();
                if left.is_zero() {
                    let message = format!("the {DECISION_MS_MAX} ms for one decision were used up before it was asked");
                    findings.push(finding::failed(&module.name(), &entry.rule, &message));
                    continue;
                }
                module.ask(entry, machine, input, left, &mut findings);
            }
            if let Some(machine) = machine {
                // What an act was about is not kept until the next one.
                machine.set_input(Value::Null);
            }
        }
        self.give_back(machines);
        findings
    }

    fn machines(&self) -> Machines {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| self.modules.iter().map(|_| None).collect())
    }

    fn give_back(&self, machines: Machines) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(machines);
        }
    }
}

/// When the policies were first asked for one decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began(Duration);

/// Now.
pub(super) fn began() -> Began {
    Began(monotonic_now().unwrap_or_default())
}

impl Began {
    fn time_left(self) -> Duration {
        let passed = monotonic_now().unwrap_or_default().saturating_sub(self.0);
        Duration::from_millis(DECISION_MS_MAX).saturating_sub(passed)
    }
}

impl Module {
    /// Ask one set of rules. That one of them fails must not hide that another one denies: what is found is
    /// heard, and what failed besides.
    fn ask(
        &self,
        entry: &compile::Entry,
        machine: &mut Option<RegoVM>,
        input: &Value,
        left: Duration,
        findings: &mut Vec<RegoFinding>,
    ) {
        let result = self.run(entry, machine, input, left);
        if let Some(fault) = builtin::take_fault() {
            findings.push(finding::failed(&self.name(), &entry.rule, &fault));
        }
        match result {
            Ok(value) => finding::read(&value, self, entry, findings),
            Err(message) => findings.push(finding::failed(&self.name(), &entry.rule, &message)),
        }
    }

    fn run(
        &self,
        entry: &compile::Entry,
        slot: &mut Option<RegoVM>,
        input: &Value,
        left: Duration,
    ) -> Result<Value, String> {
        // A machine that failed is not used again: what it was in the middle of is nobody's to tidy up.
        let mut machine = slot.take().unwrap_or_else(|| {
            let mut machine = RegoVM::new();
            machine.load_program(self.program.clone());
            machine.set_max_instructions(INSTRUCTIONS_MAX);
            machine
        });
        // Half of the time that is left: one set of rules that loops must not silence all that come after.
        let limit = left / 2;
        machine.set_execution_timer_config(Some(ExecutionTimerConfig { limit, check_interval: TIMER_INTERVAL }));
        machine.set_input(input.clone());
        // A panic in the engine is a fault of the engine, and must not take the gate with it.
        let (machine, result) = catch_unwind(AssertUnwindSafe(move || {
            let result = machine.execute_entry_point_by_index(entry.index);
            (machine, result)
        }))
        .map_err(|_| "the policy engine failed".to_owned())?;
        let value = result.map_err(|error| error_text(&error))?;
        *slot = Some(machine);
        Ok(value)
    }
}

/// Why a set of rules gave no answer, in words.
fn error_text(error: &VmError) -> String {
    match error {
        VmError::InstructionLimitExceeded { limit, .. } => {
            format!("it was stopped after {limit} instructions: a rule loops over too much")
        }
        VmError::TimeLimitExceeded { .. } => {
            format!("it was stopped: it took too much of the {DECISION_MS_MAX} ms for one decision")
        }
        VmError::MemoryLimitExceeded { .. } | VmError::MemoryBudgetExceeded { .. } => format!(
            "it was stopped: its functions would make more than the {} bytes that one decision may take",
            builtin::PRODUCED_BYTES_MAX
        ),
        VmError::RegexSizeLimitExceeded { limit, .. } => {
            format!("it was stopped: a pattern takes more than {limit} bytes when it is compiled")
        }
        other => finding::plain(&other.to_string()),
    }
}
