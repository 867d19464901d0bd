//! CloudWatch: metrics and alarms.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types as aws;
use serde_json::{Map, Value};

use crate::answer::{Answer as _, Joined, object, pages, put};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, parameter, read, required};
use crate::service::{ITEMS, in_order, start_before_end};
use crate::session::Session;
use crate::shape::{Name, Parameter, Shape, Unit};

const NAMESPACE: Shape = Shape::Text { max: 255 };
const METRIC_NAME: Shape = Shape::Text { max: 255 };
const DIMENSIONS: Shape = Shape::List { of: &Shape::Dimension, min: 0, max: 30 };
const PERIOD: Shape = Shape::Integer { min: 1, max: 86_400 };
const TIME: Shape = Shape::Time(Unit::Text);
const ALARM: Shape = Shape::Name(Name::Alarm);
const ALARM_TYPES: Shape = Shape::List { of: &Shape::OneOf(&["MetricAlarm", "CompositeAlarm"]), min: 1, max: 2 };
const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
/// What CloudWatch gives in one page at most.
const PAGE_MAX: i32 = 100;
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

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    let limit = a.number("MaxRecords");
    Ok(match action {
        "GetMetricData" => return all_metric_data(session, &client, a).await,
        "GetMetricStatistics" => {
            let words = |name| a.texts(name).unwrap_or_default();
            let statistics: Vec<_> = words("Statistics").iter().map(|word| word.as_str().into()).collect();
            let request = client.get_metric_statistics().set_namespace(a.text("Namespace"));
            let request = request.set_metric_name(a.text("MetricName")).set_dimensions(dimensions(a));
            let request = request.set_start_time(a.time("StartTime")).set_end_time(a.time("EndTime"));
            let request = request.set_period(a.integer("Period")).set_unit(a.str("Unit").map(Into::into));
            let request = request.set_statistics(Some(statistics).filter(|list| !list.is_empty()));
            let sent = request.set_extended_statistics(a.texts("ExtendedStatistics")).send().await;
            let mut sent = sent.map_err(|error| session.failure(error))?;
            // AWS says itself that they come in no order.
            sent.datapoints
                .iter_mut()
                .for_each(|points| points.sort_by_key(|point| point.timestamp.map(|time| time.secs())));
            object([("Label", sent.label.answer()), ("Datapoints", sent.datapoints.unwrap_or_default().answer())])
        }
        "ListMetrics" => {
            let filter = |d: Arguments<'_>| {
                aws::DimensionFilter::builder().set_name(d.text("Name")).set_value(d.text("Value")).build()
            };
            let filters = a.has("Dimensions").then(|| a.records("Dimensions").into_iter().map(filter).collect());
            let request =
                client.list_metrics().set_namespace(a.text("Namespace")).set_metric_name(a.text("MetricName"));
            let request = request.set_dimensions(filters).set_recently_active(a.str("RecentlyActive").map(Into::into));
            pages!(session, a.number("MaxResults"), request, set_next_token, metrics, next_token).answer("Metrics")
        }
        "DescribeAlarms" => return alarms(session, &client, a).await,
        "DescribeAlarmHistory" => {
            let request = client.describe_alarm_history().set_alarm_name(a.text("AlarmName"));
            let request = request.set_alarm_types(alarm_types(a)).max_records(PAGE_MAX);
            let request = request.set_history_item_type(a.str("HistoryItemType").map(Into::into));
            let request = request.set_start_date(a.time("StartDate")).set_end_date(a.time("EndDate"));
            let request = request.set_scan_by(a.str("ScanBy").map(Into::into));
            pages!(session, limit, request, set_next_token, alarm_history_items, next_token).answer("AlarmHistoryItems")
        }
        _ => return Err(session.unsent()),
    })
}

/// Of both kinds there are pages, in which either may be missing.
async fn alarms(session: &Session<'_>, client: &Client, a: Arguments<'_>) -> Result<Value, Error> {
    let request = client.describe_alarms().set_alarm_names(a.texts("AlarmNames"));
    let request = request.set_alarm_name_prefix(a.text("AlarmNamePrefix")).set_alarm_types(alarm_types(a));
    let request = request.set_state_value(a.str("StateValue").map(Into::into)).max_records(PAGE_MAX);
    let mut joined = Joined::new(a.number("MaxRecords"));
    loop {
        let sent = request.clone().set_next_token(joined.token()).send().await;
        let page = sent.map_err(|error| session.failure(error))?;
        let marked = |alarms: Option<Value>, kind: &str| {
            let alarms = alarms.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
            alarms.into_iter().map(|alarm| object([(kind, Some(alarm))])).collect::<Vec<_>>()
        };
        let mut both = marked(page.metric_alarms.answer(), "MetricAlarms");
        both.extend(marked(page.composite_alarms.answer(), "CompositeAlarms"));
        if !joined.add(Some(Value::Array(both)), page.next_token) {
            break;
        }
    }
    let mut answer = Map::new();
    for kind in ["MetricAlarms", "CompositeAlarms"] {
        let of_kind = joined.items().iter().filter_map(|alarm| alarm.get(kind).cloned());
        answer.insert(kind.into(), Value::Array(of_kind.collect()));
    }
    joined.items().clear();
    put(&mut answer, "Truncated", joined.answer("").get("Truncated").cloned());
    Ok(Value::Object(answer))
}

