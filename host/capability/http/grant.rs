//! The grant of requests, resolved once: which hosts, with which methods and below which paths, which of them may be
//! private, and how much.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Semaphore;

use super::guard::{Resolve, System};
use super::target::{Host, Scheme, Target, host_and_port};
use super::trust;
use crate::capability::grant::GrantError;
use crate::capability::secret::Secret;
use crate::capability::secret::scan::Scan;
use crate::config::{HttpGrant, HttpHost};

const CAPABILITY: &str = "http";

/// The methods that can be granted. CONNECT makes a tunnel, TRACE sends back what it was sent: neither can be.
const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
/// Requests of one plugin that are under way at once. Danger: each holds a connection and its buffers.
pub(super) const RUNNING_MAX: usize = 16;
/// What a grant may give at most. Danger: a number that was meant to be another is no limit.
const BYTES_MAX: u64 = 1 << 30;
const TIMEOUT_MS_MAX: u64 = 600_000;

/// What one plugin may request. Made once from its grant, shared by its instances.
pub struct HttpState {
    rules: Vec<Rule>,
    private: Vec<(Host, u16)>,
    pub(super) request_bytes_max: u64,
    pub(super) response_bytes_max: u64,
    pub(super) timeout: Duration,
    pub(super) requests_max: u32,
    pub(super) secrets: Vec<Arc<Secret>>,
    pub(super) scan: Arc<Scan>,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) running: Arc<Semaphore>,
}

/// One entry of `hosts`.
struct Rule {
    host: Pattern,
    scheme: Scheme,
    port: u16,
    methods: Vec<&'static str>,
    paths: Vec<String>,
    /// The authorities that alone are believed about the host; none: those of the system.
    trust: Option<Arc<ClientConfig>>,
}

enum Pattern {
    Host(Host),
    /// `.example.com` for `*.example.com`.
    Below(String),
}

impl Pattern {
    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Host(granted), host) => granted == host,
            (Self::Below(end), Host::Name(name)) => name.len() > end.len() && name.ends_with(end.as_str()),
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

