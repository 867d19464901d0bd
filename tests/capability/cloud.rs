//! `pi:cloud`: what a grant lets through, what the gate refuses, what IAM does, and what is written of it. AWS is moto's
//! server on this machine, but where it has to misbehave.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pi_host::capability::bindings::pi::cloud::cloud::{Error, Host, Severity};
use pi_host::capability::cloud::CloudState;
use pi_host::capability::cloud::accounts::Accounts;
use pi_host::capability::state::CallState;
use pi_host::config::{CloudConfig, CloudGrant};
use pi_host::gate::{Gate, InForce};
use pi_host::journal::Status;
use serde_json::{Value, json};

use super::bench::Bench;
use crate::moto::{self, REGION};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A journal, and AWS at some address.
struct Case {
    bench: Bench,
    url: String,
    environment: BTreeMap<String, String>,
    timeout_ms: u64,
}

impl Case {
    async fn new() -> Self {
        let url = tokio::task::spawn_blocking(moto::url).await.unwrap();
        Self::at(url).await
    }

    async fn at(url: String) -> Self {
        let bench = Bench::new().await;
        let home = bench.top.path().display().to_string();
        let pairs = [
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("HOME", &home),
        ];
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { bench, url, environment, timeout_ms: 60_000 }
    }

    fn accounts(&self) -> Accounts {
        let account = |region: &str| CloudConfig {
            region: Some(region.into()),
            endpoint_url: Some(self.url.clone()),
            timeout_ms: self.timeout_ms,
            ..CloudConfig::default()
        };
        let config = [("shop".to_owned(), account(REGION)), ("other".to_owned(), account("us-east-1"))].into();
        Accounts::new(&config, &self.bench.project(), &self.environment).unwrap()
    }

