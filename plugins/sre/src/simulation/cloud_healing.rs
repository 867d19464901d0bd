//! What the agent does to a target in the cloud with each fault, how far each autonomy lets it go, and what it makes of
//! refusals, lost calls, harm, and things that are not there.

use pi_sdk::{Status, Value, json};

use super::DONE;
use super::START_MS;
use super::cloud::{BAD, Cloud, Fault, GOOD};
use crate::world::Trouble;

fn refusal(rule: &str) -> Trouble {
    Trouble::Refused { action: "the act".into(), rule: rule.into(), reason: "not now".into(), advice: "ask".into() }
}

/// Heal it, and check what was done.
#[track_caller]
fn heals(mut cloud: Cloud, effects: &[&str]) -> (Cloud, Value) {
    let (outcome, details) = cloud.wake();
    assert_eq!(cloud.effects, effects, "{}\n{}", outcome.summary, details["timeline"]);
    assert_eq!(outcome.status, Status::Done, "{}\n{}", outcome.summary, details["timeline"]);
    assert_eq!(details["verification"]["passed"], true);
    (cloud, details)
}

#[track_caller]
fn hands_over(mut cloud: Cloud, effects: &[&str]) -> (Cloud, Value, String) {
    let (outcome, details) = cloud.wake();
    assert_eq!(cloud.effects, effects, "{}\n{}", outcome.summary, details["timeline"]);
    assert_eq!(outcome.status, Status::Escalated, "{}\n{}", outcome.summary, details["timeline"]);
    (cloud, details, outcome.summary)
}

#[test]
fn a_stuck_service_is_restarted_and_its_machine_is_left_running() {
    let (_, details) = heals(Cloud::instance(&[Fault::AppHung]), &["restart unit"]);
    let action = details["actions"].as_array().unwrap().iter().find(|it| it["act"] == "restart_unit").unwrap();
    assert_eq!(action["blast_radius"]["targets"], 1);
    assert_eq!(action["undo"], "none");
}

#[test]
fn a_stuck_machine_is_rebooted() {
    let (_, details) = heals(Cloud::instance(&[Fault::OsHung]), &["ec2:RebootInstances"]);
    assert_eq!(details["root_cause"], "node_not_ready");
}

#[test]
fn a_machine_on_ill_hardware_is_moved_to_another() {
    heals(Cloud::instance(&[Fault::Hardware]), &["ec2:StopInstances", "ec2:StartInstances"]);
}

#[test]
fn a_reboot_that_makes_it_worse_is_followed_by_a_move() {
    let mut cloud = Cloud::instance(&[Fault::OsHung, Fault::Brittle]);
    cloud.is_managed = false;
    heals(cloud, &["ec2:RebootInstances", "ec2:StopInstances", "ec2:StartInstances"]);
}

#[test]
fn a_stopped_machine_is_started_unless_a_person_has_stopped_it() {
    heals(Cloud::instance(&[Fault::Stopped]), &["ec2:StartInstances"]);
    let mut cloud = Cloud::instance(&[Fault::Stopped]);
    cloud.trail = vec![
        json!({ "EventName": "StopInstances", "EventTime": crate::instant::rfc3339(START_MS - 310_000), "Username": "alice", "CloudTrailEvent": "{}" }),
    ];
    let (_, details, summary) = hands_over(cloud, &[]);
    assert!(summary.contains("`alice` has stopped it") && summary.contains("aws ec2 start-instances"), "{summary}");
    assert_eq!(details["proposals"][0]["act"], "start");
}

#[test]
fn rotated_logs_are_cleared_and_data_is_not() {
    let (_, details) = heals(Cloud::instance(&[Fault::FullOfLogs]), &["clear logs"]);
    assert_eq!(details["root_cause"], "storage_full");
    let (_, details, _) = hands_over(Cloud::instance(&[Fault::FullOfData]), &["clear logs"]);
    assert_eq!(details["actions"].as_array().unwrap().iter().filter(|it| it["act"] == "clear_logs").count(), 1);
}

#[test]
fn a_bad_file_is_taken_back_with_a_diff_and_the_service_started_anew() {
    let (cloud, details) = heals(Cloud::instance(&[Fault::BadFile]), &["patch"]);
    assert_eq!(cloud.file, GOOD);
    assert_eq!(details["root_cause"], "bad_configuration");
    let action = details["actions"].as_array().unwrap().iter().find(|it| it["act"] == "patch_file").unwrap();
    assert!(action["diff"].as_str().unwrap().contains("-pool = eight\n+pool = 8\n"), "{action}");
    assert_eq!(action["undo"]["act"], "restore_file");
}

