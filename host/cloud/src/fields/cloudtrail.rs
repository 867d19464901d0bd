//! What CloudTrail answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_cloudtrail::types;

use crate::answer::record;

record!(types::Event {
    "EventId": event_id,
    "EventName": event_name,
    "ReadOnly": read_only,
    "AccessKeyId": access_key_id,
    "EventTime": event_time,
    "EventSource": event_source,
    "Username": username,
    "Resources": resources,
    "CloudTrailEvent": cloud_trail_event,
});
record!(types::Resource {
    "ResourceType": resource_type,
    "ResourceName": resource_name,
});
