//! The check of calls: what is in the table, what fits it, what is said about the rest.

use pi_cloud::{Call, Error, Severity, operation, operations};
use serde_json::{Value, json};

fn problem(operation: &str, arguments: Value) -> String {
    match Call::read(operation, None, &arguments) {
        Err(Error::Arguments { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_each_operation_once_and_its_inverse_is_one() {
    let mut names: Vec<&str> = operations().iter().map(|operation| operation.name).collect();
    assert_eq!(names.len(), 31);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 31);
    for one in operations() {
        assert!(one.inverse.is_none_or(|inverse| operation(inverse).is_some()), "{one:?}");
        assert!(one.severity == Severity::Read || !one.name.contains(":Describe"), "{one:?}");
    }
}

#[test]
fn the_documentation_has_each_operation_as_it_is() {
    let documented: Vec<&str> =
        include_str!("../../src/lib.rs").lines().filter(|line| line.starts_with("//! | `")).collect();
    let row = |one: &pi_cloud::Operation| {
        let inverse = one.inverse.map(|inverse| format!("`{inverse}` ")).unwrap_or_default();
        format!("//! | `{}` | {} | {inverse}| {} |", one.name, one.severity.name(), one.summary)
    };
    assert_eq!(documented, operations().iter().map(row).collect::<Vec<_>>());
}

#[test]
fn schemas_are_closed_and_each_text_and_list_is_bounded() {
    fn bounded(place: &str, schema: &Value) {
        match schema["type"].as_str() {
            Some("object") => {
                assert_eq!(schema["additionalProperties"], json!(false), "{place}");
                for (name, inner) in schema["properties"].as_object().unwrap() {
                    bounded(&format!("{place}.{name}"), inner);
                }
            }
            Some("array") => {
                assert!(schema["maxItems"].is_u64(), "{place}");
                bounded(place, &schema["items"]);
            }
            Some("string") => {
                let is_bounded = ["maxLength", "enum", "pattern", "format"].iter().any(|key| !schema[key].is_null());
                assert!(is_bounded, "{place}");
                if let Some(pattern) = schema["pattern"].as_str() {
                    regex_lite::Regex::new(pattern).unwrap();
                }
            }
            Some("integer") => assert!(schema["maximum"].is_i64() || schema["maximum"].is_u64(), "{place}"),
            _ => {}
        }
    }
    for operation in operations() {
        bounded(operation.name, &(operation.schema)());
    }
}

#[test]
fn an_unknown_operation_is_answered_with_those_there_are() {
    let error = |name: &str| Call::read(name, None, &json!({})).unwrap_err().to_string();
    assert!(error("ec2:TerminateInstances").contains("ec2:RebootInstances"));
    assert!(error("ec2:rebootinstances").contains("it is written `ec2:RebootInstances`"));
    assert!(error("s3:DeleteBucket").contains("services: ec2, cloudwatch, logs, rds"));
}

#[test]
fn resources_are_named_each_once() {
    let id = "i-0123456789abcdef0";
    let call = Call::read("ec2:RebootInstances", Some("eu-west-1"), &json!({"InstanceIds": [id, id]})).unwrap();
    assert_eq!(call.resources().len(), 1);
    let named = &call.resources()[0];
    assert_eq!((named.kind.as_str(), named.service.as_str(), named.id.as_str()), ("instance", "ec2", id));
    assert_eq!(call.region(), Some("eu-west-1"));
}

#[test]
fn a_metric_names_the_resource_of_its_dimension() {
    let call = Call::read(
        "cloudwatch:GetMetricStatistics",
        None,
        &json!({"Namespace": "AWS/RDS", "MetricName": "CPUUtilization", "Period": 60, "Statistics": ["Average"],
            "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "orders"}],
            "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-01T01:00:00Z"}),
    )
    .unwrap();
    assert_eq!((call.resources()[0].kind.as_str(), call.resources()[0].id.as_str()), ("database", "orders"));
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    let reboot = |value: Value| problem("ec2:RebootInstances", value);
    assert_eq!(reboot(json!({})), "`InstanceIds` is missing");
    assert_eq!(reboot(Value::Null), "`InstanceIds` is missing");
    assert_eq!(reboot(json!([])), "`the arguments` must be an object, is: a list of 0");
    assert_eq!(reboot(json!({"InstanceIds": []})), "`InstanceIds` must have 1 to 20 entries, has: 0");
    assert!(reboot(json!({"InstanceIds": ["i-1"]})).starts_with("`InstanceIds[0]` must be `i-` and 17"));
    assert!(reboot(json!({"InstanceIds": ["i-0123456789abcdef0\n"]})).starts_with("`InstanceIds[0]`"));
    assert_eq!(reboot(json!({"Ids": []})), "unknown argument `Ids`, known are: InstanceIds");
    let logs = problem("logs:FilterLogEvents", json!({"LogGroupName": "/app"}));
    assert_eq!(logs, "unknown argument `LogGroupName`, it is written `logGroupName`");
    let many: Vec<String> = (0..21).map(|n| format!("i-{n:017x}")).collect();
    assert!(reboot(json!({"InstanceIds": many})).contains("1 to 20 entries, has: 21"));
}

#[test]
fn a_region_is_a_name_and_no_host() {
    let error = Call::read("ec2:DescribeInstances", Some("evil.example/#"), &json!({})).unwrap_err();
    assert!(matches!(error, Error::Region { .. }), "{error}");
    Call::read("ec2:DescribeInstances", Some("us-gov-west-1"), &json!({})).unwrap();
}

#[test]
fn times_are_rfc_3339_and_where_aws_has_numbers_those_in_its_unit() {
    let filter = |time: Value| json!({"logGroupName": "/app", "startTime": time});
    Call::read("logs:FilterLogEvents", None, &filter(json!("2026-01-01T00:00:00+02:00"))).unwrap();
    Call::read("logs:FilterLogEvents", None, &filter(json!(1_767_225_600_000_i64))).unwrap();
    assert!(problem("logs:FilterLogEvents", filter(json!("yesterday"))).contains("2026-01-31T12:00:00Z"));
    let query = json!({"logGroupName": "/app", "queryString": "fields @message", "endTime": "2026-01-01T00:00:00Z",
        "startTime": 1_767_225_600_000_i64});
    assert!(problem("logs:StartQuery", query).contains("in seconds, not in milliseconds"));
    let reversed = json!({"StartTime": "2026-01-02T00:00:00Z", "EndTime": "2026-01-01T00:00:00Z"});
    assert_eq!(problem("cloudtrail:LookupEvents", reversed), "`StartTime` must be before `EndTime`");
}

fn script(commands: Value) -> Value {
    json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0123456789abcdef0"],
        "Parameters": {"commands": commands}})
}

#[test]
fn the_script_of_a_command_is_all_of_its_lines() {
    let call =
        Call::read("ssm:SendCommand", None, &script(json!(["cd /srv", "docker ps --format '{{.Names}}'"]))).unwrap();
    assert_eq!(call.script(), Some("cd /srv\ndocker ps --format '{{.Names}}'"));
    assert_eq!(call.operation().severity, Severity::Destructive);
    let read = Call::read("ec2:DescribeInstances", None, &json!({})).unwrap();
    assert_eq!(read.script(), None);
}

#[test]
fn text_that_ssm_would_put_in_later_is_refused() {
    for line in ["{{ssm:deploy}}", "echo {{ ssm-secure:token }}", "{{global:REGION}}"] {
        assert!(problem("ssm:SendCommand", script(json!(["true", line]))).contains("commands[1]"), "{line}");
    }
    let document = json!({"DocumentName": "AWS-RunPowerShellScript", "InstanceIds": ["i-0123456789abcdef0"],
        "Parameters": {"commands": ["true"]}});
    assert!(problem("ssm:SendCommand", document).contains("AWS-RunShellScript"));
    let long: Vec<String> = (0..6).map(|_| "x".repeat(10_000)).collect();
    assert!(problem("ssm:SendCommand", script(json!(long))).contains("50000 bytes at most"));
}

#[test]
fn a_query_cannot_leave_its_log_groups() {
    let query = |text: &str| {
        json!({"logGroupName": "/app", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z",
            "queryString": text})
    };
    for text in ["SOURCE logGroups(namePrefix: ['/'])", "fields a\n| source '/other'", "# c\n  source x"] {
        assert!(problem("logs:StartQuery", query(text)).contains("SOURCE"), "{text}");
    }
    assert!(problem("logs:StartQuery", query("fields unmask (@message)")).contains("unmask"));
    Call::read("logs:StartQuery", None, &query("filter source = 'a' | stats count() by source")).unwrap();
}

#[test]
fn metric_math_runs_no_function() {
    let data = |query: Value| json!({"MetricDataQueries": [query], "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-02T00:00:00Z"});
    let lambda = json!({"Id": "a", "Expression": "LAMBDA('f')"});
    assert!(problem("cloudwatch:GetMetricData", data(lambda)).contains("LAMBDA"));
    let neither = problem("cloudwatch:GetMetricData", data(json!({"Id": "a"})));
    assert_eq!(neither, "`MetricDataQueries[0]` must have either `MetricStat` or `Expression`");
}

#[test]
fn more_points_than_cloudwatch_gives_are_refused_before_they_are_asked_for() {
    let arguments = json!({"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Period": 60,
        "Statistics": ["Average"], "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-03T00:00:00Z"});
    assert!(problem("cloudwatch:GetMetricStatistics", arguments).contains("at most: 1440"));
}

#[test]
fn a_database_is_only_changed_in_size_and_class() {
    assert!(problem("rds:ModifyDBInstance", json!({"DBInstanceIdentifier": "orders"})).starts_with("at least one of"));
    let password = json!({"DBInstanceIdentifier": "orders", "MasterUserPassword": "x"});
    assert!(problem("rds:ModifyDBInstance", password).starts_with("unknown argument `MasterUserPassword`"));
}
