//! Where the plugins of one language are made: a folder that stays between runs, so that a toolchain is
//! fetched once, by the very commands that the documentation names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use crate::project::Said;

/// What a build installs or keeps, in the folder of a project.
const KEPT: [&str; 3] = [".venv", "node_modules", "target"];
/// What stands for a language where none of its toolchain is to be had.
const MISSING: &str = "the toolchain of this language is not to be had here; what is missing is said above";

pub(super) struct Workshop {
    pub(super) language: &'static str,
    folder: PathBuf,
    /// Two runs of the tests at a time would build over each other.
    _lock: File,
}

impl Workshop {
    pub(super) fn of(language: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages").join(language);
        std::fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        Self { language, folder, _lock: lock }
    }

    /// A command of the documentation, in a folder below.
    pub(super) fn run(&self, folder: &Path, program: &str, arguments: &[&str]) -> Said {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let host = Path::new(env!("CARGO_BIN_EXE_pi-host")).parent().unwrap().to_owned();
        let path = std::env::join_paths(std::iter::once(host).chain(std::env::split_paths(&path))).unwrap();
        // The cargo that runs the tests has variables for itself, which are none of the plugin's.
        let variables = std::env::vars_os()
            .filter(|(name, _)| !name.to_string_lossy().starts_with("CARGO_") || name == "CARGO_HOME");
        let output = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(variables)
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .env("PI_HOST_TOOLCHAINS", self.folder.join("toolchains"))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        Said::of(output)
    }

    /// The same, and it must go well.
    pub(super) fn good(&self, folder: &Path, program: &str, arguments: &[&str]) -> Said {
        let said = self.run(folder, program, arguments);
        let hint = if program == "sh" { MISSING } else { "" };
        assert_eq!(said.code, Some(0), "{program} {arguments:?}: {}\n{}\n{hint}", said.out, said.err);
        said
    }

    /// A project as `plugin new` makes it, built by its one command.
    pub(super) fn project(&self, name: &str, kind: &str) -> PathBuf {
        let folder = self.folder.join(name);
        let kept = self.folder.join(format!("{name}-kept"));
        std::fs::create_dir_all(&kept).unwrap();
        for part in KEPT {
            let _ = std::fs::rename(folder.join(part), kept.join(part));
        }
        let _ = std::fs::remove_dir_all(&folder);
        self.good(&self.folder, "pi-host", &["plugin", "new", name, "--lang", self.language, "--kind", kind]);
        for part in KEPT {
            let _ = std::fs::rename(kept.join(part), folder.join(part));
        }
        folder
    }

    /// Build a project by its one command. Where a build of the same sources by the same tools was kept, that is
    /// packed instead, by this host: a compiler gives the same again, and takes a minute for it.
    pub(super) fn build(&self, folder: &Path) {
        let made = match self.language {
            "rust" => "target/wasm32-wasip2/release/plugin.wasm",
            _ => "build/plugin.wasm",
        };
        let kept = self.folder.join("built").join(format!("{}.wasm", self.digest(folder)));
        if kept.exists() && KEPT.iter().any(|part| folder.join(part).exists()) {
            std::fs::create_dir_all(folder.join(made).parent().unwrap()).unwrap();
            std::fs::copy(kept, folder.join(made)).unwrap();
            let packed = format!("{}.wasm", folder.file_name().unwrap().to_str().unwrap());
            self.good(folder, "pi-host", &["plugin", "pack", made, "--manifest", "plugin.json", "--output", &packed]);
            return;
        }
        self.good(folder, "sh", &["build.sh"]);
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        // Whole, or not at all: a run that was interrupted keeps nothing.
        let part = kept.with_extension("part");
        std::fs::copy(folder.join(made), &part).unwrap();
        std::fs::rename(part, kept).unwrap();
    }

    /// Of everything that a build depends on: the files of a project as it was made, which pin what they
    /// install, and the compiler or interpreter that is there.
    fn digest(&self, folder: &Path) -> String {
        let tool = match self.language {
            "rust" => "rustc",
            "js" => "node",
            _ => "python3",
        };
        let mut digest = Sha256::new();
        digest.update(self.run(folder, tool, &["--version"]).out);
        let mut files = Vec::new();
        files_below(folder, &mut files);
        files.sort();
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            digest.update(format!("\n{} {}\n", file.strip_prefix(folder).unwrap().display(), bytes.len()));
            digest.update(bytes);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Let a project use what another has installed: the same, once more, would only be slow.
    pub(super) fn share(&self, from: &Path, to: &Path) {
        for part in KEPT {
            if from.join(part).exists() && !to.join(part).exists() {
                std::os::unix::fs::symlink(from.join(part), to.join(part)).unwrap();
            }
        }
    }

    /// The reference tool in this language, packed. `build` is the word of build.sh for it.
    pub(super) fn reference(&self, from: &Path, build: &str) -> Vec<u8> {
        let toolchains = self.folder.join("toolchains");
        std::fs::create_dir_all(&toolchains).unwrap();
        let part = match self.language {
            "rust" => "target",
            "js" => "",
            _ => ".venv",
        };
        let link = toolchains.join(self.language);
        if !link.exists() {
            std::os::unix::fs::symlink(from.join(part), link).unwrap();
        }
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/reference");
        let built = self.folder.join(format!("{build}.wasm"));
        let packed = self.folder.join(format!("{build}-packed.wasm"));
        let [script, built, to, manifest] =
            [sources.join("build.sh"), built, packed.clone(), sources.join("plugin.json")]
                .map(|path| path.display().to_string());
        self.good(&self.folder, "sh", &[&script, build, &built]);
        self.good(&self.folder, "pi-host", &["plugin", "pack", &built, "--manifest", &manifest, "--output", &to]);
        std::fs::read(packed).unwrap()
    }
}

/// The files of a project, without what was installed or built.
fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if KEPT.iter().any(|part| path.ends_with(part)) {
            continue;
        }
        if path.is_dir() {
            files_below(&path, files);
        } else {
            files.push(path);
        }
    }
}
