//! What a runbook is given: names with types, defaults and bounds. Each value is checked before anything is done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration;
use crate::near::{self, shown};
use crate::problem::{Place, Problem, Problems};

/// The values of a run, by name: those given, and the defaults of the others.
pub type Parameters = BTreeMap<String, Value>;

/// Characters of a text that is given.
const TEXT_CHARS_MAX: usize = 4_000;
const NAME_CHARS_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Any text.
    Text,
    /// One word that no shell reads as more: a service, a unit, a host, an id.
    Name,
    /// An absolute path of such words.
    Path,
    Integer,
    Number,
    Boolean,
    /// `30s`.
    Duration,
}

impl Type {
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("text", Self::Text),
        ("name", Self::Name),
        ("path", Self::Path),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("duration", Self::Duration),
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }

    /// Whether its values may stand within a longer text as they are.
    pub(crate) fn is_one_word(self) -> bool {
        self != Self::Text
    }

    fn read(self, text: &str) -> Value {
        let number = match self {
            Self::Integer => text.parse::<i64>().ok().map(Value::from),
            Self::Number => text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            Self::Boolean => text.parse::<bool>().ok().map(Value::Bool),
            _ => None,
        };
        number.unwrap_or_else(|| Value::String(text.to_owned()))
    }

    fn complaint(self, value: &Value) -> Option<String> {
        let is_right = match (self, value) {
            (Self::Text, Value::String(text)) => text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0'),
            (Self::Name, Value::String(text)) => is_name(text),
            (Self::Path, Value::String(text)) => {
                let mut parts = text.strip_prefix('/').unwrap_or("..").split('/').filter(|part| !part.is_empty());
                text.chars().count() <= TEXT_CHARS_MAX && parts.all(|part| part != ".." && part.chars().all(is_of_word))
            }
            (Self::Duration, Value::String(text)) => duration::parse(text).is_ok(),
            (Self::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (Self::Number, Value::Number(_)) | (Self::Boolean, Value::Bool(_)) => true,
            _ => false,
        };
        let wanted = match self {
            Self::Text => "a text of at most 4000 characters",
            Self::Name => "one word of letters, digits and `. _ : @ + -`, beginning with a letter or a digit",
            Self::Path => "an absolute path of letters, digits and `. _ : @ + -`, without `..`",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Duration => "a length of time: `500ms`, `30s`, `5m`, `1h`",
        };
        (!is_right).then(|| format!("`{}` is not {wanted}", shown(value.as_str().unwrap_or(&value.to_string()))))
    }
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._:@+-".contains(character)
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_of_word)
}

/// What an agent fills a parameter with, of the target that it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Service,
    Kind,
    Account,
    Region,
    Id,
}

impl Source {
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("service", Self::Service),
        ("kind", Self::Kind),
        ("account", Self::Account),
        ("region", Self::Region),
        ("id", Self::Id),
    ];
}

/// What kind of thing a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Local,
    Instance,
    Database,
    Cluster,
}

impl Kind {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("local", Self::Local),
        ("instance", Self::Instance),
        ("database", Self::Database),
        ("cluster", Self::Cluster),
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }
}

/// What is sick: as `service_list` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub service: String,
    /// None: a service of this machine.
    #[serde(default)]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default)]
    pub id: Option<String>,
}

impl Target {
    pub(crate) fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Local)
    }

    fn value(&self, source: Source) -> Option<String> {
        match source {
            Source::Service => Some(self.service.clone()).filter(|service| !service.is_empty()),
            Source::Kind => Some(self.kind().name().to_owned()),
            Source::Account => self.account.clone(),
            Source::Region => self.region.clone(),
            Source::Id => self.id.clone(),
        }
    }
}

/// A parameter as the front matter declares it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Type,
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Source>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    #[serde(skip)]
    pub(crate) place: Place,
}

impl Parameter {
    /// What is wrong with a value.
    pub(crate) fn complaint(&self, value: &Value) -> Option<String> {
        if let Some(complaint) = self.kind.complaint(value) {
            return Some(complaint);
        }
        if !self.one_of.is_empty() && !self.one_of.contains(value) {
            let all: Vec<String> = self.one_of.iter().map(ToString::to_string).collect();
            return Some(format!("`{}` is none of {}", shown(&value.to_string()), all.join(", ")));
        }
        let number = value.as_f64()?;
        match (self.minimum, self.maximum) {
            (Some(minimum), _) if number < minimum => Some(format!("{number} is less than {minimum}")),
            (_, Some(maximum)) if number > maximum => Some(format!("{number} is more than {maximum}")),
            _ => None,
        }
    }
}

/// The values of a run. Texts are read by the type that is declared, so that a command line can give all of them.
///
/// # Errors
/// One is not known, missing, or not what is declared.
pub(crate) fn filled(declared: &[Parameter], given: &Parameters) -> Result<Parameters, Problems> {
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| declared.iter().all(|own| own.name != **name)) {
        let hint = near::hint(name, declared.iter().map(|own| own.name.as_str()));
        problems.push(Problem::new(Place::default(), format!("there is no parameter `{}`", shown(name))).hint(hint));
    }
    let mut filled = Parameters::new();
    for parameter in declared {
        let value = given.get(&parameter.name).or(parameter.default.as_ref());
        let name = &parameter.name;
        let Some(value) = value else {
            let problem = Problem::new(parameter.place, format!("the parameter `{name}` has no value"));
            problems.push(problem.hint(format!("--parameter {name}=... ({})", parameter.kind.name())));
            continue;
        };
        let value = match value {
            Value::String(text) => parameter.kind.read(text),
            other => other.clone(),
        };
        match parameter.complaint(&value) {
            None => _ = filled.insert(name.clone(), value),
            Some(complaint) => {
                problems.push(Problem::new(parameter.place, format!("the parameter `{name}`: {complaint}")));
            }
        }
    }
    Problems::of(problems).map(|()| filled)
}

/// What is known of the parameters from a target.
pub(crate) fn of_target(declared: &[Parameter], target: &Target) -> Parameters {
    let known = declared.iter().filter_map(|parameter| {
        let value = target.value(parameter.from?)?;
        Some((parameter.name.clone(), Value::String(value)))
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for right in ["shop", "nginx.service", "getty@tty1", "i-0abc", "a_b:c+1", "10.0.0.1"] {
            assert_eq!(Type::Name.complaint(&json!(right)), None, "{right}");
        }
        for wrong in ["", "-rf", "a b", "a;b", "$(x)", "a/b", "`x`", "ä", "a\n", ".hidden"] {
            assert!(Type::Name.complaint(&json!(wrong)).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_path_is_absolute_and_stays_where_it_points() {
        assert_eq!(Type::Path.complaint(&json!("/var/log/shop.log")), None);
        for wrong in ["", "var", "/var/../etc", "/a b", "/a;b", "/$HOME"] {
            assert!(Type::Path.complaint(&json!(wrong)).is_some(), "{wrong}");
        }
    }
}
