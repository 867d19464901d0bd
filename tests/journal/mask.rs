//! What may not be kept is kept nowhere: not in a row, not beside the chain, and nobody who follows hears it.

use std::sync::Arc;

use pi_host::capability::secret::scan::Scan;
use pi_host::journal::{self, Body, verify};
use serde_json::json;

use super::{Place, call, said, started};

on_both! {
    a_secret_is_in_no_entry_and_the_chain_holds,
    what_is_compared_with_the_journal_is_hidden_as_it_was,
}

const TOKEN: &str = "s3cr3t-t0ken\\/+x";

fn scan() -> Arc<Scan> {
    Arc::new(Scan::of([("token", TOKEN)].into_iter()))
}

async fn a_secret_is_in_no_entry_and_the_chain_holds(place: Place) {
    let (store, journal) = place.journal().await;
    journal.hide(scan());
    let mut followed = journal.follow();
    let session = journal.session("s").await.unwrap();
    session.append_durable(started("agent")).await.unwrap();
    let large = format!("{} marker {TOKEN} {TOKEN}", "x".repeat(100_000));
    let arguments = json!({ "a": [TOKEN, { TOKEN: 1 }], "b": "c3VwZXI=", "large": large });
    session.append_durable(call("0", arguments)).await.unwrap();
    session.append(said(&format!("it is {TOKEN}")));
    session.flush().await.unwrap();
    let entries = journal::entries(&*store, "s").await.unwrap();
    let Body::CallStarted { arguments, .. } = &entries[1].body else { panic!("{entries:?}") };
    assert_eq!(arguments["a"], json!(["[secret token]", { "[secret token]": 1 }]));
    assert!(arguments["large"].as_str().unwrap().ends_with("marker [secret token] [secret token]"));
    assert_eq!(entries[2].body, said("it is [secret token]"));
    assert!(place.holds("marker").await && !place.holds("s3cr3t-t0ken").await);
    let heard: Vec<_> =
        std::iter::from_fn(|| followed.try_recv().ok()).map(|entry| format!("{:?}", entry.body)).collect();
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|text| !text.contains("s3cr3t")), "{heard:?}");
    assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
}

async fn what_is_compared_with_the_journal_is_hidden_as_it_was(place: Place) {
    let (_store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    let value = json!({ "a": TOKEN, "b": 1 });
    assert_eq!(session.masked(value.clone()), value);
    journal.hide(scan());
    let hidden = session.masked(value);
    assert_eq!(hidden, json!({ "a": "[secret token]", "b": 1 }));
    assert_eq!(session.masked(hidden.clone()), hidden);
}
