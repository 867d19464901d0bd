//! The project's runbooks as answers: what people have written for a cause on a target goes before what the agent
//! would choose by itself.
//!
//! The host hands over the runbooks that `[agents.NAME] runbooks` names, with the task. `pi-runbook` reads and steps
//! through them; here they are matched, their calls made, and what came of them told in this agent's terms. A runbook
//! adds no right: its calls are the agent's own, judged one by one, of tools that the agent is granted.

use std::rc::Rc;

use pi_runbook::{Answer, Autonomy, Next, Outcome, Parameters, Runbook, Runner, Target, Tool, Toolbox};
use pi_sdk::{Effect, Value, json, serde_json};
use serde::Deserialize;

use crate::act::{Deed, Ended, HELD};
use crate::cause::Cause;
use crate::cloud::{Kind, Place};
use crate::facts::Description;
use crate::world::{Call, Trouble, World};

/// The runbooks of one incident, and the tools that they may call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shelf {
    books: Vec<Rc<Runbook>>,
    tools: Rc<Toolbox>,
}

/// A runbook for one target, with its parameters.
#[derive(Clone, Debug)]
pub struct Choice {
    book: Rc<Runbook>,
    parameters: Parameters,
    tools: Rc<Toolbox>,
}

/// The same runbook with the same values.
impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        self.book.name == other.book.name && self.parameters == other.parameters
    }
}

/// What came of one.
#[derive(Clone, Debug)]
pub struct Followed {
    pub ended: Ended,
    /// Something was changed, or may have been.
    pub has_effect: bool,
    pub runner: Runner,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    text: String,
}

impl Shelf {
    /// The runbooks of a task; and those that cannot be used, in words.
    ///
    /// # Errors
    /// What was handed over is no list of runbooks.
    pub fn read(world: &mut dyn World, input: &Value) -> Result<(Self, Vec<String>), String> {
        let mut gaps: Vec<String> = match input.get("runbook_gaps") {
            Some(gaps) => serde_json::from_value(gaps.clone()).map_err(|error| format!("`runbook_gaps`: {error}"))?,
            None => Vec::new(),
        };
        let Some(handed) = input.get("runbooks") else { return Ok((Self::default(), gaps)) };
        let sources: Vec<Source> =
            serde_json::from_value(handed.clone()).map_err(|error| format!("the runbooks of the input: {error}"))?;
        let tools: Toolbox = world.tools().into_iter().map(|tool| (tool.name.clone(), known(&tool))).collect();
        let mut books = Vec::new();
        for Source { name, text } in sources {
            let read = Runbook::parse(&name, &text).and_then(|book| book.check(&tools).map(|()| book));
            match read {
                Ok(book) => books.push(Rc::new(book)),
                Err(problems) => gaps.push(format!("the runbook `{name}` cannot be followed: {problems}")),
            }
        }
        Ok((Self { books, tools: Rc::new(tools) }, gaps))
    }

    /// Those for this cause on this target, in the order of their names.
    pub fn choices(&self, cause: Cause, target: &Target) -> Vec<Choice> {
        let own = self.books.iter().filter(|book| book.applies(cause.name(), target));
        own.filter_map(|book| {
            let parameters = book.fill_for(target, &Parameters::new()).ok()?;
            Some(Choice { book: book.clone(), parameters, tools: self.tools.clone() })
        })
        .collect()
    }

    /// Those for this target that lack a value, in words.
    pub fn unfilled(&self, target: &Target) -> Vec<String> {
        let is_for = |book: &&Rc<Runbook>| book.causes.iter().any(|cause| book.applies(cause, target));
        let wrong = self.books.iter().filter(is_for).filter_map(|book| {
            let problems = book.fill_for(target, &Parameters::new()).err()?;
            let said: Vec<String> = problems.0.iter().map(|problem| problem.message.clone()).collect();
            let name = &book.name;
            Some(format!(
                "the runbook `{name}` cannot be followed for `{}`: {} (a `default` or a `from` in its front matter gives one)",
                target.service,
                said.join("; ")
            ))
        });
        wrong.collect()
    }
}

