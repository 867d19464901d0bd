//! What is measured of each kind of target, how CloudWatch is asked for all of it at once, and what it answers.
//!
//! Every series is asked for by the minute: one that is kept at five minutes then has a value at every fifth, and none
//! is invented between them.

use std::collections::BTreeMap;

use pi_diagnosis::{Metric, Point};
use pi_sdk::{Value, json};

use super::aws;
use super::evidence::{Seen, instant};
use super::target::{Kind, Target};
use crate::instant::{parse, rfc3339};
use crate::world::Call;

/// Seconds between two values.
const PERIOD_S: u64 = 60;
/// Metrics of the agent on the instance that are asked for: one for each disk.
const AGENT_METRICS_MAX: usize = 24;
/// Those of them that say something of health.
const AGENT_METRICS: [&str; 5] =
    ["disk_used_percent", "mem_used_percent", "swap_used_percent", "disk_inodes_free", "cpu_usage_iowait"];

/// One series: namespace, name, statistic, unit.
type Row = (&'static str, &'static str, &'static str, &'static str);

const INSTANCE: &[Row] = &[
    ("AWS/EC2", "CPUUtilization", "Average", "Percent"),
    ("AWS/EC2", "CPUCreditBalance", "Minimum", "Count"),
    ("AWS/EC2", "StatusCheckFailed", "Maximum", "Count"),
    ("AWS/EC2", "StatusCheckFailed_Instance", "Maximum", "Count"),
    ("AWS/EC2", "StatusCheckFailed_System", "Maximum", "Count"),
    ("AWS/EC2", "NetworkIn", "Average", "Bytes"),
    ("AWS/EC2", "NetworkOut", "Average", "Bytes"),
    ("AWS/EC2", "EBSReadOps", "Average", "Count"),
    ("AWS/EC2", "EBSWriteOps", "Average", "Count"),
    ("AWS/EC2", "EBSIOBalance%", "Minimum", "Percent"),
    ("AWS/EC2", "EBSByteBalance%", "Minimum", "Percent"),
];

const DATABASE: &[Row] = &[
    ("AWS/RDS", "CPUUtilization", "Average", "Percent"),
    ("AWS/RDS", "DatabaseConnections", "Maximum", "Count"),
    ("AWS/RDS", "FreeStorageSpace", "Minimum", "Bytes"),
    ("AWS/RDS", "FreeableMemory", "Minimum", "Bytes"),
    ("AWS/RDS", "ReadLatency", "Average", "Seconds"),
    ("AWS/RDS", "WriteLatency", "Average", "Seconds"),
    ("AWS/RDS", "ReplicaLag", "Maximum", "Seconds"),
    ("AWS/RDS", "DiskQueueDepth", "Average", "Count"),
    ("AWS/RDS", "Deadlocks", "Sum", "Count"),
    ("AWS/RDS", "ReadIOPS", "Average", "Count/Second"),
    ("AWS/RDS", "WriteIOPS", "Average", "Count/Second"),
    ("AWS/RDS", "BurstBalance", "Minimum", "Percent"),
    ("AWS/RDS", "CPUCreditBalance", "Minimum", "Count"),
    ("AWS/RDS", "SwapUsage", "Maximum", "Bytes"),
];

const CLUSTER: &[Row] = &[
    ("AWS/RDS", "CPUUtilization", "Average", "Percent"),
    ("AWS/RDS", "DatabaseConnections", "Maximum", "Count"),
    ("AWS/RDS", "FreeLocalStorage", "Minimum", "Bytes"),
    ("AWS/RDS", "FreeableMemory", "Minimum", "Bytes"),
    ("AWS/RDS", "AuroraReplicaLagMaximum", "Maximum", "Milliseconds"),
    ("AWS/RDS", "CommitLatency", "Average", "Milliseconds"),
    ("AWS/RDS", "ReadLatency", "Average", "Seconds"),
    ("AWS/RDS", "WriteLatency", "Average", "Seconds"),
    ("AWS/RDS", "DiskQueueDepth", "Average", "Count"),
    ("AWS/RDS", "Deadlocks", "Average", "Count/Second"),
];

/// A series that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub namespace: String,
    pub name: String,
    pub statistic: String,
    pub unit: String,
    pub dimensions: Vec<(String, String)>,
}

/// All series of a target; `found` are those of the agent on it, by `ListMetrics`, and those that its alarms watch.
pub fn queries(target: &Target, found: &[Query]) -> Vec<Query> {
    let rows = match target.kind() {
        Kind::Instance => INSTANCE,
        Kind::Database => DATABASE,
        Kind::Cluster => CLUSTER,
    };
    let own = rows.iter().map(|(namespace, name, statistic, unit)| Query {
        namespace: (*namespace).into(),
        name: (*name).into(),
        statistic: (*statistic).into(),
        unit: (*unit).into(),
        dimensions: vec![(target.kind().dimension().0.into(), target.id().into())],
    });
    let mut all: Vec<Query> = own.collect();
    for query in found {
        let is_same = |it: &Query| {
            (&it.namespace, &it.name, &it.dimensions) == (&query.namespace, &query.name, &query.dimensions)
        };
        if !all.iter().any(is_same) {
            all.push(query.clone());
        }
    }
    all
}

