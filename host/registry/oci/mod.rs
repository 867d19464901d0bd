//! One repository of an OCI registry, spoken to by the distribution protocol.
//!
//! This is not a general client: the ones there are read answers of any size into memory and take a
//! registry's word for addresses. Here every answer has a limit, a digest is computed and compared, and
//! a step to another address is judged. What an artifact must look like is in `artifact`.

mod artifact;
mod login;
mod upload;

use bytes::Bytes;
use reqwest::header::{HeaderValue, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

pub use artifact::ArtifactError;
pub(crate) use artifact::{
    Component, Descriptor, Found, Manifest, WASM_CONFIG_TYPE, WASM_LAYER_TYPE, component_or_index,
};

use super::credentials::Credentials;
use super::digest::Digest;
use super::fetch::{Failure, FetchOptions, Progress, Watch};
use super::quoted;
use super::source::Reference;
use super::web::{Answer, Ask, Web, is_same_origin};

/// Longest manifest, as the distribution specification has it. Danger: a manifest that is a bomb of JSON.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Longest page of tags.
const TAGS_PAGE_BYTES_MAX: u64 = 1 << 20;
/// Pages of tags that are read. Danger: a registry that always has one more.
const TAGS_PAGES_MAX: usize = 20;
/// Tags that are kept.
const TAGS_MAX: usize = 10_000;

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST_TYPES: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// What is going to be done there: a registry gives out rights by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Pull,
    Push,
}

pub(crate) struct Repository {
    web: Web,
    base: Url,
    registry: String,
    name: String,
    right: Right,
    credentials: Option<Credentials>,
    /// What the registry gave us, or what it asks for. Sent to its own origin alone.
    authorization: Option<HeaderValue>,
}

impl Repository {
    pub(crate) fn open(reference: &Reference, right: Right, options: &FetchOptions) -> Result<Self, Failure> {
        let base = reference.base(options.transport)?;
        let mut repository = Self {
            web: Web::new(&base, options)?,
            base,
            registry: quoted(reference.registry()),
            name: reference.repository().to_owned(),
            right,
            credentials: options.credentials.clone(),
            authorization: None,
        };
        if let Some(Credentials::RegistryToken(token)) = &repository.credentials {
            repository.authorization = Some(login::header("Bearer", token)?);
        }
        Ok(repository)
    }

    /// The component that a tag or a digest names: through an index, where there is one.
    pub(crate) async fn component(&mut self, version: &str) -> Result<Component, Failure> {
        let (bytes, top) = self.manifest(version).await?;
        match component_or_index(&bytes)? {
            Found::Layer(layer) => Ok(Component { manifest: bytes, top, layer }),
            Found::Elsewhere(digest) => {
                let (inner, _) = self.manifest(&digest.to_string()).await?;
                match component_or_index(&inner)? {
                    Found::Layer(layer) => Ok(Component { manifest: bytes, top, layer }),
                    Found::Elsewhere(_) => Err(ArtifactError::NestedIndex.into()),
                }
            }
        }
    }

    /// A manifest and its digest.
    pub(crate) async fn manifest(&mut self, version: &str) -> Result<(Vec<u8>, Digest), Failure> {
        let answer = self.ask_manifest(version).await?;
        if answer.status.as_u16() != 200 {
            return Err(self.failure(&answer));
        }
        checked_manifest(answer, version)
    }

    /// A manifest and its digest, or nothing where it is not there.
    pub(crate) async fn find_manifest(&mut self, version: &str) -> Result<Option<(Vec<u8>, Digest)>, Failure> {
        let answer = self.ask_manifest(version).await?;
        match answer.status.as_u16() {
            200 => checked_manifest(answer, version).map(Some),
            404 => Ok(None),
            _ => Err(self.failure(&answer)),
        }
    }

