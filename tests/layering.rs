//! Which module may import which. ARCHITECTURE.md has the picture; this file is the rule.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. A module may import those before it; modules of one line not each other.
const LAYERS: &[&[&str]] = &[
    &["clock"],
    &["gate"],
    &["config", "plugin"],
    &["mcp", "model", "outbound", "registry", "scaffold", "store"],
    &["journal"],
    &["confine"],
    &["supervisor"],
    &["approval", "packages"],
    &["capability"],
    &["runtime", "watch"],
    &["report"],
    &["delivery", "session"],
    &["lab"],
    &["app"],
    &["cli"],
];

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for (module, imported, place) in imports() {
        if module == imported {
            continue;
        }
        let (Some(from), Some(to)) = (layer(&module), layer(&imported)) else {
            wrong.push(format!("{place}: `{module}` or `{imported}` has no place in LAYERS"));
            continue;
        };
        if to >= from {
            wrong.push(format!("{place}: `{module}` imports `{imported}`, which is not below it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn gate_imports_nothing_of_the_project() {
    let found: Vec<_> =
        imports().into_iter().filter(|(module, imported, _)| module == "gate" && imported != "gate").collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn only_runtime_and_capability_name_wasmtime() {
    // `session` names the traps with which it ends an agent's instance, and nothing else of wasmtime.
    only_in("wasmtime::", &["runtime", "capability", "session"]);
}

#[test]
fn only_confine_starts_a_process() {
    // The lab starts its own services and strays: they stand for what is outside of the host.
    only_in("Command::new(", &["confine", "lab"]);
}

#[test]
fn only_config_reads_the_environment() {
    only_in("env::var", &["config", "lab"]);
}

#[test]
fn only_clock_reads_time() {
    only_in("SystemTime::now", &["clock"]);
    only_in("Instant::now", &["clock"]);
}

#[test]
fn only_cli_prints() {
    // The helper of `confine` is a program of its own, and says so to who calls it by hand.
    only_in("println!", &["cli", "confine"]);
}

/// The text stands only in these modules, tests and comments aside.
fn only_in(text: &str, modules: &[&str]) {
    let mut wrong = Vec::new();
    for (module, file, source) in sources() {
        if modules.contains(&module.as_str()) || module == "main" {
            continue;
        }
        for (number, line) in source.lines().enumerate() {
            if line.contains(text) && !line.trim_start().starts_with("//") {
                wrong.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "`{text}` stands outside of {modules:?}:\n{}", wrong.join("\n"));
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Module, what it imports, where.
fn imports() -> Vec<(String, String, String)> {
    let mut found = BTreeMap::new();
    for (module, file, source) in sources() {
        for (number, line) in source.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let named: Vec<String> = match rest.strip_prefix('{') {
                    Some(group) => group.split(',').map(|part| word(part.trim())).collect(),
                    None => vec![word(rest)],
                };
                for name in named.into_iter().filter(|name| !name.is_empty()) {
                    let place = format!("{}:{}", file.display(), number + 1);
                    found.entry((module.clone(), name)).or_insert(place);
                }
            }
        }
    }
    found
        .into_iter()
        .filter(|((module, _), _)| module != "main" && module != "lib")
        .map(|((m, i), p)| (m, i, p))
        .collect()
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Every source file of the host with its top-level module, without what is only compiled for tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("host");
    let mut files = Vec::new();
    collect(&host, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    files
        .into_iter()
        .filter(|file| file.file_name().is_none_or(|name| name != "build.rs" && name != "tests.rs"))
        .map(|file| {
            let inside = file.strip_prefix(&host).unwrap();
            let module =
                inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            let source = fs::read_to_string(&file).unwrap();
            let source = source.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
            (module, file, source)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    // A crate of its own has its own layers.
    if folder.join("Cargo.toml").exists() {
        return;
    }
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
