//! What the agent does to a service with each fault, with pairs of them, and when it may not.

use pi_sdk::Status;

use super::{BAD, Fault, GOOD, START_MS, Service, Simulation};
use crate::world::Trouble;

fn alone(fault: Fault) -> Simulation {
    Simulation::new(vec![Service::new("orders", 9000).ill(fault)])
}

fn refusal(rule: &str) -> Trouble {
    Trouble::Refused {
        action: "the act".into(),
        rule: rule.into(),
        reason: "it is not allowed".into(),
        advice: "ask".into(),
    }
}

/// Heal it, and check what was done and what it was called.
#[track_caller]
fn heals(mut world: Simulation, effects: &[&str], cause: &str) -> pi_sdk::Value {
    let (outcome, details) = world.wake("orders");
    assert_eq!(
        (outcome.status, world.effects.as_slice()),
        (Status::Done, effects.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>().as_slice()),
        "{}",
        outcome.summary
    );
    assert_eq!(details["root_cause"], cause, "{}", outcome.summary);
    assert_eq!(details["verification"]["passed"], true);
    details
}

#[test]
fn takes_a_bad_change_back_and_restarts_nothing_that_reads_it_live() {
    let details = heals(alone(Fault::Config { is_live: true }), &["edit /etc/orders.conf"], "bad_configuration");
    assert_eq!(details["actions"][0]["arguments"]["old"], "pool = eight\n");
    assert!(details["actions"][0]["diff"].as_str().unwrap().contains("-pool = eight\n+pool = 8\n"));
}

#[test]
fn restarts_a_service_that_reads_its_configuration_at_the_start() {
    heals(alone(Fault::Config { is_live: false }), &["edit /etc/orders.conf", "restart orders"], "bad_configuration");
}

#[test]
fn takes_the_change_back_that_makes_a_service_run_out_of_memory() {
    let world = alone(Fault::OomByConfig { life_ms: 1_500 });
    heals(world, &["edit /etc/orders.conf", "restart orders"], "oom_killed");
}

#[test]
fn a_service_that_runs_out_of_memory_whatever_one_does_is_restarted_once_and_handed_over() {
    let mut world = alone(Fault::OomForEver { life_ms: 1_500 });
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert_eq!(world.effects, ["restart orders"]);
    assert_eq!(details["root_cause"], "oom_killed");
}

#[test]
fn a_crash_loop_in_its_living_phase_is_not_taken_for_health() {
    let mut world = alone(Fault::OomForEver { life_ms: 9_000 });
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert_eq!(details["root_cause"], "oom_killed");
}

#[test]
fn restarts_a_stopped_process() {
    heals(alone(Fault::Stopped), &["restart orders"], "process_hung");
}

#[test]
fn restarts_a_deadlocked_process() {
    heals(alone(Fault::Deadlocked), &["restart orders"], "process_hung");
}

#[test]
fn rotates_a_log_that_fills_its_disk() {
    heals(alone(Fault::Full), &["rotate orders"], "storage_full");
}

#[test]
fn ends_a_stray_on_the_port_and_starts_the_service_at_once() {
    heals(alone(Fault::Stray), &["end", "restart orders"], "port_conflict");
}

#[test]
fn does_not_end_a_process_that_belongs_to_a_service() {
    let mut world = alone(Fault::Stray);
    world.stray_service = Some("billing".into());
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.iter().all(|effect| effect != "end"), "{:?}", world.effects);
    assert_eq!(details["root_cause"], "port_conflict");
    assert!(outcome.summary.contains("billing"), "{}", outcome.summary);
}

