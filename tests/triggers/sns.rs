//! SNS on loopback: an authority of the test's own, a certificate that signs, a server over https that has it and
//! confirms subscriptions.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use pi_host::clock;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Door;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

/// SNS, as far as a subscriber sees it.
struct Sns {
    folder: tempfile::TempDir,
    authority: String,
    asked: Arc<Mutex<Vec<String>>>,
    now_ms: u64,
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("this test needs `openssl`: install Debian's package `openssl`");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key and a certificate for a name, by an authority.
fn certified(folder: &Path, authority: &str, name: &str, host: &str, days: u32) {
    std::fs::write(folder.join("ext"), format!("subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n")).unwrap();
    openssl(folder, &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -subj /CN={host} -out {name}.csr"));
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -extfile ext -days {days} -out {name}.pem"
        ),
    );
}

impl Sns {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for authority in ["ca", "other"] {
            openssl(
                path,
                &format!(
                    "req -x509 -newkey rsa:2048 -nodes -keyout {authority}.key -subj /CN={authority} -days 3650 -out {authority}.pem"
                ),
            );
        }
        certified(path, "ca", "server", "localhost", 3_650);
        certified(path, "ca", "foreign", "sns.example.com", 3_650);
        certified(path, "ca", "expired", "localhost", 2);
        certified(path, "other", "stranger", "localhost", 3_650);
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = format!("localhost:{}", listener.local_addr().unwrap().port());
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from_pem_file(path.join("server.pem")).unwrap()],
                    PrivateKeyDer::from_pem_file(path.join("server.key")).unwrap(),
                )
                .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (kept, files) = (asked.clone(), path.to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = Vec::new();
                let mut buffer = [0; 4096];
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(read) => head.extend_from_slice(&buffer[..read]),
                    }
                }
                let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
                let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
                kept.lock().unwrap().push(target.clone());
                let answer = match target.strip_prefix('/').and_then(|name| std::fs::read(files.join(name)).ok()) {
                    Some(pem) => [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &pem].concat(),
                    None if target.contains("Action=ConfirmSubscription") => {
                        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<ok/>".to_vec()
                    }
                    None => b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        // Later than a certificate of two days lives.
        Self { folder, authority, asked, now_ms: clock::now_ms() + 3 * 86_400_000 }
    }

    /// What is subscribed.
    async fn door(&self) -> Door {
        let door = Door::open(self.folder.path(), &self.pi_toml()).await;
        door.now.store(self.now_ms, Ordering::Relaxed);
        door
    }

    fn pi_toml(&self) -> String {
        format!(
            "[triggers]\ngather_seconds = 0\n[triggers.cw]\nkind = \"sns\"\nagent = \"sre\"\ntopics = [\"{TOPIC}\"]\ncertificate_hosts = [\"{}\"]\nca_file = \"ca.pem\"\n",
            self.authority
        )
    }

    /// A message, signed with the key of a certificate.
    fn signed(&self, certificate: &str, version: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut message = json!({
            "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Subject": "ALARM: \"web cpu\"",
            "Message": alarm("ALARM").to_string(), "Timestamp": clock::rfc3339(self.now_ms - 2_000), "SignatureVersion": version,
            "SigningCertURL": format!("https://{}/{certificate}.pem", self.authority),
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        });
        change(&mut message);
        let names: &[&str] = match message["Type"].as_str() {
            Some("Notification") => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
        };
        let text: String = names.iter().map(|name| format!("{name}\n{}\n", message[name].as_str().unwrap())).collect();
        std::fs::write(self.folder.path().join("text"), text).unwrap();
        let digest = if version == "1" { "-sha1" } else { "-sha256" };
        openssl(self.folder.path(), &format!("dgst {digest} -sign {certificate}.key -out signature text"));
        let signature = std::fs::read(self.folder.path().join("signature")).unwrap();
        message["Signature"] = base64::engine::general_purpose::STANDARD.encode(signature).into();
        message
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn alarm(state: &str) -> Value {
    json!({
        "AlarmName": "web cpu", "AWSAccountId": "123456789012", "NewStateValue": state, "OldStateValue": "OK",
        "NewStateReason": "Threshold Crossed", "StateChangeTime": "2027-01-15T07:59:57.000+0000", "Region": "EU (Ireland)",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web cpu",
        "Trigger": { "MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Dimensions": [{ "value": "i-0abc", "name": "InstanceId" }] },
    })
}

async fn send(door: &Door, message: &Value) -> (u16, Value) {
    door.post(
        "cw",
        &[("content-type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "x")],
        &message.to_string(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_notification_of_a_listed_topic_wakes_its_agent_once_and_its_certificate_is_fetched_once() {
    let sns = Sns::start().await;
    let mut door = sns.door().await;
    for (version, id) in [("1", "m-1"), ("2", "m-2")] {
        let message = sns.signed("server", version, |message| message["MessageId"] = id.into());
        let (status, taken) = send(&door, &message).await;
        assert_eq!((status, taken["status"].as_str()), (200, Some("taken")), "{version}: {taken}");
        let (status, again) = send(&door, &message).await;
        assert_eq!((status, again["status"].as_str()), (200, Some("duplicate")), "{again}");
    }
    let wake = door.wakes.recv().await.unwrap();
    assert_eq!((wake.target.as_str(), wake.alert["source"].as_str()), ("i-0abc", Some("cloudwatch")));
    let resolved = sns.signed("server", "2", |message| {
        message["MessageId"] = "m-3".into();
        message["Message"] = alarm("OK").to_string().into();
    });
    assert_eq!(send(&door, &resolved).await.1["resolved"], 1);
    let unknown = sns.signed("server", "2", |message| {
        message["MessageId"] = "m-4".into();
        message["Message"] = alarm("INSUFFICIENT_DATA").to_string().into();
    });
    let (status, answer) = send(&door, &unknown).await;
    assert_eq!((status, answer["note"].is_string(), answer["resolved"].as_u64()), (200, true, Some(0)), "{answer}");
    assert_eq!(sns.asked(), ["/server.pem"]);
    assert!(door.wakes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sns_or_not_of_the_topic_is_refused_and_says_why() {
    let sns = Sns::start().await;
    let mut door = sns.door().await;
    let signed = |certificate: &str, change: &dyn Fn(&mut Value)| sns.signed(certificate, "2", change);
    let broken = |key: &str, value: &str| {
        let mut message = signed("server", &|_| {});
        message[key] = value.into();
        message
    };
    let cases = [
        (broken("Message", &alarm("OK").to_string()), 403, "the signature is wrong"),
        (broken("MessageId", "m-9"), 403, "the signature is wrong"),
        (broken("SignatureVersion", "1"), 403, "the signature is wrong"),
        (signed("server", &|it| it["TopicArn"] = format!("{TOPIC}-of-others").into()), 403, "the topic is not listed"),
        (
            signed("server", &|it| it["Timestamp"] = clock::rfc3339(sns.now_ms - 3_601_000).into()),
            403,
            "more than an hour old",
        ),
        (broken("SigningCertURL", "https://example.com/server.pem"), 403, "is not of the host of SNS"),
        (broken("SigningCertURL", "http://localhost/server.pem"), 403, "is not https"),
        (signed("foreign", &|_| {}), 403, "the certificate is not for `localhost`"),
        (signed("expired", &|_| {}), 403, "the certificate is not believed"),
        (signed("stranger", &|_| {}), 403, "the certificate is not believed"),
        (broken("SigningCertURL", &format!("https://{}/none.pem", sns.authority)), 403, "status 404"),
        (signed("server", &|it| it["Message"] = "hello".into()), 400, "no alarm of CloudWatch"),
        (alarm("ALARM"), 400, "raw message delivery"),
    ];
    for (message, expected, words) in cases {
        let (status, answer) = send(&door, &message).await;
        assert_eq!(
            (status, answer["error"].as_str().unwrap_or_default().contains(words)),
            (expected, true),
            "{words}: {answer}"
        );
    }
    assert!(door.wakes.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_confirmed_at_sns_for_a_listed_topic_alone() {
    let sns = Sns::start().await;
    let door = sns.door().await;
    let confirmation = |url: String, id: &str| {
        sns.signed("server", "1", |message| {
            message["Type"] = "SubscriptionConfirmation".into();
            message["MessageId"] = id.into();
            message["Token"] = "token-1".into();
            message["Message"] = "You have chosen to subscribe".into();
            message["SubscribeURL"] = url.into();
        })
    };
    let url = |host: &str| format!("https://{host}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=token-1");
    let (status, answer) = send(&door, &confirmation(url("example.com"), "s-1")).await;
    assert_eq!(status, 403, "{answer}");
    let (status, answer) = send(&door, &confirmation(url(&sns.authority).replace("token-1", "token-2"), "s-2")).await;
    assert_eq!(
        (status, answer["error"].as_str().unwrap().contains("confirm it in the console")),
        (403, true),
        "{answer}"
    );
    assert_eq!(sns.asked(), ["/server.pem"]);
    let (status, answer) = send(&door, &confirmation(url(&sns.authority), "s-3")).await;
    assert_eq!((status, answer["note"].as_str().unwrap().contains("is confirmed")), (200, true), "{answer}");
    assert!(sns.asked()[1].contains("Action=ConfirmSubscription"), "{:?}", sns.asked());
}
