//! What was observed of an incident: the form of incident.json, read with bounds.
//!
//! Sources are many and none is perfect: lists and fields may be missing or null, unknown fields are ignored, values
//! may be null or NaN. What is of the wrong kind is an error that names its path (`metrics[3].points[7]`).

mod place;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::instant::Instant;

/// More text than this is not read: it would fill the memory before anything could be judged.
pub const TEXT_BYTES_MAX: usize = 256 << 20;
/// Every list is walked several times; these keep a hostile file from costing minutes.
pub(crate) const METRICS_MAX: usize = 10_000;
/// Points of all metrics together.
pub(crate) const POINTS_MAX: usize = 5_000_000;
pub(crate) const LOGS_MAX: usize = 1_000_000;
pub(crate) const EVENTS_MAX: usize = 100_000;
pub(crate) const RESOURCES_MAX: usize = 20_000;
pub(crate) const QUERIES_MAX: usize = 10_000;

/// What was observed of one incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Incident {
    #[serde(default, deserialize_with = "or_default")]
    pub version: Version,
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub alert: Alert,
    #[serde(default, deserialize_with = "or_default")]
    pub metrics: Vec<Metric>,
    #[serde(default, deserialize_with = "or_default")]
    pub logs: Vec<LogLine>,
    #[serde(default, deserialize_with = "or_default")]
    pub events: Vec<Event>,
    #[serde(default, deserialize_with = "or_default")]
    pub resources: Vec<Resource>,
    #[serde(default, deserialize_with = "or_default")]
    pub queries: Vec<Query>,
}

/// The version of the form. Only 1 is known; a missing one is taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Version(u64);

/// What woke somebody.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Alert {
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub source: String,
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub dimensions: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub statistic: String,
    #[serde(default, deserialize_with = "or_default")]
    pub unit: String,
    #[serde(default, deserialize_with = "or_default")]
    pub points: Vec<Point>,
}

/// A value at a time. What is no number (null, NaN, an infinity) is `None`: a gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point(pub Instant, pub Option<f64>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LogLine {
    #[serde(default, deserialize_with = "time_or_none")]
    pub time: Option<Instant>,
    #[serde(default, deserialize_with = "or_default")]
    pub source: String,
    #[serde(default, deserialize_with = "or_default")]
    pub level: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Event {
    #[serde(default, deserialize_with = "time_or_none")]
    pub time: Option<Instant>,
    #[serde(default, deserialize_with = "or_default")]
    pub source: String,
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
    #[serde(default, deserialize_with = "time_or_none", skip_serializing_if = "Option::is_none")]
    pub first_time: Option<Instant>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub count: Option<f64>,
    #[serde(default, rename = "type", deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Resource {
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub state: Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Query {
    #[serde(default, deserialize_with = "or_default")]
    pub statement: String,
    #[serde(default, deserialize_with = "or_default")]
    pub load: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    pub calls_per_second: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    pub waits: BTreeMap<String, Option<f64>>,
}

/// Why a text is not an incident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncidentError {
    #[error(
        "at `{path}` (line {line}, column {column}): {what}\nhint: docs/diagnosis.md has the form of incident.json"
    )]
    Form { path: String, line: usize, column: usize, what: String },
    #[error(
        "`{path}` is too large: {count} of at most {max}\nhint: narrow what is observed to the time around the alert"
    )]
    TooLarge { path: &'static str, count: usize, max: usize },
}

impl Incident {
    /// Read the text of an incident.json.
    pub fn from_json(text: &str) -> Result<Self, IncidentError> {
        bounded("the file", text.len(), TEXT_BYTES_MAX)?;
        // serde would read a list as the fields in their order.
        if text.trim_start().starts_with('[') {
            let what = "a list, where an object with `alert`, `metrics`, `logs`, ... is expected".into();
            return Err(IncidentError::Form { path: ".".into(), line: 1, column: 1, what });
        }
        let incident: Self = match serde_json::from_str(text) {
            Ok(incident) => incident,
            // Python writes NaN and Infinity as they are, which is no JSON and yet what half of all tools produce.
            Err(first) => match place::without_nan(text) {
                Some(clean) => serde_json::from_str(&clean).map_err(|error| form_error(&clean, &error))?,
                None => return Err(form_error(text, &first)),
            },
        };
        incident.check()?;
        Ok(incident)
    }

    /// Refuse what is larger than can be judged in time.
    pub fn check(&self) -> Result<(), IncidentError> {
        bounded("metrics", self.metrics.len(), METRICS_MAX)?;
        bounded("metrics[].points", self.metrics.iter().map(|metric| metric.points.len()).sum(), POINTS_MAX)?;
        bounded("logs", self.logs.len(), LOGS_MAX)?;
        bounded("events", self.events.len(), EVENTS_MAX)?;
        bounded("resources", self.resources.len(), RESOURCES_MAX)?;
        bounded("queries", self.queries.len(), QUERIES_MAX)
    }
}

