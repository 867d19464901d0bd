//! CloudWatch's alarms, metric and composite ones, as SNS and as EventBridge carry them. Pure: text in, alarms out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Naming, Refused, time_ms};
use crate::watch::alarms::{Alarm, Severity, State};

/// Dimensions that name what is sick, the most exact first.
const TARGET_DIMENSIONS: &[&str] = &[
    "InstanceId",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "CacheClusterId",
    "VolumeId",
    "FunctionName",
    "QueueName",
    "TableName",
    "ServiceName",
    "TargetGroup",
    "LoadBalancer",
    "LoadBalancerName",
    "AutoScalingGroupName",
    "ClusterName",
    "FileSystemId",
    "BucketName",
    "ApiName",
];
/// Metrics of one alarm that are looked at for dimensions; a metric math alarm has ten.
const METRICS_MAX: usize = 20;
/// Children of a composite alarm that are named.
const CHILDREN_MAX: usize = 5;

/// An alarm in a notification of SNS: the JSON in its `Message`. None: it says that there are no data, which is neither
/// an alarm nor health.
pub(super) fn of_notification(message: &Value, naming: &Naming) -> Result<Option<Alarm>, Refused> {
    let text = |key: &str| message[key].as_str().unwrap_or_default();
    let Some(state) = state(text("NewStateValue"))? else { return Ok(None) };
    let mut dimensions = BTreeMap::new();
    let trigger = &message["Trigger"];
    read_dimensions(&trigger["Dimensions"], &mut dimensions);
    for metric in trigger["Metrics"].as_array().into_iter().flatten().take(METRICS_MAX) {
        read_dimensions(&metric["MetricStat"]["Metric"]["Dimensions"], &mut dimensions);
    }
    let about = About {
        name: text("AlarmName"),
        arn: text("AlarmArn"),
        account: text("AWSAccountId"),
        reason: text("NewStateReason"),
        description: text("AlarmDescription"),
        started: text("StateChangeTime"),
        metric: trigger["MetricName"].as_str().unwrap_or_default(),
        namespace: trigger["Namespace"].as_str().unwrap_or_default(),
        rule: text("AlarmRule"),
        children: children(&message["TriggeringChildren"]),
    };
    about.alarm(state, dimensions, naming).map(Some)
}

/// An alarm in an event of EventBridge.
pub(super) fn of_event(event: &Value, naming: &Naming) -> Result<Option<Alarm>, Refused> {
    let detail = &event["detail"];
    let Some(state) = state(detail["state"]["value"].as_str().unwrap_or_default())? else { return Ok(None) };
    let configuration = &detail["configuration"];
    let mut dimensions = BTreeMap::new();
    let (mut name_of_metric, mut namespace) = ("", "");
    for metric in configuration["metrics"].as_array().into_iter().flatten().take(METRICS_MAX) {
        let metric = &metric["metricStat"]["metric"];
        read_dimensions(&metric["dimensions"], &mut dimensions);
        if name_of_metric.is_empty() {
            name_of_metric = metric["name"].as_str().unwrap_or_default();
            namespace = metric["namespace"].as_str().unwrap_or_default();
        }
    }
    let about = About {
        name: detail["alarmName"].as_str().unwrap_or_default(),
        arn: event["resources"][0].as_str().unwrap_or_default(),
        account: event["account"].as_str().unwrap_or_default(),
        reason: detail["state"]["reason"].as_str().unwrap_or_default(),
        description: configuration["description"].as_str().unwrap_or_default(),
        started: detail["state"]["timestamp"].as_str().unwrap_or_default(),
        metric: name_of_metric,
        namespace,
        rule: configuration["alarmRule"].as_str().unwrap_or_default(),
        children: Vec::new(),
    };
    about.alarm(state, dimensions, naming).map(Some)
}

