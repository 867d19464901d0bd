//! The typed acts on a target: what must hold before one, what it touches and interrupts, the exact calls that it
//! makes, and how it is taken back; then doing it, and finding out what became of it when nobody can say.
//!
//! A new act is a variant, a row in each of the tables below, a rung in `plan.rs`, and a case in the simulation.

use pi_sdk::{Value, json};

use super::aws::{self, field, list, text, time};
use super::evidence::{Seen, State, before};
use super::inspect::Rotated;
use super::observe;
use super::script;
use super::target::{Kind, Target, command_line};
use crate::act::{Deed, Ended, once};
use crate::counsel::Proposal;
use crate::instant::rfc3339;
use crate::patch::Patch;
use crate::runbook::Choice;
use crate::settings::Settings;
use crate::world::{Call, Trouble, World};

/// Between two looks whether the cloud has come to the state that was asked for: so many within the time for it.
const LOOKS: u32 = 60;
const POLL_MS: (u32, u32) = (500, 5_000);
/// A start after a stop is tried so often: an instance that was stopped must not stay so for one failed call.
const STARTS_MAX: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    RestartUnit {
        unit: String,
    },
    /// Room from logs that were rotated away: exactly these.
    ClearLogs {
        mount: String,
        logs: Vec<Rotated>,
    },
    /// Bring a file back to what it was, and start its unit anew.
    PatchFile {
        patch: Patch,
        digest: String,
        backup: String,
        unit: Option<String>,
    },
    /// Take such a patch back.
    RestoreFile {
        path: String,
        backup: String,
        unit: Option<String>,
    },
    Start,
    Stop,
    Reboot,
    /// Onto another machine.
    StopStart,
    RebootDatabase {
        with_failover: bool,
    },
    FailOver {
        from: String,
        to: String,
    },
    ExtendStorage {
        from_gib: u64,
        to_gib: u64,
    },
    Scale {
        group: String,
        from: u64,
        to: u64,
    },
    ChangeClass {
        from: String,
        to: String,
    },
    /// What people have written for this cause.
    Runbook {
        choice: Choice,
    },
    /// What a model has proposed, and no rule has.
    Proposed {
        proposal: Proposal,
    },
}

/// What an act touches.
#[derive(Clone, Debug, PartialEq)]
pub struct Radius {
    pub targets: u32,
    pub interrupts: &'static str,
    /// At most, as a rule.
    pub seconds: u32,
}