/// The series that an alarm watches, by its entry in `DescribeAlarms`; none of one that is computed from several.
pub fn of_alarm(alarm: &Value) -> Option<Query> {
    let name = aws::text(alarm, "MetricName");
    let statistic = [aws::text(alarm, "Statistic"), aws::text(alarm, "ExtendedStatistic")];
    Some(Query {
        namespace: aws::text(alarm, "Namespace").into(),
        name: Some(name).filter(|name| !name.is_empty())?.into(),
        statistic: (*statistic.iter().find(|it| !it.is_empty())?).into(),
        unit: aws::text(alarm, "Unit").into(),
        dimensions: dimensions(alarm),
    })
}

fn dimensions(metric: &Value) -> Vec<(String, String)> {
    let one = |it: &Value| (aws::text(it, "Name").to_owned(), aws::text(it, "Value").to_owned());
    aws::list(metric, "Dimensions").map(one).collect()
}

/// Ask for `queries` from one moment to another.
pub fn call(target: &Target, queries: &[Query], from_ms: u64, to_ms: u64) -> Call {
    let asked: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(index, query)| {
            let dimensions: Vec<Value> =
                query.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
            json!({
                "Id": format!("m{index}"),
                "MetricStat": {
                    "Metric": { "Namespace": query.namespace, "MetricName": query.name, "Dimensions": dimensions },
                    "Period": PERIOD_S, "Stat": query.statistic,
                },
            })
        })
        .collect();
    target.read(
        "cloudwatch:GetMetricData",
        json!({ "MetricDataQueries": asked, "StartTime": rfc3339(from_ms), "EndTime": rfc3339(to_ms), "ScanBy": "TimestampAscending" }),
    )
}

/// Read the answer to [`call`]. A series without a value is not there.
pub fn read(seen: &mut Seen, queries: &[Query], answer: &Value) {
    // Pages repeat an id: the parts of one series belong together.
    let mut points: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
    for result in aws::list(answer, "MetricDataResults") {
        let index = aws::text(result, "Id").strip_prefix('m').and_then(|digits| digits.parse::<usize>().ok());
        let Some(index) = index.filter(|index| *index < queries.len()) else { continue };
        let times = aws::list(result, "Timestamps").map(|time| time.as_str().and_then(parse).and_then(instant));
        let values = aws::list(result, "Values").map(Value::as_f64);
        points
            .entry(index)
            .or_default()
            .extend(times.zip(values).filter_map(|(time, value)| Some(Point(time?, value))));
    }
    for (index, mut points) in points {
        let Some(query) = queries.get(index).filter(|_| !points.is_empty()) else { continue };
        points.sort_by_key(|point| point.0);
        seen.incident.metrics.push(Metric {
            name: query.name.clone(),
            dimensions: query.dimensions.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
            statistic: query.statistic.clone(),
            unit: query.unit.clone(),
            points,
        });
    }
    if aws::field(answer, "Truncated") == &json!(true) {
        seen.miss("metrics (`cloudwatch:GetMetricData`): cut off, there were too many values");
    }
}

/// What the agent on the instance measures, by the answer to `ListMetrics`.
pub fn found(answer: &Value) -> Vec<Query> {
    let wanted = aws::list(answer, "Metrics").filter(|metric| AGENT_METRICS.contains(&aws::text(metric, "MetricName")));
    let query = |metric: &Value| Query {
        namespace: aws::text(metric, "Namespace").into(),
        name: aws::text(metric, "MetricName").into(),
        statistic: "Average".into(),
        unit: if aws::text(metric, "MetricName").ends_with("free") { "Count" } else { "Percent" }.into(),
        dimensions: dimensions(metric),
    };
    wanted.take(AGENT_METRICS_MAX).map(query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_series_are_put_together_and_what_has_no_value_is_not_there() {
        let query = |name: &str| Query {
            namespace: "AWS/EC2".into(),
            name: name.into(),
            statistic: "Average".into(),
            unit: "Percent".into(),
            dimensions: vec![("InstanceId".into(), "i-1".into())],
        };
        let queries = [query("CPUUtilization"), query("CPUCreditBalance")];
        let answer = json!({ "MetricDataResults": [
            { "Id": "m0", "Timestamps": ["2026-01-01T00:01:00Z"], "Values": [2.0] },
            { "Id": "m1", "Timestamps": [], "Values": [] },
            { "Id": "m0", "Timestamps": ["2026-01-01T00:00:00Z", "bad"], "Values": [1.0, 5.0] },
            { "Id": "m7", "Timestamps": ["2026-01-01T00:00:00Z"], "Values": [1.0] },
        ], "Truncated": true });
        let mut seen = Seen::default();
        read(&mut seen, &queries, &answer);
        assert_eq!(seen.incident.metrics.len(), 1);
        let values: Vec<_> = seen.series("CPUUtilization", "i-1").into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [1.0, 2.0]);
        assert_eq!(seen.gaps.len(), 1);
    }
}
