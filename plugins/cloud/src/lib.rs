//! The plugin `cloud`: the capability `cloud` as tools.
//!
//! What may be done is decided by the host, call by call. Here is only which tool is for which operation: one that says
//! that it reads does nothing else, so that it can be called again after a call was cut off. `docs/cloud.md` lists the
//! fields of the results.

use pi_sdk::cloud::{self, Operation, Severity};
use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content, serde_json};

struct Cloud;

impl ToolPlugin for Cloud {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let result = match name {
            "cloud_accounts" => Value::Array(cloud::accounts().iter().map(account).collect()),
            "cloud_operations" => {
                let service = arguments.get("service").and_then(Value::as_str);
                let operations = cloud::operations(service);
                Value::Array(operations.iter().map(operation).collect::<Result<_, _>>()?)
            }
            "cloud_read" => call(&arguments, true)?,
            "cloud_change" => call(&arguments, false)?,
            _ => return Err(Error::NotFound(format!("the plugin `cloud` has no tool `{name}`"))),
        };
        Ok(json_content(&result))
    }
}

pi_sdk::tool!(Cloud);

fn account(it: &cloud::Account) -> Value {
    json!({ "name": it.name, "region": it.region, "regions": it.regions, "operations": it.operations })
}

fn operation(it: &Operation) -> Result<Value, Error> {
    Ok(json!({
        "name": it.name,
        "severity": severity(it.severity),
        "reversible": it.reversible,
        "summary": it.summary,
        "arguments": answer(&it.arguments)?,
    }))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Read => "read",
        Severity::Write => "write",
        Severity::Destructive => "destructive",
    }
}

fn call(arguments: &Value, reads: bool) -> Result<Value, Error> {
    let operation = arguments.get("operation").and_then(Value::as_str).unwrap_or_default();
    fits(operation, reads)?;
    let account = match arguments.get("account").and_then(Value::as_str) {
        Some(account) => account.to_owned(),
        None => only_account()?,
    };
    let region = arguments.get("region").and_then(Value::as_str);
    let given = arguments.get("arguments").cloned().unwrap_or_else(|| json!({}));
    let text = cloud::call(&account, operation, region, &given.to_string()).map_err(|it| error(it, reads))?;
    answer(&text)
}

/// Whether this tool is the one for the operation. One that is not granted is the host's to refuse.
fn fits(operation: &str, reads: bool) -> Result<(), Error> {
    let service = operation.split(':').next().unwrap_or_default();
    let Some(known) = cloud::operations(Some(service)).into_iter().find(|known| known.name == operation) else {
        return Ok(());
    };
    match (known.severity == Severity::Read, reads) {
        (true, false) => Err(Error::InvalidArguments(format!("`{operation}` changes nothing: call `cloud_read`"))),
        (false, true) => Err(Error::InvalidArguments(format!("`{operation}` changes something: call `cloud_change`"))),
        _ => Ok(()),
    }
}

fn only_account() -> Result<String, Error> {
    let accounts = cloud::accounts();
    match accounts.as_slice() {
        [one] => Ok(one.name.clone()),
        [] => Err(Error::Failed(
            "not granted: there is no account within the grant\nhint: name one in `accounts` of [grants.cloud.cloud] in pi.toml".into(),
        )),
        several => {
            let names: Vec<String> = several.iter().map(|account| format!("`{}`", account.name)).collect();
            Err(Error::InvalidArguments(format!("say which `account` is meant; there are {}", names.join(", "))))
        }
    }
}

fn answer(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Failed(format!("the host's answer is no JSON: {error}")))
}

fn error(error: cloud::Error, reads: bool) -> Error {
    match error {
        cloud::Error::Refused(refusal) => Error::Refused(refusal),
        cloud::Error::NotGranted(text) => Error::Failed(format!("not granted: {text}")),
        cloud::Error::Invalid(text) => Error::InvalidArguments(text),
        cloud::Error::NotFound(text) => Error::Failed(format!("not found: {text}")),
        cloud::Error::Credentials(text) => Error::Failed(format!("credentials: {text}")),
        cloud::Error::Denied(text) => Error::Failed(format!("denied: {text}")),
        cloud::Error::Throttled(text) => Error::Failed(format!("throttled: {text}")),
        // It may have been done.
        cloud::Error::TimedOut(text) if !reads => Error::Unknown(text),
        cloud::Error::TimedOut(text) => Error::Failed(format!("timed out: {text}")),
        cloud::Error::Failed(text) => Error::Failed(text),
    }
}
