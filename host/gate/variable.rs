//! Environment variables that make a program run other code: pagers, editors, search paths, options
//! that a program reads from its surroundings.
//!
//! Names for which any value counts are in the policy (`environment` of a rule). Here are those
//! whose value decides: `PAGER=cat` is no danger, `PAGER='sh -c x'` is one. Of names that nobody has
//! listed the ending tells whether a program may heed them: `XY_OPTS`, `XY_PLUGINS`. That counts only
//! where a program sees the variable: exported, or set in front of a command.

use super::argv::{Taint, Word};
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
    /// Reads, writes or loads what is in that place.
    Place,
    /// Takes its word for whom it talks to, or what it loads.
    Any,
}

/// What stands for `$PATH` where the script does not set it: told from any other unknown text.
pub(crate) const OWN_PATH: &str = "\u{FFFC}\u{FDD0}\u{FFFC}";

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
    "RUSTDOC",
    "RUSTFMT",
    "CARGO",
    "AR",
    "PKG_CONFIG",
    "CLOUDSDK_PYTHON",
    "KUBECTL_EXTERNAL_DIFF",
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
    ("MAVEN_OPTS", VIRTUAL_MACHINE),
    ("GRADLE_OPTS", VIRTUAL_MACHINE),
    ("JAVA_OPTS", VIRTUAL_MACHINE),
    ("SBT_OPTS", VIRTUAL_MACHINE),
    ("GOFLAGS", &["exec", "tool", "overlay", "modfile", "ldflags", "flags", "pkgdir"]),
    ("SYSTEMD_LESS", &["!", "|", "+", "-k", "-o", "-O", "log-file", "lesskey"]),
    ("FZF_DEFAULT_OPTS", &["execute", "become", "reload", "preview", "transform", "bind"]),
    ("MAKEFLAGS", &["eval", "=", "f"]),
    ("GREP_OPTIONS", &["-f", "file", "exclude-from"]),
];
/// Marks of a virtual machine's options that load code or run commands.
const VIRTUAL_MACHINE: &[&str] =
    &["agent", "-jar", "cp", "classpath", "OnError", "OnOutOfMemory", "@", "XX:Flags", "jndi"];
/// Names that are heeded, by what is in the place that they name.
const PLACES: &[&str] = &[
    "AWS_CA_BUNDLE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_EXTENSION_DIR",
    "BUNDLE_GEMFILE",
    "CURL_CA_BUNDLE",
    "DBUS_SESSION_BUS_ADDRESS",
    "ERL_LIBS",
    "GCC_EXEC_PREFIX",
    "GIT_INDEX_FILE",
    "GIT_SSL_CAINFO",
    "GIT_WORK_TREE",
    "GOTOOLCHAIN",
    "LYNX_CFG",
    "NODE_EXTRA_CA_CERTS",
    "NODE_REPL_EXTERNAL_MODULE",
    "ODBCINI",
    "ODBCSYSINI",
    "PGPASSFILE",
    "PYTHONUSERBASE",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_TOOLCHAIN",
    "SSH_AUTH_SOCK",
    "SSLKEYLOGFILE",
    "TEXINPUTS",
    "TNS_ADMIN",
    "UV_PYTHON",
    "VK_ICD_FILENAMES",
];
/// Names that are heeded, whatever they hold.
const ANY: &[&str] =
    &["GH_HOST", "GITLAB_HOST", "GLAB_HOST", "HOME", "KUBERNETES_MASTER", "PYTEST_PLUGINS", "TF_REATTACH_PROVIDERS"];
/// Endings of names that programs take options, places and programs from.
const HEEDED_ENDINGS: &[&str] = &[
    "ADDR", "ARGS", "COMMAND", "DIFF", "EDITOR", "FLAGS", "HOME", "HOST", "MASTER", "OPTIONS", "OPTS", "PAGER", "PATH",
    "PLUGIN", "PLUGINS", "RC", "SERVER", "TOOL", "TRACE",
];
/// Parts of names that do the same, wherever they stand.
const HEEDED_PARTS: &[&str] = &["CONFIG", "PLUGIN_", "PLUGINS_", "GIT_TRACE", "TF_CLI_ARGS"];
/// Names that end so by accident, or name a place for what can be made again.
const UNHEEDED: &[&str] = &["SRC", "XDG_CACHE_HOME", "XDG_STATE_HOME", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
/// Pagers and compressors that harm nothing by any flag.
const HARMLESS_WITH_FLAGS: &[&str] = &[
    "less",
    "more",
    "cat",
    "col",
    "bat",
    "batcat",
    "delta",
    "diff-so-fancy",
    "gzip",
    "gunzip",
    "pigz",
    "zstd",
    "unzstd",
    "bzip2",
    "bunzip2",
    "lbzip2",
    "pbzip2",
    "xz",
    "unxz",
    "lz4",
    "lzma",
    "lzop",
    "brotli",
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
    "cargo",
    "rustdoc",
    "rustfmt",
    "ar",
    "gcc-ar",
    "llvm-ar",
    "pkg-config",
    "pkgconf",
    "python",
    "python3",
    "diff",
    "diff -u",
    "diff -N -u",
    "diff -u -N",
    "colordiff",
    "colordiff -u",
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
    } else if PLACES.contains(&name) {
        Some(Heed::Place)
    } else if ANY.contains(&name) {
        Some(Heed::Any)
    } else {
        None
    }
}

