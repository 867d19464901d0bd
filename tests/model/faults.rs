//! What a server can do wrong, in each protocol: said plainly, within limits, and tried again where that can help.

use std::time::Duration;

use pi_host::model::{ANSWER_BYTES_MAX, Delta, ModelError, Stop};
use serde_json::json;

use super::server::{Delivery, ModelServer, Reply, frame};
use super::*;

/// The error of one attempt at this reply, and the server for what it recorded.
async fn failed(protocol: Protocol, reply: Reply) -> ModelError {
    let server = ModelServer::start(vec![reply]).await;
    complete(&model(protocol, &server, "attempts = 1\n"), &request("hi")).await.0.unwrap_err()
}

/// Whether a second attempt at a good server helps after this reply.
async fn recovered(protocol: Protocol, reply: Reply) -> (String, Vec<Delta>) {
    let server = ModelServer::start(vec![reply, Reply::text("grün 🙂")]).await;
    let (result, deltas) = complete(&model(protocol, &server, ""), &request("hi")).await;
    let completion = result.unwrap();
    assert_eq!((completion.attempts, server.requests().len()), (2, 2));
    assert_eq!(server.requests()[0].body, server.requests()[1].body, "each attempt sends the same");
    (completion.message.text(), deltas)
}

/// A body that begins well.
fn begun(protocol: Protocol) -> Vec<u8> {
    begun_with(protocol, "x")
}

fn begun_with(protocol: Protocol, text: &str) -> Vec<u8> {
    match protocol {
        Protocol::Anthropic => {
            let block = json!({ "type": "text", "text": text });
            let start = json!({ "type": "content_block_start", "index": 0, "content_block": block });
            format!("event: content_block_start\ndata: {start}\n\n").into_bytes()
        }
        Protocol::Openai => {
            format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": { "content": text } }] })).into_bytes()
        }
        Protocol::Bedrock => {
            frame("event", "contentBlockDelta", &json!({ "contentBlockIndex": 0, "delta": { "text": text } }))
        }
    }
}

