//! Elastic Load Balancing: which targets take traffic.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use serde_json::Value;

use crate::answer::{Answer as _, object, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, parameter, read, required};
use crate::service::ITEMS;
use crate::session::Session;
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

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    Ok(match action {
        "DescribeTargetHealth" => {
            let target = |t: Arguments<'_>| {
                TargetDescription::builder().set_id(t.text("Id")).set_port(t.integer("Port")).build()
            };
            let targets = a.has("Targets").then(|| a.records("Targets").into_iter().map(target).collect());
            let request = client.describe_target_health().set_target_group_arn(a.text("TargetGroupArn"));
            let sent = request.set_targets(targets).send().await.map_err(|error| session.failure(error))?;
            let found = sent.target_health_descriptions.unwrap_or_default();
            object([("TargetHealthDescriptions", found.answer())])
        }
        "DescribeTargetGroups" => {
            let request = client.describe_target_groups().set_target_group_arns(a.texts("TargetGroupArns"));
            let request = request.set_load_balancer_arn(a.text("LoadBalancerArn")).set_names(a.texts("Names"));
            let limit = a.number("PageSize");
            pages!(session, limit, request, set_marker, target_groups, next_marker).answer("TargetGroups")
        }
        _ => return Err(session.unsent()),
    })
}
