//! Keys: ECDSA on P-256, as cosign makes them, and Ed25519, which is simpler and made here.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::registry::atomic;
use crate::registry::digest::Digest;
use crate::registry::quoted;

/// Longest key. Danger: memory, for what is a few lines.
const PEM_BYTES_MAX: usize = 16 << 10;

/// What stands before the point of a P-256 key in its SubjectPublicKeyInfo: DER has one way to write it.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same for Ed25519.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// An uncompressed point: 4, and two coordinates.
const P256_POINT_BYTES: usize = 65;
const ED25519_BYTES: usize = 32;

/// A key that signatures are checked by.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    raw: Vec<u8>,
    fingerprint: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    Ed25519,
}

/// A key that signs. `Debug` prints `[redacted]`.
pub struct SecretKey(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("`{}` cannot be read: {why}", path.display())]
    Read { path: PathBuf, why: io::Error },
    #[error("`{}` cannot be written: {why}\nhint: a key that is there is not overwritten: name another file, or remove it if nobody needs it", path.display())]
    Write { path: PathBuf, why: io::Error },
    #[error("the secret key `{}` can be read by others\nhint: `chmod 600` it, and make a new one if somebody may have read it", .0.display())]
    NotSecret(PathBuf),
    #[error("the key is longer than {PEM_BYTES_MAX} bytes")]
    TooLong,
    #[error(
        "this is not a key: {0}\nhint: a key is PEM, `-----BEGIN PUBLIC KEY-----` or `-----BEGIN PRIVATE KEY-----`"
    )]
    NotPem(&'static str),
    #[error(
        "this is a secret key, and a public one is needed\nhint: cosign writes it to cosign.pub; from another, `openssl pkey -in KEY -pubout`"
    )]
    SecretForPublic,
    #[error("this is a public key, and signing needs the secret one")]
    PublicForSecret,
    #[error(
        "keys of this kind are not supported: `{0}`\nhint: ECDSA on P-256 (as `cosign generate-key-pair` makes it) and Ed25519 (as `pi-host plugin keygen` makes it) are"
    )]
    Kind(String),
    #[error(
        "the key is encrypted by cosign, and such keys are not opened here\nhint: push without signing and then `cosign sign --key cosign.key NAME@DIGEST`, which is verified here by cosign.pub; or make a key with `pi-host plugin keygen`"
    )]
    CosignEncrypted,
    #[error(
        "the key is encrypted, and there is nobody to ask for its password\nhint: `openssl pkcs8 -topk8 -nocrypt -in KEY -out KEY.plain`, and keep that one safe"
    )]
    Encrypted,
    #[error("the key is of an older form: `{0}`\nhint: `openssl pkcs8 -topk8 -nocrypt -in KEY -out KEY.pkcs8`")]
    OldForm(String),
    #[error("the key is broken: {0}")]
    Broken(&'static str),
    #[error("signing failed: {0}")]
    Signing(&'static str),
}

impl PublicKey {
    /// # Errors
    /// It is not a key that signatures can be checked by; what it is instead.
    pub fn parse(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = read_pem(pem)?;
        match label {
            "PUBLIC KEY" => Self::from_der(&der),
            label if label.ends_with("PRIVATE KEY") => Err(KeyError::SecretForPublic),
            label => Err(KeyError::Kind(quoted(label))),
        }
    }

    /// # Errors
    /// The file cannot be read, or is no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse(&read(&open(path)?, path)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let (kind, raw) = if let Some(point) = der.strip_prefix(&P256_PREFIX) {
            if point.len() != P256_POINT_BYTES || point.first() != Some(&4) {
                return Err(KeyError::Broken("it is not an uncompressed point of P-256"));
            }
            (Kind::P256, point)
        } else if let Some(raw) = der.strip_prefix(&ED25519_PREFIX) {
            if raw.len() != ED25519_BYTES {
                return Err(KeyError::Broken("it does not have the 32 bytes of Ed25519"));
            }
            (Kind::Ed25519, raw)
        } else {
            return Err(KeyError::Kind("PUBLIC KEY of another algorithm or curve".into()));
        };
        Ok(Self { kind, raw: raw.to_vec(), fingerprint: Digest::of(der) })
    }

    /// The digest of the whole key in DER, as `openssl pkey -pubin -outform DER | sha256sum` has it.
    #[must_use]
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// The name of its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::P256 => "ECDSA P-256",
            Kind::Ed25519 => "Ed25519",
        }
    }

    /// The key as a file has it.
    #[must_use]
    pub fn pem(&self) -> String {
        write_pem("PUBLIC KEY", &self.der())
    }

    /// Whether this key made this signature of this message: over P-256, ECDSA with SHA-256 in DER; the
    /// pure form of Ed25519.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind {
            Kind::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.raw).verify(message, signature),
            Kind::Ed25519 => UnparsedPublicKey::new(&ED25519, &self.raw).verify(message, signature),
        };
        verified.is_ok()
    }

    fn der(&self) -> Vec<u8> {
        let prefix: &[u8] = match self.kind {
            Kind::P256 => &P256_PREFIX,
            Kind::Ed25519 => &ED25519_PREFIX,
        };
        [prefix, &self.raw].concat()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.fingerprint)
    }
}