#[tokio::test]
async fn a_refused_key_is_named_by_its_variable_and_not_tried_again() {
    for protocol in ALL {
        for status in [401, 403] {
            let body = json!({ "error": { "message": format!("invalid x-api-key {KEY}") } }).to_string();
            let server = ModelServer::start(vec![Reply::status(status, &body), Reply::text("hi")]).await;
            let error = complete(&model(protocol, &server, ""), &request("hi")).await.0.unwrap_err();
            assert!(matches!(error, ModelError::KeyRefused { .. }), "{protocol:?}: {error}");
            let text = format!("{error} {error:?}");
            assert!(text.contains("the variable `TEST_KEY`") && text.contains("***"), "{text}");
            assert!(!text.contains(KEY), "{text}");
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_limit_of_rate_is_waited_for_as_long_as_asked() {
    for protocol in ALL {
        let reply = Reply::status(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after-ms", "30");
        let begun = std::time::Instant::now();
        let (text, deltas) = recovered(protocol, reply).await;
        assert_eq!(text, "grün 🙂");
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(matches!(&deltas[0], Delta::Retry { why, after_ms: 30 } if why.contains("slow down")), "{deltas:?}");
    }
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_not_waited() {
    for protocol in ALL {
        let reply = Reply::status(429, "{}").header("retry-after", "86400");
        let server = ModelServer::start(vec![reply]).await;
        let error = complete(&model(protocol, &server, ""), &request("hi")).await.0.unwrap_err();
        assert!(matches!(error, ModelError::RateLimited { attempts: 1, after_ms: Some(86_400_000), .. }), "{error}");
        assert!(error.is_transient() && error.may_another_model_help());
        // Longer than the whole deadline is as hopeless.
        let reply = Reply::status(429, "{}").header("retry-after", "60");
        let server = ModelServer::start(vec![reply]).await;
        let error = complete(&model(protocol, &server, "timeout_seconds = 30\n"), &request("hi")).await.0.unwrap_err();
        assert!(matches!(error, ModelError::RateLimited { after_ms: Some(60_000), .. }), "{error}");
    }
}

#[tokio::test]
async fn errors_of_the_server_are_tried_again_as_often_as_configured() {
    for protocol in ALL {
        for status in [500, 503, 529] {
            let server = ModelServer::start_with(move |_| Reply::status(status, "<html>\u{1b}[2J</html>")).await;
            let error = complete(&model(protocol, &server, "attempts = 3\n"), &request("hi")).await.0.unwrap_err();
            assert!(matches!(&error, ModelError::Overloaded { attempts: 3, status: found, .. } if *found == status));
            assert!(!error.to_string().contains('\u{1b}'));
            assert_eq!(server.requests().len(), 3);
        }
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_is_not_tried_again() {
    for protocol in ALL {
        let body = r#"{"error":{"type":"invalid_request_error","message":"tools.0: bad"},"message":"tools.0: bad"}"#;
        let error = failed(protocol, Reply::status(400, body)).await;
        assert!(matches!(&error, ModelError::BadRequest { said, .. } if said == "tools.0: bad"), "{error}");
        assert!(!error.is_transient() && !error.may_another_model_help());
    }
}

#[tokio::test]
async fn a_context_that_is_too_large_is_told_apart() {
    for protocol in ALL {
        let body = r#"{"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"too many"},"message":"Input is too long for requested model."}"#;
        assert!(matches!(failed(protocol, Reply::status(400, body)).await, ModelError::ContextTooLarge { .. }));
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_is_tried_again() {
    for protocol in ALL {
        for bytes in [0, 1, 40, 333] {
            let (text, deltas) =
                recovered(protocol, Reply::text("grün 🙂 and more of it").delivered(Delivery::CutAfter(bytes))).await;
            assert_eq!(text, "grün 🙂");
            assert!(
                deltas.iter().any(|delta| matches!(delta, Delta::Retry { why, .. } if why.contains("cut"))),
                "{deltas:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_properly_but_too_early_is_cut_as_well() {
    for protocol in ALL {
        let error = failed(protocol, Reply::raw(&begun(protocol))).await;
        assert!(matches!(error, ModelError::CutStream { .. }), "{protocol:?}: {error}");
        assert!(matches!(failed(protocol, Reply::raw(b"")).await, ModelError::CutStream { .. }));
    }
}

#[tokio::test]
async fn a_reset_connection_is_tried_again() {
    for protocol in ALL {
        for delivery in [Delivery::Reset, Delivery::ResetAfter(60)] {
            assert_eq!(recovered(protocol, Reply::text("hello there").delivered(delivery)).await.0, "grün 🙂");
        }
    }
}

#[tokio::test]
async fn broken_json_is_said_with_its_place_and_tried_again() {
    for protocol in ALL {
        let (mut body, at) = (begun(protocol), begun(protocol).len() as u64);
        match protocol {
            Protocol::Bedrock => {
                let mut broken = frame("event", "contentBlockDelta", &json!({ "contentBlockIndex": 0 }));
                let last = broken.len() - 1;
                broken[last] ^= 1;
                body.extend(broken);
            }
            _ => body.extend(b"data: {\"type\":\n\n"),
        }
        let error = failed(protocol, Reply::raw(&body)).await;
        assert!(matches!(&error, ModelError::BrokenAnswer { at: found, .. } if *found == at), "{at} {error}");
        assert_eq!(recovered(protocol, Reply::raw(&body)).await.0, "grün 🙂");
    }
}

#[tokio::test]
async fn silence_ends_the_attempt() {
    for protocol in ALL {
        for delivery in [Delivery::Silent, Delivery::SilentAfter(0), Delivery::SilentAfter(20)] {
            let server = ModelServer::start(vec![Reply::text("hello").delivered(delivery)]).await;
            let text = format!("[main]\n{}attempts = 1\nidle_timeout_seconds = 3\n", protocol.lines(&server));
            let model = built_with(&text, Duration::from_millis(20), &variable).unwrap();
            let error = complete(&model, &request("hi")).await.0.unwrap_err();
            assert!(matches!(error, ModelError::Idle { seconds: 3, .. }), "{protocol:?} {delivery:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_whole_deadline() {
    for protocol in ALL {
        let drip = Delivery::Drip(Duration::from_millis(5));
        let server = ModelServer::start_with(move |_| Reply::text(&"long ".repeat(200)).delivered(drip)).await;
        let text = format!("[main]\n{}timeout_seconds = 10\n", protocol.lines(&server));
        let model = built_with(&text, Duration::from_millis(15), &variable).unwrap();
        let begun = std::time::Instant::now();
        let error = complete(&model, &request("hi")).await.0.unwrap_err();
        assert!(matches!(error, ModelError::Deadline { seconds: 10, .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn another_content_type_is_refused() {
    for protocol in ALL {
        let error = failed(protocol, Reply::raw(b"<html>").content_type("text/html; charset=utf-8")).await;
        assert!(matches!(&error, ModelError::ContentType { found, .. } if found == "text/html"), "{error}");
        assert!(error.to_string().contains("base_url"));
    }
}

#[tokio::test]
async fn an_error_with_status_200_is_the_error_that_it_tells() {
    for protocol in ALL {
        let body = r#"{"error":{"type":"overloaded_error","message":"later"}}"#;
        let error = failed(protocol, Reply::status(200, body)).await;
        assert!(matches!(error, ModelError::Overloaded { status: 529, .. }), "{protocol:?}: {error}");
        assert!(matches!(failed(protocol, Reply::status(200, "{}")).await, ModelError::ContentType { .. }));
    }
}

#[tokio::test]
async fn an_answer_of_50_mb_is_refused_at_the_limit() {
    for protocol in ALL {
        let piece = begun_with(protocol, &"x".repeat(100_000));
        let body: Vec<u8> = piece.iter().copied().cycle().take(50_000_000 / piece.len() * piece.len()).collect();
        assert!(body.len() as u64 > ANSWER_BYTES_MAX);
        for delivery in [Delivery::Whole, Delivery::Close] {
            let error = failed(protocol, Reply::raw(&body).delivered(delivery)).await;
            assert!(matches!(error, ModelError::AnswerTooLarge { .. }), "{protocol:?}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_refused_at_the_limit() {
    for protocol in ALL {
        let body = begun_with(protocol, &"x".repeat(100_000));
        let error = failed(protocol, Reply::raw(&body).delivered(Delivery::Endless)).await;
        assert!(matches!(error, ModelError::AnswerTooLarge { .. }), "{protocol:?}: {error}");
    }
}

#[tokio::test]
async fn an_event_that_never_ends_is_refused_at_the_limit() {
    for protocol in [Protocol::Anthropic, Protocol::Openai] {
        let error = failed(protocol, Reply::raw(&[b'x'; 65_536]).delivered(Delivery::Endless)).await;
        assert!(matches!(&error, ModelError::AnswerTooLarge { what, .. } if what.contains("event")), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_of_gigabytes_is_read_to_a_limit() {
    for protocol in ALL {
        let body = "x".repeat(100_000);
        let error = failed(protocol, Reply::status(400, &body).delivered(Delivery::Endless)).await;
        assert!(error.to_string().len() < 1_000, "{error}");
    }
}

#[tokio::test]
async fn the_same_is_read_wherever_chunks_are_cut() {
    for protocol in ALL {
        for bytes in [1, 2, 3, 7] {
            let reply =
                Reply::text("grün 日本 🙂").thinking("überlegt", "sig").and_call("a", "read", r#"{"path":"ä"}"#);
            let server = ModelServer::start(vec![reply.delivered(Delivery::Pieces(bytes))]).await;
            let (result, deltas) = complete(&model(protocol, &server, ""), &request("hi")).await;
            let completion = result.unwrap();
            assert_eq!(completion.message.text(), "grün 日本 🙂");
            assert_eq!(heard_text(&deltas), "grün 日本 🙂");
            let calls: Vec<_> = completion.message.tool_calls().collect();
            assert_eq!(calls, [("a", "read", r#"{"path":"ä"}"#)]);
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_the_connection_is_whole() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("hello").delivered(Delivery::Close)]).await;
        let completion = complete(&model(protocol, &server, ""), &request("hi")).await.0.unwrap();
        assert_eq!((completion.message.text().as_str(), completion.stop), ("hello", Stop::End));
    }
}

#[tokio::test]
async fn ids_that_contradict_each_other_are_repaired() {
    for protocol in ALL {
        let reply = Reply::text("").and_call("x", "read", "{}").and_call("x", "stop", "{}").and_call("", "stop", "{}");
        let server = ModelServer::start(vec![reply]).await;
        let completion = complete(&model(protocol, &server, ""), &rich()).await.0.unwrap();
        let ids: Vec<&str> = completion.message.tool_calls().map(|(id, _, _)| id).collect();
        assert_eq!(ids, ["x", "call_3", "call_4"], "{protocol:?}");
        assert_eq!(completion.stop, Stop::ToolCalls);
    }
}

#[tokio::test]
async fn an_id_of_an_earlier_call_is_not_given_again() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("").and_call("a", "read", "{}")]).await;
        let completion = complete(&model(protocol, &server, ""), &rich()).await.0.unwrap();
        assert_eq!(completion.message.tool_calls().next().unwrap().0, "call_2");
    }
}

#[tokio::test]
async fn a_call_that_names_no_tool_is_tried_again() {
    for protocol in ALL {
        let (text, deltas) = recovered(protocol, Reply::text("").and_call("a", "", "{}")).await;
        assert_eq!(text, "grün 🙂");
        assert!(matches!(&deltas[0], Delta::Retry { why, .. } if why.contains("names no tool")), "{deltas:?}");
    }
}

#[tokio::test]
async fn arguments_that_are_broken_stay_as_the_model_wrote_them() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("").and_call("c", "read", "{\"path\": ")]).await;
        let completion = complete(&model(protocol, &server, ""), &request("hi")).await.0.unwrap();
        assert_eq!(completion.message.tool_calls().next().unwrap().2, "{\"path\": ");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_with_its_address() {
    let gone = ModelServer::start(vec![]).await;
    let model = model(Protocol::Openai, &gone, "attempts = 2\n");
    let url = gone.url();
    drop(gone);
    tokio::task::yield_now().await;
    let error = complete(&model, &request("hi")).await.0.unwrap_err();
    assert!(matches!(error, ModelError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("hint:"), "{error}");
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    for protocol in ALL {
        let other = ModelServer::start(vec![Reply::text("hi")]).await;
        let error = failed(protocol, Reply::status(307, "").header("location", &other.url())).await;
        assert!(error.to_string().contains("redirections are not followed"), "{error}");
        assert!(other.requests().is_empty());
    }
}

#[tokio::test]
async fn a_conversation_that_contradicts_itself_is_not_sent() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("hi")]).await;
        let result = Part::ToolResult { id: "z".into(), content: vec![], is_error: false };
        let wrong = Request { messages: vec![Message { role: Role::User, parts: vec![result] }], ..Request::default() };
        let error = complete(&model(protocol, &server, ""), &wrong).await.0.unwrap_err();
        assert!(matches!(error, ModelError::Conversation { .. }), "{error}");
        assert!(!error.may_another_model_help() && server.requests().is_empty());
    }
}
