//! MCP's official packages for Python and Node, of fixed versions, installed once into a cache folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PYTHON_PACKAGE: &str = "mcp==2.3.0";
const NODE_PACKAGE: &str = "@modelcontextprotocol/sdk@1.32.2";

/// The interpreter of an environment in which `mcp` is installed.
pub(super) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let script = format!(
            "python3 -m venv python && python/bin/pip install --quiet --only-binary :all: --disable-pip-version-check {PYTHON_PACKAGE}"
        );
        installed("python", PYTHON_PACKAGE, &script).join("python/bin/python")
    })
}

/// The folder above the `node_modules` in which `@modelcontextprotocol/sdk` is installed.
pub(super) fn node() -> &'static Path {
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    NODE.get_or_init(|| {
        let script = format!(
            "mkdir -p node && npm install --prefix node --no-audit --no-fund --ignore-scripts --loglevel error {NODE_PACKAGE}"
        );
        installed("node", NODE_PACKAGE, &script).join("node")
    })
}

/// The folders that a program of the environment reads: its own, and that of the interpreter behind it.
pub(super) fn python_folders() -> Vec<String> {
    let output = Command::new(python()).args(["-c", "import sys; print(sys.prefix); print(sys.base_prefix)"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    // What lies in the system's folders is read by every program.
    text.lines().filter(|folder| *folder != "/usr").map(str::to_owned).collect()
}

/// The cache folder, once `script` has been through in it for this version.
fn installed(name: &str, version: &str, script: &str) -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mcp-sdk");
    let mark = cache.join(format!("{name}.installed"));
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == version) {
        return cache;
    }
    std::fs::create_dir_all(&cache).unwrap();
    let _ = std::fs::remove_dir_all(cache.join(name));
    let output = Command::new("sh").args(["-c", script]).current_dir(&cache).output().unwrap();
    assert!(
        output.status.success(),
        "these tests need {version} and what it needs; by hand:\n  cd {} && {script}\n{}{}",
        cache.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::write(mark, version).unwrap();
    cache
}
