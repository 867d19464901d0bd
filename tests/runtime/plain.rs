//! A component that was not written for any host: its plain functions as tools, under our limits and
//! grants, from the command line too.

use std::sync::Arc;

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::capability::preopens::Preopens;
use pi_host::plugin::{Binary, ToolEffect};
use pi_host::runtime::{CallLimits, Compiled, Grants, LinkedTool};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::guest::{call, component, limits, runtime};
use crate::capability::bench::{Bench, grant};
use crate::project::Project;

async fn compiled() -> &'static Compiled {
    static COMPILED: OnceCell<Compiled> = OnceCell::const_new();
    COMPILED.get_or_init(|| async { runtime().load_named(&component("plain"), "plain").await.unwrap() }).await
}

async fn linked(grants: Grants) -> LinkedTool {
    runtime().link_tool(compiled().await, grants).unwrap()
}

async fn with_preopens(bench: &Bench, read: &[&str], write: &[&str]) -> LinkedTool {
    let preopens = Preopens::new(&grant(read, write), &bench.project()).unwrap();
    linked(Grants { preopens: Some(Arc::new(preopens)), ..Grants::default() }).await
}

/// Call a function of the interface `ends`.
async fn ended(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
    ended_within(limits(), name, arguments).await
}

async fn ended_within(limits: CallLimits, name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
    let bench = Bench::new().await;
    let guest = linked(Grants::default()).await;
    call(&bench, &guest, limits, &format!("test_plain_ends_0_1_0_{name}"), arguments).await
}

fn everything() -> Value {
    json!({
        "truth": true,
        "small": -128, "byte": 255, "short": -32768, "port": 65535, "number": i32::MIN, "count": u32::MAX,
        "long": i64::MIN, "size": u64::MAX,
        "ratio": 1.5, "exact": -0.1,
        "letter": "\u{10ffff}",
        "text": "line\n\"quoted\" \u{0} \u{1f600}",
        "points": [{ "x": 1, "y": -1, "note": null }, { "x": 0, "y": 0, "note": "origin" }],
        "bytes": [0, 127, 255],
        "pair": [7, "seven"],
        "color": "dark-blue",
        "access": ["read", "run-it"],
        "shape": { "tag": "pair", "val": [1, 2] },
        "maybe": 0,
        "maybe-maybe": { "some": null },
        "outcome": { "err": "no" },
        "empty-outcome": { "ok": null },
    })
}

