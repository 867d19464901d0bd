//! `pi:cloud`: operations of AWS in the accounts of `pi.toml`, each judged and journalled before anything is sent.
//!
//! The way of every call: read it in full (`pi_cloud::Call`), hold it against the grant ([`grant`]), read the tags of what
//! it names where the grant asks for them, enter the door, and send it once if it changes anything. The guest says what
//! is to be done; who the host is there it neither says nor learns: credentials stay in [`accounts`].

pub mod accounts;
mod grant;
mod sight;

use std::collections::BTreeMap;
use std::sync::Arc;

use pi_cloud::{Account, Call, Error as CloudError};
use serde_json::{Value, json};

use super::bindings::pi::cloud::cloud::{self, Error, Host};
use super::door::Door;
use super::secret::scan::Scan;
use super::state::CallState;
use crate::gate::explain::escaped;
use crate::gate::{Act, CloudResource, Severity};

pub use grant::CloudState;

/// Longest arguments of a call. Danger: they stand in an act, and so in the journal.
const ARGUMENTS_BYTES_MAX: usize = 64 << 10;
/// Longest name of an account, an operation, a region. Danger: as above.
const NAME_BYTES_MAX: usize = 128;
/// Longest answer to a change that is kept in the journal. Danger: as above.
const OUTCOME_BYTES_MAX: usize = 4 << 10;

/// The codes of failures after which nobody knows whether a change was made: the connection broke, or a part of AWS.
const UNCERTAIN: &[&str] = &[
    "Unreachable",
    "UnreadableAnswer",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "ServiceUnavailable",
    "Unavailable",
];

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for CallState {
    async fn accounts(&mut self) -> wasmtime::Result<Vec<cloud::Account>> {
        Ok(self.cloud.as_ref().map(|cloud| cloud.accounts()).unwrap_or_default())
    }

    async fn operations(&mut self, service: Option<String>) -> wasmtime::Result<Vec<cloud::Operation>> {
        let Some(cloud) = &self.cloud else { return Ok(Vec::new()) };
        let known = cloud.operations().filter(|known| service.as_ref().is_none_or(|name| known.service() == name));
        Ok(known.map(described).collect())
    }

    async fn call(
        &mut self,
        account: String,
        operation: String,
        region: Option<String>,
        arguments: String,
    ) -> Answer<String> {
        let Some(cloud) = self.cloud.clone() else {
            let plugin = &self.door.origin().plugin;
            return Ok(Err(Error::NotGranted(format!("add [grants.{plugin}.cloud] to pi.toml"))));
        };
        let asked = Asked { account, operation, region, arguments };
        // What is lent out to another thread may not be the whole of a call's data.
        let (door, scan) = (self.door.clone(), Arc::clone(&self.scan));
        Ok(asked.answer(&cloud, &door, &scan).await)
    }
}

/// A call as the guest asks for it.
struct Asked {
    account: String,
    operation: String,
    region: Option<String>,
    arguments: String,
}

impl Asked {
    async fn answer(self, cloud: &CloudState, door: &Door, scan: &Scan) -> Result<String, Error> {
        let call = self.read()?;
        let plugin = door.origin().plugin.clone();
        let account = match cloud.account(&self.account, &plugin) {
            Ok(account) => account,
            Err(text) => return Err(refused(door, &self.act("", &call, None, cloud), "not_granted", text).await),
        };
        let region = self.region_of(account)?;
        let mut act = self.act(&region, &call, None, cloud);
        if scan.finds(self.arguments.as_bytes()) {
            const TEXT: &str = "the call holds the value of a secret of pi.toml\nhint: leave it out";
            return Err(refused(door, &act, "secret_in_request", TEXT.into()).await);
        }
        if let Err(text) = cloud.covers(&call, account, &region, &plugin) {
            return Err(refused(door, &act, "not_granted", text).await);
        }
        if cloud.asks_for_tags(&call) {
            // Whoever may not see what a thing is may not touch it either.
            let tags = match account.tags(&call).await {
                Ok(tags) => tags,
                Err(error) => return Err(refused(door, &act, "tags_unknown", unknown_tags(&error)).await),
            };
            let tags = tags.into_iter().collect();
            act = self.act(&region, &call, Some(&tags), cloud);
            if let Err(text) = cloud.covers_tags(&call, &tags, &plugin) {
                return Err(refused(door, &act, "not_granted", text).await);
            }
        }
        let _running = cloud.turn().await;
        let is_change = act.severity() > Severity::Read;
        let pass = door.enter(act).await.map_err(|refusal| Error::Refused(refusal.into()))?;
        if pass.edited().is_some() {
            let text = "what an approver made of the call cannot be sent: only the call as it was asked for can";
            pass.failed(&text);
            return Err(Error::Failed(text.into()));
        }
        match account.call(&call).await {
            Ok(answer) => {
                let text = answer.to_string();
                pass.done(outcome(is_change, &text, answer));
                Ok(scan.hidden(&text).into_owned())
            }
            Err(error) => {
                let text = scan.hidden(&error.to_string()).into_owned();
                if is_change && may_be_done(&error) {
                    pass.abandoned(&text);
                    return Err(Error::TimedOut(text));
                }
                pass.failed(&text);
                Err(told(&error, text))
            }
        }
    }

