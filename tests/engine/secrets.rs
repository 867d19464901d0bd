//! The values of known secrets reach neither a model nor the journal, wherever they come up.

use super::*;

/// Of the model's key, of a secret of pi.toml, and of a secret file.
const KEY: &str = "sk-engine-4a7f19c2d8";
const TOKEN: &str = "tok-engine-93be04aa71";
const PIN: &str = "pin-engine-5512908834";

/// As often as it takes: the values stand in the file that is read, in what a script prints, in what the model says and
/// calls, in what people ask and in a tool's error.
fn script() -> Vec<Reply> {
    vec![
        Reply::call("a", "read", &json!({ "path": "config.txt" })),
        bash("b", "cat config.txt; rev config.txt | rev | tr -d '\\n'; cat config.txt >&2; exit 3"),
        Reply::text(&format!("I saw {TOKEN} and {PIN}."))
            .and_call("c", "write", &json!({ "path": "copy.txt", "content": format!("key={KEY}\n") }).to_string())
            .and_call("d", "read", &json!({ "path": format!("missing-{TOKEN}") }).to_string())
            .and_call("e", &format!("tool_{PIN}"), "{}")
            .and_call("f", "bash", &format!("not json {TOKEN}")),
        bash("g", &format!("echo '{PIN}' | sed 's/pin/PIN/'; grep -c {TOKEN} config.txt")),
        Reply::text(&format!("the token is {TOKEN}, the key {KEY}, the pin {PIN}")),
    ]
}

fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window == value.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_secret_reaches_the_model_the_journal_or_the_screen() {
    for wire in [Wire::Openai, Wire::Anthropic] {
        let server = ModelServer::start(script()).await;
        let model = format!("{}key_env = \"ENGINE_KEY\"\n", wire.model(&server));
        let secrets = "[secrets.token]\nenv = \"ENGINE_TOKEN\"\nhosts = [\"example.com\"]\nas = { header = \"x-token\" }\n\
            [secrets.pin]\nfile = \"../pin\"\nhosts = [\"example.com\"]\nas = { query = \"pin\" }\n";
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("project");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("pi.toml"), format!("{model}{secrets}{GRANTS}")).unwrap();
        std::fs::write(folder.join("config.txt"), format!("token={TOKEN}\npin={PIN}\nkey={KEY}\n")).unwrap();
        let pin = outer.path().join("pin");
        std::fs::write(&pin, format!("{PIN}\n")).unwrap();
        std::fs::set_permissions(&pin, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pi-host"));
        command
            .current_dir(&folder)
            .args(["--json", "run", &format!("use {TOKEN} and {PIN} here")])
            .env("ENGINE_KEY", KEY)
            .env("ENGINE_TOKEN", TOKEN)
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = Said::of(output);
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        let asked = server.requests();
        assert_eq!(asked.len(), 5);
        for value in [KEY, TOKEN, PIN] {
            for request in &asked {
                assert!(!holds(&request.body, value), "{value}: {}", request.json());
            }
            let state = folder.join(".pi");
            let mut files = 0;
            for entry in std::fs::read_dir(&state).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files += 1;
                    assert!(!holds(&std::fs::read(&path).unwrap(), value), "{value} is in {}", path.display());
                }
            }
            assert!(files > 0);
            assert!(!said.out.contains(value) && !said.err.contains(value), "{value}: {}{}", said.out, said.err);
        }
        // The key was used, and each is told by its name.
        let own = if wire == Wire::Anthropic { "x-api-key" } else { "authorization" };
        assert!(asked[0].header(own).is_some_and(|header| header.contains(KEY)));
        let last = asked[4].json().to_string();
        assert!(last.contains("[secret token]") && last.contains("[secret pin]"), "{last}");
    }
}

/// While it runs as well: what is on the disk then is the journal's log that is not yet in the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_has_left_no_value_in_its_log() {
    let server = ModelServer::start_with(|request| match results(request).len() {
        0 => Reply::call("a", "read", &json!({ "path": "config.txt" })),
        _ => Reply::text("").delivered(crate::model::server::Delivery::Silent),
    })
    .await;
    let model = format!("{}key_env = \"ENGINE_KEY\"\n", Wire::Openai.model(&server));
    let project = Project::with(&format!("{model}{GRANTS}"));
    project.write("config.txt", &format!("key={KEY}\n"));
    let mut command = project.command(&["run", &format!("look for {KEY}")]);
    let mut child = command.env("ENGINE_KEY", KEY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests().len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for name in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(project.path().join(".pi").join(name)).unwrap();
        assert!(!holds(&bytes, KEY), "{name}");
    }
}
