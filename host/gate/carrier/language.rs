//! Interpreters, whose code is not read here except where it plainly does nothing but print.

use crate::gate::argv::{Argv, Word};

use super::{Carried, flags};

pub(super) struct Interpreter {
    /// The names' beginnings: `python` is also `python3.12`.
    pub(super) names: &'static [&'static str],
    pub(super) language: &'static str,
    /// The flags whose value is code.
    pub(super) code: &'static str,
    /// Other flags with a value.
    pub(super) valued: &'static str,
}

pub(super) const INTERPRETERS: &[Interpreter] = &[
    Interpreter { names: &["python", "pypy", "py"], language: "python", code: "-c", valued: "-W|-X|-m" },
    Interpreter { names: &["perl"], language: "perl", code: "-e|-E", valued: "-I" },
    Interpreter { names: &["ruby"], language: "ruby", code: "-e", valued: "-r|-I|-C" },
    Interpreter {
        names: &["node", "nodejs"],
        language: "javascript",
        code: "-e|--eval|-p|--print",
        valued: "-r|--require|--import|--loader",
    },
    Interpreter { names: &["deno", "bun"], language: "javascript", code: "-e|--eval", valued: "" },
    Interpreter { names: &["php"], language: "php", code: "-r", valued: "-d|-c" },
    Interpreter { names: &["lua", "luajit"], language: "lua", code: "-e", valued: "-l" },
    Interpreter { names: &["Rscript", "R"], language: "r", code: "-e", valued: "" },
    Interpreter { names: &["julia"], language: "julia", code: "-e|--eval|-E|--print", valued: "" },
    Interpreter { names: &["osascript"], language: "applescript", code: "-e", valued: "-l" },
    Interpreter {
        names: &["pwsh", "powershell"],
        language: "powershell",
        code: "-c|-Command|-EncodedCommand|-e",
        valued: "-File",
    },
    Interpreter { names: &["tclsh", "wish", "expect"], language: "tcl", code: "-c", valued: "" },
];

pub(super) fn by_interpreter(words: &[Word], interpreter: &Interpreter) -> Option<Carried> {
    let code = flags(interpreter.code);
    let argv = Argv::read(words, &[flags(interpreter.valued), code.clone()].concat());
    let values: Vec<&str> = argv.values(&code).collect();
    if !values.is_empty() || argv.has_flag(&code) {
        let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
        let code = Word { text: values.join("\n"), is_glob: false, taint };
        return Some(Carried::Code { code, language: interpreter.language });
    }
    if argv.has_flag(&flags("--version|-V|--help|-h")) {
        return None;
    }
    if interpreter.language == "python" && argv.has_flag(&flags("-m")) {
        return Some(Carried::File { path: Word::plain(argv.values(&flags("-m")).next().unwrap_or_default()) });
    }
    match argv.operands.first() {
        Some(path) if path.text != "-" => Some(Carried::File { path: (*path).clone() }),
        _ => Some(Carried::Input),
    }
}

/// Whether code of an opaque language plainly does nothing but print.
pub(crate) fn is_harmless_code(code: &str) -> bool {
    let code = code.trim().trim_end_matches(';');
    let printed = ["print(", "console.log("]
        .iter()
        .find_map(|call| code.strip_prefix(call)?.strip_suffix(')'))
        .or_else(|| ["print ", "puts ", "echo "].iter().find_map(|verb| code.strip_prefix(verb)));
    // A single literal: no call, no interpolation, no backtick inside.
    printed.is_some_and(|literal| {
        let quoted = ['\'', '"'].iter().any(|quote| {
            literal.len() >= 2
                && literal.starts_with(*quote)
                && literal.ends_with(*quote)
                && !literal[1..literal.len() - 1].contains(*quote)
        });
        let is_number =
            !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_digit() || b"+-*/. ".contains(&byte));
        (quoted && !literal.contains(['$', '#', '`', '\\', '@', '{'])) || is_number
    })
}
