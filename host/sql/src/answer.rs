//! What a statement gives, and how much of it.
//!
//! Values are as `pi_catalog::database::Rows` has them. A value that is longer than a cell may be is cut, one that cannot
//! be read is told in its place: neither takes the other rows away.

use pi_catalog::database::Rows;
use serde_json::Value;

use crate::error::Error;
use crate::settings::Settings;

/// What stands for a personal value.
pub(crate) const MASK: &str = "[masked]";

/// Less than the connection lets through, for one statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub rows_max: Option<u64>,
    pub bytes_max: Option<u64>,
    pub cell_bytes_max: Option<u64>,
    pub statement_timeout_ms: Option<u64>,
    pub cost_max: Option<f64>,
}

/// What holds: the smaller of what the connection and the caller say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) rows_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) cell_bytes_max: u64,
    pub(crate) statement_timeout_ms: u64,
    pub(crate) cost_max: Option<f64>,
}

impl Bounds {
    pub(crate) fn of(settings: &Settings, limits: &Limits) -> Result<Self, Error> {
        let least = |own: u64, asked: Option<u64>, name: &str| match asked {
            Some(0) => Err(Error::refused(format!("the limit `{name}`"), "it is 0")),
            Some(asked) => Ok(own.min(asked)),
            None => Ok(own),
        };
        let cost_max = match (settings.cost_max, limits.cost_max) {
            (_, Some(asked)) if !asked.is_finite() || asked <= 0.0 => {
                return Err(Error::refused("the limit `cost_max`", "it is not a positive number"));
            }
            (Some(own), Some(asked)) => Some(own.min(asked)),
            (own, asked) => own.or(asked),
        };
        Ok(Self {
            rows_max: least(settings.rows_max, limits.rows_max, "rows_max")?,
            bytes_max: least(settings.bytes_max, limits.bytes_max, "bytes_max")?,
            cell_bytes_max: least(settings.cell_bytes_max, limits.cell_bytes_max, "cell_bytes_max")?,
            statement_timeout_ms: least(
                settings.statement_timeout_ms,
                limits.statement_timeout_ms,
                "statement_timeout_ms",
            )?,
            cost_max,
        })
    }
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As the database names it; empty where it has none.
    pub kind: String,
}

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// There were more rows than the limits of rows or bytes let through.
    pub is_cut: bool,
    /// Values that were longer than a cell may be. Each says so at its end.
    pub cells_cut: u64,
    /// Columns whose values are masked, as they come from columns that are marked as personal.
    pub masked: Vec<String>,
    /// What PostgreSQL's planner expected, where a limit of cost made it be asked.
    pub cost_estimated: Option<f64>,
    pub elapsed_ms: u64,
}

impl From<Answer> for Rows {
    fn from(answer: Answer) -> Self {
        Self {
            columns: answer.columns.into_iter().map(|column| column.name).collect(),
            rows: answer.rows,
            is_cut: answer.is_cut,
            masked: answer.masked,
        }
    }
}

impl Answer {
    /// Keep a row, or say that it is one too many.
    pub(crate) fn push(&mut self, row: Vec<Value>, bytes: &mut u64, bounds: &Bounds) -> Push {
        if self.rows.len() as u64 >= bounds.rows_max {
            self.is_cut = true;
            return Push::Full;
        }
        *bytes = bytes.saturating_add(row.iter().map(size).sum::<u64>());
        if *bytes > bounds.bytes_max {
            self.is_cut = true;
            return Push::Full;
        }
        self.rows.push(row);
        Push::Kept
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    Kept,
    Full,
}

/// About as many bytes as it has as JSON.
fn size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() as u64 + 3,
        Value::Array(values) => values.iter().map(size).sum::<u64>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() as u64 + 4 + size(value)).sum::<u64>() + 2
        }
    }
}

/// The text, or its beginning and a word about that.
pub(crate) fn cut(text: &str, bytes_max: u64, cells_cut: &mut u64) -> String {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    if text.len() <= max {
        return text.to_owned();
    }
    *cells_cut += 1;
    let end = (0..=max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… [cut at {max} bytes]", text.get(..end).unwrap_or_default())
}

/// A float as a number, or as text where JSON has no number for it.
pub(crate) fn float(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(
        || {
            let text = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            Value::String(text.into())
        },
        Value::Number,
    )
}

/// What stands in the place of a value that cannot be read.
pub(crate) fn unreadable(why: &str) -> Value {
    Value::String(format!("[not readable: {why}]"))
}

/// # Errors
/// Too few or too many, or one that is an array or an object.
pub(crate) fn check_parameters(statement: &crate::Statement, parameters: &[Value]) -> Result<(), Error> {
    if parameters.len() != statement.parameters() {
        return Err(Error::refused(
            "the parameters",
            format!("the statement takes {} and {} are given", statement.parameters(), parameters.len()),
        ));
    }
    match parameters.iter().position(|value| value.is_array() || value.is_object()) {
        Some(at) => Err(Error::refused(
            format!("the parameter `${}`", at + 1),
            "it is null, a boolean, a number or text; give JSON as text and cast it",
        )),
        None => Ok(()),
    }
}
