//! Calling a component of ACT: its tools, which it lists itself, by asynchronous functions and with CBOR for their
//! arguments and results.
//!
//! `list` asks a component once which tools it has, `content` makes the results of a tool of its events, `cbor` stands
//! between CBOR and JSON. The limits of a call are those of any other, and so are its instance, which nobody had
//! before, and its end: whatever is still running in it when the answer is complete ends with it.

mod cbor;
mod content;
mod list;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::oneshot;
use wasmtime::component::{InstancePre, Source, StreamConsumer, StreamResult};
use wasmtime::{Engine, Store, StoreContextMut};

use super::plain::Ended;
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::capability::state::CallState;
use crate::plugin::Reflected;
use bindings::act::core::types::Metadata;
use bindings::act::tools::types::ToolEvent;
use bindings::exports::act::tools::tool_provider::ToolResult;
use bindings::{Provider, ProviderPre};

pub(super) use list::listing;

/// ACT's side of a call, as generated.
mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used)]

    wasmtime::component::bindgen!({
        path: "host/runtime/act/act.wit",
        world: "provider",
        exports: { default: async },
    });
}

/// Events of one call. Danger: an empty one takes no byte of what a result may have, and some of the host's memory.
const EVENTS_MAX: usize = 10_000;
/// Events that are taken from a stream at once.
const EVENTS_AT_ONCE: usize = 64;

/// The tools of a component of ACT, ready to be called.
#[derive(Clone)]
pub(super) struct Act {
    pre: ProviderPre<CallState>,
    /// The component's own name of each tool, by this host's.
    names: BTreeMap<String, String>,
}

impl Act {
    /// Find what is called, and see whether it has the types that it should have.
    pub(super) fn new(pre: InstancePre<CallState>, reflected: &Reflected) -> wasmtime::Result<Self> {
        let names = reflected.functions.iter().map(|function| (function.tool.clone(), function.function.clone()));
        Ok(Self { pre: ProviderPre::new(pre)?, names: names.collect() })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.pre.engine()
    }

    /// Call a tool in a fresh instance.
    pub(super) async fn call(
        &self,
        store: &mut Store<CallState>,
        name: &str,
        arguments: &str,
        output_bytes_max: u64,
    ) -> Ended<Result<Vec<Content>, Error>> {
        let Some(own_name) = self.names.get(name) else {
            return Ok(Err(Error::NotFound(name.to_owned())));
        };
        let arguments = match serde_json::from_str(arguments) {
            Ok(json) => cbor::of_json(&json),
            Err(error) => Err(format!("the arguments are not JSON: {error}")),
        };
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(misfit) => return Ok(Err(Error::InvalidArguments(misfit))),
        };
        let instance = self.pre.instantiate_async(&mut *store).await.map_err(|e| (true, e))?;
        let metadata = metadata(store.data()).map_err(|error| (false, wasmtime::Error::msg(error)))?;
        let called = called(store, &instance, own_name, (arguments, metadata), output_bytes_max).await;
        Ok(match called.map_err(|error| (false, error))? {
            Collected::Whole(events) => content::told(events),
            Collected::TooMuch(limit) => Err(Error::Limit(limit)),
        })
    }
}

/// What goes along with each call: the texts that the operator wrote for the plugin, where it is granted them. A
/// component of ACT has its settings by this and not by an import.
fn metadata(state: &CallState) -> Result<Metadata, String> {
    let values = state.config.iter().flat_map(|config| config.values());
    values.map(|(key, value)| Ok((key.to_owned(), cbor::of_text(value)?))).collect()
}

async fn called(
    store: &mut Store<CallState>,
    instance: &Provider,
    name: &str,
    (arguments, metadata): (Vec<u8>, Metadata),
    output_bytes_max: u64,
) -> wasmtime::Result<Collected> {
    let provider = instance.act_tools_tool_provider();
    store
        .run_concurrent(async |accessor| {
            let result = provider.call_call_tool(accessor, name.to_owned(), arguments, metadata).await?;
            let mut collector = Collector::new(output_bytes_max);
            match result {
                ToolResult::Immediate(events) => {
                    for event in events {
                        if !collector.take(event) {
                            break;
                        }
                    }
                    Ok(collector.collected())
                }
                ToolResult::Streaming(reader) => {
                    let (sender, receiver) = oneshot::channel();
                    collector.sender = Some(sender);
                    accessor.with(|access| reader.pipe(access, collector))?;
                    // It is dropped when the stream ends, and tells then.
                    receiver.await.map_err(|_| wasmtime::Error::msg("the stream of its answer was lost"))
                }
            }
        })
        .await?
}