fn known(tool: &pi_sdk::Definition) -> Tool {
    let effect = match tool.effect {
        Effect::Read => pi_runbook::Effect::Read,
        Effect::Write => pi_runbook::Effect::Write,
        Effect::Destructive => pi_runbook::Effect::Destructive,
    };
    // A schema that cannot be read is the host's to enforce: here it allows anything.
    Tool { effect, schema: serde_json::from_str(&tool.input_schema).unwrap_or_default() }
}

/// What a runbook is told of a service.
pub fn target_of(service: &str, services: &[Description]) -> Target {
    target_in(service, services.iter().find(|it| it.name == service).and_then(|it| it.cloud.as_ref()))
}

/// The same, where its place is known.
pub fn target_in(service: &str, place: Option<&Place>) -> Target {
    let kind = place.map(|place| match place.kind {
        Kind::Instance => pi_runbook::Kind::Instance,
        Kind::Database => pi_runbook::Kind::Database,
        Kind::Cluster => pi_runbook::Kind::Cluster,
    });
    Target {
        service: service.to_owned(),
        kind,
        account: place.map(|place| place.account.clone()),
        region: place.and_then(|place| place.region.clone()),
        id: place.map(|place| place.id.clone()),
    }
}

impl Choice {
    pub fn key(&self) -> String {
        format!("runbook {} {:?}", self.book.name, self.parameters)
    }

    pub fn name(&self) -> &str {
        &self.book.name
    }

    /// In words.
    pub fn words(&self) -> String {
        format!("follow the runbook `{}` ({})", self.book.name, crate::orient::quote(&self.book.title))
    }

    /// What it would change is a person's to decide. `approve` is among it: to ask a person before each change is what
    /// the host does where the runbook has a session of its own.
    pub fn is_proposal(&self) -> bool {
        self.book.autonomy < Autonomy::Auto
    }

    /// The calls that change something, with arguments as far as they are known.
    pub fn changes(&self) -> Vec<Call> {
        let Ok(plan) = self.book.plan(&self.parameters, &self.tools) else { return Vec::new() };
        let steps = plan.steps.into_iter().filter(|step| !step.is_skipped).map(|step| step.call);
        let changes = steps.filter(|call| call.effect != pi_runbook::Effect::Read);
        changes.map(|call| Call::new(call.tool, call.arguments)).collect()
    }

    /// How a person goes on with it.
    pub fn advice(&self) -> String {
        let given = self.parameters.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!(" -p {name}={}", quoted(&text))
        });
        let command = format!("pi-host runbook run {}{}", self.book.name, given.collect::<String>());
        match self.book.autonomy {
            Autonomy::Approve => format!("run it with `{command}`: you are asked before each change"),
            _ => {
                let calls: Vec<String> =
                    self.changes().iter().map(|call| format!("`{}` with {}", call.tool, call.arguments)).collect();
                format!(
                    "the runbook `{}` is at `{}`, so its changes are yours to make: {}; or give it `autonomy: approve` and run it with `{command}`",
                    self.book.name,
                    self.book.autonomy.name(),
                    calls.join("; then ")
                )
            }
        }
    }

    /// Follow it to its end. Every call that changes something is added to `deeds`.
    ///
    /// # Errors
    /// It does not fit the tools or its parameters: nothing was called.
    pub fn follow(&self, world: &mut dyn World, deeds: &mut Vec<Deed>) -> Result<Followed, String> {
        let mut runner =
            Runner::new(&self.book, &self.parameters, &self.tools).map_err(|problems| problems.to_string())?;
        let begin = deeds.len();
        let outcome = drive(world, &mut runner, deeds);
        let own = deeds.get(begin..).unwrap_or_default();
        let was_begun = |deed: &Deed| !matches!(deed.result, Err(Trouble::Refused { .. } | Trouble::NotGranted(_)));
        let has_effect = own.iter().any(was_begun);
        let refused = own.iter().find(|deed| !was_begun(deed)).and_then(|deed| deed.result.as_ref().err());
        let ended = match (outcome, refused) {
            (Outcome::Done, _) => Ended::Done,
            (_, Some(Trouble::Refused { rule, reason, .. })) if rule == HELD && !has_effect => {
                Ended::Held(reason.clone())
            }
            (_, Some(_)) if !has_effect => Ended::Barred(runner.summary()),
            _ => Ended::Failed(runner.summary()),
        };
        Ok(Followed { ended, has_effect, runner })
    }
}

