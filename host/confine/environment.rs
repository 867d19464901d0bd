//! The environment of a confined program: a clean one, and what may be added to it.
//!
//! Variables are code for many programs: a loader's preload list, a shell's start file, an
//! interpreter's module path, a pager to run, a configuration that names a command, the certificates by which
//! a download is believed. A caller who may choose those chooses what runs, whatever the policy made of
//! the arguments. They are refused rather than dropped, so that nobody wonders.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs find programs.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What every program gets. There is no home: start files in a folder that an agent may write
/// (`.gitconfig`, `.npmrc`) are code as well.
pub const CLEAN: [(&str, &str); 4] = [("PATH", PATH), ("HOME", "/nonexistent"), ("LANG", "C.UTF-8"), ("TZ", "UTC")];
/// So many variables may be added: the kernel charges them to the stack of every process below.
pub const COUNT_MAX: usize = 256;
/// Names and values together.
pub const BYTES_MAX: usize = 128 << 10;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    #[error("`{0}` may not be set: it changes which code a program runs, or whom it trusts")]
    Refused(String),
    #[error("not a variable's name: `{0}`")]
    Name(String),
    #[error("the value of `{0}` holds a zero byte")]
    Value(String),
    #[error("more than {COUNT_MAX} variables")]
    Count,
    #[error("more than {BYTES_MAX} bytes of variables")]
    Bytes,
}

/// Refused with everything that begins so.
const REFUSED_PREFIXES: &[&str] = &[
    "LD_", "DYLD_", "BASH_", "PYTHON", "PIP_", "PERL", "RUBY", "GEM_", "BUNDLE_", "NODE_", "LUA_", "PHP", "JAVA_",
    "_JAVA_", "JDK_", "GIT_", "MALLOC_", "GLIBC_", "GCONV_", "SUDO_", "SYSTEMD_", "CARGO_", "RUSTC", "RUSTDOC", "R_",
    "DOTNET_", "CORECLR_", "CCACHE_", "CMAKE_", "ERL_", "PI_",
];
/// The same, however it is written: these programs do not look at the case of such names.
const REFUSED_PREFIXES_ANY_CASE: &[&str] = &["npm_", "yarn_"];
/// Within a refused prefix, and only data.
const ALLOWED: &[&str] = &[
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_DATE",
    "GIT_TERMINAL_PROMPT",
    "GIT_OPTIONAL_LOCKS",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "PYTHONHASHSEED",
];
const REFUSED: &[&str] = &[
    "PATH",
    "HOME",
    "ENV",
    "IFS",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "FPATH",
    "ZDOTDIR",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "BROWSER",
    "LESS",
    "LESSOPEN",
    "LESSCLOSE",
    "LESSKEY",
    "LESSKEYIN",
    "SSH_ASKPASS",
    "RSYNC_RSH",
    "CVS_RSH",
    "SVN_SSH",
    "TAR_OPTIONS",
    "ZIPOPT",
    "MAKEFLAGS",
    "MFLAGS",
    "GNUMAKEFLAGS",
    "MAKEFILES",
    "CC",
    "CXX",
    "CPP",
    "LD",
    "AR",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "CLASSPATH",
    "MAVEN_OPTS",
    "GRADLE_OPTS",
    "GOFLAGS",
    "GODEBUG",
    "GOROOT",
    "GOPATH",
    "GOENV",
    "GOTOOLCHAIN",
    "RUSTFLAGS",
    "TCLLIBPATH",
    "LOCPATH",
    "NLSPATH",
    "TZDIR",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERMCAP",
    "AWKPATH",
    "AWKLIBPATH",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "SSLKEYLOGFILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_HOME",
    "WGETRC",
    "PSQLRC",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "INPUTRC",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_DIRS",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "KUBECONFIG",
];

/// Whether these may be added to the clean environment. One that repeats a clean value is no
/// change and passes: shells hand on all that they have.
///
/// # Errors
/// Names the first variable that may not.
pub fn check(additions: &[(String, String)]) -> Result<(), EnvironmentError> {
    if additions.len() > COUNT_MAX {
        return Err(EnvironmentError::Count);
    }
    if additions.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() > BYTES_MAX {
        return Err(EnvironmentError::Bytes);
    }
    for (name, value) in additions {
        if !is_name(name) {
            return Err(EnvironmentError::Name(name.chars().take(64).collect()));
        }
        if value.contains('\0') {
            return Err(EnvironmentError::Value(name.clone()));
        }
        let is_clean = CLEAN.iter().any(|(clean, same)| clean == name && same == value);
        if !is_clean && changes_code(name) {
            return Err(EnvironmentError::Refused(name.clone()));
        }
    }
    Ok(())
}

