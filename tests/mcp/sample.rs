//! Tools to test the protocol with: one for each outcome of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use pi_host::gate::Severity;
use pi_host::mcp::{CallFailure, CallRequest, Given, Offered, Refused, Tools};
use serde_json::{Value, json};

/// A PNG of one pixel.
pub(crate) const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x62, 0, 1, 0, 0, 5, 0, 1,
    0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// What the tests look at from outside.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) running: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) has_more: AtomicBool,
}

#[derive(Clone, Default)]
pub(crate) struct Sample(pub(crate) Arc<Seen>);

struct Running(Arc<Seen>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

fn offered(name: &str, effect: Severity, properties: Value) -> Offered {
    Offered {
        name: name.into(),
        title: None,
        description: format!("the sample tool {name}"),
        input_schema: json!({ "type": "object", "properties": properties }),
        effect,
        idempotent: effect == Severity::Read,
        open_world: false,
    }
}

#[async_trait]
impl Tools for Sample {
    fn list(&self) -> Vec<Offered> {
        let mut tools = vec![
            offered("echo", Severity::Read, json!({ "text": { "type": "string" } })),
            offered("refuse", Severity::Destructive, json!({})),
            offered("picture", Severity::Read, json!({})),
            offered("wait", Severity::Write, json!({ "ms": { "type": "integer" } })),
            offered("break", Severity::Write, json!({})),
        ];
        if self.0.has_more.load(Ordering::SeqCst) {
            tools.push(offered("more", Severity::Read, json!({})));
        }
        tools
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<Given>, CallFailure> {
        self.0.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(self.0.clone());
        match request.name.as_str() {
            "echo" => Ok(vec![Given::Json(Value::Object(request.arguments).to_string())]),
            "refuse" => Err(CallFailure::Refused(Box::new(Refused {
                action: "remove /etc".into(),
                rule: "delete.system".into(),
                reason: "it removes a part of the system".into(),
                risk: 100,
                advice: "remove a file below the project".into(),
            }))),
            "picture" => Ok(vec![
                Given::Text("a picture".into()),
                Given::Blob { mime: "image/png".into(), bytes: PICTURE.to_vec() },
            ]),
            "wait" => {
                request.progress.note("waits for approval a-17: pi-host approvals show a-17");
                match request.arguments.get("ms").and_then(Value::as_u64) {
                    Some(ms) => tokio::time::sleep(std::time::Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
                Ok(vec![Given::Text("waited".into())])
            }
            "break" => panic!("a bug in the host"),
            name => Err(CallFailure::NotFound(format!("there is no tool `{name}`"))),
        }
    }
}
