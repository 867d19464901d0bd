//! `[secrets.NAME]`: where a value comes from, where it may go, and in which form. Values are never here.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretConfig {
    /// The environment variable that holds it. Exactly one of this and `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// A file that nobody else can read, relative to `pi.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The hosts that it goes to: exact names, with a port where it is not 443.
    pub hosts: Vec<String>,
    /// How it is put into a request.
    #[serde(rename = "as")]
    pub form: SecretAs,
}

/// How it is put into a request: exactly one of `header`, `query`, `basic` and `sigv4`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretAs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Of `header`: `{}` stands for the secret. None: the secret alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The parameter's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The user's name; the secret is the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<SigV4Config>,
}

/// AWS Signature Version 4; the secret is the secret access key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4Config {
    pub service: String,
    pub region: String,
    pub access_key_id_env: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token_env: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsGrant {
    /// Secrets by name.
    pub names: Vec<String>,
}