impl HttpState {
    /// Resolve what is granted, with the secrets that go along and those that may not come back. Files of
    /// authorities are relative to `directory`.
    ///
    /// # Errors
    /// An entry that could never hold, or could hold for more than it says.
    pub fn new(
        grant: &HttpGrant,
        directory: &Path,
        secrets: Vec<Arc<Secret>>,
        scan: Arc<Scan>,
    ) -> Result<Self, GrantError> {
        let rules = grant.hosts.iter().map(|entry| Rule::new(entry, directory)).collect::<Result<Vec<_>, _>>()?;
        let private = grant
            .private
            .iter()
            .map(|text| match host_and_port(text) {
                Ok((host, Some(port))) => Ok((host, port)),
                Ok((_, None)) => Err(wrong("private", text, "it has no port: write `host:port`")),
                Err(reason) => Err(wrong("private", text, reason)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let within = |key, value: u64, most: u64| match value {
            value if (1..=most).contains(&value) => Ok(value),
            value => Err(wrong(key, &value.to_string(), &format!("it is from 1 to {most}"))),
        };
        Ok(Self {
            rules,
            private,
            request_bytes_max: within("request_bytes_max", grant.request_bytes_max, BYTES_MAX)?,
            response_bytes_max: within("response_bytes_max", grant.response_bytes_max, BYTES_MAX)?,
            timeout: Duration::from_millis(within("timeout_ms_max", grant.timeout_ms_max, TIMEOUT_MS_MAX)?),
            requests_max: u32::try_from(within("requests_max", grant.requests_max.into(), 1_000_000)?).unwrap_or(1),
            secrets,
            scan,
            resolver: Arc::new(System),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
        })
    }

    /// Whether the operator names this host and port as one that may be private.
    pub(super) fn is_exception(&self, target: &Target) -> bool {
        self.private.iter().any(|(host, port)| *host == target.host && *port == target.port)
    }

    /// The settings of TLS towards there: those of the first entry for the host that names a file of authorities, else
    /// those of the system.
    pub(super) fn trust(&self, target: &Target) -> Result<Arc<ClientConfig>, String> {
        let own = self.rules.iter().filter(|rule| rule.is_of(target)).find_map(|rule| rule.trust.clone());
        own.map_or_else(trust::of_system, Ok)
    }

    /// Whether the operator has written down this method at exactly this host: `*.example.com` leaves the host open.
    pub(super) fn names(&self, method: &str, target: &Target) -> bool {
        let names = |rule: &&Rule| matches!(rule.host, Pattern::Host(_)) && rule.is_of(target);
        self.rules.iter().filter(names).any(|rule| rule.methods.contains(&method) && rule.has_path(&target.path))
    }

    /// Whether a request is granted.
    ///
    /// # Errors
    /// What of it is not, with the line that would grant it.
    pub(super) fn covers(&self, method: &str, target: &Target, plugin: &str) -> Result<(), String> {
        let of_host: Vec<&Rule> = self.rules.iter().filter(|rule| rule.is_of(target)).collect();
        let url = target.url();
        let entry = |what: &str| format!("\nhint: {what} in `hosts` of [grants.{plugin}.http] in pi.toml");
        if of_host.is_empty() {
            let scheme = if target.scheme == Scheme::Http { ", scheme = \"http\"" } else { "" };
            let port =
                if target.port == target.scheme.port() { String::new() } else { format!(", port = {}", target.port) };
            let line = format!("{{ host = \"{}\"{scheme}{port}, methods = [\"{method}\"] }}", target.host);
            return Err(format!("`{method} {url}` is not granted: the host is not{}", entry(&format!("add {line}"))));
        }
        if of_host.iter().any(|rule| rule.methods.contains(&method) && rule.has_path(&target.path)) {
            return Ok(());
        }
        let of_path: Vec<&&Rule> = of_host.iter().filter(|rule| rule.has_path(&target.path)).collect();
        if of_path.is_empty() {
            return Err(format!(
                "`{method} {url}` is not granted: the path is not{}",
                entry("add its beginning to `paths`")
            ));
        }
        Err(format!(
            "`{method} {url}` is not granted: the method is not{}",
            entry(&format!("add \"{method}\" to `methods`"))
        ))
    }
}

impl Rule {
    fn new(entry: &HttpHost, directory: &Path) -> Result<Self, GrantError> {
        let of = |value: &str, reason: &str| wrong("hosts", value, reason);
        let text = entry.host.as_str();
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(of(
                text,
                &format!("it is a URL: write the host alone, and `scheme = \"{}\"`", scheme.to_ascii_lowercase()),
            ));
        }
        if text.contains(['/', '?', '#']) {
            return Err(of(text, "a host has no path: write that into `paths`"));
        }
        let (host, port) = match text.strip_prefix("*.") {
            Some(rest) => match host_and_port(rest) {
                Ok((Host::Name(name), port)) if name.contains('.') => (Pattern::Below(format!(".{name}")), port),
                Ok(_) => return Err(of(text, "`*.` stands before a domain of at least two names")),
                Err(reason) => return Err(of(text, reason)),
            },
            None if text.contains('*') => return Err(of(text, "`*` stands only at the beginning, as `*.`")),
            None => match host_and_port(text) {
                Ok((host, port)) => (Pattern::Host(host), port),
                Err(reason) => return Err(of(text, reason)),
            },
        };
        let scheme = match entry.scheme.as_deref() {
            None | Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(_) => return Err(of(text, "`scheme` is \"https\" or \"http\"")),
        };
        let port = match (port, entry.port) {
            (Some(_), Some(_)) => return Err(of(text, "it has two ports")),
            (_, Some(0)) => return Err(of(text, "its port is no number from 1 to 65535")),
            (port, other) => port.or(other).unwrap_or(scheme.port()),
        };
        let known = |method: &String| {
            METHODS.iter().copied().find(|known| known == method).ok_or_else(|| {
                of(method, &format!("it is no method that can be granted; there are {}", METHODS.join(", ")))
            })
        };
        let methods = match entry.methods.as_deref() {
            None => vec!["GET", "HEAD"],
            Some([]) => return Err(of(text, "`methods` is empty: leave it out for GET and HEAD")),
            Some(methods) => methods.iter().map(known).collect::<Result<Vec<_>, _>>()?,
        };
        let paths = match entry.paths.as_deref() {
            None => vec!["/".to_owned()],
            Some([]) => return Err(of(text, "`paths` is empty: leave it out for all")),
            Some(paths) => paths.to_vec(),
        };
        for path in &paths {
            if !path.starts_with('/') {
                return Err(of(path, "a path begins with `/`"));
            }
            if path.contains(['%', '?', '*', '#']) || Target::read(scheme, "a.example", path).is_err() {
                return Err(of(
                    path,
                    "a path here is plain: no `%`, `?`, `*`, `#`, backslash, and no segment `.` or `..`",
                ));
            }
        }
        let trust = match &entry.ca_file {
            None => None,
            Some(file) if scheme == Scheme::Http => {
                return Err(of(file, "`ca_file` is for https, and the entry says `scheme = \"http\"`"));
            }
            Some(file) => {
                let wrong = |reason: String| of(file, &format!("`ca_file` of `{text}`: {reason}"));
                Some(trust::of_file(&directory.join(file)).map_err(wrong)?)
            }
        };
        Ok(Self { host, scheme, port, methods, paths, trust })
    }

    fn is_of(&self, target: &Target) -> bool {
        self.scheme == target.scheme && self.port == target.port && self.host.covers(&target.host)
    }

    /// `/v1` covers `/v1` and what is below it, `/v1/` what is below it alone.
    fn has_path(&self, path: &str) -> bool {
        self.paths.iter().any(|granted| {
            let rest = path.strip_prefix(granted.as_str());
            rest.is_some_and(|rest| granted.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
        })
    }
}

fn wrong(key: &'static str, value: &str, reason: &str) -> GrantError {
    GrantError::new(CAPABILITY, key, value, reason)
}

#[cfg(test)]
mod tests;
