//! Alertmanager's webhook, version 4: a group of alerts, each firing or resolved. Pure: JSON in, alarms out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ALARMS_MAX, Naming, Refused, time_ms};
use crate::watch::alarms::{Alarm, Severity, State};

/// Labels that name what is sick, the most exact first.
const TARGET_LABELS: &[&str] =
    &["target", "service", "instance", "pod", "deployment", "node", "host", "job", "namespace", "alertname"];
const ANNOTATIONS: &[&str] = &["description", "message", "summary"];

/// What is read of it. Whatever else stands there is of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    version: String,
    #[serde(default)]
    truncated_alerts: u64,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    starts_at: String,
    #[serde(default)]
    fingerprint: String,
}

/// The alarms of a group, and how many its sender has cut off.
pub(super) fn read(body: Value, naming: &Naming) -> Result<(Vec<Alarm>, u64), Refused> {
    let webhook: Webhook = serde_json::from_value(body)
        .map_err(|error| Refused::new(400, "form", format!("this is no webhook of Alertmanager: {error}")))?;
    if webhook.version != "4" {
        return Err(Refused::new(400, "form", format!("version 4 is known, and this is `{}`", webhook.version)));
    }
    if webhook.alerts.len() > ALARMS_MAX {
        let text = format!("{} alerts at once, and {ALARMS_MAX} are taken: set `max_alerts`", webhook.alerts.len());
        return Err(Refused::new(413, "too_large", text));
    }
    let alarms = webhook.alerts.into_iter().map(|alert| alert.alarm(naming)).collect::<Result<_, _>>()?;
    Ok((alarms, webhook.truncated_alerts))
}

impl Alert {
    fn alarm(self, naming: &Naming) -> Result<Alarm, Refused> {
        let state = match self.status.as_str() {
            "firing" => State::Firing,
            "resolved" => State::Resolved,
            _ => return Err(Refused::new(400, "form", "an alert is neither `firing` nor `resolved`")),
        };
        let name = self.labels.get("alertname").map_or("alert", String::as_str);
        let target = naming.target(&self.labels, TARGET_LABELS).unwrap_or(name);
        let annotation = ANNOTATIONS.iter().find_map(|key| self.annotations.get(*key));
        let severity = self.labels.get("severity").map_or(Severity::default(), |word| Severity::of(word));
        // Old versions send no fingerprint: the labels are what makes an alert one.
        let fingerprint = match self.fingerprint.as_str() {
            "" => serde_json::to_string(&self.labels).unwrap_or_default(),
            fingerprint => fingerprint.to_owned(),
        };
        Ok(Alarm {
            fingerprint,
            source: "alertmanager".into(),
            target: naming.called(target),
            title: name.to_owned(),
            detail: annotation.cloned().unwrap_or_default(),
            state,
            severity,
            started_ms: time_ms(&self.starts_at),
            labels: self.labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook(alerts: &Value) -> Value {
        json!({ "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 3, "status": "firing", "receiver": "pi",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am", "alerts": alerts })
    }

    #[test]
    fn a_group_is_its_alerts_each_with_its_own_state() {
        let alert = |status: &str, fingerprint: &str| {
            json!({ "status": status, "fingerprint": fingerprint, "startsAt": "2026-11-23T12:00:00.1Z", "endsAt": "0001-01-01T00:00:00Z",
                "labels": { "alertname": "HighLatency", "instance": "10.0.0.1:9100", "severity": "critical", "cluster": "eu" },
                "annotations": { "summary": "slow" }, "generatorURL": "http://p" })
        };
        let alerts = json!([alert("firing", "a"), alert("resolved", "b")]);
        let (alarms, cut_off) = read(webhook(&alerts), &Naming::default()).unwrap();
        assert_eq!(cut_off, 3);
        assert_eq!(alarms.iter().map(|alarm| alarm.state).collect::<Vec<_>>(), [State::Firing, State::Resolved]);
        let alarm = &alarms[0];
        assert_eq!((alarm.target.as_str(), alarm.title.as_str()), ("10.0.0.1:9100", "HighLatency"));
        assert_eq!((alarm.severity, alarm.detail.as_str()), (Severity::Critical, "slow"));
        assert!(alarm.started_ms.is_some());
    }

    #[test]
    fn without_a_fingerprint_the_labels_make_an_alert_one() {
        let alert =
            |instance: &str| json!({ "status": "firing", "labels": { "alertname": "Up", "instance": instance } });
        let alerts = json!([alert("a"), alert("a"), alert("b")]);
        let (alarms, _) = read(webhook(&alerts), &Naming::default()).unwrap();
        assert_eq!(alarms[0].fingerprint, alarms[1].fingerprint);
        assert_ne!(alarms[0].fingerprint, alarms[2].fingerprint);
    }

    #[test]
    fn what_is_no_webhook_of_version_4_is_refused() {
        let version_3 = json!({ "version": "3", "alerts": [] });
        let odd = webhook(&json!([{ "status": "pending", "labels": {} }]));
        for body in [json!({}), json!([]), version_3, odd, webhook(&json!([{ "labels": { "a": 1 } }]))] {
            assert_eq!(read(body, &Naming::default()).unwrap_err().status, 400);
        }
        let many = webhook(&json!(vec![json!({ "status": "firing" }); ALARMS_MAX + 1]));
        assert_eq!(read(many, &Naming::default()).unwrap_err().status, 413);
    }
}