impl Act {
    pub fn name(&self) -> &'static str {
        match self {
            Act::RestartUnit { .. } => "restart_unit",
            Act::ClearLogs { .. } => "clear_logs",
            Act::PatchFile { .. } => "patch_file",
            Act::RestoreFile { .. } => "restore_file",
            Act::Start => "start",
            Act::Stop => "stop",
            Act::Reboot => "reboot",
            Act::StopStart => "stop_start",
            Act::RebootDatabase { .. } => "reboot_database",
            Act::FailOver { .. } => "fail_over",
            Act::ExtendStorage { .. } => "extend_storage",
            Act::Scale { .. } => "scale",
            Act::ChangeClass { .. } => "change_class",
            Act::Runbook { .. } => "runbook",
            Act::Proposed { .. } => "proposed",
        }
    }

    /// The same for what is the same act to people: storage that was extended in vain is not extended further, and who
    /// was failed over is not failed back and forth.
    pub fn key(&self) -> String {
        let of = match self {
            Act::RestartUnit { unit } => unit.clone(),
            Act::ClearLogs { mount, .. } => mount.clone(),
            Act::PatchFile { patch, .. } => patch.path.clone(),
            Act::RestoreFile { path, .. } => path.clone(),
            Act::Runbook { choice } => choice.key(),
            Act::Proposed { proposal } => format!("{} {}", proposal.tool, proposal.arguments),
            _ => String::new(),
        };
        format!("{} {of}", self.name())
    }

    pub fn words(&self, target: &Target) -> String {
        let id = target.id();
        match self {
            Act::RestartUnit { unit } => format!("restart the unit `{unit}` on `{id}`"),
            Act::ClearLogs { mount, logs } => {
                let kib = logs.iter().map(|log| log.bytes).sum::<u64>() / 1_024;
                let count = logs.len();
                format!("make room on `{mount}` of `{id}`: remove {count} logs that were rotated away ({kib} KiB)")
            }
            Act::PatchFile { patch, .. } => format!("take the change of `{}` on `{id}` back", patch.path),
            Act::RestoreFile { path, .. } => format!("put `{path}` on `{id}` back to what it was before the patch"),
            Act::Start => format!("start `{id}`"),
            Act::Stop => format!("stop `{id}`"),
            Act::Reboot => format!("reboot `{id}`"),
            Act::StopStart => format!("stop and start `{id}`, onto another machine"),
            Act::RebootDatabase { with_failover: true } => format!("reboot `{id}` with failover to its standby"),
            Act::RebootDatabase { with_failover: false } => format!("reboot the database `{id}`"),
            Act::FailOver { from, to } => format!("fail `{id}` over from `{from}` to `{to}`"),
            Act::ExtendStorage { from_gib, to_gib } => {
                format!("extend the storage of `{id}` from {from_gib} to {to_gib} GiB")
            }
            Act::Scale { group, from, to } => format!("set the size of the group `{group}` from {from} to {to}"),
            Act::ChangeClass { from, to } => format!("change the class of `{id}` from `{from}` to `{to}`"),
            Act::Runbook { choice } => choice.words(),
            Act::Proposed { proposal } => {
                format!("as the model proposes, `{}`: {}", proposal.tool, crate::orient::quote(&proposal.why))
            }
        }
    }

    pub fn radius(&self) -> Radius {
        let radius = |targets, interrupts, seconds| Radius { targets, interrupts, seconds };
        match self {
            Act::RestartUnit { .. } => radius(1, "the one service, while it starts", 30),
            Act::ClearLogs { .. } => radius(1, "nothing; what it removes is gone", 0),
            Act::PatchFile { unit: None, .. } | Act::RestoreFile { unit: None, .. } => radius(1, "nothing", 0),
            Act::PatchFile { .. } | Act::RestoreFile { .. } => radius(1, "the one service, while it starts", 30),
            Act::Start => radius(1, "nothing: it is stopped", 0),
            Act::Stop => radius(1, "everything on the instance, until it is started", u32::MAX),
            Act::Reboot => radius(1, "everything on the instance, while it boots", 180),
            Act::StopStart => {
                radius(1, "everything on the instance, while it moves; its public address may change", 300)
            }
            Act::RebootDatabase { with_failover: true } => {
                radius(1, "all connections, while the standby takes over", 120)
            }
            Act::RebootDatabase { with_failover: false } => radius(1, "all connections, while it boots", 300),
            Act::FailOver { .. } => radius(2, "writes, and the connections to the former writer", 60),
            Act::ExtendStorage { .. } => {
                radius(1, "nothing; it cannot be made smaller again, nor extended for six hours", 0)
            }
            Act::Scale { from, to, .. } if to < from => radius(1, "what the instance that goes was doing", 300),
            Act::Scale { .. } => radius(1, "nothing; one instance more is paid for", 0),
            Act::ChangeClass { .. } => radius(1, "all connections, while it moves to another machine", 900),
            // Whether it is the time for what interrupts is for its own conditions to say.
            Act::Runbook { .. } => radius(1, "what its steps say", 0),
            Act::Proposed { .. } => radius(1, "what the call says", 300),
        }
    }

    /// People would notice.
    pub fn is_interrupting(&self) -> bool {
        self.radius().seconds > 0
    }

    /// The act that leads back.
    pub fn inverse(&self) -> Option<Act> {
        match self {
            Act::PatchFile { patch, backup, unit, .. } => {
                Some(Act::RestoreFile { path: patch.path.clone(), backup: backup.clone(), unit: unit.clone() })
            }
            Act::Start => Some(Act::Stop),
            Act::Stop => Some(Act::Start),
            Act::FailOver { from, to } => Some(Act::FailOver { from: to.clone(), to: from.clone() }),
            Act::RebootDatabase { with_failover: true } => Some(self.clone()),
            Act::Scale { group, from, to } => Some(Act::Scale { group: group.clone(), from: *to, to: *from }),
            Act::ChangeClass { from, to } => Some(Act::ChangeClass { from: to.clone(), to: from.clone() }),
            _ => None,
        }
    }

    /// Taken back by itself where it did not help. What would only interrupt once more is left, unless it did harm.
    pub fn is_taken_back(&self, did_harm: bool) -> bool {
        match self {
            Act::PatchFile { .. } | Act::Scale { .. } | Act::ChangeClass { .. } => true,
            Act::FailOver { .. } => did_harm,
            _ => false,
        }
    }

    /// What must hold, or why it does not.
    pub fn check(&self, seen: &Seen, target: &Target) -> Result<(), String> {
        let state = &seen.state;
        let status = |wanted: &[&str]| {
            if wanted.contains(&state.status.as_str()) {
                Ok(())
            } else {
                Err(format!("its state is `{}`, not `{}`", state.status, wanted.join("` or `")))
            }
        };
        let commands = || match seen.is_managed {
            Some(true) => status(&["running"]),
            _ => Err("commands do not reach the instance: it is not managed by SSM".to_owned()),
        };
        match self {
            Act::RestartUnit { unit } if !script::is_unit(unit) => Err(format!("`{unit}` is no plain name of a unit")),
            Act::RestartUnit { .. } => commands(),
            Act::ClearLogs { logs, .. } => {
                commands()?;
                let folders = || std::iter::once("/var/log").chain(target.log_files.iter().map(String::as_str));
                let is_log = |path: &str| {
                    folders().any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
                };
                match logs.iter().find(|log| !is_log(&log.path)) {
                    Some(log) => Err(format!("`{}` is in no folder of logs", log.path)),
                    None if logs.is_empty() => Err("no log on it was rotated away".into()),
                    None => script::remove_logs(logs).map(|_| ()),
                }
            }
            Act::PatchFile { patch, digest, backup, .. } => {
                commands()?;
                script::replace_file(&patch.path, digest, &patch.to, backup).map(|_| ())
            }
            Act::RestoreFile { path, backup, .. } => script::restore_file(path, backup).map(|_| ()),
            Act::Start => {
                status(&["stopped"])?;
                let stopped = seen.changes.iter().rev().find(|change| change.name == "StopInstances");
                match stopped {
                    Some(change) => Err(format!(
                        "`{}` has stopped it at {}, and may have meant it",
                        change.who,
                        rfc3339(change.time_ms)
                    )),
                    None => Ok(()),
                }
            }
            Act::Stop | Act::Reboot => status(&["running"]),
            Act::StopStart => {
                status(&["running"])?;
                match (state.is_on_volumes, state.is_spot, &seen.group) {
                    (false, ..) => Err("its disks would be lost with a stop".into()),
                    (_, true, _) => Err("it is a spot instance: it need not come back".into()),
                    (_, _, Some(group)) => {
                        Err(format!("the group `{}` would replace it while it is stopped", group.name))
                    }
                    _ => Ok(()),
                }
            }
            Act::RebootDatabase { with_failover } => {
                status(&["available"])?;
                if *with_failover && !state.is_multi_az { Err("it has no standby".into()) } else { Ok(()) }
            }
            Act::FailOver { to, .. } => {
                status(&["available"])?;
                match seen.neighbours.get(to) {
                    Some(true) => Ok(()),
                    _ => Err(format!("`{to}` is not seen to be well")),
                }
            }
            Act::ExtendStorage { from_gib, to_gib } => {
                status(&["available", "storage-full"])?;
                if state.cluster.is_some() {
                    return Err("its storage is the cluster's, and grows by itself".into());
                }
                let is_bounded = to_gib > from_gib && *to_gib <= from_gib.saturating_mul(2);
                if is_bounded { Ok(()) } else { Err("storage grows by at most 100 % at once".into()) }
            }
            Act::Scale { group, to, from } => match &seen.group {
                Some(known)
                    if known.name == *group && *to <= known.max && *to >= known.min && to.abs_diff(*from) == 1 =>
                {
                    Ok(())
                }
                Some(known) => Err(format!("the group `{group}` may have {} to {}", known.min, known.max)),
                None => Err("it is in no group".into()),
            },
            Act::ChangeClass { from, .. } => {
                status(&["available"])?;
                if state.class == *from { Ok(()) } else { Err(format!("its class is `{}`", state.class)) }
            }
            // Its conditions are its own.
            Act::Runbook { .. } => Ok(()),
            Act::Proposed { proposal } => is_about(proposal, seen, target),
        }
    }

    /// What would be called, exactly.
    pub fn calls(&self, target: &Target, settings: &Settings) -> Vec<Call> {
        let id = target.id();
        let ids = json!({ "InstanceIds": [id] });
        let timeout_s = settings.cloud.command_ms_max / 1_000;
        let command = |script: String| vec![script::send(target, &script, &self.words(target), timeout_s)];
        let then_restart = |script: String, unit: &Option<String>| match unit {
            Some(unit) => format!("{script}\n{}", script::restart(unit)),
            None => script,
        };
        match self {
            Act::RestartUnit { unit } => command(script::restart(unit)),
            Act::ClearLogs { logs, .. } => script::remove_logs(logs).map(command).unwrap_or_default(),
            Act::PatchFile { patch, digest, backup, unit } => {
                match script::replace_file(&patch.path, digest, &patch.to, backup) {
                    Ok(script) => command(then_restart(script, unit)),
                    Err(_) => Vec::new(),
                }
            }
            Act::RestoreFile { path, backup, unit } => match script::restore_file(path, backup) {
                Ok(script) => command(then_restart(script, unit)),
                Err(_) => Vec::new(),
            },
            Act::Start => vec![target.change("ec2:StartInstances", ids)],
            Act::Stop => vec![target.change("ec2:StopInstances", ids)],
            Act::Reboot => vec![target.change("ec2:RebootInstances", ids)],
            Act::StopStart => {
                vec![target.change("ec2:StopInstances", ids.clone()), target.change("ec2:StartInstances", ids)]
            }
            Act::RebootDatabase { with_failover } => {
                let arguments = json!({ "DBInstanceIdentifier": id, "ForceFailover": with_failover });
                vec![target.change("rds:RebootDBInstance", arguments)]
            }
            Act::FailOver { to, .. } => {
                let arguments = json!({ "DBClusterIdentifier": id, "TargetDBInstanceIdentifier": to });
                vec![target.change("rds:FailoverDBCluster", arguments)]
            }
            Act::ExtendStorage { to_gib, .. } => {
                let arguments =
                    json!({ "DBInstanceIdentifier": id, "AllocatedStorage": to_gib, "ApplyImmediately": true });
                vec![target.change("rds:ModifyDBInstance", arguments)]
            }
            Act::Scale { group, to, .. } => {
                let arguments = json!({ "AutoScalingGroupName": group, "DesiredCapacity": to });
                vec![target.change("autoscaling:SetDesiredCapacity", arguments)]
            }
            Act::ChangeClass { to, .. } => {
                let arguments = json!({ "DBInstanceIdentifier": id, "DBInstanceClass": to, "ApplyImmediately": true });
                vec![target.change("rds:ModifyDBInstance", arguments)]
            }
            Act::Runbook { choice } => choice.changes(),
            Act::Proposed { proposal } => vec![Call::new(proposal.tool.clone(), proposal.arguments.clone())],
        }
    }

    /// All that a person needs to say yes or no.
    pub fn described(&self, seen: &Seen, target: &Target, settings: &Settings) -> Value {
        let calls = |act: &Act| -> Vec<Value> {
            let one =
                |call: &Call| json!({ "tool": call.tool, "arguments": call.arguments, "command": command_line(call) });
            act.calls(target, settings).iter().map(one).collect()
        };
        let inverse = match self.inverse() {
            Some(inverse) => json!({ "act": inverse.name(), "words": inverse.words(target), "calls": calls(&inverse) }),
            None => json!("none"),
        };
        let Radius { targets, interrupts, seconds } = self.radius();
        let for_s = if seconds == u32::MAX { Value::Null } else { json!(seconds) };
        let removes: Vec<&str> = match self {
            Act::ClearLogs { logs, .. } => logs.iter().map(|log| log.path.as_str()).collect(),
            _ => Vec::new(),
        };
        let diff = match self {
            Act::PatchFile { patch, .. } => Some(patch.diff()),
            _ => None,
        };
        json!({
            "act": self.name(),
            "words": self.words(target),
            "calls": calls(self),
            "inverse": inverse,
            "blast_radius": { "targets": targets, "interrupts": interrupts, "seconds": for_s },
            "precondition": self.check(seen, target).map_or_else(|why| format!("does not hold: {why}"), |()| "holds".into()),
            "diff": diff,
            "removes": removes,
            "advice": match self {
                Act::Runbook { choice } => json!(choice.advice()),
                _ => Value::Null,
            },
        })
    }

    /// Do it. Every call that changes something is added to `deeds`.
    pub fn perform(
        &self,
        world: &mut dyn World,
        target: &Target,
        seen: &Seen,
        settings: &Settings,
        deeds: &mut Vec<Deed>,
    ) -> Ended {
        let begun_ms = world.now_ms();
        let mut ended = Ended::Failed("there is no call for it".into());
        let as_refused = |ended: Ended| match ended {
            Ended::Failed(text) if aws::is_refused(&text) => Ended::Barred(text),
            other => other,
        };
        for (index, call) in self.calls(target, settings).into_iter().enumerate() {
            let is_start_after_stop = index > 0;
            let tries = if is_start_after_stop { STARTS_MAX } else { 1 };
            for left in (0..tries).rev() {
                let look = |world: &mut dyn World| self.has_happened(world, target, seen, settings, begun_ms, index);
                ended = as_refused(once(world, call.clone(), deeds, look));
                if ended == Ended::Done || left == 0 {
                    break;
                }
                world.sleep(poll_ms(settings.cloud.settle_ms_max));
            }
            if ended == Ended::Done && call.arguments["operation"] == "ssm:SendCommand" {
                ended = finish_command(world, target, deeds, settings);
            }
            if ended != Ended::Done {
                return ended;
            }
            self.settle(world, target, settings, index);
        }
        ended
    }

    /// Wait for the state that a call leads to. What comes of it is the verification's to say.
    fn settle(&self, world: &mut dyn World, target: &Target, settings: &Settings, index: usize) {
        let ms = settings.cloud.settle_ms_max;
        let wait = |world: &mut dyn World, is_there: &dyn Fn(&State) -> bool| wait_for(world, target, ms, is_there);
        match self {
            Act::StopStart if index == 0 => wait(world, &|state| state.status == "stopped"),
            Act::Start | Act::StopStart => wait(world, &|state| state.status == "running"),
            Act::Stop => wait(world, &|state| state.status == "stopped"),
            Act::ExtendStorage { to_gib, .. } => wait(world, &|state| state.allocated_gib >= Some(*to_gib)),
            Act::ChangeClass { to, .. } => wait(world, &|state| state.class == *to && state.status == "available"),
            Act::FailOver { from, .. } => wait(world, &|state| state.writer().is_some_and(|writer| writer != from)),
            Act::RebootDatabase { .. } => wait(world, &|state| !state.is_in_transition()),
            _ => {}
        }
    }

    /// Whether a call of unknown outcome took effect; none where that cannot be told, and it is not done again then.
    fn has_happened(
        &self,
        world: &mut dyn World,
        target: &Target,
        seen: &Seen,
        settings: &Settings,
        begun_ms: u64,
        index: usize,
    ) -> Option<bool> {
        let state = |world: &mut dyn World| observe::state(world, target);
        match self {
            Act::Start => state(world).map(|it| matches!(it.status.as_str(), "pending" | "running")),
            Act::Stop => state(world).map(|it| matches!(it.status.as_str(), "stopping" | "stopped")),
            Act::StopStart if index == 0 => state(world).map(|it| matches!(it.status.as_str(), "stopping" | "stopped")),
            Act::StopStart => state(world).map(|it| matches!(it.status.as_str(), "pending" | "running")),
            Act::ExtendStorage { to_gib, .. } => {
                let arguments = json!({ "DBInstanceIdentifier": target.id() });
                let answer = world.call_one(target.read("rds:DescribeDBInstances", arguments)).ok()?;
                let it = list(&answer, "DBInstances").next()?;
                let pending = field(field(it, "PendingModifiedValues"), "AllocatedStorage").as_u64();
                Some(field(it, "AllocatedStorage").as_u64().max(pending) >= Some(*to_gib))
            }
            Act::ChangeClass { to, .. } => {
                let arguments = json!({ "DBInstanceIdentifier": target.id() });
                let answer = world.call_one(target.read("rds:DescribeDBInstances", arguments)).ok()?;
                let it = list(&answer, "DBInstances").next()?;
                let pending = text(field(it, "PendingModifiedValues"), "DBInstanceClass");
                Some(text(it, "DBInstanceClass") == to || pending == to)
            }
            Act::Scale { group, to, .. } => {
                let arguments = json!({ "AutoScalingGroupNames": [group] });
                let answer = world.call_one(target.read("autoscaling:DescribeAutoScalingGroups", arguments)).ok()?;
                let it = list(&answer, "AutoScalingGroups").next()?;
                Some(field(it, "DesiredCapacity").as_u64()? == *to)
            }
            Act::FailOver { from, .. } => {
                let it = state(world)?;
                (it.writer() != Some(from.as_str()) || it.status == "failing-over").then_some(true)
            }
            Act::RebootDatabase { .. } => {
                let is_rebooting = state(world).is_some_and(|it| it.status == "rebooting");
                (is_rebooting || has_event(world, target, begun_ms)).then_some(true)
            }
            Act::Reboot => {
                let uptime = uptime_ms(world, target, seen, settings);
                let passed = world.now_ms().saturating_sub(begun_ms);
                match uptime {
                    Some(uptime) => Some(uptime < passed),
                    None => is_in_trail(world, target, "RebootInstances", begun_ms).then_some(true),
                }
            }
            // It is the same however often it is done.
            Act::ClearLogs { .. } => Some(false),
            Act::PatchFile { patch, digest, .. } => {
                let now =
                    command_out(world, target, settings, &format!("sha256sum < {}", script::quoted(&patch.path)))?;
                Some(now.split_whitespace().next()? != digest)
            }
            Act::RestartUnit { unit } => {
                let before = seen.inspection.as_ref()?.unit.as_ref().filter(|it| it.name == *unit)?.since.clone();
                let script = format!("systemctl show --value -p ActiveEnterTimestamp -- {}", script::quoted(unit));
                Some(command_out(world, target, settings, &script)?.trim() != before)
            }
            Act::RestoreFile { .. } | Act::Runbook { .. } | Act::Proposed { .. } => None,
        }
    }
}