    /// A call of a plugin with this grant, under the policy that comes with the program.
    fn call(&self, grant: &CloudGrant) -> CallState {
        let mut call = self.bench.call(&[], &[]);
        call.door = self.bench.door_of(Arc::new(InForce::new(Gate::builtin(), None)));
        call.cloud = Some(Arc::new(CloudState::new(grant, &self.accounts()).unwrap()));
        call
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// In the account `shop`, in its region.
fn grant(operations: &[&str], resources: &[&str]) -> CloudGrant {
    CloudGrant {
        accounts: owned(&["shop"]),
        operations: owned(operations),
        resources: owned(resources),
        ..CloudGrant::default()
    }
}

fn tagged(operations: &[&str], key: &str, value: &str) -> CloudGrant {
    CloudGrant { tags: [(key.to_owned(), value.to_owned())].into(), ..grant(operations, &[]) }
}

async fn said(call: &mut CallState, operation: &str, arguments: &Value) -> Result<Value, Error> {
    let answer = call.call("shop".into(), operation.into(), None, arguments.to_string()).await.unwrap();
    answer.map(|text| serde_json::from_str(&text).unwrap())
}

async fn instance(tags: &'static [(&str, &str)]) -> String {
    tokio::task::spawn_blocking(move || moto::instance(tags)).await.unwrap()
}

async fn state(instance: &str) -> String {
    let instance = instance.to_owned();
    tokio::task::spawn_blocking(move || moto::state(&instance)).await.unwrap()
}

fn not_granted(result: Result<Value, Error>) -> String {
    match result {
        Err(Error::NotGranted(text)) => text,
        other => panic!("{other:?}"),
    }
}

// Allowed.

#[tokio::test]
async fn a_read_answers_in_the_clouds_own_names_and_is_written_down() {
    let case = Case::new().await;
    let id = instance(&[("env", "staging")]).await;
    let mut call = case.call(&grant(&["ec2:Describe*"], &[]));
    let answer = said(&mut call, "ec2:DescribeInstances", &json!({ "InstanceIds": [id] })).await.unwrap();
    assert_eq!(answer["Reservations"][0]["Instances"][0]["InstanceId"], id.as_str());
    let acts = case.bench.acts().await;
    let started = format!(
        "started: call `ec2:DescribeInstances` on instance `{id}` in `shop` ({REGION}) with {{\"InstanceIds\":[\"{id}\"]}}"
    );
    assert_eq!(acts, [started, "ended: Done".to_owned()]);
    assert!(case.bench.outcomes().await[0].1["bytes"].as_u64().unwrap() > 100);
}

#[tokio::test]
async fn a_change_that_is_granted_by_its_name_is_made_and_its_answer_written_down() {
    let case = Case::new().await;
    let id = instance(&[]).await;
    let mut call = case.call(&grant(&["ec2:RebootInstances"], &[&id]));
    said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": [id] })).await.unwrap();
    let outcomes = case.bench.outcomes().await;
    assert_eq!(outcomes[0].0, Status::Done);
    assert!(outcomes[0].1["answer"].is_object(), "{outcomes:?}");
    let journal = case.bench.journal_text().await;
    let begun: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(begun["act"]["severity"], "write");
    assert_eq!((&begun["act"]["is_granted"], &begun["act"]["resources"][0]["id"]), (&json!(true), &json!(id)));
}

#[tokio::test]
async fn accounts_and_operations_are_those_of_the_grant() {
    let case = Case::new().await;
    let mut call = case.call(&grant(&["ec2:DescribeInstances", "ec2:Reboot*"], &["*"]));
    let accounts = call.accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!((accounts[0].name.as_str(), accounts[0].region.as_deref()), ("shop", Some(REGION)));
    assert_eq!(accounts[0].operations, ["ec2:DescribeInstances", "ec2:RebootInstances"]);
    let operations = call.operations(Some("ec2".into())).await.unwrap();
    let named: Vec<_> = operations.iter().map(|operation| (operation.name.as_str(), operation.severity)).collect();
    assert_eq!(named, [("ec2:DescribeInstances", Severity::Read), ("ec2:RebootInstances", Severity::Write)]);
    let schema: Value = serde_json::from_str(&operations[1].arguments).unwrap();
    assert_eq!(schema["required"], json!(["InstanceIds"]));
    assert!(call.operations(Some("rds".into())).await.unwrap().is_empty());
    assert!(case.bench.acts().await.is_empty());
}

// Outside of the grant: each with the line that would allow it, in the journal, and nothing was sent.

#[tokio::test]
async fn what_is_not_granted_says_the_line_that_would_grant_it() {
    // Nobody listens there: what gets so far fails otherwise.
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.call(&grant(&["ec2:Describe*", "ec2:RebootInstances"], &["i-00000000000000001"]));
    let one = json!({ "InstanceIds": ["i-00000000000000002"] });
    let mut texts = vec![
        not_granted(said(&mut call, "ec2:StopInstances", &one).await),
        not_granted(said(&mut call, "ec2:RebootInstances", &one).await),
        not_granted(said(&mut call, "ec2:DescribeInstances", &one).await),
    ];
    for (account, region) in [("other", None), ("nowhere", None), ("shop", Some("us-east-1"))] {
        let arguments = json!({}).to_string();
        let region = region.map(str::to_owned);
        let said = call.call(account.into(), "ec2:DescribeInstances".into(), region, arguments).await.unwrap();
        texts.push(not_granted(said.map(Value::from)));
    }
    insta::assert_snapshot!(texts.join("\n"), @r#"
    `ec2:StopInstances` is not granted
    hint: add "ec2:StopInstances" to `operations` in [grants.tester.cloud] of pi.toml
    `ec2:RebootInstances` is not granted on the instance `i-00000000000000002`
    hint: add "i-00000000000000002" to `resources` in [grants.tester.cloud] of pi.toml
    `ec2:DescribeInstances` is not granted on the instance `i-00000000000000002`
    hint: add "i-00000000000000002" to `resources` in [grants.tester.cloud] of pi.toml
    the account `other` is not granted; there are `shop`
    hint: add "other" to `accounts` in [grants.tester.cloud] of pi.toml
    the account `nowhere` is not granted; there are `shop`
    hint: add "nowhere" to `accounts` in [grants.tester.cloud] of pi.toml
    `ec2:DescribeInstances` is not granted in `us-east-1`
    hint: add "us-east-1" to `regions` in [grants.tester.cloud] of pi.toml
    "#);
    let journal = case.bench.journal_text().await;
    assert_eq!(journal.lines().count(), texts.len());
    for line in journal.lines() {
        let body: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&body["entry"], &body["decision"]["rules"][0]), (&json!("refused"), &json!("not_granted")));
    }
}

#[tokio::test]
async fn a_grant_that_does_not_say_what_may_be_changed_only_reads() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.call(&grant(&["ec2:*"], &[]));
    let one = json!({ "InstanceIds": ["i-00000000000000002"] });
    let text = not_granted(said(&mut call, "ec2:RebootInstances", &one).await);
    assert!(text.contains("hint: write `resources` or `tags` into [grants.tester.cloud]"), "{text}");
}

