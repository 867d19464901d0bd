//! The examples that every file of knowledge carries: small incidents that it must get right.
//!
//! They are written in the form of incident.json, with three shorthands: a metric may have `values` (one a minute)
//! instead of points, a line of a log may be its text alone, and a time may be left out (it is then the end).

use serde_json::{Value, json};

use crate::cause::Cause;
use crate::incident::{Incident, IncidentError, from_value};
use crate::instant::Instant;
use crate::knowledge::Knowledge;
use crate::orient::Diagnostician;

/// When examples end; any moment would do.
const END_MS: i64 = 1_767_268_800_000;

/// How one example ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The cause whose file it stands in.
    pub of: Cause,
    pub name: String,
    pub expected: Cause,
    /// What was said, with its confidence; or why the example cannot be read.
    pub said: Result<(Cause, f64), IncidentError>,
}

impl Outcome {
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.said.as_ref().is_ok_and(|(cause, _)| *cause == self.expected)
    }
}

/// Diagnose the examples of all files.
#[must_use]
pub fn run_examples(knowledge: &Knowledge) -> Vec<Outcome> {
    let diagnostician = Diagnostician::new(knowledge);
    let examples = knowledge.examples().map(|(of, example)| Outcome {
        of,
        name: example.name.clone(),
        expected: example.expect.unwrap_or(of),
        said: incident_of(&example.incident).map(|incident| {
            let diagnosis = diagnostician.diagnose(&incident);
            (diagnosis.root_cause, diagnosis.confidence)
        }),
    });
    examples.collect()
}

fn incident_of(example: &Value) -> Result<Incident, IncidentError> {
    let mut example = example.clone();
    if example.get("alert").is_none_or(|alert| alert.get("state").is_none()) {
        if example.get("alert").is_none() {
            example["alert"] = json!({});
        }
        example["alert"]["state"] = json!("alerting");
    }
    for metric in list(&mut example, "metrics") {
        let Some(values) = metric.get("values").and_then(Value::as_array) else { continue };
        let first = END_MS - 60_000 * i64::try_from(values.len()).unwrap_or(0);
        let times = (0_i64..).map(|minute| Instant(first + 60_000 * minute).to_string());
        metric["points"] = times.zip(values).map(|(time, value)| json!([time, value])).collect();
    }
    for line in list(&mut example, "logs") {
        if line.is_string() {
            *line = json!({ "message": line.clone() });
        }
    }
    for key in ["logs", "events"] {
        for it in list(&mut example, key) {
            if it.is_object() && it.get("time").is_none() {
                it["time"] = json!(Instant(END_MS).to_string());
            }
        }
    }
    from_value(example)
}

fn list<'a>(example: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    example.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_every_file_comes_out_as_it_says() {
        let outcomes = run_examples(&Knowledge::embedded().unwrap());
        let wrong: Vec<_> = outcomes.iter().filter(|outcome| !outcome.is_right()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_cause_has_an_example() {
        let outcomes = run_examples(&Knowledge::embedded().unwrap());
        for cause in Cause::ALL.iter().filter(|cause| **cause != Cause::Unknown) {
            assert!(outcomes.iter().any(|outcome| outcome.of == *cause), "{cause}");
        }
    }
}
