//! Interpreters, whose code is not read here except where it plainly does nothing but print.

use crate::gate::argv::{Argv, Word};

use super::tool::by_module;
use super::{Carried, flags};

pub(super) struct Interpreter {
    /// The names' beginnings: `python` is also `python3.12`.
    pub(super) names: &'static [&'static str],
    pub(super) language: &'static str,
    /// The flags whose value is code.
    pub(super) code: &'static str,
    /// Other flags with a value.
    pub(super) valued: &'static str,
    /// The flags with which it only looks at a file, or runs the project's tests. Other flags may load code.
    looks: &'static str,
    /// Its subcommands that the policy's table of programs judges.
    verbs: &'static [&'static str],
}

/// Subcommands of deno and bun that build, test, check or look. Whether this use does is the table's business.
const DENO_AND_BUN: &[&str] = &[
    "test", "bench", "lint", "fmt", "check", "info", "doc", "types", "help", "outdated", "audit", "coverage", "run",
    "build", "pm", "why",
];

pub(super) const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy", "py"],
        language: "python",
        code: "-c",
        valued: "-W|-X|-m",
        looks: "",
        verbs: &[],
    },
    Interpreter { names: &["perl"], language: "perl", code: "-e|-E", valued: "-I", looks: "", verbs: &[] },
    Interpreter { names: &["ruby"], language: "ruby", code: "-e", valued: "-r|-I|-C", looks: "-c", verbs: &[] },
    Interpreter {
        names: &["node", "nodejs"],
        language: "javascript",
        code: "-e|--eval|-p|--print",
        valued: "-r|--require|--import|--loader",
        looks: "-c|--check|--test",
        verbs: &[],
    },
    Interpreter {
        names: &["deno", "bun"],
        language: "javascript",
        code: "-e|--eval",
        valued: "",
        looks: "",
        verbs: DENO_AND_BUN,
    },
    Interpreter { names: &["php"], language: "php", code: "-r", valued: "-d|-c", looks: "-l|-m|-i|--ini", verbs: &[] },
    Interpreter { names: &["lua", "luajit"], language: "lua", code: "-e", valued: "-l", looks: "", verbs: &[] },
    Interpreter { names: &["Rscript", "R"], language: "r", code: "-e", valued: "", looks: "", verbs: &[] },
    Interpreter {
        names: &["julia"],
        language: "julia",
        code: "-e|--eval|-E|--print",
        valued: "",
        looks: "",
        verbs: &[],
    },
    Interpreter { names: &["osascript"], language: "applescript", code: "-e", valued: "-l", looks: "", verbs: &[] },
    Interpreter {
        names: &["pwsh", "powershell"],
        language: "powershell",
        code: "-c|-Command|-EncodedCommand|-e",
        valued: "-File",
        looks: "",
        verbs: &[],
    },
    Interpreter { names: &["tclsh", "wish", "expect"], language: "tcl", code: "-c", valued: "", looks: "", verbs: &[] },
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
    // Behind the first operand a flag is the script's own: `node x.js --test`.
    let is_flag = |word: &&Word| word.text.starts_with('-') && word.text.len() > 1 && word.text != "--";
    let own = words.iter().skip(1).take_while(is_flag).count();
    let own = Argv::read(words.get(..=own).unwrap_or_default(), &[]);
    // `python3 -v` goes on and reads code; of others it is the version.
    let is_version =
        words.len() == 2 && words.get(1).is_some_and(|word| word.text == "-v") && interpreter.language != "python";
    if is_version || own.has_flag(&flags("--version|-V|--help|-h")) {
        return None;
    }
    if own.has_flag(&flags(interpreter.looks)) && !argv.has_flag(&flags(interpreter.valued)) {
        return None;
    }
    if argv.operands.first().is_some_and(|word| interpreter.verbs.contains(&word.text.as_str())) {
        return None;
    }
    if interpreter.language == "python" && argv.has_flag(&flags("-m")) {
        if let Some(tool) = by_module(words) {
            return Some(tool);
        }
        return Some(Carried::File { path: Word::plain(argv.values(&flags("-m")).next().unwrap_or_default()) });
    }
    match argv.operands.first() {
        Some(path) if path.text != "-" => Some(Carried::File { path: (*path).clone() }),
        _ => Some(Carried::Input),
    }
}

/// Whether a command line is an interpreter, the flag for code, and code that plainly does nothing but print:
/// what else stands there may load more, and in Tcl a string may run commands.
pub(crate) fn only_prints(words: &[Word], language: &str) -> bool {
    let [_, flag, code] = words else { return false };
    language != "tcl" && flag.text.len() == 2 && is_harmless_code(&code.text)
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
