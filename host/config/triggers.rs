//! `[triggers]`, `[[maintenance]]` and `[dependencies]`: which alarms from outside wake which agent, when they do not,
//! and what belongs together. What could not work, or would take alarms from strangers, is an error when it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Config;

/// Triggers of one project. Danger: each has memory and a file of its own.
const TRIGGERS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 40;
/// Windows of one project. Danger: each is looked at with each alarm.
const MAINTENANCE_MAX: usize = 256;
/// Targets that one target may need. Danger: what belongs together is looked for with each alarm.
const NEEDS_MAX: usize = 64;
/// How often an account may be asked. Danger: what asks it more is throttled, and the agents with it.
const EVERY_SECONDS_MIN: u64 = 5;
/// The largest body that may be allowed. Danger: as many of them at a time as there are connections.
const BODY_BYTES_MAX: u64 = 16 << 20;
/// Most sessions at a time that alarms may wake.
const SESSIONS_MAX: u32 = 32;

/// Where webhooks arrive, and what is made of alarms whatever their source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggersConfig {
    /// Where webhooks arrive, at `/hooks/NAME`. An address that others reach wants every trigger signed or with a token.
    pub listen: String,
    /// So long alarms are gathered before a session begins: those of one fault come together.
    pub gather_seconds: u64,
    /// Alarms that share a label of `group_by` and come so soon after one another belong together.
    pub group_seconds: u64,
    /// The labels by which alarms belong together.
    pub group_by: Vec<String>,
    /// So many changes of one alarm within `flap_minutes` are flapping: it is held until it was steady for `steady_minutes`.
    pub flap_changes: u32,
    /// Within which changes are counted.
    pub flap_minutes: u64,
    /// Without a change, before a flapping alarm counts.
    pub steady_minutes: u64,
    /// Sessions at a time that alarms have woken.
    pub sessions_max: u32,
    /// Sessions in an hour that alarms have woken.
    pub sessions_per_hour: u32,
    /// So long the source gets, after a session that ended well, to see the same; then the alarm counts again.
    pub settle_minutes: u64,
    /// Sessions of one incident; after them people have it.
    pub attempts_max: u32,
    /// An alarm of which nothing was heard for so long is set aside, so that the next one counts.
    pub forget_hours: u64,
    /// Requests that each trigger takes in a second; ten times as many at once.
    pub requests_per_second: u32,
    /// Most bytes of one request.
    pub body_bytes_max: u64,
    /// By name.
    #[serde(flatten)]
    pub hooks: BTreeMap<String, TriggerConfig>,
}

impl Default for TriggersConfig {
    fn default() -> Self {
        let group_by = ["cluster", "instance", "node", "az", "availability_zone", "ClusterName", "AvailabilityZone"];
        Self {
            listen: "127.0.0.1:8788".into(),
            gather_seconds: 2,
            group_seconds: 120,
            group_by: group_by.map(str::to_owned).to_vec(),
            flap_changes: 6,
            flap_minutes: 10,
            steady_minutes: 5,
            sessions_max: 4,
            sessions_per_hour: 30,
            settle_minutes: 10,
            attempts_max: 2,
            forget_hours: 168,
            requests_per_second: 100,
            body_bytes_max: 1 << 20,
            hooks: BTreeMap::new(),
        }
    }
}

/// One source of alarms that calls this host.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// `sns`, `eventbridge`, `alertmanager` or `generic`; `cloudwatch` is asked.
    pub kind: TriggerKind,
    /// Whom its alarms wake.
    pub agent: String,
    /// The environment variable with the key of `generic`'s signatures. At most one of this and `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// A file that nobody else can read (mode 0600), relative to `pi.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
    /// The environment variable with the token that each request has to carry. At most one of this and `token_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// As `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// The header with the token. None: `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_header: Option<String>,
    /// Of `sns`: the topics whose messages are taken, as ARNs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Of `sns`: hosts (with a port where it is not 443) in place of those of AWS, for an emulator. They need `ca_file`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_hosts: Vec<String>,
    /// Of `sns`: the authorities (PEM) in place of the system's, for `certificate_hosts`, relative to `pi.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Of `cloudwatch`: the `[cloud.NAME]` that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Of `cloudwatch`. None: the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Of `cloudwatch`: only the alarms whose names begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Of `cloudwatch`: how often it is asked. None: every 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<u64>,
    /// Labels (of `sns`, `eventbridge` and `cloudwatch`: dimensions) that name the target, the first that an alarm has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_labels: Vec<String>,
    /// What targets are called here: `{ "i-0abc" = "web" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Of `generic`: where a field stands, as JSON pointers: `{ title = "/event/name" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<AlarmField, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerKind {
    Sns,
    EventBridge,
    Alertmanager,
    Generic,
    /// Asked for, not sent: the alarms of an account of `[cloud]`.
    CloudWatch,
}

