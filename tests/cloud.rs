//! What the host does on AWS, in the laboratory of `tests/cloud`, in which faults really happen and really are cured. Here:
//! that the laboratory itself does what tests of the host rely on. What each of its scenarios does is shown by
//! `python3 tests/cloud/lab.py --self-test`.

mod laboratory;
mod scenarios;

use std::time::{Duration, Instant};

pub(crate) use laboratory::Lab;

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_instance_that_hangs_is_sick_until_it_is_rebooted() {
    let lab = Lab::start("instance-hung");
    assert_eq!((lab.expected.as_str(), lab.root_cause.as_str()), ("healed", "process_hung"));
    assert!(!lab.is_healthy());
    assert_eq!(lab.alarm_state(), "ALARM");
    let id = lab.id("web");
    let status = lab.ask("ec2", &format!("Action=DescribeInstanceStatus&Version=2016-11-15&InstanceId.1={id}"));
    assert!(status.contains("<status>impaired</status>"), "{status}");
    assert!(lab.changes().is_empty(), "who looks changes nothing");
    let answer = lab.ask("ec2", &format!("Action=RebootInstances&Version=2016-11-15&InstanceId.1={id}"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("it is well", || lab.is_healthy());
    until("so is the alarm", || lab.alarm_state() == "OK");
    let changes = lab.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["call"], &changes[0]["targets"][0]), (&"ec2:RebootInstances".into(), &"web".into()));
}

#[test]
fn a_cluster_whose_writer_is_sick_is_cured_by_a_failover_and_by_nothing_else() {
    let lab = Lab::start("rds-primary-sick");
    let answer = lab.ask("rds", "Action=RebootDBInstance&Version=2014-10-31&DBInstanceIdentifier=orders-2");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("it is back", || lab.state()["targets"]["orders-2"]["state"] == "available");
    assert!(!lab.is_healthy());
    let answer = lab.ask("rds", "Action=FailoverDBCluster&Version=2014-10-31&DBClusterIdentifier=orders");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("it is well", || lab.is_healthy());
    assert_eq!(lab.changes().len(), 2);
}

#[test]
fn the_project_for_a_scenario_has_its_services_and_who_depends_on_whom() {
    let lab = Lab::start("dependency-down");
    let project: toml::Table = lab.pi_toml("auto").parse().expect("TOML");
    assert_eq!(project["cloud"]["lab"]["endpoint_url"].as_str(), Some(lab.endpoint.as_str()));
    let web = &project["services"][&lab.target];
    assert_eq!(web["probe"]["http"].as_str(), Some(lab.health.as_str()));
    assert_eq!(web["cloud"]["instance"].as_str(), Some(lab.id("web")));
    assert_eq!(web["depends_on"].as_array().map(Vec::len), Some(1));
    assert_eq!(project["services"]["orders"]["cloud"]["database"].as_str(), Some("orders"));
    assert!(lab.environment().iter().any(|(name, _)| *name == "AWS_ACCESS_KEY_ID"));
}

#[test]
fn a_scenario_that_is_not_there_is_named_with_those_that_are() {
    let said = std::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud/lab.py"))
        .args(["--scenario", "no-such", "--state", "/nonexistent"])
        .output()
        .expect("python3");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(
        !said.status.success() && text.contains("no scenario `no-such`") && text.contains("instance-hung"),
        "{text}"
    );
}