#[test]
fn does_nothing_about_a_false_alarm() {
    let mut world = Simulation::new(vec![Service::new("orders", 9000)]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(world.effects.is_empty());
    assert_eq!(details["root_cause"], "healthy");
    assert_eq!(details["verification"]["required"], 10);
}

#[test]
fn does_not_touch_a_harmless_change_of_a_healthy_service() {
    let mut service = Service::new("orders", 9000).ill(Fault::Config { is_live: true });
    service.faults.clear();
    let mut world = Simulation::new(vec![service]);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert_eq!(world.service("orders").file, BAD);
}

#[test]
fn an_external_dependency_that_is_down_is_named_and_nothing_is_restarted() {
    let mut dependency = Service::external("bank");
    dependency.is_dead = true;
    let mut world = Simulation::new(vec![Service::new("orders", 9000).on("bank"), dependency]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert_eq!(details["root_cause"], "dependency_down");
    assert!(outcome.summary.contains("`bank`"), "{}", outcome.summary);
}

#[test]
fn a_supervised_dependency_is_healed_and_both_are_verified() {
    let services = vec![Service::new("orders", 9000).on("stock"), Service::new("stock", 9001).ill(Fault::Stopped)];
    let details = heals(Simulation::new(services), &["restart stock"], "dependency_down");
    assert_eq!(details["contributing"][0], "process_hung");
    let probes = details["verification"]["probes"].as_array().unwrap();
    assert!(probes.iter().any(|probe| probe["service"] == "stock"));
}

#[test]
fn a_dependency_in_other_hands_is_left_to_them() {
    let mut dependency = Service::new("stock", 9001).ill(Fault::Stopped);
    dependency.mends_at_ms = Some(START_MS + 5_000);
    let mut world = Simulation::new(vec![Service::new("orders", 9000).on("stock"), dependency]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert_eq!(details["root_cause"], "healthy");
    assert_eq!(details["contributing"][0], "dependency_down");
}

#[test]
fn a_service_that_another_session_holds_is_waited_for_longer_than_others() {
    let mut dependency = Service::new("stock", 9001).ill(Fault::Stopped);
    dependency.mends_at_ms = Some(START_MS + 60_000);
    let mut world = Simulation::new(vec![Service::new("orders", 9000).on("stock"), dependency]);
    world.refused.insert("service_restart", refusal("held"));
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(world.now >= START_MS + 60_000);
    let told = details["timeline"].as_array().unwrap().iter().filter(|line| line["kind"] == "held").count();
    assert!(told > 1, "{}", details["timeline"]);
}

#[test]
fn a_fault_that_passes_while_it_is_looked_at_is_left_alone() {
    for fault in [Fault::Stopped, Fault::Deadlocked, Fault::Config { is_live: true }, Fault::Defect] {
        let mut service = Service::new("orders", 9000).ill(fault.clone());
        service.mends_at_ms = Some(START_MS + 2_000);
        let mut world = Simulation::new(vec![service]);
        let (outcome, details) = world.wake("orders");
        assert_eq!(outcome.status, Status::NothingToDo, "{fault:?}: {}", outcome.summary);
        assert!(world.effects.is_empty(), "{fault:?}: {:?}", world.effects);
        assert_eq!(details["root_cause"], "healthy");
    }
}

#[test]
fn a_harmless_change_is_not_blamed_for_another_fault() {
    for (fault, effects) in [
        (Fault::Stopped, vec!["restart orders"]),
        (Fault::Deadlocked, vec!["restart orders"]),
        (Fault::Full, vec!["rotate orders"]),
        (Fault::Stray, vec!["end", "restart orders"]),
    ] {
        let mut service = Service::new("orders", 9000).ill(fault.clone());
        service.file = BAD.into();
        service.file_changed_ms = START_MS - 8_000;
        let mut world = Simulation::new(vec![service]);
        let (outcome, _) = world.wake("orders");
        assert_eq!(outcome.status, Status::Done, "{fault:?}: {}", outcome.summary);
        assert_eq!(world.effects, effects, "{fault:?}");
    }
    let mut bank = Service::external("bank");
    bank.is_dead = true;
    let mut service = Service::new("orders", 9000).on("bank");
    service.file = BAD.into();
    service.file_changed_ms = START_MS - 8_000;
    let mut world = Simulation::new(vec![service, bank]);
    assert_eq!(world.wake("orders").0.status, Status::Escalated);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
}

#[test]
fn an_external_service_that_is_down_is_handed_over_as_what_it_is() {
    let mut bank = Service::external("bank");
    bank.is_dead = true;
    let mut world = Simulation::new(vec![bank]);
    let (outcome, details) = world.wake("bank");
    assert_eq!(outcome.status, Status::Escalated);
    assert_eq!(details["root_cause"], "dependency_down");
}

#[test]
fn a_dependency_that_comes_back_in_a_moment_is_a_false_alarm() {
    let mut bank = Service::external("bank");
    bank.is_dead = true;
    bank.mends_at_ms = Some(START_MS + 2_000);
    let mut world = Simulation::new(vec![Service::new("orders", 9000).on("bank"), bank]);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
}

#[test]
fn a_chain_of_dependencies_is_followed_to_its_end() {
    let mut bank = Service::external("bank");
    bank.is_dead = true;
    let services = vec![Service::new("orders", 9000).on("stock"), Service::new("stock", 9001).on("bank"), bank];
    let mut world = Simulation::new(services);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert!(outcome.summary.contains("(`bank`)"), "{}", outcome.summary);
}

#[test]
fn takes_back_its_own_patch_when_that_changed_nothing() {
    let mut service = Service::new("orders", 9000).ill(Fault::Config { is_live: true });
    service.faults = vec![Fault::Defect];
    let mut world = Simulation::new(vec![service]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert_eq!(world.effects.len(), 3, "patch, restart, inverse: {:?}", world.effects);
    assert_eq!(world.service("orders").file, BAD);
    assert_eq!(details["actions"][0]["undone"], true);
}

#[test]
fn two_faults_of_one_service_are_healed_one_after_the_other() {
    let config = || Fault::Config { is_live: true };
    for (first, second) in [
        (config(), Fault::Full),
        (Fault::Config { is_live: false }, Fault::Full),
        (config(), Fault::Stopped),
        (Fault::Config { is_live: false }, Fault::Deadlocked),
        (config(), Fault::Stray),
        (Fault::Full, Fault::Stopped),
        (Fault::Full, Fault::Stray),
        (Fault::OomByConfig { life_ms: 1_200 }, Fault::Full),
        (Fault::OomByConfig { life_ms: 1_200 }, Fault::Stray),
    ] {
        let mut world = Simulation::new(vec![Service::new("orders", 9000).ill(first.clone()).ill(second.clone())]);
        let (outcome, details) = world.wake("orders");
        assert_eq!(outcome.status, Status::Done, "{first:?} and {second:?}: {} {:?}", outcome.summary, world.effects);
        assert!(world.effects.len() <= 5, "{first:?} and {second:?}: {:?}", world.effects);
        assert!(
            !details["contributing"].as_array().unwrap().is_empty(),
            "{first:?} and {second:?}: {}",
            outcome.summary
        );
    }
}

#[test]
fn a_hung_service_behind_a_dead_dependency_is_freed_and_then_handed_over() {
    let mut bank = Service::external("bank");
    bank.is_dead = true;
    let mut world = Simulation::new(vec![Service::new("orders", 9000).on("bank").ill(Fault::Stopped), bank]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert_eq!(world.effects, ["restart orders"]);
    assert_eq!(details["root_cause"], "dependency_down");
    assert_eq!(details["contributing"][0], "process_hung");
}

#[test]
fn faults_of_a_service_and_of_its_dependency_are_both_healed() {
    let services = vec![
        Service::new("orders", 9000).on("stock").ill(Fault::Config { is_live: true }),
        Service::new("stock", 9001).ill(Fault::Full),
    ];
    let mut world = Simulation::new(services);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Done, "{} {:?}", outcome.summary, world.effects);
    assert_eq!(world.service("orders").file, GOOD);
}

#[test]
fn a_fault_that_comes_and_goes_is_no_false_alarm() {
    let mut world = alone(Fault::Unsteady);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
}

#[test]
fn a_refused_act_is_named_when_nothing_else_is_left() {
    let mut world = alone(Fault::Full);
    world.refused.insert("log_rotate", refusal("keep-logs"));
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert!(outcome.summary.contains("keep-logs"), "{}", outcome.summary);
    assert_eq!(details["actions"][0]["result"], "refused");
    assert_eq!(details["actions"][0]["detail"]["rule"], "keep-logs");
}

#[test]
fn a_refused_patch_leaves_the_file_alone_and_starts_nothing_again() {
    let mut world = alone(Fault::Config { is_live: false });
    world.refused.insert("edit", refusal("no-edits"));
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    assert_eq!(details["root_cause"], "bad_configuration");
}

#[test]
fn an_action_that_is_not_granted_is_named() {
    let mut world = alone(Fault::Stopped);
    world.refused.insert("service_restart", Trouble::NotGranted("add `restart` to [grants.service.services]".into()));
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated);
    assert!(outcome.summary.contains("add `restart`"), "{}", outcome.summary);
}

#[test]
fn a_source_that_is_missing_is_a_gap_and_no_health() {
    for tool in ["service_status", "service_probe", "service_logs", "service_changes", "port_owner", "service_list"] {
        let mut world = alone(Fault::Defect);
        world.refused.insert(tool, Trouble::NotGranted(format!("`{tool}`")));
        let (outcome, details) = world.wake("orders");
        assert_eq!(outcome.status, Status::Escalated, "{tool}: {}", outcome.summary);
        let gaps = details["gaps"].to_string();
        assert!(gaps.contains(tool), "{tool}: {gaps}");
    }
}

#[test]
fn without_probes_nothing_is_called_healthy() {
    let mut world = Simulation::new(vec![Service::new("orders", 9000)]);
    world.refused.insert("service_probe", Trouble::Failed("no answer".into()));
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
}

#[test]
fn an_act_of_unknown_outcome_that_took_effect_is_not_done_again() {
    for (fault, tool, effects) in [
        (Fault::Stopped, "service_restart", vec!["restart orders"]),
        (Fault::Full, "log_rotate", vec!["rotate orders"]),
        (Fault::Stray, "process_end", vec!["end", "restart orders"]),
        (Fault::Config { is_live: true }, "edit", vec!["edit /etc/orders.conf"]),
    ] {
        for takes_effect in [true, false] {
            let mut world = alone(fault.clone());
            world.unknown.insert(tool, takes_effect);
            let (outcome, _) = world.wake("orders");
            assert_eq!(outcome.status, Status::Done, "{tool} {takes_effect}: {}", outcome.summary);
            assert_eq!(world.effects, effects, "{tool} {takes_effect}");
        }
    }
}

#[test]
fn attempts_are_capped() {
    let mut world = alone(Fault::Config { is_live: false });
    let (outcome, _) = world.wake_with("orders", r#"{"attempts_max": 0}"#);
    assert_eq!(outcome.status, Status::Escalated);
    assert!(world.effects.is_empty());
}

#[test]
fn words_in_a_log_alone_move_nothing() {
    let mut service = Service::new("orders", 9000);
    for message in [
        "No space left on device",
        "Address already in use",
        "Out of memory: Killed process",
        "certificate has expired",
    ] {
        service.logs.push(pi_sdk::json!({ "time_ms": START_MS - 100, "source": "app.log", "message": message }));
    }
    let mut world = Simulation::new(vec![service]);
    let (outcome, _) = world.wake("orders");
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(world.effects.is_empty());
}

#[test]
fn the_same_world_gives_the_same_record() {
    let run = || alone(Fault::Config { is_live: false }).wake("orders").0.details;
    assert_eq!(run(), run());
}

#[test]
fn what_was_observed_has_the_form_of_a_recorded_incident() {
    let (_, details) = alone(Fault::Full).wake("orders");
    let observed = &details["observed"];
    assert_eq!(observed["version"], 1);
    assert_eq!(observed["alert"]["labels"]["service"], "orders");
    for list in ["metrics", "logs", "events", "resources", "queries"] {
        assert!(observed[list].is_array(), "{list}");
    }
    assert_eq!(observed["metrics"][0]["points"][0][0].as_str().unwrap().len(), "2026-01-01T00:00:00.000Z".len());
}

#[test]
fn an_alarm_of_what_is_no_service_here_is_handed_over_and_is_not_taken_for_well() {
    let mut world = Simulation::new(vec![Service::new("orders", 9000)]);
    let input = pi_sdk::json!({ "alert": { "title": "cpu", "target": "i-0abc", "state": "raised", "incident": 7 } });
    let task = pi_sdk::Task { id: "s1".into(), prompt: String::new(), input: input.to_string(), config: "{}".into() };
    let outcome = crate::wake::wake(&mut world, &task).unwrap();
    assert_eq!(outcome.status, Status::Escalated);
    assert!(outcome.summary.contains("`i-0abc` is no service of this host"), "{}", outcome.summary);
    assert!(world.effects.is_empty() && world.probes == 0);
    // One that is a service is looked at, by whatever name its alarm has come.
    let input = pi_sdk::json!({ "alert": { "title": "cpu", "target": "orders", "service": "orders" } });
    let task = pi_sdk::Task { input: input.to_string(), ..task };
    assert_eq!(crate::wake::wake(&mut world, &task).unwrap().status, Status::NothingToDo);
}
