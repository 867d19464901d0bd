//! Components of others, made by their own kits and run as they are: nothing of them knows this host.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::workshop::Workshop;
use crate::project::Project;

/// The component of JavaScript that asks for the weather by `fetch`, in a project.
pub(super) struct Weather(Project);

impl Weather {
    pub(super) fn of(workshop: &Workshop) -> Self {
        let project = Project::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/foreign/build.sh");
        let out = project.path().join("get-weather.wasm");
        let arguments = [script, out].map(|path| path.display().to_string());
        workshop.good(project.path(), "sh", &[&arguments[0], &arguments[1]]);
        Self(project)
    }

    /// Its answer for a city, under these grants.
    fn asked(&self, grants: &str) -> String {
        self.0.write("pi.toml", &format!("[plugins.weather]\npath = \"get-weather.wasm\"\n{grants}"));
        let said = self.0.run(&["tool", "call", "get_weather", r#"{"city":"Oslo"}"#]);
        format!("{}{}", said.out, said.err)
    }

    pub(super) fn is_refused_in_plain_words_and_asks_where_it_may(&self) {
        insta::assert_snapshot!(self.asked(""), @r"
        error: plugin `weather` imports `wasi:config/store@0.2.0-rc.1`, which is not granted
        hint: add [grants.weather.config] to pi.toml, or leave the plugin out
        ");
        insta::assert_snapshot!(self.asked("[grants.weather.config]\n"), @r"
        error: plugin `weather` imports `wasi:http/outgoing-handler@0.2.10`, which is not granted
        hint: add [grants.weather.http] to pi.toml, or leave the plugin out
        ");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let granted = format!(
            "[grants.weather.config]\n[grants.weather.http]\n\
             hosts = [{{ host = \"127.0.0.1\", port = {port}, scheme = \"http\" }}]\nprivate = [\"127.0.0.1:{port}\"]\n"
        );
        insta::assert_snapshot!(self.asked(&granted), @"failed: WEATHER_KEY is not set");
        // Its own library tells that something failed; why, the host adds.
        let config = "[plugins.weather.config]\nWEATHER_KEY = \"k\"\n";
        insta::assert_snapshot!(self.asked(&format!("{granted}{config}")), @r#"
        failed: fetch_https: An error occurred while using the host API.
        its request failed: `GET https://weather.example/weather?city=Oslo&key=k` is not granted: the host is not
        hint: add { host = "weather.example", methods = ["GET"] } in `hosts` of [grants.weather.http] in pi.toml
        "#);
        let answered = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"celsius\":7}")
                .unwrap();
            String::from_utf8_lossy(&request[..length]).lines().next().unwrap().to_owned()
        });
        let here = format!("{granted}{config}WEATHER_URL = \"http://127.0.0.1:{port}\"\n");
        insta::assert_snapshot!(self.asked(&here), @"7 degrees");
        assert_eq!(answered.join().unwrap(), "GET /weather?city=Oslo&key=k HTTP/1.1");
    }
}

/// A tool for ACT, built by ACT's own kit.
fn of_act() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("act");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/act"))
        .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target);
    for name in
        ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "the guest does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-wasip2/release/act.wasm")
}

#[test]
fn a_component_of_act_is_told_what_it_would_need_and_leaves_nothing() {
    let project = Project::new();
    let component = of_act().display().to_string();
    let said = project.run(&["plugin", "install", &component, "--yes"]);
    assert_eq!(said.code, Some(1));
    let (_, told) = said.err.split_once("the component is of ACT").unwrap_or_else(|| panic!("{}", said.err));
    insta::assert_snapshot!(told.trim_start(), @r"
    (it exports `act:tools/tool-provider@0.2.0`), whose functions are `async func`: they give their results by `task.return` and `stream`, of the asynchronous component model, which this host's engine is built without
    hint: take a component that exports plain functions (docs/components.md), or name `act run --mcp --deny wasi:filesystem` of it as an MCP server (docs/mcp.md)
    ");
    let left: Vec<_> = std::fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty() || left == [".pi"], "{left:?}");
    for part in ["pi.toml", "plugins.lock", ".pi/plugins"] {
        assert!(!project.path().join(part).exists(), "{part}");
    }
}
