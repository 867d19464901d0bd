//! What goes wrong, each as AWS says it, and what is made of it.

use std::time::{Duration, Instant};

use pi_cloud::{Account, Error};
use serde_json::{Value, json};

use super::moto::{call, settings};
use super::run;
use super::wire::{Recorded, Wire, answer};

const REBOOT: &str = r#"{"InstanceIds": ["i-0123456789abcdef0"]}"#;

fn ec2(status: u16, code: &str, message: &str) -> Recorded {
    let body = format!(
        "<?xml version=\"1.0\"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>r</RequestID></Response>"
    );
    answer(status, body)
}

fn json_error(status: u16, code: &str, message: &str) -> Recorded {
    answer(status, json!({"__type": code, "message": message}).to_string())
}

async fn failed(answers: Vec<Recorded>, operation: &str, arguments: Value) -> (Error, usize) {
    let wire = Wire::new(answers).await;
    let mut settings = settings(&wire.endpoint);
    settings.attempts_max = 3;
    settings.timeout_ms = 20_000;
    let error = Account::new(settings).unwrap().call(&call(operation, arguments)).await.unwrap_err();
    assert!(error.to_string().contains("\nhint: "), "{error}");
    (error, wire.requests().len())
}

fn reboot() -> Value {
    serde_json::from_str(REBOOT).unwrap()
}

#[test]
fn a_denial_names_the_action_and_not_the_encoded_message() {
    run(async {
        let said = "You are not authorized to perform this operation. User: arn:aws:iam::1:user/a is not authorized to perform: \
        ec2:RebootInstances on resource: arn:aws:ec2:::instance/i-0 because no identity-based policy allows it. \
        Encoded authorization failure message: SECRETBLOB";
        let (error, asked) =
            failed(vec![ec2(403, "UnauthorizedOperation", said)], "ec2:RebootInstances", reboot()).await;
        assert!(matches!(&error, Error::Denied { action, .. } if action == "ec2:RebootInstances"), "{error}");
        assert!(!error.to_string().contains("SECRETBLOB"), "{error}");
        assert_eq!(asked, 1);
    });
}

#[test]
fn a_denial_may_be_of_another_action() {
    run(async {
        let said =
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: kms:Decrypt with an explicit deny";
        let asked = json!({"logGroupName": "/a"});
        let (error, _) =
            failed(vec![json_error(400, "AccessDeniedException", said)], "logs:FilterLogEvents", asked).await;
        assert!(
            matches!(&error, Error::Denied { action, hint, .. } if action == "kms:Decrypt" && hint.contains("explicitly")),
            "{error}"
        );
    });
}

#[test]
fn expired_and_unknown_credentials_are_told_apart() {
    run(async {
        let asked = || json!({"logGroupName": "/a"});
        let said = json_error(400, "ExpiredTokenException", "The security token included in the request is expired");
        let (error, _) = failed(vec![said], "logs:FilterLogEvents", asked()).await;
        assert!(matches!(&error, Error::Credentials { is_expired: true, .. }), "{error}");
        let said =
            json_error(400, "UnrecognizedClientException", "The security token included in the request is invalid.");
        let (error, _) = failed(vec![said], "logs:FilterLogEvents", asked()).await;
        assert!(matches!(&error, Error::Credentials { is_expired: false, .. }), "{error}");
        let said = json_error(
            400,
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
        );
        let (error, _) = failed(vec![said], "logs:FilterLogEvents", asked()).await;
        assert!(matches!(&error, Error::Credentials { hint, .. } if hint.contains("clock")), "{error}");
    });
}

