//! Standard preopens: what may be one.

use std::os::unix::fs::symlink;

use pi_host::capability::preopens::Preopens;
use wasmtime_wasi::WasiCtx;

use super::bench::{Bench, grant};

#[tokio::test]
async fn opens_the_granted_folders() {
    let bench = Bench::new().await;
    bench.file("data/f", "");
    bench.file("out/f", "");
    let preopens = Preopens::new(&grant(&["data"], &["out"]), &bench.project()).unwrap();
    let real = bench.project().canonicalize().unwrap().to_str().unwrap().to_owned();
    let folders: Vec<_> = preopens.folders().map(|(path, is_writable)| (path.to_owned(), is_writable)).collect();
    assert_eq!(folders.len(), 2);
    assert!(folders.contains(&(format!("{real}/data"), false)) && folders.contains(&(format!("{real}/out"), true)));
    preopens.open(&mut WasiCtx::builder()).unwrap();
}

#[tokio::test]
async fn refuses_what_cannot_be_scoped() {
    let bench = Bench::new().await;
    bench.file(".pi/store.db", "");
    bench.file("data/f", "");
    symlink(".", bench.path("around")).unwrap();
    for (path, reason) in [
        ("data/f", "a preopen is a folder"),
        (".", "the host's own state"),
        ("around", "the host's own state"),
        ("..", "the host's own state"),
        (".pi", "never granted"),
        ("/", "state"),
        ("/proc", "processes"),
        ("gone", "does not exist"),
    ] {
        let error = Preopens::new(&grant(&[], &[path]), &bench.project()).unwrap_err().of("x").to_string();
        assert!(error.contains(reason), "{path}: {error}");
        assert!(error.ends_with("hint: change `write` in `[grants.x.preopens]` of pi.toml"), "{error}");
    }
}
