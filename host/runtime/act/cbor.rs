//! Between JSON, which this host speaks, and CBOR, which components of ACT do.
//!
//! As ACT's own host shows the one as the other: `{"$bytes": "<base64>"}` stands for bytes, and a key that begins with
//! `$` gets one `$` more. What goes to a component is deterministic (RFC 8949, 4.2), as ACT asks for; what comes from
//! one may be anything, and is bounded before and while it is read.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ciborium::Value;
use ciborium::de::from_reader_with_recursion_limit;
use ciborium::value::Integer;
use serde_json::Value as Json;

/// Of CBOR that a component gave. Danger: one byte of it becomes a value of 32 in the host's memory.
pub(super) const CBOR_BYTES_MAX: usize = 2 << 20;
/// How deep values are nested. Danger: each level takes of the host's stack; and JSON that is deeper than 128 is read
/// by few.
pub(super) const DEPTH_MAX: usize = 100;

/// What ACT wraps bytes in.
const BYTES: &str = "$bytes";

/// Why CBOR cannot be shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CborError {
    #[error("its CBOR has more than {} MiB", CBOR_BYTES_MAX >> 20)]
    TooLarge,
    #[error("its CBOR is nested more than {DEPTH_MAX} deep")]
    TooDeep,
    #[error("its CBOR is broken, or cut short")]
    Broken,
    #[error("more follows its CBOR")]
    More,
    #[error("a map of its CBOR has one key twice")]
    Twice,
    #[error("a map of its CBOR has a key that is neither text nor a number")]
    Key,
}

/// Arguments as CBOR.
///
/// # Errors
/// What stands for bytes and is no base64.
pub(super) fn of_json(json: &Json) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail; if it ever did, nothing may be called with half of the arguments.
    ciborium::into_writer(&value(json)?, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// A text as CBOR.
pub(super) fn of_text(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    ciborium::into_writer(text, &mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn value(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::Integer(number.into()),
            (_, Some(number), _) => Value::Integer(number.into()),
            (_, _, Some(number)) => Value::Float(number),
            _ => return Err(format!("no number that can be sent: {number}")),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(values) => Value::Array(values.iter().map(value).collect::<Result<_, _>>()?),
        Json::Object(object) => match (object.len(), object.get(BYTES)) {
            (1, Some(Json::String(text))) => Value::Bytes(
                BASE64.decode(text).map_err(|error| format!("`{BYTES}` has to be base64, and is not: {error}"))?,
            ),
            (1, Some(_)) => return Err(format!("`{BYTES}` has to be bytes as base64, in a text")),
            _ => {
                let mut entries: Vec<(&str, &Json)> = object.iter().map(|(key, value)| (own_key(key), value)).collect();
                // The order of the encoded keys: a text begins with its length.
                entries.sort_by_key(|(key, _)| (key.len(), *key));
                if entries.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
                    return Err("one key stands twice in an object".into());
                }
                let entry = |(key, json): (&str, &Json)| Ok((Value::Text(key.to_owned()), value(json)?));
                Value::Map(entries.into_iter().map(entry).collect::<Result<_, String>>()?)
            }
        },
    })
}

/// A key without the `$` that keeps it from being one of ACT's own.
fn own_key(key: &str) -> &str {
    if key.starts_with("$$") { key.get(1..).unwrap_or(key) } else { key }
}

/// What a component gave as JSON.
///
/// # Errors
/// It is no CBOR, or none that can be JSON.
pub(super) fn to_json(bytes: &[u8]) -> Result<String, CborError> {
    if bytes.len() > CBOR_BYTES_MAX {
        return Err(CborError::TooLarge);
    }
    let mut rest = bytes;
    let value: Value = from_reader_with_recursion_limit(&mut rest, DEPTH_MAX).map_err(|error| match error {
        ciborium::de::Error::RecursionLimitExceeded => CborError::TooDeep,
        _ => CborError::Broken,
    })?;
    if !rest.is_empty() {
        return Err(CborError::More);
    }
    let mut text = String::with_capacity(bytes.len());
    write(&value, &mut text)?;
    Ok(text)
}

fn write(value: &Value, text: &mut String) -> Result<(), CborError> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Integer(number) => write_integer(*number, text),
        // As with other components: JSON has no word for these.
        Value::Float(number) if number.is_nan() => text.push_str("\"NaN\""),
        Value::Float(number) if number.is_infinite() => {
            text.push_str(if *number > 0.0 { "\"inf\"" } else { "\"-inf\"" });
        }
        Value::Float(number) => text.push_str(&Json::from(*number).to_string()),
        Value::Text(words) => write_text(words, text),
        Value::Bytes(bytes) => {
            let _ = write!(text, "{{\"{BYTES}\":\"{}\"}}", BASE64.encode(bytes));
        }
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(value, text)?;
            }
            text.push(']');
        }
        Value::Map(entries) => {
            // Of two values of one key readers take the first or the last, as they like.
            let mut seen = HashSet::new();
            text.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                let key = match key {
                    Value::Text(key) if key.starts_with('$') => format!("${key}"),
                    Value::Text(key) => key.clone(),
                    Value::Integer(number) => i128::from(*number).to_string(),
                    _ => return Err(CborError::Key),
                };
                write_text(&key, text);
                text.push(':');
                if !seen.insert(key) {
                    return Err(CborError::Twice);
                }
                write(value, text)?;
            }
            text.push('}');
        }
        // What a tag says of its value has no place in JSON; the value has.
        Value::Tag(_, inner) => write(inner, text)?,
        _ => return Err(CborError::Broken),
    }
    Ok(())
}

