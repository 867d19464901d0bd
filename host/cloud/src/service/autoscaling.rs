//! Auto Scaling: groups, which machines belong to them, how many there should be.

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::Filter;
use serde_json::Value;

use crate::answer::{object, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS};
use crate::session::Session;
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

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    let limit = a.number("MaxRecords");
    Ok(match action {
        "DescribeAutoScalingGroups" => {
            let filter =
                |f: Arguments<'_>| Filter::builder().set_name(f.text("Name")).set_values(f.texts("Values")).build();
            let filters = a.has("Filters").then(|| a.records("Filters").into_iter().map(filter).collect());
            let names = a.texts("AutoScalingGroupNames");
            let request = client.describe_auto_scaling_groups().set_auto_scaling_group_names(names);
            let request = request.set_filters(filters).max_records(100);
            pages!(session, limit, request, set_next_token, auto_scaling_groups, next_token).answer("AutoScalingGroups")
        }
        "DescribeAutoScalingInstances" => {
            let request = client.describe_auto_scaling_instances().set_instance_ids(a.texts("InstanceIds"));
            let found = pages!(session, limit, request, set_next_token, auto_scaling_instances, next_token);
            found.answer("AutoScalingInstances")
        }
        "SetDesiredCapacity" => {
            let request = client.set_desired_capacity().set_auto_scaling_group_name(a.text("AutoScalingGroupName"));
            let request = request.set_desired_capacity(a.integer("DesiredCapacity"));
            let sent = request.set_honor_cooldown(a.boolean("HonorCooldown")).send().await;
            sent.map_err(|error| session.failure(error))?;
            object([])
        }
        _ => return Err(session.unsent()),
    })
}