/// An alarm as CloudWatch describes it when it is asked, and whether it says anything: without enough data it is neither
/// an alarm nor health.
///
/// # Errors
/// It is no alarm of CloudWatch.
pub(in crate::watch) fn of_description(alarm: &Value, naming: &Naming) -> Result<(Alarm, bool), String> {
    let text = |key: &str| alarm[key].as_str().unwrap_or_default();
    let state = state(text("StateValue")).map_err(|refused| refused.text)?;
    let mut dimensions = BTreeMap::new();
    read_dimensions(&alarm["Dimensions"], &mut dimensions);
    for metric in alarm["Metrics"].as_array().into_iter().flatten().take(METRICS_MAX) {
        read_dimensions(&metric["MetricStat"]["Metric"]["Dimensions"], &mut dimensions);
    }
    let about = About {
        name: text("AlarmName"),
        arn: text("AlarmArn"),
        account: text("AlarmArn").split(':').nth(4).unwrap_or_default(),
        reason: text("StateReason"),
        description: text("AlarmDescription"),
        started: text("StateUpdatedTimestamp"),
        metric: text("MetricName"),
        namespace: text("Namespace"),
        rule: text("AlarmRule"),
        children: Vec::new(),
    };
    let told = about.alarm(state.unwrap_or(State::Resolved), dimensions, naming).map_err(|refused| refused.text)?;
    Ok((told, state.is_some()))
}

/// What all forms say of an alarm.
struct About<'v> {
    name: &'v str,
    arn: &'v str,
    account: &'v str,
    reason: &'v str,
    description: &'v str,
    started: &'v str,
    metric: &'v str,
    namespace: &'v str,
    /// Of a composite alarm.
    rule: &'v str,
    children: Vec<&'v str>,
}

