//! A signature as it was found, such that it can be checked again without asking anybody.
//!
//! A lock that says "signed by this key" is a word, which whoever can write to the lock can write too. The
//! signature itself is kept beside the component, and proves it by the key alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Doubt, PublicKey, Subject, Trust, attached, beside, bundle, cosign};
use crate::registry::digest::Digest;
use crate::registry::oci::{Found, component_or_index};
use crate::registry::source::Source;

/// Longest proof that is read: a bundle and a manifest in base64, with room.
pub const PROOF_BYTES_MAX: u64 = 16 << 20;

/// What was signed, as far as it is not the component itself, and the signature. Bytes are in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    Detached {
        signature: String,
    },
    /// Of the component's bytes or, in a registry, of the manifest that names them.
    Bundle {
        bundle: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manifest: Option<String>,
    },
    Cosign {
        payload: String,
        signature: String,
        manifest: String,
    },
}

impl Proof {
    pub(super) fn detached(signature: &[u8]) -> Self {
        Self::Detached { signature: STANDARD.encode(signature) }
    }

    pub(super) fn bundle(bundle: &[u8], manifest: Option<&[u8]>) -> Self {
        Self::Bundle { bundle: STANDARD.encode(bundle), manifest: manifest.map(|bytes| STANDARD.encode(bytes)) }
    }

    pub(super) fn cosign(payload: &[u8], signature: &str, manifest: &[u8]) -> Self {
        let signature = signature.to_owned();
        Self::Cosign { payload: STANDARD.encode(payload), signature, manifest: STANDARD.encode(manifest) }
    }

    /// The key that signed this component, of those that are trusted.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn check(&self, subject: &Subject<'_>, trust: &Trust) -> Result<Digest, Doubt> {
        let keys: &[PublicKey] = &trust.keys;
        match self {
            Self::Detached { signature } => beside::check(&decoded(signature)?, subject.bytes, keys),
            Self::Bundle { bundle, manifest: None } => bundle::check(&decoded(bundle)?, subject.bytes, keys),
            Self::Bundle { bundle, manifest: Some(manifest) } => {
                let manifest = decoded(manifest)?;
                names_component(&manifest, subject)?;
                bundle::check(&decoded(bundle)?, &manifest, keys)
            }
            Self::Cosign { payload, signature, manifest } => {
                let manifest = decoded(manifest)?;
                let digest = names_component(&manifest, subject)?;
                let Source::Oci(reference) = subject.source else {
                    return Err(Doubt::OtherName(subject.source.to_string()));
                };
                let name = trust.signed_as.clone().unwrap_or_else(|| attached::name(reference));
                cosign::check(&decoded(payload)?, signature, keys, &name, &digest)
            }
        }
    }
}

/// The digest of a manifest that is the one which was fetched, and which names the component. An index names
/// it by way of another manifest, which was looked at when it was fetched.
fn names_component(manifest: &[u8], subject: &Subject<'_>) -> Result<Digest, Doubt> {
    let digest = Digest::of(manifest);
    if subject.manifest_digest != Some(&digest) {
        return Err(Doubt::OtherContent(digest.to_string()));
    }
    match component_or_index(manifest) {
        Ok(Found::Layer(layer)) if layer.digest != Digest::of(subject.bytes) => {
            Err(Doubt::OtherContent(layer.digest.to_string()))
        }
        Ok(_) => Ok(digest),
        Err(error) => Err(Doubt::Unreadable(error.to_string())),
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Doubt> {
    super::base64(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::signature::{SecretKey, sign_bytes};

    #[test]
    fn what_is_kept_proves_the_same_bytes_by_the_same_key_alone() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let trust = |key: &SecretKey| Trust { keys: vec![key.public().unwrap()], signed_as: None };
        let source = Source::parse("tool.wasm").unwrap();
        let subject = |bytes| Subject { source: &source, bytes, manifest_digest: None };
        let proof = Proof::detached(sign_bytes(b"bytes", &key).unwrap().as_bytes());
        let text = serde_json::to_string(&proof).unwrap();
        let proof: Proof = serde_json::from_str(&text).unwrap();
        assert_eq!(proof.check(&subject(b"bytes"), &trust(&key)).as_ref(), Ok(key.public().unwrap().fingerprint()));
        assert_eq!(proof.check(&subject(b"other"), &trust(&key)), Err(Doubt::OtherKey));
        assert_eq!(proof.check(&subject(b"bytes"), &trust(&other)), Err(Doubt::OtherKey));
    }

    #[test]
    fn a_manifest_that_is_another_or_names_another_component_proves_nothing() {
        let key = SecretKey::generate().unwrap();
        let trust = Trust { keys: vec![key.public().unwrap()], signed_as: None };
        let source = Source::parse("oci://r.example/a/tool:1").unwrap();
        let manifest = format!(
            r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/wasm","digest":"{}","size":5}}]}}"#,
            Digest::of(b"bytes")
        );
        let payload = cosign::payload("r.example/a/tool", &Digest::of(manifest.as_bytes())).unwrap();
        let signature = STANDARD.encode(key.sign(&payload).unwrap());
        let proof = Proof::cosign(&payload, &signature, manifest.as_bytes());
        let digest = Digest::of(manifest.as_bytes());
        let check = |source: &Source, bytes: &[u8], manifest_digest: &Digest| {
            proof.check(&Subject { source, bytes, manifest_digest: Some(manifest_digest) }, &trust)
        };
        assert!(check(&source, b"bytes", &digest).is_ok());
        assert!(matches!(check(&source, b"other", &digest), Err(Doubt::OtherContent(_))));
        assert!(matches!(check(&source, b"bytes", &Digest::of(b"m")), Err(Doubt::OtherContent(_))));
        let elsewhere = Source::parse("oci://r.example/b/tool:1").unwrap();
        assert!(matches!(check(&elsewhere, b"bytes", &digest), Err(Doubt::OtherName(_))));
    }
}
