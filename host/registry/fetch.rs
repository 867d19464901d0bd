//! Bringing a component here, whole and as its digest says, or not at all.
//!
//! Nothing is written: the bytes are handed back. Whether they are a component is asked elsewhere. What
//! fails is said with the place that it came from, and without what may be a secret.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use super::COMPONENT_BYTES_MAX;
use super::credentials::Credentials;
use super::digest::Digest;
use super::oci::{ArtifactError, Repository, Right};
use super::source::{Source, SourceError, Transport};
use super::web::{Ask, Web};

/// A component that is here.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub bytes: Vec<u8>,
    /// Of the bytes.
    pub digest: Digest,
    /// Of what the tag named in a registry: the manifest, or the index of some.
    pub manifest_digest: Option<Digest>,
    /// The source, such that it names the same thing tomorrow where that can be said: a registry's name
    /// with the manifest's digest, a path from the root.
    pub resolved: Source,
}

/// How far a download is. It begins again where a connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub bytes: u64,
    /// What the other side says it will be. It may lie.
    pub total: Option<u64>,
}

/// Who is told how far it is.
pub type Watch<'a> = dyn FnMut(Progress) + Send + 'a;

/// How to fetch.
#[derive(Clone, Debug, Default)]
pub struct FetchOptions {
    pub transport: Transport,
    /// For the registry of the source. Files of the web are fetched without.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) that are trusted besides the system's.
    pub roots_pem: Option<String>,
    pub patience: Patience,
}

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without a byte. Danger: a registry that stalls, and an install that never ends.
    pub stall: Duration,
    /// All requests of one piece of work together. Danger: one byte every 29 seconds.
    pub total: Duration,
    /// Tries of one request. Danger: hammering a registry that says it has too much to do.
    pub attempts_max: u32,
    /// The first pause between two tries; it doubles.
    pub pause: Duration,
    /// The longest pause that a registry may ask for. Danger: `Retry-After: 86400`.
    pub pause_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            total: Duration::from_secs(15 * 60),
            attempts_max: 4,
            pause: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
        }
    }
}

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
#[error("`{from}`: {failure}")]
pub struct FetchError {
    pub from: String,
    pub failure: Failure,
}

/// Why there is no answer, or not a good one.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("it cannot be read: {0}")]
    File(std::io::Error),
    #[error("it is not a file\nhint: name the component itself, a file that ends in `.wasm`")]
    NotAFile,
    #[error("it is empty")]
    Empty,
    #[error("it is larger than the {} allowed{}", bytes_text(*.0), large_hint(*.0))]
    TooLarge(u64),
    #[error("no HTTP client: {0}")]
    Client(String),
    #[error("the extra certificates cannot be read: {0}\nhint: they are PEM, `-----BEGIN CERTIFICATE-----`")]
    Roots(String),
    #[error("it sent nothing for {} ms\nhint: try again later, or fetch the file by other means and install it by its path", .0.as_millis())]
    Stalled(Duration),
    #[error("it took longer than {} s altogether\nhint: try again later, or fetch the file by other means and install it by its path", .0.as_secs())]
    OutOfTime(Duration),
    #[error("it is busy (HTTP status {status}) and asks to wait for {} s\nhint: try again then", wait.as_secs())]
    Busy { status: u16, wait: Duration },
    #[error("it answered with HTTP status {status}{}", said_text(.said))]
    Status { status: u16, said: String },
    #[error("it is not there (HTTP status {status}){}\nhint: check the name and the tag; a private one looks like this as well to who is not logged in", said_text(.said))]
    NotFound { status: u16, said: String },
    #[error("the registry wants to know who asks (HTTP status {status}){}\nhint: log in with `docker login {registry}`, whose config.json is read", said_text(.said))]
    LoginNeeded { registry: String, status: u16, said: String },
    #[error("the registry refuses the credentials that it was shown (HTTP status {status}){}\nhint: they may have run out, or may not be enough for this repository: `docker login {registry}`", said_text(.said))]
    LoginRefused { registry: String, status: u16, said: String },
    #[error("how to log in cannot be understood from what the registry says: {0}")]
    Challenge(String),
    #[error("the connection failed: {what}")]
    Connection { what: String, is_broken: bool },
    #[error(
        "it leads on to what may be changed on its way: {0}\nhint: a redirect must lead to `https:`; fetch the file yourself and install it by its path"
    )]
    RedirectToPlain(String),
    #[error(
        "it leads on to this machine: {0}\nhint: nobody from outside chooses what is asked here; name that address yourself if you mean it"
    )]
    RedirectHere(String),
    #[error("it leads on more than {0} times")]
    TooManyRedirects(usize),
    #[error("it leads on to what is no address: `{0}`")]
    RedirectNowhere(String),
    #[error("it leads an upload on elsewhere: {0}\nhint: push to that address itself")]
    RedirectedWrite(String),
    #[error("it is compressed on its way (`{0}`), though that was not asked for")]
    Encoded(String),
    #[error(
        "{what} is not what its digest says\n  expected: {expected}\n  found:    {found}\nhint: it was changed on its way or in the registry; do not use it, and ask who publishes it"
    )]
    Digest { what: &'static str, expected: Digest, found: Digest },
    #[error(
        "it has {found} bytes, and its manifest says: {declared}\nhint: it was changed on its way or in the registry; do not use it, and ask who publishes it"
    )]
    Size { declared: u64, found: u64 },
    #[error(
        "it has more than the {0} bytes that its manifest says\nhint: it was changed on its way or in the registry; do not use it, and ask who publishes it"
    )]
    Longer(u64),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

impl Failure {
    pub(crate) fn at(self, from: &impl ToString) -> FetchError {
        FetchError { from: super::quoted(&from.to_string()), failure: self }
    }
}

