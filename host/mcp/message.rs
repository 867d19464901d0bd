//! One line of a client, read as what it is: a request, a notification, or a fault with the right
//! JSON-RPC error.
//!
//! The protocol crate's own reading tries one form after the other and drops what fits none. Here a
//! line is parsed once, and whoever wrote a wrong one is told what is wrong with it. JSON that is
//! nested deeper than 128 levels is refused by the parser.

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotification, ClientJsonRpcMessage, ClientNotification,
    ClientRequest, DiscoverRequest, ErrorCode, GetExtensions, InitializeRequest, InitializedNotification, JsonObject,
    ListToolsRequest, PingRequest, RequestId, RequestMetaObject, SubscriptionsListenRequest,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::gate::explain::escaped;

/// Of a request's id, in bytes. Ids are kept while their requests run.
const ID_BYTES_MAX: usize = 256;

/// Of a client's own words in an error, in characters.
const SHOWN_CHARS_MAX: usize = 80;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// What a client's line is.
#[derive(Debug)]
pub(super) enum Incoming {
    Request(RequestId, Box<ClientRequest>),
    Cancelled(RequestId, ClientJsonRpcMessage),
    Initialized(ClientJsonRpcMessage),
    /// A notification of which nothing follows, or an answer to a question that nobody asked.
    Nothing,
    Fault(Option<RequestId>, ErrorData),
}

/// Read a line, without its end.
pub(super) fn incoming(line: &[u8]) -> Incoming {
    let line = line.strip_prefix(UTF8_BOM).unwrap_or(line);
    if line.iter().all(u8::is_ascii_whitespace) {
        return Incoming::Nothing;
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(object)) => message(object),
        Ok(Value::Array(_)) => invalid("a batch is not part of MCP: send each message in a line of its own"),
        Ok(_) => invalid("a message is a JSON object"),
        Err(error) => Incoming::Fault(None, ErrorData::parse_error(format!("the line is not JSON: {error}"), None)),
    }
}

/// The error answer to a line of which the id is not known has a null there.
pub(super) fn fault(id: Option<&RequestId>, error: &ErrorData) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into_bytes()
}

/// A client's own words, safe to show and short.
pub(super) fn shown(text: &str) -> String {
    let mut shown = escaped(&text.chars().take(SHOWN_CHARS_MAX).collect::<String>());
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn invalid(text: &'static str) -> Incoming {
    Incoming::Fault(None, ErrorData::invalid_request(text, None))
}

fn message(mut object: Map<String, Value>) -> Incoming {
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("it does not say `\"jsonrpc\": \"2.0\"`");
    }
    let Some(method) = object.remove("method") else {
        let is_answer = object.contains_key("result") || object.contains_key("error");
        return if is_answer { Incoming::Nothing } else { invalid("it has no `method`") };
    };
    let Value::String(method) = method else {
        return invalid("`method` is not a string");
    };
    let params = match object.remove("params") {
        None | Some(Value::Null) => None,
        Some(params) => Some(params),
    };
    let id = match object.remove("id") {
        None => return notification(&method, params),
        Some(Value::String(id)) if id.len() <= ID_BYTES_MAX => RequestId::String(id.into()),
        Some(Value::Number(id)) if id.is_i64() => RequestId::Number(id.as_i64().unwrap_or_default()),
        Some(_) => return invalid("`id` is neither an integer nor a string of at most 256 bytes"),
    };
    let params = match params {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Incoming::Fault(Some(id), ErrorData::invalid_params("`params` is not an object", None)),
    };
    match request(&method, params) {
        Ok(request) => Incoming::Request(id, Box::new(request)),
        Err(error) => Incoming::Fault(Some(id), error),
    }
}

fn request(method: &str, params: Option<Map<String, Value>>) -> Result<ClientRequest, ErrorData> {
    match method {
        "tools/call" => call(params.unwrap_or_default()),
        "tools/list" => {
            // The crate's type takes a cursor that is none for no cursor, and the first page would come again.
            let cursor = params.as_ref().and_then(|params| params.get("cursor"));
            if cursor.is_some_and(|cursor| !cursor.is_string()) {
                return Err(ErrorData::invalid_params("`params.cursor` is not a string", None));
            }
            typed::<ListToolsRequest>(method, params).map(ClientRequest::ListToolsRequest)
        }
        "ping" => typed::<PingRequest>(method, params).map(ClientRequest::PingRequest),
        "initialize" => typed::<InitializeRequest>(method, params).map(ClientRequest::InitializeRequest),
        "server/discover" => typed::<DiscoverRequest>(method, params).map(ClientRequest::DiscoverRequest),
        "subscriptions/listen" => {
            typed::<SubscriptionsListenRequest>(method, params).map(ClientRequest::SubscriptionsListenRequest)
        }
        _ => Err(unknown_method(method)),
    }
}

pub(super) fn unknown_method(method: &str) -> ErrorData {
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method `{}`", shown(method)), None)
}

