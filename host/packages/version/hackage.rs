//! Hackage: numbers between dots.
//!
//! By the `Ord` of Cabal's `Version`, a list of numbers: of two that begin alike the longer is the
//! newer, so `1.0` comes before `1.0.0`. The package versioning policy allows nothing else.

use std::cmp::Ordering;

use super::{VersionError, compare_lists, is_number};

pub(super) fn compare(a: &str, b: &str) -> Result<Ordering, VersionError> {
    Ok(compare_lists(&numbers(a)?, &numbers(b)?))
}

fn numbers(version: &str) -> Result<Vec<&str>, VersionError> {
    let numbers: Vec<&str> = version.split('.').collect();
    if numbers.iter().all(|number| is_number(number)) {
        Ok(numbers)
    } else {
        let reason = "one of Hackage is made of numbers with `.` between them";
        Err(VersionError::Invalid { version: version.to_owned(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{assert_order, compare};

    #[test]
    fn orders_haskell_versions() {
        assert_order(
            "Hackage",
            "2.2 < 2.2.0
             2.2.0 < 2.2.0.0
             2.2.0.0 < 2.2.0.1
             2.2.0.9 < 2.2.0.10
             0.9 < 0.10
             1 < 1.0
             3 > 2.9.9.9
             0 < 0.1
             4.18.2.1 = 4.18.2.1
             20240101 > 9.6.4",
        );
    }

    #[test]
    fn refuses_what_cabal_refuses() {
        for version in ["1.0-rc1", "1.", "v1"] {
            assert!(compare("Hackage", version, "1.0").is_err(), "{version}");
        }
    }
}
