//! Ecosystems: where packages come from, under the names that OSV gives them.
//!
//! An ecosystem has a name (`PyPI`), maybe a release (`Debian:12`), an order of versions and a rule by
//! which two spellings of a package's name are the same package. To add one, add a row to [`KNOWN`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::version::Scheme;

/// Longest name of an ecosystem with its release. Danger: a name of a megabyte in every error and every key.
const ECOSYSTEM_BYTES_MAX: usize = 200;

/// How two spellings of a name are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// As it is written.
    Exact,
    /// Upper and lower case are the same.
    Lower,
    /// PEP 503: case, and runs of `-`, `_` and `.`, do not matter.
    Python,
    /// Case does not matter, and `-` is `_`.
    Crate,
    /// A location of a repository: without its scheme and without `.git`.
    Url,
}

/// What is known about one ecosystem.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    /// Other names in use: of package URLs and of programs.
    aliases: &'static [&'static str],
    scheme: Scheme,
    naming: Naming,
}

const fn known(name: &'static str, aliases: &'static [&'static str], scheme: Scheme, naming: Naming) -> Known {
    Known { name, aliases, scheme, naming }
}

/// Every ecosystem whose order of versions is known.
static KNOWN: &[Known] = &[
    known("AlmaLinux", &["alma"], Scheme::Rpm, Naming::Exact),
    known("Alpaquita", &[], Scheme::Alpine, Naming::Exact),
    known("Alpine", &["apk"], Scheme::Alpine, Naming::Exact),
    known("Azure Linux", &["azurelinux"], Scheme::Rpm, Naming::Exact),
    known("BellSoft Hardened Containers", &[], Scheme::Alpine, Naming::Exact),
    known("Bioconductor", &[], Scheme::Cran, Naming::Exact),
    known("Bitnami", &[], Scheme::Semver, Naming::Lower),
    known("Chainguard", &[], Scheme::Alpine, Naming::Exact),
    known("ConanCenter", &["conan"], Scheme::Semver, Naming::Lower),
    known("CRAN", &[], Scheme::Cran, Naming::Exact),
    known("crates.io", &["cargo", "crates"], Scheme::Semver, Naming::Crate),
    known("Debian", &["deb"], Scheme::Debian, Naming::Exact),
    known("GHC", &[], Scheme::Hackage, Naming::Exact),
    known("GitHub Actions", &["githubactions"], Scheme::Semver, Naming::Lower),
    known("Go", &["golang"], Scheme::Semver, Naming::Exact),
    known("Hackage", &[], Scheme::Hackage, Naming::Exact),
    known("Hex", &[], Scheme::Semver, Naming::Exact),
    known("Julia", &[], Scheme::Semver, Naming::Exact),
    known("Mageia", &[], Scheme::Rpm, Naming::Exact),
    known("Maven", &[], Scheme::Maven, Naming::Exact),
    known("MinimOS", &[], Scheme::Alpine, Naming::Exact),
    known("npm", &[], Scheme::Semver, Naming::Exact),
    known("NuGet", &[], Scheme::Nuget, Naming::Lower),
    known("openEuler", &[], Scheme::Rpm, Naming::Exact),
    known("openSUSE", &[], Scheme::Rpm, Naming::Exact),
    known("Packagist", &["composer"], Scheme::Packagist, Naming::Lower),
    known("Photon OS", &["photon"], Scheme::Rpm, Naming::Exact),
    known("Pub", &[], Scheme::Pub, Naming::Exact),
    known("PyPI", &["pip"], Scheme::Pypi, Naming::Python),
    known("Red Hat", &["redhat", "rpm"], Scheme::Rpm, Naming::Exact),
    known("Rocky Linux", &["rocky"], Scheme::Rpm, Naming::Exact),
    known("RubyGems", &["gem"], Scheme::RubyGems, Naming::Exact),
    known("SUSE", &[], Scheme::Rpm, Naming::Exact),
    known("SwiftURL", &["swift"], Scheme::Semver, Naming::Url),
    known("Ubuntu", &[], Scheme::Debian, Naming::Exact),
    known("VSCode", &[], Scheme::Semver, Naming::Lower),
    known("Wolfi", &[], Scheme::Alpine, Naming::Exact),
];

/// An ecosystem, with the release of a distribution where one was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ecosystem {
    known: &'static Known,
    release: Option<String>,
}

/// Why a name is not one of an ecosystem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EcosystemError {
    #[error("the ecosystem is not known (one of {}): {name}", names().join(", "))]
    Unknown { name: String },
    #[error("the name of an ecosystem has {bytes} bytes, and may have: {ECOSYSTEM_BYTES_MAX}")]
    TooLong { bytes: usize },
}

/// The names of all ecosystems that are known, as OSV spells them.
#[must_use]
pub fn names() -> Vec<&'static str> {
    KNOWN.iter().map(|known| known.name).collect()
}

