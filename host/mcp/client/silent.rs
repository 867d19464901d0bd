//! This side, as a server of others sees it: it answers pings and refuses everything else.

#![allow(deprecated, reason = "what is deprecated is refused as well")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ErrorCode, Implementation, ListRootsResult, ProtocolVersion,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient};

use super::wire::State;

pub(super) struct Silent {
    state: Arc<State>,
}

impl Silent {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state }
    }
}

/// The answer to whatever a server asks of its client.
pub(super) fn refused() -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "this client offers nothing to its servers", None)
}

impl ClientHandler for Silent {
    fn get_info(&self) -> ClientConfig {
        let client = Implementation::new("pi-host", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), client)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_message(
        &self,
        _params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Err(refused())
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Err(refused())
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Err(refused())
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.state.has_other_tools.store(true, Ordering::Relaxed);
    }
}