/// One word of a shell, as it is typed.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/@+-".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

impl Followed {
    /// Something that was changed can be taken back.
    pub fn has_way_back(&self) -> bool {
        self.runner.clone().take_back()
    }

    /// Take back what has a way back, as far as nothing irreversible came after it. None: there is nothing of that
    /// kind. False: not all of it could be taken back.
    pub fn take_back(&mut self, world: &mut dyn World, deeds: &mut Vec<Deed>) -> Option<bool> {
        self.runner.take_back().then(|| drive(world, &mut self.runner, deeds) == Outcome::Undone)
    }

    /// For the record.
    pub fn told(&self) -> Value {
        let book = self.runner.runbook();
        json!({
            "name": book.name, "title": book.title, "outcome": self.runner.outcome(), "summary": self.runner.summary(),
            "parameters": self.runner.parameters(), "steps": self.runner.records(),
        })
    }

    /// What it is in a timeline.
    pub fn kind(&self) -> &'static str {
        match self.ended {
            Ended::Barred(_) => "refused",
            Ended::Held(_) => "held",
            Ended::Failed(_) => "failed",
            Ended::Done => "action",
        }
    }

    pub fn summary(&self) -> String {
        self.runner.summary()
    }

    /// What was changed and stands, in words.
    pub fn done(&self) -> Option<String> {
        let stands = self.runner.records().iter().filter(|record| record.is_made && !record.is_undone);
        let steps: Vec<String> = stands.map(|record| format!("`{}`", record.id)).collect();
        let name = &self.runner.runbook().name;
        (!steps.is_empty()).then(|| format!("what the runbook `{name}` says ({})", steps.join(", ")))
    }

    /// Whether the step of which this is the note was taken back.
    pub fn has_undone(&self, of_step: &str) -> bool {
        let name = &self.runner.runbook().name;
        self.runner.records().iter().any(|record| record.is_undone && note(&record.id, name) == of_step)
    }
}

fn note(step: &str, runbook: &str) -> String {
    format!("step `{step}` of the runbook `{runbook}`")
}

/// Make the runner's calls until it has ended.
fn drive(world: &mut dyn World, runner: &mut Runner, deeds: &mut Vec<Deed>) -> Outcome {
    loop {
        match runner.next(world.now_ms()) {
            Next::Ended(outcome) => return outcome,
            Next::Wait { ms } => world.sleep(u32::try_from(ms).unwrap_or(u32::MAX)),
            Next::Call(asked) => {
                let call = Call::new(asked.tool.clone(), asked.arguments.clone());
                let result = world.call_one(call.clone());
                let time_ms = world.now_ms();
                runner.answered(answer(&result), time_ms);
                if asked.is_change {
                    let note = Some(note(&asked.step, &runner.runbook().name));
                    deeds.push(Deed { time_ms, call, result, note });
                }
            }
        }
    }
}

fn answer(result: &crate::world::Answer) -> Answer {
    match result {
        Ok(value) => Answer::Done(value.clone()),
        Err(trouble @ (Trouble::Refused { .. } | Trouble::NotGranted(_))) => Answer::Refused(trouble.to_string()),
        Err(Trouble::Unknown(text)) => Answer::Unknown(text.clone()),
        Err(Trouble::Failed(text)) => Answer::Failed(text.clone()),
    }
}

/// The services that were started anew.
pub fn restarted(deeds: &[Deed]) -> Vec<String> {
    let restarts = deeds.iter().filter(|deed| deed.call.tool == "service_restart" && deed.result.is_ok());
    restarts.filter_map(|deed| deed.call.arguments["name"].as_str().map(str::to_owned)).collect()
}

/// The services that the calls name: what they touch has to be proved well.
pub fn touched(deeds: &[Deed], services: &[Description]) -> Vec<String> {
    let names = |deed: &Deed| {
        let argument = |key: &str| deed.call.arguments.get(key).and_then(Value::as_str).map(str::to_owned);
        [argument("name"), argument("service")]
    };
    let mut found: Vec<String> = deeds
        .iter()
        .flat_map(names)
        .flatten()
        .filter(|name| services.iter().any(|service| service.name == *name))
        .collect();
    found.sort();
    found.dedup();
    found
}