#[test]
fn a_region_that_credentials_are_not_for_is_a_wrong_region() {
    run(async {
        let said = ec2(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region.");
        let (error, _) = failed(vec![said], "ec2:DescribeInstances", json!({})).await;
        assert!(matches!(&error, Error::Region { .. }), "{error}");
    });
}

#[test]
fn throttling_is_tried_again_and_then_told() {
    run(async {
        let throttled = || ec2(503, "RequestLimitExceeded", "Request limit exceeded.");
        let (error, asked) = failed(vec![throttled()], "ec2:DescribeInstances", json!({})).await;
        assert!(matches!(&error, Error::Throttled { attempts: 3, .. }), "{error}");
        assert_eq!(asked, 3);
        let (error, asked) = failed(vec![throttled()], "ec2:RebootInstances", reboot()).await;
        assert!(matches!(&error, Error::Throttled { .. }), "{error}");
        assert_eq!(asked, 3);
    });
}

#[test]
fn a_read_survives_being_throttled_once() {
    run(async {
        let empty = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet/></DescribeInstancesResponse>";
        let wire = Wire::new([ec2(503, "RequestLimitExceeded", "x"), answer(200, empty)]).await;
        let account = Account::new(settings(&wire.endpoint)).unwrap();
        let told = account.call(&call("ec2:DescribeInstances", json!({}))).await.unwrap();
        assert_eq!(told, json!({"Reservations": []}));
        assert_eq!(wire.requests().len(), 2);
    });
}

/// AWS may have begun what it answered with a fault of its own to: a script must not run twice.
#[test]
fn a_change_is_not_sent_again_after_a_fault() {
    run(async {
        let fault = || json_error(500, "InternalServerError", "x");
        let script = json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0123456789abcdef0"],
        "Parameters": {"commands": ["./charge-customers"]}});
        let (error, asked) = failed(vec![fault()], "ssm:SendCommand", script).await;
        assert!(matches!(&error, Error::Failed { code, .. } if code == "InternalServerError"), "{error}");
        assert_eq!(asked, 1);
        let (_, asked) = failed(vec![fault()], "ssm:DescribeInstanceInformation", json!({})).await;
        assert_eq!(asked, 3);
    });
}

#[test]
fn a_slow_answer_ends_at_the_deadline() {
    run(async {
        let slow = Recorded { delay: Duration::from_secs(60), ..answer(200, "") };
        let wire = Wire::new([slow]).await;
        let mut settings = settings(&wire.endpoint);
        settings.timeout_ms = 500;
        let account = Account::new(settings).unwrap();
        let begun = Instant::now();
        let error = account.call(&call("ec2:RebootInstances", reboot())).await.unwrap_err();
        assert!(
            matches!(&error, Error::TimedOut { timeout_ms: 500, hint, .. } if hint.contains("not known")),
            "{error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    });
}

#[test]
fn an_answer_of_50_megabytes_is_not_read() {
    run(async {
        let head = "<DescribeInstancesResponse><reservationSet><item><ownerId>";
        let (error, _) =
            failed(vec![answer(200, head.to_owned() + &"x".repeat(50 << 20))], "ec2:DescribeInstances", json!({}))
                .await;
        assert!(matches!(&error, Error::TooLarge { .. }), "{error}");
    });
}

#[test]
fn a_broken_answer_is_said_to_be_broken() {
    run(async {
        for broken in
            ["<DescribeInstancesResponse><reservationSet><item>", "\u{0}\u{1}", "<html>hello", "<html></html>", ""]
        {
            let (error, _) = failed(vec![answer(200, broken)], "ec2:DescribeInstances", json!({})).await;
            assert!(matches!(&error, Error::Failed { code, .. } if code == "UnreadableAnswer"), "{broken:?}: {error}");
        }
        let (error, _) = failed(vec![answer(502, "<html>Bad Gateway")], "ec2:RebootInstances", reboot()).await;
        assert!(matches!(&error, Error::Failed { .. }), "{error}");
    });
}

#[test]
fn nobody_at_the_endpoint_is_said() {
    run(async {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut settings = settings(&format!("http://127.0.0.1:{port}"));
        settings.attempts_max = 1;
        let error = Account::new(settings).unwrap().call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
        assert!(matches!(&error, Error::Failed { code, .. } if code == "Unreachable"), "{error}");
    });
}

#[test]
fn ssm_says_when_it_does_not_reach_a_machine() {
    run(async {
        let script = json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0123456789abcdef0"],
        "Parameters": {"commands": ["true"]}});
        let (error, _) = failed(
            vec![json_error(400, "InvalidInstanceId", "Instances not in a valid state for account")],
            "ssm:SendCommand",
            script,
        )
        .await;
        assert!(matches!(&error, Error::NotFound { hint, .. } if hint.contains("SSM agent")), "{error}");
    });
}

#[test]
fn a_dry_run_that_is_denied_or_not_understood_is_told() {
    run(async {
        let done = "<RebootInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><return>true</return></RebootInstancesResponse>";
        let denied = ec2(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
        let wire = Wire::new([denied, answer(200, done)]).await;
        let account = Account::new(settings(&wire.endpoint)).unwrap();
        let call = call("ec2:RebootInstances", reboot());
        let error = account.dry_run(&call).await.unwrap_err();
        assert!(matches!(&error, Error::Denied { action, .. } if action == "ec2:RebootInstances"), "{error}");
        let error = account.dry_run(&call).await.unwrap_err();
        assert!(matches!(&error, Error::Failed { code, .. } if code == "DryRunIgnored"), "{error}");
    });
}
