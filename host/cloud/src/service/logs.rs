//! CloudWatch Logs: groups, events by filter, Logs Insights. AWS's own names begin with a small letter here.

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_types::DateTime;
use regex_lite::Regex;
use serde_json::Value;

use crate::answer::{Answer as _, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, in_order};
use crate::session::Session;
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

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    let limit = a.number("limit");
    let mut answer = match action {
        "DescribeLogGroups" => {
            let request = client.describe_log_groups().set_log_group_name_prefix(a.text("logGroupNamePrefix"));
            let request = request.set_log_group_name_pattern(a.text("logGroupNamePattern")).limit(50);
            pages!(session, limit, request, set_next_token, log_groups, next_token).answer("logGroups")
        }
        "FilterLogEvents" => {
            let request = client.filter_log_events().set_log_group_name(a.text("logGroupName"));
            let request = request.set_log_stream_names(a.texts("logStreamNames"));
            let request = request.set_log_stream_name_prefix(a.text("logStreamNamePrefix"));
            let request = request.set_start_time(a.milliseconds("startTime")).set_end_time(a.milliseconds("endTime"));
            let request = request.set_filter_pattern(a.text("filterPattern")).set_limit(a.integer("limit"));
            pages!(session, limit, request, set_next_token, events, next_token).answer("events")
        }
        "StartQuery" => {
            let request = client.start_query().set_log_group_name(a.text("logGroupName"));
            let request = request.set_log_group_names(a.texts("logGroupNames")).set_limit(a.integer("limit"));
            let request = request.set_start_time(a.seconds("startTime")).set_end_time(a.seconds("endTime"));
            let sent = request.set_query_string(a.text("queryString")).send().await;
            sent.map_err(|error| session.failure(error))?.answer().unwrap_or_default()
        }
        "GetQueryResults" => {
            let sent = client.get_query_results().set_query_id(a.text("queryId")).send().await;
            let sent = sent.map_err(|error| session.failure(error))?;
            let mut answer = sent.answer().unwrap_or_default();
            if let (Some(answer), true) = (answer.as_object_mut(), sent.next_token.is_some()) {
                answer.insert("Truncated".into(), Value::Bool(true));
            }
            answer
        }
        _ => return Err(session.unsent()),
    };
    times(&mut answer);
    Ok(answer)
}

/// CloudWatch Logs alone has its times as milliseconds. In answers they are written as everywhere else.
fn times(answer: &mut Value) {
    const TIMES: [&str; 3] = ["timestamp", "ingestionTime", "creationTime"];
    match answer {
        Value::Array(list) => list.iter_mut().for_each(times),
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_i64().filter(|_| TIMES.contains(&name.as_str())) {
                    Some(milliseconds) => *value = DateTime::from_millis(milliseconds).answer().unwrap_or_default(),
                    None => times(value),
                }
            }
        }
        _ => {}
    }
}
