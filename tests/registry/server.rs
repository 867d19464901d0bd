//! A real registry on this machine: Debian's `docker-registry`, started for one test and ended after it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// `me:pass:word` in bcrypt.
const HTPASSWD: &str = "me:$2y$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki\n";
pub(super) const USER: &str = "me";
pub(super) const PASSWORD: &str = "pass:word";

pub(crate) struct Registry {
    child: Child,
    /// `127.0.0.1:port`.
    pub(crate) host: String,
    _folder: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// One that wants a name and a password for everything.
    pub(super) fn start_with_login() -> Self {
        Self::with("auth:\n  htpasswd:\n    realm: tests\n    path: FOLDER/htpasswd\n")
    }

    fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: FOLDER/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n  secret: tests\n{more}"
        );
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config.replace("FOLDER", &at)).unwrap();
        let mut child = Command::new(program())
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let host = lines.by_ref().map_while(Result::ok).find_map(|line| {
            said.push_str(&format!("{line}\n"));
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        });
        // What it says later is read, as it would wait for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let host = host.unwrap_or_else(|| panic!("the registry did not start:\n{said}"));
        Self { child, host, _folder: folder }
    }

    /// A source in it.
    pub(super) fn source(&self, name: &str) -> pi_host::registry::source::Source {
        pi_host::registry::source::Source::parse(&format!("oci://{}/{name}", self.host)).unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: of this system, or out of Debian's package, which needs no rights to be unpacked.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed =
            std::env::split_paths(&path).map(|folder| folder.join("docker-registry")).find(|file| file.is_file());
        installed.unwrap_or_else(|| {
            let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-registry");
            let unpacked = cache.join("unpacked/usr/bin/docker-registry");
            if !unpacked.is_file() {
                unpack(&cache);
            }
            assert!(
                unpacked.is_file(),
                "these tests need a registry: install Debian's package `docker-registry`, or unpack it:\n  cd {} && apt-get download docker-registry && dpkg -x docker-registry_*.deb unpacked",
                cache.display()
            );
            unpacked
        })
    })
}

fn unpack(cache: &Path) {
    std::fs::create_dir_all(cache).unwrap();
    let script = "apt-get download docker-registry && dpkg -x docker-registry_*.deb unpacking && mv unpacking unpacked";
    let done = Command::new("sh").args(["-c", script]).current_dir(cache).output();
    if let Ok(output) = done {
        // Said where the test fails for it.
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
}
