//! EC2: machines, their state as AWS sees it, their volumes; reboot, stop, start.

use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS};
use crate::shape::{Name, Parameter, Shape};

const INSTANCE: Shape = Shape::Name(Name::Instance);
/// One call stays a thing that a person can oversee.
const INSTANCES_CHANGED_MAX: usize = 20;
const CHANGED: Shape = Shape::List { of: &INSTANCE, min: 1, max: INSTANCES_CHANGED_MAX };

const DESCRIBE_INSTANCES: &[Parameter] = &[
    parameter!("InstanceIds", Shape::List { of: &INSTANCE, min: 1, max: 1000 }),
    parameter!("Filters", FILTERS, "as EC2 names them: `tag:env`, `instance-state-name`, `vpc-id`"),
    parameter!("MaxResults", ITEMS, "at most so many instances in all"),
];
const DESCRIBE_INSTANCE_STATUS: &[Parameter] = &[
    parameter!("InstanceIds", Shape::List { of: &INSTANCE, min: 1, max: 1000 }),
    parameter!("Filters", FILTERS, "as EC2 names them: `instance-status.status`, `availability-zone`"),
    parameter!("IncludeAllInstances", Shape::Boolean, "those that do not run as well"),
    parameter!("MaxResults", ITEMS, "at most so many in all"),
];
const GET_CONSOLE_OUTPUT: &[Parameter] =
    &[required!("InstanceId", INSTANCE), parameter!("Latest", Shape::Boolean, "what there is now, on Nitro instances")];
const DESCRIBE_VOLUMES: &[Parameter] = &[
    parameter!("VolumeIds", Shape::List { of: &Shape::Name(Name::Volume), min: 1, max: 500 }),
    parameter!("Filters", FILTERS, "as EC2 names them: `attachment.instance-id`, `status`"),
    parameter!("MaxResults", ITEMS, "at most so many volumes in all"),
];
const REBOOT_INSTANCES: &[Parameter] = &[required!("InstanceIds", CHANGED)];
const START_INSTANCES: &[Parameter] = &[required!("InstanceIds", CHANGED)];
const STOP_INSTANCES: &[Parameter] = &[
    required!("InstanceIds", CHANGED),
    parameter!("Force", Shape::Boolean, "without giving the system time to flush its caches"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!("ec2:DescribeInstances", "Machines: state, type, addresses, tags, volumes", DESCRIBE_INSTANCES),
        read!(
            "ec2:DescribeInstanceStatus",
            "Status checks of machines, and what AWS has planned for them",
            DESCRIBE_INSTANCE_STATUS
        ),
        read!("ec2:GetConsoleOutput", "What a machine wrote to its console while it started", GET_CONSOLE_OUTPUT),
        read!("ec2:DescribeVolumes", "Volumes: size, type, state, where they are attached", DESCRIBE_VOLUMES),
        change!(
            "ec2:RebootInstances",
            Write,
            inverse None,
            "Reboot machines; they keep their addresses and volumes",
            REBOOT_INSTANCES,
            |_| Ok(())
        ),
        change!(
            "ec2:StopInstances",
            Destructive,
            inverse Some("ec2:StartInstances"),
            "Stop machines; what is on instance store volumes is lost, public addresses change",
            STOP_INSTANCES,
            |_| Ok(())
        ),
        change!(
            "ec2:StartInstances",
            Write,
            inverse Some("ec2:StopInstances"),
            "Start machines that are stopped",
            START_INSTANCES,
            |_| Ok(())
        ),
    ]
}
