//! The operations that moto does, against moto: what was created is what is read, what is changed has changed.

use pi_cloud::Error;
use serde_json::json;

use super::moto::{
    account, account_at, call, create, create_json, database, done, element, endpoint, instance, settings,
};
use super::run;

#[test]
fn identity_is_the_accounts() {
    run(async {
        let identity = account().identity().await.unwrap();
        assert_eq!(identity.account, "123456789012");
        assert!(identity.arn.starts_with("arn:aws:"), "{identity:?}");
    });
}

#[test]
fn an_instance_is_read_stopped_and_started() {
    run(async {
        let id = instance("staging");
        let found = done("ec2:DescribeInstances", json!({"InstanceIds": [id]})).await;
        let one = &found["Reservations"][0]["Instances"][0];
        assert_eq!((&one["InstanceId"], &one["State"]), (&json!(id), &json!({"Code": 16, "Name": "running"})));
        assert_eq!(one["Tags"], json!([{"Key": "env", "Value": "staging"}]));
        assert!(one["LaunchTime"].as_str().unwrap().ends_with('Z'));
        assert!(found.get("Truncated").is_none());

        let status = done("ec2:DescribeInstanceStatus", json!({"InstanceIds": [id]})).await;
        assert_eq!(status["InstanceStatuses"][0]["InstanceStatus"]["Status"], "ok");
        let stopped = done("ec2:StopInstances", json!({"InstanceIds": [id]})).await;
        assert_eq!(stopped["StoppingInstances"][0]["InstanceId"], json!(id));
        let filter = json!({"Filters": [{"Name": "instance-state-name", "Values": ["stopped"]}], "InstanceIds": [id]});
        assert_eq!(done("ec2:DescribeInstances", filter).await["Reservations"].as_array().unwrap().len(), 1);
        let started = done("ec2:StartInstances", json!({"InstanceIds": [id]})).await;
        assert_eq!(started["StartingInstances"][0]["PreviousState"]["Name"], "stopped");
        assert_eq!(done("ec2:RebootInstances", json!({"InstanceIds": [id]})).await, json!({}));
    });
}

#[test]
fn the_console_of_an_instance_is_text() {
    run(async {
        let id = instance("console");
        let answer = done("ec2:GetConsoleOutput", json!({"InstanceId": id})).await;
        assert_eq!(answer["InstanceId"], json!(id));
        assert!(answer["Output"].as_str().unwrap().contains("Linux version"), "{answer}");
    });
}

#[test]
fn volumes_are_found_by_the_instance() {
    run(async {
        let id = instance("volumes");
        let filter = json!({"Filters": [{"Name": "attachment.instance-id", "Values": [id]}]});
        let answer = done("ec2:DescribeVolumes", filter).await;
        assert_eq!(answer["Volumes"][0]["Attachments"][0]["InstanceId"], json!(id));
        assert_eq!(answer["Volumes"][0]["State"], "in-use");
    });
}

#[test]
fn an_instance_that_is_gone_is_not_found() {
    run(async {
        let error = account().call(&call("ec2:RebootInstances", json!({"InstanceIds": ["i-00000000000000bad"]}))).await;
        let error = error.unwrap_err();
        assert!(matches!(&error, Error::NotFound { region, .. } if region == "eu-west-1"), "{error}");
        assert!(error.to_string().contains("i-00000000000000bad"), "{error}");
    });
}

#[test]
fn a_call_goes_to_its_own_region() {
    run(async {
        let id = instance("region");
        let there = pi_cloud::Call::read("ec2:DescribeInstances", Some("eu-central-1"), &json!({"InstanceIds": [id]}));
        let error = account().call(&there.unwrap()).await.unwrap_err();
        assert!(matches!(&error, Error::NotFound { region, .. } if region == "eu-central-1"), "{error}");
    });
}

