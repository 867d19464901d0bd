//! How services in a cloud are: the supervisor's eyes there.
//!
//! What AWS says of an instance or a database, and of its alarms, is asked at the same time and read here. An answer that
//! fails is no health and no sickness ([`Seen::Unknown`]), unless what did answer shows sickness already. The look is the
//! host's own, as probes are: it is no act of an agent, and reads alone.

use async_trait::async_trait;
use pi_cloud::{Account, Call, Error};
use serde_json::{Value, json};

use super::accounts::Accounts;
use crate::config::{CloudKind, CloudTarget};
use crate::supervisor::{CloudSight, Seen};

/// States in which a database serves as usual, by the manual of RDS.
const SERVING: &[&str] = &[
    "available",
    "backing-up",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "storage-optimization",
];
/// Characters of AWS's reasons that are told.
const REASON_CHARS_MAX: usize = 200;

#[async_trait]
impl CloudSight for Accounts {
    async fn look(&self, target: &CloudTarget, alarms: &[String]) -> Seen {
        let Some(account) = self.get(&target.account) else {
            return Seen::Unknown(format!("there is no account `{}` in pi.toml", target.account));
        };
        let region = target.region.as_deref();
        let (kind, id) = target.resource();
        let state = async {
            let (operation, arguments) = match kind {
                CloudKind::Instance => {
                    ("ec2:DescribeInstanceStatus", json!({ "InstanceIds": [id], "IncludeAllInstances": true }))
                }
                CloudKind::Database => ("rds:DescribeDBInstances", json!({ "DBInstanceIdentifier": id })),
                CloudKind::Cluster => ("rds:DescribeDBClusters", json!({ "DBClusterIdentifier": id })),
            };
            of_state(kind, id, ask(account, operation, region, &arguments).await)
        };
        let alarmed = async {
            if alarms.is_empty() {
                return Seen::Healthy(String::new());
            }
            let arguments = json!({ "AlarmNames": alarms, "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
            of_alarms(alarms, ask(account, "cloudwatch:DescribeAlarms", region, &arguments).await)
        };
        let (state, alarmed) = tokio::join!(state, alarmed);
        both(state, alarmed)
    }
}

async fn ask(account: &Account, operation: &str, region: Option<&str>, arguments: &Value) -> Result<Value, Error> {
    account.call(&Call::read(operation, region, arguments)?).await
}

/// Sickness of either is sickness; health is that of both.
fn both(state: Seen, alarmed: Seen) -> Seen {
    let joined = |texts: [String; 2]| texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    match (state, alarmed) {
        (Seen::Sick(state), Seen::Sick(alarmed)) => Seen::Sick(joined([state, alarmed])),
        (Seen::Sick(text), _) | (_, Seen::Sick(text)) => Seen::Sick(text),
        (Seen::Unknown(state), Seen::Unknown(alarmed)) => Seen::Unknown(joined([state, alarmed])),
        (Seen::Unknown(text), _) | (_, Seen::Unknown(text)) => Seen::Unknown(text),
        (Seen::Healthy(state), Seen::Healthy(alarmed)) => Seen::Healthy(joined([state, alarmed])),
    }
}

fn of_state(kind: CloudKind, id: &str, answer: Result<Value, Error>) -> Seen {
    let gone = || Seen::Sick(format!("AWS has no {} `{id}` in this account and region", kind.name()));
    let answer = match answer {
        Ok(answer) => answer,
        Err(Error::NotFound { .. }) => return gone(),
        Err(error) => return Seen::Unknown(first_line(&error)),
    };
    match kind {
        CloudKind::Instance => answer["InstanceStatuses"].get(0).map_or_else(gone, of_instance),
        CloudKind::Database => {
            answer["DBInstances"].get(0).map_or_else(gone, |database| of_database(&database["DBInstanceStatus"]))
        }
        CloudKind::Cluster => answer["DBClusters"].get(0).map_or_else(gone, of_cluster),
    }
}

fn of_instance(status: &Value) -> Seen {
    let state = text(&status["InstanceState"]["Name"]);
    if state != "running" {
        return Seen::Sick(format!("the instance is `{state}`"));
    }
    let check = |name: &str| text(&status[name]["Status"]).to_owned();
    let checks = [("system", check("SystemStatus")), ("instance", check("InstanceStatus"))];
    let failing: Vec<String> = checks
        .iter()
        // After a start they are `initializing` for minutes: it runs, and it is not shown yet that it works.
        .filter(|(_, status)| matches!(status.as_str(), "impaired" | "initializing"))
        .map(|(name, status)| format!("its {name} status check is `{status}`"))
        .collect();
    if !failing.is_empty() {
        return Seen::Sick(format!("the instance runs, and {}", failing.join(" and ")));
    }
    if checks.iter().all(|(_, status)| status == "ok") {
        return Seen::Healthy("running, both status checks pass".into());
    }
    let said: Vec<String> = checks.iter().map(|(name, status)| format!("{name} `{status}`")).collect();
    Seen::Unknown(format!("the instance runs, and its status checks say nothing: {}", said.join(", ")))
}

fn of_database(status: &Value) -> Seen {
    let status = text(status);
    match status {
        "" => Seen::Unknown("AWS says no status of the database".into()),
        status if SERVING.contains(&status) => Seen::Healthy(status.to_owned()),
        status => Seen::Sick(format!("the database is `{status}`")),
    }
}

fn of_cluster(cluster: &Value) -> Seen {
    let members = cluster["DBClusterMembers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_writer = members.iter().any(|member| member["IsClusterWriter"] == true);
    match of_database(&cluster["Status"]) {
        Seen::Healthy(_) if !members.is_empty() && !has_writer => Seen::Sick("the cluster has no writer".into()),
        seen => seen,
    }
}

fn of_alarms(wanted: &[String], answer: Result<Value, Error>) -> Seen {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Seen::Unknown(first_line(&error)),
    };
    let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let found: Vec<Value> = list("MetricAlarms").into_iter().chain(list("CompositeAlarms")).collect();
    let in_state = |state: &str| -> Vec<&Value> {
        let wanted = |alarm: &&Value| wanted.iter().any(|name| alarm["AlarmName"] == name.as_str());
        found.iter().filter(wanted).filter(|alarm| alarm["StateValue"] == state).collect()
    };
    let firing: Vec<String> = in_state("ALARM")
        .into_iter()
        .map(|alarm| {
            let reason: String = text(&alarm["StateReason"]).chars().take(REASON_CHARS_MAX).collect();
            format!("alarm `{}`: {reason}", text(&alarm["AlarmName"]))
        })
        .collect();
    if !firing.is_empty() {
        return Seen::Sick(firing.join("; "));
    }
    // One that was renamed or removed would keep its target healthy for ever.
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|name| !found.iter().any(|alarm| alarm["AlarmName"] == name.as_str()))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Seen::Unknown(format!("there is no alarm `{}`: correct `alarms` of its probe", missing.join("`, `")));
    }
    match in_state("INSUFFICIENT_DATA").len() {
        0 => Seen::Healthy("no alarm fires".into()),
        count => Seen::Healthy(format!("no alarm fires, {count} of {} have not enough data", wanted.len())),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> Error {
        let (operation, message, hint) = ("ec2:DescribeInstanceStatus".into(), "Rate exceeded".into(), "wait".into());
        Error::Throttled { operation, attempts: 4, message, hint }
    }

    fn not_found() -> Error {
        let (operation, region) = ("rds:DescribeDBInstances".into(), "eu-west-1".into());
        Error::NotFound { operation, region, message: "DBInstance orders not found".into(), hint: "look".into() }
    }

    fn instance(state: &str, system: &str, instance: &str) -> Seen {
        let answer = json!({ "InstanceStatuses": [{ "InstanceId": "i-0abc", "InstanceState": { "Code": 16, "Name": state },
            "SystemStatus": { "Status": system }, "InstanceStatus": { "Status": instance } }] });
        of_state(CloudKind::Instance, "i-0abc", Ok(answer))
    }

    fn alarms(states: &[(&str, &str)]) -> Value {
        let alarm =
            |(name, state): &(&str, &str)| json!({ "AlarmName": name, "StateValue": state, "StateReason": "crossed" });
        json!({ "MetricAlarms": states.iter().map(alarm).collect::<Vec<_>>(), "CompositeAlarms": [] })
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_instance_is_healthy_where_it_runs_and_both_checks_pass() {
        assert_eq!(instance("running", "ok", "ok"), Seen::Healthy("running, both status checks pass".into()));
        assert_eq!(
            instance("stopped", "not-applicable", "not-applicable"),
            Seen::Sick("the instance is `stopped`".into())
        );
        assert_eq!(
            instance("running", "ok", "impaired"),
            Seen::Sick("the instance runs, and its instance status check is `impaired`".into())
        );
        assert!(matches!(instance("running", "initializing", "initializing"), Seen::Sick(_)));
        assert!(matches!(instance("running", "insufficient-data", "ok"), Seen::Unknown(_)));
    }

    #[test]
    fn what_is_gone_is_sick_and_what_cannot_be_asked_is_neither() {
        let empty = of_state(CloudKind::Instance, "i-0abc", Ok(json!({ "InstanceStatuses": [] })));
        assert_eq!(empty, Seen::Sick("AWS has no instance `i-0abc` in this account and region".into()));
        assert!(matches!(of_state(CloudKind::Database, "orders", Err(not_found())), Seen::Sick(_)));
        let seen = of_state(CloudKind::Instance, "i-0abc", Err(throttled()));
        assert!(
            matches!(&seen, Seen::Unknown(text) if text.contains("throttled") && !text.contains("hint")),
            "{seen:?}"
        );
        assert!(matches!(
            of_state(CloudKind::Database, "orders", Ok(json!({ "DBInstances": [{}] }))),
            Seen::Unknown(_)
        ));
    }

    #[test]
    fn a_database_is_healthy_where_it_serves_and_a_cluster_where_it_has_a_writer() {
        let database = |status: &str| {
            of_state(CloudKind::Database, "orders", Ok(json!({ "DBInstances": [{ "DBInstanceStatus": status }] })))
        };
        assert_eq!(database("available"), Seen::Healthy("available".into()));
        assert_eq!(database("backing-up"), Seen::Healthy("backing-up".into()));
        assert_eq!(database("storage-full"), Seen::Sick("the database is `storage-full`".into()));
        let cluster = |is_writer: bool| {
            let members = json!([{ "DBInstanceIdentifier": "a", "IsClusterWriter": is_writer }]);
            let answer = json!({ "DBClusters": [{ "Status": "available", "DBClusterMembers": members }] });
            of_state(CloudKind::Cluster, "orders", Ok(answer))
        };
        assert_eq!(cluster(true), Seen::Healthy("available".into()));
        assert_eq!(cluster(false), Seen::Sick("the cluster has no writer".into()));
    }

    #[test]
    fn an_alarm_that_fires_is_sickness_and_one_that_is_not_there_is_a_gap() {
        let wanted = names(&["cpu", "errors"]);
        let of = |states: &[(&str, &str)]| of_alarms(&wanted, Ok(alarms(states)));
        assert_eq!(of(&[("cpu", "OK"), ("errors", "OK")]), Seen::Healthy("no alarm fires".into()));
        assert_eq!(of(&[("cpu", "OK"), ("errors", "ALARM")]), Seen::Sick("alarm `errors`: crossed".into()));
        // Of others nothing is said.
        assert!(matches!(of(&[("cpu", "OK"), ("errors", "OK"), ("other", "ALARM")]), Seen::Healthy(_)));
        assert!(
            matches!(of(&[("cpu", "OK"), ("errors", "INSUFFICIENT_DATA")]), Seen::Healthy(text) if text.contains("1 of 2"))
        );
        assert!(matches!(of(&[("cpu", "OK")]), Seen::Unknown(text) if text.contains("`errors`")));
        assert!(matches!(of(&[("cpu", "ALARM")]), Seen::Sick(_)));
        assert!(matches!(of_alarms(&wanted, Err(throttled())), Seen::Unknown(_)));
    }

    #[test]
    fn sickness_of_either_counts_and_health_only_of_both() {
        let [well, sick, unknown] = [Seen::Healthy("a".into()), Seen::Sick("b".into()), Seen::Unknown("c".into())];
        assert_eq!(both(well.clone(), well.clone()), Seen::Healthy("a; a".into()));
        assert_eq!(both(unknown.clone(), sick.clone()), sick);
        assert_eq!(both(sick.clone(), unknown.clone()), sick);
        assert_eq!(both(well, unknown.clone()), unknown);
    }
}
