//! Signatures that lie beside a component: `X.wasm.sig` and `X.wasm.sigstore.json`.

use std::io;
use std::path::Path;

use reqwest::Url;

use super::{Doubt, Good, KeyError, Proof, PublicKey, Scheme, SecretKey, Trust, Try, base64, bundle, signer};
use crate::registry::fetch::{Failure, FetchOptions, download, read_file};
use crate::registry::web::Web;

/// Longest signature or bundle.
const SIGNATURE_BYTES_MAX: u64 = 256 << 10;

const SIGNATURE: &str = ".sig";
const BUNDLE: &str = ".sigstore.json";

/// The text of a `.sig` file, as `cosign sign-blob --key` writes it.
///
/// # Errors
/// The system has no random numbers.
pub fn sign_bytes(bytes: &[u8], key: &SecretKey) -> Result<String, KeyError> {
    use ::base64::Engine as _;
    Ok(::base64::engine::general_purpose::STANDARD.encode(key.sign(bytes)?) + "\n")
}

pub(super) fn of_file(path: &Path, bytes: &[u8], trust: &Trust) -> Result<Vec<Try>, Failure> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match read_file(Path::new(&name), SIGNATURE_BYTES_MAX) {
            Ok(found) => Ok(Some(found)),
            Err(Failure::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    };
    Ok(tries(beside(SIGNATURE)?, beside(BUNDLE)?, bytes, &trust.keys))
}

pub(super) async fn of_url(
    url: &Url,
    bytes: &[u8],
    trust: &Trust,
    options: &FetchOptions,
) -> Result<Vec<Try>, Failure> {
    let web = Web::new(url, options)?;
    let beside = async |ending: &str| {
        let mut url = url.clone();
        url.set_path(&format!("{}{ending}", url.path()));
        match download(&web, &url, SIGNATURE_BYTES_MAX, &mut |_| {}).await {
            Ok(found) => Ok(Some(found)),
            // A store of files that may not be listed says so of what is not there.
            Err(Failure::NotFound { .. } | Failure::Status { status: 403, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    };
    Ok(tries(beside(SIGNATURE).await?, beside(BUNDLE).await?, bytes, &trust.keys))
}

fn tries(signature: Option<Vec<u8>>, bundle: Option<Vec<u8>>, bytes: &[u8], keys: &[PublicKey]) -> Vec<Try> {
    let good = |key, scheme, proof| Good { key, scheme, proof };
    let signature =
        signature.map(|found| Ok(good(check(&found, bytes, keys)?, Scheme::Detached, Proof::detached(&found))));
    let bundle =
        bundle.map(|found| Ok(good(bundle::check(&found, bytes, keys)?, Scheme::Bundle, Proof::bundle(&found, None))));
    [signature, bundle].into_iter().flatten().collect()
}

/// A signature as it is, or in base64.
pub(super) fn check(
    signature: &[u8],
    bytes: &[u8],
    keys: &[PublicKey],
) -> Result<crate::registry::digest::Digest, Doubt> {
    let decoded = std::str::from_utf8(signature).ok().and_then(|text| base64(text).ok());
    signer(keys, bytes, decoded.as_deref().unwrap_or(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_in_base64_and_as_it_is() {
        let key = SecretKey::generate().unwrap();
        let keys = [key.public().unwrap()];
        let text = sign_bytes(b"bytes", &key).unwrap();
        assert!(check(text.as_bytes(), b"bytes", &keys).is_ok());
        assert!(check(&key.sign(b"bytes").unwrap(), b"bytes", &keys).is_ok());
        assert_eq!(check(text.as_bytes(), b"other", &keys), Err(Doubt::OtherKey));
        assert_eq!(check(b"", b"bytes", &keys), Err(Doubt::OtherKey));
    }

    #[test]
    fn a_file_is_unsigned_signed_or_signed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.wasm");
        let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let trust = Trust { keys: vec![key.public().unwrap()], signed_as: None };
        assert!(of_file(&path, b"bytes", &trust).unwrap().is_empty());
        let beside = folder.path().join("tool.wasm.sig");
        std::fs::write(&beside, sign_bytes(b"bytes", &other).unwrap()).unwrap();
        assert_eq!(of_file(&path, b"bytes", &trust).unwrap(), [Err(Doubt::OtherKey)]);
        std::fs::write(&beside, sign_bytes(b"bytes", &key).unwrap()).unwrap();
        assert!(matches!(
            of_file(&path, b"bytes", &trust).unwrap().as_slice(),
            [Ok(Good { scheme: Scheme::Detached, .. })]
        ));
        // A signature that cannot be read is not taken for none.
        std::fs::write(&beside, vec![b'x'; 1 << 20]).unwrap();
        assert!(of_file(&path, b"bytes", &trust).is_err());
    }
}
