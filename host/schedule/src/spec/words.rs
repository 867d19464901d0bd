//! `misfire` and `overlap` are a word, or a table with one key where the word needs a value. Serde's own enums would take a
//! table for a plain word as well, and would say of a wrong one that "no variant matches".

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::spec::{Misfire, Overlap};

impl Serialize for Misfire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Skip => serializer.serialize_str("skip"),
            Self::Latest => serializer.serialize_str("latest"),
            Self::All(most) => one(serializer, "all", most),
            Self::Deadline(length) => one(serializer, "deadline", length),
        }
    }
}

impl Serialize for Overlap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Forbid => serializer.serialize_str("forbid"),
            Self::Replace => serializer.serialize_str("replace"),
            Self::Queue(most) => one(serializer, "queue", most),
            Self::Allow(most) => one(serializer, "allow", most),
        }
    }
}

fn one<S: Serializer>(serializer: S, key: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl<'de> Deserialize<'de> for Misfire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MisfireVisitor)
    }
}

struct MisfireVisitor;

const MISFIRES: &str = "`misfire` takes \"skip\", \"latest\", \"all\", { all = 20 } or { deadline = \"1h\" }";

impl<'de> Visitor<'de> for MisfireVisitor {
    type Value = Misfire;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MISFIRES)
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Misfire, E> {
        match word {
            "skip" => Ok(Misfire::Skip),
            "latest" => Ok(Misfire::Latest),
            "all" => Ok(Misfire::All(Misfire::ALL_DEFAULT)),
            other => Err(E::custom(format_args!("{MISFIRES}: `{}`", crate::error::shortened(other)))),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Misfire, M::Error> {
        let value = match map.next_key::<String>()?.as_deref() {
            Some("all") => Misfire::All(map.next_value()?),
            Some("deadline") => Misfire::Deadline(map.next_value()?),
            _ => return Err(M::Error::custom(MISFIRES)),
        };
        last(&mut map, MISFIRES).map(|()| value)
    }
}

impl<'de> Deserialize<'de> for Overlap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OverlapVisitor)
    }
}

struct OverlapVisitor;

const OVERLAPS: &str = "`overlap` takes \"forbid\", \"queue\", { queue = 3 }, \"replace\", \"allow\" or { allow = 2 }";

impl<'de> Visitor<'de> for OverlapVisitor {
    type Value = Overlap;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(OVERLAPS)
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Overlap, E> {
        match word {
            "forbid" => Ok(Overlap::Forbid),
            "queue" => Ok(Overlap::Queue(Overlap::QUEUE_DEFAULT)),
            "replace" => Ok(Overlap::Replace),
            "allow" => Ok(Overlap::Allow(Overlap::ALLOW_DEFAULT)),
            other => Err(E::custom(format_args!("{OVERLAPS}: `{}`", crate::error::shortened(other)))),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Overlap, M::Error> {
        let value = match map.next_key::<String>()?.as_deref() {
            Some("queue") => Overlap::Queue(map.next_value()?),
            Some("allow") => Overlap::Allow(map.next_value()?),
            _ => return Err(M::Error::custom(OVERLAPS)),
        };
        last(&mut map, OVERLAPS).map(|()| value)
    }
}

fn last<'de, M: MapAccess<'de>>(map: &mut M, allowed: &str) -> Result<(), M::Error> {
    match map.next_key::<String>()? {
        Some(_) => Err(M::Error::custom(allowed)),
        None => Ok(()),
    }
}
