//! An account: its settings, and the way to AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::call::{Call, Resource, is_region};
use crate::error::Error;

/// How an account is reached. `Default` has the limits that the documentation names.
#[derive(Clone)]
pub struct Settings {
    pub region: Option<String>,
    pub profile: Option<String>,
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
    pub endpoint_url: Option<String>,
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

/// The environment may hold keys.
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

struct Inner {
    settings: Settings,
}

impl Account {
    /// Check the settings. Files are not read and nothing is connected yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let wrong = |problem: String, hint: &str| Error::Settings { problem, hint: hint.into() };
        if let Some(region) = settings.region.as_deref().filter(|region| !is_region(region)) {
            let shown: String = region.chars().take(40).collect();
            return Err(wrong(format!("`region` is not the name of one: {shown:?}"), "it is written like eu-west-1"));
        }
        Ok(Self { inner: Arc::new(Inner { settings }) })
    }

    /// The region that calls go to which name none.
    pub fn region(&self) -> Option<&str> {
        let settings = &self.inner.settings;
        let variable =
            |name: &str| settings.environment.get(name).map(String::as_str).filter(|value| !value.is_empty());
        settings.region.as_deref().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"))
    }

    /// Whom AWS takes the account for: sts:GetCallerIdentity, which needs no permission.
    pub async fn identity(&self) -> Result<Identity, Error> {
        Err(unconnected("sts:GetCallerIdentity"))
    }

    /// The tags of the resources that a call names; of what has none, or is not there, an empty map.
    pub async fn tags(&self, call: &Call) -> Result<Vec<(Resource, BTreeMap<String, String>)>, Error> {
        Err(unconnected(call.operation().name))
    }

    /// Ask whether it would be let through, without doing it: EC2 alone can say.
    pub async fn dry_run(&self, call: &Call) -> Result<(), Error> {
        Err(unconnected(call.operation().name))
    }

    /// Do it, and wait for the answer.
    pub async fn call(&self, call: &Call) -> Result<Value, Error> {
        Err(unconnected(call.operation().name))
    }
}

fn unconnected(operation: &str) -> Error {
    Error::Failed {
        operation: operation.into(),
        code: "Unconnected".into(),
        message: "this build has no clients of AWS".into(),
        hint: "use a newer one".into(),
    }
}