fn said_text(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn large_hint(bytes: u64) -> &'static str {
    match bytes {
        COMPONENT_BYTES_MAX => "\nhint: strip what is not needed from the component: `wasm-tools strip`",
        _ => "",
    }
}

/// Bring a component here.
///
/// # Errors
/// What went wrong, where, and what to do. Nothing is left behind.
pub async fn fetch(source: &Source, options: &FetchOptions, watch: &mut Watch<'_>) -> Result<Fetched, FetchError> {
    let fetched = match source {
        Source::File(path) => file(path, watch),
        Source::Web(url) => web(url, options, watch).await,
        Source::Oci(reference) => {
            let pull = async {
                let mut repository = Repository::open(reference, Right::Pull, options)?;
                let component = repository.component(&reference.version()).await?;
                let bytes = repository.blob(&component.layer, COMPONENT_BYTES_MAX, watch).await?;
                let resolved = Source::Oci(reference.pinned(component.top.clone()));
                Ok(Fetched { bytes, digest: component.layer.digest, manifest_digest: Some(component.top), resolved })
            };
            pull.await
        }
    };
    fetched.map_err(|failure| failure.at(source))
}

async fn web(url: &Url, options: &FetchOptions, watch: &mut Watch<'_>) -> Result<Fetched, Failure> {
    let bytes = download(&Web::new(url, options)?, url, COMPONENT_BYTES_MAX, watch).await?;
    let digest = Digest::of(&bytes);
    Ok(Fetched { bytes, digest, manifest_digest: None, resolved: Source::Web(url.clone()) })
}

/// The file at a URL.
pub(crate) async fn download(web: &Web, url: &Url, bytes_max: u64, watch: &mut Watch<'_>) -> Result<Vec<u8>, Failure> {
    let answer = web.ask(&Ask::get(url.clone(), "application/wasm, */*;q=0.5", bytes_max), watch).await?;
    let status = answer.status.as_u16();
    match status {
        200 if answer.body.is_empty() => Err(Failure::Empty),
        200 => Ok(answer.body),
        404 | 410 => Err(Failure::NotFound { status, said: String::new() }),
        _ => Err(Failure::Status { status, said: String::new() }),
    }
}

fn file(path: &Path, watch: &mut Watch<'_>) -> Result<Fetched, Failure> {
    let bytes = read_file(path, COMPONENT_BYTES_MAX)?;
    let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    watch(Progress { bytes: count, total: Some(count) });
    let digest = Digest::of(&bytes);
    let resolved = Source::File(path.canonicalize().map_err(Failure::File)?);
    Ok(Fetched { bytes, digest, manifest_digest: None, resolved })
}

/// A file that a person names, whole. A device or a pipe in its place is an error, and nothing waits for it.
///
/// # Errors
/// The system's; or it is no file, or is larger.
pub fn read_bounded(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    match read_file(path, bytes_max) {
        Ok(bytes) => Ok(bytes),
        Err(Failure::Empty) => Ok(Vec::new()),
        Err(Failure::File(error)) => Err(error),
        Err(other) => Err(std::io::Error::other(other.to_string())),
    }
}

/// The same, for text.
///
/// # Errors
/// As of [`read_bounded`]; or it is no UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    String::from_utf8(read_bounded(path, bytes_max)?).map_err(|_| std::io::Error::other("it is not UTF-8 text"))
}

/// A regular file, whole.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let not_blocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    // Opening a FIFO waits for its other end, unless it is opened like this.
    let file = File::options().read(true).custom_flags(not_blocking).open(path).map_err(Failure::File)?;
    let metadata = file.metadata().map_err(Failure::File)?;
    if !metadata.is_file() {
        return Err(Failure::NotAFile);
    }
    if metadata.len() > bytes_max {
        return Err(Failure::TooLarge(bytes_max));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow while it is read.
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(Failure::File)?;
    match u64::try_from(bytes.len()) {
        Ok(0) => Err(Failure::Empty),
        Ok(count) if count <= bytes_max => Ok(bytes),
        _ => Err(Failure::TooLarge(bytes_max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(path: &Path) -> Result<Fetched, Failure> {
        file(path, &mut |_| {})
    }

    #[test]
    fn a_file_comes_whole_with_its_digest_and_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.wasm");
        std::fs::write(&path, "bytes").unwrap();
        let mut seen = vec![];
        let fetched = file(&path, &mut |progress| seen.push(progress)).unwrap();
        assert_eq!((fetched.bytes.as_slice(), fetched.digest), (b"bytes".as_slice(), Digest::of(b"bytes")));
        assert_eq!(seen, [Progress { bytes: 5, total: Some(5) }]);
        assert_eq!(fetched.resolved, Source::File(path.canonicalize().unwrap()));
    }

    #[test]
    fn what_is_no_file_is_refused_and_nothing_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(fetched(folder.path()), Err(Failure::NotAFile)));
        assert!(matches!(fetched(Path::new("/dev/zero")), Err(Failure::NotAFile)));
        assert!(matches!(fetched(&folder.path().join("none")), Err(Failure::File(_))));
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(matches!(fetched(&fifo), Err(Failure::NotAFile)));
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_above_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, [1; 8]).unwrap();
        assert_eq!(read_file(&path, 8).unwrap().len(), 8);
        assert!(matches!(read_file(&path, 7), Err(Failure::TooLarge(7))));
        let large = std::fs::File::create(&path).unwrap();
        large.set_len(COMPONENT_BYTES_MAX + 1).unwrap();
        let said = fetched(&path).unwrap_err().to_string();
        assert!(said.contains("larger than the 256 MiB"), "{said}");
    }
}