impl SecretKey {
    /// A new Ed25519 key.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Signing("there are no random numbers"))?;
        Ok(Self(Pair::Ed25519(pair)))
    }

    /// # Errors
    /// It is not a key that can sign; what it is instead, and what to do.
    pub fn parse(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = read_pem(pem)?;
        match label {
            "PRIVATE KEY" => {}
            "ENCRYPTED COSIGN PRIVATE KEY" | "ENCRYPTED SIGSTORE PRIVATE KEY" => return Err(KeyError::CosignEncrypted),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            "EC PRIVATE KEY" => return Err(KeyError::OldForm(quoted(label))),
            "PUBLIC KEY" => return Err(KeyError::PublicForSecret),
            label => return Err(KeyError::Kind(quoted(label))),
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(&der) {
            return Ok(Self(Pair::Ed25519(pair)));
        }
        match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der) {
            Ok(pair) => Ok(Self(Pair::P256(pair))),
            Err(_) => Err(KeyError::Kind("PRIVATE KEY of another algorithm or curve, or a broken one".into())),
        }
    }

    /// # Errors
    /// The file cannot be read, others can read it too, or it is no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = open(path)?;
        let metadata = file.metadata().map_err(|why| KeyError::Read { path: path.to_owned(), why })?;
        if metadata.mode() & 0o077 != 0 {
            return Err(KeyError::NotSecret(path.to_owned()));
        }
        Self::parse(&read(&file, path)?)
    }

    /// The key that checks what this one signs.
    ///
    /// # Errors
    /// The key is broken.
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        match &self.0 {
            Pair::P256(pair) => PublicKey::from_der(&[&P256_PREFIX, pair.public_key().as_ref()].concat()),
            Pair::Ed25519(pair) => PublicKey::from_der(&[&ED25519_PREFIX, pair.public_key().as_ref()].concat()),
        }
    }

    /// # Errors
    /// The system has no random numbers.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0 {
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                Ok(signature.map_err(|_| KeyError::Signing("there are no random numbers"))?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// The secret, as a file has it. The first version of the form, which every tool reads.
    fn pem(&self) -> Result<String, KeyError> {
        let failed = |_| KeyError::Broken("it cannot be written");
        let der = match &self.0 {
            Pair::P256(pair) => pair.to_pkcs8v1().map_err(failed)?,
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(failed)?,
        };
        Ok(write_pem("PRIVATE KEY", der.as_ref()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Make a new Ed25519 key and write both halves to files that are not there yet; the secret one is for
/// its owner alone.
///
/// # Errors
/// One of the files is there, or cannot be written. Neither is left then.
pub fn write_new_pair(secret: &Path, public: &Path) -> Result<PublicKey, KeyError> {
    let key = SecretKey::generate()?;
    let half = key.public()?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| KeyError::Write { path, why }
    };
    atomic::write_new(secret, key.pem()?.as_bytes(), 0o600).map_err(failed(secret))?;
    if let Err(why) = atomic::write_new(public, half.pem().as_bytes(), 0o644) {
        // Without the public half the secret one is of no use, and the next attempt would find it there.
        let _ = fs::remove_file(secret);
        return Err(failed(public)(why));
    }
    Ok(half)
}

fn open(path: &Path) -> Result<File, KeyError> {
    let failed = |why| KeyError::Read { path: path.to_owned(), why };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a file")));
    }
    File::open(path).map_err(failed)
}

fn read(file: &File, path: &Path) -> Result<String, KeyError> {
    let mut bytes = Vec::new();
    let max = u64::try_from(PEM_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(max).read_to_end(&mut bytes).map_err(|why| KeyError::Read { path: path.to_owned(), why })?;
    String::from_utf8(bytes).map_err(|_| KeyError::NotPem("it is not text"))
}

/// The one block of a PEM file: its label and what is in it.
fn read_pem(text: &str) -> Result<(&str, Vec<u8>), KeyError> {
    if text.len() > PEM_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(KeyError::NotPem("it has no `-----BEGIN`"))?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::NotPem("its first line does not end"))?;
    let (body, rest) = rest.split_once("-----END ").ok_or(KeyError::NotPem("it has no `-----END`: it is cut short"))?;
    if !rest.starts_with(&format!("{label}-----")) {
        return Err(KeyError::NotPem("it ends as something else than it began"));
    }
    if rest.contains("-----BEGIN ") {
        return Err(KeyError::NotPem("there is more than one key in it"));
    }
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match STANDARD.decode(body) {
        Ok(der) => Ok((label, der)),
        // An encrypted block of an older form has lines of its own before the base64.
        Err(_) if label == "EC PRIVATE KEY" => Ok((label, Vec::new())),
        Err(_) => Err(KeyError::NotPem("what is in it is not base64")),
    }
}

fn write_pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, letter) in STANDARD.encode(der).chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_generated_pair_signs_and_verifies_and_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = (folder.path().join("a.key"), folder.path().join("a.pub"));
        let made = write_new_pair(&secret, &public).unwrap();
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        let (key, half) = (SecretKey::read(&secret).unwrap(), PublicKey::read(&public).unwrap());
        assert_eq!((&half, half.algorithm()), (&made, "Ed25519"));
        let signature = key.sign(b"message").unwrap();
        assert!(half.verifies(b"message", &signature) && !half.verifies(b"massage", &signature));
        let said = write_new_pair(&secret, &public).unwrap_err().to_string();
        assert!(said.contains("is not overwritten"), "{said}");
        assert_eq!(PublicKey::read(&public).unwrap(), made);
    }

    #[test]
    fn when_the_public_half_cannot_be_written_the_secret_one_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("a.key");
        assert!(write_new_pair(&secret, &folder.path().join("none/a.pub")).is_err());
        assert!(!secret.exists());
    }

    #[test]
    fn a_secret_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = (folder.path().join("a.key"), folder.path().join("a.pub"));
        write_new_pair(&secret, &public).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SecretKey::read(&secret), Err(KeyError::NotSecret(_))));
    }

    #[test]
    fn other_kinds_of_keys_are_refused_by_name() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let secret = |label: &str| SecretKey::parse(&block(label)).unwrap_err().to_string();
        let public = |label: &str| PublicKey::parse(&block(label)).unwrap_err().to_string();
        assert!(secret("ENCRYPTED COSIGN PRIVATE KEY").contains("cosign sign --key"));
        assert!(secret("ENCRYPTED SIGSTORE PRIVATE KEY").contains("cosign sign --key"));
        assert!(secret("ENCRYPTED PRIVATE KEY").contains("openssl pkcs8"));
        assert!(secret("EC PRIVATE KEY").contains("openssl pkcs8"));
        assert!(secret("PUBLIC KEY").contains("the secret one"));
        assert!(secret("RSA PRIVATE KEY").contains("not supported"));
        assert!(secret("PRIVATE KEY").contains("another algorithm"));
        assert!(public("PRIVATE KEY").contains("a public one is needed"));
        assert!(public("ENCRYPTED COSIGN PRIVATE KEY").contains("a public one is needed"));
        assert!(public("CERTIFICATE").contains("not supported"));
        assert!(public("PUBLIC KEY").contains("another algorithm"));
    }

    #[test]
    fn what_is_no_pem_is_refused() {
        let pem = SecretKey::generate().unwrap().public().unwrap().pem();
        assert!(PublicKey::parse(&pem).is_ok());
        let long = "x".repeat(PEM_BYTES_MAX + 1);
        let twice = format!("{pem}{pem}");
        let (cut, other, letters) = (&pem[..60], pem.replace("END PUBLIC", "END PRIVATE"), pem.replace("MC", "!!"));
        for text in ["", "ssh-ed25519 AAAA", &long, &twice, cut, &other, &letters, "-----BEGIN "] {
            assert!(PublicKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", SecretKey::generate().unwrap()), "[redacted]");
    }
}