#[test]
fn a_patch_that_does_not_help_is_taken_back() {
    let mut cloud = Cloud::instance(&[Fault::BadFile, Fault::Defect]);
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert_eq!(&cloud.effects[..2], ["patch", "restore"], "{:?}", cloud.effects);
    assert_eq!(cloud.file, BAD);
    assert!(details["actions"].as_array().unwrap().iter().any(|it| it["act"] == "patch_file" && it["undone"] == true));
}

#[test]
fn a_group_with_too_much_to_do_grows_by_one() {
    let (cloud, details) = heals(Cloud::instance(&[Fault::Hot]), &["autoscaling:SetDesiredCapacity"]);
    assert_eq!(cloud.desired, 3);
    assert_eq!(details["root_cause"], "cpu_saturation");
    assert_eq!(details["verification"]["symptoms"][0]["metric"], "CPUUtilization");
}

#[test]
fn growth_that_harms_a_neighbour_is_taken_back() {
    let mut cloud = Cloud::instance(&[Fault::Hot]);
    cloud.harms = Some("autoscaling:SetDesiredCapacity");
    // It gets well, and the one beside it ill.
    cloud.mends_at_ms = Some(START_MS + 15_000);
    let (outcome, details) = cloud.wake();
    assert_eq!(
        &cloud.effects[..2],
        ["autoscaling:SetDesiredCapacity"; 2],
        "{} {}",
        outcome.summary,
        details["timeline"]
    );
    assert_eq!(cloud.desired, 2);
    let told = details["timeline"].to_string();
    assert!(told.contains("worse than before: i-0def") && told.contains("it did harm (i-0def)"), "{told}");
}

#[test]
fn a_database_without_room_is_given_some() {
    let (cloud, details) = heals(Cloud::new("database", &[Fault::StorageFull]), &["rds:ModifyDBInstance"]);
    assert_eq!(cloud.storage_gib, 25);
    assert_eq!(details["root_cause"], "storage_full");
    assert_eq!(
        details["actions"][0]["arguments"]["arguments"],
        json!({ "DBInstanceIdentifier": "orders-db", "AllocatedStorage": 25, "ApplyImmediately": true })
    );
}

#[test]
fn a_hung_database_is_rebooted_and_one_with_a_standby_failed_over() {
    let (_, details) = heals(Cloud::new("database", &[Fault::DatabaseHung]), &["rds:RebootDBInstance"]);
    assert_eq!(details["actions"][0]["arguments"]["arguments"]["ForceFailover"], false);
    let mut cloud = Cloud::new("database", &[Fault::DatabaseHung]);
    cloud.is_multi_az = true;
    let (_, details) = heals(cloud, &["rds:RebootDBInstance"]);
    assert_eq!(details["actions"][0]["arguments"]["arguments"]["ForceFailover"], true);
}

#[test]
fn a_cluster_whose_writer_is_stuck_fails_over_to_a_reader_that_is_well() {
    let (_, details) = heals(Cloud::new("cluster", &[Fault::WriterHung]), &["rds:FailoverDBCluster"]);
    assert_eq!(details["actions"][0]["arguments"]["arguments"]["TargetDBInstanceIdentifier"], "orders-2");
    assert_eq!(details["actions"][0]["undo"]["act"], "fail_over");
}

#[test]
fn a_change_of_class_that_made_it_too_small_is_rolled_back() {
    let mut cloud = Cloud::new("database", &[Fault::TooSmall]);
    let event = json!({ "requestParameters": { "dBInstanceClass": "db.t3.micro" }, "responseElements": { "dBInstanceClass": "db.t3.large" } });
    cloud.trail = vec![
        json!({ "EventName": "ModifyDBInstance", "EventTime": crate::instant::rfc3339(START_MS - 600_000), "Username": "bob", "CloudTrailEvent": event.to_string() }),
    ];
    let (cloud, details) = heals(cloud, &["rds:ModifyDBInstance"]);
    assert_eq!(cloud.class, "db.t3.large");
    assert!(details["next_steps"].to_string().contains("`bob` called `ModifyDBInstance`"), "{}", details["next_steps"]);
}

