//! Webhooks: alarms that others send, `POST /hooks/NAME`.
//!
//! Whoever calls is a stranger until the request proves otherwise: bodies, rates and waits are bounded before anything
//! is believed, and what is refused is counted and said. What a source's messages look like is in a file of its own,
//! pure; to add a source: a kind in `config/triggers.rs`, its file here, its line in [`Hook::read`].

mod alertmanager;
mod certificate;
mod cloudwatch;
mod eventbridge;
mod generic;
mod rate;
pub mod secret;
mod sns;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::alarms::Alarm;
use super::intake::{Intake, NotTaken, Trigger};
pub(in crate::watch) use cloudwatch::of_description;

use crate::clock::Duration;
use crate::config::{TriggerConfig, TriggerKind};
use crate::gate::explain::escaped;
use crate::outbound::{Clock, Secret};
use certificate::Certificates;
use rate::Bucket;
use secret::{Key, SECRET_BYTES_MIN, Token, one};
use sns::{Message, Topics};

/// Alarms of one request.
pub const ALARMS_MAX: usize = 10_000;
/// Until a body is there. Danger: a caller who never ends it.
const BODY_MS_MAX: u64 = 10_000;
/// Requests of all callers together in a second, before anybody knows whose they are.
const STRANGERS_PER_SECOND: u64 = 2_000;
/// Longest text of a refusal.
const TEXT_CHARS_MAX: usize = 400;

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// By which it is counted.
    pub(super) reason: &'static str,
    pub(super) text: String,
}

/// A trigger cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[triggers.{name}] {what}\nhint: {hint}")]
pub struct HookError {
    pub name: String,
    pub what: String,
    pub hint: String,
}

/// A trigger with its secrets, as it is made.
pub struct HookSettings {
    pub name: String,
    pub config: TriggerConfig,
    /// For HMAC.
    pub secret: Option<Secret>,
    pub token: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    pub requests_per_second: u32,
    pub body_bytes_max: usize,
}

/// How targets are found and called.
#[derive(Clone, Debug, Default)]
pub(in crate::watch) struct Naming {
    pub(in crate::watch) target_labels: Vec<String>,
    pub(in crate::watch) names: BTreeMap<String, String>,
}

/// One trigger that is called.
struct Hook {
    trigger: Arc<Trigger>,
    kind: TriggerKind,
    key: Option<Key>,
    token: Option<Token>,
    topics: Option<Topics>,
    naming: Naming,
    fields: generic::Fields,
    body_bytes_max: usize,
    bucket: Mutex<Bucket>,
}

#[derive(Clone)]
struct Entry {
    hooks: Arc<BTreeMap<String, Hook>>,
    strangers: Arc<Mutex<Bucket>>,
    intake: Intake,
    clock: Clock,
}

/// What a request says.
struct Read {
    alarms: Vec<Alarm>,
    /// What names it, so that it counts once.
    message: Option<(String, u64)>,
    /// To be told to its sender.
    note: Option<String>,
}

/// Takes alarms at `POST /hooks/NAME`.
///
/// # Errors
/// A secret is too short, or the authorities cannot be read.
pub fn router(hooks: Vec<HookSettings>, intake: Intake, clock: Clock) -> Result<Router, HookError> {
    let now_ms = clock();
    let hooks = hooks.into_iter().map(|settings| Ok((settings.name.clone(), Hook::new(settings, now_ms)?)));
    let entry = Entry {
        hooks: Arc::new(hooks.collect::<Result<_, HookError>>()?),
        strangers: Arc::new(Mutex::new(Bucket::new(STRANGERS_PER_SECOND, now_ms))),
        intake,
        clock,
    };
    // The limit is each trigger's own.
    Ok(Router::new().route("/hooks/{name}", post(called)).layer(DefaultBodyLimit::disable()).with_state(entry))
}

impl Refused {
    pub(super) fn new(status: u16, reason: &'static str, text: impl Into<String>) -> Self {
        Self { status, reason, text: text.into() }
    }
}

impl From<NotTaken> for Refused {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Busy => Self::new(429, "busy", error.to_string()),
            NotTaken::Full => Self::new(429, "full", error.to_string()),
            NotTaken::Unstored => Self::new(503, "unstored", error.to_string()),
        }
    }
}

impl Naming {
    /// The first of these labels that is there, those of the operator first.
    fn target<'l>(&self, labels: &'l BTreeMap<String, String>, usual: &[&str]) -> Option<&'l str> {
        let own = self.target_labels.iter().map(String::as_str);
        let value = |label: &str| labels.get(label).map(String::as_str).filter(|value| !value.is_empty());
        own.chain(usual.iter().copied()).find_map(value)
    }

    fn called(&self, target: &str) -> String {
        self.names.get(target).cloned().unwrap_or_else(|| target.to_owned())
    }
}

