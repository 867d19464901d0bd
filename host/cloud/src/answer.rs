//! From what an SDK answers to JSON in AWS's own names, and pages joined into one answer.
//!
//! The SDK's types have no names at run time, so the tables in `fields/` give them. What is not there is left out, as
//! `aws` leaves it out.

use std::collections::HashMap;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

/// What has a place in an answer. None: it is left out.
pub(crate) trait Answer {
    fn answer(&self) -> Option<Value>;
}

impl Answer for String {
    fn answer(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Answer for bool {
    fn answer(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
}

impl Answer for i32 {
    fn answer(&self) -> Option<Value> {
        Some(json!(self))
    }
}

impl Answer for i64 {
    fn answer(&self) -> Option<Value> {
        Some(json!(self))
    }
}

/// JSON has no NaN and no infinity: null keeps the place of a point among the points.
impl Answer for f64 {
    fn answer(&self) -> Option<Value> {
        Some(serde_json::Number::from_f64(*self).map_or(Value::Null, Value::Number))
    }
}

impl Answer for DateTime {
    fn answer(&self) -> Option<Value> {
        self.fmt(Format::DateTime).ok().map(Value::String)
    }
}

impl<T: Answer> Answer for Option<T> {
    fn answer(&self) -> Option<Value> {
        self.as_ref()?.answer()
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn answer(&self) -> Option<Value> {
        Some(Value::Array(self.iter().map(|value| value.answer().unwrap_or(Value::Null)).collect()))
    }
}

/// By key, so that the same answer reads the same.
impl<T: Answer> Answer for HashMap<String, T> {
    fn answer(&self) -> Option<Value> {
        let mut keys: Vec<&String> = self.keys().collect();
        keys.sort();
        let entries = keys.into_iter().filter_map(|key| Some((key.clone(), self.get(key)?.answer()?)));
        Some(Value::Object(entries.collect()))
    }
}

/// A field of an object, if it is there.
pub(crate) fn put(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value);
    }
}

/// An answer of these fields, as far as they are there.
pub(crate) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let mut object = Map::new();
    for (name, value) in fields {
        put(&mut object, name, value);
    }
    Value::Object(object)
}

/// A type of an SDK and the names of its fields.
macro_rules! record {
    ($type:ty { $($name:literal: $field:ident,)* }) => {
        impl $crate::answer::Answer for $type {
            fn answer(&self) -> Option<serde_json::Value> {
                let mut object = serde_json::Map::new();
                $($crate::answer::put(&mut object, $name, $crate::answer::Answer::answer(&self.$field));)*
                Some(serde_json::Value::Object(object))
            }
        }
    };
}

/// Types of an SDK that are one of some words; one that the SDK does not know yet is told as it came.
macro_rules! word {
    ($($type:ty,)*) => {
        $(impl $crate::answer::Answer for $type {
            fn answer(&self) -> Option<serde_json::Value> {
                Some(self.as_str().into())
            }
        })*
    };
}
pub(crate) use {record, word};

/// The entries of an answer over its pages, up to a limit.
pub(crate) struct Joined {
    items: Vec<Value>,
    items_max: usize,
    bytes: usize,
    is_truncated: bool,
    token: Option<String>,
}

/// What all pages of an answer may have together. What is held is some times as much.
const BYTES_MAX: usize = 16 << 20;
/// How many entries there are if the call does not say.
const ITEMS_DEFAULT: usize = 1000;

impl Joined {
    pub(crate) fn new(items_max: Option<i64>) -> Self {
        let items_max = items_max.and_then(|max| usize::try_from(max).ok()).unwrap_or(ITEMS_DEFAULT);
        Self { items: Vec::new(), items_max, bytes: 0, is_truncated: false, token: None }
    }

    /// Take a page. Whether the one that `token` names is wanted as well.
    pub(crate) fn add(&mut self, page: Option<Value>, token: Option<String>) -> bool {
        let Some(Value::Array(page)) = page.or_else(|| Some(json!([]))) else { return false };
        for item in page {
            self.bytes += size(&item);
            if self.items.len() >= self.items_max || self.bytes > BYTES_MAX {
                self.is_truncated = true;
                return false;
            }
            self.items.push(item);
        }
        let token = token.filter(|token| !token.is_empty());
        let Some(token) = token else { return false };
        // A server that names the same page again would be asked for ever.
        if self.items.len() >= self.items_max || self.token.as_ref() == Some(&token) {
            self.is_truncated = true;
            return false;
        }
        self.token = Some(token);
        true
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    pub(crate) fn items(&mut self) -> &mut Vec<Value> {
        &mut self.items
    }

    pub(crate) fn answer(self, name: &str) -> Value {
        let mut object = Map::new();
        object.insert(name.to_owned(), Value::Array(self.items));
        if self.is_truncated {
            object.insert("Truncated".into(), Value::Bool(true));
        }
        Value::Object(object)
    }
}

/// About what a value takes as text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(size).sum::<usize>() + 2,
        Value::Object(object) => object.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>() + 2,
        _ => 8,
    }
}

/// Ask for one page after the other: `request`, how a page is named to it, its list and the name of the next page.
macro_rules! pages {
    ($session:expr, $limit:expr, $request:expr, $set_token:ident, $list:ident, $token:ident) => {{
        let request = $request;
        let mut joined = $crate::answer::Joined::new($limit);
        loop {
            let sent = request.clone().$set_token(joined.token()).send().await;
            let page = sent.map_err(|error| $session.failure(error))?;
            if !joined.add($crate::answer::Answer::answer(&page.$list), page.$token.clone()) {
                break;
            }
        }
        joined
    }};
}
pub(crate) use pages;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_names_itself_ends_the_answer() {
        let mut joined = Joined::new(None);
        assert!(joined.add(Some(json!([1])), Some("a".into())));
        assert!(!joined.add(Some(json!([2])), Some("a".into())));
        assert_eq!(joined.answer("L"), json!({"L": [1, 2], "Truncated": true}));
    }

    #[test]
    fn what_is_over_the_limit_is_cut_and_says_so() {
        let mut joined = Joined::new(Some(2));
        assert!(!joined.add(Some(json!([1, 2, 3])), None));
        assert_eq!(joined.answer("L"), json!({"L": [1, 2], "Truncated": true}));
        let mut exact = Joined::new(Some(2));
        assert!(!exact.add(Some(json!([1, 2])), None));
        assert_eq!(exact.answer("L"), json!({"L": [1, 2]}));
    }

    #[test]
    fn entries_are_cut_at_the_bytes_of_an_answer() {
        let mut joined = Joined::new(Some(100));
        let line = "x".repeat(5 << 20);
        assert!(!joined.add(Some(json!([line, line, line, line])), None));
        let answer = joined.answer("L");
        assert_eq!((answer["L"].as_array().unwrap().len(), &answer["Truncated"]), (3, &json!(true)));
    }

    #[test]
    fn a_point_that_is_no_number_keeps_its_place() {
        assert_eq!(vec![1.0, f64::NAN, 2.0].answer(), Some(json!([1.0, null, 2.0])));
    }
}