#[test]
fn a_defect_is_handed_over_after_what_there_is_was_tried_once() {
    let (_, details, summary) = hands_over(Cloud::instance(&[Fault::Defect]), &["restart unit", "ec2:RebootInstances"]);
    assert!(summary.contains("no act within reach"), "{summary}");
    assert_ne!(details["verification"]["passed"], true);
}

#[test]
fn a_target_that_is_well_is_proved_well_and_left_alone() {
    for kind in ["instance", "database", "cluster"] {
        let mut cloud = Cloud::new(kind, &[]);
        let (outcome, details) = cloud.wake();
        assert_eq!(outcome.status, Status::NothingToDo, "{kind}: {} {}", outcome.summary, details["timeline"]);
        assert!(cloud.effects.is_empty());
        assert_eq!(details["root_cause"], "healthy");
        assert_eq!(details["verification"]["required"], 10);
    }
}

#[test]
fn a_fault_that_passes_while_it_is_looked_at_is_left_alone() {
    let mut cloud = Cloud::instance(&[Fault::AppHung]);
    cloud.mends_at_ms = Some(START_MS + 4_000);
    let (outcome, _) = cloud.wake();
    assert_eq!(outcome.status, Status::NothingToDo, "{}", outcome.summary);
    assert!(cloud.effects.is_empty(), "{:?}", cloud.effects);
}

#[test]
fn to_observe_is_to_call_nothing_that_changes_and_to_propose_nothing() {
    let (_, details, summary) = hands_over(Cloud::instance(&[Fault::OsHung]).with("observe"), &[]);
    assert!(details["actions"].as_array().unwrap().is_empty() && details["proposals"].as_array().unwrap().is_empty());
    assert!(summary.contains("autonomy is `observe`") && !summary.contains("reboot-instances"), "{summary}");
    assert_eq!(details["root_cause"], "node_not_ready");
}

#[test]
fn to_propose_is_to_say_the_exact_call_and_how_it_is_taken_back() {
    for word in ["propose", "a word of a later host"] {
        let mut cloud = Cloud::instance(&[Fault::OsHung]);
        cloud.autonomy = if word == "propose" { "propose" } else { "observe" };
        let (outcome, _) = cloud.wake();
        assert_eq!(outcome.status, Status::Escalated);
        assert!(cloud.effects.is_empty() && !cloud.asked.contains(&"ssm:GetCommandInvocation".to_owned()));
    }
    let (_, details, summary) = hands_over(Cloud::instance(&[Fault::OsHung]).with("propose"), &[]);
    let first = &details["proposals"][0];
    assert_eq!(first["act"], "reboot");
    assert_eq!(first["calls"][0]["arguments"]["operation"], "ec2:RebootInstances");
    assert_eq!(
        first["calls"][0]["command"],
        r#"aws ec2 reboot-instances --region eu-west-1 --cli-input-json '{"InstanceIds":["i-0abc"]}'"#
    );
    assert_eq!((&first["inverse"], &first["precondition"]), (&json!("none"), &json!("holds")));
    assert!(summary.contains("approve it by `autonomy = \"approve\"` under `[services.orders]`"), "{summary}");
    assert!(summary.contains("aws ec2 reboot-instances") && summary.contains("cannot be taken back"), "{summary}");
    let (_, details, _) = hands_over(Cloud::new("cluster", &[Fault::WriterHung]).with("propose"), &[]);
    assert_eq!(details["proposals"][0]["inverse"]["calls"][0]["arguments"]["operation"], "rds:FailoverDBCluster");
}

#[test]
fn what_is_approved_is_done() {
    heals(Cloud::instance(&[Fault::OsHung]).with("approve"), &["ec2:RebootInstances"]);
    heals(Cloud::instance(&[Fault::FullOfLogs]).with("approve"), &["clear logs"]);
}

#[test]
fn a_refusal_is_read_named_proposed_and_another_way_is_tried() {
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    cloud.refused.insert("ec2:RebootInstances", refusal("no_reboots"));
    let (cloud, details) = {
        let (outcome, details) = cloud.wake();
        assert_eq!(outcome.status, Status::Done, "{}", outcome.summary);
        (cloud, details)
    };
    assert_eq!(cloud.effects, ["ec2:StopInstances", "ec2:StartInstances"]);
    assert!(details["refusals"].to_string().contains("no_reboots"));
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    for operation in ["ec2:RebootInstances", "ec2:StopInstances"] {
        cloud.refused.insert(operation, refusal("stopped_all"));
    }
    let (_, details, summary) = hands_over(cloud, &[]);
    assert!(summary.contains("stopped_all"), "{summary}");
    assert_eq!(details["proposals"][0]["act"], "reboot");
}