impl Hook {
    fn new(settings: HookSettings, now_ms: u64) -> Result<Self, HookError> {
        let HookSettings { name, config, secret, token, ca_file, requests_per_second, body_bytes_max } = settings;
        let wrong = |what: String, hint: &str| HookError { name: name.clone(), what, hint: hint.to_owned() };
        for (secret, what) in [(&secret, "secret"), (&token, "token")] {
            if secret.as_ref().is_some_and(|secret| secret.expose().len() < SECRET_BYTES_MIN) {
                let what = format!("its {what} is shorter than {SECRET_BYTES_MIN} bytes");
                return Err(wrong(what, "make one with `openssl rand -hex 32`"));
            }
        }
        let header = match &config.token_header {
            None => header::AUTHORIZATION,
            Some(name) => HeaderName::try_from(name.as_str())
                .map_err(|_| wrong("`token_header` is no name of a header".into(), "write \"x-api-key\", say"))?,
        };
        let topics = match config.kind {
            TriggerKind::Sns => {
                let certificates = Certificates::new(ca_file.as_deref()).map_err(|why| {
                    wrong(format!("`ca_file` cannot be used: {why}"), "name a file with certificates in PEM")
                })?;
                Some(Topics { topics: config.topics, hosts: config.certificate_hosts, certificates })
            }
            _ => None,
        };
        let kind = match config.kind {
            TriggerKind::Sns => "sns",
            TriggerKind::EventBridge => "eventbridge",
            TriggerKind::Alertmanager => "alertmanager",
            TriggerKind::Generic => "generic",
            // It is asked, and never a hook.
            TriggerKind::CloudWatch => "cloudwatch",
        };
        Ok(Self {
            trigger: Arc::new(Trigger { name: name.clone(), kind, agent: config.agent }),
            kind: config.kind,
            key: secret.map(|secret| Key::new(secret.expose())),
            token: token.map(|token| Token::new(token.expose(), header)),
            topics,
            naming: Naming { target_labels: config.target_labels, names: config.names },
            fields: config.fields,
            body_bytes_max,
            bucket: Mutex::new(Bucket::new(requests_per_second.into(), now_ms)),
        })
    }

    /// Take a request whose name was found.
    async fn take(&self, entry: &Entry, headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
        if let Some(token) = &self.token {
            token.verify(headers)?;
        }
        if self.key.is_none() && self.token.is_none() && self.topics.is_none() {
            no_page(headers)?;
        }
        if self.topics.is_none() {
            is_json(headers)?;
        }
        let body = self.body(body).await?;
        let read = self.read(headers, &body, (entry.clock)()).await?;
        // Only what was found to be its source's counts against it.
        if !lock(&self.bucket).take((entry.clock)()) {
            return Err(Refused::new(429, "rate", "more requests than `requests_per_second`; send it again"));
        }
        if let Some(note) = &read.note {
            entry.intake.noted(&self.trigger, note);
        }
        let tally = entry.intake.take(&self.trigger, read.alarms, read.message).await?;
        let mut answer = json!(tally);
        answer["status"] = if tally.is_duplicate { "duplicate" } else { "taken" }.into();
        if let Some(note) = read.note {
            answer["note"] = note.into();
        }
        Ok(answer)
    }

