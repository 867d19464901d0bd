//! A runbook: what it is for, what it is given, its steps and its tests.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::parameter::{self, Kind, Parameter, Parameters, Target};
use crate::problem::{Place, Problem, Problems};
use crate::template::{Template, Written};
use crate::trial::Trial;
use crate::{check, plan, read, tool::Toolbox};

/// The largest file: a runbook is read by people.
pub const FILE_BYTES_MAX: usize = 256 << 10;

/// How far it may go by itself. It never adds to what the target and the gate allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// It only looks.
    Observe,
    /// It looks, and says what it would change.
    Propose,
    /// A person is asked before each change.
    Approve,
    /// What the gate allows is done.
    Auto,
}

impl Autonomy {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("observe", Self::Observe), ("propose", Self::Propose), ("approve", Self::Approve), ("auto", Self::Auto)];

    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }
}

/// What happens where a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing more is done; a person goes on.
    Stop,
    /// What was changed is taken back, the latest first.
    Undo,
    /// The next step is done.
    Continue,
}

impl OnFailure {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("stop", Self::Stop), ("undo", Self::Undo), ("continue", Self::Continue)];
}

/// A runbook that was read. What it refers to was checked; which tools there are was not ([`Runbook::check`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Runbook {
    pub name: String,
    pub title: String,
    pub description: String,
    /// Root causes; empty: it applies to none by itself.
    pub causes: Vec<String>,
    /// Names of services, with `*` for anything; empty: any.
    pub services: Vec<String>,
    /// Kinds of targets; empty: any.
    pub kinds: Vec<Kind>,
    pub parameters: Vec<Parameter>,
    pub autonomy: Autonomy,
    pub timeout_ms: u64,
    pub(crate) steps: Vec<Step>,
    pub(crate) trials: Vec<Trial>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// The heading that it stands under.
    pub(crate) title: String,
    pub(crate) place: Place,
    pub(crate) act: Act,
    pub(crate) when: Option<Written>,
    pub(crate) expect: Vec<Written>,
    pub(crate) undo: Option<Act>,
    pub(crate) is_irreversible: bool,
    pub(crate) verify: Option<Verify>,
    pub(crate) on_failure: OnFailure,
}

/// A tool with arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Act {
    pub(crate) place: Place,
    pub(crate) tool: String,
    pub(crate) tool_place: Place,
    pub(crate) arguments: Template,
    /// Where each argument stands.
    pub(crate) places: Vec<(String, Place)>,
}

/// Looks that prove that a step helped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verify {
    pub(crate) act: Act,
    pub(crate) expect: Vec<Written>,
    pub(crate) in_a_row: u32,
    pub(crate) attempts: u32,
    pub(crate) every_ms: u64,
}

impl Runbook {
    /// Read a runbook. `name` is its file's name without the ending.
    ///
    /// # Errors
    /// All that is wrong, each with line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!("{} bytes, and {FILE_BYTES_MAX} is the most that a runbook may have", text.len());
            return Err(Problem::new(Place { line: 1, column: 1 }, message).into());
        }
        read::runbook(name, text)
    }

    /// Compare it with the tools that there are.
    ///
    /// # Errors
    /// All that is wrong, each with line and column.
    pub fn check(&self, tools: &Toolbox) -> Result<(), Problems> {
        check::check(self, tools)
    }

    /// Whether it is for this cause on this target. A runbook that names no cause is run by people only.
    #[must_use]
    pub fn applies(&self, cause: &str, target: &Target) -> bool {
        let is_for_service =
            self.services.is_empty() || self.services.iter().any(|glob| is_match(glob, &target.service));
        let is_for_kind = self.kinds.is_empty() || self.kinds.contains(&target.kind());
        is_for_service && is_for_kind && self.causes.iter().any(|own| own == cause)
    }

    /// The values of a run.
    ///
    /// # Errors
    /// One is not known, missing, or not what is declared.
    pub fn fill(&self, given: &Parameters) -> Result<Parameters, Problems> {
        parameter::filled(&self.parameters, given)
    }

    /// The values of a run on a target, with what else is given.
    ///
    /// # Errors
    /// As of [`Runbook::fill`].
    pub fn fill_for(&self, target: &Target, given: &Parameters) -> Result<Parameters, Problems> {
        let mut all = parameter::of_target(&self.parameters, target);
        all.extend(given.clone());
        self.fill(&all)
    }

    /// What would be done, with arguments as far as they are known.
    ///
    /// # Errors
    /// A parameter is not right, or a tool is not there.
    pub fn plan(&self, given: &Parameters, tools: &Toolbox) -> Result<plan::Plan, Problems> {
        self.check(tools)?;
        Ok(plan::plan(self, &self.fill(given)?, tools))
    }

    /// The tests that it carries.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Names of all tools that its steps call, sorted.
    #[must_use]
    pub fn tools(&self) -> Vec<String> {
        let mut tools: Vec<String> = self.steps.iter().flat_map(Step::acts).map(|act| act.tool.clone()).collect();
        tools.sort();
        tools.dedup();
        tools
    }

    /// Ids of its steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.id.as_str())
    }

    /// What the front matter says, for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::json!({
            "name": self.name, "title": self.title, "description": self.description,
            "applies_to": { "causes": self.causes, "services": self.services, "kinds": self.kinds },
            "parameters": self.parameters, "autonomy": self.autonomy, "timeout_ms": self.timeout_ms,
            "steps": self.steps().collect::<Vec<_>>(), "tools": self.tools(), "tests": self.trials.len(),
        })
    }
}

impl Step {
    pub(crate) fn acts(&self) -> impl Iterator<Item = &Act> {
        std::iter::once(&self.act).chain(&self.undo).chain(self.verify.as_ref().map(|verify| &verify.act))
    }
}

/// Whether a name is one of a glob, in which `*` stands for anything.
fn is_match(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, name, expected) in [
            ("shop", "shop", true),
            ("shop", "shop-1", false),
            ("shop-*", "shop-1", true),
            ("*", "", true),
            ("*-db", "orders-db", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(is_match(glob, name), expected, "{glob} {name}");
        }
    }
}
