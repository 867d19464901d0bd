//! What Elastic Load Balancing answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_elasticloadbalancingv2::types;

use crate::answer::{record, word};

record!(types::AdministrativeOverride {
    "State": state,
    "Reason": reason,
    "Description": description,
});
record!(types::AnomalyDetection {
    "Result": result,
    "MitigationInEffect": mitigation_in_effect,
});
record!(types::Matcher {
    "HttpCode": http_code,
    "GrpcCode": grpc_code,
});
record!(types::TargetDescription {
    "Id": id,
    "Port": port,
    "AvailabilityZone": availability_zone,
    "QuicServerId": quic_server_id,
});
record!(types::TargetGroup {
    "TargetGroupArn": target_group_arn,
    "TargetGroupName": target_group_name,
    "Protocol": protocol,
    "Port": port,
    "VpcId": vpc_id,
    "HealthCheckProtocol": health_check_protocol,
    "HealthCheckPort": health_check_port,
    "HealthCheckEnabled": health_check_enabled,
    "HealthCheckIntervalSeconds": health_check_interval_seconds,
    "HealthCheckTimeoutSeconds": health_check_timeout_seconds,
    "HealthyThresholdCount": healthy_threshold_count,
    "UnhealthyThresholdCount": unhealthy_threshold_count,
    "HealthCheckPath": health_check_path,
    "Matcher": matcher,
    "LoadBalancerArns": load_balancer_arns,
    "TargetType": target_type,
    "ProtocolVersion": protocol_version,
    "IpAddressType": ip_address_type,
    "TargetControlPort": target_control_port,
});
record!(types::TargetHealth {
    "State": state,
    "Reason": reason,
    "Description": description,
});
record!(types::TargetHealthDescription {
    "Target": target,
    "HealthCheckPort": health_check_port,
    "TargetHealth": target_health,
    "AnomalyDetection": anomaly_detection,
    "AdministrativeOverride": administrative_override,
});

word!(
    types::AnomalyResultEnum,
    types::MitigationInEffectEnum,
    types::ProtocolEnum,
    types::TargetAdministrativeOverrideReasonEnum,
    types::TargetAdministrativeOverrideStateEnum,
    types::TargetGroupIpAddressTypeEnum,
    types::TargetHealthReasonEnum,
    types::TargetHealthStateEnum,
    types::TargetTypeEnum,
);