    /// The call, checked in full: what is decided about is what will be sent.
    fn read(&self) -> Result<Call, Error> {
        let names = [Some(&self.account), Some(&self.operation), self.region.as_ref()];
        if names.into_iter().flatten().any(|name| name.len() > NAME_BYTES_MAX) {
            let text = format!("an account, an operation and a region have names of {NAME_BYTES_MAX} bytes at most");
            return Err(Error::Invalid(text));
        }
        if self.arguments.len() > ARGUMENTS_BYTES_MAX {
            let text = format!("the arguments have {} bytes, more than {ARGUMENTS_BYTES_MAX}", self.arguments.len());
            return Err(Error::Invalid(text));
        }
        let arguments: Value = serde_json::from_str(&self.arguments)
            .map_err(|error| Error::Invalid(format!("the arguments are no JSON: {error}")))?;
        Call::read(&self.operation, self.region.as_deref(), &arguments)
            .map_err(|error| Error::Invalid(error.to_string()))
    }

    /// Where it goes. What nobody said is not guessed: who decides about a call reads where it goes.
    fn region_of(&self, account: &Account) -> Result<String, Error> {
        let region = self.region.as_deref().or(account.region());
        region.map(str::to_owned).ok_or_else(|| {
            let name = &self.account;
            Error::Invalid(format!(
                "neither the call nor the account `{name}` says a region\nhint: write `region` in [cloud.{name}] of pi.toml"
            ))
        })
    }

    fn act(&self, region: &str, call: &Call, tags: Option<&Tags>, cloud: &CloudState) -> Act {
        let operation = call.operation();
        let resource = |resource: &pi_cloud::Resource| CloudResource {
            kind: resource.kind.clone(),
            id: resource.id.clone(),
            tags: tags.and_then(|tags| tags.get(resource).cloned()),
        };
        let (declared, declared_logs) = cloud.declared(&self.account, region, call);
        Act::CloudCall {
            account: escaped(&self.account),
            region: region.to_owned(),
            operation: operation.name.to_owned(),
            resources: call.resources().iter().map(resource).collect(),
            arguments: call.arguments().clone(),
            severity: severity_of(operation.severity),
            reversible: operation.is_reversible,
            script: call.script().map(str::to_owned),
            declared,
            declared_logs,
            is_granted: cloud.names(operation.name),
        }
    }
}

/// By what has them.
type Tags = BTreeMap<pi_cloud::Resource, BTreeMap<String, String>>;

/// Write a refusal down, before anybody was asked.
async fn refused(door: &Door, act: &Act, rule: &'static str, text: String) -> Error {
    door.refuse(act, rule, &text).await;
    Error::NotGranted(text)
}

fn unknown_tags(error: &CloudError) -> String {
    format!("the grant is for what has certain tags, and those of what the call names could not be read: {error}")
}

/// What a later reader wants to know: of a change its answer, of a look how much there was.
fn outcome(is_change: bool, text: &str, answer: Value) -> Value {
    if is_change && text.len() <= OUTCOME_BYTES_MAX {
        json!({ "answer": answer })
    } else {
        json!({ "bytes": text.len() })
    }
}

/// Whether a change may have taken effect although there is no answer that says so.
fn may_be_done(error: &CloudError) -> bool {
    match error {
        CloudError::TimedOut { .. } | CloudError::TooLarge { .. } => true,
        CloudError::Failed { code, .. } => UNCERTAIN.contains(&code.as_str()) || code.starts_with("HttpStatus5"),
        _ => false,
    }
}

fn told(error: &CloudError, text: String) -> Error {
    match error {
        CloudError::Arguments { .. } | CloudError::UnknownOperation { .. } | CloudError::Region { .. } => {
            Error::Invalid(text)
        }
        CloudError::Credentials { .. } => Error::Credentials(text),
        CloudError::Denied { .. } => Error::Denied(text),
        CloudError::NotFound { .. } => Error::NotFound(text),
        CloudError::Throttled { .. } => Error::Throttled(text),
        CloudError::TimedOut { .. } => Error::TimedOut(text),
        _ => Error::Failed(text),
    }
}

fn severity_of(severity: pi_cloud::Severity) -> Severity {
    match severity {
        pi_cloud::Severity::Read => Severity::Read,
        pi_cloud::Severity::Write => Severity::Write,
        pi_cloud::Severity::Destructive => Severity::Destructive,
    }
}

fn described(operation: &pi_cloud::Operation) -> cloud::Operation {
    cloud::Operation {
        name: operation.name.to_owned(),
        severity: match operation.severity {
            pi_cloud::Severity::Read => cloud::Severity::Read,
            pi_cloud::Severity::Write => cloud::Severity::Write,
            pi_cloud::Severity::Destructive => cloud::Severity::Destructive,
        },
        reversible: operation.is_reversible,
        summary: operation.summary.to_owned(),
        arguments: (operation.schema)().to_string(),
    }
}