/// A proposal of a model may be about this target alone: it has seen nothing else.
fn is_about(proposal: &Proposal, seen: &Seen, target: &Target) -> Result<(), String> {
    let arguments = &proposal.arguments;
    let names_it = |value: &Value| value.as_str() == Some(target.id());
    let named = arguments["arguments"].as_object().into_iter().flatten().any(|(_, value)| {
        names_it(value) || value.as_array().is_some_and(|all| all.len() == 1 && all.iter().all(names_it))
    });
    let group = seen.group.as_ref().map(|group| group.name.as_str());
    let is_group = group.is_some() && arguments["arguments"]["AutoScalingGroupName"].as_str() == group;
    let is_same_place = arguments["account"].as_str().is_none_or(|account| account == target.place.account)
        && arguments["region"]
            .as_str()
            .is_none_or(|region| target.place.region.as_deref().is_none_or(|it| it == region));
    let is_ours = proposal.tool == "cloud_change" && is_same_place && (named || is_group);
    if is_ours { Ok(()) } else { Err(format!("it is not about `{}` alone", target.id())) }
}

/// A command was taken; its end is what counts.
fn finish_command(world: &mut dyn World, target: &Target, deeds: &mut [Deed], settings: &Settings) -> Ended {
    let Some(deed) = deeds.last_mut() else { return Ended::Done };
    // Of an outcome that was unknown a look has told.
    let Ok(sent) = deed.result.clone() else { return Ended::Done };
    match script::wait(world, target, &sent, settings.cloud.command_ms_max) {
        Ok(printed) => {
            deed.result = Ok(json!({ "out": tail(&printed.out), "err": tail(&printed.err) }));
            Ended::Done
        }
        Err(trouble) => {
            let text = trouble.to_string();
            deed.result = Err(match trouble {
                Trouble::Unknown(text) => Trouble::Unknown(text),
                other => Trouble::Failed(other.to_string()),
            });
            Ended::Failed(text)
        }
    }
}

