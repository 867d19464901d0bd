//! The services: for each its part of the table of operations, and how they are sent.

pub(crate) mod autoscaling;
pub(crate) mod cloudtrail;
pub(crate) mod cloudwatch;
pub(crate) mod ec2;
pub(crate) mod elasticloadbalancing;
pub(crate) mod logs;
pub(crate) mod rds;
pub(crate) mod ssm;

use serde_json::Value;

use crate::argument::Arguments;
use crate::call::Call;
use crate::error::Error;
use crate::session::Session;
use crate::shape::{Parameter, Shape};

/// How many entries an answer may have, over all of its pages, and how many it has if the call does not say.
pub(crate) const ITEMS_MAX: i64 = 10_000;

/// How many entries the answer may have: AWS's own name for the size of a page, here of all pages together.
pub(crate) const ITEMS: Shape = Shape::Integer { min: 1, max: ITEMS_MAX };

/// `[{"Name": ..., "Values": [...]}]`.
pub(crate) const FILTERS: Shape = Shape::List { of: &Shape::Record(FILTER), min: 1, max: 20 };
const FILTER: &[Parameter] = &[
    Parameter { name: "Name", shape: Shape::Text { max: 255 }, is_required: true, about: "" },
    Parameter {
        name: "Values",
        shape: Shape::List { of: &Shape::Text { max: 255 }, min: 1, max: 200 },
        is_required: true,
        about: "",
    },
];

/// Two times of a call are in order.
pub(crate) fn in_order(from: Option<i64>, to: Option<i64>, names: (&str, &str)) -> Result<(), String> {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(format!("`{}` must be before `{}`", names.0, names.1)),
        _ => Ok(()),
    }
}

/// `StartTime` and `EndTime`, as most services name them.
pub(crate) fn start_before_end(arguments: Arguments<'_>) -> Result<(), String> {
    let seconds = |name| arguments.time(name).map(|time| time.secs());
    in_order(seconds("StartTime"), seconds("EndTime"), ("StartTime", "EndTime"))
}

/// Send a call to its service.
pub(crate) async fn send(session: &Session<'_>, call: &Call) -> Result<Value, Error> {
    let (service, action) = call.operation().name.split_once(':').unwrap_or_default();
    let arguments = call.read_arguments();
    match service {
        "ec2" => ec2::send(session, action, arguments).await,
        "cloudwatch" => cloudwatch::send(session, action, arguments).await,
        "logs" => logs::send(session, action, arguments).await,
        "rds" => rds::send(session, action, arguments).await,
        "ssm" => ssm::send(session, action, arguments).await,
        "autoscaling" => autoscaling::send(session, action, arguments).await,
        "elasticloadbalancing" => elasticloadbalancing::send(session, action, arguments).await,
        "cloudtrail" => cloudtrail::send(session, action, arguments).await,
        _ => Err(session.unsent()),
    }
}

/// Ask whether a call would be done. Only EC2 can be asked.
pub(crate) async fn dry_run(session: &Session<'_>, call: &Call) -> Result<(), Error> {
    match call.operation().name.split_once(':').unwrap_or_default() {
        ("ec2", action) => ec2::dry_run(session, action, call.read_arguments()).await,
        (service, _) => Err(Error::Failed {
            operation: call.operation().name.into(),
            code: "NoDryRun".into(),
            message: format!("AWS has no dry run for {service}"),
            hint: "only operations of ec2 can be asked for without being done".into(),
        }),
    }
}
