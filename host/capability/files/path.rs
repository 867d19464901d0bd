//! Paths as text: folding `.` and `..`, and asking which path lies below which.
//!
//! Pure: nothing here looks at a disk. Folding comes before every lookup, so no later step has to
//! think about `..`; what a symlink means is the business of [`super::resolve`].

use std::fmt;

/// Longest path that a guest may name, as in the kernel: a longer one could only waste time.
pub(super) const PATH_BYTES_MAX: usize = 4_095;

/// An absolute path in its shortest form. Invariant: it begins with `/`, has no empty, `.` or `..`
/// component, no NUL, and no slash at its end unless it is `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Folded(String);

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path holds a NUL byte")]
    Nul,
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
}

impl Folded {
    /// `/`.
    pub(super) fn top() -> Self {
        Self("/".into())
    }

    /// Fold `path`, read against `self` when it is relative. `..` at the top stays at the top.
    pub(super) fn join(&self, path: &str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.contains('\0') {
            return Err(PathError::Nul);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let mut folded = if path.starts_with('/') { String::new() } else { self.0.trim_end_matches('/').to_owned() };
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => folded.truncate(folded.rfind('/').unwrap_or(0)),
                name => {
                    folded.push('/');
                    folded.push_str(name);
                }
            }
        }
        if folded.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if folded.is_empty() {
            folded.push('/');
        }
        Ok(Self(folded))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The part below `above`: empty when the two are equal, `None` when `self` is not below it.
    pub(super) fn below(&self, above: &Self) -> Option<&str> {
        if above.0 == "/" {
            return Some(&self.0[1..]);
        }
        let rest = self.0.strip_prefix(&above.0)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// Whether `self` is `above` or lies below it.
    pub(super) fn is_within(&self, above: &Self) -> bool {
        self.below(above).is_some()
    }

    /// The folder it stands in; `/` stands in itself.
    pub(super) fn parent(&self) -> Self {
        match self.0.rfind('/') {
            None | Some(0) => Self::top(),
            Some(end) => Self(self.0[..end].to_owned()),
        }
    }

    /// The last component; empty for `/`.
    pub(super) fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a path, as it was written, asks for a folder: `a/`, `a/.` or `a/..`.
pub(super) fn names_folder(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(path: &str) -> String {
        Folded::top().join("/project").unwrap().join(path).map_or_else(|e| e.to_string(), |p| p.to_string())
    }

    #[test]
    fn folds_dots_and_slashes() {
        assert_eq!(fold("a/./b//c/"), "/project/a/b/c");
        assert_eq!(fold("a/../b"), "/project/b");
        assert_eq!(fold("."), "/project");
    }

    #[test]
    fn folds_dots_above_the_top_to_the_top() {
        assert_eq!(fold("../../../etc/passwd"), "/etc/passwd");
        assert_eq!(fold("/.."), "/");
    }

    #[test]
    fn refuses_text_that_is_no_path() {
        assert_eq!(fold(""), "the path is empty");
        assert_eq!(fold("a\0b"), "the path holds a NUL byte");
        assert_eq!(fold(&"a".repeat(PATH_BYTES_MAX + 1)), "the path is longer than 4095 bytes");
    }

    #[test]
    fn takes_the_longest_path() {
        assert_eq!(fold(&format!("/{}", "a".repeat(PATH_BYTES_MAX - 1))).len(), PATH_BYTES_MAX);
    }

    #[test]
    fn a_longer_name_is_not_below() {
        let top = Folded::top();
        let (a, ab, below) = (top.join("/a").unwrap(), top.join("/ab").unwrap(), top.join("/a/b").unwrap());
        assert!(!ab.is_within(&a));
        assert_eq!(below.below(&a), Some("b"));
        assert_eq!(a.below(&a), Some(""));
        assert_eq!(a.below(&top), Some("a"));
    }

    #[test]
    fn a_slash_at_the_end_asks_for_a_folder() {
        assert!(names_folder("a/") && names_folder("a/.") && names_folder("..") && !names_folder("a/b"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_folded_keeps_the_invariant(path in "[a./]{1,40}") {
            let folded = Folded::top().join(&path).unwrap();
            proptest::prop_assert!(folded.as_str().starts_with('/'));
            proptest::prop_assert!(folded.as_str() == "/" || folded.as_str()[1..].split('/').all(|c| !matches!(c, "" | "." | "..")));
        }
    }
}
