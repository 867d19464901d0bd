//! Keys: where they come from, and that nobody sees them.
//!
//! A key is in a header on its way to the provider and nowhere else. It prints as `***`, and whatever a server says is
//! searched for it before anybody reads it ([`super::refusal`]).

use std::fmt;
use std::path::Path;

use crate::config::read_private;

/// Longest key. Danger: a file that is none fills the memory.
const KEY_BYTES_MAX: usize = 16 << 10;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// What the header holds.
    pub(super) fn exposed(&self) -> &str {
        &self.0
    }

    /// # Errors
    /// It is empty or cannot be in a header; the reason does not hold it.
    pub(super) fn of(text: &str) -> Result<Self, &'static str> {
        // Whoever copies a key copies a line's end with it.
        let text = text.trim();
        match text {
            "" => Err("is empty"),
            text if text.len() > KEY_BYTES_MAX => Err("is too long for a key"),
            text if !text.bytes().all(|b| b.is_ascii_graphic()) => {
                Err("holds what no key holds, such as a space or a line's end")
            }
            text => Ok(Self(text.to_owned())),
        }
    }

    /// The key in a file that nobody else can read or change.
    ///
    /// # Errors
    /// Reason and advice.
    pub(super) fn read(path: &Path) -> Result<Self, (String, String)> {
        let shown = crate::gate::explain::escaped(&path.display().to_string());
        // With the line's end that is copied with it.
        let text = read_private(path, KEY_BYTES_MAX as u64 + 2)?;
        Self::of(&text).map_err(|reason| (format!("`{shown}` {reason}"), "write the key alone into it".into()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(mode: u32, text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn reads_a_file_that_is_ours_alone_and_never_prints_it() {
        let key = Key::read(file(0o600, "sk-secret\n").path()).unwrap();
        assert_eq!(key.exposed(), "sk-secret");
        assert_eq!(format!("{key:?}"), "***");
    }

    #[test]
    fn refuses_a_file_that_others_can_read() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let (reason, hint) = Key::read(file(mode, "sk-secret").path()).unwrap_err();
            assert!(reason.contains(&format!("{mode:04o}")) && hint.starts_with("chmod 600"), "{reason} {hint}");
        }
    }

    #[test]
    fn refuses_what_is_no_key_without_repeating_it() {
        for text in ["", "\n", "two words", "a\nsecret", &"x".repeat(KEY_BYTES_MAX + 1)] {
            let (reason, _) = Key::read(file(0o600, text).path()).unwrap_err();
            assert!(!reason.contains("words") && !reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn refuses_a_folder_and_a_pipe_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Key::read(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(Key::read(&pipe).unwrap_err().0.contains("no regular file"));
        assert!(Key::read(&folder.path().join("none")).unwrap_err().0.contains("cannot be read"));
    }
}
