//! Components of others, made by their own kits and run as they are: nothing of them knows this host.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

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
