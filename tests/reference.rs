//! docs/reference.md: every interface that a plugin can import or export, and every key of every grant,
//! taken from wit/ and from the configuration's own source. `PI_WRITE_REFERENCE=1 cargo test reference`
//! writes it anew.

use std::fmt::Write as _;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The interfaces, in the order in which an author meets them.
const FILES: &[&str] = &[
    "tool.wit",
    "agent.wit",
    "tools.wit",
    "gate.wit",
    "files.wit",
    "process.wit",
    "services.wit",
    "cloud.wit",
    "sql.wit",
    "logging.wit",
    "deps/keyvalue.wit",
    "deps/config.wit",
];

/// One item of an interface: its comment, and its text.
struct Item {
    comment: String,
    text: String,
}

/// Name, comment, items.
type Interface = (String, String, Vec<Item>);

/// The package's name, its comment, and its interfaces.
fn interfaces(text: &str) -> (String, String, Vec<Interface>) {
    let (mut package, mut package_comment) = (String::new(), String::new());
    let mut all: Vec<Interface> = Vec::new();
    let (mut comment, mut item, mut depth) = (String::new(), String::new(), 0_i32);
    let mut base = 0;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(words) = trimmed.strip_prefix("///") {
            if item.is_empty() {
                let words = words.trim();
                comment.push_str(if comment.is_empty() || words.is_empty() { "" } else { " " });
                comment.push_str(words);
                continue;
            }
        } else if let Some(rest) = trimmed.strip_prefix("package ") {
            package = rest.trim_end_matches([';', '{', ' ']).to_owned();
            package_comment = std::mem::take(&mut comment);
            base = i32::from(rest.ends_with('{'));
            depth = base;
            continue;
        } else if let Some(rest) = trimmed.strip_prefix("interface ").filter(|_| depth == base) {
            all.push((rest.trim_end_matches([' ', '{']).to_owned(), std::mem::take(&mut comment), Vec::new()));
            depth += 1;
            continue;
        }
        if trimmed.is_empty() || (depth <= base && trimmed == "}") {
            depth -= i32::from(trimmed == "}");
            continue;
        }
        let before = depth;
        depth += i32::try_from(trimmed.matches(['{', '(']).count()).unwrap();
        depth -= i32::try_from(trimmed.matches(['}', ')']).count()).unwrap();
        if depth == base {
            item.clear();
            continue;
        }
        if before == base + 1 && item.is_empty() && trimmed.starts_with("use ") {
            comment.clear();
            continue;
        }
        let shift = if before == base + 1 { 0 } else { 2 };
        let _ = writeln!(item, "{}{trimmed}", " ".repeat(if trimmed.starts_with('}') { 0 } else { shift }));
        let is_whole = depth == base + 1 && (trimmed.ends_with(';') || trimmed.ends_with('}'));
        if is_whole && let Some((_, _, items)) = all.last_mut() {
            items.push(Item { comment: std::mem::take(&mut comment), text: item.trim_end().to_owned() });
            item.clear();
        }
    }
    (package, package_comment, all)
}

fn is_function(item: &Item) -> bool {
    item.text.contains(": func(") && !item.text.starts_with("resource")
}

fn interfaces_text() -> String {
    let mut page = String::new();
    for file in FILES {
        let (package, comment, interfaces) = interfaces(&read(&format!("wit/{file}")));
        let (name, version) = package.split_once('@').unwrap();
        for (interface, about, items) in interfaces {
            let about = if about.is_empty() { comment.clone() } else { about };
            let _ = writeln!(page, "### `{name}/{interface}@{version}`\n\n{about}\n");
            for item in items.iter().filter(|item| is_function(item)) {
                let text = item.text.split_whitespace().collect::<Vec<_>>().join(" ");
                let text = text.trim_end_matches(';').replace("( ", "(").replace(" )", ")");
                let _ = writeln!(page, "- `{text}`  \n  {}", item.comment);
            }
            let types: Vec<&Item> = items.iter().filter(|item| !is_function(item)).collect();
            if !types.is_empty() {
                page.push_str("\n```wit\n");
                for item in types {
                    if !item.comment.is_empty() {
                        let _ = writeln!(page, "/// {}", item.comment);
                    }
                    let _ = writeln!(page, "{}", item.text);
                }
                page.push_str("```\n");
            }
            page.push('\n');
        }
    }
    page
}

