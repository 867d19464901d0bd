//! `[cloud.NAME]`: an account of a cloud, and who the host is there. `[grants.X.cloud]`: what a plugin may do with which
//! accounts. Credentials are never here: they come from where every tool of AWS takes them (the environment, the
//! profiles of `~/.aws`, the machine's own role), and stay in the host.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::models::{is_loopback, is_region};

/// Longest wait for one call that `pi.toml` may give. Danger: a number that was meant to be another is no limit.
const TIMEOUT_MS_MAX: u64 = 300_000;
/// The least: nothing answers faster, and what is meant to be seconds is none.
const TIMEOUT_MS_MIN: u64 = 100;
/// Most attempts of one call. Danger: as above.
const ATTEMPTS_MAX: u32 = 10;

/// An account, with how it is reached.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudConfig {
    /// Where calls go that name no region. None: that of the environment or the profile.
    pub region: Option<String>,
    /// A profile of `~/.aws`. None: `AWS_PROFILE`, else the environment's credentials.
    pub profile: Option<String>,
    /// A role that is assumed with these credentials: all calls are made as it.
    pub role_arn: Option<String>,
    /// What the role's owner wants to be told when it is assumed.
    pub external_id: Option<String>,
    /// Instead of AWS itself: a simulator, a VPC endpoint. `http:` on this machine alone.
    pub endpoint_url: Option<String>,
    /// The authorities that alone are believed, as a PEM file relative to `pi.toml`.
    pub ca_file: Option<String>,
    /// Of one call, with all its attempts and pages.
    pub timeout_ms: u64,
    /// Of a call that only reads: what changes something is sent once.
    pub attempts_max: u32,
}

impl Default for CloudConfig {
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
        }
    }
}

impl CloudConfig {
    /// # Errors
    /// The place, what is wrong with it, and what to do.
    pub(super) fn check(&self, name: &str) -> Result<(), (String, &'static str, String)> {
        let wrong = |key: &str, what: &'static str, hint: &str| {
            Err((format!("[cloud.{name}]{}{key}", if key.is_empty() { "" } else { " " }), what, hint.to_owned()))
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return wrong("", "an account's name is made of letters, digits, `-` and `_`", "rename it");
        }
        if self.region.as_ref().is_some_and(|region| !is_region(region)) {
            return wrong("region", "it is no region of AWS", "write one such as \"eu-central-1\"");
        }
        if self.role_arn.as_ref().is_some_and(|role| !role.starts_with("arn:") || !role.contains(":role/")) {
            let hint = "write it as \"arn:aws:iam::123456789012:role/NAME\"";
            return wrong("role_arn", "it is no ARN of a role", hint);
        }
        if self.external_id.is_some() && self.role_arn.is_none() {
            return wrong("external_id", "it is told when a role is assumed, and none is", "add `role_arn`");
        }
        if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            return wrong("timeout_ms", "it is from 100 to 300000", "write 30000, say");
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return wrong("attempts_max", "it is from 1 to 10", "write 4, say");
        }
        match &self.endpoint_url {
            Some(text) => endpoint(text).or_else(|(what, hint)| wrong("endpoint_url", what, hint)),
            None => Ok(()),
        }
    }
}

fn endpoint(text: &str) -> Result<(), (&'static str, &'static str)> {
    const HINT: &str = "write one such as \"http://127.0.0.1:5000\"";
    let Ok(url) = Url::parse(text) else { return Err(("it is no URL", HINT)) };
    let Some(host) = url.host_str() else { return Err(("it has no host", HINT)) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("a password in a URL would be shown", "leave it out: calls are signed"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("an endpoint has no `?` and no `#`", HINT));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        "http" => Err(("what is said over `http:` can be read and changed on its way", "use `https:`")),
        _ => Err(("only `https:` and `http:` are spoken", HINT)),
    }
}

/// What one plugin may do in which accounts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudGrant {
    /// Names of `[cloud.*]`; `*` for all.
    pub accounts: Vec<String>,
    /// As IAM names them: `ec2:RebootInstances`; `*` stands for anything, `ec2:Describe*`.
    pub operations: Vec<String>,
    /// Regions that a call may name; `*` for any. Empty: that of the account alone.
    pub regions: Vec<String>,
    /// Ids or names of what a call may name (`i-0abc`, `shop-*`). Empty: nothing is changed, unless `tags` say what.
    pub resources: Vec<String>,
    /// Tags that all that a call names must have: `{ env = "staging" }`. They are read before each call.
    pub tags: BTreeMap<String, String>,
}
