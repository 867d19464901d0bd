//! From the task to the incident: which service, since when, with which settings.

use pi_sdk::serde_json;
use pi_sdk::{Outcome, Status, Task, Value, json};

use crate::cloud::Target;
use crate::facts::Description;
use crate::heal::{Incident, heal};
use crate::instant;
use crate::observe::{Subject, sample, services};
use crate::runbook::{Shelf, target_of};
use crate::settings::Settings;
use crate::world::World;

/// Services that are probed when nobody says which one is meant.
const SERVICES_MAX: usize = 32;

/// Work on `task`.
///
/// # Errors
/// The settings or the input make no sense.
pub fn wake(world: &mut dyn World, task: &Task) -> Result<Outcome, String> {
    let mut settings = Settings::parse(&task.config)?;
    let input: Value = if task.input.trim().is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&task.input).map_err(|error| format!("the input is not JSON: {error}"))?
    };
    let alert = input.get("alert").cloned().unwrap_or(Value::Null);
    let now = world.now_ms();
    let (shelf, wrong) = Shelf::read(world, &input)?;
    let (services, mut gaps) = match services(world) {
        Ok(services) => (services, Vec::new()),
        Err(gap) => (Vec::new(), vec![gap]),
    };
    let mut alert = alert;
    if let Some(target) = foreign(&alert).map(str::to_owned) {
        match whose(&target, &services) {
            Some(service) => alert["service"] = json!(service),
            None => return Ok(handed_over(&target, &services, gaps)),
        }
    }
    let named = alert.get("service").and_then(Value::as_str).map(str::to_owned);
    let target = named.or_else(|| find(world, &services, &task.prompt));
    let Some(target) = target else {
        return Ok(nothing(services.len(), gaps));
    };
    let onset = ["since", "time"].iter().find_map(|key| alert.get(*key).and_then(time_of));
    let onset_ms = onset.filter(|time| *time <= now).unwrap_or(now);
    gaps.extend(wrong);
    gaps.extend(shelf.unfilled(&target_of(&target, &services)));
    settings.shelf = shelf;
    let cloud = Target::of(&target, &services);
    let incident = Incident { id: task.id.clone(), alert, target, onset_ms };
    if let Some(target) = cloud {
        return Ok(crate::cloud::heal(world, incident, target, &services, gaps, settings));
    }
    Ok(heal(world, incident, services, gaps, settings))
}

/// The target of an alarm from outside that is no service of this host.
fn foreign(alert: &Value) -> Option<&str> {
    let has_service = alert.get("service").is_some_and(Value::is_string);
    alert.get("target").and_then(Value::as_str).filter(|_| !has_service)
}

/// The service that is the thing of this name in the cloud, by its id or the end of its ARN.
fn whose(target: &str, services: &[Description]) -> Option<String> {
    let name = target.rsplit([':', '/']).next().unwrap_or(target);
    let mut found =
        services.iter().filter(|it| it.cloud.as_ref().is_some_and(|place| place.id == target || place.id == name));
    let service = found.next()?;
    // Two that are one thing: which of them is meant is a person's to say.
    found.next().is_none().then(|| service.name.clone())
}

/// Nothing here can look at it: that all services are well says nothing of it.
fn handed_over(target: &str, services: &[Description], mut gaps: Vec<String>) -> Outcome {
    let count = services.len();
    let gap = format!(
        "`{target}` is no service of this host, and nothing is known of it but its alarm ({count} services are known here)"
    );
    gaps.insert(0, gap.clone());
    let summary = format!("{gap}. It was not looked at, and nothing was changed: a person has to.");
    let next = format!(
        "look at `{target}`; if it is a service here, say so with `names` of the trigger, or with `cloud` of the service, in pi.toml"
    );
    let details = json!({
        "version": 1, "root_cause": "unknown", "confidence": 0.0, "target": target, "gaps": gaps, "actions": [],
        "next_steps": [next],
    });
    Outcome { status: Status::Escalated, summary, details: details.to_string() }
}

fn time_of(time: &Value) -> Option<u64> {
    time.as_u64().or_else(|| instant::parse(time.as_str()?))
}

/// The service that a person means: the one that the prompt names, or else the first sick one.
fn find(world: &mut dyn World, services: &[Description], prompt: &str) -> Option<String> {
    if let Some(service) = services.iter().find(|service| crate::signs::names(prompt, &service.name)) {
        return Some(service.name.clone());
    }
    let mut subjects: Vec<Subject> =
        services.iter().take(SERVICES_MAX).map(|it| Subject { name: it.name.clone(), ..Subject::default() }).collect();
    sample(world, &mut subjects, &mut Vec::new());
    subjects.into_iter().find(Subject::is_sick).map(|subject| subject.name)
}

fn nothing(services: usize, gaps: Vec<String>) -> Outcome {
    let (status, summary) = match gaps.first() {
        Some(gap) => (Status::Escalated, format!("no service could be looked at: {gap}")),
        None => {
            (Status::NothingToDo, format!("none of the {services} services fails its probe, and no alert names one"))
        }
    };
    let details = json!({ "version": 1, "root_cause": "healthy", "confidence": 0.0, "target": null, "gaps": gaps, "actions": [] });
    Outcome { status, summary, details: details.to_string() }
}
