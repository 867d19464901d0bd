//! The operations on AWS that an agent may be granted, behind one JSON face.
//!
//! An operation is named as IAM names it (`ec2:RebootInstances`). Its arguments and its answer are JSON in AWS's own
//! names, as `aws ... --output json` prints them: PascalCase, but for CloudWatch Logs, whose own names begin with a small
//! letter. Times are RFC 3339 in answers, and may be in arguments. Pages are joined up to a limit; what was cut says
//! `"Truncated": true`.
//!
//! A call is checked in full before anything is sent (`Call::read`), so that who decides about it decides about exactly
//! what will be done. This is the only place that names the AWS SDKs, and it knows nothing of the host: neither the
//! environment nor the clock is read here, what is needed of the environment is in `Settings`.
//!
//! To add an operation: an entry in the table of its service with its parameters, an arm in the service's `call`, and
//! the names of its answer's fields.

mod account;
mod answer;
mod argument;
mod call;
mod error;
mod fields;
mod operation;
mod service;
mod session;
mod shape;
mod tags;
mod transport;

pub use account::{Account, Identity, Settings};
pub use call::{Call, Resource};
pub use error::Error;
pub use operation::{Operation, Severity, operation, operations};