fn tail(text: &str) -> String {
    let count = text.chars().count();
    text.chars().skip(count.saturating_sub(1_000)).collect()
}

fn command_out(world: &mut dyn World, target: &Target, settings: &Settings, text: &str) -> Option<String> {
    let wait_ms = settings.cloud.command_ms_max;
    let call = script::send(target, text, "pi-host: look what became of the last act", wait_ms / 1_000);
    let printed = script::run(world, target, &call, wait_ms).ok()?;
    printed["out"].as_str().map(str::to_owned)
}

fn uptime_ms(world: &mut dyn World, target: &Target, seen: &Seen, settings: &Settings) -> Option<u64> {
    seen.is_managed.filter(|is_managed| *is_managed)?;
    let out = command_out(world, target, settings, "cat /proc/uptime")?;
    let seconds: f64 = out.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1_000.0) as u64)
}

fn is_in_trail(world: &mut dyn World, target: &Target, name: &str, since_ms: u64) -> bool {
    let arguments = json!({
        "LookupAttributes": [{ "AttributeKey": "ResourceName", "AttributeValue": target.id() }],
        "StartTime": before(since_ms, 1_000), "MaxResults": 50,
    });
    let answer = world.call_one(target.read("cloudtrail:LookupEvents", arguments)).unwrap_or_default();
    let has_taken_effect = |it: &Value| {
        let whole: Value = pi_sdk::serde_json::from_str(text(it, "CloudTrailEvent")).unwrap_or_default();
        text(&whole, "errorCode").is_empty()
    };
    list(&answer, "Events").any(|it| {
        let is_late = time(it, "EventTime").is_some_and(|at| at + 1_000 >= since_ms);
        text(it, "EventName") == name && is_late && has_taken_effect(it)
    })
}

