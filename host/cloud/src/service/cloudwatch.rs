//! CloudWatch: metrics and alarms.

use crate::argument::Arguments;
use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, in_order, start_before_end};
use crate::shape::{Name, Parameter, Shape, Unit};

const NAMESPACE: Shape = Shape::Text { max: 255 };
const METRIC_NAME: Shape = Shape::Text { max: 255 };
const DIMENSIONS: Shape = Shape::List { of: &Shape::Dimension, min: 0, max: 30 };
const PERIOD: Shape = Shape::Integer { min: 1, max: 86_400 };
const TIME: Shape = Shape::Time(Unit::Text);
const ALARM: Shape = Shape::Name(Name::Alarm);
const ALARM_TYPES: Shape = Shape::List { of: &Shape::OneOf(&["MetricAlarm", "CompositeAlarm"]), min: 1, max: 2 };
const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const UNIT: Shape = Shape::Text { max: 30 };

const METRIC: &[Parameter] = &[
    required!("Namespace", NAMESPACE, "`AWS/EC2`"),
    required!("MetricName", METRIC_NAME, "`CPUUtilization`"),
    parameter!("Dimensions", DIMENSIONS),
];
const METRIC_STAT: &[Parameter] = &[
    required!("Metric", Shape::Record(METRIC)),
    required!("Period", PERIOD, "seconds"),
    required!("Stat", Shape::Text { max: 50 }, "`Average`, `Sum`, `p99`"),
    parameter!("Unit", UNIT),
];
const QUERY: &[Parameter] = &[
    required!(
        "Id",
        Shape::Pattern {
            pattern: "^[a-z][a-zA-Z0-9_]{0,254}$",
            says: "a small letter, then letters, digits and underscores"
        }
    ),
    parameter!("MetricStat", Shape::Record(METRIC_STAT)),
    parameter!("Expression", Shape::Text { max: 2048 }, "metric math, or a SEARCH"),
    parameter!("Label", Shape::Text { max: 255 }),
    parameter!("ReturnData", Shape::Boolean),
    parameter!("Period", PERIOD, "seconds, of an expression"),
];
const GET_METRIC_DATA: &[Parameter] = &[
    required!("MetricDataQueries", Shape::List { of: &Shape::Record(QUERY), min: 1, max: 500 }),
    required!("StartTime", TIME),
    required!("EndTime", TIME),
    parameter!("ScanBy", Shape::OneOf(&["TimestampDescending", "TimestampAscending"])),
    parameter!("MaxDatapoints", Shape::Integer { min: 1, max: 100_800 }, "at most so many points in all"),
];
const GET_METRIC_STATISTICS: &[Parameter] = &[
    required!("Namespace", NAMESPACE, "`AWS/EC2`"),
    required!("MetricName", METRIC_NAME),
    parameter!("Dimensions", DIMENSIONS),
    required!("StartTime", TIME),
    required!("EndTime", TIME),
    required!("Period", PERIOD, "seconds"),
    parameter!("Statistics", Shape::List { of: &Shape::OneOf(STATISTICS), min: 1, max: 5 }),
    parameter!(
        "ExtendedStatistics",
        Shape::List { of: &Shape::Text { max: 50 }, min: 1, max: 10 },
        "percentiles: `p99`"
    ),
    parameter!("Unit", UNIT),
];
const DIMENSION_FILTER: &[Parameter] =
    &[required!("Name", Shape::Text { max: 255 }), parameter!("Value", Shape::Text { max: 1024 })];
