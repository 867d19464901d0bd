//! Whom a registry takes us for: read from the text of a docker `config.json`, which others find.
//!
//! Docker keeps credentials in the file, or in a helper, which is a program. Helpers are not run here:
//! who has one is told so, rather than being asked for a password by a registry later.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::quoted;

/// Longest file of credentials. Danger: memory, for a file that is a few lines.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// What is shown to a registry. Nobody sees it otherwise: `Debug` prints `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Basic {
        user: String,
        password: String,
    },
    /// An OAuth2 refresh token, exchanged at the registry's token service.
    IdentityToken(String),
    /// Sent as it is.
    RegistryToken(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    #[error("the credentials are longer than {CONFIG_BYTES_MAX} bytes")]
    TooLarge,
    #[error(
        "the credentials are not a docker config.json, in line {line}\nhint: it looks like {{\"auths\": {{\"registry.example\": {{\"auth\": \"...\"}}}}}}"
    )]
    NotConfig { line: usize },
    #[error("the `auth` of `{0}` is not base64 of `user:password`\nhint: log in again: `docker login {0}`")]
    Auth(String),
    #[error(
        "the credentials of `{registry}` are kept by the program `docker-credential-{helper}`, and such programs are not run\nhint: ask it yourself, `echo {registry} | docker-credential-{helper} get`, and write what it says into a config.json of its own with an `auths` entry"
    )]
    Helper { registry: String, helper: String },
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    /// The credentials for a registry in the text of a docker `config.json`, if it has some.
    ///
    /// # Errors
    /// It is no such file, its entry cannot be read, or a helper has them.
    pub fn parse_docker_config(text: &str, registry: &str) -> Result<Option<Self>, CredentialsError> {
        if text.len() > CONFIG_BYTES_MAX {
            return Err(CredentialsError::TooLarge);
        }
        // The error's own text quotes the file, which holds passwords.
        let config: Config =
            serde_json::from_str(text).map_err(|error| CredentialsError::NotConfig { line: error.line() })?;
        let entry = config.auths.iter().find(|(key, _)| is_same(key, registry)).map(|(_, entry)| entry);
        if let Some(found) = entry.map(|entry| entry.read(registry)).transpose()?.flatten() {
            return Ok(Some(found));
        }
        let helper = config.helpers.iter().find(|(key, _)| is_same(key, registry)).map(|(_, helper)| helper);
        // Docker leaves an empty entry for each registry whose credentials its store has.
        let helper = helper.or(config.store.as_ref().filter(|_| entry.is_some()));
        match helper {
            Some(helper) => Err(CredentialsError::Helper { registry: quoted(registry), helper: quoted(helper) }),
            None => Ok(None),
        }
    }
}

impl Entry {
    fn read(&self, registry: &str) -> Result<Option<Credentials>, CredentialsError> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = set(&self.registrytoken) {
            return Ok(Some(Credentials::RegistryToken(token)));
        }
        if let Some(token) = set(&self.identitytoken) {
            return Ok(Some(Credentials::IdentityToken(token)));
        }
        if let Some(auth) = set(&self.auth) {
            let error = || CredentialsError::Auth(quoted(registry));
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| error())?;
            let text = String::from_utf8(bytes).map_err(|_| error())?;
            let (user, password) = text.split_once(':').ok_or_else(error)?;
            // Docker pads some passwords with zero bytes.
            let password = password.trim_end_matches('\0');
            return Ok(Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() }));
        }
        Ok(set(&self.username).zip(set(&self.password)).map(|(user, password)| Credentials::Basic { user, password }))
    }
}

/// Whether a key of the file means this registry. Keys may be URLs, and Docker Hub has three names.
fn is_same(key: &str, registry: &str) -> bool {
    fn host(text: &str) -> &str {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        match text.split('/').next().unwrap_or_default() {
            "docker.io" | "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        }
    }
    host(key).eq_ignore_ascii_case(host(registry))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, registry: &str) -> Result<Option<Credentials>, CredentialsError> {
        Credentials::parse_docker_config(text, registry)
    }

    fn me() -> Option<Credentials> {
        Some(Credentials::Basic { user: "me".into(), password: "pass:word".into() })
    }

    #[test]
    fn an_entry_is_found_under_each_spelling_of_its_registry() {
        let auth = STANDARD.encode("me:pass:word");
        for key in ["r.example", "https://r.example", "https://r.example/v2/", "R.EXAMPLE"] {
            let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}},"HttpHeaders":{{}}}}"#);
            assert_eq!(read(&text, "r.example").unwrap(), me(), "{key}");
            assert_eq!(read(&text, "r.example:5000").unwrap(), None);
            assert_eq!(read(&text, "evil.example").unwrap(), None);
        }
        let text = format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{auth}"}}}}}}"#);
        assert_eq!(read(&text, "docker.io").unwrap(), me());
    }

    #[test]
    fn a_helper_is_not_run_and_its_name_is_said() {
        let error = read(r#"{"credHelpers":{"r.example":"gcloud"}}"#, "r.example").unwrap_err().to_string();
        assert!(error.contains("docker-credential-gcloud") && error.contains("are not run"), "{error}");
        let text = r#"{"auths":{"r.example":{}},"credsStore":"desktop"}"#;
        assert!(matches!(read(text, "r.example"), Err(CredentialsError::Helper { .. })));
        assert_eq!(read(text, "other.example").unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_without_the_secret() {
        for text in [r#"{"auths":{"r":{"auth":"hunter2!"}}}"#, r#"{"auths": hunter2"#, r#"{"auths":{"r":"hunter2"}}"#] {
            let error = read(text, "r").unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(read(&" ".repeat(CONFIG_BYTES_MAX + 1), "r").unwrap_err(), CredentialsError::TooLarge);
    }

    #[test]
    fn tokens_are_read_and_never_shown() {
        let text = r#"{"auths":{"r":{"identitytoken":"hunter2"},"s":{"registrytoken":"hunter2"}}}"#;
        let (identity, registry) = (read(text, "r").unwrap(), read(text, "s").unwrap());
        assert_eq!(identity, Some(Credentials::IdentityToken("hunter2".into())));
        assert_eq!(registry, Some(Credentials::RegistryToken("hunter2".into())));
        assert!(!format!("{identity:?}{registry:?}").contains("hunter2"));
    }
}
