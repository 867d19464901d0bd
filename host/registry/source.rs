//! What may be installed: a path, a URL, or a name in a registry; how it is written and read.
//!
//! Reading it is pure: whether a host exists or `http:` may be spoken to it is decided when it is fetched.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::digest::{Digest, DigestError};
use super::quoted;

/// Longest source. Danger: it is shown, and written into the lock.
const SOURCE_BYTES_MAX: usize = 4096;
/// Longest name of a repository, as the distribution specification has it.
const REPOSITORY_BYTES_MAX: usize = 255;
/// Longest tag, as the distribution specification has it.
const TAG_BYTES_MAX: usize = 128;

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    File(PathBuf),
    /// `https:`, or `http:` where the transport allows it.
    Web(Url),
    Oci(Reference),
}

/// A name in a registry. Invariant: it has a tag, a digest, or both; where it has both, the digest
/// decides, and the tag says where to look for something newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// To whom `http:` may be spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// To this machine alone. Danger elsewhere: everybody on the way may change what is installed.
    #[default]
    Secure,
    /// To anybody. Registries are then spoken to by `http:` too.
    Insecure,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("there is no source\nhint: name a path, `https://...`, or `oci://registry/name:tag`")]
    Empty,
    #[error("the source is longer than {SOURCE_BYTES_MAX} bytes")]
    TooLong,
    #[error("a source cannot start with `{0}://`\nhint: name a path, `https://...`, or `oci://registry/name:tag`")]
    Scheme(String),
    #[error("this is not a URL ({reason}): {url}")]
    Url { url: String, reason: String },
    #[error(
        "the URL holds a name or a password before `@`: {0}\nhint: sources are shown and written into plugins.lock; fetch the file yourself and install it by its path"
    )]
    Password(String),
    #[error(
        "the URL has a query or a fragment, which may be a secret: {0}\nhint: sources are shown and written into plugins.lock; fetch the file yourself and install it by its path"
    )]
    Query(String),
    #[error(
        "`http:` can be changed on its way, and this host is not on this machine: {0}\nhint: use `https:`; or allow it by `insecure` where the network is your own"
    )]
    Plain(String),
    #[error(
        "the source names no registry: `{0}`\nhint: write `oci://registry/name:tag`, such as `oci://ghcr.io/me/tool:1.0.0`"
    )]
    NoRegistry(String),
    #[error(
        "this is not the name of a registry: `{0}`\nhint: a host, and a port where it needs one: `registry.example:5000`"
    )]
    Registry(String),
    #[error(
        "this is not the name of a repository: `{0}`\nhint: lower-case letters and digits, parts with `.`, `_` or `-` between them, folders with `/`"
    )]
    Repository(String),
    #[error(
        "the source says neither a tag nor a digest: `{0}`\nhint: `:latest` is not assumed, as it may be another component tomorrow: write `{0}:1.0.0` or `{0}@sha256:...`"
    )]
    NoTag(String),
    #[error(
        "this is not a tag: `{0}`\nhint: up to 128 letters, digits, `_`, `.` and `-`, and neither `.` nor `-` at its start"
    )]
    Tag(String),
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Source {
    /// # Errors
    /// What is wrong with it, and how it is written.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.trim().is_empty() {
            return Err(SourceError::Empty);
        }
        if text.len() > SOURCE_BYTES_MAX {
            return Err(SourceError::TooLong);
        }
        match scheme(text) {
            None => Ok(Self::File(PathBuf::from(text))),
            Some(("oci", rest)) => Reference::parse(rest).map(Self::Oci),
            Some(("https" | "http", _)) => url(text).map(Self::Web),
            Some((other, _)) => Err(SourceError::Scheme(quoted(other))),
        }
    }

    /// Whether it may be fetched over this transport.
    ///
    /// # Errors
    /// It is `http:` towards another machine, and that is not allowed.
    pub fn check(&self, transport: Transport) -> Result<(), SourceError> {
        match self {
            Self::Web(url) => check_url(url, transport),
            Self::File(_) | Self::Oci(_) => Ok(()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Web(url) => url.fmt(f),
            Self::Oci(reference) => write!(f, "oci://{reference}"),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        Self::parse(&text)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl Reference {
    /// `registry/name:tag`, `registry/name@sha256:...`, or both.
    fn parse(text: &str) -> Result<Self, SourceError> {
        let (registry, rest) = text.split_once('/').ok_or_else(|| SourceError::NoRegistry(quoted(text)))?;
        if registry.is_empty() || rest.is_empty() {
            return Err(SourceError::NoRegistry(quoted(text)));
        }
        if !is_registry(registry) {
            return Err(SourceError::Registry(quoted(registry)));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err(SourceError::Repository(quoted(repository)));
        }
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(SourceError::Tag(quoted(tag)));
        }
        if tag.is_none() && digest.is_none() {
            return Err(SourceError::NoTag(format!("oci://{}", quoted(text))));
        }
        Ok(Self { registry: registry.into(), repository: repository.into(), tag: tag.map(Into::into), digest })
    }

    /// The host, with its port where it has one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same name, pinned to this digest.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The same name with this tag, and no digest.
    ///
    /// # Errors
    /// It is not a tag.
    pub fn tagged(&self, tag: &str) -> Result<Self, SourceError> {
        if !is_tag(tag) {
            return Err(SourceError::Tag(quoted(tag)));
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// What stands for the manifest in the registry's addresses: the digest, where there is one.
    pub(crate) fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => String::new(),
        }
    }

    /// The address of its registry: over `http:` only where that is allowed.
    pub(crate) fn base(&self, transport: Transport) -> Result<Url, SourceError> {
        // The name that people write, and the host that speaks the protocol, differ at Docker Hub alone.
        let host = if self.registry == "docker.io" { "registry-1.docker.io" } else { &self.registry };
        let secure = url(&format!("https://{host}"))?;
        if is_loopback(&secure) || transport == Transport::Insecure {
            url(&format!("http://{host}"))
        } else {
            Ok(secure)
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether this URL may be spoken to.
pub(crate) fn check_url(url: &Url, transport: Transport) -> Result<(), SourceError> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) || transport == Transport::Insecure => Ok(()),
        "http" => Err(SourceError::Plain(shown(url))),
        other => Err(SourceError::Scheme(quoted(other))),
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A URL for people: without what may be a secret, which is its query and what stands before `@`.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    quoted(&format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path()))
}

fn url(text: &str) -> Result<Url, SourceError> {
    let url = Url::parse(text).map_err(|error| {
        // Without what may be a password.
        let url = quoted(text.rsplit('@').next().unwrap_or_default().split('?').next().unwrap_or_default());
        SourceError::Url { url, reason: error.to_string() }
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SourceError::Password(shown(&url)));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(SourceError::Query(shown(&url)));
    }
    Ok(url)
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_word = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (is_word && scheme.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((scheme, rest))
}

fn is_registry(text: &str) -> bool {
    let is_safe = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    // The URL's own rules say whether it is a host with a port.
    let is_host =
        Url::parse(&format!("https://{text}/")).is_ok_and(|url| url.host_str().is_some() && url.path() == "/");
    is_safe && is_host && text.len() <= 255
}

fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        // `..` is refused by the specification, and would be a step up in an address.
        is_edge(part.chars().next())
            && is_edge(part.chars().last())
            && part.chars().all(is_inside)
            && !part.contains("..")
    };
    text.len() <= REPOSITORY_BYTES_MAX && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.len() <= TAG_BYTES_MAX && !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Source::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        let digest = Digest::of(b"x");
        for text in [
            "plugins/tool.wasm".to_owned(),
            "/a b/tool.wasm".into(),
            "https://example.org/a/tool.wasm".into(),
            "http://127.0.0.1:8080/tool.wasm".into(),
            "oci://ghcr.io/me/tool:1.0.0".into(),
            "oci://localhost:5000/tool:v1_2-x".into(),
            "oci://[::1]:5000/a/b__c/tool:1".into(),
            format!("oci://ghcr.io/me/tool@{digest}"),
            format!("oci://ghcr.io/me/tool:1.0.0@{digest}"),
        ] {
            let source = Source::parse(&text).unwrap();
            assert_eq!(source.to_string(), text);
            assert_eq!(Source::parse(&source.to_string()).unwrap(), source);
        }
    }

    #[test]
    fn a_name_without_a_tag_is_told_that_latest_is_not_assumed() {
        let said = error("oci://ghcr.io/me/tool");
        assert!(said.contains("neither a tag nor a digest") && said.contains("oci://ghcr.io/me/tool:1.0.0"), "{said}");
    }

    #[test]
    fn each_mistake_is_named() {
        assert!(error("").contains("no source"));
        assert!(error("ftp://x/y").contains("cannot start with `ftp://`"));
        assert!(error("file:///etc/passwd").contains("cannot start with `file://`"));
        assert!(error("oci://tool:1").contains("names no registry"));
        assert!(error("oci://ghcr.io/").contains("names no registry"));
        assert!(error("oci://me@host/tool:1").contains("not the name of a registry"));
        assert!(error("oci://ghcr.io/Me/Tool:1").contains("not the name of a repository"));
        assert!(error("oci://ghcr.io/../x:1").contains("not the name of a repository"));
        assert!(error("oci://ghcr.io/a//x:1").contains("not the name of a repository"));
        assert!(error("oci://ghcr.io/a:").contains("not a tag"));
        assert!(error("oci://ghcr.io/a:-x").contains("not a tag"));
        assert!(error("oci://ghcr.io/a@sha256:12").contains("not a digest"));
        assert!(error("https://").contains("not a URL"));
        assert!(error(&"x".repeat(SOURCE_BYTES_MAX + 1)).contains("longer than 4096 bytes"));
    }

    #[test]
    fn secrets_in_a_url_are_refused_and_not_repeated() {
        for text in [
            "https://me:hunter2@example.org/x",
            "https://example.org/x?token=hunter2",
            "https://h ost@hunter2@x y/?hunter2",
        ] {
            let said = error(text);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn http_is_for_this_machine_alone_unless_it_is_allowed() {
        for (text, is_fine) in [
            ("http://127.0.0.1/x", true),
            ("http://[::1]:80/x", true),
            ("http://localhost/x", true),
            ("http://example.org/x", false),
            ("http://127.0.0.1.example.org/x", false),
            ("https://example.org/x", true),
        ] {
            let source = Source::parse(text).unwrap();
            assert_eq!(source.check(Transport::Secure).is_ok(), is_fine, "{text}");
            assert!(source.check(Transport::Insecure).is_ok());
        }
    }

    #[test]
    fn only_a_registry_on_this_machine_is_spoken_to_in_plain() {
        let base = |text: &str, transport| match Source::parse(text).unwrap() {
            Source::Oci(reference) => reference.base(transport).unwrap().to_string(),
            _ => panic!("a reference"),
        };
        assert_eq!(base("oci://ghcr.io/a:1", Transport::Secure), "https://ghcr.io/");
        assert_eq!(base("oci://ghcr.io/a:1", Transport::Insecure), "http://ghcr.io/");
        assert_eq!(base("oci://localhost:5000/a:1", Transport::Secure), "http://localhost:5000/");
        assert_eq!(base("oci://docker.io/me/a:1", Transport::Secure), "https://registry-1.docker.io/");
    }

    #[test]
    fn names_are_escaped_in_errors() {
        let said = error("oci://ghcr.io/a\u{1b}[2K:1");
        assert!(!said.contains('\u{1b}') && said.contains("\\u{1b}"), "{said}");
    }
}
