//! The whole way: an alarm of the laboratory wakes the agent of a real host, which has to come to the end that the scenario
//! expects, by calls that the laboratory has counted, and with a proof. Where the policy asks, a person agrees.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Lab;
use crate::project::{Project, RunningHost};

/// Of one incident, with all that it waits for.
const INCIDENT_MAX: Duration = Duration::from_secs(240);

/// How an incident ended.
struct Ended {
    status: String,
    root_cause: String,
    /// All that the session said of it, for who reads a failed test.
    summary: String,
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    let said = project.run(arguments);
    serde_json::from_str(&said.out).unwrap_or(Value::Null)
}

/// Agree to whatever waits for a person.
fn agree(project: &Project) {
    for approval in json(project, &["approvals", "list", "--json"]).as_array().into_iter().flatten() {
        if let Some(id) = approval["id"].as_str() {
            project.run(&["approvals", "approve", id]);
        }
    }
}

/// The first session that has ended.
fn ended(project: &Project) -> Option<Ended> {
    let sessions = json(project, &["session", "list", "--json"]);
    let session = sessions
        .as_array()?
        .iter()
        .find(|session| session["agent"] == "sre" && session["status"] != "open" && session["status"] != "waiting")?;
    let id = session["id"].as_str()?;
    let view = json(project, &["session", "show", id, "--json"]);
    let bodies = || view["entries"].as_array().into_iter().flatten().map(|entry| &entry["body"]);
    let end = bodies().find(|body| body["entry"] == "session_ended")?;
    Some(Ended {
        status: end["status"].as_str()?.to_owned(),
        root_cause: end["details"]["root_cause"].as_str().unwrap_or_default().to_owned(),
        summary: format!("{} {}", end["summary"], end["details"]["actions"]),
    })
}

/// Run the scenario to its end.
fn incident(lab: &Lab) -> Ended {
    let project = Project::with(&lab.pi_toml("auto"));
    let _host = RunningHost::start_with(&project, &lab.environment());
    let deadline = Instant::now() + INCIDENT_MAX;
    loop {
        agree(&project);
        if let Some(ended) = ended(&project) {
            return ended;
        }
        let log = || std::fs::read_to_string(project.path().join("host.log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "no incident was closed in time:\n{}", log());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// It is healed, by calls of these operations alone, for the right cause.
fn heals(scenario: &str, by: &[&str]) {
    let lab = Lab::start(scenario);
    let ended = incident(&lab);
    let right = || {
        let also = lab.ready["also_right"].as_array().into_iter().flatten().filter_map(Value::as_str);
        also.chain([lab.root_cause.as_str()]).any(|cause| cause == ended.root_cause)
    };
    assert!(ended.status == "done" && right(), "{scenario}: {} {}: {}", ended.status, ended.root_cause, ended.summary);
    assert!(lab.is_healthy(), "{scenario}: the target itself says so");
    let changes = lab.changes();
    let calls: Vec<&str> = changes.iter().filter_map(|change| change["call"].as_str()).collect();
    assert!(!calls.is_empty() && calls.iter().all(|call| by.contains(call)), "{scenario}: {calls:?}");
}

#[test]
fn an_instance_that_hangs_is_rebooted() {
    heals("instance-hung", &["ec2:RebootInstances"]);
}

#[test]
fn a_database_without_connections_is_rebooted() {
    heals("rds-connections", &["rds:RebootDBInstance"]);
}
