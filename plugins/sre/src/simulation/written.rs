//! What the agent does with runbooks: they go before its own choice, and no further than people have written.

use pi_sdk::{Status, Value, json};

use super::cloud::{Cloud, Fault as CloudFault};
use super::{Fault, GOOD, Service, Simulation};
use crate::world::Trouble;

/// A runbook of these keys and steps.
fn book(front: &str, steps: &str) -> String {
    let steps = steps.trim();
    format!(
        "---\ntitle: What to do\n{}\nparameters:\n  service: {{ type: name, from: service }}\n---\n\n```yaml step\n{steps}\n```\n",
        front.trim()
    )
}

const HUNG: &str = "applies_to: { causes: [process_hung] }";

/// Before the restart that the agent would choose by itself, the log is rotated: so it is seen who has chosen.
const ROTATE_AND_RESTART: &str = r#"
id: rotate
tool: log_rotate
arguments: { name: "{{ service }}", path: /var/log/app.log }
irreversible: true
```

```yaml step
id: restart
tool: service_restart
arguments: { name: "{{ service }}" }
irreversible: true
verify: { tool: service_probe, arguments: { name: "{{ service }}" }, expect: result/healthy, every: 500ms }
"#;

/// A change that helps nothing here, with its way back.
const SLOWER: &str = r#"
id: slower
tool: edit
arguments: { path: /etc/orders.conf, old: "mode = fast", new: "mode = slow" }
undo: { tool: edit, arguments: { path: /etc/orders.conf, old: "mode = slow", new: "mode = fast" } }
"#;

