//! What agents have spent today before this host began: read back from the journal, so that a limit of a day holds
//! over restarts. Only where an agent has one: reading the sessions of a day costs their length.

use std::collections::BTreeMap;

use super::setup::Progress;
use crate::clock;
use crate::config::Spend;
use crate::journal::entries;
use crate::session::{AgentSetup, DAY_MS, Days};
use crate::store::{Store, StoreError};

/// Count what the sessions of these agents have spent today.
///
/// # Errors
/// The store failed.
pub(super) async fn count_today(
    store: &dyn Store,
    agents: &BTreeMap<String, AgentSetup>,
    days: &Days,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let is_limited = |name: &String| agents.get(name).is_some_and(|agent| agent.budget.day != Spend::default());
    if !agents.keys().any(is_limited) {
        return Ok(());
    }
    let today = clock::now_ms() / DAY_MS;
    for record in store.sessions().await?.iter().filter(|record| is_limited(&record.agent)) {
        if record.ended_ms.is_some_and(|ended_ms| ended_ms / DAY_MS < today) {
            continue;
        }
        match entries(store, &record.id).await {
            Ok(entries) => days.count(&record.agent, &entries),
            // One that cannot be read keeps nobody from working, and is not passed over in silence.
            Err(error) => progress(&format!("what was spent today in session `{}` is not counted: {error}", record.id)),
        }
    }
    Ok(())
}
