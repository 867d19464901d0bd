//! One client's connection: its requests, answered from what all clients share.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures::FutureExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::answer::answer;
use super::message::{shown, unknown_method};
use super::progress::{Notes, Progress};
use super::server::{CALLS_WAITING_MAX, Shared};
use super::{CallFailure, CallRequest, Given, Tools};

pub(super) struct Handler<T> {
    shared: Arc<Shared<T>>,
    /// The client, once it has said who it is.
    client: OnceLock<Arc<str>>,
    is_listening: AtomicBool,
    gone: CancellationToken,
    /// Ends what was started for this connection.
    _gone: DropGuard,
    /// The place of a session over HTTP, given back with it.
    _place: Option<OwnedSemaphorePermit>,
}

impl<T: Tools> Handler<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, place: Option<OwnedSemaphorePermit>) -> Self {
        let gone = CancellationToken::new();
        let _gone = gone.clone().drop_guard();
        Self { shared, client: OnceLock::new(), is_listening: AtomicBool::new(false), gone, _gone, _place: place }
    }

    /// Who calls. A request of the newer protocol says so itself, one of the older has said so once.
    fn client(&self, context: &RequestContext<RoleServer>) -> Arc<str> {
        let named = |client: Implementation| -> Arc<str> {
            format!("{} {}", shown(&client.name), shown(&client.version)).into()
        };
        if let Some(client) = context.meta.client_info() {
            return named(client);
        }
        self.client.get_or_init(|| context.client_info().map_or_else(|| "unnamed".into(), named)).clone()
    }

    async fn run(&self, request: CallRequest) -> Result<Vec<Given>, CallFailure> {
        let Some(_place) = self.shared.calls.enter().await else {
            return Err(CallFailure::Limit(format!(
                "{CALLS_WAITING_MAX} calls wait for their turn already: call again when some have ended"
            )));
        };
        // Without an answer the client would wait for ever.
        AssertUnwindSafe(self.shared.tools.call(request)).catch_unwind().await.unwrap_or_else(|_| {
            Err(CallFailure::Unknown("the host has a bug: the call was broken off, and may have taken effect".into()))
        })
    }
}

impl<T: Tools> ServerHandler for Handler<T> {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.shared.listed().page(request.as_ref().and_then(|request| request.cursor.as_deref()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.listed().get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.shared.listed().get(&request.name).is_none() {
            let text = format!("there is no tool `{}`: `tools/list` names those there are", shown(&request.name));
            return Err(ErrorData::invalid_params(text, None));
        }
        let (progress, notes) = match context.meta.get_progress_token() {
            Some(token) => {
                let (progress, notes) = Notes::new(token, context.peer.clone(), self.shared.heartbeat);
                (progress, Some(notes))
            }
            None => (Progress::silent(), None),
        };
        let request = CallRequest {
            name: request.name.into_owned(),
            arguments: request.arguments.unwrap_or_default(),
            client: self.client(&context),
            progress,
        };
        let told = async {
            if let Some(notes) = notes {
                notes.run().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            outcome = self.run(request) => Ok(answer(outcome).into()),
            // Seen where the connection ends; a request that was cancelled has no answer.
            () = context.ct.cancelled() => Err(ended()),
            () = told => Err(ended()),
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if self.is_listening.swap(true, Ordering::Relaxed) {
            return;
        }
        let (mut changes, gone) = (self.shared.changes(), self.gone.clone());
        tokio::spawn(gone.run_until_cancelled_owned(async move {
            while changes.changed().await.is_ok() {
                if context.peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        }));
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let mut filter = SubscriptionFilter::new();
        filter.tools_list_changed = requested.tools_list_changed;
        Some(filter)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.shared.changes();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.changed() => {
                    if changed.is_err() || context.sink().notify_tool_list_changed().await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(unknown_method(&request.method))
    }
}

fn ended() -> ErrorData {
    ErrorData::internal_error("the connection ends, and the call with it; it may have taken effect", None)
}