/// The whole environment, the additions last.
#[must_use]
pub(crate) fn whole(additions: &[(String, String)]) -> Vec<(String, String)> {
    let kept = CLEAN.iter().filter(|(clean, _)| !additions.iter().any(|(name, _)| name == clean));
    kept.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(additions.iter().cloned()).collect()
}

/// The file that a program's name means, looked up in `path` as a shell would.
#[must_use]
pub fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        // A relative entry means another program in every folder.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
}

fn changes_code(name: &str) -> bool {
    !ALLOWED.contains(&name)
        && (REFUSED.contains(&name)
            || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || REFUSED_PREFIXES_ANY_CASE.iter().any(|prefix| begins_in_any_case(name, prefix)))
}

fn begins_in_any_case(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<(), EnvironmentError> {
        check(&[(name.into(), value.into())])
    }

    #[test]
    fn refuses_variables_that_change_code() {
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "BASH_ENV",
            "ENV",
            "PATH",
            "IFS",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PERL5LIB",
            "PERL5OPT",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "GIT_EXTERNAL_DIFF",
            "GIT_CONFIG_COUNT",
            "HOME",
            "RUBYOPT",
            "JAVA_TOOL_OPTIONS",
            "GLIBC_TUNABLES",
            "LESSOPEN",
            "PAGER",
            "GCONV_PATH",
            "PI_SERVICE_RUN",
            "CC",
            "GCC_EXEC_PREFIX",
            "CMAKE_CXX_COMPILER_LAUNCHER",
            "CCACHE_PREFIX",
            "ZIPOPT",
            "PIP_INDEX_URL",
            "ERL_AFLAGS",
            "ERL_FLAGS",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CARGO_BUILD_RUSTC_WRAPPER",
            "GOFLAGS",
            "NPM_CONFIG_SCRIPT_SHELL",
            "npm_config_script_shell",
            "Npm_Config_Node_Options",
            "AWS_CONFIG_FILE",
            "DOCKER_CONFIG",
            "KUBECONFIG",
            "SSL_CERT_FILE",
        ] {
            assert_eq!(one(name, "x"), Err(EnvironmentError::Refused(name.into())), "{name}");
        }
    }

    #[test]
    fn allows_plain_data() {
        for name in ["FOO", "PGUSER", "LC_ALL", "LANG", "TZ", "GIT_AUTHOR_NAME", "http_proxy", "AWS_REGION", "np", "_"]
        {
            assert_eq!(one(name, "x"), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_repeated_clean_value_is_no_change() {
        assert_eq!(one("PATH", PATH), Ok(()));
        assert_eq!(one("HOME", "/nonexistent"), Ok(()));
    }

    #[test]
    fn refuses_names_that_are_none() {
        for name in ["", "A=B", "1A", "A B", "BASH_FUNC_ls%%", "A\0"] {
            assert!(matches!(one(name, "x"), Err(EnvironmentError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn the_count_is_limited() {
        let many = |count: usize| (0..count).map(|n| (format!("V{n}"), String::new())).collect::<Vec<_>>();
        assert_eq!(check(&many(COUNT_MAX)), Ok(()));
        assert_eq!(check(&many(COUNT_MAX + 1)), Err(EnvironmentError::Count));
    }

    #[test]
    fn the_bytes_are_limited() {
        assert_eq!(one("V", &"x".repeat(BYTES_MAX - 3)), Ok(()));
        assert_eq!(one("V", &"x".repeat(BYTES_MAX - 2)), Err(EnvironmentError::Bytes));
    }

    #[test]
    fn additions_replace_clean_values() {
        let whole = whole(&[("TZ".into(), "Europe/Berlin".into())]);
        assert_eq!(whole.iter().filter(|(name, _)| name == "TZ").count(), 1);
        assert!(whole.contains(&("TZ".into(), "Europe/Berlin".into())));
        assert!(whole.contains(&("PATH".into(), PATH.into())));
    }
}
