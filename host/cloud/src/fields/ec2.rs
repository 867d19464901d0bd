//! What EC2 answers: for each of its types the names of the fields, as AWS writes them and as the SDK does.
//!
//! Taken from the names in the SDK, which has them from AWS; a field that AWS adds is left out until it stands here.

use aws_sdk_ec2::{operation, types};

use crate::answer::{record, word};

record!(operation::get_console_output::GetConsoleOutputOutput {
    "InstanceId": instance_id,
    "Timestamp": timestamp,
    "Output": output,
});
record!(types::ApplicationStatusSummary {
    "Status": status,
    "ImpairedSince": impaired_since,
});
record!(types::CapacityReservationSpecificationResponse {
    "CapacityReservationPreference": capacity_reservation_preference,
    "CapacityReservationTarget": capacity_reservation_target,
});
record!(types::CapacityReservationTargetResponse {
    "CapacityReservationId": capacity_reservation_id,
    "CapacityReservationResourceGroupArn": capacity_reservation_resource_group_arn,
});
record!(types::ConnectionTrackingSpecificationResponse {
    "TcpEstablishedTimeout": tcp_established_timeout,
    "UdpStreamTimeout": udp_stream_timeout,
    "UdpTimeout": udp_timeout,
});
record!(types::CpuOptions {
    "CoreCount": core_count,
    "ThreadsPerCore": threads_per_core,
    "AmdSevSnp": amd_sev_snp,
    "NestedVirtualization": nested_virtualization,
});
record!(types::EbsInstanceBlockDevice {
    "AttachTime": attach_time,
    "DeleteOnTermination": delete_on_termination,
    "Status": status,
    "VolumeId": volume_id,
    "AssociatedResource": associated_resource,
    "VolumeOwnerId": volume_owner_id,
    "Operator": operator,
    "EbsCardIndex": ebs_card_index,
});
record!(types::EbsStatusDetails {
    "ImpairedSince": impaired_since,
    "Name": name,
    "Status": status,
});
record!(types::EbsStatusSummary {
    "Details": details,
    "Status": status,
});
record!(types::GroupIdentifier {
    "GroupId": group_id,
    "GroupName": group_name,
});
record!(types::HibernationOptions {
    "Configured": configured,
});
record!(types::IamInstanceProfile {
    "Arn": arn,
    "Id": id,
});
record!(types::Instance {
    "Architecture": architecture,
    "BlockDeviceMappings": block_device_mappings,
    "ClientToken": client_token,
    "EbsOptimized": ebs_optimized,
    "EnaSupport": ena_support,
    "Hypervisor": hypervisor,
    "IamInstanceProfile": iam_instance_profile,
    "InstanceLifecycle": instance_lifecycle,
    "NetworkInterfaces": network_interfaces,
    "OutpostArn": outpost_arn,
    "RootDeviceName": root_device_name,
    "RootDeviceType": root_device_type,
    "SecurityGroups": security_groups,
    "SourceDestCheck": source_dest_check,
    "SpotInstanceRequestId": spot_instance_request_id,
    "SriovNetSupport": sriov_net_support,
    "StateReason": state_reason,
    "Tags": tags,
    "VirtualizationType": virtualization_type,
    "CpuOptions": cpu_options,
    "CapacityBlockId": capacity_block_id,
    "CapacityReservationId": capacity_reservation_id,
    "CapacityReservationSpecification": capacity_reservation_specification,
    "HibernationOptions": hibernation_options,
    "MetadataOptions": metadata_options,
    "BootMode": boot_mode,
    "PlatformDetails": platform_details,
    "UsageOperation": usage_operation,
    "UsageOperationUpdateTime": usage_operation_update_time,
    "PrivateDnsNameOptions": private_dns_name_options,
    "Ipv6Address": ipv6_address,
    "TpmSupport": tpm_support,
    "MaintenanceOptions": maintenance_options,
    "CurrentInstanceBootMode": current_instance_boot_mode,
    "NetworkPerformanceOptions": network_performance_options,
    "Operator": operator,
    "SecondaryInterfaces": secondary_interfaces,
    "InstanceId": instance_id,
    "ImageId": image_id,
    "State": state,
    "PrivateDnsName": private_dns_name,
    "PublicDnsName": public_dns_name,
    "StateTransitionReason": state_transition_reason,
    "KeyName": key_name,
    "AmiLaunchIndex": ami_launch_index,
    "ProductCodes": product_codes,
    "InstanceType": instance_type,
    "LaunchTime": launch_time,
    "Placement": placement,
    "KernelId": kernel_id,
    "RamdiskId": ramdisk_id,
    "Platform": platform,
    "Monitoring": monitoring,
    "SubnetId": subnet_id,
    "VpcId": vpc_id,
    "PrivateIpAddress": private_ip_address,
    "PublicIpAddress": public_ip_address,
});
record!(types::InstanceAttachmentEnaSrdSpecification {
    "EnaSrdEnabled": ena_srd_enabled,
    "EnaSrdUdpSpecification": ena_srd_udp_specification,
});
record!(types::InstanceAttachmentEnaSrdUdpSpecification {
    "EnaSrdUdpEnabled": ena_srd_udp_enabled,
});
record!(types::InstanceBlockDeviceMapping {
    "DeviceName": device_name,
    "Ebs": ebs,
});
record!(types::InstanceIpv4Prefix {
    "Ipv4Prefix": ipv4_prefix,
});
record!(types::InstanceIpv6Address {
    "Ipv6Address": ipv6_address,
    "IsPrimaryIpv6": is_primary_ipv6,
});
record!(types::InstanceIpv6Prefix {
    "Ipv6Prefix": ipv6_prefix,
});
record!(types::InstanceMaintenanceOptions {
    "AutoRecovery": auto_recovery,
    "RebootMigration": reboot_migration,
});
record!(types::InstanceMetadataOptionsResponse {
    "State": state,
    "HttpTokens": http_tokens,
    "HttpPutResponseHopLimit": http_put_response_hop_limit,
    "HttpEndpoint": http_endpoint,
    "HttpProtocolIpv6": http_protocol_ipv6,
    "InstanceMetadataTags": instance_metadata_tags,
});
record!(types::InstanceNetworkInterface {
    "Association": association,
    "Attachment": attachment,
    "Description": description,
    "Groups": groups,
    "Ipv6Addresses": ipv6_addresses,
    "MacAddress": mac_address,
    "NetworkInterfaceId": network_interface_id,
    "OwnerId": owner_id,
    "PrivateDnsName": private_dns_name,
    "PrivateIpAddress": private_ip_address,
    "PrivateIpAddresses": private_ip_addresses,
    "SourceDestCheck": source_dest_check,
    "Status": status,
    "SubnetId": subnet_id,
    "VpcId": vpc_id,
    "InterfaceType": interface_type,
    "Ipv4Prefixes": ipv4_prefixes,
    "Ipv6Prefixes": ipv6_prefixes,
    "ConnectionTrackingConfiguration": connection_tracking_configuration,
    "Operator": operator,
});
record!(types::InstanceNetworkInterfaceAssociation {
    "CarrierIp": carrier_ip,
    "CustomerOwnedIp": customer_owned_ip,
    "IpOwnerId": ip_owner_id,
    "PublicDnsName": public_dns_name,
    "PublicIp": public_ip,
});
record!(types::InstanceNetworkInterfaceAttachment {
    "AttachTime": attach_time,
    "AttachmentId": attachment_id,
    "DeleteOnTermination": delete_on_termination,
    "DeviceIndex": device_index,
    "Status": status,
    "NetworkCardIndex": network_card_index,
    "EnaSrdSpecification": ena_srd_specification,
    "EnaQueueCount": ena_queue_count,
});
record!(types::InstanceNetworkPerformanceOptions {
    "BandwidthWeighting": bandwidth_weighting,
});
record!(types::InstancePrivateIpAddress {
    "Association": association,
    "Primary": primary,
    "PrivateDnsName": private_dns_name,
    "PrivateIpAddress": private_ip_address,
});
record!(types::InstanceSecondaryInterface {
    "Attachment": attachment,
    "MacAddress": mac_address,
    "SecondaryInterfaceId": secondary_interface_id,
    "OwnerId": owner_id,
    "PrivateIpAddresses": private_ip_addresses,
    "SourceDestCheck": source_dest_check,
    "Status": status,
    "SecondarySubnetId": secondary_subnet_id,
    "SecondaryNetworkId": secondary_network_id,
    "InterfaceType": interface_type,
});
record!(types::InstanceSecondaryInterfaceAttachment {
    "AttachTime": attach_time,
    "AttachmentId": attachment_id,
    "DeleteOnTermination": delete_on_termination,
    "DeviceIndex": device_index,
    "Status": status,
    "NetworkCardIndex": network_card_index,
});
record!(types::InstanceSecondaryInterfacePrivateIpAddress {
    "PrivateIpAddress": private_ip_address,
});
record!(types::InstanceState {
    "Code": code,
    "Name": name,
});
record!(types::InstanceStateChange {
    "InstanceId": instance_id,
    "CurrentState": current_state,
    "PreviousState": previous_state,
});
record!(types::InstanceStatus {
    "AvailabilityZone": availability_zone,
    "AvailabilityZoneId": availability_zone_id,
    "OutpostArn": outpost_arn,
    "Operator": operator,
    "Events": events,
    "InstanceId": instance_id,
    "InstanceState": instance_state,
    "InstanceStatus": instance_status,
    "SystemStatus": system_status,
    "AttachedEbsStatus": attached_ebs_status,
    "ApplicationStatus": application_status,
    "PerformanceStatus": performance_status,
});
record!(types::InstanceStatusDetails {
    "ImpairedSince": impaired_since,
    "Name": name,
    "Status": status,
});
record!(types::InstanceStatusEvent {
    "InstanceEventId": instance_event_id,
    "Code": code,
    "Description": description,
    "NotAfter": not_after,
    "NotBefore": not_before,
    "NotBeforeDeadline": not_before_deadline,
});
record!(types::InstanceStatusSummary {
    "Details": details,
    "Status": status,
});
record!(types::Monitoring {
    "State": state,
});
record!(types::OperatorResponse {
    "Managed": managed,
    "Principal": principal,
    "HiddenByDefault": hidden_by_default,
});
record!(types::PerformanceStatusSummary {
    "Status": status,
    "ImpairedSince": impaired_since,
    "Remediation": remediation,
});
record!(types::Placement {
    "AvailabilityZoneId": availability_zone_id,
    "Affinity": affinity,
    "GroupName": group_name,
    "PartitionNumber": partition_number,
    "HostId": host_id,
    "Tenancy": tenancy,
    "SpreadDomain": spread_domain,
    "HostResourceGroupArn": host_resource_group_arn,
    "GroupId": group_id,
    "AvailabilityZone": availability_zone,
});
record!(types::PrivateDnsNameOptionsResponse {
    "HostnameType": hostname_type,
    "EnableResourceNameDnsARecord": enable_resource_name_dns_a_record,
    "EnableResourceNameDnsAAAARecord": enable_resource_name_dns_aaaa_record,
});
record!(types::ProductCode {
    "ProductCodeId": product_code_id,
    "ProductCodeType": product_code_type,
});
record!(types::Reservation {
    "ReservationId": reservation_id,
    "OwnerId": owner_id,
    "RequesterId": requester_id,
    "Groups": groups,
    "Instances": instances,
});
record!(types::StateReason {
    "Code": code,
    "Message": message,
});
record!(types::Tag {
    "Key": key,
    "Value": value,
});
record!(types::Volume {
    "AvailabilityZoneId": availability_zone_id,
    "OutpostArn": outpost_arn,
    "SourceVolumeId": source_volume_id,
    "Iops": iops,
    "Tags": tags,
    "VolumeType": volume_type,
    "FastRestored": fast_restored,
    "MultiAttachEnabled": multi_attach_enabled,
    "Throughput": throughput,
    "SseType": sse_type,
    "Operator": operator,
    "VolumeInitializationRate": volume_initialization_rate,
    "VolumeArn": volume_arn,
    "OwnerId": owner_id,
    "VolumeId": volume_id,
    "Size": size,
    "SnapshotId": snapshot_id,
    "AvailabilityZone": availability_zone,
    "State": state,
    "CreateTime": create_time,
    "Attachments": attachments,
    "Encrypted": encrypted,
    "KmsKeyId": kms_key_id,
});
record!(types::VolumeAttachment {
    "DeleteOnTermination": delete_on_termination,
    "AssociatedResource": associated_resource,
    "InstanceOwningService": instance_owning_service,
    "EbsCardIndex": ebs_card_index,
    "VolumeId": volume_id,
    "InstanceId": instance_id,
    "Device": device,
    "State": state,
    "AttachTime": attach_time,
});

word!(
    types::AmdSevSnpSpecification,
    types::ArchitectureValues,
    types::AttachmentStatus,
    types::BootModeValues,
    types::CapacityReservationPreference,
    types::DeviceType,
    types::EventCode,
    types::HostnameType,
    types::HttpTokensState,
    types::HypervisorType,
    types::InstanceAutoRecoveryState,
    types::InstanceBandwidthWeighting,
    types::InstanceBootModeValues,
    types::InstanceLifecycleType,
    types::InstanceMetadataEndpointState,
    types::InstanceMetadataOptionsState,
    types::InstanceMetadataProtocolState,
    types::InstanceMetadataTagsState,
    types::InstanceRebootMigrationState,
    types::InstanceStateName,
    types::InstanceType,
    types::MonitoringState,
    types::NestedVirtualizationSpecification,
    types::NetworkInterfaceStatus,
    types::PlatformValues,
    types::ProductCodeValues,
    types::SecondaryInterfaceStatus,
    types::SecondaryInterfaceType,
    types::SseType,
    types::StatusName,
    types::StatusType,
    types::SummaryStatus,
    types::Tenancy,
    types::VirtualizationType,
    types::VolumeAttachmentState,
    types::VolumeState,
    types::VolumeType,
);
