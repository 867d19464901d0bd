//! From the values of a component to JSON: what a call gave.
//!
//! A guest makes these values: their JSON is bounded while it is written.

use serde_json::Number;
use wasmtime::component::Val;

use crate::capability::bindings::pi::tool::types::{Content, Error};

/// What a failure without a word is told as.
const NO_WORDS: &str = "the tool failed, and says no more";

/// More JSON than there may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// The result of a function as the result of a tool. An `err` is the tool's failure; a text stands
/// for itself, anything else is JSON.
pub(super) fn told(result: Option<&Val>, bytes_max: usize) -> Result<Vec<Content>, Error> {
    let too_large = |TooLarge| Error::Limit(format!("the result has more than the {bytes_max} bytes that it may have"));
    let content = |value: &Val| match value {
        Val::String(text) => Ok(Content::Text(text.clone())),
        other => json(other, bytes_max).map(Content::Json).map_err(too_large),
    };
    match result {
        None | Some(Val::Result(Ok(None))) => Ok(Vec::new()),
        Some(Val::Result(Ok(Some(value)))) => Ok(vec![content(value)?]),
        Some(Val::Result(Err(None))) => Err(Error::Failed(NO_WORDS.into())),
        Some(Val::Result(Err(Some(value)))) => Err(Error::Failed(match &**value {
            Val::String(text) => text.clone(),
            other => json(other, bytes_max).map_err(too_large)?,
        })),
        Some(value) => Ok(vec![content(value)?]),
    }
}

/// The compact JSON of a value.
pub(super) fn json(value: &Val, bytes_max: usize) -> Result<String, TooLarge> {
    let mut writer = Writer { text: String::new(), bytes_max };
    writer.value(value)?;
    Ok(writer.text)
}

struct Writer {
    text: String,
    bytes_max: usize,
}

impl Writer {
    fn value(&mut self, value: &Val) -> Result<(), TooLarge> {
        match value {
            Val::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Val::S8(number) => self.put(&number.to_string()),
            Val::U8(number) => self.put(&number.to_string()),
            Val::S16(number) => self.put(&number.to_string()),
            Val::U16(number) => self.put(&number.to_string()),
            Val::S32(number) => self.put(&number.to_string()),
            Val::U32(number) => self.put(&number.to_string()),
            Val::S64(number) => self.put(&number.to_string()),
            Val::U64(number) => self.put(&number.to_string()),
            Val::Float32(number) => self.float((*number).into()),
            Val::Float64(number) => self.float(*number),
            Val::Char(character) => self.string(character.encode_utf8(&mut [0; 4])),
            Val::String(text) | Val::Enum(text) => self.string(text),
            Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => {
                self.all("[", values, "]", Self::value)
            }
            Val::Map(entries) => self.all("[", entries, "]", |writer, (key, value)| {
                writer.pair("{", "key", key)?;
                writer.pair(",", "value", value)?;
                writer.put("}")
            }),
            Val::Record(fields) => self.all("{", fields, "}", |writer, (name, value)| writer.pair("", name, value)),
            Val::Variant(name, payload) => {
                self.put("{\"tag\":")?;
                self.string(name)?;
                if let Some(payload) = payload {
                    self.pair(",", "val", payload)?;
                }
                self.put("}")
            }
            Val::Flags(names) => self.all("[", names, "]", |writer, name| writer.string(name)),
            Val::Option(None) => self.put("null"),
            Val::Option(Some(value)) if matches!(**value, Val::Option(_)) => self.only("some", Some(value)),
            Val::Option(Some(value)) => self.value(value),
            Val::Result(Ok(payload)) => self.only("ok", payload.as_deref()),
            Val::Result(Err(payload)) => self.only("err", payload.as_deref()),
            // Functions with such a result were left out when the component was looked at.
            Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => self.put("null"),
        }
    }

    fn all<T>(
        &mut self,
        open: &str,
        values: &[T],
        close: &str,
        each: impl Fn(&mut Self, &T) -> Result<(), TooLarge>,
    ) -> Result<(), TooLarge> {
        self.put(open)?;
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.put(",")?;
            }
            each(self, value)?;
        }
        self.put(close)
    }

    fn only(&mut self, name: &str, value: Option<&Val>) -> Result<(), TooLarge> {
        match value {
            Some(value) => self.pair("{", name, value)?,
            None => {
                self.put("{")?;
                self.string(name)?;
                self.put(":null")?;
            }
        }
        self.put("}")
    }

    fn pair(&mut self, before: &str, name: &str, value: &Val) -> Result<(), TooLarge> {
        self.put(before)?;
        self.string(name)?;
        self.put(":")?;
        self.value(value)
    }

    /// JSON has no word for three of them: they are text, as wassette writes it.
    fn float(&mut self, number: f64) -> Result<(), TooLarge> {
        match Number::from_f64(number) {
            Some(number) => self.put(&number.to_string()),
            None => self.string(&number.to_string()),
        }
    }

    fn string(&mut self, text: &str) -> Result<(), TooLarge> {
        if text.len() > self.bytes_max {
            return Err(TooLarge);
        }
        self.put(&serde_json::Value::from(text).to_string())
    }

    fn put(&mut self, text: &str) -> Result<(), TooLarge> {
        if self.text.len() + text.len() > self.bytes_max {
            return Err(TooLarge);
        }
        self.text.push_str(text);
        Ok(())
    }
}
