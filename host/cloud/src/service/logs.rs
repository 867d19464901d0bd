//! CloudWatch Logs: groups, events by filter, Logs Insights. AWS's own names begin with a small letter here.

use regex_lite::Regex;

use crate::argument::Arguments;
use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, in_order};
use crate::shape::{Name, Parameter, Shape, Unit};

const GROUP: Shape = Shape::Name(Name::LogGroup);

const DESCRIBE_LOG_GROUPS: &[Parameter] = &[
    parameter!("logGroupNamePrefix", GROUP, "names that begin so"),
    parameter!("logGroupNamePattern", Shape::Text { max: 512 }, "names that contain it"),
    parameter!("limit", ITEMS, "at most so many groups in all"),
];
const FILTER_LOG_EVENTS: &[Parameter] = &[
    required!("logGroupName", GROUP),
    parameter!("logStreamNames", Shape::List { of: &Shape::Text { max: 512 }, min: 1, max: 100 }),
    parameter!("logStreamNamePrefix", Shape::Text { max: 512 }),
    parameter!("startTime", Shape::Time(Unit::Milliseconds)),
    parameter!("endTime", Shape::Time(Unit::Milliseconds)),
    parameter!("filterPattern", Shape::Text { max: 1024 }, "`?ERROR ?Exception`, `{ $.status = 500 }`"),
    parameter!("limit", ITEMS, "at most so many events in all"),
];
const START_QUERY: &[Parameter] = &[
    parameter!("logGroupName", GROUP),
    parameter!("logGroupNames", Shape::List { of: &GROUP, min: 1, max: 50 }),
    required!("startTime", Shape::Time(Unit::Seconds)),
    required!("endTime", Shape::Time(Unit::Seconds)),
    required!(
        "queryString",
        Shape::Text { max: 10_000 },
        "Logs Insights: `fields @timestamp, @message | filter @message like /ERROR/ | sort @timestamp desc`"
    ),
    parameter!("limit", ITEMS, "at most so many rows"),
];
const GET_QUERY_RESULTS: &[Parameter] = &[required!("queryId", Shape::Name(Name::Query), "as logs:StartQuery told it")];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!("logs:DescribeLogGroups", "Which log groups there are", DESCRIBE_LOG_GROUPS, |a| {
            match (a.has("logGroupNamePrefix"), a.has("logGroupNamePattern")) {
                (true, true) => Err("either `logGroupNamePrefix` or `logGroupNamePattern`, not both".into()),
                _ => Ok(()),
            }
        }),
        read!("logs:FilterLogEvents", "Events of a log group, by time and filter", FILTER_LOG_EVENTS, |a| {
            if a.has("logStreamNames") && a.has("logStreamNamePrefix") {
                return Err("either `logStreamNames` or `logStreamNamePrefix`, not both".into());
            }
            in_order(a.milliseconds("startTime"), a.milliseconds("endTime"), ("startTime", "endTime"))
        }),
        read!(
            "logs:StartQuery",
            "Begin a query of Logs Insights; logs:GetQueryResults has its rows",
            START_QUERY,
            |a| { query(a) }
        ),
        read!("logs:GetQueryResults", "Rows of a query of Logs Insights, and whether it is done", GET_QUERY_RESULTS),
    ]
}

/// The log groups of a query are its arguments, which a grant looks at: SOURCE and unmask would go round them.
fn query(arguments: Arguments<'_>) -> Result<(), String> {
    in_order(arguments.seconds("startTime"), arguments.seconds("endTime"), ("startTime", "endTime"))?;
    if arguments.has("logGroupName") == arguments.has("logGroupNames") {
        return Err("either `logGroupName` or `logGroupNames` must be given".into());
    }
    let text = arguments.str("queryString").unwrap_or_default();
    let found = |pattern: &str| Regex::new(pattern).map_or(true, |form| form.is_match(text));
    if found(r"(?i)(?:^|[|(\n])\s*source\b") {
        return Err("`queryString` must not choose log groups by SOURCE: name them in `logGroupNames`".into());
    }
    if found(r"(?i)\bunmask\s*\(") {
        return Err("`queryString` must not use unmask(): masked data stays masked".into());
    }
    Ok(())
}
