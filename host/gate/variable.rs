//! Environment variables that make a program run other code: pagers, editors, search paths, options
//! that a program reads from its surroundings.
//!
//! Names for which any value counts are in the policy (`environment` of a rule). Here are those
//! whose value decides: `PAGER=cat` is no danger, `PAGER='sh -c x'` is one.

use super::argv::Word;
use super::glob::UNKNOWN;

/// What a program does with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// Runs it as a command.
    Runs,
    /// Takes options from it, with which it would run or load other code.
    Options,
    /// Finds other programs by it.
    SearchPath,
}

const RUNS: &[&str] = &[
    "PAGER",
    "GIT_PAGER",
    "MANPAGER",
    "SYSTEMD_PAGER",
    "PSQL_PAGER",
    "BAT_PAGER",
    "DELTA_PAGER",
    "AWS_PAGER",
    "GH_PAGER",
    "GLAB_PAGER",
    "DOCKER_PAGER",
    "HGPAGER",
    "EDITOR",
    "VISUAL",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "KUBE_EDITOR",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "FCEDIT",
    "HGEDITOR",
    "SVN_EDITOR",
    "PSQL_EDITOR",
    "GH_EDITOR",
    "BUNDLER_EDITOR",
    "BROWSER",
    "GH_BROWSER",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "GIT_PROXY_COMMAND",
    "RSYNC_RSH",
    "RSYNC_CONNECT_PROG",
    "CVS_RSH",
    "SVN_SSH",
    "HGMERGE",
    "LESSOPEN",
    "LESSCLOSE",
    "PROMPT_COMMAND",
    "FZF_DEFAULT_COMMAND",
    "SHELL",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "TEXEDIT",
    "MAILER",
    "PS0",
    "PS4",
];
/// Names with the marks in their value that make them dangerous.
const OPTIONS: &[(&str, &[&str])] = &[
    ("LESS", &["!", "|", "+", "-k", "-o", "-O", "log-file", "lesskey"]),
    ("MORE", &["!", "+"]),
    ("NODE_OPTIONS", &["require", "import", "loader", "inspect", "-r", "experimental", "env-file"]),
    ("PYTHONWARNINGS", &["."]),
    ("JAVA_TOOL_OPTIONS", &["agent", "-jar", "cp", "classpath", "OnError", "OnOutOfMemory", "@", "XX:Flags", "jndi"]),
    ("_JAVA_OPTIONS", &["agent", "-jar", "cp", "classpath", "OnError", "OnOutOfMemory", "@", "XX:Flags", "jndi"]),
    ("JDK_JAVA_OPTIONS", &["agent", "-jar", "cp", "classpath", "OnError", "OnOutOfMemory", "@", "XX:Flags", "jndi"]),
    ("FZF_DEFAULT_OPTS", &["execute", "become", "reload", "preview", "transform", "bind"]),
    ("MAKEFLAGS", &["eval", "=", "f"]),
    ("GREP_OPTIONS", &["-f", "file", "exclude-from"]),
];
/// Programs that do nothing by themselves when they page or edit.
const HARMLESS: &[&str] = &[
    "",
    "cat",
    "less",
    "more",
    "most",
    "true",
    "false",
    ":",
    "/bin/cat",
    "/usr/bin/less",
    "/bin/true",
    "/bin/false",
    "/usr/bin/cat",
    "delta",
    "bat",
    "batcat",
    "vi",
    "vim",
    "nvim",
    "nano",
    "emacs",
    "code",
    "code --wait",
    "less -R",
    "less -F",
    "less -FRX",
    "less -X",
    "ssh",
    "/bin/sh",
    "/bin/bash",
    "/bin/zsh",
    "/usr/bin/bash",
    "/usr/bin/zsh",
    "rustc",
];
/// Folders before the rest of `PATH` that hold what a user or a package manager has installed.
const OWN_FOLDERS: &[&str] = &[
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/snap/bin",
    "/usr/local/go/bin",
    "~/.local/bin",
    "~/.cargo/bin",
    "~/go/bin",
    "~/bin",
    "~/.bun/bin",
    "~/.deno/bin",
    "~/.npm-global/bin",
    "~/.volta/bin",
    "~/.pyenv/bin",
    "~/.pyenv/shims",
    "~/.rbenv/bin",
    "~/.rbenv/shims",
    "~/.nix-profile/bin",
];

/// What programs do with this variable. None: nothing that matters here.
pub(crate) fn heed(name: &str) -> Option<Heed> {
    if name == "PATH" {
        Some(Heed::SearchPath)
    } else if RUNS.contains(&name) {
        Some(Heed::Runs)
    } else if OPTIONS.iter().any(|(own, _)| *own == name) {
        Some(Heed::Options)
    } else {
        None
    }
}

/// Whether a pager, an editor or the like is one that everybody uses.
pub(crate) fn is_harmless_program(value: &str) -> bool {
    HARMLESS.contains(&value.trim())
}

/// Whether the options in the value would run or load other code.
pub(crate) fn has_dangerous_options(name: &str, value: &Word) -> bool {
    let marks = OPTIONS.iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, marks)| marks);
    !value.is_known() || marks.iter().any(|mark| value.text.contains(mark))
}

/// Whether names would mean other programs under this `PATH`: something stands before the usual
/// folders that anybody may have put there, or a folder behind them is one that anybody may fill.
pub(crate) fn is_foreign_search_path(value: &str) -> bool {
    let unknown = UNKNOWN.to_string();
    let mut is_behind = false;
    value.split(':').any(|folder| {
        if folder == unknown {
            is_behind = true;
            return false;
        }
        let folder = folder.trim_end_matches('/');
        let is_open = !folder.starts_with(['/', '~'])
            || ["/tmp", "/var/tmp", "/dev", "/proc", "/run"].iter().any(|open| super::path::is_within(folder, open))
            || folder.contains("/../")
            || folder.contains(UNKNOWN);
        let is_own = OWN_FOLDERS.contains(&folder)
            || ["/opt/", "/usr/", "/nix/", "/Applications/", "/home/linuxbrew/"]
                .iter()
                .any(|own| folder.starts_with(own));
        is_open || !(is_own || is_behind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_foreign_by_what_stands_before_the_usual_folders() {
        let unknown = UNKNOWN.to_string();
        for path in ["/tmp", ".", "x:/bin", "/srv/app/bin:/bin", "/bin:/tmp"] {
            assert!(is_foreign_search_path(path), "{path}");
        }
        assert!(is_foreign_search_path(&format!("/srv/x:{unknown}")));
        assert!(is_foreign_search_path(&format!("{unknown}:.")));
        assert!(!is_foreign_search_path(&format!("~/.local/bin:{unknown}")));
        assert!(!is_foreign_search_path(&format!("{unknown}:/srv/x/bin")));
        assert!(!is_foreign_search_path("/usr/bin:/bin"));
    }

    #[test]
    fn options_are_dangerous_by_their_value() {
        assert!(!has_dangerous_options("LESS", &Word::plain("-R")));
        assert!(has_dangerous_options("LESS", &Word::plain("+!id")));
        assert!(!has_dangerous_options("NODE_OPTIONS", &Word::plain("--max-old-space-size=4096")));
        assert!(has_dangerous_options("NODE_OPTIONS", &Word::plain("--require=/tmp/x")));
    }
}
