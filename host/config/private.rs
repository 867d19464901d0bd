//! Files that hold a secret: they belong to who runs this, and nobody else can read or change them.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::gate::explain::escaped;

/// The text of such a file, at most `bytes_max` long. Danger of more: a device or a disk image in its place.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn read_private(path: &Path, bytes_max: u64) -> Result<String, (String, String)> {
    let shown = escaped(&path.display().to_string());
    let failed = |error: std::io::Error| (format!("`{shown}` cannot be read: {error}"), "correct the path".to_owned());
    // Without O_NONBLOCK a pipe in its place would never open. What is looked at is what was opened: between a look at
    // the path and its opening another file could be put there.
    let mut file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err((format!("`{shown}` is no regular file"), "correct the path".into()));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let what = format!("`{shown}` belongs to the user {}, not to the one who runs this", metadata.uid());
        return Err((what, format!("run `chown` on {shown}")));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err((format!("others can read `{shown}`: its mode is {mode:04o}"), format!("chmod 600 {shown}")));
    }
    let mut text = String::new();
    file.by_ref().take(bytes_max.saturating_add(1)).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > bytes_max {
        return Err((format!("`{shown}` is longer than {bytes_max} bytes"), "write the secret alone into it".into()));
    }
    Ok(text)
}
