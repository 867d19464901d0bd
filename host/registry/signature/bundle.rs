//! Sigstore's bundle: a signature of the content itself, or of a statement about it (DSSE). Pure.
//!
//! A statement may say anything: that the component has a hole, for one. Only cosign's own statement
//! that something is signed counts as a signature.

use serde::Deserialize;

use super::{Doubt, PublicKey, base64, signer};
use crate::registry::digest::Digest;
use crate::registry::quoted;

/// What the media types of all versions begin with.
pub(super) const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle";
const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";
const STATEMENT_KINDS: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];
/// Signatures of one statement, and things that it is about.
const SIGNATURES_MAX: usize = 16;
const SUBJECTS_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    #[serde(default)]
    verification_material: Material,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<Envelope>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<serde_json::Value>,
    x509_certificate_chain: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: Option<MessageDigest>,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate: String,
    subject: Vec<About>,
}

#[derive(Deserialize)]
struct About {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

/// The key that signed this content.
pub(super) fn check(json: &[u8], content: &[u8], keys: &[PublicKey]) -> Result<Digest, Doubt> {
    let bundle: Bundle = serde_json::from_slice(json).map_err(|_| unreadable("it is not a Sigstore bundle"))?;
    if !bundle.media_type.starts_with(BUNDLE_TYPE) {
        return Err(unreadable("it is not a Sigstore bundle"));
    }
    let checked = match (&bundle.message_signature, &bundle.dsse_envelope) {
        (Some(message), None) => check_message(message, content, keys),
        (None, Some(envelope)) => check_envelope(envelope, content, keys),
        _ => Err(unreadable("it has not one signature, of a message or of a statement")),
    };
    let Material { certificate, x509_certificate_chain } = &bundle.verification_material;
    let is_keyless = certificate.is_some() || x509_certificate_chain.is_some();
    checked.map_err(|doubt| if is_keyless && doubt == Doubt::OtherKey { Doubt::Keyless } else { doubt })
}

fn check_message(message: &MessageSignature, content: &[u8], keys: &[PublicKey]) -> Result<Digest, Doubt> {
    if let Some(MessageDigest { algorithm, digest }) = &message.message_digest {
        let found = crate::registry::digest::hex(&base64(digest)?);
        if algorithm != "SHA2_256" || found != Digest::of(content).hex() {
            return Err(Doubt::OtherContent(quoted(&format!("{algorithm}:{found}"))));
        }
    }
    signer(keys, content, &base64(&message.signature)?)
}

fn check_envelope(envelope: &Envelope, content: &[u8], keys: &[PublicKey]) -> Result<Digest, Doubt> {
    let payload = base64(&envelope.payload)?;
    let message = encoded(&envelope.payload_type, &payload);
    let mut key = Err(Doubt::OtherKey);
    for signature in envelope.signatures.iter().take(SIGNATURES_MAX) {
        key = key.or_else(|_| signer(keys, &message, &base64(&signature.sig)?));
    }
    let key = key?;
    if envelope.payload_type != STATEMENT_TYPE {
        return Err(Doubt::Attestation(quoted(&envelope.payload_type)));
    }
    let statement: Statement =
        serde_json::from_slice(&payload).map_err(|_| unreadable("what is signed is not an in-toto statement"))?;
    if !STATEMENT_KINDS.contains(&statement.kind.as_str()) {
        return Err(unreadable("what is signed is not an in-toto statement"));
    }
    if statement.predicate != SIGNED {
        return Err(Doubt::Attestation(quoted(&statement.predicate)));
    }
    let expected = Digest::of(content);
    let mut about = statement.subject.iter().take(SUBJECTS_MAX).filter_map(|about| about.digest.get("sha256"));
    if about.any(|digest| digest == expected.hex()) {
        return Ok(key);
    }
    let other = statement.subject.first().and_then(|about| about.digest.get("sha256"));
    Err(Doubt::OtherContent(quoted(other.map_or("nothing", String::as_str))))
}

/// What a DSSE signature is of: the type and the payload, each with its length, so that neither can
/// run into the other.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn unreadable(why: &str) -> Doubt {
    Doubt::Unreadable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;
    use crate::registry::signature::SecretKey;

    const CONTENT: &[u8] = b"content";

    fn statement(predicate: &str, content: &[u8]) -> Value {
        json!({ "_type": STATEMENT_KINDS[0], "subject": [{ "digest": { "sha256": Digest::of(content).hex() } }],
            "predicateType": predicate, "predicate": {} })
    }

