//! `pi-host init`

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::{Failure, Output};
use crate::config::{FILE, TEMPLATE};

#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(output: &Output, project: &Path, _arguments: &Arguments) -> Result<(), Failure> {
    let path = project.join(FILE);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            anyhow::anyhow!(
                "{} is there already; it was left as it is\nhint: edit it, then `pi-host doctor` checks it",
                path.display()
            )
        } else {
            anyhow::Error::new(error).context(format!("{} cannot be written", path.display()))
        }
    })?;
    file.write_all(TEMPLATE.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    output.data(&json!({ "written": path }), || {
        format!("{} written: name a service in it, then `pi-host doctor`, then `pi-host run`", path.display())
    });
    Ok(())
}