fn bounded(path: &'static str, count: usize, max: usize) -> Result<(), IncidentError> {
    if count > max { Err(IncidentError::TooLarge { path, count, max }) } else { Ok(()) }
}

fn form_error(text: &str, error: &serde_json::Error) -> IncidentError {
    let what = error.to_string();
    // serde_json ends its messages with the place, which is said in front here.
    let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(before, _)| before).to_owned();
    // At the end of the text even the last byte is behind.
    let column = error.column() + usize::from(error.is_eof());
    let mut path = place::path_at(text, error.line(), column);
    // These are noticed at the end of what they are about, when its last part has been read.
    if what.starts_with("missing field") || what.starts_with("invalid length") {
        path.truncate(path.rfind(['.', '[']).unwrap_or(0));
        if path.is_empty() {
            path.push('.');
        }
    }
    IncidentError::Form { path, line: error.line(), column: error.column(), what }
}

impl Default for Version {
    fn default() -> Self {
        Self(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self(1)),
            other => Err(serde::de::Error::custom(format!("version {other} is not known: this reads version 1"))),
        }
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn time_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Instant>, D::Error> {
    struct OptionalTime;
    impl<'de> Visitor<'de> for OptionalTime {
        type Value = Option<Instant>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a time by RFC 3339, like \"2026-04-18T10:45:00Z\", or null")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let time = Instant::parse(text);
            time.map(Some).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(OptionalTime)
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointVisitor;
        impl<'de> Visitor<'de> for PointVisitor {
            type Value = Point;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a point: [time, number or null]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Point, A::Error> {
                let missing = |at, expected: &Self| serde::de::Error::invalid_length(at, expected);
                let time = list.next_element::<Instant>()?.ok_or_else(|| missing(0, &self))?;
                let value = list.next_element::<Number>()?.ok_or_else(|| missing(1, &self))?;
                if list.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    return Err(missing(3, &self));
                }
                Ok(Point(time, value.0.filter(|value| value.is_finite())))
            }
        }
        deserializer.deserialize_seq(PointVisitor)
    }
}

/// A number, null, or one of the words for what is no number.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number or null")
            }
            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(Some(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                // Prometheus gives values as text, and NaN, +Inf and -Inf among them.
                let word = text.trim_start_matches(['+', '-']);
                if word.eq_ignore_ascii_case("nan") || word.eq_ignore_ascii_case("inf") {
                    return Ok(Number(None));
                }
                let value = text.parse().ok();
                value
                    .map(|value| Number(Some(value)))
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A JSON document of any type, with the place of its first error.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, IncidentError> {
    let text = value.to_string();
    serde_json::from_str(&text).map_err(|error| form_error(&text, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(text: &str) -> String {
        match Incident::from_json(text).unwrap_err() {
            IncidentError::Form { path, .. } => path,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn everything_may_be_missing_or_null() {
        for text in ["{}", r#"{"alert": null, "metrics": null, "logs": []}"#] {
            let incident = Incident::from_json(text).unwrap();
            assert!(incident.metrics.is_empty() && incident.alert.title.is_empty());
        }
    }

    #[test]
    fn gaps_are_tolerated_in_every_spelling() {
        let text = r#"{"more": 1, "metrics": [{"name": "m", "points": [["2026-01-01T00:00:00Z", NaN],
            ["2026-01-01T00:01:00Z", null], ["2026-01-01T00:02:00Z", "+Inf"], ["2026-01-01T00:03:00Z", "7.5"]]}]}"#;
        let incident = Incident::from_json(text).unwrap();
        let values: Vec<_> = incident.metrics[0].points.iter().map(|point| point.1).collect();
        assert_eq!(values, [None, None, None, Some(7.5)]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let points = r#"{"metrics": [{"name": "a", "points": []},
            {"name": "b", "points": [["2026-01-01T00:00:00Z", 1], ["yesterday", 2]]}]}"#;
        assert_eq!(path_of(points), "metrics[1].points[1][0]");
        assert_eq!(
            path_of(r#"{"metrics": [{"name": "a", "points": [["2026-01-01T00:00:00Z"]]}]}"#),
            "metrics[0].points[0]"
        );
        assert_eq!(path_of(r#"{"logs": [{"message": "a"}, {"message": 3}]}"#), "logs[1].message");
        assert_eq!(path_of(r#"{"events": [{"time": "soon"}]}"#), "events[0].time");
        assert_eq!(path_of(r#"{"metrics": [{"points": []}]}"#), "metrics[0]");
        assert_eq!(path_of(r#"{"version": 2}"#), "version");
        assert_eq!(path_of(r#"{"logs": {}}"#), "logs");
        assert_eq!(path_of("[1]"), ".");
        assert_eq!(path_of(r#"{"logs": [{"message": "a"}"#), "logs[0]");
    }

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        let incident = Incident { metrics: vec![Metric::default(); METRICS_MAX + 1], ..Incident::default() };
        assert_eq!(
            incident.check(),
            Err(IncidentError::TooLarge { path: "metrics", count: METRICS_MAX + 1, max: METRICS_MAX })
        );
    }
}