    fn enveloped(key: &SecretKey, kind: &str, payload: &str) -> Value {
        let signature = key.sign(&encoded(kind, payload.as_bytes())).unwrap();
        json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "publicKey": { "hint": "x" }, "tlogEntries": [] },
            "dsseEnvelope": { "payload": STANDARD.encode(payload), "payloadType": kind,
                "signatures": [{ "sig": STANDARD.encode(signature), "keyid": "" }] } })
    }

    fn message(key: &SecretKey, content: &[u8]) -> Value {
        json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "messageSignature": { "signature": STANDARD.encode(key.sign(content).unwrap()),
                "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(hex(Digest::of(content).hex())) } } })
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn checked(bundle: &Value, key: &SecretKey) -> Result<Digest, Doubt> {
        check(bundle.to_string().as_bytes(), CONTENT, &[key.public().unwrap()])
    }

    #[test]
    fn the_encoding_is_the_one_of_the_specification() {
        assert_eq!(
            encoded("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_statement_and_a_message_of_the_content_count() {
        let key = SecretKey::generate().unwrap();
        let fingerprint = key.public().unwrap().fingerprint().clone();
        let statement = statement(SIGNED, CONTENT).to_string();
        assert_eq!(checked(&enveloped(&key, STATEMENT_TYPE, &statement), &key), Ok(fingerprint.clone()));
        assert_eq!(checked(&message(&key, CONTENT), &key), Ok(fingerprint));
    }

    #[test]
    fn a_statement_that_says_something_else_is_no_signature() {
        let key = SecretKey::generate().unwrap();
        for predicate in ["https://cosign.sigstore.dev/attestation/vuln/v1", "https://slsa.dev/provenance/v1"] {
            let bundle = enveloped(&key, STATEMENT_TYPE, &statement(predicate, CONTENT).to_string());
            assert_eq!(checked(&bundle, &key), Err(Doubt::Attestation(predicate.into())));
        }
        let bundle = enveloped(&key, "text/plain", &statement(SIGNED, CONTENT).to_string());
        assert!(matches!(checked(&bundle, &key), Err(Doubt::Attestation(_))));
    }

    #[test]
    fn other_content_and_other_keys_do_not_count() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let bundle = enveloped(&key, STATEMENT_TYPE, &statement(SIGNED, b"other").to_string());
        assert!(matches!(checked(&bundle, &key), Err(Doubt::OtherContent(_))));
        assert_eq!(checked(&bundle, &other), Err(Doubt::OtherKey));
        assert!(matches!(checked(&message(&key, b"other"), &key), Err(Doubt::OtherContent(_))));
        let mut lying = message(&key, b"other");
        lying["messageSignature"]["messageDigest"] =
            message(&key, CONTENT)["messageSignature"]["messageDigest"].clone();
        assert_eq!(checked(&lying, &key), Err(Doubt::OtherKey));
        let mut changed = enveloped(&key, STATEMENT_TYPE, &statement(SIGNED, b"other").to_string());
        changed["dsseEnvelope"]["payload"] = STANDARD.encode(statement(SIGNED, CONTENT).to_string()).into();
        assert_eq!(checked(&changed, &key), Err(Doubt::OtherKey));
    }

    #[test]
    fn what_was_signed_without_a_key_is_said_to_be_so() {
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let mut bundle = message(&other, CONTENT);
        bundle["verificationMaterial"] = json!({ "certificate": { "rawBytes": "AAAA" } });
        assert_eq!(checked(&bundle, &key), Err(Doubt::Keyless));
    }

    #[test]
    fn what_is_no_bundle_or_two_in_one_is_unreadable() {
        let key = SecretKey::generate().unwrap();
        let mut both = message(&key, CONTENT);
        both["dsseEnvelope"] = enveloped(&key, STATEMENT_TYPE, "{}")["dsseEnvelope"].clone();
        let mut other = message(&key, CONTENT);
        other["mediaType"] = "text/plain".into();
        let none = json!({ "mediaType": BUNDLE_TYPE });
        let many = enveloped(&key, STATEMENT_TYPE, "[]");
        for bundle in [both, other, none, many, json!([])] {
            assert!(matches!(checked(&bundle, &key), Err(Doubt::Unreadable(_))), "{bundle}");
        }
    }
}