#[test]
fn a_source_that_is_missing_is_a_gap_and_no_health() {
    for operation in [
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:GetConsoleOutput",
        "cloudwatch:GetMetricData",
        "cloudwatch:DescribeAlarms",
        "cloudtrail:LookupEvents",
        "logs:FilterLogEvents",
        "ssm:DescribeInstanceInformation",
        "elasticloadbalancing:DescribeTargetHealth",
    ] {
        let mut cloud = Cloud::instance(&[Fault::Defect]);
        cloud
            .refused
            .insert(operation, Trouble::Failed(format!("AccessDenied: not authorized to perform: {operation}")));
        let (outcome, details) = cloud.wake();
        assert_eq!(outcome.status, Status::Escalated, "{operation}: {}", outcome.summary);
        assert!(details["gaps"].to_string().contains(operation), "{operation}: {}", details["gaps"]);
    }
}

#[test]
fn a_lost_call_is_looked_at_before_anything_is_repeated() {
    for (kind, fault, operation, effects) in [
        ("instance", Fault::OsHung, "ec2:RebootInstances", vec!["ec2:RebootInstances"]),
        ("instance", Fault::Hardware, "ec2:StopInstances", vec!["ec2:StopInstances", "ec2:StartInstances"]),
        ("instance", Fault::Hardware, "ec2:StartInstances", vec!["ec2:StopInstances", "ec2:StartInstances"]),
        ("instance", Fault::Stopped, "ec2:StartInstances", vec!["ec2:StartInstances"]),
        ("instance", Fault::Hot, "autoscaling:SetDesiredCapacity", vec!["autoscaling:SetDesiredCapacity"]),
        ("database", Fault::StorageFull, "rds:ModifyDBInstance", vec!["rds:ModifyDBInstance"]),
        ("database", Fault::DatabaseHung, "rds:RebootDBInstance", vec!["rds:RebootDBInstance"]),
        ("cluster", Fault::WriterHung, "rds:FailoverDBCluster", vec!["rds:FailoverDBCluster"]),
    ] {
        let mut cloud = Cloud::new(kind, &[fault]);
        cloud.unknown.insert(operation, true);
        let (outcome, details) = cloud.wake();
        assert_eq!(cloud.effects, effects, "{operation} took effect: {} {}", outcome.summary, details["timeline"]);
        assert_eq!(outcome.status, Status::Done, "{operation}: {}", outcome.summary);
    }
    // What did not take effect, and is seen not to have, is begun again.
    for (kind, fault, operation) in [
        ("instance", Fault::Stopped, "ec2:StartInstances"),
        ("instance", Fault::Hot, "autoscaling:SetDesiredCapacity"),
        ("database", Fault::StorageFull, "rds:ModifyDBInstance"),
    ] {
        let mut cloud = Cloud::new(kind, &[fault]);
        cloud.unknown.insert(operation, false);
        let (outcome, _) = cloud.wake();
        assert_eq!(
            (outcome.status, cloud.effects.as_slice()),
            (Status::Done, [operation.to_owned()].as_slice()),
            "{}",
            outcome.summary
        );
    }
    // Where that cannot be told it is not: the next answer is.
    let mut cloud = Cloud::new("database", &[Fault::DatabaseHung]);
    cloud.unknown.insert("rds:RebootDBInstance", false);
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::Escalated);
    assert!(cloud.effects.is_empty());
    assert!(details["actions"][0]["note"].as_str().unwrap().contains("it is not done again"));
}

#[test]
fn a_target_that_is_gone_is_said_to_be_gone() {
    for kind in ["instance", "database", "cluster"] {
        let mut cloud = Cloud::new(kind, &[Fault::Defect]);
        cloud.is_gone = true;
        cloud.trail = vec![
            json!({ "EventName": "TerminateInstances", "EventTime": crate::instant::rfc3339(START_MS - 1_000), "Username": "alice", "CloudTrailEvent": "{}" }),
        ];
        let id = cloud.id();
        let (_, details, summary) = hands_over(cloud, &[]);
        assert!(
            summary.contains(&format!("`{id}` in the account `prod`, eu-west-1, and there is no such thing any more")),
            "{summary}"
        );
        assert!(summary.contains("`alice` called `TerminateInstances`"), "{summary}");
        assert_eq!(details["root_cause"], "unknown");
        assert!(details["verification"].is_null());
    }
}

