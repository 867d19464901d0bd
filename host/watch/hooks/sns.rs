//! Messages of Amazon SNS: whose they are, before anything is done with what they say.
//!
//! A message is taken of a topic that is listed, near its time, once, and with a signature by a certificate that came
//! from SNS's own host of the topic's region. A subscription is confirmed on the same terms, by a visit to that host and
//! nowhere else: an address in a message is a stranger's until its signature is checked, and only a hint after that.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;

use super::Refused;
use super::certificate::Certificates;
use super::time_ms;

/// SNS tries a delivery again for at most an hour.
pub(super) const OLDEST_MS: u64 = 3_600_000;
const NEWEST_MS: u64 = 300_000;
const ID_BYTES_MAX: usize = 128;
/// Of RSA with 8192 bits, in base64.
const SIGNATURE_BYTES_MAX: usize = 2_048;

/// A message as it arrives.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    message_id: String,
    pub(super) topic_arn: String,
    pub(super) message: String,
    subject: Option<String>,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

/// Where messages may come from.
pub(super) struct Topics {
    pub(super) topics: Vec<String>,
    /// In place of the hosts of AWS.
    pub(super) hosts: Vec<String>,
    pub(super) certificates: Certificates,
}

impl Message {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refused> {
        serde_json::from_slice(body).map_err(|error| {
            let hint = "switch `raw message delivery` of the subscription off: a raw message is not signed";
            Refused::new(400, "form", format!("this is no message of SNS: {error}; {hint}"))
        })
    }

    /// What names the message, and until when it could be sent again.
    pub(super) fn identity(&self) -> (String, u64) {
        let sent_ms = time_ms(&self.timestamp).unwrap_or(0);
        (self.message_id.clone(), sent_ms.saturating_add(OLDEST_MS))
    }

    /// What is signed: names and values, each on a line, as Amazon's developer guide lists them for each type.
    fn signed(&self) -> Result<String, Refused> {
        let missing = |name: &str| Refused::new(400, "form", format!("the message has no `{name}`"));
        let mut pairs = vec![("Message", self.message.as_str()), ("MessageId", &self.message_id)];
        match self.kind.as_str() {
            "Notification" => pairs.extend(self.subject.as_deref().map(|subject| ("Subject", subject))),
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
                pairs.push(("SubscribeURL", self.subscribe_url.as_deref().ok_or_else(|| missing("SubscribeURL"))?));
            }
            _ => return Err(Refused::new(400, "form", "the message is of a type that SNS does not send")),
        }
        pairs.push(("Timestamp", &self.timestamp));
        if self.kind != "Notification" {
            pairs.push(("Token", self.token.as_deref().ok_or_else(|| missing("Token"))?));
        }
        pairs.extend([("TopicArn", self.topic_arn.as_str()), ("Type", &self.kind)]);
        Ok(pairs.into_iter().map(|(name, value)| format!("{name}\n{value}\n")).collect())
    }
}

