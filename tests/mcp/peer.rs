//! The host as a client: servers that are well, hostile, slow or gone.

use std::time::Duration;

use pi_host::gate::Severity;
use pi_host::mcp::{CallFailure, Given, McpPeer, McpPeerError, McpServer, PeerLimits, ServerOptions};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sample::Sample;

const DEADLINE: Duration = Duration::from_secs(20);

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// The host's client, connected to the host's own server.
async fn own() -> (McpPeer, Sample, CancellationToken) {
    let sample = Sample::default();
    let server = McpServer::new(sample.clone(), ServerOptions::default());
    let (near, far) = tokio::io::duplex(64 << 10);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let (read, write) = tokio::io::split(far);
        server.serve(read, write, token).await
    });
    let (read, write) = tokio::io::split(near);
    (McpPeer::connect("own", read, write, PeerLimits::default()).await.unwrap(), sample, stop)
}

/// A server that is written by hand, line by line.
struct Server {
    read: Lines<BufReader<ReadHalf<DuplexStream>>>,
    write: WriteHalf<DuplexStream>,
}

impl Server {
    async fn hear(&mut self) -> Option<Value> {
        let line = self.read.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    async fn write(&mut self, text: &str) {
        let _ = self.write.write_all(format!("{text}\n").as_bytes()).await;
    }

    async fn answer(&mut self, id: &Value, result: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()).await;
    }

    /// Begin, and list these tools.
    async fn offer(&mut self, tools: Value) {
        let begin = self.hear().await.unwrap();
        let server = json!({
            "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
            "serverInfo": { "name": "test", "version": "1" },
        });
        self.answer(&begin["id"], server).await;
        self.hear().await.unwrap();
        let list = self.hear().await.unwrap();
        assert_eq!(list["method"], "tools/list");
        self.answer(&list["id"], json!({ "tools": tools })).await;
    }
}

type Connecting = JoinHandle<Result<McpPeer, McpPeerError>>;

fn by_hand(limits: PeerLimits) -> (Server, Connecting) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (read, write) = tokio::io::split(far);
    let server = Server { read: BufReader::new(read).lines(), write };
    let connecting = tokio::spawn(async move {
        let (read, write) = tokio::io::split(near);
        McpPeer::connect("hand", read, write, limits).await
    });
    (server, connecting)
}

async fn with_one_tool(limits: PeerLimits) -> (Server, McpPeer) {
    let (mut server, connecting) = by_hand(limits);
    server.offer(json!([{ "name": "do", "inputSchema": { "type": "object" } }])).await;
    (server, connecting.await.unwrap().unwrap())
}

#[tokio::test]
async fn tools_of_a_server_have_its_name_and_its_hints() {
    let (peer, ..) = own().await;
    let tools: Vec<(&str, Severity, bool)> =
        peer.tools().iter().map(|tool| (tool.name.as_str(), tool.effect, tool.idempotent)).collect();
    assert_eq!(tools[..2], [("own_echo", Severity::Read, true), ("own_refuse", Severity::Destructive, false)]);
    assert_eq!(peer.left_out(), []);
}

#[tokio::test]
async fn a_call_goes_there_and_back() {
    let (peer, ..) = own().await;
    let result = peer.call("own_echo", arguments(json!({ "text": "é" })), DEADLINE).await;
    assert_eq!(result, Ok(vec![Given::Json("{\"text\":\"é\"}".into())]));
    let picture = peer.call("own_picture", Map::new(), DEADLINE).await.unwrap();
    assert!(matches!(&picture[1], Given::Blob { mime, .. } if mime == "image/png"));
}

#[tokio::test]
async fn a_failure_there_is_a_failure_here() {
    let (peer, ..) = own().await;
    let Err(CallFailure::Failed(text)) = peer.call("own_refuse", Map::new(), DEADLINE).await else { panic!() };
    assert!(text.contains("it removes a part of the system"), "{text}");
    assert!(matches!(peer.call("own_none", Map::new(), DEADLINE).await, Err(CallFailure::NotFound(_))));
}

