//! From JSON to the values of a component: the arguments of a call.
//!
//! The arguments match the tool's schema when they come here. What a schema does not say (a number in
//! text that is too large, bytes that are no base64) is an error that names the place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

/// Values of one call, those inside of others too. Danger: a value takes up to 40 bytes of the host's
/// memory, where its JSON may have two, and its base64 less than two.
pub(super) const VALUES_MAX: usize = 1 << 20;
/// Of a value that does not fit, in an error.
const SHOWN_CHARS_MAX: usize = 64;
/// Names that an error lists.
const LISTED_MAX: usize = 16;
/// The largest integer that a floating-point number has with all of its neighbours: JSON of some
/// clients writes integers as `1.0`.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Why JSON is no value of a type, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// `.points[3].x`; empty for the arguments themselves.
    pub(super) place: String,
    pub(super) what: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => write!(f, "the arguments {}", self.what),
            place => write!(f, "at `{place}`: it {}", self.what),
        }
    }
}

/// The arguments of a function, in its order.
pub(super) fn arguments<'a>(text: &str, parameters: impl Iterator<Item = (&'a str, Type)>) -> Result<Vec<Val>, Misfit> {
    let mut reader = Reader { place: Vec::new(), left: VALUES_MAX };
    let value = serde_json::from_str::<Value>(text).map_err(|error| reader.misfit(format!("are not JSON: {error}")))?;
    let Some(object) = value.as_object() else {
        return Err(reader.misfit("have to be an object"));
    };
    let parameters: Vec<(&str, Type)> = parameters.collect();
    Ok(reader.fields(object, &parameters)?.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
pub(super) fn value(json: &Value, ty: &Type) -> Result<Val, Misfit> {
    Reader { place: Vec::new(), left: VALUES_MAX }.value(json, ty)
}

struct Reader {
    place: Vec<Step>,
    /// Values that may still be made.
    left: usize,
}

enum Step {
    Name(String),
    Index(usize),
}

impl Reader {
    fn value(&mut self, json: &Value, ty: &Type) -> Result<Val, Misfit> {
        self.take(1)?;
        Ok(match ty {
            Type::Bool => Val::Bool(json.as_bool().ok_or_else(|| self.wrong("true or false", json))?),
            Type::S8 => Val::S8(self.integer(json, i8::MIN, i8::MAX)?),
            Type::U8 => Val::U8(self.integer(json, u8::MIN, u8::MAX)?),
            Type::S16 => Val::S16(self.integer(json, i16::MIN, i16::MAX)?),
            Type::U16 => Val::U16(self.integer(json, u16::MIN, u16::MAX)?),
            Type::S32 => Val::S32(self.integer(json, i32::MIN, i32::MAX)?),
            Type::U32 => Val::U32(self.integer(json, u32::MIN, u32::MAX)?),
            Type::S64 => Val::S64(self.integer(json, i64::MIN, i64::MAX)?),
            Type::U64 => Val::U64(self.integer(json, u64::MIN, u64::MAX)?),
            Type::Float32 => {
                let number = self.float(json)?;
                let narrow = narrowed(number);
                if number.is_finite() && !narrow.is_finite() {
                    return Err(self.wrong("a number that 32 bits have", json));
                }
                Val::Float32(narrow)
            }
            Type::Float64 => Val::Float64(self.float(json)?),
            Type::Char => {
                let mut characters = json.as_str().unwrap_or_default().chars();
                match (characters.next(), characters.next()) {
                    (Some(character), None) => Val::Char(character),
                    _ => return Err(self.wrong("one character", json)),
                }
            }
            Type::String => Val::String(json.as_str().ok_or_else(|| self.wrong("a text", json))?.to_owned()),
            Type::List(list) => Val::List(self.items(json, &list.ty())?),
            Type::FixedLengthList(list) => {
                let items = self.items(json, &list.ty())?;
                if u32::try_from(items.len()).is_ok_and(|count| count == list.len()) {
                    Val::FixedLengthList(items)
                } else {
                    return Err(self.misfit(format!("has to have {} entries, and has: {}", list.len(), items.len())));
                }
            }
            Type::Map(map) => Val::Map(self.entries(json, &map.key(), &map.value())?),
            Type::Tuple(tuple) => {
                let types: Vec<Type> = tuple.types().collect();
                let array = json.as_array().filter(|array| array.len() == types.len());
                let array = array.ok_or_else(|| self.wrong(&format!("an array of {}", types.len()), json))?;
                let mut values = Vec::with_capacity(types.len());
                for (index, (json, ty)) in array.iter().zip(&types).enumerate() {
                    values.push(self.at(Step::Index(index), |reader| reader.value(json, ty))?);
                }
                Val::Tuple(values)
            }
            Type::Record(record) => {
                let object = json.as_object().ok_or_else(|| self.wrong("an object", json))?;
                let fields: Vec<(&str, Type)> = record.fields().map(|field| (field.name, field.ty)).collect();
                Val::Record(self.fields(object, &fields)?)
            }
            Type::Variant(variant) => {
                let tag = json.get("tag").and_then(Value::as_str);
                let case = variant.cases().find(|case| Some(case.name) == tag);
                let Some(case) = case else {
                    let names = listed(variant.cases().map(|case| case.name));
                    return Err(self.wrong(&format!("an object with a `tag` that is one of {names}"), json));
                };
                let keys = if case.ty.is_some() { &["tag", "val"][..] } else { &["tag"] };
                let object = self.object(json, keys)?;
                let payload = match case.ty {
                    Some(ty) => Some(Box::new(self.key(object, "val", &ty)?)),
                    None => None,
                };
                Val::Variant(case.name.to_owned(), payload)
            }
            Type::Enum(names) => match json.as_str().filter(|name| names.names().any(|known| known == *name)) {
                Some(name) => Val::Enum(name.to_owned()),
                None => return Err(self.wrong(&format!("one of {}", listed(names.names())), json)),
            },
            Type::Flags(flags) => Val::Flags(self.flags(json, &flags.names().collect::<Vec<_>>())?),
            Type::Option(option) => Val::Option(match json {
                Value::Null => None,
                some => {
                    let ty = option.ty();
                    let value = if matches!(ty, Type::Option(_)) {
                        let object = self.object(some, &["some"])?;
                        self.key(object, "some", &ty)?
                    } else {
                        self.value(some, &ty)?
                    };
                    Some(Box::new(value))
                }
            }),
            Type::Result(result) => {
                let key = if json.get("err").is_some() { "err" } else { "ok" };
                let ty = if key == "err" { result.err() } else { result.ok() };
                let object = self.object(json, &[key])?;
                let payload = match (ty, object.get(key)) {
                    (Some(ty), _) => Some(Box::new(self.key(object, key, &ty)?)),
                    (None, Some(Value::Null)) => None,
                    (None, Some(other)) => {
                        return self.at(Step::Name(key.into()), |reader| Err(reader.wrong("null", other)));
                    }
                    (None, None) => return Err(self.wrong("an object with `ok` or `err`", json)),
                };
                Val::Result(if key == "err" { Err(payload) } else { Ok(payload) })
            }
            // Such a function was left out when the component was looked at.
            Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
                return Err(self.misfit("cannot be written as JSON"));
            }
        })
    }

    /// Each field by its name, in the order of the type. What is an option may be left out.
    fn fields(&mut self, object: &Map<String, Value>, fields: &[(&str, Type)]) -> Result<Vec<(String, Val)>, Misfit> {
        if let Some(unknown) = object.keys().find(|key| !fields.iter().any(|(name, _)| name == key)) {
            let known = listed(fields.iter().map(|(name, _)| *name));
            let what = format!("is unknown; there are: {known}");
            return self.at(Step::Name(unknown.clone()), |reader| Err(reader.misfit(what)));
        }
        let mut values = Vec::with_capacity(fields.len());
        for (name, ty) in fields {
            let value = match object.get(*name) {
                None if matches!(ty, Type::Option(_)) => {
                    self.take(1)?;
                    Val::Option(None)
                }
                _ => self.key(object, name, ty)?,
            };
            values.push(((*name).to_owned(), value));
        }
        Ok(values)
    }

    fn key(&mut self, object: &Map<String, Value>, name: &str, ty: &Type) -> Result<Val, Misfit> {
        self.at(Step::Name(name.to_owned()), |reader| match object.get(name) {
            Some(json) => reader.value(json, ty),
            None => Err(reader.misfit("is missing")),
        })
    }

    fn items(&mut self, json: &Value, ty: &Type) -> Result<Vec<Val>, Misfit> {
        if let (Type::U8, Value::String(text)) = (ty, json) {
            // Looked at before it is decoded: three bytes in four characters.
            self.take((text.len() / 4).saturating_mul(3))?;
            let bytes = BASE64.decode(text).map_err(|error| self.misfit(format!("is no base64: {error}")))?;
            return Ok(bytes.into_iter().map(Val::U8).collect());
        }
        let array = json.as_array().ok_or_else(|| self.wrong("an array", json))?;
        let mut values = Vec::new();
        for (index, json) in array.iter().enumerate() {
            values.push(self.at(Step::Index(index), |reader| reader.value(json, ty))?);
        }
        Ok(values)
    }

    fn entries(&mut self, json: &Value, key: &Type, value: &Type) -> Result<Vec<(Val, Val)>, Misfit> {
        let array = json.as_array().ok_or_else(|| self.wrong("an array of objects with `key` and `value`", json))?;
        let mut entries = Vec::new();
        for (index, json) in array.iter().enumerate() {
            entries.push(self.at(Step::Index(index), |reader| {
                let object = reader.object(json, &["key", "value"])?;
                Ok((reader.key(object, "key", key)?, reader.key(object, "value", value)?))
            })?);
        }
        Ok(entries)
    }

    /// A list of the names that are set; or an object that says of names whether they are.
    fn flags(&mut self, json: &Value, known: &[&str]) -> Result<Vec<String>, Misfit> {
        let named: Vec<&str> = match json {
            Value::Array(array) => array.iter().map(|name| name.as_str().unwrap_or_default()).collect(),
            Value::Object(object) => {
                if let Some((name, other)) = object.iter().find(|(_, set)| !set.is_boolean()) {
                    return self.at(Step::Name(name.clone()), |reader| Err(reader.wrong("true or false", other)));
                }
                if let Some(unknown) = object.keys().find(|name| !known.contains(&name.as_str())) {
                    return Err(self.misfit(format!(
                        "names `{}`; there are: {}",
                        cut(unknown),
                        listed(known.iter().copied())
                    )));
                }
                object.iter().filter(|(_, set)| **set == Value::Bool(true)).map(|(name, _)| name.as_str()).collect()
            }
            _ => return Err(self.wrong(&format!("an array of {}", listed(known.iter().copied())), json)),
        };
        if let Some(index) = named.iter().position(|name| !known.contains(name)) {
            let what = format!("has to be one of {}", listed(known.iter().copied()));
            return self.at(Step::Index(index), |reader| Err(reader.misfit(what)));
        }
        self.take(known.len())?;
        Ok(known.iter().filter(|name| named.contains(name)).map(|name| (*name).to_owned()).collect())
    }

    /// An object with no keys but these.
    fn object<'j>(&self, json: &'j Value, keys: &[&str]) -> Result<&'j Map<String, Value>, Misfit> {
        let object = json.as_object().filter(|object| object.keys().all(|key| keys.contains(&key.as_str())));
        object.ok_or_else(|| self.wrong(&format!("an object of {}", listed(keys.iter().copied())), json))
    }

    fn integer<T>(&self, json: &Value, least: T, most: T) -> Result<T, Misfit>
    where
        T: TryFrom<i128> + fmt::Display,
    {
        let number = match json {
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Some(i128::from(number)),
                (_, Some(number), _) => Some(i128::from(number)),
                (_, _, Some(number)) => whole(number),
                _ => None,
            },
            Value::String(text) => text.parse::<i128>().ok(),
            _ => None,
        };
        let fitting = number.and_then(|number| T::try_from(number).ok());
        fitting.ok_or_else(|| self.wrong(&format!("an integer from {least} to {most}"), json))
    }

    fn float(&self, json: &Value) -> Result<f64, Misfit> {
        let number = match json {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => match text.as_str() {
                "NaN" => Some(f64::NAN),
                "inf" | "Infinity" => Some(f64::INFINITY),
                "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            _ => None,
        };
        number.ok_or_else(|| self.wrong("a number, or one of NaN, inf, -inf", json))
    }

    fn at<T>(&mut self, step: Step, inside: impl FnOnce(&mut Self) -> Result<T, Misfit>) -> Result<T, Misfit> {
        self.place.push(step);
        let result = inside(self);
        self.place.pop();
        result
    }

    fn take(&mut self, values: usize) -> Result<(), Misfit> {
        match self.left.checked_sub(values) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.misfit(format!("is too much: a call may have {VALUES_MAX} values in its arguments"))),
        }
    }

    fn wrong(&self, wanted: &str, json: &Value) -> Misfit {
        self.misfit(format!("has to be {wanted}, and is: {}", brief(json)))
    }

    fn misfit(&self, what: impl Into<String>) -> Misfit {
        let place = self.place.iter().map(|step| match step {
            Step::Name(name) => format!(".{}", cut(name)),
            Step::Index(index) => format!("[{index}]"),
        });
        Misfit { place: place.collect(), what: what.into() }
    }
}

/// The integer that a floating-point number is, where it is one.
fn whole(number: f64) -> Option<i128> {
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    #[allow(clippy::cast_possible_truncation, reason = "it has no fraction and is far within the range")]
    let integer = number as i128;
    is_whole.then_some(integer)
}

#[allow(clippy::cast_possible_truncation, reason = "the nearest number of 32 bits is what is wanted")]
fn narrowed(number: f64) -> f32 {
    number as f32
}

/// The kind of a value that does not fit, and of a short one all of it.
fn brief(json: &Value) -> String {
    match json {
        Value::Array(array) => format!("an array of {}", array.len()),
        Value::Object(object) => format!("an object of {}", listed(object.keys().map(String::as_str))),
        Value::String(text) => format!("\"{}\"", cut(text)),
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut listed: Vec<String> = names.take(LISTED_MAX + 1).map(|name| format!("`{}`", cut(name))).collect();
    if listed.len() > LISTED_MAX {
        listed.truncate(LISTED_MAX);
        listed.push("...".into());
    }
    if listed.is_empty() { "nothing".into() } else { listed.join(", ") }
}