impl Topics {
    /// Whether a message is of a listed topic, near its time and signed by SNS. What costs a stranger nothing and us a
    /// request comes last.
    pub(super) async fn verify(&self, message: &Message, now_ms: u64) -> Result<(), Refused> {
        if !self.topics.contains(&message.topic_arn) {
            let text = format!("the topic is not listed in `topics`: {}", message.topic_arn);
            return Err(Refused::new(403, "topic", text));
        }
        let id = &message.message_id;
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::new(400, "form", "`MessageId` is empty, too long or no name"));
        }
        let Some(sent_ms) = time_ms(&message.timestamp) else {
            return Err(Refused::new(400, "form", "`Timestamp` is no time"));
        };
        if sent_ms > now_ms.saturating_add(NEWEST_MS) || now_ms > sent_ms.saturating_add(OLDEST_MS) {
            let text = "`Timestamp` is more than an hour old, or in the future: look at the clock of this machine";
            return Err(Refused::new(403, "stale", text));
        }
        let algorithm: &RsaParameters = match message.signature_version.as_str() {
            "1" => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            "2" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(Refused::new(403, "signature", "`SignatureVersion` is neither 1 nor 2")),
        };
        let signed = message.signed()?;
        let signature = Some(&message.signature).filter(|signature| signature.len() <= SIGNATURE_BYTES_MAX);
        let Some(signature) = signature.and_then(|signature| STANDARD.decode(signature).ok()) else {
            return Err(Refused::new(403, "signature", "`Signature` is no base64 of a signature"));
        };
        let url = self.url(&message.signing_cert_url, &message.topic_arn, "SigningCertURL")?;
        if self.hosts.is_empty() && !is_certificate_path(url.path()) || url.query().is_some() {
            return Err(Refused::new(403, "certificate", "`SigningCertURL` is not where SNS has its certificates"));
        }
        let key = self.certificates.key_of(&url, &self.names(&url, &message.topic_arn), now_ms).await?;
        UnparsedPublicKey::new(algorithm, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| Refused::new(403, "signature", "the signature is wrong"))
    }

    /// Confirm a subscription whose message was verified.
    pub(super) async fn confirm(&self, message: &Message) -> Result<(), Refused> {
        let told = |why: &str| {
            let hint = "confirm it in the console, or subscribe again";
            Refused::new(403, "subscription", format!("the subscription is not confirmed: {why}; {hint}"))
        };
        let url = self.url(message.subscribe_url.as_deref().unwrap_or_default(), &message.topic_arn, "SubscribeURL")?;
        let has = |key: &str, value: &str| url.query_pairs().any(|(name, found)| name == key && found == value);
        let is_own = message.token.as_deref().is_some_and(|token| has("Token", token));
        if !has("Action", "ConfirmSubscription") || !has("TopicArn", &message.topic_arn) || !is_own {
            return Err(told("its `SubscribeURL` does not confirm this topic's subscription"));
        }
        self.certificates.visit(&url).await.map_err(|why| told(&why))
    }

    /// An address of SNS in the topic's region, or of an emulator that is named.
    fn url(&self, url: &str, topic: &str, field: &str) -> Result<Url, Refused> {
        let refused = |what: &str| Refused::new(403, "certificate", format!("`{field}` {what}"));
        let url = Url::parse(url).map_err(|_| refused("is no URL"))?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if url.scheme() != "https" || !is_plain {
            return Err(refused("is not https, or more than an address"));
        }
        let host = url.host_str().unwrap_or_default();
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let is_known = match self.hosts.as_slice() {
            [] => host_of(topic).is_some_and(|expected| expected == authority),
            hosts => hosts.contains(&authority),
        };
        if is_known { Ok(url) } else { Err(refused("is not of the host of SNS in the region of the topic")) }
    }

    /// The names that a certificate from this address may be for.
    fn names(&self, url: &Url, topic: &str) -> Vec<String> {
        if !self.hosts.is_empty() {
            return vec![url.host_str().unwrap_or_default().to_owned()];
        }
        let Some((region, suffix)) = region_of(topic) else { return Vec::new() };
        // Older regions have one name for all, newer ones and other partitions one each.
        vec![
            format!("sns.{suffix}"),
            format!("sns.{region}.{suffix}"),
            format!("sns-{region}.{suffix}"),
            format!("sns-signing.{region}.{suffix}"),
        ]
    }
}

