//! Plugins as a person handles them on the command line: installed, agreed to, updated, removed, and all
//! that can be wrong with them.

use std::path::Path;

use serde_json::{Value, json};

use crate::project::{Project, RunningHost, Said};
use crate::registry::server::Registry;
use crate::runtime::guest::{component, manifest};

/// The guest that reads files, as a plugin `reader` of a version, changed by `change`.
fn packed_with(version: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_str(&manifest("files")).unwrap();
    value["name"] = "reader".into();
    value["version"] = version.into();
    value["needs"] = json!([{ "capability": "files", "why": "reads notes", "grant": { "read": ["notes"] } }]);
    change(&mut value);
    pi_host::plugin::pack(&component("files"), &value.to_string())
}

fn packed(version: &str) -> Vec<u8> {
    packed_with(version, |_| ())
}

/// A project with a folder of notes and the plugin's file.
fn project() -> Project {
    let project = Project::new();
    std::fs::create_dir(project.path().join("notes")).unwrap();
    std::fs::write(project.path().join("reader.wasm"), packed("1.0.0")).unwrap();
    project
}

fn good(said: &Said) -> &Said {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    said
}

fn bad(said: &Said) -> String {
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    said.err.clone()
}

/// Nothing of an installation is there.
fn is_untouched(project: &Project) -> bool {
    let components = std::fs::read_dir(project.path().join(".pi/plugins")).map_or(0, |folder| {
        folder.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".wasm")).count()
    });
    !project.path().join("pi.toml").exists() && !project.path().join("plugins.lock").exists() && components == 0
}

fn stored(project: &Project) -> std::path::PathBuf {
    let folder = std::fs::read_dir(project.path().join(".pi/plugins")).unwrap();
    let components = folder.map(|entry| entry.unwrap().path());
    components.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "wasm")).unwrap()
}

