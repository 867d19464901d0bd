//! What an argument may be: its schema for who writes calls, and the check of a call against the same table.
//!
//! Everything has a bound, because arguments come from a model: texts and lists their length, numbers their range. What
//! names a resource has the form that AWS gives it; anything else would only be sent to be refused.

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::argument::timestamp;
use crate::call::Resource;

/// An argument of an operation.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) is_required: bool,
    pub(crate) about: &'static str,
}

/// What a value may be.
pub(crate) enum Shape {
    Text {
        max: usize,
    },
    /// Text of a form: the pattern, and what it is in words.
    Pattern {
        pattern: &'static str,
        says: &'static str,
    },
    Name(Name),
    OneOf(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    Time(Unit),
    List {
        of: &'static Shape,
        min: usize,
        max: usize,
    },
    Record(&'static [Parameter]),
    /// `{"Name": ..., "Value": ...}` of a metric: names a resource where AWS calls the dimension by its id.
    Dimension,
}

/// How a time may be written besides RFC 3339: as AWS's own number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Text,
    Seconds,
    Milliseconds,
}

/// Something that has a name in AWS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Instance,
    ManagedInstance,
    Volume,
    Database,
    Cluster,
    Alarm,
    LogGroup,
    AutoScalingGroup,
    TargetGroup,
    LoadBalancer,
    Command,
    Query,
}

impl Name {
    /// Kind of resource, its service, what its name looks like, and that in words.
    fn form(self) -> (&'static str, &'static str, &'static str, &'static str) {
        const DATABASE: &str = "^[A-Za-z](?:-?[A-Za-z0-9]){0,62}$";
        const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
        match self {
            Self::Instance => {
                ("instance", "ec2", "^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$", "`i-` and 17 (or 8) hexadecimal digits")
            }
            Self::ManagedInstance => (
                "instance",
                "ec2",
                "^(?:i-(?:[0-9a-f]{8}|[0-9a-f]{17})|mi-[0-9a-f]{17})$",
                "`i-` or `mi-` and 17 hexadecimal digits",
            ),
            Self::Volume => {
                ("volume", "ec2", "^vol-(?:[0-9a-f]{8}|[0-9a-f]{17})$", "`vol-` and 17 (or 8) hexadecimal digits")
            }
            Self::Database => (
                "database",
                "rds",
                DATABASE,
                "the name of a DB instance: letters, digits and single hyphens, 63 at most",
            ),
            Self::Cluster => {
                ("cluster", "rds", DATABASE, "the name of a DB cluster: letters, digits and single hyphens, 63 at most")
            }
            Self::Alarm => ("alarm", "cloudwatch", r"^[^\x00-\x1f\x7f]{1,255}$", "the name of an alarm, 255 at most"),
            Self::LogGroup => (
                "log-group",
                "logs",
                "^[.\\-_/#A-Za-z0-9]{1,512}$",
                "the name of a log group: letters, digits and . - _ / #, 512 at most",
            ),
            Self::AutoScalingGroup => (
                "auto-scaling-group",
                "autoscaling",
                r"^[^\x00-\x1f\x7f:]{1,255}$",
                "the name of an Auto Scaling group, 255 at most",
            ),
            Self::TargetGroup => (
                "target-group",
                "elasticloadbalancing",
                "^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]{1,30}:[0-9]{12}:targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{8,32}$",
                "the ARN of a target group",
            ),
            Self::LoadBalancer => (
                "load-balancer",
                "elasticloadbalancing",
                "^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]{1,30}:[0-9]{12}:loadbalancer/(?:app|net|gwy)/[A-Za-z0-9-]{1,32}/[0-9a-f]{8,32}$",
                "the ARN of a load balancer",
            ),
            Self::Command => ("command", "ssm", UUID, "the id of a command: a UUID"),
            Self::Query => ("query", "logs", UUID, "the id of a query: a UUID"),
        }
    }
}

/// The dimensions of a metric that name a resource.
const DIMENSIONS: &[(&str, Name)] = &[
    ("InstanceId", Name::Instance),
    ("VolumeId", Name::Volume),
    ("DBInstanceIdentifier", Name::Database),
    ("DBClusterIdentifier", Name::Cluster),
    ("AutoScalingGroupName", Name::AutoScalingGroup),
    ("LogGroupName", Name::LogGroup),
];

