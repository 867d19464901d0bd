//! Chat completions: the exact request, and the many ways in which servers answer.

use pi_host::model::{Effort, Stop};
use serde_json::{Value, json};

use super::server::Reply;
use super::*;

async fn sent(lines: &str, request: &Request) -> Value {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&model(Protocol::Openai, &server, lines), request).await.0.unwrap();
    server.requests()[0].json()
}

async fn read(events: &[Value]) -> Result<Completion, ModelError> {
    let server = ModelServer::start(vec![Reply::events(events)]).await;
    complete(&model(Protocol::Openai, &server, "attempts = 1\n"), &request("hi")).await.0
}

fn delta(delta: Value) -> Value {
    json!({ "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

fn calls(completion: &Completion) -> Vec<(&str, &str, &str)> {
    completion.message.tool_calls().collect()
}

#[tokio::test]
async fn the_request_is_exactly_this() {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&model(Protocol::Openai, &server, "max_output_tokens = 8000\n"), &rich()).await.0.unwrap();
    let sent = server.requests().remove(0);
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(sent.header("accept"), Some("text/event-stream"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "model": "claude-scripted",
      "stream": true,
      "stream_options": {
        "include_usage": true
      },
      "max_tokens": 8000,
      "reasoning_effort": "medium",
      "tools": [
        {
          "type": "function",
          "function": {
            "name": "read",
            "description": "Reads a file",
            "parameters": {
              "type": "object",
              "properties": {
                "path": {
                  "type": "string"
                }
              }
            }
          }
        },
        {
          "type": "function",
          "function": {
            "name": "stop",
            "description": "Reads a file",
            "parameters": {
              "type": "object",
              "properties": {
                "path": {
                  "type": "string"
                }
              }
            }
          }
        }
      ],
      "messages": [
        {
          "role": "system",
          "content": "Be brief."
        },
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "Look \"here\":\n"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,iVBORw0KGgo="
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": "Reading.",
          "tool_calls": [
            {
              "id": "a",
              "type": "function",
              "function": {
                "name": "read",
                "arguments": "{\"path\":\"x\"}"
              }
            },
            {
              "id": "b",
              "type": "function",
              "function": {
                "name": "read",
                "arguments": "{broken"
              }
            }
          ]
        },
        {
          "role": "tool",
          "content": "grün",
          "tool_call_id": "a"
        },
        {
          "role": "tool",
          "content": "no such file",
          "tool_call_id": "b"
        },
        {
          "role": "user",
          "content": [
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,iVBORw0KGgo="
              }
            },
            {
              "type": "text",
              "text": "Go on."
            }
          ]
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn thoughts_texts_and_parallel_calls_are_read() {
    let reply = Reply::text("Let me look.")
        .thinking("I should read", "")
        .and_call("c1", "read", r#"{"path":"some/long/path"}"#)
        .and_call("c2", "stop", r#"{"path":"x"}"#);
    let server = ModelServer::start(vec![reply]).await;
    let (result, deltas) = complete(&model(Protocol::Openai, &server, ""), &request("hi")).await;
    let completion = result.unwrap();
    assert_eq!((completion.stop, completion.model.as_str()), (Stop::ToolCalls, "scripted"));
    let expected = [("c1", "read", r#"{"path":"some/long/path"}"#), ("c2", "stop", r#"{"path":"x"}"#)];
    assert_eq!(calls(&completion), expected);
    let thought = Part::Reasoning { text: "I should read".into(), signature: None, redacted: None };
    assert_eq!(completion.message.parts[0], thought);
    assert_eq!(heard_text(&deltas), "Let me look.");
    assert!(deltas.contains(&Delta::ToolCall { name: "stop".into() }));
}

#[tokio::test]
async fn arguments_as_an_object_and_calls_without_index_or_id_are_read() {
    let function = |name: &str, arguments: Value| json!({ "function": { "name": name, "arguments": arguments } });
    let both = json!([function("read", json!({ "path": "x" })), function("stop", json!("{}"))]);
    let completion = read(&[delta(json!({ "tool_calls": both })), end("stop"), json!("[DONE]")]).await.unwrap();
    assert_eq!(calls(&completion), [("call_0", "read", r#"{"path":"x"}"#), ("call_1", "stop", "{}")]);
    assert_eq!(completion.stop, Stop::ToolCalls, "it says `stop`, and calls");
}

#[tokio::test]
async fn parallel_calls_that_are_all_numbered_0_are_told_apart() {
    let call = |id: &str, arguments: &str| {
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": id, "function": { "name": "read", "arguments": arguments } }] }),
        )
    };
    let completion = read(&[call("a", "{\"x\":1}"), call("b", "{}"), end("tool_calls")]).await.unwrap();
    assert_eq!(calls(&completion), [("a", "read", "{\"x\":1}"), ("b", "read", "{}")]);
}

#[tokio::test]
async fn a_call_whose_id_and_name_are_repeated_is_one_call() {
    let call = |arguments: &str| {
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "read", "arguments": arguments } }] }),
        )
    };
    let completion = read(&[call("{\"x\""), call(":1}"), end("tool_calls")]).await.unwrap();
    assert_eq!(calls(&completion), [("a", "read", "{\"x\":1}")]);
}

#[tokio::test]
async fn one_index_for_two_ids_is_refused_where_no_call_begins() {
    let begin = json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "read", "arguments": "{" } }] });
    let other = json!({ "tool_calls": [{ "index": 0, "id": "b", "function": { "arguments": "}" } }] });
    let error = read(&[delta(begin), delta(other), end("tool_calls")]).await.unwrap_err();
    assert!(matches!(&error, ModelError::BrokenCalls { reason, .. } if reason.contains("two ids")), "{error}");
    assert!(error.is_transient() && error.may_another_model_help());
}

