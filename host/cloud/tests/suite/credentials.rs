//! Where credentials and region come from, and settings that cannot be used.

use pi_cloud::{Account, Error, Settings};
use serde_json::json;

use super::moto::{call, settings};
use super::run;
use super::wire::{Wire, answer};

fn refused(change: impl FnOnce(&mut Settings)) -> String {
    let mut settings = settings("http://127.0.0.1:1");
    change(&mut settings);
    match Account::new(settings) {
        Err(error @ Error::Settings { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn no_credentials_are_said_to_be_missing() {
    run(async {
        let mut settings = settings("http://127.0.0.1:1");
        settings.environment = [("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())].into();
        let error = Account::new(settings).unwrap().call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
        assert!(matches!(&error, Error::Credentials { is_expired: false, .. }), "{error}");
        assert!(error.to_string().contains("there are none"), "{error}");
    });
}

#[test]
fn no_region_is_said_to_be_missing() {
    run(async {
        let mut settings = settings("http://127.0.0.1:1");
        settings.region = None;
        let account = Account::new(settings).unwrap();
        assert_eq!(account.region(), None);
        let error = account.call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
        assert!(matches!(&error, Error::Region { .. }), "{error}");
    });
}

#[test]
fn a_profile_has_keys_and_region() {
    run(async {
        let folder = folder("profile");
        std::fs::write(
            folder.join("credentials"),
            "[ops]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n",
        )
        .unwrap();
        std::fs::write(folder.join("config"), "[profile ops]\nregion = ap-south-1\n").unwrap();
        let wire = Wire::new([answer(200, json!({"events": []}).to_string())]).await;
        let mut settings = settings(&wire.endpoint);
        settings.region = None;
        settings.profile = Some("ops".into());
        let file = |name: &str| folder.join(name).display().to_string();
        settings.environment = [
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
            ("AWS_CONFIG_FILE".to_owned(), file("config")),
            ("AWS_SHARED_CREDENTIALS_FILE".to_owned(), file("credentials")),
        ]
        .into();
        Account::new(settings)
            .unwrap()
            .call(&call("logs:FilterLogEvents", json!({"logGroupName": "/a"})))
            .await
            .unwrap();
        let request = &wire.requests()[0];
        assert!(request.contains("Credential=AKIDPROFILE/") && request.contains("/ap-south-1/logs/"), "{request}");
    });
}

#[test]
fn a_profile_that_is_not_there_is_said() {
    run(async {
        let mut settings = settings("http://127.0.0.1:1");
        settings.profile = Some("nowhere".into());
        settings.environment = [
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
            ("HOME".to_owned(), folder("no-profile").display().to_string()),
        ]
        .into();
        let error = Account::new(settings).unwrap().call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
        assert!(matches!(&error, Error::Credentials { .. }), "{error}");
    });
}

#[test]
fn a_role_that_may_not_be_assumed_is_a_denial_of_that() {
    run(async {
        let denial = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/a is \
        not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/ops</Message></Error></ErrorResponse>";
        let wire = Wire::new([answer(403, denial)]).await;
        let mut settings = settings(&wire.endpoint);
        settings.role_arn = Some("arn:aws:iam::123456789012:role/ops".into());
        let error = Account::new(settings).unwrap().call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
        assert!(matches!(&error, Error::Denied { action, .. } if action == "sts:AssumeRole"), "{error}");
    });
}

#[test]
fn a_ca_file_that_holds_none_is_refused_and_ends_nothing() {
    run(async {
        let file = folder("ca").join("ca.pem");
        let begin = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for content in ["", "hello", begin] {
            std::fs::write(&file, content).unwrap();
            let mut settings = settings("https://127.0.0.1:1");
            settings.ca_file = Some(file.clone());
            let error =
                Account::new(settings).unwrap().call(&call("ec2:DescribeInstances", json!({}))).await.unwrap_err();
            assert!(matches!(&error, Error::Settings { .. }) && error.to_string().contains("ca_file"), "{error}");
        }
    });
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_once() {
    assert!(refused(|s| s.region = Some("Europe".into())).contains("`region`"));
    assert!(refused(|s| s.timeout_ms = 5).contains("`timeout_ms`"));
    assert!(refused(|s| s.attempts_max = 100).contains("`attempts_max`"));
    assert!(refused(|s| s.role_arn = Some("ops".into())).contains("`role_arn`"));
    assert!(refused(|s| s.external_id = Some("x".into())).contains("without `role_arn`"));
    assert!(refused(|s| s.endpoint_url = Some("https://user:secret@host".into())).contains("not a plain URL"));
    assert!(refused(|s| s.endpoint_url = Some("http://example.com".into())).contains("without TLS"));
}

#[test]
fn nothing_prints_a_key() {
    let settings = settings("http://127.0.0.1:1");
    let shown = format!("{settings:?} {:?}", Account::new(settings.clone()).unwrap());
    assert!(!shown.contains("AWS_SECRET_ACCESS_KEY"), "{shown}");
}

/// Whoever calls from a task needs futures that may move between threads.
#[test]
fn calls_may_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let account = Account::new(settings("http://127.0.0.1:1")).unwrap();
    let call = call("ec2:DescribeInstances", json!({}));
    moves(account.call(&call));
    moves(account.tags(&call));
    moves(account.identity());
}
