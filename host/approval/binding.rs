//! What an approval is bound to: the exact act, and what the files that it names hold.
//!
//! A person who agrees to `python3 fix.py` agrees to what stands in `fix.py` now. The hash is made
//! when the act is asked about and again before it is let through; if it is another one, the
//! approval is for something that is no longer there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::gate::Act;

/// Files that one act may name and that are read. Danger: a command line of ten thousand files.
const FILES_MAX: usize = 64;
/// Bytes that are read of all files together; of what is beyond, only size and time count. Danger: a
/// command that names a disk image holds up every other question.
const BYTES_MAX: u64 = 64 << 20;

/// Lower-case hex SHA-256 over the act and the files that it names. Reads files: not on a runtime thread.
#[must_use]
pub fn action_hash(act: &Act) -> String {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(act).unwrap_or_default());
    let mut left = BYTES_MAX;
    for path in files(act) {
        hash.update([0]);
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(state_of(&path, &mut left));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The regular files that the act names, in its order.
fn files(act: &Act) -> Vec<PathBuf> {
    let words: Vec<PathBuf> = match act {
        Act::ProcessRun { argv, directory, .. } => {
            let folder = Path::new(directory);
            // `--file=x` names `x` as well as a word of its own does.
            let values =
                argv.iter().flat_map(|word| [Some(word.as_str()), word.split_once('=').map(|(_, value)| value)]);
            values.flatten().map(|word| folder.join(word.trim_start_matches('@'))).collect()
        }
        Act::FileRename { from, to } => vec![from.into(), to.into()],
        Act::FileWrite { path, .. } | Act::FileRemove { path, .. } | Act::LogRotate { path, .. } => vec![path.into()],
        _ => Vec::new(),
    };
    let is_file = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.is_file());
    words.into_iter().filter(is_file).take(FILES_MAX).collect()
}

/// What is in a file, or, beyond the limit, how large and how old it is.
fn state_of(path: &Path, left: &mut u64) -> Vec<u8> {
    let Ok(metadata) = path.metadata() else { return Vec::new() };
    if metadata.len() <= *left
        && let Ok(file) = File::open(path)
    {
        let mut bytes = Vec::new();
        // One that grows while it is read is cut: the next look sees another size.
        if file.take(*left).read_to_end(&mut bytes).is_ok() {
            *left = left.saturating_sub(bytes.len() as u64);
            return Sha256::digest(&bytes).to_vec();
        }
    }
    format!("{} {:?}", metadata.len(), metadata.modified().ok()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, argv: &[&str]) -> Act {
        Act::ProcessRun {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            directory: folder.display().to_string(),
            environment: vec![],
        }
    }

    #[test]
    fn another_argument_folder_or_variable_is_another_act() {
        let folder = tempfile::tempdir().unwrap();
        let act = run(folder.path(), &["/bin/echo", "a"]);
        assert_eq!(action_hash(&act), action_hash(&act.clone()));
        assert_ne!(action_hash(&act), action_hash(&run(folder.path(), &["/bin/echo", "b"])));
        assert_ne!(action_hash(&act), action_hash(&run(Path::new("/"), &["/bin/echo", "a"])));
        let mut with = act.clone();
        if let Act::ProcessRun { environment, .. } = &mut with {
            environment.push(("A".into(), "b".into()));
        }
        assert_ne!(action_hash(&act), action_hash(&with));
    }

    #[test]
    fn a_script_that_was_changed_is_another_act() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("fix.py");
        std::fs::write(&script, "print(1)").unwrap();
        for argv in [&["/usr/bin/python3", "fix.py"][..], &["/usr/bin/python3", "--file=fix.py"]] {
            std::fs::write(&script, "print(1)").unwrap();
            let before = action_hash(&run(folder.path(), argv));
            std::fs::write(&script, "print(2)").unwrap();
            assert_ne!(before, action_hash(&run(folder.path(), argv)), "{argv:?}");
        }
    }

    #[test]
    fn a_file_beyond_the_limit_counts_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        let file = File::create(&large).unwrap();
        file.set_len(BYTES_MAX + 1).unwrap();
        let act = run(folder.path(), &["/bin/cat", "large"]);
        let before = action_hash(&act);
        file.set_len(BYTES_MAX + 2).unwrap();
        assert_ne!(before, action_hash(&act));
    }
}