#[tokio::test]
async fn an_index_out_of_nothing_takes_no_memory() {
    let call =
        json!({ "tool_calls": [{ "index": u64::MAX, "id": "a", "function": { "name": "read", "arguments": "{}" } }] });
    assert_eq!(calls(&read(&[delta(call), end("tool_calls")]).await.unwrap()), [("a", "read", "{}")]);
}

#[tokio::test]
async fn an_answer_without_usage_or_done_is_whole() {
    let completion = read(&[delta(json!({ "content": "hi" })), end("stop")]).await.unwrap();
    assert_eq!((completion.message.text().as_str(), completion.stop), ("hi", Stop::End));
    // It was not for nothing.
    assert!(completion.is_estimated && completion.usage.input > 0 && completion.usage.output > 0, "{completion:?}");
    let completion = read(&[delta(json!({ "content": "hi" })), json!("[DONE]")]).await.unwrap();
    assert_eq!(completion.stop, Stop::End);
}

#[tokio::test]
async fn reasoning_is_read_by_each_of_its_names_and_once() {
    let both = json!({ "reasoning": "hm", "reasoning_content": "hm" });
    let completion = read(&[delta(both), delta(json!({ "reasoning": "!" })), end("stop")]).await.unwrap();
    let thought = Part::Reasoning { text: "hm!".into(), signature: None, redacted: None };
    assert_eq!(completion.message.parts, [thought]);
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_the_error_that_it_tells() {
    let error = read(&[json!({ "error": { "code": 429, "message": "slow down" } })]).await.unwrap_err();
    assert!(matches!(error, ModelError::RateLimited { .. }), "{error}");
    let too_large = json!({ "error": { "code": 400, "type": "exceed_context_size_error", "message": "x" } });
    assert!(matches!(read(&[too_large]).await, Err(ModelError::ContextTooLarge { .. })));
    assert!(matches!(read(&[json!({ "error": { "message": "x" } })]).await, Err(ModelError::Overloaded { .. })));
}

#[tokio::test]
async fn the_ends_of_an_answer_are_told_apart() {
    for (stop, expected) in [("length", Stop::MaxTokens), ("refusal", Stop::Refusal), ("end", Stop::End)] {
        let server = ModelServer::start(vec![Reply::text("x").stop(stop)]).await;
        let completion = complete(&model(Protocol::Openai, &server, ""), &request("hi")).await.0.unwrap();
        assert_eq!(completion.stop, expected);
    }
    let refused = read(&[delta(json!({ "refusal": "I will not" })), end("stop")]).await.unwrap();
    assert_eq!(refused.message.text(), "I will not");
}

#[tokio::test]
async fn the_field_for_the_longest_output_is_a_setting() {
    let body = sent("max_output_tokens = 7\n", &request("hi")).await;
    assert_eq!((&body["max_tokens"], body.get("max_completion_tokens")), (&json!(7), None));
    let body = sent("max_output_tokens = 7\noutput_field = \"max_completion_tokens\"\n", &request("hi")).await;
    assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(7), None));
    let body = sent("", &request("hi")).await;
    assert!(body.get("max_tokens").is_none() && body.get("reasoning_effort").is_none());
}

#[tokio::test]
async fn effort_and_reasoning_go_where_they_are_wanted() {
    let body = sent("effort = \"low\"\n", &Request { effort: None, ..rich() }).await;
    assert_eq!(body["reasoning_effort"], "low");
    assert!(!body.to_string().contains("reasoning_content"));
    let body = sent("reasoning_back = true\n", &Request { effort: Some(Effort::Off), ..rich() }).await;
    assert!(body.get("reasoning_effort").is_none());
    assert_eq!(body["messages"][2]["reasoning_content"], "hm");
}

#[tokio::test]
async fn images_arrive_whole() {
    for protocol in ALL {
        let server = ModelServer::start_with(|request| Reply::text(&request.images().join(" "))).await;
        let completion = complete(&model(protocol, &server, ""), &rich()).await.0.unwrap();
        assert_eq!(completion.message.text(), "iVBORw0KGgo= iVBORw0KGgo=", "{protocol:?}");
    }
}