    async fn body(&self, body: Body) -> Result<Vec<u8>, Refused> {
        let reading = axum::body::to_bytes(body, self.body_bytes_max);
        match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), reading).await {
            Ok(Ok(body)) => Ok(body.to_vec()),
            Ok(Err(_)) => {
                let text = format!("the body is cut off, or longer than {} bytes", self.body_bytes_max);
                Err(Refused::new(413, "too_large", text))
            }
            Err(_) => Err(Refused::new(408, "slow", "the body did not come in time")),
        }
    }

    async fn read(&self, headers: &HeaderMap, body: &[u8], now_ms: u64) -> Result<Read, Refused> {
        let message = self.key.as_ref().map(|key| key.verify(headers, body, now_ms)).transpose()?;
        if let Some(topics) = &self.topics {
            return self.of_sns(topics, body, now_ms).await;
        }
        let json: Value = serde_json::from_slice(body)
            .map_err(|error| Refused::new(400, "form", format!("the body is no JSON: {error}")))?;
        match self.kind {
            TriggerKind::Alertmanager => {
                let (alarms, cut_off) = alertmanager::read(json, &self.naming)?;
                let note =
                    (cut_off > 0).then(|| format!("its sender has cut off {cut_off} alerts: raise `max_alerts`"));
                Ok(Read { alarms, message, note })
            }
            TriggerKind::EventBridge => {
                let alarm = eventbridge::read(&json, &self.naming)?;
                let message = eventbridge::id(&json).map(|id| (id.to_owned(), now_ms.saturating_add(DAY_MS)));
                Ok(Read::of(alarm, message))
            }
            TriggerKind::Generic | TriggerKind::Sns | TriggerKind::CloudWatch => {
                Ok(Read { alarms: generic::read(&json, &self.fields, &self.naming)?, message, note: None })
            }
        }
    }

    async fn of_sns(&self, topics: &Topics, body: &[u8], now_ms: u64) -> Result<Read, Refused> {
        let message = Message::parse(body)?;
        topics.verify(&message, now_ms).await?;
        let identity = Some(message.identity());
        match message.kind.as_str() {
            "SubscriptionConfirmation" => {
                topics.confirm(&message).await?;
                let note = Some(format!("the subscription of {} is confirmed", message.topic_arn));
                Ok(Read { alarms: Vec::new(), message: identity, note })
            }
            "UnsubscribeConfirmation" => {
                let note =
                    Some(format!("the subscription of {} was removed: no alarm comes from it", message.topic_arn));
                Ok(Read { alarms: Vec::new(), message: identity, note })
            }
            _ => {
                let json: Value = serde_json::from_str(&message.message).map_err(|_| {
                    Refused::new(
                        400,
                        "form",
                        "the message is a text, and no alarm of CloudWatch or event of EventBridge",
                    )
                })?;
                let alarm = if json.get("detail-type").is_some() {
                    eventbridge::read(&json, &self.naming)?
                } else {
                    cloudwatch::of_notification(&json, &self.naming)?
                };
                Ok(Read::of(alarm, identity))
            }
        }
    }
}

/// EventBridge tries a delivery again for a day.
const DAY_MS: u64 = 24 * 3_600_000;

impl Read {
    fn of(alarm: Option<Alarm>, message: Option<(String, u64)>) -> Self {
        let note = alarm.is_none().then(|| "it says neither that something is sick nor that it is well".to_owned());
        Self { alarms: alarm.into_iter().collect(), message, note }
    }
}

async fn called(State(entry): State<Entry>, Path(name): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let Some(hook) = entry.hooks.get(&name) else {
        return answer(404, &json!({ "error": "there is no trigger of this name" }));
    };
    let taken = if lock(&entry.strangers).take((entry.clock)()) {
        hook.take(&entry, &headers, body).await
    } else {
        Err(Refused::new(429, "rate", "too many requests; send it again"))
    };
    match taken {
        Ok(taken) => answer(200, &taken),
        Err(refused) => {
            // What was not taken for want of room was told where it is known.
            if !matches!(refused.reason, "full" | "unstored") {
                entry.intake.refused(&hook.trigger, refused.reason, &refused.text);
            }
            let text: String = escaped(&refused.text).chars().take(TEXT_CHARS_MAX).collect();
            answer(refused.status, &json!({ "error": text }))
        }
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry = (status == StatusCode::TOO_MANY_REQUESTS).then_some([(header::RETRY_AFTER, "1")]);
    (status, [(header::CONTENT_TYPE, "application/json")], retry, format!("{body}\n")).into_response()
}

/// Without a secret, what is on this machine is believed, but no page in a browser on it: it would come with an origin,
/// or by a name that it has made ours.
fn no_page(headers: &HeaderMap) -> Result<(), Refused> {
    let host = one(headers, header::HOST.as_str()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_ours = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if headers.contains_key(header::ORIGIN) || !is_ours {
        let text = "this trigger has neither secret nor token, so it takes nothing from a page or by another name";
        return Err(Refused::new(403, "origin", text));
    }
    Ok(())
}

/// A page can send other types without asking first.
fn is_json(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = one(headers, header::CONTENT_TYPE.as_str()).and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refused::new(400, "form", "the body must be `application/json`, and say so in `Content-Type`"))
}

fn lock(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time as sources write it; none where it is no time, or one of before 1971 (which stands for none).
fn time_ms(text: &str) -> Option<u64> {
    let parsed = text.parse::<jiff::Timestamp>();
    // CloudWatch writes its zone as `+0000`.
    let parsed =
        parsed.or_else(|_| jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).and_then(|it| it.to_timestamp()));
    let time_ms = u64::try_from(parsed.ok()?.as_millisecond()).ok()?;
    (time_ms > 365 * DAY_MS).then_some(time_ms)
}