impl Ecosystem {
    /// The ecosystem of this name, in any case, with or without a release (`debian:12`).
    ///
    /// # Errors
    /// There is none of this name; the error lists those there are.
    pub fn parse(text: &str) -> Result<Self, EcosystemError> {
        if text.len() > ECOSYSTEM_BYTES_MAX {
            return Err(EcosystemError::TooLong { bytes: text.len() });
        }
        let (name, release) = match text.split_once(':') {
            Some((name, release)) => (name.trim(), Some(release.trim())),
            None => (text.trim(), None),
        };
        let is_named = |known: &&Known| {
            known.name.eq_ignore_ascii_case(name) || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
        };
        let known = KNOWN.iter().find(is_named).ok_or_else(|| EcosystemError::Unknown { name: shown(text) })?;
        Ok(Self { known, release: release.filter(|release| !release.is_empty()).map(str::to_owned) })
    }

    /// The name as OSV spells it, without a release.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    /// The release of a distribution: `12` of `Debian:12`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// Whether it is a distribution, whose releases have packages of their own.
    #[must_use]
    pub fn has_releases(&self) -> bool {
        matches!(self.known.scheme, Scheme::Alpine | Scheme::Debian | Scheme::Rpm)
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.known.scheme
    }

    /// The spelling under which a package is found, whichever one was asked for.
    #[must_use]
    pub fn normal_name(&self, name: &str) -> String {
        let name = name.trim();
        match self.known.naming {
            Naming::Exact => name.to_owned(),
            Naming::Lower => name.to_lowercase(),
            Naming::Crate => name.to_lowercase().replace('_', "-"),
            Naming::Python => python_name(name),
            Naming::Url => {
                let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
                name.strip_suffix(".git").unwrap_or(name).to_lowercase()
            }
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.release {
            Some(release) => write!(formatter, "{}:{release}", self.known.name),
            None => formatter.write_str(self.known.name),
        }
    }
}

impl FromStr for Ecosystem {
    type Err = EcosystemError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Ecosystem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ecosystem {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Two names of a release mean the same one: `22.04` is in `22.04:LTS` and in `Pro:22.04:LTS`, and `v3.19`
/// is `3.19`. A name that is missed would hide every finding, so one part of a name is enough.
pub(crate) fn is_same_release(a: &str, b: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(':').filter(|part| !part.is_empty());
        parts.map(|part| part.strip_prefix(['v', 'V']).unwrap_or(part).to_ascii_lowercase()).collect()
    };
    let (a, b) = (parts(a), parts(b));
    a.iter().all(|part| b.contains(part)) || b.iter().all(|part| a.contains(part))
}

/// Quoted for an error: control characters of a foreign text must not reach a terminal.
fn shown(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

fn python_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    let mut is_after_separator = false;
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            if !is_after_separator {
                normal.push('-');
            }
            is_after_separator = true;
        } else {
            normal.extend(character.to_lowercase());
            is_after_separator = false;
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_with_a_release_and_by_alias() {
        for (text, name, release) in [
            ("pypi", "PyPI", None),
            ("CRATES.IO", "crates.io", None),
            ("cargo", "crates.io", None),
            ("debian:12", "Debian", Some("12")),
            ("Alpine:v3.19", "Alpine", Some("v3.19")),
            ("redhat", "Red Hat", None),
            ("Red Hat:enterprise_linux:9::appstream", "Red Hat", Some("enterprise_linux:9::appstream")),
        ] {
            let ecosystem = Ecosystem::parse(text).unwrap();
            assert_eq!((ecosystem.name(), ecosystem.release()), (name, release), "{text}");
        }
    }

    #[test]
    fn an_unknown_ecosystem_is_an_error_that_lists_the_known() {
        let error = Ecosystem::parse("pypy\u{1b}[2J").unwrap_err().to_string();
        assert!(error.contains("crates.io, Debian") && error.ends_with("`pypy\\u{1b}[2J`"), "{error}");
        assert_eq!(Ecosystem::parse(&"x".repeat(201)).unwrap_err(), EcosystemError::TooLong { bytes: 201 });
    }

    #[test]
    fn spellings_of_one_package_have_one_normal_name() {
        for (ecosystem, written, normal) in [
            ("PyPI", "Ruamel_.YAML", "ruamel-yaml"),
            ("NuGet", "Newtonsoft.Json", "newtonsoft.json"),
            ("crates.io", "Serde_JSON", "serde-json"),
            ("npm", "JSONStream", "JSONStream"),
            ("SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"),
        ] {
            assert_eq!(Ecosystem::parse(ecosystem).unwrap().normal_name(written), normal);
        }
    }

    #[test]
    fn a_release_is_found_under_its_shorter_names() {
        for (a, b) in [
            ("22.04", "22.04:LTS"),
            ("22.04:LTS", "Pro:22.04:LTS"),
            ("3.19", "v3.19"),
            ("9", "enterprise_linux:9::appstream"),
        ] {
            assert!(is_same_release(a, b) && is_same_release(b, a), "{a} {b}");
        }
        for (a, b) in [("12", "11"), ("22.04", "22.10"), ("v3.1", "v3.19"), ("20.04:LTS", "22.04:LTS")] {
            assert!(!is_same_release(a, b), "{a} {b}");
        }
    }
}