#[test]
fn an_alarm_that_names_the_thing_is_one_of_its_service_and_of_nothing_else() {
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    let (outcome, details) = cloud.wake_with(json!({}), json!({ "target": "i-0abc" }));
    assert_eq!((outcome.status, details["target"].as_str()), (Status::Done, Some("orders")), "{}", outcome.summary);
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    let (outcome, _) = cloud.wake_with(json!({}), json!({ "target": "i-0other" }));
    assert_eq!(outcome.status, Status::Escalated);
    assert!(outcome.summary.contains("`i-0other` is no service of this host"), "{}", outcome.summary);
    assert!(cloud.effects.is_empty() && cloud.asked.is_empty());
}

#[test]
fn what_needs_something_sick_is_left_alone() {
    let mut cloud = Cloud::instance(&[]);
    cloud.depends_on = vec!["stock".into()];
    cloud.is_dependency_well = false;
    let (_, details, summary) = hands_over(cloud, &[]);
    assert_eq!(details["root_cause"], "dependency_down");
    assert!(summary.contains("`stock`"), "{summary}");
}

#[test]
fn attempts_are_capped() {
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    let (outcome, _) = cloud.wake_with(json!({ "attempts_max": 0 }), json!({ "service": "orders" }));
    assert_eq!(outcome.status, Status::Escalated);
    assert!(cloud.effects.is_empty() && outcome.summary.contains("attempts"), "{}", outcome.summary);
}

#[test]
fn between_two_acts_it_waits() {
    let mut cloud = Cloud::instance(&[Fault::Defect]);
    let (_, details) = cloud.wake();
    let times: Vec<u64> = details["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| crate::instant::parse(it["time"].as_str().unwrap()).unwrap())
        .collect();
    assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + 30_000), "{times:?}");
}

#[test]
fn what_comes_and_goes_is_no_false_alarm() {
    let (_, _, summary) = hands_over(Cloud::instance(&[Fault::Unsteady]), &[]);
    assert!(!summary.is_empty());
}

#[test]
fn words_in_a_log_move_nothing_while_the_probe_is_well() {
    let mut cloud = Cloud::instance(&[]);
    cloud.trail = vec![
        json!({ "EventName": "Out of memory: Killed process", "EventTime": crate::instant::rfc3339(START_MS), "Username": "x", "CloudTrailEvent": "no json" }),
    ];
    let (outcome, _) = cloud.wake();
    assert!(cloud.effects.is_empty(), "{}", outcome.summary);
}

#[test]
fn a_model_may_propose_what_no_rule_has_and_only_about_this_target() {
    let opinion = |arguments: Value| {
        (
            "give_opinion",
            json!({ "ranking": ["process_hung"], "reason": "it hangs",
            "proposal": { "tool": "cloud_change", "why": "a failover frees it", "arguments": arguments } }),
        )
    };
    let call = |id: &str| json!({ "account": "prod", "region": "eu-west-1", "operation": "rds:RebootDBInstance", "arguments": { "DBInstanceIdentifier": id, "ForceFailover": true } });
    let mut cloud = Cloud::new("database", &[Fault::DatabaseHung]);
    cloud.refused.insert("rds:DescribeDBInstances", Trouble::Failed("AccessDenied".into()));
    cloud.model = Some(vec![opinion(call("orders-db"))]);
    let (outcome, details) = cloud.wake();
    assert_eq!(cloud.effects, ["rds:RebootDBInstance"], "{} {}", outcome.summary, details["timeline"]);
    assert_eq!(outcome.status, Status::Done, "{}", outcome.summary);
    let mut cloud = Cloud::new("database", &[Fault::DatabaseHung]);
    cloud.refused.insert("rds:DescribeDBInstances", Trouble::Failed("AccessDenied".into()));
    cloud.model = Some(vec![opinion(call("billing-db")), DONE]);
    let (outcome, _) = cloud.wake();
    assert_eq!(outcome.status, Status::Escalated, "{}", outcome.summary);
    assert!(cloud.effects.is_empty(), "{:?}", cloud.effects);
}

