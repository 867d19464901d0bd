//! CRAN and Bioconductor: numbers between dots and dashes.
//!
//! By R's `numeric_version`: the two separators are the same, numbers are compared by value, and of two
//! that begin alike the longer is the newer. R refuses everything else, and so does this.

use std::cmp::Ordering;

use super::{VersionError, compare_lists, is_number};

pub(super) fn compare(a: &str, b: &str) -> Result<Ordering, VersionError> {
    Ok(compare_lists(&numbers(a)?, &numbers(b)?))
}

fn numbers(version: &str) -> Result<Vec<&str>, VersionError> {
    let numbers: Vec<&str> = version.split(['.', '-']).collect();
    if numbers.iter().all(|number| is_number(number)) {
        Ok(numbers)
    } else {
        let reason = "one of R is made of numbers with `.` or `-` between them";
        Err(VersionError::Invalid { version: version.to_owned(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{assert_order, compare};

    #[test]
    fn orders_r_versions() {
        assert_order(
            "CRAN",
            "1.2-3 = 1.2.3
             1.2-3 < 1.2-10
             1.02 = 1.2
             1.2 < 1.2.0
             1.2.0 < 1.2-0.1
             0.99 > 0.9.9
             3.4-0 > 3.3-99
             2024.1 > 3.0
             1.0-1 < 1.0-1-1
             7.3-60 < 7.3-60.0.1",
        );
    }

    #[test]
    fn refuses_what_r_refuses() {
        for version in ["1.0a", "1..0", "-1", "1.0-"] {
            assert!(compare("CRAN", version, "1.0").is_err(), "{version}");
        }
    }
}
