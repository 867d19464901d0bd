//! The components that sessions began with, by their digests, in the project's state folder.
//!
//! A session answers to its journal with the component that wrote it, so an upgrade of an agent must not take that
//! away: each agent's component is kept before its first session begins, and a session that is taken up again runs on
//! the one that it began with. It runs under the grants of today. Pruning removes those that no session needs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::sync::Mutex;

use super::catalog::CatalogError;
use super::setup::{Setup, SetupError};
use crate::config::Project;
use crate::registry::digest::Digest;
use crate::registry::store::{Store, StoreError};
use crate::session::AgentSetup;

/// The folder in the state folder.
const FOLDER: &str = "agents";

/// The components of a project's sessions.
pub(super) struct Kept {
    folder: PathBuf,
    /// What was linked already, by agent and digest.
    linked: Mutex<BTreeMap<(String, String), AgentSetup>>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    #[error(
        "the component of agent `{agent}` cannot be kept for its sessions: {why}\nhint: make room in `{folder}`, and see that it is yours alone"
    )]
    Keep { agent: String, folder: String, why: String },
    #[error("the component of agent `{0}` changed while it was read\nhint: start again")]
    Moved(String),
    #[error(
        "the component that session `{session}` began with is not kept here any more: {digest} of `{agent}`\nhint: put it back as `{path}`; the session stays as it is until then"
    )]
    Gone { session: String, agent: String, digest: String, path: String },
    #[error(
        "the component that session `{session}` began with is not what it was: `{path}`\n  expected: {digest}\n  found:    {found}\nhint: put the right one back; the session stays as it is until then"
    )]
    Changed { session: String, digest: String, found: String, path: String },
    #[error(
        "the component that session `{session}` began with is named by no digest: `{digest}`\nhint: `pi-host session verify {session}`"
    )]
    NoDigest { session: String, digest: String },
    #[error(
        "the kept component of session `{session}` cannot be read: {why}\nhint: the session stays as it is until it can"
    )]
    Read { session: String, why: String },
}

impl Kept {
    pub(super) fn of(project: &Project) -> Self {
        Self { folder: project.state().join(FOLDER), linked: Mutex::default() }
    }

    /// Keep an agent's component. One that is there and as it was is not read again.
    ///
    /// # Errors
    /// It cannot be written, or is not the one of this digest any more.
    pub(super) fn keep(
        &self,
        agent: &str,
        digest: &str,
        bytes: impl FnOnce() -> Result<Cow<'static, [u8]>, CatalogError>,
    ) -> Result<(), KeptError> {
        let folder = self.folder.display().to_string();
        let failed = |why: String| KeptError::Keep { agent: agent.to_owned(), folder: folder.clone(), why };
        let digest = Digest::parse(&format!("sha256:{digest}")).map_err(|error| failed(error.to_string()))?;
        let store = Store::open(&self.folder).map_err(|error| failed(error.to_string()))?;
        if store.check(&digest).is_ok() {
            return Ok(());
        }
        let bytes = bytes().map_err(|error| failed(error.to_string()))?;
        if Digest::of(&bytes) != digest {
            return Err(KeptError::Moved(agent.to_owned()));
        }
        let hold = store.hold().map_err(|error| failed(error.to_string()))?;
        store.put(&hold, &bytes).map_err(|error| failed(error.to_string()))?;
        Ok(())
    }

    /// The component that a session began with.
    ///
    /// # Errors
    /// It is not there, or not what it was.
    pub(super) fn get(&self, session: &str, agent: &str, digest: &str) -> Result<Vec<u8>, KeptError> {
        let session = session.to_owned();
        let parsed = Digest::parse(&format!("sha256:{digest}"))
            .map_err(|_| KeptError::NoDigest { session: session.clone(), digest: digest.chars().take(80).collect() })?;
        let path = self.folder.join(format!("sha256-{}.wasm", parsed.hex())).display().to_string();
        let (agent, digest) = (agent.to_owned(), parsed.to_string());
        if !self.folder.is_dir() {
            return Err(KeptError::Gone { session, agent, digest, path });
        }
        let got = Store::open(&self.folder).and_then(|store| store.get(&parsed));
        got.map_err(|error| match error {
            StoreError::Missing { .. } => KeptError::Gone { session, agent, digest, path },
            StoreError::Changed { found, .. } => KeptError::Changed { session, digest, found: found.to_string(), path },
            other => KeptError::Read { session, why: other.to_string() },
        })
    }