/// The events of a call, while they come.
struct Collector {
    events: Vec<ToolEvent>,
    bytes_max: u64,
    bytes: u64,
    too_much: Option<String>,
    /// Who waits for the end of a stream.
    sender: Option<oneshot::Sender<Collected>>,
}

/// The events of a call.
enum Collected {
    Whole(Vec<ToolEvent>),
    /// More than there may be, and which limit that is.
    TooMuch(String),
}

impl Collector {
    fn new(bytes_max: u64) -> Self {
        Self { events: Vec::new(), bytes_max, bytes: 0, too_much: None, sender: None }
    }

    /// Take one more. False where it was the last: an error, or one too many.
    fn take(&mut self, mut event: ToolEvent) -> bool {
        // What is said beside an event is not passed on, so it is not kept either: nobody counts its bytes.
        let (bytes, is_last) = match &mut event {
            ToolEvent::Content(part) => {
                part.metadata = Vec::new();
                (part.data.len() + part.mime_type.as_ref().map_or(0, String::len), false)
            }
            ToolEvent::Error(error) => {
                error.metadata = Vec::new();
                (0, true)
            }
        };
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.bytes > self.bytes_max {
            self.too_much = Some(format!("the result has more than the {} bytes that it may have", self.bytes_max));
        } else if self.events.len() == EVENTS_MAX {
            self.too_much = Some(format!("the result has more than the {EVENTS_MAX} parts that it may have"));
        } else {
            self.events.push(event);
        }
        !is_last && self.too_much.is_none()
    }

    fn collected(&mut self) -> Collected {
        match self.too_much.take() {
            Some(limit) => Collected::TooMuch(limit),
            None => Collected::Whole(std::mem::take(&mut self.events)),
        }
    }

    fn tell(&mut self) {
        if let Some(sender) = self.sender.take() {
            // Where nobody waits any more the call has ended.
            let _ = sender.send(self.collected());
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.tell();
    }
}

impl StreamConsumer<CallState> for Collector {
    type Item = ToolEvent;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, CallState>,
        mut source: Source<'_, ToolEvent>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let collector = self.get_mut();
        let mut taken = Vec::with_capacity(source.remaining(&mut store).min(EVENTS_AT_ONCE));
        source.read(&mut store, &mut taken)?;
        for event in taken {
            if !collector.take(event) {
                collector.tell();
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

#[cfg(test)]
mod tests {
    use super::bindings::act::tools::types::ContentPart;
    use super::*;

    fn part(bytes: usize) -> ToolEvent {
        let metadata = vec![("std:progress".to_owned(), vec![0; 1 << 10])];
        ToolEvent::Content(ContentPart { data: vec![0; bytes], mime_type: None, metadata })
    }

    #[test]
    fn there_are_as_many_events_as_there_may_be_and_no_more() {
        let mut collector = Collector::new(0);
        assert!((0..EVENTS_MAX).all(|_| collector.take(part(0))));
        assert!(!collector.take(part(0)));
        assert!(matches!(collector.collected(), Collected::TooMuch(limit) if limit.contains("10000 parts")));
    }

    #[test]
    fn there_are_as_many_bytes_as_there_may_be_and_no_more() {
        let mut collector = Collector::new(10);
        assert!(collector.take(part(6)) && collector.take(part(4)));
        let is_bare = |event: &ToolEvent| matches!(event, ToolEvent::Content(part) if part.metadata.is_empty());
        assert!(collector.events.iter().all(is_bare));
        assert!(!collector.take(part(1)));
        assert!(matches!(collector.collected(), Collected::TooMuch(limit) if limit.contains("10 bytes")));
    }
}
