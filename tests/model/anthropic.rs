//! Anthropic's Messages: the exact request, and what is read of an answer.

use pi_host::model::{Effort, Stop};
use serde_json::json;

use super::server::Reply;
use super::*;

async fn sent(lines: &str, request: &Request) -> serde_json::Value {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&model(Protocol::Anthropic, &server, lines), request).await.0.unwrap();
    server.requests()[0].json()
}

#[tokio::test]
async fn the_request_is_exactly_this() {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&model(Protocol::Anthropic, &server, "max_output_tokens = 8000\n"), &rich()).await.0.unwrap();
    let sent = server.requests().remove(0);
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "model": "claude-scripted",
      "max_tokens": 8000,
      "stream": true,
      "system": [
        {
          "type": "text",
          "text": "Be brief.",
          "cache_control": {
            "type": "ephemeral"
          }
        }
      ],
      "tools": [
        {
          "name": "read",
          "description": "Reads a file",
          "input_schema": {
            "type": "object",
            "properties": {
              "path": {
                "type": "string"
              }
            }
          }
        },
        {
          "name": "stop",
          "description": "Reads a file",
          "input_schema": {
            "type": "object",
            "properties": {
              "path": {
                "type": "string"
              }
            }
          },
          "cache_control": {
            "type": "ephemeral"
          }
        }
      ],
      "messages": [
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "Look \"here\":\n"
            },
            {
              "type": "image",
              "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": "iVBORw0KGgo="
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": [
            {
              "type": "thinking",
              "thinking": "hm",
              "signature": "c2ln"
            },
            {
              "type": "redacted_thinking",
              "data": "ZW5j"
            },
            {
              "type": "text",
              "text": "Reading."
            },
            {
              "type": "tool_use",
              "id": "a",
              "name": "read",
              "input": {
                "path": "x"
              }
            },
            {
              "type": "tool_use",
              "id": "b",
              "name": "read",
              "input": {
                "no_json_object": "{broken"
              }
            }
          ]
        },
        {
          "role": "user",
          "content": [
            {
              "type": "tool_result",
              "tool_use_id": "a",
              "content": [
                {
                  "type": "text",
                  "text": "grün"
                },
                {
                  "type": "image",
                  "source": {
                    "type": "base64",
                    "media_type": "image/png",
                    "data": "iVBORw0KGgo="
                  }
                }
              ]
            },
            {
              "type": "tool_result",
              "tool_use_id": "b",
              "content": [
                {
                  "type": "text",
                  "text": "no such file"
                }
              ],
              "is_error": true
            },
            {
              "type": "text",
              "text": "Go on.",
              "cache_control": {
                "type": "ephemeral"
              }
            }
          ]
        }
      ],
      "thinking": {
        "type": "adaptive",
        "display": "summarized"
      },
      "output_config": {
        "effort": "medium"
      }
    }
    "#);
}

