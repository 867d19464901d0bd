//! What one plugin may do in which accounts, resolved once: accounts, operations, regions, and what a call may name.
//!
//! All that a call names has to be within the grant. What it names nothing of (a list of all instances) is within it
//! where it only reads: a grant of fewer operations keeps that away as well. A change that names nothing is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use pi_cloud::{Account, Call, Operation, Severity};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::accounts::Accounts;
use crate::capability::bindings::pi::cloud::cloud;
use crate::capability::grant::GrantError;
use crate::config::{CloudGrant, CloudKind, CloudTarget, ServiceConfig};
use crate::gate::Glob;
use crate::gate::explain::escaped;

/// Calls of one plugin that are under way at once. Danger: a burst that uses up the limits of the whole account.
const RUNNING_MAX: usize = 8;
/// Names of what the account itself has begun: nobody can guess one, they have no tags, and what they are about is
/// bounded where they are begun.
const HANDLES: &[&str] = &["command", "query"];

/// The grant of one plugin.
pub struct CloudState {
    accounts: BTreeMap<String, Account>,
    operations: Vec<Pattern>,
    regions: Vec<Pattern>,
    resources: Vec<Pattern>,
    tags: Vec<(String, Pattern)>,
    /// What the services of `pi.toml` are in these accounts, where files of theirs are named.
    declared: Vec<CloudTarget>,
    running: Arc<Semaphore>,
}

/// A pattern as it stands in `pi.toml`.
struct Pattern {
    text: String,
    glob: Glob,
}

impl Pattern {
    fn new(key: &'static str, text: &str) -> Result<Self, GrantError> {
        if text.is_empty() {
            return Err(wrong(key, text, "it is empty, and would match nothing"));
        }
        let glob = Glob::word(text).map_err(|reason| wrong(key, text, reason))?;
        Ok(Self { text: text.to_owned(), glob })
    }

    fn all(key: &'static str, texts: &[String]) -> Result<Vec<Self>, GrantError> {
        texts.iter().map(|text| Self::new(key, text)).collect()
    }

    fn is_plain(&self) -> bool {
        !self.text.contains(['*', '?', '[', '{', '\\'])
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.glob.matches(text))
}

impl CloudState {
    /// Resolve a grant.
    ///
    /// # Errors
    /// An account or an operation that there is not, a pattern that is none.
    pub fn new(grant: &CloudGrant, known: &Accounts) -> Result<Self, GrantError> {
        let mut accounts = BTreeMap::new();
        for name in &grant.accounts {
            let named = known.names().filter(|own| name == "*" || own == name);
            let found: Vec<_> = named.filter_map(|own| Some((own.to_owned(), known.get(own)?.clone()))).collect();
            if found.is_empty() && name != "*" {
                let reason = format!("there is no such account; `pi.toml` has {}", in_words(known.names()));
                return Err(wrong("accounts", name, reason));
            }
            accounts.extend(found);
        }
        let operations = Pattern::all("operations", &grant.operations)?;
        for pattern in &operations {
            if !pi_cloud::operations().iter().any(|known| pattern.glob.matches(known.name)) {
                let reason = match Call::read(&pattern.text, None, &serde_json::Value::Null) {
                    Err(pi_cloud::Error::UnknownOperation { hint, .. }) => format!("there is none; {hint}"),
                    _ => "there is none".to_owned(),
                };
                return Err(wrong("operations", &pattern.text, reason));
            }
        }
        let tag = |(key, value): (&String, &String)| {
            if key.is_empty() {
                return Err(wrong("tags", value, "a tag has a name"));
            }
            Ok((key.clone(), Pattern::new("tags", value)?))
        };
        Ok(Self {
            accounts,
            operations,
            regions: Pattern::all("regions", &grant.regions)?,
            resources: Pattern::all("resources", &grant.resources)?,
            tags: grant.tags.iter().map(tag).collect::<Result<_, _>>()?,
            declared: Vec::new(),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
        })
    }

    /// With the files that these services call their configuration and their logs.
    #[must_use]
    pub fn declaring(self, services: &BTreeMap<String, ServiceConfig>) -> Self {
        let targets = services.values().filter_map(|service| service.cloud.clone());
        Self {
            declared: targets.filter(|target| !(target.config.is_empty() && target.logs.is_empty())).collect(),
            ..self
        }
    }

    /// The files of the configuration and the logs that are declared of the one machine that a script is for. Where it is
    /// for several, what is the configuration of one may be anything on another: then none is.
    pub(super) fn declared(&self, account: &str, region: &str, call: &Call) -> (Vec<String>, Vec<String>) {
        let mut instances = call.resources().iter().filter(|it| it.kind == CloudKind::Instance.name());
        let (Some(instance), None, Some(_)) = (instances.next(), instances.next(), call.script()) else {
            return Default::default();
        };
        let is_it = |target: &&CloudTarget| {
            target.account == account
                && target.region.as_deref().or(self.region_of(account)).is_some_and(|own| own == region)
                && target.instance.as_ref() == Some(&instance.id)
        };
        let own = || self.declared.iter().filter(is_it);
        (own().flat_map(|it| it.config.clone()).collect(), own().flat_map(|it| it.logs.clone()).collect())
    }

    fn region_of(&self, account: &str) -> Option<&str> {
        self.accounts.get(account).and_then(Account::region)
    }