/// The JSON schema of the arguments of an operation.
pub(crate) fn schema(parameters: &[Parameter]) -> Value {
    let properties: Map<String, Value> = parameters
        .iter()
        .map(|parameter| {
            let mut schema = parameter.shape.schema();
            if let (Some(schema), false) = (schema.as_object_mut(), parameter.about.is_empty()) {
                schema.insert("description".into(), parameter.about.into());
            }
            (parameter.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = parameters.iter().filter(|p| p.is_required).map(|p| p.name).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

impl Shape {
    fn schema(&self) -> Value {
        match self {
            Self::Text { max } => json!({"type": "string", "minLength": 1, "maxLength": max}),
            Self::Pattern { pattern, .. } => json!({"type": "string", "pattern": pattern}),
            Self::Name(name) => json!({"type": "string", "pattern": name.form().2}),
            Self::OneOf(known) => json!({"type": "string", "enum": known}),
            Self::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::Time(Unit::Text) => json!({"type": "string", "format": "date-time"}),
            Self::Time(_) => json!({"type": ["string", "integer"], "format": "date-time"}),
            Self::List { of, min, max } => {
                json!({"type": "array", "items": of.schema(), "minItems": min, "maxItems": max})
            }
            Self::Record(parameters) => schema(parameters),
            Self::Dimension => schema(DIMENSION),
        }
    }

    /// Check a value that stands at `place`, and collect the resources that it names. The error is a sentence.
    fn check(&self, place: &str, value: &Value, named: &mut Vec<Resource>) -> Result<(), String> {
        match self {
            Self::Text { max } => text(place, value, *max).map(|_| ()),
            Self::Pattern { pattern, says } => form(place, value, pattern, says).map(|_| ()),
            Self::Name(name) => {
                let (kind, service, pattern, says) = name.form();
                let id = form(place, value, pattern, says)?;
                let resource = Resource { kind: kind.into(), service: service.into(), id: id.into() };
                if !named.contains(&resource) {
                    named.push(resource);
                }
                Ok(())
            }
            Self::OneOf(known) => match value.as_str() {
                Some(text) if known.contains(&text) => Ok(()),
                _ => Err(format!("`{place}` must be one of {}, is: {}", known.join(", "), shown(value))),
            },
            Self::Integer { min, max } => match value.as_i64() {
                Some(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => Err(format!("`{place}` must be a whole number from {min} to {max}, is: {}", shown(value))),
            },
            Self::Boolean => match value {
                Value::Bool(_) => Ok(()),
                _ => Err(format!("`{place}` must be true or false, is: {}", shown(value))),
            },
            Self::Time(unit) => timestamp(value, *unit).map(|_| ()).map_err(|why| format!("`{place}` {why}")),
            Self::List { of, min, max } => {
                let Some(list) = value.as_array() else {
                    return Err(format!("`{place}` must be a list, is: {}", shown(value)));
                };
                if list.len() < *min || list.len() > *max {
                    return Err(format!("`{place}` must have {min} to {max} entries, has: {}", list.len()));
                }
                for (at, value) in list.iter().enumerate() {
                    of.check(&format!("{place}[{at}]"), value, named)?;
                }
                Ok(())
            }
            Self::Record(parameters) => check(place, parameters, value, named),
            Self::Dimension => {
                check(place, DIMENSION, value, named)?;
                let field = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
                match DIMENSIONS.iter().find(|(name, _)| *name == field("Name")) {
                    Some((_, name)) => Self::Name(*name).check(
                        &format!("{place}.Value"),
                        value.get("Value").unwrap_or(&Value::Null),
                        named,
                    ),
                    None => Ok(()),
                }
            }
        }
    }
}

const DIMENSION: &[Parameter] = &[
    Parameter { name: "Name", shape: Shape::Text { max: 255 }, is_required: true, about: "" },
    Parameter { name: "Value", shape: Shape::Text { max: 1024 }, is_required: true, about: "" },
];

/// Check an object against its parameters. `place` is empty for the arguments themselves.
pub(crate) fn check(
    place: &str,
    parameters: &[Parameter],
    value: &Value,
    named: &mut Vec<Resource>,
) -> Result<(), String> {
    let here = if place.is_empty() { "the arguments" } else { place };
    let Some(object) = value.as_object() else {
        return Err(format!("`{here}` must be an object, is: {}", shown(value)));
    };
    let inside = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    for (name, value) in object {
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
            return Err(unknown(&inside(name), name, parameters));
        };
        parameter.shape.check(&inside(name), value, named)?;
    }
    match parameters.iter().find(|parameter| parameter.is_required && !object.contains_key(parameter.name)) {
        Some(missing) => Err(format!("`{}` is missing", inside(missing.name))),
        None => Ok(()),
    }
}

fn unknown(place: &str, name: &str, parameters: &[Parameter]) -> String {
    let shown: String = place.chars().take(120).collect();
    if let Some(meant) = parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name)) {
        return format!("unknown argument `{shown}`, it is written `{}`", meant.name);
    }
    if parameters.is_empty() {
        return format!("unknown argument `{shown}`, there are none");
    }
    let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    format!("unknown argument `{shown}`, known are: {}", known.join(", "))
}

fn text<'a>(place: &str, value: &'a Value, max: usize) -> Result<&'a str, String> {
    let Some(text) = value.as_str() else {
        return Err(format!("`{place}` must be a text, is: {}", shown(value)));
    };
    let length = text.chars().count();
    if length == 0 || length > max {
        return Err(format!("`{place}` must have 1 to {max} characters, has: {length}"));
    }
    if text.contains('\0') {
        return Err(format!("`{place}` has a zero character"));
    }
    Ok(text)
}

/// Text of a form. A pattern that cannot be read fits nothing; a test reads them all.
fn form<'a>(place: &str, value: &'a Value, pattern: &str, says: &str) -> Result<&'a str, String> {
    let text = text(place, value, 4096)?;
    match Regex::new(pattern) {
        Ok(regex) if regex.is_match(text) => Ok(text),
        _ => Err(format!("`{place}` must be {says}, is: {}", shown(value))),
    }
}

/// A value in an error: short, and never over several lines.
fn shown(value: &Value) -> String {
    const SHOWN_MAX: usize = 80;
    let text = match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
