//! Starts a process of this project's own that no plugin asked for, such as a service of the fault
//! lab. Nothing of it comes from a guest, so it is not confined.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Start `program`, which sees `name` as its own name, without input and output.
///
/// # Errors
/// What the system says.
pub(crate) fn start_own(program: &Path, name: &str, arguments: &[String], directory: &Path) -> io::Result<Child> {
    Command::new(program)
        .arg0(name)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
