//! Doing one step through a tool, and finding out what became of it when nobody can say.
//!
//! An unknown outcome (the host was killed between intent and outcome) is never answered by doing
//! the same again: the state of the world is read first, and only a step that did not happen is
//! taken once more.

use pi_sdk::{Value, json};

use crate::facts::{Condition, Owner, read};
use crate::patch::Patch;
use crate::plan::Step;
use crate::world::{Answer, Call, Trouble, World};

/// The host's rule that one service is in one session's hands at a time.
pub const HELD: &str = "held";
/// Parts of a file that are read before it counts as too long to be compared.
const READS_MAX: usize = 64;
/// How often a step is begun whose outcome is unknown.
const BEGINS_MAX: usize = 3;
/// How long a service that is between two processes is waited for.
const START_MS_MAX: u64 = 5_000;

/// What was done, for the record.
#[derive(Clone, Debug)]
pub struct Deed {
    pub time_ms: u64,
    pub call: Call,
    pub result: Answer,
    /// How an unknown outcome was cleared up.
    pub note: Option<String>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    Done,
    /// The gate or the grant is against it: it stays so.
    Barred(String),
    /// Another session works on this service. It may be done later, if it is still needed.
    Held(String),
    Failed(String),
}

/// Take `step`. Every call is added to `deeds`. `condition` is the service's before the step.
pub fn perform(world: &mut dyn World, step: &Step, condition: Option<&Condition>, deeds: &mut Vec<Deed>) -> Ended {
    match step {
        Step::Patch { patch, .. } => patch_file(world, patch, deeds),
        Step::Rotate { service, path, bytes } => {
            let call = Call::new("log_rotate", json!({ "name": service, "path": path }));
            once(world, call, deeds, |world| log_bytes(world, service, path).map(|now| now < *bytes))
        }
        Step::EndProcess { port, pid, start_time, .. } => {
            let call = Call::new("process_end", json!({ "pid": pid, "start_time": start_time }));
            once(world, call, deeds, |world| {
                let answer = world.call_one(Call::new("port_owner", json!({ "port": port })));
                let owner: Option<Owner> = read("port_owner", answer).ok()?;
                Some(owner.is_none_or(|owner| (owner.pid, owner.start_time) != (*pid, *start_time)))
            })
        }
        // Its own runner makes the calls.
        Step::Runbook { choice, .. } => match choice.follow(world, deeds) {
            Ok(followed) => followed.ended,
            Err(why) => Ended::Failed(why),
        },
        // Whether it took effect nobody can tell from here: it is not begun again.
        Step::Proposed { proposal, .. } => {
            let call = Call::new(proposal.tool.clone(), proposal.arguments.clone());
            once(world, call, deeds, |_| None)
        }
        Step::Restart { service } => {
            let call = Call::new("service_restart", json!({ "name": service }));
            let before = condition.and_then(|condition| condition.pid);
            let was_down = condition.is_some_and(Condition::is_down);
            once(world, call, deeds, |world| has_restarted(world, service, before, was_down))
        }
    }
}

/// Make a call that is not to be made twice. `is_done` looks whether it took effect; none if that
/// cannot be told.
pub fn once(
    world: &mut dyn World,
    call: Call,
    deeds: &mut Vec<Deed>,
    is_done: impl Fn(&mut dyn World) -> Option<bool>,
) -> Ended {
    for _ in 0..BEGINS_MAX {
        let result = world.call_one(call.clone());
        let time_ms = world.now_ms();
        let mut deed = Deed { time_ms, call: call.clone(), result: result.clone(), note: None };
        let ended = match result {
            Ok(_) => Some(Ended::Done),
            Err(Trouble::Refused { rule, reason, .. }) if rule == HELD => Some(Ended::Held(reason)),
            Err(trouble @ (Trouble::Refused { .. } | Trouble::NotGranted(_))) => {
                Some(Ended::Barred(trouble.to_string()))
            }
            Err(Trouble::Failed(text)) => Some(Ended::Failed(text)),
            Err(Trouble::Unknown(_)) => match is_done(world) {
                Some(true) => {
                    deed.note = Some("the outcome was unknown; a look showed that it took effect".into());
                    Some(Ended::Done)
                }
                Some(false) => {
                    deed.note = Some("the outcome was unknown; a look showed that it did not take effect".into());
                    None
                }
                None => {
                    deed.note = Some("the outcome is unknown, and could not be found out; it is not done again".into());
                    Some(Ended::Done)
                }
            },
        };
        deeds.push(deed);
        if let Some(ended) = ended {
            return ended;
        }
    }
    Ended::Failed(format!("`{}` was begun {BEGINS_MAX} times, and did not take effect", call.tool))
}

/// Whether the service runs in another process than before. One that is between two processes gets
/// a moment: its host may be starting it right now.
fn has_restarted(world: &mut dyn World, service: &str, before: Option<u32>, was_down: bool) -> Option<bool> {
    let begin = world.now_ms();
    loop {
        let answer = world.call_one(Call::new("service_status", json!({ "name": service })));
        let condition: Condition = read("service_status", answer).ok()?;
        if condition.is_running() && condition.pid.is_some() {
            // A service that was down and runs has been started, by whomever.
            return Some(was_down || condition.pid != before);
        }
        if world.now_ms().saturating_sub(begin) >= START_MS_MAX {
            return Some(false);
        }
        world.sleep(250);
    }
}

fn log_bytes(world: &mut dyn World, service: &str, path: &str) -> Option<u64> {
    let answer = world.call_one(Call::new("service_status", json!({ "name": service })));
    let condition: Condition = read("service_status", answer).ok()?;
    // A log that is not among the largest files any more has become small.
    let mut files = condition.disks.iter().flat_map(|disk| &disk.files);
    Some(files.find(|file| file.path == path).map_or(0, |file| file.bytes))
}

/// Bring a file from `patch.from` to `patch.to`.
fn patch_file(world: &mut dyn World, patch: &Patch, deeds: &mut Vec<Deed>) -> Ended {
    let call = match &patch.edit {
        Some(edit) => Call::new("edit", json!({ "path": patch.path, "old": edit.old, "new": edit.new })),
        None => Call::new("write", json!({ "path": patch.path, "content": patch.to })),
    };
    once(world, call, deeds, |world| contents(world, &patch.path).map(|text| text == patch.to))
}

/// The text of a file as it is now, read to its end. None if it cannot be read, or is too long to be
/// compared.
pub fn contents(world: &mut dyn World, path: &str) -> Option<String> {
    let mut text = String::new();
    for _ in 0..READS_MAX {
        let arguments = json!({ "path": path, "from_byte": text.len() });
        let Ok(Value::String(part)) = world.call_one(Call::new("read", arguments)) else { return None };
        // A part that is not the last ends with a remark on how to go on.
        match part.rsplit_once(&format!("[bytes {} to ", text.len())) {
            Some((part, remark)) if remark.contains("; go on with `\"from_byte\": ") => text.push_str(part),
            _ => {
                text.push_str(&part);
                return Some(text);
            }
        }
    }
    None
}
