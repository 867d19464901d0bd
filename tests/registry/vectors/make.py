"""Make the vectors of this folder: python3 make.py (needs openssl, and `cryptography` from PyPI)."""

import base64
import hashlib
import json
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = Path(__file__).parent
NAME = "ghcr.io/example/tool"


def openssl(*args):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=HERE).stdout


def write(name, data):
    (HERE / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# Keys: P-256 as `cosign generate-key-pair` writes its public half; Ed25519 of openssl.
openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "p256.key")
openssl("pkey", "-in", "p256.key", "-pubout", "-out", "p256.pub")
openssl("genpkey", "-algorithm", "ED25519", "-out", "ed25519.key")
openssl("pkey", "-in", "ed25519.key", "-pubout", "-out", "ed25519.pub")
openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "other.key")
openssl("pkey", "-in", "other.key", "-pubout", "-out", "other.pub")
openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "p384.key")
openssl("pkey", "-in", "p384.key", "-pubout", "-out", "p384.pub")
for name in ["p256", "ed25519"]:
    der = openssl("pkey", "-pubin", "-in", f"{name}.pub", "-outform", "DER")
    write(f"{name}.fingerprint", digest(der))

# A component's bytes, and what `cosign sign-blob --key` writes: base64 of a signature of them.
component = b"\0asm\x0d\0\x01\0" + b"a component for signatures"
write("component.wasm", component)
raw = openssl("dgst", "-sha256", "-sign", "p256.key", "component.wasm")
write("p256.sig", base64.b64encode(raw))
write("ed25519.sig.raw", openssl("pkeyutl", "-sign", "-inkey", "ed25519.key", "-rawin", "-in", "component.wasm"))

# A manifest as `wkg` pushes it, and cosign's payload for it.
config = json.dumps(
    {"created": "2024-09-25T21:53:15Z", "author": None, "architecture": "wasm", "os": "wasip2",
     "layerDigests": [digest(component)], "component": {"exports": [], "imports": [], "target": None}},
    separators=(",", ":")).encode()
write("config.json", config)
manifest = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
     "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": digest(config), "size": len(config)},
     "layers": [{"mediaType": "application/wasm", "digest": digest(component), "size": len(component)}],
     "annotations": {"org.opencontainers.image.version": "1.0.0"}}, separators=(",", ":")).encode()
write("manifest.json", manifest)
payload = json.dumps(
    {"critical": {"identity": {"docker-reference": NAME}, "image": {"docker-manifest-digest": digest(manifest)},
                  "type": "cosign container image signature"}, "optional": None}, separators=(",", ":")).encode()
write("payload.json", payload)

key = serialization.load_pem_private_key((HERE / "p256.key").read_bytes(), None)


def sign(data):
    return base64.b64encode(key.sign(data, ec.ECDSA(hashes.SHA256()))).decode()


write("payload.sig", sign(payload))


# Bundles: a statement about the manifest, an attestation of the same key, a signature of a blob.
def envelope(predicate):
    kind = "application/vnd.in-toto+json"
    statement = json.dumps(
        {"_type": "https://in-toto.io/Statement/v1",
         "subject": [{"digest": {"sha256": digest(manifest)[7:]}, "annotations": {}}],
         "predicateType": predicate, "predicate": {}}).encode()
    encoded = f"DSSEv1 {len(kind)} {kind} {len(statement)} ".encode() + statement
    return bundle({"dsseEnvelope": {"payload": base64.b64encode(statement).decode(), "payloadType": kind,
                                    "signatures": [{"sig": sign(encoded), "keyid": ""}]}})


def bundle(content):
    return json.dumps({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                       "verificationMaterial": {"publicKey": {"hint": "test"}, "tlogEntries": []}, **content})


def message(data):
    return bundle({"messageSignature": {
        "messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(hashlib.sha256(data).digest()).decode()},
        "signature": sign(data)}})


write("bundle-signed.json", envelope("https://sigstore.dev/cosign/sign/v1"))
write("bundle-attestation.json", envelope("https://slsa.dev/provenance/v1"))
write("bundle-message.json", message(manifest))
write("bundle-blob.json", message(component))

# TLS: an authority, and a certificate of this machine.
openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "36500",
        "-subj", "/CN=pi-host tests", "-keyout", "tls-authority.key", "-out", "tls-authority.pem")
openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
        "-keyout", "tls-localhost.key", "-out", "tls-localhost.csr")
write("tls.ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
openssl("x509", "-req", "-in", "tls-localhost.csr", "-CA", "tls-authority.pem", "-CAkey", "tls-authority.key",
        "-days", "36500", "-extfile", "tls.ext", "-out", "tls-localhost.pem")
for name in ["tls-localhost.csr", "tls.ext", "tls-authority.key", "tls-authority.srl", "other.key", "p384.key"]:
    (HERE / name).unlink(missing_ok=True)
