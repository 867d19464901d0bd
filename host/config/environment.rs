//! The environment of the process: the only place that reads it.

#![allow(clippy::disallowed_methods, reason = "this is the place that reads the environment")]

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where compiled code is kept: `PI_CACHE_DIR`, else the user's cache folder.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PI_CACHE_DIR") {
        return Some(PathBuf::from(folder));
    }
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        return Some(PathBuf::from(folder).join("pi-host"));
    }
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache").join("pi-host"))
}

/// The user's credentials for registries: the texts of the files in which docker and podman keep them.
#[must_use]
pub fn registry_credentials() -> Vec<String> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = folder("HOME");
    let files = [
        folder("REGISTRY_AUTH_FILE"),
        folder("DOCKER_CONFIG").map(|folder| folder.join("config.json")),
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        home.map(|home| home.join(".docker/config.json")),
    ];
    files.into_iter().flatten().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}

/// What the tools of AWS read of the environment: the variables `AWS_*`, and `HOME`, below which the profiles are.
#[must_use]
pub fn cloud_environment() -> BTreeMap<String, String> {
    let is_read = |name: &str| name.starts_with("AWS_") || name == "HOME";
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_read(name) && !value.is_empty())
        .collect()
}

/// Where a command makes a folder for the time that it runs: `TMPDIR`, else `/tmp`.
#[must_use]
pub fn scratch_folder() -> PathBuf {
    std::env::temp_dir()
}

/// The host's `PATH`, in which granted programs are looked up once.
#[must_use]
pub fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into())
}

/// What an environment variable holds, where it is set and not empty: a token, a secret.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of the user who runs this program, by the system's list of users; else the number.
#[must_use]
pub fn user() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    };
    users.lines().find_map(of_line).unwrap_or_else(|| id.to_string())
}

/// Whether colour is refused by `NO_COLOR`.
#[must_use]
pub fn is_colour_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