/// A page may hold more points of a metric that an earlier one had already: they are put together by the metric's id
/// and label.
async fn all_metric_data(session: &Session<'_>, client: &Client, a: Arguments<'_>) -> Result<Value, Error> {
    let points_max = a.number("MaxDatapoints").unwrap_or(100_800);
    let queries = a.records("MetricDataQueries").into_iter().map(query).collect();
    let request = client.get_metric_data().set_metric_data_queries(Some(queries));
    let request = request.set_start_time(a.time("StartTime")).set_end_time(a.time("EndTime"));
    let request = request.set_scan_by(a.str("ScanBy").map(Into::into));
    let mut results: Vec<aws::MetricDataResult> = Vec::new();
    let (mut messages, mut points, mut token, mut is_truncated) = (Vec::new(), 0, None::<String>, false);
    loop {
        let sent = request.clone().set_next_token(token.clone()).send().await;
        let page = sent.map_err(|error| session.failure(error))?;
        messages.extend(page.messages.unwrap_or_default());
        for mut result in page.metric_data_results.unwrap_or_default() {
            let left = usize::try_from(points_max - points).unwrap_or(0);
            is_truncated |= cut(&mut result.timestamps, left) | cut(&mut result.values, left);
            points += result.values.as_ref().map_or(0, |values| i64::try_from(values.len()).unwrap_or(i64::MAX));
            match results.iter_mut().find(|known| known.id == result.id && known.label == result.label) {
                Some(known) => {
                    known.timestamps.get_or_insert_default().extend(result.timestamps.unwrap_or_default());
                    known.values.get_or_insert_default().extend(result.values.unwrap_or_default());
                    known.status_code = result.status_code;
                }
                None => results.push(result),
            }
        }
        let next = page.next_token.filter(|next| !next.is_empty());
        if next.is_none() {
            break;
        }
        // A server that names the same page again would be asked for ever.
        if points >= points_max || next == token {
            is_truncated = true;
            break;
        }
        token = next;
    }
    let truncated = is_truncated.then_some(Value::Bool(true));
    Ok(object([("MetricDataResults", results.answer()), ("Messages", messages.answer()), ("Truncated", truncated)]))
}

fn cut<T>(list: &mut Option<Vec<T>>, left: usize) -> bool {
    let is_longer = list.as_ref().is_some_and(|list| list.len() > left);
    if let Some(list) = list {
        list.truncate(left);
    }
    is_longer
}

fn query(q: Arguments<'_>) -> aws::MetricDataQuery {
    let stat = q.record("MetricStat").map(|stat| {
        let metric = stat.record("Metric").unwrap_or(Arguments(None));
        let named = aws::Metric::builder().set_namespace(metric.text("Namespace"));
        let named = named.set_metric_name(metric.text("MetricName")).set_dimensions(dimensions(metric)).build();
        let built = aws::MetricStat::builder().metric(named).set_period(stat.integer("Period"));
        built.set_stat(stat.text("Stat")).set_unit(stat.str("Unit").map(Into::into)).build()
    });
    let built = aws::MetricDataQuery::builder().set_id(q.text("Id")).set_metric_stat(stat);
    let built = built.set_expression(q.text("Expression")).set_label(q.text("Label"));
    built.set_return_data(q.boolean("ReturnData")).set_period(q.integer("Period")).build()
}

fn dimensions(a: Arguments<'_>) -> Option<Vec<aws::Dimension>> {
    let dimension =
        |d: Arguments<'_>| aws::Dimension::builder().set_name(d.text("Name")).set_value(d.text("Value")).build();
    a.has("Dimensions").then(|| a.records("Dimensions").into_iter().map(dimension).collect())
}

fn alarm_types(a: Arguments<'_>) -> Option<Vec<aws::AlarmType>> {
    Some(a.texts("AlarmTypes")?.iter().map(|word| word.as_str().into()).collect())
}
