//! CloudWatch's alarms of one account, asked for: an [`AlarmSource`].
//!
//! An answer that was cut, or that fails, is none: what fired, fires. An alarm without enough data is neither firing nor
//! well, so what was said of it last holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use pi_cloud::{Account, Call};
use serde_json::{Value, json};

use super::alarms::Alarm;
use super::hooks::{Naming, of_description};
use super::poll::{AlarmSource, SourceError};

/// Alarms of one account, in one region.
pub struct CloudWatchAlarms {
    account: Account,
    region: Option<String>,
    /// Only those whose names begin with it.
    prefix: Option<String>,
    naming: Naming,
    /// Those that are there, and of which nothing is known now.
    undecided: Mutex<BTreeSet<String>>,
}

impl CloudWatchAlarms {
    /// `names` says what targets are called here: dimensions' values, and names of alarms that have none.
    #[must_use]
    pub fn new(
        account: Account,
        region: Option<String>,
        prefix: Option<String>,
        target_labels: Vec<String>,
        names: BTreeMap<String, String>,
    ) -> Self {
        let naming = Naming { target_labels, names };
        Self { account, region, prefix, naming, undecided: Mutex::default() }
    }
}

#[async_trait]
impl AlarmSource for CloudWatchAlarms {
    async fn poll(&self) -> Result<Vec<Alarm>, SourceError> {
        let mut arguments = json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
        if let Some(prefix) = &self.prefix {
            arguments["AlarmNamePrefix"] = prefix.clone().into();
        }
        let failed = |error: pi_cloud::Error| SourceError(error.to_string().replace("\nhint: ", "; "));
        let call = Call::read("cloudwatch:DescribeAlarms", self.region.as_deref(), &arguments).map_err(failed)?;
        let answer = self.account.call(&call).await.map_err(failed)?;
        let (alarms, undecided) = read(&answer, &self.naming)?;
        *self.undecided.lock().unwrap_or_else(PoisonError::into_inner) = undecided;
        Ok(alarms)
    }

    fn undecided(&self) -> BTreeSet<String> {
        self.undecided.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The alarms of an answer that fire or do not, and the fingerprints of those that say neither.
fn read(answer: &Value, naming: &Naming) -> Result<(Vec<Alarm>, BTreeSet<String>), SourceError> {
    if answer["Truncated"] == true {
        return Err(SourceError("there are more alarms than one answer takes; give the trigger a `prefix`".into()));
    }
    let (mut alarms, mut undecided) = (Vec::new(), BTreeSet::new());
    for key in ["MetricAlarms", "CompositeAlarms"] {
        let described = answer[key].as_array().ok_or_else(|| SourceError(format!("the answer has no `{key}`")))?;
        for alarm in described {
            match of_description(alarm, naming) {
                Ok((alarm, true)) => alarms.push(alarm),
                Ok((alarm, false)) => _ = undecided.insert(alarm.bounded().fingerprint),
                Err(why) => return Err(SourceError(format!("an alarm cannot be read: {why}"))),
            }
        }
    }
    Ok((alarms, undecided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::alarms::State;

    fn alarm(name: &str, state: &str, dimensions: &Value) -> Value {
        json!({ "AlarmName": name, "AlarmArn": format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}"),
            "StateValue": state, "StateReason": "Threshold Crossed", "StateUpdatedTimestamp": "2026-11-23T12:00:00Z",
            "MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Dimensions": dimensions })
    }

    fn naming() -> Naming {
        let names = [("i-0abc", "web"), ("checkout", "shop")].map(|(id, name)| (id.to_owned(), name.to_owned()));
        Naming { target_labels: Vec::new(), names: names.into() }
    }

    #[test]
    fn what_alarms_are_about_is_called_as_its_service() {
        let instance = json!([{ "Name": "InstanceId", "Value": "i-0abc" }]);
        let other = json!([{ "Name": "InstanceId", "Value": "i-0def" }]);
        let answer = json!({
            "MetricAlarms": [alarm("cpu", "ALARM", &instance), alarm("disk", "OK", &instance), alarm("cpu2", "ALARM", &other)],
            "CompositeAlarms": [{ "AlarmName": "checkout", "AlarmRule": "ALARM(cpu)", "StateValue": "ALARM",
                "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout" }],
        });
        let (alarms, undecided) = read(&answer, &naming()).unwrap();
        let told: Vec<_> = alarms.iter().map(|it| (it.title.as_str(), it.target.as_str(), it.state)).collect();
        assert_eq!(
            told,
            [
                ("cpu", "web", State::Firing),
                ("disk", "web", State::Resolved),
                ("cpu2", "i-0def", State::Firing),
                ("checkout", "shop", State::Firing)
            ]
        );
        assert!(undecided.is_empty());
        assert_eq!(alarms[0].labels["region"], "eu-west-1");
    }

    #[test]
    fn without_enough_data_it_is_there_and_says_neither() {
        let answer = json!({ "MetricAlarms": [alarm("cpu", "INSUFFICIENT_DATA", &json!([]))], "CompositeAlarms": [] });
        let (alarms, undecided) = read(&answer, &naming()).unwrap();
        assert!(alarms.is_empty());
        assert_eq!(undecided.into_iter().collect::<Vec<_>>(), ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu"]);
    }

    #[test]
    fn an_answer_that_was_cut_or_is_of_another_form_is_none() {
        let error = |answer: Value| read(&answer, &naming()).unwrap_err().0;
        assert!(error(json!({ "MetricAlarms": [], "CompositeAlarms": [], "Truncated": true })).contains("prefix"));
        assert!(error(json!({ "MetricAlarms": [] })).contains("CompositeAlarms"));
        assert!(error(json!({ "MetricAlarms": [{}], "CompositeAlarms": [] })).contains("cannot be read"));
    }
}
