//! Systems Manager: scripts on machines, and what came of them.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::InstanceInformationStringFilter;
use regex_lite::Regex;
use serde_json::Value;

use crate::answer::{Answer as _, object, pages};
use crate::argument::Arguments;
use crate::error::Error;
use crate::operation::{Operation, change, parameter, read, required};
use crate::service::ITEMS;
use crate::session::Session;
use crate::shape::{Name, Parameter, Shape};

const INSTANCE: Shape = Shape::Name(Name::ManagedInstance);
/// Of one line, and of all lines; SSM's own limit for all parameters is 64 KiB.
const LINE_MAX: usize = 20_000;
const SCRIPT_BYTES_MAX: usize = 50_000;

/// The parameters of the document AWS-RunShellScript: each is a list of texts.
const SCRIPT: &[Parameter] = &[
    required!(
        "commands",
        Shape::List { of: &Shape::Text { max: LINE_MAX }, min: 1, max: 1000 },
        "the lines of the script"
    ),
    parameter!(
        "workingDirectory",
        Shape::List {
            of: &Shape::Pattern { pattern: "^/[A-Za-z0-9._/@+ -]{0,1000}$", says: "a path from the root" },
            min: 1,
            max: 1
        }
    ),
    parameter!(
        "executionTimeout",
        Shape::List {
            of: &Shape::Pattern { pattern: "^[1-9][0-9]{0,4}$", says: "seconds, as a text of digits" },
            min: 1,
            max: 1
        },
        "seconds that the script may run, as a text"
    ),
];
const SEND_COMMAND: &[Parameter] = &[
    required!("DocumentName", Shape::OneOf(&["AWS-RunShellScript"])),
    required!("InstanceIds", Shape::List { of: &INSTANCE, min: 1, max: 20 }),
    required!("Parameters", Shape::Record(SCRIPT)),
    parameter!("TimeoutSeconds", Shape::Integer { min: 30, max: 3600 }, "within which it must have begun"),
    parameter!("Comment", Shape::Text { max: 100 }),
];
const GET_COMMAND_INVOCATION: &[Parameter] = &[
    required!("CommandId", Shape::Name(Name::Command), "as ssm:SendCommand told it"),
    required!("InstanceId", INSTANCE),
];
const INFORMATION_FILTER: &[Parameter] = &[
    required!("Key", Shape::Text { max: 255 }),
    required!("Values", Shape::List { of: &Shape::Text { max: 255 }, min: 1, max: 100 }),
];
const DESCRIBE_INSTANCE_INFORMATION: &[Parameter] = &[
    parameter!(
        "Filters",
        Shape::List { of: &Shape::Record(INFORMATION_FILTER), min: 1, max: 10 },
        "as SSM names them: `InstanceIds`, `PingStatus`"
    ),
    parameter!("MaxResults", ITEMS, "at most so many in all"),
];

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        change!(
            "ssm:SendCommand",
            Destructive,
            inverse None,
            "Run a shell script on machines as root; ssm:GetCommandInvocation has what came of it",
            SEND_COMMAND,
            |a| whole_script(a)
        ),
        read!(
            "ssm:GetCommandInvocation",
            "What a script did on one machine: status, exit code, output",
            GET_COMMAND_INVOCATION
        ),
        read!(
            "ssm:DescribeInstanceInformation",
            "Which machines SSM reaches, and when they last answered",
            DESCRIBE_INSTANCE_INFORMATION
        ),
    ]
}

/// The script must be what runs, because it is what was judged: SSM puts other text in the place of `{{ssm:name}}` and
/// the like. `{{.Name}}` of Go templates is left alone by it, and here.
fn whole_script(arguments: Arguments<'_>) -> Result<(), String> {
    let parameters = arguments.record("Parameters").unwrap_or(Arguments(None));
    let lines = parameters.texts("commands").unwrap_or_default();
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    if bytes > SCRIPT_BYTES_MAX {
        return Err(format!("`Parameters.commands` must have {SCRIPT_BYTES_MAX} bytes at most, has: {bytes}"));
    }
    let is_replaced = |line: &String| Regex::new(r"\{\{\s*[A-Za-z_]").map_or(true, |form| form.is_match(line));
    match lines.iter().position(is_replaced) {
        Some(at) => {
            Err(format!("`Parameters.commands[{at}]` has {{{{name}}}}, which SSM would replace: write the text itself"))
        }
        None => Ok(()),
    }
}

pub(crate) async fn send(session: &Session<'_>, action: &str, a: Arguments<'_>) -> Result<Value, Error> {
    let client = Client::new(session.config);
    Ok(match action {
        "SendCommand" => {
            let parameters = a.record("Parameters").unwrap_or(Arguments(None));
            let mut request = client.send_command().set_document_name(a.text("DocumentName"));
            for name in ["commands", "workingDirectory", "executionTimeout"] {
                if let Some(values) = parameters.texts(name) {
                    request = request.parameters(name, values);
                }
            }
            let request = request.set_instance_ids(a.texts("InstanceIds")).set_comment(a.text("Comment"));
            let sent = request.set_timeout_seconds(a.integer("TimeoutSeconds")).send().await;
            object([("Command", sent.map_err(|error| session.failure(error))?.command.answer())])
        }
        "GetCommandInvocation" => {
            let request = client.get_command_invocation().set_command_id(a.text("CommandId"));
            let sent = request.set_instance_id(a.text("InstanceId")).send().await;
            sent.map_err(|error| session.failure(error))?.answer().unwrap_or_default()
        }
        "DescribeInstanceInformation" => {
            let request = client.describe_instance_information().set_filters(filters(session, a)?).max_results(50);
            let limit = a.number("MaxResults");
            let found = pages!(session, limit, request, set_next_token, instance_information_list, next_token);
            found.answer("InstanceInformationList")
        }
        _ => return Err(session.unsent()),
    })
}

fn filters(session: &Session<'_>, a: Arguments<'_>) -> Result<Option<Vec<InstanceInformationStringFilter>>, Error> {
    let mut filters = Vec::new();
    for filter in a.records("Filters") {
        let built = InstanceInformationStringFilter::builder().set_key(filter.text("Key"));
        filters.push(built.set_values(filter.texts("Values")).build().map_err(|_| session.unsent())?);
    }
    Ok(Some(filters).filter(|filters| !filters.is_empty()))
}
