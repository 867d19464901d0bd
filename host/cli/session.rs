//! `pi-host session list|show|resume|verify`

use std::path::Path;

use owo_colors::Style;

use super::{Failure, Output, block_on, run};
use crate::app::open_existing_store;
use crate::config::Project;
use crate::journal::{list, list_text, show, show_text, verify, verify_text};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List all sessions
    List,
    /// Show what a session did, step by step
    Show {
        /// The session's id
        id: String,
    },
    /// Take up sessions that were cut off, and end when they have ended
    Resume {
        /// The session's id; without it, all that were cut off
        id: Option<String>,
    },
    /// Check the hash chain of the journal
    Verify {
        /// The session's id; without it, all of them
        id: Option<String>,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    match command {
        Command::List => block_on(async {
            let store = open_existing_store(&project).await?;
            let sessions = list(store.as_ref()).await?;
            output.data(&sessions, || list_text(&sessions).trim_end().to_owned());
            Ok(())
        })?,
        Command::Show { id } => block_on(async {
            let store = open_existing_store(&project).await?;
            let view = show(store.as_ref(), &id).await?;
            output.data(&view, || show_text(&view).trim_end().to_owned());
            Ok(())
        })?,
        Command::Resume { id } => run::resume(output, project, id),
        Command::Verify { id } => block_on(async {
            let store = open_existing_store(&project).await?;
            let reports = verify(store.as_ref(), id.as_deref()).await?;
            output.data(&reports, || verify_text(&reports).trim_end().to_owned());
            if reports.iter().all(|report| report.problems.is_empty()) {
                return Ok(());
            }
            output.note(&output.err("the journal does not hold", Style::new().red().bold()));
            Err(Failure::Said)
        })?,
    }
}
