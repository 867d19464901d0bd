//! What Systems Manager answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_ssm::{operation, types};

use crate::answer::{record, word};

record!(operation::get_command_invocation::GetCommandInvocationOutput {
    "CommandId": command_id,
    "InstanceId": instance_id,
    "Comment": comment,
    "DocumentName": document_name,
    "DocumentVersion": document_version,
    "PluginName": plugin_name,
    "ResponseCode": response_code,
    "ExecutionStartDateTime": execution_start_date_time,
    "ExecutionElapsedTime": execution_elapsed_time,
    "ExecutionEndDateTime": execution_end_date_time,
    "Status": status,
    "StatusDetails": status_details,
    "StandardOutputContent": standard_output_content,
    "StandardOutputUrl": standard_output_url,
    "StandardErrorContent": standard_error_content,
    "StandardErrorUrl": standard_error_url,
    "CloudWatchOutputConfig": cloud_watch_output_config,
});
record!(types::Alarm {
    "Name": name,
});
record!(types::AlarmConfiguration {
    "IgnorePollAlarmFailure": ignore_poll_alarm_failure,
    "Alarms": alarms,
});
record!(types::AlarmStateInformation {
    "Name": name,
    "State": state,
});
record!(types::CloudWatchOutputConfig {
    "CloudWatchLogGroupName": cloud_watch_log_group_name,
    "CloudWatchOutputEnabled": cloud_watch_output_enabled,
});
record!(types::Command {
    "CommandId": command_id,
    "DocumentName": document_name,
    "DocumentVersion": document_version,
    "Comment": comment,
    "ExpiresAfter": expires_after,
    "Parameters": parameters,
    "InstanceIds": instance_ids,
    "Targets": targets,
    "RequestedDateTime": requested_date_time,
    "Status": status,
    "StatusDetails": status_details,
    "OutputS3Region": output_s3_region,
    "OutputS3BucketName": output_s3_bucket_name,
    "OutputS3KeyPrefix": output_s3_key_prefix,
    "MaxConcurrency": max_concurrency,
    "MaxErrors": max_errors,
    "TargetCount": target_count,
    "CompletedCount": completed_count,
    "ErrorCount": error_count,
    "DeliveryTimedOutCount": delivery_timed_out_count,
    "ServiceRole": service_role,
    "NotificationConfig": notification_config,
    "CloudWatchOutputConfig": cloud_watch_output_config,
    "TimeoutSeconds": timeout_seconds,
    "AlarmConfiguration": alarm_configuration,
    "TriggeredAlarms": triggered_alarms,
});
record!(types::InstanceAggregatedAssociationOverview {
    "DetailedStatus": detailed_status,
    "InstanceAssociationStatusAggregatedCount": instance_association_status_aggregated_count,
});
record!(types::InstanceInformation {
    "InstanceId": instance_id,
    "PingStatus": ping_status,
    "LastPingDateTime": last_ping_date_time,
    "AgentVersion": agent_version,
    "IsLatestVersion": is_latest_version,
    "PlatformType": platform_type,
    "PlatformName": platform_name,
    "PlatformVersion": platform_version,
    "ActivationId": activation_id,
    "IamRole": iam_role,
    "RegistrationDate": registration_date,
    "ResourceType": resource_type,
    "Name": name,
    "IPAddress": ip_address,
    "ComputerName": computer_name,
    "AssociationStatus": association_status,
    "LastAssociationExecutionDate": last_association_execution_date,
    "LastSuccessfulAssociationExecutionDate": last_successful_association_execution_date,
    "AssociationOverview": association_overview,
    "SourceId": source_id,
    "SourceType": source_type,
    "SourceLocation": source_location,
});
record!(types::NotificationConfig {
    "NotificationArn": notification_arn,
    "NotificationEvents": notification_events,
    "NotificationType": notification_type,
});
record!(types::Target {
    "Key": key,
    "Values": values,
});

word!(
    types::CommandInvocationStatus,
    types::CommandStatus,
    types::ExternalAlarmState,
    types::NotificationEvent,
    types::NotificationType,
    types::PingStatus,
    types::PlatformType,
    types::ResourceType,
    types::SourceType,
);