#[test]
fn what_is_agreed_to_is_installed_pinned_and_granted() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--dry-run"]));
    assert!(is_untouched(&project));
    let said = project.run(&["plugin", "install", "reader.wasm"]);
    assert!(bad(&said).contains("nobody is there to agree"), "{}", said.err);
    assert!(is_untouched(&project));
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).unwrap();
    assert!(lock.contains("name = \"reader\"") && lock.contains("digest = \"sha256:"), "{lock}");
    let config = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    assert!(config.contains("[grants.reader.files]\nread = [\"notes\"]"), "{config}");
    project.write("notes/a.txt", "hello");
    let said = project.run(&["tool", "call", "open", r#"{"path":"notes/a.txt"}"#]);
    assert!(good(&said).out.contains("hello"), "{}", said.out);
    good(&project.run(&["plugin", "verify"]));
    let said = project.run(&["plugin", "remove", "reader"]);
    assert!(good(&said).out.contains("-[plugins.reader]"), "{}", said.out);
    assert!(project.run(&["tool", "call", "open", "{}"]).err.contains("there is no tool"));
}

#[test]
fn what_is_shown_before_is_what_it_imports_asks_for_and_would_get() {
    let said = project().run(&["plugin", "install", "reader.wasm", "--dry-run"]);
    let text: Vec<&str> = good(&said).out.lines().filter(|line| !line.trim_start().starts_with("sha256:")).collect();
    for line in [
        "  files: reads notes",
        "      imports pi:files/files@0.1.0",
        "      would be granted: read = [\"notes\"]",
        "  remove_all (destructive): Removes a folder",
        "+source = \"reader.wasm\"",
        "nothing was changed (--dry-run)",
    ] {
        assert!(text.contains(&line), "{line}\n{}", said.out);
    }
}

#[test]
fn a_component_that_was_changed_on_disk_is_not_run() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let path = stored(&project);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = project.run(&["tool", "call", "open", r#"{"path":"notes/a.txt"}"#]);
    assert!(bad(&said).contains("not what its name says"), "{}", said.err);
    let said = project.run(&["plugin", "verify"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("WRONG"), "{}", said.out);
    // What the lock names is fetched again.
    good(&project.run(&["plugin", "install"]));
    good(&project.run(&["plugin", "verify"]));
}

#[test]
fn a_component_nobody_wrote_for_this_host_installs_by_its_file_name() {
    let project = Project::new();
    std::fs::write(project.path().join("sums.wasm"), component("plain")).unwrap();
    let said = project.run(&["plugin", "install", "sums.wasm", "--dry-run"]);
    assert!(good(&said).out.contains("test_plain_ends_0_1_0_add"), "{}", said.out);
    assert!(is_untouched(&project));
    good(&project.run(&["plugin", "install", "sums.wasm", "--yes"]));
    good(&project.run(&["plugin", "verify"]));
    let said = project.run(&["tool", "call", "greet", r#"{"name":"Ada"}"#]);
    assert_eq!(good(&said).out.trim(), "Hello, Ada!");
    // Another component in its place is shown as what it is: a change of the tools.
    std::fs::write(project.path().join("sums.wasm"), packed("1.0.0")).unwrap();
    let said = project.run(&["plugin", "update", "sums", "--dry-run"]);
    assert!(good(&said).out.contains("+ imports `files`"), "{}", said.out);
    std::fs::write(project.path().join("other.wasm"), component("plain")).unwrap();
    let said = project.run(&["plugin", "install", "other.wasm", "--yes"]);
    assert!(bad(&said).contains("greet"), "{}", said.err);
}

#[test]
fn an_update_shows_what_changes_and_a_changed_file_is_no_update() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let newer = packed_with("1.1.0", |value| {
        value["tools"][0]["effect"] = "destructive".into();
        value["needs"].as_array_mut().unwrap().push(json!({ "capability": "log", "why": "says what it reads" }));
    });
    std::fs::write(project.path().join("reader.wasm"), newer).unwrap();
    let said = project.run(&["plugin", "install", "reader.wasm", "--yes"]);
    assert!(bad(&said).contains("plugin update reader"), "{}", said.err);
    let said = project.run(&["plugin", "update", "reader", "--dry-run"]);
    for line in ["  + asks for `log`: says what it reads", "  ~ tool `open`: destructive, was read"] {
        assert!(good(&said).out.lines().any(|shown| shown == line), "{}", said.out);
    }
    assert!(project.run(&["--json", "plugin", "list"]).out.contains("1.0.0"));
    good(&project.run(&["plugin", "update", "reader", "--yes"]));
    assert!(project.run(&["plugin", "update"]).out.contains("up to date"));
    good(&project.run(&["plugin", "verify"]));
}

#[test]
fn what_a_manifest_asks_for_beyond_its_own_is_not_granted_in_passing() {
    let project = project();
    let greedy = packed_with("1.0.0", |value| {
        value["needs"] = json!([
            { "capability": "files", "why": "w", "grant": { "write": ["/"] } },
            { "capability": "process", "why": "w", "grant": { "programs": ["bash"] } },
            { "capability": "tools", "why": "w", "names": ["*"] },
        ]);
    });
    std::fs::write(project.path().join("reader.wasm"), greedy).unwrap();
    let said = project.run(&["plugin", "install", "reader.wasm", "--yes"]);
    assert!(good(&said).err.matches("WIDE").count() == 3, "{}", said.err);
    let config = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    assert!(!config.contains("[grants.reader"), "{config}");
    let said = project.run(&["tool", "call", "open", r#"{"path":"notes/a.txt"}"#]);
    assert!(bad(&said).contains("not granted"), "{}", said.err);
}

#[test]
fn what_cannot_be_a_plugin_is_named_and_leaves_nothing() {
    let undeclared = packed_with("1.0.0", |value| value["needs"] = json!([]));
    let other_contract = packed_with("1.0.0", |value| value["contract"] = "0.2".into());
    let mut truncated = packed("1.0.0");
    truncated.truncate(truncated.len() / 2);
    let taken = packed_with("1.0.0", |value| value["tools"][0]["name"] = "read".into());
    let built_in = packed_with("1.0.0", |value| value["name"] = "files".into());
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("undeclared", undeclared, "does not declare `files`"),
        ("contract", other_contract, "contract 0.2"),
        ("truncated", truncated, "not a WebAssembly component"),
        ("text", b"hello".to_vec(), "not a WebAssembly component"),
        ("empty", Vec::new(), "empty"),
        ("taken", taken, "a tool of one name, `read`"),
        ("builtin", built_in, "built-in plugin"),
    ];
    for (name, bytes, said_of_it) in cases {
        let project = project();
        let file = format!("{name}.wasm");
        std::fs::write(project.path().join(&file), bytes).unwrap();
        let said = project.run(&["plugin", "install", &file, "--yes"]);
        assert!(bad(&said).contains(said_of_it), "{name}: {}", said.err);
        assert!(is_untouched(&project), "{name}");
    }
    let project = project();
    for (source, said_of_it) in [
        ("none.wasm", "none.wasm"),
        ("oci://localhost:1/reader", "neither a tag nor a digest"),
        ("ftp://localhost/reader.wasm", "cannot start with `ftp://`"),
        ("oci://127.0.0.1:1/reader:1.0.0", "connection failed"),
    ] {
        let said = project.run(&["plugin", "install", source, "--yes"]);
        assert!(bad(&said).contains(said_of_it), "{source}: {}", said.err);
        assert!(is_untouched(&project), "{source}");
    }
}

#[test]
fn grants_are_changed_by_words_and_those_that_would_do_nothing_are_refused() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes", "--grant", "files.write=notes"]));
    let config = || std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    let before = config();
    assert!(before.contains("write = [\"notes\"]"), "{before}");
    for (word, said_of_it) in [
        ("files.raed=x", "raed"),
        ("filez", "filez"),
        ("process.programs=ps", "does not ask for it"),
        ("files", "nothing"),
    ] {
        let said = project.run(&["plugin", "grant", "reader", word]);
        if word == "files" {
            assert!(good(&said).out.contains(said_of_it), "{}", said.out);
        } else {
            assert!(bad(&said).contains(said_of_it), "{}", said.err);
        }
        assert_eq!(config(), before);
    }
    good(&project.run(&["plugin", "revoke", "reader", "files.write=notes"]));
    assert!(!config().contains("\"notes\"]\nwrite = [\"notes\"]"), "{}", config());
    assert!(bad(&project.run(&["plugin", "revoke", "reader", "files.write=notes"])).contains("nothing to take back"));
    // Granted by hand, and asked for by nobody: an error when it is to be used.
    project.write("pi.toml", &format!("{}\n[grants.reader.log]\n", config()));
    let said = project.run(&["tool", "call", "open", r#"{"path":"notes/a.txt"}"#]);
    assert!(bad(&said).contains("plugin revoke reader log"), "{}", said.err);
}

fn keys(project: &Project, name: &str) {
    good(&project.run(&["plugin", "keygen", name]));
}

#[test]
fn what_is_pushed_signed_is_installed_by_who_trusts_the_key_and_by_nobody_else() {
    let registry = Registry::start();
    let (author, user) = (project(), Project::new());
    keys(&author, "acme");
    keys(&author, "other");
    let target = |tag: &str| format!("oci://{}/acme/reader:{tag}", registry.host);
    good(&author.run(&["plugin", "push", "reader.wasm", &target("1.0.0"), "--key", "acme.key"]));
    let trusting = |key: &str| {
        std::fs::copy(author.path().join(format!("{key}.pub")), user.path().join("trusted.pub")).unwrap();
        user.write("pi.toml", "[signatures]\nkeys = [\"trusted.pub\"]\n");
    };
    std::fs::create_dir(user.path().join("notes")).unwrap();
    trusting("other");
    let said = user.run(&["plugin", "install", &target("1.0.0"), "--yes"]);
    assert!(bad(&said).contains("another key"), "{}", said.err);
    assert!(!user.path().join("plugins.lock").exists());
    user.write("pi.toml", "[signatures]\npolicy = \"warn\"\nkeys = [\"trusted.pub\"]\n");
    let said = user.run(&["plugin", "install", &target("1.0.0"), "--dry-run"]);
    assert!(good(&said).out.contains("WARNING"), "{}", said.out);
    trusting("acme");
    good(&user.run(&["plugin", "install", &target("1.0.0"), "--yes"]));
    let said = user.run(&["plugin", "verify"]);
    assert!(good(&said).out.contains("cosign by sha256:"), "{}", said.out);

    // A newer one, unsigned at first.
    std::fs::write(author.path().join("reader.wasm"), packed("1.2.0")).unwrap();
    good(&author.run(&["plugin", "push", "reader.wasm", &target("1.2.0")]));
    let said = user.run(&["plugin", "update", "reader", "--latest", "--yes"]);
    assert!(bad(&said).contains("is not signed"), "{}", said.err);
    good(&author.run(&["plugin", "push", "reader.wasm", &target("1.2.0"), "--key", "acme.key"]));
    good(&user.run(&["plugin", "update", "reader", "--latest", "--yes"]));
    assert!(std::fs::read_to_string(user.path().join("plugins.lock")).unwrap().contains("1.2.0"));

    // A clone of the project has the lock and no components.
    std::fs::remove_dir_all(user.path().join(".pi")).unwrap();
    let said = user.run(&["tool", "call", "open", r#"{"path":"notes/a.txt"}"#]);
    assert!(bad(&said).contains("pi-host plugin install"), "{}", said.err);
    good(&user.run(&["plugin", "install"]));
    good(&user.run(&["plugin", "verify"]));

    // Who trusts the key no more does not run what it signed.
    trusting("other");
    let config = user.path().join("pi.toml");
    let source = target("1.2.0");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[plugins.reader]\nsource = \"{source}\"\n")).unwrap();
    let said = user.run(&["tool", "call", "open", "{}"]);
    assert!(bad(&said).contains("not signed by a key that is trusted now"), "{}", said.err);
}

#[test]
fn a_lock_that_does_not_match_is_named() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let config = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &config.replace("source = \"reader.wasm\"", "source = \"other.wasm\""));
    assert!(bad(&project.run(&["plugin", "list"])).contains("pi.toml says other.wasm"));
    project.write("pi.toml", &config);
    let lock = std::fs::read_to_string(project.path().join("plugins.lock")).unwrap();
    project.write("plugins.lock", &lock.replace("version = 1\n", "version = 2\n"));
    assert!(bad(&project.run(&["plugin", "list"])).contains("version 2"));
    project.write("plugins.lock", "");
    assert_eq!(project.run(&["plugin", "list"]).code, Some(1));
    std::fs::remove_file(project.path().join("plugins.lock")).unwrap();
    assert!(bad(&project.run(&["plugin", "list"])).contains("plugins.lock does not name it"));
}

#[test]
fn a_component_is_packed_with_the_tools_that_it_names_itself() {
    let project = Project::new();
    std::fs::write(project.path().join("built.wasm"), component("files")).unwrap();
    let mut value: Value = serde_json::from_str(&manifest("files")).unwrap();
    let tools = value.as_object_mut().unwrap().remove("tools").unwrap();
    project.write("plugin.json", &value.to_string());
    let said = project.run(&["--json", "plugin", "pack", "built.wasm", "-o", "packed.wasm"]);
    let names: Vec<&str> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(good(&said).json()["tools"], json!(names));
    let said = project.run(&["plugin", "pack", "packed.wasm", "-o", "again.wasm"]);
    assert!(bad(&said).contains("has a manifest already"), "{}", said.err);
    let said = project.run(&["plugin", "pack", "built.wasm", "--manifest", "none.json", "-o", "x.wasm"]);
    assert!(bad(&said).contains("none.json cannot be read"), "{}", said.err);
    assert!(!Path::new(&project.path().join("x.wasm")).exists());
}

#[test]
fn what_a_call_costs_is_measured_and_a_call_that_fails_is_not() {
    let project = project();
    project.write("notes/a.txt", "hello");
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let arguments = r#"{"path":"notes/a.txt"}"#;
    let measure = |tool: &str, arguments: &str| {
        project.run(&[
            "--json",
            "plugin",
            "bench",
            "reader",
            "--tool",
            tool,
            "--arguments",
            arguments,
            "--seconds",
            "1",
        ])
    };
    let said = measure("open", arguments);
    let report = good(&said).json();
    assert!(report["calls"].as_u64().unwrap() > 10 && report["p50_us"].as_f64().unwrap() > 1.0, "{report}");
    assert!(measure("open", r#"{"path":"none"}"#).out.contains("nothing to measure"));
    assert!(measure("none", "{}").out.contains("has no tool `none`"));
    // They acted with the project's grants, so the project's journal has them.
    let sessions = sessions(&project, "bench");
    let statuses: Vec<&Value> = sessions.iter().map(|session| &session["status"]).collect();
    assert_eq!(statuses, ["done", "failed"], "{sessions:?}");
    let entries = entries_of(&project, &sessions[0]);
    let calls = entries.iter().filter(|entry| entry["body"]["entry"] == "call_started").count();
    assert!(calls as u64 > report["calls"].as_u64().unwrap(), "{calls}");
    assert!(entries.iter().any(|entry| entry["body"]["entry"] == "effect_started"), "{entries:?}");
    good(&project.run(&["session", "verify"]));
}

#[test]
fn what_is_measured_or_tried_is_not_beside_a_host() {
    let project = project();
    project.write("notes/a.txt", "hello");
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let config = std::fs::read_to_string(project.path().join("pi.toml")).unwrap();
    project.write("pi.toml", &format!("{config}\n[services.idle]\ncommand = [\"/bin/sleep\", \"600\"]\n"));
    let _host = RunningHost::start(&project);
    for arguments in [
        ["plugin", "bench", "reader", "--tool", "open"].as_slice(),
        &["plugin", "dev", "reader.wasm", "--once", "--call", "open"],
    ] {
        let said = project.run(arguments);
        let error = bad(&said);
        assert!(error.contains("`pi-host run` works here and has the store (process "), "{error}");
        assert!(error.contains("hint: end it"), "{error}");
    }
}

/// The sessions of one kind, the oldest first.
fn sessions(project: &Project, kind: &str) -> Vec<Value> {
    let listed = good(&project.run(&["--json", "session", "list"])).json();
    let mut all = listed.as_array().unwrap().clone();
    all.retain(|session| session["id"].as_str().unwrap().starts_with(kind));
    all.sort_by_key(|session| session["number"].as_u64());
    all
}

fn entries_of(project: &Project, session: &Value) -> Vec<Value> {
    let shown = good(&project.run(&["--json", "session", "show", session["id"].as_str().unwrap()])).json();
    shown["entries"].as_array().unwrap().clone()
}

#[test]
fn a_component_that_is_being_written_is_tried_as_it_is_now() {
    let project = project();
    project.write("pi.toml", "[grants.reader.files]\nread = [\"notes\"]\n\n[plugins.reader]\npath = \"reader.wasm\"\n");
    project.write("notes/a.txt", "hello");
    let said = project.run(&[
        "plugin",
        "dev",
        "reader.wasm",
        "--once",
        "--call",
        "open",
        "--arguments",
        r#"{"path":"notes/a.txt"}"#,
    ]);
    assert!(good(&said).out.contains("hello"), "{}{}", said.out, said.err);
    // It acted with the project's grants, so the project's journal has it.
    let sessions = sessions(&project, "dev");
    assert_eq!((sessions.len(), &sessions[0]["status"]), (1, &Value::from("done")), "{sessions:?}");
    let entries = entries_of(&project, &sessions[0]);
    assert!(entries.iter().any(|entry| entry["body"]["entry"] == "effect_started"), "{entries:?}");
    let said = project.run(&["plugin", "dev", "none.wasm", "--once"]);
    assert!(bad(&said).contains("build it first"), "{}", said.err);
}

#[test]
fn an_older_version_another_of_the_same_and_another_name_are_said_loudly_and_agreed_to() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let update = |bytes: Vec<u8>, arguments: &[&str]| {
        std::fs::write(project.path().join("reader.wasm"), bytes).unwrap();
        project.run(&[["plugin", "update", "reader"].as_slice(), arguments].concat())
    };
    let same = packed_with("1.0.0", |value| value["description"] = "changed".into());
    let said = update(same.clone(), &[]);
    assert!(bad(&said).contains("WARNING: ANOTHER COMPONENT OF THE SAME VERSION: 1.0.0 was sha256:"), "{}", said.err);
    assert!(said.err.contains("say --yes"), "{}", said.err);
    let said = update(packed("0.9.0"), &["--dry-run"]);
    assert!(good(&said).out.contains("WARNING: AN OLDER VERSION: 0.9.0 in the place of 1.0.0"), "{}", said.out);
    let said = update(packed("0.9.0"), &["--yes"]);
    assert!(good(&said).err.contains("WARNING: AN OLDER VERSION"), "{}", said.err);
    let said = update(packed("0.9.1"), &["--yes"]);
    assert!(!good(&said).err.contains("WARNING: AN"), "{}", said.err);
    let other = packed_with("0.9.2", |value| value["name"] = "writer".into());
    let said = update(other.clone(), &["--dry-run"]);
    let wanted = "WARNING: ANOTHER NAME: `reader` was asked for, and its manifest says that it is `writer`";
    assert!(good(&said).out.contains(wanted), "{}", said.out);
    let fresh = self::project();
    std::fs::write(fresh.path().join("reader.wasm"), other).unwrap();
    let said = fresh.run(&["--json", "plugin", "install", "reader.wasm", "--name", "reader", "--dry-run"]);
    assert!(good(&said).json()["warnings"][0].as_str().unwrap().contains("ANOTHER NAME"), "{}", said.out);
}

#[test]
fn a_signature_is_kept_and_checked_again() {
    use base64::Engine as _;
    let project = project();
    keys(&project, "acme");
    keys(&project, "other");
    good(&project.run(&["plugin", "sign", "reader.wasm", "--key", "acme.key"]));
    project.write("pi.toml", "[signatures]\nkeys = [\"acme.pub\"]\n");
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let verify = || project.run(&["plugin", "verify"]);
    assert!(good(&verify()).out.contains("checked now"), "{}", verify().out);

    // The lock still says who signed it; what is kept no longer proves it.
    let kept = stored(&project).with_extension("signature");
    let before = std::fs::read(&kept).unwrap();
    std::fs::remove_file(project.path().join("reader.wasm.sig")).unwrap();
    good(&project.run(&["plugin", "sign", "reader.wasm", "--key", "other.key"]));
    let signature = std::fs::read(project.path().join("reader.wasm.sig")).unwrap();
    let signature = base64::engine::general_purpose::STANDARD.encode(signature);
    std::fs::write(&kept, json!({ "scheme": "detached", "signature": signature }).to_string()).unwrap();
    let said = verify();
    assert!(said.code == Some(1) && said.out.contains("does not prove what plugins.lock says"), "{}", said.out);
    assert!(said.out.contains("another key"), "{}", said.out);
    std::fs::write(&kept, "{}").unwrap();
    assert!(verify().out.contains("cannot be read"), "{}", verify().out);
    std::fs::remove_file(&kept).unwrap();
    assert!(verify().out.contains("it is not in the store"), "{}", verify().out);
    std::fs::write(&kept, before).unwrap();
    good(&verify());
}

/// Values that the plugin `reader` has kept.
fn keep_values(project: &Project, count: usize) {
    use pi_host::store::{Holder, PluginChange, PluginQuota, Store, sqlite::SqliteStore};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&project.path().join(".pi/store.db")).await.unwrap();
        let lease = store.acquire(&Holder::this_process("test")).await.unwrap();
        let change = PluginChange::Set((0..count).map(|index| (format!("key-{index}"), vec![1])).collect());
        let quota = PluginQuota { bytes_max: 1 << 20, keys_max: 10_000 };
        store.change_plugin_values(&lease, "reader", &change, &quota).await.unwrap();
        store.release(&lease).await.unwrap();
    });
}

#[test]
fn what_a_plugin_has_kept_is_told_of_and_removed_where_that_is_said() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    keep_values(&project, 1_234);
    let said = project.run(&["plugin", "remove", "reader"]);
    assert!(good(&said).err.contains("it has kept 1234 values") && said.err.contains("--purge"), "{}", said.err);
    let said = project.run(&["--json", "plugin", "remove", "reader", "--purge"]);
    assert_eq!((&good(&said).json()["purged"], &said.json()["values"]), (&json!(1_234), &json!(1_234)));
    let said = project.run(&["plugin", "remove", "reader", "--purge"]);
    assert!(bad(&said).contains("is not installed"), "{}", said.err);
}

#[test]
fn what_a_killed_install_has_left_is_swept_by_the_next_command_that_writes() {
    let project = project();
    good(&project.run(&["plugin", "install", "reader.wasm", "--yes"]));
    let folder = project.path().join(".pi/plugins");
    let nobodys = folder.join(format!("sha256-{}.wasm", "ab".repeat(32)));
    let begun =
        [".pi/plugins", "."].map(|place| project.path().join(place).join(format!(".unfinished-{}", "0a".repeat(12))));
    let leave = || {
        std::fs::write(&nobodys, "x").unwrap();
        for path in &begun {
            std::fs::write(path, "x").unwrap();
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        }
    };
    let is_left = || nobodys.exists() || begun.iter().any(|path| path.exists());
    leave();
    project.run(&["plugin", "list"]);
    assert!(is_left(), "who only looks removes nothing");
    good(&project.run(&["plugin", "grant", "reader", "files.read=notes"]));
    assert!(!is_left());
    leave();
    project.run(&["plugin", "remove", "none"]);
    assert!(!is_left());
    good(&project.run(&["plugin", "verify"]));
}
