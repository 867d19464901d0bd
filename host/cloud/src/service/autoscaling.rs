//! Auto Scaling: groups, which machines belong to them, how many there should be.

use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS};
use crate::shape::{Name, Parameter, Shape};

const GROUP: Shape = Shape::Name(Name::AutoScalingGroup);

const DESCRIBE_GROUPS: &[Parameter] = &[
    parameter!("AutoScalingGroupNames", Shape::List { of: &GROUP, min: 1, max: 100 }),
    parameter!("Filters", FILTERS, "by tag: `tag:env`, `tag-key`"),
    parameter!("MaxRecords", ITEMS, "at most so many in all"),
];
const DESCRIBE_INSTANCES: &[Parameter] = &[
    parameter!("InstanceIds", Shape::List { of: &Shape::Name(Name::Instance), min: 1, max: 50 }),
    parameter!("MaxRecords", ITEMS, "at most so many in all"),
];
const SET_DESIRED_CAPACITY: &[Parameter] = &[
    required!("AutoScalingGroupName", GROUP),
    required!("DesiredCapacity", Shape::Integer { min: 0, max: 1000 }, "within the group's own bounds"),
    parameter!("HonorCooldown", Shape::Boolean, "refuse while the group cools down"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!(
            "autoscaling:DescribeAutoScalingGroups",
            "Groups: bounds, wanted size, instances and their health",
            DESCRIBE_GROUPS
        ),
        read!(
            "autoscaling:DescribeAutoScalingInstances",
            "Machines of groups: which group, lifecycle, health",
            DESCRIBE_INSTANCES
        ),
        change!(
            "autoscaling:SetDesiredCapacity",
            Write,
            inverse Some("autoscaling:SetDesiredCapacity"),
            "Make a group larger or smaller; fewer means that machines end, and the group says which",
            SET_DESIRED_CAPACITY,
            |_| Ok(())
        ),
    ]
}
