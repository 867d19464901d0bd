//! Whether the clouds of `pi.toml` can be reached as they are granted: who the host is there, and what IAM lets through.
//!
//! What only reads is tried. What changes something is never done here: EC2 says by a dry run whether it would be let
//! through, of the others AWS does not say it. What could not be found out is told as such, and is no sign of health.

use std::collections::{BTreeMap, BTreeSet};

use pi_cloud::{Account, Call, Error as CloudError, Operation, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use super::setup::{SetupError, accounts_of};
use crate::capability::cloud::CloudState;
use crate::config::Project;

/// What stands for a page in AWS's services, of which the smallest is asked for.
const PAGE_SIZES: &[(&str, u64)] =
    &[("MaxResults", 5), ("MaxRecords", 20), ("Limit", 1), ("limit", 1), ("PageSize", 1), ("MaxItems", 1)];

/// What was found out about one account.
#[derive(Debug, Serialize)]
pub struct AccountChecked {
    pub account: String,
    /// Where calls go that name no region.
    pub region: Option<String>,
    /// Whom AWS takes the host for: its number and the ARN. None: it could not be asked.
    pub identity: Option<IdentityChecked>,
    pub error: Option<String>,
    pub operations: Vec<OperationChecked>,
}

#[derive(Debug, Serialize)]
pub struct IdentityChecked {
    pub account: String,
    pub arn: String,
}

#[derive(Debug, Serialize)]
pub struct OperationChecked {
    pub operation: String,
    /// The plugins that are granted it.
    pub plugins: Vec<String>,
    pub result: Permission,
    pub detail: String,
}

/// What IAM says of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    Allowed,
    Denied,
    /// It was tried, and failed for another reason.
    Failed,
    /// Nobody can say without doing it.
    NotTried,
}

impl Permission {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
        }
    }
}

impl AccountChecked {
    /// Whether nothing stands in the way, as far as could be found out.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let is_well = |checked: &OperationChecked| !matches!(checked.result, Permission::Denied | Permission::Failed);
        self.error.is_none() && self.operations.iter().all(is_well)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CloudCheckError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("there is no [cloud.NAME] in pi.toml\nhint: docs/cloud.md shows one")]
    None,
    #[error("there is no account `{name}` in pi.toml\nhint: there are {known}")]
    Unknown { name: String, known: String },
}

/// Look at the accounts of a project, or at one of them.
///
/// # Errors
/// `pi.toml` names what there is not.
pub async fn check_cloud(project: &Project, name: Option<&str>) -> Result<Vec<AccountChecked>, CloudCheckError> {
    let accounts = accounts_of(project).map_err(SetupError::from)?;
    if accounts.names().next().is_none() {
        return Err(CloudCheckError::None);
    }
    if let Some(name) = name.filter(|name| accounts.get(name).is_none()) {
        let known = accounts.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(CloudCheckError::Unknown { name: name.to_owned(), known });
    }
    let mut grants = BTreeMap::new();
    for (plugin, grant) in &project.config.grants {
        if let Some(cloud) = &grant.cloud {
            let state = CloudState::new(cloud, &accounts).map_err(|error| SetupError::Grant(error.of(plugin)))?;
            grants.insert(plugin.clone(), state);
        }
    }
    let mut checked = Vec::new();
    for own in accounts.names().filter(|own| name.is_none_or(|name| name == *own)) {
        if let Some(account) = accounts.get(own) {
            checked.push(check(own, account, &grants).await);
        }
    }
    Ok(checked)
}

async fn check(name: &str, account: &Account, grants: &BTreeMap<String, CloudState>) -> AccountChecked {
    let mut checked = AccountChecked {
        account: name.to_owned(),
        region: account.region().map(str::to_owned),
        identity: None,
        error: None,
        operations: Vec::new(),
    };
    match account.identity().await {
        Ok(identity) => {
            checked.identity = Some(IdentityChecked { account: identity.account, arn: identity.arn });
        }
        Err(error) => {
            // Whoever the host is not, nothing is let through for.
            checked.error = Some(error.to_string());
            return checked;
        }
    }
    if checked.region.is_none() {
        let text = "no region is known, so only calls that name one can be made";
        checked.error = Some(format!("{text}\nhint: write `region` in [cloud.{name}] of pi.toml"));
        return checked;
    }
    let instance = instance(name, account, grants).await;
    for operation in pi_cloud::operations() {
        let of =
            |state: &CloudState| state.has_account(name) && state.operations().any(|own| own.name == operation.name);
        let plugins: Vec<String> =
            grants.iter().filter(|(_, state)| of(state)).map(|(plugin, _)| plugin.clone()).collect();
        if !plugins.is_empty() {
            let (result, detail) = permission(account, operation, instance.as_deref()).await;
            checked.operations.push(OperationChecked { operation: operation.name.to_owned(), plugins, result, detail });
        }
    }
    checked
}

/// A machine that some grant is for, to ask about.
async fn instance(name: &str, account: &Account, grants: &BTreeMap<String, CloudState>) -> Option<String> {
    let call = Call::read("ec2:DescribeInstances", None, &json!({})).ok()?;
    let answer = account.call(&call).await.ok()?;
    let found: BTreeSet<&str> = answer
        .get("Reservations")?
        .as_array()?
        .iter()
        .filter_map(|reservation| reservation.get("Instances")?.as_array())
        .flatten()
        .filter_map(|instance| instance.get("InstanceId")?.as_str())
        .collect();
    let is_granted = |id: &&&str| grants.values().any(|state| state.has_account(name) && state.names_resource(id));
    found.iter().find(is_granted).map(|id| (*id).to_owned())
}

async fn permission(account: &Account, operation: &'static Operation, instance: Option<&str>) -> (Permission, String) {
    let not_tried = |why: &str| (Permission::NotTried, why.to_owned());
    if operation.severity > Severity::Read {
        if operation.service() != "ec2" {
            return not_tried("AWS says only when it is done");
        }
        let Some(instance) = instance else { return not_tried("there is no instance within the grants to ask about") };
        let arguments = json!({ "InstanceIds": [instance] });
        return match Call::read(operation.name, None, &arguments) {
            Ok(call) => said(account.dry_run(&call).await, &format!("dry run on {instance}")),
            Err(error) => (Permission::Failed, error.to_string()),
        };
    }
    match Call::read(operation.name, None, &smallest(operation)) {
        Ok(call) => said(account.call(&call).await.map(|_| ()), "tried"),
        Err(_) => not_tried("it is about something that the call has to name"),
    }
}

/// Arguments that ask for as little as can be.
fn smallest(operation: &Operation) -> Value {
    let schema = (operation.schema)();
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let size = PAGE_SIZES.iter().find(|(name, _)| properties.contains_key(*name));
    size.map_or_else(|| json!({}), |(name, size)| json!({ *name: size }))
}

fn said(result: Result<(), CloudError>, how: &str) -> (Permission, String) {
    match result {
        Ok(()) => (Permission::Allowed, how.to_owned()),
        Err(error @ CloudError::Denied { .. }) => (Permission::Denied, error.to_string()),
        Err(error) => (Permission::Failed, error.to_string()),
    }
}