/// What is read of a generic alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmField {
    Title,
    Target,
    Severity,
    State,
    Labels,
    Detail,
    Fingerprint,
    StartedAt,
}

/// When alarms of some targets are noted and nobody is woken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintenanceConfig {
    /// For people. None: its number in the file.
    pub name: Option<String>,
    /// `*` in a name stands for anything.
    pub targets: Vec<String>,
    /// Once, from this time on (RFC 3339).
    pub from: Option<String>,
    /// Until before this time.
    pub to: Option<String>,
    /// Every day, `22:30-04:00`; it may pass midnight.
    pub daily: Option<String>,
    /// Of `daily`: the days on which it begins, `mon` to `sun`. Empty: all.
    pub days: Vec<String>,
    /// Of `daily`: the time zone, `Europe/Berlin`. None: UTC.
    pub zone: Option<String>,
}

/// The place, what is wrong there, and what to do.
pub(super) type Wrong = (String, String, String);

impl TriggersConfig {
    fn check(&self, config: &Config) -> Result<(), Wrong> {
        let wrong = |place: &str, what: &str, hint: &str| Err((place.to_owned(), what.to_owned(), hint.to_owned()));
        let Ok(address) = self.listen.parse::<SocketAddr>() else {
            return wrong("[triggers] listen", "this is no address with a port", "write \"127.0.0.1:8788\", say");
        };
        if self.hooks.len() > TRIGGERS_MAX {
            return wrong("[triggers]", "there are more than 64", "let one trigger take what several sources send");
        }
        let numbers: [(&str, u64, u64, u64); 11] = [
            ("gather_seconds", self.gather_seconds, 0, 600),
            ("group_seconds", self.group_seconds, 0, 86_400),
            ("flap_changes", self.flap_changes.into(), 3, 100),
            ("flap_minutes", self.flap_minutes, 1, 1_440),
            ("steady_minutes", self.steady_minutes, 1, 1_440),
            ("sessions_max", self.sessions_max.into(), 1, SESSIONS_MAX.into()),
            ("sessions_per_hour", self.sessions_per_hour.into(), 1, 1_000),
            ("settle_minutes", self.settle_minutes, 1, 1_440),
            ("attempts_max", self.attempts_max.into(), 1, 10),
            ("forget_hours", self.forget_hours, 1, 8_760),
            ("requests_per_second", self.requests_per_second.into(), 1, 10_000),
        ];
        if let Some((key, _, least, most)) =
            numbers.iter().find(|(_, value, least, most)| !(least..=most).contains(&value))
        {
            return Err((
                format!("[triggers] {key}"),
                "it is out of bounds".into(),
                format!("write {least} to {most}"),
            ));
        }
        if !(1_024..=BODY_BYTES_MAX).contains(&self.body_bytes_max) {
            return wrong("[triggers] body_bytes_max", "it is out of bounds", "write 1024 to 16777216");
        }
        for (name, hook) in &self.hooks {
            let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_letter) {
                let what = "a trigger's name is made of up to 40 letters, digits, `-` and `_`";
                return Err((format!("[triggers.{name}]"), what.into(), "rename it".into()));
            }
            hook.check(name, config, address.ip().is_loopback())?;
        }
        Ok(())
    }
}