    async fn ask_manifest(&mut self, version: &str) -> Result<Answer, Failure> {
        let url = self.url(&format!("manifests/{version}"))?;
        let asked = self.ask(Ask::get(url, MANIFEST_TYPES, MANIFEST_BYTES_MAX), &mut |_| {}).await;
        asked.map_err(|failure| match failure {
            Failure::TooLarge(_) => ArtifactError::ManifestTooLarge.into(),
            other => other,
        })
    }

    /// A blob, exactly as its descriptor says.
    pub(crate) async fn blob(
        &mut self,
        blob: &Layer,
        bytes_max: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<u8>, Failure> {
        if blob.size > bytes_max {
            return Err(Failure::TooLarge(bytes_max));
        }
        if blob.size == 0 {
            return Err(Failure::Empty);
        }
        let url = self.url(&format!("blobs/{}", blob.digest))?;
        // The manifest knows how much it is, where the answer does not say.
        let mut watch = |progress: Progress| watch(Progress { total: Some(blob.size), ..progress });
        let answer = self.ask(Ask::get(url, "application/octet-stream, */*", blob.size), &mut watch).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::TooLarge(_) => Failure::Longer(blob.size),
            other => other,
        })?;
        if answer.status.as_u16() != 200 {
            return Err(self.failure(&answer));
        }
        let found = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
        if found != blob.size {
            return Err(Failure::Size { declared: blob.size, found });
        }
        let found = Digest::of(&answer.body);
        if found != blob.digest {
            return Err(Failure::Digest { what: "the layer", expected: blob.digest.clone(), found });
        }
        Ok(answer.body)
    }

    /// The tags that there are, as far as they are read.
    pub(crate) async fn tags(&mut self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut next = Some(self.url("tags/list?n=1000")?);
        let mut tags = Vec::new();
        for _ in 0..TAGS_PAGES_MAX {
            let Some(url) = next.take() else { break };
            let answer = self.ask(Ask::get(url.clone(), "application/json", TAGS_PAGE_BYTES_MAX), &mut |_| {}).await?;
            if answer.status.as_u16() != 200 {
                return Err(self.failure(&answer));
            }
            let page: Page = serde_json::from_slice(&answer.body).map_err(|_| ArtifactError::NotTags)?;
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(|tag| tag.len() <= 128));
            if tags.len() >= TAGS_MAX {
                tags.truncate(TAGS_MAX);
                break;
            }
            next = answer.headers.get(LINK).and_then(|link| next_page(&url, link.to_str().ok()?));
        }
        Ok(tags)
    }

    /// What says that it is about this manifest: by the registry's own list, and where it has none, by
    /// the tag that stands for it.
    pub(crate) async fn referrers(&mut self, digest: &Digest) -> Result<Vec<Descriptor>, Failure> {
        let url = self.url(&format!("referrers/{digest}"))?;
        let answer = self.ask(Ask::get(url, INDEX_TYPE, MANIFEST_BYTES_MAX), &mut |_| {}).await;
        // Registries that have no such list answer in many ways, and one leads on to a page for people.
        let listed = match answer {
            Ok(answer) if answer.status.as_u16() == 200 => Manifest::parse(&answer.body).ok(),
            // One that is busy has a list, and does not show it: what is in it is not known.
            Ok(answer) if matches!(answer.status.as_u16(), 429 | 500 | 502..=599) => return Err(self.failure(&answer)),
            Ok(_) => None,
            Err(Failure::RedirectToPlain(_) | Failure::RedirectHere(_) | Failure::TooLarge(_)) => None,
            Err(failure) => return Err(failure),
        };
        let index = match listed.and_then(|index| index.manifests) {
            Some(manifests) => return Ok(manifests),
            None => self.find_manifest(&format!("sha256-{}", digest.hex())).await?,
        };
        Ok(match index {
            Some((bytes, _)) => Manifest::parse(&bytes)?.manifests.unwrap_or_default(),
            None => Vec::new(),
        })
    }

    /// Ask, and where the registry wants to know who we are, say so and ask again.
    async fn ask(&mut self, mut ask: Ask, watch: &mut Watch<'_>) -> Result<Answer, Failure> {
        let is_own = is_same_origin(&ask.url, &self.base);
        ask.authorization = self.authorization.clone().filter(|_| is_own);
        let answer = self.web.ask(&ask, watch).await?;
        // Where a registry led us on to, nobody is told who we are: a hostile store of blobs would
        // name an address of its own for the password.
        if answer.status.as_u16() != 401 || !is_own || !is_same_origin(&answer.url, &self.base) {
            return Ok(answer);
        }
        let header = self.log_in(&answer).await?;
        self.authorization = Some(header.clone());
        ask.authorization = Some(header);
        self.web.ask(&ask, watch).await
    }

    fn url(&self, tail: &str) -> Result<Url, Failure> {
        let path = format!("/v2/{}/{tail}", self.name);
        self.base.join(&path).map_err(|_| Failure::RedirectNowhere(quoted(&path)))
    }

    /// What an answer means that is not the one that was hoped for.
    fn failure(&self, answer: &Answer) -> Failure {
        let (status, said) = (answer.status.as_u16(), said(&answer.body));
        let registry = self.registry.clone();
        match (status, &self.credentials) {
            (404 | 410, _) => Failure::NotFound { status, said },
            (401 | 403, None) => Failure::LoginNeeded { registry, status, said },
            (401 | 403, Some(_)) => Failure::LoginRefused { registry, status, said },
            _ => Failure::Status { status, said },
        }
    }
}

