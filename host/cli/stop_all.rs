//! `pi-host stop-all`, `pi-host resume-all`

use std::path::Path;

use super::{Failure, Output, block_on};
use crate::app::{Switched, resume_all, stop_all};
use crate::config::{Project, user};

#[derive(clap::Args)]
#[command(
    after_help = "Every act that changes anything is refused from now on, for every host of this project's store and whoever asks; \
looking goes on, sessions that run read why, new ones wait. It holds over restarts, until `pi-host resume-all`. \
Services are supervised as before; `pi-host stop` ends the host itself.\n\nExamples:\n  pi-host stop-all --reason \"agents fight over the database\"\n  pi-host alarms                says that everything is stopped, since when, by whom and why"
)]
pub(crate) struct Arguments {
    /// Why: agents read it in each refusal, and people in the journal
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(crate) fn stop(output: &Output, directory: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    let switched = block_on(stop_all(&project, &user(), &arguments.reason))??;
    told(output, &switched);
    Ok(())
}

pub(crate) fn resume(output: &Output, directory: &Path) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    let switched = block_on(resume_all(&project, &user()))??;
    told(output, &switched);
    Ok(())
}

fn told(output: &Output, switched: &Switched) {
    output.data(switched, || {
        let text = match (switched.is_stopped, switched.is_unchanged) {
            (true, false) => "everything is stopped: what changes anything is refused until `pi-host resume-all`",
            (true, true) => "everything was stopped already, and is so with the new reason",
            (false, false) => "agents go on",
            (false, true) => "nothing was stopped",
        };
        text.to_owned()
    });
    if let Some(why) = &switched.unwritten {
        output.note(&format!("it holds, and is not in the journal yet: {why}"));
    }
}