impl About<'_> {
    fn alarm(&self, state: State, dimensions: BTreeMap<String, String>, naming: &Naming) -> Result<Alarm, Refused> {
        if self.name.is_empty() {
            return Err(Refused::new(400, "form", "the alarm has no name: this is no alarm of CloudWatch"));
        }
        // The ARN holds account and region: alarms of two accounts may have one name.
        let fingerprint = match self.arn {
            "" => format!("{}/{}", self.account, self.name),
            arn => arn.to_owned(),
        };
        let region = self.arn.split(':').nth(3).unwrap_or_default();
        let is_composite = !self.rule.is_empty();
        let target = naming.target(&dimensions, TARGET_DIMENSIONS).unwrap_or(self.name);
        let mut detail = self.reason.to_owned();
        if !self.description.is_empty() {
            detail = format!("{}: {detail}", self.description);
        }
        if !self.children.is_empty() {
            detail = format!("{detail} (by {})", self.children.join(", "));
        }
        let target = naming.called(target);
        let mut labels = dimensions;
        let kind = if is_composite { "composite" } else { "metric" };
        for (key, value) in [
            ("alarm_kind", kind),
            ("account", self.account),
            ("region", region),
            ("metric", self.metric),
            ("namespace", self.namespace),
        ] {
            if !value.is_empty() {
                labels.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(Alarm {
            fingerprint,
            source: "cloudwatch".into(),
            target,
            title: self.name.to_owned(),
            detail,
            state,
            severity: Severity::default(),
            labels,
            started_ms: time_ms(self.started),
        })
    }
}

fn state(word: &str) -> Result<Option<State>, Refused> {
    match word {
        "ALARM" => Ok(Some(State::Firing)),
        "OK" => Ok(Some(State::Resolved)),
        "INSUFFICIENT_DATA" => Ok(None),
        _ => Err(Refused::new(400, "form", "the state is not `ALARM`, `OK` or `INSUFFICIENT_DATA`")),
    }
}

/// Names and values, as a list of pairs (SNS) or as an object (EventBridge).
fn read_dimensions(value: &Value, dimensions: &mut BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for pair in value.as_array().into_iter().flatten().take(METRICS_MAX) {
        let either = |lower: &str, upper: &str| text(&pair[lower]).or_else(|| text(&pair[upper]));
        if let (Some(name), Some(value)) = (either("name", "Name"), either("value", "Value")) {
            dimensions.entry(name).or_insert(value);
        }
    }
    for (name, value) in value.as_object().into_iter().flatten().take(METRICS_MAX) {
        if let Some(value) = text(value) {
            dimensions.entry(name.clone()).or_insert(value);
        }
    }
}

fn children(value: &Value) -> Vec<&str> {
    let arns = value.as_array().into_iter().flatten().filter_map(|child| child["Arn"].as_str());
    arns.map(|arn| arn.rsplit(':').next().unwrap_or(arn)).take(CHILDREN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metric(state: &str) -> Value {
        json!({
            "AlarmName": "web cpu", "AlarmDescription": "too busy", "AWSAccountId": "123456789012",
            "NewStateValue": state, "NewStateReason": "Threshold Crossed", "StateChangeTime": "2026-11-23T12:00:00.985+0000",
            "Region": "EU (Ireland)", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web cpu", "OldStateValue": "OK",
            "Trigger": { "MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Statistic": "AVERAGE",
                "Dimensions": [{ "value": "asg", "name": "AutoScalingGroupName" }, { "value": "i-0abc", "name": "InstanceId" }] },
        })
    }

    #[test]
    fn a_metric_alarm_names_its_most_exact_dimension_and_keeps_the_others_as_labels() {
        let naming = Naming::default();
        let alarm = of_notification(&metric("ALARM"), &naming).unwrap().unwrap();
        assert_eq!((alarm.target.as_str(), alarm.title.as_str(), alarm.state), ("i-0abc", "web cpu", State::Firing));
        assert_eq!(alarm.detail, "too busy: Threshold Crossed");
        assert_eq!(alarm.labels["AutoScalingGroupName"], "asg");
        assert_eq!((alarm.labels["region"].as_str(), alarm.labels["metric"].as_str()), ("eu-west-1", "CPUUtilization"));
        assert_eq!(alarm.started_ms, time_ms("2026-11-23T12:00:00.985Z"));
        assert!(alarm.started_ms.is_some());
        let resolved = of_notification(&metric("OK"), &naming).unwrap().unwrap();
        assert_eq!((resolved.state, &resolved.fingerprint), (State::Resolved, &alarm.fingerprint));
    }

    #[test]
    fn no_data_is_neither_an_alarm_nor_health() {
        assert_eq!(of_notification(&metric("INSUFFICIENT_DATA"), &Naming::default()).unwrap(), None);
        assert!(of_notification(&metric("GREEN"), &Naming::default()).is_err());
    }

    #[test]
    fn the_operator_chooses_the_dimension_and_what_targets_are_called() {
        let names = BTreeMap::from([("asg".to_owned(), "shop".to_owned())]);
        let naming = Naming { target_labels: vec!["AutoScalingGroupName".into()], names };
        assert_eq!(of_notification(&metric("ALARM"), &naming).unwrap().unwrap().target, "shop");
    }

    #[test]
    fn a_composite_alarm_is_about_itself_and_names_what_triggered_it() {
        let message = json!({
            "AlarmName": "shop down", "AWSAccountId": "1", "NewStateValue": "ALARM", "NewStateReason": "arn fired",
            "StateChangeTime": "2026-11-23T12:00:00Z", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:1:alarm:shop down",
            "AlarmRule": "ALARM(\"a\") OR ALARM(\"b\")",
            "TriggeringChildren": [{ "Arn": "arn:aws:cloudwatch:eu-west-1:1:alarm:a", "State": { "Value": "ALARM" } }],
        });
        let alarm = of_notification(&message, &Naming::default()).unwrap().unwrap();
        assert_eq!((alarm.target.as_str(), alarm.labels["alarm_kind"].as_str()), ("shop down", "composite"));
        assert_eq!(alarm.detail, "arn fired (by a)");
    }

    #[test]
    fn an_event_says_the_same_as_a_notification() {
        let event = json!({
            "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "account": "123456789012",
            "resources": ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web cpu"],
            "detail": {
                "alarmName": "web cpu",
                "state": { "value": "ALARM", "reason": "Threshold Crossed", "timestamp": "2026-11-23T12:00:00.985+0000" },
                "configuration": { "description": "too busy", "metrics": [{ "id": "m", "metricStat": { "metric": {
                    "namespace": "AWS/EC2", "name": "CPUUtilization",
                    "dimensions": { "InstanceId": "i-0abc", "AutoScalingGroupName": "asg" } } } }] },
            },
        });
        let naming = Naming::default();
        let of_event = of_event(&event, &naming).unwrap().unwrap();
        assert_eq!(of_event, of_notification(&metric("ALARM"), &naming).unwrap().unwrap());
    }

    #[test]
    fn what_is_no_alarm_of_cloudwatch_is_refused_and_no_form_of_it_ends_the_host() {
        for message in
            [json!({}), json!([]), json!("x"), json!({ "NewStateValue": "ALARM" }), json!({ "NewStateValue": 5 })]
        {
            assert!(of_notification(&message, &Naming::default()).is_err(), "{message}");
            assert!(of_event(&message, &Naming::default()).is_err(), "{message}");
        }
        let odd = json!({ "NewStateValue": "ALARM", "AlarmName": "x", "Trigger": { "Dimensions": [1, {}, { "name": 3 }], "Metrics": {} } });
        assert_eq!(of_notification(&odd, &Naming::default()).unwrap().unwrap().target, "x");
    }
}
