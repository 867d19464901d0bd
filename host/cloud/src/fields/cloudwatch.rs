//! What CloudWatch answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_cloudwatch::types;

use crate::answer::{record, word};

record!(types::AlarmHistoryItem {
    "AlarmName": alarm_name,
    "AlarmContributorId": alarm_contributor_id,
    "AlarmType": alarm_type,
    "Timestamp": timestamp,
    "HistoryItemType": history_item_type,
    "HistorySummary": history_summary,
    "HistoryData": history_data,
    "AlarmContributorAttributes": alarm_contributor_attributes,
});
record!(types::CompositeAlarm {
    "ActionsEnabled": actions_enabled,
    "AlarmActions": alarm_actions,
    "AlarmArn": alarm_arn,
    "AlarmConfigurationUpdatedTimestamp": alarm_configuration_updated_timestamp,
    "AlarmDescription": alarm_description,
    "AlarmName": alarm_name,
    "AlarmRule": alarm_rule,
    "InsufficientDataActions": insufficient_data_actions,
    "OKActions": ok_actions,
    "StateReason": state_reason,
    "StateReasonData": state_reason_data,
    "StateUpdatedTimestamp": state_updated_timestamp,
    "StateValue": state_value,
    "StateTransitionedTimestamp": state_transitioned_timestamp,
    "ActionsSuppressedBy": actions_suppressed_by,
    "ActionsSuppressedReason": actions_suppressed_reason,
    "ActionsSuppressor": actions_suppressor,
    "ActionsSuppressorWaitPeriod": actions_suppressor_wait_period,
    "ActionsSuppressorExtensionPeriod": actions_suppressor_extension_period,
});
record!(types::Datapoint {
    "Timestamp": timestamp,
    "SampleCount": sample_count,
    "Average": average,
    "Sum": sum,
    "Minimum": minimum,
    "Maximum": maximum,
    "Unit": unit,
    "ExtendedStatistics": extended_statistics,
});
record!(types::Dimension {
    "Name": name,
    "Value": value,
});
record!(types::MessageData {
    "Code": code,
    "Value": value,
});
record!(types::Metric {
    "Namespace": namespace,
    "MetricName": metric_name,
    "Dimensions": dimensions,
});
record!(types::MetricAlarm {
    "AlarmName": alarm_name,
    "AlarmArn": alarm_arn,
    "AlarmDescription": alarm_description,
    "AlarmConfigurationUpdatedTimestamp": alarm_configuration_updated_timestamp,
    "ActionsEnabled": actions_enabled,
    "OKActions": ok_actions,
    "AlarmActions": alarm_actions,
    "InsufficientDataActions": insufficient_data_actions,
    "StateValue": state_value,
    "StateReason": state_reason,
    "StateReasonData": state_reason_data,
    "StateUpdatedTimestamp": state_updated_timestamp,
    "MetricName": metric_name,
    "Namespace": namespace,
    "Statistic": statistic,
    "ExtendedStatistic": extended_statistic,
    "Dimensions": dimensions,
    "Period": period,
    "Unit": unit,
    "EvaluationPeriods": evaluation_periods,
    "DatapointsToAlarm": datapoints_to_alarm,
    "Threshold": threshold,
    "ComparisonOperator": comparison_operator,
    "TreatMissingData": treat_missing_data,
    "EvaluateLowSampleCountPercentile": evaluate_low_sample_count_percentile,
    "Metrics": metrics,
    "ThresholdMetricId": threshold_metric_id,
    "EvaluationState": evaluation_state,
    "StateTransitionedTimestamp": state_transitioned_timestamp,
});
record!(types::MetricDataQuery {
    "Id": id,
    "MetricStat": metric_stat,
    "Expression": expression,
    "Label": label,
    "ReturnData": return_data,
    "Period": period,
    "AccountId": account_id,
});
record!(types::MetricDataResult {
    "Id": id,
    "Label": label,
    "Timestamps": timestamps,
    "Values": values,
    "StatusCode": status_code,
    "Messages": messages,
});
record!(types::MetricStat {
    "Metric": metric,
    "Period": period,
    "Stat": stat,
    "Unit": unit,
});

word!(
    types::ActionsSuppressedBy,
    types::AlarmType,
    types::ComparisonOperator,
    types::EvaluationState,
    types::HistoryItemType,
    types::StandardUnit,
    types::StateValue,
    types::Statistic,
    types::StatusCode,
);