impl TriggerConfig {
    fn check(&self, name: &str, config: &Config, is_loopback: bool) -> Result<(), Wrong> {
        let place = format!("[triggers.{name}]");
        let wrong = |key: &str, what: &str, hint: String| Err((format!("{place} {key}"), what.to_owned(), hint));
        let is_sns = self.kind == TriggerKind::Sns;
        self.check_asked(&place, config)?;
        if !config.agents.contains_key(&self.agent) {
            let what = format!("there is no agent `{}`", self.agent);
            return wrong("agent", &what, format!("add [agents.{}], or correct the name", self.agent));
        }
        if self.secret_env.is_some() && self.secret_file.is_some() {
            return wrong("secret_env", "there are two secrets", "keep one of `secret_env` and `secret_file`".into());
        }
        if self.token_env.is_some() && self.token_file.is_some() {
            return wrong("token_env", "there are two tokens", "keep one of `token_env` and `token_file`".into());
        }
        let has_secret = self.secret_env.is_some() || self.secret_file.is_some();
        let has_token = self.token_env.is_some() || self.token_file.is_some();
        if self.token_header.is_some() && !has_token {
            return wrong("token_header", "there is no token for it", "add `token_env` or `token_file`".into());
        }
        if has_secret && self.kind != TriggerKind::Generic {
            let hint = "Amazon signs for `sns`; for `eventbridge` and `alertmanager` write `token_env` or `token_file`";
            return wrong("secret_env", "nobody signs with it: only `generic` is signed so", hint.into());
        }
        if is_sns && self.topics.is_empty() {
            let hint = "write topics = [\"arn:aws:sns:REGION:ACCOUNT:NAME\"]: anybody has topics that Amazon signs for";
            return wrong("topics", "there is none, so that no message would be taken", hint.into());
        }
        if let Some(topic) = self.topics.iter().find(|topic| !is_topic(topic)) {
            return wrong(
                "topics",
                &format!("this is no ARN of a topic: {topic}"),
                "arn:aws:sns:REGION:ACCOUNT:NAME".into(),
            );
        }
        let has_sns = !self.topics.is_empty() || !self.certificate_hosts.is_empty() || self.ca_file.is_some();
        if has_sns && !is_sns {
            return wrong("kind", "`topics`, `certificate_hosts` and `ca_file` are of `sns`", "remove them".into());
        }
        if self.certificate_hosts.is_empty() != self.ca_file.is_none() {
            let hint = "an emulator has an authority of its own: write both, or neither for Amazon itself";
            return wrong("certificate_hosts", "`certificate_hosts` and `ca_file` go together", hint.into());
        }
        if !self.fields.is_empty() && self.kind != TriggerKind::Generic {
            return wrong("fields", "only `generic` has fields to be found", "remove it".into());
        }
        if let Some(pointer) = self.fields.values().find(|pointer| !pointer.starts_with('/')) {
            return wrong(
                "fields",
                &format!("this is no JSON pointer: {pointer}"),
                "write \"/event/name\", say".into(),
            );
        }
        let is_asked = self.kind == TriggerKind::CloudWatch;
        if !is_loopback && !is_sns && !is_asked && !has_secret && !has_token {
            let hint = "add `secret_env` (of `generic`) or `token_env`, or set [triggers] listen = \"127.0.0.1:8788\"";
            return wrong("", "whoever reaches this host could wake its agent: the trigger is not signed", hint.into());
        }
        Ok(())
    }
}

impl TriggerConfig {
    /// What is asked for, and not sent.
    fn check_asked(&self, place: &str, config: &Config) -> Result<(), Wrong> {
        let wrong = |key: &str, what: String, hint: String| Err((format!("{place} {key}"), what, hint));
        if self.kind != TriggerKind::CloudWatch {
            let is_asked = [&self.account, &self.region, &self.prefix].iter().any(|key| key.is_some());
            if is_asked || self.every_seconds.is_some() {
                let what = "`account`, `region`, `prefix` and `every_seconds` are of `cloudwatch`".to_owned();
                return wrong("kind", what, "remove them".into());
            }
            return Ok(());
        }
        match &self.account {
            Some(name) if config.cloud.contains_key(name) => {}
            Some(name) => {
                let hint = format!("add [cloud.{name}], or correct the name");
                return wrong("account", format!("there is no account `{name}`"), hint);
            }
            None => {
                return wrong(
                    "account",
                    "it is not said whom to ask".into(),
                    "write the NAME of a [cloud.NAME]".into(),
                );
            }
        }
        if self.secret_env.is_some()
            || self.secret_file.is_some()
            || self.token_env.is_some()
            || self.token_file.is_some()
        {
            return wrong(
                "kind",
                "nobody sends anything to `cloudwatch`, so nothing is signed".into(),
                "remove the secret".into(),
            );
        }
        if self.every_seconds.is_some_and(|every| !(EVERY_SECONDS_MIN..=3_600).contains(&every)) {
            return wrong("every_seconds", "it is out of bounds".into(), format!("write {EVERY_SECONDS_MIN} to 3600"));
        }
        Ok(())
    }
}

fn is_topic(topic: &str) -> bool {
    let parts: Vec<&str> = topic.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if partition.starts_with("aws") && !region.is_empty() && !account.is_empty() && !name.is_empty())
}

