//! Events of EventBridge that say that something is sick or well again. Pure: JSON in, alarms out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Naming, Refused, cloudwatch, time_ms};
use crate::watch::alarms::{Alarm, Severity, State};

const ID_BYTES_MAX: usize = 128;

/// The alarm of an event. None: it is noted, and is neither an alarm nor health.
pub(super) fn read(event: &Value, naming: &Naming) -> Result<Option<Alarm>, Refused> {
    let (kind, source) = (event["detail-type"].as_str(), event["source"].as_str());
    match (kind, source) {
        (Some("CloudWatch Alarm State Change"), Some("aws.cloudwatch")) => cloudwatch::of_event(event, naming),
        (Some("EC2 Instance State-change Notification"), Some("aws.ec2")) => instance(event, naming),
        (Some("RDS DB Instance Event"), Some("aws.rds")) => database(event, naming),
        (Some(_), Some(_)) => Err(Refused::new(
            400,
            "form",
            "this kind of event is not known: send `CloudWatch Alarm State Change`, `EC2 Instance State-change Notification` and `RDS DB Instance Event`",
        )),
        _ => Err(Refused::new(400, "form", "this is no event of EventBridge: it has no `detail-type` and `source`")),
    }
}

/// What names the event: it is delivered at least once.
pub(super) fn id(event: &Value) -> Option<&str> {
    let is_name = |id: &&str| !id.is_empty() && id.len() <= ID_BYTES_MAX && id.bytes().all(|b| b.is_ascii_graphic());
    event["id"].as_str().filter(is_name)
}

fn instance(event: &Value, naming: &Naming) -> Result<Option<Alarm>, Refused> {
    let detail = &event["detail"];
    let (Some(id), Some(word)) = (detail["instance-id"].as_str(), detail["state"].as_str()) else {
        return Err(Refused::new(400, "form", "the event names no instance or no state"));
    };
    let (state, severity) = match word {
        "running" => (State::Resolved, Severity::Error),
        // Somebody may have meant it: what it was for is for the agent to find out.
        "stopping" | "stopped" => (State::Firing, Severity::Error),
        "shutting-down" | "terminated" => (State::Firing, Severity::Critical),
        _ => return Ok(None),
    };
    let about = format!("the instance is {word}");
    alarm(event, naming, format!("ec2/{id}"), "ec2", id, about, state, severity)
}

/// Of the life of a database and of its disk there is one alarm each: `availability` begins and ends the one.
fn database(event: &Value, naming: &Naming) -> Result<Option<Alarm>, Refused> {
    let detail = &event["detail"];
    let Some(id) = detail["SourceIdentifier"].as_str() else {
        return Err(Refused::new(400, "form", "the event names no database"));
    };
    let is_of = |category: &str| {
        detail["EventCategories"].as_array().into_iter().flatten().any(|found| found.as_str() == Some(category))
    };
    let event_id = detail["EventID"].as_str().unwrap_or_default();
    let message = detail["Message"].as_str().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| message.to_ascii_lowercase().contains(word));
    let is_over = matches!(event_id, "RDS-EVENT-0006" | "RDS-EVENT-0021" | "RDS-EVENT-0049" | "RDS-EVENT-0015")
        || says(&["instance restarted", "failover completed", "recovery of the db instance is complete"]);
    let (part, state, severity) = if is_of("low storage") {
        ("storage", State::Firing, Severity::Critical)
    } else if is_of("failure") {
        ("life", State::Firing, Severity::Critical)
    } else if is_of("availability") || is_of("failover") || is_of("recovery") {
        ("life", if is_over { State::Resolved } else { State::Firing }, Severity::Error)
    } else {
        return Ok(None);
    };
    alarm(event, naming, format!("rds/{id}/{part}"), "rds", id, message.to_owned(), state, severity)
}