    /// The agent as it was when a session began.
    ///
    /// # Errors
    /// Its component is not kept any more, or cannot be linked under the grants of today.
    pub(super) async fn agent(
        &self,
        setup: &Setup,
        now: &AgentSetup,
        session: &str,
        digest: &str,
    ) -> Result<AgentSetup, KeptAgentError> {
        let key = (now.name.clone(), digest.to_owned());
        let mut linked = self.linked.lock().await;
        if let Some(known) = linked.get(&key) {
            return Ok(known.clone());
        }
        let bytes = self.get(session, &now.name, digest)?;
        let then = setup.agent_of(now, &bytes).await?;
        linked.insert(key, then.clone());
        Ok(then)
    }

    /// Remove those that no session needs; how many there were.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub(super) fn remove_unused(&self, in_use: &BTreeSet<String>) -> Result<usize, StoreError> {
        if !self.folder.is_dir() {
            return Ok(0);
        }
        let digests = in_use.iter().filter_map(|digest| Digest::parse(&format!("sha256:{digest}")).ok()).collect();
        Ok(Store::open(&self.folder)?.remove_unused(|| Ok(digests))?.components)
    }
}

/// Why a session cannot have the agent that it began with.
#[derive(Debug, thiserror::Error)]
pub enum KeptAgentError {
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error("the component that the session began with cannot be used: {0}")]
    Setup(#[from] SetupError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept { folder: folder.path().join(FOLDER), linked: Mutex::default() };
        (folder, kept)
    }

    fn digest(bytes: &[u8]) -> String {
        Digest::of(bytes).hex().to_owned()
    }

    #[test]
    fn what_is_kept_comes_back_and_is_not_read_again() {
        let (_folder, kept) = kept();
        kept.keep("pi", &digest(b"one"), || Ok(Cow::Borrowed(b"one"))).unwrap();
        kept.keep("pi", &digest(b"one"), || panic!("it is there")).unwrap();
        assert_eq!(kept.get("s", "pi", &digest(b"one")).unwrap(), b"one");
    }

    #[test]
    fn a_component_that_changes_while_it_is_read_is_not_kept() {
        let (_folder, kept) = kept();
        let said = kept.keep("pi", &digest(b"one"), || Ok(Cow::Borrowed(b"two"))).unwrap_err();
        assert!(matches!(said, KeptError::Moved(_)));
        assert!(matches!(kept.get("s", "pi", &digest(b"one")), Err(KeptError::Gone { .. })));
    }

    #[test]
    fn one_that_was_changed_or_is_gone_is_said_with_its_place() {
        let (folder, kept) = kept();
        let gone = kept.get("s-1", "pi", &digest(b"one")).unwrap_err().to_string();
        assert!(gone.contains("s-1") && gone.contains(&digest(b"one")) && gone.contains("put it back"), "{gone}");
        kept.keep("pi", &digest(b"one"), || Ok(Cow::Borrowed(b"one"))).unwrap();
        let path = folder.path().join(FOLDER).join(format!("sha256-{}.wasm", digest(b"one")));
        std::fs::write(&path, b"onf").unwrap();
        let changed = kept.get("s-1", "pi", &digest(b"one")).unwrap_err().to_string();
        assert!(changed.contains("is not what it was") && changed.contains(&digest(b"onf")), "{changed}");
        assert!(matches!(kept.get("s", "pi", "nonsense"), Err(KeptError::NoDigest { .. })));
    }

    #[test]
    fn what_no_session_needs_is_removed() {
        let (_folder, kept) = kept();
        for bytes in [b"one", b"two"] {
            kept.keep("pi", &digest(bytes), || Ok(Cow::Borrowed(bytes))).unwrap();
        }
        assert_eq!(kept.remove_unused(&BTreeSet::from([digest(b"two")])).unwrap(), 1);
        assert!(kept.get("s", "pi", &digest(b"one")).is_err());
        assert!(kept.get("s", "pi", &digest(b"two")).is_ok());
    }
}
