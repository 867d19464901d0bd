//! The projects that `pi-host plugin new` makes: one small and useful plugin in each language, which
//! builds by `sh build.sh` and passes its own `pi-host plugin test`.
//!
//! Pure: [`files`] returns what is to be written, the command writes it. Everything comes from inside the
//! host (the templates, its `wit/`, the Rust SDK), so that a project fits the host that made it. A new
//! language is a variant of [`Language`], a folder here, and a list in `of_language`.

pub mod cases;

use std::path::PathBuf;

use crate::gate::explain::escaped;

/// As a manifest has it: the project's name is the plugin's.
const NAME_CHARS_MAX: usize = 64;

/// What a plugin can be written in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Python,
    JavaScript,
    C,
}

/// What a project is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tool,
    Agent,
}

#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    #[error(
        "a plugin's name is 1 to {NAME_CHARS_MAX} characters of `a-z`, `0-9`, `_` and `-`, and begins with a letter: `{0}`"
    )]
    Name(String),
    #[error("no language that a project can be made for: `{0}`\nhint: `rust`, `python`, `js` or `c`")]
    Language(String),
    #[error("no kind of plugin: `{0}`\nhint: `tool` or `agent`")]
    Kind(String),
}

impl Language {
    pub const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::JavaScript, Self::C];

    /// The word for it on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::C => "c",
        }
    }
}

impl std::str::FromStr for Language {
    type Err = ScaffoldError;

    fn from_str(text: &str) -> Result<Self, ScaffoldError> {
        let found = Self::ALL.into_iter().find(|language| language.name() == text);
        found.ok_or_else(|| ScaffoldError::Language(cut(text)))
    }
}

impl std::str::FromStr for Kind {
    type Err = ScaffoldError;

    fn from_str(text: &str) -> Result<Self, ScaffoldError> {
        match text {
            "tool" => Ok(Self::Tool),
            "agent" => Ok(Self::Agent),
            _ => Err(ScaffoldError::Kind(cut(text))),
        }
    }
}

/// The files of a new project, by their paths in its folder.
///
/// # Errors
/// The name is none that a plugin can have.
pub fn files(name: &str, language: Language, kind: Kind) -> Result<Vec<(PathBuf, Vec<u8>)>, ScaffoldError> {
    if !is_name(name) {
        return Err(ScaffoldError::Name(cut(name)));
    }
    let mut files = common(language, kind);
    files.extend(of_language(language, kind));
    let written = |(path, content): (String, Content)| {
        let bytes = match content {
            Content::Template(text) => text.replace("{{name}}", name).into_bytes(),
            Content::Text(text) => text.as_bytes().to_vec(),
            Content::Bytes(bytes) => bytes.to_vec(),
        };
        (PathBuf::from(path), bytes)
    };
    Ok(files.into_iter().map(written).collect())
}