fn world(fault: Fault, runbooks: &[(&'static str, String)]) -> Simulation {
    let mut world = Simulation::new(vec![Service::new("orders", 9000).ill(fault)]);
    world.runbooks = runbooks.to_vec();
    world
}

fn refusal(rule: &str) -> Trouble {
    Trouble::Refused { action: "the act".into(), rule: rule.into(), reason: "not now".into(), advice: "ask".into() }
}

fn gaps(details: &Value) -> String {
    details["gaps"].to_string()
}

#[test]
fn a_runbook_goes_before_the_built_in_choice_and_is_named() {
    let mut world = world(Fault::Deadlocked, &[("revive", book(HUNG, ROTATE_AND_RESTART))]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Done, "{}\n{}", outcome.summary, details["timeline"]);
    assert_eq!(world.effects, ["rotate orders", "restart orders"]);
    assert_eq!(details["verification"]["passed"], true);
    assert_eq!(
        (&details["runbooks"][0]["name"], &details["runbooks"][0]["outcome"]),
        (&json!("revive"), &json!("done"))
    );
    assert_eq!(details["runbooks"][0]["parameters"], json!({ "service": "orders" }));
    assert_eq!(details["actions"][1]["note"], "step `restart` of the runbook `revive`");
    assert_eq!(details["root_cause"], "process_hung");
    assert!(outcome.summary.contains("what the runbook `revive` says (`rotate`, `restart`)"), "{}", outcome.summary);
}

#[test]
fn what_is_for_another_cause_service_or_kind_is_left_on_its_shelf() {
    for front in [
        "applies_to: { causes: [storage_full] }",
        "applies_to: { causes: [process_hung], services: [billing, pay-*] }",
        "applies_to: { causes: [process_hung], kinds: [instance] }",
        "applies_to: { services: [orders] }",
    ] {
        let mut world = world(Fault::Deadlocked, &[("revive", book(front, ROTATE_AND_RESTART))]);
        let (outcome, details) = world.wake("orders");
        assert_eq!(
            (outcome.status, world.effects.as_slice()),
            (Status::Done, &["restart orders".to_owned()][..]),
            "{front}"
        );
        assert_eq!(details["runbooks"], Value::Null);
    }
}

#[test]
fn what_the_gate_refuses_it_leaves_and_the_built_in_choice_follows() {
    let mut world = world(Fault::Deadlocked, &[("revive", book(HUNG, ROTATE_AND_RESTART))]);
    world.refused.insert("log_rotate", refusal("frozen"));
    let (outcome, details) = world.wake("orders");
    assert_eq!((outcome.status, world.effects.as_slice()), (Status::Done, &["restart orders".to_owned()][..]));
    assert_eq!(details["runbooks"][0]["outcome"], "stopped");
    assert_eq!(details["runbooks"][0]["steps"][0]["state"], "refused");
    assert!(details["refusals"][0].as_str().unwrap().contains("frozen"), "{}", details["refusals"]);
}

#[test]
fn what_did_not_help_is_taken_back_before_anything_else_is_done() {
    let front = "applies_to: { causes: [oom_killed] }";
    let mut world = world(Fault::OomForEver { life_ms: 1_500 }, &[("slower", book(front, SLOWER))]);
    let (outcome, details) = world.wake("orders");
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert_eq!(world.effects.iter().filter(|effect| effect.starts_with("edit")).count(), 2, "{:?}", world.effects);
    assert_eq!(world.service("orders").file, GOOD);
    assert_eq!(details["runbooks"][0]["steps"][0]["is_undone"], true);
    let actions = details["actions"].as_array().unwrap();
    assert!(actions[0]["undone"] == true && actions.iter().any(|it| it["inverse"] == true), "{actions:?}");
}

#[test]
fn a_runbook_that_leaves_changes_to_people_is_handed_over_with_its_command() {
    for (autonomy, words) in [
        ("approve", "run it with `pi-host runbook run revive -p service=orders`: you are asked before each change"),
        ("propose", "`log_rotate` with {\"name\":\"orders\",\"path\":\"/var/log/app.log\"}; then `service_restart`"),
    ] {
        let front = format!("{HUNG}\nautonomy: {autonomy}");
        let mut world = world(Fault::Deadlocked, &[("revive", book(&front, ROTATE_AND_RESTART))]);
        let (outcome, details) = world.wake("orders");
        assert_eq!((outcome.status, world.effects.len()), (Status::Escalated, 0), "{}", outcome.summary);
        let next = details["next_steps"][0].as_str().unwrap();
        assert!(next.contains(words), "{next}");
        assert!(outcome.summary.contains("the runbook `revive` answers what was found"), "{}", outcome.summary);
    }
}

#[test]
fn a_step_of_unknown_outcome_is_looked_at_and_never_done_twice() {
    for takes_effect in [true, false] {
        let mut world = world(Fault::Deadlocked, &[("revive", book(HUNG, ROTATE_AND_RESTART))]);
        world.unknown.insert("service_restart", takes_effect);
        let (outcome, details) = world.wake("orders");
        assert_eq!(outcome.status, Status::Done, "{}\n{}", outcome.summary, details["timeline"]);
        // Where it had not taken effect, the runbook stops there, and the agent goes on in its own way.
        assert_eq!(world.effects, ["rotate orders", "restart orders"], "{takes_effect}");
        let outcome = if takes_effect { "done" } else { "stopped" };
        assert_eq!(details["runbooks"][0]["outcome"], outcome);
    }
}

#[test]
fn what_cannot_be_followed_is_a_gap_and_no_reason_to_do_nothing() {
    let foreign = ROTATE_AND_RESTART.replace("tool: log_rotate", "tool: bash");
    let open = book(HUNG, ROTATE_AND_RESTART).replace("parameters:\n", "parameters:\n  ticket: { type: name }\n");
    let books =
        [("foreign", book(HUNG, &foreign)), ("open", open), ("typo", book("aplies_to: {}", ROTATE_AND_RESTART))];
    let mut world = world(Fault::Deadlocked, &books);
    let (outcome, details) = world.wake("orders");
    assert_eq!((outcome.status, world.effects.as_slice()), (Status::Done, &["restart orders".to_owned()][..]));
    let gaps = gaps(&details);
    for words in [
        "the runbook `foreign` cannot be followed",
        "there is no tool `bash`",
        "the runbook `open` cannot be followed for `orders`: the parameter `ticket` has no value",
        "`aplies_to`",
    ] {
        assert!(gaps.contains(words), "{words}: {gaps}");
    }
}

#[test]
fn one_that_finds_nothing_to_do_is_no_repair() {
    let never = ROTATE_AND_RESTART.replace("irreversible: true", "irreversible: true\nwhen: 1 > 2");
    let mut world = world(Fault::Deadlocked, &[("never", book(HUNG, &never))]);
    let (outcome, details) = world.wake("orders");
    assert_eq!((outcome.status, world.effects.as_slice()), (Status::Done, &["restart orders".to_owned()][..]));
    assert_eq!(details["runbooks"][0]["outcome"], "nothing_to_do");
    assert!(!outcome.summary.contains("never"), "{}", outcome.summary);
}

/// On an instance: its unit by a command, and whether that came through.
const UNIT: &str = r#"
id: unit
tool: cloud_change
arguments:
  account: "{{ account }}"
  region: "{{ region }}"
  operation: ssm:SendCommand
  arguments:
    DocumentName: AWS-RunShellScript
    InstanceIds: ["{{ instance }}"]
    Parameters: { commands: ["systemctl restart -- 'orders.service'"] }
irreversible: true
verify:
  tool: cloud_read
  arguments:
    account: "{{ account }}"
    region: "{{ region }}"
    operation: ssm:GetCommandInvocation
    arguments: { CommandId: "{{ result.unit/Command/CommandId }}", InstanceId: "{{ instance }}" }
  expect: result/Status == "Success"
  in_a_row: 1
"#;

/// One instance more, which helps no process that hangs.
const SCALE: &str = r#"
id: scale
tool: cloud_change
arguments: { account: "{{ account }}", region: "{{ region }}", operation: "autoscaling:SetDesiredCapacity", arguments: { AutoScalingGroupName: orders-group, DesiredCapacity: 3 } }
undo: { tool: cloud_change, arguments: { account: "{{ account }}", region: "{{ region }}", operation: "autoscaling:SetDesiredCapacity", arguments: { AutoScalingGroupName: orders-group, DesiredCapacity: 2 } } }
"#;

fn cloud(fault: CloudFault, name: &'static str, steps: &str, front: &str) -> Cloud {
    let parameters = "parameters:\n  account: { type: name, from: account }\n  region: { type: name, from: region }\n  instance: { type: name, from: id }\n";
    let causes = format!("applies_to: {{ causes: [process_hung, node_not_ready], kinds: [instance] }}\n{front}");
    let mut cloud = Cloud::instance(&[fault]);
    cloud.runbooks = vec![(name, book(&causes, steps).replace("parameters:\n", parameters))];
    cloud
}

#[test]
fn a_runbook_for_an_instance_is_followed_and_proved() {
    let mut cloud = cloud(CloudFault::AppHung, "unit", UNIT, "");
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::Done, "{}\n{}", outcome.summary, details["timeline"]);
    assert_eq!(cloud.effects, ["restart unit"]);
    assert_eq!(details["runbooks"][0]["outcome"], "done", "{}", details["timeline"]);
    let acts: Vec<&Value> = details["actions"].as_array().unwrap().iter().filter(|it| it["act"] == "runbook").collect();
    assert_eq!(acts[0]["note"], "step `unit` of the runbook `unit`");
    assert_eq!(details["verification"]["passed"], true);
    assert!(outcome.summary.contains("follow the runbook `unit` (What to do)"), "{}", outcome.summary);
}

#[test]
fn one_for_an_instance_that_did_not_help_is_taken_back() {
    let mut cloud = cloud(CloudFault::AppHung, "scale", SCALE, "");
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::Done, "{}\n{}", outcome.summary, details["timeline"]);
    let scale = "autoscaling:SetDesiredCapacity";
    assert_eq!(cloud.effects, [scale, scale, "restart unit"]);
    assert_eq!(cloud.desired, 2);
    assert_eq!(details["runbooks"][0]["steps"][0]["is_undone"], true);
}

#[test]
fn where_the_target_is_proposed_to_the_runbook_is_the_proposal() {
    for (autonomy, front) in [("propose", ""), ("auto", "autonomy: approve")] {
        let mut cloud = cloud(CloudFault::OsHung, "unit", UNIT, front).with(autonomy);
        let (outcome, details) = cloud.wake();
        assert_eq!((outcome.status, cloud.effects.len()), (Status::Escalated, 0), "{}", outcome.summary);
        assert_eq!(details["proposals"][0]["act"], "runbook", "{}", details["proposals"]);
        let next = details["next_steps"][0].as_str().unwrap();
        assert!(
            next.contains("pi-host runbook run unit -p account=prod -p instance=i-0abc -p region=eu-west-1"),
            "{next}"
        );
    }
}

#[test]
fn an_input_that_is_no_list_of_runbooks_is_told() {
    let mut world = world(Fault::Deadlocked, &[]);
    let input = json!({ "alert": { "service": "orders" }, "runbooks": 5 }).to_string();
    let task = pi_sdk::Task { id: "s1".into(), prompt: String::new(), input, config: "{}".into() };
    let error = crate::wake::wake(&mut world, &task).unwrap_err();
    assert!(error.contains("the runbooks of the input"), "{error}");
}
