//! `[services.NAME] cloud`: a service that runs in a cloud and is probed, not started.

use serde::{Deserialize, Serialize};

/// Longest id of AWS that is a target's. Danger: it stands in each message about it.
const ID_BYTES_MAX: usize = 255;
/// Alarms of one target. Danger: they are asked for with each probe.
const ALARMS_MAX: usize = 100;
const ALARM_BYTES_MAX: usize = 255;
/// Files of one target. Danger: each is named in every script that looks at the instance, and SSM bounds those.
const FILES_MAX: usize = 16;
const PATH_BYTES_MAX: usize = 400;

/// What a service is in a cloud. Exactly one of `instance`, `database` and `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudTarget {
    /// The name of its `[cloud.NAME]`.
    pub account: String,
    /// None: the account's.
    pub region: Option<String>,
    /// An EC2 instance, `i-0abc`.
    pub instance: Option<String>,
    /// An RDS instance, by its identifier.
    pub database: Option<String>,
    /// An RDS cluster, by its identifier.
    pub cluster: Option<String>,
    /// The service's configuration on the instance: absolute paths of files.
    pub config: Vec<String>,
    /// Its logs on the instance: absolute paths of files or folders.
    pub logs: Vec<String>,
}

/// What kind of thing a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloudKind {
    Instance,
    Database,
    Cluster,
}

impl CloudKind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Database => "database",
            Self::Cluster => "cluster",
        }
    }
}

impl CloudTarget {
    /// What it is, and its id. Of a target that is not checked, the first that is named.
    #[must_use]
    pub fn resource(&self) -> (CloudKind, &str) {
        match (&self.instance, &self.database, &self.cluster) {
            (Some(id), _, _) => (CloudKind::Instance, id),
            (_, Some(id), _) => (CloudKind::Database, id),
            (_, _, id) => (CloudKind::Cluster, id.as_deref().unwrap_or_default()),
        }
    }

    /// # Errors
    /// What is wrong, and what to do.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.account.is_empty() {
            return Err(("it is not said in which account it is", "add account = \"NAME\", of a [cloud.NAME]".into()));
        }
        let ids: Vec<&String> = [&self.instance, &self.database, &self.cluster].into_iter().flatten().collect();
        let [id] = ids.as_slice() else {
            return Err((
                "it is not clear what it is",
                "write exactly one of `instance`, `database` and `cluster`".into(),
            ));
        };
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if id.is_empty() || id.len() > ID_BYTES_MAX || !is_plain {
            let hint = "write the id as AWS has it, `i-0abc` or `orders`, and no ARN".to_owned();
            return Err(("this is no id of a resource", hint));
        }
        if let Some(instance) = &self.instance
            && !instance.starts_with("i-")
        {
            return Err(("this is no id of an instance", format!("it begins with `i-`: {instance}")));
        }
        self.check_files()
    }

    /// Files are the instance's own: nothing is resolved here, so they are written as they are there.
    fn check_files(&self) -> Result<(), (&'static str, String)> {
        let mut files = self.config.iter().chain(&self.logs).peekable();
        if files.peek().is_some() && self.instance.is_none() {
            return Err(("files are of an instance alone", "remove `config` and `logs`".into()));
        }
        if self.config.len() > FILES_MAX || self.logs.len() > FILES_MAX {
            return Err(("there are too many files", format!("name {FILES_MAX} at most")));
        }
        match files.find(|path| !is_straight(path)) {
            Some(path) => {
                let hint = format!("write an absolute path, without `..`, `//` and patterns: {path:?}");
                Err(("this is no path of a file on an instance", hint))
            }
            None => Ok(()),
        }
    }
}

/// An absolute path that means one file, to a shell as well.
fn is_straight(path: &str) -> bool {
    let mut parts = path.split('/');
    path.len() <= PATH_BYTES_MAX
        && parts.next() == Some("")
        && path.len() > 1
        && parts.all(|part| !matches!(part, "" | "." | ".."))
        && !path.chars().any(|c| c.is_control() || matches!(c, '*' | '?' | '[' | '{' | '\'' | '\\'))
}

/// # Errors
/// What is wrong with the alarms of a probe, and what to do.
pub(super) fn check_alarms(alarms: &[String]) -> Result<(), (&'static str, String)> {
    if alarms.len() > ALARMS_MAX {
        return Err(("there are too many alarms", format!("name {ALARMS_MAX} at most, or a composite alarm of them")));
    }
    let is_name =
        |name: &&String| !name.is_empty() && name.len() <= ALARM_BYTES_MAX && !name.chars().any(char::is_control);
    match alarms.iter().find(|name| !is_name(name)) {
        Some(_) => Err(("this is no name of an alarm", "write it as CloudWatch has it".into())),
        None => Ok(()),
    }
}
