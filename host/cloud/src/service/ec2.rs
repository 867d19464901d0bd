//! EC2: machines, their state as AWS sees it, their volumes; reboot, stop, start.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use serde_json::Value;

use crate::answer::{Answer as _, object, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, change, parameter, read, required};
use crate::service::{FILTERS, ITEMS};
use crate::session::Session;
use crate::shape::{Name, Parameter, Shape};

const INSTANCE: Shape = Shape::Name(Name::Instance);
/// One call stays a thing that a person can oversee.
const INSTANCES_CHANGED_MAX: usize = 20;
const CHANGED: Shape = Shape::List { of: &INSTANCE, min: 1, max: INSTANCES_CHANGED_MAX };

const DESCRIBE_INSTANCES: &[Parameter] = &[
    parameter!("InstanceIds", Shape::List { of: &INSTANCE, min: 1, max: 1000 }),
    parameter!("Filters", FILTERS, "as EC2 names them: `tag:env`, `instance-state-name`, `vpc-id`"),
    parameter!("MaxResults", ITEMS, "at most so many reservations in all"),
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

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    let ids = a.texts("InstanceIds");
    let limit = a.number("MaxResults");
    let failed = |error| session.failure(error);
    Ok(match action {
        "DescribeInstances" => {
            let request = client.describe_instances().set_instance_ids(ids).set_filters(filters(a));
            pages!(session, limit, request, set_next_token, reservations, next_token).answer("Reservations")
        }
        "DescribeInstanceStatus" => {
            let request = client.describe_instance_status().set_instance_ids(ids).set_filters(filters(a));
            let request = request.set_include_all_instances(a.boolean("IncludeAllInstances"));
            pages!(session, limit, request, set_next_token, instance_statuses, next_token).answer("InstanceStatuses")
        }
        "DescribeVolumes" => {
            let request = client.describe_volumes().set_volume_ids(a.texts("VolumeIds")).set_filters(filters(a));
            pages!(session, limit, request, set_next_token, volumes, next_token).answer("Volumes")
        }
        "GetConsoleOutput" => {
            let request = client.get_console_output().set_instance_id(a.text("InstanceId"));
            let sent = request.set_latest(a.boolean("Latest")).send().await;
            console(sent.map_err(|error| session.failure(error))?)
        }
        "RebootInstances" => {
            client.reboot_instances().set_instance_ids(ids).send().await.map_err(failed)?;
            object([])
        }
        "StopInstances" => {
            let request = client.stop_instances().set_instance_ids(ids).set_force(a.boolean("Force"));
            let sent = request.send().await.map_err(|error| session.failure(error))?;
            object([("StoppingInstances", sent.stopping_instances.answer())])
        }
        "StartInstances" => {
            let sent = client.start_instances().set_instance_ids(ids).send().await;
            let sent = sent.map_err(|error| session.failure(error))?;
            object([("StartingInstances", sent.starting_instances.answer())])
        }
        _ => return Err(session.unsent()),
    })
}

/// Ask EC2 whether it would do it, and have nothing done. Its yes is an error of its own.
pub(crate) async fn dry_run(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<(), Error> {
    let client = Client::new(session.config);
    let ids = a.texts("InstanceIds");
    let refused = match action {
        "DescribeInstances" => {
            let request = client.describe_instances().set_instance_ids(ids).set_filters(filters(a));
            request.dry_run(true).send().await.err().map(|error| session.failure(error))
        }
        "DescribeInstanceStatus" => {
            let request = client.describe_instance_status().set_instance_ids(ids).set_filters(filters(a));
            request.dry_run(true).send().await.err().map(|error| session.failure(error))
        }
        "DescribeVolumes" => {
            let request = client.describe_volumes().set_volume_ids(a.texts("VolumeIds")).set_filters(filters(a));
            request.dry_run(true).send().await.err().map(|error| session.failure(error))
        }
        "GetConsoleOutput" => {
            let request = client.get_console_output().set_instance_id(a.text("InstanceId"));
            request.dry_run(true).send().await.err().map(|error| session.failure(error))
        }
        "RebootInstances" => {
            let request = client.reboot_instances().set_instance_ids(ids).dry_run(true);
            request.send().await.err().map(|error| session.failure(error))
        }
        "StopInstances" => {
            let request = client.stop_instances().set_instance_ids(ids).set_force(a.boolean("Force")).dry_run(true);
            request.send().await.err().map(|error| session.failure(error))
        }
        "StartInstances" => {
            let request = client.start_instances().set_instance_ids(ids).dry_run(true);
            request.send().await.err().map(|error| session.failure(error))
        }
        _ => return Err(session.unsent()),
    };
    match refused {
        Some(Error::Failed { code, .. }) if code == "DryRunOperation" => Ok(()),
        Some(error) => Err(error),
        None => Err(session.done_for_real()),
    }
}

fn filters(a: Arguments<'_>) -> Option<Vec<Filter>> {
    let filter = |f: Arguments<'_>| Filter::builder().set_name(f.text("Name")).set_values(f.texts("Values")).build();
    a.has("Filters").then(|| a.records("Filters").into_iter().map(filter).collect())
}

/// AWS sends the text in base64, and `aws` shows it as text; so does this.
fn console(mut sent: aws_sdk_ec2::operation::get_console_output::GetConsoleOutputOutput) -> Value {
    let decode = |text: &String| aws_smithy_types::base64::decode(text).ok();
    if let Some(bytes) = sent.output.as_ref().and_then(decode) {
        sent.output = Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    sent.answer().unwrap_or_default()
}