#[tokio::test]
async fn a_value_of_every_type_goes_through_a_guest_and_comes_back() {
    let bench = Bench::new().await;
    let guest = linked(Grants::default()).await;
    let echo = async |name: &str, value: &Value| {
        let name = format!("test_plain_types_0_1_0_{name}");
        match call(&bench, &guest, limits(), &name, json!({ "value": value })).await {
            Ok(contents) => match &contents[..] {
                [Content::Json(text)] => serde_json::from_str::<Value>(text).unwrap(),
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(echo("echo", &everything()).await, everything());
    // The other forms that are taken come back as the first.
    let mut other = everything();
    other["bytes"] = json!("AH//");
    other["size"] = json!(u64::MAX.to_string());
    other["access"] = json!({ "read": true, "write": false, "run-it": true });
    other["points"][0].as_object_mut().unwrap().remove("note");
    assert_eq!(echo("echo", &other).await, everything());
    for number in ["NaN", "inf", "-inf"] {
        other["exact"] = json!(number);
        assert_eq!(echo("echo", &other).await["exact"], json!(number));
    }
    assert_eq!(echo("echo_fixed", &json!([1, 2, 3])).await, json!([1, 2, 3]));
    let map = json!([{ "key": "a", "value": 1 }, { "key": "b", "value": 2 }]);
    assert_eq!(echo("echo_map", &map).await, map);
}

#[tokio::test]
async fn its_tools_are_its_functions_and_what_needs_state_is_left_out() {
    let binary = &compiled().await.binary;
    let tools: Vec<&str> = binary.manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(tools.contains(&"greet") && tools.contains(&"test_plain_counters_0_1_0_version"), "{tools:?}");
    let left_out: Vec<&str> =
        binary.reflected.as_ref().unwrap().left_out.iter().map(|left| left.export.as_str()).collect();
    for export in ["[constructor]counter", "[method]counter.next", "make", "look"] {
        assert!(left_out.contains(&format!("test:plain/counters@0.1.0#{export}").as_str()), "{export}: {left_out:?}");
    }
}

#[tokio::test]
async fn the_definitions_are_those_of_the_manifest_that_was_made() {
    let bench = Bench::new().await;
    let guest = linked(Grants::default()).await;
    let context = pi_host::runtime::Context {
        door: bench.door(),
        limits: limits(),
        tools: None,
        session: None,
        said: 0,
        determinism: None,
    };
    let definitions = runtime().definitions(&guest, context).await.unwrap();
    assert_eq!(definitions.len(), guest.manifest.tools.len());
}

#[tokio::test]
async fn a_result_is_text_or_json_and_an_err_is_a_failure() {
    assert_eq!(ended("add", json!({ "a": 1, "b": 2 })).await, Ok(vec![Content::Json("3".into())]));
    assert_eq!(ended("shout", json!({ "text": "a", "times": 2 })).await, Ok(vec![Content::Text("AA".into())]));
    assert_eq!(ended("shout", json!({ "text": "a" })).await, Ok(vec![Content::Text("A".into())]));
    assert_eq!(ended("nothing", json!({})).await, Ok(Vec::new()));
    assert_eq!(ended("divide", json!({ "a": 1, "b": 4 })).await, Ok(vec![Content::Json("0.25".into())]));
    let by_zero = ended("divide", json!({ "a": 1, "b": 0 })).await;
    assert_eq!(by_zero, Err(Error::Failed("nothing can be divided by 0".into())));
    assert_eq!(ended("check", json!({ "code": 0 })).await, Ok(Vec::new()));
    let checked = ended("check", json!({ "code": 7 })).await;
    assert_eq!(checked, Err(Error::Failed(r#"{"code":7,"text":"it is not 0"}"#.into())));
    assert_eq!(ended("refuse", json!({})).await, Err(Error::Failed("the tool failed, and says no more".into())));
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_named_by_their_place_and_run_nothing() {
    let mut wrong = everything();
    wrong["points"][1]["x"] = json!("three");
    let bench = Bench::new().await;
    let guest = linked(Grants::default()).await;
    let ended = call(&bench, &guest, limits(), "test_plain_types_0_1_0_echo", json!({ "value": wrong })).await;
    let text = "at `.value.points[1].x`: it has to be an integer from -2147483648 to 2147483647, and is: \"three\"";
    assert_eq!(ended, Err(Error::InvalidArguments(text.into())));
    assert_eq!(call(&bench, &guest, limits(), "no_such", json!({})).await, Err(Error::NotFound("no_such".into())));
}

#[tokio::test]
async fn it_has_the_limits_of_any_other() {
    let trap = ended("trap", json!({})).await;
    assert!(matches!(&trap, Err(Error::Failed(text)) if text.contains("the guest panics as it was told")), "{trap:?}");
    let looping = ended_within(CallLimits { call_ms_max: 200, ..limits() }, "loop_forever", json!({})).await;
    assert!(matches!(&looping, Err(Error::Limit(text)) if text.contains("200 ms")), "{looping:?}");
    let short = CallLimits { output_bytes_max: 100, ..limits() };
    let text = ended_within(short.clone(), "long", json!({ "bytes": 100 })).await;
    assert_eq!(text, Ok(vec![Content::Text("x".repeat(100))]));
    let text = ended_within(short.clone(), "long", json!({ "bytes": 101 })).await;
    assert!(matches!(&text, Err(Error::Limit(_))), "{text:?}");
    let list = ended_within(short, "many", json!({ "count": 101 })).await;
    assert!(matches!(&list, Err(Error::Limit(text)) if text.contains("100 bytes")), "{list:?}");
    let memory = ended("long", json!({ "bytes": 1_u32 << 30 })).await;
    assert!(matches!(&memory, Err(Error::Limit(text)) if text.contains("memory")), "{memory:?}");
    // As values of the host a list takes many times what it has in the guest.
    let huge = ended("many", json!({ "count": 4_000_000 })).await;
    assert!(matches!(&huge, Err(Error::Limit(text)) if text.contains("64 MiB")), "{huge:?}");
}

#[tokio::test]
async fn it_reaches_the_folders_that_it_is_granted_and_no_other() {
    let bench = Bench::new().await;
    bench.file("in/f", "granted");
    std::fs::write(bench.top.path().join("outside"), "kept").unwrap();
    let project = bench.project().canonicalize().unwrap().display().to_string();
    let read = async |guest: &LinkedTool, path: String| {
        call(&bench, guest, limits(), "test_plain_ends_0_1_0_read_a_file", json!({ "path": path })).await
    };
    let without = linked(Grants::default()).await;
    assert!(matches!(read(&without, format!("{project}/in/f")).await, Err(Error::Failed(_))));
    let with = with_preopens(&bench, &["in"], &[]).await;
    assert_eq!(read(&with, format!("{project}/in/f")).await, Ok(vec![Content::Text("granted".into())]));
    for path in [format!("{project}/../outside"), format!("{project}/in/../../outside"), "/etc/passwd".into()] {
        assert!(matches!(read(&with, path.clone()).await, Err(Error::Failed(_))), "{path}");
    }
}

#[tokio::test]
async fn what_it_can_do_is_what_it_is_granted() {
    let bench = Bench::new().await;
    bench.file("in/f", "");
    let effects = |guest: &LinkedTool| guest.manifest.tools.iter().map(|tool| tool.effect).collect::<Vec<_>>();
    let all = |guest: &LinkedTool, effect: ToolEffect| effects(guest).iter().all(|of| *of == effect);
    // By its imports it may do anything to folders.
    assert!(compiled().await.binary.manifest.tools.iter().all(|tool| tool.effect == ToolEffect::Destructive));
    assert!(all(&linked(Grants::default()).await, ToolEffect::Read));
    assert!(all(&with_preopens(&bench, &["in"], &[]).await, ToolEffect::Read));
    assert!(all(&with_preopens(&bench, &[], &["in"]).await, ToolEffect::Destructive));
}

#[tokio::test]
async fn a_component_of_the_contract_without_a_manifest_stays_one() {
    for error in [
        Binary::read_named(&component("hostile"), "hostile").unwrap_err(),
        Binary::read(&component("plain")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no manifest"), "{error}");
    }
    let other = super::component::of_contract(&component("hostile"), "0.2.0");
    let error = Binary::read_named(&other, "hostile").unwrap_err().to_string();
    assert!(error.contains("pi:tool/tool@0.2.0") && error.contains("0.1"), "{error}");
}

#[test]
fn it_is_installed_inspected_and_called_by_its_name() {
    let project = Project::with("[plugins.sums]\npath = \"sums.wasm\"\n");
    std::fs::write(project.path().join("sums.wasm"), component("plain")).unwrap();
    let said = project.run(&["plugin", "inspect", "sums"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for text in [
        "sums 0.0.0",
        "  test_plain_ends_0_1_0_add is test:plain/ends@0.1.0#add\n",
        "\nleft out:\n  test:plain/counters@0.1.0#",
        "[method]counter.next: belongs to a resource",
    ] {
        assert!(said.out.contains(text), "{text}: {}", said.out);
    }
    let by_path = project.run(&["--json", "plugin", "inspect", "sums.wasm"]).json();
    assert_eq!(by_path["manifest"]["name"], "sums");
    assert!(by_path["reflected"]["left_out"].as_array().unwrap().len() >= 4, "{by_path}");
    let called = project.run(&["tool", "call", "greet", r#"{"name":"Ada"}"#]);
    assert_eq!((called.code, called.out.trim()), (Some(0), "Hello, Ada!"), "{}", called.err);
    let wrong = project.run(&["tool", "call", "greet", r#"{"nmae":"Ada"}"#]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("name"), "{}", wrong.err);
}
