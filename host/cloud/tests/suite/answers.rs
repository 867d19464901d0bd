//! Operations that moto does not do, against recorded answers of AWS.

use serde_json::json;

use super::moto::{account_at, call};
use super::run;
use super::wire::{Wire, answer};

#[test]
fn the_output_of_a_script_is_told() {
    run(async {
        let recorded = json!({"CommandId": "11111111-2222-3333-4444-555555555555", "InstanceId": "i-0123456789abcdef0",
        "DocumentName": "AWS-RunShellScript", "ResponseCode": 3, "ExecutionStartDateTime": "2026-01-01T00:00:00.100Z",
        "Status": "Failed", "StatusDetails": "NonZeroExitCode", "StandardOutputContent": "disk 97%\n",
        "StandardErrorContent": "failed to run commands: exit status 3"});
        let wire = Wire::new([answer(200, recorded.to_string())]).await;
        let asked = json!({"CommandId": "11111111-2222-3333-4444-555555555555", "InstanceId": "i-0123456789abcdef0"});
        let told = account_at(&wire.endpoint).call(&call("ssm:GetCommandInvocation", asked)).await.unwrap();
        for name in
            ["ResponseCode", "Status", "StandardOutputContent", "StandardErrorContent", "ExecutionStartDateTime"]
        {
            assert_eq!(told[name], recorded[name], "{name}");
        }
    });
}

#[test]
fn machines_that_ssm_reaches_over_two_pages() {
    run(async {
        let page = |id: &str, next: serde_json::Value| {
            answer(
            200,
            json!({"InstanceInformationList": [{"InstanceId": id, "PingStatus": "Online", "LastPingDateTime": 1_767_225_600.5}],
                "NextToken": next})
            .to_string(),
        )
        };
        let wire =
            Wire::new([page("i-0123456789abcdef0", json!("more")), page("i-0123456789abcdef1", json!(null))]).await;
        let told = account_at(&wire.endpoint).call(&call("ssm:DescribeInstanceInformation", json!({}))).await.unwrap();
        assert_eq!(told["InstanceInformationList"].as_array().unwrap().len(), 2);
        assert_eq!(told["InstanceInformationList"][0]["LastPingDateTime"], "2026-01-01T00:00:00.5Z");
        assert!(wire.requests()[1].contains("\"NextToken\":\"more\""));
    });
}

#[test]
fn a_query_of_logs_insights() {
    run(async {
        let wire = Wire::new([
        answer(200, json!({"queryId": "12ab3456-12ab-123a-789e-1234567890ab"}).to_string()),
        answer(
            200,
            json!({"status": "Complete", "statistics": {"recordsMatched": 1.0, "recordsScanned": 9.0, "bytesScanned": 99.0},
                "results": [[{"field": "@message", "value": "ERROR"}, {"field": "@ptr", "value": "x"}]]})
            .to_string(),
        ),
    ])
    .await;
        let account = account_at(&wire.endpoint);
        let start = json!({"logGroupName": "/app", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T01:00:00Z",
        "queryString": "fields @message"});
        let begun = account.call(&call("logs:StartQuery", start)).await.unwrap();
        assert!(wire.requests()[0].contains("\"startTime\":1767225600,"), "{}", wire.requests()[0]);
        let told = account.call(&call("logs:GetQueryResults", json!({"queryId": begun["queryId"]}))).await.unwrap();
        assert_eq!(told["status"], "Complete");
        assert_eq!(told["results"][0][0], json!({"field": "@message", "value": "ERROR"}));
        assert_eq!(told["statistics"]["recordsScanned"], json!(9.0));
    });
}

#[test]
fn recent_changes_with_who_made_them() {
    run(async {
        let recorded = json!({"Events": [{"EventId": "e", "EventName": "ModifyDBInstance", "ReadOnly": "false",
        "EventTime": 1_767_225_600, "EventSource": "rds.amazonaws.com", "Username": "alice",
        "Resources": [{"ResourceType": "AWS::RDS::DBInstance", "ResourceName": "orders"}], "CloudTrailEvent": "{}"}]});
        let wire = Wire::new([answer(200, recorded.to_string())]).await;
        let asked = json!({"LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": "orders"}]});
        let told = account_at(&wire.endpoint).call(&call("cloudtrail:LookupEvents", asked)).await.unwrap();
        assert_eq!(told["Events"][0]["Username"], "alice");
        assert_eq!(told["Events"][0]["EventTime"], "2026-01-01T00:00:00Z");
        assert_eq!(told["Events"][0]["Resources"][0]["ResourceName"], "orders");
        assert!(wire.requests()[0].contains("\"AttributeKey\":\"ResourceName\""));
    });
}

#[test]
fn the_history_of_an_alarm() {
    run(async {
        let recorded = "<DescribeAlarmHistoryResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\
        <DescribeAlarmHistoryResult><AlarmHistoryItems><member><AlarmName>cpu</AlarmName>\
        <Timestamp>2026-01-01T00:00:00.000Z</Timestamp><HistoryItemType>StateUpdate</HistoryItemType>\
        <HistorySummary>Alarm updated from OK to ALARM</HistorySummary></member></AlarmHistoryItems>\
        </DescribeAlarmHistoryResult></DescribeAlarmHistoryResponse>";
        let wire = Wire::new([answer(200, recorded)]).await;
        let told = account_at(&wire.endpoint)
            .call(&call("cloudwatch:DescribeAlarmHistory", json!({"AlarmName": "cpu"})))
            .await;
        let item = json!({"AlarmName": "cpu", "Timestamp": "2026-01-01T00:00:00Z", "HistoryItemType": "StateUpdate",
        "HistorySummary": "Alarm updated from OK to ALARM"});
        assert_eq!(told.unwrap()["AlarmHistoryItems"], json!([item]));
    });
}

#[test]
fn points_of_one_metric_on_two_pages_are_one_series() {
    run(async {
        let page = |value: u8, next: &str| {
            answer(
                200,
                format!(
                    "<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><GetMetricDataResult>\
                 <MetricDataResults><member><Id>q</Id><Label>CPU</Label><StatusCode>PartialData</StatusCode>\
                 <Timestamps><member>2026-01-01T00:0{value}:00Z</member></Timestamps><Values><member>{value}</member></Values>\
                 </member></MetricDataResults>{next}</GetMetricDataResult></GetMetricDataResponse>"
                ),
            )
        };
        let wire = Wire::new([page(1, "<NextToken>more</NextToken>"), page(2, "")]).await;
        let query = json!({"Id": "q", "Expression": "SEARCH('AWS/EC2', 'Average')"});
        let asked = json!({"MetricDataQueries": [query], "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-01T01:00:00Z"});
        let told = account_at(&wire.endpoint).call(&call("cloudwatch:GetMetricData", asked)).await.unwrap();
        assert_eq!(told["MetricDataResults"].as_array().unwrap().len(), 1);
        assert_eq!(told["MetricDataResults"][0]["Values"], json!([1.0, 2.0]));
    });
}

#[test]
fn a_list_that_never_ends_is_cut() {
    run(async {
        let again = json!({"events": [{"message": "a", "timestamp": 1}], "nextToken": "again"});
        let wire = Wire::new([answer(200, again.to_string())]).await;
        let told = account_at(&wire.endpoint)
            .call(&call("logs:FilterLogEvents", json!({"logGroupName": "/a"})))
            .await
            .unwrap();
        assert_eq!((told["events"].as_array().unwrap().len(), &told["Truncated"]), (2, &json!(true)));
    });
}