/// The fields of a struct of the configuration, with their comments.
fn fields(source: &str, name: &str) -> Vec<(String, String, String)> {
    let begin = source.find(&format!("pub struct {name} {{")).unwrap_or_else(|| panic!("there is no {name}"));
    let mut comment = String::new();
    let mut renamed = None;
    let mut fields = Vec::new();
    if source[begin..].starts_with(&format!("pub struct {name} {{}}")) {
        return fields;
    }
    for line in source[begin..].lines().skip(1).map(str::trim).take_while(|line| *line != "}") {
        if let Some(words) = line.strip_prefix("///") {
            comment.push_str(if comment.is_empty() { "" } else { " " });
            comment.push_str(words.trim());
        } else if let Some((field, kind)) = line.strip_prefix("pub ").and_then(|line| line.split_once(": ")) {
            let kind = kind.replace("Option<", "optional <");
            let kind =
                kind.trim_end_matches(',').replace("BTreeMap<String, ", "table of <").replace("Vec<", "list of <");
            let field = renamed.take().unwrap_or(field);
            fields.push((field.to_owned(), kind.replace(['<', '>'], ""), std::mem::take(&mut comment)));
        } else if let Some((_, name)) = line.split_once("rename = \"") {
            renamed = name.split('"').next();
        } else if !line.starts_with("#[") {
            comment.clear();
        }
    }
    fields
}

fn configuration() -> String {
    let mut source = read("host/config.rs");
    for entry in std::fs::read_dir(root().join("host/config")).unwrap() {
        source.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    source
}

fn grants_text() -> String {
    let source = configuration();
    let mut page = String::new();
    for (capability, kind, comment) in fields(&source, "Grant") {
        let kind = kind.trim_start_matches("optional ").trim();
        let _ = writeln!(page, "### `[grants.X.{capability}]`\n");
        if !comment.is_empty() {
            let _ = writeln!(page, "{comment}\n");
        }
        let keys = fields(&source, kind);
        if keys.is_empty() {
            page.push_str("No keys: granted as a whole.\n\n");
            continue;
        }
        page.push_str("| key | form | meaning |\n|---|---|---|\n");
        for (key, form, meaning) in keys {
            let _ = writeln!(page, "| `{key}` | {form} | {} |", meaning.replace('|', "\\|"));
        }
        page.push('\n');
    }
    for (heading, kind) in [
        ("An entry of `hosts`", "HttpHost"),
        ("`[secrets.NAME]`", "SecretConfig"),
        ("`as` of a secret", "SecretAs"),
        ("`[cloud.NAME]`", "CloudConfig"),
        ("`[databases.NAME]`", "DatabaseConfig"),
        ("`[mcp.NAME]`", "McpConfig"),
        ("`[plugins.NAME]`", "PluginConfig"),
        ("`[plugins.NAME.limits]`", "LimitsConfig"),
        ("`[signatures]`", "SignaturesConfig"),
        ("`[store]`", "StoreConfig"),
        ("`[sessions]`", "SessionsConfig"),
        ("`[triggers]`", "TriggersConfig"),
        ("`[triggers.NAME]`", "TriggerConfig"),
        ("`[[maintenance]]`", "MaintenanceConfig"),
    ] {
        let _ = writeln!(page, "### {heading}\n\n| key | form | meaning |\n|---|---|---|");
        for (key, form, meaning) in fields(&source, kind) {
            let _ = writeln!(page, "| `{key}` | {form} | {} |", meaning.replace('|', "\\|"));
        }
        page.push('\n');
    }
    page
}

fn page() -> String {
    format!(
        "# Reference of interfaces and grants\n\nTaken from `wit/` and from the configuration's source by `tests/reference.rs`; do not edit it by hand. What each capability does, and its limits,\nstands in the page of its own that [plugins.md](plugins.md) names.\n\n## Interfaces\n\n{}## Grants\n\nWhat is linked is what the component imports, its manifest declares and `pi.toml` grants. An unknown key is an error.\n\n{}",
        interfaces_text(),
        grants_text()
    )
    .trim_end()
    .to_owned()
        + "\n"
}

#[test]
fn the_reference_is_what_wit_and_the_configuration_say() {
    let path = root().join("docs/reference.md");
    let page = page();
    if std::env::var_os("PI_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/reference.md is not as it would be: PI_WRITE_REFERENCE=1 cargo test reference");
}

#[test]
fn every_interface_that_can_be_granted_stands_in_the_reference() {
    let page = page();
    for word in [
        "pi:files/files@0.1.0",
        "wasi:keyvalue/store@0.2.0-draft",
        "`read: func(path: path, offset: u64",
        "`[grants.X.http]`",
        "| `hosts` |",
    ] {
        assert!(page.contains(word), "{word}");
    }
}