/// As text where JSON's readers would round it.
fn write_integer(number: Integer, text: &mut String) {
    let number = i128::from(number);
    let is_plain = i64::try_from(number).is_ok() || u64::try_from(number).is_ok();
    let _ = if is_plain { write!(text, "{number}") } else { write!(text, "\"{number}\"") };
}

fn write_text(words: &str, text: &mut String) {
    text.push_str(&Json::from(words).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(bytes: &[u8]) -> Result<Json, CborError> {
        to_json(bytes).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn what_is_json_comes_back_as_it_was() {
        for json in [
            json!(null),
            json!({"b": [1, -2, 2.5, true, "x\u{0}\"\n", null], "a": {"$bytes": "AP8="}, "$$bytes": "no bytes"}),
            json!([u64::MAX, i64::MIN, 1e300, 0]),
        ] {
            assert_eq!(shown(&of_json(&json).unwrap()), Ok(json));
        }
    }

    #[test]
    fn arguments_are_deterministic() {
        // The shorter key first, the shortest number, one order whatever the JSON had.
        let [one, other] = [r#"{"bb":1.5,"c":24,"a":23}"#, r#"{"a":23,"c":24,"bb":1.5}"#]
            .map(|text| of_json(&serde_json::from_str(text).unwrap()).unwrap());
        assert_eq!(one, other);
        assert_eq!(one, [0xa3, 0x61, b'a', 0x17, 0x61, b'c', 0x18, 24, 0x62, b'b', b'b', 0xf9, 0x3e, 0x00]);
    }

    #[test]
    fn bytes_that_are_none_are_an_error() {
        for json in [json!({"$bytes": "@"}), json!({"$bytes": 4}), json!({"$$x": 1, "$x": 2})] {
            of_json(&json).unwrap_err();
        }
    }

    #[test]
    fn what_json_has_no_word_for_is_text() {
        let map = [
            0xa3, 0x01, 0xf9, 0x7e, 0x00, 0x20, 0xf9, 0xfc, 0x00, 0x61, b'x', 0x3b, 255, 255, 255, 255, 255, 255, 255,
            255,
        ];
        assert_eq!(shown(&map), Ok(json!({"1": "NaN", "-1": "-inf", "x": "-18446744073709551616"})));
        // A time, by its tag.
        assert_eq!(shown(&[0xc1, 0x05]), Ok(json!(5)));
    }

    #[test]
    fn it_is_as_deep_as_it_may_be_and_no_deeper() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0x00]].concat();
        let deepest = (1..=DEPTH_MAX + 1).take_while(|levels| to_json(&nested(*levels)).is_ok()).count();
        assert!((DEPTH_MAX - 2..=DEPTH_MAX).contains(&deepest), "{deepest}");
        assert_eq!(shown(&nested(100_000)), Err(CborError::TooDeep));
        assert_eq!(shown(&[vec![0xc1; 100_000], vec![0x00]].concat()), Err(CborError::TooDeep));
    }

    #[test]
    fn it_is_as_large_as_it_may_be_and_no_larger() {
        let text = |bytes: usize| {
            let length = u32::try_from(bytes - 5).unwrap().to_be_bytes();
            [vec![0x7a], length.to_vec(), vec![b'x'; bytes - 5]].concat()
        };
        assert!(to_json(&text(CBOR_BYTES_MAX)).is_ok());
        assert_eq!(to_json(&text(CBOR_BYTES_MAX + 1)), Err(CborError::TooLarge));
    }

    #[test]
    fn what_is_no_cbor_is_an_error() {
        for (bytes, error) in [
            (&[][..], CborError::Broken),
            (&[0xff], CborError::Broken),
            // More is announced than the machine has.
            (&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], CborError::Broken),
            (&[0x7b, 127, 255, 255, 255, 255, 255, 255, 255, b'x'], CborError::Broken),
            (&[0x5f, 0x41, 0x00], CborError::Broken),
            (&[0x00, 0x00], CborError::More),
            (&[0xa2, 0x61, b'a', 0x00, 0x61, b'a', 0x01], CborError::Twice),
            (&[0xa2, 0x61, b'1', 0x00, 0x01, 0x01], CborError::Twice),
            (&[0xa1, 0x80, 0x00], CborError::Key),
        ] {
            assert_eq!(to_json(bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn no_byte_that_is_changed_makes_it_panic() {
        let bytes = of_json(&json!({"b": [1, 2.5, "x", null], "a": {"$bytes": "AP8="}})).unwrap();
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Ok(text) = to_json(&changed) {
                    serde_json::from_str::<Json>(&text).unwrap();
                }
            }
        }
    }
}
