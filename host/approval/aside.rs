//! Laying a call aside: it waits for people longer than an instance should be kept for it.
//!
//! Who asks says so here and goes no further; who runs the call hears it, drops the instance, and
//! takes the session up again when people have decided.

use std::sync::Arc;

use tokio::sync::watch;

/// One call's way to be laid aside.
#[derive(Clone, Debug)]
pub struct Aside {
    laid: Arc<watch::Sender<Option<String>>>,
    is_of_rerun: bool,
}

impl Default for Aside {
    fn default() -> Self {
        Self { laid: Arc::new(watch::channel(None).0), is_of_rerun: false }
    }
}

impl Aside {
    /// Of a call that was cut off before it had changed anything, and that runs from its beginning again.
    #[must_use]
    pub fn of_rerun() -> Self {
        Self { is_of_rerun: true, ..Self::default() }
    }

    /// The same way, for a question that an earlier run may have asked.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { is_of_rerun: true, ..self.clone() }
    }

    /// Whether what its earlier run was let through counts for this one.
    #[must_use]
    pub fn is_of_rerun(&self) -> bool {
        self.is_of_rerun
    }

    /// The call waits for this approval.
    pub(crate) fn lay(&self, approval: &str) {
        self.laid.send_replace(Some(approval.to_owned()));
    }

    /// Waits until the call is laid aside; the answer is the approval that it waits for.
    pub async fn laid(&self) -> String {
        let mut seen = self.laid.subscribe();
        let id = seen.wait_for(Option::is_some).await.ok().and_then(|id| id.clone());
        match id {
            Some(id) => id,
            // The sender is in `self`: it does not go away before this.
            None => std::future::pending().await,
        }
    }
}
