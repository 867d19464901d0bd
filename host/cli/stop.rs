//! `pi-host stop`

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Failure, Output, block_on};
use crate::app::{STOP, open_existing_store};
use crate::config::Project;
use crate::store::{Answer, NewRequest};

/// How long the host may take to stop.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Stop this session only; it can be taken up again by `session resume`
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

pub(crate) fn run(output: &Output, directory: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    block_on(async {
        let store = open_existing_store(&project).await?;
        let Some(held) = store.holder().await? else {
            anyhow::bail!("no host runs here");
        };
        let valid_ms = u64::try_from(ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
        let payload = json!({ "session": arguments.session });
        let id = store.push_request(NewRequest { kind: STOP.into(), payload, is_idempotent: true, valid_ms }).await?;
        match store.wait_answer(&id, ANSWER_MAX).await? {
            Answer::Response(value) => match value.get("error").and_then(serde_json::Value::as_str) {
                Some(error) => anyhow::bail!("{error}"),
                None => {
                    output.data(&value, || "stopped".into());
                    Ok(())
                }
            },
            _ => anyhow::bail!("the host (pid {}) did not answer\nhint: kill {}", held.pid, held.pid),
        }
    })?
    .map_err(Failure::Error)
}