#[tokio::test]
async fn without_the_capability_nothing_is_called() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.bench.call(&[], &[]);
    let text = not_granted(said(&mut call, "ec2:DescribeInstances", &json!({})).await);
    assert_eq!(text, "add [grants.tester.cloud] to pi.toml");
}

#[tokio::test]
async fn a_grant_of_what_there_is_not_is_an_error() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let wrong = |grant: &CloudGrant| match CloudState::new(grant, &case.accounts()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was taken"),
    };
    let unknown = wrong(&CloudGrant { accounts: owned(&["prod"]), ..CloudGrant::default() });
    assert!(unknown.contains("`pi.toml` has `other`, `shop`") && unknown.contains("change `accounts`"), "{unknown}");
    let mistyped = wrong(&grant(&["ec2:Rebootinstances"], &[]));
    assert!(mistyped.contains("it is written `ec2:RebootInstances`"), "{mistyped}");
    let nothing = wrong(&grant(&["s4:*"], &[]));
    assert!(nothing.contains("there is none"), "{nothing}");
}

// Tags.

#[tokio::test]
async fn what_has_the_tags_of_the_grant_may_be_changed_and_nothing_else() {
    let case = Case::new().await;
    let staging = instance(&[("env", "staging")]).await;
    let production = instance(&[("env", "production")]).await;
    let untagged = instance(&[]).await;
    let mut call = case.call(&tagged(&["ec2:RebootInstances"], "env", "staging"));
    said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": [staging] })).await.unwrap();
    let text = not_granted(said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": [production] })).await);
    assert!(text.contains("its tag `env` is `production`") && text.contains("ask for env = \"staging\""), "{text}");
    let text =
        not_granted(said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": [staging, untagged] })).await);
    assert!(text.contains(&untagged) && text.contains("it has no tag `env`"), "{text}");
    let journal = case.bench.journal_text().await;
    let begun: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(begun["act"]["resources"][0]["tags"], json!({ "env": "staging" }));
    assert_eq!(case.bench.outcomes().await.len(), 1);
}

#[tokio::test]
async fn tags_that_cannot_be_read_deny() {
    let (url, _) = answering(
        "HTTP/1.1 403 Forbidden",
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation.</Message></Error></Errors></Response>",
    );
    let case = Case::at(url).await;
    let mut call = case.call(&tagged(&["ec2:RebootInstances"], "env", "staging"));
    let one = json!({ "InstanceIds": ["i-00000000000000002"] });
    let text = not_granted(said(&mut call, "ec2:RebootInstances", &one).await);
    assert!(text.contains("could not be read") && text.contains("denied"), "{text}");
    let journal = case.bench.journal_text().await;
    assert!(journal.contains("\"tags_unknown\"") && !journal.contains("effect_started"), "{journal}");
}

// The gate.

#[tokio::test]
async fn a_change_that_only_a_pattern_grants_is_asked_about_and_nobody_answers() {
    let case = Case::new().await;
    let id = instance(&[]).await;
    let mut call = case.call(&grant(&["ec2:*"], &["*"]));
    let refused = said(&mut call, "ec2:StopInstances", &json!({ "InstanceIds": [id] })).await;
    assert!(matches!(&refused, Err(Error::Refused(refusal)) if refusal.rule == "cloud_loss"), "{refused:?}");
    let refused = said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": [id] })).await;
    assert!(matches!(&refused, Err(Error::Refused(refusal)) if refusal.rule == "cloud_change"), "{refused:?}");
    assert_eq!(state(&id).await, "running");
    assert!(case.bench.acts().await.iter().all(|line| line.starts_with("refused: ")));
}

#[tokio::test]
async fn a_script_for_a_machine_is_refused_as_one_of_bash_is() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.call(&grant(&["ssm:SendCommand"], &["*"]));
    let arguments = json!({
        "InstanceIds": ["i-00000000000000001"],
        "DocumentName": "AWS-RunShellScript",
        "Parameters": { "commands": ["cd /tmp", "rm -rf /"] },
    });
    let refused = said(&mut call, "ssm:SendCommand", &arguments).await;
    let Err(Error::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.rule, "remove_system");
    assert!(refusal.action.contains("rm -rf /"), "{}", refusal.action);
}

#[tokio::test]
async fn more_than_three_at_once_are_asked_about() {
    let case = Case::new().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(instance(&[]).await);
    }
    let mut call = case.call(&grant(&["ec2:RebootInstances"], &["*"]));
    let refused = said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": ids })).await;
    assert!(matches!(&refused, Err(Error::Refused(refusal)) if refusal.rule == "many_targets"), "{refused:?}");
    said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": &ids[..3] })).await.unwrap();
}

