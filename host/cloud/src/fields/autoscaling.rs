//! What Auto Scaling answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_autoscaling::types;

use crate::answer::{record, word};

record!(types::AutoScalingGroup {
    "AutoScalingGroupName": auto_scaling_group_name,
    "AutoScalingGroupARN": auto_scaling_group_arn,
    "LaunchConfigurationName": launch_configuration_name,
    "LaunchTemplate": launch_template,
    "MinSize": min_size,
    "MaxSize": max_size,
    "DesiredCapacity": desired_capacity,
    "PredictedCapacity": predicted_capacity,
    "DefaultCooldown": default_cooldown,
    "AvailabilityZones": availability_zones,
    "AvailabilityZoneIds": availability_zone_ids,
    "LoadBalancerNames": load_balancer_names,
    "TargetGroupARNs": target_group_arns,
    "HealthCheckType": health_check_type,
    "HealthCheckGracePeriod": health_check_grace_period,
    "Instances": instances,
    "CreatedTime": created_time,
    "SuspendedProcesses": suspended_processes,
    "PlacementGroup": placement_group,
    "VPCZoneIdentifier": vpc_zone_identifier,
    "EnabledMetrics": enabled_metrics,
    "Status": status,
    "Tags": tags,
    "TerminationPolicies": termination_policies,
    "NewInstancesProtectedFromScaleIn": new_instances_protected_from_scale_in,
    "ServiceLinkedRoleARN": service_linked_role_arn,
    "MaxInstanceLifetime": max_instance_lifetime,
    "CapacityRebalance": capacity_rebalance,
    "WarmPoolConfiguration": warm_pool_configuration,
    "WarmPoolSize": warm_pool_size,
    "Context": context,
    "DesiredCapacityType": desired_capacity_type,
    "DefaultInstanceWarmup": default_instance_warmup,
    "TrafficSources": traffic_sources,
    "InstanceMaintenancePolicy": instance_maintenance_policy,
    "DeletionProtection": deletion_protection,
    "AvailabilityZoneDistribution": availability_zone_distribution,
    "AvailabilityZoneImpairmentPolicy": availability_zone_impairment_policy,
    "CapacityReservationSpecification": capacity_reservation_specification,
    "Operator": operator,
});
record!(types::AutoScalingInstanceDetails {
    "InstanceId": instance_id,
    "InstanceType": instance_type,
    "AutoScalingGroupName": auto_scaling_group_name,
    "AvailabilityZone": availability_zone,
    "AvailabilityZoneId": availability_zone_id,
    "LifecycleState": lifecycle_state,
    "HealthStatus": health_status,
    "LaunchConfigurationName": launch_configuration_name,
    "LaunchTemplate": launch_template,
    "ImageId": image_id,
    "ProtectedFromScaleIn": protected_from_scale_in,
    "WeightedCapacity": weighted_capacity,
});
record!(types::AvailabilityZoneDistribution {
    "CapacityDistributionStrategy": capacity_distribution_strategy,
});
record!(types::AvailabilityZoneImpairmentPolicy {
    "ZonalShiftEnabled": zonal_shift_enabled,
    "ImpairedZoneHealthCheckBehavior": impaired_zone_health_check_behavior,
});
record!(types::CapacityReservationSpecification {
    "CapacityReservationPreference": capacity_reservation_preference,
    "CapacityReservationTarget": capacity_reservation_target,
});
record!(types::CapacityReservationTarget {
    "CapacityReservationIds": capacity_reservation_ids,
    "CapacityReservationResourceGroupArns": capacity_reservation_resource_group_arns,
});
record!(types::EnabledMetric {
    "Metric": metric,
    "Granularity": granularity,
});
record!(types::Instance {
    "InstanceId": instance_id,
    "InstanceType": instance_type,
    "AvailabilityZone": availability_zone,
    "AvailabilityZoneId": availability_zone_id,
    "LifecycleState": lifecycle_state,
    "HealthStatus": health_status,
    "LaunchConfigurationName": launch_configuration_name,
    "LaunchTemplate": launch_template,
    "ImageId": image_id,
    "ProtectedFromScaleIn": protected_from_scale_in,
    "WeightedCapacity": weighted_capacity,
});
record!(types::InstanceMaintenancePolicy {
    "MinHealthyPercentage": min_healthy_percentage,
    "MaxHealthyPercentage": max_healthy_percentage,
});
record!(types::InstanceReusePolicy {
    "ReuseOnScaleIn": reuse_on_scale_in,
});
record!(types::LaunchTemplateSpecification {
    "LaunchTemplateId": launch_template_id,
    "LaunchTemplateName": launch_template_name,
    "Version": version,
});
record!(types::Operator {
    "Principal": principal,
});
record!(types::SuspendedProcess {
    "ProcessName": process_name,
    "SuspensionReason": suspension_reason,
});
record!(types::TagDescription {
    "ResourceId": resource_id,
    "ResourceType": resource_type,
    "Key": key,
    "Value": value,
    "PropagateAtLaunch": propagate_at_launch,
});
record!(types::TrafficSourceIdentifier {
    "Identifier": identifier,
    "Type": r#type,
});
record!(types::WarmPoolConfiguration {
    "MaxGroupPreparedCapacity": max_group_prepared_capacity,
    "MinSize": min_size,
    "PoolState": pool_state,
    "Status": status,
    "InstanceReusePolicy": instance_reuse_policy,
});

word!(
    types::CapacityDistributionStrategy,
    types::CapacityReservationPreference,
    types::DeletionProtection,
    types::ImpairedZoneHealthCheckBehavior,
    types::LifecycleState,
    types::WarmPoolState,
    types::WarmPoolStatus,
);