fn has_event(world: &mut dyn World, target: &Target, since_ms: u64) -> bool {
    let source_type = if target.kind() == Kind::Cluster { "db-cluster" } else { "db-instance" };
    let arguments =
        json!({ "SourceIdentifier": target.id(), "SourceType": source_type, "StartTime": before(since_ms, 1_000) });
    let answer = world.call_one(target.read("rds:DescribeEvents", arguments)).unwrap_or_default();
    let words = ["restarted", "shutdown", "shut down", "failover"];
    let is_new = |it: &&Value| time(it, "Date").is_some_and(|at| at + 1_000 >= since_ms);
    list(&answer, "Events")
        .filter(is_new)
        .any(|it| words.iter().any(|word| text(it, "Message").to_lowercase().contains(word)))
}

fn wait_for(world: &mut dyn World, target: &Target, ms: u32, is_there: &dyn Fn(&State) -> bool) {
    let begin = world.now_ms();
    loop {
        if observe::state(world, target).is_some_and(|state| is_there(&state)) {
            return;
        }
        if world.now_ms().saturating_sub(begin) >= u64::from(ms) {
            return;
        }
        world.sleep(poll_ms(ms));
    }
}

fn poll_ms(settle_ms_max: u32) -> u32 {
    let (least, most) = POLL_MS;
    (settle_ms_max / LOOKS).clamp(least, most)
}
