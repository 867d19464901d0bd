//! Fallbacks, costs, connections: what goes beyond one answer of one model.

use pi_host::model::Usage;

use super::server::{Delivery, Reply};
use super::*;

/// `main`, and behind it `other`.
fn chained(first: (Protocol, &ModelServer), second: (Protocol, &ModelServer)) -> Arc<dyn Model> {
    let (main, other) = (first.0.lines(first.1), second.0.lines(second.1));
    built(&format!("[main]\n{main}attempts = 2\nfallback = \"other\"\n[other]\n{other}")).unwrap()
}

#[tokio::test]
async fn another_model_answers_where_the_first_cannot() {
    for reply in [Reply::status(529, "{}"), Reply::status(401, "{}"), Reply::raw(b"").content_type("text/html")] {
        let first = ModelServer::start_with(move |_| reply.clone()).await;
        let second = ModelServer::start(vec![Reply::text("from the second")]).await;
        let model = chained((Protocol::Anthropic, &first), (Protocol::Openai, &second));
        let (result, deltas) = complete(&model, &rich()).await;
        let completion = result.unwrap();
        assert_eq!(completion.message.text(), "from the second");
        assert_eq!(completion.attempts as usize, first.requests().len() + 1);
        let told = deltas
            .iter()
            .any(|delta| matches!(delta, Delta::Fallback { from, to, .. } if from == "main" && to == "other"));
        assert!(told, "{deltas:?}");
    }
}

#[tokio::test]
async fn what_was_heard_of_the_first_is_discarded_before_the_second_speaks() {
    let cut = Reply::text("half of an answer that is longer").delivered(Delivery::CutAfter(700));
    let first = ModelServer::start_with(move |_| cut.clone()).await;
    let second = ModelServer::start(vec![Reply::text("whole")]).await;
    let (result, deltas) =
        complete(&chained((Protocol::Anthropic, &first), (Protocol::Openai, &second)), &request("hi")).await;
    assert_eq!(result.unwrap().message.text(), "whole");
    let at = deltas.iter().position(|delta| matches!(delta, Delta::Fallback { .. })).unwrap();
    assert!(!heard_text(&deltas[..at]).is_empty(), "{deltas:?}");
    assert_eq!(heard_text(&deltas[at..]), "whole");
}

#[tokio::test]
async fn no_other_model_is_asked_what_is_wrong_for_all() {
    let first = ModelServer::start(vec![Reply::status(400, "{}")]).await;
    let second = ModelServer::start(vec![Reply::text("hi")]).await;
    let model = chained((Protocol::Openai, &first), (Protocol::Openai, &second));
    assert!(matches!(complete(&model, &request("hi")).await.0, Err(ModelError::BadRequest { .. })));
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn a_context_that_one_finds_too_large_is_the_error_of_all() {
    let first = ModelServer::start(vec![Reply::status(400, r#"{"error":{"message":"prompt is too long"}}"#)]).await;
    let second = ModelServer::start(vec![Reply::status(401, "{}")]).await;
    let model = chained((Protocol::Anthropic, &first), (Protocol::Openai, &second));
    assert!(matches!(complete(&model, &request("hi")).await.0, Err(ModelError::ContextTooLarge { .. })));
}

#[tokio::test]
async fn thoughts_of_one_provider_are_not_sent_to_another() {
    let first = ModelServer::start(vec![Reply::status(401, "{}")]).await;
    let second = ModelServer::start(vec![Reply::text("hi")]).await;
    complete(&chained((Protocol::Anthropic, &first), (Protocol::Openai, &second)), &rich()).await.0.unwrap();
    assert!(String::from_utf8_lossy(&first.requests()[0].body).contains("c2ln"));
    assert!(!String::from_utf8_lossy(&second.requests()[0].body).contains("c2ln"));
}

#[tokio::test]
async fn usage_and_cost_are_told() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("hi").usage([100, 20, 3_000, 50]), Reply::text("hi")]).await;
        let price = "price = { input = 3.0, output = 15.0, cache_read = 0.3, cache_write = 3.75 }\n";
        let model = model(protocol, &server, price);
        let completion = complete(&model, &request("hi")).await.0.unwrap();
        assert_eq!(completion.usage, Usage { input: 100, output: 20, cache_read: 3_000, cache_write: 50 });
        assert_eq!(completion.cost_nano_usd, Some(300_000 + 300_000 + 900_000 + 187_500));
        let untold = complete(&model, &request("hi")).await.0.unwrap();
        // What a server does not count is estimated, and said to be.
        assert!(untold.is_estimated && !completion.is_estimated, "{protocol:?}");
        assert_eq!(untold.cost_nano_usd, Some(3_000 * untold.usage.input + 15_000 * untold.usage.output));
    }
}

#[tokio::test]
async fn a_model_without_a_price_costs_what_nobody_knows() {
    let server = ModelServer::start(vec![Reply::text("hi").usage([1, 1, 0, 0])]).await;
    let completion = complete(&model(Protocol::Openai, &server, ""), &request("hi")).await.0.unwrap();
    assert_eq!(completion.cost_nano_usd, None);
}

#[tokio::test]
async fn requests_share_one_connection() {
    for protocol in ALL {
        let server = ModelServer::start_with(|_| Reply::call("", "read", &serde_json::json!({}))).await;
        let model = model(protocol, &server, "");
        for _ in 0..5 {
            complete(&model, &request("hi")).await.0.unwrap();
        }
        let connections: Vec<usize> = server.requests().iter().map(|request| request.connection).collect();
        assert_eq!(connections, [0; 5], "{protocol:?}");
    }
}

#[tokio::test]
async fn a_conversation_of_1000_messages_is_sent_in_time_that_grows_with_its_length() {
    let server = ModelServer::start_with(|_| Reply::text("hi")).await;
    let mut messages = Vec::new();
    for number in 0..20_000 {
        let id = format!("call_x{number}");
        let call = Part::ToolCall { id: id.clone(), name: "read".into(), arguments: r#"{"path":"x"}"#.into() };
        let result = Part::ToolResult { id, content: vec![Part::Text { text: "line\n".repeat(20) }], is_error: false };
        messages.push(Message { role: Role::Assistant, parts: vec![call] });
        messages.push(Message { role: Role::User, parts: vec![result] });
    }
    let long = Request { messages, ..Request::default() };
    for protocol in ALL {
        let begun = std::time::Instant::now();
        complete(&model(protocol, &server, ""), &long).await.0.unwrap();
        // Forty times as many messages; if it were quadratic, these would be minutes.
        assert!(begun.elapsed() < Duration::from_secs(20), "{protocol:?}: {:?}", begun.elapsed());
    }
}
