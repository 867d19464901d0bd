//! Whose plugins are trusted: `[signatures]` of `pi.toml`, held against what was fetched and against
//! what the lock remembers.

use crate::config::{Project, SignaturesPolicy};
use crate::registry::fetch::{FetchError, FetchOptions, Fetched};
use crate::registry::lock::{Locked, LockedSignature};
use crate::registry::signature::{
    KeyError, Proof, PublicKey, SignatureError, SignaturePolicy, Subject, Trust, Verification, verify,
};
use crate::registry::store::Store;

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("[signatures] keys: {0}")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(
        "plugin `{name}` is not signed by a key that is trusted now, and signatures are required: {is}\nhint: `pi-host plugin update {name}` looks for a signature again; [signatures] in pi.toml says what is trusted"
    )]
    NotHeld { name: String, is: String },
    #[error(
        "the signature of plugin `{name}` does not prove what plugins.lock says of it: {is}\nhint: remove the component, and fetch what plugins.lock names again: `pi-host plugin install`; it is checked then"
    )]
    NotProven { name: String, is: String },
}

/// What its signature came to.
#[derive(Clone, Debug)]
pub struct Standing {
    pub verification: Verification,
    /// What a person has to be told.
    pub warning: Option<String>,
}

impl Standing {
    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.verification {
            Verification::Signed { key, scheme, .. } => format!("signed ({}) by key {key}", scheme.name()),
            Verification::Unsigned => "not signed".into(),
            Verification::Wrong { .. } => "WRONGLY SIGNED".into(),
            Verification::NoKey if self.warning.is_none() => "not checked: [signatures] policy is `off`".into(),
            Verification::NoKey => "not checked: no key is trusted".into(),
        }
    }

    /// The signature, to be kept beside the component.
    pub(super) fn proof(&self) -> Option<Vec<u8>> {
        match &self.verification {
            Verification::Signed { proof, .. } => serde_json::to_vec(proof).ok(),
            _ => None,
        }
    }

    pub(super) fn locked(&self) -> Option<LockedSignature> {
        match &self.verification {
            Verification::Signed { key, scheme, .. } => {
                Some(LockedSignature { scheme: scheme.name().to_owned(), key: key.clone() })
            }
            _ => None,
        }
    }
}

/// Check what was fetched.
///
/// # Errors
/// The policy does not let it through, a key cannot be read, or whether there is a signature cannot be
/// found out.
pub(super) async fn standing(
    project: &Project,
    name: &str,
    fetched: &Fetched,
    options: &FetchOptions,
) -> Result<Standing, TrustError> {
    let policy = policy(project);
    if policy == SignaturePolicy::Off {
        return Ok(Standing { verification: Verification::NoKey, warning: None });
    }
    let trust = trust(project)?;
    let verification = verify(&Subject::from(fetched), &trust, options).await?;
    let warning = policy.judge(name, &verification)?;
    Ok(Standing { verification, warning })
}

/// Whether what the lock remembers is enough for the policy of now.
///
/// # Errors
/// It is not.
pub(in crate::app) fn held(project: &Project, locked: &Locked) -> Result<(), TrustError> {
    if policy(project) != SignaturePolicy::Required {
        return Ok(());
    }
    let keys = trust(project)?.keys;
    let is = match &locked.signature {
        Some(signature) if keys.iter().any(|key| *key.fingerprint() == signature.key) => return Ok(()),
        Some(signature) => format!("it was signed by {}", signature.key),
        None => "it was installed without a signature".to_owned(),
    };
    Err(TrustError::NotHeld { name: locked.name.clone(), is })
}

/// Check the signature again that was kept of an installed component: whether it was, which it was not where
/// nobody wants to know or no key is trusted.
///
/// # Errors
/// It does not prove what the lock says.
pub(super) fn proven(project: &Project, locked: &Locked, store: &Store) -> Result<bool, TrustError> {
    let Some(signature) = &locked.signature else { return Ok(false) };
    if policy(project) == SignaturePolicy::Off {
        return Ok(false);
    }
    let trust = trust(project)?;
    if trust.keys.is_empty() {
        return Ok(false);
    }
    let not = |is: String| TrustError::NotProven { name: locked.name.clone(), is };
    let kept = store.proof(&locked.digest).map_err(|error| not(error.to_string()))?;
    let kept = kept.ok_or_else(|| not("it is not in the store".into()))?;
    let proof: Proof = serde_json::from_slice(&kept).map_err(|_| not("what is kept of it cannot be read".into()))?;
    let bytes = store.get(&locked.digest).map_err(|error| not(error.to_string()))?;
    let subject = Subject { source: &locked.source, bytes: &bytes, manifest_digest: locked.manifest_digest.as_ref() };
    let key = proof.check(&subject, &trust).map_err(|doubt| not(doubt.to_string()))?;
    if key != signature.key {
        return Err(not(format!("plugins.lock says that it was made by {}, and it was by {key}", signature.key)));
    }
    Ok(true)
}

fn policy(project: &Project) -> SignaturePolicy {
    let config = &project.config.signatures;
    match config.policy {
        Some(SignaturesPolicy::Required) => SignaturePolicy::Required,
        Some(SignaturesPolicy::Warn) => SignaturePolicy::Warn,
        Some(SignaturesPolicy::Off) => SignaturePolicy::Off,
        // Who names keys wants them to count.
        None if config.keys.is_empty() => SignaturePolicy::Warn,
        None => SignaturePolicy::Required,
    }
}

fn trust(project: &Project) -> Result<Trust, TrustError> {
    let config = &project.config.signatures;
    let keys = config.keys.iter().map(|file| PublicKey::read(&project.directory.join(file)));
    Ok(Trust { keys: keys.collect::<Result<Vec<_>, _>>()?, signed_as: config.signed_as.clone() })
}