#[tokio::test]
async fn thoughts_texts_and_calls_come_back_as_they_were_said() {
    let reply = Reply::text("Let me look.").thinking("I should read", "c2lnbmVk").and_call(
        "toolu_1",
        "read",
        r#"{"path":"x"}"#,
    );
    let server = ModelServer::start(vec![reply, Reply::text("done")]).await;
    let model = model(Protocol::Anthropic, &server, "");
    let (result, deltas) = complete(&model, &request("hi")).await;
    let completion = result.unwrap();
    assert_eq!((completion.stop, completion.model.as_str()), (Stop::ToolCalls, "scripted"));
    let parts = [
        Part::Reasoning { text: "I should read".into(), signature: Some("c2lnbmVk".into()), redacted: None },
        Part::Text { text: "Let me look.".into() },
        Part::ToolCall { id: "toolu_1".into(), name: "read".into(), arguments: r#"{"path":"x"}"#.into() },
    ];
    assert_eq!(completion.message.parts, parts);
    assert!(deltas.contains(&Delta::ToolCall { name: "read".into() }));
    assert_eq!(heard_text(&deltas), "Let me look.");
    let result = Part::ToolResult { id: "toolu_1".into(), content: vec![], is_error: false };
    let messages = vec![Message::user("hi"), completion.message, Message { role: Role::User, parts: vec![result] }];
    complete(&model, &Request { messages, ..Request::default() }).await.0.unwrap();
    let back = &server.requests()[1].json()["messages"][1]["content"];
    assert_eq!(back[0], json!({ "type": "thinking", "thinking": "I should read", "signature": "c2lnbmVk" }));
    assert_eq!(back[2], json!({ "type": "tool_use", "id": "toolu_1", "name": "read", "input": { "path": "x" } }));
}

#[tokio::test]
async fn redacted_thoughts_and_unknown_blocks_are_understood() {
    let server = ModelServer::start(vec![Reply::events(&[
        json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 5 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "redacted_thinking", "data": "ZW5j" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "of_the_future", "x": 1 } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "future_delta" } }),
        json!({ "type": "another_event" }),
        json!({ "type": "content_block_start", "index": 2, "content_block": { "type": "text", "text": "ok" } }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ])])
    .await;
    let completion = complete(&model(Protocol::Anthropic, &server, ""), &request("hi")).await.0.unwrap();
    let redacted = Part::Reasoning { text: String::new(), signature: None, redacted: Some("ZW5j".into()) };
    assert_eq!(completion.message.parts, [redacted, Part::Text { text: "ok".into() }]);
    assert_eq!((completion.usage.input, completion.usage.output), (5, 7));
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_tried_again() {
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let start = json!({ "type": "message_start", "message": { "model": "m" } });
    let server = ModelServer::start(vec![Reply::events(&[start, error]), Reply::text("hi")]).await;
    let (result, deltas) = complete(&model(Protocol::Anthropic, &server, ""), &request("hi")).await;
    assert_eq!(result.unwrap().attempts, 2);
    assert!(matches!(&deltas[0], Delta::Retry { why, .. } if why.contains("529")), "{deltas:?}");
}

#[tokio::test]
async fn the_ends_of_an_answer_are_told_apart() {
    for (stop, expected) in [("length", Stop::MaxTokens), ("refusal", Stop::Refusal), ("end", Stop::End)] {
        let server = ModelServer::start(vec![Reply::text("x").stop(stop)]).await;
        let completion = complete(&model(Protocol::Anthropic, &server, ""), &request("hi")).await.0.unwrap();
        assert_eq!(completion.stop, expected);
    }
}

#[tokio::test]
async fn effort_is_a_budget_for_old_models_and_adaptive_for_others() {
    let high = Request { effort: Some(Effort::High), ..request("hi") };
    let body = sent("thinking = \"budget\"\nmax_output_tokens = 64000\n", &high).await;
    assert_eq!(body["thinking"], json!({ "type": "enabled", "budget_tokens": 24_576 }));
    assert!(body.get("output_config").is_none());
    let body = sent("", &high).await;
    assert_eq!(body["thinking"]["type"], "adaptive");
    assert_eq!(body["output_config"], json!({ "effort": "high" }));
    for request in [request("hi"), Request { effort: Some(Effort::Off), ..request("hi") }] {
        assert!(sent("", &request).await.get("thinking").is_none());
    }
}

#[tokio::test]
async fn a_model_does_not_think_by_budget_amid_calls_that_it_made_without() {
    let mut amid = rich();
    assert!(sent("thinking = \"budget\"\n", &amid).await.get("thinking").is_some());
    amid.messages[1].parts.remove(0);
    amid.messages[1].parts.remove(0);
    assert!(sent("thinking = \"budget\"\n", &amid).await.get("thinking").is_none());
}

#[tokio::test]
async fn a_prompt_is_cached_unless_that_is_off() {
    assert!(sent("", &rich()).await.to_string().contains("cache_control"));
    assert!(!sent("prompt_cache = false\n", &rich()).await.to_string().contains("cache_control"));
}

#[tokio::test]
async fn no_more_is_asked_for_than_is_configured() {
    let asked = Request { max_output_tokens: Some(9_000), ..request("hi") };
    assert_eq!(sent("max_output_tokens = 5000\n", &asked).await["max_tokens"], 5_000);
    assert_eq!(sent("", &asked).await["max_tokens"], 9_000);
    assert_eq!(sent("", &request("hi")).await["max_tokens"], 16_384);
}

#[tokio::test]
async fn headers_of_the_configuration_go_along() {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    let model = model(Protocol::Anthropic, &server, "headers = { anthropic-beta = \"some-beta\" }\n");
    complete(&model, &request("hi")).await.0.unwrap();
    assert_eq!(server.requests()[0].header("anthropic-beta"), Some("some-beta"));
}
