//! What an approval is bound to: the exact act, and the files that decide what it does.
//!
//! A person who agrees to `python3 fix.py` agrees to what stands in `fix.py` now. The hash is made
//! when the act is asked about and again before it is let through; if it is another one, the
//! approval is for something that is no longer there. `named` finds the files, `implied` those that a
//! program reads without being told. What is more than can be looked at cannot be approved at all.

mod implied;
mod named;
mod state;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::clock;
use crate::gate::{Act, Decision};
use named::Named;
use state::Looks;

/// Looks at what changes while it is looked at.
const LOOKS_MAX: usize = 4;
/// A file that was changed this recently can be changed once more without a newer time. The clocks of
/// file systems tick every few milliseconds.
const TICK_MS: u64 = 30;

/// Why an act cannot be bound to what it depends on: nobody can agree to it then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbound {
    #[error("it depends on more than {0} files, which cannot all be looked at\nhint: name fewer, or a smaller folder")]
    TooMany(usize),
    #[error("folders nest more than {0} deep in what it depends on")]
    TooDeep(usize),
    #[error("what it depends on changes while it is looked at\nhint: ask again when nothing writes there")]
    Restless,
    #[error("what it depends on cannot be read: {0}")]
    Unreadable(String),
}

/// Lower-case hex SHA-256 over the act and the files that decide what it does. `own` is the host's
/// own folder, which decides nothing. Reads files: not on a runtime thread.
///
/// # Errors
/// It depends on more than can be looked at.
pub fn action_hash(act: &Act, decision: &Decision, own: &Path) -> Result<String, Unbound> {
    let named = Named::of(act, decision)?;
    for _ in 0..LOOKS_MAX {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(act).map_err(|error| Unbound::Unreadable(error.to_string()))?);
        let mut looks = Looks::new(own);
        looks.at(&named, &mut hash)?;
        if looks.newest_ms().is_none_or(|newest| newest.saturating_add(TICK_MS) < clock::now_ms()) {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        std::thread::sleep(clock::Duration::from_millis(2 * TICK_MS));
    }
    Err(Unbound::Restless)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::gate::{Gate, Origin};

    fn run(folder: &Path, argv: &[&str]) -> Act {
        Act::ProcessRun {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            directory: folder.display().to_string(),
            environment: vec![],
        }
    }

    fn hash(act: &Act) -> String {
        let decision = Gate::builtin().decide(act, &Origin::default());
        action_hash(act, &decision, Path::new("/none")).unwrap()
    }

    #[test]
    fn another_argument_folder_or_variable_is_another_act() {
        let folder = tempfile::tempdir().unwrap();
        let act = run(folder.path(), &["/bin/echo", "a"]);
        assert_eq!(hash(&act), hash(&act.clone()));
        assert_ne!(hash(&act), hash(&run(folder.path(), &["/bin/echo", "b"])));
        assert_ne!(hash(&act), hash(&run(Path::new("/usr"), &["/bin/echo", "a"])));
        let mut with = act.clone();
        if let Act::ProcessRun { environment, .. } = &mut with {
            environment.push(("A".into(), "b".into()));
        }
        assert_ne!(hash(&act), hash(&with));
    }

    /// Each command, with the file that is changed while people think.
    const DECIDED_ELSEWHERE: &[(&[&str], &str)] = &[
        (&["python3", "fix.py"], "fix.py"),
        (&["python3", "--file=fix.py"], "fix.py"),
        (&["curl", "-d", "@body", "h"], "body"),
        (&["make"], "Makefile"),
        (&["sudo", "make", "all"], "Makefile"),
        (&["make", "-fmy.mk"], "my.mk"),
        (&["npm", "run", "build"], "package.json"),
        (&["npm", "install"], "package-lock.json"),
        (&["cargo", "build"], "Cargo.toml"),
        (&["cargo", "build"], "src/main.rs"),
        (&["python3", "-m", "fixmod"], "fixmod.py"),
        (&["python3", "-m", "pkg.tool"], "pkg/tool.py"),
        (&["python3", "fix.py"], "helper.py"),
        (&["pip", "install", "-r", "requirements.txt"], "more.txt"),
        (&["sh", "-c", "python3 'fix.py' --x"], "fix.py"),
        (&["sh", "-c", "cd . && make"], "Makefile"),
        (&["kubectl", "apply", "-f", "pkg"], "pkg/tool.py"),
        (&["docker", "build", "."], "Dockerfile"),
    ];

    fn filled() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pkg", "src"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("requirements.txt"), "-r more.txt\n").unwrap();
        folder
    }

    #[test]
    fn what_decides_and_was_changed_is_another_act() {
        let folder = filled();
        for (argv, file) in DECIDED_ELSEWHERE {
            let path = folder.path().join(file);
            fs::write(&path, "one").unwrap();
            let act = run(folder.path(), argv);
            let before = hash(&act);
            assert_eq!(before, hash(&act), "{argv:?}");
            fs::write(&path, "two").unwrap();
            assert_ne!(before, hash(&act), "{argv:?} and {file}");
        }
    }

    #[test]
    fn what_was_not_there_and_came_is_another_act() {
        for (argv, file) in DECIDED_ELSEWHERE {
            let folder = filled();
            let act = run(folder.path(), argv);
            let before = hash(&act);
            fs::write(folder.path().join(file), "new").unwrap();
            assert_ne!(before, hash(&act), "{argv:?} and {file}");
        }
    }

    #[test]
    fn a_scripts_redirections_and_commands_are_bound() {
        let folder = filled();
        for (text, file) in
            [("python3 < fix.py", "fix.py"), ("cat a; make", "Makefile"), ("ls\npython3 -m fixmod", "fixmod.py")]
        {
            let path = folder.path().join(file);
            fs::write(&path, "one").unwrap();
            let act = Act::Script { text: text.into(), directory: folder.path().display().to_string() };
            let before = hash(&act);
            fs::write(&path, "two").unwrap();
            assert_ne!(before, hash(&act), "{text}");
        }
    }

    #[test]
    fn the_last_of_many_files_is_bound() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
        names.iter().for_each(|name| fs::write(folder.path().join(name), "one").unwrap());
        let argv: Vec<&str> = std::iter::once("cat").chain(names.iter().map(String::as_str)).collect();
        let act = run(folder.path(), &argv);
        let before = hash(&act);
        fs::write(folder.path().join("f99"), "two").unwrap();
        assert_ne!(before, hash(&act));
    }

    #[test]
    fn more_names_than_can_be_looked_at_cannot_be_approved() {
        let names: Vec<String> = (0..=named::NAMES_MAX).map(|number| format!("f{number}")).collect();
        let argv: Vec<&str> = names.iter().map(String::as_str).collect();
        let act = run(Path::new("/srv"), &argv);
        assert!(matches!(action_hash(&act, &Decision::allow(), Path::new("/none")), Err(Unbound::TooMany(_))));
    }

    #[test]
    fn a_large_file_is_bound_although_its_time_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        let file = File::create(&large).unwrap();
        file.set_len(state::BYTES_MAX + 1).unwrap();
        let act = run(folder.path(), &["/bin/cat", "large"]);
        let (before, modified) = (hash(&act), large.metadata().unwrap().modified().unwrap());
        assert_eq!(before, hash(&act));
        fs::write(folder.path().join("other"), "x").unwrap();
        std::os::unix::fs::FileExt::write_at(&file, b"x", 0).unwrap();
        file.set_modified(modified).unwrap();
        assert_ne!(before, hash(&act));
    }

    #[test]
    fn where_files_go_to_and_what_is_removed_may_change() {
        let folder = filled();
        for argv in [&["rm", "-rf", "pkg"][..], &["cp", "requirements.txt", "pkg"]] {
            let act = run(folder.path(), argv);
            let before = hash(&act);
            fs::write(folder.path().join("pkg/log"), argv[0]).unwrap();
            assert_eq!(before, hash(&act), "{argv:?}");
        }
    }

    #[test]
    fn the_hosts_own_folder_decides_nothing() {
        let folder = filled();
        let own = folder.path().join("pkg");
        let act = run(folder.path(), &["kubectl", "apply", "-f", "."]);
        let before = action_hash(&act, &Decision::allow(), &own).unwrap();
        fs::write(own.join("store"), "x").unwrap();
        assert_eq!(before, action_hash(&act, &Decision::allow(), &own).unwrap());
    }
}
