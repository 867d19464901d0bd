//! Pub: Semantic Versioning, except that build metadata counts.
//!
//! By `Version.compareTo` of Dart's package `pub_semver`: what has build metadata comes after the same
//! version without it, and the identifiers of two are compared like those of a pre-release.

use std::cmp::Ordering;

use super::semver::{Version, compare_identifiers};

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Version::read(a, 3), Version::read(b, 3));
    let compare_builds = || match (a.build.is_empty(), b.build.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare_identifiers(a.build, b.build),
    };
    a.compare_numbers(&b).then_with(|| a.compare_prerelease(&b)).then_with(compare_builds)
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_pub_versions() {
        assert_order(
            "Pub",
            "2.0.0-dev < 2.0.0-dev+1
             2.0.0-dev+1 < 2.0.0
             2.0.0 < 2.0.0+1
             2.0.0+9 < 2.0.0+10
             2.0.0+10 < 2.0.0+hotfix
             2.0.0+hotfix < 2.0.0+hotfix.1
             2.0.0+hotfix.1 < 2.0.1
             2.0.1+a = 2.0.1+a
             v2.0.1 = 2.0.1
             3.1.0-0 < 3.1.0-0.1.pre
             3.1.0-0.2.pre < 3.1.0-0.10.pre
             3.1.0-alpha > 3.1.0-7
             1.0 = 1.0.0
             0.13.4+1 > 0.13.4
             0.13.4+1 < 0.13.5-nullsafety.0",
        );
    }
}
