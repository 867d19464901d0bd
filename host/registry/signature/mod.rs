//! Who says that a component is good: signatures by keys that somebody decided to trust.
//!
//! Beside a file or a URL lies `X.sig`, a signature of the bytes, or `X.sigstore.json`, a bundle. In a
//! registry there are cosign's two forms: a tag `sha256-<digest>.sig`, and bundles that refer to the
//! manifest. All of them are checked by key alone: certificates of Fulcio and entries of Rekor prove
//! something to those who trust Sigstore's services, and are not looked at here.
//! To add a form, find it in [`verify`] and give it a pure check that names a key or a [`Doubt`].

mod attached;
mod beside;
mod bundle;
mod cosign;
mod key;
mod proof;

pub use attached::{SignError, sign};
pub use beside::sign_bytes;
pub use key::{KeyError, PublicKey, SecretKey, write_new_pair};
pub use proof::{PROOF_BYTES_MAX, Proof};

use super::digest::Digest;
use super::fetch::{FetchError, FetchOptions, Fetched};
use super::quoted;
use super::source::Source;

/// Doubts that are told of. Danger: a registry with a thousand bad signatures.
const DOUBTS_MAX: usize = 8;

/// What is to be verified.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Where it is from, which is where its signatures are.
    pub source: &'a Source,
    pub bytes: &'a [u8],
    /// In a registry: what is signed is the manifest that names the bytes.
    pub manifest_digest: Option<&'a Digest>,
}

impl<'a> From<&'a Fetched> for Subject<'a> {
    fn from(fetched: &'a Fetched) -> Self {
        let Fetched { bytes, manifest_digest, resolved, .. } = fetched;
        Self { source: resolved, bytes, manifest_digest: manifest_digest.as_ref() }
    }
}

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Any of them is enough.
    pub keys: Vec<PublicKey>,
    /// The name, `registry/name`, that a signature in a registry must be for, where it is not the one
    /// that the component is fetched by: for mirrors.
    pub signed_as: Option<String>,
}

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A signature of the bytes, beside them.
    Detached,
    /// A tag in the registry, as cosign writes it since its first version.
    Cosign,
    /// A Sigstore bundle, as cosign writes it since version 3.
    Bundle,
}

impl Scheme {
    /// The word for it in `plugins.lock`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detached => "detached",
            Self::Cosign => "cosign",
            Self::Bundle => "bundle",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By one of the keys that are trusted; the key is named by its fingerprint. The proof is the signature.
    Signed { key: Digest, scheme: Scheme, proof: Box<Proof> },
    /// There is no signature at all.
    Unsigned,
    /// There are signatures, and none of them counts.
    Wrong { doubts: Vec<Doubt> },
    /// There is no key to check signatures by.
    NoKey,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("it was made by another key than those that are trusted, or of something else")]
    OtherKey,
    #[error("it is of other content: `{0}`")]
    OtherContent(String),
    #[error("it is for another name: `{0}`")]
    OtherName(String),
    #[error("it says something about the component (`{0}`), and not that it is signed")]
    Attestation(String),
    #[error("it was made without a key of its own (keyless), and such ones are not checked")]
    Keyless,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// What is not signed by a trusted key is not installed.
    #[default]
    Required,
    /// It is installed, and a warning is given.
    Warn,
    /// Nobody asks: no signature is even looked for.
    Off,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error(
        "`{0}` is not signed, and signatures are required\nhint: ask who publishes it to sign it (`pi-host plugin sign`, `cosign sign --key`); or allow it by the policy `warn`"
    )]
    Unsigned(String),
    #[error("`{name}` is not signed by a key that is trusted:{}\nhint: if the publisher has a new key, trust that key; otherwise do not use it", doubts_text(.doubts))]
    Wrong { name: String, doubts: Vec<Doubt> },
    #[error(
        "signatures are required, and no key is trusted, so `{0}` cannot be checked\nhint: name the publisher's public key, such as cosign.pub"
    )]
    NoKey(String),
}

impl SignaturePolicy {
    /// Whether it may be installed, and the warning to give.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(self, name: &str, verification: &Verification) -> Result<Option<String>, SignatureError> {
        let name = quoted(name);
        let error = match verification {
            Verification::Signed { .. } => return Ok(None),
            Verification::Unsigned => SignatureError::Unsigned(name.clone()),
            Verification::Wrong { doubts } => SignatureError::Wrong { name: name.clone(), doubts: doubts.clone() },
            Verification::NoKey => SignatureError::NoKey(name.clone()),
        };
        match (self, verification) {
            (Self::Off, _) => Ok(None),
            (Self::Required, _) => Err(error),
            // The worst of them, so the loudest: somebody signed it, and nobody who is trusted.
            (Self::Warn, Verification::Wrong { doubts }) => Ok(Some(format!(
                "WARNING: `{name}` HAS A SIGNATURE THAT IS WRONG:{}\nhint: do not use it before its publisher has said which key is theirs; the policy `required` would have refused it",
                doubts_text(doubts)
            ))),
            (Self::Warn, Verification::NoKey) => Ok(Some(format!(
                "`{name}` was not checked: no key is trusted\nhint: name the publisher's public key, such as cosign.pub"
            ))),
            (Self::Warn, _) => Ok(Some(format!("`{name}` is not signed: anybody may have made it"))),
        }
    }
}

