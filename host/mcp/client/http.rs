//! The connection to a server at a URL.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use super::PeerLimits;

/// To connect, and to be silent in the middle of a message.
const CONNECT_MS_MAX: u64 = 10_000;

/// Of an error page that is shown.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// Tries to open a broken stream again; then the connection has ended.
const TRIES_MAX: usize = 5;

/// Requests at once to one server.
const REQUESTS_MAX: usize = 16;

/// # Errors
/// What of the URL or the headers cannot be sent. No value of a header is in it.
pub(super) fn transport(
    url: &str,
    headers: &[(String, String)],
    limits: &PeerLimits,
) -> Result<StreamableHttpClientTransport<reqwest::Client>, String> {
    let mut sent = HashMap::with_capacity(headers.len());
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header's name"))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| format!("the value for the header `{name}` cannot be sent"))?;
        value.set_sensitive(true);
        sent.insert(header, value);
    }
    // A redirection would carry the headers to another server, and a proxy would read them.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())?;
    let mut backoff = ExponentialBackoff::default();
    backoff.max_times = Some(TRIES_MAX);
    backoff.max_delay = Some(Duration::from_millis(CONNECT_MS_MAX));
    let mut config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(sent)
        .max_concurrent_requests(REQUESTS_MAX)
        .max_sse_event_size(limits.message_bytes_max)
        .max_json_response_size(limits.message_bytes_max)
        .max_error_response_size(ERROR_BYTES_MAX);
    config.retry_config = Arc::new(backoff);
    Ok(StreamableHttpClientTransport::with_client(client, config))
}
