//! What goes wrong between here and a registry: each has a named cause, and nothing hangs.

use std::time::Duration;

use pi_host::registry::COMPONENT_BYTES_MAX;
use pi_host::registry::credentials::Credentials;
use pi_host::registry::digest::Digest;
use pi_host::registry::fetch::{FetchOptions, Progress, fetch};
use pi_host::registry::source::Source;
use serde_json::{Value, json};

use super::faulty::{Faulty, Reply};
use super::{calm, fetched, fetched_with, options};

const WASM: &[u8] = b"the bytes of a component";

fn url(server: &Faulty) -> String {
    format!("http://{}/tool.wasm", server.host)
}

fn manifest(layer: &[u8]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "layers": [{ "mediaType": "application/wasm", "digest": Digest::of(layer).to_string(), "size": layer.len() }] })
}

/// A registry of one component, whose blob is answered like this.
async fn registry(manifest: Value, blob: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Faulty {
    Faulty::start(move |head, count| match head {
        head if head.contains("/manifests/") => Reply::ok(manifest.to_string()),
        head if head.contains("/blobs/") => blob(count),
        _ => Reply::new(404, ""),
    })
    .await
}

async fn pulled(server: &Faulty) -> Result<Vec<u8>, String> {
    fetched(&format!("oci://{}/tool:1", server.host)).await.map(|fetched| fetched.bytes)
}

#[tokio::test]
async fn a_file_of_the_web_comes_whole_with_its_digest_and_progress() {
    let server = Faulty::start(|_, _| Reply::ok(WASM)).await;
    let source = Source::parse(&url(&server)).unwrap();
    let mut last = None;
    let fetched = fetch(&source, &calm(), &mut |progress| last = Some(progress)).await.unwrap();
    assert_eq!((fetched.bytes.as_slice(), fetched.digest), (WASM, Digest::of(WASM)));
    assert_eq!(last, Some(Progress { bytes: 24, total: Some(24) }));
    assert_eq!((fetched.resolved, fetched.manifest_digest), (source, None));
}

#[tokio::test]
async fn silence_ends_with_its_cause_before_the_headers_and_within_the_body() {
    for reply in [Reply::ok(WASM).promising(9999).then_silence(), Reply::ok("").promising(9999).then_silence()] {
        let server = Faulty::start(move |_, _| reply.clone()).await;
        let said = fetched_with(&url(&server), &options()).await.unwrap_err();
        assert!(said.contains("it sent nothing for 300 ms") && said.contains("hint:"), "{said}");
        assert_eq!(server.asked().len(), 1, "what is silent is not asked again");
    }
}

#[tokio::test]
async fn all_tries_together_have_an_end() {
    let server = Faulty::start(|_, _| Reply::ok(WASM).promising(9999).then_silence()).await;
    let mut options = calm();
    options.patience.total = Duration::from_millis(200);
    let said = fetched_with(&url(&server), &options).await.unwrap_err();
    assert!(said.contains("took longer than"), "{said}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_and_then_named() {
    let server = Faulty::start(|_, count| match count {
        0 => Reply::ok(WASM).promising(9999),
        _ => Reply::ok(WASM),
    })
    .await;
    assert_eq!(fetched(&url(&server)).await.unwrap().bytes, WASM);
    let server = Faulty::start(|_, _| Reply::ok(WASM).promising(9999)).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("the connection failed") && said.contains("(4 times)"), "{said}");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_pause_that_it_names() {
    for status in [429, 500, 502, 503, 504] {
        let server = Faulty::start(move |_, count| match count {
            0 | 1 => Reply::new(status, "").with("retry-after", "0"),
            _ => Reply::ok(WASM),
        })
        .await;
        assert_eq!(fetched(&url(&server)).await.unwrap().bytes, WASM, "{status}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_server_that_stays_busy_or_asks_for_too_much_patience_is_named() {
    let server = Faulty::start(|_, _| Reply::new(500, "")).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("HTTP status 500"), "{said}");
    assert_eq!(server.asked().len(), 4);
    let server = Faulty::start(|_, _| Reply::new(429, "").with("retry-after", "86400")).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("asks to wait for 86400 s"), "{said}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_its_promise_and_by_what_comes() {
    let server = Faulty::start(|_, _| Reply::ok("x").promising(COMPONENT_BYTES_MAX + 1).then_silence()).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("larger than the 256 MiB"), "{said}");
    // A body without end: the limit of a manifest is reached sooner than the one of a component.
    let server = Faulty::start(|_, _| Reply::ok(vec![b' '; 1 << 16]).endless()).await;
    let said = pulled(&server).await.unwrap_err();
    assert!(said.contains("manifest is larger than the 4 MiB"), "{said}");
    let server = Faulty::start(|_, _| Reply::new(404, vec![b' '; 1 << 16]).endless()).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("not there"), "{said}");
}

#[tokio::test]
async fn an_endless_component_is_cut_off_at_the_limit() {
    let server = Faulty::start(|_, _| Reply::ok(vec![b' '; 1 << 20]).endless()).await;
    let source = Source::parse(&url(&server)).unwrap();
    let mut most = 0;
    let said = fetch(&source, &calm(), &mut |progress| most = progress.bytes).await.unwrap_err().to_string();
    assert!(said.contains("larger than the 256 MiB"), "{said}");
    assert!(most <= COMPONENT_BYTES_MAX, "{most}");
}

#[tokio::test]
async fn redirects_are_followed_five_times_and_no_more() {
    let server = Faulty::start(|head, _| match head.split(' ').nth(1).unwrap() {
        "/5" => Reply::ok(WASM),
        path => {
            let next: u32 = path.trim_start_matches("/tool.wasm").trim_start_matches('/').parse().unwrap_or(0) + 1;
            Reply::new(302, "").with("location", &format!("/{next}"))
        }
    })
    .await;
    assert_eq!(fetched(&url(&server)).await.unwrap().bytes, WASM);
    let server = Faulty::start(|_, _| Reply::new(302, "").with("location", "/again")).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("leads on more than 5 times"), "{said}");
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn a_redirect_to_plain_http_elsewhere_is_refused_before_anybody_is_asked() {
    for target in ["http://example.org/x", "//169.254.169.254/latest", "ftp://example.org/x", "file:///etc/passwd"] {
        let server = Faulty::start(move |_, _| Reply::new(302, "").with("location", target)).await;
        let said = fetched(&url(&server)).await.unwrap_err();
        assert!(said.contains("leads on to"), "{target}: {said}");
    }
}

#[tokio::test]
async fn https_is_fetched_from_who_a_trusted_authority_knows_and_never_led_to_http() {
    let plain = Faulty::start(|_, _| Reply::ok("not this")).await;
    let elsewhere = url(&plain);
    let server = Faulty::start_tls(move |head, _| match head {
        head if head.contains("/down") => Reply::new(302, "").with("location", &elsewhere),
        head if head.contains("/moved") => Reply::new(302, "").with("location", "/tool.wasm"),
        _ => Reply::ok(WASM),
    })
    .await;
    let known =
        FetchOptions { roots_pem: Some(String::from_utf8(super::vector("tls-authority.pem")).unwrap()), ..calm() };
    for path in ["tool.wasm", "moved"] {
        let source = format!("https://{}/{path}", server.host);
        assert_eq!(fetched_with(&source, &known).await.unwrap().bytes, WASM);
    }
    let said = fetched_with(&format!("https://{}/down", server.host), &known).await.unwrap_err();
    assert!(said.contains("may be changed on its way"), "{said}");
    assert!(plain.asked().is_empty());
    let said = fetched(&format!("https://{}/tool.wasm", server.host)).await.unwrap_err();
    assert!(said.contains("the connection failed") && said.contains("certificate"), "{said}");
    let broken = FetchOptions { roots_pem: Some("nonsense".into()), ..calm() };
    let said = fetched_with(&format!("https://{}/x", server.host), &broken).await.unwrap_err();
    assert!(said.contains("extra certificates"), "{said}");
}

#[tokio::test]
async fn what_is_compressed_on_its_way_is_refused() {
    let server = Faulty::start(|_, _| Reply::ok("x").with("content-encoding", "gzip")).await;
    let said = fetched(&url(&server)).await.unwrap_err();
    assert!(said.contains("compressed on its way (`gzip`)"), "{said}");
}

#[tokio::test]
async fn an_empty_file_and_one_that_is_not_there_are_named() {
    let server = Faulty::start(|_, _| Reply::ok("")).await;
    assert!(fetched(&url(&server)).await.unwrap_err().contains("it is empty"));
    let server = Faulty::start(|_, _| Reply::new(404, "")).await;
    assert!(fetched(&url(&server)).await.unwrap_err().contains("it is not there"));
    drop(server);
    assert!(fetched("http://127.0.0.1:1/x").await.unwrap_err().contains("the connection failed"));
    assert!(fetched("http://example.org/x").await.unwrap_err().contains("use `https:`"));
}

#[tokio::test]
async fn a_registry_that_lies_about_a_layer_is_found_out() {
    let good = registry(manifest(WASM), |_| Reply::ok(WASM)).await;
    assert_eq!(pulled(&good).await.unwrap(), WASM);
    for (blob, cause) in [
        (b"THE BYTES OF A COMPONENT".to_vec(), "the layer is not what its digest says"),
        (b"short".to_vec(), "it has 5 bytes, and its manifest says: 24"),
        ([WASM, b"more"].concat(), "more than the 24 bytes that its manifest says"),
    ] {
        let server = registry(manifest(WASM), move |_| Reply::ok(blob.clone())).await;
        let said = pulled(&server).await.unwrap_err();
        assert!(said.contains(cause) && said.contains("do not use it"), "{said}");
    }
}

#[tokio::test]
async fn a_registry_that_lies_about_a_manifest_is_found_out() {
    let text = manifest(WASM).to_string();
    let server = registry(manifest(WASM), |_| Reply::ok(WASM)).await;
    let right = Digest::of(text.as_bytes());
    assert!(fetched(&format!("oci://{}/tool@{right}", server.host)).await.is_ok());
    let other = Digest::of(b"other");
    let said = fetched(&format!("oci://{}/tool@{other}", server.host)).await.unwrap_err();
    assert!(said.contains("the manifest is not what its digest says"), "{said}");
    assert!(said.contains(&right.to_string()) && said.contains(&other.to_string()), "{said}");
    let server =
        Faulty::start(move |_, _| Reply::ok(text.clone()).with("docker-content-digest", &other.to_string())).await;
    assert!(pulled(&server).await.unwrap_err().contains("the manifest is not what its digest says"));
}

#[tokio::test]
async fn a_layer_that_claims_to_be_huge_is_not_asked_for() {
    let mut huge = manifest(WASM);
    huge["layers"][0]["size"] = (COMPONENT_BYTES_MAX + 1).into();
    let server = registry(huge, |_| Reply::ok(WASM)).await;
    assert!(pulled(&server).await.unwrap_err().contains("larger than the 256 MiB"));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_artifact_that_is_no_component_is_refused_without_its_layers() {
    let layer = |kind: &str| json!({ "mediaType": kind, "digest": Digest::of(WASM).to_string(), "size": 24 });
    let bomb = json!({ "schemaVersion": 2, "layers": [layer("application/vnd.oci.image.layer.v1.tar+gzip")] });
    let two = json!({ "schemaVersion": 2, "layers": [layer("application/wasm"), layer("application/wasm")] });
    let none = json!({ "schemaVersion": 2, "layers": [] });
    for (manifest, cause) in [(bomb, "compressed or an archive"), (two, "2 layers"), (none, "no layer")] {
        let server = registry(manifest, |_| Reply::ok(WASM)).await;
        let said = pulled(&server).await.unwrap_err();
        assert!(said.contains(cause), "{said}");
        assert_eq!(server.asked().len(), 1);
    }
    let server = Faulty::start(|_, _| Reply::ok("<html>")).await;
    assert!(pulled(&server).await.unwrap_err().contains("manifest cannot be read"));
}

#[tokio::test]
async fn an_index_leads_to_its_wasm_and_not_to_another_index() {
    let inner = manifest(WASM).to_string();
    let digest = Digest::of(inner.as_bytes());
    let index = |digest: &Digest| {
        json!({ "schemaVersion": 2, "manifests": [{ "mediaType": "m", "digest": digest.to_string(), "size": 1,
            "platform": { "os": "wasip2", "architecture": "wasm" } }] })
        .to_string()
    };
    let (top, wanted) = (index(&digest), digest.to_string());
    let outer = top.clone();
    let server = Faulty::start(move |head, _| match head {
        head if head.contains(&wanted) => Reply::ok(inner.clone()),
        head if head.contains("/manifests/") => Reply::ok(outer.clone()),
        _ => Reply::ok(WASM),
    })
    .await;
    let fetched_index = fetched(&format!("oci://{}/tool:1", server.host)).await.unwrap();
    assert_eq!(fetched_index.bytes, WASM);
    assert_eq!(fetched_index.manifest_digest, Some(Digest::of(top.as_bytes())));
    let nested = index(&Digest::of(top.as_bytes()));
    let wanted = Digest::of(top.as_bytes()).to_string();
    let server =
        Faulty::start(move |head, _| Reply::ok(if head.contains(&wanted) { top.clone() } else { nested.clone() }))
            .await;
    assert!(pulled(&server).await.unwrap_err().contains("names another index"));
}

#[tokio::test]
async fn a_registry_is_told_who_asks_by_its_own_token_service_alone() {
    let me = Credentials::Basic { user: "me".into(), password: "hunter2".into() };
    let mine = FetchOptions { credentials: Some(me), ..calm() };
    let text = manifest(WASM).to_string();
    let server = Faulty::start(move |head, _| match head {
        head if head.contains("get /token") => Reply::ok(json!({ "token": "abc" }).to_string()),
        head if !head.contains("authorization: bearer abc") => {
            let host = head.split("host: ").nth(1).unwrap().lines().next().unwrap();
            Reply::new(401, "").with("www-authenticate", &format!("Bearer realm=\"http://{host}/token\",service=\"s\""))
        }
        head if head.contains("/manifests/") => Reply::ok(text.clone()),
        _ => Reply::ok(WASM),
    })
    .await;
    let source = format!("oci://{}/tool:1", server.host);
    assert_eq!(fetched_with(&source, &mine).await.unwrap().bytes, WASM);
    let asked = server.asked();
    let token = asked.iter().find(|head| head.contains("get /token")).unwrap();
    assert!(
        token.contains("scope=repository%3atool%3apull&service=s") && token.contains("authorization: basic"),
        "{token}"
    );
    // An address that may be read on its way, or that is somebody else's, does not get the password.
    let server = Faulty::start(|_, _| {
        Reply::new(401, "").with("www-authenticate", "Bearer realm=\"http://evil.example/token\"")
    })
    .await;
    let said = fetched_with(&format!("oci://{}/tool:1", server.host), &mine).await.unwrap_err();
    assert!(said.contains("may be changed on its way") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_password_is_not_taken_along_to_where_a_registry_leads_on() {
    let store = Faulty::start(|head, _| match head {
        head if head.contains("authorization") => Reply::new(500, ""),
        head if head.contains("/ask") => {
            let host = head.split("host: ").nth(1).unwrap().lines().next().unwrap();
            Reply::new(401, "").with("www-authenticate", &format!("Bearer realm=\"http://{host}/token\""))
        }
        _ => Reply::ok(WASM),
    })
    .await;
    let me = Credentials::Basic { user: "me".into(), password: "hunter2".into() };
    let mine = FetchOptions { credentials: Some(me), ..calm() };
    for (path, is_good) in [("/plain", true), ("/ask", false)] {
        let (text, target) = (manifest(WASM).to_string(), format!("http://{}{path}", store.host));
        let server = Faulty::start(move |head, _| match head {
            head if !head.contains("authorization") => {
                Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\"")
            }
            head if head.contains("/manifests/") => Reply::ok(text.clone()),
            _ => Reply::new(307, "").with("location", &target),
        })
        .await;
        let fetched = fetched_with(&format!("oci://{}/tool:1", server.host), &mine).await;
        assert_eq!(fetched.is_ok(), is_good);
    }
    assert!(store.asked().iter().all(|head| !head.contains("authorization")), "{:?}", store.asked());
}

#[tokio::test]
async fn who_may_not_is_told_how_to_log_in() {
    let refuse = |head: &str, _| {
        let body = json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "no\u{1b}[2K" }] }).to_string();
        assert!(!head.is_empty());
        Reply::new(401, body).with("www-authenticate", "Basic realm=\"x\"")
    };
    let server = Faulty::start(refuse).await;
    let source = format!("oci://{}/tool:1", server.host);
    let said = fetched(&source).await.unwrap_err();
    assert!(
        said.contains("wants to know who asks") && said.contains(&format!("docker login {}", server.host)),
        "{said}"
    );
    assert!(said.contains("UNAUTHORIZED: no\\u{1b}[2K"), "{said}");
    let me = Credentials::Basic { user: "me".into(), password: "hunter2".into() };
    let said = fetched_with(&source, &FetchOptions { credentials: Some(me), ..calm() }).await.unwrap_err();
    assert!(said.contains("refuses the credentials") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn pages_of_tags_end_even_where_a_registry_always_has_another() {
    use pi_host::registry::tags::tags;
    let server = Faulty::start(|_, count| {
        Reply::ok(json!({ "name": "tool", "tags": [format!("1.0.{count}")] }).to_string())
            .with("link", &format!("</v2/tool/tags/list?last={count}>; rel=\"next\""))
    })
    .await;
    let Source::Oci(reference) = Source::parse(&format!("oci://{}/tool:1", server.host)).unwrap() else { panic!() };
    assert_eq!(tags(&reference, &calm()).await.unwrap().len(), 20);
    let server = Faulty::start(|_, _| Reply::ok("[]")).await;
    let Source::Oci(reference) = Source::parse(&format!("oci://{}/tool:1", server.host)).unwrap() else { panic!() };
    assert!(tags(&reference, &calm()).await.unwrap_err().to_string().contains("list of tags cannot be read"));
}
