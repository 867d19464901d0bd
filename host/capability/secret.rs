//! The secrets of `pi.toml`: where their values come from, where each may go, and in which form.
//!
//! No component ever holds one. The host puts it into a request on its way out, towards the host that it is bound
//! to and nowhere else ([`put`]), and takes it out of whatever comes back and of what tools say ([`scan`]). A value is
//! of a type that prints `[redacted]`; it is in no act, no error, no log and no journal.

pub(in crate::capability) mod put;
pub mod scan;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderName;

use super::grant::GrantError;
use super::http::target::{Host, Scheme, Target, host_and_port};
use crate::config::{self, SecretAs, SecretConfig, SecretsGrant};
use scan::Scan;

/// A shorter value stands in any text by chance, and taking it out would say where.
pub const VALUE_BYTES_MIN: usize = 8;
/// Longest value. Danger: every form of it is held to be found again.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// Secrets of one project. Danger: as above.
pub const SECRETS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 64;

/// What is wrong with a secret, where, and what to do. It never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[secrets.{name}] {key}: {reason}\nhint: {hint}")]
pub struct SecretError {
    pub name: String,
    pub key: &'static str,
    pub reason: String,
    pub hint: String,
}

/// The text of a secret.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::capability) struct SecretText(String);

impl SecretText {
    /// For what goes to the host that the secret is bound to, and for finding it again.
    pub(in crate::capability) fn exposed(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One secret, with its value.
#[derive(Debug)]
pub struct Secret {
    name: String,
    value: SecretText,
    /// None of a port: that of https.
    hosts: Vec<(Host, Option<u16>)>,
    way: Way,
}

/// How a secret is put into a request.
#[derive(Debug)]
pub(in crate::capability) enum Way {
    Header { name: HeaderName, before: String, after: String },
    Query(String),
    Basic { user: String },
    SigV4 { service: String, region: String, access_key_id: String, session_token: Option<SecretText> },
}

impl Secret {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it goes along with a request to there. `is_exception`: the grant names this host and port as one of
    /// the operator's own network, for which alone plain http will do.
    pub(in crate::capability) fn is_for(&self, target: &Target, is_exception: bool) -> bool {
        let is_bound = |(host, port): &(Host, Option<u16>)| {
            *host == target.host && port.unwrap_or(Scheme::Https.port()) == target.port
        };
        (target.scheme == Scheme::Https || is_exception) && self.hosts.iter().any(is_bound)
    }

    /// What of a request it decides: two secrets that decide the same cannot go to one host.
    pub(in crate::capability) fn places(&self) -> Vec<String> {
        let header = |name: &str| format!("the header `{name}`");
        match &self.way {
            Way::Header { name, .. } => vec![header(name.as_str())],
            Way::Query(name) => vec![format!("`{name}` in the query")],
            Way::Basic { .. } => vec![header("authorization")],
            Way::SigV4 { .. } => put::SIGNED.iter().map(|name| header(name)).collect(),
        }
    }

    pub(in crate::capability) fn shares_host_with(&self, other: &Self) -> bool {
        self.hosts.iter().any(|host| other.hosts.contains(host))
    }
}

/// All secrets of a project.
#[derive(Debug, Default)]
pub struct Secrets {
    all: BTreeMap<String, Result<Arc<Secret>, SecretError>>,
    files: Vec<(String, PathBuf)>,
    known: Vec<(String, SecretText)>,
    scan: Arc<Scan>,
}

impl Secrets {
    /// Read the secrets of a project. One whose environment variable is not set is an error only where it is granted.
    ///
    /// # Errors
    /// What is wrong with which, without its value.
    pub fn load(config: &BTreeMap<String, SecretConfig>, directory: &Path) -> Result<Self, SecretError> {
        let mut secrets = Self::default();
        let mut known: Vec<(String, SecretText)> = Vec::new();
        for (name, config) in config {
            let of = |key, reason: &str, hint: &str| wrong(name, key, reason, hint);
            if is_odd(name) {
                return Err(of("name", "a name is made of letters, digits, `-` and `_`, at most 64", "rename it"));
            }
            if secrets.all.len() >= SECRETS_MAX {
                return Err(of("name", "a project has 64 secrets at most", "remove those that nothing uses"));
            }
            let file = config.file.as_ref().map(|file| directory.join(file));
            secrets.files.extend(file.iter().map(|file| (name.clone(), file.clone())));
            let value = value(name, config, file.as_deref())?;
            let hosts = hosts(name, config)?;
            let form = way(name, &config.form)?;
            let (Some(value), Some(form)) = (value, form.0) else {
                let missing = form.1.or_else(|| config.env.clone()).unwrap_or_default();
                let reason = format!("the environment variable `{missing}` is not set, or empty");
                secrets.all.insert(name.clone(), Err(of("env", &reason, "set it where pi-host is started")));
                continue;
            };
            if let Way::Header { before, after, .. } = &form {
                let text = format!("{before}{}{after}", value.exposed());
                if http::HeaderValue::from_str(&text).is_err() {
                    let reason = "the value holds what no header may hold, such as a line's end";
                    return Err(of("as", reason, "put it elsewhere, or correct the value"));
                }
            }
            known.push((name.clone(), value.clone()));
            if let Way::SigV4 { session_token: Some(token), .. } = &form {
                known.push((name.clone(), token.clone()));
            }
            let secret = Secret { name: name.clone(), value, hosts, way: form };
            secrets.all.insert(name.clone(), Ok(Arc::new(secret)));
        }
        secrets.known = known;
        secrets.search();
        Ok(secrets)
    }

    /// Find these values as well, each by its name: what the host hands to programs of others. One that is too
    /// short stands in any text by chance, and one that is too long is none.
    pub fn also_find(&mut self, values: impl IntoIterator<Item = (String, String)>) {
        let is_found = |value: &String| (VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len());
        let values = values.into_iter().filter(|(_, value)| is_found(value)).take(SECRETS_MAX);
        self.known.extend(values.map(|(name, value)| (name, SecretText(value))));
        self.search();
    }

    fn search(&mut self) {
        self.scan = Arc::new(Scan::of(self.known.iter().map(|(name, value)| (name.as_str(), value.exposed()))));
    }

    /// Finds all of them again.
    #[must_use]
    pub fn scan(&self) -> Arc<Scan> {
        Arc::clone(&self.scan)
    }

    /// The files that values are read from, by the secrets' names.
    #[must_use]
    pub fn files(&self) -> &[(String, PathBuf)] {
        &self.files
    }

    /// The secrets of a grant.
    ///
    /// # Errors
    /// A name that there is not, a value that is not set, or two for one place of one host.
    pub fn granted(&self, grant: &SecretsGrant) -> Result<Vec<Arc<Secret>>, GrantError> {
        let of = |name: &str, reason: String| GrantError::new("secrets", "names", name, reason);
        let mut granted: Vec<Arc<Secret>> = Vec::new();
        for name in &grant.names {
            let secret = match self.all.get(name) {
                Some(Ok(secret)) => secret,
                Some(Err(error)) => return Err(of(name, error.reason.clone())),
                None => return Err(of(name, format!("there is no [secrets.{name}] in pi.toml"))),
            };
            let places = secret.places();
            let shared = granted.iter().filter(|other| other.shares_host_with(secret)).find_map(|other| {
                let place = other.places().into_iter().find(|place| places.contains(place));
                place.map(|place| (other, place))
            });
            if let Some((other, place)) = shared {
                return Err(of(name, format!("it and `{}` would both be {place} of one host", other.name)));
            }
            granted.push(Arc::clone(secret));
        }
        Ok(granted)
    }
}

fn is_odd(name: &str) -> bool {
    !(1..=NAME_BYTES_MAX).contains(&name.len())
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn wrong(name: &str, key: &'static str, reason: &str, hint: &str) -> SecretError {
    SecretError { name: name.to_owned(), key, reason: reason.to_owned(), hint: hint.to_owned() }
}

/// The value; none where its variable is not set.
fn value(name: &str, config: &SecretConfig, file: Option<&Path>) -> Result<Option<SecretText>, SecretError> {
    let (key, text) = match (&config.env, file) {
        (Some(variable), None) => match config::variable(variable) {
            Some(text) => ("env", text),
            None => return Ok(None),
        },
        (None, Some(path)) => ("file", read(path).map_err(|(reason, hint)| wrong(name, "file", &reason, hint))?),
        _ => {
            let hint = "write `env = \"VARIABLE\"` or `file = \"path\"`";
            return Err(wrong(name, "env", "there must be exactly one of `env` and `file`", hint));
        }
    };
    checked(name, key, text).map(Some)
}

fn checked(name: &str, key: &'static str, text: String) -> Result<SecretText, SecretError> {
    match text.len() {
        length if length < VALUE_BYTES_MIN => {
            let reason =
                format!("the value is shorter than {VALUE_BYTES_MIN} bytes: it could not be told from other text");
            Err(wrong(name, key, &reason, "take a longer one"))
        }
        length if length > VALUE_BYTES_MAX => {
            Err(wrong(name, key, &format!("the value is longer than {VALUE_BYTES_MAX} bytes"), "take a shorter one"))
        }
        _ => Ok(SecretText(text)),
    }
}

/// The text of a file that nobody else can read, without the line's end behind it.
fn read(path: &Path) -> Result<String, (String, &'static str)> {
    const FILE_HINT: &str = "give the path of a file of its own, relative to pi.toml";
    let shown = path.display();
    let failed = |error: std::io::Error| (format!("`{shown}` cannot be read: {error}"), FILE_HINT);
    // A pipe in its place would never end: looked at before it is opened, and again as what was opened.
    if std::fs::metadata(path).map_err(failed)?.is_file() {
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err((format!("others can read `{shown}`: its mode is {mode:04o}"), "run `chmod 600` on it"));
        }
        if !metadata.is_file() || metadata.size() > VALUE_BYTES_MAX as u64 + 2 {
            return Err((format!("`{shown}` is no file of at most {VALUE_BYTES_MAX} bytes"), FILE_HINT));
        }
        let mut text = String::new();
        file.by_ref().take(VALUE_BYTES_MAX as u64 + 3).read_to_string(&mut text).map_err(failed)?;
        let end = text.strip_suffix('\n').map_or(text.len(), |text| text.strip_suffix('\r').unwrap_or(text).len());
        text.truncate(end);
        return Ok(text);
    }
    Err((format!("`{shown}` is no regular file"), FILE_HINT))
}

fn hosts(name: &str, config: &SecretConfig) -> Result<Vec<(Host, Option<u16>)>, SecretError> {
    const HINT: &str = "write exact names, such as \"api.example.com\" or \"api.example.com:8443\"";
    if config.hosts.is_empty() {
        return Err(wrong(name, "hosts", "it is bound to no host", HINT));
    }
    let read = |text: &String| {
        host_and_port(text).map_err(|reason| wrong(name, "hosts", &format!("`{text}` is no host: {reason}"), HINT))
    };
    config.hosts.iter().map(read).collect()
}

/// The form; or the variable that it needs and that is not set.
fn way(name: &str, form: &SecretAs) -> Result<(Option<Way>, Option<String>), SecretError> {
    const HINT: &str = "write one of `{ header = \"Authorization\", value = \"Bearer {}\" }`, `{ query = \"key\" }`, `{ basic = \"user\" }`, `{ sigv4 = { service = \"s3\", region = \"eu-west-1\", access_key_id_env = \"AWS_ACCESS_KEY_ID\" } }`";
    let of = |reason: &str| wrong(name, "as", reason, HINT);
    let is_valued = form.value.is_some();
    let found = match (&form.header, &form.query, &form.basic, &form.sigv4) {
        (Some(header), None, None, None) => {
            let header: HeaderName = header.parse().map_err(|_| of("`header` is no header's name"))?;
            if super::http::is_controlled(&header) || header == http::header::CONTENT_LENGTH {
                return Err(of("`header` is one that the host itself writes"));
            }
            let value = form.value.as_deref().unwrap_or("{}");
            let Some((before, after)) = value.split_once("{}").filter(|(_, after)| !after.contains("{}")) else {
                return Err(of("`value` must hold `{}` once, where the secret goes"));
            };
            Way::Header { name: header, before: before.to_owned(), after: after.to_owned() }
        }
        (None, Some(query), None, None) if !is_valued && !query.is_empty() => Way::Query(query.clone()),
        (None, None, Some(user), None) if !is_valued => {
            if user.contains(':') || user.chars().any(char::is_control) {
                return Err(of("a user's name has no `:` and no control characters"));
            }
            Way::Basic { user: user.clone() }
        }
        (None, None, None, Some(sigv4)) if !is_valued => {
            if sigv4.service.is_empty() || sigv4.region.is_empty() {
                return Err(of("`service` and `region` are needed"));
            }
            let Some(access_key_id) = config::variable(&sigv4.access_key_id_env) else {
                return Ok((None, Some(sigv4.access_key_id_env.clone())));
            };
            let session_token = match &sigv4.session_token_env {
                Some(variable) => match config::variable(variable) {
                    Some(text) => Some(checked(name, "as", text)?),
                    None => return Ok((None, Some(variable.clone()))),
                },
                None => None,
            };
            let (service, region) = (sigv4.service.clone(), sigv4.region.clone());
            Way::SigV4 { service, region, access_key_id, session_token }
        }
        _ => {
            return Err(of(
                "there must be exactly one of `header`, `query`, `basic` and `sigv4`, and `value` beside `header` alone",
            ));
        }
    };
    Ok((Some(found), None))
}

#[cfg(test)]
mod tests;
