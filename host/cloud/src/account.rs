//! An account: its settings, and the way to AWS.
//!
//! Nothing is connected before the first call. Then credentials and region are looked for as every AWS program does
//! (environment, profile, web identity, container, instance), but in the environment that the settings hold. A call has
//! one deadline over everything: credentials, all its pages, all its attempts.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::call::{Call, Resource, is_region};
use crate::error::Error;
use crate::operation::Severity;
use crate::service;
use crate::session::Session;
use crate::{tags, transport};

/// How an account is reached. `Default` has the limits that the documentation names.
#[derive(Clone)]
pub struct Settings {
    pub region: Option<String>,
    pub profile: Option<String>,
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
    pub endpoint_url: Option<String>,
    /// Certificates in PEM that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Of one call with all its pages and attempts.
    pub timeout_ms: u64,
    pub attempts_max: u32,
    /// AWS_*, HOME: the host reads the environment, nothing here does.
    pub environment: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            role_arn: None,
            external_id: None,
            endpoint_url: None,
            ca_file: None,
            timeout_ms: 30_000,
            attempts_max: 4,
            environment: BTreeMap::new(),
        }
    }
}

/// Neither the environment, which may hold keys, nor the external id, which is a secret to some.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("role_arn", &self.role_arn)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// Whom AWS takes the account for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    pub arn: String,
    pub user_id: String,
}

/// An account. Cheap to clone; nothing is connected before the first call.
#[derive(Clone)]
pub struct Account {
    inner: Arc<Inner>,
}

/// The settings alone: the providers of credentials print what they were given.
impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Account").field(&self.inner.settings).finish()
    }
}

struct Inner {
    settings: Settings,
    /// Credentials are kept in it until they expire, connections as long as they are used.
    config: OnceCell<SdkConfig>,
}

const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=600_000;
const ATTEMPTS: std::ops::RangeInclusive<u32> = 1..=10;

impl Account {
    /// Check the settings. Files are not read and nothing is connected yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        check(&settings).map_err(|(problem, hint)| Error::Settings { problem, hint: hint.into() })?;
        Ok(Self { inner: Arc::new(Inner { settings, config: OnceCell::new() }) })
    }

    /// The region that calls go to which name none, as far as it is known without reading the profile.
    pub fn region(&self) -> Option<&str> {
        let settings = &self.inner.settings;
        let variable =
            |name: &str| settings.environment.get(name).map(String::as_str).filter(|value| !value.is_empty());
        settings.region.as_deref().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"))
    }

    /// Whom AWS takes the account for: sts:GetCallerIdentity, which needs no permission.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let fetch = async |session: &Session<'_>| {
            let sent = aws_sdk_sts::Client::new(session.config).get_caller_identity().send().await;
            let found = sent.map_err(|error| session.failure(error))?;
            let text = |value: Option<String>| value.unwrap_or_default();
            Ok(Identity { account: text(found.account), arn: text(found.arn), user_id: text(found.user_id) })
        };
        let way = Way { operation: "sts:GetCallerIdentity", region: None, is_change: false };
        self.within(way, fetch).await
    }

    /// The tags of the resources that a call names; of what is not there, or has none, an empty map. Reading them needs
    /// permissions of its own: ec2:DescribeTags, rds:DescribeDBInstances and so on.
    pub async fn tags(&self, call: &Call) -> Result<Vec<(Resource, BTreeMap<String, String>)>, Error> {
        let way = Way { operation: call.operation().name, region: call.region(), is_change: false };
        self.within(way, async |session: &Session<'_>| Box::pin(tags::of(session, call.resources())).await).await
    }

    /// Ask whether AWS would do it, and have nothing done. Only EC2 can be asked.
    pub async fn dry_run(&self, call: &Call) -> Result<(), Error> {
        // As a change: an endpoint that ignores the question must not be asked twice.
        let way = Way { operation: call.operation().name, region: call.region(), is_change: true };
        self.within(way, async |session: &Session<'_>| Box::pin(service::dry_run(session, call)).await).await
    }

    /// Do it, and wait for the answer.
    pub async fn call(&self, call: &Call) -> Result<Value, Error> {
        let operation = call.operation();
        let is_change = operation.severity != Severity::Read;
        let way = Way { operation: operation.name, region: call.region(), is_change };
        let attempts_max = self.inner.settings.attempts_max;
        let send = async |session: &Session<'_>| {
            for attempt in 1.. {
                match Box::pin(service::send(session, call)).await {
                    // Only what AWS refused to begin is safe to send again: a script must not run twice.
                    Err(Error::Throttled { .. }) if is_change && attempt < attempts_max => {
                        tokio::time::sleep(Duration::from_millis(200 << attempt.min(6))).await;
                    }
                    other => return other,
                }
            }
            Err(session.timed_out())
        };
        self.within(way, send).await
    }

    /// Connect if that was not done yet, and do something in a session, all within the deadline.
    async fn within<T>(
        &self,
        way: Way<'_>,
        act: impl AsyncFnOnce(&Session<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let settings = &self.inner.settings;
        let deadline = Duration::from_millis(settings.timeout_ms);
        let all = async {
            let base = self.inner.config.get_or_try_init(|| connect(settings)).await?;
            let named = way.region.or_else(|| base.region().map(AsRef::as_ref));
            let region = named.map(str::to_owned).ok_or_else(|| no_region(way.operation))?;
            let mut config = base.clone().into_builder().region(Region::new(region.clone()));
            if way.is_change {
                config = config.retry_config(RetryConfig::disabled());
            }
            let config = config.build();
            act(&way.session(settings, &config, &region)).await
        };
        match tokio::time::timeout(deadline, all).await {
            Ok(done) => done,
            Err(_) => {
                let config = SdkConfig::builder().build();
                Err(way.session(settings, &config, "").timed_out())
            }
        }
    }
}

/// What is done, and where to.
#[derive(Clone, Copy)]
struct Way<'a> {
    operation: &'a str,
    region: Option<&'a str>,
    is_change: bool,
}

