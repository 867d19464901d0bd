//! Opening the logs and the configuration of a service to read them.
//!
//! Who may write to their folders (the service itself, a program that a tool was granted) may put a
//! link in their place, to anything that the host can read. So what was opened is asked where it
//! really is: within the project for a path of the project, else within the folder that `pi.toml` names.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::config::STATE_FOLDER;

/// Open a regular file for reading.
///
/// # Errors
/// As the system has them; `PermissionDenied` for a file that really is elsewhere.
pub(crate) fn open(path: &Path, project: &Path) -> io::Result<File> {
    // A pipe in its place must not hold up whoever opens it.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let real_project = project.canonicalize()?;
    let real_state = real_project.join(STATE_FOLDER);
    let is_below = |folder: &Path| real.starts_with(folder);
    let is_fine = if path.starts_with(project.join(STATE_FOLDER)) {
        // What the host itself keeps of the service's output.
        is_below(&real_state)
    } else if path.starts_with(project) || path.starts_with(&real_project) {
        is_below(&real_project) && !is_below(&real_state)
    } else {
        is_below(&folder_of(path)?) && !is_below(&real_state)
    };
    if is_fine { Ok(file) } else { Err(elsewhere(&real)) }
}

fn folder_of(path: &Path) -> io::Result<PathBuf> {
    path.parent().unwrap_or(Path::new("/")).canonicalize()
}

fn elsewhere(real: &Path) -> io::Error {
    let text = format!("it leads to `{}`: name that file itself in pi.toml, if it is meant", real.display());
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_project_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().canonicalize().unwrap().join("project");
        fs::create_dir_all(project.join(STATE_FOLDER)).unwrap();
        fs::write(project.join("app.log"), "x").unwrap();
        fs::write(project.join(STATE_FOLDER).join("store.db"), "x").unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("app.log", project.join("within")).unwrap();
        std::os::unix::fs::symlink("../secret", project.join("out")).unwrap();
        std::os::unix::fs::symlink(".pi/store.db", project.join("state")).unwrap();
        assert!(open(&project.join("app.log"), &project).is_ok());
        assert!(open(&project.join("within"), &project).is_ok());
        for name in ["out", "state"] {
            let error = open(&project.join(name), &project).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{name}");
        }
        assert!(open(&project, &project).is_err());
    }
}