// At the limit, and input that is none.

#[tokio::test]
async fn arguments_of_64_kib_are_the_most() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.call(&grant(&["ec2:Describe*"], &[]));
    let of = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
    let ask = async |call: &mut CallState, text: String| {
        call.call("shop".into(), "ec2:DescribeInstances".into(), None, text).await.unwrap()
    };
    let too_long = ask(&mut call, of((64 << 10) + 1)).await;
    assert!(matches!(&too_long, Err(Error::Invalid(text)) if text.contains("65537 bytes")), "{too_long:?}");
    assert!(case.bench.acts().await.is_empty());
    // As many as may be: it is sent, and nobody is there.
    let sent = ask(&mut call, of(64 << 10)).await;
    assert!(!matches!(&sent, Ok(_) | Err(Error::Invalid(_))), "{sent:?}");
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn what_is_no_call_says_why_and_is_no_act() {
    let case = Case::at("http://127.0.0.1:9".into()).await;
    let mut call = case.call(&grant(&["ec2:*"], &["*"]));
    let name = "x".repeat(129);
    for (account, operation, region, arguments, words) in [
        ("shop", "ec2:TerminateInstances", None, "{}", "unknown operation"),
        ("shop", "ec2:RebootInstances", None, "{}", "InstanceIds"),
        ("shop", "ec2:RebootInstances", None, "{", "no JSON"),
        ("shop", "ec2:RebootInstances", None, r#"{"InstanceIds": ["i-00000000000000001"], "Force": true}"#, "Force"),
        ("shop", "ec2:DescribeInstances", Some("Mars"), "{}", "Mars"),
        (name.as_str(), "ec2:DescribeInstances", None, "{}", "128 bytes"),
    ] {
        let region = region.map(str::to_owned);
        let said = call.call(account.into(), operation.into(), region, arguments.into()).await.unwrap();
        assert!(matches!(&said, Err(Error::Invalid(text)) if text.contains(words)), "{operation}: {said:?}");
    }
    assert!(case.bench.acts().await.is_empty());
}

// What AWS says.

#[tokio::test]
async fn a_machine_of_another_region_is_not_found() {
    let case = Case::new().await;
    let id = instance(&[]).await;
    let grant = CloudGrant { accounts: owned(&["other"]), ..grant(&["ec2:Describe*"], &[]) };
    let mut call = case.call(&grant);
    let arguments = json!({ "InstanceIds": [id] }).to_string();
    let missing = call.call("other".into(), "ec2:DescribeInstances".into(), None, arguments).await.unwrap();
    assert!(matches!(&missing, Err(Error::NotFound(text)) if text.contains("us-east-1")), "{missing:?}");
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn without_credentials_it_says_so() {
    let mut case = Case::new().await;
    case.environment.retain(|name, _| !name.contains("KEY"));
    let mut call = case.call(&grant(&["ec2:Describe*"], &[]));
    let missing = said(&mut call, "ec2:DescribeInstances", &json!({})).await;
    assert!(matches!(&missing, Err(Error::Credentials(text)) if text.contains("hint: ")), "{missing:?}");
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn what_iam_refuses_is_told_with_the_action() {
    let (url, _) = answering(
        "HTTP/1.1 403 Forbidden",
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/x is not authorized to perform: ec2:RebootInstances</Message></Error></Errors></Response>",
    );
    let case = Case::at(url).await;
    let mut call = case.call(&grant(&["ec2:RebootInstances"], &["*"]));
    let denied = said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": ["i-00000000000000001"] })).await;
    assert!(matches!(&denied, Err(Error::Denied(text)) if text.contains("`ec2:RebootInstances`")), "{denied:?}");
    assert_eq!(case.bench.outcomes().await[0].0, Status::Failed);
}

#[tokio::test]
async fn a_change_is_sent_once_and_a_read_is_tried_again() {
    let (url, count) = answering(
        "HTTP/1.1 503 Service Unavailable",
        "<Response><Errors><Error><Code>Unavailable</Code><Message>later</Message></Error></Errors></Response>",
    );
    let case = Case::at(url).await;
    let mut call = case.call(&grant(&["ec2:*", "ec2:RebootInstances"], &["*"]));
    let one = json!({ "InstanceIds": ["i-00000000000000001"] });
    // Whether it was done nobody knows, and it is not for the host to try.
    let lost = said(&mut call, "ec2:RebootInstances", &one).await;
    assert!(matches!(&lost, Err(Error::TimedOut(_))), "{lost:?}");
    assert_eq!(case.bench.outcomes().await[0].0, Status::Abandoned);
    assert_eq!(count.swap(0, Ordering::SeqCst), 1);
    assert!(said(&mut call, "ec2:DescribeInstances", &one).await.is_err());
    assert!(count.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_change_without_an_answer_may_have_been_made_and_the_journal_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut case = Case::at(format!("http://{}", listener.local_addr().unwrap())).await;
    case.timeout_ms = 500;
    let mut call = case.call(&grant(&["ec2:RebootInstances"], &["*"]));
    let lost = said(&mut call, "ec2:RebootInstances", &json!({ "InstanceIds": ["i-00000000000000001"] })).await;
    assert!(matches!(&lost, Err(Error::TimedOut(_))), "{lost:?}");
    let outcomes = case.bench.outcomes().await;
    assert_eq!(outcomes[0].0, Status::Abandoned);
    assert!(outcomes[0].1["error"].as_str().unwrap().contains("500 ms"), "{outcomes:?}");
}

// Secrets.

#[tokio::test]
async fn no_credential_is_in_an_answer_or_in_the_journal() {
    let case = Case::new().await;
    let id = instance(&[]).await;
    let mut call = case.call(&grant(&["ec2:Describe*", "ec2:RebootInstances"], &[&id]));
    let mut texts = String::new();
    for operation in ["ec2:DescribeInstances", "ec2:RebootInstances", "ec2:StopInstances"] {
        texts.push_str(&format!("{:?}", said(&mut call, operation, &json!({ "InstanceIds": [id] })).await));
    }
    texts.push_str(&format!("{:?}", call.accounts().await));
    texts.push_str(&case.bench.journal_text().await);
    assert!(texts.contains(&id) && !texts.contains(SECRET) && !texts.contains(KEY), "{texts}");
}

/// Answers everything so, and counts.
fn answering(status: &'static str, body: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut read = Vec::new();
            let mut buffer = [0_u8; 4096];
            // A request is whole when its body has the length that its head says.
            while !is_whole(&read) {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(bytes) => read.extend_from_slice(&buffer[..bytes]),
                }
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let length = body.len();
            let head =
                format!("{status}\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    (url, count)
}

fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
