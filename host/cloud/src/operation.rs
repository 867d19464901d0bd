//! The table of operations: what there is, how much it may do, what it takes.
//!
//! Each service has its part of the table in its own file. What is not in it cannot be asked for.

use std::sync::LazyLock;

use serde_json::Value;

use crate::argument::Arguments;
use crate::service;
use crate::shape::Parameter;

/// How much an operation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Changes nothing.
    Read,
    /// Changes something, in a way that what runs is meant to survive.
    Write,
    /// May end or lose something: a machine that stops, a script that can do anything.
    Destructive,
}

impl Severity {
    /// As it is shown: `read`, `write`, `destructive`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// An operation of AWS that can be called.
pub struct Operation {
    /// Exactly as IAM names it: `ec2:RebootInstances`.
    pub name: &'static str,
    pub severity: Severity,
    /// Whether there is a way back that leaves things as they were. Reads change nothing, so they are.
    pub is_reversible: bool,
    /// The operation that takes it back, if there is one.
    pub inverse: Option<&'static str>,
    pub summary: &'static str,
    /// The JSON schema of its arguments.
    pub schema: fn() -> Value,
    pub(crate) parameters: &'static [Parameter],
    /// What no schema can say: how arguments go together.
    pub(crate) rule: fn(Arguments<'_>) -> Result<(), String>,
}

impl Operation {
    /// What stands before the colon: `ec2`.
    pub fn service(&self) -> &'static str {
        self.name.split(':').next().unwrap_or_default()
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).field("severity", &self.severity).finish_non_exhaustive()
    }
}

/// All operations, by service.
pub fn operations() -> &'static [Operation] {
    static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
        let mut all = Vec::new();
        all.extend(service::ec2::operations());
        all.extend(service::cloudwatch::operations());
        all.extend(service::logs::operations());
        all.extend(service::rds::operations());
        all.extend(service::ssm::operations());
        all.extend(service::autoscaling::operations());
        all.extend(service::elasticloadbalancing::operations());
        all.extend(service::cloudtrail::operations());
        all
    });
    &OPERATIONS
}

/// The operation of this name.
pub fn operation(name: &str) -> Option<&'static Operation> {
    operations().iter().find(|operation| operation.name == name)
}

/// An operation that changes nothing.
macro_rules! read {
    ($name:literal, $summary:literal, $parameters:expr) => {
        read!($name, $summary, $parameters, |_| Ok(()))
    };
    ($name:literal, $summary:literal, $parameters:expr, $rule:expr) => {
        $crate::operation::Operation {
            name: $name,
            severity: $crate::operation::Severity::Read,
            is_reversible: true,
            inverse: None,
            summary: $summary,
            schema: || $crate::shape::schema($parameters),
            parameters: $parameters,
            rule: $rule,
        }
    };
}

/// An operation that changes something.
macro_rules! change {
    ($name:literal, $severity:ident, inverse $inverse:expr, $summary:literal, $parameters:expr, $rule:expr) => {{
        let inverse: Option<&'static str> = $inverse;
        $crate::operation::Operation {
            name: $name,
            severity: $crate::operation::Severity::$severity,
            is_reversible: inverse.is_some(),
            inverse,
            summary: $summary,
            schema: || $crate::shape::schema($parameters),
            parameters: $parameters,
            rule: $rule,
        }
    }};
}

/// A parameter that may be left out, or that must be there.
macro_rules! parameter {
    ($name:literal, $shape:expr) => {
        parameter!($name, $shape, "")
    };
    ($name:literal, $shape:expr, $about:literal) => {
        $crate::shape::Parameter { name: $name, shape: $shape, is_required: false, about: $about }
    };
}
macro_rules! required {
    ($name:literal, $shape:expr) => {
        required!($name, $shape, "")
    };
    ($name:literal, $shape:expr, $about:literal) => {
        $crate::shape::Parameter { name: $name, shape: $shape, is_required: true, about: $about }
    };
}
pub(crate) use {change, parameter, read, required};
