//! A call that was checked: the operation is known, the arguments fit it, every bound is kept.
//!
//! Whoever decides whether a call is done looks at this and at nothing else: what it would change (`resources`), and the
//! script that it would run on a machine (`script`). What is sent is read from the same arguments.

use regex_lite::Regex;
use serde_json::Value;

use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, operation, operations};
use crate::shape;

/// Something in AWS that a call names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// `instance`, `database`, `cluster`, `alarm`, `log-group`, `auto-scaling-group`, `target-group`, `load-balancer`,
    /// `command`, `query`, `volume`.
    pub kind: String,
    /// The service that it belongs to, as IAM names it.
    pub service: String,
    /// Its id, or its name where AWS knows it by that; the ARN of a target group.
    pub id: String,
}

/// A call that was checked. Invariant: `arguments` is an object that fits the operation's parameters and its rule, and
/// `resources` and `script` are what it names.
#[derive(Debug, Clone)]
pub struct Call {
    operation: &'static Operation,
    region: Option<String>,
    arguments: Value,
    resources: Vec<Resource>,
    script: Option<String>,
}

impl Call {
    /// Check a call. Nothing is sent. No arguments may be written as null.
    pub fn read(name: &str, region: Option<&str>, arguments: &Value) -> Result<Self, Error> {
        let operation = operation(name).ok_or_else(|| unknown(name))?;
        let wrong = |problem: String| Error::Arguments {
            operation: operation.name.into(),
            problem,
            hint: format!(
                "the arguments of {} are those that AWS documents; cloud_operations lists them",
                operation.name
            ),
        };
        let region = region.map(|region| read_region(operation, region)).transpose()?;
        let arguments = match arguments {
            Value::Null => Value::Object(serde_json::Map::new()),
            other => other.clone(),
        };
        let mut resources = Vec::new();
        shape::check("", operation.parameters, &arguments, &mut resources).map_err(wrong)?;
        (operation.rule)(Arguments::of(&arguments)).map_err(wrong)?;
        let script = script(&arguments);
        Ok(Self { operation, region, arguments, resources, script })
    }

    pub fn operation(&self) -> &'static Operation {
        self.operation
    }

    /// The region that the call itself names; without one it goes to the account's.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// What the call names by id, each once. A call that names nothing (a list of all, a filter) is about anything in the
    /// region.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The shell script that the call would run on its instances: of ssm:SendCommand alone.
    pub fn script(&self) -> Option<&str> {
        self.script.as_deref()
    }

    pub(crate) fn read_arguments(&self) -> Arguments<'_> {
        Arguments::of(&self.arguments)
    }
}

/// SSM's agent writes the commands to a file, a line each, and has it run: the script is those lines.
fn script(arguments: &Value) -> Option<String> {
    let commands = Arguments::of(arguments).record("Parameters")?.texts("commands")?;
    Some(commands.join("\n"))
}

/// The region becomes a part of the host name that the call is sent to.
pub(crate) fn is_region(region: &str) -> bool {
    Regex::new("^[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}$").is_ok_and(|form| form.is_match(region))
}

fn read_region(operation: &Operation, region: &str) -> Result<String, Error> {
    if is_region(region) {
        return Ok(region.to_owned());
    }
    let shown: String = region.chars().take(40).collect();
    Err(Error::Region {
        operation: operation.name.into(),
        problem: format!("this is not the name of one: {shown:?}"),
        hint: "it is written like eu-west-1; without one the account's own is used".into(),
    })
}

/// Another name of the same service, or all of them: who guesses reads what there is.
fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(80).collect();
    let (service, action) = name.split_once(':').unwrap_or((name, ""));
    let all = || operations().iter();
    let same_action = all().find(|known| {
        known.name.split_once(':').is_some_and(|(_, a)| a.eq_ignore_ascii_case(action) || a.eq_ignore_ascii_case(name))
    });
    let of_service: Vec<&str> =
        all().filter(|known| known.service().eq_ignore_ascii_case(service)).map(|known| known.name).collect();
    let hint = match same_action {
        Some(meant) => format!("it is written `{}`", meant.name),
        None if !of_service.is_empty() => format!("of this service there are: {}", of_service.join(", ")),
        None => {
            let mut services: Vec<&str> = all().map(|known| known.service()).collect();
            services.dedup();
            format!("operations are named like IAM's, `ec2:DescribeInstances`; services: {}", services.join(", "))
        }
    };
    Error::UnknownOperation { name: shown, hint }
}