enum Content {
    /// With `{{name}}` in it.
    Template(String),
    /// As it is.
    Text(&'static str),
    Bytes(&'static [u8]),
}

type File = (String, Content);

macro_rules! text {
    ($path:literal) => {
        Content::Text(include_str!($path))
    };
}

macro_rules! template {
    ($path:literal) => {
        Content::Template(include_str!($path).to_owned())
    };
}

fn file(path: &str, content: Content) -> File {
    (path.to_owned(), content)
}

fn common(language: Language, kind: Kind) -> Vec<File> {
    let build = match language {
        Language::Rust => include_str!("rust/build.sh"),
        Language::Python => include_str!("python/build.sh"),
        Language::JavaScript => include_str!("js/build.sh"),
        Language::C => include_str!("c/build.sh"),
    };
    let build = Content::Template(format!("{}\n{build}", include_str!("common/head.sh")));
    let mut files = vec![
        file("README.md", readme(language, kind)),
        file("build.sh", build),
        file(".gitignore", Content::Template(format!("{}/{{{{name}}}}.wasm\n/.pi/\n", ignored(language)))),
    ];
    files.extend(match kind {
        Kind::Tool => vec![
            file("plugin.json", template!("common/plugin-tool.json")),
            file("tests.json", text!("common/tests-tool.json")),
            file("pi.toml", template!("common/pi-tool.toml")),
            file("data/notes.txt", text!("common/notes.txt")),
        ],
        Kind::Agent => vec![
            file("plugin.json", template!("common/plugin-agent.json")),
            file("tests.json", text!("common/tests-agent.json")),
            file("pi.toml", template!("common/pi-agent.toml")),
        ],
    });
    files
}

fn of_language(language: Language, kind: Kind) -> Vec<File> {
    let mut files = match (language, kind) {
        (Language::Rust, Kind::Tool) => vec![file("src/lib.rs", text!("rust/tool.rs"))],
        (Language::Rust, Kind::Agent) => vec![file("src/lib.rs", text!("rust/agent.rs"))],
        (Language::Python, Kind::Tool) => vec![file("src/app.py", text!("python/tool.py"))],
        (Language::Python, Kind::Agent) => vec![file("src/app.py", text!("python/agent.py"))],
        (Language::JavaScript, Kind::Tool) => vec![file("app.js", text!("js/tool.js"))],
        (Language::JavaScript, Kind::Agent) => vec![file("app.js", text!("js/agent.js"))],
        (Language::C, Kind::Tool) => vec![
            file("plugin.c", text!("c/tool.c")),
            file("wit/world.wit", text!("c/world-tool.wit")),
            file("bindings/plugin.c", text!("c/bindings-tool/plugin.c")),
            file("bindings/plugin.h", text!("c/bindings-tool/plugin.h")),
            file(
                "bindings/plugin_component_type.o",
                Content::Bytes(include_bytes!("c/bindings-tool/plugin_component_type.o")),
            ),
        ],
        (Language::C, Kind::Agent) => vec![
            file("plugin.c", text!("c/agent.c")),
            file("wit/world.wit", text!("c/world-agent.wit")),
            file("bindings/plugin.c", text!("c/bindings-agent/plugin.c")),
            file("bindings/plugin.h", text!("c/bindings-agent/plugin.h")),
            file(
                "bindings/plugin_component_type.o",
                Content::Bytes(include_bytes!("c/bindings-agent/plugin_component_type.o")),
            ),
        ],
    };
    match language {
        Language::Rust => {
            files.push(file("Cargo.toml", text!("rust/Cargo.toml.txt")));
            files.push(file("Cargo.lock", text!("rust/Cargo.lock.txt")));
            files.push(file("pi-sdk/Cargo.toml", text!("rust/sdk.toml.txt")));
            files.extend(sdk());
            files.extend(packages("pi-sdk/wit"));
            files.push(file("pi-sdk/wit/host.wit", text!("../../wit/host.wit")));
        }
        Language::Python => {
            files.push(file("requirements.txt", text!("python/requirements.txt")));
            files.push(file("wit/world.wit", world(kind)));
            files.extend(packages("wit"));
        }
        Language::JavaScript => {
            files.push(file("package.json", text!("js/package.json")));
            files.push(file("package-lock.json", text!("js/package-lock.json")));
            files.push(file("wit/world.wit", world(kind)));
            files.extend(packages("wit"));
        }
        Language::C => {
            files.push(file("requirements.txt", text!("c/requirements.txt")));
            files.push(file("json.c", text!("c/json.c")));
            files.push(file("json.h", text!("c/json.h")));
            files.push(file("memory.h", text!("c/memory.h")));
            files.extend(packages("wit"));
        }
    }
    files
}

fn world(kind: Kind) -> Content {
    match kind {
        Kind::Tool => text!("common/world-tool.wit"),
        Kind::Agent => text!("common/world-agent.wit"),
    }
}

/// The SDK for Rust, which is on no registry: a project carries its source.
fn sdk() -> Vec<File> {
    // There its interfaces stand beside it, in the project within it.
    let library = include_str!("../../plugins/sdk/src/lib.rs").replace("\"../../wit\"", "\"wit\"");
    vec![
        file("pi-sdk/src/lib.rs", Content::Template(library)),
        file("pi-sdk/src/content.rs", text!("../../plugins/sdk/src/content.rs")),
        file("pi-sdk/src/http.rs", text!("../../plugins/sdk/src/http.rs")),
        file("pi-sdk/src/schema.rs", text!("../../plugins/sdk/src/schema.rs")),
    ]
}

/// The packages that a world may name, all of them: one more import is one more line of the world.
fn packages(folder: &str) -> Vec<File> {
    macro_rules! packages {
        ($($path:literal)+) => {
            vec![$((format!("{folder}/{}", $path), Content::Text(include_str!(concat!("../../wit/", $path))))),+]
        };
    }
    packages!(
        "agent.wit" "cloud.wit" "files.wit" "gate.wit" "logging.wit" "model.wit" "process.wit" "services.wit" "sql.wit" "tool.wit" "tools.wit"
        "deps/cli.wit" "deps/clocks.wit" "deps/config.wit" "deps/filesystem.wit" "deps/http.wit" "deps/io.wit"
        "deps/keyvalue.wit" "deps/random.wit" "deps/sockets.wit"
    )
}

fn ignored(language: Language) -> &'static str {
    match language {
        Language::Rust => "/target/\n",
        Language::Python => "/.venv/\n/build/\n__pycache__/\n",
        Language::JavaScript => "/node_modules/\n/build/\n",
        Language::C => "/.venv/\n/build/\n",
    }
}

fn readme(language: Language, kind: Kind) -> Content {
    let (source, wit, needed, import) = match language {
        Language::Rust => (
            "src/lib.rs",
            "pi-sdk/",
            "Needed: Rust by rustup. The crate `pi-sdk` is the host's own, as source; docs/languages/rust.md shows it.",
            "Call it: `pi_sdk::http`. What is not called is not imported.",
        ),
        Language::Python => (
            "src/app.py",
            "wit/",
            "Needed: Python 3.10 or later. componentize-py is installed into `.venv`; docs/languages/python.md says more.",
            "Add a line to `wit/world.wit`, and import it from `wit_world.imports`.",
        ),
        Language::JavaScript => (
            "app.js",
            "wit/",
            "Needed: Node.js 20 or later. jco is installed into `node_modules`; docs/languages/javascript.md says more.",
            "Add a line to `wit/world.wit`, and import it by its name in `app.js`.",
        ),
        Language::C => (
            "plugin.c",
            "bindings/",
            "Needed: Python 3, by which the compiler ziglang is installed into `.venv`; docs/languages/c.md says more.",
            "Call it: `bindings/plugin.h` has it. What is not called is not imported.",
        ),
    };
    let (what, attempt) = match kind {
        Kind::Tool => (
            "A plugin for pi-host: the tool `count` counts the lines, words and bytes of a text file.",
            "pi-host tool call count '{\"path\":\"data/notes.txt\"}'",
        ),
        Kind::Agent => (
            "An agent for pi-host: it counts the file that its prompt names, by the tool `count`.",
            "pi-host plugin inspect {{name}}  # what it imports, declares and is granted",
        ),
    };
    Content::Template(
        include_str!("common/readme.md")
            .replace("{{what}}", what)
            .replace("{{try}}", attempt)
            .replace("{{needed}}", needed)
            .replace("{{source}}", source)
            .replace("{{wit}}", wit)
            .replace("{{import}}", import),
    )
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn cut(text: &str) -> String {
    escaped(&text.chars().take(NAME_CHARS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(language: Language, kind: Kind) -> Vec<(PathBuf, Vec<u8>)> {
        files("my-plugin", language, kind).unwrap()
    }

    fn text_of(files: &[(PathBuf, Vec<u8>)], path: &str) -> String {
        let (_, bytes) = files.iter().find(|(found, _)| found.to_str() == Some(path)).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[test]
    fn every_project_has_its_parts_once_and_no_placeholder() {
        for language in Language::ALL {
            for kind in [Kind::Tool, Kind::Agent] {
                let files = project(language, kind);
                for path in ["README.md", "build.sh", "plugin.json", "tests.json", "pi.toml", ".gitignore"] {
                    let text = text_of(&files, path);
                    assert!(!text.contains("{{"), "{path}: {text}");
                }
                let paths: std::collections::BTreeSet<_> = files.iter().map(|(path, _)| path).collect();
                assert_eq!(paths.len(), files.len());
                assert!(paths.iter().all(|path| path.is_relative()));
                assert!(text_of(&files, "README.md").lines().count() <= 36);
            }
        }
    }

    #[test]
    fn a_project_has_every_interface_that_a_plugin_may_name() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
        let given: Vec<String> = packages("wit").into_iter().map(|(path, _)| path).collect();
        for folder in ["", "deps/"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = format!("wit/{folder}{name}");
                assert!(!name.ends_with(".wit") || name == "host.wit" || given.contains(&path), "{path}");
            }
        }
    }

    #[test]
    fn the_cases_of_each_kind_can_be_read() {
        let tool = text_of(&project(Language::C, Kind::Tool), "tests.json");
        assert_eq!(cases::tool_cases(tool.as_bytes()).unwrap().len(), 3);
        let agent = text_of(&project(Language::C, Kind::Agent), "tests.json");
        assert_eq!(cases::agent_cases(agent.as_bytes()).unwrap().len(), 3);
    }

    #[test]
    fn the_sdk_of_a_rust_project_finds_its_interfaces() {
        let library = text_of(&project(Language::Rust, Kind::Tool), "pi-sdk/src/lib.rs");
        assert!(library.contains("path: \"wit\"") && !library.contains("../../wit"));
    }

    #[test]
    fn a_name_is_one_that_a_manifest_takes() {
        for name in ["", "A", "a b", "../a", "a/b", "1a", "-a", &"a".repeat(65), "a\nb"] {
            assert!(matches!(files(name, Language::C, Kind::Tool), Err(ScaffoldError::Name(_))), "{name}");
        }
        files(&"a".repeat(64), Language::C, Kind::Tool).unwrap();
    }

    #[test]
    fn an_unknown_language_is_named_with_those_there_are() {
        let error = "go".parse::<Language>().unwrap_err().to_string();
        assert_eq!(error, "no language that a project can be made for: `go`\nhint: `rust`, `python`, `js` or `c`");
        assert!("service".parse::<Kind>().is_err());
    }
}