fn region_of(topic: &str) -> Option<(&str, &'static str)> {
    let mut parts = topic.split(':');
    let (_, partition, _, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_region =
        !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let suffix = match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    is_region.then_some((region, suffix))
}

fn host_of(topic: &str) -> Option<String> {
    region_of(topic).map(|(region, suffix)| format!("sns.{region}.{suffix}"))
}

fn is_certificate_path(path: &str) -> bool {
    let id = path.strip_prefix("/SimpleNotificationService-").and_then(|rest| rest.strip_suffix(".pem"));
    id.is_some_and(|id| !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

    fn topics(hosts: &[&str]) -> Topics {
        Topics {
            topics: vec![TOPIC.into()],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            certificates: Certificates::new(None).unwrap(),
        }
    }

    fn message(change: impl FnOnce(&mut Message)) -> Message {
        let mut message = Message {
            kind: "Notification".into(),
            message_id: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324".into(),
            topic_arn: TOPIC.into(),
            message: "Hello\nworld".into(),
            subject: Some("My subject".into()),
            timestamp: "2026-11-23T12:00:00.123Z".into(),
            signature_version: "2".into(),
            signature: STANDARD.encode([1_u8; 256]),
            signing_cert_url: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-f3ecfb72.pem".into(),
            subscribe_url: None,
            token: None,
        };
        change(&mut message);
        message
    }

    fn now() -> u64 {
        time_ms("2026-11-23T12:00:10Z").unwrap()
    }

    #[test]
    fn what_is_signed_is_as_the_developer_guide_lists_it() {
        let signed = message(|_| {}).signed().unwrap();
        assert_eq!(
            signed,
            format!(
                "Message\nHello\nworld\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy subject\nTimestamp\n2026-11-23T12:00:00.123Z\nTopicArn\n{TOPIC}\nType\nNotification\n"
            )
        );
        let confirmation = message(|it| {
            it.kind = "SubscriptionConfirmation".into();
            it.subject = None;
            it.subscribe_url = Some("https://x".into());
            it.token = Some("t".into());
        });
        let signed = confirmation.signed().unwrap();
        assert!(signed.contains("SubscribeURL\nhttps://x\nTimestamp\n"), "{signed}");
        assert!(signed.contains("Z\nToken\nt\nTopicArn\n"), "{signed}");
    }

    #[tokio::test]
    async fn what_could_be_a_strangers_is_refused_before_anything_is_fetched() {
        let topics = topics(&[]);
        let url = |url: &'static str| message(|it| it.signing_cert_url = url.into());
        let cases = [
            (message(|it| it.topic_arn = format!("{TOPIC}2")), "topic"),
            (message(|it| it.timestamp = "2026-11-23T10:59:59Z".into()), "stale"),
            (message(|it| it.timestamp = "2026-11-23T12:10:00Z".into()), "stale"),
            (message(|it| it.timestamp = "now".into()), "form"),
            (message(|it| it.signature_version = "3".into()), "signature"),
            (message(|it| it.signature = "?".into()), "signature"),
            (message(|it| it.signature = "A".repeat(10_000)), "signature"),
            (message(|it| it.kind = "Other".into()), "form"),
            (message(|it| it.message_id = "m".repeat(129)), "form"),
            (message(|it| it.message_id = "m\0".into()), "form"),
            (url("http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-2.amazonaws.com/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com.cn/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com.example.com/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com@example.com/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://bucket.s3.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com/a.pem"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem?x=1"), "certificate"),
            (url("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-../a.pem"), "certificate"),
        ];
        for (message, expected) in cases {
            let refused = topics.verify(&message, now()).await.unwrap_err();
            assert_eq!(refused.reason, expected, "{}: {}", message.signing_cert_url, refused.text);
        }
    }

    #[test]
    fn each_partition_has_its_hosts() {
        assert_eq!(host_of(TOPIC).unwrap(), "sns.eu-west-1.amazonaws.com");
        assert_eq!(host_of("arn:aws-cn:sns:cn-north-1:1:a").unwrap(), "sns.cn-north-1.amazonaws.com.cn");
        assert_eq!(host_of("arn:aws:sns:evil.com/:1:a"), None);
        assert_eq!(host_of("arn:other:sns:eu-west-1:1:a"), None);
    }

    #[tokio::test]
    async fn a_subscription_is_confirmed_at_its_own_host_and_for_its_own_topic_alone() {
        let topics = topics(&[]);
        let base = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription";
        for url in [
            "https://example.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:123456789012:alarms&Token=t".into(),
            format!("{base}&TopicArn={TOPIC}2&Token=t"),
            format!("{base}&TopicArn={TOPIC}&Token=other"),
            "https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic".to_owned(),
            String::new(),
        ] {
            let message = message(|it| {
                it.kind = "SubscriptionConfirmation".into();
                it.subscribe_url = Some(url.clone());
                it.token = Some("t".into());
            });
            assert_eq!(topics.confirm(&message).await.unwrap_err().status, 403, "{url}");
        }
    }
}
