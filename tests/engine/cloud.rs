//! The tools for AWS as a user meets them: the check, calls from the command line, and a host that is killed while a
//! change is under way.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::killed::{kill, until};
use super::*;
use crate::moto::{self, REGION};

const ENVIRONMENT: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/nonexistent"),
];

fn account(url: &str) -> String {
    format!("[cloud.shop]\nregion = \"{REGION}\"\nendpoint_url = \"{url}\"\n")
}

const GRANT: &str = r#"
[grants.cloud.cloud]
accounts = ["shop"]
operations = ["ec2:Describe*", "ec2:RebootInstances", "ssm:SendCommand"]
resources = ["*"]
"#;

fn say(project: &Project, arguments: &[&str]) -> Said {
    Said::of(project.command(arguments).envs(ENVIRONMENT).output().unwrap())
}

#[test]
fn the_tools_read_and_change_each_what_is_theirs() {
    let id = moto::instance(&[]);
    let project = Project::with(&format!("{}{GRANT}", account(&moto::url())));
    let call = |tool: &str, operation: &str| {
        let arguments = json!({ "operation": operation, "arguments": { "InstanceIds": [id] } }).to_string();
        say(&project, &["--json", "tool", "call", tool, &arguments])
    };
    let read = call("cloud_read", "ec2:DescribeInstances");
    assert!(read.code == Some(0) && read.out.contains(&id), "{}{}", read.out, read.err);
    let rebooted = call("cloud_change", "ec2:RebootInstances");
    assert_eq!(rebooted.code, Some(0), "{}{}", rebooted.out, rebooted.err);
    for (tool, operation, words) in [
        ("cloud_read", "ec2:RebootInstances", "call `cloud_change`"),
        ("cloud_change", "ec2:DescribeInstances", "call `cloud_read`"),
        ("cloud_change", "ec2:StopInstances", "add \\\"ec2:StopInstances\\\" to `operations` in [grants.cloud.cloud]"),
    ] {
        let said = call(tool, operation);
        assert!(said.code == Some(1) && said.out.contains(words), "{}{}", said.out, said.err);
    }
    let operations = say(&project, &["--json", "tool", "call", "cloud_operations", r#"{"service": "ssm"}"#]);
    assert!(operations.out.contains("ssm:SendCommand") && operations.out.contains("destructive"), "{}", operations.out);
    let accounts = say(&project, &["--json", "tool", "call", "cloud_accounts", "{}"]);
    assert!(accounts.out.contains("\"shop\"") && accounts.out.contains(REGION), "{}", accounts.out);
}

#[test]
fn a_script_that_destroys_is_refused_by_name() {
    let project = Project::with(&format!("{}{GRANT}", account("http://127.0.0.1:9")));
    let arguments = json!({ "operation": "ssm:SendCommand", "arguments": {
        "InstanceIds": ["i-0123456789abcdef0"], "DocumentName": "AWS-RunShellScript",
        "Parameters": { "commands": ["rm -rf /"] },
    } });
    let said = say(&project, &["--json", "tool", "call", "cloud_change", &arguments.to_string()]);
    assert!(said.code == Some(3) && said.out.contains("remove_system"), "{:?} {}{}", said.code, said.out, said.err);
}

#[test]
fn the_check_says_who_the_host_is_and_what_it_may() {
    moto::instance(&[]);
    let project = Project::with(&format!("{}{GRANT}", account(&moto::url())));
    let said = say(&project, &["--json", "cloud", "check"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let account = &said.json()["accounts"][0];
    assert_eq!((&account["account"], &account["region"]), (&json!("shop"), &json!(REGION)));
    assert_eq!(account["identity"]["account"], "123456789012");
    let result = |operation: &str| {
        let all = account["operations"].as_array().unwrap();
        all.iter().find(|one| one["operation"] == operation).unwrap_or_else(|| panic!("{account}"))["result"].clone()
    };
    assert_eq!(result("ec2:DescribeInstances"), "allowed");
    assert_eq!(result("ec2:RebootInstances"), "allowed");
    assert_eq!(result("ssm:SendCommand"), "not_tried");
    let text = say(&project, &["cloud", "check", "shop"]);
    assert!(text.out.contains("ec2:RebootInstances") && text.out.contains("dry run on i-"), "{}", text.out);
    let unknown = say(&project, &["cloud", "check", "prod"]);
    assert!(unknown.code == Some(1) && unknown.err.contains("hint: there are `shop`"), "{}", unknown.err);
}

#[test]
fn the_check_says_what_is_missing() {
    let project = Project::with(&format!("{}{GRANT}", account(&moto::url())));
    let mut command = project.command(&["--json", "cloud", "check"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("HOME", project.path());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let said = Said::of(command.output().unwrap());
    let error = said.json()["accounts"][0]["error"].as_str().unwrap().to_owned();
    assert!(said.code == Some(1) && error.contains("credentials") && error.contains("hint: "), "{error}");
    let none = Project::with("").run(&["cloud", "check"]);
    assert!(none.code == Some(1) && none.err.contains("no [cloud.NAME] in pi.toml"), "{}", none.err);
}

/// Takes requests and never answers; the count of them.
fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            kept.push(stream.unwrap());
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_cut_off_by_a_kill_is_told_as_unknown_and_not_made_again() {
    let (url, count) = silent();
    let server = ModelServer::start_with(|request| match results(request).last() {
        None => Reply::call(
            "a",
            "cloud_change",
            &json!({ "operation": "ec2:RebootInstances", "arguments": { "InstanceIds": ["i-0123456789abcdef0"] } }),
        ),
        Some(_) => Reply::text("I look first"),
    })
    .await;
    let project = Project::with(&format!(
        "{}{}[agents.pi]\n[grants.pi.model]\nnames = [\"m\"]\n[grants.pi.tools]\nnames = [\"cloud_change\"]\n[grants.pi.log]\n{GRANT}",
        Wire::Openai.model(&server),
        account(&url),
    ));
    let mut command = project.command(&["run", "reboot it"]);
    let child = command.envs(ENVIRONMENT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the change is sent", || count.load(Ordering::SeqCst) == 1).await;
    kill(child);
    let mut command = project.command(&["run", "reboot it"]);
    let said =
        tokio::task::spawn_blocking(move || Said::of(command.envs(ENVIRONMENT).output().unwrap())).await.unwrap();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let asked = server.requests();
    let told = &results(asked.last().unwrap())[0];
    assert!(told.contains("it is not known whether this was done") && told.contains("ec2:RebootInstances"), "{told}");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
