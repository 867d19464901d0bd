//! Elastic Load Balancing: which targets take traffic.

use crate::operation::{Operation, parameter, read, required};
use crate::service::ITEMS;
use crate::shape::{Name, Parameter, Shape};

const TARGET_GROUP: Shape = Shape::Name(Name::TargetGroup);
const TARGET: &[Parameter] = &[
    required!("Id", Shape::Text { max: 255 }, "of an instance, or an address"),
    parameter!("Port", Shape::Integer { min: 1, max: 65_535 }),
];

const DESCRIBE_TARGET_HEALTH: &[Parameter] = &[
    required!("TargetGroupArn", TARGET_GROUP),
    parameter!("Targets", Shape::List { of: &Shape::Record(TARGET), min: 1, max: 100 }),
];
const DESCRIBE_TARGET_GROUPS: &[Parameter] = &[
    parameter!("TargetGroupArns", Shape::List { of: &TARGET_GROUP, min: 1, max: 20 }),
    parameter!("LoadBalancerArn", Shape::Name(Name::LoadBalancer)),
    parameter!(
        "Names",
        Shape::List {
            of: &Shape::Pattern { pattern: "^[A-Za-z0-9-]{1,32}$", says: "the name of a target group" },
            min: 1,
            max: 20
        }
    ),
    parameter!("PageSize", ITEMS, "at most so many in all"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        read!(
            "elasticloadbalancing:DescribeTargetHealth",
            "Which targets of a group are healthy, and why not",
            DESCRIBE_TARGET_HEALTH
        ),
        read!(
            "elasticloadbalancing:DescribeTargetGroups",
            "Target groups: health check, port, load balancers",
            DESCRIBE_TARGET_GROUPS,
            |a| {
                let given = ["TargetGroupArns", "LoadBalancerArn", "Names"].iter().filter(|name| a.has(name)).count();
                match given {
                    0 | 1 => Ok(()),
                    _ => Err("only one of `TargetGroupArns`, `LoadBalancerArn`, `Names`".into()),
                }
            }
        ),
    ]
}
