//! What CloudWatch Logs answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_cloudwatchlogs::{operation, types};

use crate::answer::{record, word};

record!(operation::get_query_results::GetQueryResultsOutput {
    "queryLanguage": query_language,
    "results": results,
    "statistics": statistics,
    "status": status,
    "encryptionKey": encryption_key,
});
record!(operation::start_query::StartQueryOutput {
    "queryId": query_id,
});
record!(types::FilteredLogEvent {
    "logStreamName": log_stream_name,
    "timestamp": timestamp,
    "message": message,
    "ingestionTime": ingestion_time,
    "eventId": event_id,
});
record!(types::LogGroup {
    "logGroupName": log_group_name,
    "creationTime": creation_time,
    "retentionInDays": retention_in_days,
    "metricFilterCount": metric_filter_count,
    "arn": arn,
    "storedBytes": stored_bytes,
    "kmsKeyId": kms_key_id,
    "dataProtectionStatus": data_protection_status,
    "inheritedProperties": inherited_properties,
    "logGroupClass": log_group_class,
    "logGroupArn": log_group_arn,
    "retentionPolicyName": retention_policy_name,
});
record!(types::QueryStatistics {
    "recordsMatched": records_matched,
    "recordsScanned": records_scanned,
    "estimatedRecordsSkipped": estimated_records_skipped,
    "bytesScanned": bytes_scanned,
    "estimatedBytesSkipped": estimated_bytes_skipped,
    "logGroupsScanned": log_groups_scanned,
    "resultCount": result_count,
});
record!(types::ResultField {
    "field": field,
    "value": value,
});

word!(
    types::DataProtectionStatus,
    types::InheritedProperty,
    types::LogGroupClass,
    types::QueryLanguage,
    types::QueryStatus,
);