const LIST_METRICS: &[Parameter] = &[
    parameter!("Namespace", NAMESPACE),
    parameter!("MetricName", METRIC_NAME),
    parameter!("Dimensions", Shape::List { of: &Shape::Record(DIMENSION_FILTER), min: 1, max: 10 }),
    parameter!("RecentlyActive", Shape::OneOf(&["PT3H"]), "only those with points in the last three hours"),
    parameter!("MaxResults", ITEMS, "at most so many metrics in all"),
];
const DESCRIBE_ALARMS: &[Parameter] = &[
    parameter!("AlarmNames", Shape::List { of: &ALARM, min: 1, max: 100 }),
    parameter!("AlarmNamePrefix", Shape::Text { max: 255 }),
    parameter!("AlarmTypes", ALARM_TYPES, "only metric alarms, if it is left out"),
    parameter!("StateValue", Shape::OneOf(&["OK", "ALARM", "INSUFFICIENT_DATA"])),
    parameter!("MaxRecords", ITEMS, "at most so many alarms in all"),
];
const DESCRIBE_ALARM_HISTORY: &[Parameter] = &[
    parameter!("AlarmName", ALARM),
    parameter!("AlarmTypes", ALARM_TYPES),
    parameter!("HistoryItemType", Shape::OneOf(&["ConfigurationUpdate", "StateUpdate", "Action"])),
    parameter!("StartDate", TIME),
    parameter!("EndDate", TIME),
    parameter!("ScanBy", Shape::OneOf(&["TimestampDescending", "TimestampAscending"])),
    parameter!("MaxRecords", ITEMS, "at most so many entries in all"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!(
            "cloudwatch:GetMetricData",
            "Points of several metrics at once, with metric math",
            GET_METRIC_DATA,
            |a| { metric_data(a) }
        ),
        read!("cloudwatch:GetMetricStatistics", "Points of one metric", GET_METRIC_STATISTICS, |a| {
            metric_statistics(a)
        }),
        read!("cloudwatch:ListMetrics", "Which metrics there are", LIST_METRICS),
        read!("cloudwatch:DescribeAlarms", "Alarms: state, why, metric and threshold", DESCRIBE_ALARMS, |a| {
            match (a.has("AlarmNames"), a.has("AlarmNamePrefix")) {
                (true, true) => Err("either `AlarmNames` or `AlarmNamePrefix`, not both".into()),
                _ => Ok(()),
            }
        }),
        read!("cloudwatch:DescribeAlarmHistory", "When alarms changed their state", DESCRIBE_ALARM_HISTORY, |a| {
            let seconds = |name| a.time(name).map(|time| time.secs());
            in_order(seconds("StartDate"), seconds("EndDate"), ("StartDate", "EndDate"))
        }),
    ]
}

/// Each query is a metric or an expression, and their ids differ.
fn metric_data(arguments: Arguments<'_>) -> Result<(), String> {
    start_before_end(arguments)?;
    let mut ids = Vec::new();
    for (at, query) in arguments.records("MetricDataQueries").into_iter().enumerate() {
        let place = format!("MetricDataQueries[{at}]");
        let expression = query.str("Expression");
        if query.has("MetricStat") == expression.is_some() {
            return Err(format!("`{place}` must have either `MetricStat` or `Expression`"));
        }
        // The one function of metric math that runs code of its own, which a read must not.
        if expression.is_some_and(|text| text.to_ascii_uppercase().contains("LAMBDA")) {
            return Err(format!("`{place}.Expression` must not call LAMBDA, which runs a function"));
        }
        if let Some(period) = query.record("MetricStat").and_then(|stat| stat.number("Period")) {
            whole_period(&format!("{place}.MetricStat.Period"), period)?;
        }
        let id = query.str("Id").unwrap_or_default();
        if ids.contains(&id) {
            return Err(format!("`{place}.Id` must be used once: {id}"));
        }
        ids.push(id);
    }
    Ok(())
}

/// CloudWatch refuses more than 1440 points of one metric; what it says then names no argument.
fn metric_statistics(arguments: Arguments<'_>) -> Result<(), String> {
    const POINTS_MAX: i64 = 1440;
    start_before_end(arguments)?;
    if arguments.has("Statistics") == arguments.has("ExtendedStatistics") {
        return Err("either `Statistics` or `ExtendedStatistics` must be given".into());
    }
    let period = arguments.number("Period").unwrap_or(60);
    whole_period("Period", period)?;
    let seconds = |name| arguments.time(name).map_or(0, |time| time.secs());
    let points = (seconds("EndTime") - seconds("StartTime")) / period.max(1);
    if points > POINTS_MAX {
        return Err(format!("{points} points of `Period` {period} s lie between the times, at most: {POINTS_MAX}"));
    }
    Ok(())
}

fn whole_period(place: &str, seconds: i64) -> Result<(), String> {
    match seconds {
        1 | 5 | 10 | 20 | 30 => Ok(()),
        minutes if minutes % 60 == 0 => Ok(()),
        other => Err(format!("`{place}` must be 1, 5, 10, 20, 30 or a multiple of 60, is: {other}")),
    }
}