/// Whether a program that reads this variable may well do other than its words say: by the ending of the
/// name, and a value that is a place, an address, an option or unknown.
pub(crate) fn is_heeded_by_name(name: &str, value: &Word) -> bool {
    let is_unheeded = UNHEEDED.contains(&name) || name.ends_with("_SRC");
    let is_named = HEEDED_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || HEEDED_PARTS.iter().any(|part| name.contains(part));
    heed(name).is_none() && !is_unheeded && is_named && names_a_place(value)
}

/// Whether a value is a place, an address, an option or unknown.
pub(crate) fn names_a_place(value: &Word) -> bool {
    !value.is_known() || value.taint > Taint::None || value.text.contains('/') || value.text.starts_with(['-', '~'])
}

/// Whether the program that is run gets a file: a pager, an editor, a comparison.
pub(crate) fn gets_a_file(name: &str) -> bool {
    ["PAGER", "EDITOR", "DIFF", "BROWSER", "VISUAL", "MERGE", "FCEDIT", "LESSOPEN", "TEXEDIT"]
        .iter()
        .any(|part| name.contains(part))
}

/// Whether a pager, an editor or the like is one that everybody uses.
pub(crate) fn is_harmless_program(value: &str) -> bool {
    let value = value.trim();
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.,".contains(c));
    let mut words = value.split_whitespace();
    HARMLESS.contains(&value)
        || words.next().is_some_and(|program| HARMLESS_WITH_FLAGS.contains(&program)) && words.all(is_plain)
}

/// Whether the options in the value would run or load other code.
pub(crate) fn has_dangerous_options(name: &str, value: &Word) -> bool {
    let marks = OPTIONS.iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, marks)| marks);
    !value.is_known() || marks.iter().any(|mark| value.text.contains(mark))
}

/// Whether names would mean other programs under this `PATH`: something stands before the usual
/// folders that anybody may have put there, or a folder behind them is one that anybody may fill.
pub(crate) fn is_foreign_search_path(value: &str) -> bool {
    let mut is_behind = false;
    value.split(':').any(|folder| {
        if folder == OWN_PATH {
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
        for path in ["/tmp", ".", "x:/bin", "/srv/app/bin:/bin", "/bin:/tmp"] {
            assert!(is_foreign_search_path(path), "{path}");
        }
        assert!(is_foreign_search_path(&format!("/srv/x:{OWN_PATH}")));
        assert!(is_foreign_search_path(&format!("{OWN_PATH}:.")));
        assert!(is_foreign_search_path(&format!("{UNKNOWN}:{OWN_PATH}")));
        assert!(is_foreign_search_path(&UNKNOWN.to_string()));
        assert!(!is_foreign_search_path(&format!("~/.local/bin:{OWN_PATH}")));
        assert!(!is_foreign_search_path(&format!("{OWN_PATH}:/srv/x/bin")));
        assert!(!is_foreign_search_path("/usr/bin:/bin"));
    }

    #[test]
    fn a_name_that_ends_like_an_option_is_heeded_by_its_value() {
        for (name, value) in [
            ("PYTEST_ADDOPTS", "-p evil"),
            ("HELM_PLUGINS", "/tmp/x"),
            ("PSQLRC", "./x"),
            ("GIT_TRACE", "/etc/x"),
            ("GIT_TRACE2_EVENT", "/etc/x"),
            ("GH_CONFIG_DIR", "/tmp/x"),
            ("TF_CLI_ARGS_plan", "-destroy"),
            ("JAVA_HOME", "~/x"),
            ("API_SERVER", "http://evil"),
            ("MAVEN_ARGS", "-f x"),
        ] {
            assert!(is_heeded_by_name(name, &Word::plain(value)), "{name}={value}");
        }
        for (name, value) in [
            ("NODE_ENV", "production"),
            ("RUST_LOG", "debug"),
            ("DB_HOST", "localhost"),
            ("SRC", "/srv/x"),
            ("SRC_DIR", "/srv/x"),
            ("RUST_BACKTRACE", "1"),
            ("GIT_TRACE", "1"),
            ("LC_ALL", "C"),
            ("TZ", "Europe/Berlin"),
            ("DATABASE_URL", "postgres://localhost/x"),
        ] {
            assert!(!is_heeded_by_name(name, &Word::plain(value)), "{name}={value}");
        }
    }

    #[test]
    fn options_are_dangerous_by_their_value() {
        assert!(!has_dangerous_options("LESS", &Word::plain("-R")));
        assert!(has_dangerous_options("LESS", &Word::plain("+!id")));
        assert!(!has_dangerous_options("NODE_OPTIONS", &Word::plain("--max-old-space-size=4096")));
        assert!(has_dangerous_options("NODE_OPTIONS", &Word::plain("--require=/tmp/x")));
    }
}
