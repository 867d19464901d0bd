//! cosign's first form: a small JSON that names the manifest, and a signature of that JSON. Pure.

use serde::{Deserialize, Serialize};

use super::{Doubt, PublicKey, base64, signer};
use crate::registry::digest::Digest;
use crate::registry::quoted;

pub(super) const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const KIND: &str = "cosign container image signature";

#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// What is signed: this manifest, under this name.
pub(super) fn payload(name: &str, manifest: &Digest) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Payload {
        critical: Critical {
            identity: Identity { reference: normal_name(name) },
            image: Image { digest: manifest.to_string() },
            kind: KIND.to_owned(),
        },
        optional: None,
    })
}

/// The key that signed this manifest under this name.
pub(super) fn check(
    payload: &[u8],
    signature: &str,
    keys: &[PublicKey],
    name: &str,
    manifest: &Digest,
) -> Result<Digest, Doubt> {
    // Nothing is read of what nobody signed.
    let key = signer(keys, payload, &base64(signature)?)?;
    let unreadable = |_| Doubt::Unreadable("what is signed is not cosign's JSON".into());
    let Payload { critical: Critical { identity, image, kind }, .. } =
        serde_json::from_slice(payload).map_err(unreadable)?;
    if kind != KIND {
        return Err(Doubt::Attestation(quoted(&kind)));
    }
    if image.digest != manifest.to_string() {
        return Err(Doubt::OtherContent(quoted(&image.digest)));
    }
    // Danger: what was signed as one tool is handed out under the name of another.
    if normal_name(&identity.reference) != normal_name(name) {
        return Err(Doubt::OtherName(quoted(&identity.reference)));
    }
    Ok(key)
}

/// The name without a tag and a digest, which cosign writes in some versions; Docker Hub by one name.
pub(super) fn normal_name(reference: &str) -> String {
    let name = reference.split('@').next().unwrap_or_default();
    let name = match name.rsplit_once(':') {
        // A colon before the last slash is one of a port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    match name.strip_prefix("docker.io/") {
        Some(rest) => format!("index.docker.io/{rest}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::registry::signature::SecretKey;

    const NAME: &str = "ghcr.io/me/tool";

    fn signed(payload: &[u8]) -> (Vec<PublicKey>, String) {
        let key = SecretKey::generate().unwrap();
        (vec![key.public().unwrap()], STANDARD.encode(key.sign(payload).unwrap()))
    }

    #[test]
    fn the_payload_is_cosign_s_to_the_byte() {
        let digest = Digest::of(b"m");
        let expected = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"{NAME}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        assert_eq!(String::from_utf8(payload(NAME, &digest).unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_signature_counts_for_its_manifest_its_name_and_its_key_alone() {
        let digest = Digest::of(b"m");
        let text = payload(NAME, &digest).unwrap();
        let (keys, signature) = signed(&text);
        let with = |name: &str, digest: &Digest| check(&text, &signature, &keys, name, digest);
        assert_eq!(with(NAME, &digest), Ok(keys[0].fingerprint().clone()));
        assert!(matches!(with("ghcr.io/me/other", &digest), Err(Doubt::OtherName(_))));
        assert!(matches!(with(NAME, &Digest::of(b"n")), Err(Doubt::OtherContent(_))));
        let (others, _) = signed(&text);
        assert_eq!(check(&text, &signature, &others, NAME, &digest), Err(Doubt::OtherKey));
        assert!(matches!(check(&text, "%%", &keys, NAME, &digest), Err(Doubt::Unreadable(_))));
        let mut changed = text.clone();
        changed[20] ^= 1;
        assert_eq!(check(&changed, &signature, &keys, NAME, &digest), Err(Doubt::OtherKey));
    }

    #[test]
    fn what_is_signed_as_something_else_does_not_count() {
        let digest = Digest::of(b"m");
        let text = String::from_utf8(payload(NAME, &digest).unwrap()).unwrap();
        for text in [text.replace(KIND, "a promise"), "[]".into(), "{".into()] {
            let (keys, signature) = signed(text.as_bytes());
            assert!(check(text.as_bytes(), &signature, &keys, NAME, &digest).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_the_same_with_a_tag_a_digest_and_a_port() {
        for (one, other) in [
            ("ghcr.io/me/tool:1.0.0", NAME),
            ("ghcr.io/me/tool@sha256:00", NAME),
            ("ghcr.io/me/tool:1@sha256:00", NAME),
            ("docker.io/me/tool", "index.docker.io/me/tool"),
            ("localhost:5000/tool", "localhost:5000/tool:1"),
        ] {
            assert_eq!(normal_name(one), normal_name(other), "{one}");
        }
        assert_ne!(normal_name("localhost:5000/tool"), normal_name("localhost:5001/tool"));
    }
}
