//! Paths as the gate compares them: folded by their text alone, without asking the file system.
//!
//! `~` stands for whichever home it is and is kept. A relative path is joined to the folder it is
//! relative to where that is known; otherwise it stays relative. Symbolic links are the capability's
//! business, which resolves them before it acts.

/// The path without `.`, `..`, doubled slashes and the detours by `/proc/*/root` and `/proc/*/cwd`.
pub(crate) fn folded(path: &str, directory: Option<&str>) -> String {
    if path.is_empty() {
        return String::new();
    }
    let is_rooted = path.starts_with('/') || path == "~" || path.starts_with("~/");
    let joined;
    let path = match directory {
        Some(directory) if !is_rooted && !path.starts_with('~') => {
            joined = format!("{directory}/{path}");
            joined.as_str()
        }
        _ => path,
    };
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"~") => {
                    parts.clear();
                    parts.push("/home");
                }
                Some(&"..") => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None if is_absolute => {}
                None => parts.push(".."),
            },
            part => {
                parts.push(part);
                // `/proc/self/root/etc/shadow` is `/etc/shadow` by another name.
                if is_absolute && parts.len() == 3 && parts[0] == "proc" && part == "root" {
                    parts.clear();
                }
            }
        }
    }
    match parts.split_first() {
        None if is_absolute => "/".to_owned(),
        None => ".".to_owned(),
        Some((&"/home", [])) => "/home".to_owned(),
        Some((&"/home", rest)) => format!("/home/{}", rest.join("/")),
        Some(_) if is_absolute => format!("/{}", parts.join("/")),
        Some(_) => parts.join("/"),
    }
}

/// The last part of a path: a program's name without its folder.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `path` is `folder` or lies below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_doubled_slashes_fold() {
        assert_eq!(folded("/etc/../etc//./passwd", None), "/etc/passwd");
        assert_eq!(folded("/../..", None), "/");
        assert_eq!(folded("//", None), "/");
    }

    #[test]
    fn a_relative_path_joins_its_folder_or_stays_relative() {
        assert_eq!(folded("../x", Some("/a/b")), "/a/x");
        assert_eq!(folded("../x", None), "../x");
        assert_eq!(folded("./x/..", None), ".");
    }

    #[test]
    fn home_is_kept_and_above_it_are_the_homes() {
        assert_eq!(folded("~/a/../.ssh", Some("/x")), "~/.ssh");
        assert_eq!(folded("~/..", None), "/home");
        assert_eq!(folded("~/../bob/.ssh", None), "/home/bob/.ssh");
    }

    #[test]
    fn detours_by_proc_are_cut_short() {
        assert_eq!(folded("/proc/self/root/etc/shadow", None), "/etc/shadow");
        assert_eq!(folded("/proc/1/root", None), "/");
    }

    #[test]
    fn a_path_lies_within_its_folder() {
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a"));
    }
}