#[test]
fn the_same_world_gives_the_same_record() {
    let run = || Cloud::instance(&[Fault::OsHung, Fault::Brittle]).wake().0.details;
    assert_eq!(run(), run());
}

#[test]
fn what_was_observed_can_be_diagnosed_again() {
    let (_, details) = heals(Cloud::new("database", &[Fault::StorageFull]), &["rds:ModifyDBInstance"]);
    let incident = pi_diagnosis::Incident::from_json(&details["observed"].to_string()).unwrap();
    assert!(incident.metrics.iter().any(|metric| metric.name == "FreeStorageSpace" && metric.points.len() > 30));
    assert!(incident.resources.iter().any(|it| it.kind == "database" && it.name == "orders-db"));
    assert_eq!(details["observed"]["alert"]["labels"]["db_instance_identifier"], "orders-db");
}

#[test]
fn storage_that_runs_out_is_extended_before_anything_fails() {
    let (cloud, details) = heals(Cloud::new("database", &[Fault::StorageLow]), &["rds:ModifyDBInstance"]);
    assert_eq!(cloud.storage_gib, 25);
    assert_eq!(details["verification"]["symptoms"][0]["metric"], "FreeStorageSpace");
}

#[test]
fn where_the_probe_was_well_all_the_time_only_the_metric_proves_anything() {
    let mut cloud = Cloud::new("database", &[Fault::StorageLow]);
    cloud.is_unmeasured_after = true;
    let (_, details, _) = hands_over(cloud, &["rds:ModifyDBInstance"]);
    let reason = details["verification"]["reason"].as_str().unwrap();
    assert!(reason.contains("`FreeStorageSpace`"), "{reason}");
}

#[test]
fn a_look_inside_that_is_refused_is_a_gap_and_asked_for_once() {
    let mut cloud = Cloud::instance(&[Fault::AppHung]).with("approve");
    cloud.refused.insert("ssm:SendCommand", refusal("a person has said no"));
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::Done, "{} {}", outcome.summary, details["timeline"]);
    assert_eq!(cloud.effects, ["ec2:RebootInstances"]);
    assert!(
        details["gaps"].to_string().contains("the instance itself (`ssm:SendCommand`): refused"),
        "{}",
        details["gaps"]
    );
    // Once to look, once to restart the unit.
    assert_eq!(cloud.commands_asked, 2);
}

#[test]
fn a_target_in_other_hands_is_waited_for() {
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    cloud.mends_at_ms = Some(START_MS + 40_000);
    cloud.refused.insert("ec2:RebootInstances", refusal("held"));
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::NothingToDo, "{} {}", outcome.summary, details["timeline"]);
    assert!(cloud.effects.is_empty());
    assert!(details["timeline"].to_string().contains("\"held\""), "{}", details["timeline"]);
}

#[test]
fn a_process_that_lives_and_does_not_answer_is_called_hung() {
    let (_, details) = heals(Cloud::instance(&[Fault::AppHung]), &["restart unit"]);
    assert_eq!(details["root_cause"], "process_hung", "{}", details["hypotheses"]);
    let (_, details) = heals(Cloud::new("database", &[Fault::DatabaseHung]), &["rds:RebootDBInstance"]);
    assert_eq!(details["root_cause"], "process_hung", "{}", details["hypotheses"]);
}

#[test]
fn a_source_that_answers_with_nothing_is_no_gap() {
    let (_, details) = heals(Cloud::instance(&[Fault::OsHung]), &["ec2:RebootInstances"]);
    assert!(!details["gaps"].to_string().contains("no events"), "{}", details["gaps"]);
    let mut cloud = Cloud::instance(&[Fault::OsHung]);
    cloud.refused.insert("cloudtrail:LookupEvents", Trouble::Failed("denied: cloudtrail:LookupEvents".into()));
    let (_, details) = cloud.wake();
    assert!(details["gaps"].to_string().contains("no events"), "{}", details["gaps"]);
}

#[test]
fn what_it_needs_is_healed_where_that_is_in_the_cloud_as_well() {
    let mut cloud = Cloud::instance(&[]);
    cloud.depends_on = vec!["stock".into()];
    (cloud.is_dependency_well, cloud.has_cloud_dependency) = (false, true);
    let (_, details) = heals(cloud, &["rds:RebootDBInstance of stock-db"]);
    assert_eq!((details["root_cause"].as_str(), details["target"].as_str()), (Some("dependency_down"), Some("orders")));
    let probes = details["verification"]["probes"].as_array().unwrap();
    for name in ["orders", "stock"] {
        assert!(
            probes.iter().filter(|probe| probe["service"] == name && probe["healthy"] == true).count() >= 5,
            "{probes:?}"
        );
    }
}

