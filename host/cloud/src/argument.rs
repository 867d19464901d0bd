//! The arguments of a checked call, read by those who send it.
//!
//! What is asked for here has been checked already (`shape`): a value of another kind is as one that is missing, and
//! nothing panics over it.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

use crate::shape::Unit;

/// An object of checked arguments: those of the call, or one inside of them.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a>(pub(crate) Option<&'a Map<String, Value>>);

impl<'a> Arguments<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn str(self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    pub(crate) fn text(self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    pub(crate) fn texts(self, name: &str) -> Option<Vec<String>> {
        let list = self.value(name)?.as_array()?;
        Some(list.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
    }

    pub(crate) fn number(self, name: &str) -> Option<i64> {
        self.value(name)?.as_i64()
    }

    pub(crate) fn integer(self, name: &str) -> Option<i32> {
        self.number(name).and_then(|number| i32::try_from(number).ok())
    }

    pub(crate) fn boolean(self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    pub(crate) fn time(self, name: &str) -> Option<DateTime> {
        timestamp(self.value(name)?, Unit::Text).ok()
    }

    pub(crate) fn milliseconds(self, name: &str) -> Option<i64> {
        timestamp(self.value(name)?, Unit::Milliseconds).ok()?.to_millis().ok()
    }

    pub(crate) fn seconds(self, name: &str) -> Option<i64> {
        timestamp(self.value(name)?, Unit::Seconds).ok().map(|time| time.secs())
    }

    pub(crate) fn record(self, name: &str) -> Option<Arguments<'a>> {
        self.value(name)?.as_object().map(|object| Arguments(Some(object)))
    }

    pub(crate) fn records(self, name: &str) -> Vec<Arguments<'a>> {
        let list = self.value(name).and_then(Value::as_array);
        list.into_iter().flatten().map(Arguments::of).collect()
    }
}

/// A time between 1970 and 2100. A number beyond that is in the wrong unit, which AWS would take for the year 50000.
pub(crate) fn timestamp(value: &Value, unit: Unit) -> Result<DateTime, &'static str> {
    const YEAR_2100: i64 = 4_102_444_800;
    let time = match (value, unit) {
        (Value::String(text), _) => DateTime::from_str(text, Format::DateTimeWithOffset)
            .map_err(|_| "must be a time like 2026-01-31T12:00:00Z")?,
        (Value::Number(number), Unit::Seconds) => {
            DateTime::from_secs(number.as_i64().ok_or("must be a time, or whole seconds since 1970")?)
        }
        (Value::Number(number), Unit::Milliseconds) => {
            DateTime::from_millis(number.as_i64().ok_or("must be a time, or whole milliseconds since 1970")?)
        }
        _ => return Err("must be a time like 2026-01-31T12:00:00Z"),
    };
    match unit {
        _ if (0..=YEAR_2100).contains(&time.secs()) => Ok(time),
        Unit::Seconds => Err("must be between 1970 and 2100: as a number it is in seconds, not in milliseconds"),
        _ => Err("must be between 1970 and 2100"),
    }
}
