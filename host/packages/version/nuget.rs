//! NuGet: Semantic Versioning with a fourth number, where case does not count.
//!
//! By <https://learn.microsoft.com/nuget/concepts/package-versioning>, as OSV reads it: build metadata
//! does not count, and missing numbers are zero.

use std::cmp::Ordering;

use super::semver::Version;

/// Major, minor, patch and revision.
const NUMBERS: usize = 4;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (a, b) = (Version::read(&a, NUMBERS), Version::read(&b, NUMBERS));
    a.compare_numbers(&b).then_with(|| a.compare_prerelease(&b))
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_nuget_versions() {
        assert_order(
            "NuGet",
            "2.1 = 2.1.0.0
             2.1.0.1 > 2.1
             2.1.0-Preview = 2.1.0-preview
             2.1.0-Preview.2 < 2.1.0-preview.10
             2.1.0+sha.1 = 2.1.0+sha.2
             2.1.0-rc < 2.1.0
             2.01.0 = 2.1.0
             2.1.0.5-beta < 2.1.0.5
             2.1.0.5-beta > 2.1.0.4
             12.0.3 < 13.0.1
             4.7.0 < 4.10.0
             1.0.0-a.b > 1.0.0-a.1
             1.0.0-a.b.c > 1.0.0-A.B
             6.0.0-rc.1.21451.13 < 6.0.0-rc.2.21480.5
             88888888888888888888.1 < 88888888888888888889.0",
        );
    }
}