fn doubts_text(doubts: &[Doubt]) -> String {
    doubts.iter().map(|doubt| format!("\n  a signature: {doubt}")).collect()
}

/// Look for signatures where the component is from, and check them.
///
/// # Errors
/// Whether there are some cannot be found out, or the bytes are not what the registry has. What is not
/// there is no error, but [`Verification::Unsigned`].
pub async fn verify(subject: &Subject<'_>, trust: &Trust, options: &FetchOptions) -> Result<Verification, FetchError> {
    if trust.keys.is_empty() {
        return Ok(Verification::NoKey);
    }
    let tries = match subject.source {
        Source::File(path) => beside::of_file(path, subject.bytes, trust),
        Source::Web(url) => beside::of_url(url, subject.bytes, trust, options).await,
        Source::Oci(reference) => attached::of(reference, subject, trust, options).await,
    };
    Ok(conclude(tries.map_err(|failure| failure.at(subject.source))?))
}

/// One signature that was found, with what it came to.
type Try = Result<Good, Doubt>;

/// A signature that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Good {
    key: Digest,
    scheme: Scheme,
    proof: Proof,
}

/// One good signature is enough: others may have signed as well.
fn conclude(tries: Vec<Try>) -> Verification {
    let mut doubts = Vec::new();
    let is_none = tries.is_empty();
    for one in tries {
        match one {
            Ok(Good { key, scheme, proof }) => return Verification::Signed { key, scheme, proof: Box::new(proof) },
            Err(doubt) if doubts.len() < DOUBTS_MAX => doubts.push(doubt),
            Err(_) => {}
        }
    }
    if is_none { Verification::Unsigned } else { Verification::Wrong { doubts } }
}

/// The key that made this signature, of those that are trusted.
fn signer(keys: &[PublicKey], message: &[u8], signature: &[u8]) -> Result<Digest, Doubt> {
    let key = keys.iter().find(|key| key.verifies(message, signature)).ok_or(Doubt::OtherKey)?;
    Ok(key.fingerprint().clone())
}

/// Base64 as tools write it: with the line's end.
fn base64(text: &str) -> Result<Vec<u8>, Doubt> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
    decoded.map_err(|_| Doubt::Unreadable("it is not base64".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Verification {
        Verification::Wrong { doubts: vec![Doubt::OtherKey] }
    }

    #[test]
    fn required_takes_what_is_signed_and_nothing_else() {
        let proof = Box::new(Proof::detached(b"s"));
        let signed = Verification::Signed { key: Digest::of(b"k"), scheme: Scheme::Cosign, proof };
        assert_eq!(SignaturePolicy::Required.judge("a", &signed), Ok(None));
        for other in [Verification::Unsigned, Verification::NoKey, wrong()] {
            assert!(SignaturePolicy::Required.judge("a", &other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_wrong_key_is_never_silent_under_warn() {
        let warning = SignaturePolicy::Warn.judge("a", &wrong()).unwrap().unwrap();
        assert!(warning.starts_with("WARNING") && warning.contains("another key"), "{warning}");
        assert!(SignaturePolicy::Warn.judge("a", &Verification::Unsigned).unwrap().is_some());
        assert!(SignaturePolicy::Warn.judge("a", &Verification::NoKey).unwrap().is_some());
        assert_eq!(SignaturePolicy::Off.judge("a", &wrong()), Ok(None));
    }

    #[test]
    fn one_good_signature_among_bad_ones_is_enough_and_doubts_are_few() {
        let good = Ok(Good { key: Digest::of(b"k"), scheme: Scheme::Bundle, proof: Proof::detached(b"s") });
        assert!(matches!(conclude(vec![Err(Doubt::OtherKey), good]), Verification::Signed { .. }));
        assert_eq!(conclude(vec![]), Verification::Unsigned);
        let many = (0..999).map(|_| Err(Doubt::Keyless)).collect();
        assert!(matches!(conclude(many), Verification::Wrong { doubts } if doubts.len() == DOUBTS_MAX));
    }
}
