//! What is known about packages: the order of their versions, and the advisories that concern them.
//!
//! The vulnerabilities come from OSV: offline from the archives that it publishes, in an indexed store
//! ([`offline`]), or by its API ([`api`]); [`lookup`] asks the one and then the other. Which packages a
//! command would install is not known here, nor what is done about a finding. What cannot be asked is
//! unknown, never clean. To add a source, give [`lookup`] another place to ask that makes a
//! [`advisory::Report`] from entries of the OSV schema.

pub mod advisory;
pub mod api;
pub mod audit;
mod cache;
pub mod ecosystem;
pub mod fetch;
pub mod lookup;
#[cfg(test)]
mod loopback;
pub mod offline;
mod osv;
pub mod scanner;
pub mod version;

use serde::{Deserialize, Serialize};

use ecosystem::Ecosystem;

/// Longest name of a package. Danger: a request of megabytes, and a key of them in every store.
const NAME_BYTES_MAX: usize = 512;

/// A package that is asked about. Without a version, the newest one is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub ecosystem: Ecosystem,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Package {
    /// Why this cannot be the name of a package, if it cannot.
    pub(crate) fn refusal(&self) -> Option<String> {
        let name = self.name.trim();
        if name.is_empty() {
            return Some("the package has no name".to_owned());
        }
        if name.len() > NAME_BYTES_MAX {
            return Some(format!("its name has {} bytes, and may have: {NAME_BYTES_MAX}", name.len()));
        }
        let is_odd = |c: char| c.is_control() || c.is_whitespace();
        name.contains(is_odd).then(|| format!("this is not the name of a package: `{}`", name.escape_debug()))
    }
}
