//! What is refused before it runs: each error names what is wrong and what to do.

use pi_host::plugin::pack;
use pi_host::runtime::Grants;

use super::component::{core_module, empty_component, of_contract, with_import, with_unknown_import};
use super::guest::{component, manifest, packed, runtime};

async fn refusal(bytes: &[u8]) -> String {
    match runtime().load(bytes).await {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let random: Vec<u8> = (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut cut = packed("hostile");
    cut.truncate(cut.len() / 2);
    for (bytes, what) in [
        (core_module(), "a core module"),
        (random, "random bytes"),
        (Vec::new(), "an empty file"),
        (b"\0asm".to_vec(), "four bytes"),
        (cut, "half a component"),
        (b"#!/bin/sh\nrm -rf /\n".to_vec(), "a script"),
    ] {
        let text = refusal(&bytes).await;
        assert!(text.starts_with("not a WebAssembly component"), "{what}: {text}");
        assert!(text.contains("\nhint: "), "{what}: {text}");
    }
}

#[tokio::test]
async fn a_component_without_a_manifest_is_refused() {
    assert!(refusal(&component("hostile")).await.contains("no manifest"));
}

#[tokio::test]
async fn a_component_that_exports_nothing_is_refused() {
    let text = refusal(&pack(&empty_component(), &manifest("hostile"))).await;
    assert!(text.contains("exports neither"), "{text}");
}

#[tokio::test]
async fn an_unknown_import_is_refused_by_name() {
    let text = refusal(&pack(&with_unknown_import(&component("hostile")), &manifest("hostile"))).await;
    assert!(text.contains("evil:network/exfiltrate@1.0.0") && text.contains("\nhint: "), "{text}");
}

#[tokio::test]
async fn an_import_of_another_version_is_refused_with_both() {
    let text = refusal(&pack(&with_import(&component("hostile"), "pi:files/files@0.9.0"), &manifest("hostile"))).await;
    assert!(text.contains("pi:files/files@0.9.0") && text.contains("pi:files/files@0.1.0"), "{text}");
}

#[tokio::test]
async fn another_version_of_the_contract_is_refused_with_both() {
    let text = refusal(&pack(&of_contract(&component("hostile"), "0.2.0"), &manifest("hostile"))).await;
    assert!(text.contains("pi:tool/tool@0.2.0") && text.contains("0.1"), "{text}");
}

#[tokio::test]
async fn a_manifest_of_another_contract_is_refused() {
    let manifest = manifest("hostile").replace("\"contract\": \"0.1\"", "\"contract\": \"0.2\"");
    let text = refusal(&pack(&component("hostile"), &manifest)).await;
    assert!(text.contains("contract 0.2"), "{text}");
}

#[tokio::test]
async fn an_import_that_the_manifest_does_not_declare_is_refused() {
    let text = refusal(&pack(&component("files"), &manifest("hostile"))).await;
    assert!(text.contains("pi:files/files@0.1.0") && text.contains("does not declare `files`"), "{text}");
}

#[tokio::test]
async fn each_import_that_is_not_granted_is_named_with_the_line_that_would_grant_it() {
    for guest in ["files", "process", "services", "tools", "log"] {
        let compiled = super::guest::compiled(guest).await;
        let text = match runtime().link_tool(&compiled, Grants::default()) {
            Ok(_) => panic!("{guest} was linked"),
            Err(error) => error.to_string(),
        };
        assert!(text.contains("which is not granted"), "{text}");
        assert!(text.contains(&format!("[grants.guest_{guest}.{guest}]")), "{text}");
    }
}

#[tokio::test]
async fn an_agent_that_calls_tools_needs_them_granted() {
    let compiled = super::guest::compiled("agent").await;
    let error = runtime().link_agent(&compiled, Grants::default()).err().unwrap();
    assert!(error.to_string().contains("[grants.guest_agent.tools]"), "{error}");
}