/// The hot path: by hand, so that the arguments are moved and not copied.
fn call(mut params: Map<String, Value>) -> Result<ClientRequest, ErrorData> {
    let wrong = |text: &'static str| Err(ErrorData::invalid_params(text, None));
    let Some(Value::String(name)) = params.remove("name") else {
        return wrong("`params.name` is to be a string, the tool's name");
    };
    let arguments = match params.remove("arguments") {
        None | Some(Value::Null) => None,
        Some(Value::Object(arguments)) => Some(arguments),
        Some(_) => return wrong("`params.arguments` is not an object"),
    };
    let mut call = CallToolRequestParams::new(name);
    call.arguments = arguments;
    let mut request = CallToolRequest::new(call);
    match params.remove("_meta") {
        None | Some(Value::Null) => {}
        Some(Value::Object(meta)) => {
            request.extensions_mut().insert(RequestMetaObject::from(JsonObject::from_iter(meta)));
        }
        Some(_) => return wrong("`params._meta` is not an object"),
    }
    Ok(ClientRequest::CallToolRequest(request))
}

fn typed<T: DeserializeOwned>(method: &str, params: Option<Map<String, Value>>) -> Result<T, ErrorData> {
    let mut object = Map::new();
    object.insert("method".into(), method.into());
    if let Some(params) = params {
        object.insert("params".into(), Value::Object(params));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        let error = shown(&error.to_string());
        ErrorData::invalid_params(format!("the parameters of `{method}` do not have its form: {error}"), None)
    })
}

fn notification(method: &str, params: Option<Value>) -> Incoming {
    match method {
        "notifications/initialized" => Incoming::Initialized(ClientJsonRpcMessage::notification(
            ClientNotification::InitializedNotification(InitializedNotification::default()),
        )),
        "notifications/cancelled" => {
            let params = json!({ "method": method, "params": params });
            let Ok(cancelled) = serde_json::from_value::<CancelledNotification>(params) else {
                return Incoming::Nothing;
            };
            let Some(id) = cancelled.params.request_id.clone() else {
                return Incoming::Nothing;
            };
            let notification = ClientNotification::CancelledNotification(cancelled);
            Incoming::Cancelled(id, ClientJsonRpcMessage::notification(notification))
        }
        _ => Incoming::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault_of(line: &str) -> (i32, String) {
        match incoming(line.as_bytes()) {
            Incoming::Fault(_, error) => (error.code.0, error.message.into_owned()),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn each_wrong_line_gets_the_error_that_belongs_to_it() {
        assert_eq!(fault_of("hello").0, -32700);
        assert_eq!(fault_of("{\"jsonrpc\": \"2.0\", ").0, -32700);
        assert_eq!(fault_of("[]").0, -32600);
        assert_eq!(fault_of("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]").0, -32600);
        assert_eq!(fault_of("12").0, -32600);
        assert_eq!(fault_of("{}").0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":3}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":[],"method":"ping"}"#).0, -32600);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#).0, -32602);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}"#).0, -32602);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#).0, -32602);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#).0, -32602);
        assert_eq!(fault_of(r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#).0, -32601);
    }

    #[test]
    fn an_id_at_the_limit_is_taken_and_one_byte_more_is_not() {
        let line = |length| format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(length));
        assert!(matches!(incoming(line(ID_BYTES_MAX).as_bytes()), Incoming::Request(..)));
        assert_eq!(fault_of(&line(ID_BYTES_MAX + 1)).0, -32600);
    }

    #[test]
    fn deep_nesting_is_refused_by_the_parser() {
        let deep = |depth| {
            let arguments = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let head = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"a":"#;
            format!("{head}{arguments}}}}}}}")
        };
        assert!(matches!(incoming(deep(100).as_bytes()), Incoming::Request(..)));
        assert_eq!(fault_of(&deep(128)).0, -32700);
        assert_eq!(fault_of(&"[".repeat(1 << 20)).0, -32700);
    }

    #[test]
    fn a_method_of_a_client_is_shown_escaped_and_short() {
        let method = format!("\\u001b[2J{}", "x".repeat(1000));
        let (_, text) = fault_of(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
        assert!(text.contains("\\u{1b}[2J") && text.len() < 150, "{text}");
    }

    #[test]
    fn a_call_is_read_with_its_arguments_and_its_progress_token() {
        let line = r#"{"jsonrpc":"2.0","id":"7","method":"tools/call",
            "params":{"name":"a","arguments":{"b":[1]},"_meta":{"progressToken":9}}}"#;
        let Incoming::Request(id, request) = incoming(line.as_bytes()) else { panic!() };
        assert_eq!(id, RequestId::String("7".into()));
        let ClientRequest::CallToolRequest(call) = *request else { panic!() };
        assert_eq!(call.params.name, "a");
        assert_eq!(Value::Object(call.params.arguments.clone().unwrap()), json!({ "b": [1] }));
        let meta = call.extensions().get::<RequestMetaObject>().unwrap();
        assert_eq!(meta.get_progress_token().unwrap().0, RequestId::Number(9));
    }

    #[test]
    fn what_needs_no_answer_gets_none() {
        for line in [
            "",
            "  \t",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/else","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        ] {
            assert!(matches!(incoming(line.as_bytes()), Incoming::Nothing), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = incoming(&line);
        }

        #[test]
        fn no_object_panics(method in "[a-z/]{0,20}", id in "[0-9\"a.\\[\\]-]{0,6}", params in "[a-z0-9\"{}:,\\[\\]]{0,30}") {
            let _ = incoming(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).as_bytes());
            let _ = incoming(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#).as_bytes());
        }
    }
}