#[allow(clippy::too_many_arguments, reason = "each is one field of the alarm")]
fn alarm(
    event: &Value,
    naming: &Naming,
    fingerprint: String,
    source: &str,
    target: &str,
    about: String,
    state: State,
    severity: Severity,
) -> Result<Option<Alarm>, Refused> {
    if target.is_empty() {
        return Err(Refused::new(400, "form", "the event names nothing that could be sick"));
    }
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let labels = ["account", "region"].map(|key| (key.to_owned(), text(key).to_owned()));
    let target = naming.called(target);
    Ok(Some(Alarm {
        fingerprint: format!("{}/{}/{fingerprint}", text("account"), text("region")),
        source: source.to_owned(),
        title: format!("{target}: {about}"),
        target,
        detail: about,
        state,
        severity,
        labels: BTreeMap::from(labels),
        started_ms: time_ms(text("time")),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ec2(state: &str) -> Value {
        json!({ "id": "1", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "account": "1",
            "time": "2026-11-23T12:00:00Z", "region": "eu-west-1", "detail": { "instance-id": "i-0abc", "state": state } })
    }

    fn rds(categories: &[&str], id: &str, message: &str) -> Value {
        json!({ "id": "1", "detail-type": "RDS DB Instance Event", "source": "aws.rds", "account": "1",
            "time": "2026-11-23T12:00:00Z", "region": "eu-west-1", "detail": { "EventCategories": categories,
            "SourceType": "DB_INSTANCE", "SourceIdentifier": "orders", "EventID": id, "Message": message } })
    }

    fn states(events: &[Value]) -> Vec<Option<State>> {
        let read = |event: &Value| read(event, &Naming::default()).unwrap().map(|alarm| alarm.state);
        events.iter().map(read).collect()
    }

    #[test]
    fn an_instance_that_stops_fires_until_it_runs() {
        use State::{Firing, Resolved};
        let events = ["stopping", "stopped", "pending", "running", "terminated"].map(ec2);
        assert_eq!(states(&events), [Some(Firing), Some(Firing), None, Some(Resolved), Some(Firing)]);
        let [stopped, running] = [&events[1], &events[3]].map(|it| read(it, &Naming::default()).unwrap().unwrap());
        assert_eq!(stopped.fingerprint, running.fingerprint);
        assert_eq!(stopped.target, "i-0abc");
    }

    #[test]
    fn a_database_is_sick_by_its_categories_and_well_by_their_ends() {
        use State::{Firing, Resolved};
        let events = [
            rds(&["availability"], "RDS-EVENT-0004", "DB instance shutdown"),
            rds(&["availability"], "RDS-EVENT-0006", "DB instance restarted"),
            rds(&["failover"], "RDS-EVENT-0013", "Multi-AZ instance failover started."),
            rds(&["failover"], "RDS-EVENT-0049", "Multi-AZ instance failover completed"),
            rds(&["low storage"], "RDS-EVENT-0089", "The free storage capacity is low"),
            rds(&["failure"], "RDS-EVENT-0031", "The DB instance has failed"),
            rds(&["backup"], "RDS-EVENT-0001", "Backing up DB instance"),
        ];
        assert_eq!(
            states(&events),
            [Some(Firing), Some(Resolved), Some(Firing), Some(Resolved), Some(Firing), Some(Firing), None]
        );
        let fingerprint = |event: &Value| read(event, &Naming::default()).unwrap().unwrap().fingerprint;
        assert_eq!(fingerprint(&events[0]), fingerprint(&events[3]));
        assert_ne!(fingerprint(&events[0]), fingerprint(&events[4]));
    }

    #[test]
    fn an_event_of_another_kind_or_source_is_refused() {
        let mut foreign = ec2("stopped");
        foreign["source"] = "my.app".into();
        for event in [json!({}), json!([1]), foreign, json!({ "detail-type": "X", "source": "aws.ec2" })] {
            assert!(read(&event, &Naming::default()).is_err(), "{event}");
        }
        let nameless = json!({ "detail-type": "RDS DB Instance Event", "source": "aws.rds", "detail": {} });
        assert!(read(&nameless, &Naming::default()).is_err());
    }
}