    pub(super) fn accounts(&self) -> Vec<cloud::Account> {
        let operations: Vec<String> = self.operations().map(|operation| operation.name.to_owned()).collect();
        let described = |(name, account): (&String, &Account)| cloud::Account {
            name: name.clone(),
            region: account.region().map(str::to_owned),
            regions: match self.regions.as_slice() {
                [] => account.region().map(str::to_owned).into_iter().collect(),
                regions => regions.iter().map(|region| region.text.clone()).collect(),
            },
            operations: operations.clone(),
        };
        self.accounts.iter().map(described).collect()
    }

    /// Whether the account is within the grant.
    #[must_use]
    pub fn has_account(&self, name: &str) -> bool {
        self.accounts.contains_key(name)
    }

    /// Whether something of this id may be named, as far as its tags are not asked for.
    #[must_use]
    pub fn names_resource(&self, id: &str) -> bool {
        self.resources.is_empty() || any(&self.resources, id)
    }

    /// The operations within the grant.
    pub fn operations(&self) -> impl Iterator<Item = &'static Operation> {
        pi_cloud::operations().iter().filter(|known| any(&self.operations, known.name))
    }

    /// Whether the operator has written down this very operation: `ec2:*` leaves open which one is meant.
    pub(super) fn names(&self, operation: &str) -> bool {
        self.operations.iter().any(|pattern| pattern.is_plain() && pattern.text == operation)
    }

    /// Wait until it is its turn.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).acquire_owned().await.ok()
    }

    /// # Errors
    /// The account is not within the grant; with the line that would change that.
    pub(super) fn account(&self, name: &str, plugin: &str) -> Result<&Account, String> {
        self.accounts.get(name).ok_or_else(|| {
            let granted = in_words(self.accounts.keys().map(String::as_str));
            let name = escaped(name);
            format!(
                "the account `{name}` is not granted; there are {granted}\nhint: {}",
                line("accounts", &name, plugin)
            )
        })
    }

    /// Whether a call is granted, but for the tags of what it names.
    ///
    /// # Errors
    /// What of it is not, with the line that would grant it.
    pub(super) fn covers(&self, call: &Call, account: &Account, region: &str, plugin: &str) -> Result<(), String> {
        let name = call.operation().name;
        let refused = |what: String, hint: String| Err(format!("`{name}` is not granted{what}\nhint: {hint}"));
        if !any(&self.operations, name) {
            return refused(String::new(), line("operations", name, plugin));
        }
        let is_region = match self.regions.as_slice() {
            [] => account.region() == Some(region),
            regions => any(regions, region),
        };
        if !is_region {
            return refused(format!(" in `{region}`"), line("regions", region, plugin));
        }
        let bounded = || call.resources().iter().filter(|resource| !HANDLES.contains(&resource.kind.as_str()));
        if call.operation().severity > Severity::Read {
            if self.resources.is_empty() && self.tags.is_empty() {
                let hint = format!(
                    "write `resources` or `tags` into [grants.{plugin}.cloud] of pi.toml, such as `resources = [\"i-0abc\"]`"
                );
                return refused(": it changes something, and the grant does not say what may be changed".into(), hint);
            }
            if bounded().next().is_none() && !self.resources.iter().any(|pattern| pattern.text == "*") {
                let what = ": it names nothing that it would change, and the grant is for certain resources";
                return refused(what.into(), line("resources", "*", plugin));
            }
        }
        if self.resources.is_empty() {
            return Ok(());
        }
        match bounded().find(|resource| !any(&self.resources, &resource.id)) {
            None => Ok(()),
            Some(other) => {
                let id = escaped(&other.id);
                refused(format!(" on the {} `{id}`", other.kind), line("resources", &id, plugin))
            }
        }
    }

    /// Whether what the call names has to be looked at before it can be decided.
    pub(super) fn asks_for_tags(&self, call: &Call) -> bool {
        !self.tags.is_empty() && call.resources().iter().any(|resource| !HANDLES.contains(&resource.kind.as_str()))
    }

    /// Whether all that a call names has the tags of the grant.
    ///
    /// # Errors
    /// What has not, with the line that says which.
    pub(super) fn covers_tags(&self, call: &Call, tags: &super::Tags, plugin: &str) -> Result<(), String> {
        let bounded = call.resources().iter().filter(|resource| !HANDLES.contains(&resource.kind.as_str()));
        for resource in bounded {
            let of = tags.get(resource);
            for (key, wanted) in &self.tags {
                let value = of.and_then(|tags| tags.get(key));
                if !value.is_some_and(|value| wanted.glob.matches(value)) {
                    let has = match value {
                        Some(value) => format!("its tag `{key}` is `{}`", escaped(value)),
                        None => format!("it has no tag `{key}`"),
                    };
                    return Err(format!(
                        "`{}` is not granted on the {} `{}`: {has}\nhint: `tags` in [grants.{plugin}.cloud] of pi.toml ask for {key} = \"{}\"",
                        call.operation().name,
                        resource.kind,
                        escaped(&resource.id),
                        wanted.text
                    ));
                }
            }
        }
        Ok(())
    }
}

fn line(key: &str, value: &str, plugin: &str) -> String {
    format!("add \"{value}\" to `{key}` in [grants.{plugin}.cloud] of pi.toml")
}

fn wrong(key: &'static str, value: &str, reason: impl Into<String>) -> GrantError {
    GrantError::new("cloud", key, value, reason)
}

fn in_words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