#[test]
fn what_it_needs_is_healed_no_further_than_its_own_autonomy_goes() {
    let mut cloud = Cloud::instance(&[]);
    cloud.depends_on = vec!["stock".into()];
    (cloud.is_dependency_well, cloud.has_cloud_dependency) = (false, true);
    cloud.refused.insert("rds:RebootDBInstance", refusal("autonomy"));
    let (_, details, summary) = hands_over(cloud, &[]);
    assert_eq!(details["root_cause"], "dependency_down");
    assert!(summary.contains("rds reboot-db-instance") && summary.contains("`[services.stock]`"), "{summary}");
}

#[test]
fn what_recovers_by_other_hands_gets_time_for_its_metrics_and_is_judged_by_what_came_after() {
    let mut cloud = Cloud::instance(&[]);
    cloud.depends_on = vec!["stock".into()];
    cloud.is_dependency_well = false;
    cloud.dependency_mends_at_ms = Some(START_MS + 3_000);
    let line = "ERROR GET /health 503 could not connect to database stock: connection refused";
    cloud.written = (0..30).map(|index| (START_MS - 100_000 + index * 3_000, line)).collect();
    // The metric follows by two minutes.
    cloud.is_busy_until_ms = START_MS + 120_000;
    let (outcome, details) = cloud.wake();
    assert_eq!(outcome.status, Status::NothingToDo, "{} {}", outcome.summary, details["timeline"]);
    assert!(cloud.effects.is_empty(), "{:?}", cloud.effects);
    assert!(details["timeline"].to_string().contains("\"recovered\""), "{}", details["timeline"]);
    assert!(cloud.now >= START_MS + 120_000, "{}", cloud.now - START_MS);
}

#[test]
fn what_goes_on_being_written_after_a_recovery_is_handed_over_once_the_metrics_had_their_time() {
    let mut cloud = Cloud::instance(&[]);
    let line = "ERROR x509: certificate has expired: cannot reach upstream payment";
    cloud.written = (0..600).map(|index| (START_MS - 300_000 + index * 3_000, line)).collect();
    let (cloud, _, _) = hands_over(cloud, &[]);
    assert!(cloud.now >= START_MS + 600_000, "{}", cloud.now - START_MS);
}

#[test]
fn every_service_that_a_call_has_named_is_proved_well() {
    let mut cloud = Cloud::new("cluster", &[Fault::WriterHung]);
    cloud.has_reader_service = true;
    let (_, details) = heals(cloud, &["rds:FailoverDBCluster"]);
    let probes = details["verification"]["probes"].as_array().unwrap();
    for name in ["orders", "reader"] {
        let count = probes.iter().filter(|probe| probe["service"] == name && probe["healthy"] == true).count();
        assert!(count >= 5, "{name}: {probes:?}");
    }
}

#[test]
fn files_that_the_settings_name_are_looked_at_and_taken_back() {
    let mut cloud = Cloud::instance(&[Fault::BadFile]);
    cloud.names_files = false;
    let config = json!({ "cloud": {
        "units": { "orders": "orders.service" }, "config_files": { "orders": ["/etc/orders.conf"] } } });
    let (outcome, _) = cloud.wake_with(config, json!({ "service": "orders" }));
    assert_eq!((outcome.status, cloud.effects.as_slice()), (Status::Done, ["patch".to_owned()].as_slice()));
}

#[test]
fn a_refused_answer_to_a_plausible_cause_opens_no_way_to_a_reboot() {
    let mut cloud = Cloud::instance(&[Fault::BadFile]);
    cloud.refused.insert("ssm:SendCommand", refusal("service_change"));
    let (_, details, _) = hands_over(cloud, &[]);
    assert_eq!(details["root_cause"], "bad_configuration");
}

#[test]
fn a_restart_in_vain_after_a_refused_patch_leads_to_no_reboot() {
    let mut cloud = Cloud::instance(&[Fault::BadFile]);
    cloud.refuses_patches = true;
    let (_, details, _) = hands_over(cloud, &["restart unit"]);
    assert_eq!(details["root_cause"], "bad_configuration");
    assert_eq!(details["proposals"][0]["act"], "patch_file");
}
