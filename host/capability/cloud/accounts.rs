//! The accounts of `pi.toml`. Nothing is connected to before the first call, and no credential leaves `pi_cloud`.

use std::collections::BTreeMap;
use std::path::Path;

use pi_cloud::{Account, Settings};

use crate::config::CloudConfig;

/// An account of `pi.toml` that cannot be used as it is written.
#[derive(Debug, thiserror::Error)]
#[error("[cloud.{account}]: {error}")]
pub struct AccountError {
    pub account: String,
    pub error: Box<pi_cloud::Error>,
}

/// By their names in `pi.toml`.
#[derive(Clone, Default)]
pub struct Accounts {
    known: BTreeMap<String, Account>,
}

impl Accounts {
    /// What stands in `pi.toml`, in this environment (`AWS_*` and `HOME`). Files are relative to `directory`.
    ///
    /// # Errors
    /// An account that cannot be used as it is written.
    pub fn new(
        config: &BTreeMap<String, CloudConfig>,
        directory: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, AccountError> {
        let account = |(name, config): (&String, &CloudConfig)| {
            let settings = Settings {
                region: config.region.clone(),
                profile: config.profile.clone(),
                role_arn: config.role_arn.clone(),
                external_id: config.external_id.clone(),
                endpoint_url: config.endpoint_url.clone(),
                ca_file: config.ca_file.as_ref().map(|file| directory.join(file)),
                timeout_ms: config.timeout_ms,
                attempts_max: config.attempts_max,
                environment: environment.clone(),
            };
            match Account::new(settings) {
                Ok(account) => Ok((name.clone(), account)),
                Err(error) => Err(AccountError { account: name.clone(), error: Box::new(error) }),
            }
        };
        Ok(Self { known: config.iter().map(account).collect::<Result<_, _>>()? })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Account> {
        self.known.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }
}
