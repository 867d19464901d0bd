//! A guest that was granted requests to some hosts and tries to reach others.

use pi_sdk::http_types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};
use pi_sdk::streams::StreamError;
use pi_sdk::{Content, Error, ToolPlugin, Value, json, outgoing_handler};

struct Http;

impl ToolPlugin for Http {
    const MANIFEST: &'static str = include_str!("../manifests/http.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "request" => {
                let answer = request(&arguments)?;
                let read = read(&answer);
                Ok(vec![Content::Json(shown(&answer, read?).to_string())])
            }
            "follow" => {
                let answer = request(&arguments)?;
                let location = answer.headers().get("location").pop().ok_or_else(|| failed("no location"))?;
                let location = String::from_utf8_lossy(&location).into_owned();
                let (scheme, rest) = location.split_once("://").ok_or_else(|| failed("no absolute location"))?;
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let next = json!({ "scheme": scheme, "authority": authority, "path": path });
                let answer = request(&next)?;
                let read = read(&answer);
                Ok(vec![Content::Json(shown(&answer, read?).to_string())])
            }
            "repeat" => {
                let count = arguments.get("count").and_then(Value::as_u64).unwrap_or(1);
                for done in 0..count {
                    let read = request(&arguments).and_then(|answer| read(&answer));
                    read.map_err(|error| failed(format!("after {done}: {error:?}")))?;
                }
                Ok(vec![Content::Text("done".into())])
            }
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Http);

fn failed(text: impl Into<String>) -> Error {
    Error::Failed(text.into())
}

fn of_code(code: ErrorCode) -> Error {
    match code {
        ErrorCode::InternalError(Some(text)) => failed(text),
        other => failed(format!("{other:?}")),
    }
}

fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

fn request(arguments: &Value) -> Result<IncomingResponse, Error> {
    let fields = Fields::new();
    for pair in arguments.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let part = |index: usize| pair.get(index).and_then(Value::as_str).unwrap_or_default();
        fields.append(part(0), part(1).as_bytes()).map_err(|error| failed(format!("header: {error:?}")))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = match text(arguments, "method").unwrap_or("GET") {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        "HEAD" => Method::Head,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if text(arguments, "scheme") == Some("http") { Scheme::Http } else { Scheme::Https };
    let odd = |what: &str| failed(format!("{what} is refused by the request itself"));
    request.set_method(&method).map_err(|()| odd("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| odd("scheme"))?;
    request.set_authority(text(arguments, "authority")).map_err(|()| odd("authority"))?;
    request.set_path_with_query(text(arguments, "path")).map_err(|()| odd("path"))?;
    let body_bytes = arguments.get("body_bytes").and_then(Value::as_u64);
    let body = text(arguments, "body").map(str::as_bytes);
    let outgoing =
        (body.is_some() || body_bytes.is_some()).then(|| request.body().map_err(|()| odd("body"))).transpose()?;
    let answer = outgoing_handler::handle(request, None).map_err(of_code)?;
    if let Some(outgoing) = outgoing {
        let stream = outgoing.write().map_err(|()| odd("write"))?;
        let mut is_taken = match body {
            Some(body) => body.chunks(4_096).all(|chunk| stream.blocking_write_and_flush(chunk).is_ok()),
            None => true,
        };
        let chunk = [b'x'; 4_096];
        for _ in 0..body_bytes.unwrap_or(0) / 4_096 {
            is_taken = is_taken && stream.blocking_write_and_flush(&chunk).is_ok();
        }
        drop(stream);
        if is_taken {
            OutgoingBody::finish(outgoing, None).map_err(of_code)?;
        }
    }
    answer.subscribe().block();
    answer.get().ok_or_else(|| failed("not ready"))?.map_err(|()| failed("taken twice"))?.map_err(of_code)
}

fn read(answer: &IncomingResponse) -> Result<Vec<u8>, Error> {
    let body = answer.consume().map_err(|()| failed("consumed"))?;
    let stream = body.stream().map_err(|()| failed("no stream"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(failed(error.to_debug_string())),
        }
    }
}

fn shown(answer: &IncomingResponse, body: Vec<u8>) -> Value {
    let headers = answer.headers().entries();
    let headers: Vec<(String, String)> =
        headers.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    json!({ "status": answer.status(), "headers": headers, "bytes": body.len(), "body": String::from_utf8_lossy(body.get(..4_096).unwrap_or(&body)) })
}