#[test]
fn metrics_and_alarms() {
    run(async {
        create(
            "monitoring",
            "Action=PutMetricData&Version=2010-08-01&Namespace=Shop&MetricData.member.1.MetricName=Queue\
         &MetricData.member.1.Value=7&MetricData.member.1.Timestamp=2026-01-01T00:01:00Z\
         &MetricData.member.1.Dimensions.member.1.Name=Part&MetricData.member.1.Dimensions.member.1.Value=a",
        );
        let listed = done("cloudwatch:ListMetrics", json!({"Namespace": "Shop"})).await;
        assert_eq!(listed["Metrics"][0]["Dimensions"], json!([{"Name": "Part", "Value": "a"}]));

        let metric =
            json!({"Namespace": "Shop", "MetricName": "Queue", "Dimensions": [{"Name": "Part", "Value": "a"}]});
        let mut arguments = metric.clone();
        for (name, value) in [
            ("StartTime", json!("2026-01-01T00:00:00Z")),
            ("EndTime", json!("2026-01-01T00:10:00Z")),
            ("Period", json!(60)),
            ("Statistics", json!(["Maximum"])),
        ] {
            arguments[name] = value;
        }
        let points = done("cloudwatch:GetMetricStatistics", arguments).await;
        assert_eq!(points["Datapoints"][0]["Maximum"], json!(7.0), "{points}");
        assert_eq!(points["Datapoints"][0]["Timestamp"], "2026-01-01T00:01:00Z");

        let query = json!({"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}});
        let data = json!({"MetricDataQueries": [query], "StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-01T00:10:00Z"});
        let data = done("cloudwatch:GetMetricData", data).await;
        assert_eq!(data["MetricDataResults"][0]["Values"], json!([7.0]), "{data}");

        create(
            "monitoring",
            "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=queue&Namespace=Shop&MetricName=Queue&Period=60\
         &EvaluationPeriods=1&Threshold=5&ComparisonOperator=GreaterThanThreshold&Statistic=Maximum\
         &Tags.member.1.Key=env&Tags.member.1.Value=staging",
        );
        let alarms = done("cloudwatch:DescribeAlarms", json!({"AlarmNames": ["queue"]})).await;
        assert_eq!(
            (&alarms["MetricAlarms"][0]["AlarmName"], &alarms["MetricAlarms"][0]["Threshold"]),
            (&json!("queue"), &json!(5.0))
        );
        assert_eq!(alarms["CompositeAlarms"], json!([]));
        let tags =
            account().tags(&call("cloudwatch:DescribeAlarms", json!({"AlarmNames": ["queue", "none"]}))).await.unwrap();
        assert_eq!((tags[0].1["env"].as_str(), tags[1].1.len()), ("staging", 0));
    });
}

#[test]
fn alarms_of_many_pages_are_one_answer_and_cut_where_it_is_said() {
    run(async {
        for at in 0..250 {
            let alarm = format!(
                "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=many-{at:03}&Namespace=N&MetricName=M&Period=60\
             &EvaluationPeriods=1&Threshold=5&ComparisonOperator=GreaterThanThreshold&Statistic=Sum"
            );
            create("monitoring", &alarm);
        }
        let all = done("cloudwatch:DescribeAlarms", json!({"AlarmNamePrefix": "many-"})).await;
        assert_eq!(all["MetricAlarms"].as_array().unwrap().len(), 250);
        assert!(all.get("Truncated").is_none());
        let some = done("cloudwatch:DescribeAlarms", json!({"AlarmNamePrefix": "many-", "MaxRecords": 120})).await;
        assert_eq!((some["MetricAlarms"].as_array().unwrap().len(), &some["Truncated"]), (120, &json!(true)));
    });
}

#[test]
fn events_of_a_log_group() {
    run(async {
        let logs = |action: &str, body| create_json("logs", &format!("Logs_20140328.{action}"), &body);
        logs("CreateLogGroup", json!({"logGroupName": "/shop/app", "tags": {"env": "staging"}}));
        logs("CreateLogStream", json!({"logGroupName": "/shop/app", "logStreamName": "a"}));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let events =
            json!([{"timestamp": now - 1000, "message": "ERROR disk full"}, {"timestamp": now, "message": "ok"}]);
        logs("PutLogEvents", json!({"logGroupName": "/shop/app", "logStreamName": "a", "logEvents": events}));

        let groups = done("logs:DescribeLogGroups", json!({"logGroupNamePrefix": "/shop"})).await;
        assert_eq!(groups["logGroups"][0]["logGroupName"], "/shop/app");
        let arguments = json!({"logGroupName": "/shop/app", "filterPattern": "ERROR", "startTime": now - 60_000});
        let found = done("logs:FilterLogEvents", arguments).await;
        assert_eq!(found["events"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["events"][0]["message"], "ERROR disk full");
        assert!(found["events"][0]["timestamp"].as_str().unwrap().ends_with('Z'));
        let tags = account().tags(&call("logs:FilterLogEvents", json!({"logGroupName": "/shop/app"}))).await.unwrap();
        assert_eq!(tags[0].1["env"], "staging");
        let gone = account().call(&call("logs:FilterLogEvents", json!({"logGroupName": "/gone"}))).await.unwrap_err();
        assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
    });
}

#[test]
fn a_database_restarts_and_grows_within_bounds() {
    run(async {
        database("orders");
        let found = done("rds:DescribeDBInstances", json!({"DBInstanceIdentifier": "orders"})).await;
        let one = &found["DBInstances"][0];
        assert_eq!((&one["DBInstanceStatus"], &one["AllocatedStorage"]), (&json!("available"), &json!(20)));
        let restarted = done("rds:RebootDBInstance", json!({"DBInstanceIdentifier": "orders"})).await;
        assert_eq!(restarted["DBInstance"]["DBInstanceIdentifier"], "orders");

        let modify = |storage: i64| {
            call(
                "rds:ModifyDBInstance",
                json!({"DBInstanceIdentifier": "orders", "AllocatedStorage": storage, "ApplyImmediately": true}),
            )
        };
        for storage in [10, 20, 41] {
            let error = account().call(&modify(storage)).await.unwrap_err();
            assert!(matches!(&error, Error::Arguments { problem, .. } if problem.contains("20 GiB")), "{error}");
        }
        assert_eq!(account().call(&modify(40)).await.unwrap()["DBInstance"]["DBInstanceIdentifier"], "orders");
        let grown = done("rds:DescribeDBInstances", json!({"DBInstanceIdentifier": "orders"})).await;
        assert_eq!(grown["DBInstances"][0]["AllocatedStorage"], json!(40), "{grown}");
        let tags = account().tags(&modify(50)).await.unwrap();
        assert_eq!(tags[0].1["env"], "staging");
        let events =
            done("rds:DescribeEvents", json!({"SourceIdentifier": "orders", "SourceType": "db-instance"})).await;
        assert!(events["Events"].is_array(), "{events}");
    });
}

#[test]
fn a_cluster_is_read_and_its_refusal_told() {
    run(async {
        create(
            "rds",
            "Action=CreateDBCluster&Version=2014-10-31&DBClusterIdentifier=shop&Engine=aurora-postgresql\
         &MasterUsername=root&MasterUserPassword=secret99",
        );
        let found = done("rds:DescribeDBClusters", json!({"DBClusterIdentifier": "shop"})).await;
        assert_eq!(found["DBClusters"][0]["Status"], "available");
        let error =
            account().call(&call("rds:FailoverDBCluster", json!({"DBClusterIdentifier": "shop"}))).await.unwrap_err();
        assert!(matches!(&error, Error::Failed { code, .. } if code == "InvalidDBClusterStateFault"), "{error}");
        for name in ["shop-a", "shop-b"] {
            let member = format!(
                "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier={name}&DBClusterIdentifier=shop\
             &DBInstanceClass=db.r6g.large&Engine=aurora-postgresql"
            );
            create("rds", &member);
        }
        let moved = done("rds:FailoverDBCluster", json!({"DBClusterIdentifier": "shop"})).await;
        assert_eq!(moved["DBCluster"]["DBClusterIdentifier"], "shop");
    });
}

#[test]
fn a_script_is_sent_and_asked_after() {
    run(async {
        let id = instance("script");
        let sent = done(
            "ssm:SendCommand",
            json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [id], "Parameters": {"commands": ["uptime"]}}),
        )
        .await;
        let command = sent["Command"]["CommandId"].as_str().unwrap();
        assert_eq!(sent["Command"]["Parameters"]["commands"], json!(["uptime"]));
        let came = done("ssm:GetCommandInvocation", json!({"CommandId": command, "InstanceId": id})).await;
        assert_eq!((&came["CommandId"], &came["Status"]), (&json!(command), &json!("Success")));
    });
}

#[test]
fn groups_scale_and_targets_have_a_health() {
    run(async {
        create(
            "autoscaling",
            "Action=CreateLaunchConfiguration&Version=2011-01-01&LaunchConfigurationName=web&ImageId=ami-12c6146b&InstanceType=t3.micro",
        );
        create(
            "autoscaling",
            "Action=CreateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName=web&LaunchConfigurationName=web&MinSize=0\
         &MaxSize=4&DesiredCapacity=1&AvailabilityZones.member.1=eu-west-1a&Tags.member.1.Key=env&Tags.member.1.Value=staging\
         &Tags.member.1.ResourceId=web&Tags.member.1.ResourceType=auto-scaling-group&Tags.member.1.PropagateAtLaunch=true",
        );
        let scale =
            call("autoscaling:SetDesiredCapacity", json!({"AutoScalingGroupName": "web", "DesiredCapacity": 2}));
        assert_eq!(account().call(&scale).await.unwrap(), json!({}));
        assert_eq!(account().tags(&scale).await.unwrap()[0].1["env"], "staging");
        let group = done("autoscaling:DescribeAutoScalingGroups", json!({"AutoScalingGroupNames": ["web"]})).await;
        let group = &group["AutoScalingGroups"][0];
        assert_eq!((&group["DesiredCapacity"], group["Instances"].as_array().unwrap().len()), (&json!(2), 2));
        let id = group["Instances"][0]["InstanceId"].as_str().unwrap();
        let members = done("autoscaling:DescribeAutoScalingInstances", json!({"InstanceIds": [id]})).await;
        assert_eq!(members["AutoScalingInstances"][0]["AutoScalingGroupName"], "web");

        let vpc = element(&create("ec2", "Action=DescribeVpcs&Version=2016-11-15"), "vpcId");
        let made = create(
            "elasticloadbalancing",
            &format!("Action=CreateTargetGroup&Version=2015-12-01&Name=web&Protocol=HTTP&Port=80&VpcId={vpc}"),
        );
        let arn = element(&made, "TargetGroupArn");
        create(
            "elasticloadbalancing",
            &format!("Action=RegisterTargets&Version=2015-12-01&TargetGroupArn={arn}&Targets.member.1.Id={id}"),
        );
        let groups = done("elasticloadbalancing:DescribeTargetGroups", json!({"Names": ["web"]})).await;
        assert_eq!(groups["TargetGroups"][0]["TargetGroupArn"], json!(arn));
        let health = done("elasticloadbalancing:DescribeTargetHealth", json!({"TargetGroupArn": arn})).await;
        let health = &health["TargetHealthDescriptions"][0];
        assert_eq!(health["Target"]["Id"], json!(id));
        assert!(health["TargetHealth"]["State"].is_string(), "{health}");
    });
}

#[test]
fn tags_are_those_of_each_resource_and_what_is_gone_has_none() {
    run(async {
        let (one, other) = (instance("staging"), instance("prod"));
        let ids = json!({"InstanceIds": [one, other, "i-00000000000000bad"]});
        let tags = account().tags(&call("ec2:RebootInstances", ids)).await.unwrap();
        let values: Vec<Option<&str>> = tags.iter().map(|(_, tags)| tags.get("env").map(String::as_str)).collect();
        assert_eq!(values, [Some("staging"), Some("prod"), None]);
    });
}

#[test]
fn a_role_is_assumed_for_every_call() {
    run(async {
        let mut settings = settings(&endpoint());
        settings.role_arn = Some("arn:aws:iam::123456789012:role/ops".into());
        settings.external_id = Some("a-secret-to-some".into());
        let account = pi_cloud::Account::new(settings).unwrap();
        assert!(account.identity().await.unwrap().arn.contains("assumed-role/ops"));
        assert!(!format!("{account:?}").contains("a-secret-to-some"));
        account_at(&endpoint()).identity().await.unwrap();
    });
}

#[test]
fn a_dry_run_says_yes_and_does_nothing() {
    run(async {
        let id = instance("dry");
        let stop = call("ec2:StopInstances", json!({"InstanceIds": [id]}));
        account().dry_run(&stop).await.unwrap();
        let found = done("ec2:DescribeInstances", json!({"InstanceIds": [id]})).await;
        assert_eq!(found["Reservations"][0]["Instances"][0]["State"]["Name"], "running");
        for operation in ["ec2:RebootInstances", "ec2:StartInstances", "ec2:DescribeInstances"] {
            account().dry_run(&call(operation, json!({"InstanceIds": [id]}))).await.unwrap();
        }
        let scale = call("autoscaling:SetDesiredCapacity", json!({"AutoScalingGroupName": "g", "DesiredCapacity": 1}));
        let error = account().dry_run(&scale).await.unwrap_err();
        assert!(matches!(&error, Error::Failed { code, .. } if code == "NoDryRun"), "{error}");
    });
}