impl<'a> Way<'a> {
    fn session(&self, settings: &Settings, config: &'a SdkConfig, region: &'a str) -> Session<'a> {
        Session {
            operation: self.operation,
            config,
            region,
            is_change: self.is_change,
            attempts_max: settings.attempts_max,
            timeout_ms: settings.timeout_ms,
            is_endpoint_given: config.endpoint_url().is_some(),
        }
    }
}

fn no_region(operation: &str) -> Error {
    Error::Region {
        operation: operation.into(),
        problem: "there is none: neither the call, the account, the environment nor the profile names one".into(),
        hint: "set `region` of the account, like eu-west-1".into(),
    }
}

/// What can be seen in the settings themselves: the problem, and what to do.
fn check(settings: &Settings) -> Result<(), (String, &'static str)> {
    if let Some(region) = settings.region.as_deref().filter(|region| !is_region(region)) {
        let shown: String = region.chars().take(40).collect();
        return Err((format!("`region` is not the name of one: {shown:?}"), "it is written like eu-west-1"));
    }
    if !TIMEOUT_MS.contains(&settings.timeout_ms) {
        return Err((format!("`timeout_ms` is out of bounds: {}", settings.timeout_ms), "100 to 600000"));
    }
    if !ATTEMPTS.contains(&settings.attempts_max) {
        return Err((format!("`attempts_max` is out of bounds: {}", settings.attempts_max), "1 to 10"));
    }
    if let Some(role) = &settings.role_arn {
        let form = regex_lite::Regex::new(r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}$");
        if !form.is_ok_and(|form| form.is_match(role)) {
            return Err(("`role_arn` is not the ARN of a role".into(), "arn:aws:iam::123456789012:role/NAME"));
        }
    }
    if settings.external_id.is_some() && settings.role_arn.is_none() {
        return Err(("`external_id` without `role_arn`".into(), "it belongs to the role that is assumed"));
    }
    settings.endpoint_url.as_deref().map_or(Ok(()), endpoint)
}

/// Session tokens are a part of each request, so without TLS they go no further than this machine.
fn endpoint(url: &str) -> Result<(), (String, &'static str)> {
    const HINT: &str = "https://HOST, or http://127.0.0.1:PORT on this machine";
    let form = r"^(https?)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]*)?$";
    let parts = regex_lite::Regex::new(form).ok().and_then(|form| form.captures(url));
    let Some(parts) = parts else { return Err(("`endpoint_url` is not a plain URL".into(), HINT)) };
    let part = |at| parts.get(at).map_or("", |found| found.as_str());
    match (part(1), part(2)) {
        ("http", host) if !(host == "localhost" || host == "[::1]" || host.starts_with("127.")) => {
            Err((format!("`endpoint_url` without TLS is not on this machine: {host}"), HINT))
        }
        _ => Ok(()),
    }
}

async fn connect(settings: &Settings) -> Result<SdkConfig, Error> {
    let environment: HashMap<String, String> = settings.environment.clone().into_iter().collect();
    let ca_file = settings.ca_file.clone().or_else(|| environment.get("AWS_CA_BUNDLE").map(PathBuf::from));
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .env(environment.into())
        .http_client(transport::client(ca_file.as_deref()).await?)
        .retry_config(RetryConfig::standard().with_max_attempts(settings.attempts_max))
        .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).build())
        // The deadline of the call is what ends a slow answer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let base = loader.load().await;
    let Some(role) = &settings.role_arn else { return Ok(base) };
    let mut provider = AssumeRoleProvider::builder(role).session_name("pi-host").configure(&base);
    if let Some(id) = &settings.external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    Ok(base.into_builder().credentials_provider(provider).build())
}