/// Triggers, and what they rest on.
pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    if let Some(triggers) = &config.triggers {
        triggers.check(config)?;
    }
    if config.maintenance.len() > MAINTENANCE_MAX {
        return Err(("[[maintenance]]".into(), "there are more than 256".into(), "remove those that are over".into()));
    }
    for (target, needs) in &config.dependencies {
        if needs.len() > NEEDS_MAX {
            let hint = "name what it needs directly: what that needs follows".to_owned();
            return Err((format!("[dependencies] {target}"), "it needs more than 64 targets".into(), hint));
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for TriggersConfig {
    /// By hand: beside the settings stand tables of any name, and an unknown setting has to be an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = TriggersConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("settings of triggers, or a table for each by its name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TriggersConfig, A::Error> {
        let mut config = TriggersConfig::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "listen" => config.listen = map.next_value()?,
                "gather_seconds" => config.gather_seconds = map.next_value()?,
                "group_seconds" => config.group_seconds = map.next_value()?,
                "group_by" => config.group_by = map.next_value()?,
                "flap_changes" => config.flap_changes = map.next_value()?,
                "flap_minutes" => config.flap_minutes = map.next_value()?,
                "steady_minutes" => config.steady_minutes = map.next_value()?,
                "sessions_max" => config.sessions_max = map.next_value()?,
                "sessions_per_hour" => config.sessions_per_hour = map.next_value()?,
                "settle_minutes" => config.settle_minutes = map.next_value()?,
                "attempts_max" => config.attempts_max = map.next_value()?,
                "forget_hours" => config.forget_hours = map.next_value()?,
                "requests_per_second" => config.requests_per_second = map.next_value()?,
                "body_bytes_max" => config.body_bytes_max = map.next_value()?,
                _ => _ = config.hooks.insert(key, map.next_value()?),
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn error(text: &str) -> String {
        let text = format!("[agents.sre]\n{text}");
        Config::parse(&text, "pi.toml").map_or_else(|error| error.to_string(), |_| String::new())
    }

    const CLOUD: &str = "[cloud.prod]\nregion = \"eu-west-1\"\n[triggers.a]\nkind = \"cloudwatch\"\nagent = \"sre\"\n";
    const GENERIC: &str = "[triggers.a]\nkind = \"generic\"\nagent = \"sre\"\n";
    const SNS: &str = "[triggers.a]\nkind = \"sns\"\nagent = \"sre\"\n";

    #[test]
    fn triggers_that_cannot_work_are_an_error() {
        let cases = [
            ("[triggers]\nlistne = \"127.0.0.1:1\"".to_owned(), "line 3"),
            ("[triggers]\nlisten = \"here\"".into(), "no address"),
            ("[triggers]\nsessions_max = 0".into(), "write 1 to 32"),
            ("[triggers.a]\nkind = \"pager\"\nagent = \"sre\"".into(), "unknown variant `pager`"),
            (GENERIC.replace("\"sre\"", "\"sree\""), "there is no agent `sree`"),
            (format!("{GENERIC}colour = 1"), "unknown field `colour`"),
            (format!("{GENERIC}topics = [\"arn:aws:sns:eu-west-1:1:x\"]"), "are of `sns`"),
            (format!("{GENERIC}fields = {{ title = \"name\" }}"), "no JSON pointer"),
            (CLOUD.into(), "whom to ask"),
            (format!("{CLOUD}account = \"test\""), "there is no account `test`"),
            (format!("{CLOUD}account = \"prod\"\nevery_seconds = 4"), "write 5 to 3600"),
            (format!("{CLOUD}account = \"prod\"\nsecret_env = \"S\""), "nothing is signed"),
            (format!("{GENERIC}prefix = \"p\""), "are of `cloudwatch`"),
            (SNS.into(), "topics = [\"arn:aws:sns:REGION:ACCOUNT:NAME\"]"),
            (format!("{SNS}topics = [\"*\"]"), "no ARN of a topic"),
            (format!("{SNS}topics = [\"arn:aws:sns:eu-west-1:1:x\"]\ncertificate_hosts = [\"h\"]"), "go together"),
            (format!("{SNS}topics = [\"arn:aws:sns:eu-west-1:1:x\"]\nsecret_env = \"S\""), "nobody signs with it"),
        ];
        for (text, expected) in cases {
            let error = error(&text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_asked_needs_no_signature() {
        assert_eq!(error(&format!("{CLOUD}account = \"prod\"\nprefix = \"shop-\"")), "");
        let listen = "[triggers]\nlisten = \"0.0.0.0:1\"\n";
        assert_eq!(error(&format!("{listen}{CLOUD}account = \"prod\"")), "");
    }

    #[test]
    fn an_address_that_others_reach_wants_every_trigger_signed() {
        let at = |address: &str, more: &str| error(&format!("[triggers]\nlisten = \"{address}\"\n{GENERIC}{more}"));
        assert_eq!(at("127.0.0.1:8788", ""), "");
        assert_eq!(at("[::1]:8788", ""), "");
        assert!(at("0.0.0.0:8788", "").contains("is not signed"), "{}", at("0.0.0.0:8788", ""));
        assert_eq!(at("0.0.0.0:8788", "secret_env = \"S\""), "");
        assert_eq!(at("0.0.0.0:8788", "token_file = \"t\""), "");
        let sns = format!("[triggers]\nlisten = \"0.0.0.0:1\"\n{SNS}topics = [\"arn:aws:sns:eu-west-1:1:x\"]");
        assert_eq!(error(&sns), "");
    }
}
