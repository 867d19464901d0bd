//! Red Hat, SUSE and whoever else uses rpm: `[epoch:]version[-release]`.
//!
//! By `rpmvercmp` of rpm: runs of digits and runs of letters are compared in turn, what separates them
//! does not count, a number is newer than a word, `~` comes before the end and `^` just after it. As in
//! OSV an epoch is made of digits (a module's name may hold a `:`), and no release is older than any.

use std::cmp::Ordering;

use super::{compare_numbers, is_number};

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Version::read(a), Version::read(b));
    compare_parts(a.epoch, b.epoch)
        .then_with(|| compare_parts(a.version, b.version))
        .then_with(|| compare_parts(a.release, b.release))
}

struct Version<'a> {
    epoch: &'a str,
    version: &'a str,
    /// With the dash before it, so that an empty release differs from none.
    release: &'a str,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if is_number(epoch) => (epoch, rest),
            Some(("", rest)) => ("0", rest),
            _ => ("0", text),
        };
        let (version, release) = rest.split_at(rest.find('-').unwrap_or(rest.len()));
        Self { epoch, version, release }
    }
}

fn compare_parts(mut a: &str, mut b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    loop {
        let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
        a = a.trim_start_matches(is_separator);
        b = b.trim_start_matches(is_separator);
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(a_rest), Some(b_rest)) => {
                (a, b) = (a_rest, b_rest);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(a_rest), Some(b_rest)) => {
                (a, b) = (a_rest, b_rest);
                continue;
            }
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let is_digits = a.starts_with(|c: char| c.is_ascii_digit());
        let (a_run, a_rest) = split_run(a, is_digits);
        let (b_run, b_rest) = split_run(b, is_digits);
        if b_run.is_empty() {
            return if is_digits { Ordering::Greater } else { Ordering::Less };
        }
        let order = if is_digits { compare_numbers(a_run, b_run) } else { a_run.cmp(b_run) };
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}

fn split_run(text: &str, is_digits: bool) -> (&str, &str) {
    let is_of_run = |byte: &u8| if is_digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at(text.bytes().take_while(is_of_run).count())
}

#[cfg(test)]
mod tests {
    use super::super::assert_order;

    #[test]
    fn orders_rpm_versions() {
        assert_order(
            "Red Hat",
            "1.0.9 < 1.0.10
             1.0 = 1_0
             1.001 = 1.1
             2.0a > 2.0
             2.0a < 2.0.1
             abc < 1
             3.0~rc1 < 3.0
             3.0~rc1 < 3.0~rc2
             3.0^git1 > 3.0
             3.0^git1 < 3.0.1
             1:1.0 > 9.0
             02:1.0 = 2:1.0
             5.14.0-70.el9 < 5.14.0-162.el9
             1.1.1k-6.el8_5 < 1.1.1k-7.el8_6
             1.0 < 1.0-1",
        );
    }
}