/// A blob that is going to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Layer {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}

/// A request with content.
fn sending(method: Method, url: Url, kind: &'static str, bytes: Bytes) -> Ask {
    Ask { method, content: Some((kind, bytes)), ..Ask::get(url, "", 64 << 10) }
}

/// The digest is computed here. What was asked for by its digest must have it; what was asked for by
/// its tag must have the one that the registry itself says.
fn checked_manifest(answer: Answer, version: &str) -> Result<(Vec<u8>, Digest), Failure> {
    let found = Digest::of(&answer.body);
    let header = answer.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
    for expected in [Some(version), header].into_iter().flatten().filter_map(|text| Digest::parse(text).ok()) {
        if expected != found {
            return Err(Failure::Digest { what: "the manifest", expected, found });
        }
    }
    Ok((answer.body, found))
}

/// The registry's own words, where it has some.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Errors { errors }) = serde_json::from_slice(body) else { return String::new() };
    errors.first().map(|first| quoted(&format!("{}: {}", first.code, first.message))).unwrap_or_default()
}

/// The next page, which must be at the same registry.
fn next_page(url: &Url, link: &str) -> Option<Url> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = rest.contains("rel=\"next\"") || rest.contains("rel=next");
    let next = url.join(target).ok()?;
    (is_next && is_same_origin(&next, url) && next != *url).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_at_the_same_registry_and_another_one() {
        let url = Url::parse("https://r.example/v2/a/tags/list?n=1000").unwrap();
        let next = |link: &str| next_page(&url, link).map(|url| url.to_string());
        assert_eq!(
            next("</v2/a/tags/list?last=x&n=1000>; rel=\"next\"").as_deref(),
            Some("https://r.example/v2/a/tags/list?last=x&n=1000")
        );
        assert_eq!(next("<https://evil.example/v2/>; rel=\"next\""), None);
        assert_eq!(next("</v2/a/tags/list?n=1000>; rel=\"next\""), None);
        assert_eq!(next("</v2/a>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }

    #[test]
    fn a_registry_s_words_are_escaped_and_short() {
        let body = serde_json::json!({"errors": [{"code": "X\u{1b}[2K", "message": "y".repeat(9999)}]}).to_string();
        let said = said(body.as_bytes());
        assert!(said.starts_with("X\\u{1b}[2K: yyy") && said.chars().count() < 300, "{said}");
        assert_eq!(super::said(b"<html>"), "");
    }
}