#[tokio::test]
async fn a_deadline_ends_the_call_on_both_sides() {
    let (peer, sample, _) = own().await;
    let result = peer.call("own_wait", Map::new(), Duration::from_millis(20)).await;
    assert!(matches!(result, Err(CallFailure::Limit(_))), "{result:?}");
    let waiting = async {
        while sample.0.ended.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_gone_is_not_alive_and_its_calls_fail_at_once() {
    let (mut server, peer) = with_one_tool(PeerLimits::default()).await;
    assert!(peer.is_alive());
    let calling = async { peer.call("hand_do", Map::new(), DEADLINE).await };
    let dying = async {
        server.hear().await.unwrap();
        drop(server);
    };
    let both = async { tokio::join!(calling, dying) };
    let (result, ()) = tokio::time::timeout(DEADLINE / 2, both).await.unwrap();
    assert!(matches!(result, Err(CallFailure::Unknown(_))), "{result:?}");
    assert!(!peer.is_alive());
    assert!(matches!(peer.call("hand_do", Map::new(), DEADLINE).await, Err(CallFailure::Failed(_))));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_too_slow() {
    let (_server, connecting) = by_hand(PeerLimits { begin_ms_max: 20, ..PeerLimits::default() });
    let error = connecting.await.unwrap().map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "`hand` did not answer within 20 ms\nhint: raise [mcp.hand.limits] begin_ms_max, or run its command by hand"
    );
}

#[tokio::test]
async fn a_program_that_is_no_server_is_told_apart() {
    let (mut server, connecting) = by_hand(PeerLimits::default());
    tokio::spawn(async move {
        for _ in 0..1000 {
            server.write("Usage: something --else").await;
        }
        server.hear().await
    });
    let error = connecting.await.unwrap().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("not MCP"), "{error}");
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_connection_and_the_reason_is_known() {
    let limits = PeerLimits { message_bytes_max: 1000, ..PeerLimits::default() };
    let (mut server, peer) = with_one_tool(limits).await;
    let calling = peer.call("hand_do", Map::new(), DEADLINE);
    let flooding = async {
        server.hear().await.unwrap();
        server.write(&"x".repeat(1001)).await;
    };
    let (result, ()) = tokio::join!(calling, flooding);
    let Err(CallFailure::Unknown(text)) = result else { panic!("{result:?}") };
    assert!(text.contains("message_bytes_max"), "{text}");
    assert!(!peer.is_alive());
}

#[tokio::test]
async fn tools_end_at_their_number_and_pages_at_theirs() {
    let tools = |count: usize| {
        Value::Array(
            (0..count).map(|i| json!({ "name": format!("t{i}"), "inputSchema": { "type": "object" } })).collect(),
        )
    };
    for (count, is_taken) in [(3, true), (4, false)] {
        let (mut server, connecting) = by_hand(PeerLimits { tools_max: 3, ..PeerLimits::default() });
        server.offer(tools(count)).await;
        let connected = connecting.await.unwrap();
        assert_eq!(connected.is_ok(), is_taken);
    }
    // Pages without end, and with nothing on them.
    let (mut server, connecting) = by_hand(PeerLimits::default());
    tokio::spawn(async move {
        let begin = server.hear().await.unwrap();
        let info = json!({ "name": "test", "version": "1" });
        server
            .answer(
                &begin["id"],
                json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": info }),
            )
            .await;
        while let Some(message) = server.hear().await {
            if message["method"] == "tools/list" {
                server.answer(&message["id"], json!({ "tools": [], "nextCursor": "more" })).await;
            }
        }
    });
    assert!(matches!(connecting.await.unwrap(), Err(McpPeerError::Many { .. })));
}

#[tokio::test]
async fn a_tool_that_cannot_be_used_is_left_out_and_the_rest_is_offered() {
    let (mut server, connecting) = by_hand(PeerLimits::default());
    server
        .offer(json!([
            { "name": "good", "inputSchema": { "type": "object" } },
            { "name": "bad\u{1b}", "inputSchema": { "type": "object", "properties": 3 } },
        ]))
        .await;
    let peer = connecting.await.unwrap().unwrap();
    assert_eq!(peer.tools().len(), 1);
    assert_eq!(peer.left_out()[0].0, "bad\\u{1b}");
}

#[tokio::test]
async fn a_result_without_the_protocols_form_fails_the_call_at_once() {
    let (mut server, peer) = with_one_tool(PeerLimits::default()).await;
    let calling = peer.call("hand_do", Map::new(), DEADLINE);
    let answering = async {
        let call = server.hear().await.unwrap();
        server.answer(&call["id"], json!(7)).await;
    };
    let (result, ()) = tokio::join!(calling, answering);
    assert!(matches!(result, Err(CallFailure::Failed(_))), "{result:?}");
    assert!(peer.is_alive());
}

#[tokio::test]
async fn a_server_that_asks_back_is_refused_and_the_call_goes_on() {
    let (mut server, peer) = with_one_tool(PeerLimits::default()).await;
    let calling = peer.call("hand_do", Map::new(), DEADLINE);
    let asking = async {
        let call = server.hear().await.unwrap();
        for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
            server.write(&json!({ "jsonrpc": "2.0", "id": "q", "method": method, "params": {} }).to_string()).await;
            assert_eq!(server.hear().await.unwrap()["error"]["code"], -32601);
        }
        server.answer(&call["id"], json!({ "content": [{ "type": "text", "text": "done" }] })).await;
    };
    let (result, ()) = tokio::join!(calling, asking);
    assert_eq!(result, Ok(vec![Given::Text("done".into())]));
}

#[tokio::test]
async fn a_server_that_asks_for_ever_and_never_reads_does_not_stop_the_deadline() {
    let (mut server, peer) = with_one_tool(PeerLimits::default()).await;
    let asking = tokio::spawn(async move {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
        while server.write.write_all(format!("{ping}\n").as_bytes()).await.is_ok() {}
    });
    let result = peer.call("hand_do", Map::new(), Duration::from_millis(50)).await;
    assert!(matches!(result, Err(CallFailure::Limit(_) | CallFailure::Unknown(_))), "{result:?}");
    peer.close().await;
    tokio::time::timeout(DEADLINE, asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn other_tools_are_noticed_and_listed_again() {
    let (mut server, mut peer) = with_one_tool(PeerLimits::default()).await;
    server.write(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }).to_string()).await;
    let noticed = async {
        while !peer.has_other_tools() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, noticed).await.unwrap();
    let listing = async {
        let list = server.hear().await.unwrap();
        server.answer(&list["id"], json!({ "tools": [] })).await;
    };
    let (again, ()) = tokio::join!(peer.list_again(), listing);
    again.unwrap();
    assert_eq!((peer.tools().len(), peer.has_other_tools()), (0, false));
}
