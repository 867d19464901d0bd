//! Amazon Bedrock's Converse: the exact request, its signature, and what is read of an answer.

use pi_host::model::Stop;
use serde_json::json;

use super::server::{Reply, frame};
use super::*;

#[tokio::test]
async fn the_request_is_exactly_this() {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&model(Protocol::Bedrock, &server, "max_output_tokens = 8000\n"), &rich()).await.0.unwrap();
    let sent = server.requests().remove(0);
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/model/claude-scripted/converse-stream"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "system": [
        {
          "text": "Be brief."
        },
        {
          "cachePoint": {
            "type": "default"
          }
        }
      ],
      "toolConfig": {
        "tools": [
          {
            "toolSpec": {
              "name": "read",
              "description": "Reads a file",
              "inputSchema": {
                "json": {
                  "type": "object",
                  "properties": {
                    "path": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          {
            "toolSpec": {
              "name": "stop",
              "description": "Reads a file",
              "inputSchema": {
                "json": {
                  "type": "object",
                  "properties": {
                    "path": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          },
          {
            "cachePoint": {
              "type": "default"
            }
          }
        ]
      },
      "messages": [
        {
          "role": "user",
          "content": [
            {
              "text": "Look \"here\":\n"
            },
            {
              "image": {
                "format": "png",
                "source": {
                  "bytes": "iVBORw0KGgo="
                }
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": [
            {
              "reasoningContent": {
                "reasoningText": {
                  "text": "hm",
                  "signature": "c2ln"
                }
              }
            },
            {
              "reasoningContent": {
                "redactedContent": "ZW5j"
              }
            },
            {
              "text": "Reading."
            },
            {
              "toolUse": {
                "toolUseId": "a",
                "name": "read",
                "input": {
                  "path": "x"
                }
              }
            },
            {
              "toolUse": {
                "toolUseId": "b",
                "name": "read",
                "input": {
                  "no_json_object": "{broken"
                }
              }
            }
          ]
        },
        {
          "role": "user",
          "content": [
            {
              "toolResult": {
                "toolUseId": "a",
                "content": [
                  {
                    "text": "grün"
                  },
                  {
                    "image": {
                      "format": "png",
                      "source": {
                        "bytes": "iVBORw0KGgo="
                      }
                    }
                  }
                ],
                "status": "success"
              }
            },
            {
              "toolResult": {
                "toolUseId": "b",
                "content": [
                  {
                    "text": "no such file"
                  }
                ],
                "status": "error"
              }
            },
            {
              "text": "Go on."
            },
            {
              "cachePoint": {
                "type": "default"
              }
            }
          ]
        }
      ],
      "inferenceConfig": {
        "maxTokens": 8000
      },
      "additionalModelRequestFields": {
        "thinking": {
          "type": "adaptive"
        },
        "output_config": {
          "effort": "medium"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn thoughts_texts_and_calls_are_read() {
    let reply = Reply::text("Let me look.").thinking("I should read", "c2ln").and_call("t1", "read", r#"{"path":"x"}"#);
    let server = ModelServer::start(vec![reply]).await;
    let (result, deltas) = complete(&model(Protocol::Bedrock, &server, ""), &request("hi")).await;
    let completion = result.unwrap();
    assert_eq!((completion.stop, completion.model.as_str()), (Stop::ToolCalls, "claude-scripted"));
    let parts = [
        Part::Reasoning { text: "I should read".into(), signature: Some("c2ln".into()), redacted: None },
        Part::Text { text: "Let me look.".into() },
        Part::ToolCall { id: "t1".into(), name: "read".into(), arguments: r#"{"path":"x"}"#.into() },
    ];
    assert_eq!(completion.message.parts, parts);
    assert_eq!(heard_text(&deltas), "Let me look.");
}

#[tokio::test]
async fn an_exception_in_the_middle_of_a_stream_is_tried_again() {
    let exception = frame("exception", "throttlingException", &json!({ "message": "Too many tokens" }));
    let server = ModelServer::start(vec![Reply::raw(&exception), Reply::text("hi")]).await;
    let (result, deltas) = complete(&model(Protocol::Bedrock, &server, ""), &request("hi")).await;
    assert_eq!(result.unwrap().attempts, 2);
    assert!(matches!(&deltas[0], Delta::Retry { why, .. } if why.contains("limits the rate")), "{deltas:?}");
}

#[tokio::test]
async fn the_name_of_an_error_in_a_header_is_read() {
    let reply =
        Reply::status(400, r#"{"message":"slow down"}"#).header("x-amzn-errortype", "ThrottlingException:http://x");
    let server = ModelServer::start(vec![reply]).await;
    let error = complete(&model(Protocol::Bedrock, &server, "attempts = 1\n"), &request("hi")).await.0.unwrap_err();
    assert!(matches!(error, ModelError::RateLimited { .. }), "{error}");
}

#[tokio::test]
async fn a_request_is_signed_where_there_is_no_bearer_token() {
    let server = ModelServer::start_with(|_| {
        Reply::status(403, r#"{"message":"secret wJalrXUtnFEMI/K7MDENG and token tok-abcdef"}"#)
    })
    .await;
    let text = format!(
        "[main]\nprotocol = \"bedrock\"\nmodel = \"anthropic.claude-v1:0\"\nregion = \"eu-central-1\"\nbase_url = \"{}\"",
        server.url()
    );
    let variable = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("wJalrXUtnFEMI/K7MDENG".to_owned()),
        "AWS_SESSION_TOKEN" => Some("tok-abcdef".to_owned()),
        _ => None,
    };
    let model = built_with(&text, Duration::from_secs(1), &variable).unwrap();
    let error = complete(&model, &request("hi")).await.0.unwrap_err();
    let sent = server.requests().remove(0);
    assert_eq!(sent.path, "/model/anthropic.claude-v1%3A0/converse-stream");
    let authorization = sent.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-central-1/bedrock/aws4_request"), "{authorization}");
    assert!(
        authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"),
        "{authorization}"
    );
    assert_eq!(sent.header("x-amz-security-token"), Some("tok-abcdef"));
    assert!(error.to_string().contains("secret *** and token ***"), "{error}");
    assert_eq!(
        authorization.rsplit('=').next().unwrap(),
        signature(&sent),
        "the signature is the one that AWS computes"
    );
}

/// Signature Version 4, step by step as AWS describes it.
fn signature(sent: &server::RecordedRequest) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::{Digest as _, Sha256};
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let header = |name| sent.header(name).unwrap();
    let date = header("x-amz-date");
    // What is encoded in the path is encoded once more.
    let path = sent.path.replace('%', "%25");
    let canonical = format!(
        "POST\n{path}\n\ncontent-type:application/json\nhost:{}\nx-amz-date:{date}\nx-amz-security-token:{}\n\ncontent-type;host;x-amz-date;x-amz-security-token\n{}",
        header("host"),
        header("x-amz-security-token"),
        hex(&Sha256::digest(&sent.body)),
    );
    let day = &date[..8];
    let scope = format!("{day}/eu-central-1/bedrock/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut key = mac(b"AWS4wJalrXUtnFEMI/K7MDENG", day);
    for step in ["eu-central-1", "bedrock", "aws4_request"] {
        key = mac(&key, step);
    }
    hex(&mac(&key, &text))
}

#[tokio::test]
async fn marks_for_the_cache_go_to_models_that_know_them() {
    for (name, is_marked) in [("amazon.nova-pro-v1:0", true), ("meta.llama3-70b", false)] {
        let server = ModelServer::start(vec![Reply::text("hi")]).await;
        let text = format!("[main]\n{}", Protocol::Bedrock.lines(&server)).replace("claude-scripted", name);
        complete(&built(&text).unwrap(), &rich()).await.0.unwrap();
        let body = server.requests()[0].json().to_string();
        assert_eq!(body.contains("cachePoint"), is_marked, "{name}");
        assert!(!body.contains("thinking"), "only Claude is told to think in this way");
    }
}
