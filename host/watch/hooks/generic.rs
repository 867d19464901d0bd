//! An alarm in a form of one's own: fields at the places that `pi.toml` names. Pure: JSON in, alarms out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ALARMS_MAX, Naming, Refused, time_ms};
use crate::config::AlarmField;
use crate::watch::alarms::{Alarm, Severity, State};

/// Where each field stands, as a JSON pointer.
pub(super) type Fields = BTreeMap<AlarmField, String>;

/// One alarm, or a list of them.
pub(super) fn read(body: &Value, fields: &Fields, naming: &Naming) -> Result<Vec<Alarm>, Refused> {
    match body {
        Value::Array(list) if list.len() > ALARMS_MAX => {
            Err(Refused::new(413, "too_large", format!("{} alarms at once, and {ALARMS_MAX} are taken", list.len())))
        }
        Value::Array(list) => list.iter().map(|one| alarm(one, fields, naming)).collect(),
        one => Ok(vec![alarm(one, fields, naming)?]),
    }
}

fn alarm(body: &Value, fields: &Fields, naming: &Naming) -> Result<Alarm, Refused> {
    let value = |field: AlarmField, name: &str| match fields.get(&field) {
        Some(pointer) => body.pointer(pointer),
        None => body.get(name),
    };
    let text = |field: AlarmField, name: &str| match value(field, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Refused::new(400, "form", format!("`{name}` is no text"))),
    };
    let needed = |field: AlarmField, name: &str| match text(field, name)? {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(Refused::new(400, "form", format!("`{name}` is missing: an alarm has `title`, `target` and `state`"))),
    };
    let title = needed(AlarmField::Title, "title")?;
    let target = needed(AlarmField::Target, "target")?;
    let state = match needed(AlarmField::State, "state")?.to_ascii_lowercase().as_str() {
        "firing" | "alarm" | "alert" | "alerting" | "down" | "critical" | "problem" | "triggered" | "open" => {
            State::Firing
        }
        "resolved" | "ok" | "up" | "recovered" | "recovery" | "closed" | "healthy" => State::Resolved,
        _ => return Err(Refused::new(400, "form", "`state` is neither `firing` nor `resolved`")),
    };
    let labels = match value(AlarmField::Labels, "labels") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(labels)) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            labels.iter().map(|(key, value)| (key.clone(), text(value))).collect()
        }
        Some(_) => return Err(Refused::new(400, "form", "`labels` is no object")),
    };
    let severity = text(AlarmField::Severity, "severity")?.map_or(Severity::default(), |word| Severity::of(&word));
    let fingerprint = text(AlarmField::Fingerprint, "fingerprint")?;
    let started = text(AlarmField::StartedAt, "started_at")?;
    Ok(Alarm {
        // Title and target make an alarm one where its sender does not say what does.
        fingerprint: fingerprint.unwrap_or_else(|| format!("{target}\n{title}")),
        source: "generic".into(),
        target: naming.called(&target),
        title,
        detail: text(AlarmField::Detail, "detail")?.unwrap_or_default(),
        state,
        severity,
        labels,
        started_ms: started.as_deref().and_then(time_ms),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_stand_where_the_operator_says() {
        let fields = BTreeMap::from([
            (AlarmField::Title, "/check/name".to_owned()),
            (AlarmField::Target, "/host/0".to_owned()),
            (AlarmField::State, "/check/status".to_owned()),
        ]);
        let body = json!({ "check": { "name": "disk", "status": "PROBLEM" }, "host": ["web-1"], "severity": "warning", "labels": { "az": "a", "n": 5 } });
        let alarm = read(&body, &fields, &Naming::default()).unwrap().remove(0);
        assert_eq!((alarm.title.as_str(), alarm.target.as_str(), alarm.state), ("disk", "web-1", State::Firing));
        assert_eq!((alarm.severity, alarm.labels["n"].as_str()), (Severity::Warning, "5"));
    }

    #[test]
    fn an_alarm_without_its_fields_is_refused_by_their_names() {
        let read = |body: Value| read(&body, &Fields::new(), &Naming::default());
        assert_eq!(read(json!({ "title": "a", "target": "b", "state": "firing" })).unwrap().len(), 1);
        for (body, expected) in [
            (json!({ "target": "b", "state": "firing" }), "`title` is missing"),
            (json!({ "title": "a", "target": " ", "state": "firing" }), "`target` is missing"),
            (json!({ "title": "a", "target": "b" }), "`state` is missing"),
            (json!({ "title": "a", "target": "b", "state": "odd" }), "`state` is neither"),
            (json!({ "title": ["a"], "target": "b", "state": "ok" }), "`title` is no text"),
            (json!({ "title": "a", "target": "b", "state": "ok", "labels": [1] }), "`labels` is no object"),
            (json!("text"), "is missing"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.status == 400 && error.text.contains(expected), "{}", error.text);
        }
    }
}
